/**
 * Migration: a process moves to another kernel, its frames stay where they are.
 *
 *     source                                     target
 *     stops the task, breaks copy-on-write
 *     VMA_TRANSFER for each area          →      keeps them
 *     PTE_TRANSFER for runs of pages      →      keeps them
 *     CLONE_REQUEST with the rest         →      builds address space, files, task; asks the origin to note the new place
 *     lets go                             ←      CREATE_PROCESS_PAIRING, and the task is ready there
 *
 * Always holds: from the stop to the pairing the task runs nowhere; if the target answers with an error the source goes on with it as if
 * nothing had been. References on frames and files that were sent belong to the target exactly if it answered without an error.
 */
import { E, Errno } from '../abi/errno.ts';
import type { FileRef } from '../image/files.ts';
import { Watch } from '../debug/watch.ts';
import { FileTable } from '../fs/file-table.ts';
import type { OpenFile } from '../fs/file.ts';
import type { Dentry } from '../fs/vfs.ts';
import { type Kernel, latin1, REGISTERS_SET } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import { AddressSpace } from '../mm/address-space.ts';
import { backingFile, fileBacking } from '../mm/file-backing.ts';
import { PTE } from '../mm/page-table.ts';
import { UserMemory } from '../mm/user-memory.ts';
import { PROT, type Backing } from '../mm/vm-area.ts';
import { defaultActions, PendingSignals, type SignalInfo } from '../signal/state.ts';
import { traceName } from '../task/exec.ts';
import type { Process, Task } from '../task/task.ts';
import { MigrateStep, TraceKind } from '../trace.ts';
import { type Blocking, type CoreId, type Cycles, type KernelId, type Pid, settle, sleep, WaitQueue } from '../types.ts';

/** Everything of a process but its areas and pages. Plain data of JSON; an infinite limit is -1. */
interface Travelling {
  readonly origin: KernelId;
  readonly name: string;
  readonly executable: string;
  readonly credentials: Process['credentials'];
  readonly actions: readonly (readonly [signal: number, handler: number, flags: number, mask: readonly [number, number]])[];
  readonly pending: readonly SignalInfo[];
  readonly taskPending: readonly SignalInfo[];
  readonly rlimits: readonly (readonly [number, number, number])[];
  readonly startTime: Cycles;
  readonly used: readonly [user: Cycles, system: Cycles];
  readonly timer: readonly [rest: Cycles, interval: Cycles] | null;
  readonly migrateEvery: Cycles;
  readonly cwd: string;
  readonly root: string;
  readonly umask: number;
  /** As whom it holds record locks (`FileTable.locker`). */
  readonly locker: string | null;
  readonly files: readonly { readonly ref: FileRef; readonly fds: readonly (readonly [fd: number, closeOnExec: boolean])[] }[];
  readonly space: Pick<
    AddressSpace,
    | 'brkStart'
    | 'brk'
    | 'argStart'
    | 'argEnd'
    | 'envStart'
    | 'envEnd'
    | 'stackStart'
    | 'codeStart'
    | 'codeEnd'
    | 'stackLimit'
    | 'minorFaults'
  >;
  readonly task: {
    readonly blocked: readonly [number, number];
    readonly savedBlocked: readonly [number, number] | null;
    readonly altStack: Task['altStack'];
    readonly nice: number;
    readonly policy: number;
    readonly clearChildTid: number;
    readonly robustList: number;
    readonly restart: number;
    /** Null: none. */
    readonly restartDeadline: number | null;
    readonly wanted: readonly CoreId[];
    readonly switches: readonly [number, number];
    /** A debugger's hold goes along. */
    readonly watch: null | { readonly held: boolean; readonly breakpoints: readonly number[] };
  };
}

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

const AREA = { Shared: 1, GrowsDown: 2, File: 4 } as const;
/** Page-table entries in one PTE_TRANSFER: three words each. */
const ENTRIES_PER_MESSAGE = 100;
const REGISTERS = 528;

