/**
 * The frame allocator: a buddy allocator over each memory range of the partition (Knuth, TAOCP 1, 2.5), with a reference count
 * per frame.
 *
 * Always holds: every frame is either in exactly one free block or counted (references ≥ 1); free + used = all; a free block of
 * order n starts at a multiple of 2^n frames within its range and its buddy is not a free block of the same order.
 */
import { E, Errno } from '../abi/errno.ts';
import type { MemoryRange } from '../boot/parameters.ts';
import { PAGE_SHIFT, PAGE_SIZE, type Pfn } from '../types.ts';

const MAX_ORDER = 10;
const NONE = -1;
/** Memory changes hands in multiples of this: 1 MiB. */
const BLOCK_FRAMES = 256;

class Zone {
  readonly base: Pfn;
  readonly frames: number;
  readonly node: number;
  free = 0;
  /** References to a used frame; 0 in free blocks. */
  readonly references: Uint16Array;
  /** Order of the free block that starts here, or -1. */
  readonly #order: Int8Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #heads = new Int32Array(MAX_ORDER + 1).fill(NONE);

  /** @param references of each of its frames; left out: none is used */
  constructor(range: MemoryRange, references?: Uint16Array) {
    this.base = range.base >>> PAGE_SHIFT;
    this.frames = range.bytes >>> PAGE_SHIFT;
    this.node = range.node;
    this.references = references ?? new Uint16Array(this.frames);
    this.#order = new Int8Array(this.frames).fill(-1);
    this.#next = new Int32Array(this.frames).fill(NONE);
    this.#previous = new Int32Array(this.frames).fill(NONE);
    for (let at = 0; at < this.frames; ) {
      let end = at;
      while (end < this.frames && this.references[end] === 0) end++;
      this.free += end - at;
      while (at < end) {
        let order = MAX_ORDER;
        while (at % (1 << order) !== 0 || at + (1 << order) > end) order--;
        this.#push(at, order);
        at += 1 << order;
      }
      while (at < this.frames && this.references[at] !== 0) at++;
    }
  }

  /** Frames [from, to) of it, counted from its base, as a zone of their own. */
  part(from: number, to: number): Zone {
    const range = { node: this.node, base: (this.base + from) * PAGE_SIZE, bytes: (to - from) * PAGE_SIZE };
    return new Zone(range, this.references.slice(from, to));
  }

  touches({ node, base, frames }: Zone): boolean {
    return this.node === node && (base + frames === this.base || this.base + this.frames === base);
  }
  /** With what comes right after it. */
  followedBy({ frames, references }: Zone): Zone {
    const all = new Uint16Array(this.frames + frames);
    all.set(this.references);
    all.set(references, this.frames);
    return new Zone({ node: this.node, base: this.base * PAGE_SIZE, bytes: all.length * PAGE_SIZE }, all);
  }

  allocate(order: number): number {
    let from = order;
    while (from <= MAX_ORDER && this.#heads[from] === NONE) from++;
    if (from > MAX_ORDER) return NONE;
    const at = this.#heads[from] as number;
    this.#unlink(at, from);
    while (from > order) {
      from--;
      this.#push(at + (1 << from), from);
    }
    this.free -= 1 << order;
    this.references.fill(1, at, at + (1 << order));
    return at;
  }

  release(start: number): void {
    let at = start;
    let order = 0;
    this.free++;
    while (order < MAX_ORDER) {
      const buddy = at ^ (1 << order);
      if (buddy + (1 << order) > this.frames || this.#order[buddy] !== order) break;
      this.#unlink(buddy, order);
      at = Math.min(at, buddy);
      order++;
    }
    this.#push(at, order);
  }

  #push(at: number, order: number): void {
    const head = this.#heads[order] as number;
    this.#order[at] = order;
    this.#next[at] = head;
    this.#previous[at] = NONE;
    if (head !== NONE) this.#previous[head] = at;
    this.#heads[order] = at;
  }

  #unlink(at: number, order: number): void {
    const next = this.#next[at] as number;
    const previous = this.#previous[at] as number;
    if (previous === NONE) this.#heads[order] = next;
    else this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
    this.#order[at] = -1;
  }
}

export class FrameAllocator {
  #zones: Zone[];
  #preferred = 0;

  /** @param ranges the memory that this kernel may hand out (frame-aligned bytes) */
  constructor(ranges: readonly MemoryRange[]) {
    this.#zones = ranges.map(range => new Zone(range));
  }

  get total(): number {
    return this.#zones.reduce((sum, zone) => sum + zone.frames, 0);
  }

  get free(): number {
    return this.#zones.reduce((sum, zone) => sum + zone.free, 0);
  }

