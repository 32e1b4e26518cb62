/**
 * Kernels come and go: booting another, checking in, keeping watch, halting, and what is done when one is no more.
 *
 * Each kernel sends a beat to the next one (in a ring, by number) every HEARTBEAT; who has heard nothing of its predecessor for SILENCE
 * declares it dead, to the keeper of the ledger and so to all. So a kernel that stops answering is known to be dead everywhere within
 * SILENCE and HEARTBEAT together, and a few messages. Who declares one dead asks all others whether they are there: so those that have died with it are
 * known within SILENCE more, whoever was to watch them.
 *
 * Always holds: a kernel whose end has been noted is a peer of nobody, whatever waited for it has got EHOSTDOWN, and nothing that it may
 * have written later is read: its lane is cleared, and what arrives from it is dropped.
 */
import { AnonymousObject } from '../mm/anonymous-object.ts';
import { E, Errno } from '../abi/errno.ts';
import { SIG } from '../abi/signal.ts';
import { type BootParameters, type Partition, rangesText } from '../boot/parameters.ts';
import { type Kernel, KernelState, latin1 } from '../kernel.ts';
import { giveUpLostLocks } from '../image/lost-locks.ts';
import { M } from '../message/catalog.ts';
import { exitProcess } from '../task/exit.ts';
import { type Blocking, type CoreId, type Cycles, type KernelId, PAGE_SIZE, type Pfn, type Pid, sleep, WaitQueue } from '../types.ts';
import { Core } from '../sched/core.ts';
import { coreOf } from '../../machine/topology/topology.ts';
import { ANY, ASK } from './ledger.ts';
import { Refusal } from './refusal.ts';
import { cut, MachineMap, NO_SHARE, type Share } from './map.ts';

const HEARTBEAT_MILLISECONDS = 250;
const SILENCE_MILLISECONDS = 700;
/** Milliseconds within which programs that are told to end have ended, or are ended. */
const HALT_MILLISECONDS = 100;
/** Frames that one FRAMES_HELD names at most. */
const FRAMES_MAX = 1000;

/** Without cores and memory: the share that the kernel has in the plan. */
export interface BootRequest extends Share {
  /** Null: any number that is free. */
  readonly kernel: KernelId | null;
}

export class Lifecycle {
  readonly #kernel: Kernel;
  /** Kernels started by this one that have not checked in yet. */
  readonly #starting = new Map<KernelId, () => void>();
  readonly #arrived = new WaitQueue();
  /** Who has answered when this kernel checked in. */
  readonly #answered = new Set<KernelId>();
  #beat = 0;
  #watched: KernelId | null = null;
  #heard: Cycles = 0;
  /** Kernels that are gone, which not all are known to know yet. */
  readonly #unsettled = new Set<KernelId>();
  readonly #reopened = new WaitQueue();
  /** Own frames that those hold who are left, by the kernel that is gone. */
  readonly #held = new Map<KernelId, Map<Pfn, number>>();
  /** It ends in order: what it does still is the last of it. */
  isHalting = false;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const { messages } = kernel;
    messages.on(M.CHECKIN, ({ cores, frames }, { from }) => {
      this.#cameUp(from);
      kernel.addPeer(from);
      const { tree, flat: heirs } = kernel.heirs;
      messages.send(from, M.CHECKIN_ANSWER, { cores: kernel.cores.length, frames: kernel.frames.own.total, tree, heirs });
      if (kernel.state === KernelState.Up) kernel.log(6, `popcorn: kernel ${from} has checked in: ${cores} cores, ${frames} frames`);
    });
    messages.on(M.FRAMES_HELD, ({ request, gone, frames }, { from }) => {
      const held = this.#held.get(gone) ?? new Map<Pfn, number>();
      this.#held.set(gone, held);
      for (const pfn of frames) held.set(pfn, (held.get(pfn) ?? 0) + 1);
      messages.send(from, M.FRAMES_NOTED, { request });
    });
    messages.on(M.FRAMES_NOTED, answer => messages.answered(answer.request, answer));
    messages.on(M.CHECKIN_ANSWER, ({ tree, heirs }, { from }) => {
      this.#answered.add(from);
      kernel.addPeer(from);
      // There may have been an heir since this kernel's parameters were written.
      if (kernel.state === KernelState.Booting) kernel.heirs.learn(tree, heirs);
    });
    messages.on(M.HEARTBEAT, (_payload, { from }) => {
      if (from === this.#watched) this.#heard = kernel.now;
    });
  }

