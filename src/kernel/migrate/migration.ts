/**
 * Migration: a process moves to another kernel with all its threads, its frames stay where they are.
 *
 *     source                                     target
 *     all threads come to rest; copy-on-write is broken
 *     VMA_TRANSFER for each area          →      keeps them
 *     OBJECT_TRANSFER for shared memory   →      keeps it
 *     PTE_TRANSFER for runs of pages      →      keeps them
 *     CLONE_REQUEST with registers, and
 *       a lent frame with the rest        →      builds address space, files, tasks; asks the origin to note the new place
 *     lets go                             ←      CREATE_PROCESS_PAIRING, and the tasks are ready there
 *
 * A thread comes to rest as it is about to go on in user mode; one that sleeps in a call that can be made again is woken for it, any other
 * is waited for. The last one to rest takes all of them along.
 *
 * Always holds: from the rest to the pairing no thread runs anywhere; if the target answers with an error the source goes on with them as if
 * nothing had been. References on frames and files that were sent belong to the target exactly if it answered without an error.
 */
import { E, Errno } from '../abi/errno.ts';
import type { FileRef } from '../image/files.ts';
import { fromBytes, joined } from '../fs/bytes.ts';
import { FileTable } from '../fs/file-table.ts';
import type { OpenFile } from '../fs/file.ts';
import { type Kernel, latin1, REGISTERS_SET } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import { Refusal } from '../partition/refusal.ts';
import { AddressSpace } from '../mm/address-space.ts';
import { AnonymousObject } from '../mm/anonymous-object.ts';
import { backingFile, fileBacking } from '../mm/file-backing.ts';
import { PTE } from '../mm/page-table.ts';
import { UserMemory } from '../mm/user-memory.ts';
import { type Backing, PROT, type VmArea } from '../mm/vm-area.ts';
import type { SignalInfo } from '../signal/state.ts';
import { traceName } from '../task/exec.ts';
import { exitProcess } from '../task/exit.ts';
import type { Process, Task } from '../task/task.ts';
import { MigrateStep, TraceKind } from '../trace.ts';
import { type Blocking, type CoreId, type KernelId, PAGE_SIZE, type Pfn, type Pid, settle, sleep, WaitQueue } from '../types.ts';
import { type Built, pack, registersOf, setSpace, type Travelling, type TravellingFile, unpack } from './travelling.ts';

interface ArrivedArea {
  readonly start: number;
  readonly end: number;
  readonly protection: number;
  readonly flags: number;
  readonly page: number;
  readonly owner: KernelId;
  readonly handle: number;
  readonly path: string;
}

interface Arriving {
  readonly areas: ArrivedArea[];
  /** Pages of shared memory: by object, index within it and frame by turns. */
  readonly objects: Map<number, number[]>;
  readonly entries: number[];
}

/**
 * A source that waits for its target. Letting go happens in the very handler of the answer: the process may be back before anything else
 * runs here.
 */
interface Pairing {
  errno: number | null;
  readonly queue: WaitQueue;
  readonly letGo: () => void;
}

/** A process on its way out: its threads come to rest one by one. */
interface Move {
  to: KernelId;
  readonly atRest: Set<Task>;
  /** Where those at rest sleep. */
  readonly queue: WaitQueue;
  state: 'gathering' | 'leaving' | 'over';
  /** Asked for when it was leaving already: where it goes on to from there. */
  next: KernelId | null;
  /** Somebody has ended it when it was leaving already: with this wait status, should it stay. */
  end: number | null;
}

const AREA = { Shared: 1, GrowsDown: 2, File: 4, Object: 8 } as const;
/** Page-table entries in one PTE_TRANSFER: three words each. */
const ENTRIES_PER_MESSAGE = 100;
/** Intervals that a process which is always on the move stays at most: longer than a move takes, so that any two of them meet. */
const PATIENCE_MAX = 8;

