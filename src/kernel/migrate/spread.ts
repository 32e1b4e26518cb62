/**
 * The home's side of an address space whose threads compute on several kernels: the directory of its pages (pages.ts says who gets one when), and
 * what the home's own threads and system calls do about pages that are elsewhere.
 *
 * Always holds: a page without an entry here is the home's alone, and its page-table entry is as the address space has made it. While there is
 * an entry, the home's page-table entry grants what the directory grants the home: none when that is nothing, and no writing when others may
 * read. The home keeps the frame all the same: what is written elsewhere comes back into it. Content that is on its way to a member is in a
 * frame that is not written, nor free, until the member has said that it has it.
 */
import { E, Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import type { Access, AddressSpace } from '../mm/address-space.ts';
import { AnonymousObject } from '../mm/anonymous-object.ts';
import { PTE, pageOf } from '../mm/page-table.ts';
import type { Sharing } from '../mm/sharing.ts';
import { TraceKind } from '../trace.ts';
import { type Blocking, type KernelId, PAGE_SIZE, type Pfn, type Pid, sleep, type VirtAddr, WaitQueue } from '../types.ts';
import { atHome, type DirectoryPage, type HomeAction, type HomeEvent, heldBy, type Access as Right, rightOf } from './pages.ts';
import { Residency } from './residency.ts';

interface HomePage {
  state: DirectoryPage;
  /** The page-table entry, while the home may not use it; 0 while it may. */
  kept: number;
  /** The home has asked for it and not yet got it. */
  asked: boolean;
  /** Frame that a member copies from; 0 for none. */
  lent: Pfn;
  readonly queue: WaitQueue;
  readonly residency: Residency;
}

/** Rights and accesses in messages. */
export const RIGHT = { none: 0, read: 1, write: 2, execute: 3 } as const;

export class Spread implements Sharing {
  readonly group: number;
  readonly pid: Pid;
  readonly space: AddressSpace;
  /** Kernels that have an outpost of it. */
  readonly members = new Set<KernelId>();
  ended = false;
  readonly #kernel: Kernel;
  readonly #pages = new Map<VirtAddr, HomePage>();
  readonly #missed = new Map<VirtAddr, Right>();
  readonly #late: { readonly address: VirtAddr; readonly bytes: Uint8Array }[] = [];
  /** Requests that came while pages were being gathered; null when none are. */
  #deferred: (() => void)[] | null = null;
  /** Woken when late bytes are there, or a gathering is over. */
  readonly #changed = new WaitQueue();

  readonly #onEnd: () => void;

  /** @param onEnd called when it has ended */
  constructor(kernel: Kernel, group: number, pid: Pid, space: AddressSpace, onEnd: () => void) {
    this.#kernel = kernel;
    this.group = group;
    this.pid = pid;
    this.space = space;
    this.#onEnd = onEnd;
  }

  // --- the home's own threads and calls ------------------------------------------------------------------------------------------

  mayTouch(page: VirtAddr, access: Right): boolean {
    if (this.#late.some(({ address }) => pageOf(address) === page)) return false;
    const entry = this.#pages.get(page);
    if (entry === undefined) return true;
    const right = rightOf(entry.state, this.#kernel.id);
    return right === 'write' || right === access;
  }

  missed(page: VirtAddr, access: Right): void {
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

  /** Gets pages for the home; they stay until the caller goes on, and a little longer. */
  *fetch(pages: ReadonlyMap<VirtAddr, Right>): Blocking<void> {
    const expected = [...pages.keys()].map(page => this.#pages.get(page)?.residency);
    for (const residency of expected) residency?.expect();
    try {
      for (const [page, access] of pages) yield* this.#acquire(page, access);
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

  writeLater(address: VirtAddr, bytes: Uint8Array): void {
    this.#late.push({ address, bytes });
    if (this.#late.length === 1) this.#kernel.spawn(this.#writeLate());
  }
  /** Waits until all that system calls have written is there. */
  *settled(): Blocking<void> {
    while (this.#late.length > 0) yield* sleep([this.#changed], { interruptible: false });
  }

  *#writeLate(): Blocking<void> {
    for (let next = this.#late[0]; next !== undefined; next = this.#late[0]) {
      const { address, bytes } = next;
      const residency = this.#pages.get(pageOf(address))?.residency;
      residency?.expect();
      yield* this.#acquire(pageOf(address), 'write');
      if (!this.ended) this.#put(address, bytes);
      residency?.used();
      this.#late.shift();
      this.#changed.wakeAll();
    }
  }

  #put(address: VirtAddr, bytes: Uint8Array): void {
    const { memory, processor } = this.#kernel;
    const result = this.space.fault(address, 'write');
    // Not there any more: another thread has unmapped it meanwhile.
    if ('signal' in result) return;
    const physical = result.pfn * PAGE_SIZE + (address % PAGE_SIZE);
    memory.u8.set(bytes, physical);
    processor.invalidateFrame(result.pfn);
    processor.storeWhileReserved(null, physical, bytes.length);
  }

  /** Returns when the home may do this with the page; what comes at once afterwards it may. */
  *#acquire(page: VirtAddr, access: Right): Blocking<void> {
    for (;;) {
      const entry = this.#pages.get(page);
      if (this.ended || entry === undefined) return;
      const right = rightOf(entry.state, this.#kernel.id);
      if (right === 'write' || right === access) return;
      if (entry.state.lost) throw new Errno(E.IO);
      if (this.#deferred !== null) yield* sleep([this.#changed], { interruptible: false });
      else if (!entry.asked) this.#ask(page, entry, access);
      else yield* sleep([entry.queue], { interruptible: false });
    }
  }

  #ask(page: VirtAddr, entry: HomePage, access: Right): void {
    entry.asked = true;
    this.#feed(page, entry, { kind: 'request', from: this.#kernel.id, access });
    entry.residency.check();
  }

  // --- changes of the address space ----------------------------------------------------------------------------------------------

  *gather(start: VirtAddr, end: VirtAddr): Blocking<void> {
    yield* this.settled();
    while (this.#deferred !== null) yield* sleep([this.#changed], { interruptible: false });
    const within = [...this.#pages.keys()].filter(page => page >= start && page < end);
    if (this.ended || within.length === 0) return;
    const deferred: (() => void)[] = [];
    this.#deferred = deferred;
    try {
      for (const page of within) {
        for (let entry = this.#pages.get(page); entry !== undefined && !this.ended; entry = this.#pages.get(page)) {
          if (entry.state.lost) throw new Errno(E.IO);
          if (!entry.asked && rightOf(entry.state, this.#kernel.id) !== 'write') this.#ask(page, entry, 'write');
          else yield* sleep([entry.queue], { interruptible: false });
        }
      }
    } finally {
      // The caller does its work first.
      this.#kernel.at(this.#kernel.now, () => {
        this.#deferred = null;
        for (const request of deferred) request();
        this.#changed.wakeAll();
      });
    }
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    for (const [page, entry] of this.#pages) {
      if (entry.kept !== 0) this.#restore(page, entry);
      entry.queue.wakeAll();
    }
    this.#missed.clear();
    this.#changed.wakeAll();
    for (const member of this.members)
      if (this.#kernel.isPeer(member)) this.#kernel.messages.send(member, M.OUTPOST_END, { group: this.group });
    this.#onEnd();
  }

  /** Frames of a kernel that is gone get others in their place; nothing is owed for those. */
  replace(isTheirs: (pfn: Pfn) => boolean, copyOf: (pfn: Pfn) => Pfn): void {
    for (const entry of this.#pages.values()) {
      if (isTheirs(entry.kept >>> 10)) entry.kept = copyOf(entry.kept >>> 10) * 1024 + (entry.kept & 0x3ff);
      if (isTheirs(entry.lent)) entry.lent = 0;
    }
  }

  // --- members -------------------------------------------------------------------------------------------------------------------

  /** A member asks for a page. What the process itself may not do is refused: the thread comes home and gets its signal there. */
  request(from: KernelId, page: VirtAddr, access: Access): void {
    if (this.#deferred !== null) {
      this.#deferred.push(() => this.request(from, page, access));
      return;
    }
    if (this.ended) return;
    const home = this.#kernel.id;
    const wanted: Right = access === 'write' ? 'write' : 'read';
    let entry = this.#pages.get(page);
    if (!this.space.allows(page, access) || !this.maySpread(page)) {
      this.#refuse(from, page);
      return;
    }
    if (entry === undefined || rightOf(entry.state, home) !== 'none') {
      // The home's own fault makes the page, and a frame of its own if it is to be written.
      const result = this.space.fault(page, access);
      if ('signal' in result) {
        this.#refuse(from, page);
        return;
      }
      if (entry !== undefined && rightOf(entry.state, home) === 'read') this.#forbidWriting(page);
    }
    if (entry === undefined) {
      const residency: Residency = new Residency(this.#kernel, () => this.#pages.get(page)?.asked === true);
      entry = { state: heldBy(home), kept: 0, asked: false, lent: 0, queue: new WaitQueue(), residency };
      this.#pages.set(page, entry);
    }
    this.#feed(page, entry, { kind: 'request', from, access: wanted });
  }

  /** Memory that other processes or files show as well is the home's to touch. */
  maySpread(page: VirtAddr): boolean {
    const area = this.space.areas.find(page);
    if (area === null || !area.shared) return area !== null;
    return area.backing instanceof AnonymousObject && area.backing.references === 1;
  }

  /** A member has given up a page. @param pfn its frame with what it has written; 0: it has written nothing */
  taken(from: KernelId, page: VirtAddr, pfn: Pfn): void {
    const entry = this.#pages.get(page);
    if (entry === undefined || this.ended) return;
    if (pfn !== 0) {
      const { memory, processor } = this.#kernel;
      const own = entry.kept >>> 10;
      memory.u8.copyWithin(own * PAGE_SIZE, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
      processor.invalidateFrame(own);
      processor.storeWhileReserved(null, own * PAGE_SIZE, PAGE_SIZE);
      this.#kernel.charge(this.#kernel.cost('pageCopy'));
      // With nothing left there, it waits to hear that its frame is free.
      if (entry.state.serving?.access === 'write') this.#kernel.messages.send(from, M.PAGE_COPIED, { group: this.group, pfn });
    }
    this.#feed(page, entry, { kind: 'taken', from });
  }

  granted(from: KernelId, page: VirtAddr): void {
    const entry = this.#pages.get(page);
    if (entry === undefined) return;
    this.#giveBack(entry);
    if (!this.ended) this.#feed(page, entry, { kind: 'granted', from });
  }

  /** Whether a member may still copy from a frame of this kernel. */
  get isLending(): boolean {
    return [...this.#pages.values()].some(({ lent }) => lent !== 0);
  }

  /** A member is no more. Returns whether pages went with it. */
  memberGone(member: KernelId): boolean {
    this.members.delete(member);
    let lost = false;
    for (const [page, entry] of [...this.#pages]) {
      if (entry.state.serving?.from === member) this.#giveBack(entry);
      if (!this.ended) this.#feed(page, entry, { kind: 'gone', from: member });
      lost ||= entry.state.lost;
    }
    return lost;
  }

  // --- the directory -------------------------------------------------------------------------------------------------------------

  #feed(page: VirtAddr, entry: HomePage, event: HomeEvent): void {
    const step = atHome(entry.state, this.#kernel.id, event);
    const changed = step.page.holders !== entry.state.holders;
    entry.state = step.page;
    for (const action of step.actions) this.#perform(page, entry, action);
    if (changed) this.#trace(page, step.page);
    entry.queue.wakeAll();
    const { serving, waiting, holders, lost } = entry.state;
    const alone = holders.length === 1 && rightOf(entry.state, this.#kernel.id) === 'write';
    if (alone && serving === null && waiting.length === 0 && !lost && this.#pages.get(page) === entry) this.#pages.delete(page);
  }

  #perform(page: VirtAddr, entry: HomePage, action: HomeAction): void {
    const kernel = this.#kernel;
    const { group } = this;
    const number = page / PAGE_SIZE;
    switch (action.kind) {
      case 'take':
        if (action.to !== kernel.id) {
          kernel.messages.send(action.to, M.PAGE_TAKE, { group, page: number, leave: RIGHT[action.leave] });
          return;
        }
        entry.residency.release(() => {
          if (this.ended) return;
          if (action.leave === 'read') this.#forbidWriting(page);
          else this.#keep(page, entry);
          this.#feed(page, entry, { kind: 'taken', from: kernel.id });
        });
        return;
      case 'grant': {
        if (action.to === kernel.id) {
          entry.asked = false;
          if (entry.kept !== 0) this.#restore(page, entry);
          this.#feed(page, entry, { kind: 'granted', from: kernel.id });
          return;
        }
        const pfn = (entry.kept === 0 ? this.space.table.get(page) : entry.kept) >>> 10;
        if (action.content) {
          kernel.frames.retain(pfn);
          entry.lent = pfn;
        }
        // The home may read what comes back for others to read (see `atHand` there).
        if (action.access === 'read' && entry.kept !== 0) this.#restore(page, entry);
        kernel.messages.send(action.to, M.PAGE_GRANT, {
          group,
          page: number,
          right: RIGHT[action.access],
          protection: this.space.areas.find(page)?.protection ?? 0,
          pfn: action.content ? pfn : 0,
        });
        return;
      }
      case 'refuse':
        if (action.to === kernel.id) entry.asked = false;
        else this.#refuse(action.to, page);
    }
  }

  #refuse(to: KernelId, page: VirtAddr): void {
    this.#kernel.messages.send(to, M.PAGE_GRANT, { group: this.group, page: page / PAGE_SIZE, right: RIGHT.none, protection: 0, pfn: 0 });
  }

  /** A frame that a member has copied from is the home's alone again. */
  #giveBack(entry: HomePage): void {
    if (entry.lent === 0) return;
    this.#kernel.frames.release(entry.lent);
    entry.lent = 0;
  }

  #forbidWriting(page: VirtAddr): void {
    const { table } = this.space;
    const entry = table.get(page);
    table.set(page, entry >>> 10, entry & 0x3ff & ~PTE.W);
    this.#kernel.mm.tableChanged(table.root);
  }
  #keep(page: VirtAddr, entry: HomePage): void {
    const { table } = this.space;
    entry.kept = table.get(page);
    table.clear(page);
    this.#kernel.mm.tableChanged(table.root);
  }
  /** Not for writing: the fault of who writes sees to that. */
  #restore(page: VirtAddr, entry: HomePage): void {
    this.space.table.set(page, entry.kept >>> 10, entry.kept & 0x3ff & ~PTE.W);
    entry.kept = 0;
  }

  #trace(page: VirtAddr, { holders, lost }: DirectoryPage): void {
    const owner = holders.find(({ right }) => right === 'write')?.kernel;
    const state = lost ? 3 : owner !== undefined ? 2 : holders.length > 0 ? 1 : 0;
    let set = 0;
    for (const { kernel } of holders) if (kernel < 32) set = (set | (1 << kernel)) >>> 0;
    this.#kernel.trace(TraceKind.PageState, this.pid, page / PAGE_SIZE, state, owner ?? set);
  }

  /** A line for each page that is not the home's alone: address, state (M modified, S shared, L lost), kernels that hold it. */
  get text(): string {
    return [...this.#pages]
      .sort(([a], [b]) => a - b)
      .map(([page, { state }]) => {
        const letter = state.lost ? 'L' : state.holders.some(({ right }) => right === 'write') ? 'M' : 'S';
        const holders = state.holders.map(({ kernel }) => kernel).sort((a, b) => a - b);
        const busy = state.serving === null ? '' : ` ${state.serving.access} for ${state.serving.from}, ${state.waiting.length} waiting`;
        return `${page.toString(16).padStart(10, '0')} ${letter} ${holders.join(',')}${busy}\n`;
      })
      .join('');
  }
}
