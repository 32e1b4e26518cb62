/**
 * The two ends of a ring of packets, each with one kernel.
 *
 * Always holds: packets come out in the order in which they were put in, each once, not before the time at which they arrive; a ring that
 * is full takes nothing.
 */
import type { NodePosition } from '../../../machine/interconnect.ts';
import { EventClass, type KernelEvent } from '../../sched/events.ts';
import type { Kernel } from '../../kernel.ts';
import type { KernelId, Cycles } from '../../types.ts';
import type { Window } from '../../message/window.ts';
import type { Packet, PacketRing } from '../../../machine/devices/packet-ring.ts';

/**
 * Among events of one time packets come after messages, whose keys are below 128 · 2^32 (sched/events.ts); of rings by sender, the card's
 * last.
 */
const PACKET_KEYS = 128;
export const NIC_KEY = 256;

/** What it costs to move a packet between a core and a ring that another core uses too. */
export function ringCost(kernel: Kernel, bytes: number): Cycles {
  return ((bytes + 63) >>> 6) * kernel.cost('ringLine');
}

export class RingSender {
  sent = 0;
  full = 0;
  /** Interrupts that it has raised. */
  raised = 0;
  readonly #kernel: Kernel;
  readonly #to: KernelId;
  readonly #ring: PacketRing;
  readonly #home: NodePosition | null;
  readonly #bell: Window;
  #next = 0;
  /** The first that the receiver may still have. */
  #held = 0;
  #lastArrival: Cycles = 0;

  /** @param bell the receiver's message window: it is told there to look into its rings */
  constructor(kernel: Kernel, to: KernelId, ring: PacketRing, bell: Window) {
    this.#kernel = kernel;
    this.#to = to;
    this.#ring = ring;
    this.#home = kernel.nodeOf(ring.base);
    this.#bell = bell;
  }

  /**
   * Whether a packet can be put in.
   * @param underWay packets that may be in the ring, with the one to come; null: as many as it has slots
   */
  hasRoom(underWay: number | null): boolean {
    const before = this.#next - Math.min(underWay ?? this.#ring.slots, this.#ring.slots);
    return before < 0 || this.#ring.isFreed(before, this.#kernel.visible);
  }

  /** Packets in the ring, as far as the sender can know. */
  get underWay(): number {
    this.#collectFreed();
    return this.#next - this.#held;
  }
  #collectFreed(): void {
    this.#held = Math.max(this.#held, this.#next - this.#ring.slots);
    while (this.#held < this.#next && this.#ring.isFreed(this.#held, this.#kernel.visible)) this.#held++;
  }

  /** Puts a packet in. False: there is no room. */
  send(packet: Packet, underWay: number | null): boolean {
    const kernel = this.#kernel;
    if (!this.hasRoom(underWay)) {
      this.full++;
      return false;
    }
    kernel.charge(ringCost(kernel, packet.frame.length));
    if (this.#ring.wantsInterrupt(kernel.visible)) {
      kernel.charge(kernel.cost('ipiSend'));
      this.raised++;
    }
    // Cores of one kernel are apart by less than a cell: what is sent later does not arrive earlier.
    // A slot that is written anew says no more that it was freed.
    this.#collectFreed();
    const arrival = Math.max(kernel.now + kernel.latencyTo(this.#to, this.#home), this.#lastArrival);
    this.#lastArrival = arrival;
    this.#ring.put(this.#next++, packet, arrival);
    this.#bell.ringForPackets(kernel.id);
    kernel.lowerBound(kernel.platform.sent(this.#to, arrival));
    this.sent++;
    return true;
  }
}

export class RingReceiver {
  received = 0;
  readonly #kernel: Kernel;
  readonly #from: KernelId;
  readonly #ring: PacketRing;
  readonly #home: NodePosition | null;
  readonly #arrived: () => void;
  readonly #coming: KernelEvent[] = [];
  /** Sequences: of what is to be found next, of what will arrive next, of what is to be taken next. */
  #found = 0;
  #here = 0;
  #taken = 0;
  #earliest: Cycles;

  /** @param arrived called at the arrival of each packet */
  constructor(kernel: Kernel, from: KernelId, ring: PacketRing, arrived: () => void) {
    this.#kernel = kernel;
    this.#from = from;
    this.#ring = ring;
    this.#home = kernel.nodeOf(ring.base);
    this.#arrived = arrived;
    // What was put in before there was anybody to look arrives now.
    this.#earliest = kernel.visible;
  }

  /** Turns packets that have been written into events at their arrival. No virtual effect. */
  collect(): void {
    for (;;) {
      const arrival = this.#ring.arrival(this.#found);
      if (Number.isNaN(arrival)) return;
      const key = (PACKET_KEYS + this.#from) * 2 ** 32 + this.#found++;
      this.#earliest = Math.max(this.#earliest, arrival);
      this.#coming.push(this.#kernel.events.add(this.#earliest, EventClass.Message, key, () => this.#arrive()));
    }
  }

  #arrive(): void {
    this.#coming.shift();
    this.#here++;
    this.#arrived();
  }

  /** Packets that have arrived and have not been taken. */
  get waiting(): number {
    return this.#here - this.#taken;
  }

  /** The next one of them; there must be one. */
  take(): Packet {
    const kernel = this.#kernel;
    const sequence = this.#taken++;
    const packet = this.#ring.read(sequence);
    kernel.charge(ringCost(kernel, packet.frame.length));
    this.#ring.free(sequence, kernel.now + kernel.latencyTo(this.#from, this.#home));
    this.received++;
    return packet;
  }

  /** Whether it wants to be interrupted. */
  mask(off: boolean): void {
    const kernel = this.#kernel;
    if (this.#ring.interruptsOff !== off) this.#ring.switchInterrupts(kernel.now + kernel.latencyTo(this.#from, this.#home));
  }

  /** Nothing more comes out: the sender is gone, or the ring is to be another's. */
  close(): void {
    for (const event of this.#coming.splice(0)) event.cancelled = true;
    this.#taken = this.#here;
  }
}
