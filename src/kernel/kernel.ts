/**
 * One kernel: its state, and the services by which its parts find each other.
 *
 * Always holds: nothing here is shared with another kernel but physical memory; `core` is the core that acts now and its clock is the
 * kernel's present time; every cost is charged to it.
 */
import { ExitKind, type Hart, type Processor } from '../machine/hart/hart.ts';
import type { NodePosition } from '../machine/interconnect.ts';
import type { PhysicalMemory } from '../machine/memory.ts';
import { coreOf, type Topology } from '../machine/topology/topology.ts';
import { E, Errno } from './abi/errno.ts';
import { SI, SIG } from './abi/signal.ts';
import type { BootParameters, MemoryRange, Partition, ResolvedPlan } from './boot/parameters.ts';
import { KERNEL_COSTS, type KernelCost } from './costs.ts';
import { toBytes } from './fs/bytes.ts';
import type { FileSystems } from './fs/file-system.ts';
import { SHIELD_TTIN, SHIELD_TTOU, type IoContext } from './fs/file.ts';
import type { HostInput } from './fs/tty/host-port.ts';
import type { Vfs } from './fs/vfs.ts';
import { Image } from './image/image.ts';
import { Log } from './log.ts';
import { M } from './message/catalog.ts';
import { Messenger } from './message/messenger.ts';
import { TRANSPORTS } from './message/settings.ts';
import { messageLatency } from './message/latency.ts';
import { windowBytes } from './message/window.ts';
import type { DiskDriver } from './device/disk.ts';
import { Devices } from './device/devices.ts';
import { Control } from './partition/control.ts';
import { Estate } from './partition/estate.ts';
import { Gate } from './partition/gate.ts';
import { Heirs } from './partition/heirs.ts';
import { Ledger } from './partition/ledger.ts';
import { Lifecycle } from './partition/lifecycle.ts';
import { kernelsMax, MachineMap } from './partition/map.ts';
import type { Network } from './net/network.ts';
import type { NicDriver } from './net/nic-driver.ts';
import type { VirtualFunctions } from './net/vf-driver.ts';
import { VirtualSwitch } from './net/switch/switch.ts';
import { Balancer } from './migrate/balancer.ts';
import { Migration } from './migrate/migration.ts';
import { PageGroups } from './migrate/groups.ts';
import { SharedMemory } from './migrate/shared-memory.ts';
import { Threads } from './migrate/threads.ts';
import type { Access, MmServices } from './mm/address-space.ts';
import { FrameUse } from './mm/frame-use.ts';
import { FrameAllocator } from './mm/frames.ts';
import { PTE } from './mm/page-table.ts';
import type { Platform } from './platform.ts';
import { Core } from './sched/core.ts';
import { EventClass, EventQueue, type KernelEvent } from './sched/events.ts';
import { Scheduler, StopReason } from './sched/scheduler.ts';
import { holds, programChanged, taskGone } from './debug/watch.ts';
import { deliverSignals, forceSignal, signalProcess } from './signal/delivery.ts';
import { isBlocked, type SignalInfo } from './signal/state.ts';
import { SIG_IGN } from './abi/signal.ts';
import { CallTable } from './syscall/table.ts';
import { traceName } from './task/exec.ts';
import { Futexes } from './task/futex.ts';
import { deliverHere, Origins, traceEnd } from './task/origins.ts';
import { type ProcessRecord, Records } from './task/record.ts';
import { type Errand, type Process, Task } from './task/task.ts';
import { KernelFiber } from './task/fiber.ts';
import { toldPid, toldPids, TraceKind } from './trace.ts';
import {
  type Blocking,
  type CoreId,
  type Cycles,
  isBlocking,
  type KernelId,
  type Maybe,
  PAGE_SIZE,
  type Pid,
  type WakeReason,
} from './types.ts';

/** What a call gives that has set the registers itself (execve, rt_sigreturn): they are left as they are. */
export const REGISTERS_SET = Number.MIN_SAFE_INTEGER;

/** By the number that the hart has for it. */
const ACCESSES: readonly Access[] = ['execute', 'read', 'write'];

/** More than there are nodes. */
const HOMES = 256;

