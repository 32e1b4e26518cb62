/**
 * A function of the network card in use: a network interface of the kernel that has it, with rings of its own. The card's driver (nic-driver.ts)
 * and that of the virtual functions (vf-driver.ts) are made of these.
 *
 * Out: a descriptor, and the card reads the frame by DMA; its switch says whom it is for. In: the card writes the frame to memory if there is a
 * descriptor for it, and interrupts; then the frames are polled (switch/napi.ts).
 *
 * The card of the client machine is also where the wire ends on which all functions of the machine's card send: it puts their frames in order
 * (machine/devices/nic.ts), which is the wire's doing and costs the kernel nothing.
 *
 * Always holds: between open and close this kernel, and no other, touches the function.
 */
import type { Coming } from '../../machine/devices/card-switch.ts';
import { CABLE_FRAMES, CONTROL, type Fate, type Nic } from '../../machine/devices/nic.ts';
import { FRAME_MAX, type Packet } from '../../machine/devices/packet-ring.ts';
import type { Kernel } from '../kernel.ts';
import { EventClass, type KernelEvent } from '../sched/events.ts';
import type { Cycles } from '../types.ts';
import { getMac } from './ethernet.ts';
import { FRAME, type FrameEvent, NET_DEVICE, type NetDeviceNumber, noteFrame } from './frame-trace.ts';
import type { NetInterface } from './interface.ts';
import type { Placement } from './network.ts';
import { CARD_DESCRIPTORS, MTU, padded } from './parameters.ts';
import type { DeviceDriver, MacAddress, NetDevice } from './platform.ts';
import { Napi } from './switch/napi.ts';
import { SWITCH_LIMITS } from './switch/settings.ts';

/** Packets in a poll (NAPI's weight). */
const BUDGET = 64;
/** Microseconds between two interrupts at least (ethtool -C rx-usecs). */
const COALESCE = 20;
/**
 * Events of frames from the card come after those of the switch's rings (switch/ends.ts), by the port of the card whence they come; those that
 * have been put on the wire meanwhile come last.
 */
const NIC_KEYS = 256;
const WIRE_KEYS = 384;

const TOLD: Readonly<Record<Fate, FrameEvent>> = { sent: FRAME.Out, lost: FRAME.Lost, full: FRAME.Full, down: FRAME.Nowhere };

/** `rxPackets` as ethtool's readers have it: `rx_packets`. */
const snake = (name: string): string => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);

export class NicPort {
  readonly napi: Napi;
  /** Packets taken, and come without a descriptor; given to the card, refused for want of room, and for nobody as the cable is out. */
  readonly counters = { rxPackets: 0, rxMissed: 0, txPackets: 0, txFull: 0, txDown: 0 };
  /** Of the machine's frames, at the client's end, where they are put on the wire: lost on it, and come when its queue was full. */
  readonly wire = { wireLost: 0, wireFull: 0 };
  coalesce = COALESCE;
  /** Null while the function is not in use. */
  interface: NetInterface | null = null;
  readonly device: NetDevice;
  readonly nic: Nic;
  readonly #kernel: Kernel;
  readonly #controlled: (frame: Uint8Array) => void;
  /** Frames found in the card that have not come in yet. */
  readonly #coming = new Set<KernelEvent>();
  /** By the port of the card whence frames come: the entry of its lane to be found next. */
  readonly #next: number[] = [];
  /** Frames in memory that nobody has looked at. */
  readonly #queue: { readonly packet: Packet; readonly from: number }[] = [];
  /** Frames of the machine's that are on the wire: to the client machine. */
  #onWire = 0;
  #wired = 0;
  #frames = 0;

