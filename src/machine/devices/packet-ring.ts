/**
 * A ring of packets in physical memory, from one kernel to another.
 *
 *     0       count of entries in the history (i32), then from 64 on the history: times at which interrupts were switched (f64 each)
 *     192     for each slot STAMP_BYTES:
 *             0 written (i32: sequence + 1)   4 freed (i32)   8 arrival (f64)   16 freed at (f64)   24 length (u32)   28 id (u32)
 *     then    for each slot FRAME_MAX bytes: the frame
 *
 * As in a window of messages between kernels what stands beside a slot says at which virtual time the other side learns of it, whichever
 * host was quicker: `arrival` for the receiver, `freed at` for the sender. So does the history for the receiver's interrupts: off, on, off,
 * … The sender looks for the last entry that it can know of. A receiver can be ahead of a sender by two latencies at most, in which it
 * can't switch HISTORY times.
 *
 * Always holds: a slot is written only by the sender while it is free, and read only by the receiver while it is not.
 */
import type { PhysicalMemory } from '../memory.ts';

/** Of the reference clock. */
type Cycles = number;

/** An Ethernet frame of 1514 bytes, in whole cache lines. */
export const FRAME_MAX = 1536;
const STAMP_BYTES = 64;
const HISTORY = 16;
const HISTORY_AT = 64;
const HEADER_BYTES = HISTORY_AT + HISTORY * 8;

export interface Packet {
  readonly frame: Uint8Array;
  /** Who put it on the switch first (kernel << 24), and a count. */
  readonly id: number;
}

/** Bytes of a ring with so many slots. */
export const ringBytes = (slots: number): number => HEADER_BYTES + slots * (STAMP_BYTES + FRAME_MAX);

export class PacketRing {
  readonly slots: number;
  readonly #memory: PhysicalMemory;
  /** Its physical address. */
  readonly base: number;

  /** @param base physical address, a multiple of 64 */
  constructor(memory: PhysicalMemory, base: number, slots: number) {
    this.#memory = memory;
    this.base = base;
    this.slots = slots;
  }

  /** Empty, with interrupts on: before the other side knows of it. */
  clear(): void {
    this.#memory.u8.fill(0, this.base, this.#frame(0));
  }

  // --- the sender's side ---------------------------------------------------------------------------------------------------------

  /** Whether the receiver has freed the slot of `sequence`, as far as the sender can know at `now`. */
  isFreed(sequence: number, now: Cycles): boolean {
    const at = this.#slot(sequence);
    return Atomics.load(this.#memory.i32, (at + 4) >>> 2) === ((sequence + 1) | 0) && this.#memory.view.getFloat64(at + 16, true) <= now;
  }

  /** Writes a packet into a slot that is free. */
  put(sequence: number, { frame, id }: Packet, arrival: Cycles): void {
    const { u8, view, i32 } = this.#memory;
    const at = this.#slot(sequence);
    u8.set(frame, this.#frame(sequence));
    view.setFloat64(at + 8, arrival, true);
    view.setUint32(at + 24, frame.length, true);
    view.setUint32(at + 28, id, true);
    Atomics.store(i32, at >>> 2, (sequence + 1) | 0);
  }

  /** Whether the receiver wants to be interrupted, as far as the sender can know at `now`. */
  wantsInterrupt(now: Cycles): boolean {
    const { i32, view } = this.#memory;
    const count = Atomics.load(i32, this.base >>> 2);
    for (let entry = count - 1; entry >= Math.max(0, count - HISTORY); entry--)
      if (view.getFloat64(this.base + HISTORY_AT + (entry % HISTORY) * 8, true) <= now) return entry % 2 === 1;
    return true;
  }

  // --- the receiver's side -------------------------------------------------------------------------------------------------------

  /** Arrival time of the packet with `sequence`, or NaN when it is not written yet. */
  arrival(sequence: number): Cycles {
    const { i32, view } = this.#memory;
    const at = this.#slot(sequence);
    if (Atomics.load(i32, at >>> 2) !== ((sequence + 1) | 0)) return Number.NaN;
    return view.getFloat64(at + 8, true);
  }

  /** A copy of a packet that has been written. */
  read(sequence: number): Packet {
    const { u8, view } = this.#memory;
    const at = this.#slot(sequence);
    const length = Math.min(view.getUint32(at + 24, true), FRAME_MAX);
    const from = this.#frame(sequence);
    return { frame: u8.slice(from, from + length), id: view.getUint32(at + 28, true) };
  }

  /** Gives the slot back; the sender hears of it at `at`. */
  free(sequence: number, at: Cycles): void {
    const { i32, view } = this.#memory;
    const slot = this.#slot(sequence);
    view.setFloat64(slot + 16, at, true);
    Atomics.store(i32, (slot + 4) >>> 2, (sequence + 1) | 0);
  }

  /** Switches interrupts over: the first time off, then on. The sender hears of it at `at`. */
  switchInterrupts(at: Cycles): void {
    const { i32, view } = this.#memory;
    const count = Atomics.load(i32, this.base >>> 2);
    view.setFloat64(this.base + HISTORY_AT + (count % HISTORY) * 8, at, true);
    Atomics.store(i32, this.base >>> 2, count + 1);
  }
  /** Whether they are off: the receiver's own view. */
  get interruptsOff(): boolean {
    return Atomics.load(this.#memory.i32, this.base >>> 2) % 2 === 1;
  }

  #slot(sequence: number): number {
    return this.base + HEADER_BYTES + (sequence % this.slots) * STAMP_BYTES;
  }
  #frame(sequence: number): number {
    return this.base + HEADER_BYTES + this.slots * STAMP_BYTES + (sequence % this.slots) * FRAME_MAX;
  }
}
