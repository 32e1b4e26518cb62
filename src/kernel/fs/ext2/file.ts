/**
 * Regular files of ext2. Their contents are read by pages, several at a time, and written back by pages; a page is also what is mapped.
 *
 * Always holds: every frame in #pages is one reference; bytes of a page beyond the size are zero; a page that is mapped here stays; a frame that
 * another kernel sees is not written: the page gets a new one first.
 */
import { E, Errno } from '../../abi/errno.ts';
import { PAGE_SIZE, type Blocking, type Maybe, type Pfn } from '../../types.ts';
import { FS_COSTS, transferCost } from '../costs.ts';
import type { IoContext, OpenFile } from '../file.ts';
import type { InodeKind } from '../inode.ts';
import { after } from '../maybe.ts';
import { ownFrame, RegularFile, type RegularInode } from '../regular-file.ts';
import type { Claim } from '../services.ts';
import { type Run, transferRuns } from './buffers.ts';
import { Ext2Inode } from './inode.ts';

/** Pages that are read at once when one is wanted of a file that is read from front to back. */
const READ_AHEAD = 32;
/** What three levels of numbers can hold of 1 KiB blocks, about; a size beyond it is refused on the way in. */
const FILE_BYTES_MAX = 2 ** 34;

interface Page {
  pfn: Pfn;
  dirty: boolean;
  /** Some program may be writing to it as its memory. */
  isWritable: boolean;
}

export class Ext2File extends Ext2Inode implements RegularInode {
  readonly kind: InodeKind = 'file';
  readonly #pages = new Map<number, Page>();
  /** Nobody on another kernel can map it shared. */
  readonly shared = null;
  /** Its pages may be mapped here: set until it is closed by all. */
  #isMapped = false;
  /** They may be written so, without anybody asking: until all that has been is on the disk. */
  #isMemory = false;
  /** The page behind the last one that was read. */
  #expected = 0;

  override open(flags: number, _io: IoContext): OpenFile {
    return new RegularFile(this, flags);
  }
  override closed(): Maybe<void> {
    if (this.opens === 1) this.#isMapped = false;
    return super.closed();
  }
  override get isTracked(): boolean {
    return super.isTracked && !this.#isMemory;
  }

  // --- reading -------------------------------------------------------------------------------------------------------------------

  read(target: Uint8Array, position: number): Maybe<number> {
    return this.fs.locked(() => this.#read(target, position));
  }
  *#read(target: Uint8Array, position: number): Blocking<number> {
    const count = Math.min(target.length, Math.max(0, this.size - position));
    const { services } = this.fs;
    for (let done = 0; done < count; ) {
      const index = Math.floor((position + done) / PAGE_SIZE);
      const offset = (position + done) % PAGE_SIZE;
      const bytes = Math.min(count - done, PAGE_SIZE - offset);
      const page = yield* this.#page(index, Math.ceil((offset + count - done) / PAGE_SIZE));
      target.set(services.frameBytes(page.pfn).subarray(offset, offset + bytes), done);
      done += bytes;
      this.#expected = index + 1;
    }
    services.charge(transferCost(count));
    return count;
  }

  /** The page, read if it is not here; with it some that will be wanted next. */
  *#page(index: number, wanted = 1): Blocking<Page> {
    const known = this.#pages.get(index);
    if (known !== undefined) return known;
    const ahead = index === this.#expected ? READ_AHEAD : 1;
    const last = Math.min(index + Math.max(Math.min(wanted, READ_AHEAD), ahead), Math.max(index + 1, Math.ceil(this.size / PAGE_SIZE)));
    const made = new Map<number, Page>();
    const runs: Run[] = [];
    try {
      for (let at = index; at < last && !this.#pages.has(at); at++) {
        const pfn = this.fs.services.allocFrame();
        made.set(at, { pfn, dirty: false, isWritable: false });
        runs.push(...(yield* this.#runsOf(at, pfn)));
      }
      yield* transferRuns(this.fs.blockDevice, runs, false);
    } catch (error) {
      for (const { pfn } of made.values()) this.fs.services.releaseFrame(pfn);
      throw error;
    }
    for (const [at, page] of made) {
      this.#pages.set(at, page);
      this.fs.pages++;
      this.#clean(at, page);
    }
    return made.get(index) as Page;
  }
  /** Nothing of what the disk has behind the end is seen. */
  #clean(index: number, { pfn }: Page): void {
    const offset = this.size - index * PAGE_SIZE;
    if (offset < PAGE_SIZE) this.fs.services.frameBytes(pfn).fill(0, Math.max(0, offset));
    this.fs.services.wroteFrame(pfn);
  }