  /** Free and total frames by node. */
  byNode(): { node: number; free: number; total: number }[] {
    return this.#zones.map(zone => ({ node: zone.node, free: zone.free, total: zone.frames }));
  }

  /** Allocations prefer this node from now on (the node of the core that asks). */
  prefer(node: number): void {
    const index = this.#zones.findIndex(zone => zone.node === node);
    this.#preferred = index < 0 ? 0 : index;
  }

  /**
   * 2^order consecutive frames, each with one reference. Contents are whatever was there.
   * @throws Errno ENOMEM
   */
  allocate(order = 0): Pfn {
    const count = this.#zones.length;
    for (let i = 0; i < count; i++) {
      const zone = this.#zones[(this.#preferred + i) % count] as Zone;
      const at = zone.allocate(order);
      if (at !== NONE) return zone.base + at;
    }
    throw new Errno(E.NOMEM);
  }

  // --- memory comes and goes -----------------------------------------------------------------------------------------------------

  /** More memory, all of it free. What lies next to it on its node and it are one from now on. */
  add(range: MemoryRange): void {
    let joined = new Zone(range);
    let place = this.#zones.length;
    for (const [i, zone] of this.#zones.entries()) {
      if (!joined.touches(zone)) continue;
      joined = zone.base < joined.base ? zone.followedBy(joined) : joined.followedBy(zone);
      place = Math.min(place, i);
    }
    const zones = this.#zones.filter(zone => zone.base + zone.frames <= joined.base || zone.base >= joined.base + joined.frames);
    this.#zones = [...zones.slice(0, place), joined, ...zones.slice(place)];
  }

  /**
   * The block of so many bytes in one zone, of a node or of any, with the fewest frames in use, at a multiple of BLOCK from the zone's base; null:
   * there is none.
   */
  leastUsed(bytes: number, node: number | null): MemoryRange | null {
    const frames = bytes >>> PAGE_SHIFT;
    let best: MemoryRange | null = null;
    let least = Number.POSITIVE_INFINITY;
    for (const zone of this.#zones) {
      if (node !== null && zone.node !== node) continue;
      for (let from = 0; from + frames <= zone.frames; from += BLOCK_FRAMES) {
        let used = 0;
        for (let at = from; at < from + frames && used < least; at++) if (zone.references[at] !== 0) used++;
        if (used >= least) continue;
        least = used;
        best = { node: zone.node, base: (zone.base + from) * PAGE_SIZE, bytes };
      }
    }
    return best;
  }

  /** Frames of a range that are in use, ascending. */
  usedIn({ base, bytes }: MemoryRange): Pfn[] {
    return Array.from({ length: bytes >>> PAGE_SHIFT }, (_, i) => (base >>> PAGE_SHIFT) + i).filter(pfn => this.references(pfn) > 0);
  }

  /** Gives a range away. Once nothing new is allocated in it, `vacate` moves what is there; references to it are then forgotten. */
  remove({ base, bytes }: MemoryRange, vacate: () => void): void {
    const first = base >>> PAGE_SHIFT;
    const zone = this.#zoneOf(first);
    if (zone === null) throw new Error(`frame ${first} is not of this kernel`);
    const from = first - zone.base;
    const to = from + (bytes >>> PAGE_SHIFT);
    const parts = [zone.part(0, from), zone.part(to, zone.frames)].filter(part => part.frames > 0);
    this.#zones = this.#zones.flatMap(each => (each === zone ? parts : [each]));
    vacate();
  }

  owns(pfn: Pfn): boolean {
    return this.#zoneOf(pfn) !== null;
  }

  references(pfn: Pfn): number {
    const zone = this.#zoneOf(pfn);
    return zone === null ? 0 : (zone.references[pfn - zone.base] as number);
  }

  retain(pfn: Pfn): void {
    const zone = this.#used(pfn);
    zone.references[pfn - zone.base] = (zone.references[pfn - zone.base] as number) + 1;
  }

  /** Drops one reference; the last one frees the frame. Returns whether it did. */
  release(pfn: Pfn): boolean {
    const zone = this.#used(pfn);
    const left = (zone.references[pfn - zone.base] as number) - 1;
    zone.references[pfn - zone.base] = left;
    if (left === 0) zone.release(pfn - zone.base);
    return left === 0;
  }

  #zoneOf(pfn: Pfn): Zone | null {
    for (const zone of this.#zones) if (pfn >= zone.base && pfn < zone.base + zone.frames) return zone;
    return null;
  }

  #used(pfn: Pfn): Zone {
    const zone = this.#zoneOf(pfn);
    if (zone === null) throw new Error(`frame ${pfn} is not of this kernel`);
    if (zone.references[pfn - zone.base] === 0) throw new Error(`frame ${pfn} is free`);
    return zone;
  }
}
