/**
 * Descriptors of a process: small numbers for open files. A new one is always the lowest that is free.
 *
 * Always holds: every entry is one reference on its file.
 */
import { E, Errno } from '../abi/errno.ts';
import type { Maybe } from '../types.ts';
import type { OpenFile } from './file.ts';
import { unlockAll } from './lock.ts';
import { after } from './maybe.ts';

export interface Descriptor {
  readonly file: OpenFile;
  closeOnExec: boolean;
}

export class FileTable {
  /** Threads and vfork children that use this very table. */
  users = 1;
  /** The name by which its process holds record locks, once it has had any: closing a file gives up those on it. */
  locker: string | null = null;
  readonly #descriptors: (Descriptor | undefined)[] = [];

  /** Throws EBADF. */
  get(fd: number): OpenFile {
    const descriptor = this.#descriptors[fd];
    if (!descriptor) throw new Errno(E.BADF);
    return descriptor.file;
  }

  descriptor(fd: number): Descriptor {
    const descriptor = this.#descriptors[fd];
    if (!descriptor) throw new Errno(E.BADF);
    return descriptor;
  }

  has(fd: number): boolean {
    return this.#descriptors[fd] !== undefined;
  }

  /** Puts `file`, whose reference becomes the table's, at the lowest free number from `from` on. Throws EMFILE. */
  add(file: OpenFile, closeOnExec: boolean, limit: number, from = 0): number {
    let fd = from;
    while (this.#descriptors[fd]) fd++;
    if (fd >= limit) throw new Errno(E.MFILE);
    this.#descriptors[fd] = { file, closeOnExec };
    return fd;
  }

  /** Whether `add` would find room; asked before anything is opened. */
  checkRoom(limit: number): void {
    let fd = 0;
    while (this.#descriptors[fd]) fd++;
    if (fd >= limit) throw new Errno(E.MFILE);
  }

  /** Puts `file` at `fd`; returns what was there, to be released (`release`). */
  set(fd: number, file: OpenFile, closeOnExec: boolean): OpenFile | null {
    const before = this.#descriptors[fd]?.file ?? null;
    this.#descriptors[fd] = { file, closeOnExec };
    return before;
  }

  /** Takes the descriptor away; its reference is now the caller's. Throws EBADF. */
  take(fd: number): OpenFile {
    const { file } = this.descriptor(fd);
    this.#descriptors[fd] = undefined;
    return file;
  }

  close(fd: number): Maybe<void> {
    return this.release(this.take(fd));
  }

  /** Releases a file that was taken out. */
  release(file: OpenFile): Maybe<void> {
    if (this.locker === null || file.kind !== 'file') return file.release();
    return after(file.lock(unlockAll('record', this.locker)), () => file.release());
  }

  /** Used numbers with what they stand for, ascending. */
  *list(): Generator<[number, Descriptor]> {
    for (let fd = 0; fd < this.#descriptors.length; fd++) {
      const descriptor = this.#descriptors[fd];
      if (descriptor) yield [fd, descriptor];
    }
  }

  /** The table of a forked child: the same files. */
  clone(): FileTable {
    const copy = new FileTable();
    for (const [fd, { file, closeOnExec }] of this.list()) {
      file.retain();
      copy.set(fd, file, closeOnExec);
    }
    return copy;
  }

  /** Takes out the descriptors that exec closes; they are to be released (`release`). */
  closeOnExec(): OpenFile[] {
    return this.#takeAll(descriptor => descriptor.closeOnExec);
  }

  /** At exit: takes everything out once the last user is gone; they are to be released (`release`). */
  closeAll(): OpenFile[] {
    this.users--;
    return this.users > 0 ? [] : this.#takeAll(() => true);
  }

  #takeAll(which: (descriptor: Descriptor) => boolean): OpenFile[] {
    return [...this.list()].filter(([, descriptor]) => which(descriptor)).map(([fd]) => this.take(fd));
  }
}
