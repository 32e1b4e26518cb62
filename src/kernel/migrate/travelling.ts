/**
 * What travels of a process beside its areas and pages: plain data of JSON, and the registers of its threads.
 *
 * Always holds: `unpack(pack(process))` has the same threads in the same order, each with its id, mask, pending signals and clocks; an
 * infinite limit is -1 on the way, a deadline that is not set is null.
 */
import { Watch } from '../debug/watch.ts';
import type { FileTable } from '../fs/file-table.ts';
import type { Dentry } from '../fs/vfs.ts';
import type { FileRef } from '../image/files.ts';
import type { Kernel } from '../kernel.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { UserMemory } from '../mm/user-memory.ts';
import { defaultActions, PendingSignals, type SignalInfo } from '../signal/state.ts';
import type { Process, Task } from '../task/task.ts';
import type { CoreId, Cycles, KernelId, Pid } from '../types.ts';

/** Bytes of a thread's registers that travel: x0 … x31, f0 … f31, pc, fcsr. */
export const REGISTERS_BYTES = 528;

export interface TravellingFile {
  readonly ref: FileRef;
  readonly fds: readonly (readonly [fd: number, closeOnExec: boolean])[];
}

interface TravellingThread {
  readonly tid: Pid;
  readonly blocked: readonly [number, number];
  readonly savedBlocked: readonly [number, number] | null;
  readonly altStack: Task['altStack'];
  readonly nice: number;
  readonly policy: number;
  readonly clearChildTid: number;
  readonly robustList: number;
  readonly restart: number;
  readonly restarts: number;
  readonly restartDeadline: number | null;
  readonly wanted: readonly CoreId[];
  readonly switches: readonly [number, number];
  readonly used: readonly [user: Cycles, system: Cycles];
  /** How much more it has had than the thread that has had least: who waited longest is first at the target too. */
  readonly ahead: Cycles;
  readonly pending: readonly SignalInfo[];
  /** A debugger's hold goes along. */
  readonly watch: null | { readonly held: boolean; readonly breakpoints: readonly number[] };
}

const SPACE_FIELDS = [
  'brkStart',
  'brk',
  'argStart',
  'argEnd',
  'envStart',
  'envEnd',
  'stackStart',
  'codeStart',
  'codeEnd',
  'stackLimit',
  'minorFaults',
] as const;

export interface Travelling {
  readonly origin: KernelId;
  readonly maker: Pid;
  readonly name: string;
  readonly executable: string;
  readonly credentials: Process['credentials'];
  readonly actions: readonly (readonly [signal: number, handler: number, flags: number, mask: readonly [number, number]])[];
  readonly pending: readonly SignalInfo[];
  readonly rlimits: readonly (readonly [number, number, number])[];
  readonly startTime: Cycles;
  /** By threads that are gone. */
  readonly used: readonly [user: Cycles, system: Cycles];
  readonly timer: readonly [rest: Cycles, interval: Cycles] | null;
  readonly migrateEvery: Cycles;
  readonly dumpable: number;
  readonly cwd: string;
  readonly root: string;
  readonly umask: number;
  readonly files: readonly TravellingFile[];
  /** As whom it holds record locks (`FileTable.locker`). */
  readonly locker: string | null;
  readonly space: Pick<AddressSpace, (typeof SPACE_FIELDS)[number]>;
  readonly threads: readonly TravellingThread[];
}

export function pack(kernel: Kernel, process: Process, files: readonly TravellingFile[]): Travelling {
  const { mm, credentials, origin, maker, name, executable, startTime, migrateEvery, dumpable } = process;
  const finite = (value: number): number => (Number.isFinite(value) ? value : -1);
  const least = Math.min(...[...process.threads].map(task => task.vruntime));
  return {
    origin,
    maker,
    name,
    executable,
    credentials,
    startTime,
    migrateEvery,
    dumpable,
    files,
    locker: process.files.locker,
    actions: process.actions.flatMap((action, signal) =>
      action.handler === 0 && action.flags === 0 ? [] : [[signal, action.handler, action.flags, action.mask] as const],
    ),
    pending: [...process.pending.all],
    rlimits: [...process.rlimits].map(([resource, [soft, hard]]) => [resource, finite(soft), finite(hard)] as const),
    used: [process.usedUser, process.usedSystem],
    timer: process.itimer === null ? null : [Math.max(1, process.itimer.time - kernel.now), process.itimerInterval],
    cwd: process.fs.cwd.path(),
    root: process.fs.root.path(),
    umask: process.fs.umask,
    space: Object.fromEntries(SPACE_FIELDS.map(field => [field, mm[field]])) as Travelling['space'],
    threads: [...process.threads].map(task => packThread(task, least)),
  };
}

