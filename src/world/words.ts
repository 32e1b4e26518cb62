/**
 * The words in low memory by which hosts agree on virtual time.
 *
 * Each host has one word: a time before which none of its replicas will do anything, and a version. What makes it safe to run:
 *
 *  - A sender writes the slot, then lowers the receiver's word (atomic minimum; the version changes even if the time does not), and only
 *    then, later, raises its own word beyond the sending time.
 *  - A host raises its own word by compare-and-swap from a value that it read before it looked for messages. If anybody sent meanwhile the
 *    version differs, the swap fails, and the host looks again. So a raised word accounts for all that was in the slots.
 *  - A reader takes all words twice until nothing changed: then there was an instant at which all of them held at once.
 *
 * Always holds: for every kernel of a host, what it does next is not before the host's word, at every instant at which the word can be read.
 */
import type { PhysicalMemory } from '../machine/memory.ts';
import type { Cycles } from '../kernel/types.ts';

const VERSION_BITS = 14n;
const VERSION_MASK = (1n << VERSION_BITS) - 1n;
/** Later than anything: 2^49 - 1 cycles, 71 hours at 2.2 GHz. */
export const NEVER: Cycles = 2 ** 49 - 1;

/** Byte offsets: the epoch that changes with every word, then a word for each host. */
const EPOCH = 0;
const WORDS = 64;

export class HostWords {
  readonly #words: BigInt64Array;
  readonly #epoch: Int32Array;
  readonly count: number;

  constructor(memory: PhysicalMemory, hosts: number) {
    this.#words = memory.i64;
    this.#epoch = memory.i32;
    this.count = hosts;
  }

  get epochs(): Int32Array {
    return this.#epoch;
  }
  get epoch(): number {
    return Atomics.load(this.#epoch, EPOCH);
  }
  static readonly epochIndex = EPOCH;

  load(host: number): bigint {
    return Atomics.load(this.#words, WORDS / 8 + host);
  }
  static time(word: bigint): Cycles {
    return Number(word >> VERSION_BITS);
  }

  /** The host's own: from `seen`, unless it changed meanwhile. Returns the word now there, or null. */
  raise(host: number, seen: bigint, time: Cycles): bigint | null {
    if (HostWords.time(seen) === Math.min(time, NEVER)) return this.load(host) === seen ? seen : null;
    const next = pack(time, seen);
    if (Atomics.compareExchange(this.#words, WORDS / 8 + host, seen, next) !== seen) return null;
    this.#changed();
    return next;
  }

  /** Someone else's: it has got a message that arrives at `time`. */
  lower(host: number, time: Cycles): void {
    for (;;) {
      const seen = this.load(host);
      const next = pack(Math.min(HostWords.time(seen), time), seen);
      if (Atomics.compareExchange(this.#words, WORDS / 8 + host, seen, next) === seen) break;
    }
    this.#changed();
  }

  /** All words as they were at one instant, into `into`. */
  snapshot(into: bigint[]): void {
    for (let host = 0; host < this.count; host++) into[host] = this.load(host);
    for (let same = false; !same; ) {
      same = true;
      for (let host = 0; host < this.count; host++) {
        const now = this.load(host);
        if (now !== into[host]) same = false;
        into[host] = now;
      }
    }
  }

  #changed(): void {
    Atomics.add(this.#epoch, EPOCH, 1);
    Atomics.notify(this.#epoch, EPOCH);
  }
}

function pack(time: Cycles, before: bigint): bigint {
  return (BigInt(Math.min(time, NEVER)) << VERSION_BITS) | ((before + 1n) & VERSION_MASK);
}
