/**
 * What the origin keeps of each process that was born there: who its parent is, its group and session, where it runs, how it ended.
 *
 *     running ⇄ stopped       a stop signal and SIGCONT
 *     running → zombie        its last thread is gone, wherever that was
 *     zombie → (gone)         the parent has waited, or does not want to know
 *
 * Always holds: a record's parent, children, group and session are records of the same origin. All operations on processes'
 * relations therefore happen on one kernel, on behalf of whoever asks.
 */
import { E, Errno } from '../abi/errno.ts';
import { SI, SIG } from '../abi/signal.ts';
import type { SignalInfo } from '../signal/state.ts';
import { type Blocking, type Cycles, type KernelId, type Pid, sleep, WaitQueue } from '../types.ts';

export interface ControllingTerminal {
  /** The session's leader is gone. */
  sessionEnded(session: Pid): void;
}

export interface ProcessRecord {
  readonly pid: Pid;
  parent: ProcessRecord | null;
  readonly children: Set<ProcessRecord>;
  group: Pid;
  session: Pid;
  state: 'running' | 'stopped' | 'zombie';
  /** Wait status of a zombie; the signal of a stop. */
  status: number;
  location: KernelId;
  /** Signals that found the process on its way between kernels. */
  readonly undelivered: SignalInfo[];
  /** A stop or continuation that wait(2) has not reported yet. */
  unreported: 'stopped' | 'continued' | null;
  /** SIGCHLD is ignored: children leave no zombies. */
  ignoresChildren: boolean;
  exitSignal: number;
  usedUser: Cycles;
  usedSystem: Cycles;
  childrenUser: Cycles;
  childrenSystem: Cycles;
  /** Woken when a child changes state. */
  readonly childChanged: WaitQueue;
  hasExecuted: boolean;
  /** A reserved number without a process behind it (the init of an `exec` run) is in no list. */
  hasStarted: boolean;
  /** Its name when it ended. */
  name: string;
}

/** A record as plain data, for the heir of its kernel. */
export type RecordState = Omit<ProcessRecord, 'parent' | 'children' | 'childChanged'> & { readonly parent: Pid };

/** What is known of a process whose origin is gone. */
export interface Orphan {
  readonly pid: Pid;
  readonly maker: Pid;
  readonly location: KernelId;
}

/** What the records need from their kernel. */
export interface RecordServices {
  /** What all pids of this origin have in common: its number, above the local one. */
  readonly pidBase: Pid;
  readonly kernel: KernelId;
  /** Local numbers up to this one are another kernel's to keep (partition/heirs.ts). */
  readonly taken: number;
  /** Sends a signal to a process of this origin, wherever it runs. */
  deliver(record: ProcessRecord, info: SignalInfo): void;
  sessionEnded(session: Pid): void;
}

export const WAIT = { NOHANG: 1, UNTRACED: 2, EXITED: 4, CONTINUED: 8, NOWAIT: 0x01000000 } as const;

export interface Reaped {
  readonly pid: Pid;
  readonly status: number;
  readonly user: Cycles;
  readonly system: Cycles;
}

export class Records {
  readonly all = new Map<Pid, ProcessRecord>();
  readonly #services: RecordServices;
  #next: number;
  /** The kernel's first process: who inherits children. */
  first: Pid = 0;
  #highest: number;

  constructor(services: RecordServices) {
    this.#services = services;
    this.#next = services.taken;
    this.#highest = services.taken;
  }

  /** The highest local number that has been given out. */
  get last(): number {
    return this.#highest;
  }

  /** An unused pid of this origin: local numbers go round, as in Linux. */
  allocatePid(): Pid {
    const base = this.#services.pidBase;
    for (let tries = 0; tries < 32767; tries++) {
      this.#next = this.#next >= 32767 ? Math.max(300, this.#services.taken + 1) : this.#next + 1;
      this.#highest = Math.max(this.#highest, this.#next);
      const pid = base | this.#next;
      if (!this.all.has(pid)) return pid;
    }
    throw new Errno(E.AGAIN);
  }

  get(pid: Pid): ProcessRecord {
    const record = this.all.get(pid);
    if (record === undefined) throw new Errno(E.SRCH);
    return record;
  }

  /** A child of `parent` (null: the kernel's first process, a group and session of its own), running on `location`. */
  create(parent: ProcessRecord | null, location: KernelId, exitSignal: number = SIG.CHLD): ProcessRecord {
    const pid = this.allocatePid();
    if (this.first === 0) this.first = pid;
    return this.#add(pid, parent, location, exitSignal);
  }

