/**
 * Asking the origin: operations on the relations between processes, wherever the process that asks runs.
 *
 * Each operation is one function on records (`OPERATIONS`), called directly when the origin is this kernel and by ORIGIN_REQUEST
 * when it is another: numbers in, numbers out, so that there is one way and not two.
 */
import { E, Errno } from '../abi/errno.ts';
import { SI, SIG } from '../abi/signal.ts';
import type { Kernel } from '../kernel.ts';
import type { SignalInfo } from '../signal/state.ts';
import { signalProcess, signalTask } from '../signal/delivery.ts';
import { TraceKind } from '../trace.ts';
import { type Blocking, isBlocking, type Maybe, type Pid, settle } from '../types.ts';
import type { ProcessRecord } from './record.ts';
import type { Process } from './task.ts';

type Operation = (kernel: Kernel, record: ProcessRecord, args: readonly number[]) => Maybe<readonly number[]>;

/** Index = number in the message. */
export const OPERATIONS = {
  /** args: exit signal, 1 for a sibling, location → pid */
  fork: (kernel, record, [signal = 0, sibling = 0, location = 0]) => [
    kernel.records.create(sibling ? record.parent : record, location, signal).pid,
  ],
  /** → an unused id for a thread */
  allocate: kernel => [kernel.records.allocatePid()],
  /** args: status, user cycles, system cycles */
  exit: (kernel, record, [status = 0, user = 0, system = 0]) => {
    kernel.records.exited(record, status, user, system);
    kernel.recordEnded(record, status);
    return [];
  },
  executed: (_kernel, record) => {
    record.hasExecuted = true;
    return [];
  },
  stopped: (kernel, record, [signal = 0]) => {
    kernel.records.stopped(record, signal);
    return [];
  },
  continued: (kernel, record) => {
    kernel.records.continued(record);
    return [];
  },
  /** args: which, options → pid (0: nothing yet), status, user cycles, system cycles */
  wait: function* (kernel, record, [which = -1, options = 0]) {
    const found = yield* kernel.records.wait(record, which, options);
    return found === null ? [0, 0, 0, 0] : [found.pid, found.status, found.user, found.system];
  },
  /** args: pid, group */
  setGroup: (kernel, record, [pid = 0, group = 0]) => {
    kernel.records.setGroup(record, pid, group);
    return [];
  },
  newSession: (kernel, record) => [kernel.records.newSession(record)],
  /** → pid, parent, group, session, user and system cycles of children waited for, terminal, its foreground group, location, exit signal */
  relations: (kernel, record) => {
    const terminal = kernel.files.terminals.ofSession(record.session);
    return [
      record.pid,
      record.parent?.pid ?? 0,
      record.group,
      record.session,
      record.childrenUser,
      record.childrenSystem,
      terminal?.device ?? 0,
      terminal?.foreground ?? -1,
      record.location,
      record.exitSignal,
    ];
  },
  /** args: 1 when SIGCHLD is ignored */
  childMode: (_kernel, record, [ignores = 0]) => {
    record.ignoresChildren = ignores !== 0;
    return [];
  },
  /** args: signal, code, sender, uid. Signal 0 only asks whether the process is there. */
  signal: (kernel, record, [signal = 0, code = 0, sender = 0, uid = 0]) => {
    if (signal !== 0) kernel.deliver(record, { signal, code, pid: sender, uid, status: 0, address: 0 });
    return [];
  },
  /** args: group, signal, code, sender, uid → how many */
  signalGroup: (kernel, record, [group = 0, signal = 0, code = 0, sender = 0, uid = 0]) => {
    const members = kernel.records.members(group === 0 ? record.group : group);
    for (const member of members) if (signal !== 0) kernel.deliver(member, { signal, code, pid: sender, uid, status: 0, address: 0 });
    return [members.length];
  },
  /** args: new location */
  moved: (kernel, record, [location = 0]) => {
    record.location = location;
    const waiting = record.undelivered.splice(0);
    for (const info of waiting) kernel.deliver(record, info);
    return [];
  },
} satisfies Record<string, Operation>;

export type OperationName = keyof typeof OPERATIONS;
const NAMES = Object.keys(OPERATIONS) as OperationName[];

export class Origins {
  readonly #kernel: Kernel;
  /** Processes that have ended here, of which their origin has yet to hear. */
  readonly ending = new Map<Pid, Process>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** An operation's number in messages. */
  numberOf(name: OperationName): number {
    return NAMES.indexOf(name);
  }

  /** Performs an operation on the record of `pid` at its origin. @throws Errno ESRCH, EHOSTDOWN, and the operation's own */
  ask(pid: Pid, name: OperationName, ...args: number[]): Maybe<readonly number[]> {
    const kernel = this.#kernel;
    const origin = kernel.originOf(pid);
    if (origin === kernel.id) return this.perform(pid, name, args);
    // A move does not wait for the end of the origin to be settled, as that waits for moves.
    if (!kernel.isPeer(origin) && (name === 'moved' || !kernel.lifecycle.isUnsettled(origin))) throw new Errno(E.SRCH);
    return kernel.image.askOrigin(pid, NAMES.indexOf(name), args);
  }

