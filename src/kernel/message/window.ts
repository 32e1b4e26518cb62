/**
 * A kernel's receive window: one lane for each other kernel, in the receiver's own memory.
 *
 *     0      doorbells: one bit a sender (4 words), set by the sender after it has written
 *     16     doorbells of the senders' rings of packets (net/switch/ring.ts), likewise
 *     64     lane 0 │ lane 1 │ … each LANE_SLOTS messages of 64 bytes
 *     then   the sender's stamp of each slot of each lane: written (u32: sequence + 1), arrival (f64)
 *     then   the receiver's, apart from them as each is written on a core of its own: freed (u32: sequence + 1), freed at (f64)
 *
 * Stamps are the hardware's: they say at which virtual time the line got there, whichever host was quicker. A slot is free for
 * sequence n when it was freed of n - LANE_SLOTS at a time that the sender can have heard of.
 *
 * Always holds: a slot is written only by its lane's sender while it is free, and read only by the receiver while it is not.
 */
import type { PhysicalMemory } from '../../machine/memory.ts';
import type { Cycles, KernelId } from '../types.ts';
import { MESSAGE_BYTES } from './wire.ts';

export const LANE_SLOTS = 32;
const DOORBELL_BYTES = 64;
/** In words, where those for packets begin. */
const PACKET_DOORBELLS = 4;
const STAMP_BYTES = 12;
const PAGE = 4096;

/** Bytes of a window with so many lanes, a multiple of the page size. */
export function windowBytes(lanes: number): number {
  return Math.ceil((DOORBELL_BYTES + lanes * LANE_SLOTS * (MESSAGE_BYTES + 2 * STAMP_BYTES)) / PAGE) * PAGE;
}

export class Window {
  readonly #memory: PhysicalMemory;
  /** Its physical address. */
  readonly base: number;
  readonly #lanes: number;
  readonly #written: number;
  readonly #freed: number;
  readonly view: DataView;

  /** @param base physical address */
  constructor(memory: PhysicalMemory, base: number, lanes: number) {
    this.#memory = memory;
    this.base = base;
    this.#lanes = lanes;
    this.#written = base + DOORBELL_BYTES + lanes * LANE_SLOTS * MESSAGE_BYTES;
    this.#freed = this.#written + lanes * LANE_SLOTS * STAMP_BYTES;
    this.view = memory.view;
  }

  /** Empty: before its owner is known to anyone. */
  clear(): void {
    this.#memory.u8.fill(0, this.base, this.base + windowBytes(this.#lanes));
  }
  /** The lane of a sender that is no more: another may begin anew. */
  clearLane(sender: KernelId): void {
    const slot = this.slot(sender, 0);
    this.#memory.u8.fill(0, slot, slot + LANE_SLOTS * MESSAGE_BYTES);
    for (const stamp of [this.#writtenStamp(sender, 0), this.#freedStamp(sender, 0)])
      this.#memory.u8.fill(0, stamp, stamp + LANE_SLOTS * STAMP_BYTES);
  }

  /** Physical address of a slot. */
  slot(sender: KernelId, sequence: number): number {
    return this.base + DOORBELL_BYTES + (sender * LANE_SLOTS + (sequence % LANE_SLOTS)) * MESSAGE_BYTES;
  }

  // --- the sender's side -----------------------------------------------------------------------------------------------------

  /** Whether the slot for `sequence` is free, as far as the sender can know at `now`. */
  isFree(sender: KernelId, sequence: number, now: Cycles): boolean {
    if (sequence < LANE_SLOTS) return true;
    const stamp = this.#freedStamp(sender, sequence);
    return (
      Atomics.load(this.#memory.i32, stamp >>> 2) === ((sequence - LANE_SLOTS + 1) | 0) && this.view.getFloat64(stamp + 4, true) <= now
    );
  }

  /** Whether the receiver has freed the slot of `sequence`, as far as the sender can know at `now`. */
  isFreed(sender: KernelId, sequence: number, now: Cycles): boolean {
    return this.isFree(sender, sequence + LANE_SLOTS, now);
  }

  /** Publishes the slot, whose bytes have been written, and rings. */
  publish(sender: KernelId, sequence: number, arrival: Cycles): void {
    const stamp = this.#writtenStamp(sender, sequence);
    this.view.setFloat64(stamp + 4, arrival, true);
    Atomics.store(this.#memory.i32, stamp >>> 2, (sequence + 1) | 0);
    this.#ring((this.base >>> 2) + (sender >> 5), sender);
  }

  /** Rings for a packet: it has been written into a ring elsewhere. */
  ringForPackets(sender: KernelId): void {
    this.#ring((this.base >>> 2) + PACKET_DOORBELLS + (sender >> 5), sender);
  }

  /** A bell that rings already is heard after what has just been written: it need not be written, and its line need not travel. */
  #ring(at: number, sender: KernelId): void {
    const bit = 1 << (sender & 31);
    if ((Atomics.load(this.#memory.i32, at) & bit) === 0) Atomics.or(this.#memory.i32, at, bit);
  }

  // --- the receiver's side ---------------------------------------------------------------------------------------------------

  /** Takes the doorbells of 32 senders at a time. */
  takeDoorbells(word: number): number {
    return this.#take((this.base >>> 2) + word);
  }
  /** The same for their rings of packets. */
  takePacketDoorbells(word: number): number {
    return this.#take((this.base >>> 2) + PACKET_DOORBELLS + word);
  }
  #take(at: number): number {
    return Atomics.load(this.#memory.i32, at) === 0 ? 0 : Atomics.exchange(this.#memory.i32, at, 0);
  }

  /** Arrival time of the message with `sequence`, or NaN when it is not written yet. */
  arrival(sender: KernelId, sequence: number): Cycles {
    const stamp = this.#writtenStamp(sender, sequence);
    if (Atomics.load(this.#memory.i32, stamp >>> 2) !== ((sequence + 1) | 0)) return Number.NaN;
    return this.view.getFloat64(stamp + 4, true);
  }

  /** What stands there is no message: it is as if nothing had been written. */
  reject(sender: KernelId, sequence: number): void {
    Atomics.store(this.#memory.i32, this.#writtenStamp(sender, sequence) >>> 2, 0);
  }

  /** Gives the slot back; the sender hears of it at `at`. */
  free(sender: KernelId, sequence: number, at: Cycles): void {
    const stamp = this.#freedStamp(sender, sequence);
    this.view.setFloat64(stamp + 4, at, true);
    Atomics.store(this.#memory.i32, stamp >>> 2, (sequence + 1) | 0);
  }

  #writtenStamp(sender: KernelId, sequence: number): number {
    return this.#written + (sender * LANE_SLOTS + (sequence % LANE_SLOTS)) * STAMP_BYTES;
  }
  #freedStamp(sender: KernelId, sequence: number): number {
    return this.#freed + (sender * LANE_SLOTS + (sequence % LANE_SLOTS)) * STAMP_BYTES;
  }
}
