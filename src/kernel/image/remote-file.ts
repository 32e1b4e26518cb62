/**
 * Open files of other kernels, as they stand here.
 *
 *     open at its owner     its position is there, every operation is a message
 *     unopened              a regular file, open for reading, that is remembered here (cache.ts): its position is here, pages that are
 *                           remembered are read at once. It is opened at its owner when that recalls what is remembered, or when
 *                           another kernel is to get a reference, or for what only the owner can do
 *
 * Always holds: an unopened file is among the readers of what is remembered of its inode, so the owner hears of it before the file changes or
 * loses its last name.
 */
import { E, Errno } from '../abi/errno.ts';
import { O, SEEK } from '../abi/fcntl.ts';
import { ALWAYS_READY, POLL } from '../abi/poll.ts';
import { transferCost } from '../fs/costs.ts';
import { BaseFile, type FileKind, type IoContext, type OpenFile } from '../fs/file.ts';
import type { AttributeChange, Attributes, DirectoryEntry, FileSystemStatus, Inode } from '../fs/inode.ts';
import type { Lock, LockRequest } from '../fs/lock.ts';
import { eager } from '../fs/maybe.ts';
import type { Kernel } from '../kernel.ts';
import type { ObjectMember } from '../migrate/shared-memory.ts';
import type { SharedPages } from '../mm/sharing.ts';
import { framesOf } from '../mm/runs.ts';
import { type Blocking, type KernelId, type Maybe, PAGE_SIZE, type Pfn, settle, sleep, WaitQueue } from '../types.ts';
import type { Remembered } from './cache.ts';
import type { FileRef, Json } from './files.ts';
import { RemoteInode } from './remote-inode.ts';

/** Bytes of data that fit in a frame beside the arguments. */
export const CHUNK = PAGE_SIZE - 512;

/** Pages that a reader has fetched at once: doubled while it goes on from where it was. */
const AHEAD_MIN = 4;
const AHEAD_MAX = 128;
/** No open file has this handle: what asks for it gets ESTALE. */
const NO_HANDLE = 0xffffffff;

/** What is known of a file that has not been opened at its owner. */
interface Unopened {
  readonly inode: RemoteInode;
  /** Among whose readers it is. */
  readonly entry: Remembered;
  position: number;
  /** Where the reader will be if it goes on, and how much is fetched then. */
  nextPage: number;
  ahead: number;
}

/** Another kernel's open file, to which this kernel holds references. */
export class RemoteFile extends BaseFile {
  /** References that the owner counts for us, however many there are here. */
  held = 1;
  ref: FileRef;
  protected readonly kernel: Kernel;
  #unopened: Unopened | null = null;
  #opening = false;
  readonly #opened = new WaitQueue();
  readonly #changed = new WaitQueue();
  readonly #queues = [this.#changed];
  /** Frames of pages that were fetched to be mapped, one reference each. */
  readonly #pinned = new Map<number, Pfn>();
  /** Set while it is mapped shared. */
  #member: ObjectMember | null = null;
  /** Those of them that have been mapped: code in them is known. */
  readonly #mapped = new Set<Pfn>();

  constructor(kernel: Kernel, ref: FileRef) {
    super(ref.flags);
    this.kernel = kernel;
    this.ref = ref;
  }

  static unopened(kernel: Kernel, inode: RemoteInode, flags: number, entry: Remembered): RemoteFile {
    const { owner } = inode.ref;
    const file = new RemoteFile(kernel, { owner, handle: NO_HANDLE, kind: 'file', flags, seekable: true, label: '' });
    file.#unopened = { inode, entry, position: 0, nextPage: 0, ahead: AHEAD_MIN };
    entry.readers.add(file);
    kernel.image.files.appeared(file);
    return file;
  }

  get isOpenAtOwner(): boolean {
    return this.#unopened === null;
  }