export class Migration {
  readonly #kernel: Kernel;
  #nextClone = 1;
  readonly #arriving = new Map<number, Arriving>();
  readonly #pairings = new Map<number, Pairing>();
  /** Address spaces on their way: their pages are where the messages say. */
  readonly #leaving = new Set<AddressSpace>();
  readonly #moves = new Map<Process, Move>();
  /** Woken when a process has left. */
  readonly #departed = new WaitQueue();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#listen();
  }

  /** A kernel is gone: what was on its way there stays, what was coming from there does not come. */
  peerGone(peer: KernelId): void {
    for (const { queue } of this.#pairings.values()) queue.wakeAll();
    for (const [key, { areas }] of [...this.#arriving]) {
      if (Math.floor(key / 2 ** 32) !== peer) continue;
      this.#arriving.delete(key);
      for (const { flags, path } of areas) if (flags & AREA.File) this.#kernel.image.files.drop(JSON.parse(path) as FileRef);
    }
  }

  isMoving(process: Process): boolean {
    return this.#moves.has(process);
  }

  /** Whether the end of a process has to wait, as it is leaving: what it has may be another kernel's already. Once there it is spared. */
  putsOff(process: Process, status: number): boolean {
    const move = this.#moves.get(process);
    if (move?.state !== 'leaving') return false;
    move.end ??= status;
    return true;
  }

  /** Whether its pages are not to be touched: they are on their way, or other kernels copy them. */
  isLeaving(space: AddressSpace): boolean {
    return this.#leaving.has(space) || space.sharing !== null;
  }

  // --- asking for it -------------------------------------------------------------------------------------------------------------

  /**
   * Asks that a process move, wherever it runs now. It moves when it next comes to user mode.
   * @throws Errno ESRCH, EINVAL no such kernel is up, EBUSY it can't leave its kernel
   */
  *request(pid: Pid, to: KernelId): Blocking<void> {
    const kernel = this.#kernel;
    if (kernel.isFederated) throw new Refusal(E.OPNOTSUPP, 'in a federation no process moves to another kernel');
    if (to !== kernel.id && !kernel.isPeer(to)) throw new Errno(E.INVAL);
    const process = kernel.processes.get(pid) ?? kernel.taskHere(pid)?.process;
    if (process !== undefined) {
      this.ask(process, to, []);
      return;
    }
    const origin = kernel.originOf(pid);
    const record = kernel.records.all.get(pid);
    const where = origin === kernel.id ? record?.location : origin;
    if (where === undefined || where === kernel.id || record?.state === 'zombie' || !kernel.isPeer(where)) throw new Errno(E.SRCH);
    yield* kernel.messages.call(where, M.MIGRATE_REQUEST, { pid, to }, M.MIGRATE_RESPONSE);
  }

  /** A process of this kernel is to go; what was asked for last counts. @throws Errno EBUSY */
  ask(process: Process, to: KernelId, wanted: readonly CoreId[]): void {
    const move = this.#moves.get(process);
    if (move?.state === 'leaving') {
      move.next = to === move.to ? null : to;
      return;
    }
    if (move?.state === 'gathering') move.to = to;
    if (to === this.#kernel.id) {
      for (const task of process.threads) task.migrateTo = -1;
      return;
    }
    if (!this.mayLeave(process)) throw new Errno(E.BUSY);
    for (const task of process.threads) this.#call(task, to, wanted);
  }

  #call(task: Task, to: KernelId, wanted: readonly CoreId[]): void {
    const kernel = this.#kernel;
    task.migrateTo = to;
    task.wantedCores = wanted;
    task.work = true;
    kernel.scheduler.interrupt(task);
    kernel.yieldRequested = true;
  }

  /**
   * --migrate-every: on to the next kernel each time the interval is over, if it has run here at all: so it gets on, however busy kernels are.
   * One whose call has had to be made again and again stays up to PATIENCE_MAX intervals: what needs two processes at a time, as the two ends
   * of a FIFO do to open it, would else never come about where both move in step.
   */
  keepMoving(process: Process, intervals = 1): void {
    const kernel = this.#kernel;
    kernel.at(kernel.now + process.migrateEvery, () => {
      if (kernel.processes.get(process.pid) !== process || process.exitStatus !== null) return;
      const up = [kernel.id, ...(kernel.isFederated ? [] : kernel.peers())].sort((a, b) => a - b);
      const next = up[(up.indexOf(kernel.id) + 1) % up.length] as KernelId;
      const hasRun = [...process.threads].some(task => task.usedUser + task.usedSystem > task.usedBefore);
      const patience = Math.min(PATIENCE_MAX, ...[...process.threads].map(task => 2 ** task.restarts));
      if (next !== kernel.id && hasRun && !this.isMoving(process) && intervals >= patience && this.mayLeave(process))
        this.ask(process, next, []);
      this.keepMoving(process, intervals + 1);
    });
  }

  /** Memory or descriptors that another process has borrowed or shares (vfork, CLONE_FILES), and mapped devices keep a process where it is. */
  mayLeave(process: Process): boolean {
    const { mm, files, outpost } = process;
    return outpost === null && mm.users === 1 && files.users === 1 && mm.areas.list.every(area => !area.shared || maySend(area));
  }

  /** The task, about to go on in user mode, comes to rest instead. Returns whether it does. */
  begin(task: Task): boolean {
    const kernel = this.#kernel;
    const { process, migrateTo: to } = task;
    task.migrateTo = -1;
    let move = this.#moves.get(process);
    if (move === undefined) {
      if (to === kernel.id || !kernel.isPeer(to) || !this.mayLeave(process)) return false;
      move = { to, atRest: new Set(), queue: new WaitQueue(), state: 'gathering', next: null, end: null };
      this.#moves.set(process, move);
      for (const other of process.threads) if (other !== task) this.#call(other, to, other.wantedCores);
    }
    kernel.scheduler.begin(task, this.#rest(task, move));
    return true;
  }

  /** A thread has been born to a process that may be on its way out: it comes along. */
  joined(task: Task): void {
    const move = this.#moves.get(task.process);
    if (move !== undefined) this.#call(task, move.to, []);
  }

  /** A thread is gone. What the others waited for may have been this one. */
  threadGone(process: Process): void {
    const move = this.#moves.get(process);
    if (move === undefined) return;
    if (process.threads.size === 0) this.#moves.delete(process);
    move.queue.wakeAll();
  }

  /** The last thread to come here takes all of them along, the others sleep until that is over. */
  *#rest(task: Task, move: Move): Blocking<number> {
    // The registers as the program left them: the fiber's own switches don't touch them.
    this.#kernel.coreOf(task).hart.saveTo(task.registers);
    move.atRest.add(task);
    while (task.state !== 'dead' && move.state !== 'over') {
      if (move.state === 'gathering' && [...task.process.threads].every(thread => move.atRest.has(thread))) {
        move.state = 'leaving';
        if (move.to !== this.#kernel.id) yield* this.#leave(task.process, move);
        if (move.next !== null && move.end === null) {
          move.to = move.next;
          move.next = null;
          move.state = 'gathering';
          continue;
        }
        move.state = 'over';
        this.#moves.delete(task.process);
        move.queue.wakeAll();
        if (move.end !== null) exitProcess(this.#kernel, task.process, move.end);
        break;
      }
      yield* sleep([move.queue], { interruptible: false });
    }
    task.work = true;
    return REGISTERS_SET;
  }

  // --- the source ----------------------------------------------------------------------------------------------------------------

  /** All threads rest. Returns if the process stays; once it has left there is nothing to return to. */
  *#leave(process: Process, move: Move): Blocking<void> {
    const kernel = this.#kernel;
    const { to } = move;
    const { pid, mm } = process;
    const step = (which: number, count: number): void => kernel.trace(TraceKind.Migrate, pid, to, which, count);
    const { messages, image } = kernel;
    const clone = this.#nextClone++;
    const refs: FileRef[] = [];
    /** In which the state lies until the target has answered. */
    const lent: Pfn[] = [];
    const giveBack = (): void => {
      for (const pfn of lent) kernel.frames.release(pfn);
    };
    let timer: Travelling['timer'] = null;
    kernel.charge(kernel.cost('migrateStop'));
    step(MigrateStep.Stopped, 0);
    try {
      // One of the threads may have done something about it before it came to rest.
      if (!this.mayLeave(process)) throw new Errno(E.BUSY);
      yield* kernel.threads.dissolve(process);
      mm.breakCopyOnWrite();
      for (const area of mm.areas.list) if (area.backing instanceof AnonymousObject) mm.dropPages(area.start, area.end);
      const files = yield* this.#sendableFiles(process, refs, to);
      const areaRefs: (FileRef | null)[] = [];
      for (const area of mm.areas.list) {
        const file = area.backing instanceof AnonymousObject ? this.#fileOf(mm, area.backing) : backingFile(area.backing);
        const ref = file === null ? null : yield* image.files.refer(file, to);
        if (ref !== null) refs.push(ref);
        areaRefs.push(ref);
      }
      const captured = new Set([process.pending, ...[...process.threads].map(task => task.pending)].flatMap(pending => [...pending.all]));
      const anonymous = mm.areas.list.map(area => area.backing).filter(backing => backing instanceof AnonymousObject);
      const objects = [...new Set(anonymous)].filter(object => object.file === null);
      for (const [i, area] of mm.areas.list.entries()) {
        const ref = areaRefs[i] ?? null;
        const object = area.backing instanceof AnonymousObject ? objects.indexOf(area.backing) + 1 : 0;
        const flags =
          (area.shared ? AREA.Shared : 0) |
          (area.growsDown ? AREA.GrowsDown : 0) |
          (ref === null ? 0 : AREA.File) |
          (object === 0 ? 0 : AREA.Object);
        const { start, end, protection, backingPage } = area;
        const path = ref === null ? area.label : JSON.stringify(ref);
        messages.send(to, M.VMA_TRANSFER, {
          clone,
          start,
          end,
          protection,
          flags,
          page: backingPage,
          owner: ref?.owner ?? 0,
          handle: ref?.handle ?? object,
          path,
        });
      }
      step(MigrateStep.AreasSent, mm.areas.list.length);
      this.#leaving.add(mm);
      for (const [i, object] of objects.entries()) {
        const pages = [...object.pages].flat();
        for (let at = 0; at < pages.length; at += 2 * ENTRIES_PER_MESSAGE)
          messages.send(to, M.OBJECT_TRANSFER, { clone, object: i + 1, pages: pages.slice(at, at + 2 * ENTRIES_PER_MESSAGE) });
      }
      const entries = this.#entries(mm);
      for (let at = 0; at < entries.length; at += 3 * ENTRIES_PER_MESSAGE)
        messages.send(to, M.PTE_TRANSFER, { clone, entries: entries.slice(at, at + 3 * ENTRIES_PER_MESSAGE) });
      kernel.charge((entries.length / 3) * kernel.cost('migratePage'));
      step(MigrateStep.PagesSent, entries.length / 3);
      const pairing: Pairing = {
        errno: null,
        queue: new WaitQueue(),
        letGo: () => {
          this.#leaving.delete(mm);
          giveBack();
          this.#letGo(process, entries, objects, captured);
          step(MigrateStep.ShadowLeft, entries.length / 3);
          const { next } = move;
          if (next !== null) kernel.detach(messages.call(to, M.MIGRATE_REQUEST, { pid, to: next }, M.MIGRATE_RESPONSE));
        },
      };
      this.#pairings.set(clone, pairing);
      const state = pack(kernel, process, files);
      const registers = registersOf(process);
      const rest = latin1(JSON.stringify(state));
      for (let at = 0; at < rest.length; at += PAGE_SIZE) {
        const pfn = kernel.frames.allocate();
        lent.push(pfn);
        kernel.processor.invalidateFrame(pfn);
        kernel.memory.u8.set(rest.subarray(at, at + PAGE_SIZE), pfn * PAGE_SIZE);
      }
      // From here on the timer runs at the target; it is set again here should that refuse.
      timer = state.timer;
      kernel.alarm(process, 0);
      messages.send(to, M.CLONE_REQUEST, { clone, pid, length: rest.length, frames: lent, registers });
      step(MigrateStep.RequestSent, registers.length + rest.length);
      while (pairing.errno === null) {
        if (!kernel.isPeer(to)) {
          this.#pairings.delete(clone);
          // Its origin may have been told already that it is there.
          const origin = kernel.originOf(pid);
          if (origin === kernel.id || kernel.isPeer(origin)) yield* settle(kernel.origins.ask(pid, 'moved', kernel.id));
          throw new Errno(E.HOSTDOWN);
        }
        yield* sleep([pairing.queue], { interruptible: false });
      }
      this.#pairings.delete(clone);
      // What the target refused it has given back. Had it agreed, these tasks would be no more (see `Pairing`).
      refs.length = 0;
      throw new Errno(pairing.errno);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      this.#leaving.delete(mm);
      giveBack();
      // Those of a kernel that is gone have gone with it.
      for (const ref of refs) if (kernel.isPeer(to)) image.files.drop(ref, to);
      if (timer !== null) kernel.alarm(process, timer[0]);
      kernel.threads.lookAt(process);
      step(MigrateStep.Failed, error.errno);
      kernel.log(4, `popcorn: ${process.name} (${pid}) stays here: errno ${error.errno} on the way to kernel ${to}`);
    }
  }

  /** The file of memory that other processes here share, which stays their home; null for memory that goes along. */
  #fileOf(mm: AddressSpace, object: AnonymousObject): OpenFile | null {
    if (object.file === null && object.references === mm.areas.list.filter(area => area.backing === object).length) return null;
    return this.#kernel.sharedMemory.fileOf(object);
  }

  /** Each open file once, with its descriptors and one reference for the target. */
  *#sendableFiles(process: Process, refs: FileRef[], to: KernelId): Blocking<TravellingFile[]> {
    const byFile = new Map<object, { fds: [number, boolean][] }>();
    const order: OpenFile[] = [];
    for (const [fd, { file, closeOnExec }] of process.files.list()) {
      const known = byFile.get(file);
      if (known !== undefined) known.fds.push([fd, closeOnExec]);
      else {
        byFile.set(file, { fds: [[fd, closeOnExec]] });
        order.push(file);
      }
    }
    const sendable: TravellingFile[] = [];
    for (const file of order) {
      const ref = yield* this.#kernel.image.files.refer(file, to);
      refs.push(ref);
      sendable.push({ ref, fds: byFile.get(file)?.fds ?? [] });
    }
    return sendable;
  }

  /** Page number, frame and flags of every page that is not to be had from its file. */
  #entries(mm: AddressSpace): number[] {
    const entries: number[] = [];
    for (const area of mm.areas.list) {
      mm.table.forEach(area.start, area.end, (address, pfn, flags) => {
        if (area.backing === null || (!area.shared && !mm.isFilePage(area, address, pfn)))
          entries.push(address / 4096, pfn, flags & ~PTE.COW);
      });
    }
    return entries;
  }

  /** The process is elsewhere now: what it had here goes, but for the frames that it took along. */
  #letGo(process: Process, entries: readonly number[], objects: readonly AnonymousObject[], captured: ReadonlySet<SignalInfo>): void {
    const kernel = this.#kernel;
    const { mm } = process;
    const threads = [...process.threads];
    const late = [process.pending, ...threads.map(task => task.pending)].flatMap(pending =>
      pending.all.filter(info => !captured.has(info)),
    );
    for (let i = 0; i < entries.length; i += 3) {
      mm.table.clear((entries[i] as number) * 4096);
      kernel.frames.disown(entries[i + 1] as number);
      mm.resident--;
    }
    for (const object of objects) object.surrender();
    for (const task of threads) {
      if (task.wait !== null) for (const queue of task.wait.queues) queue.sleepers.delete(task);
      task.wait = null;
      task.fiber = null;
      task.state = 'dead';
      kernel.tasks.delete(task.tid);
      process.threads.delete(task);
    }
    this.#moves.delete(process);
    kernel.processes.delete(process.pid);
    kernel.releaseSpace(process);
    // Its locks go with it.
    process.files.locker = null;
    for (const release of kernel.releaseFiles(process)) kernel.detach(release);
    this.#departed.wakeAll();
    // Signals that came while it was on its way go after it.
    for (const info of late) kernel.detach(kernel.origins.ask(process.pid, 'signal', info.signal, info.code, info.pid, info.uid));
  }

  // --- the target ----------------------------------------------------------------------------------------------------------------

  #listen(): void {
    const { messages } = this.#kernel;
    const arriving = (from: KernelId, clone: number): Arriving => {
      const key = from * 2 ** 32 + clone;
      let found = this.#arriving.get(key);
      if (found === undefined) {
        found = { areas: [], objects: new Map(), entries: [] };
        this.#arriving.set(key, found);
      }
      return found;
    };
    messages.on(M.VMA_TRANSFER, (area, { from }) => {
      arriving(from, area.clone).areas.push(area);
    });
    messages.on(M.PTE_TRANSFER, ({ clone, entries }, { from }) => {
      for (const word of entries) arriving(from, clone).entries.push(word);
    });
    messages.on(M.OBJECT_TRANSFER, ({ clone, object, pages }, { from }) => {
      const { objects } = arriving(from, clone);
      objects.set(object, [...(objects.get(object) ?? []), ...pages]);
    });
    messages.on(M.CLONE_REQUEST, ({ clone, pid, length, frames, registers }, { from }) => {
      const { u8 } = this.#kernel.memory;
      const parts = frames.map((pfn, i) => u8.slice(pfn * PAGE_SIZE, pfn * PAGE_SIZE + Math.min(PAGE_SIZE, length - i * PAGE_SIZE)));
      const image = fromBytes(joined(parts));
      const arrived = arriving(from, clone);
      this.#arriving.delete(from * 2 ** 32 + clone);
      return this.#kernel.gate.through(() => this.#arrive(from, clone, pid, registers, image, arrived));
    });
    messages.on(M.CREATE_PROCESS_PAIRING, ({ clone, errno }) => {
      const pairing = this.#pairings.get(clone);
      if (pairing === undefined) return;
      pairing.errno = errno;
      if (errno === 0) {
        this.#pairings.delete(clone);
        pairing.letGo();
      } else pairing.queue.wakeAll();
    });
    messages.on(M.MIGRATE_REQUEST, ({ request, pid, to }, { from }) => {
      this.#kernel.image.serve(
        from,
        request,
        () => this.request(pid, to),
        errno => messages.send(from, M.MIGRATE_RESPONSE, { request, errno }),
      );
    });
    messages.on(M.MIGRATE_RESPONSE, ({ request, errno }) => messages.answered(request, errno === 0 ? {} : new Errno(errno)));
  }

  *#arrive(from: KernelId, clone: number, pid: Pid, registers: Uint8Array, image: string, arrived: Arriving): Blocking<void> {
    const { areas, entries } = arrived;
    const kernel = this.#kernel;
    const step = (which: number, count: number): void => kernel.trace(TraceKind.Migrate, pid, from, which, count);
    step(MigrateStep.Arrived, areas.length);
    // It may be back before the answer that lets its old self go has come through a full lane.
    while (kernel.processes.has(pid)) yield* sleep([this.#departed], { interruptible: false });
    const state = JSON.parse(image) as Travelling;
    let process: Process;
    try {
      const files = this.#importFiles(state);
      let built: Built;
      try {
        built = yield* this.#build(pid, state, arrived, files);
      } catch (error) {
        for (const file of files.closeAll()) kernel.detach(file.release());
        throw error;
      }
      kernel.charge(kernel.cost('migrateImportBase') + (entries.length / 3) * kernel.cost('migrateImportPage'));
      process = unpack(kernel, pid, state, registers, files, built);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      kernel.messages.send(from, M.CREATE_PROCESS_PAIRING, { clone, pid, errno: error.errno });
      return;
    }
    step(MigrateStep.Imported, entries.length / 3);
    try {
      yield* settle(kernel.origins.ask(pid, 'moved', kernel.id));
    } catch (error) {
      // Its origin is gone: who adopts it asks where it is.
      if (!(error instanceof Errno)) throw error;
    }
    kernel.messages.send(from, M.CREATE_PROCESS_PAIRING, { clone, pid, errno: 0 });
    traceName(kernel, pid, process.name);
    for (const task of process.threads) kernel.scheduler.enqueue(task);
    step(MigrateStep.Running, 0);
  }

  #importFiles(state: Travelling): FileTable {
    const table = new FileTable();
    table.locker = state.locker;
    for (const { ref, fds } of state.files) {
      const file = this.#kernel.image.files.import(ref);
      fds.forEach(([fd, closeOnExec], i) => {
        if (i > 0) file.retain();
        table.set(fd, file, closeOnExec);
      });
    }
    return table;
  }

  /** The address space and the place in the tree. The references of `entries` are taken over last, when nothing can fail any more. */
  *#build(pid: Pid, state: Travelling, { areas, objects: pages, entries }: Arriving, files: FileTable): Blocking<Built> {
    const kernel = this.#kernel;
    const space = new AddressSpace(kernel.mm);
    const user = new UserMemory(space, kernel.memory, kernel.processor);
    setSpace(space, state);
    const objects = new Map<number, AnonymousObject>();
    const refs = areas.map(area => (area.flags & AREA.File ? (JSON.parse(area.path) as FileRef) : null));
    try {
      for (const [i, area] of areas.entries()) {
        const ref = refs[i] ?? null;
        let backing: Backing | null = null;
        if (area.flags & AREA.Object) {
          const known = objects.get(area.handle);
          known?.retain();
          const object = known ?? new AnonymousObject(kernel.mm);
          objects.set(area.handle, object);
          backing = object;
        } else if (ref !== null) {
          const file = kernel.image.files.import(ref);
          refs[i] = null;
          try {
            backing = yield* fileBacking(file, (area.flags & AREA.Shared) !== 0, area.page, (area.end - area.start) / 4096, work =>
              kernel.detach(work),
            );
          } finally {
            kernel.detach(file.release());
          }
        }
        space.areas.insert({
          start: area.start,
          end: area.end,
          protection: area.protection,
          shared: (area.flags & AREA.Shared) !== 0,
          growsDown: (area.flags & AREA.GrowsDown) !== 0,
          backing,
          backingPage: area.page,
          label: ref === null ? area.path : '',
        });
      }
      const own = kernel.files.kernelCaller();
      const caller = { ...own, io: { ...own.io, pid } };
      const cwd = yield* settle(kernel.vfs.walk(caller, kernel.vfs.root, state.cwd));
      const root = state.root === '/' ? kernel.vfs.root : yield* settle(kernel.vfs.walk(caller, kernel.vfs.root, state.root));
      for (const [, { file }] of files.list()) {
        if (file.kind === 'directory' && file.dentry === null && file.label.startsWith('/'))
          file.dentry = yield* settle(kernel.vfs.walk(caller, kernel.vfs.root, file.label));
      }
      this.#install(space, entries);
      for (const [number, object] of objects) {
        const list = pages.get(number) ?? [];
        for (let i = 0; i < list.length; i += 2) object.adopt(list[i] as number, list[i + 1] as number);
      }
      return { space, user, cwd, root };
    } catch (error) {
      for (const ref of refs) if (ref !== null) kernel.image.files.drop(ref);
      space.destroy();
      throw error;
    }
  }

  #install(space: AddressSpace, entries: readonly number[]): void {
    const kernel = this.#kernel;
    let done = 0;
    try {
      for (; done < entries.length; done += 3) {
        const [page, pfn, flags] = [entries[done] as number, entries[done + 1] as number, entries[done + 2] as number];
        space.installPage(page * 4096, pfn, flags);
        kernel.frames.adopt(pfn);
        kernel.processor.reuseFrame(pfn);
      }
    } catch (error) {
      // No room for a page table: what was installed is still the source's.
      for (let i = 0; i < done; i += 3) {
        space.table.clear((entries[i] as number) * 4096);
        kernel.frames.disown(entries[i + 1] as number);
        space.resident--;
      }
      throw error;
    }
  }
}

/** Whether a shared area can go along: a device that is written is one kernel's. */
function maySend({ backing, protection }: VmArea): boolean {
  if (backing instanceof AnonymousObject) return true;
  const file = backingFile(backing);
  return file !== null && (file.kind === 'file' || (protection & PROT.WRITE) === 0);
}
