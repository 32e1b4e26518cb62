/**
 * Open regular files of this kernel, whichever file system they are in: a position here, all else is asked of the inode.
 *
 * Always holds: the inode has counted each of them (`opens`), and hears of its end (`closed`).
 */
import { E, Errno } from '../abi/errno.ts';
import { O, SEEK } from '../abi/fcntl.ts';
import { IOCTL } from '../abi/ioctl.ts';
import type { SharedPages } from '../mm/sharing.ts';
import type { KernelId, Maybe, Pfn } from '../types.ts';
import { setU32, setU64 } from './bytes.ts';
import { FS_COSTS } from './costs.ts';
import { BaseFile, type FileKind, type IoContext, mayWrite } from './file.ts';
import type { AttributeChange, Attributes, FileSystemStatus, Inode } from './inode.ts';
import { after } from './maybe.ts';
import type { FsServices } from './services.ts';

/** A regular file of this kernel, as its file system has it. Operations throw Errno. */
export interface RegularInode extends Inode {
  readonly size: number;
  /** Open files on it. */
  opens: number;
  /** Set once processes of other kernels map it shared: pages may be there. */
  readonly shared: SharedPages | null;
  /** Bytes moved, fewer at the end. */
  read(target: Uint8Array, position: number): Maybe<number>;
  /** @param position null: the end. @param done gets where the bytes end, before anybody else changes the file */
  write(source: Uint8Array, position: number | null, done: (end: number) => void): Maybe<number>;
  /** Where data or a hole begins at or after `from`. Throws ENXIO. */
  seekData(from: number, data: boolean): number;
  allocate(mode: number, offset: number, length: number): Maybe<void>;
  sync(): Maybe<void>;
  /** Has these pages in memory, as far as the file goes, so that `mapPage` gives them at once. */
  load(firstPage: number, count: number): Maybe<void>;
  /** The page's frame, with a reference for the caller. Throws EFAULT beyond the end. @param forWrite it may be written through a mapping */
  mapPage(index: number, forWrite: boolean): Maybe<Pfn>;
  /** Before an open file's pages are mapped. @param isWritten as memory that is shared: until it is closed by all, it changes without anybody asking */
  becomeMapped(firstPage: number, count: number, isWritten: boolean): Maybe<void>;
  /** One of the open files on it is gone. */
  closed(): Maybe<void>;
}

/** Whether `object` is one: any inode of this kernel of that kind is. */
export const isRegular = (object: Inode): object is RegularInode => object.kind === 'file' && 'becomeMapped' in object;

export class RegularFile<F extends RegularInode = RegularInode> extends BaseFile {
  readonly kind: FileKind = 'file';
  readonly file: F;
  #position = 0;

  constructor(file: F, flags: number) {
    super(flags);
    this.file = file;
    file.opens++;
  }

  get owner(): KernelId {
    return this.file.owner;
  }
  override get inode(): Inode {
    return this.file;
  }
  override get seekable(): boolean {
    return true;
  }
  override get position(): number {
    return this.#position;
  }
  override get sharedPages(): SharedPages | null {
    return this.file.shared;
  }

  protected override closed(): Maybe<void> {
    return this.file.closed();
  }

  override read(target: Uint8Array, _io: IoContext): Maybe<number> {
    return after(this.file.read(target, this.#position), count => {
      this.#position += count;
      return count;
    });
  }
  override write(source: Uint8Array, _io: IoContext): Maybe<number> {
    return this.file.write(source, this.flags & O.APPEND ? null : this.#position, end => {
      this.#position = end;
    });
  }
  override pread(target: Uint8Array, position: number, _io: IoContext): Maybe<number> {
    return this.file.read(target, position);
  }
  override pwrite(source: Uint8Array, position: number, _io: IoContext): Maybe<number> {
    return this.file.write(source, this.flags & O.APPEND ? null : position, () => {});
  }

  override seek(offset: number, whence: number): number {
    const position = this.#sought(offset, whence);
    if (position < 0) throw new Errno(E.INVAL);
    this.#position = position;
    return position;
  }
  #sought(offset: number, whence: number): number {
    switch (whence) {
      case SEEK.SET:
        return offset;
      case SEEK.CUR:
        return this.#position + offset;
      case SEEK.END:
        return this.file.size + offset;
      case SEEK.DATA:
      case SEEK.HOLE:
        return this.file.seekData(offset, whence === SEEK.DATA);
      default:
        throw new Errno(E.INVAL);
    }
  }

  override ioctl(command: number, _argument: number, data: Uint8Array, _io: IoContext): number {
    if (command === IOCTL.FIONREAD) setU32(data, Math.max(0, this.file.size - this.#position));
    else if (command === IOCTL.FIOQSIZE) setU64(data, this.file.size);
    else throw new Errno(E.NOTTY);
    return 0;
  }

  attributes(): Maybe<Attributes> {
    return this.file.attributes();
  }
  override setAttributes(change: AttributeChange): Maybe<void> {
    return this.file.setAttributes(change);
  }
  override truncate(size: number): Maybe<void> {
    return this.file.truncate(size);
  }
  override allocate(mode: number, offset: number, length: number): Maybe<void> {
    return this.file.allocate(mode, offset, length);
  }
  override status(): Maybe<FileSystemStatus> {
    return this.file.status();
  }
  override sync(): Maybe<void> {
    return this.file.sync();
  }

  override willMap(firstPage: number, count: number, isShared: boolean): Maybe<void> {
    return this.file.becomeMapped(firstPage, count, isShared && mayWrite(this));
  }
  override mapPage(index: number, forWrite: boolean): Maybe<Pfn> {
    return this.file.mapPage(index, forWrite);
  }
}

/**
 * The frame in which a page is to be written, in place of `pfn` and with its reference: another one if other kernels have that, who keep what it was.
 * @throws Errno ENOMEM
 */
export function ownFrame(services: FsServices, pfn: Pfn): Pfn {
  if (!services.isLent(pfn)) return pfn;
  const own = services.allocFrame();
  services.frameBytes(own).set(services.frameBytes(pfn));
  services.wroteFrame(own);
  services.replacedFrame(pfn);
  services.releaseFrame(pfn);
  services.charge(FS_COSTS.archivePage);
  return own;
}
