/**
 * Another kernel's inode, as it stands here: what is remembered of it answers at once (cache.ts), for the rest its owner is asked.
 *
 * Always holds: before this kernel asks for a change it has forgotten what it remembered of what is to be changed.
 */
import { E, Errno } from '../abi/errno.ts';
import { O } from '../abi/fcntl.ts';
import type { IoContext, OpenFile } from '../fs/file.ts';
import {
  type AttributeChange,
  type Attributes,
  BaseInode,
  type DirectoryEntry,
  type FileSystemStatus,
  type Inode,
  type InodeKind,
  kindOfMode,
  type NewInode,
} from '../fs/inode.ts';
import type { Lock, LockRequest } from '../fs/lock.ts';
import type { SocketLink } from '../fs/socket/socket.ts';
import type { Kernel } from '../kernel.ts';
import { framesOf } from '../mm/runs.ts';
import type { Blocking, KernelId, Maybe } from '../types.ts';
import type { Remembered } from './cache.ts';
import type { FileRef, InodeRef, Json } from './files.ts';
import { RemoteFile } from './remote-file.ts';

/** An inode that was looked up: where it is, and what may be remembered of it with which serial. */
export type Found = readonly [ref: InodeRef, attributes: Attributes | null, serial: number];
/** One entry of a directory beside its name, inode number, type and cookie: the same, in few bytes. */
export type FoundEntry = readonly [entry: DirectoryEntry, handle: number, mode: number, attributes: readonly number[], serial: number];

export const packAttributes = (a: Attributes): readonly number[] => [
  a.links,
  a.uid,
  a.gid,
  a.rdev,
  a.size,
  a.blocks,
  a.blockSize,
  ...[a.atime, a.mtime, a.ctime].flatMap(({ seconds, nanoseconds }) => [seconds, nanoseconds]),
];

function unpackAttributes(device: number, ino: number, mode: number, numbers: readonly number[]): Attributes {
  const [links = 0, uid = 0, gid = 0, rdev = 0, size = 0, blocks = 0, blockSize = 0, ...times] = numbers;
  const time = (i: number) => ({ seconds: times[2 * i] ?? 0, nanoseconds: times[2 * i + 1] ?? 0 });
  return { device, ino, mode, links, uid, gid, rdev, size, blocks, blockSize, atime: time(0), mtime: time(1), ctime: time(2) };
}

export class RemoteInode extends BaseInode {
  override readonly volatile = true;
  readonly #kernel: Kernel;

  constructor(
    kernel: Kernel,
    readonly ref: InodeRef,
  ) {
    super();
    this.#kernel = kernel;
  }
  get owner(): KernelId {
    return this.#kernel.image.files.keeper(this.ref);
  }
  get device(): number {
    return this.ref.device;
  }
  get ino(): number {
    return this.ref.ino;
  }
  get kind(): InodeKind {
    return this.ref.kind;
  }

  // --- asking --------------------------------------------------------------------------------------------------------------------

