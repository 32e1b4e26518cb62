/**
 * The home's side of pages that several kernels use: the directory of who holds which (pages.ts says who gets one when), and what the home does
 * to get one itself. What the pages are, the two kinds say: the memory of a process whose threads are spread (spread.ts), or memory that
 * processes on several kernels share (shared-memory.ts).
 *
 * Always holds: a page without an entry here is the home's alone. While there is an entry, the home's own mappings grant what the directory grants
 * the home. The home keeps a frame for the page all the same: what is written elsewhere comes back into it. Content that is on its way to a
 * member is in a frame that is not written, nor free, until the member has said that it has it.
 */
import { E, Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import type { Access } from '../mm/address-space.ts';
import { TraceKind } from '../trace.ts';
import { type Blocking, type KernelId, PAGE_SIZE, type Pfn, sleep, WaitQueue } from '../types.ts';
import {
  atHome,
  type DirectoryPage,
  type HomeAction,
  type HomeEvent,
  heldBy,
  type Access as Wanted,
  type Right,
  rightOf,
} from './pages.ts';
import { Residency } from './residency.ts';

interface HomePage {
  state: DirectoryPage;
  /** The home has asked for it and not yet got it. */
  asked: boolean;
  /** Frame that a member copies from; 0 for none. */
  lent: Pfn;
  readonly queue: WaitQueue;
  readonly residency: Residency;
}

/** Rights and accesses in messages. */
export const RIGHT = { none: 0, read: 1, write: 2, execute: 3 } as const;

/** Pages are known by number: of the address space, or of the object. */
export abstract class Directory {
  readonly group: number;
  /** Kernels that may have pages of it. */
  readonly members = new Set<KernelId>();
  ended = false;
  protected readonly kernel: Kernel;
  readonly #pages = new Map<number, HomePage>();
  /** Requests that came while pages were being gathered; null when none are. */
  #deferred: (() => void)[] | null = null;
  /** Woken when a gathering is over. */
  readonly #gathered = new WaitQueue();

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.group = kernel.pages.add(this);
  }

  // --- what the pages are --------------------------------------------------------------------------------------------------------

  /** Makes a page, or a frame of its own for it, that the home holds: it is about to be given. Returns whether it may be. */
  protected abstract admit(page: number, access: Access, right: Right): boolean;
  /** Its frame at home, whoever holds the page. */
  protected abstract frameOf(page: number): Pfn;
  /** PROT bits that go with it. */
  protected abstract protectionOf(page: number): number;
  /** The home's mappings grant no more than this from now on. */
  protected abstract limit(page: number, right: 'read' | 'none'): void;
  /** The home has a right again: what it maps, it may map. */
  protected abstract regain(page: number): void;
  /** For the trace: what it belongs to. */
  protected abstract get owner(): number;

  // --- the home's own use --------------------------------------------------------------------------------------------------------

  right(page: number): Right {
    const entry = this.#pages.get(page);
    return entry === undefined ? 'write' : rightOf(entry.state, this.kernel.id);
  }
  mayUse(page: number, access: Wanted): boolean {
    const right = this.right(page);
    return right === 'write' || right === access;
  }

  /** Who waits for pages says so, and when it goes on: until then they stay. */
  expect(page: number): Residency | null {
    const residency = this.#pages.get(page)?.residency ?? null;
    residency?.expect();
    return residency;
  }

  /** Returns when the home may do this with the page; what comes at once afterwards it may. @throws Errno EIO it is lost */
  *acquire(page: number, access: Wanted): Blocking<void> {
    for (;;) {
      const entry = this.#pages.get(page);
      if (this.ended || entry === undefined || this.mayUse(page, access)) return;
      if (entry.state.lost) throw new Errno(E.IO);
      if (this.#deferred !== null) yield* sleep([this.#gathered], { interruptible: false });
      else if (!entry.asked) this.#ask(page, entry, access);
      else yield* sleep([entry.queue], { interruptible: false });
    }
  }

  #ask(page: number, entry: HomePage, access: Wanted): void {
    entry.asked = true;
    this.#feed(page, entry, { kind: 'request', from: this.kernel.id, access });
    entry.residency.check();
  }

  /** Takes pages of [first, end) away from all other kernels. What the caller does at once afterwards is done before anyone gets one again. */
  *gather(first: number, end: number): Blocking<void> {
    while (this.#deferred !== null) yield* sleep([this.#gathered], { interruptible: false });
    const within = [...this.#pages.keys()].filter(page => page >= first && page < end);
    if (this.ended || within.length === 0) return;
    const deferred: (() => void)[] = [];
    this.#deferred = deferred;
    try {
      for (const page of within) {
        for (let entry = this.#pages.get(page); entry !== undefined && !this.ended; entry = this.#pages.get(page)) {
          if (entry.state.lost) throw new Errno(E.IO);
          if (!entry.asked && rightOf(entry.state, this.kernel.id) !== 'write') this.#ask(page, entry, 'write');
          else yield* sleep([entry.queue], { interruptible: false });
        }
      }
    } finally {
      // The caller does its work first.
      this.kernel.at(this.kernel.now, () => {
        this.#deferred = null;
        for (const request of deferred) request();
        this.#gathered.wakeAll();
      });
    }
  }

  /** What has been lost from a page on is nobody's content any more: it is going to be thrown away. */
  protected forgetLost(first: number): void {
    for (const [page, { state }] of [...this.#pages]) {
      if (page < first || !state.lost || state.serving !== null || state.waiting.length > 0) continue;
      this.#pages.delete(page);
      this.#trace(page, heldBy(this.kernel.id));
    }
  }

  /** Pages that a kernel holds, or has asked for. */
  heldBy(kernel: KernelId): number[] {
    const has = ({ holders, serving, waiting }: DirectoryPage): boolean =>
      holders.some(holder => holder.kernel === kernel) || serving?.from === kernel || waiting.some(({ from }) => from === kernel);
    return [...this.#pages].filter(([, { state }]) => has(state)).map(([page]) => page);
  }

  /** It is to be no more: members let go. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    for (const [page, entry] of this.#pages) {
      this.regain(page);
      this.#trace(page, heldBy(this.kernel.id));
      entry.queue.wakeAll();
    }
    this.#gathered.wakeAll();
    for (const member of this.members)
      if (this.kernel.isPeer(member)) this.kernel.messages.send(member, M.OUTPOST_END, { group: this.group, joins: 0 });
    this.forgetIfDone();
  }

  /** Nothing of it is on its way any more: it is known no longer. */
  forgetIfDone(): void {
    if (this.ended && [...this.#pages.values()].every(({ lent }) => lent === 0)) this.kernel.pages.remove(this.group);
  }

  /** Nothing is owed for frames of a kernel that is gone. */
  forgiveLent(isTheirs: (pfn: Pfn) => boolean): void {
    for (const entry of this.#pages.values()) if (isTheirs(entry.lent)) entry.lent = 0;
  }

  // --- members -------------------------------------------------------------------------------------------------------------------

  /** A member asks for a page. */
  request(from: KernelId, page: number, access: Access): void {
    if (this.#deferred !== null) {
      this.#deferred.push(() => this.request(from, page, access));
      return;
    }
    if (this.ended) return;
    const home = this.kernel.id;
    let entry = this.#pages.get(page);
    const right = this.right(page);
    if (!this.admit(page, access, right)) {
      this.#refuse(from, page);
      return;
    }
    if (entry === undefined) {
      const residency: Residency = new Residency(this.kernel, () => this.#pages.get(page)?.asked === true);
      entry = { state: heldBy(home), asked: false, lent: 0, queue: new WaitQueue(), residency };
      this.#pages.set(page, entry);
    }
    this.#feed(page, entry, { kind: 'request', from, access: access === 'write' ? 'write' : 'read' });
  }

  /** A member has given up a page. @param pfn its frame with what it has written; 0: it has written nothing */
  taken(from: KernelId, page: number, pfn: Pfn): void {
    const entry = this.#pages.get(page);
    if (entry === undefined || this.ended) return;
    const { kernel, group } = this;
    if (pfn !== 0) {
      const { memory, processor } = kernel;
      const own = this.frameOf(page);
      memory.u8.copyWithin(own * PAGE_SIZE, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
      processor.invalidateFrame(own);
      processor.storeWhileReserved(null, own * PAGE_SIZE, PAGE_SIZE);
      kernel.charge(kernel.cost('pageCopy'));
      // With nothing left there, it waits to hear that its frame is free.
      if (entry.state.serving?.access === 'write') kernel.messages.send(from, M.PAGE_COPIED, { group, pfn });
    }
    this.#feed(page, entry, { kind: 'taken', from });
  }

  granted(from: KernelId, page: number): void {
    const entry = this.#pages.get(page);
    if (entry === undefined) return;
    this.#giveBack(entry);
    if (this.ended) this.forgetIfDone();
    else this.#feed(page, entry, { kind: 'granted', from });
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
    this.forgetIfDone();
    return lost;
  }

  // --- the directory -------------------------------------------------------------------------------------------------------------

  #feed(page: number, entry: HomePage, event: HomeEvent): void {
    const step = atHome(entry.state, this.kernel.id, event);
    const changed = step.page.holders !== entry.state.holders;
    entry.state = step.page;
    for (const action of step.actions) this.#perform(page, entry, action);
    if (changed) this.#trace(page, step.page);
    entry.queue.wakeAll();
    const { serving, waiting, holders, lost } = entry.state;
    const alone = holders.length === 1 && rightOf(entry.state, this.kernel.id) === 'write';
    if (alone && serving === null && waiting.length === 0 && !lost && this.#pages.get(page) === entry) this.#pages.delete(page);
  }

  #perform(page: number, entry: HomePage, action: HomeAction): void {
    const { kernel, group } = this;
    switch (action.kind) {
      case 'take':
        if (action.to !== kernel.id) {
          kernel.messages.send(action.to, M.PAGE_TAKE, { group, page, leave: RIGHT[action.leave] });
          return;
        }
        entry.residency.release(() => {
          if (this.ended) return;
          this.limit(page, action.leave === 'read' ? 'read' : 'none');
          this.#feed(page, entry, { kind: 'taken', from: kernel.id });
        });
        return;
      case 'grant': {
        if (action.to === kernel.id) {
          entry.asked = false;
          this.regain(page);
          this.#feed(page, entry, { kind: 'granted', from: kernel.id });
          return;
        }
        const pfn = this.frameOf(page);
        if (action.content) {
          kernel.frames.retain(pfn);
          entry.lent = pfn;
        }
        // The home may read what comes back for others to read (see `atHand` there).
        if (action.access === 'read') this.regain(page);
        kernel.messages.send(action.to, M.PAGE_GRANT, {
          group,
          page,
          right: RIGHT[action.access],
          protection: this.protectionOf(page),
          pfn: action.content ? pfn : 0,
        });
        return;
      }
      case 'refuse':
        if (action.to === kernel.id) entry.asked = false;
        else this.#refuse(action.to, page);
    }
  }

  #refuse(to: KernelId, page: number): void {
    this.kernel.messages.send(to, M.PAGE_GRANT, { group: this.group, page, right: RIGHT.none, protection: 0, pfn: 0 });
  }

  /** A frame that a member has copied from is the home's alone again. */
  #giveBack(entry: HomePage): void {
    if (entry.lent === 0) return;
    this.kernel.frames.release(entry.lent);
    entry.lent = 0;
  }

  #trace(page: number, { holders, lost }: DirectoryPage): void {
    const writer = holders.find(({ right }) => right === 'write')?.kernel;
    const state = lost ? 3 : writer !== undefined ? 2 : holders.length > 0 ? 1 : 0;
    const set = [0, 0];
    for (const { kernel } of holders) set[kernel >>> 5] = ((set[kernel >>> 5] ?? 0) | (1 << (kernel & 31))) >>> 0;
    this.kernel.traceAt(TraceKind.PageState, set[1] ?? 0, this.owner, page, state, writer ?? set[0] ?? 0);
  }

  /** A line for each page that is not the home's alone: its name, state (M modified, S shared, L lost), kernels that hold it. */
  text(nameOf: (page: number) => string): string {
    return [...this.#pages]
      .sort(([a], [b]) => a - b)
      .map(([page, { state }]) => {
        const letter = state.lost ? 'L' : state.holders.some(({ right }) => right === 'write') ? 'M' : 'S';
        const holders = state.holders.map(({ kernel }) => kernel).sort((a, b) => a - b);
        const busy = state.serving === null ? '' : ` ${state.serving.access} for ${state.serving.from}, ${state.waiting.length} waiting`;
        return `${nameOf(page)} ${letter} ${holders.join(',')}${busy}\n`;
      })
      .join('');
  }
}
