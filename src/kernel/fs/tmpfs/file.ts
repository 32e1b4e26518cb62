/**
 * Regular files of tmpfs.
 *
 *     page i of the file is   #pages[i]                  once somebody touched it
 *                             the archive's bytes        for a file of the root archive, so far untouched
 *                             zeros                      a hole
 *
 * Always holds: every frame in #pages is one reference; bytes of the last page beyond the size are zero when the file grows; a frame that another
 * kernel sees is not written: the page gets a new one first.
 */
import { E, Errno } from '../../abi/errno.ts';
import { FALLOC, SEEK } from '../../abi/fcntl.ts';
import { S } from '../../abi/stat.ts';
import type { SharedPages } from '../../mm/sharing.ts';
import { type Blocking, PAGE_SIZE, type Maybe, type Pfn } from '../../types.ts';
import { FS_COSTS, transferCost } from '../costs.ts';
import type { IoContext, OpenFile } from '../file.ts';
import type { InodeKind, NewInode } from '../inode.ts';
import { after, eager } from '../maybe.ts';
import { ownFrame, RegularFile, type RegularInode } from '../regular-file.ts';
import { TmpInode } from './inode.ts';
import { type Content, isAsIn, type Packer, type Unpacked } from './state.ts';
import type { TmpFs } from './tmpfs.ts';

/** Frame numbers and sizes stay exact, and a sparse file stays mappable, up to this size. */
const FILE_BYTES_MAX = 2 ** 43;
const EMPTY = new Uint8Array(0);

/** What a file asks of the protocol that keeps its pages the same on several kernels (migrate/shared-memory.ts). */
export interface FileSharing extends SharedPages {
  /** Takes the pages from `first` on away from all other kernels. @param gone from this one on they are to be no more */
  gatherFrom(first: number, gone: number): Blocking<void>;
  end(): void;
}

export class TmpFile extends TmpInode implements RegularInode {
  readonly kind: InodeKind = 'file';
  readonly #pages = new Map<number, Pfn>();
  #archive: Uint8Array = EMPTY;
  #size = 0;
  opens = 0;
  /** It is mapped for writing, and shared: what it contains changes without anybody asking. */
  #isMemory = false;
  shared: FileSharing | null = null;

  constructor(fs: TmpFs, made: NewInode) {
    super(fs, made);
  }

