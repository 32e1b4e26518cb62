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
import { joined, setU32, u32At } from '../fs/bytes.ts';
import type { FileKind, IoContext, OpenFile } from '../fs/file.ts';
import {
  type AttributeChange,
  type Attributes,
  BaseInode,
  type DirectoryEntry,
  type FileSystem,
  type FileSystemStatus,
  type Inode,
  type InodeKind,
  type NewInode,
} from '../fs/inode.ts';
import type { Lock, LockRequest } from '../fs/lock.ts';
import { isSocket, type NewSocket, type Socket, type SocketKind, type SocketLink } from '../fs/socket/socket.ts';
import type { UnixPort } from '../fs/socket/unix/domain.ts';
import type { Vfs } from '../fs/vfs.ts';
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import { type Blocking, type KernelId, type Maybe, PAGE_SIZE, type Pfn, settle, type Sleeper } from '../types.ts';
import { CHUNK, RemoteFile } from './remote-file.ts';
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
}

/** The root directory of a kernel's tree has this handle. */
const ROOT_HANDLE = 0;
/** And its directory of abstract socket names this one. */
const NAMES_HANDLE = 1;
const HEAD = 4;
const ENTRIES_MAX = 32;
const PIN_MAX = 400;

export interface Result {
  readonly value: Json;
  readonly bytes?: Uint8Array;
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
  ['attributes', (_f, o) => plain(inode(o).attributes())],
  ['setAttributes', (_f, o, [change]) => plain(inode(o).setAttributes(change as unknown as AttributeChange))],
  ['truncate', (_f, o, [size]) => plain(inode(o).truncate(size as number))],
  ['status', (_f, o) => plain(inode(o).status())],
  ['lookup', (f, o, [name]) => result(inode(o).lookup(name as string), found => ({ value: f.inodeRef(found) as unknown as Json }))],
  [
    'create',
    (f, o, [name, made]) =>
      result(inode(o).create(name as string, made as unknown as NewInode), found => ({ value: f.inodeRef(found) as unknown as Json })),
  ],
  ['link', (f, o, [name, other]) => plain(inode(o).link(name as string, inode(f.object(other as number))))],
  ['unlink', (_f, o, [name]) => plain(inode(o).unlink(name as string))],
  ['rmdir', (_f, o, [name]) => plain(inode(o).rmdir(name as string))],
  [
    'rename',
    (f, o, [name, target, to, flags]) =>
      plain(inode(o).rename(name as string, inode(f.object(target as number)), to as string, flags as number)),
  ],
  ['entries', (_f, o, [cookie, count]) => plain(inode(o).entries(cookie as number, Math.min(ENTRIES_MAX, count as number)))],
  ['readlink', (_f, o, [caller]) => plain(inode(o).readlink(io(caller)))],
  [
    'open',
    (f, o, [flags, caller], _bytes, from) =>
      result(inode(o).open(flags as number, io(caller)), opened => ({ value: f.handOver(opened, from) as unknown as Json })),
  ],
  [
    'createNameless',
    (f, o, [made]) =>
      result(inode(o).createNameless(made as unknown as NewInode), found => ({ value: f.inodeRef(found) as unknown as Json })),
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
  ['pin', (f, o, [first, count]) => pinning(f, file(o), first as number, Math.min(PIN_MAX, count as number))],
  ...SOCKET_OPERATIONS,
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

/** Frames of a run of pages, one reference each; the run ends where the file does. */
function* pinning(files: RemoteFiles, opened: OpenFile, first: number, count: number): Blocking<Result> {
  const frames: Pfn[] = [];
  for (let i = 0; i < count; i++) {
    try {
      frames.push(yield* settle(opened.mapPage(first + i, false)));
    } catch (error) {
      if (!(error instanceof Errno) || (i === 0 && error.errno === E.NODEV)) throw error;
      break;
    }
  }
  files.lend(frames);
  return { value: frames };
}

/** An open file that others hold references to. */
interface Exported {
  readonly handle: number;
  readonly file: OpenFile;
  /** References of each kernel. */
  readonly holders: Map<KernelId, number>;
  readonly watchers: Map<KernelId, Sleeper>;
}

/** What this kernel gave to others and has from them. */
export class RemoteFiles {
  readonly #kernel: Kernel;
  readonly #objects = new Map<number, Inode | Exported>();
  readonly #inodeHandles = new Map<Inode, number>();
  readonly #fileHandles = new Map<OpenFile, Exported>();
  readonly #imported = new Map<string, RemoteFile>();
  #next = NAMES_HANDLE + 1;
  /** What is longer than a frame, until it is complete or fetched; by kernel and its number for it. */
  readonly #arriving = new Map<string, Uint8Array[]>();
  readonly #leaving = new Map<string, Uint8Array>();
  #nextParcel = 1;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
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
    const found = this.#objects.get(handle);
    if (found === undefined) throw new Errno(E.STALE);
    return found;
  }

  /** A name by which others can work on an inode. It is kept as long as this kernel lives. */
  inodeRef(found: Inode): InodeRef {
    if (found instanceof RemoteInode) return found.ref;
    let handle = found === this.#kernel.vfs.root.inode ? ROOT_HANDLE : this.#inodeHandles.get(found);
    if (handle === undefined) {
      handle = this.#next++;
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
    let exported = this.#fileHandles.get(opened);
    if (exported === undefined) {
      exported = { handle: this.#next++, file: opened, holders: new Map(), watchers: new Map() };
      this.#fileHandles.set(opened, exported);
      this.#objects.set(exported.handle, exported);
    }
    exported.holders.set(holder, (exported.holders.get(holder) ?? 0) + 1);
    return {
      owner: this.#kernel.id,
      handle: exported.handle,
      kind: opened.kind,
      flags: opened.flags,
      seekable: opened.seekable,
      label: opened.dentry?.path() ?? opened.label,
      ...(isSocket(opened) ? { socket: opened.socket } : {}),
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
    if (exported.holders.size === 0) this.#forget(exported);
  }

  /** References on frames that another kernel gets. */
  lend(frames: readonly Pfn[]): void {
    for (const pfn of frames) this.#kernel.frames.lend(pfn);
  }

  /** Pages of files of a kernel that is gone are nobody's to fetch any more. */
  forgetPages(owner: KernelId): void {
    for (const imported of this.#imported.values()) if (imported.owner === owner) imported.forgetPages();
  }

  /** A kernel is gone: what it held is released, and who waits for its files is told to look. */
  peerGone(peer: KernelId): void {
    for (const exported of [...this.#fileHandles.values()]) {
      const count = exported.holders.get(peer) ?? 0;
      const watcher = exported.watchers.get(peer);
      if (watcher !== undefined) for (const queue of exported.file.queues) queue.sleepers.delete(watcher);
      exported.watchers.delete(peer);
      if (count === 0) continue;
      this.#take(exported, count, peer);
      for (let i = 0; i < count; i++) this.#kernel.detach(exported.file.release());
    }
    for (const imported of [...this.#imported.values()]) if (imported.owner === peer) imported.ready();
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
    messages.on(M.FILE_REQUEST, ({ request, operation, handle, pfn, length, parcel }, { from }) => {
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
          messages.send(from, M.FILE_RESPONSE, { request, errno, length: payload.length, parcel: rest });
        },
      );
    });
    messages.on(M.FILE_RESPONSE, answer => messages.answered(answer.request, answer.errno === 0 ? answer : new Errno(answer.errno)));
    messages.on(M.FILE_READY, ({ handle }, { from }) => this.#imported.get(`${from}/${handle}`)?.ready());
    messages.on(M.FILE_RELEASE, ({ request, handle, references, holder }, { from }) => {
      kernel.image.serve(
        from,
        request,
        () => this.#released(handle, references, holder),
        () => messages.send(from, M.FILE_RELEASED, { request }),
      );
    });
    messages.on(M.FILE_RELEASED, ({ request }) => messages.answered(request, {}));
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

  /** One operation on another kernel's object. @throws Errno */
  *ask(
    owner: KernelId,
    name: string,
    handle: number,
    args: readonly Json[],
    bytes: Uint8Array = EMPTY,
  ): Blocking<{ json: Json; bytes: Uint8Array }> {
    const payload = pack(args, bytes);
    if (payload.length <= PAGE_SIZE) return unpack(yield* this.#exchange(owner, name, handle, payload, 0));
    const parcel = this.#nextParcel++;
    for (let at = 0; at < payload.length; at += CHUNK)
      yield* this.ask(owner, 'part', ROOT_HANDLE, [parcel], payload.subarray(at, at + CHUNK));
    return unpack(yield* this.#exchange(owner, name, handle, EMPTY, parcel));
  }

  /** One request and its answer. */
  *#exchange(owner: KernelId, name: string, handle: number, payload: Uint8Array, parcel: number): Blocking<Uint8Array> {
    const kernel = this.#kernel;
    const operation = NUMBERS.get(name) as number;
    const pfn = kernel.frames.allocate();
    let answer: { readonly length: number; readonly parcel: number };
    try {
      const frame = kernel.memory.u8.subarray(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
      kernel.processor.invalidateFrame(pfn);
      frame.set(payload);
      answer = yield* kernel.messages.call(
        owner,
        M.FILE_REQUEST,
        { operation, handle, pfn, length: payload.length, parcel },
        M.FILE_RESPONSE,
        SLEEPING.has(operation),
      );
      if (answer.parcel === 0) return frame.slice(0, answer.length);
    } finally {
      kernel.frames.release(pfn);
    }
    const parts: Uint8Array[] = [];
    for (let got = 0; got < answer.length; ) {
      const { bytes } = yield* this.ask(owner, 'rest', ROOT_HANDLE, [answer.parcel]);
      if (bytes.length === 0) throw new Errno(E.IO);
      parts.push(bytes);
      got += bytes.length;
    }
    return joined(parts);
  }

  /** A reference that came to this kernel becomes the caller's. */
  import(ref: FileRef): OpenFile {
    if (ref.owner === this.#kernel.id) {
      const exported = this.object(ref.handle);
      if (!('holders' in exported)) throw new Errno(E.STALE);
      this.#take(exported, 1, this.#kernel.id);
      return exported.file;
    }
    const key = `${ref.owner}/${ref.handle}`;
    const known = this.#imported.get(key);
    if (known !== undefined) {
      known.held++;
      known.references++;
      return known;
    }
    const forget = (): void => void this.#imported.delete(key);
    const made =
      ref.socket === undefined ? new RemoteFile(this.#kernel, ref, forget) : new RemoteSocket(this.#kernel, ref, ref.socket, forget);
    this.#imported.set(key, made);
    return made;
  }

  /** A reference for kernel `to`, whoever owns the file. */
  *refer(opened: OpenFile, to: KernelId): Blocking<FileRef> {
    if (!(opened instanceof RemoteFile)) return this.share(opened, to);
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

  /** The directory of abstract socket names, when the tree is another kernel's. */
  names(): Inode | null {
    const root = this.#kernel.vfs.root.inode;
    if (!(root instanceof RemoteInode)) return null;
    return new RemoteInode(this.#kernel, { ...root.ref, handle: NAMES_HANDLE });
  }

  /** Gives a reference back, this kernel's or one meant for another that is not going to get it. */
  drop(ref: FileRef, holder: KernelId = this.#kernel.id): void {
    this.#kernel.detach(this.#drop(ref, holder));
  }
  *#drop({ owner, handle }: FileRef, holder: KernelId): Blocking<void> {
    const { id, messages } = this.#kernel;
    if (owner === id) yield* this.#released(handle, 1, holder);
    else if (this.#kernel.isPeer(owner)) yield* messages.call(owner, M.FILE_RELEASE, { handle, references: 1, holder }, M.FILE_RELEASED);
  }

  inode(ref: InodeRef): Inode {
    return ref.owner === this.#kernel.id ? (this.object(ref.handle) as Inode) : new RemoteInode(this.#kernel, ref);
  }

  /** The tree of another kernel. */
  *root(owner: KernelId): Blocking<FileSystem> {
    const root = new RemoteInode(this.#kernel, { owner, handle: ROOT_HANDLE, kind: 'directory', device: 0, ino: 0 });
    const { device, ino } = yield* settle(root.attributes());
    const known = new RemoteInode(this.#kernel, { owner, handle: ROOT_HANDLE, kind: 'directory', device, ino });
    return { type: 'popcornfs', device, root: known, status: () => known.status() };
  }
}

const EMPTY = new Uint8Array(0);

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
  let text = '';
  for (let i = 0; i < length; i++) text += String.fromCharCode(frame[HEAD + i] as number);
  return { json: length === 0 ? null : (JSON.parse(text) as Json), bytes: frame.subarray(HEAD + length) };
}

/** Another kernel's inode. Nothing of it is remembered here but its name. */
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
    return this.ref.owner;
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

  *#ask<T>(name: string, ...args: readonly Json[]): Blocking<T> {
    return (yield* this.#kernel.image.files.ask(this.ref.owner, name, this.ref.handle, args)).json as unknown as T;
  }
  *#inode(name: string, ...args: readonly Json[]): Blocking<Inode> {
    return this.#kernel.image.files.inode(yield* this.#ask<InodeRef>(name, ...args));
  }
  #handleOf(other: Inode): number {
    if (!(other instanceof RemoteInode) || other.owner !== this.owner) throw new Errno(E.XDEV);
    return other.ref.handle;
  }

  attributes(): Blocking<Attributes> {
    return this.#ask('attributes');
  }
  status(): Blocking<FileSystemStatus> {
    return this.#ask('status');
  }
  override setAttributes(change: AttributeChange): Blocking<void> {
    return this.#ask('setAttributes', change as unknown as Json);
  }
  override truncate(size: number): Blocking<void> {
    return this.#ask('truncate', size);
  }
  override lookup(name: string): Blocking<Inode> {
    return this.#inode('lookup', name);
  }
  override create(name: string, made: NewInode): Blocking<Inode> {
    return this.#inode('create', name, made as unknown as Json);
  }
  override link(name: string, other: Inode): Blocking<void> {
    return this.#ask('link', name, this.#handleOf(other));
  }
  override unlink(name: string): Blocking<void> {
    return this.#ask('unlink', name);
  }
  override rmdir(name: string): Blocking<void> {
    return this.#ask('rmdir', name);
  }
  override rename(name: string, target: Inode, to: string, flags: number): Blocking<void> {
    return this.#ask('rename', name, this.#handleOf(target), to, flags);
  }
  override entries(cookie: number, countMax: number): Blocking<readonly DirectoryEntry[]> {
    return this.#ask('entries', cookie, countMax);
  }
  override readlink(caller: IoContext): Blocking<string> {
    return this.#ask('readlink', caller as unknown as Json);
  }
  override *open(flags: number, caller: IoContext): Blocking<OpenFile> {
    return this.#kernel.image.files.import(yield* this.#ask<FileRef>('open', flags, caller as unknown as Json));
  }
  override createNameless(made: NewInode): Blocking<Inode> {
    return this.#inode('createNameless', made as unknown as Json);
  }
  override socket(): Blocking<SocketLink | null> {
    return this.#ask('socket');
  }
  override lock(request: LockRequest): Blocking<Lock | null> {
    return this.#ask('lock', request as unknown as Json);
  }
}