  #request(name: string, args: readonly Json[], givenUp: readonly number[] = []) {
    return this.#kernel.image.files.ask(this.owner, name, this.ref.handle, args, undefined, givenUp);
  }
  *#ask<T>(name: string, ...args: readonly Json[]): Blocking<T> {
    return (yield* this.#request(name, args)).json as unknown as T;
  }
  /** Asks for a change of this inode and of `others`. */
  *#change<T>(name: string, others: readonly (InodeRef | null)[], ...args: readonly Json[]): Blocking<T> {
    const { cache } = this.#kernel.image.files;
    const givenUp: number[] = [];
    for (const ref of [this.ref, ...others]) if (ref !== null) givenUp.push(...(yield* cache.giveUp(ref)));
    return (yield* this.#request(name, args, givenUp)).json as unknown as T;
  }
  /** Where a name here leads to, if that is remembered. */
  #known(name: string): InodeRef | null {
    return this.#kernel.image.files.cache.find(this.ref)?.names.get(name) ?? null;
  }
  #refOf(other: Inode): InodeRef {
    if (other.owner !== this.owner) throw new Errno(E.XDEV);
    return this.#kernel.image.files.inodeRef(other);
  }
  #count(isHit: boolean): void {
    const { cache } = this.#kernel.image.files;
    if (isHit) cache.hits++;
    else cache.misses++;
  }

  // --- what is remembered --------------------------------------------------------------------------------------------------------

  attributes(): Maybe<Attributes> {
    const known = this.#kernel.image.files.cache.find(this.ref)?.attributes ?? null;
    this.#count(known !== null);
    return known ?? this.#askAttributes();
  }
  *#askAttributes(): Blocking<Attributes> {
    const { json, serial } = yield* this.#request('attributes', []);
    const attributes = json as unknown as Attributes;
    const entry = this.#kernel.image.files.cache.note(this.ref, serial);
    if (entry !== null) entry.attributes = attributes;
    return attributes;
  }

  override lookup(name: string): Maybe<Inode> {
    const known = this.#kernel.image.files.cache.find(this.ref)?.names.get(name);
    this.#count(known !== undefined);
    if (known === undefined) return this.#askLookup(name);
    if (known === null) throw new Errno(E.NOENT);
    return this.#kernel.image.files.inode(known);
  }
  *#askLookup(name: string): Blocking<Inode> {
    const { files } = this.#kernel.image;
    const { json, serial } = yield* this.#request('lookup', [name]);
    const found = json as unknown as Found | null;
    files.cache.setName(files.cache.note(this.ref, serial), name, found?.[0] ?? null);
    if (found === null) throw new Errno(E.NOENT);
    return this.#take(found);
  }
  #take([ref, attributes, serial]: Found): Inode {
    const { files } = this.#kernel.image;
    const entry = files.cache.note(ref, serial);
    if (entry !== null) entry.attributes = attributes;
    return files.inode(ref);
  }

  override entries(cookie: number, countMax: number): Maybe<readonly DirectoryEntry[]> {
    const known = this.#kernel.image.files.cache.find(this.ref)?.entries.get(`${cookie}/${countMax}`);
    this.#count(known !== undefined);
    return known ?? this.#askEntries(cookie, countMax);
  }
  *#askEntries(cookie: number, countMax: number): Blocking<readonly DirectoryEntry[]> {
    const { cache } = this.#kernel.image.files;
    const { json, serial } = yield* this.#request('entries', [cookie, countMax]);
    const found = json as unknown as readonly FoundEntry[];
    const entries = found.map(([entry]) => entry);
    const own = cache.note(this.ref, serial);
    own?.entries.set(`${cookie}/${countMax}`, entries);
    for (const [{ name, ino }, handle, mode, numbers, given] of found) {
      if (handle === 0) continue;
      const ref: InodeRef = { owner: this.ref.owner, handle, kind: kindOfMode(mode), device: this.device, ino };
      cache.setName(own, name, ref);
      const entry = cache.note(ref, given);
      if (entry !== null) entry.attributes = unpackAttributes(this.device, ino, mode, numbers);
    }
    return entries;
  }

  override readlink(caller: IoContext): Maybe<string> {
    const known = this.#kernel.image.files.cache.find(this.ref)?.target ?? null;
    this.#count(known !== null);
    return known ?? this.#askReadlink(caller);
  }
  *#askReadlink(caller: IoContext): Blocking<string> {
    const { json, serial } = yield* this.#request('readlink', [caller as unknown as Json]);
    const entry = this.#kernel.image.files.cache.note(this.ref, serial);
    if (entry !== null) entry.target = json as string;
    return json as string;
  }

  /** A regular file that is remembered is opened for reading without asking. */
  override open(flags: number, caller: IoContext): Maybe<OpenFile> {
    const entry = this.#kernel.image.files.cache.find(this.ref);
    if (this.kind === 'file' && (flags & O.ACCMODE) === O.RDONLY && entry?.attributes != null && entry.attributes.links > 0)
      return RemoteFile.unopened(this.#kernel, this, flags, entry);
    return this.#askOpen(flags, caller);
  }
  *#askOpen(flags: number, caller: IoContext): Blocking<OpenFile> {
    return this.#kernel.image.files.import(yield* this.#ask<FileRef>('open', flags, caller as unknown as Json, 0));
  }

  /**
   * Has pages from `first` on remembered in `into`, `count` at most. Returns whether it has the first: else the file is to be opened at its owner.
   * @throws Errno
   */
  fetch(first: number, count: number, into: Remembered): Blocking<boolean> {
    const kernel = this.#kernel;
    const fetching = function* (this: RemoteInode): Blocking<boolean> {
      const { cache } = kernel.image.files;
      const { json, serial } = yield* this.#request('pages', [first, count]);
      const frames = framesOf(json as unknown as readonly number[]);
      for (const pfn of frames) kernel.frames.adopt(pfn);
      const entry = cache.note(this.ref, serial);
      for (const [i, pfn] of frames.entries()) cache.setPage(entry, first + i, pfn);
      return entry === into && into.pages.has(first);
    };
    return kernel.gate.through(fetching.bind(this));
  }

  // --- changes, and what is always asked -----------------------------------------------------------------------------------------

  status(): Blocking<FileSystemStatus> {
    return this.#ask('status');
  }
  override setAttributes(change: AttributeChange): Blocking<void> {
    return this.#change('setAttributes', [], change as unknown as Json);
  }
  override truncate(size: number): Blocking<void> {
    return this.#change('truncate', [], size);
  }
  override *create(name: string, made: NewInode): Blocking<Inode> {
    return this.#take(yield* this.#change<Found>('create', [], name, made as unknown as Json));
  }
  override link(name: string, other: Inode): Blocking<void> {
    const ref = this.#refOf(other);
    return this.#change('link', [ref], name, ref.handle);
  }
  override unlink(name: string): Blocking<void> {
    return this.#change('unlink', [this.#known(name)], name);
  }
  override rmdir(name: string): Blocking<void> {
    return this.#change('rmdir', [this.#known(name)], name);
  }
  override rename(name: string, target: Inode, to: string, flags: number): Blocking<void> {
    const ref = this.#refOf(target);
    const there = this.#kernel.image.files.cache.find(ref)?.names.get(to) ?? null;
    return this.#change('rename', [ref, this.#known(name), there], name, ref.handle, to, flags);
  }
  override *createNameless(made: NewInode): Blocking<Inode> {
    return this.#take(yield* this.#ask<Found>('createNameless', made as unknown as Json));
  }
  override socket(): Blocking<SocketLink | null> {
    return this.#ask('socket');
  }
  override lock(request: LockRequest): Blocking<Lock | null> {
    return this.#ask('lock', request as unknown as Json);
  }
}