/** States as TraceKind.KernelState has them. */
export const KernelState = { Off: 0, Booting: 1, Up: 2, Halted: 3, Panicked: 4 } as const;
export type KernelState = (typeof KernelState)[keyof typeof KernelState];

/** Messages by which several kernels are one system. */
const NOT_FEDERATED: ReadonlySet<number> = new Set(
  [
    M.ORIGIN_REQUEST,
    M.REMOTE_SENDSIG,
    M.CLONE_REQUEST,
    M.MIGRATE_REQUEST,
    M.MIGRATE_THREAD,
    M.THREAD_TRANSFER,
    M.PAGE_REQUEST,
    M.FUTEX_REQUEST,
    M.LOAD_REQUEST,
    M.FILE_REQUEST,
  ].map(({ type }) => type),
);

export class Kernel {
  readonly id: KernelId;
  readonly parameters: BootParameters;
  readonly plan: Pick<ResolvedPlan, 'mode'>;
  /** Who owns what, as far as this kernel has been told. */
  readonly map: MachineMap;
  readonly ledger: Ledger;
  readonly lifecycle: Lifecycle;
  /** Who keeps what kernels that have halted have left, and the file tree. */
  readonly heirs: Heirs;
  readonly estate: Estate;
  /** Closed while it is being found out what a kernel that is gone has taken along. */
  readonly gate = new Gate();
  readonly control: Control;
  readonly devices: Devices;
  /** Set by the driver of the disk as it is made. */
  disk!: DiskDriver;
  readonly platform: Platform;
  readonly memory: PhysicalMemory;
  readonly processor: Processor;
  readonly topology: Topology;
  readonly hertz: number;
  readonly frames: FrameUse;
  readonly mm: MmServices;
  /** The first is the one that interrupts from outside reach. */
  readonly cores: Core[];
  /** Own cores that are not in use. */
  readonly offline: Core[] = [];
  /** The core that acts now. */
  core: Core;
  readonly events = new EventQueue();
  readonly scheduler: Scheduler;
  readonly tasks = new Map<Pid, Task>();
  readonly processes = new Map<Pid, Process>();
  readonly records: Records;
  readonly origins: Origins;
  readonly futexes = new Futexes();
  readonly messages: Messenger;
  readonly image: Image;
  readonly migration: Migration;
  readonly balancer: Balancer;
  readonly pages: PageGroups;
  readonly threads: Threads;
  readonly sharedMemory: SharedMemory;
  readonly calls: CallTable;
  readonly logBook: Log;
  state: KernelState = KernelState.Off;
  /** Made at boot. */
  files!: FileSystems;
  /** Made at boot: TCP/IP of this kernel, and where network devices are attached (net/network.ts). */
  net!: Network;
  /** The virtual network switch between kernels. */
  readonly vnet: VirtualSwitch;
  /** The driver of the network card, whoever has that. */
  nic!: NicDriver;
  virtualFunctions!: VirtualFunctions;
  hostname = 'popcorn';
  /** Standard input of the `exec` program, where this kernel runs it. */
  stdin: HostInput | null = null;
  /** What came from outside before there was anything to take it: done once the first process has started, and null from then on. */
  early: (() => void)[] | null = [];
  /** The `exec` program's pid; 0 when there is none. */
  program: Pid = 0;
  forks = 0;
  interrupts = 0;
  diskInterrupts = 0;
  /** Set when the run loop must look again: another core got work, an event was added, or the bound was lowered. */
  yieldRequested = false;
  /** Before this time nothing can come back from what this kernel sent during the present run. */
  bound: Cycles = Number.POSITIVE_INFINITY;
  /**
   * The time at which the present piece of work (an event, a trap, a step of a fiber) began: what other kernels did is visible up to
   * here.
   */
  visible: Cycles = 0;
  /** Other kernels that have checked in. */
  readonly #peers = new Set<KernelId>();
  /** The same in ascending order; made anew when asked for after a change. */
  #peerList: readonly KernelId[] | null = null;
  #seed: number;
  /** By peer and home. */
  readonly #latencies = new Map<number, Cycles>();

