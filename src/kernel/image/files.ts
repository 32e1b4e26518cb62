/**
 * Files across kernels. An open file or inode lives with its owner; others hold references to it (a handle) and work on it by message:
 *
 *     FILE_REQUEST   operation, handle, and a frame in which the arguments stand     the frame is the asker's, lent until the answer
 *     FILE_RESPONSE  errno, or the result in the same frame
 *
 * What stands in the frame: u32 length of a JSON text, the text, then bytes (what is written, what was read). More than a frame holds is
 * a parcel: its parts go by operations of their own, before the request or after the answer, which only gives its number.
 *
 * Always holds: for each reference that another kernel holds on an open file, the file counts one; FILE_RELEASE gives references back.
 * The lent frame is touched by one side at a time: by the owner between request and response, else by the asker.
 */
import { E, Errno } from '../abi/errno.ts';
import { DISK_NUMBER } from '../device/disk.ts';
import { ROOT_INO } from '../fs/ext2/layout.ts';
import { after } from '../fs/maybe.ts';
import { SEEK } from '../abi/fcntl.ts';
import { fromBytes, joined, setU32, u32At } from '../fs/bytes.ts';
import { isEpoll } from '../fs/epoll.ts';
import type { FileKind, IoContext, OpenFile } from '../fs/file.ts';
import type { AttributeChange, Attributes, DirectoryEntry, FileSystem, Inode, InodeKind, NewInode } from '../fs/inode.ts';
import type { LockRequest } from '../fs/lock.ts';
import { isRegular } from '../fs/regular-file.ts';
import { isSocket, type NewSocket, type Socket, type SocketKind, type SocketLink } from '../fs/socket/socket.ts';
import type { UnixPort } from '../fs/socket/unix/domain.ts';
import { TmpFile } from '../fs/tmpfs/file.ts';
import { TmpInode } from '../fs/tmpfs/inode.ts';
import type { Packer, Unpacked } from '../fs/tmpfs/state.ts';
import type { Vfs } from '../fs/vfs.ts';
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import { Moved } from '../message/messenger.ts';
import { firstHandle, isGivenOutBy } from '../partition/heirs.ts';
import { runsOf } from '../mm/runs.ts';
import { type Blocking, type KernelId, type Maybe, PAGE_SIZE, type Pfn, settle, type Sleeper } from '../types.ts';
import { RemoteCache } from './cache.ts';
import { Delegations } from './delegations.ts';
import { type ExportedState, exportedState, restoreExported } from './exported.ts';
import { CHUNK, RemoteFile } from './remote-file.ts';
import { EPOLL_OPERATIONS, RemoteEpoll, WatchedFile } from './remote-epoll.ts';
import { type Found, type FoundEntry, packAttributes, RemoteInode } from './remote-inode.ts';
import { RemotePort, RemoteSocket, SOCKET_OPERATIONS } from './remote-socket.ts';

/** Plain data of JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** A reference to an inode or open file, as it travels. */
export interface InodeRef {
  readonly owner: KernelId;
  readonly handle: number;
  readonly kind: InodeKind;
  readonly device: number;
  readonly ino: number;
}
export interface FileRef {
  readonly owner: KernelId;
  readonly handle: number;
  readonly kind: FileKind;
  readonly flags: number;
  readonly seekable: boolean;
  readonly label: string;
  /** Of a socket. */
  readonly socket?: SocketKind;
  /** Of an epoll set. */
  readonly epoll?: true;
}

/** The root directory of a kernel's tree has this handle, whichever it is; it has one of its own too. */
const ROOT_HANDLE = 0;
/** And its directory of abstract socket names this one. */
const NAMES_HANDLE = 1;
/** And the root of the file system on the disk, where it is its owner, this one. */
const DISK_HANDLE = 2;
const HEAD = 4;
const ENTRIES_MAX = 32;
/** As many as fit in a frame with all that is to be remembered of them. */
const ENTRIES_FULL_MAX = 26;
const PIN_MAX = 4096;

export interface Result {
  readonly value: Json;
  readonly bytes?: Uint8Array;
  /** With which the asker may remember the value (delegations.ts). */
  readonly serial?: number;
}
export type Serve = (files: RemoteFiles, object: unknown, args: readonly Json[], bytes: Uint8Array, from: KernelId) => Maybe<Result>;

const inode = (object: unknown): Inode => object as Inode;
const file = (object: unknown): OpenFile => (object as Exported).file;
const io = (value: Json | undefined): IoContext => value as unknown as IoContext;
export const result = <T>(value: Maybe<T>, wrap: (value: T) => Result): Maybe<Result> =>
  isGenerator(value) ? later(value, wrap) : wrap(value as T);
const isGenerator = <T>(value: Maybe<T>): value is Blocking<T> =>
  typeof value === 'object' && value !== null && Symbol.iterator in value && 'next' in value && 'throw' in value;
function* later<T>(value: Blocking<T>, wrap: (value: T) => Result): Blocking<Result> {
  return wrap(yield* value);
}
export const plain = <T>(value: Maybe<T>): Maybe<Result> => result(value, each => ({ value: (each ?? null) as unknown as Json }));