  /** @param controlled what is done when the other end says how the cable is */
  constructor(kernel: Kernel, nic: Nic, name: string, mac: MacAddress, controlled: (frame: Uint8Array) => void) {
    this.#kernel = kernel;
    this.nic = nic;
    this.#controlled = controlled;
    const bus = nic.isClient || nic.port === 0 ? 'nic0' : `nic0.${nic.port}`;
    this.device = { name, mac, mtu: MTU, transmit: frame => this.#transmit(frame), driver: this.#driver(bus) };
    const self = this;
    this.napi = new Napi(kernel, {
      number: NET_DEVICE.Nic,
      budget: BUDGET,
      get coalesce() {
        return Math.round((self.coalesce * kernel.hertz) / 1e6);
      },
      polls: true,
      get waiting() {
        return self.#queue.length;
      },
      poll: () => this.#poll(),
      mask: () => {},
    });
  }

  /** The function is taken into use. What came while nobody was there has been lost; what is on its way comes. */
  open(place: Placement): void {
    const { nic } = this;
    const kernel = this.#kernel;
    this.interface = kernel.net.attach(this.device, place);
    nic.use(true, kernel.now);
    nic.takeBells();
    for (const from of nic.senders) {
      this.#next[from] = nic.first(from);
      this.#find(from);
    }
  }

  close(): void {
    if (this.interface === null) return;
    const kernel = this.#kernel;
    for (const event of this.#coming) event.cancelled = true;
    this.#coming.clear();
    this.#queue.length = 0;
    this.#onWire = 0;
    kernel.net.detach(this.interface);
    this.interface = null;
    this.nic.use(false, kernel.now);
  }

  // --- out -----------------------------------------------------------------------------------------------------------------------

  #transmit(bytes: Uint8Array): boolean {
    const kernel = this.#kernel;
    const { nic, counters } = this;
    if (bytes.length > FRAME_MAX || this.interface === null) return false;
    kernel.charge(kernel.cost('nicDescriptor'));
    const packet: Packet = { frame: padded(bytes), id: ((kernel.id << 24) | 0x800000 | (this.#frames++ & 0x7fffff)) >>> 0 };
    const dma = kernel.cost('nicDma');
    const { functions, wire, arrival, full } = nic.transmit(packet, getMac(packet.frame, 0), kernel.now + dma, kernel.visible, dma);
    if (full) {
      counters.txFull++;
      this.#tell(FRAME.Full, nic.port, packet);
      return false;
    }
    if (functions.length > 0 && !nic.isClient) {
      this.#tell(FRAME.In, nic.port, packet);
      for (const port of functions) this.#tell(FRAME.Out, port, packet);
    }
    // What is on its way to the wire is told of where it is put on it.
    if (wire !== null && (nic.isClient || wire !== 'sent')) this.#tell(TOLD[wire], nic.port, packet, NET_DEVICE.Nic);
    const isOnWire = wire === 'sent' || wire === 'lost';
    if (functions.length > 0) this.sent(arrival, nic.isClient);
    if (isOnWire && !nic.isClient) this.sent(arrival, true);
    if (isOnWire || functions.length > 0) counters.txPackets++;
    else if (wire === 'full') counters.txFull++;
    else counters.txDown++;
    return isOnWire || functions.length > 0;
  }

  /** Something is with the card that others find at `arrival`. */
  sent(arrival: Cycles, toFar: boolean): void {
    this.#kernel.lowerBound(this.#kernel.platform.card.sent(arrival, toFar));
  }

  /** On the wire a frame is told of with the end whence it comes, in the card with a function. */
  #tell(
    what: FrameEvent,
    port: number,
    packet: Packet,
    device: NetDeviceNumber = this.nic.isClient ? NET_DEVICE.Nic : NET_DEVICE.Card,
  ): void {
    noteFrame(this.#kernel, what, device, device === NET_DEVICE.Nic ? this.nic.end : port, packet, 0);
  }

  // --- in ------------------------------------------------------------------------------------------------------------------------

  /** Turns what has been put into the card for this function into events at its arrival. No virtual effect. */
  collect(): void {
    if (this.interface === null) return;
    for (const from of this.nic.takeBells()) this.#find(from);
  }

  #find(from: number): void {
    const { nic } = this;
    const kernel = this.#kernel;
    for (;;) {
      const coming = nic.coming(from, this.#next[from] ?? 0);
      if (coming === null) return;
      this.#next[from] = coming.entry + 1;
      if (coming.arrival <= kernel.visible) nic.pass(coming);
      else this.#expect(coming.arrival, (NIC_KEYS + from) * 2 ** 32 + coming.entry, () => this.#arrive(coming));
    }
  }

  #expect(time: Cycles, key: number, handle: () => void): void {
    const event: KernelEvent = this.#kernel.events.add(time, EventClass.Message, key, () => {
      this.#coming.delete(event);
      handle();
    });
    this.#coming.add(event);
  }

  #arrive(coming: Coming): void {
    const { nic } = this;
    const packet = nic.take(coming);
    if (packet.id === CONTROL) this.#controlled(packet.frame);
    else if (nic.isClient) this.#putOnWire(packet, coming.arrival - nic.lookahead);
    else this.#receive(packet, coming.from);
  }

