/**
 * One thread moves alone: it computes on another kernel while its process stays where it is, its home.
 *
 *     home                                              the other kernel
 *     its task sleeps       THREAD_TRANSFER  →          a task in the process's outpost runs with its registers
 *     sees to the trap      ←  THREAD_HOME              a system call, a fault that is not about a page, an exception; or it was called
 *     its task sleeps       THREAD_TRANSFER  →          and so on
 *
 * All that a thread asks of a kernel is done at home by its own task there, with the process's own files, areas, handlers and futexes: there is
 * nothing else that would have to be kept the same on several kernels but memory (spread.ts, outpost.ts). Signals, stops and the end of the
 * process call it home (THREAD_RECALL) or end it there (OUTPOST_END).
 *
 * Always holds: of a thread's two tasks one at most runs; its registers are with the one that runs, or on the way.
 */
import { E, Errno } from '../abi/errno.ts';
import { SI, SIG } from '../abi/signal.ts';
import { ExitKind, type Hart } from '../../machine/hart/hart.ts';
import { type Kernel, REGISTERS_SET } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import { Refusal } from '../partition/refusal.ts';
import type { Access, AddressSpace } from '../mm/address-space.ts';
import { pageOf, USER_END } from '../mm/page-table.ts';
import { StopReason } from '../sched/scheduler.ts';
import { sharedPagesOf } from '../mm/vm-area.ts';
import { forceSignal, hasSignal } from '../signal/delivery.ts';
import { exitProcess } from '../task/exit.ts';
import { type Errand, type Process, Task } from '../task/task.ts';
import { TraceKind } from '../trace.ts';
import { type Blocking, type CoreId, type KernelId, PAGE_SIZE, type Pid, sleep, WaitQueue } from '../types.ts';
import { NO_ROOM, Outpost } from './outpost.ts';
import { Spread } from './spread.ts';
import { leastLoaded, REGISTERS_BYTES } from './travelling.ts';

/** A thread that is out. */
interface Trip {
  readonly to: KernelId;
  readonly queue: WaitQueue;
  isBack: boolean;
  isRecalled: boolean;
}

const STEP = { Leaves: 0, Arrives: 1, GoesHome: 2, IsHome: 3 } as const;
/** Why a thread comes home. */
const WHY = { Called: 0, Trap: 1, NoRoom: 2 } as const;
const ACCESSES: readonly Access[] = ['execute', 'read', 'write'];
const accessOf = (hart: Hart): Access => ACCESSES[hart.faultAccess] ?? 'read';
/** Calls that need nothing of home: sched_yield, getpid, gettid. */
const LOCAL_CALLS: readonly number[] = [124, 172, 178];
const ANY_CORE = 0xffff;