/** Index = number in the message. */
const OPERATIONS: readonly (readonly [string, Serve])[] = [
  // On inodes.
  ['attributes', (f, o, _args, _bytes, from) => remembered(f, inode(o), from, each => each.attributes())],
  ['setAttributes', (_f, o, [change]) => plain(inode(o).setAttributes(change as unknown as AttributeChange))],
  ['truncate', (_f, o, [size]) => plain(inode(o).truncate(size as number))],
  ['status', (_f, o) => plain(inode(o).status())],
  ['lookup', (f, o, [name], _bytes, from) => lookup(f, inode(o), name as string, from)],
  [
    'create',
    (f, o, [name, made], _bytes, from) =>
      result(inode(o).create(name as string, made as unknown as NewInode), found => ({ value: foundBy(f, found, from) })),
  ],
  ['self', (f, o, _args, _bytes, from) => ({ value: foundBy(f, inode(o), from) })],
  ['link', (f, o, [name, other]) => plain(inode(o).link(name as string, inode(f.object(other as number))))],
  ['unlink', (_f, o, [name]) => plain(inode(o).unlink(name as string))],
  ['rmdir', (_f, o, [name]) => plain(inode(o).rmdir(name as string))],
  [
    'rename',
    (f, o, [name, target, to, flags]) =>
      plain(inode(o).rename(name as string, inode(f.object(target as number)), to as string, flags as number)),
  ],
  ['entries', (f, o, [cookie, count], _bytes, from) => entries(f, inode(o), cookie as number, count as number, from)],
  ['readlink', (f, o, [caller], _bytes, from) => remembered(f, inode(o), from, each => each.readlink(io(caller)))],
  [
    'open',
    (f, o, [flags, caller, position], _bytes, from) =>
      result(inode(o).open(flags as number, io(caller)), opened => {
        if (position !== 0) opened.seek(position as number, SEEK.SET);
        return { value: f.handOver(opened, from) as unknown as Json };
      }),
  ],
  [
    'createNameless',
    (f, o, [made], _bytes, from) =>
      result(inode(o).createNameless(made as unknown as NewInode), found => ({ value: foundBy(f, found, from) })),
  ],
  ['socket', (_f, o) => plain(inode(o).socket())],
  ['lock', (_f, o, [request]) => plain(inode(o).lock(request as unknown as LockRequest))],
  // On open files.
  ['fileRetain', (f, o, [holder]) => ({ value: f.share(file(o), holder as number) as unknown as Json })],
  ['setFlags', (_f, o, [flags]) => plain(file(o).setFlags(flags as number))],
  ['read', (_f, o, [count, caller]) => reading(count as number, target => file(o).read(target, io(caller)))],
  ['write', (_f, o, [caller], bytes) => plain(file(o).write(bytes, io(caller)))],
  [
    'pread',
    (_f, o, [count, position, caller]) => reading(count as number, target => file(o).pread(target, position as number, io(caller))),
  ],
  ['pwrite', (_f, o, [position, caller], bytes) => plain(file(o).pwrite(bytes, position as number, io(caller)))],
  ['seek', (_f, o, [offset, whence]) => plain(file(o).seek(offset as number, whence as number))],
  [
    'poll',
    (f, o, _args, _bytes, from) => {
      // First, as what happens while the answer is on its way must not be missed.
      f.watch(o as Exported, from);
      f.checkOpen(o as Exported);
      return plain(file(o).poll());
    },
  ],
  [
    'ioctl',
    (_f, o, [command, argument, caller], bytes) => {
      const data = bytes.slice();
      return result(file(o).ioctl(command as number, argument as number, data, io(caller)), value => ({ value, bytes: data }));
    },
  ],
  ['readEntries', (_f, o, [count]) => plain(file(o).readEntries(Math.min(ENTRIES_MAX, count as number)))],
  ['fileAttributes', (_f, o) => plain(file(o).attributes())],
  ['fileSetAttributes', (_f, o, [change]) => plain(file(o).setAttributes(change as unknown as AttributeChange))],
  ['fileTruncate', (_f, o, [size]) => plain(file(o).truncate(size as number))],
  ['allocate', (_f, o, [mode, offset, length]) => plain(file(o).allocate(mode as number, offset as number, length as number))],
  ['fileLock', (_f, o, [request]) => plain(file(o).lock(request as unknown as LockRequest))],
  ['fileStatus', (_f, o) => plain(file(o).status())],
  ['fileSync', (_f, o) => plain(file(o).sync())],
  ['flushDisk', f => plain(f.flushDisk())],
  [
    'share',
    function* (f, o, _args, _bytes, from) {
      const { inode: shared } = file(o);
      if (shared instanceof TmpFile) yield* settle(shared.becomeMapped(0, 0, true));
      return { value: f.shareMemory(file(o), from) };
    },
  ],
  ['pin', (f, o, [first, count]) => pinning(f, file(o), first as number, Math.min(PIN_MAX, count as number))],
  ['pages', (f, o, [first, count], _bytes, from) => pages(f, inode(o), first as number, Math.min(PIN_MAX, count as number), from)],
  ...SOCKET_OPERATIONS,
  ...EPOLL_OPERATIONS,
  // Of either side: what is longer than a frame goes in parts, before a request and after an answer.
  [
    'part',
    (f, _o, [parcel], bytes, from) => {
      f.addPart(from, parcel as number, bytes);
      return { value: null };
    },
  ],
  ['rest', (f, _o, [parcel], _bytes, from) => ({ value: null, bytes: f.takePart(from, parcel as number) })],
];
const NUMBERS = new Map(OPERATIONS.map(([name], number) => [name, number]));
/** Operations in which the owner may sleep for long: a signal to the asker ends them. */
const SLEEPING = new Set(
  ['read', 'write', 'open', 'ioctl', 'lock', 'fileLock', 'accept', 'connect', 'send', 'receive', 'dial', 'deliver'].map(
    name => NUMBERS.get(name) as number,
  ),
);