  constructor(parameters: BootParameters, platform: Platform) {
    this.parameters = parameters;
    this.id = parameters.kernel;
    this.plan = parameters.plan;
    this.map = new MachineMap(parameters.plan.partitions);
    this.heirs = new Heirs(parameters.tree ?? parameters.kernel, parameters.heirs ?? []);
    this.platform = platform;
    this.memory = platform.memory;
    this.processor = platform.processor;
    this.topology = platform.topology;
    this.hertz = platform.topology.hertz;
    this.#seed = (parameters.seed ^ Math.imul(this.id + 1, 0x9e3779b1)) >>> 0 || 1;
    this.logBook = new Log(this.hertz);
    const partition = this.partition;
    const window = windowBytes(kernelsMax(this.topology.cores.length));
    const ranges = partition.memory.map((range, i) => (i === 0 ? { ...range, bytes: range.bytes - window } : range));
    this.frames = new FrameUse(new FrameAllocator(ranges), pfn => this.image.returnFrame(pfn));
    this.mm = {
      memory: this.memory,
      frames: this.frames,
      processor: this.processor,
      tableChanged: root => this.#flush(root),
      charge: work => this.charge(this.cost(work === 'zero' ? 'pageZero' : work === 'copy' ? 'pageCopy' : 'mapPage')),
    };
    this.cores = partition.cores.map(id => new Core(id, platform.hart(id), coreOf(this.topology, id).node, 0));
    for (const { hart } of this.cores) hart.reset();
    this.core = this.serviceCore;
    this.scheduler = new Scheduler(this);
    this.records = new Records({
      kernel: this.id,
      pidBase: this.pidBase,
      taken: this.heirs.taken(this.id).pids,
      deliver: (record, info) => this.deliver(record, info),
      sessionEnded: session => this.#sessionEnded(session),
    });
    this.origins = new Origins(this);
    this.messages = new Messenger(this);
    this.image = new Image(this);
    this.lifecycle = new Lifecycle(this);
    this.estate = new Estate(this);
    this.ledger = new Ledger(this);
    this.control = new Control(this);
    this.vnet = new VirtualSwitch(this);
    this.devices = new Devices(this);
    this.migration = new Migration(this);
    this.balancer = new Balancer(this);
    this.pages = new PageGroups(this);
    this.threads = new Threads(this);
    this.sharedMemory = new SharedMemory(this);
    this.calls = new CallTable(this);
  }

  /** Whether this is one of several independent systems: nothing is kept the same on all. */
  get isFederated(): boolean {
    return this.plan.mode === 'federation';
  }
  /** The kernel that keeps a process's record. In a federation every pid that is known here is this kernel's. */
  originOf(pid: Pid): KernelId {
    return this.isFederated ? this.id : this.heirs.ofPid(pid);
  }
  /** What all pids born here have in common. */
  get pidBase(): Pid {
    return this.isFederated ? 0 : this.id << 15;
  }
  /** Of /init. */
  get firstPid(): Pid {
    return this.pidBase | 1;
  }

  get partition(): Partition {
    const partition = this.map.of(this.id);
    if (partition === undefined) throw new Error(`kernel ${this.id} has no share`);
    return partition;
  }
  /** The core that interrupts from outside reach. */
  get serviceCore(): Core {
    return this.cores[0] as Core;
  }
  get vfs(): Vfs {
    return this.files.vfs;
  }

  // --- time and costs ----------------------------------------------------------------------------------------------------------