  /** The receiving side. @throws Errno */
  perform(pid: Pid, name: OperationName | number, args: readonly number[]): Maybe<readonly number[]> {
    const operation = typeof name === 'number' ? NAMES[name] : name;
    if (operation === undefined) throw new Errno(E.INVAL);
    const run: Operation = OPERATIONS[operation];
    return run(this.#kernel, this.#kernel.records.get(pid), args);
  }

  /** A new process of the same origin, running here. */
  *forked(process: Process, exitSignal: number, sibling: boolean): Blocking<Pid> {
    return (yield* settle(this.ask(process.pid, 'fork', exitSignal, sibling ? 1 : 0, this.#kernel.id)))[0] as Pid;
  }

  *allocateTid(process: Process): Blocking<Pid> {
    return (yield* settle(this.ask(process.pid, 'allocate')))[0] as Pid;
  }

  *executed(process: Process): Blocking<void> {
    yield* settle(this.ask(process.pid, 'executed'));
  }

  /** Not waited for: the process is gone either way. */
  exited(process: Process, status: number): void {
    const { pid, usedUser, usedSystem } = process;
    this.#tell(pid, 'exit', [status, Math.round(usedUser), Math.round(usedSystem)], () => this.ending.delete(pid));
  }

  stopped(process: Process, signal: number): void {
    this.#tell(process.pid, 'stopped', [signal]);
  }

  continued(process: Process): void {
    this.#tell(process.pid, 'continued', []);
  }

  childMode(process: Process, ignores: boolean): void {
    this.#tell(process.pid, 'childMode', [ignores ? 1 : 0]);
  }

  /** Whether the process's group is orphaned, as far as this kernel knows without asking. */
  isOrphanedNow(process: Process): boolean {
    const record = this.#kernel.records.all.get(process.pid);
    return record !== undefined && this.#kernel.records.isOrphaned(record.group);
  }

  #tell(pid: Pid, name: OperationName, args: readonly number[], told = (): void => {}): void {
    try {
      const asked = this.ask(pid, name, ...args);
      if (isBlocking(asked)) this.#kernel.spawn(swallow(asked)).onDone(told);
      else told();
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      told();
    }
  }
}

/** A signal that has found the kernel where its process runs. Returns whether it was here. */
export function deliverHere(kernel: Kernel, pid: Pid, info: SignalInfo): boolean {
  const process = kernel.processes.get(pid);
  if (process === undefined) return false;
  signalProcess(kernel, process, info);
  return true;
}

/**
 * kill(2).
 * @throws Errno ESRCH EINVAL
 */
export function* kill(kernel: Kernel, sender: Process, target: number, signal: number): Blocking<number> {
  if (!(signal >= 0 && signal <= 64)) throw new Errno(E.INVAL);
  const from = [SI.USER, sender.pid, sender.credentials.uid] as const;
  if (target > 0) {
    const thread = kernel.taskHere(target);
    const pid = thread !== undefined ? thread.process.pid : target;
    yield* settle(kernel.origins.ask(pid, 'signal', signal, ...from));
    return 0;
  }
  if (target === -1) {
    let count = 0;
    for (const record of [...kernel.records.all.values()]) {
      if (record.pid === kernel.records.first || record.pid === sender.pid || record.state === 'zombie') continue;
      count++;
      if (signal !== 0) kernel.deliver(record, { signal, code: from[0], pid: from[1], uid: from[2], status: 0, address: 0 });
    }
    if (count === 0) throw new Errno(E.SRCH);
    return 0;
  }
  const [members = 0] = yield* settle(
    kernel.origins.ask(
      target === 0 ? sender.pid : firstOfGroup(kernel, sender, -target),
      'signalGroup',
      target === 0 ? 0 : -target,
      signal,
      ...from,
    ),
  );
  if (members === 0) throw new Errno(E.SRCH);
  return 0;
}

/** tgkill(2), tkill(2): only threads that run here can be meant. */
export function* killThread(kernel: Kernel, sender: Process, group: Pid, tid: Pid, signal: number): Blocking<number> {
  if (!(signal >= 0 && signal <= 64) || tid <= 0) throw new Errno(E.INVAL);
  const task = kernel.taskHere(tid);
  if (task === undefined || (group > 0 && task.process.pid !== group)) {
    if (group > 0 && group !== tid) throw new Errno(E.SRCH);
    return yield* kill(kernel, sender, tid, signal);
  }
  if (signal !== 0)
    signalTask(kernel, task, { signal, code: SI.TKILL, pid: sender.pid, uid: sender.credentials.uid, status: 0, address: 0 });
  return 0;
}

/** Any process whose record is where the group's is: the group's number is a pid of its origin. */
function firstOfGroup(kernel: Kernel, sender: Process, group: Pid): Pid {
  if (kernel.originOf(group) === kernel.originOf(sender.pid)) return sender.pid;
  if (kernel.originOf(group) !== kernel.id) return group;
  return kernel.records.members(group)[0]?.pid ?? group;
}

function* swallow(asked: Blocking<readonly number[]>): Blocking<void> {
  try {
    yield* asked;
  } catch (error) {
    if (!(error instanceof Errno)) throw error;
  }
}

/** Kept for the trace: a record's end is visible even if the process ended elsewhere. */
export function traceEnd(kernel: Kernel, record: ProcessRecord, status: number): void {
  kernel.trace(TraceKind.TaskExit, record.pid, record.pid, status, 1);
}

/** What the kernel sends for SIGKILL from itself. */
export const KILLED: SignalInfo = { signal: SIG.KILL, code: SI.KERNEL, pid: 0, uid: 0, status: 0, address: 0 };
