/** Open files of other kernels, as they stand here. */
import { E, Errno } from '../abi/errno.ts';
import { O } from '../abi/fcntl.ts';
import { POLL } from '../abi/poll.ts';
import { BaseFile, type FileKind, type IoContext } from '../fs/file.ts';
import type { AttributeChange, Attributes, DirectoryEntry, FileSystemStatus, Inode } from '../fs/inode.ts';
import type { Lock, LockRequest } from '../fs/lock.ts';
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import type { ObjectMember } from '../migrate/shared-memory.ts';
import type { SharedPages } from '../mm/sharing.ts';
import { type Blocking, type KernelId, type Maybe, PAGE_SIZE, type Pfn, WaitQueue } from '../types.ts';
import type { FileRef, Json } from './files.ts';

/** Bytes of data that fit in a frame beside the arguments. */
export const CHUNK = PAGE_SIZE - 512;

/** Another kernel's open file, to which this kernel holds references. */
export class RemoteFile extends BaseFile {
  /** References that the owner counts for us, however many there are here. */
  held = 1;
  protected readonly kernel: Kernel;
  readonly #gone: () => void;
  readonly #changed = new WaitQueue();
  readonly #queues = [this.#changed];
  /** Frames of pages that were fetched, one reference each. */
  readonly #pinned = new Map<number, Pfn>();
  /** Set while it is mapped shared. */
  #member: ObjectMember | null = null;

  constructor(
    kernel: Kernel,
    readonly ref: FileRef,
    gone: () => void,
  ) {
    super(ref.flags);
    this.kernel = kernel;
    this.#gone = gone;
  }
  get owner(): KernelId {
    return this.ref.owner;
  }
  get kind(): FileKind {
    return this.ref.kind;
  }
  override get label(): string {
    return this.ref.label;
  }
  override get seekable(): boolean {
    return this.ref.seekable;
  }
  override get queues(): readonly WaitQueue[] {
    return this.#queues;
  }
  override get inode(): Inode | null {
    return this.dentry?.inode ?? null;
  }

  ready(): void {
    this.#changed.wakeAll();
  }
  forgetPages(): void {
    this.#pinned.clear();
  }

  /** Waited for, as the other end of a pipe must have closed before anyone is told so. */
  protected override closed(): Maybe<void> {
    this.#gone();
    for (const pfn of this.#pinned.values()) this.kernel.frames.release(pfn);
    this.#pinned.clear();
    this.#member?.left();
    this.#member = null;
    if (this.kernel.isPeer(this.owner)) return this.#tellOwner();
  }
  *#tellOwner(): Blocking<void> {
    yield* this.kernel.messages.call(
      this.owner,
      M.FILE_RELEASE,
      { handle: this.ref.handle, references: this.held, holder: this.kernel.id },
      M.FILE_RELEASED,
    );
  }

  protected *ask<T>(name: string, args: readonly Json[], bytes?: Uint8Array): Blocking<T> {
    return (yield* this.kernel.image.files.ask(this.owner, name, this.ref.handle, args, bytes)).json as unknown as T;
  }

  override *setFlags(flags: number): Blocking<void> {
    yield* this.ask('setFlags', [flags]);
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
  override *read(target: Uint8Array, caller: IoContext): Blocking<number> {
    return yield* this.#transfer(target.length, this.kind === 'file', (at, count) =>
      this.#into(target, at, 'read', [count, caller as unknown as Json]),
    );
  }
  override *pread(target: Uint8Array, position: number, caller: IoContext): Blocking<number> {
    return yield* this.#transfer(target.length, this.kind === 'file', (at, count) =>
      this.#into(target, at, 'pread', [count, position + at, caller as unknown as Json]),
    );
  }
  *#into(target: Uint8Array, at: number, name: string, args: readonly Json[]): Blocking<number> {
    const { json, bytes } = yield* this.kernel.image.files.ask(this.owner, name, this.ref.handle, args);
    const count = json as number;
    if (count > 0) target.set(bytes.subarray(0, count), at);
    return count;
  }
  override *write(source: Uint8Array, caller: IoContext): Blocking<number> {
    return yield* this.#transfer(source.length, (this.flags & O.NONBLOCK) === 0, (at, count) =>
      this.ask('write', [caller as unknown as Json], source.subarray(at, at + count)),
    );
  }
  override *pwrite(source: Uint8Array, position: number, caller: IoContext): Blocking<number> {
    return yield* this.#transfer(source.length, true, (at, count) =>
      this.ask('pwrite', [position + at, caller as unknown as Json], source.subarray(at, at + count)),
    );
  }
  override seek(offset: number, whence: number): Blocking<number> {
    return this.ask('seek', [offset, whence]);
  }
  override *poll(): Blocking<number> {
    if (!this.kernel.isPeer(this.owner)) return POLL.ERR | POLL.HUP;
    return yield* this.ask<number>('poll', []);
  }
  override *ioctl(command: number, argument: number, data: Uint8Array, caller: IoContext): Blocking<number> {
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
  attributes(): Blocking<Attributes> {
    return this.ask('fileAttributes', []);
  }
  override setAttributes(change: AttributeChange): Blocking<void> {
    return this.ask('fileSetAttributes', [change as unknown as Json]);
  }
  override truncate(size: number): Blocking<void> {
    return this.ask('fileTruncate', [size]);
  }
  override allocate(mode: number, offset: number, length: number): Blocking<void> {
    return this.ask('allocate', [mode, offset, length]);
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
    return this.#member;
  }
  /** It is going to be mapped shared. @throws Errno */
  *join(): Blocking<void> {
    if (this.#member !== null && !this.#member.ended) return;
    const member = yield* this.kernel.sharedMemory.join(this);
    if (this.#member !== null && !this.#member.ended) member.left();
    else this.#member = member;
  }

  /** Fetches a run of pages, so that mapPage finds them. */
  pin(firstPage: number, count: number): Blocking<void> {
    return this.kernel.gate.through(() => this.#fetch(firstPage, count));
  }
  *#fetch(firstPage: number, count: number): Blocking<void> {
    const kernel = this.kernel;
    for (let at = firstPage; at < firstPage + count; ) {
      if (this.#pinned.has(at)) {
        at++;
        continue;
      }
      const frames = yield* this.ask<readonly Pfn[]>('pin', [at, firstPage + count - at]);
      for (const [i, pfn] of frames.entries()) {
        kernel.frames.adopt(pfn);
        kernel.processor.invalidateFrame(pfn);
        if (this.#pinned.has(at + i)) kernel.frames.release(pfn);
        else this.#pinned.set(at + i, pfn);
      }
      if (frames.length === 0) return;
      at += frames.length;
    }
  }
  override mapPage(index: number, _forWrite: boolean): Pfn {
    const pfn = this.#pinned.get(index);
    if (pfn === undefined) throw new Errno(E.FAULT);
    this.kernel.frames.retain(pfn);
    return pfn;
  }
}
