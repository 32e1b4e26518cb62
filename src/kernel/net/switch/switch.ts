/**
 * The virtual network switch between the kernels of a machine, as one kernel has it: a star around the one that has the network card, the
 * hub.
 *
 *     client k                                 hub h                                  client j
 *     stack → vnet0 → ring to the hub    →    by the MAC address: own stack      →    ring from the hub → vnet0 → stack
 *                                              or another port, or all
 *
 * Kernel k is 10.1.2.(k+1) and has a MAC address that says so. A client makes both rings in its own memory, clears them, and tells the hub
 * where they are (VNET_JOIN); the hub answers with the settings. Who the hub is follows from who has the card; when that changes all join
 * anew.
 *
 * The three versions differ in what they do with a packet (settings.ts), not in where it goes. In version `user` a program on each kernel
 * carries it between its TAP device and the rings (user.ts, src/guest/userland/tunnel.c).
 *
 * Always holds: of two kernels each writes into one of their rings and reads the other; of one that is gone nothing more is read, and
 * nothing is written to it.
 */
import { E, Errno } from '../../abi/errno.ts';
import type { Kernel } from '../../kernel.ts';
import { M } from '../../message/catalog.ts';
import { Window } from '../../message/window.ts';
import { kernelsMax, windowAddress } from '../../partition/map.ts';
import { TraceKind } from '../../trace.ts';
import { type Blocking, type KernelId, PAGE_SIZE, sleep, WaitQueue } from '../../types.ts';
import { isGroupMac } from '../address.ts';
import { ETHERNET_HEADER, getMac } from '../ethernet.ts';
import { FRAME, type FrameEvent, NET_DEVICE, noteFrame } from '../frame-trace.ts';
import type { NetInterface } from '../interface.ts';
import { addressOfKernel, CLIENT_KERNEL, DEFAULT_NETWORK, kernelOfMac, macOfKernel, MTU, padded, SWITCH_PREFIX } from '../parameters.ts';
import type { DeviceDriver, NetDevice } from '../platform.ts';
import { RingReceiver, RingSender } from './ends.ts';
import { Napi } from './napi.ts';
import { Port } from './port.ts';
import { FRAME_MAX, type Packet, PacketRing, ringBytes } from '../../../machine/devices/packet-ring.ts';
import { SWITCH_LIMITS, SWITCH_VERSIONS, type SwitchSettings, VERSIONS } from './settings.ts';
import { type Tap, TapQueue } from './tap.ts';

/** Milliseconds after which a client that was not let in asks again. */
const ASK_AGAIN = 0.1;
const NO_HUB = 255;
/** As many packets as a program can well have in hand: two threads with a frame each, for all ports at worst. */
const GIVEN_MAX = 128;

export class VirtualSwitch {
  settings: SwitchSettings;
  /** The kernel in the middle; null: there is none, and nothing gets anywhere. */
  hub: KernelId | null = null;
  readonly device: NetDevice;
  readonly napi: Napi;
  /** Of the hub: to each client. Of a client: to the hub. */
  readonly ports = new Map<KernelId, Port>();
  /** What a program of version `user` works on. */
  readonly tap: Tap;
  /** Woken when something has arrived for that program, or the version changes. */
  readonly changed = new WaitQueue();
  /** Frames that a ring, or the queue before the program of version `user`, had no room for; */
  full = 0;
  /** that could go nowhere. */
  nowhere = 0;
  readonly #kernel: Kernel;
  readonly #own: Window;
  readonly #lanes: number;
  #interface: NetInterface | null = null;
  /** The rings of a client: their frames, and how many slots they have. */
  #rings: { readonly address: number; readonly slots: number; readonly order: number } | null = null;
  /** Counts hubs: what was under way for another one is forgotten. */
  #era = 0;
  /** Starts the program of version `user`; null while nothing can be started. */
  #launch: (() => void) | null = null;
  #hasProgram = false;
  /** Packets that the program was given last: with what it writes it is told which they were. */
  readonly #given: Packet[] = [];
  /** Times that the version has changed. */
  changes = 0;
  #frames = 0;
  /** Port that the next poll begins with. */
  #turn = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.settings = (kernel.parameters.network ?? DEFAULT_NETWORK).switch;
    this.#lanes = kernelsMax(kernel.topology.cores.length);
    this.#own = this.#windowOf(kernel.id);
    this.device = { name: 'vnet0', mac: macOfKernel(kernel.id), mtu: MTU, transmit: frame => this.#transmit(frame), driver: this.#driver };
    const self = this;
    this.tap = {
      queue: new TapQueue(),
      get isOver() {
        return self.settings.version !== 'user';
      },
      receive: frame => {
        if (this.isHub) this.note(FRAME.Out, kernel.id, this.packetOf(frame));
        kernel.net.receive(this.device, frame);
      },
      given: packet => this.given(packet),
    };
    this.napi = new Napi(kernel, {
      number: NET_DEVICE.Switch,
      get budget() {
        return self.settings.budget;
      },
      get coalesce() {
        return Math.round((self.settings.coalesce * kernel.hertz) / 1e6);
      },
      get polls() {
        return VERSIONS[self.settings.version].polls;
      },
      get waiting() {
        return self.waiting;
      },
      poll: () => this.#poll(),
      mask: off => {
        for (const { receiver } of this.ports.values()) receiver.mask(off);
      },
    });
    this.#listen();
  }

