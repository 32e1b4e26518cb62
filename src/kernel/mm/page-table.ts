/**
 * Sv39 page tables in physical memory (RISC-V privileged specification, 4.4).
 *
 *      38        30 29        21 20        12 11          0
 *     ┌────────────┬────────────┬────────────┬─────────────┐
 *     │   VPN[2]   │   VPN[1]   │   VPN[0]   │   offset    │     virtual address (user half: bit 38 is 0)
 *     └────────────┴────────────┴────────────┴─────────────┘
 *      entry: PPN << 10 | RSW(2) | D A G U X W R V
 *
 * Always holds: every table is one frame of the kernel that made it; only 4 KiB leaves are used; the low 32 bits of an entry hold
 * everything but the upper PPN bits, which are zero in a memory of at most 4 GiB (PPN < 2^20, so the entry is below 2^30).
 */
import type { PhysicalMemory } from '../../machine/memory.ts';
import { PAGE_SHIFT, PAGE_SIZE, type Pfn, type VirtAddr } from '../types.ts';
import type { FrameAllocator } from './frames.ts';

export const PTE = {
  V: 1,
  R: 2,
  W: 4,
  X: 8,
  U: 16,
  G: 32,
  A: 64,
  D: 128,
  /** Software: the page is shared and copied when written. */ COW: 256,
} as const;
const FLAGS = 0x3ff;
/** First address past the user half of Sv39. */
export const USER_END = 2 ** 38;

export class PageTable {
  readonly root: Pfn;
  readonly #memory: PhysicalMemory;
  readonly #frames: FrameAllocator;
  /** Frames used for tables, the root included. */
  readonly tables: Pfn[] = [];

  constructor(memory: PhysicalMemory, frames: FrameAllocator) {
    this.#memory = memory;
    this.#frames = frames;
    this.root = this.#newTable();
  }

  /** The entry for a page (0 when there is none). */
  get(address: VirtAddr): number {
    const at = this.#find(address);
    return at < 0 ? 0 : (this.#memory.u32[at] as number);
  }

  /** Sets the leaf entry of a page; makes the tables in between. @throws Errno ENOMEM */
  set(address: VirtAddr, pfn: Pfn, flags: number): void {
    const u32 = this.#memory.u32;
    let table = this.root;
    for (let level = 2; level > 0; level--) {
      const at = this.#slot(table, address, level);
      const entry = u32[at] as number;
      if (entry & PTE.V) {
        table = entry >>> 10;
      } else {
        table = this.#newTable();
        u32[at] = (table << 10) | PTE.V;
        u32[at + 1] = 0;
      }
    }
    const at = this.#slot(table, address, 0);
    u32[at] = (pfn << 10) | (flags & FLAGS);
    u32[at + 1] = 0;
  }

  clear(address: VirtAddr): void {
    const at = this.#find(address);
    if (at >= 0) this.#memory.u32[at] = 0;
  }

  /** Visits the present pages of [start, end) in order. */
  forEach(start: VirtAddr, end: VirtAddr, visit: (address: VirtAddr, pfn: Pfn, flags: number) => void): void {
    this.#walk(this.root, 2, 0, start, end, visit);
  }

  /** Frees the tables (not the pages that they map). */
  destroy(): void {
    for (const table of this.tables) this.#frames.release(table);
    this.tables.length = 0;
  }

  #walk(
    table: Pfn,
    level: number,
    base: number,
    start: number,
    end: number,
    visit: (address: VirtAddr, pfn: Pfn, flags: number) => void,
  ): void {
    const span = PAGE_SIZE * 512 ** level;
    const first = Math.max(0, Math.floor((start - base) / span));
    const last = Math.min(511, Math.ceil((end - base) / span) - 1);
    const at = table * (PAGE_SIZE / 4);
    for (let i = first; i <= last; i++) {
      const entry = this.#memory.u32[at + 2 * i] as number;
      if (!(entry & PTE.V)) continue;
      const address = base + i * span;
      if (level === 0) visit(address, entry >>> 10, entry & FLAGS);
      else this.#walk(entry >>> 10, level - 1, address, start, end, visit);
    }
  }

  #find(address: VirtAddr): number {
    const u32 = this.#memory.u32;
    let table = this.root;
    for (let level = 2; level > 0; level--) {
      const entry = u32[this.#slot(table, address, level)] as number;
      if (!(entry & PTE.V)) return -1;
      table = entry >>> 10;
    }
    return this.#slot(table, address, 0);
  }

  /** Index into the u32 view of the entry for `address` in a table of `level`. */
  #slot(table: Pfn, address: VirtAddr, level: number): number {
    const vpn = Math.floor(address / (PAGE_SIZE * 512 ** level)) % 512;
    return table * (PAGE_SIZE / 4) + 2 * vpn;
  }

  #newTable(): Pfn {
    const pfn = this.#frames.allocate();
    this.#memory.u8.fill(0, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
    this.tables.push(pfn);
    return pfn;
  }
}

export function pageOf(address: VirtAddr): VirtAddr {
  return address - (address % PAGE_SIZE);
}

export function roundUpToPage(length: number): number {
  return Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
}

export function pfnOf(physical: number): Pfn {
  return physical >>> PAGE_SHIFT;
}