  /** Where the disk has what stands in a page; holes are left out. */
  *#runsOf(index: number, pfn: Pfn): Blocking<Run[]> {
    const { blockBytes } = this.fs;
    const perPage = PAGE_SIZE / blockBytes;
    const runs: Run[] = [];
    for (let i = 0; i < perPage; i++) {
      const block = yield* this.blockOf(index * perPage + i);
      if (block !== 0) runs.push({ at: block * blockBytes, address: pfn * PAGE_SIZE + i * blockBytes, bytes: blockBytes });
    }
    return runs;
  }

  // --- writing -------------------------------------------------------------------------------------------------------------------

  write(source: Uint8Array, position: number | null, done: (end: number) => void): Maybe<number> {
    return this.fs.changing(
      function* (this: Ext2File, claim: Claim): Blocking<number> {
        claim(this);
        const from = position ?? this.size;
        const count = yield* this.#write(source, from);
        done(from + count);
        return count;
      }.bind(this),
    );
  }
  *#write(source: Uint8Array, position: number): Blocking<number> {
    if (source.length === 0) return 0;
    if (position + source.length > FILE_BYTES_MAX) throw new Errno(E.FBIG);
    const { services, blockBytes } = this.fs;
    if (position > this.size) yield* this.#zeroTail();
    let done = 0;
    try {
      while (done < source.length) {
        const at = position + done;
        const index = Math.floor(at / PAGE_SIZE);
        const offset = at % PAGE_SIZE;
        const bytes = Math.min(source.length - done, PAGE_SIZE - offset);
        const isWhole = bytes === PAGE_SIZE || index * PAGE_SIZE >= this.size;
        const page = isWhole ? this.#emptyPage(index) : yield* this.#page(index);
        this.#own(page);
        page.dirty = true;
        for (let block = Math.floor(at / blockBytes); block * blockBytes < at + bytes; block++) yield* this.blockOf(block, true);
        services.frameBytes(page.pfn).set(source.subarray(done, done + bytes), offset);
        services.wroteFrame(page.pfn);
        done += bytes;
        this.size = Math.max(this.size, position + done);
      }
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      // What has been found for bytes that did not come.
      yield* this.freeBlocks(Math.ceil(this.size / blockBytes));
      if (done === 0) throw error;
    }
    services.charge(transferCost(done));
    this.changedAt('mtime', 'ctime');
    return done;
  }

  /** It is going to be written. */
  #own(page: Page): void {
    page.pfn = ownFrame(this.fs.services, page.pfn);
  }

  /** A page that need not be read: all of it is written, or there was nothing. */
  #emptyPage(index: number): Page {
    const known = this.#pages.get(index);
    if (known !== undefined) return known;
    const page = { pfn: this.fs.services.allocFrame(), dirty: false, isWritable: false };
    this.fs.services.charge(FS_COSTS.zeroPage);
    this.#pages.set(index, page);
    this.fs.pages++;
    return page;
  }

  override truncate(size: number): Maybe<void> {
    if (size < 0) throw new Errno(E.INVAL);
    if (size > FILE_BYTES_MAX) throw new Errno(E.FBIG);
    return this.fs.changing(
      function* (this: Ext2File, claim: Claim): Blocking<void> {
        claim(this);
        if (size < this.size) {
          this.#drop(Math.ceil(size / PAGE_SIZE));
          this.fs.services.cut(this, Math.ceil(size / PAGE_SIZE));
          this.size = size;
          yield* this.#zeroTail();
          yield* this.freeBlocks(Math.ceil(size / this.fs.blockBytes));
        } else if (size > this.size) {
          yield* this.#zeroTail();
          this.size = size;
        }
        this.changedAt('mtime', 'ctime');
      }.bind(this),
    );
  }
  /** What stands behind the end in the last block is zero, on the disk too: it may come to be within the file. */
  *#zeroTail(): Blocking<void> {
    const index = Math.floor(this.size / PAGE_SIZE);
    if (this.size % this.fs.blockBytes === 0 && !this.#pages.has(index)) return;
    if (this.size % PAGE_SIZE === 0) return;
    const page = yield* this.#page(index);
    this.#own(page);
    this.#clean(index, page);
    page.dirty = true;
  }
  override *freeContents(): Blocking<void> {
    this.#drop(0);
    yield* this.freeBlocks(0);
  }

  /** Within an operation: pages that have changed go to the disk. */
  *writePages(): Blocking<void> {
    const runs: Run[] = [];
    for (const [index, page] of [...this.#pages].sort(([a], [b]) => a - b)) {
      if (!page.dirty && !page.isWritable) continue;
      if (page.isWritable) yield* this.#fillHoles(index);
      runs.push(...(yield* this.#runsOf(index, page.pfn)));
      page.dirty = false;
    }
    const isClosed = this.opens === 0;
    yield* transferRuns(this.fs.blockDevice, runs, true);
    if (!this.#isMemory || !isClosed || this.opens > 0) return;
    for (const page of this.#pages.values()) page.isWritable = false;
    this.#isMemory = false;
  }
  /** A program may have written anywhere in it. Where the disk is full what it wrote is lost, as on Linux. */
  *#fillHoles(index: number): Blocking<void> {
    const perPage = PAGE_SIZE / this.fs.blockBytes;
    const end = Math.min(perPage, Math.ceil((this.size - index * PAGE_SIZE) / this.fs.blockBytes));
    try {
      for (let i = 0; i < end; i++) yield* this.blockOf(index * perPage + i, true);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
    }
  }
  sync(): Maybe<void> {
    return this.fs.flush();
  }

  // --- pages ---------------------------------------------------------------------------------------------------------------------

  /** Pages are read before they are mapped, as page faults don't sleep. */
  becomeMapped(first: number, count: number, isWritten: boolean): Maybe<void> {
    this.#isMapped = true;
    if (!isWritten || this.#isMemory) return this.load(first, count);
    const memory = this.fs.changing(
      function* (this: Ext2File, claim: Claim): Blocking<void> {
        claim(this);
        this.#isMemory = true;
        for (const page of this.#pages.values()) this.#own(page);
      }.bind(this),
    );
    return after(memory, () => this.load(first, count));
  }
  mapPage(index: number, forWrite: boolean): Maybe<Pfn> {
    if (index < 0 || index * PAGE_SIZE >= this.size) throw new Errno(E.FAULT);
    const page = this.#pages.get(index);
    const take = (found: Page): Pfn => {
      if (forWrite && this.#isMemory) {
        this.#own(found);
        found.isWritable = true;
        this.fs.wrote();
      }
      this.fs.services.retainFrame(found.pfn);
      return found.pfn;
    };
    return page !== undefined
      ? take(page)
      : after(
          this.fs.locked(() => this.#page(index)),
          take,
        );
  }
  load(first: number, count: number): Maybe<void> {
    return this.fs.locked(
      function* (this: Ext2File): Blocking<void> {
        const end = Math.min(first + count, Math.ceil(this.size / PAGE_SIZE));
        for (let index = first; index < end; index++) yield* this.#page(index, end - index);
      }.bind(this),
    );
  }
  allocate(): void {
    throw new Errno(E.OPNOTSUPP);
  }
  /** Holes are not told, as Linux's ext2 has it: all is data up to the end. */
  seekData(from: number, data: boolean): number {
    if (from < 0 || from >= this.size) throw new Errno(E.NXIO);
    return data ? from : this.size;
  }

  /** Lets go of pages that are as on the disk, unless they are mapped. */
  dropPages(): void {
    if (this.#isMapped) return;
    for (const [index, { dirty }] of this.#pages) if (!dirty) this.#dropPage(index);
  }
  forgetPages(): void {
    this.#drop(0);
  }
  #drop(from: number): void {
    for (const index of this.#pages.keys()) if (index >= from) this.#dropPage(index);
  }
  #dropPage(index: number): void {
    const page = this.#pages.get(index);
    if (page === undefined) return;
    this.#pages.delete(index);
    this.fs.pages--;
    this.fs.services.releaseFrame(page.pfn);
  }
}
