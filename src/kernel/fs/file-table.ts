/**
 * Descriptors of a process: small numbers for open files. A new one is always the lowest that is free.
 *
 * Always holds: every entry is one reference on its file.
 */
import { E, Errno } from '../abi/errno.ts';
import type { Maybe } from '../types.ts';
import type { OpenFile } from './file.ts';

export interface Descriptor {
  readonly file: OpenFile;
  closeOnExec: boolean;
}

export class FileTable {
  /** Threads and vfork children that use this very table. */
  users = 1;
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

  /** Puts `file` at `fd`; returns what was there, to be released by the caller. */
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
    return this.take(fd).release();
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

  /** Takes out the descriptors that exec closes; their references are the caller's to release. */
  closeOnExec(): OpenFile[] {
    return this.#takeAll(descriptor => descriptor.closeOnExec);
  }

  /** At exit: takes everything out once the last user is gone; the references are the caller's to release. */
  closeAll(): OpenFile[] {
    this.users--;
    return this.users > 0 ? [] : this.#takeAll(() => true);
  }

  #takeAll(which: (descriptor: Descriptor) => boolean): OpenFile[] {
    return [...this.list()].filter(([, descriptor]) => which(descriptor)).map(([fd]) => this.take(fd));
  }
}