export class Migration {
  readonly #kernel: Kernel;
  #nextClone = 1;
  readonly #arriving = new Map<number, Arriving>();
  readonly #pairings = new Map<number, Pairing>();
  /** Address spaces on their way: their pages are where the messages say. */
  readonly #leaving = new Set<AddressSpace>();
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

  isLeaving(space: AddressSpace): boolean {
    return this.#leaving.has(space);
  }

  // --- asking for it -------------------------------------------------------------------------------------------------------------

  /**
   * Asks that a process move, wherever it runs now. It moves when it next comes to user mode.
   * @throws Errno ESRCH, EINVAL no such kernel is up, EBUSY it can't leave its kernel
   */
  *request(pid: Pid, to: KernelId): Blocking<void> {
    const kernel = this.#kernel;
    if (to !== kernel.id && !kernel.isPeer(to)) throw new Errno(E.INVAL);
    const process = kernel.processes.get(pid) ?? kernel.tasks.get(pid)?.process;
    if (process !== undefined) {
      this.ask(process, to, []);
      return;
    }
    const origin = pid >>> 15;
    const record = kernel.records.all.get(pid);
    const where = origin === kernel.id ? record?.location : origin;
    if (where === undefined || where === kernel.id || record?.state === 'zombie' || !kernel.isPeer(where)) throw new Errno(E.SRCH);
    yield* kernel.messages.call(where, M.MIGRATE_REQUEST, { pid, to }, M.MIGRATE_RESPONSE);
  }

  /** A process of this kernel is to go. @throws Errno EBUSY */
  ask(process: Process, to: KernelId, wanted: readonly CoreId[]): void {
    const kernel = this.#kernel;
    if (to === kernel.id) return;
    if (!this.mayLeave(process)) throw new Errno(E.BUSY);
    for (const task of process.threads) {
      task.migrateTo = to;
      task.wantedCores = wanted;
      task.work = true;
      kernel.scheduler.interrupt(task);
    }
    kernel.yieldRequested = true;
  }

  /** --migrate-every: on to the next kernel each time the interval is over, if it has run here at all: so it gets on, however busy kernels are. */
  keepMoving(process: Process): void {
    const kernel = this.#kernel;
    kernel.at(kernel.now + process.migrateEvery, () => {
      if (kernel.processes.get(process.pid) !== process || process.exitStatus !== null) return;
      const up = [kernel.id, ...kernel.peers()].sort((a, b) => a - b);
      const next = up[(up.indexOf(kernel.id) + 1) % up.length] as KernelId;
      const hasRun = [...process.threads].some(task => task.usedUser + task.usedSystem > 0);
      if (next !== kernel.id && hasRun && this.mayLeave(process)) this.ask(process, next, []);
      this.keepMoving(process);
    });
  }

  /** Threads, memory lent by vfork and memory shared for writing keep a process where it is. */
  mayLeave(process: Process): boolean {
    return (
      process.threads.size === 1 &&
      process.mm.users === 1 &&
      process.files.users === 1 &&
      !process.mm.areas.list.some(
        area => area.shared && (area.backing === null || backingFile(area.backing) === null || (area.protection & PROT.WRITE) !== 0),
      )
    );
  }