  get size(): number {
    return this.#size;
  }
  override get blocks(): number {
    return (this.#pages.size + Math.ceil(this.#archive.length / PAGE_SIZE)) * (PAGE_SIZE / 512);
  }

  override get isTracked(): boolean {
    return !this.#isMemory && this.shared === null;
  }
  /** Pages are there when they are touched. As memory, until it is closed by all, other kernels remember nothing of it and get copies of its pages. */
  becomeMapped(_firstPage: number, _count: number, isWritten: boolean): Maybe<void> {
    if (!isWritten || this.#isMemory) return;
    return this.changing(() => {
      this.#isMemory = true;
      for (const index of [...this.#pages.keys()]) this.#ownPage(index);
    });
  }

  /** Gives the file its contents in the archive, which stay there until they are touched. */
  fill(content: Uint8Array): void {
    this.#archive = content;
    this.#size = content.length;
  }

  override open(flags: number, _io: IoContext): OpenFile {
    return new RegularFile(this, flags);
  }

  protected override dropIfUnused(): void {
    if (this.links > 0 || this.opens > 0) return;
    this.fs.inodes--;
    this.shared?.end();
    this.#drop(0);
    this.#archive = EMPTY;
  }

  closed(): void {
    this.opens--;
    if (this.opens === 0) this.#isMemory = false;
    this.dropIfUnused();
  }

  protected override content(packer: Packer): Content {
    const isShared = this.#archive.length > 0 && this.#archive.buffer === packer.archive.buffer;
    // What came from outside is nowhere else.
    if (!isShared) for (let index = 0; index * PAGE_SIZE < this.#archive.length; index++) this.#page(index);
    const { services } = packer;
    const isOwn = ([index, pfn]: [number, Pfn]): boolean => !isShared || !isAsIn(this.#archive, index, services.frameBytes(pfn));
    return {
      size: this.#size,
      archive: isShared ? [this.#archive.byteOffset - packer.archive.byteOffset, this.#archive.length] : null,
      pages: [...this.#pages].filter(isOwn),
      isMemory: this.#isMemory,
    };
  }
  protected override restoreContent({ size = 0, archive = null, pages = [], isMemory = false }: Content, from: Unpacked): void {
    this.#size = size;
    if (archive !== null) this.#archive = from.archive.subarray(archive[0], archive[0] + archive[1]);
    for (const [index, frame] of pages) this.#pages.set(index, from.copy(frame));
    this.#isMemory = isMemory;
  }

  /**
   * Moves bytes at a position by `step`, which gets a part of [0, length) and says how many it has moved: all at once, or page by page as they
   * come from other kernels.
   */
  #move(position: number, length: number, access: 'read' | 'write', step: (from: number, to: number) => number): Maybe<number> {
    return this.shared === null ? step(0, length) : eager(this.#pageByPage(this.shared, position, length, access, step));
  }
  *#pageByPage(
    shared: FileSharing,
    position: number,
    length: number,
    access: 'read' | 'write',
    step: (from: number, to: number) => number,
  ): Blocking<number> {
    let done = 0;
    try {
      while (done < length) {
        const at = position + done;
        const bytes = Math.min(length - done, PAGE_SIZE - (at % PAGE_SIZE));
        yield* shared.acquire(Math.floor(at / PAGE_SIZE), access);
        const moved = step(done, done + bytes);
        done += moved;
        if (moved < bytes) break;
      }
    } catch (error) {
      if (done === 0 || !(error instanceof Errno)) throw error;
    }
    return done;
  }

  read(target: Uint8Array, position: number): Maybe<number> {
    const count = Math.min(target.length, Math.max(0, this.#size - position));
    return this.#move(position, count, 'read', (from, to) => this.#read(target.subarray(from, to), position + from));
  }
  #read(target: Uint8Array, position: number): number {
    const count = Math.min(target.length, Math.max(0, this.#size - position));
    const { services } = this.fs;
    for (let done = 0; done < count; ) {
      const index = Math.floor((position + done) / PAGE_SIZE);
      const offset = (position + done) % PAGE_SIZE;
      const bytes = Math.min(count - done, PAGE_SIZE - offset);
      const pfn = this.#pages.get(index) ?? (this.#inArchive(index) ? this.#page(index) : undefined);
      if (pfn === undefined) target.fill(0, done, done + bytes);
      else target.set(services.frameBytes(pfn).subarray(offset, offset + bytes), done);
      done += bytes;
    }
    services.charge(transferCost(count));
    return count;
  }

  write(source: Uint8Array, position: number | null, done: (end: number) => void): Maybe<number> {
    return this.changing(() => {
      const at = position ?? this.#size;
      const count = this.#move(at, source.length, 'write', (from, to) => this.#write(source.subarray(from, to), at + from));
      return after(count, moved => {
        done(at + moved);
        return moved;
      });
    });
  }
  #write(source: Uint8Array, position: number): number {
    if (source.length === 0) return 0;
    if (position + source.length > FILE_BYTES_MAX) throw new Errno(E.FBIG);
    if (position > this.#size) this.#zeroTail();
    const { services } = this.fs;
    let done = 0;
    try {
      while (done < source.length) {
        const index = Math.floor((position + done) / PAGE_SIZE);
        const offset = (position + done) % PAGE_SIZE;
        const bytes = Math.min(source.length - done, PAGE_SIZE - offset);
        if (!this.#pages.has(index)) this.fs.refuseIfFull();
        const pfn = this.#ownPage(index);
        services.frameBytes(pfn).set(source.subarray(done, done + bytes), offset);
        services.wroteFrame(pfn);
        done += bytes;
        this.#size = Math.max(this.#size, position + done);
      }
    } catch (error) {
      if (done === 0 || !(error instanceof Errno)) throw error;
    }
    services.charge(transferCost(done));
    this.mtime = this.ctime = this.fs.now();
    return done;
  }

  override truncate(size: number): Maybe<void> {
    return this.changing(() => this.#truncateShared(size));
  }
  #truncateShared(size: number): Maybe<void> {
    if (size < 0) throw new Errno(E.INVAL);
    if (size > FILE_BYTES_MAX) throw new Errno(E.FBIG);
    if (this.shared === null || size >= this.#size) return this.#truncate(size);
    return after(eager(this.shared.gatherFrom(Math.floor(size / PAGE_SIZE), Math.ceil(size / PAGE_SIZE))), () => this.#truncate(size));
  }

  #truncate(size: number): void {
    if (size < this.#size) {
      this.#drop(Math.ceil(size / PAGE_SIZE));
      this.fs.services.cut(this, Math.ceil(size / PAGE_SIZE));
      if (this.#archive.length > size) this.#archive = this.#archive.subarray(0, size);
      this.#size = size;
      this.#zeroTail();
    } else if (size > this.#size) {
      this.#zeroTail();
      this.#size = size;
    }
    this.mtime = this.ctime = this.fs.now();
  }

  allocate(mode: number, offset: number, length: number): Maybe<void> {
    return this.changing(() => this.#allocate(mode, offset, length));
  }
  #allocate(mode: number, offset: number, length: number): Maybe<void> {
    if (offset < 0 || length <= 0) throw new Errno(E.INVAL);
    if (offset + length > FILE_BYTES_MAX) throw new Errno(E.FBIG);
    const end = offset + length;
    if (mode & ~(FALLOC.KEEP_SIZE | FALLOC.PUNCH_HOLE | FALLOC.ZERO_RANGE)) throw new Errno(E.OPNOTSUPP);
    if (mode & FALLOC.PUNCH_HOLE && !(mode & FALLOC.KEEP_SIZE)) throw new Errno(E.OPNOTSUPP);
    const grown = (): void => {
      if (!(mode & FALLOC.KEEP_SIZE) && end > this.#size) this.#truncate(end);
    };
    if (mode & (FALLOC.PUNCH_HOLE | FALLOC.ZERO_RANGE)) {
      const zero = (): void => {
        this.#zero(offset, Math.min(end, this.#size));
        grown();
      };
      return this.shared === null
        ? zero()
        : after(eager(this.shared.gatherFrom(Math.floor(offset / PAGE_SIZE), Number.POSITIVE_INFINITY)), zero);
    }
    if (length / PAGE_SIZE > this.fs.services.frameCounts().free + this.#pages.size) throw new Errno(E.NOSPC);
    for (let index = Math.floor(offset / PAGE_SIZE); index * PAGE_SIZE < end; index++) this.#page(index);
    grown();
  }

  sync(): void {}
  load(): void {}
  mapPage(index: number, forWrite: boolean): Pfn {
    const pfn = this.frame(index, forWrite);
    this.fs.services.retainFrame(pfn);
    return pfn;
  }
  /** The page's frame. @throws Errno EFAULT beyond the end */
  frame(index: number, forWrite: boolean): Pfn {
    if (index < 0 || index * PAGE_SIZE >= this.#size) throw new Errno(E.FAULT);
    return forWrite ? this.#ownPage(index) : this.#page(index);
  }
  /** Pages that come with their references, of a file that has none yet. */
  receive(pages: ReadonlyMap<number, Pfn>, size: number): void {
    for (const [index, pfn] of pages) this.#pages.set(index, pfn);
    this.#size = size;
  }
  /** No frame of it is seen by another kernel from now on, nor by a mapping that was made for it. */
  detachLent(): void {
    for (const index of [...this.#pages.keys()]) this.#ownPage(index);
  }

  /** Where data or a hole begins at or after `from`. */
  seekData(from: number, data: boolean): number {
    if (from < 0 || from >= this.#size) throw new Errno(E.NXIO);
    // A file may be far larger than what is in it: only pages with data are looked at.
    const first = Math.floor(from / PAGE_SIZE);
    const archivePages = Math.ceil(this.#archive.length / PAGE_SIZE);
    if (!data) {
      let index = Math.max(first, archivePages);
      while (this.#pages.has(index)) index++;
      return Math.min(this.#size, Math.max(from, index * PAGE_SIZE));
    }
    let index = first < archivePages ? first : Number.POSITIVE_INFINITY;
    for (const page of this.#pages.keys()) if (page >= first && page < index) index = page;
    if (index * PAGE_SIZE >= this.#size) throw new Errno(E.NXIO);
    return Math.max(from, index * PAGE_SIZE);
  }

  /** Makes the bytes from `start` to `end` zero, where there are any. */
  #zero(start: number, end: number): void {
    const archiveEnd = Math.min(end, this.#archive.length);
    for (let index = Math.floor(start / PAGE_SIZE); index * PAGE_SIZE < archiveEnd; index++) this.#page(index);
    for (const index of [...this.#pages.keys()]) {
      const from = Math.max(start, index * PAGE_SIZE);
      const to = Math.min(end, (index + 1) * PAGE_SIZE);
      if (from >= to) continue;
      const own = this.#ownPage(index);
      this.fs.services.frameBytes(own).fill(0, from - index * PAGE_SIZE, to - index * PAGE_SIZE);
      this.fs.services.wroteFrame(own);
    }
  }

  #inArchive(index: number): boolean {
    return index * PAGE_SIZE < this.#archive.length && !this.#pages.has(index);
  }

  #page(index: number): Pfn {
    const known = this.#pages.get(index);
    if (known !== undefined) return known;
    const { services } = this.fs;
    const pfn = services.allocFrame();
    const content = this.#archive.subarray(index * PAGE_SIZE, (index + 1) * PAGE_SIZE);
    if (index * PAGE_SIZE < this.#archive.length) services.frameBytes(pfn).set(content);
    services.charge(index * PAGE_SIZE < this.#archive.length ? FS_COSTS.archivePage : FS_COSTS.zeroPage);
    this.#pages.set(index, pfn);
    return pfn;
  }

  /** Its frame, to be written: another one if other kernels have it, who keep what it was. */
  #ownPage(index: number, pfn = this.#page(index)): Pfn {
    const own = ownFrame(this.fs.services, pfn);
    if (own !== pfn) this.#pages.set(index, own);
    return own;
  }

  #drop(from: number): void {
    for (const [index, pfn] of this.#pages) {
      if (index < from) continue;
      this.#pages.delete(index);
      this.fs.services.releaseFrame(pfn);
    }
  }

  #zeroTail(): void {
    const offset = this.#size % PAGE_SIZE;
    const index = Math.floor(this.#size / PAGE_SIZE);
    const known = this.#pages.get(index);
    if (offset === 0 || known === undefined) return;
    const pfn = this.#ownPage(index, known);
    this.fs.services.frameBytes(pfn).fill(0, offset);
    this.fs.services.wroteFrame(pfn);
  }
}

/** An open file as it was on another kernel; `label` is that of a nameless one. */
export function reopened(file: TmpFile, flags: number, position: number, label: string | null): RegularFile<TmpFile> {
  const open = label === null ? new RegularFile(file, flags) : new MemoryFile(file, flags, label);
  open.seek(position, SEEK.SET);
  return open;
}
/** The label of a nameless file; null of others. */
export const memoryName = (open: RegularFile): string | null => (open instanceof MemoryFile ? open.label : null);

/** A nameless file in no directory: memfd_create, memory that processes on several kernels share. @param path as /proc shows it */
export function namelessFile(fs: TmpFs, path: string, flags: number): MemoryFile {
  const file = new TmpFile(fs, { mode: S.IFREG | 0o777, uid: 0, gid: 0, rdev: 0, target: '' });
  return new MemoryFile(file, flags, `${path} (deleted)`);
}

export class MemoryFile extends RegularFile<TmpFile> {
  readonly #label: string;

  constructor(file: TmpFile, flags: number, label: string) {
    super(file, flags);
    this.#label = label;
  }

  override get label(): string {
    return this.#label;
  }
  override mapPage(index: number, forWrite: boolean): Pfn {
    return this.file.mapPage(index, forWrite);
  }
}
