/**
 * References to frames, the kernel's own and other kernels'.
 *
 * A frame of another kernel comes here with a migrated process or as a page of a remote file; the owner counts a reference for each time
 * that it came, however many entries here use it. When the last of them goes, these are returned by message. So that an owner knows what a
 * kernel that dies has taken along, it counts what it has given away, and each kernel can say what it holds.
 *
 * Always holds: a foreign frame is in `#foreign` with a use exactly while this kernel may touch it.
 */
import type { Pfn } from '../types.ts';
import type { FrameAllocator } from './frames.ts';

interface Foreign {
  uses: number;
  /** References that the owner counts for us. */
  owed: number;
}

export class FrameUse {
  readonly own: FrameAllocator;
  readonly #foreign = new Map<Pfn, Foreign>();
  /** References on own frames that other kernels have, or that are on their way. */
  readonly #given = new Map<Pfn, number>();
  readonly #returnFrame: (pfn: Pfn) => void;

  /** @param returnFrame called for each reference that is owed to another kernel and no longer needed */
  constructor(own: FrameAllocator, returnFrame: (pfn: Pfn) => void) {
    this.own = own;
    this.#returnFrame = returnFrame;
  }

  /** A new frame with one reference. @throws Errno ENOMEM */
  allocate(): Pfn {
    return this.own.allocate();
  }

  /** Takes over a reference that a foreign frame's owner counts for us; a frame of our own comes home as it is. */
  adopt(pfn: Pfn): void {
    if (this.own.owns(pfn)) {
      this.#give(pfn, -1);
      return;
    }
    const foreign = this.#foreign.get(pfn);
    if (foreign === undefined) {
      this.#foreign.set(pfn, { uses: 1, owed: 1 });
    } else {
      foreign.uses++;
      foreign.owed++;
    }
  }

  /** Gives away our one use without returning the frame: it moves on with its process. */
  disown(pfn: Pfn): void {
    if (this.own.owns(pfn)) {
      this.#give(pfn, 1);
      return;
    }
    const foreign = this.#foreign.get(pfn);
    if (foreign?.uses !== 1) throw new Error(`frame ${pfn} is given away with ${foreign?.uses ?? 0} uses`);
    this.#foreign.delete(pfn);
    for (let i = 1; i < foreign.owed; i++) this.#returnFrame(pfn);
  }

  /** A reference that has been counted for another kernel goes there. */
  lend(pfn: Pfn): void {
    if (this.own.owns(pfn)) this.#give(pfn, 1);
  }
  /** Such a reference comes back, and is dropped. */
  returned(pfn: Pfn): void {
    this.#give(pfn, -1);
    this.own.release(pfn);
  }

  retain(pfn: Pfn): void {
    if (this.own.owns(pfn)) {
      this.own.retain(pfn);
      return;
    }
    const foreign = this.#foreign.get(pfn);
    if (foreign === undefined) throw new Error(`frame ${pfn} is not ours to retain`);
    foreign.uses++;
  }

  release(pfn: Pfn): void {
    if (this.own.owns(pfn)) {
      this.own.release(pfn);
      return;
    }
    const foreign = this.#foreign.get(pfn);
    if (foreign === undefined) throw new Error(`frame ${pfn} was not ours to release`);
    if (--foreign.uses > 0) return;
    this.#foreign.delete(pfn);
    for (let i = 0; i < foreign.owed; i++) this.#returnFrame(pfn);
  }

  references(pfn: Pfn): number {
    return this.own.owns(pfn) ? this.own.references(pfn) : (this.#foreign.get(pfn)?.uses ?? 0);
  }

  // --- when a kernel is gone -----------------------------------------------------------------------------------------------------

  /** What is owed to others: each frame as often as it is. */
  held(isTheirs: (pfn: Pfn) => boolean): Pfn[] {
    return [...this.#foreign].flatMap(([pfn, { owed }]) => (isTheirs(pfn) ? Array.from({ length: owed }, () => pfn) : []));
  }
  /** The owner is no more: it is owed nothing. */
  forgive(isTheirs: (pfn: Pfn) => boolean): void {
    for (const pfn of [...this.#foreign.keys()]) if (isTheirs(pfn)) this.#foreign.delete(pfn);
  }
  /** Drops what has been given away and is held by none of those that are left. Returns how many references. */
  reclaim(held: ReadonlyMap<Pfn, number>): number {
    let lost = 0;
    for (const [pfn, given] of [...this.#given]) {
      for (let i = held.get(pfn) ?? 0; i < given; i++) {
        this.returned(pfn);
        lost++;
      }
    }
    return lost;
  }

  isGiven(pfn: Pfn): boolean {
    return this.#given.has(pfn);
  }
  get foreignCount(): number {
    return this.#foreign.size;
  }
  /** References on own frames that are elsewhere. */
  get givenCount(): number {
    return [...this.#given.values()].reduce((sum, count) => sum + count, 0);
  }

  #give(pfn: Pfn, change: number): void {
    const count = (this.#given.get(pfn) ?? 0) + change;
    if (count === 0) this.#given.delete(pfn);
    else this.#given.set(pfn, count);
  }
}
