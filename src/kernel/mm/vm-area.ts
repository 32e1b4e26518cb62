/** One area of an address space: a range of pages with one protection and one backing (Linux: vm_area_struct). */
import type { Pfn, VirtAddr } from '../types.ts';
import type { SharedPages } from './sharing.ts';

export const PROT = { READ: 1, WRITE: 2, EXEC: 4 } as const;
export const MAP = {
  SHARED: 1,
  PRIVATE: 2,
  SHARED_VALIDATE: 3,
  FIXED: 0x10,
  ANONYMOUS: 0x20,
  GROWSDOWN: 0x100,
  NORESERVE: 0x4000,
  POPULATE: 0x8000,
  STACK: 0x20000,
  FIXED_NOREPLACE: 0x100000,
} as const;

/** What can stand behind an area: an open file, or the anonymous object of a shared mapping. */
export interface Backing {
  retain(): void;
  release(): void;
  /**
   * The frame that holds page `index`, with one reference for the caller. Never blocks: what has to be fetched was fetched when
   * the area was made.
   * @param shared its owner may show it to others only as a copy from now on
   * @throws Errno ENXIO past the end, ENOMEM
   */
  mapPage(index: number, forWrite: boolean): Pfn;
  /** Path for /proc/PID/maps; empty for anonymous memory. */
  readonly path: string;
  /** Who is to be asked about its pages; null while they are this kernel's alone. */
  readonly sharedPages: SharedPages | null;
}

export const sharedPagesOf = ({ backing }: VmArea): SharedPages | null => backing?.sharedPages ?? null;

export interface VmArea {
  start: VirtAddr;
  /** Exclusive. */
  end: VirtAddr;
  /** PROT bits. */
  protection: number;
  shared: boolean;
  growsDown: boolean;
  backing: Backing | null;
  /** Page index within the backing of the area's first page. */
  backingPage: number;
  /** For maps: `[heap]`, `[stack]`, `[vdso]`, or empty. */
  label: string;
}

/** Areas in address order. Always holds: no two overlap, none is empty. */
export class VmAreas {
  readonly list: VmArea[] = [];

  find(address: VirtAddr): VmArea | null {
    const index = this.#firstEndingAfter(address);
    const area = this.list[index];
    return area !== undefined && area.start <= address ? area : null;
  }

  /** The first area that ends after `address`. */
  next(address: VirtAddr): VmArea | null {
    return this.list[this.#firstEndingAfter(address)] ?? null;
  }

  overlapping(start: VirtAddr, end: VirtAddr): VmArea[] {
    const found: VmArea[] = [];
    for (let i = this.#firstEndingAfter(start); i < this.list.length; i++) {
      const area = this.list[i] as VmArea;
      if (area.start >= end) break;
      found.push(area);
    }
    return found;
  }

  insert(area: VmArea): void {
    this.list.splice(this.#firstEndingAfter(area.start), 0, area);
  }

  remove(area: VmArea): void {
    this.list.splice(this.list.indexOf(area), 1);
  }

  /** Cuts areas at `address` so that none crosses it. */
  splitAt(address: VirtAddr): void {
    const area = this.find(address);
    if (area === null || area.start === address) return;
    const upper: VmArea = { ...area, start: address, backingPage: area.backingPage + (address - area.start) / 4096 };
    area.end = address;
    upper.backing?.retain();
    this.insert(upper);
  }

  /** Joins neighbours that differ in nothing but their place. */
  mergeAround(start: VirtAddr, end: VirtAddr): void {
    for (let i = Math.max(1, this.#firstEndingAfter(start - 1)); i < this.list.length; ) {
      const lower = this.list[i - 1] as VmArea;
      const upper = this.list[i] as VmArea;
      if (lower.start > end) break;
      if (mergeable(lower, upper)) {
        lower.end = upper.end;
        upper.backing?.release();
        this.list.splice(i, 1);
      } else {
        i++;
      }
    }
  }

  /** Highest gap of `length` bytes that ends at or below `top`, or null. */
  gapBelow(top: VirtAddr, length: number, bottom: VirtAddr): VirtAddr | null {
    let ceiling = top;
    for (let i = this.list.length - 1; i >= 0; i--) {
      const area = this.list[i] as VmArea;
      if (area.start >= top) continue;
      if (area.end + length <= ceiling) return ceiling - length;
      ceiling = Math.min(ceiling, area.start);
    }
    return ceiling - length >= bottom ? ceiling - length : null;
  }

  #firstEndingAfter(address: VirtAddr): number {
    let low = 0;
    let high = this.list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.list[middle] as VmArea).end <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function mergeable(a: VmArea, b: VmArea): boolean {
  return (
    a.end === b.start &&
    a.protection === b.protection &&
    a.shared === b.shared &&
    a.growsDown === b.growsDown &&
    a.label === b.label &&
    a.backing === b.backing &&
    (a.backing === null || a.backingPage + (a.end - a.start) / 4096 === b.backingPage)
  );
}