  get isHub(): boolean {
    return this.hub === this.#kernel.id;
  }

  /** At boot: the interface is there. The client machine is on no switch. */
  start(): void {
    const kernel = this.#kernel;
    if (kernel.id === CLIENT_KERNEL) return;
    const address = addressOfKernel(kernel.id);
    this.#interface = kernel.net.attach(this.device, { address, prefix: SWITCH_PREFIX });
    this.#tell();
    this.#connect();
  }

  // --- who is in the middle ------------------------------------------------------------------------------------------------------

  /** At the end of boot: programs can be started. */
  ready(launch: () => void): void {
    this.#launch = launch;
    this.#wantProgram();
  }

  /** A program takes `vnet0`. Returns what is to be done when it lets go. @throws Errno EBUSY */
  attachProgram(): () => void {
    if (this.settings.version !== 'user' || this.#hasProgram) throw new Errno(E.BUSY);
    this.#hasProgram = true;
    const { changes } = this;
    return () => {
      this.#hasProgram = false;
      // It has ended because the version had changed, and meanwhile this one is back.
      if (changes !== this.changes) this.#wantProgram();
    };
  }

  #wantProgram(): void {
    if (this.settings.version === 'user' && !this.#hasProgram && this.#kernel.isRunning && this.#interface !== null) this.#launch?.();
  }

  /** The card has another owner: all that was between the kernels and the old one is gone. */
  hubChanged(hub: KernelId | null): void {
    if (hub === this.hub) return;
    this.hub = hub;
    this.#era++;
    for (const port of this.ports.values()) port.close();
    this.ports.clear();
    if (this.#interface === null) return;
    this.#tell();
    this.#connect();
  }

  /** A peer is no more. */
  peerGone(peer: KernelId): void {
    this.ports.get(peer)?.close();
    this.ports.delete(peer);
    this.changed.wakeAll();
  }

  #connect(): void {
    const through = this.#interface;
    if (through === null) return;
    const { stack } = this.#kernel.net;
    stack.ip.routes.remove(route => route.prefix === 0 && route.through === through);
    if (this.hub === null || this.isHub) return;
    stack.addRoute(0, 0, through, { gateway: addressOfKernel(this.hub) });
    this.#kernel.spawn(this.#join(this.hub, this.#era));
  }

  /** A client offers its rings. */
  *#join(hub: KernelId, era: number): Blocking<void> {
    const kernel = this.#kernel;
    const isStale = (): boolean => this.#era !== era || !kernel.isPeer(hub);
    while (!isStale()) {
      const rings = this.#ringsOf(this.settings.slots);
      if (rings === null) return;
      const { address, slots } = rings;
      const half = ringBytes(slots);
      const [toHub, fromHub] = [new PacketRing(kernel.memory, address, slots), new PacketRing(kernel.memory, address + half, slots)];
      toHub.clear();
      fromHub.clear();
      try {
        const { settings } = yield* kernel.messages.call(hub, M.VNET_JOIN, { rings: address, slots }, M.VNET_WELCOME);
        if (isStale()) return;
        this.#addPort(hub, toHub, fromHub);
        this.#apply(unpacked(settings));
        kernel.log(6, `vnet0: joined to kernel ${hub}, ${slots} slots a ring`);
        return;
      } catch (error) {
        if (!(error instanceof Errno)) throw error;
        if (error.errno !== E.AGAIN) return;
      }
      // It has not been told yet that it has the card.
      yield* sleep([], { deadline: kernel.now + Math.round((kernel.hertz * ASK_AGAIN) / 1000), interruptible: false });
    }
  }

