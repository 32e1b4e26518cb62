/**
 * An open file as the backing of an area.
 *
 * Page faults never block, so pages of another kernel's file are fetched (pinned) when the area is made; a file of this kernel is asked
 * as the pages are touched.
 */
import { E, Errno } from '../abi/errno.ts';
import type { OpenFile } from '../fs/file.ts';
import { type Blocking, isBlocking, type Maybe, type Pfn } from '../types.ts';
import type { Backing } from './vm-area.ts';

/** A file that can fetch a run of its pages, so that mapPage answers at once (kernel/image/remote-file.ts). */
export interface Pinnable {
  pin(firstPage: number, count: number): Blocking<void>;
}

function isPinnable(file: OpenFile): file is OpenFile & Pinnable {
  return 'pin' in file;
}

/** Runs what a release has left to do, without waiting for it. */
export type Detach = (work: Maybe<void>) => void;

class FileBacking implements Backing {
  readonly file: OpenFile;
  readonly #detach: Detach;

  constructor(file: OpenFile, detach: Detach) {
    this.file = file;
    this.#detach = detach;
  }

  get path(): string {
    return this.file.dentry?.path() ?? this.file.label;
  }

  retain(): void {
    this.file.retain();
  }

  release(): void {
    this.#detach(this.file.release());
  }

  mapPage(index: number, forWrite: boolean): Pfn {
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
export function* fileBacking(file: OpenFile, firstPage: number, count: number, detach: Detach): Blocking<Backing> {
  if (isPinnable(file)) yield* file.pin(firstPage, count);
  file.retain();
  return new FileBacking(file, detach);
}
