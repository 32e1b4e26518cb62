/**
 * The switch inside a network card with virtual functions (Intel 82599 with SR-IOV): it takes frames of the card's functions and of the wire, and
 * gives each to whom its address says. Its memory is the hardware's own (layout.ts):
 *
 *     registers of each port │ buffers of each port │ lanes, from each port to each other
 *
 *     port       0 the physical function (nic0), k the virtual function nic0.k, and last the wire: the card of the other machine
 *     registers  0 frames that were put in (u32)    8 when the last of them arrives (f64)    16 whose lanes have something new (i32 each)
 *               32 changes of whether it is in use (i32)    64 … when the others hear of each (f64, the last HISTORY of them)
 *     buffer     0 which frame (i32: sequence + 1)    4 length (u32)    8 id (u32)    16 until when it is wanted (f64)    64 the frame
 *     lane       0 entries put in (i32)   4 entries taken (u32), then from 16 on entries: 0 number + 1 (i32)   4 which frame (u32)   8 arrival (f64)
 *
 * A frame lies once in a buffer of its sender, however many it is for; each of them finds its sequence in its lane, and reads it at its arrival.
 * The card gives the buffer away when the last of them has had it: nobody runs behind another kernel by more than the least latency of a
 * message, so two of those after the arrival it is read, and no receiver has to say so.
 *
 * Always holds: a port's buffers, its lanes to others and what it says of its use are written by the one kernel that has the port; of a lane to it
 * that kernel alone writes what it has taken. Whatever one learns of another it learns at a stamped time.
 */
import type { PhysicalMemory } from '../memory.ts';
import { FRAME_MAX, type Packet } from './packet-ring.ts';

/** Of the reference clock. */
type Cycles = number;

/** Frames of one port under way: of a function within the card, of the wire on the cable too. */
const FUNCTION_SLOTS = 32;
const WIRE_SLOTS = 1024;

const REGISTER_BYTES = 256;
const BELLS_AT = 16;
const HISTORY = 16;
const HISTORY_AT = 64;
const BUFFER_HEADER = 64;
const BUFFER_BYTES = BUFFER_HEADER + FRAME_MAX;
const LANE_HEADER = 16;
const ENTRY_BYTES = 16;

/** Frames of a port of a card with so many functions that may be under way. */
export const slotsOf = (from: number, functions: number): number => (from === functions ? WIRE_SLOTS : FUNCTION_SLOTS);
/** Twice as many entries as buffers: who starts to look at a lane finds no entry being written anew among those that still matter. */
const laneBytes = (from: number, functions: number): number => LANE_HEADER + 2 * slotsOf(from, functions) * ENTRY_BYTES;

/** Bytes of the switch of a card with so many functions. */
export function cardSwitchBytes(functions: number): number {
  const ports = Array.from({ length: functions + 1 }, (_, port) => port);
  return ports.reduce(
    (sum, from) => sum + REGISTER_BYTES + slotsOf(from, functions) * BUFFER_BYTES + ports.length * laneBytes(from, functions),
    0,
  );
}

export interface Target {
  readonly port: number;
  readonly arrival: Cycles;
}

export interface Coming {
  readonly from: number;
  /** Of the frame, among those of its sender. */
  readonly sequence: number;
  /** Of the entry, in its lane. */
  readonly entry: number;
  readonly arrival: Cycles;
}

/** Asked for at each look, and mostly the answer. */
const NONE: number[] = [];

export class CardSwitch {
  /** The port of the wire; the functions are those before it. */
  readonly wire: number;
  readonly lookahead: Cycles;
  readonly #memory: PhysicalMemory;
  readonly #base: number;
  readonly #buffers: readonly number[];
  readonly #lanes: readonly number[];

  /**
   * @param base physical address, a multiple of 64
   * @param lookahead cycles that anything takes from one kernel to another at least
   */
  constructor(memory: PhysicalMemory, base: number, functions: number, lookahead: Cycles) {
    this.wire = functions;
    this.lookahead = lookahead;
    this.#memory = memory;
    this.#base = base;
    let at = base + (functions + 1) * REGISTER_BYTES;
    const take = (bytes: number): number => {
      at += bytes;
      return at - bytes;
    };
    const ports = Array.from({ length: functions + 1 }, (_, port) => port);
    this.#buffers = ports.map(port => take(slotsOf(port, functions) * BUFFER_BYTES));
    this.#lanes = ports.map(port => take(ports.length * laneBytes(port, functions)));
  }

  // --- who is there --------------------------------------------------------------------------------------------------------------

  /** The function is in use from now on, or no longer; the others hear of it a lookahead later. */
  use(port: number, inUse: boolean, now: Cycles): void {
    const { i32, view } = this.#memory;
    const at = this.#registers(port);
    const count = Atomics.load(i32, (at + 32) >>> 2);
    if ((count % 2 === 1) === inUse) return;
    view.setFloat64(at + HISTORY_AT + (count % HISTORY) * 8, now + this.lookahead, true);
    Atomics.store(i32, (at + 32) >>> 2, count + 1);
  }

  /** Whether the function is in use, as far as others can know at `now`. */
  isUsed(port: number, now: Cycles): boolean {
    const { i32, view } = this.#memory;
    const at = this.#registers(port);
    const count = Atomics.load(i32, (at + 32) >>> 2);
    for (let change = count - 1; change >= Math.max(0, count - HISTORY); change--)
      if (view.getFloat64(at + HISTORY_AT + (change % HISTORY) * 8, true) <= now) return change % 2 === 0;
    return false;
  }