  /** The task, about to go on in user mode, leaves instead. Returns whether it does. */
  begin(task: Task): boolean {
    const kernel = this.#kernel;
    const to = task.migrateTo;
    task.migrateTo = -1;
    if (to === kernel.id || !kernel.isPeer(to) || !this.mayLeave(task.process)) return false;
    kernel.scheduler.begin(task, this.#leave(task, to));
    return true;
  }

  // --- the source ----------------------------------------------------------------------------------------------------------------

  *#leave(task: Task, to: KernelId): Blocking<number> {
    const kernel = this.#kernel;
    const { process } = task;
    const { pid, mm } = process;
    const step = (which: number, count: number): void => kernel.trace(TraceKind.Migrate, pid, to, which, count);
    const { messages, image } = kernel;
    const clone = this.#nextClone++;
    const refs: FileRef[] = [];
    let timer: Travelling['timer'] = null;
    // The registers as the program left them: the fiber's own switches don't touch them.
    kernel.coreOf(task).hart.saveTo(task.registers);
    const registers = task.registers.slice(0, REGISTERS);
    kernel.charge(kernel.cost('migrateStop'));
    step(MigrateStep.Stopped, 0);
    try {
      mm.breakCopyOnWrite();
      const files = yield* this.#sendableFiles(process, refs, to);
      const areaRefs: (FileRef | null)[] = [];
      for (const area of mm.areas.list) {
        const file = backingFile(area.backing);
        const ref = file === null ? null : yield* image.files.refer(file, to);
        if (ref !== null) refs.push(ref);
        areaRefs.push(ref);
      }
      const captured = new Set([...process.pending.all, ...task.pending.all]);
      for (const [i, area] of mm.areas.list.entries()) {
        const ref = areaRefs[i] ?? null;
        const flags = (area.shared ? AREA.Shared : 0) | (area.growsDown ? AREA.GrowsDown : 0) | (ref === null ? 0 : AREA.File);
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
          handle: ref?.handle ?? 0,
          path,
        });
      }
      step(MigrateStep.AreasSent, mm.areas.list.length);
      this.#leaving.add(mm);
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
          this.#letGo(task, entries, captured);
          step(MigrateStep.ShadowLeft, entries.length / 3);
        },
      };
      this.#pairings.set(clone, pairing);
      const state = this.#travelling(process, task, files);
      const json = latin1(JSON.stringify(state));
      // From here on the timer runs at the target; it is set again here should that refuse.
      timer = state.timer;
      kernel.alarm(process, 0);
      const imageBytes = new Uint8Array(registers.length + json.length);
      imageBytes.set(registers);
      imageBytes.set(json, registers.length);
      messages.send(to, M.CLONE_REQUEST, { clone, pid, image: imageBytes });
      step(MigrateStep.RequestSent, imageBytes.length);
      while (pairing.errno === null) {
        if (!kernel.isPeer(to)) {
          this.#pairings.delete(clone);
          // Its origin may have been told already that it is there.
          if (process.origin === kernel.id || kernel.isPeer(process.origin)) yield* settle(kernel.origins.ask(pid, 'moved', kernel.id));
          throw new Errno(E.HOSTDOWN);
        }
        yield* sleep([pairing.queue], { interruptible: false });
      }
      this.#pairings.delete(clone);
      // What the target refused it has given back. Had it agreed, this task would be no more (see `Pairing`).
      refs.length = 0;
      throw new Errno(pairing.errno);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      this.#leaving.delete(mm);
      // Those of a kernel that is gone have gone with it.
      for (const ref of refs) if (kernel.isPeer(to)) image.files.drop(ref, to);
      if (timer !== null) kernel.alarm(process, timer[0]);
      step(MigrateStep.Failed, error.errno);
      kernel.log(4, `popcorn: ${process.name} (${pid}) stays here: errno ${error.errno} on the way to kernel ${to}`);
      task.work = true;
      return REGISTERS_SET;
    }
  }

  /** Each open file once, with its descriptors and one reference for the target. */
  *#sendableFiles(process: Process, refs: FileRef[], to: KernelId): Blocking<Travelling['files']> {
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
    const sendable: { ref: FileRef; fds: [number, boolean][] }[] = [];
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

  #travelling(process: Process, task: Task, files: Travelling['files']): Travelling {
    const { mm, credentials, origin, name, executable, startTime, migrateEvery } = process;
    const finite = (value: number): number => (Number.isFinite(value) ? value : -1);
    const { brkStart, brk, argStart, argEnd, envStart, envEnd, stackStart, codeStart, codeEnd, stackLimit, minorFaults } = mm;
    const { blocked, savedBlocked, altStack, nice, policy, clearChildTid, robustList, restart, restartDeadline } = task;
    return {
      origin,
      name,
      executable,
      credentials,
      startTime,
      migrateEvery,
      files,
      locker: process.files.locker,
      actions: process.actions.flatMap((action, signal) =>
        action.handler === 0 && action.flags === 0 ? [] : [[signal, action.handler, action.flags, action.mask] as const],
      ),
      pending: [...process.pending.all],
      taskPending: [...task.pending.all],
      rlimits: [...process.rlimits].map(([resource, [soft, hard]]) => [resource, finite(soft), finite(hard)] as const),
      used: [process.usedUser + task.usedUser, process.usedSystem + task.usedSystem],
      timer: process.itimer === null ? null : [Math.max(1, process.itimer.time - this.#kernel.now), process.itimerInterval],
      cwd: process.fs.cwd.path(),
      root: process.fs.root.path(),
      umask: process.fs.umask,
      space: { brkStart, brk, argStart, argEnd, envStart, envEnd, stackStart, codeStart, codeEnd, stackLimit, minorFaults },
      task: {
        blocked,
        savedBlocked,
        altStack,
        nice,
        policy,
        clearChildTid,
        robustList,
        restart,
        restartDeadline: Number.isNaN(restartDeadline) ? null : restartDeadline,
        wanted: task.wantedCores,
        switches: [task.voluntarySwitches, task.involuntarySwitches],
        watch: task.watch === null ? null : { held: task.watch.mode === 'held', breakpoints: [...task.watch.breakpoints] },
      },
    };
  }

  /** The process is elsewhere now: what it had here goes, but for the frames that it took along. */
  #letGo(task: Task, entries: readonly number[], captured: ReadonlySet<SignalInfo>): void {
    const kernel = this.#kernel;
    const { process } = task;
    const { mm } = process;
    const late = [...process.pending.all, ...task.pending.all].filter(info => !captured.has(info));
    for (let i = 0; i < entries.length; i += 3) {
      mm.table.clear((entries[i] as number) * 4096);
      kernel.frames.disown(entries[i + 1] as number);
      mm.resident--;
    }
    if (task.wait !== null) for (const queue of task.wait.queues) queue.sleepers.delete(task);
    task.wait = null;
    task.fiber = null;
    task.state = 'dead';
    kernel.tasks.delete(task.tid);
    process.threads.delete(task);
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
        found = { areas: [], entries: [] };
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
    messages.on(M.CLONE_REQUEST, ({ clone, pid, image }, { from }) => {
      const arrived = arriving(from, clone);
      this.#arriving.delete(from * 2 ** 32 + clone);
      return this.#arrive(from, clone, pid, image, arrived);
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

  *#arrive(from: KernelId, clone: number, pid: Pid, imageBytes: Uint8Array, { areas, entries }: Arriving): Blocking<void> {
    const kernel = this.#kernel;
    const step = (which: number, count: number): void => kernel.trace(TraceKind.Migrate, pid, from, which, count);
    step(MigrateStep.Arrived, areas.length);
    // It may be back before the answer that lets its old self go has come through a full lane.
    while (kernel.processes.has(pid)) yield* sleep([this.#departed], { interruptible: false });
    const registers = imageBytes.slice(0, REGISTERS);
    let text = '';
    for (const byte of imageBytes.subarray(REGISTERS)) text += String.fromCharCode(byte);
    const state = JSON.parse(text) as Travelling;
    let task: Task;
    try {
      const files = this.#importFiles(state);
      let built: { space: AddressSpace; user: UserMemory; cwd: Dentry; root: Dentry };
      try {
        built = yield* this.#build(state, areas, entries, files);
      } catch (error) {
        for (const file of files.closeAll()) kernel.detach(file.release());
        throw error;
      }
      kernel.charge(kernel.cost('migrateImportBase') + (entries.length / 3) * kernel.cost('migrateImportPage'));
      task = this.#makeTask(pid, state, registers, files, built);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      kernel.messages.send(from, M.CREATE_PROCESS_PAIRING, { clone, pid, errno: error.errno });
      return;
    }
    step(MigrateStep.Imported, entries.length / 3);
    try {
      yield* settle(kernel.origins.ask(pid, 'moved', kernel.id));
    } catch (error) {
      // Its origin is gone: it goes on without one.
      if (!(error instanceof Errno)) throw error;
    }
    kernel.messages.send(from, M.CREATE_PROCESS_PAIRING, { clone, pid, errno: 0 });
    traceName(kernel, pid, task.process.name);
    kernel.scheduler.enqueue(task);
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
  *#build(
    state: Travelling,
    areas: readonly ArrivedArea[],
    entries: readonly number[],
    files: FileTable,
  ): Blocking<{ space: AddressSpace; user: UserMemory; cwd: Dentry; root: Dentry }> {
    const kernel = this.#kernel;
    const space = new AddressSpace(kernel.mm);
    const user = new UserMemory(space, kernel.memory, kernel.processor);
    Object.assign(space, state.space);
    const refs = areas.map(area => (area.flags & AREA.File ? (JSON.parse(area.path) as FileRef) : null));
    try {
      for (const [i, area] of areas.entries()) {
        const ref = refs[i] ?? null;
        let backing: Backing | null = null;
        if (ref !== null) {
          const file = kernel.image.files.import(ref);
          refs[i] = null;
          try {
            backing = yield* fileBacking(file, area.page, (area.end - area.start) / 4096, work => kernel.detach(work));
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
      const caller = kernel.files.kernelCaller();
      const cwd = yield* settle(kernel.vfs.walk(caller, kernel.vfs.root, state.cwd));
      const root = state.root === '/' ? kernel.vfs.root : yield* settle(kernel.vfs.walk(caller, kernel.vfs.root, state.root));
      for (const [, { file }] of files.list()) {
        if (file.kind === 'directory' && file.dentry === null && file.label.startsWith('/'))
          file.dentry = yield* settle(kernel.vfs.walk(caller, kernel.vfs.root, file.label));
      }
      this.#install(space, entries);
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
        kernel.processor.invalidateFrame(pfn);
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

  #makeTask(
    pid: Pid,
    state: Travelling,
    registers: Uint8Array,
    files: FileTable,
    built: { space: AddressSpace; user: UserMemory; cwd: Dentry; root: Dentry },
  ): Task {
    const kernel = this.#kernel;
    const actions = defaultActions();
    for (const [signal, handler, flags, mask] of state.actions) actions[signal] = { handler, flags, mask: [mask[0], mask[1]] };
    const pending = new PendingSignals();
    for (const info of state.pending) pending.add(info);
    const infinite = (value: number): number => (value < 0 ? Infinity : value);
    const process: Process = {
      pid,
      origin: state.origin,
      mm: built.space,
      user: built.user,
      files,
      fs: { root: built.root, cwd: built.cwd, umask: state.umask },
      actions,
      pending,
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
      dumpable: 1,
    };
    const own = kernel.cores.map(core => core.id);
    const wanted = state.task.wanted.filter(id => own.includes(id));
    const task = kernel.newTask(pid, process, wanted[0] ?? this.#leastLoaded(), wanted.length > 0 ? wanted : own);
    kernel.forks--;
    task.registers.set(registers);
    task.blocked = [state.task.blocked[0], state.task.blocked[1]];
    task.savedBlocked = state.task.savedBlocked === null ? null : [state.task.savedBlocked[0], state.task.savedBlocked[1]];
    task.altStack = { ...state.task.altStack };
    task.nice = state.task.nice;
    task.policy = state.task.policy;
    task.clearChildTid = state.task.clearChildTid;
    task.robustList = state.task.robustList;
    task.restart = state.task.restart;
    task.restartDeadline = state.task.restartDeadline ?? Number.NaN;
    [task.voluntarySwitches, task.involuntarySwitches] = state.task.switches;
    if (state.task.watch !== null) task.watch = Watch.of(state.task.watch.held, state.task.watch.breakpoints);
    for (const info of state.taskPending) task.pending.add(info);
    task.work = true;
    if (state.timer !== null) {
      const [rest, interval] = state.timer;
      process.itimerInterval = interval;
      kernel.alarm(process, rest);
    }
    return task;
  }

  #leastLoaded(): CoreId {
    const kernel = this.#kernel;
    const load = (core: Kernel['core']): number => core.queue.length + (core.current === null ? 0 : 1);
    return kernel.cores.reduce((best, core) => (load(core) < load(best) ? core : best), kernel.serviceCore).id;
  }
}