  get now(): Cycles {
    return this.core.clock;
  }
  cost(name: KernelCost): Cycles {
    return KERNEL_COSTS[name].value;
  }
  charge(cycles: Cycles): void {
    this.core.clock += cycles;
    this.core.systemCycles += cycles;
  }
  /** Has `handle` run at `time` on the service core. */
  at(time: Cycles, handle: () => void): KernelEvent {
    this.yieldRequested = true;
    return this.events.add(Math.max(Math.ceil(time), this.visible), EventClass.Local, 0, handle);
  }
  lowerBound(time: Cycles): void {
    if (time < this.bound) {
      this.bound = time;
      this.yieldRequested = true;
    }
  }
  /**
   * How long a line takes to or from a peer, with the interrupt that says so.
   * @param home of the memory that the line belongs to (`nodeOf`); null: of one of the two
   */
  latencyTo(peer: KernelId, home: NodePosition | null = null): Cycles {
    const key = peer * HOMES + (home ?? HOMES - 1);
    let latency = this.#latencies.get(key);
    if (latency === undefined) {
      const theirs = this.map.of(peer)?.cores[0];
      // Of one that has no core there is nothing to be heard: any latency will do.
      latency = messageLatency(
        this.topology,
        this.serviceCore.id,
        theirs ?? this.serviceCore.id,
        TRANSPORTS[this.parameters.messages.transport],
        home,
      );
      this.#latencies.set(key, latency);
    }
    return latency;
  }
  /** The node of a physical address; null: of none. */
  nodeOf(address: number): NodePosition | null {
    return this.platform.nodes.find(({ base, bytes }) => address >= base && address < base + bytes)?.node ?? null;
  }
  /** 32 bits of this kernel's random stream (xorshift32, Marsaglia 2003), a function of the seed. */
  random(): number {
    let x = this.#seed;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#seed = x >>> 0;
    return this.#seed;
  }

  // --- telling ---------------------------------------------------------------------------------------------------------------

  trace(kind: TraceKind, a: number, b: number, c: number, d: number, core: Core = this.core): void {
    if (!this.isFederated) return this.platform.trace(core.clock, kind, core.id, a >>> 0, b >>> 0, c >>> 0, d >>> 0);
    const [x, y, z] = toldPids(this.id, kind, a, b, c);
    this.platform.trace(core.clock, kind, core.id, x >>> 0, y >>> 0, z >>> 0, d >>> 0);
  }
  /** A pid as the trace has it: unlike that of any other process of the machine. */
  toldPid(pid: Pid): number {
    return this.isFederated ? toldPid(this.id, pid) : pid;
  }
  /** A record in whose core field something else stands. */
  traceAt(kind: TraceKind, core: number, a: number, b: number, c: number, d: number): void {
    this.platform.trace(this.now, kind, core, a, b, c, d);
  }
  log(level: number, text: string): void {
    const line = this.logBook.add(this.now, level, text);
    this.platform.output(this.now, 3, latin1(`${this.logBook.format(line)}\n`));
    this.image.logged();
  }
  setState(state: KernelState, by: KernelId = this.id): void {
    this.state = state;
    this.trace(TraceKind.KernelState, state, by, this.cores.length, this.frames.own.total);
  }

  /** Whether its cores do anything. */
  get isRunning(): boolean {
    return this.state === KernelState.Booting || this.state === KernelState.Up || this.state === KernelState.Off;
  }
  /** Somebody's cores are others than before. */
  sharesChanged(): void {
    this.#latencies.clear();
  }
  traceCore(core: CoreId, comes: boolean): void {
    this.trace(TraceKind.CoreOwner, core, comes ? 1 : 0, 0, 0);
  }
  traceDevice(place: number, comes: boolean): void {
    this.trace(TraceKind.DeviceOwner, place, comes ? 1 : 0, 0, 0);
  }
  traceMemory({ base, bytes, node }: MemoryRange, comes: boolean): void {
    this.trace(TraceKind.MemoryOwner, base / PAGE_SIZE, bytes / PAGE_SIZE, node, comes ? 1 : 0);
  }

  // --- peers -----------------------------------------------------------------------------------------------------------------

  isPeer(kernel: KernelId): boolean {
    return this.#peers.has(kernel);
  }
  /** Other kernels that are up, ascending. */
  peers(): readonly KernelId[] {
    this.#peerList ??= [...this.#peers].sort((a, b) => a - b);
    return this.#peerList;
  }
  addPeer(kernel: KernelId): void {
    this.#peers.add(kernel);
    this.#peerList = null;
    this.devices.changed();
  }
  removePeer(kernel: KernelId): void {
    this.#peers.delete(kernel);
    this.#peerList = null;
    this.messages.peerGone(kernel);
    this.image.peerGone(kernel);
    this.migration.peerGone(kernel);
    this.vnet.peerGone(kernel);
    this.threads.peerGone(kernel);
    this.devices.changed();
    this.sharedMemory.peerGone(kernel);
  }
  /** Whether a message is to be handled: one of a peer, or of who is about to become one. */
  accepts(from: KernelId, type: number): boolean {
    if (this.isFederated && NOT_FEDERATED.has(type)) return false;
    return this.#peers.has(from) || type === M.CHECKIN.type;
  }

