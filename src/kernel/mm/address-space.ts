/**
 * An address space: its areas, its page table, and what happens when they disagree (Linux: mm_struct).
 *
 * Always holds: a present entry lies in an area and grants no more than the area does; a private page that anyone else may also map
 * is not writable and carries PTE.COW; each present entry counts one reference in {@link FrameUse}.
 */
import type { Processor } from '../../machine/hart/hart.ts';
import type { PhysicalMemory } from '../../machine/memory.ts';
import { E, Errno } from '../abi/errno.ts';
import { SI, SIG } from '../abi/signal.ts';
import type { Right } from '../migrate/pages.ts';
import { PAGE_SIZE, type Pfn, type VirtAddr } from '../types.ts';
import { AnonymousObject } from './anonymous-object.ts';
import type { FrameUse } from './frame-use.ts';
import { PageTable, PTE, pageOf, roundUpToPage, USER_END } from './page-table.ts';
import type { Sharing } from './sharing.ts';
import { MAP, PROT, sharedPagesOf, type VmArea, VmAreas, type Backing } from './vm-area.ts';

export type Access = 'read' | 'write' | 'execute';

/** How a fault ended: served, or the signal that the program gets. */
export type FaultResult =
  | { readonly served: 'anonymous' | 'file' | 'copy' | 'none'; readonly pfn: Pfn }
  | { readonly signal: number; readonly code: number };

/** What an address space needs from its kernel. */
export interface MmServices {
  readonly memory: PhysicalMemory;
  readonly frames: FrameUse;
  readonly processor: Processor;
  /** Entries of the table with this root changed: harts that use it must forget them. */
  tableChanged(root: Pfn): void;
  /** Cycles that the work took. */
  charge(work: 'zero' | 'copy' | 'map'): void;
}

/** Top of the area where mmap looks for room, and where programs' stacks end. No address is random: runs repeat. */
export const STACK_TOP = USER_END - 0x10000;
export const MMAP_TOP = USER_END - 0x10000000;
const MMAP_BOTTOM = 0x10000;
const STACK_GUARD_GAP = 256 * PAGE_SIZE;

export class AddressSpace {
  readonly areas = new VmAreas();
  readonly table: PageTable;
  /** Processes that use it (more than one after a vfork or a bare CLONE_VM); the last one to go destroys it. */
  users = 1;
  brkStart: VirtAddr = 0;
  brk: VirtAddr = 0;
  /** Where exec put the strings, for /proc/PID/cmdline and environ. */
  argStart: VirtAddr = 0;
  argEnd: VirtAddr = 0;
  envStart: VirtAddr = 0;
  envEnd: VirtAddr = 0;
  stackStart: VirtAddr = 0;
  codeStart: VirtAddr = 0;
  codeEnd: VirtAddr = 0;
  /** Largest extent of the stack, bytes (RLIMIT_STACK). */
  stackLimit = 8 << 20;
  /** Present pages. */
  resident = 0;
  minorFaults = 0;
  /** Set while threads on other kernels use it. */
  sharing: Sharing | null = null;
  readonly #services: MmServices;

  constructor(services: MmServices) {
    this.#services = services;
    this.table = new PageTable(services.memory, services.frames.own);
  }

  // --- areas -----------------------------------------------------------------------------------------------------------------

  /** Virtual size in bytes. */
  get size(): number {
    return this.areas.list.reduce((sum, area) => sum + (area.end - area.start), 0);
  }

  /**
   * Makes an area, replacing what was there (the caller has decided that this is wanted). Takes over one reference to `backing`.
   */
  insertArea(area: VmArea): void {
    this.unmap(area.start, area.end - area.start);
    this.areas.insert(area);
    this.areas.mergeAround(area.start, area.end);
  }

