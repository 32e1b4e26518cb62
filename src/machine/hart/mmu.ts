/**
 * The walk of Sv39 page tables as they lie in physical memory, in user mode, with the accessed and dirty bits set by hardware.
 * A table or a page that would lie below the first byte that guests may have, or beyond the memory, does not exist: page fault. So
 * no page table, however it came to be, can name the hardware's own memory.
 */
import { Access, type AccessKind } from './layout.ts';

const VALID = 1;
const READ = 2;
const WRITE = 4;
const EXECUTE = 8;
const USER = 16;
const ACCESSED = 64;
const DIRTY = 128;
/** High word of an entry: bits 54–63 are reserved (or of extensions that this hart has not). */
const RESERVED_HIGH = 0xffc00000;

export class PageWalker {
  readonly #words: Int32Array;
  readonly #firstFrame: number;
  readonly #frames: number;
  /** Index of the entry that the last walk found, and the page that it was of; −1: none, or one that maps more than a page. */
  #leaf = -1;
  #leafPage = -1;

  constructor(buffer: ArrayBufferLike, lowLimit: number) {
    this.#words = new Int32Array(buffer);
    this.#firstFrame = Math.ceil(lowLimit / 4096);
    this.#frames = Math.floor(buffer.byteLength / 4096);
  }

  /** The frame of the page at the virtual address given as two words, or −1: page fault. */
  frame(root: number, low: number, high: number, access: AccessKind): number {
    const words = this.#words;
    // Canonical: bits 39–63 repeat bit 38.
    if (high >> 6 !== 0 && high >> 6 !== -1) return -1;
    if (!this.#exists(root)) return -1;
    const page0 = (low >>> 12) & 511;
    const page1 = (low >>> 21) & 511;
    const page2 = ((low >>> 30) | (high << 2)) & 511;
    let table = root;
    for (let level = 2; level >= 0; level--) {
      const at = (table * 4096 + (level === 2 ? page2 : level === 1 ? page1 : page0) * 8) / 4;
      const pteLow = words[at] ?? 0;
      const pteHigh = words[at + 1] ?? 0;
      if ((pteLow & VALID) === 0 || (pteHigh & RESERVED_HIGH) !== 0) return -1;
      if ((pteLow & (READ | WRITE)) === WRITE) return -1;
      const target = (pteHigh & 0x3fffff) * 4194304 + (pteLow >>> 10);
      if ((pteLow & (READ | EXECUTE)) === 0) {
        if ((pteLow & (USER | ACCESSED | DIRTY)) !== 0 || level === 0 || !this.#exists(target)) return -1;
        table = target;
        continue;
      }
      const needed = access === Access.Fetch ? EXECUTE : access === Access.Store ? WRITE : READ;
      if ((pteLow & USER) === 0 || (pteLow & needed) === 0) return -1;
      const span = 512 ** level;
      if (target % span !== 0) return -1;
      const frame = target + (level > 0 ? page0 : 0) + (level > 1 ? page1 * 512 : 0);
      if (!this.#exists(frame)) return -1;
      const marks = access === Access.Store ? ACCESSED | DIRTY : ACCESSED;
      if ((pteLow & marks) !== marks) words[at] = pteLow | marks;
      this.#leaf = level === 0 ? at : -1;
      this.#leafPage = pageNumber(low, high);
      return frame;
    }
    return -1;
  }

  /** Whether the last walk, none since `forget`, was of this page, and `continues` can be asked. */
  hasJustWalked(low: number, high: number): boolean {
    return this.#leaf >= 0 && this.#leafPage === pageNumber(low, high);
  }
  forget(): void {
    this.#leaf = -1;
  }
  /**
   * Whether the page so many pages from that of the last walk, which found `frame`, grants the same access to the frame as many frames
   * away, and has the marks of it: then a walk would change nothing.
   */
  continues(frame: number, distance: number, access: 1 | 2): boolean {
    const at = this.#leaf + distance * 2;
    // Beyond the end of the table other pages follow.
    if (at >>> 10 !== this.#leaf >>> 10) return false;
    const flags = access === Access.Store ? VALID | READ | WRITE | USER | ACCESSED | DIRTY : VALID | READ | USER | ACCESSED;
    const low = this.#words[at] ?? 0;
    return (low & flags) === flags && low >>> 10 === frame + distance && this.#words[at + 1] === 0 && this.#exists(frame + distance);
  }

  #exists(frame: number): boolean {
    return frame >= this.#firstFrame && frame < this.#frames;
  }
}

const pageNumber = (low: number, high: number): number => high * 1048576 + (low >>> 12);
