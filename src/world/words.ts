/**
 * The words in low memory by which hosts agree on virtual time.
 *
 *     4   i32  cut      the face would like the present stretch to end soon
 *     8   i64  limit    how far virtual time may run (exclusive, a multiple of CELL)
 *     64 + 64·h   i64   the word of host h: a time in GRAINs, and a version in the low bits
 *          + 8    i32   its bell: changes when there may be something to do for it; it sleeps on that
 *          + 12   i32   1 while it sleeps or is about to
 *
 * A host's word says: nothing that any kernel of this host does from now on is before this time. What makes it safe to run by it:
 *
 *  1. A sender writes the slot, then lowers the receiver's word (atomic minimum; the version changes even if the time does not), and only
 *     then, later, raises its own word beyond the time at which it sent.
 *  2. A host raises its own word by compare-and-swap from a value that it read before it looked for messages. If anybody sent meanwhile,
 *     the version differs, the swap fails, and the host looks again. So a raised word accounts for all that was in the slots. The
 *     version can't come round in between: each change of it by others takes a slot or an input, the host itself is what frees slots,
 *     and all lanes of the largest plan have 64 · 63 · LANE_SLOTS = 129,024 of them, the rings of packets 63 · 2 · 256 = 32,256 and the
 *     network card's ports 64 · 32 + 1024 buffers, for each of which two messages may go out: together 167,424, fewer than
 *     2^VERSION_BITS. (A frame in the card or on the cable lowers the words of all hosts, also of those that won't free its
 *     slot; but as long as one of these does not rise, time goes on by the least latency at most, in which only so many can be sent.)
 *  3. A reader takes all words again and again until none has changed: then there was an instant at which all of them held at once.
 *     (Read one by one they lie: h idle when its word is read, then lowered by g, then g raised before g's word is read.)
 *  4. Messages from before that instant are in the slots, and the reader's own word has another version than the one that it knew: so it
 *     looks into the slots before it runs by what it read. Messages from after it come from what the words account for.
 *
 * The limit: raised by the face alone, while the world is at rest, after all inputs for the next stretch have been taken. A host lowers it
 * (atomic minimum) when the stretch is to end: `Host` says why no kernel can be beyond what it chooses. It is read after the words.
 *
 * Sleeping: a host reads its bell, says that it is about to sleep, looks at all words once more, and then sleeps if the bell has not changed
 * since. Whoever raises its own word then looks who sleeps, and rings for those whose next work that might let through. A message alone
 * rings nobody: the receiver can't act on it before the sender's word rises, and that rings.
 *
 * Always holds: at every instant, whatever a kernel does next is not before the time in its host's word.
 */
import type { PhysicalMemory } from '../machine/memory.ts';
import type { Cycles } from '../kernel/types.ts';

const VERSION_BITS = 18n;
const VERSION_MASK = (1n << VERSION_BITS) - 1n;
/** Times in words are rounded down to this many cycles. */
const GRAIN = 64;
const GRAINS_MAX = 2 ** 45 - 1;
/** Later than anything: 2^51 cycles, twelve days at 2.2 GHz. */
export const NEVER: Cycles = GRAINS_MAX * GRAIN;

const CUT = 1;
const LIMIT = 1;
/** In words of 64 bits: where the hosts' begin, and how far they are from each other (a cache line). */
const WORDS = 8;
const STRIDE = 8;
/** In words of 32 bits, from a host's beginning. */
const BELL = 2;
const ASLEEP = 3;

export class HostWords {
  readonly count: number;
  readonly #words: BigInt64Array;
  readonly #flags: Int32Array;

  constructor(memory: PhysicalMemory, hosts: number) {
    this.#words = memory.i64;
    this.#flags = memory.i32;
    this.count = hosts;
  }

  // --- the hosts' words --------------------------------------------------------------------------------------------------------

