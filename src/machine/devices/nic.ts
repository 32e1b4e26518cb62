/**
 * A network card, and the cable to the card of another machine. What stands here is in the hardware's own memory, behind the nodes
 * (layout.ts):
 *
 *     the frames on their way from end 0 to end 1 │ from end 1 to end 0 │ registers of end 0 │ registers of end 1
 *
 *     registers   0 on: when the sender has done with the last frame, and when the last one arrives (f64 each)
 *                16 frames sent, frames taken, state of its chance, whether the cable is in (u32 each)
 *                32 rate, delay, loss and queue, as LinkSettings has them (f64 each)
 *
 * A frame takes its bits' time on the wire, one after the other, then the delay; the wire may lose it. A frame with the id CONTROL is none:
 * it tells the other end that its half of the cable is now like this one.
 *
 * Always holds: an end is touched by one kernel at a time, the one that has the card; what it does to the other end arrives there as frames
 * do, at a stamped time, not before the least latency of a message. The lost frames follow from the seed.
 */
import type { PhysicalMemory } from '../memory.ts';
import { type Packet, PacketRing, ringBytes } from './packet-ring.ts';

/** Frames on the cable and in the receiving card's memory, in one direction. */
const CABLE_SLOTS = 1024;
const REGISTER_BYTES = 4096;
export const CABLE_BYTES = 2 * Math.ceil(ringBytes(CABLE_SLOTS) / 4096) * 4096 + 2 * REGISTER_BYTES;

/** Preamble, start of frame, check sequence and gap: bytes of the wire's time that are no frame. */
const WIRE_OVERHEAD = 24;
export const CONTROL = 0xffffffff;

export interface LinkSettings {
  readonly up: boolean;
  /** Bits a second. */
  readonly rate: number;
  /** Microseconds. */
  readonly delay: number;
  /** 0 to 1. */
  readonly loss: number;
  /** Frames that wait for the wire at most. */
  readonly queue: number;
}

/** A gigabit over a few metres and a switch. */
export const DEFAULT_LINK: LinkSettings = { up: true, rate: 1e9, delay: 5, loss: 0, queue: 256 };

export const LINK_LIMITS = {
  rate: [1e6, 100e9],
  delay: [0, 1e6],
  loss: [0, 1],
  queue: [1, 1000],
} as const;

/** Of the reference clock. */
type Cycles = number;

export type Fate = 'sent' | 'lost' | 'full' | 'down';

export class Nic {
  readonly end: 0 | 1;
  readonly incoming: PacketRing;
  readonly #outgoing: PacketRing;
  readonly #memory: PhysicalMemory;
  readonly #registers: number;
  readonly #bells: number;
  readonly #hertz: number;
  readonly #lookahead: Cycles;

  /**
   * @param base physical address of the cable
   * @param lookahead cycles that anything takes to get to the other end at least
   */
  constructor(memory: PhysicalMemory, base: number, end: 0 | 1, hertz: number, lookahead: Cycles) {
    this.end = end;
    this.#memory = memory;
    this.#hertz = hertz;
    this.#lookahead = lookahead;
    const half = Math.ceil(ringBytes(CABLE_SLOTS) / 4096) * 4096;
    const rings = [new PacketRing(memory, base, CABLE_SLOTS), new PacketRing(memory, base + half, CABLE_SLOTS)] as const;
    this.#outgoing = rings[end];
    this.incoming = rings[end === 0 ? 1 : 0];
    this.#registers = base + 2 * half + end * REGISTER_BYTES;
    this.#bells = base + 2 * half + 64;
  }

  /** The first time that this end is touched: the cable is as given, and chance begins. */
  begin(link: LinkSettings, seed: number): void {
    if (this.link.rate !== 0) return;
    this.#set(link);
    this.#memory.view.setUint32(this.#registers + 24, (seed ^ Math.imul(this.end + 1, 0x9e3779b1)) >>> 0 || 1, true);
  }

  get link(): LinkSettings {
    const { view } = this.#memory;
    const at = this.#registers;
    return {
      up: view.getUint32(at + 28, true) !== 0,
      rate: view.getFloat64(at + 32, true),
      delay: view.getFloat64(at + 40, true),
      loss: view.getFloat64(at + 48, true),
      queue: view.getFloat64(at + 56, true),
    };
  }

