/**
 * The ranges beside a hart's TLBs for data (layout.ts), as the slow ways keep them. Translated code copies one into locals and then needs
 * no TLB for as long as it stays inside.
 *
 * Always holds: each page of a range has been granted, for this kind of access, since the TLB was last flushed; ranges of one kind that
 * adjoin in both memories are one.
 */
import { PAGE_SIZE, RANGE_BYTES, RANGE_REST, RANGES } from './layout.ts';

export class Ranges {
  readonly #i32: Int32Array;
  readonly #first: number;

  /** @param base address of the first */
  constructor(i32: Int32Array, base: number) {
    this.#i32 = i32;
    this.#first = base >>> 2;
  }

  clear(): void {
    this.#i32.fill(0, this.#first, this.#first + (RANGES * RANGE_BYTES) / 4);
  }

  /** A page has been granted. */
  add(page: number, delta: number): void {
    let least = 0;
    for (let i = 0; i < RANGES; i++) {
      const bytes = this.#bytes(i);
      if (bytes > 0 && this.#delta(i) === delta) {
        const start = this.#start(i);
        if (page >= start && page < start + bytes) return;
        if (page === start + bytes || page + PAGE_SIZE === start) {
          this.#set(i, Math.min(page, start), bytes + PAGE_SIZE, delta);
          this.#join(i);
          return;
        }
      }
      if (bytes < this.#bytes(least)) least = i;
    }
    this.#set(least, page, PAGE_SIZE, delta);
  }

  /** A page, by its virtual address, is granted no more. */
  dropPage(page: number): void {
    for (let i = 0; i < RANGES; i++) {
      const from = page - this.#start(i);
      if (from >= 0 && from < this.#bytes(i)) this.#set(i, 0, 0, 0);
    }
  }
  dropFrame(frame: number): void {
    for (let i = 0; i < RANGES; i++) {
      const from = frame * PAGE_SIZE - ((this.#start(i) + this.#delta(i)) >>> 0);
      if (from >= 0 && from < this.#bytes(i)) this.#set(i, 0, 0, 0);
    }
  }

  /** A range that has grown may now touch another. */
  #join(grown: number): void {
    for (let i = 0; i < RANGES; i++) {
      const [bytes, more] = [this.#bytes(grown), this.#bytes(i)];
      if (i === grown || more === 0 || this.#delta(i) !== this.#delta(grown)) continue;
      const [start, other] = [this.#start(grown), this.#start(i)];
      if (start + bytes !== other && other + more !== start) continue;
      this.#set(grown, Math.min(start, other), bytes + more, this.#delta(grown));
      this.#set(i, 0, 0, 0);
    }
  }

  #at(i: number): number {
    return this.#first + (i * RANGE_BYTES) / 4;
  }
  #start(i: number): number {
    const at = this.#at(i);
    return (this.#i32[at + 1] ?? 0) * 4294967296 + ((this.#i32[at] ?? 0) >>> 0);
  }
  #bytes(i: number): number {
    const at = this.#at(i) + 2;
    const room = (this.#i32[at + 1] ?? 0) * 4294967296 + ((this.#i32[at] ?? 0) >>> 0);
    return room === 0 ? 0 : room + RANGE_REST;
  }
  #delta(i: number): number {
    return this.#i32[this.#at(i) + 4] ?? 0;
  }
  #set(i: number, start: number, bytes: number, delta: number): void {
    const room = bytes === 0 ? 0 : bytes - RANGE_REST;
    const at = this.#at(i);
    this.#i32[at] = start | 0;
    this.#i32[at + 1] = Math.floor(start / 4294967296);
    this.#i32[at + 2] = room | 0;
    this.#i32[at + 3] = Math.floor(room / 4294967296);
    this.#i32[at + 4] = delta;
  }
}