  /** Opens it at its owner, where it stands now, unless it is. @throws Errno */
  *openAtOwner(): Blocking<void> {
    while (this.#opening) yield* sleep([this.#opened], { interruptible: false });
    const unopened = this.#unopened;
    if (unopened === null) return;
    this.#opening = true;
    const { files } = this.kernel.image;
    const { inode, position, entry } = unopened;
    const nobody = { pid: 0, tid: 0, uid: 0, gid: 0, shield: 0 };
    try {
      const { json } = yield* files.ask(this.owner, 'open', inode.ref.handle, [this.flags, nobody, position]);
      this.ref = { ...(json as unknown as FileRef), label: this.label };
    } catch (error) {
      // Its owner is gone, or has no room: it is as if it had been closed there.
      if (!(error instanceof Errno)) throw error;
    } finally {
      entry.readers.delete(this);
      this.#unopened = null;
      this.#opening = false;
      files.appeared(this);
      this.#opened.wakeAll();
    }
  }

  get owner(): KernelId {
    return this.#unopened?.inode.owner ?? this.kernel.image.files.keeper(this.ref);
  }
  get kind(): FileKind {
    return this.ref.kind;
  }
  override get label(): string {
    return this.ref.label;
  }
  override get position(): number {
    return this.#unopened?.position ?? 0;
  }
  override get seekable(): boolean {
    return this.ref.seekable;
  }
  override get queues(): readonly WaitQueue[] {
    return this.#queues;
  }
  override get inode(): Inode | null {
    return this.#own?.inode ?? this.dentry?.inode ?? null;
  }
  /** The file itself, once it is this kernel's: its owner has halted, and this kernel is the heir. */
  get #own(): OpenFile | null {
    return this.#unopened === null && this.owner === this.kernel.id ? this.kernel.image.files.ownFile(this.ref.handle) : null;
  }

  ready(): void {
    this.#changed.wakeAll();
  }
  rescuePages(isTheirs: (pfn: Pfn) => boolean, copyOf: (pfn: Pfn) => Pfn): void {
    for (const [index, pfn] of this.#pinned) {
      if (!isTheirs(pfn)) continue;
      try {
        this.#pinned.set(index, copyOf(pfn));
      } catch (error) {
        if (!(error instanceof Errno)) throw error;
        this.#pinned.delete(index);
      }
    }
  }

