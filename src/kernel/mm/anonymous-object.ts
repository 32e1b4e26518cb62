/**
 * Memory that mappings share and that has no file: it exists as long as one of them does (Linux: a file of shmem without a name). Once processes
 * on several kernels are to map it, it gets a file, which has its pages from then on (migrate/shared-memory.ts).
 *
 * Always holds: the object counts one reference on each of its frames, and each entry that maps one counts another.
 */
import type { OpenFile } from '../fs/file.ts';
import { PAGE_SIZE, type Pfn } from '../types.ts';
import type { MmServices } from './address-space.ts';
import type { SharedPages } from './sharing.ts';
import type { Backing } from './vm-area.ts';

/** A file that can stand behind it. */
type MemoryFile = Omit<OpenFile, 'mapPage'> & { mapPage(index: number, forWrite: boolean): Pfn };

export class AnonymousObject implements Backing {
  readonly path = '';
  #references = 1;
  readonly #pages = new Map<number, Pfn>();
  readonly #services: MmServices;
  #file: MemoryFile | null = null;

  constructor(services: MmServices) {
    this.#services = services;
  }

  /** Areas that show it. */
  get references(): number {
    return this.#references;
  }
  get pages(): ReadonlyMap<number, Pfn> {
    return this.#pages;
  }
  /** The file that has its pages; null while it has them itself. */
  get file(): MemoryFile | null {
    return this.#file;
  }
  get sharedPages(): SharedPages | null {
    return this.#file?.sharedPages ?? null;
  }

  retain(): void {
    this.#references++;
  }

  release(): void {
    if (--this.#references > 0) return;
    for (const pfn of this.#pages.values()) this.#services.frames.release(pfn);
    this.#pages.clear();
    // A file of this kernel, which closes at once.
    this.#file?.release();
  }

  mapPage(index: number): Pfn {
    if (this.#file !== null) return this.#file.mapPage(index, true);
    let pfn = this.#pages.get(index);
    if (pfn === undefined) {
      const { frames, memory, processor } = this.#services;
      pfn = frames.allocate();
      memory.u8.fill(0, pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
      processor.invalidateFrame(pfn);
      this.#services.charge('zero');
      this.#pages.set(index, pfn);
    }
    this.#services.frames.retain(pfn);
    return pfn;
  }

  /** Its pages, and the references on them, are the file's from now on, and a reference on the file is its own. */
  become(file: MemoryFile): void {
    this.#file = file;
    this.#pages.clear();
  }
  /** Its pages go to another kernel with the only process that maps it; no entry shows them any more. */
  surrender(): void {
    for (const pfn of this.#pages.values()) this.#services.frames.disown(pfn);
    this.#pages.clear();
  }
  /** A page that has come with the process. */
  adopt(index: number, pfn: Pfn): void {
    this.#services.frames.adopt(pfn);
    this.#services.processor.invalidateFrame(pfn);
    this.#pages.set(index, pfn);
  }
  /** Another frame with the same content takes the place of each one that `replacement` names. The old ones are not released. */
  replace(replacement: (pfn: Pfn) => Pfn | null): void {
    for (const [index, pfn] of [...this.#pages]) {
      const other = replacement(pfn);
      if (other !== null) this.#pages.set(index, other);
    }
  }
}
