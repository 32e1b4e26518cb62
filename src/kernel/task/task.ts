/**
 * Tasks and what they share.
 *
 *     Task     one thread where it runs: registers, signal mask, run state          (Linux: task_struct)
 *     Process  what its threads share where they run: memory, files, handlers       (Linux: mm, files, sighand, signal)
 *     Record   what the origin keeps of a process wherever it runs                  (task/record.ts)
 *
 * A thread may compute on another kernel than its process (migrate/threads.ts): it then has a task there too, in an outpost of the process,
 * while the one at the process sleeps.
 *
 * Always holds: a process is on exactly one kernel, its location; of a thread's two tasks at most one runs; the record exists at the origin only.
 */
import type { Watch } from '../debug/watch.ts';
import { ARCH_STATE_BYTES, type ExitKind } from '../../machine/hart/hart.ts';
import type { FsContext } from '../fs/context.ts';
import type { FileTable } from '../fs/file-table.ts';
import type { Outpost } from '../migrate/outpost.ts';
import type { Access, AddressSpace } from '../mm/address-space.ts';
import type { UserMemory } from '../mm/user-memory.ts';
import { PendingSignals, type SignalActions } from '../signal/state.ts';
import type { KernelEvent } from '../sched/events.ts';
import type { Blocking, CoreId, Cycles, KernelId, Pid, Sleeper, VirtAddr, Wait, WaitQueue, WakeReason } from '../types.ts';

/** Where a task is in its life. ready → running ⇄ ready; running → asleep → ready; running → stopped → ready; any → dead. */
export type TaskState = 'ready' | 'running' | 'asleep' | 'stopped' | 'dead';

export interface Credentials {
  uid: number;
  gid: number;
  euid: number;
  egid: number;
  suid: number;
  sgid: number;
  groups: number[];
}

/** What all threads of a process share on the kernel where they run. */
export interface Process {
  readonly pid: Pid;
  readonly origin: KernelId;
  /** Who made it: its parent, until that has ended. What counts is the record's. */
  readonly maker: Pid;
  mm: AddressSpace;
  user: UserMemory;
  files: FileTable;
  fs: FsContext;
  actions: SignalActions;
  /** Signals for the process as a whole. */
  pending: PendingSignals;
  readonly threads: Set<Task>;
  credentials: Credentials;
  /** Command name as /proc/PID/comm shows it, at most 15 bytes. */
  name: string;
  /** Path of the executable. */
  executable: string;
  rlimits: Map<number, [number, number]>;
  startTime: Cycles;
  /** Cycles of threads that are gone. */
  usedUser: Cycles;
  usedSystem: Cycles;
  /** The real interval timer: the event that will fire, and the interval (0: once). */
  itimer: KernelEvent | null;
  itimerInterval: Cycles;
  /** Wait status once the process has begun to exit; null before. */
  exitStatus: number | null;
  /** Woken when the memory borrowed by vfork is given back. */
  vforkDone: WaitQueue | null;
  /** Set in a process of the `exec` verb: it is moved on at this interval of its running time. */
  migrateEvery: Cycles;
  dumpable: number;
  /** A stop signal has come, and SIGCONT not yet: no thread goes on in user mode. */
  isStopped: boolean;
  /** Set in what stands for the process on a kernel where only threads of it compute. */
  readonly outpost: Outpost | null;
}

/** A trap as the hart reports it; the registers that go with it are the thread's. */
export interface Errand {
  readonly exit: ExitKind;
  readonly address: VirtAddr;
  readonly access: Access;
}

export class Task implements Sleeper {
  tid: Pid;
  process: Process;
  state: TaskState = 'ready';
  core: CoreId;
  /** Architectural state while the task is off its core. */
  readonly registers = new Uint8Array(ARCH_STATE_BYTES);
  /** Signals for this thread alone, and those it blocks (two words: signals 1–32, 33–64). */
  pending = new PendingSignals();
  blocked: [number, number] = [0, 0];
  /** Mask to put back once the handler of the signal that ended a sigsuspend-like call has returned. */
  savedBlocked: [number, number] | null = null;
  altStack: { base: VirtAddr; size: number; flags: number } = { base: 0, size: 0, flags: 2 };
  /** A system call under way that blocked, and how its sleep ended. */
  fiber: Blocking<number> | null = null;
  wakeReason: WakeReason = 'woken';
  /** The sleep under way: its queues are to be left, its timer cancelled, when it ends. */
  wait: Wait | null = null;
  timer: KernelEvent | null = null;
  nice = 0;
  policy = 0;
  affinity: CoreId[];
  vruntime: Cycles = 0;
  usedUser: Cycles = 0;
  usedSystem: Cycles = 0;
  clearChildTid: VirtAddr = 0;
  robustList: VirtAddr = 0;
  /** Number of the system call under way; -1 when none. */
  syscall = -1;
  /** The code with which the last call asked to be made again (E.RESTARTSYS or E.RESTARTNOHAND); 0 for none. */
  restart = 0;
  /** How often in a row it has: a call of this task has been begun so many times and not ended. */
  restarts = 0;
  /** Absolute deadline of a sleep that will be made again; NaN when none. */
  restartDeadline: Cycles = Number.NaN;
  /** Something is to be looked at before the task goes on in user mode: a signal, a stop, a move. */
  work = false;
  /** The next interruptible sleep ends at once: what would have ended it came before. */
  poked = false;
  /** Kernel that this task has been asked to move to; -1 for none. */
  migrateTo: KernelId = -1;
  /** Cores there that it asked for; none: any. */
  wantedCores: readonly CoreId[] = [];
  /** Kernel where this thread computes, away from its process; -1: here. What it asks of its kernel is done here all the same. */
  place: KernelId = -1;
  /** Core on which it computed there last. */
  placeCore: CoreId = 0;
  /** What it came home with: a trap that is to be seen to here. */
  errand: Errand | null = null;
  /** On the kernel where it computes: it has been called home. */
  recalled = false;
  /** A debugger's hold on it. */
  watch: Watch | null = null;
  /** Core that this task has been asked to move to; -1 for none. */
  moveToCore: CoreId = -1;
  voluntarySwitches = 0;
  involuntarySwitches = 0;
  /** Cycles that it had used when it came to this kernel. */
  usedBefore: Cycles = 0;
  readonly #wakeUp: (task: Task, reason: WakeReason) => void;

  /** @param wakeUp the scheduler's way to end this task's sleep */
  constructor(tid: Pid, process: Process, core: CoreId, affinity: CoreId[], wakeUp: (task: Task, reason: WakeReason) => void) {
    this.tid = tid;
    this.process = process;
    this.core = core;
    this.affinity = affinity;
    this.#wakeUp = wakeUp;
    process.threads.add(this);
  }

  wake(reason: WakeReason): void {
    this.#wakeUp(this, reason);
  }

  get isLeader(): boolean {
    return this.tid === this.process.pid;
  }
}
