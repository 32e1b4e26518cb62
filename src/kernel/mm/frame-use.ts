/**
 * References to frames, the kernel's own and other kernels'.
 *
 * A frame of another kernel comes here with a migrated process or as a page of a remote file; the owner counts one reference for us,
 * however many entries here use it. When the last of them goes, the frame is returned by message.
 *
 * Always holds: a foreign frame is in `#foreign` with a count ≥ 1 exactly while this kernel may touch it.
 */
import type { Pfn } from '../types.ts';
import type { FrameAllocator } from './frames.ts';

export class FrameUse {
  readonly own: FrameAllocator;
  readonly #foreign = new Map<Pfn, number>();
  readonly #returnFrame: (pfn: Pfn) => void;

  /** @param returnFrame called when the last reference to another kernel's frame goes */
  constructor(own: FrameAllocator, returnFrame: (pfn: Pfn) => void) {
    this.own = own;
    this.#returnFrame = returnFrame;
  }

  /** A new frame with one reference. @throws Errno ENOMEM */
  allocate(): Pfn {
    return this.own.allocate();
  }

  /** Takes over the one reference that a foreign frame's owner counts for us; a frame of our own comes home as it is. */
  adopt(pfn: Pfn): void {
    if (!this.own.owns(pfn)) this.#foreign.set(pfn, (this.#foreign.get(pfn) ?? 0) + 1);
  }

  /** Gives away our one reference without returning the frame: it moves on with its process. */
  disown(pfn: Pfn): void {
    if (this.own.owns(pfn)) return;
    const count = this.#foreign.get(pfn) ?? 0;
    if (count !== 1) throw new Error(`frame ${pfn} is given away with ${count} references`);
    this.#foreign.delete(pfn);
  }

  retain(pfn: Pfn): void {
    if (this.own.owns(pfn)) this.own.retain(pfn);
    else this.#foreign.set(pfn, (this.#foreign.get(pfn) ?? 0) + 1);
  }

  release(pfn: Pfn): void {
    if (this.own.owns(pfn)) {
      this.own.release(pfn);
      return;
    }
    const left = (this.#foreign.get(pfn) ?? 0) - 1;
    if (left < 0) throw new Error(`frame ${pfn} was not ours to release`);
    if (left > 0) {
      this.#foreign.set(pfn, left);
    } else {
      this.#foreign.delete(pfn);
      this.#returnFrame(pfn);
    }
  }

  references(pfn: Pfn): number {
    return this.own.owns(pfn) ? this.own.references(pfn) : (this.#foreign.get(pfn) ?? 0);
  }

  get foreignCount(): number {
    return this.#foreign.size;
  }
}