export class Threads {
  readonly #kernel: Kernel;
  readonly #trips = new Map<Task, Trip>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#listen();
  }

  // --- asking for it -------------------------------------------------------------------------------------------------------------

  /** Asks that one thread compute on another kernel, wherever its process is. @throws Errno ESRCH, EINVAL no such kernel is up, EBUSY */
  *request(pid: Pid, tid: Pid, to: KernelId): Blocking<void> {
    const kernel = this.#kernel;
    if (kernel.isFederated) throw new Refusal(E.OPNOTSUPP, 'in a federation no thread moves to another kernel');
    const process = kernel.processes.get(pid);
    if (process === undefined) {
      const record = kernel.records.all.get(pid);
      const origin = kernel.originOf(pid);
      const where = origin === kernel.id ? record?.location : origin;
      if (where === undefined || where === kernel.id || record?.state === 'zombie' || !kernel.isPeer(where)) throw new Errno(E.SRCH);
      yield* kernel.messages.call(where, M.MIGRATE_THREAD, { pid, tid, to }, M.MIGRATE_RESPONSE);
      return;
    }
    const task = [...process.threads].find(each => each.tid === tid);
    if (task === undefined) throw new Errno(E.SRCH);
    this.place(task, to, []);
  }

  /** A thread of a process here is to compute there. @throws Errno EINVAL no such kernel is up, EBUSY it can't leave */
  place(task: Task, to: KernelId, wanted: readonly CoreId[]): void {
    const kernel = this.#kernel;
    if (to !== kernel.id && (kernel.isFederated || !kernel.isPeer(to))) throw new Errno(E.INVAL);
    // Memory that vfork has lent is not spread, and a debugger looks at one kernel.
    if (task.process.mm.users > 1 || task.watch !== null || kernel.migration.isMoving(task.process)) throw new Errno(E.BUSY);
    task.place = to === kernel.id ? -1 : to;
    task.wantedCores = wanted;
    task.work = true;
    kernel.scheduler.interrupt(task);
    kernel.yieldRequested = true;
  }

  // --- home ----------------------------------------------------------------------------------------------------------------------

  isOut(task: Task): boolean {
    return this.#trips.has(task);
  }

  spreadOf(space: AddressSpace): Spread | null {
    return space.sharing instanceof Spread ? space.sharing : null;
  }

  /** A process maps memory that others may share with other kernels: from now on it asks before it touches that. */
  lookAt(process: Process): void {
    if (process.mm.sharing !== null || process.outpost !== null) return;
    if (process.mm.areas.list.some(area => sharedPagesOf(area) !== null)) this.#spread(process);
  }

  /**
   * The task is about to go on in user mode, with all its kernel has to do about it done. Returns whether it does something else first:
   * waits for what its system call has written, or goes where it computes.
   */
  beforeUserMode(task: Task): boolean {
    const kernel = this.#kernel;
    const spread = this.spreadOf(task.process.mm);
    if (spread?.hasLate) {
      kernel.scheduler.begin(task, settled(task, spread));
      return true;
    }
    if (task.place < 0) return false;
    if (!kernel.isPeer(task.place)) task.place = -1;
    if (task.place < 0 || task.watch !== null || hasSignal(task)) return false;
    kernel.scheduler.begin(task, this.#out(task));
    return true;
  }

  /** A thread here has touched a page that is elsewhere and comes. */
  fetches(task: Task, address: number, access: Access): boolean {
    const { mm } = task.process;
    const spread = this.spreadOf(mm);
    const page = pageOf(address);
    const wanted = access === 'write' ? 'write' : 'read';
    if (spread === null || spread.mayTouch(page, wanted) || !mm.allows(address, access)) return false;
    this.#kernel.scheduler.begin(task, fetched(task, spread, address, wanted));
    return true;
  }

  /** A page that a thread could not get where it computes is here. One that can't be shared between kernels keeps it here. */
  served(task: Task, address: number): void {
    if (task.place < 0 || this.spreadOf(task.process.mm)?.maySpread(pageOf(address)) !== false) return;
    this.#kernel.log(4, `popcorn: thread ${task.tid} of ${task.process.name} stays here: it uses memory that others map too`);
    task.place = -1;
  }

  /** A system call has met a page that is elsewhere: it is made again when that is here. Returns whether this is so. */
  repeat(task: Task): boolean {
    const spread = this.spreadOf(task.process.mm);
    if (!spread?.hasMissed || task.state === 'dead') return false;
    this.#kernel.scheduler.begin(task, fetchedAndAgain(task, spread));
    return true;
  }

  /** Out, and home again with something to see to. */
  *#out(task: Task): Blocking<number> {
    const kernel = this.#kernel;
    const { process, place: to } = task;
    const spread = this.spreadOf(process.mm) ?? this.#spread(process);
    spread.members.add(to);
    const trip: Trip = { to, queue: new WaitQueue(), isBack: false, isRecalled: false };
    this.#trips.set(task, trip);
    kernel.coreOf(task).hart.saveTo(task.registers);
    kernel.charge(kernel.cost('contextSwitch'));
    kernel.trace(TraceKind.ThreadTrip, process.pid, task.tid, STEP.Leaves, to);
    const { group } = spread;
    kernel.messages.send(to, M.THREAD_TRANSFER, {
      group,
      pid: process.pid,
      tid: task.tid,
      core: task.wantedCores[0] ?? ANY_CORE,
      nice: task.nice,
      name: process.name,
      registers: task.registers.slice(0, REGISTERS_BYTES),
    });
    while (!trip.isBack) {
      const reason = yield* sleep([trip.queue], { interruptible: !trip.isRecalled });
      if (task.state === 'dead') {
        this.#trips.delete(task);
        return REGISTERS_SET;
      }
      if (reason === 'interrupted' && !trip.isBack) this.#recall(task, trip, group);
    }
    this.#trips.delete(task);
    kernel.trace(TraceKind.ThreadTrip, process.pid, task.tid, STEP.IsHome, to);
    task.work = true;
    return REGISTERS_SET;
  }

  #recall(task: Task, trip: Trip, group: number): void {
    if (trip.isRecalled) return;
    trip.isRecalled = true;
    this.#kernel.messages.send(trip.to, M.THREAD_RECALL, { group, tid: task.tid });
  }

  #spread(process: Process): Spread {
    const spread = new Spread(this.#kernel, process.pid, process.mm);
    process.mm.sharing = spread;
    return spread;
  }

  /** All threads of the process are at rest here: its memory is this kernel's alone again. */
  *dissolve(process: Process): Blocking<void> {
    const spread = this.spreadOf(process.mm);
    for (const task of process.threads) task.place = -1;
    if (spread === null) return;
    yield* spread.gatherAll();
    spread.end();
    process.mm.sharing = null;
  }

  /** A thread that is out is to come home. Returns whether it is out. */
  callHome(task: Task): boolean {
    const trip = this.#trips.get(task);
    const spread = this.spreadOf(task.process.mm);
    if (trip === undefined || spread === null) return false;
    this.#recall(task, trip, spread.group);
    return true;
  }

  /** A thread here is no more, wherever it was. */
  threadGone(task: Task): void {
    this.#trips.delete(task);
  }

  // --- the other kernel ----------------------------------------------------------------------------------------------------------

  /** A trap of a thread that computes here for another kernel's process. */
  trapAway(task: Task, exit: ExitKind): void {
    const kernel = this.#kernel;
    const { hart } = kernel.coreOf(task);
    const outpost = task.process.outpost as Outpost;
    if (exit === ExitKind.Ecall && LOCAL_CALLS.includes(hart.x(17))) {
      kernel.charge(kernel.cost('syscall'));
      kernel.calls.enter(task, hart);
      return;
    }
    // For any other trap, what stands there depends on what the host has cached.
    const hasAddress = exit === ExitKind.PageFault || exit === ExitKind.Misaligned;
    const trap: Errand = { exit, address: hasAddress ? hart.faultAddress : 0, access: hasAddress ? accessOf(hart) : 'read' };
    if (exit === ExitKind.PageFault && trap.address >= 0 && trap.address < USER_END) {
      kernel.charge(kernel.cost('minorFault'));
      kernel.trace(TraceKind.PageFault, task.process.pid, trap.address / PAGE_SIZE, 4, 0);
      kernel.scheduler.begin(
        task,
        outpost.fetch(task, trap, errand => this.#goHome(task, errand)),
      );
      return;
    }
    this.#goHome(task, trap);
  }

  /** A thread that computes here is about to go on. */
  beforeUserModeAway(task: Task): void {
    if (task.recalled) this.#goHome(task, null);
  }

  #goHome(task: Task, errand: Errand | null | typeof NO_ROOM): void {
    const kernel = this.#kernel;
    const outpost = task.process.outpost as Outpost;
    const trap = errand === NO_ROOM ? null : errand;
    const { core } = task;
    kernel.charge(kernel.cost('contextSwitch'));
    kernel.trace(TraceKind.ThreadTrip, task.process.pid, task.tid, STEP.GoesHome, outpost.home);
    kernel.scheduler.remove(task, StopReason.Migrating);
    task.state = 'dead';
    kernel.tasks.delete(task.tid);
    task.process.threads.delete(task);
    kernel.messages.send(outpost.home, M.THREAD_HOME, {
      group: outpost.group,
      tid: task.tid,
      why: errand === NO_ROOM ? WHY.NoRoom : trap === null ? WHY.Called : WHY.Trap,
      exit: trap?.exit ?? 0,
      address: trap?.address ?? 0,
      access: ACCESSES.indexOf(trap?.access ?? 'read'),
      core,
      user: task.usedUser,
      system: task.usedSystem,
      registers: task.registers.slice(0, REGISTERS_BYTES),
    });
  }

  #arrive(from: KernelId, group: number, pid: Pid, tid: Pid, name: string, core: number, nice: number, registers: Uint8Array): void {
    const kernel = this.#kernel;
    let outpost = this.#outpostOf(from, group);
    if (outpost === undefined) {
      try {
        outpost = new Outpost(kernel, from, group, pid, name);
      } catch (error) {
        if (!(error instanceof Errno)) throw error;
        const none = { exit: 0, address: 0, access: 0, core: 0, user: 0, system: 0 };
        kernel.messages.send(from, M.THREAD_HOME, { group, tid, why: WHY.NoRoom, ...none, registers });
        return;
      }
    }
    const own = kernel.cores.map(({ id }) => id);
    const wakeUp: ConstructorParameters<typeof Task>[4] = (sleeper, reason) => kernel.scheduler.wake(sleeper, reason);
    const task = new Task(tid, outpost.process, own.includes(core) ? core : leastLoaded(kernel), own.includes(core) ? [core] : own, wakeUp);
    kernel.tasks.set(tid, task);
    task.registers.set(registers);
    task.nice = nice;
    kernel.trace(TraceKind.ThreadTrip, pid, tid, STEP.Arrives, from);
    kernel.scheduler.enqueue(task);
  }

  #outpostOf(home: KernelId, group: number): Outpost | undefined {
    const found = this.#kernel.pages.member(home, group);
    return found instanceof Outpost ? found : undefined;
  }

  // --- what is seen of it --------------------------------------------------------------------------------------------------------

  /** Kernel where a thread of a process here computes. */
  kernelOf(task: Task): KernelId {
    return this.#trips.get(task)?.to ?? (task.place < 0 ? this.#kernel.id : task.place);
  }

  /** Who holds which pages of a process, by address: its own that are spread, and those of memory that it shares with others. */
  pagesText(process: Process): string {
    const { mm } = process;
    const lines = (this.spreadOf(mm)?.pagesText ?? '').split('\n');
    for (const area of mm.areas.list) {
      const pages = sharedPagesOf(area);
      if (pages === null) continue;
      const first = area.start - area.backingPage * PAGE_SIZE;
      const name = (index: number): string => {
        const address = first + index * PAGE_SIZE;
        return address < area.start || address >= area.end ? '' : address.toString(16).padStart(10, '0');
      };
      lines.push(
        ...pages
          .text(name)
          .split('\n')
          .filter(line => !line.startsWith(' ')),
      );
    }
    return [...new Set(lines)]
      .filter(line => line !== '')
      .sort()
      .map(line => `${line}\n`)
      .join('');
  }

  // --- kernels go ----------------------------------------------------------------------------------------------------------------

  /** A process that had a thread there, or memory that nobody else has, ends: it depended on that kernel. What stood here for processes there goes. */
  peerGone(peer: KernelId): void {
    const kernel = this.#kernel;
    for (const outpost of kernel.pages.membersOf(peer)) if (outpost instanceof Outpost) outpost.end();
    const bereft = new Set<AddressSpace>();
    for (const spread of kernel.pages.homes)
      if (spread instanceof Spread && spread.members.has(peer) && spread.memberGone(peer)) bereft.add(spread.space);
    for (const [task, trip] of this.#trips) if (trip.to === peer && !trip.isBack) bereft.add(task.process.mm);
    for (const process of [...kernel.processes.values()]) {
      if (!bereft.has(process.mm)) continue;
      kernel.log(3, `popcorn: ${process.name} (${process.pid}) is killed: a thread or pages of it were with kernel ${peer}`);
      exitProcess(kernel, process, SIG.KILL);
    }
  }

  #listen(): void {
    const kernel = this.#kernel;
    const { messages } = kernel;
    messages.on(M.MIGRATE_THREAD, ({ request, pid, tid, to }, { from }) => {
      kernel.image.serve(
        from,
        request,
        () => this.request(pid, tid, to),
        errno => messages.send(from, M.MIGRATE_RESPONSE, { request, errno }),
      );
    });
    messages.on(M.THREAD_TRANSFER, ({ group, pid, tid, name, core, nice, registers }, { from }) =>
      this.#arrive(from, group, pid, tid, name, core, nice, registers),
    );
    messages.on(M.THREAD_RECALL, ({ group, tid }, { from }) => {
      const task = [...(this.#outpostOf(from, group)?.process.threads ?? [])].find(each => each.tid === tid);
      if (task === undefined) return;
      task.recalled = true;
      task.work = true;
      kernel.scheduler.interrupt(task);
      kernel.yieldRequested = true;
    });
    messages.on(M.THREAD_HOME, ({ group, tid, why, exit, address, access, core, user, system, registers }) => {
      const found = [...this.#trips].find(([task]) => task.tid === tid && this.spreadOf(task.process.mm)?.group === group);
      if (found === undefined) return;
      const [task, trip] = found;
      task.registers.set(registers);
      task.usedUser += user;
      task.usedSystem += system;
      task.placeCore = core;
      task.errand = why === WHY.Trap ? { exit: exit as ExitKind, address, access: ACCESSES[access] ?? 'read' } : null;
      if (why === WHY.NoRoom) {
        kernel.log(4, `popcorn: thread ${tid} of ${task.process.name} stays here: kernel ${trip.to} has no memory for it`);
        task.place = -1;
      }
      trip.isBack = true;
      trip.queue.wakeAll();
    });
  }
}

function* settled(task: Task, spread: Spread): Blocking<number> {
  yield* spread.settled();
  task.work = true;
  return REGISTERS_SET;
}

/** The call is made again from its start, here, whatever the thread's place. */
function* fetchedAndAgain(task: Task, spread: Spread): Blocking<number> {
  yield* spread.fetchMissed();
  task.errand = { exit: ExitKind.Ecall, address: 0, access: 'read' };
  task.work = true;
  return REGISTERS_SET;
}

function* fetched(task: Task, spread: Spread, address: number, access: 'read' | 'write'): Blocking<number> {
  try {
    yield* spread.fetch(new Map([[pageOf(address), access]]));
  } catch (error) {
    if (!(error instanceof Errno)) throw error;
    forceSignal(task, error.errno === E.NOMEM ? SIG.KILL : SIG.BUS, SI.BUS_ADRERR, address);
  }
  return REGISTERS_SET;
}
