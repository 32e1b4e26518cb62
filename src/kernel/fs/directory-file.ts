/** Open files that are made by the VFS itself: a directory being read, and an O_PATH descriptor, which only names a place. */
import { E, Errno } from '../abi/errno.ts';
import { O, SEEK } from '../abi/fcntl.ts';
import type { KernelId, Maybe } from '../types.ts';
import { BaseFile, type FileKind, type IoContext } from './file.ts';
import type { AttributeChange, Attributes, DirectoryEntry, FileSystemStatus, Inode } from './inode.ts';
import { after } from './maybe.ts';
import type { Dentry } from './vfs.ts';

const DT_DIR = 4;

export class DirectoryFile extends BaseFile {
  readonly kind: FileKind = 'directory';
  /** 0 before '.', 1 before '..', from 2 on the inode's own cookie plus 2. */
  #position = 0;

  constructor(
    readonly owner: KernelId,
    readonly directory: Dentry,
    flags: number,
  ) {
    super(flags);
    this.dentry = directory;
  }

  override get inode(): Inode {
    return this.directory.inode;
  }
  override get seekable(): boolean {
    return true;
  }
  override get position(): number {
    return this.#position;
  }
  override read(_target: Uint8Array, _io: IoContext): Maybe<number> {
    throw new Errno(E.ISDIR);
  }
  override write(_source: Uint8Array, _io: IoContext): Maybe<number> {
    throw new Errno(E.BADF);
  }
  override pread(): Maybe<number> {
    throw new Errno(E.ISDIR);
  }
  attributes(): Maybe<Attributes> {
    return this.inode.attributes();
  }
  override setAttributes(change: AttributeChange): Maybe<void> {
    return this.inode.setAttributes(change);
  }
  override status(): Maybe<FileSystemStatus> {
    return this.inode.status();
  }

  override seek(offset: number, whence: number): Maybe<number> {
    const position = whence === SEEK.SET ? offset : whence === SEEK.CUR ? this.#position + offset : -1;
    if (position < 0) throw new Errno(E.INVAL);
    this.#position = position;
    return position;
  }

  override readEntries(countMax: number): Maybe<readonly DirectoryEntry[]> {
    const dots: DirectoryEntry[] = [];
    const parent = this.directory.parent ?? this.directory;
    if (this.#position === 0) dots.push({ name: '.', ino: this.inode.ino, type: DT_DIR, next: 1 });
    if (this.#position <= 1) dots.push({ name: '..', ino: parent.inode.ino, type: DT_DIR, next: 2 });
    return after(this.inode.entries(Math.max(0, this.#position - 2), Math.max(1, countMax - dots.length)), entries => [
      ...dots,
      ...entries.map(entry => ({ ...entry, next: entry.next + 2 })),
    ]);
  }
}

export class PathFile extends BaseFile {
  readonly kind: FileKind = 'path';

  constructor(
    readonly owner: KernelId,
    readonly place: Dentry,
    flags: number,
  ) {
    super((flags & (O.DIRECTORY | O.NOFOLLOW)) | O.PATH);
    this.dentry = place;
  }

  override get inode(): Inode {
    return this.place.inode;
  }
  override read(): Maybe<number> {
    throw new Errno(E.BADF);
  }
  override write(): Maybe<number> {
    throw new Errno(E.BADF);
  }
  override pread(): Maybe<number> {
    throw new Errno(E.BADF);
  }
  override pwrite(): Maybe<number> {
    throw new Errno(E.BADF);
  }
  override seek(): Maybe<number> {
    throw new Errno(E.BADF);
  }
  override poll(): Maybe<number> {
    throw new Errno(E.BADF);
  }
  override ioctl(): Maybe<number> {
    throw new Errno(E.BADF);
  }
  override readEntries(): Maybe<readonly DirectoryEntry[]> {
    throw new Errno(E.BADF);
  }
  override truncate(): Maybe<void> {
    throw new Errno(E.BADF);
  }
  attributes(): Maybe<Attributes> {
    return this.inode.attributes();
  }
  override setAttributes(): Maybe<void> {
    throw new Errno(E.BADF);
  }
  override status(): Maybe<FileSystemStatus> {
    return this.inode.status();
  }
}
