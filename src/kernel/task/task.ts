/**
 * Tasks and what they share.
 *
 *     Task     one thread where it runs: registers, signal mask, run state          (Linux: task_struct)
 *     Process  what its threads share where they run: memory, files, handlers       (Linux: mm, files, sighand, signal)
 *     Record   what the origin keeps of a process wherever it runs                  (task/record.ts)
 *
 * Always holds: a task exists on exactly one kernel, the location of its process; the record exists at the origin only.
 */
import type { FileTable } from '../fs/file-table.ts';
import type { FsContext } from '../fs/context.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { Blocking, CoreId, Cycles, KernelId, Pid, Sleeper, VirtAddr, WaitQueue, WakeReason } from '../types.ts';
import type { PendingSignals, SignalActions } from '../signal/state.ts';

/** Where a task is in its life. ready → running ⇄ ready; running → asleep → ready; running → stopped → ready; any → dead. */
export type TaskState = 'ready' | 'running' | 'asleep' | 'stopped' | 'dead';

export interface Credentials {
  uid: number; gid: number; euid: number; egid: number; suid: number; sgid: number; groups: number[];
}

/** What all threads of a process share on the kernel where they run. */
export interface Process {
  readonly pid: Pid;
  readonly origin: KernelId;
  mm: AddressSpace;
  files: FileTable;
  fs: FsContext;
  actions: SignalActions;
  /** Signals for the process as a whole. */
  pending: PendingSignals;
  threads: Set<Task>;
  credentials: Credentials;
  /** Command name as /proc/PID/comm shows it, at most 15 bytes. */
  name: string;
  /** Path of the executable, and the argument and environment strings' places for /proc. */
  executable: string;
  rlimits: Map<number, [number, number]>;
  startTime: Cycles;
  /** Cycles that threads which are gone have used, [user, system]. */
  usedUser: Cycles;
  usedSystem: Cycles;
  /** Real interval timer: next expiry and interval; 0 when off. */
  itimerDeadline: Cycles;
  itimerInterval: Cycles;
  exitStatus: number | null;
  /** Set while a wait for vfork's child to let go is on. */
  vforkDone: WaitQueue | null;
}

export interface Task extends Sleeper {
  readonly tid: Pid;
  process: Process;
  state: TaskState;
  core: CoreId;
  /** Architectural state while the task is off its core (ARCH_STATE_BYTES). */
  readonly registers: Uint8Array;
  /** Signals for this thread alone, and those it blocks (two words: signals 1–32, 33–64). */
  pending: PendingSignals;
  blocked: [number, number];
  savedBlocked: [number, number] | null;
  altStack: { base: VirtAddr; size: number; flags: number };
  /** A system call under way that blocked, resumed by the scheduler. */
  fiber: Blocking<number> | null;
  /** Wakes up with this reason. */
  wakeReason: WakeReason;
  nice: number;
  affinity: CoreId[];
  vruntime: Cycles;
  usedUser: Cycles;
  usedSystem: Cycles;
  clearChildTid: VirtAddr;
  robustList: VirtAddr;
  /** Number of the system call under way, for restarts; -1 when none. */
  syscall: number;
  /** Absolute deadline of an interrupted sleep that will be restarted; NaN when none. */
  restartDeadline: Cycles;
  /** Kernel that this task has been asked to move to; -1 for none. */
  migrateTo: KernelId;
}
