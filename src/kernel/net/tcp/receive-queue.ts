/**
 * What has come in: bytes in order that wait to be read, and pieces that came before those they follow.
 *
 * Always holds: pieces out of order do not overlap, lie past the bytes in order, and are bounded in number. Large payloads are kept where
 * they came; small ones are gathered, so that memory held stays near the bytes held whatever the size of segments.
 */
import { TCP } from './limits.ts';
import { after, before, distance, plus } from './sequence.ts';

const GATHER_BELOW = 512;
const GATHER_BYTES = 2048;

export class ReceiveQueue {
  /** Bytes to read. */
  length = 0;
  #chunks: Uint8Array[] = [];
  #head = 0;
  /** Bytes of the first chunk that are read. */
  #offset = 0;
  /** The last chunk's whole buffer, if small payloads are gathered there. */
  #gather: { readonly buffer: Uint8Array; used: number } | null = null;

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.length += bytes.length;
    if (bytes.length >= GATHER_BELOW) {
      this.#gather = null;
      this.#chunks.push(bytes);
      return;
    }
    if (this.#gather && this.#gather.used + bytes.length <= GATHER_BYTES && this.#head < this.#chunks.length) {
      this.#gather.buffer.set(bytes, this.#gather.used);
      this.#gather.used += bytes.length;
      this.#chunks[this.#chunks.length - 1] = this.#gather.buffer.subarray(0, this.#gather.used);
      return;
    }
    // The first small payload after a large one, or after everything was read, is kept as it is: most often it stays alone.
    const alone = this.#head === this.#chunks.length;
    if (alone) {
      this.#gather = null;
      this.#chunks.push(bytes);
      return;
    }
    const buffer = new Uint8Array(GATHER_BYTES);
    buffer.set(bytes);
    this.#gather = { buffer, used: bytes.length };
    this.#chunks.push(buffer.subarray(0, bytes.length));
  }

  /** Moves bytes into `target` (copies them, if `peek`); returns how many. */
  read(target: Uint8Array, peek = false): number {
    let done = 0;
    let head = this.#head;
    let offset = this.#offset;
    while (done < target.length && head < this.#chunks.length) {
      const chunk = this.#chunks[head] as Uint8Array;
      const count = Math.min(chunk.length - offset, target.length - done);
      target.set(chunk.subarray(offset, offset + count), done);
      done += count;
      offset += count;
      if (offset === chunk.length) {
        head++;
        offset = 0;
      }
    }
    if (!peek) this.#consume(done, head, offset);
    return done;
  }

  clear(): void {
    this.#chunks = [];
    this.#head = this.#offset = this.length = 0;
    this.#gather = null;
  }

  #consume(count: number, head: number, offset: number): void {
    this.length -= count;
    this.#head = head;
    this.#offset = offset;
    if (head === this.#chunks.length) {
      this.#chunks = [];
      this.#head = 0;
      this.#gather = null;
    } else if (head >= 64 && head * 2 >= this.#chunks.length) {
      this.#chunks.splice(0, head);
      this.#head = 0;
    }
  }
}

interface Piece {
  readonly seq: number;
  readonly bytes: Uint8Array;
}

/** By sequence number; the first bytes that came for a place are kept. */
export class OutOfOrder {
  readonly #pieces: Piece[] = [];

  get pieces(): number {
    return this.#pieces.length;
  }

  /** Keeps what of `bytes` is not there yet. False: nothing of it could be kept. */
  insert(seq: number, bytes: Uint8Array): boolean {
    const pieces = this.#pieces;
    let at = pieces.length;
    while (at > 0 && after((pieces[at - 1] as Piece).seq, seq)) at--;
    let start = seq;
    const end = plus(seq, bytes.length);
    const previous = pieces[at - 1];
    if (previous) {
      const covered = plus(previous.seq, previous.bytes.length);
      if (after(covered, start)) start = covered;
    }
    let kept = false;
    while (before(start, end)) {
      const next = pieces[at];
      const stop = next && before(next.seq, end) ? next.seq : end;
      if (before(start, stop)) {
        if (pieces.length >= TCP.outOfOrderPieces) return kept;
        pieces.splice(at, 0, { seq: start, bytes: bytes.subarray(distance(start, seq), distance(stop, seq)) });
        at++;
        kept = true;
      }
      if (!next || stop === end) break;
      start = plus(next.seq, next.bytes.length);
      at++;
    }
    return kept;
  }

  /** Takes out the bytes that come at `seq`, without what lies before it; null if there are none yet. */
  take(seq: number): Uint8Array | null {
    for (;;) {
      const first = this.#pieces[0];
      if (!first || after(first.seq, seq)) return null;
      this.#pieces.shift();
      const skip = distance(seq, first.seq);
      if (skip < first.bytes.length) return first.bytes.subarray(skip);
    }
  }

  clear(): void {
    this.#pieces.length = 0;
  }
}