  /** The cable is like this from now on, and will be so at the other end. Returns when that hears of it; NaN: it can't be told now. */
  configure(link: LinkSettings, now: Cycles, visible: Cycles): Cycles {
    if (!this.#hasRoom(visible)) return Number.NaN;
    this.#set(link);
    const frame = Uint8Array.from(JSON.stringify(link), c => c.charCodeAt(0));
    return this.#put({ frame, id: CONTROL }, now);
  }

  /** A frame that has come in with the id CONTROL. */
  takeControl(frame: Uint8Array): void {
    this.#set(JSON.parse(String.fromCharCode(...frame)) as LinkSettings);
  }

  /** Gives a frame to the wire. `arrival` is meant where it is sent. */
  transmit(packet: Packet, now: Cycles, visible: Cycles): { fate: Fate; arrival: Cycles } {
    const { view } = this.#memory;
    const { up, rate, loss, queue } = this.link;
    if (!up) return { fate: 'down', arrival: 0 };
    const wire = ((packet.frame.length + WIRE_OVERHEAD) * 8 * this.#hertz) / rate;
    const free = Math.max(view.getFloat64(this.#registers, true), now);
    if ((free - now) / wire > queue || !this.#hasRoom(visible)) return { fate: 'full', arrival: 0 };
    view.setFloat64(this.#registers, free + wire, true);
    if (loss > 0 && this.#chance() < loss) return { fate: 'lost', arrival: 0 };
    return { fate: 'sent', arrival: this.#put(packet, free + wire) };
  }

  /** The sequence of the next frame to be taken. */
  get taken(): number {
    return this.#memory.view.getUint32(this.#registers + 20, true);
  }
  /** That frame has been taken. */
  free(now: Cycles): void {
    const sequence = this.taken;
    this.incoming.free(sequence, now + this.#lookahead);
    this.#memory.view.setUint32(this.#registers + 20, sequence + 1, true);
  }

  /** Whether something has been put in at the other end since the last time that this was asked. */
  takeBell(): boolean {
    const at = (this.#bells >>> 2) + this.end * 16;
    return Atomics.load(this.#memory.i32, at) !== 0 && Atomics.exchange(this.#memory.i32, at, 0) !== 0;
  }

  #hasRoom(visible: Cycles): boolean {
    const sequence = this.#memory.view.getUint32(this.#registers + 16, true);
    return sequence < CABLE_SLOTS || this.#outgoing.isFreed(sequence - CABLE_SLOTS, visible);
  }

  #put(packet: Packet, from: Cycles): Cycles {
    const { view, i32 } = this.#memory;
    const delay = Math.max((this.link.delay * this.#hertz) / 1e6, this.#lookahead);
    // A shorter delay than before does not let frames overtake.
    const arrival = Math.max(Math.ceil(from + delay), view.getFloat64(this.#registers + 8, true));
    view.setFloat64(this.#registers + 8, arrival, true);
    const sequence = view.getUint32(this.#registers + 16, true);
    view.setUint32(this.#registers + 16, sequence + 1, true);
    this.#outgoing.put(sequence, packet, arrival);
    Atomics.store(i32, (this.#bells >>> 2) + (this.end === 0 ? 1 : 0) * 16, 1);
    return arrival;
  }

  #set({ up, rate, delay, loss, queue }: LinkSettings): void {
    const { view } = this.#memory;
    const at = this.#registers;
    view.setUint32(at + 28, up ? 1 : 0, true);
    view.setFloat64(at + 32, rate, true);
    view.setFloat64(at + 40, delay, true);
    view.setFloat64(at + 48, loss, true);
    view.setFloat64(at + 56, queue, true);
  }

  /** The next of its seeded stream, 0 to 1 (xorshift32, Marsaglia 2003). */
  #chance(): number {
    const { view } = this.#memory;
    let x = view.getUint32(this.#registers + 24, true);
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    view.setUint32(this.#registers + 24, x >>> 0, true);
    return (x >>> 0) / 2 ** 32;
  }
}