  /** All functions but `except` that are in use, as far as others can know at `now`. */
  used(except: number, now: Cycles): number[] {
    const ports: number[] = [];
    for (let port = 0; port < this.wire; port++) if (port !== except && this.isUsed(port, now)) ports.push(port);
    return ports;
  }

  // --- in ------------------------------------------------------------------------------------------------------------------------

  /** Whether the card has a buffer for one more frame of that port. */
  hasRoom(port: number, now: Cycles): boolean {
    const { view } = this.#memory;
    const sequence = this.#sent(port);
    if (sequence < slotsOf(port, this.wire)) return true;
    return view.getFloat64(this.#buffer(port, sequence) + 16, true) + 2 * this.lookahead <= now;
  }

  /**
   * Takes a frame of `port`; there must be room. Frames of a port do not overtake each other. Returns when the first target has it.
   * @param targets each with the time at which it is to have it, a lookahead from now at least
   */
  put(port: number, { frame, id }: Packet, targets: readonly Target[]): Cycles {
    const { u8, view, i32 } = this.#memory;
    const registers = this.#registers(port);
    const sequence = this.#sent(port);
    const before = view.getFloat64(registers + 8, true);
    const last = targets.reduce((latest, { arrival }) => Math.max(latest, arrival), before);
    const at = this.#buffer(port, sequence);
    u8.set(frame, at + BUFFER_HEADER);
    view.setUint32(at + 4, frame.length, true);
    view.setUint32(at + 8, id, true);
    view.setFloat64(at + 16, last, true);
    Atomics.store(i32, at >>> 2, (sequence + 1) | 0);
    view.setUint32(registers, sequence + 1, true);
    view.setFloat64(registers + 8, last, true);
    let first = last;
    for (const { port: to, arrival } of targets) {
      const lane = this.#lane(port, to);
      const entry = Atomics.load(i32, lane >>> 2);
      const entryAt = this.#entry(port, lane, entry);
      view.setUint32(entryAt + 4, sequence, true);
      view.setFloat64(entryAt + 8, Math.max(arrival, before), true);
      first = Math.min(first, Math.max(arrival, before));
      Atomics.store(i32, entryAt >>> 2, (entry + 1) | 0);
      Atomics.store(i32, lane >>> 2, entry + 1);
      Atomics.or(i32, this.#bell(to, port >>> 5), 1 << (port & 31));
    }
    return first;
  }

  // --- out -----------------------------------------------------------------------------------------------------------------------

  /** Ports from which something has been put in for `port` since this was last asked. */
  takeBells(port: number): number[] {
    const { i32 } = this.#memory;
    let from = NONE;
    for (let word = 0; word * 32 <= this.wire; word++) {
      const at = this.#bell(port, word);
      let bells = Atomics.load(i32, at) === 0 ? 0 : Atomics.exchange(i32, at, 0);
      while (bells !== 0) {
        const bit = 31 - Math.clz32(bells);
        bells &= ~(1 << bit);
        if (from === NONE) from = [];
        from.push(word * 32 + bit);
      }
    }
    return from;
  }

  /** The first entry of a lane that its new owner need look at: what is before has been taken, or has arrived long ago. */
  first(from: number, port: number): number {
    const { i32, view } = this.#memory;
    const lane = this.#lane(from, port);
    return Math.max(view.getUint32(lane + 4, true), Atomics.load(i32, lane >>> 2) - slotsOf(from, this.wire));
  }

  /** An entry of a lane; null: it is not there yet. */
  coming(from: number, port: number, entry: number): Coming | null {
    const { i32, view } = this.#memory;
    const at = this.#entry(from, this.#lane(from, port), entry);
    if (Atomics.load(i32, at >>> 2) !== ((entry + 1) | 0)) return null;
    return { from, entry, sequence: view.getUint32(at + 4, true), arrival: view.getFloat64(at + 8, true) };
  }

  /** An entry has arrived, or is not wanted. */
  taken(port: number, { from, entry }: Coming): void {
    this.#memory.view.setUint32(this.#lane(from, port) + 4, entry + 1, true);
  }

  /** A copy of a frame that arrives now. @throws Error when the card has given its buffer away: kernels are not as near in time as they must be */
  read({ from, sequence }: Coming): Packet {
    const { u8, view, i32 } = this.#memory;
    const at = this.#buffer(from, sequence);
    if (Atomics.load(i32, at >>> 2) !== ((sequence + 1) | 0))
      throw new Error(`frame ${sequence} of port ${from} is gone before it arrived`);
    const length = Math.min(view.getUint32(at + 4, true), FRAME_MAX);
    return { frame: u8.slice(at + BUFFER_HEADER, at + BUFFER_HEADER + length), id: view.getUint32(at + 8, true) };
  }

  // --- where ---------------------------------------------------------------------------------------------------------------------

  #sent(port: number): number {
    return this.#memory.view.getUint32(this.#registers(port), true);
  }
  #registers(port: number): number {
    return this.#base + port * REGISTER_BYTES;
  }
  #bell(port: number, word: number): number {
    return (this.#registers(port) + BELLS_AT + word * 4) >>> 2;
  }
  #buffer(port: number, sequence: number): number {
    return (this.#buffers[port] as number) + (sequence % slotsOf(port, this.wire)) * BUFFER_BYTES;
  }
  #lane(from: number, to: number): number {
    return (this.#lanes[from] as number) + to * laneBytes(from, this.wire);
  }
  #entry(from: number, lane: number, entry: number): number {
    return lane + LANE_HEADER + (entry % (2 * slotsOf(from, this.wire))) * ENTRY_BYTES;
  }
}
