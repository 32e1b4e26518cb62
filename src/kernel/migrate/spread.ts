/**
 * The home's side of an address space whose threads compute on several kernels, and of one that maps memory which processes on other kernels
 * map too: what the process's own threads and system calls do about pages that are elsewhere.
 *
 * Always holds: what stands in `#kept` is the page-table entry of a page that the home may not use; the entry that is in the page table grants
 * no more than the directory does.
 */
import { Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import type { Access, AddressSpace } from '../mm/address-space.ts';
import { AnonymousObject } from '../mm/anonymous-object.ts';
import { PTE, pageOf, USER_END } from '../mm/page-table.ts';
import type { SharedPages, Sharing } from '../mm/sharing.ts';
import { sharedPagesOf } from '../mm/vm-area.ts';
import { type Blocking, PAGE_SIZE, type Pfn, type Pid, sleep, type VirtAddr, WaitQueue } from '../types.ts';
import { Directory } from './directory.ts';
import type { Access as Wanted, Right } from './pages.ts';

export class Spread extends Directory implements Sharing {
  readonly pid: Pid;
  readonly space: AddressSpace;
  /** Entries of pages that the home may not use. */
  readonly #kept = new Map<number, number>();
  readonly #missed = new Map<VirtAddr, Wanted>();
  readonly #late: { readonly address: VirtAddr; readonly bytes: Uint8Array }[] = [];
  /** Woken when late bytes are there. */
  readonly #written = new WaitQueue();

  constructor(kernel: Kernel, pid: Pid, space: AddressSpace) {
    super(kernel);
    this.pid = pid;
    this.space = space;
  }

  // --- the home's own threads and calls ------------------------------------------------------------------------------------------

  /** What keeps this page the same on several kernels besides this space: shared memory, which page of it, and what is needed of that. */
  #shared(page: VirtAddr, access: Wanted): { readonly pages: SharedPages; readonly index: number; readonly wanted: Wanted } | null {
    const area = this.space.areas.find(page);
    const pages = area === null ? null : sharedPagesOf(area);
    // A private mapping has its own copy, or shows what is there, once it has an entry.
    if (area === null || pages === null || (!area.shared && this.space.table.get(page) & PTE.V)) return null;
    return { pages, index: area.backingPage + (page - area.start) / PAGE_SIZE, wanted: area.shared ? access : 'read' };
  }

  mayTouch(page: VirtAddr, access: Wanted): boolean {
    if (this.#late.some(({ address }) => pageOf(address) === page)) return false;
    const shared = this.#shared(page, access);
    if (shared === null) return this.mayUse(page / PAGE_SIZE, access);
    const right = shared.pages.right(shared.index);
    return right === 'write' || right === shared.wanted;
  }

  missed(page: VirtAddr, access: Wanted): void {
    if (this.#missed.get(page) !== 'write') this.#missed.set(page, access);
  }
  forgetMissed(): void {
    this.#missed.clear();
  }
  get hasMissed(): boolean {
    return this.#missed.size > 0;
  }
  get hasLate(): boolean {
    return this.#late.length > 0;
  }

  /** Gets pages for this kernel; they stay until the caller goes on, and a little longer. @throws Errno one is not to be had */
  *fetch(pages: ReadonlyMap<VirtAddr, Wanted>): Blocking<void> {
    const expected = [...pages.keys()].map(page => this.#expect(page));
    try {
      for (const [page, access] of pages) yield* this.#get(page, access);
      yield* this.settled();
    } finally {
      for (const residency of expected) residency?.used();
    }
  }
  *fetchMissed(): Blocking<void> {
    const pages = new Map(this.#missed);
    this.#missed.clear();
    yield* this.fetch(pages);
  }

  #expect(page: VirtAddr): { used(): void } | null {
    const shared = this.#shared(page, 'read');
    return shared === null ? this.expect(page / PAGE_SIZE) : shared.pages.expect(shared.index);
  }
  *#get(page: VirtAddr, access: Wanted): Blocking<void> {
    const shared = this.#shared(page, access);
    if (shared === null) yield* this.acquire(page / PAGE_SIZE, access);
    else yield* shared.pages.acquire(shared.index, shared.wanted);
  }

  writeLater(address: VirtAddr, bytes: Uint8Array): void {
    this.#late.push({ address, bytes });
    if (this.#late.length === 1) this.kernel.spawn(this.#writeLate());
  }
  /** Waits until all that system calls have written is there. */
  *settled(): Blocking<void> {
    while (this.#late.length > 0) yield* sleep([this.#written], { interruptible: false });
  }

  *#writeLate(): Blocking<void> {
    for (let next = this.#late[0]; next !== undefined; next = this.#late[0]) {
      const { address, bytes } = next;
      const expected = this.#expect(pageOf(address));
      try {
        yield* this.#get(pageOf(address), 'write');
        if (!this.ended) this.#put(address, bytes);
      } catch (error) {
        // It is lost, and who touches it hears of it.
        if (!(error instanceof Errno)) throw error;
      }
      expected?.used();
      this.#late.shift();
      this.#written.wakeAll();
    }
  }

  #put(address: VirtAddr, bytes: Uint8Array): void {
    const { memory, processor } = this.kernel;
    const result = this.space.fault(address, 'write');
    // Not there any more: another thread has unmapped it meanwhile.
    if ('signal' in result) return;
    const physical = result.pfn * PAGE_SIZE + (address % PAGE_SIZE);
    memory.u8.set(bytes, physical);
    processor.invalidateFrame(result.pfn);
    processor.storeWhileReserved(null, physical, bytes.length);
  }

  *gatherRange(start: VirtAddr, end: VirtAddr): Blocking<void> {
    yield* this.settled();
    yield* this.gather(Math.floor(start / PAGE_SIZE), Math.ceil(end / PAGE_SIZE));
  }
  /** All pages are this kernel's alone again. */
  gatherAll(): Blocking<void> {
    return this.gatherRange(0, USER_END);
  }

  override end(): void {
    this.#missed.clear();
    super.end();
    this.#written.wakeAll();
  }

  /** Frames of a kernel that is gone get others in their place; nothing is owed for those. */
  replace(isTheirs: (pfn: Pfn) => boolean, copyOf: (pfn: Pfn) => Pfn): void {
    for (const [page, entry] of this.#kept) if (isTheirs(entry >>> 10)) this.#kept.set(page, copyOf(entry >>> 10) * 1024 + (entry & 0x3ff));
    this.forgiveLent(isTheirs);
  }

  // --- what the pages are --------------------------------------------------------------------------------------------------------

  /** What the process itself may not do is refused: the thread comes home and gets its signal there. */
  protected override admit(page: number, access: Access, right: Right): boolean {
    const address = page * PAGE_SIZE;
    if (!this.space.allows(address, access) || !this.maySpread(address)) return false;
    if (right === 'none') return true;
    // The home's own fault makes the page, and a frame of its own if it is to be written.
    if ('signal' in this.space.fault(address, access)) return false;
    if (right === 'read') this.limit(page, 'read');
    return true;
  }

  /** Memory that other processes or files show as well is the process's to touch where it is. */
  maySpread(page: VirtAddr): boolean {
    const area = this.space.areas.find(page);
    if (area === null || !area.shared) return area !== null;
    return area.backing instanceof AnonymousObject && area.backing.references === 1 && area.backing.file === null;
  }

  protected override frameOf(page: number): Pfn {
    return (this.#kept.get(page) ?? this.space.table.get(page * PAGE_SIZE)) >>> 10;
  }
  protected override protectionOf(page: number): number {
    return this.space.areas.find(page * PAGE_SIZE)?.protection ?? 0;
  }
  protected override get owner(): number {
    return this.pid;
  }

  protected override limit(page: number, right: 'read' | 'none'): void {
    const { table } = this.space;
    const address = page * PAGE_SIZE;
    const entry = table.get(address);
    if (right === 'read') {
      table.set(address, entry >>> 10, entry & 0x3ff & ~PTE.W);
    } else {
      this.#kept.set(page, entry);
      table.clear(address);
    }
    this.kernel.mm.tableChanged(table.root);
  }
  /** Not for writing: the fault of who writes sees to that. */
  protected override regain(page: number): void {
    const kept = this.#kept.get(page);
    if (kept === undefined) return;
    this.space.table.set(page * PAGE_SIZE, kept >>> 10, kept & 0x3ff & ~PTE.W);
    this.#kept.delete(page);
  }

  /** A line for each page that is not this kernel's alone, by address. */
  get pagesText(): string {
    return this.text(page => (page * PAGE_SIZE).toString(16).padStart(10, '0'));
  }
}