function* reading(count: number, read: (target: Uint8Array) => Maybe<number>): Blocking<Result> {
  const target = new Uint8Array(Math.min(count, CHUNK));
  const got = yield* settle(read(target));
  return { value: got, bytes: target.subarray(0, Math.max(0, got)) };
}

/** What an inode says of itself, to be remembered. */
function remembered<T>(files: RemoteFiles, object: Inode, from: KernelId, ask: (object: Inode) => Maybe<T>): Maybe<Result> {
  const serial = files.delegations.grant(object, from);
  return result(ask(object), value => ({ value: value as unknown as Json, serial }));
}

/** Where an inode is, with its attributes if they may be remembered. */
function foundBy(files: RemoteFiles, found: Inode, from: KernelId): Json {
  const serial = files.delegations.grant(found, from);
  const answer: Found = [files.inodeRef(found), serial === 0 ? null : (found.attributes() as Attributes), serial];
  return answer as unknown as Json;
}

/** A name that is not there is worth remembering too: null. */
function* lookup(files: RemoteFiles, directory: Inode, name: string, from: KernelId): Blocking<Result> {
  const serial = files.delegations.grant(directory, from);
  let value: Json = null;
  try {
    value = foundBy(files, yield* settle(directory.lookup(name)), from);
  } catch (error) {
    if (!(error instanceof Errno) || error.errno !== E.NOENT) throw error;
  }
  return { value, serial };
}

/** Entries with what they lead to: who lists a directory mostly asks for that next. */
function* entries(files: RemoteFiles, directory: Inode, cookie: number, count: number, from: KernelId): Blocking<Result> {
  const serial = files.delegations.grant(directory, from);
  const found: FoundEntry[] = [];
  for (const entry of yield* settle(directory.entries(cookie, Math.min(ENTRIES_FULL_MAX, count)))) {
    const child = directory.isTracked ? yield* childOf(directory, entry) : null;
    const given = child === null ? 0 : files.delegations.grant(child, from);
    if (child === null || given === 0) {
      found.push([entry, 0, 0, [], 0]);
      continue;
    }
    const attributes = child.attributes() as Attributes;
    found.push([entry, files.inodeRef(child).handle, attributes.mode, packAttributes(attributes), given]);
  }
  return { value: found as unknown as Json, serial };
}
/** Null: it has gone meanwhile, or can't be read. */
function* childOf(directory: Inode, { name, ino }: DirectoryEntry): Blocking<Inode | null> {
  try {
    const child = yield* settle(directory.lookup(name));
    return child.ino === ino ? child : null;
  } catch (error) {
    if (!(error instanceof Errno)) throw error;
    return null;
  }
}

/** Frames (as runs) of a run of pages, one reference each; it ends where the file does. Of pages that may be written, they are copies. */
function* pinning(files: RemoteFiles, opened: OpenFile, first: number, count: number): Blocking<Result> {
  const frames: Pfn[] = [];
  const isWritten = files.isWritten(opened);
  for (let i = 0; i < count; i++) {
    try {
      yield* opened.sharedPages?.acquire(first + i, 'read') ?? nothing();
      const pfn = yield* settle(opened.mapPage(first + i, false));
      frames.push(isWritten ? files.copyOf(pfn) : pfn);
    } catch (error) {
      if (!(error instanceof Errno) || (i === 0 && error.errno === E.NODEV)) throw error;
      break;
    }
  }
  files.lend(frames);
  return { value: runsOf(frames) };
}

/** The same of a file that is not open, to be remembered; none if it may not be. */
function* pages(files: RemoteFiles, object: Inode, first: number, count: number, from: KernelId): Blocking<Result> {
  if (!isRegular(object)) throw new Errno(E.NODEV);
  const serial = files.delegations.grant(object, from);
  const frames: Pfn[] = [];
  if (serial > 0) {
    yield* settle(object.load(first, count));
    try {
      for (let i = 0; i < count; i++) frames.push(yield* settle(object.mapPage(first + i, false)));
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
    }
  }
  files.lend(frames);
  return { value: runsOf(frames), serial };
}

function* nothing(): Blocking<void> {}

/** An open file that others hold references to. */
export interface Exported {
  readonly handle: number;
  readonly file: OpenFile;
  /** References of each kernel. */
  readonly holders: Map<KernelId, number>;
  readonly watchers: Map<KernelId, Sleeper>;
  /** Kernels whose epoll sets have it, with a reference or without. */
  readonly sets: Set<KernelId>;
}