  /** Processes whose origin is gone, with all that was known of them. */
  adoptOrphans(orphans: readonly Orphan[]): void {
    const adopt = (pid: Pid, location: KernelId, parent: ProcessRecord | null): void => {
      const record = this.#add(pid, parent, location, SIG.CHLD);
      for (const child of orphans) if (child.maker === pid && !this.all.has(child.pid)) adopt(child.pid, child.location, record);
      if (parent !== null) return;
      record.parent = this.all.get(this.first) ?? null;
      record.parent?.children.add(record);
    };
    const isRoot = ({ maker }: Orphan): boolean => !orphans.some(({ pid }) => pid === maker);
    for (const { pid, location } of orphans.filter(isRoot)) adopt(pid, location, null);
  }

  #add(pid: Pid, parent: ProcessRecord | null, location: KernelId, exitSignal: number): ProcessRecord {
    const record: ProcessRecord = {
      pid,
      parent,
      children: new Set(),
      group: parent?.group ?? pid,
      session: parent?.session ?? pid,
      state: 'running',
      status: 0,
      location,
      undelivered: [],
      unreported: null,
      ignoresChildren: false,
      exitSignal,
      usedUser: 0,
      usedSystem: 0,
      childrenUser: 0,
      childrenSystem: 0,
      childChanged: new WaitQueue(),
      hasExecuted: false,
      hasStarted: true,
      name: '',
    };
    this.all.set(pid, record);
    parent?.children.add(record);
    return record;
  }

  /** The process is gone; `status` is what wait(2) will say. */
  exited(record: ProcessRecord, status: number, user: Cycles, system: Cycles): void {
    record.state = 'zombie';
    record.status = status;
    record.usedUser = user;
    record.usedSystem = system;
    const init = this.#reaper(record);
    const orphanedBefore = this.#groupsOfChildren(record);
    for (const child of record.children) {
      child.parent = init;
      init?.children.add(child);
      if (child.state === 'zombie') this.#notifyParent(child);
    }
    record.children.clear();
    for (const group of orphanedBefore) this.#releaseOrphans(group);
    if (record.session === record.pid) this.#services.sessionEnded(record.pid);
    this.#notifyParent(record);
  }

  /** Records of processes that live elsewhere, and of those that they have not waited for yet. */
  state(): RecordState[] {
    const { kernel } = this.#services;
    const lives = (record: ProcessRecord | null): boolean => record !== null && record.state !== 'zombie' && record.location !== kernel;
    return [...this.all.values()]
      .filter(record => lives(record) || (record.state === 'zombie' && lives(record.parent)))
      .map(({ parent, children: _children, childChanged: _changed, ...rest }) => ({ ...rest, parent: parent?.pid ?? 0 }));
  }

  /** Takes records over; those without a parent among them are this kernel's first process's children. */
  adopt(states: readonly RecordState[]): void {
    for (const { parent: _parent, undelivered, ...rest } of states)
      this.all.set(rest.pid, { ...rest, undelivered: [...undelivered], parent: null, children: new Set(), childChanged: new WaitQueue() });
    const first = this.all.get(this.first) ?? null;
    for (const { pid, parent: parentPid } of states) {
      const record = this.get(pid);
      record.parent = this.all.get(parentPid) ?? first;
      record.parent?.children.add(record);
    }
  }

  stopped(record: ProcessRecord, signal: number): void {
    record.state = 'stopped';
    record.status = signal;
    record.unreported = 'stopped';
    this.#tellParent(record, SI.CLD_STOPPED, signal);
  }

  continued(record: ProcessRecord): void {
    if (record.state !== 'stopped') return;
    record.state = 'running';
    record.unreported = 'continued';
    this.#tellParent(record, SI.CLD_CONTINUED, SIG.CONT);
  }

  /**
   * wait4(2) for `parent`: `which` > 0 a pid, 0 the parent's group, -1 any child, < -1 the group -which.
   * Returns null with NOHANG when there is nothing to report.
   * @throws Errno ECHILD, ERESTARTSYS
   */
  *wait(parent: ProcessRecord, which: number, options: number): Blocking<Reaped | null> {
    for (;;) {
      let candidates = 0;
      for (const child of parent.children) {
        if (!matches(child, parent, which)) continue;
        candidates++;
        const found = this.#report(child, options);
        if (found !== null) return found;
      }
      if (candidates === 0) throw new Errno(E.CHILD);
      if (options & WAIT.NOHANG) return null;
      const reason = yield* sleep([parent.childChanged]);
      if (reason === 'interrupted') throw new Errno(E.RESTARTSYS);
    }
  }

  setGroup(caller: ProcessRecord, pid: Pid, group: Pid): void {
    const target = pid === 0 ? caller : this.get(pid);
    if (target !== caller && target.parent !== caller) throw new Errno(E.SRCH);
    if (group < 0) throw new Errno(E.INVAL);
    const wanted = group === 0 ? target.pid : group;
    if (target.session === target.pid || target.session !== caller.session) throw new Errno(E.PERM);
    if (target !== caller && target.hasExecuted) throw new Errno(E.ACCES);
    if (wanted !== target.pid && !this.members(wanted).some(member => member.session === caller.session)) throw new Errno(E.PERM);
    target.group = wanted;
  }

  newSession(record: ProcessRecord): Pid {
    if (this.members(record.pid).length > 0) throw new Errno(E.PERM);
    record.session = record.pid;
    record.group = record.pid;
    return record.pid;
  }

  members(group: Pid): ProcessRecord[] {
    return [...this.all.values()].filter(record => record.group === group && record.state !== 'zombie');
  }

  /** Whether no member of the group has a parent in the same session but another group. */
  isOrphaned(group: Pid): boolean {
    return !this.members(group).some(
      record => record.parent !== null && record.parent.session === record.session && record.parent.group !== group,
    );
  }

  #report(child: ProcessRecord, options: number): Reaped | null {
    const result = (status: number): Reaped => ({ pid: child.pid, status, user: child.usedUser, system: child.usedSystem });
    if (child.state === 'zombie') {
      if (!(options & WAIT.NOWAIT)) this.#reap(child);
      return result(child.status);
    }
    if (child.unreported === 'stopped' && options & WAIT.UNTRACED) {
      if (!(options & WAIT.NOWAIT)) child.unreported = null;
      return result((child.status << 8) | 0x7f);
    }
    if (child.unreported === 'continued' && options & WAIT.CONTINUED) {
      if (!(options & WAIT.NOWAIT)) child.unreported = null;
      return result(0xffff);
    }
    return null;
  }

  #reap(child: ProcessRecord): void {
    const parent = child.parent;
    if (parent !== null) {
      parent.children.delete(child);
      parent.childrenUser += child.usedUser + child.childrenUser;
      parent.childrenSystem += child.usedSystem + child.childrenSystem;
    }
    this.all.delete(child.pid);
  }

  #notifyParent(record: ProcessRecord): void {
    const parent = record.parent;
    if (parent === null) {
      this.all.delete(record.pid);
      return;
    }
    const signal = record.status & 0x7f;
    const code = signal === 0 ? SI.CLD_EXITED : record.status & 0x80 ? SI.CLD_DUMPED : SI.CLD_KILLED;
    if (parent.ignoresChildren) this.#reap(record);
    else if (record.exitSignal > 0) {
      this.#services.deliver(parent, {
        signal: record.exitSignal,
        code,
        pid: record.pid,
        uid: 0,
        status: signal === 0 ? record.status >> 8 : signal,
        address: 0,
      });
    }
    parent.childChanged.wakeAll();
  }

  #tellParent(record: ProcessRecord, code: number, status: number): void {
    if (record.parent === null) return;
    this.#services.deliver(record.parent, { signal: SIG.CHLD, code, pid: record.pid, uid: 0, status, address: 0 });
    record.parent.childChanged.wakeAll();
  }

  /** Who inherits the children: the kernel's first process, unless that is the one that ends. */
  #reaper(record: ProcessRecord): ProcessRecord | null {
    const first = this.all.get(this.first) ?? null;
    return first === record ? null : first;
  }

  #groupsOfChildren(record: ProcessRecord): Pid[] {
    const groups = new Set<Pid>();
    for (const child of record.children) if (child.session === record.session && child.group !== record.group) groups.add(child.group);
    return [...groups].filter(group => !this.isOrphaned(group));
  }

  /** A group that became an orphan with a stopped member gets SIGHUP and SIGCONT (POSIX). */
  #releaseOrphans(group: Pid): void {
    const members = this.members(group);
    if (!this.isOrphaned(group) || !members.some(record => record.state === 'stopped')) return;
    for (const record of members) {
      for (const signal of [SIG.HUP, SIG.CONT])
        this.#services.deliver(record, { signal, code: SI.KERNEL, pid: 0, uid: 0, status: 0, address: 0 });
    }
  }
}

function matches(child: ProcessRecord, parent: ProcessRecord, which: number): boolean {
  if (which > 0) return child.pid === which;
  if (which === -1) return true;
  return child.group === (which === 0 ? parent.group : -which);
}