  /** A frame of the machine's, whose card had it at `time`, takes its turn on the wire. */
  #putOnWire(packet: Packet, time: Cycles): void {
    const isFull = this.#onWire >= CABLE_FRAMES;
    const { fate, arrival } = isFull ? { fate: 'full' as const, arrival: 0 } : this.nic.carry(0, packet, time);
    noteFrame(this.#kernel, TOLD[fate], NET_DEVICE.Nic, 0, packet, 0);
    if (fate === 'lost') this.wire.wireLost++;
    else if (fate === 'full') this.wire.wireFull++;
    if (fate !== 'sent') return;
    this.#onWire++;
    this.#expect(arrival, WIRE_KEYS * 2 ** 32 + this.#wired++, () => {
      this.#onWire--;
      this.#receive(packet, 0);
    });
  }

  /** A frame is at the card: into memory, if there is a descriptor for it. */
  #receive(packet: Packet, from: number): void {
    if (this.#queue.length < CARD_DESCRIPTORS) {
      this.#queue.push({ packet, from });
      this.napi.notify();
    } else {
      this.counters.rxMissed++;
      this.#note(FRAME.Full, packet, from, CARD_DESCRIPTORS);
    }
  }

  #poll(): boolean {
    const kernel = this.#kernel;
    const first = this.#queue.shift();
    if (first === undefined) return false;
    kernel.charge(kernel.cost('nicDescriptor'));
    this.counters.rxPackets++;
    this.#note(FRAME.In, first.packet, first.from, this.#queue.length + 1);
    kernel.net.receive(this.device, first.packet.frame);
    return true;
  }

  /** @param fill packets that wait in memory, with this one */
  #note(what: FrameEvent, packet: Packet, from: number, fill: number): void {
    const { nic } = this;
    if (nic.isFar(from)) noteFrame(this.#kernel, what, NET_DEVICE.Nic, nic.isClient ? 0 : 1, packet, fill);
    else noteFrame(this.#kernel, what, NET_DEVICE.Card, nic.port, packet, fill);
  }

  #driver(bus: string): DeviceDriver {
    const { nic } = this;
    // A virtual function does not see the cable: it has the card's switch before it.
    const seesCable = bus === 'nic0';
    const { hasCable } = this.#kernel.platform.card;
    return {
      driver: seesCable ? 'popcorn_nic' : 'popcorn_nicvf',
      bus,
      statistics: () => Object.fromEntries(Object.entries(this.statistics).map(([name, count]) => [snake(name), count])),
      hasLink: () => (seesCable ? hasCable && nic.link.up : true),
      speed: () => (seesCable && hasCable ? Math.round(nic.link.rate / 1e6) : null),
      rings: () => ({ receive: CARD_DESCRIPTORS, receiveMost: CARD_DESCRIPTORS, send: nic.slots, sendMost: nic.slots }),
      coalesce: {
        get: () => this.coalesce,
        set: microseconds => {
          const isPossible = microseconds <= SWITCH_LIMITS.coalesce[1];
          if (isPossible) this.coalesce = microseconds;
          return isPossible;
        },
      },
    };
  }

  /** What it counts, as /proc/popcorn/link and ethtool -S show it. */
  get statistics(): Readonly<Record<string, number>> {
    const { interrupts, polls, exhausted } = this.napi;
    return { ...this.counters, ...(this.nic.isClient ? this.wire : {}), interrupts, polls, exhausted };
  }
}