/** What this kernel gave to others and has from them. */
export class RemoteFiles {
  readonly #kernel: Kernel;
  readonly #objects = new Map<number, Inode | Exported>();
  readonly #inodeHandles = new Map<Inode, number>();
  readonly #fileHandles = new Map<OpenFile, Exported>();
  readonly #imported = new Map<number, RemoteFile>();
  /** Files of others that are in epoll sets here. */
  readonly #watched = new Map<number, WatchedFile>();
  /** All that stand for files of others here, opened there or not. */
  readonly #remote = new Set<RemoteFile>();
  readonly delegations: Delegations;
  readonly cache: RemoteCache;
  #next: number;
  /** This kernel halts: what is asked now is asked again of its heir. */
  isFrozen = false;
  /** What is longer than a frame, until it is complete or fetched; by kernel and its number for it. */
  readonly #arriving = new Map<string, Uint8Array[]>();
  readonly #leaving = new Map<string, Uint8Array>();
  #nextParcel = 1;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.delegations = new Delegations(kernel);
    this.cache = new RemoteCache(kernel);
    this.#next = firstHandle(kernel.id) + Math.max(DISK_HANDLE, kernel.heirs.taken(kernel.id).handles) + 1;
  }

  get vfs(): Vfs {
    return this.#kernel.vfs;
  }

  /** Files of others that are held here, and files here that others hold. */
  get counts(): { imported: number; exported: number } {
    return { imported: this.#imported.size, exported: this.#fileHandles.size };
  }

  // --- the owner's side ----------------------------------------------------------------------------------------------------------

  object(handle: number): Inode | Exported {
    if (handle === ROOT_HANDLE) return this.#kernel.vfs.root.inode;
    if (handle === NAMES_HANDLE) return this.#kernel.vfs.unix.ownNames;
    if (handle === DISK_HANDLE) return this.#kernel.disk.root;
    const found = this.#objects.get(handle);
    // Of what another kernel has left not all could be handed over.
    if (found === undefined) throw new Errno(isGivenOutBy(this.#kernel.id, handle) ? E.STALE : E.HOSTDOWN);
    return found;
  }

  /** A name by which others can work on an inode. It is kept as long as this kernel lives. */
  inodeRef(found: Inode): InodeRef {
    if (found instanceof RemoteInode) return found.ref;
    let handle = this.#inodeHandles.get(found);
    if (handle === undefined) {
      handle = found === this.#kernel.disk.fileSystem?.root ? DISK_HANDLE : this.#next++;
      this.#inodeHandles.set(found, handle);
      this.#objects.set(handle, found);
    }
    return { owner: this.#kernel.id, handle, kind: found.kind, device: found.device, ino: found.ino };
  }

  /** One more reference for another kernel. */
  share(opened: OpenFile, holder: KernelId): FileRef {
    opened.retain();
    return this.handOver(opened, holder);
  }

  /** The caller's reference becomes another kernel's. */
  handOver(opened: OpenFile, holder: KernelId): FileRef {
    const exported = this.#export(opened);
    exported.holders.set(holder, (exported.holders.get(holder) ?? 0) + 1);
    return this.#refOf(exported, opened);
  }

  #export(opened: OpenFile): Exported {
    let exported = this.#fileHandles.get(opened);
    if (exported === undefined) {
      exported = { handle: this.#next++, file: opened, holders: new Map(), watchers: new Map(), sets: new Set() };
      this.#fileHandles.set(opened, exported);
      this.#objects.set(exported.handle, exported);
    }
    return exported;
  }

  #refOf({ handle }: Exported, opened: OpenFile): FileRef {
    return {
      owner: this.#kernel.id,
      handle,
      kind: opened.kind,
      flags: opened.flags,
      seekable: opened.seekable,
      label: opened.dentry?.path() ?? opened.label,
      ...(isSocket(opened) ? { socket: opened.socket } : {}),
      ...(isEpoll(opened) ? { epoll: true } : {}),
    };
  }

  *#released(handle: number, references: number, holder: KernelId): Blocking<void> {
    const exported = this.#objects.get(handle);
    if (exported === undefined || !('holders' in exported)) return;
    this.#take(exported, references, holder);
    for (let i = 0; i < references; i++) yield* settle(exported.file.release());
  }

  #take(exported: Exported, references: number, holder: KernelId): void {
    const left = (exported.holders.get(holder) ?? 0) - references;
    if (left > 0) exported.holders.set(holder, left);
    else exported.holders.delete(holder);
    this.#forgetUnused(exported);
  }
  #forgetUnused(exported: Exported): void {
    if (exported.holders.size === 0 && (exported.sets.size === 0 || exported.file.references === 0)) this.#forget(exported);
  }

  // --- epoll sets ------------------------------------------------------------------------------------------------------------------

  /** A name for a file of this kernel, or of another, for a set of kernel `set`; no reference goes with it. */
  mention(opened: OpenFile, set: KernelId): FileRef {
    if (opened instanceof RemoteFile) return opened.ref;
    const exported = this.#export(opened);
    if (set !== this.#kernel.id) exported.sets.add(set);
    return this.#refOf(exported, opened);
  }

  /** Throws ESTALE for one that only sets still know. */
  checkOpen(exported: Exported): void {
    if (exported.file.references > 0) return;
    this.#forget(exported);
    throw new Errno(E.STALE);
  }

  /** A set of kernel `from` has the file, or (`there` false) has it no more. */
  inSet(exported: Exported, from: KernelId, there: boolean): void {
    if (there) exported.sets.add(from);
    else exported.sets.delete(from);
    this.#forgetUnused(exported);
  }

  /** What a set here keeps of a file: a stand-in that holds no reference, when it is another kernel's. `unwatched` gives it back. */
  watched(file: OpenFile): Maybe<OpenFile> {
    if (file instanceof WatchedFile) file.items++;
    return file instanceof RemoteFile && !(file instanceof WatchedFile) ? this.#watchedOpen(file) : file;
  }
  *#watchedOpen(file: RemoteFile): Blocking<OpenFile> {
    yield* file.openAtOwner();
    return yield* this.#watchedOf(file.ref);
  }
  *#watchedOf(ref: FileRef): Blocking<OpenFile> {
    const key = ref.handle;
    if (!this.#watched.has(key)) yield* this.ask(this.keeper(ref), 'inSet', ref.handle, [true]);
    let found = this.#watched.get(key);
    if (found === undefined) {
      found = new WatchedFile(this.#kernel, ref);
      this.#watched.set(key, found);
    }
    found.items++;
    return found;
  }

  /** The file that was mentioned to a set here. */
  mentioned(ref: FileRef): Maybe<OpenFile> {
    if (this.keeper(ref) !== this.#kernel.id) return this.#watchedOf(ref);
    return file(this.object(ref.handle));
  }

  unwatched(file: OpenFile): void {
    if (!(file instanceof WatchedFile) || --file.items > 0) return;
    const { owner } = file;
    const { handle } = file.ref;
    this.#watched.delete(handle);
    if (this.#kernel.isPeer(owner) && file.references > 0) this.#kernel.detach(this.#outOfSet(owner, handle));
  }
  *#outOfSet(owner: KernelId, handle: number): Blocking<void> {
    try {
      yield* this.ask(owner, 'inSet', handle, [false]);
    } catch (error) {
      // It was closed, or its kernel is gone.
      if (!(error instanceof Errno)) throw error;
    }
  }

  *newEpoll(owner: KernelId): Blocking<OpenFile> {
    if (!this.#kernel.isPeer(owner)) throw new Errno(E.NETDOWN);
    const { json } = yield* this.ask(owner, 'newEpoll', ROOT_HANDLE, []);
    return this.import(json as unknown as FileRef);
  }

  shareMemory(opened: OpenFile, from: KernelId): { group: number; joins: number } {
    return this.#kernel.sharedMemory.share(opened, from);
  }
  /** Whether programs may write its pages through mappings. */
  isWritten(opened: OpenFile): boolean {
    return opened.sharedPages !== null || this.#kernel.sharedMemory.isMapped(opened);
  }
  /** Another frame with the same content, in place of the caller's reference. @throws Errno ENOMEM */
  copyOf(pfn: Pfn): Pfn {
    const { frames } = this.#kernel;
    try {
      return this.#kernel.sharedMemory.copyOf(pfn);
    } finally {
      frames.release(pfn);
    }
  }

  /** References on frames that another kernel gets. */
  lend(frames: readonly Pfn[]): void {
    for (const pfn of frames) this.#kernel.frames.lend(pfn);
  }

  /** Pages that are mapped here and lie in memory that is about to be another's: they are copied, or nobody's to map any more. */
  rescuePages(isTheirs: (pfn: Pfn) => boolean, copyOf: (pfn: Pfn) => Pfn): void {
    for (const each of this.#remote) each.rescuePages(isTheirs, copyOf);
  }

  /** A kernel is gone: what it held is released, and who waits for its files is told to look. */
  peerGone(peer: KernelId): void {
    for (const exported of [...this.#fileHandles.values()]) {
      const count = exported.holders.get(peer) ?? 0;
      const watcher = exported.watchers.get(peer);
      if (watcher !== undefined) for (const queue of exported.file.queues) queue.sleepers.delete(watcher);
      exported.watchers.delete(peer);
      if (exported.sets.delete(peer)) this.#forgetUnused(exported);
      if (count === 0) continue;
      this.#take(exported, count, peer);
      for (let i = 0; i < count; i++) this.#kernel.detach(exported.file.release());
    }
    this.delegations.peerGone(peer);
    this.cache.peerGone(peer);
    for (const each of [...this.#remote, ...this.#watched.values()]) if (each.owner === peer) each.ready();
  }

  #forget(exported: Exported): void {
    this.#objects.delete(exported.handle);
    this.#fileHandles.delete(exported.file);
    for (const watcher of exported.watchers.values()) for (const queue of exported.file.queues) queue.sleepers.delete(watcher);
  }

  /** Tells `from` once when what `poll` says may have changed. */
  watch(exported: Exported, from: KernelId): void {
    if (exported.watchers.has(from)) return;
    const kernel = this.#kernel;
    const watcher: Sleeper = {
      wake: () => {
        for (const queue of exported.file.queues) queue.sleepers.delete(watcher);
        exported.watchers.delete(from);
        kernel.messages.send(from, M.FILE_READY, { handle: exported.handle });
      },
    };
    exported.watchers.set(from, watcher);
    for (const queue of exported.file.queues) queue.sleepers.add(watcher);
  }

  listen(): void {
    const kernel = this.#kernel;
    const { messages } = kernel;
    messages.on(M.FILE_REQUEST, ({ request, operation, handle, pfn, length, parcel, givenUp }, { from }) => {
      if (this.isFrozen && operation !== NUMBERS.get('part') && operation !== NUMBERS.get('rest')) return;
      for (let i = 0; i + 1 < givenUp.length; i += 2) this.#givenUp(givenUp[i] as number, from, givenUp[i + 1] as number);
      const row = OPERATIONS[operation];
      const frame = kernel.memory.u8.subarray(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
      const { json, bytes } = unpack(parcel === 0 ? frame.slice(0, length) : this.#arrived(from, parcel));
      kernel.image.serve(
        from,
        request,
        () => {
          if (row === undefined) throw new Errno(E.INVAL);
          return row[1](this, this.object(handle), json as readonly Json[], bytes, from);
        },
        (errno, value) => {
          const payload = errno === 0 && value !== null ? pack(value.value, value.bytes ?? EMPTY) : EMPTY;
          const long = payload.length > PAGE_SIZE;
          if (!long) frame.set(payload);
          const rest = long ? this.#leave(from, payload) : 0;
          messages.send(from, M.FILE_RESPONSE, { request, errno, length: payload.length, parcel: rest, serial: value?.serial ?? 0 });
        },
      );
    });
    messages.on(M.FILE_RESPONSE, answer => messages.answered(answer.request, answer.errno === 0 ? answer : new Errno(answer.errno)));
    messages.on(M.FILE_READY, ({ handle }) => {
      this.#imported.get(handle)?.ready();
      this.#watched.get(handle)?.ready();
    });
    messages.on(M.FILE_RELEASE, ({ request, handle, references, holder }, { from }) => {
      if (this.isFrozen) return;
      kernel.image.serve(
        from,
        request,
        () => this.#released(handle, references, holder),
        () => messages.send(from, M.FILE_RELEASED, { request }),
      );
    });
    messages.on(M.FILE_RELEASED, ({ request }) => messages.answered(request, {}));
    messages.on(M.FILE_RECALL, ({ request, upTo, handles }, { from }) => this.#recalled(from, request, upTo, handles));
    messages.on(M.FILE_RECALLED, ({ request }) => messages.answered(request, {}));
  }

  #givenUp(handle: number, from: KernelId, serial: number): void {
    const object = handle <= DISK_HANDLE ? this.object(handle) : this.#objects.get(handle);
    if (object !== undefined && !('holders' in object)) this.delegations.givenUp(object, from, serial);
  }

  *#recalled(from: KernelId, request: number, upTo: number, handles: readonly number[]): Blocking<void> {
    yield* this.cache.recall(from, handles, upTo);
    // Its frames are its own again before it hears that it may write to them.
    this.#kernel.image.sendReturns(from);
    this.#kernel.messages.send(from, M.FILE_RECALLED, { request });
  }

  // --- what is longer than a frame ------------------------------------------------------------------------------------------------

  addPart(from: KernelId, parcel: number, bytes: Uint8Array): void {
    const key = `${from}/${parcel}`;
    const parts = this.#arriving.get(key);
    if (parts === undefined) this.#arriving.set(key, [bytes]);
    else parts.push(bytes);
  }

  #arrived(from: KernelId, parcel: number): Uint8Array {
    const key = `${from}/${parcel}`;
    const parts = this.#arriving.get(key) ?? [];
    this.#arriving.delete(key);
    return joined(parts);
  }

  #leave(to: KernelId, payload: Uint8Array): number {
    const parcel = this.#nextParcel++;
    this.#leaving.set(`${to}/${parcel}`, payload);
    return parcel;
  }

  /** The next part of an answer. */
  takePart(from: KernelId, parcel: number): Uint8Array {
    const key = `${from}/${parcel}`;
    const payload = this.#leaving.get(key) ?? EMPTY;
    if (payload.length > CHUNK) this.#leaving.set(key, payload.subarray(CHUNK));
    else this.#leaving.delete(key);
    return payload.subarray(0, CHUNK);
  }

  // --- the borrower's side -------------------------------------------------------------------------------------------------------

  /** Who keeps an object that is named in a reference. */
  keeper({ owner, handle }: { readonly owner: KernelId; readonly handle: number }): KernelId {
    const { heirs } = this.#kernel;
    if (handle === DISK_HANDLE) return owner;
    return handle <= NAMES_HANDLE ? heirs.heirOf(owner) : heirs.ofHandle(handle);
  }
  /** Whether a kernel answers: it is this one, or up. */
  isThere(owner: KernelId): boolean {
    return owner === this.#kernel.id || this.#kernel.isPeer(owner);
  }

  /** One operation on an object, mostly another kernel's. @throws Errno */
  *ask(
    owner: KernelId,
    name: string,
    handle: number,
    args: readonly Json[],
    bytes: Uint8Array = EMPTY,
    givenUp: readonly number[] = [],
  ): Blocking<Answer> {
    for (let keeper = owner; ; ) {
      if (keeper === this.#kernel.id) return yield* this.#askHere(name, handle, args, bytes);
      try {
        return yield* this.#askOnce(keeper, name, handle, args, bytes, givenUp);
      } catch (error) {
        if (!(error instanceof Moved)) throw error;
        keeper = this.keeper({ owner: keeper, handle });
      }
    }
  }

  /** What was another kernel's has come here. */
  *#askHere(name: string, handle: number, args: readonly Json[], bytes: Uint8Array): Blocking<Answer> {
    const serve = OPERATIONS[NUMBERS.get(name) as number]?.[1] as Serve;
    const { value, bytes: data } = yield* settle(serve(this, this.object(handle), args, bytes, this.#kernel.id));
    return { json: value, bytes: data ?? EMPTY, serial: 0 };
  }

  *#askOnce(
    owner: KernelId,
    name: string,
    handle: number,
    args: readonly Json[],
    bytes: Uint8Array,
    givenUp: readonly number[],
  ): Blocking<Answer> {
    const payload = pack(args, bytes);
    if (payload.length <= PAGE_SIZE) return yield* this.#exchange(owner, name, handle, payload, 0, givenUp);
    const parcel = this.#nextParcel++;
    for (let at = 0; at < payload.length; at += CHUNK)
      yield* this.#exchange(owner, 'part', ROOT_HANDLE, pack([parcel], payload.subarray(at, at + CHUNK)), 0, []);
    return yield* this.#exchange(owner, name, handle, EMPTY, parcel, givenUp);
  }

  /** One request and its answer. */
  *#exchange(
    owner: KernelId,
    name: string,
    handle: number,
    payload: Uint8Array,
    parcel: number,
    givenUp: readonly number[],
  ): Blocking<Answer> {
    const kernel = this.#kernel;
    const operation = NUMBERS.get(name) as number;
    const pfn = kernel.frames.allocate();
    let answer: { readonly length: number; readonly parcel: number; readonly serial: number };
    try {
      const frame = kernel.memory.u8.subarray(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
      kernel.processor.invalidateFrame(pfn);
      frame.set(payload);
      answer = yield* kernel.messages.call(
        owner,
        M.FILE_REQUEST,
        { operation, handle, pfn, length: payload.length, parcel, givenUp },
        M.FILE_RESPONSE,
        SLEEPING.has(operation),
      );
      if (answer.parcel === 0) return { ...unpack(frame.slice(0, answer.length)), serial: answer.serial };
    } finally {
      kernel.frames.release(pfn);
    }
    const parts: Uint8Array[] = [];
    for (let got = 0; got < answer.length; ) {
      const { bytes } = yield* this.#exchange(owner, 'rest', ROOT_HANDLE, pack([answer.parcel], EMPTY), 0, []);
      if (bytes.length === 0) throw new Errno(E.IO);
      parts.push(bytes);
      got += bytes.length;
    }
    return { ...unpack(joined(parts)), serial: answer.serial };
  }

  /** A reference that came to this kernel becomes the caller's. */
  import(ref: FileRef): OpenFile {
    const known = this.#imported.get(ref.handle);
    if (known !== undefined) {
      known.held++;
      known.references++;
      return known;
    }
    if (this.keeper(ref) === this.#kernel.id) {
      const exported = this.object(ref.handle);
      if (!('holders' in exported)) throw new Errno(E.STALE);
      this.#take(exported, 1, this.#kernel.id);
      return exported.file;
    }
    const made = ref.epoll
      ? new RemoteEpoll(this.#kernel, ref)
      : ref.socket === undefined
        ? new RemoteFile(this.#kernel, ref)
        : new RemoteSocket(this.#kernel, ref, ref.socket);
    this.appeared(made);
    return made;
  }

  /** Something stands for another kernel's file from now on; or it has been opened there. */
  appeared(remote: RemoteFile): void {
    this.#remote.add(remote);
    if (remote.isOpenAtOwner) this.#imported.set(remote.ref.handle, remote);
  }
  vanished(remote: RemoteFile): void {
    this.#remote.delete(remote);
    if (remote.isOpenAtOwner) this.#imported.delete(remote.ref.handle);
  }

  /** A reference for kernel `to`, whoever owns the file. */
  *refer(opened: OpenFile, to: KernelId): Blocking<FileRef> {
    if (!(opened instanceof RemoteFile)) return this.share(opened, to);
    yield* opened.openAtOwner();
    const { json } = yield* this.ask(opened.owner, 'fileRetain', opened.ref.handle, [to]);
    return { ...(json as unknown as FileRef), label: opened.dentry?.path() ?? opened.label };
  }

  /** A reference for kernel `to`, in place of the caller's own. */
  *pass(opened: OpenFile, to: KernelId): Blocking<FileRef> {
    const ref = yield* this.refer(opened, to);
    yield* settle(opened.release());
    return ref;
  }

  port(link: SocketLink): UnixPort {
    return new RemotePort(this.#kernel, link);
  }

  /** Has another kernel make a socket, which is its own. */
  *newSocket(owner: KernelId, wanted: NewSocket, caller: IoContext): Blocking<Socket> {
    if (!this.#kernel.isPeer(owner)) throw new Errno(E.NETDOWN);
    const { json } = yield* this.ask(owner, 'newSocket', ROOT_HANDLE, [wanted as unknown as Json, caller as unknown as Json]);
    return this.import(json as unknown as FileRef) as OpenFile as Socket;
  }

  *netText(owner: KernelId, path: string, change: string | null): Blocking<string> {
    if (!this.#kernel.isPeer(owner)) throw new Errno(E.NETDOWN);
    return fromBytes((yield* this.ask(owner, 'netText', ROOT_HANDLE, [path, change])).bytes);
  }

  /** The directory of abstract socket names, when the tree is another kernel's. */
  names(): Inode | null {
    const { heirs, id, plan } = this.#kernel;
    if (plan.mode === 'federation' || heirs.tree === id) return null;
    return new RemoteInode(this.#kernel, { owner: heirs.tree, handle: NAMES_HANDLE, kind: 'directory', device: 0, ino: 0 });
  }

  /** Gives a reference back, this kernel's or one meant for another that is not going to get it. */
  drop(ref: FileRef, holder: KernelId = this.#kernel.id): void {
    this.#kernel.detach(this.giveBack(ref, 1, holder));
  }
  *giveBack(ref: FileRef, references: number, holder: KernelId): Blocking<void> {
    const { id, messages } = this.#kernel;
    const { handle } = ref;
    for (;;) {
      const owner = this.keeper(ref);
      if (owner === id) return yield* this.#released(handle, references, holder);
      if (!this.#kernel.isPeer(owner)) return;
      try {
        yield* messages.call(owner, M.FILE_RELEASE, { handle, references, holder }, M.FILE_RELEASED);
        return;
      } catch (error) {
        if (!(error instanceof Moved)) throw error;
      }
    }
  }

  inode(ref: InodeRef): Inode {
    return this.keeper(ref) === this.#kernel.id ? (this.object(ref.handle) as Inode) : new RemoteInode(this.#kernel, ref);
  }
  ownInode(inode: Inode): Inode {
    return inode instanceof RemoteInode && inode.owner === this.#kernel.id ? (this.object(inode.ref.handle) as Inode) : inode;
  }

  /** An open file of this kernel by its handle; null: there is none. */
  ownFile(handle: number): OpenFile | null {
    const found = this.#objects.get(handle);
    return found !== undefined && 'holders' in found ? found.file : null;
  }

  /** The file system on the disk that another kernel owns. Nothing is asked yet. */
  disk(owner: KernelId): FileSystem {
    const root = new RemoteInode(this.#kernel, { owner, handle: DISK_HANDLE, kind: 'directory', device: DISK_NUMBER, ino: ROOT_INO });
    const flush = (): Maybe<void> => after(this.ask(owner, 'flushDisk', DISK_HANDLE, []), () => {});
    return { type: 'popcornfs', device: DISK_NUMBER, root, status: () => root.status(), flush };
  }
  flushDisk(): Maybe<void> {
    return this.#kernel.disk.flush();
  }

  /** The tree of another kernel. */
  *root(owner: KernelId): Blocking<FileSystem> {
    const { json } = yield* this.ask(owner, 'self', ROOT_HANDLE, []);
    const root = this.inode((json as unknown as Found)[0]);
    return { type: 'popcornfs', device: root.device, root, status: () => root.status() };
  }

  // --- handing over --------------------------------------------------------------------------------------------------------------

  /** The highest local number that has been given out. */
  get lastHandle(): number {
    return (this.#next - 1) & 0xffffff;
  }

  /** What others know of this kernel by handles, as far as it can be made again elsewhere. */
  state(packer: Packer): FilesState {
    const inodes: [number, number][] = [];
    for (const [inode, handle] of this.#inodeHandles) if (inode instanceof TmpInode) inodes.push([handle, packer.inode(inode)]);
    return { inodes, files: [...this.#fileHandles.values()].flatMap(each => exportedState(each, packer) ?? []) };
  }

  /** Takes all that over, under the same handles. */
  adopt({ inodes, files }: FilesState, from: Unpacked): void {
    for (const [handle, number] of inodes) {
      const inode = from.inodes[number] as Inode;
      this.#objects.set(handle, inode);
      this.#inodeHandles.set(inode, handle);
    }
    for (const state of files) {
      const exported = restoreExported(state, from);
      this.#objects.set(exported.handle, exported);
      this.#fileHandles.set(exported.file, exported);
    }
  }

  /** What was `kernel`'s is its heir's: those that wait for files of it look again. */
  inherited(): void {
    for (const each of [...this.#remote, ...this.#watched.values()]) each.ready();
  }
}

export interface FilesState {
  readonly inodes: readonly (readonly [handle: number, inode: number])[];
  readonly files: readonly ExportedState[];
}

const EMPTY = new Uint8Array(0);

interface Answer {
  readonly json: Json;
  readonly bytes: Uint8Array;
  /** With which it may be remembered; 0: it may not. */
  readonly serial: number;
}

function pack(json: Json | readonly Json[], bytes: Uint8Array): Uint8Array {
  const text = JSON.stringify(json);
  const payload = new Uint8Array(HEAD + text.length + bytes.length);
  setU32(payload, text.length);
  for (let i = 0; i < text.length; i++) payload[HEAD + i] = text.charCodeAt(i);
  payload.set(bytes, HEAD + text.length);
  return payload;
}

function unpack(frame: Uint8Array): { json: Json; bytes: Uint8Array } {
  const length = u32At(frame);
  const json = length === 0 ? null : (JSON.parse(fromBytes(frame.subarray(HEAD, HEAD + length))) as Json);
  return { json, bytes: frame.subarray(HEAD + length) };
}