  // --- coming ------------------------------------------------------------------------------------------------------------------

  /**
   * Boots another kernel, from its share in the plan or from free cores and memory: its parameters are written into memory and its first core
   * is started. Returns its number once it has been started.
   * @throws Errno EEXIST it is up, EBUSY something is not free, EINVAL there is no such thing, ENOMEM
   */
  *boot(wanted: BootRequest): Blocking<KernelId> {
    const kernel = this.#kernel;
    if (wanted.kernel === kernel.id || (wanted.kernel !== null && this.#starting.has(wanted.kernel))) throw new Errno(E.EXIST);
    const id = yield* kernel.ledger.change({ ...wanted, ask: ASK.Boot, kernel: wanted.kernel ?? ANY });
    const parameters: BootParameters = {
      ...kernel.parameters,
      balance: kernel.balancer.isOn,
      tree: kernel.heirs.tree,
      heirs: kernel.heirs.flat,
      kernel: id,
      by: kernel.id,
      plan: { mode: kernel.plan.mode, partitions: kernel.map.partitions },
      present: [kernel.id, ...kernel.peers(), ...this.#starting.keys()].sort((a, b) => a - b),
    };
    const bytes = latin1(JSON.stringify(parameters));
    let order = 0;
    while (PAGE_SIZE << order < bytes.length) order++;
    const first = kernel.frames.own.allocate(order);
    kernel.memory.u8.set(bytes, first * PAGE_SIZE);
    this.#starting.set(id, () => {
      for (let i = 0; i < 1 << order; i++) kernel.frames.release(first + i);
    });
    kernel.log(6, `smp: starting kernel ${id} on cpu ${rangesText(kernel.map.of(id)?.cores ?? [])}`);
    kernel.charge(kernel.cost('messageSend'));
    kernel.lowerBound(kernel.platform.start(id, first * PAGE_SIZE, bytes.length, kernel.now + kernel.latencyTo(id)));
    return id;
  }

  #cameUp(other: KernelId): void {
    this.#starting.get(other)?.();
    this.#starting.delete(other);
    this.#kernel.ledger.arrived(other);
    this.#arrived.wakeAll();
  }