  /** Memory for both rings, the same as before where it fits; null: there is none. */
  #ringsOf(slots: number): { readonly address: number; readonly slots: number } | null {
    const { frames } = this.#kernel;
    if (this.#rings?.slots === slots) return this.#rings;
    if (this.#rings !== null) for (let i = 0; i < 1 << this.#rings.order; i++) frames.release(this.#rings.address / PAGE_SIZE + i);
    this.#rings = null;
    let order = 0;
    while (PAGE_SIZE << order < 2 * ringBytes(slots)) order++;
    try {
      this.#rings = { address: frames.own.allocate(order) * PAGE_SIZE, slots, order };
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      this.#kernel.log(3, `vnet0: no memory for rings of ${slots} slots`);
    }
    return this.#rings;
  }

  #addPort(peer: KernelId, out: PacketRing, back: PacketRing): void {
    const kernel = this.#kernel;
    this.ports.get(peer)?.close();
    const receiver = new RingReceiver(kernel, peer, back, () => this.#arrived());
    this.ports.set(peer, new Port(kernel, peer, new RingSender(kernel, peer, out, this.#windowOf(peer)), receiver));
    receiver.collect();
    this.changed.wakeAll();
  }

  #windowOf(kernel: KernelId): Window {
    const partition = this.#kernel.map.of(kernel);
    if (partition === undefined) throw new Error(`kernel ${kernel} has no window`);
    return new Window(this.#kernel.memory, windowAddress(partition, this.#lanes), this.#lanes);
  }

  #listen(): void {
    const kernel = this.#kernel;
    const { messages } = kernel;
    messages.on(M.VNET_JOIN, ({ request, rings, slots }, { from }) => {
      const welcome = (errno: number): void => messages.send(from, M.VNET_WELCOME, { request, errno, settings: packed(this.settings) });
      if (!this.isHub || this.#interface === null) return welcome(E.AGAIN);
      const half = ringBytes(slots);
      this.#addPort(from, new PacketRing(kernel.memory, rings + half, slots), new PacketRing(kernel.memory, rings, slots));
      welcome(0);
    });
    messages.on(M.VNET_WELCOME, answer => messages.answered(answer.request, answer.errno === 0 ? answer : new Errno(answer.errno)));
    messages.on(M.VNET_SETTINGS, ({ settings }, { from }) => {
      if (from === this.hub) this.#apply(unpacked(settings));
    });
  }

  // --- settings ------------------------------------------------------------------------------------------------------------------

  /** The hub's: from now on, for all. */
  set(settings: SwitchSettings): void {
    this.#apply(settings);
    for (const peer of this.ports.keys()) this.#kernel.messages.send(peer, M.VNET_SETTINGS, { settings: packed(settings) });
  }

  #apply(settings: SwitchSettings): void {
    const { version } = this.settings;
    if (packed(settings).join() === packed(this.settings).join()) return;
    this.settings = settings;
    this.#tell();
    if (version === settings.version) return;
    // Nothing is lost: what waits for the program takes the other way, and what has arrived is looked at.
    for (let packet = this.tap.queue.take(); packet !== undefined; packet = this.tap.queue.take()) this.#send(packet);
    this.changes++;
    this.tap.queue.changed.wakeAll();
    if (this.waiting > 0) this.#arrived();
    this.changed.wakeAll();
    this.#wantProgram();
  }

  #tell(): void {
    const { version, slots, budget } = this.settings;
    this.#kernel.trace(TraceKind.NetSwitch, SWITCH_VERSIONS.indexOf(version), slots, budget, this.hub ?? NO_HUB);
  }

  // --- out -----------------------------------------------------------------------------------------------------------------------

  #transmit(frame: Uint8Array): boolean {
    return frame.length <= FRAME_MAX && this.#send(this.packet(frame));
  }

  /** A frame that is new on the switch. */
  packet(frame: Uint8Array): Packet {
    return { frame: padded(frame), id: ((this.#kernel.id << 24) | (this.#frames++ & 0xffffff)) >>> 0 };
  }

  /** The program of version `user` has been given a packet. */
  given(packet: Packet): void {
    this.#given.push(packet);
    if (this.#given.length > GIVEN_MAX) this.#given.shift();
  }

  /** What that program has written: a packet that it was given lately, or one that is new on the switch. */
  packetOf(frame: Uint8Array): Packet {
    const isSame = (given: Packet): boolean => given.frame.length === frame.length && given.frame.every((byte, i) => byte === frame[i]);
    return this.#given.findLast(isSame) ?? this.packet(frame);
  }

  /** From the own stack. */
  #send(packet: Packet): boolean {
    const { version } = this.settings;
    const kernel = this.#kernel;
    if (VERSIONS[version].tap) kernel.charge(((packet.frame.length + 63) >>> 6) * kernel.cost('copyLine'));
    if (version === 'user') {
      // It waits for the program, should that not have come yet.
      if (!this.tap.queue.put(packet)) return this.#dropped(FRAME.Full, kernel.id, packet);
      if (this.isHub) this.note(FRAME.In, kernel.id, packet);
      return true;
    }
    return this.carry(packet, kernel.id);
  }

  /** A packet that has come from a kernel (this one: from its own stack) goes on. False: it went nowhere. */
  carry(packet: Packet, from: KernelId): boolean {
    const { id } = this.#kernel;
    if (!this.isHub) return this.hub === null ? this.#dropped(FRAME.Nowhere, id, packet) : this.put(packet, this.hub);
    if (from === id) this.note(FRAME.In, id, packet);
    const targets = this.#targets(packet.frame, from);
    if (targets.length === 0) return this.#dropped(FRAME.Nowhere, from, packet);
    let gone = false;
    for (const target of targets) {
      if (target === id) {
        this.note(FRAME.Out, id, packet);
        this.#kernel.net.receive(this.device, packet.frame);
        gone = true;
      } else if (this.put(packet, target)) gone = true;
    }
    return gone;
  }

  /** Puts a packet out at a port. */
  put(packet: Packet, target: KernelId): boolean {
    const port = this.ports.get(target);
    const name = this.isHub ? target : this.#kernel.id;
    if (port === undefined) return this.#dropped(FRAME.Nowhere, name, packet);
    if (!port.put(packet, VERSIONS[this.settings.version])) return this.#dropped(FRAME.Full, name, packet, port.sender.underWay);
    this.note(FRAME.Out, name, packet, port.sender.underWay);
    return true;
  }

  /** Kernels that a frame is for. */
  #targets(frame: Uint8Array, from: KernelId): KernelId[] {
    if (frame.length < ETHERNET_HEADER) return [];
    const { id } = this.#kernel;
    const to = getMac(frame, 0);
    if (isGroupMac(to)) return [id, ...this.ports.keys()].sort((a, b) => a - b).filter(kernel => kernel !== from);
    const kernel = kernelOfMac(to);
    return kernel !== from && (kernel === id || this.ports.has(kernel)) ? [kernel] : [];
  }

  #dropped(what: FrameEvent, port: KernelId, packet: Packet, fill = 0): false {
    if (what === FRAME.Nowhere) this.nowhere++;
    else this.full++;
    this.note(what, port, packet, fill);
    return false;
  }

  note(what: FrameEvent, port: KernelId, packet: Packet, fill = 0): void {
    noteFrame(this.#kernel, what, this.isHub ? NET_DEVICE.Switch : NET_DEVICE.Port, port, packet, fill);
  }

  // --- in ------------------------------------------------------------------------------------------------------------------------

  /** Looks into the rings whose senders have rung. No virtual effect. */
  collect(): void {
    for (let word = 0; word * 32 < this.#lanes; word++) {
      let bells = this.#own.takePacketDoorbells(word);
      while (bells !== 0) {
        const bit = 31 - Math.clz32(bells);
        bells &= ~(1 << bit);
        this.ports.get(word * 32 + bit)?.receiver.collect();
      }
    }
  }

  get waiting(): number {
    let sum = 0;
    for (const { receiver } of this.ports.values()) sum += receiver.waiting;
    return sum;
  }

  #arrived(): void {
    if (this.settings.version !== 'user') {
      this.napi.notify();
      return;
    }
    // The program looks for itself as long as it runs.
    const kernel = this.#kernel;
    if (this.changed.sleepers.size === 0) return;
    this.napi.interrupts++;
    kernel.trace(TraceKind.NetInterrupt, NET_DEVICE.Switch, this.waiting, 0, 0);
    kernel.charge(kernel.cost('interruptEntry'));
    this.changed.wakeAll();
  }

  /** The next packet that has arrived, of the ports in turn. */
  take(): { readonly from: KernelId; readonly packet: Packet } | null {
    const kernels = [...this.ports.keys()].sort((a, b) => a - b);
    for (let i = 0; i < kernels.length; i++) {
      const from = kernels[(this.#turn + i) % kernels.length] as KernelId;
      const receiver = this.ports.get(from)?.receiver;
      if (receiver === undefined || receiver.waiting === 0) continue;
      this.#turn = (this.#turn + i + 1) % kernels.length;
      const fill = receiver.waiting;
      const packet = receiver.take();
      this.note(FRAME.In, this.isHub ? from : this.#kernel.id, packet, fill);
      return { from, packet };
    }
    return null;
  }

  #poll(): boolean {
    const kernel = this.#kernel;
    const found = this.settings.version === 'user' ? null : this.take();
    if (found === null) return false;
    const { from, packet } = found;
    if (VERSIONS[this.settings.version].tap) {
      // The thread that carries is woken, and hands the packet to the TAP device.
      kernel.charge(kernel.cost('contextSwitch') + ((packet.frame.length + 63) >>> 6) * kernel.cost('copyLine'));
    }
    if (this.isHub) this.carry(packet, from);
    else kernel.net.receive(this.device, packet.frame);
    return true;
  }

  // --- telling -------------------------------------------------------------------------------------------------------------------

  /** What ethtool shows of `vnet0`. Interrupts are held back as the hub says. */
  get #driver(): DeviceDriver {
    const sum = (of: (port: Port) => number): number => [...this.ports.values()].reduce((all, port) => all + of(port), 0);
    return {
      driver: 'shmtun',
      bus: '',
      statistics: () => ({
        rx_ring_packets: sum(({ receiver }) => receiver.received),
        tx_ring_packets: sum(({ sender }) => sender.sent),
        tx_ring_full: sum(({ sender }) => sender.full),
        tx_dropped: this.full,
        tx_queued: sum(({ queued }) => queued),
        tx_interrupts_raised: sum(({ sender }) => sender.raised),
        rx_waiting: this.waiting,
        rx_interrupts: this.napi.interrupts,
        rx_polls: this.napi.polls,
        rx_polled_packets: this.napi.packets,
        rx_budget_exhausted: this.napi.exhausted,
        nowhere: this.nowhere,
        ports: this.ports.size,
      }),
      hasLink: () => this.hub !== null && (this.isHub || this.ports.size > 0),
      speed: () => null,
      rings: () => {
        const slots = this.#rings?.slots ?? this.settings.slots;
        return { receive: slots, receiveMost: SWITCH_LIMITS.slots[1], send: slots, sendMost: SWITCH_LIMITS.slots[1] };
      },
      coalesce: {
        get: () => this.settings.coalesce,
        set: coalesce => {
          const isPossible = this.isHub && coalesce <= SWITCH_LIMITS.coalesce[1];
          if (isPossible) this.set({ ...this.settings, coalesce });
          return isPossible;
        },
      },
    };
  }

  /** /proc/popcorn/switch */
  get text(): string {
    const { version, slots, budget, coalesce } = this.settings;
    const { interrupts, polls, packets, exhausted } = this.napi;
    const rows = [...this.ports.values()]
      .sort((a, b) => a.kernel - b.kernel)
      .map(({ kernel, sender, receiver, dropped, queued }) =>
        [kernel, receiver.received, sender.sent, dropped, queued, receiver.waiting, sender.raised].join(' '),
      );
    return [
      `version ${version} slots ${slots} budget ${budget} coalesce ${coalesce}`,
      `hub ${this.hub ?? 'none'}`,
      `interrupts ${interrupts} polls ${polls} packets ${packets} exhausted ${exhausted} nowhere ${this.nowhere}`,
      'port in out dropped queued waiting raised',
      ...rows,
      '',
    ].join('\n');
  }
}

const packed = ({ version, slots, budget, coalesce }: SwitchSettings): number[] => [
  SWITCH_VERSIONS.indexOf(version),
  slots,
  budget,
  coalesce,
];
function unpacked([version = 2, slots = 64, budget = 64, coalesce = 0]: readonly number[]): SwitchSettings {
  return { version: SWITCH_VERSIONS[version] ?? 'rings', slots, budget, coalesce };
}