  /**
   * mmap(2) without the descriptor: finds room, checks, inserts. Takes over one reference to `backing` if it succeeds.
   * @throws Errno EINVAL ENOMEM EEXIST
   */
  map(hint: VirtAddr, length: number, protection: number, flags: number, backing: Backing | null, offset: number): VirtAddr {
    if (!(length > 0) || offset % PAGE_SIZE !== 0 || offset < 0) throw new Errno(E.INVAL);
    const bytes = roundUpToPage(length);
    if (bytes > USER_END) throw new Errno(E.NOMEM);
    const fixed = (flags & (MAP.FIXED | MAP.FIXED_NOREPLACE)) !== 0;
    let start = hint;
    if (fixed) {
      if (hint % PAGE_SIZE !== 0) throw new Errno(E.INVAL);
      if (hint < 0 || hint + bytes > USER_END) throw new Errno(E.NOMEM);
      if (flags & MAP.FIXED_NOREPLACE && this.areas.overlapping(hint, hint + bytes).length > 0) throw new Errno(E.EXIST);
    } else {
      start = pageOf(hint);
      const usable = start >= MMAP_BOTTOM && start + bytes <= MMAP_TOP && this.areas.overlapping(start, start + bytes).length === 0;
      if (!usable) {
        const gap = this.areas.gapBelow(MMAP_TOP, bytes, MMAP_BOTTOM);
        if (gap === null) throw new Errno(E.NOMEM);
        start = gap;
      }
    }
    const shared = (flags & MAP.SHARED) !== 0;
    const object = backing ?? (shared ? new AnonymousObject(this.#services) : null);
    const growsDown = (flags & MAP.GROWSDOWN) !== 0;
    this.insertArea({
      start,
      end: start + bytes,
      protection,
      shared,
      growsDown,
      backing: object,
      backingPage: offset / PAGE_SIZE,
      label: '',
    });
    return start;
  }

  /** munmap(2) for a page-aligned start; holes are fine. */
  unmap(start: VirtAddr, length: number): void {
    const end = start + roundUpToPage(length);
    const hit = this.areas.overlapping(start, end);
    if (hit.length === 0) return;
    this.areas.splitAt(start);
    this.areas.splitAt(end);
    this.dropPages(start, end);
    for (const area of this.areas.overlapping(start, end)) {
      this.areas.remove(area);
      area.backing?.release();
    }
  }

  /** mprotect(2). @throws Errno ENOMEM where a page is in no area */
  protect(start: VirtAddr, length: number, protection: number): void {
    const end = start + roundUpToPage(length);
    let at = start;
    for (const area of this.areas.overlapping(start, end)) {
      if (area.start > at) throw new Errno(E.NOMEM);
      at = area.end;
    }
    if (at < end) throw new Errno(E.NOMEM);
    this.areas.splitAt(start);
    this.areas.splitAt(end);
    for (const area of this.areas.overlapping(start, end)) {
      area.protection = protection;
      this.table.forEach(area.start, area.end, (address, pfn, flags) => {
        const kept = flags & (PTE.COW | PTE.A | PTE.D);
        this.table.set(address, pfn, this.#leafFlags(protection, !(flags & PTE.COW) && this.#right(area, address) === 'write') | kept);
      });
    }
    this.areas.mergeAround(start, end);
    this.#services.tableChanged(this.table.root);
  }

  /** brk(2): the new break, or the old one where it can't move. */
  setBreak(wanted: VirtAddr): VirtAddr {
    if (wanted < this.brkStart || wanted > USER_END) return this.brk;
    const oldEnd = roundUpToPage(this.brk);
    const newEnd = roundUpToPage(wanted);
    if (newEnd < oldEnd) this.unmap(newEnd, oldEnd - newEnd);
    if (newEnd > oldEnd) {
      if (this.areas.overlapping(oldEnd, newEnd).length > 0) return this.brk;
      this.insertArea({
        start: oldEnd,
        end: newEnd,
        protection: PROT.READ | PROT.WRITE,
        shared: false,
        growsDown: false,
        backing: null,
        backingPage: 0,
        label: '[heap]',
      });
    }
    this.brk = wanted;
    return wanted;
  }

  /**
   * mremap(2).
   * @throws Errno EINVAL EFAULT ENOMEM
   */
  remap(oldStart: VirtAddr, oldLength: number, newLength: number, mayMove: boolean, fixedAt: VirtAddr | null): VirtAddr {
    if (oldStart % PAGE_SIZE !== 0 || !(newLength > 0)) throw new Errno(E.INVAL);
    const oldBytes = roundUpToPage(oldLength);
    const newBytes = roundUpToPage(newLength);
    const area = this.areas.find(oldStart);
    if (area === null || oldStart + oldBytes > area.end) throw new Errno(E.FAULT);
    if (fixedAt === null) {
      if (newBytes <= oldBytes) {
        if (newBytes < oldBytes) this.unmap(oldStart + newBytes, oldBytes - newBytes);
        return oldStart;
      }
      const room =
        oldStart + oldBytes === area.end &&
        oldStart + newBytes <= MMAP_TOP &&
        this.areas.overlapping(area.end, oldStart + newBytes).length === 0;
      if (room) {
        area.end = oldStart + newBytes;
        return oldStart;
      }
      if (!mayMove) throw new Errno(E.NOMEM);
    }
    const target = fixedAt ?? this.areas.gapBelow(MMAP_TOP, newBytes, MMAP_BOTTOM);
    if (target === null || target % PAGE_SIZE !== 0 || target + newBytes > USER_END) throw new Errno(fixedAt === null ? E.NOMEM : E.INVAL);
    this.areas.splitAt(oldStart);
    this.areas.splitAt(oldStart + oldBytes);
    const source = this.areas.find(oldStart) as VmArea;
    source.backing?.retain();
    this.insertArea({ ...source, start: target, end: target + newBytes });
    const moved: [VirtAddr, Pfn, number][] = [];
    this.table.forEach(oldStart, oldStart + Math.min(oldBytes, newBytes), (address, pfn, flags) => moved.push([address, pfn, flags]));
    for (const [address, pfn, flags] of moved) {
      this.table.clear(address);
      this.table.set(address - oldStart + target, pfn, flags);
    }
    this.unmap(oldStart, oldBytes);
    this.#services.tableChanged(this.table.root);
    return target;
  }

  /** Forgets the pages of [start, end); private anonymous ones read as zero afterwards. */
  dropPages(start: VirtAddr, end: VirtAddr): void {
    let dropped = 0;
    this.table.forEach(start, end, (address, pfn) => {
      this.table.clear(address);
      this.#services.frames.release(pfn);
      dropped++;
    });
    this.resident -= dropped;
    if (dropped > 0) this.#services.tableChanged(this.table.root);
  }

  // --- pages -----------------------------------------------------------------------------------------------------------------

  /** Makes `address` accessible if its area allows it. Never blocks. */
  fault(address: VirtAddr, access: Access): FaultResult {
    const area = this.areas.find(address) ?? this.#growStack(address);
    if (area === null) return { signal: SIG.SEGV, code: SI.SEGV_MAPERR };
    if (!grants(area, access)) return { signal: SIG.SEGV, code: SI.SEGV_ACCERR };
    const page = pageOf(address);
    const entry = this.table.get(page);
    this.minorFaults++;
    try {
      if (entry & PTE.V) return this.#presentFault(area, page, entry, access);
      return this.#absentFault(area, page, access);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      return error.errno === E.NOMEM ? { signal: SIG.KILL, code: SI.KERNEL } : { signal: SIG.BUS, code: SI.BUS_ADRERR };
    }
  }

  /** Whether an area allows this, whatever page is there. */
  allows(address: VirtAddr, access: Access): boolean {
    const area = this.areas.find(address) ?? this.#growStack(address);
    return area !== null && grants(area, access);
  }

  /** Installs a page that came with a migration: the reference comes with it. */
  installPage(address: VirtAddr, pfn: Pfn, flags: number): void {
    this.table.set(address, pfn, flags);
    this.resident++;
  }

  /**
   * The copy that fork makes: the same areas, private pages shared until one side writes.
   * @throws Errno ENOMEM
   */
  fork(): AddressSpace {
    const child = new AddressSpace(this.#services);
    try {
      for (const area of this.areas.list) {
        area.backing?.retain();
        child.areas.insert({ ...area });
        // What is shared is found again where it is.
        if (area.shared) continue;
        this.table.forEach(area.start, area.end, (address, pfn, flags) => {
          let shared = flags;
          if (flags & PTE.W || flags & PTE.COW) {
            shared = (flags & ~PTE.W) | PTE.COW;
            this.table.set(address, pfn, shared);
          }
          child.table.set(address, pfn, shared);
          this.#services.frames.retain(pfn);
          child.resident++;
        });
      }
    } catch (error) {
      child.destroy();
      throw error;
    } finally {
      this.#services.tableChanged(this.table.root);
    }
    const { brkStart, brk, argStart, argEnd, envStart, envEnd, stackStart, codeStart, codeEnd, stackLimit } = this;
    Object.assign(child, { brkStart, brk, argStart, argEnd, envStart, envEnd, stackStart, codeStart, codeEnd, stackLimit });
    return child;
  }

  /**
   * Makes every private page that is shared with another address space the space's own, so that it can leave the kernel.
   * @throws Errno ENOMEM
   */
  breakCopyOnWrite(): void {
    for (const area of this.areas.list) {
      if (area.shared) continue;
      this.table.forEach(area.start, area.end, (address, pfn, flags) => {
        if (this.#isPageOfFile(area, address, pfn)) return;
        if (this.#services.frames.references(pfn) > 1) {
          this.table.set(address, this.#copy(pfn), this.#leafFlags(area.protection, (area.protection & PROT.WRITE) !== 0) | PTE.A | PTE.D);
          this.#services.frames.release(pfn);
        } else if (flags & PTE.COW) {
          this.table.set(address, pfn, this.#leafFlags(area.protection, (area.protection & PROT.WRITE) !== 0) | PTE.A | PTE.D);
        }
      });
    }
    this.#services.tableChanged(this.table.root);
  }

  /** Releases everything. The object must not be used afterwards. */
  destroy(): void {
    this.sharing?.end();
    for (const area of [...this.areas.list]) {
      this.table.forEach(area.start, area.end, (_address, pfn) => this.#services.frames.release(pfn));
      area.backing?.release();
    }
    this.areas.list.length = 0;
    this.#services.tableChanged(this.table.root);
    this.table.destroy();
    this.resident = 0;
  }

  /** Whether the private page shows its file's content unchanged (and can be had from the file again). */
  isFilePage(area: VmArea, address: VirtAddr, pfn: Pfn): boolean {
    return this.#isPageOfFile(area, address, pfn);
  }

  #isPageOfFile(area: VmArea, address: VirtAddr, pfn: Pfn): boolean {
    if (area.backing === null) return false;
    try {
      const own = area.backing.mapPage(indexOf(area, address), false);
      this.#services.frames.release(own);
      return own === pfn;
    } catch {
      return false;
    }
  }

  #growStack(address: VirtAddr): VmArea | null {
    const above = this.areas.next(address);
    if (above === null || !above.growsDown || above.start <= address) return null;
    const start = pageOf(address);
    if (above.end - start > this.stackLimit) return null;
    const below = this.areas.list[this.areas.list.indexOf(above) - 1];
    if (below !== undefined && below.end + STACK_GUARD_GAP > start) return null;
    above.start = start;
    return above;
  }

  /** What this kernel may do with the page, whatever the area allows. */
  #right(area: VmArea, page: VirtAddr): Right {
    const pages = area.shared ? sharedPagesOf(area) : null;
    return pages === null ? 'write' : pages.right(indexOf(area, page));
  }

  #presentFault(area: VmArea, page: VirtAddr, entry: number, access: Access): FaultResult {
    const pfn = entry >>> 10;
    if (access !== 'write' || entry & PTE.W) {
      // The entry already grants it (another thread was first, or the protection was raised): only the harts need to look again.
      this.table.set(page, pfn, this.#leafFlags(area.protection, (entry & PTE.W) !== 0) | (entry & (PTE.COW | PTE.A | PTE.D)));
      this.#services.tableChanged(this.table.root);
      return { served: 'none', pfn };
    }
    if (area.shared) {
      if (this.#right(area, page) !== 'write') return NOT_HERE;
      this.table.set(page, pfn, this.#leafFlags(area.protection, true) | PTE.A | PTE.D);
      this.#services.tableChanged(this.table.root);
      return { served: 'none', pfn };
    }
    let target = pfn;
    if (this.#services.frames.references(pfn) > 1) {
      target = this.#copy(pfn);
      this.#services.frames.release(pfn);
    }
    this.table.set(page, target, this.#leafFlags(area.protection, true) | PTE.A | PTE.D);
    this.#services.tableChanged(this.table.root);
    return { served: 'copy', pfn: target };
  }

  #absentFault(area: VmArea, page: VirtAddr, access: Access): FaultResult {
    const write = access === 'write';
    if (area.backing === null) {
      const pfn = this.#services.frames.allocate();
      zero(this.#services, pfn);
      this.#install(page, pfn, this.#leafFlags(area.protection, (area.protection & PROT.WRITE) !== 0));
      return { served: 'anonymous', pfn };
    }
    const index = indexOf(area, page);
    const right = sharedPagesOf(area)?.right(index) ?? 'write';
    if (right === 'none' || (area.shared && write && right !== 'write')) return NOT_HERE;
    const pfn = area.backing.mapPage(index, area.shared);
    if (area.shared) {
      this.#install(page, pfn, this.#leafFlags(area.protection, right === 'write'));
    } else if (write) {
      const own = this.#copy(pfn);
      this.#services.frames.release(pfn);
      this.#install(page, own, this.#leafFlags(area.protection, true));
      return { served: 'copy', pfn: own };
    } else {
      this.#install(page, pfn, this.#leafFlags(area.protection, false) | PTE.COW);
    }
    return { served: 'file', pfn };
  }

  #install(page: VirtAddr, pfn: Pfn, flags: number): void {
    this.#services.charge('map');
    try {
      this.table.set(page, pfn, flags | PTE.A | PTE.D);
    } catch (error) {
      this.#services.frames.release(pfn);
      throw error;
    }
    this.resident++;
  }

  #copy(from: Pfn): Pfn {
    const to = this.#services.frames.allocate();
    this.#services.memory.u8.copyWithin(to * PAGE_SIZE, from * PAGE_SIZE, (from + 1) * PAGE_SIZE);
    this.#services.processor.invalidateFrame(to);
    this.#services.charge('copy');
    return to;
  }

  #leafFlags(protection: number, writable: boolean): number {
    // No access at all: present for the books, but not the user's.
    if (protection === 0) return PTE.V | PTE.R;
    let flags: number = PTE.V | PTE.U;
    if (protection & (PROT.READ | PROT.WRITE)) flags |= PTE.R;
    if (protection & PROT.EXEC) flags |= PTE.X;
    if (writable && protection & PROT.WRITE) flags |= PTE.W;
    return flags;
  }
}

const indexOf = (area: VmArea, page: VirtAddr): number => area.backingPage + (page - area.start) / PAGE_SIZE;
/** Another kernel has it. Whoever touches a page of shared memory gets it first, so that nobody sees this but for a page that is lost. */
const NOT_HERE: FaultResult = { signal: SIG.BUS, code: SI.BUS_ADRERR };

/** As on RISC-V, a page that may be written but not read can't be told apart from a readable one by a load. */
function grants({ protection }: VmArea, access: Access): boolean {
  const needed = access === 'write' ? PROT.WRITE : access === 'execute' ? PROT.EXEC : PROT.READ;
  return ((protection & PROT.WRITE ? protection | PROT.READ : protection) & needed) !== 0;
}

/** Fills a fresh frame with zeroes. */
function zero(services: MmServices, pfn: Pfn): void {
  services.memory.u8.fill(0, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
  services.processor.invalidateFrame(pfn);
  services.charge('zero');
}