  /** Waited for, as the other end of a pipe must have closed before anyone is told so. */
  protected override closed(): Maybe<void> {
    for (const pfn of this.#pinned.values()) this.kernel.frames.release(pfn);
    this.#pinned.clear();
    this.#member?.left();
    this.#member = null;
    if (this.#opening) return this.#closeOpened();
    return this.#close();
  }
  *#closeOpened(): Blocking<void> {
    while (this.#opening) yield* sleep([this.#opened], { interruptible: false });
    yield* settle(this.#close());
  }
  #close(): Maybe<void> {
    this.kernel.image.files.vanished(this);
    if (this.#unopened !== null) this.#unopened.entry.readers.delete(this);
    else if (this.ref.handle !== NO_HANDLE) return this.kernel.image.files.giveBack(this.ref, this.held, this.kernel.id);
  }

  protected *ask<T>(name: string, args: readonly Json[], bytes?: Uint8Array): Blocking<T> {
    yield* this.openAtOwner();
    return (yield* this.kernel.image.files.ask(this.owner, name, this.ref.handle, args, bytes)).json as unknown as T;
  }

  /** Of what is remembered of the inode this file is about to change nothing is. */
  *#change<T>(name: string, args: readonly Json[], bytes?: Uint8Array): Blocking<T> {
    yield* this.openAtOwner();
    const { files } = this.kernel.image;
    const inode = this.inode instanceof RemoteInode && this.inode.owner === this.owner ? this.inode : null;
    const givenUp = inode === null ? [] : yield* files.cache.giveUp(inode.ref);
    return (yield* files.ask(this.owner, name, this.ref.handle, args, bytes, givenUp)).json as unknown as T;
  }

  override *setFlags(flags: number): Blocking<void> {
    if (this.#unopened === null || this.#opening) yield* this.ask('setFlags', [flags]);
    this.flags = flags;
  }
  /** Regular files give all that is asked for, as they do at home; others what there is. */
  *#transfer(length: number, whole: boolean, move: (at: number, count: number) => Blocking<number>): Blocking<number> {
    let done = 0;
    do {
      const count = Math.min(CHUNK, length - done);
      let moved: number;
      try {
        moved = yield* move(done, count);
      } catch (error) {
        if (done > 0 && error instanceof Errno) return done;
        throw error;
      }
      done += moved;
      if (moved < count) break;
    } while (done < length && whole);
    return done;
  }
  override read(target: Uint8Array, caller: IoContext): Maybe<number> {
    return this.#unopened === null ? this.#readAtOwner(target, caller) : eager(this.#readHere(target, null, caller));
  }
  *#readAtOwner(target: Uint8Array, caller: IoContext): Blocking<number> {
    return yield* this.#transfer(target.length, this.kind === 'file', (at, count) =>
      this.#into(target, at, 'read', [count, caller as unknown as Json]),
    );
  }
  override pread(target: Uint8Array, position: number, caller: IoContext): Maybe<number> {
    return this.#unopened === null ? this.#preadAtOwner(target, position, caller) : eager(this.#readHere(target, position, caller));
  }
  *#preadAtOwner(target: Uint8Array, position: number, caller: IoContext): Blocking<number> {
    return yield* this.#transfer(target.length, this.kind === 'file', (at, count) =>
      this.#into(target, at, 'pread', [count, position + at, caller as unknown as Json]),
    );
  }
  /** From pages that are remembered; `at` null: from the position on, which goes along. */
  *#readHere(target: Uint8Array, at: number | null, caller: IoContext): Blocking<number> {
    const { cache } = this.kernel.image.files;
    for (;;) {
      while (this.#opening) yield* sleep([this.#opened], { interruptible: false });
      const unopened = this.#unopened;
      if (unopened === null) return yield* at === null ? this.#readAtOwner(target, caller) : this.#preadAtOwner(target, at, caller);
      const { inode, entry } = unopened;
      const position = at ?? unopened.position;
      // What has been taken from memory for want of room does not come back with its old attributes.
      const { attributes } = entry;
      if (attributes === null) {
        yield* this.openAtOwner();
        continue;
      }
      const count = Math.max(0, Math.min(target.length, attributes.size - position));
      const missing = firstMissing(entry.pages, position, count);
      if (missing === null) {
        this.#copy(entry.pages, target, position, count);
        if (at === null) unopened.position = position + count;
        cache.hits++;
        return count;
      }
      cache.misses++;
      unopened.ahead = missing === unopened.nextPage ? Math.min(AHEAD_MAX, 2 * unopened.ahead) : AHEAD_MIN;
      unopened.nextPage = missing + unopened.ahead;
      const least = Math.floor((position + count - 1) / PAGE_SIZE) + 1 - missing;
      if (!(yield* inode.fetch(missing, Math.max(least, unopened.ahead), entry))) yield* this.openAtOwner();
    }
  }
  #copy(pages: ReadonlyMap<number, Pfn>, target: Uint8Array, position: number, count: number): void {
    const { u8 } = this.kernel.memory;
    for (let done = 0; done < count; ) {
      const offset = (position + done) % PAGE_SIZE;
      const bytes = Math.min(count - done, PAGE_SIZE - offset);
      const from = (pages.get(Math.floor((position + done) / PAGE_SIZE)) as Pfn) * PAGE_SIZE + offset;
      target.set(u8.subarray(from, from + bytes), done);
      done += bytes;
    }
    this.kernel.charge(transferCost(count));
  }
  *#into(target: Uint8Array, at: number, name: string, args: readonly Json[]): Blocking<number> {
    const { json, bytes } = yield* this.kernel.image.files.ask(this.owner, name, this.ref.handle, args);
    const count = json as number;
    if (count > 0) target.set(bytes.subarray(0, count), at);
    return count;
  }
  override *write(source: Uint8Array, caller: IoContext): Blocking<number> {
    return yield* this.#transfer(source.length, (this.flags & O.NONBLOCK) === 0, (at, count) =>
      this.#change('write', [caller as unknown as Json], source.subarray(at, at + count)),
    );
  }
  override *pwrite(source: Uint8Array, position: number, caller: IoContext): Blocking<number> {
    return yield* this.#transfer(source.length, true, (at, count) =>
      this.#change('pwrite', [position + at, caller as unknown as Json], source.subarray(at, at + count)),
    );
  }
  override seek(offset: number, whence: number): Maybe<number> {
    const unopened = this.#unopened;
    const size = unopened?.entry.attributes?.size ?? 0;
    if (unopened === null || this.#opening || whence > SEEK.END) return this.ask('seek', [offset, whence]);
    const position = offset + (whence === SEEK.SET ? 0 : whence === SEEK.CUR ? unopened.position : size);
    if (position < 0 || position > Number.MAX_SAFE_INTEGER) throw new Errno(E.INVAL);
    unopened.position = position;
    return position;
  }
  override poll(): Maybe<number> {
    return this.#unopened === null ? this.#pollOwner() : ALWAYS_READY;
  }
  *#pollOwner(): Blocking<number> {
    if (!this.kernel.image.files.isThere(this.owner)) return POLL.ERR | POLL.HUP;
    try {
      return yield* this.ask<number>('poll', []);
    } catch (error) {
      if (error instanceof Errno && error.errno === E.HOSTDOWN) return POLL.ERR | POLL.HUP;
      throw error;
    }
  }
  override *ioctl(command: number, argument: number, data: Uint8Array, caller: IoContext): Blocking<number> {
    yield* this.openAtOwner();
    const { json, bytes } = yield* this.kernel.image.files.ask(
      this.owner,
      'ioctl',
      this.ref.handle,
      [command, argument, caller as unknown as Json],
      data,
    );
    data.set(bytes.subarray(0, data.length));
    return json as number;
  }
  override readEntries(countMax: number): Blocking<readonly DirectoryEntry[]> {
    return this.ask('readEntries', [countMax]);
  }
  attributes(): Maybe<Attributes> {
    return this.#unopened === null ? this.ask('fileAttributes', []) : this.#unopened.inode.attributes();
  }
  override setAttributes(change: AttributeChange): Blocking<void> {
    return this.#change('fileSetAttributes', [change as unknown as Json]);
  }
  override truncate(size: number): Blocking<void> {
    return this.#change('fileTruncate', [size]);
  }
  override allocate(mode: number, offset: number, length: number): Blocking<void> {
    return this.#change('allocate', [mode, offset, length]);
  }
  override lock(request: LockRequest): Blocking<Lock | null> {
    return this.ask('fileLock', [request as unknown as Json]);
  }
  override status(): Blocking<FileSystemStatus> {
    return this.ask('fileStatus', []);
  }

  override sync(): Maybe<void> {
    if (this.kind === 'file') return this.ask('fileSync', []);
  }
  override get sharedPages(): SharedPages | null {
    return this.#own?.sharedPages ?? this.#member;
  }
  override willMap(firstPage: number, count: number, isShared: boolean): Maybe<void> {
    const own = this.#own;
    if (own !== null) return own.willMap(firstPage, count, isShared);
    return isShared && this.kind === 'file' ? this.#join() : this.#pin(firstPage, count);
  }
  /** It is going to be mapped shared. @throws Errno */
  *#join(): Blocking<void> {
    if (this.#member !== null && !this.#member.ended) return;
    yield* this.openAtOwner();
    const member = yield* this.kernel.sharedMemory.join(this);
    if (this.#member !== null && !this.#member.ended) member.left();
    else this.#member = member;
  }

  /** Fetches a run of pages, so that mapPage finds them: they stay what they are now. */
  *#pin(firstPage: number, count: number): Blocking<void> {
    for (let at = firstPage; at < firstPage + count; ) {
      const unopened = this.#opening ? null : this.#unopened;
      if (unopened === null) {
        yield* this.openAtOwner();
        yield* this.kernel.gate.through(() => this.#fetch(at, firstPage + count - at));
        return;
      }
      const { entry } = unopened;
      const { pages, attributes } = entry;
      const pfn = pages.get(at);
      if (this.#pinned.has(at)) at++;
      else if (pfn !== undefined) {
        this.kernel.frames.retain(pfn);
        this.#pinned.set(at++, pfn);
      } else {
        const end = Math.ceil((attributes?.size ?? 0) / PAGE_SIZE);
        if (attributes !== null && at >= end) return;
        this.kernel.image.files.cache.misses++;
        if (!(yield* unopened.inode.fetch(at, firstPage + count - at, entry))) yield* this.openAtOwner();
      }
    }
  }
  *#fetch(firstPage: number, count: number): Blocking<void> {
    const kernel = this.kernel;
    for (let at = firstPage; at < firstPage + count; ) {
      if (this.#pinned.has(at)) {
        at++;
        continue;
      }
      const frames = framesOf(yield* this.ask<readonly number[]>('pin', [at, firstPage + count - at]));
      for (const [i, pfn] of frames.entries()) {
        kernel.frames.adopt(pfn);
        if (this.#pinned.has(at + i)) kernel.frames.release(pfn);
        else this.#pinned.set(at + i, pfn);
      }
      if (frames.length === 0) return;
      at += frames.length;
    }
  }
  override mapPage(index: number, forWrite: boolean): Maybe<Pfn> {
    const own = this.#own;
    if (own !== null) return own.mapPage(index, forWrite);
    const pfn = this.#pinned.get(index);
    if (pfn === undefined) throw new Errno(E.FAULT);
    this.kernel.frames.retain(pfn);
    if (!this.#mapped.has(pfn)) {
      this.#mapped.add(pfn);
      this.kernel.processor.reuseFrame(pfn);
    }
    return pfn;
  }
}

/** The first page of these bytes that is not there. */
function firstMissing(pages: ReadonlyMap<number, Pfn>, position: number, count: number): number | null {
  if (count === 0) return null;
  for (let index = Math.floor(position / PAGE_SIZE); index * PAGE_SIZE < position + count; index++) if (!pages.has(index)) return index;
  return null;
}
