/**
 * Pages of code by their contents. What is translated depends on the bytes of pages and on where they are mapped, not on the frames that
 * hold them: so kernels that run the same program, and a process that has moved, share it.
 *
 * Always holds: two frames have the same identity only while they hold the same 4096 bytes; an identity is never used again for others.
 */
import { PAGE_SIZE } from '../layout.ts';

interface Page {
  readonly identity: number;
  readonly hash: number;
  readonly bytes: Uint8Array;
  readonly frames: Set<number>;
}

export class CodePages {
  readonly #memory: Uint8Array;
  readonly #ofFrame = new Map<number, Page>();
  readonly #byHash = new Map<number, Page[]>();
  readonly #byIdentity = new Map<number, Page>();
  #last = 0;

  constructor(memory: Uint8Array) {
    this.#memory = memory;
  }

  /** Bytes that are kept to compare with. */
  get bytes(): number {
    return this.#byIdentity.size * PAGE_SIZE;
  }

  /** 0: none yet. */
  identityOf(frame: number): number {
    return this.#ofFrame.get(frame)?.identity ?? 0;
  }
  framesOf(identity: number): Iterable<number> {
    return this.#byIdentity.get(identity)?.frames ?? [];
  }

  /** Looks at what a frame holds. Whoever calls sees to it that `drop` follows when that changes. */
  identify(frame: number): number {
    const known = this.#ofFrame.get(frame);
    if (known) return known.identity;
    const bytes = this.#memory.subarray(frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE);
    const hash = hashOf(bytes);
    const same = this.#byHash.get(hash) ?? [];
    let page = same.find(each => each.bytes.every((byte, i) => byte === bytes[i]));
    if (!page) {
      page = { identity: ++this.#last, hash, bytes: bytes.slice(), frames: new Set() };
      this.#byHash.set(hash, [...same, page]);
      this.#byIdentity.set(page.identity, page);
    }
    page.frames.add(frame);
    this.#ofFrame.set(frame, page);
    return page.identity;
  }

  drop(frame: number): void {
    this.#ofFrame.get(frame)?.frames.delete(frame);
    this.#ofFrame.delete(frame);
  }

  /** Forgets contents that nothing depends on any more; returns the frames that had them. */
  forget(identity: number): number[] {
    const page = this.#byIdentity.get(identity);
    if (!page) return [];
    const frames = [...page.frames];
    for (const frame of frames) this.#ofFrame.delete(frame);
    this.#byIdentity.delete(identity);
    const others = (this.#byHash.get(page.hash) ?? []).filter(each => each !== page);
    if (others.length > 0) this.#byHash.set(page.hash, others);
    else this.#byHash.delete(page.hash);
    return frames;
  }
}

/** FNV-1a, by words. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i += 4) {
    const word = (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8) | ((bytes[i + 2] ?? 0) << 16) | ((bytes[i + 3] ?? 0) << 24);
    hash = Math.imul(hash ^ word, 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}
