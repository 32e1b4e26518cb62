/**
 * An open file as the backing of an area.
 *
 * Page faults never block. Pages of another kernel's file are fetched (pinned) when the area is made, if it is private: they are copies or are not
 * written. A shared mapping takes part in the file's page protocol (mm/sharing.ts): its pages are fetched as they are touched, before the
 * fault. A file of this kernel has what is mapped in memory by then (OpenFile.willMap), and is asked as the pages are touched.
 */
import { E, Errno } from '../abi/errno.ts';
import type { OpenFile } from '../fs/file.ts';
import { type Blocking, isBlocking, type Maybe, type Pfn, settle } from '../types.ts';
import type { SharedPages } from './sharing.ts';
import type { Backing } from './vm-area.ts';

/** Runs what a release has left to do, without waiting for it. */
export type Detach = (work: Maybe<void>) => void;

class FileBacking implements Backing {
  readonly file: OpenFile;
  readonly #isShared: boolean;
  readonly #detach: Detach;

  constructor(file: OpenFile, isShared: boolean, detach: Detach) {
    this.file = file;
    this.#isShared = isShared;
    this.#detach = detach;
  }

  get path(): string {
    return this.file.dentry?.path() ?? this.file.label;
  }
  get sharedPages(): SharedPages | null {
    const pages = this.file.sharedPages;
    return this.#isShared || pages?.isHome ? pages : null;
  }

  retain(): void {
    this.file.retain();
  }

  release(): void {
    this.#detach(this.file.release());
  }

  mapPage(index: number, forWrite: boolean): Pfn {
    const pages = this.sharedPages;
    if (pages !== null) return pages.mapPage(index);
    const pfn = this.file.mapPage(index, forWrite);
    if (isBlocking(pfn)) throw new Errno(E.IO);
    return pfn;
  }
}

/** The file behind a backing, or null for anonymous memory. */
export function backingFile(backing: Backing | null): OpenFile | null {
  return backing instanceof FileBacking ? backing.file : null;
}

/** Takes a reference of its own to the file; `detach` sees to a release that has to wait. @throws Errno ENODEV if it can't be mapped */
export function* fileBacking(file: OpenFile, isShared: boolean, firstPage: number, count: number, detach: Detach): Blocking<Backing> {
  yield* settle(file.willMap(firstPage, count, isShared));
  file.retain();
  return new FileBacking(file, isShared, detach);
}