  // --- fibers ----------------------------------------------------------------------------------------------------------------

  /** Runs kernel work that blocks, on nobody's behalf. */
  spawn(work: Blocking<unknown>, cause: number = this.messages.cause): KernelFiber {
    return new KernelFiber(this, work, cause);
  }
  /** Runs what is left of something that nobody waits for. */
  detach(work: Maybe<unknown>): void {
    if (isBlocking(work)) this.spawn(work);
  }
  /** Turns an Errno into the number that a program sees. */
  guarded<T>(work: () => T): T | number {
    try {
      return work();
    } catch (error) {
      if (error instanceof Errno) return -error.errno;
      if (error instanceof RangeError || error instanceof TypeError)
        throw new Error(`kernel ${this.id} at ${this.now}: ${error.message}\n${error.stack ?? ''}`);
      throw error;
    }
  }

  // --- traps -----------------------------------------------------------------------------------------------------------------

  /** What stopped a task in user mode. */
  trap(task: Task, exit: ExitKind): void {
    const { hart } = this.coreOf(task);
    if (task.process.outpost !== null) this.threads.trapAway(task, exit);
    else this.#serve(task, exit, hart.faultAddress, ACCESSES[hart.faultAccess] ?? 'read');
  }

  #serve(task: Task, exit: ExitKind, address: number, access: Access): void {
    const { hart } = this.coreOf(task);
    switch (exit) {
      case ExitKind.Ecall: {
        this.charge(this.cost('syscall'));
        this.calls.enter(task, hart);
        return;
      }
      case ExitKind.PageFault:
        this.#pageFault(task, hart, address, access);
        return;
      case ExitKind.IllegalInstruction:
        forceSignal(task, SIG.ILL, SI.ILL_ILLOPC, hart.pc);
        return;
      case ExitKind.Ebreak:
        forceSignal(task, SIG.TRAP, SI.TRAP_BRKPT, hart.pc);
        return;
      case ExitKind.Misaligned:
        forceSignal(task, SIG.BUS, SI.BUS_ADRALN, address);
        return;
      default:
        throw new Error(`trap ${exit}`);
    }
  }

  #pageFault(task: Task, hart: Hart, address: number, access: Access): void {
    const process = task.process;
    this.charge(this.cost('minorFault'));
    if (this.threads.fetches(task, address, access)) return;
    this.frames.own.prefer(this.coreOf(task).node);
    const result = process.mm.fault(address, access);
    if ('signal' in result) {
      this.trace(TraceKind.PageFault, process.pid, address / 4096, 3, 0);
      if (result.signal === SIG.KILL) this.log(3, `out of memory: ${process.name} (${process.pid}) is killed`);
      forceSignal(task, result.signal, result.code, address);
      return;
    }
    hart.flushTlb(address);
    const kinds = { anonymous: 0, file: 1, copy: 2, none: 1 } as const;
    this.trace(TraceKind.PageFault, process.pid, address / 4096, kinds[result.served], result.pfn);
  }

  /** Something is to be seen to before the task goes on in user mode. */
  beforeUserMode(task: Task): void {
    task.work = false;
    if (task.process.outpost !== null) {
      this.threads.beforeUserModeAway(task);
      return;
    }
    if (task.errand !== null && !this.#runErrand(task, task.errand)) return;
    if (task.migrateTo >= 0 && this.migration.begin(task)) return;
    if (task.moveToCore >= 0) this.#moveToCore(task);
    deliverSignals(this, task);
    if (this.coreOf(task).current !== task || task.fiber !== null) return;
    if (task.process.isStopped) {
      this.scheduler.stop(task);
      return;
    }
    if (this.threads.beforeUserMode(task)) return;
    if (task.watch !== null) holds(this, task, task.watch);
  }

  /** A trap that a thread brought home with it. Returns whether it is done. */
  #runErrand(task: Task, { exit, address, access }: Errand): boolean {
    task.errand = null;
    this.#serve(task, exit, address, access);
    if (task.state === 'dead' || task.fiber !== null || this.coreOf(task).current !== task) return false;
    if (exit === ExitKind.PageFault) this.threads.served(task, address);
    return true;
  }

  #moveToCore(task: Task): void {
    task.moveToCore = -1;
    const core = this.coreOf(task);
    if (task.affinity.includes(core.id)) return;
    this.scheduler.leave(core, StopReason.Preempted);
    this.scheduler.enqueue(task);
  }

  /** The result of a call goes to the program. */
  finishSyscall(task: Task, result: number): void {
    task.syscall = -1;
    if (task.state === 'dead') return;
    const hart = this.coreOf(task).hart;
    // Its thread may have to go elsewhere, or to wait for pages that are.
    if (task.place >= 0 || task.process.mm.sharing !== null) task.work = true;
    if (result === REGISTERS_SET) return;
    if (result === -E.RESTARTSYS && this.threads.repeat(task)) return;
    if (result === -E.RESTARTSYS || result === -E.RESTARTNOHAND) {
      task.restart = -result;
      task.restarts++;
      task.work = true;
      return;
    }
    task.restartDeadline = Number.NaN;
    task.restart = 0;
    task.restarts = 0;
    hart.setX(10, result);
    hart.pc = hart.pc + 4;
  }

  programStarted(task: Task): number {
    task.restart = 0;
    task.restarts = 0;
    programChanged(this, task);
    return REGISTERS_SET;
  }

  // --- tasks -----------------------------------------------------------------------------------------------------------------

  coreOf(task: Task): Core {
    return this.cores.find(core => core.id === task.core) ?? this.serviceCore;
  }
  /** A thread of a process here; one that only computes here is its home's. */
  taskHere(tid: Pid): Task | undefined {
    const task = this.tasks.get(tid);
    return task?.process.outpost === null ? task : undefined;
  }
  taskCount(): number {
    return this.tasks.size;
  }
  /** Room for tasks: one for each 64 KiB of memory, as many as there are pids at most. */
  get tasksMax(): number {
    return Math.min(30_000, Math.floor(this.frames.own.total / 16));
  }
  newTask(tid: Pid, process: Process, core: CoreId, affinity: CoreId[]): Task {
    const task = new Task(tid, process, core, affinity, (sleeper, reason) => this.scheduler.wake(sleeper, reason));
    this.tasks.set(tid, task);
    this.processes.set(process.pid, process);
    this.threads.lookAt(process);
    this.forks++;
    if (process.migrateEvery > 0 && process.threads.size === 1) this.migration.keepMoving(process);
    return task;
  }
  /** The image of a task that is off its core. Null: left as it is. */
  patchRegisters(task: Task, { pc, a0, sp, tp }: { pc: number; a0: number; sp: number | null; tp: number | null }): void {
    const view = new DataView(task.registers.buffer);
    view.setBigInt64(512, BigInt(pc), true);
    view.setBigInt64(80, BigInt(a0), true);
    if (sp !== null) view.setBigInt64(16, BigInt(sp), true);
    if (tp !== null) view.setBigInt64(32, BigInt(tp), true);
  }
  renameTask(task: Task, tid: Pid): void {
    this.tasks.delete(task.tid);
    task.tid = tid;
    this.tasks.set(tid, task);
  }
  /** A task is no more. What it was doing in the kernel is finished on nobody's behalf. */
  dropThread(task: Task): void {
    if (task.state === 'asleep' && task.wait !== null) {
      const { wait, fiber } = task;
      for (const queue of wait.queues) queue.sleepers.delete(task);
      if (task.timer !== null) task.timer.cancelled = true;
      task.wait = null;
      task.fiber = null;
      if (fiber !== null) KernelFiber.adopt(this, fiber, wait);
    } else {
      this.scheduler.remove(task, StopReason.Exited);
    }
    task.state = 'dead';
    this.tasks.delete(task.tid);
    task.process.threads.delete(task);
    task.process.usedUser += task.usedUser;
    task.process.usedSystem += task.usedSystem;
    this.migration.threadGone(task.process);
    this.threads.threadGone(task);
    taskGone(this, task);
  }
  setName(process: Process, name: string): void {
    process.name = name;
    traceName(this, process.pid, name);
  }
  releaseSpace(process: Process): void {
    if (--process.mm.users === 0) process.mm.destroy();
  }
  /** Closes everything; returns what has to be waited for. */
  releaseFiles(process: Process): Blocking<void>[] {
    return process.files
      .closeAll()
      .map(file => process.files.release(file))
      .filter(release => isBlocking(release));
  }
  shareFiles(files: Process['files']): void {
    files.users++;
  }
  ioOf(task: Task): IoContext {
    const shields = (signal: number): boolean => isBlocked(task.blocked, signal) || task.process.actions[signal]?.handler === SIG_IGN;
    const { pid, credentials } = task.process;
    const shield = (shields(SIG.TTIN) ? SHIELD_TTIN : 0) | (shields(SIG.TTOU) ? SHIELD_TTOU : 0);
    return { pid, tid: task.tid, uid: credentials.uid, gid: credentials.gid, shield };
  }

  /** Sets the real interval timer to ring after `rest` cycles (0: not at all), and then at its interval. */
  alarm(process: Process, rest: Cycles): void {
    if (process.itimer !== null) process.itimer.cancelled = true;
    process.itimer = null;
    if (rest <= 0) return;
    process.itimer = this.at(this.now + rest, () => {
      process.itimer = null;
      if (this.processes.get(process.pid) !== process) return;
      signalProcess(this, process, { signal: SIG.ALRM, code: SI.KERNEL, pid: 0, uid: 0, status: 0, address: 0 });
      this.alarm(process, process.itimerInterval);
    });
  }

  /** A signal for a process of this origin, wherever it runs. */
  deliver(record: ProcessRecord, info: SignalInfo): void {
    if (record.state === 'zombie') return;
    if (record.location === this.id) {
      if (!deliverHere(this, record.pid, info)) record.undelivered.push(info);
      return;
    }
    if (!this.isPeer(record.location)) return;
    this.messages.send(record.location, M.REMOTE_SENDSIG, {
      pid: record.pid,
      signal: info.signal,
      code: info.code,
      sender: info.pid,
      uid: info.uid,
      status: info.status,
    });
  }

  /** A process of this origin is over. */
  recordEnded(record: ProcessRecord, status: number): void {
    if (!this.processes.has(record.pid) && record.location !== this.id) traceEnd(this, record, status);
    if (record.pid === this.program) {
      this.spawn(this.#programOver(status));
      return;
    }
    if (record.pid === this.records.first && this.parameters.exec?.kernel !== this.id && !this.lifecycle.isHalting) {
      this.log(0, `Kernel panic - not syncing: init is gone (status ${status})`);
      this.at(this.now, () => this.lifecycle.stop(KernelState.Panicked));
    }
  }

  /** What it has written on the disk stands there before the run ends. */
  *#programOver(status: number): Blocking<void> {
    const owner = this.devices.ownerOf('disk0');
    try {
      if (owner === this.id) yield* this.disk.finish();
      else if (owner !== null && !this.isFederated)
        yield* this.messages.call(owner, M.CONTROL_REQUEST, { order: 'finish disk0' }, M.CONTROL_RESPONSE);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      this.log(4, `disk0: what was written last is lost: ${error.message}`);
    }
    this.platform.programEnded(this.now, status);
  }

  #sessionEnded(session: Pid): void {
    this.files.terminals.leaderExited(session);
  }

  #flush(root: number): void {
    for (const core of this.cores) {
      // An idle hart may still hold the table, whose frame may become another's.
      if (core.current === null) core.hart.setAddressSpace(-1);
      else if (core.current.process.mm.table.root === root) core.hart.flushTlb();
    }
  }
}

/** Text of one byte a character as bytes. */
export function latin1(text: string): Uint8Array {
  return toBytes(text);
}

/** The bits of a leaf entry that travel with a migrating page. */
export const LEAF_BITS = PTE.V | PTE.R | PTE.W | PTE.X | PTE.U | PTE.A | PTE.D;
export type { WakeReason };