function packThread(task: Task, least: Cycles): TravellingThread {
  const { tid, blocked, savedBlocked, altStack, nice, policy, clearChildTid, robustList, restart, restarts, restartDeadline, watch } = task;
  return {
    tid,
    blocked,
    savedBlocked,
    altStack,
    nice,
    policy,
    clearChildTid,
    robustList,
    restart,
    restarts,
    restartDeadline: Number.isNaN(restartDeadline) ? null : restartDeadline,
    wanted: task.wantedCores,
    switches: [task.voluntarySwitches, task.involuntarySwitches],
    used: [task.usedUser, task.usedSystem],
    ahead: task.vruntime - least,
    pending: [...task.pending.all],
    watch: watch === null ? null : { held: watch.mode === 'held', breakpoints: [...watch.breakpoints] },
  };
}

/** Registers of all threads, one after the other; each thread is off its core or has had its registers saved. */
export function registersOf(process: Process): Uint8Array {
  const bytes = new Uint8Array(process.threads.size * REGISTERS_BYTES);
  [...process.threads].forEach((task, i) => {
    bytes.set(task.registers.subarray(0, REGISTERS_BYTES), i * REGISTERS_BYTES);
  });
  return bytes;
}

/** What the target has made of areas, pages and names. */
export interface Built {
  readonly space: AddressSpace;
  readonly user: UserMemory;
  readonly cwd: Dentry;
  readonly root: Dentry;
}

export function setSpace(space: AddressSpace, state: Travelling): void {
  Object.assign(space, state.space);
}

/** The process as it was, on this kernel. Its threads are in no queue yet. */
export function unpack(kernel: Kernel, pid: Pid, state: Travelling, registers: Uint8Array, files: FileTable, built: Built): Process {
  const actions = defaultActions();
  for (const [signal, handler, flags, mask] of state.actions) actions[signal] = { handler, flags, mask: [mask[0], mask[1]] };
  const infinite = (value: number): number => (value < 0 ? Infinity : value);
  const process: Process = {
    pid,
    origin: state.origin,
    maker: state.maker,
    mm: built.space,
    user: built.user,
    files,
    fs: { root: built.root, cwd: built.cwd, umask: state.umask },
    actions,
    pending: pendingOf(state.pending),
    threads: new Set(),
    credentials: state.credentials,
    name: state.name,
    executable: state.executable,
    rlimits: new Map(state.rlimits.map(([resource, soft, hard]) => [resource, [infinite(soft), infinite(hard)]])),
    startTime: state.startTime,
    usedUser: state.used[0],
    usedSystem: state.used[1],
    itimer: null,
    itimerInterval: 0,
    exitStatus: null,
    vforkDone: null,
    migrateEvery: state.migrateEvery,
    dumpable: state.dumpable,
    isStopped: false,
    outpost: null,
  };
  state.threads.forEach((thread, i) => {
    unpackThread(kernel, process, thread, registers.subarray(i * REGISTERS_BYTES, (i + 1) * REGISTERS_BYTES));
  });
  if (state.timer !== null) {
    const [rest, interval] = state.timer;
    process.itimerInterval = interval;
    kernel.alarm(process, rest);
  }
  return process;
}

function unpackThread(kernel: Kernel, process: Process, state: TravellingThread, registers: Uint8Array): void {
  const own = kernel.cores.map(core => core.id);
  const wanted = state.wanted.filter(id => own.includes(id));
  const task = kernel.newTask(state.tid, process, wanted[0] ?? leastLoaded(kernel), wanted.length > 0 ? wanted : own);
  kernel.forks--;
  task.registers.set(registers);
  task.blocked = [state.blocked[0], state.blocked[1]];
  task.savedBlocked = state.savedBlocked === null ? null : [state.savedBlocked[0], state.savedBlocked[1]];
  task.altStack = { ...state.altStack };
  task.nice = state.nice;
  task.policy = state.policy;
  task.clearChildTid = state.clearChildTid;
  task.robustList = state.robustList;
  task.restart = state.restart;
  task.restarts = state.restarts;
  task.restartDeadline = state.restartDeadline ?? Number.NaN;
  [task.voluntarySwitches, task.involuntarySwitches] = state.switches;
  [task.usedUser, task.usedSystem] = state.used;
  task.usedBefore = task.usedUser + task.usedSystem;
  task.vruntime = kernel.coreOf(task).minVruntime - kernel.cost('schedLatency') / 2 + state.ahead;
  task.pending = pendingOf(state.pending);
  task.work = true;
  if (state.watch !== null) task.watch = Watch.of(state.watch.held, state.watch.breakpoints);
}

function pendingOf(infos: readonly SignalInfo[]): PendingSignals {
  const pending = new PendingSignals();
  for (const info of infos) pending.add(info);
  return pending;
}

export function leastLoaded(kernel: Kernel): CoreId {
  const load = (core: Kernel['core']): number => core.queue.length + (core.current === null ? 0 : 1);
  return kernel.cores.reduce((best, core) => (load(core) < load(best) ? core : best), kernel.serviceCore).id;
}