  /** Tells those present that this kernel is there; from now on they are peers. */
  checkIn(present: readonly KernelId[]): void {
    const kernel = this.#kernel;
    kernel.messages.mcastTo(present, M.CHECKIN, { cores: kernel.cores.length, frames: kernel.frames.own.total });
    for (const other of present) kernel.addPeer(other);
    if (present.length > 0) kernel.spawn(this.#lookForMissing(present));
  }

  /** Who was there when this kernel was started may have ended before it checked in: nobody else will tell of that. */
  *#lookForMissing(present: readonly KernelId[]): Blocking<void> {
    const kernel = this.#kernel;
    yield* sleep([], { deadline: kernel.now + this.#cycles(SILENCE_MILLISECONDS), interruptible: false });
    for (const other of present) {
      if (this.#answered.has(other) || !kernel.isPeer(other)) continue;
      kernel.log(4, `popcorn: kernel ${other} has not answered`);
      yield* this.#report(other);
      // The others have settled it already.
      if (!kernel.isPeer(other)) continue;
      yield* this.forget(other);
      this.settle(other);
      this.reopen(other);
    }
  }

  /**
   * Waits until a kernel that this one has started has checked in.
   * @throws Refusal it has not within a second
   */
  *arrival(id: KernelId): Blocking<void> {
    const deadline = this.#kernel.now + this.#kernel.hertz;
    while (this.#starting.has(id)) {
      if ((yield* sleep([this.#arrived], { deadline, interruptible: false })) === 'timeout')
        throw new Refusal(E.HOSTDOWN, `kernel ${id} was started and has not checked in`);
    }
  }

  /** Waits until every kernel that this one started has checked in; a kernel that does not come is not waited for longer than a second. */
  *allArrived(): Blocking<void> {
    const kernel = this.#kernel;
    const deadline = kernel.now + kernel.hertz;
    while (this.#starting.size > 0) {
      if ((yield* sleep([this.#arrived], { deadline, interruptible: false })) === 'timeout') return;
    }
  }

  // --- keeping watch -------------------------------------------------------------------------------------------------------------

  /** All kernels' beats come at the same times (Linux: round_jiffies), so that a machine at rest is woken four times a second and not four times a kernel. */
  startHeartbeat(): void {
    const kernel = this.#kernel;
    const period = this.#cycles(HEARTBEAT_MILLISECONDS);
    const next = (): Cycles => (Math.floor(kernel.now / period) + 1) * period;
    const beat = (): void => {
      if (kernel.state !== KernelState.Up) return;
      kernel.at(next(), beat);
      // A kernel that hears nothing does not answer either: the others are not to be taken for dead, but this one.
      if (kernel.messages.isDeaf) return;
      const peers = kernel.peers();
      const peer = peers.find(each => each > kernel.id) ?? peers[0];
      if (peer !== undefined) kernel.messages.send(peer, M.HEARTBEAT, { beat: this.#beat++ });
      this.#listenFor(peers.findLast(peer => peer < kernel.id) ?? peers.at(-1) ?? null);
    };
    kernel.at(next(), beat);
  }

  #listenFor(predecessor: KernelId | null): void {
    const kernel = this.#kernel;
    if (predecessor !== this.#watched) {
      this.#watched = predecessor;
      this.#heard = kernel.now;
    }
    if (predecessor === null || kernel.now - this.#heard < this.#cycles(SILENCE_MILLISECONDS)) return;
    kernel.log(1, `popcorn: kernel ${predecessor} does not answer: it is declared dead`);
    this.#watched = null;
    kernel.spawn(this.#report(predecessor));
  }

  *#report(dead: KernelId): Blocking<void> {
    const { ledger } = this.#kernel;
    this.#kernel.spawn(this.#askAround(dead));
    yield* ledger.change({ ask: ASK.Gone, kernel: dead, ...NO_SHARE });
  }

  /**
   * Others may have died with it: its neighbours in the ring, whom nobody that lives is watching, and the keeper of the ledger. All are asked
   * whether they are there; who has not answered within SILENCE is dead too.
   */
  *#askAround(dead: KernelId): Blocking<void> {
    const kernel = this.#kernel;
    const asked = kernel.peers().filter(peer => peer !== dead);
    const silent = new Set([dead, ...asked]);
    const answered = new WaitQueue();
    const ask = function* (peer: KernelId): Blocking<void> {
      try {
        yield* kernel.messages.call(peer, M.CONTROL_REQUEST, { order: 'here' }, M.CONTROL_RESPONSE);
      } catch (error) {
        // Its end has been noted meanwhile.
        if (!(error instanceof Errno)) throw error;
      }
      silent.delete(peer);
      answered.wakeAll();
    };
    for (const peer of asked) kernel.spawn(ask(peer));
    const deadline = kernel.now + this.#cycles(SILENCE_MILLISECONDS);
    while (silent.size > 1 && kernel.now < deadline) yield* sleep([answered], { deadline, interruptible: false });
    if (silent.size === 1) return;
    for (const gone of silent) {
      if (!kernel.isPeer(gone)) continue;
      if (gone !== dead) kernel.log(1, `popcorn: kernel ${gone} does not answer either: it is declared dead`);
      // Not one after the other: who notes one end may be waiting for another.
      kernel.spawn(kernel.ledger.change({ ask: ASK.Gone, kernel: gone, ...NO_SHARE }, silent));
    }
  }

  #cycles(milliseconds: number): Cycles {
    return Math.round((this.#kernel.hertz * milliseconds) / 1000);
  }

  // --- going -------------------------------------------------------------------------------------------------------------------

  /** This kernel ends in order: its programs, then its part in the system. Its cores and memory are free afterwards. */
  *halt(): Blocking<void> {
    const kernel = this.#kernel;
    if (kernel.state !== KernelState.Up || this.isHalting) return;
    this.isHalting = true;
    kernel.log(5, 'reboot: halting');
    for (const process of [...kernel.processes.values()]) exitProcess(kernel, process, SIG.KILL);
    yield* kernel.devices.stop();
    const deadline = kernel.now + this.#cycles(HALT_MILLISECONDS);
    // Programs that were leaving get where they were going, or stay and end.
    while ((kernel.messages.outstanding.calls > 0 || kernel.sharedMemory.isHolding || kernel.processes.size > 0) && kernel.now < deadline)
      yield* sleep([], { deadline: kernel.now + this.#cycles(1), interruptible: false });
    yield* kernel.estate.handOver();
    kernel.log(5, 'reboot: System halted');
    // Whoever keeps the ledger without this kernel tells all others, and stops this kernel's cores first (`fence`).
    const [successor] = kernel.peers();
    if (successor === undefined) this.stop(KernelState.Halted);
    else
      kernel.messages.send(successor, M.LEDGER_REQUEST, {
        request: 0,
        ask: ASK.Gone,
        kernel: kernel.id,
        cores: [],
        memory: [],
        devices: '',
      });
  }

  /** A kernel that is to be no more has its cores stopped (INIT): whatever it was about to do, it does not. */
  fence(gone: KernelId): void {
    const kernel = this.#kernel;
    kernel.lowerBound(kernel.platform.start(gone, 0, 0, kernel.now + kernel.latencyTo(gone)));
  }

  /** Nothing happens in this kernel any more. */
  stop(state: KernelState): void {
    const kernel = this.#kernel;
    for (const task of [...kernel.tasks.values()]) kernel.dropThread(task);
    kernel.setState(state);
    kernel.events.clear();
  }

  /** A kernel is no more. When this returns nothing of it can arrive here any more. */
  *forget(gone: KernelId): Blocking<void> {
    const kernel = this.#kernel;
    if (kernel.isPeer(gone) || this.#starting.has(gone)) {
      this.#cameUp(gone);
      kernel.removePeer(gone);
      if (gone === this.#watched) this.#watched = null;
      kernel.log(4, `popcorn: kernel ${gone} is gone`);
    }
    if (!this.#unsettled.has(gone)) {
      this.#unsettled.add(gone);
      yield* kernel.gate.close();
    }
    yield* sleep([], { deadline: kernel.now + 4 * kernel.cost('ipiDelivery'), interruptible: false });
    kernel.messages.forgetLane(gone);
    this.#rescue(gone);
    yield* this.#reportHeld(gone);
  }

  /** Pages of programs here that lie in the memory of a kernel that is gone are copied: that memory may become another's. */
  #rescue(gone: KernelId): void {
    const kernel = this.#kernel;
    const memory = kernel.map.of(gone)?.memory ?? [];
    const isTheirs = (pfn: Pfn): boolean => memory.some(({ base, bytes }) => pfn * PAGE_SIZE >= base && pfn * PAGE_SIZE < base + bytes);
    let copied = 0;
    const copyOf = (pfn: Pfn): Pfn => {
      const own = kernel.frames.allocate();
      kernel.memory.u8.copyWithin(own * PAGE_SIZE, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
      kernel.processor.invalidateFrame(own);
      kernel.charge(kernel.cost('pageCopy'));
      copied++;
      return own;
    };
    for (const process of [...kernel.processes.values()]) {
      const { mm } = process;
      try {
        kernel.threads.spreadOf(mm)?.replace(isTheirs, copyOf);
        for (const { start, end, backing } of mm.areas.list) {
          if (backing instanceof AnonymousObject) {
            // The object's frames are found anew when they are touched.
            backing.replace(pfn => (isTheirs(pfn) ? copyOf(pfn) : null));
            mm.table.forEach(start, end, (address, pfn) => {
              if (!isTheirs(pfn)) return;
              mm.table.clear(address);
              mm.resident--;
            });
          }
          mm.table.forEach(start, end, (address, pfn, flags) => {
            if (isTheirs(pfn)) mm.table.set(address, copyOf(pfn), flags);
          });
        }
      } catch (error) {
        if (!(error instanceof Errno)) throw error;
        kernel.log(3, `out of memory: ${process.name} (${process.pid}) is killed`);
        for (const { start, end } of mm.areas.list)
          mm.table.forEach(start, end, (address, pfn) => {
            if (isTheirs(pfn)) mm.table.clear(address);
          });
        exitProcess(kernel, process, SIG.KILL);
      }
      kernel.mm.tableChanged(mm.table.root);
    }
    kernel.image.files.rescuePages(isTheirs, copyOf);
    kernel.frames.forgive(isTheirs);
    if (copied > 0) kernel.log(6, `popcorn: ${copied} pages of kernel ${gone}'s memory copied`);
  }

  /** Tells the owners among those that are left what this kernel has of theirs. */
  *#reportHeld(gone: KernelId): Blocking<void> {
    const kernel = this.#kernel;
    for (const owner of kernel.peers()) {
      const frames = kernel.frames.held(pfn => kernel.map.ownerOfFrame(pfn) === owner);
      for (let at = 0; at < frames.length; at += FRAMES_MAX) {
        const piece = frames.slice(at, at + FRAMES_MAX);
        try {
          yield* kernel.messages.call(owner, M.FRAMES_HELD, { gone, frames: piece }, M.FRAMES_NOTED);
        } catch (error) {
          // It has ended too: nobody keeps its books any more.
          if (!(error instanceof Errno) || kernel.isPeer(owner)) throw error;
          break;
        }
      }
    }
  }

  /** All know that a kernel is gone, and what it had: its processes have ended, and what it had of this kernel's memory is free again. */
  settle(gone: KernelId): void {
    const kernel = this.#kernel;
    if (!this.#unsettled.has(gone)) return;
    const lost = kernel.frames.reclaim(this.#held.get(gone) ?? new Map());
    this.#held.delete(gone);
    if (lost > 0) kernel.log(6, `popcorn: ${lost} pages that kernel ${gone} had are free again`);
    for (const record of [...kernel.records.all.values()]) {
      if (record.location !== gone || record.state === 'zombie') continue;
      kernel.records.exited(record, SIG.KILL, 0, 0);
      kernel.recordEnded(record, SIG.KILL);
    }
  }

  /** Who keeps the record of a process; while the end of its origin is being settled it is waited for who does then. */
  *keeperOf(pid: Pid): Blocking<KernelId> {
    for (;;) {
      const origin = this.#kernel.originOf(pid);
      if (!this.#unsettled.has(origin)) return origin;
      yield* sleep([this.#reopened], { interruptible: false });
    }
  }

  /** Whether it is gone, and not all are known to know. */
  isUnsettled(gone: KernelId): boolean {
    return this.#unsettled.has(gone);
  }

  /** These cores are this kernel's from now on. */
  takeOnline(ids: readonly CoreId[]): void {
    const kernel = this.#kernel;
    const before = kernel.cores.map(({ id }) => id);
    for (const id of ids) {
      const hart = kernel.platform.hart(id);
      hart.reset();
      kernel.cores.push(new Core(id, hart, coreOf(kernel.topology, id).node, kernel.now));
      kernel.traceCore(id, true);
    }
    // Who may run on every core may run on these.
    for (const task of kernel.tasks.values())
      if (before.every(id => task.affinity.includes(id))) task.affinity = [...task.affinity, ...ids];
  }

  /** All have done so. */
  reopen(gone: KernelId): void {
    if (!this.#unsettled.delete(gone)) return;
    this.#kernel.gate.open();
    this.#reopened.wakeAll();
    this.#kernel.spawn(giveUpLostLocks(this.#kernel, gone));
  }

  /** Shares are these now; what concerns this kernel's own is done. */
  note(shares: readonly Partition[]): void {
    const kernel = this.#kernel;
    for (const share of shares) {
      const before = kernel.map.of(share.kernel);
      kernel.map.set(share);
      if (share.kernel !== kernel.id || before === undefined) continue;
      this.takeOnline(share.cores.filter(id => !kernel.cores.some(core => core.id === id)));
      for (const range of share.memory.flatMap(each =>
        before.memory.reduce((rest, old) => rest.flatMap(piece => cut(piece, old)), [each]),
      )) {
        kernel.frames.own.add(range);
        kernel.traceMemory(range, true);
      }
      const { cores, memory } = MachineMap.without(share, before);
      if (cores.length > 0 || memory.length > 0)
        kernel.log(6, `popcorn: cores ${rangesText(share.cores)} and ${kernel.frames.own.total >>> 8}M are this kernel's`);
    }
    kernel.sharesChanged();
    kernel.devices.changed();
  }
}
