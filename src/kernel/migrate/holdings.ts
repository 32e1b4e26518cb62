/**
 * A member's side of pages that have their home on another kernel: what it holds, in frames of its own, and what it has asked for. What shows
 * these pages to programs, the two kinds say: an outpost's page table (outpost.ts), or mappings of shared memory (shared-memory.ts).
 *
 * Always holds: what is shown of a page is held by the protocol (pages.ts), and grants no more than that; a frame is not written, nor free,
 * while the home may still copy what was written in it.
 */
import { E, Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import type { Access } from '../mm/address-space.ts';
import { type KernelId, PAGE_SIZE, type Pfn, WaitQueue } from '../types.ts';
import { RIGHT } from './directory.ts';
import { type Access as Wanted, atMember, type MemberEvent, type MemberPage, NOT_HELD, type Right } from './pages.ts';
import { Residency } from './residency.ts';

export interface HeldPage {
  state: MemberPage;
  /** Its frame here; 0 for none. */
  pfn: Pfn;
  protection: number;
  refused: boolean;
  readonly queue: WaitQueue;
  readonly residency: Residency;
}

const RIGHTS: readonly Right[] = ['none', 'read', 'write'];

export abstract class Holdings {
  readonly home: KernelId;
  readonly group: number;
  ended = false;
  protected readonly kernel: Kernel;
  readonly #pages = new Map<number, HeldPage>();
  /** Frames that the home has yet to copy. */
  readonly #returning = new Set<Pfn>();

  constructor(kernel: Kernel, home: KernelId, group: number) {
    this.kernel = kernel;
    this.home = home;
    this.group = group;
    kernel.pages.joined(this);
  }

  /** What is shown of a page may be this from now on. */
  protected abstract show(page: number, held: HeldPage): void;
  /** What is shown of a page may be no more than its right. */
  protected abstract limit(page: number, held: HeldPage): void;

  /**
   * Asks for what is missing, and says whether it is there: if not, sleep in the page's queue and look again.
   * @throws Errno EFAULT refused, ENOMEM no frame for it
   */
  protected look(page: number, access: Access): boolean {
    const held = this.page(page);
    const wanted: Wanted = access === 'write' ? 'write' : 'read';
    const { right, asked } = held.state;
    if (right === 'write' || right === wanted) return true;
    if (held.refused) {
      held.refused = false;
      throw new Errno(E.FAULT);
    }
    if (asked !== null) return false;
    // So that there is one when it comes.
    if (held.pfn === 0) held.pfn = this.kernel.frames.allocate();
    held.state = atMember(held.state, { kind: 'touch', access: wanted }).page;
    this.kernel.messages.send(this.home, M.PAGE_REQUEST, {
      group: this.group,
      page,
      access: access === 'execute' ? RIGHT.execute : RIGHT[wanted],
    });
    held.residency.check();
    return false;
  }

  /** The home's answer. @param pfn its frame, to copy from; 0: what is here is right */
  granted(page: number, right: number, protection: number, pfn: Pfn): void {
    const { memory, processor, cost } = {
      memory: this.kernel.memory,
      processor: this.kernel.processor,
      cost: this.kernel.cost('pageCopy'),
    };
    const held = this.page(page);
    const granted = RIGHTS[right] ?? 'none';
    if (granted === 'none') {
      held.refused = true;
      this.#step(held, { kind: 'refuse' });
    } else {
      if (pfn !== 0) {
        memory.u8.copyWithin(held.pfn * PAGE_SIZE, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
        processor.invalidateFrame(held.pfn);
        processor.storeWhileReserved(null, held.pfn * PAGE_SIZE, PAGE_SIZE);
        this.kernel.charge(cost);
      }
      held.protection = protection;
      this.#step(held, { kind: 'grant', access: granted });
      this.show(page, held);
    }
    held.queue.wakeAll();
  }

  /** The home wants the page back, or only the right to write it. `tell` is called when that is done. */
  take(page: number, leave: number, tell: (pfn: Pfn) => void): void {
    const held = this.page(page);
    held.residency.release(() => {
      if (this.ended) return;
      const wrote = held.state.right === 'write';
      const { pfn } = held;
      this.#step(held, { kind: 'take', leave: RIGHTS[leave] ?? 'none' });
      this.limit(page, held);
      if (held.state.right === 'none') {
        if (wrote) {
          this.#returning.add(pfn);
          held.pfn = 0;
        } else if (pfn !== 0 && held.state.asked === null) {
          this.kernel.frames.release(pfn);
          held.pfn = 0;
        }
      }
      tell(wrote ? pfn : 0);
    });
  }

  /** The home has what was written in a frame. */
  copied(pfn: Pfn): void {
    if (this.#returning.delete(pfn)) this.kernel.frames.release(pfn);
  }

  /** The home has nothing more for this kernel. */
  dismissed(_joins: number): void {
    this.end();
  }

  /** Nothing of it is needed here any more. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    for (const { pfn, queue } of this.#pages.values()) {
      if (pfn !== 0) this.kernel.frames.release(pfn);
      queue.wakeAll();
    }
    for (const pfn of this.#returning) this.kernel.frames.release(pfn);
    this.#returning.clear();
    this.#pages.clear();
    this.kernel.pages.left(this);
  }

  protected page(page: number): HeldPage {
    let held = this.#pages.get(page);
    if (held === undefined) {
      const residency = new Residency(this.kernel, () => this.#pages.get(page)?.state.asked != null);
      held = { state: NOT_HELD, pfn: 0, protection: 0, refused: false, queue: new WaitQueue(), residency };
      this.#pages.set(page, held);
    }
    return held;
  }
  protected known(page: number): HeldPage | undefined {
    return this.#pages.get(page);
  }

  #step(held: HeldPage, event: MemberEvent): void {
    held.state = atMember(held.state, event).page;
  }

  /** A line for each page that is held: its name, and S or M as for the home. */
  text(nameOf: (page: number) => string): string {
    return [...this.#pages]
      .filter(([, { state }]) => state.right !== 'none' || state.asked !== null)
      .sort(([a], [b]) => a - b)
      .map(
        ([
          page,
          {
            state: { right, asked },
          },
        ]) => {
          const letter = right === 'write' ? 'M' : right === 'read' ? 'S' : 'I';
          return `${nameOf(page)} ${letter} ${this.kernel.id}${asked === null ? '' : ` asked to ${asked}`}\n`;
        },
      )
      .join('');
  }
}