  load(host: number): bigint {
    return Atomics.load(this.#words, WORDS + STRIDE * host);
  }
  static time(word: bigint): Cycles {
    return Number(word >> VERSION_BITS) * GRAIN;
  }

  /** The host's own: from `seen`, unless it changed meanwhile. Returns the word now there, or null. */
  raise(host: number, seen: bigint, time: Cycles): bigint | null {
    if (HostWords.time(seen) === floored(time)) return this.load(host) === seen ? seen : null;
    const next = pack(time, seen);
    if (Atomics.compareExchange(this.#words, WORDS + STRIDE * host, seen, next) !== seen) return null;
    return next;
  }

  /** Someone else's: it has got a message that arrives at `time`. */
  lower(host: number, time: Cycles): void {
    for (;;) {
      const seen = this.load(host);
      const next = pack(Math.min(HostWords.time(seen), time), seen);
      if (Atomics.compareExchange(this.#words, WORDS + STRIDE * host, seen, next) === seen) return;
    }
  }

  /** All words as they were at one instant, into `into`. */
  snapshot(into: bigint[]): void {
    for (let host = 0; host < this.count; host++) into[host] = this.load(host);
    for (let same = this.count === 1; !same; ) {
      same = true;
      for (let host = 0; host < this.count; host++) {
        const now = this.load(host);
        if (now !== into[host]) same = false;
        into[host] = now;
      }
    }
  }

  // --- the limit ---------------------------------------------------------------------------------------------------------------

  get limit(): Cycles {
    return Number(Atomics.load(this.#words, LIMIT));
  }
  /** The face's (or a lone host's), while the world is at rest. */
  startStretch(limit: Cycles): void {
    Atomics.store(this.#flags, CUT, 0);
    Atomics.store(this.#words, LIMIT, BigInt(limit));
    this.ringAll(-1);
  }
  /** A host's: the stretch ends at `time` if it does not end before. */
  lowerLimit(time: Cycles): void {
    const wanted = BigInt(time);
    for (;;) {
      const seen = Atomics.load(this.#words, LIMIT);
      if (seen <= wanted || Atomics.compareExchange(this.#words, LIMIT, seen, wanted) === seen) return;
    }
  }
  requestCut(): void {
    Atomics.store(this.#flags, CUT, 1);
  }
  get cutRequested(): boolean {
    return Atomics.load(this.#flags, CUT) !== 0;
  }

  // --- sleeping ----------------------------------------------------------------------------------------------------------------

  get bells(): Int32Array {
    return this.#flags;
  }
  /** Where in `bells` a host's bell is. */
  bellIndex(host: number): number {
    return 2 * (WORDS + STRIDE * host) + BELL;
  }
  bell(host: number): number {
    return Atomics.load(this.#flags, this.bellIndex(host));
  }
  setAsleep(host: number, asleep: boolean): void {
    Atomics.store(this.#flags, 2 * (WORDS + STRIDE * host) + ASLEEP, asleep ? 1 : 0);
  }
  /** Wakes the others that have something to do before `time`. */
  ringBefore(time: Cycles, self: number): void {
    for (let host = 0; host < this.count; host++) {
      if (host !== self && Atomics.load(this.#flags, 2 * (WORDS + STRIDE * host) + ASLEEP) !== 0 && HostWords.time(this.load(host)) < time)
        this.#ring(host);
    }
  }
  ringAll(self: number): void {
    for (let host = 0; host < this.count; host++) if (host !== self) this.#ring(host);
  }
  #ring(host: number): void {
    Atomics.add(this.#flags, this.bellIndex(host), 1);
    Atomics.notify(this.#flags, this.bellIndex(host));
  }
}

const floored = (time: Cycles): Cycles => Math.floor(Math.min(time, NEVER) / GRAIN) * GRAIN;

function pack(time: Cycles, before: bigint): bigint {
  return (BigInt(Math.floor(Math.min(time, NEVER) / GRAIN)) << VERSION_BITS) | ((before + 1n) & VERSION_MASK);
}
