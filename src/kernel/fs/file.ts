/**
 * Open files: what a descriptor stands for. An open file lives on one kernel, its owner; elsewhere a stand-in works on it by message.
 *
 * Always holds: only numbers, byte arrays and plain objects cross the interface. Buffers belong to the caller and are not kept.
 * `references` counts descriptors (and calls under way); the last release closes the file, and nothing is called after that.
 */
import { E, Errno } from '../abi/errno.ts';
import { O } from '../abi/fcntl.ts';
import { ALWAYS_READY } from '../abi/poll.ts';
import type { SharedPages } from '../mm/sharing.ts';
import type { Cycles, KernelId, Maybe, Pfn, Pid, WaitQueue } from '../types.ts';
import type { AttributeChange, Attributes, DirectoryEntry, FileSystemStatus, Inode } from './inode.ts';
import { type Lock, type LockRequest, Locks, LockTable, unlockAll } from './lock.ts';
import { after } from './maybe.ts';
import type { Dentry } from './vfs.ts';

/** On whose behalf a file works. Plain data: it travels with a remote call. */
export interface IoContext {
  readonly pid: Pid;
  readonly tid: Pid;
  /** Real user and group, as a message's credentials show them. */
  readonly uid: number;
  readonly gid: number;
  /** Which of the terminal's stop signals the caller blocks or ignores: SHIELD_TTIN | SHIELD_TTOU. */
  readonly shield: number;
  /** When the wait of a call ends that is made again; left out: it begins now. */
  readonly deadline?: Cycles;
}
export const SHIELD_TTIN = 1;
export const SHIELD_TTOU = 2;

export type FileKind = 'file' | 'directory' | 'pipe' | 'socket' | 'character' | 'block' | 'anonymous' | 'path';

export interface OpenFile {
  readonly owner: KernelId;
  readonly kind: FileKind;
  readonly references: number;
  /** Access mode and status flags, as F_GETFL gives them. */
  readonly flags: number;
  /** How it was found, for /proc, fchdir and openat; null for pipes and the like. Local to the kernel that holds the reference. */
  dentry: Dentry | null;
  /** As readlink of /proc/PID/fd/N shows it when there is no dentry, e.g. 'pipe:[7]'. */
  readonly label: string;
  /** Pread, pwrite and lseek are possible. */
  readonly seekable: boolean;
  /** Position for the next read or write, for fdinfo; what counts is the owner's. */
  readonly position: number;
  /** Woken when what `poll` says may have changed. Asking a remote file's `poll` also asks its owner for the next change. */
  readonly queues: readonly WaitQueue[];
  /** The inode behind it, when there is one. */
  readonly inode: Inode | null;

  retain(): void;
  release(): Maybe<void>;
  setFlags(flags: number): Maybe<void>;

  /** Bytes moved; 0 is the end of the file. Blocks unless O_NONBLOCK. */
  read(target: Uint8Array, io: IoContext): Maybe<number>;
  write(source: Uint8Array, io: IoContext): Maybe<number>;
  pread(target: Uint8Array, position: number, io: IoContext): Maybe<number>;
  pwrite(source: Uint8Array, position: number, io: IoContext): Maybe<number>;
  seek(offset: number, whence: number): Maybe<number>;
  /** POLL.* bits that hold now. */
  poll(): Maybe<number>;
  /** `data` as IOCTLS says: filled by the caller ('in'), or to be filled ('out'). ENOTTY for a command it doesn't know. */
  ioctl(command: number, argument: number, data: Uint8Array, io: IoContext): Maybe<number>;
  /** Entries from the position on, with '.' and '..'. The position stays: the caller seeks behind those that it used. */
  readEntries(countMax: number): Maybe<readonly DirectoryEntry[]>;
  attributes(): Maybe<Attributes>;
  setAttributes(change: AttributeChange): Maybe<void>;
  truncate(size: number): Maybe<void>;
  /** fallocate: FALLOC.* */
  allocate(mode: number, offset: number, length: number): Maybe<void>;
  status(): Maybe<FileSystemStatus>;
  /** What has been written is on the disk, where there is one. */
  sync(): Maybe<void>;
  /** Before `mapPage` is asked for these pages, which then has them at once. Throws EFAULT, ENODEV. */
  willMap(firstPage: number, count: number, isShared: boolean): Maybe<void>;
  /** The frame of the page, with a reference for the caller. Throws EFAULT beyond the end (SIGBUS), ENODEV if it can't be mapped. */
  mapPage(index: number, forWrite: boolean): Maybe<Pfn>;
  /** Who is to be asked about pages that shared mappings on other kernels show; null: nobody. */
  readonly sharedPages: SharedPages | null;
  /** A lock on the inode behind it. Throws EAGAIN, EDEADLK. */
  lock(request: LockRequest): Maybe<Lock | null>;
}

/** Reference counting, flags, and an error for everything that a kind of file doesn't do. */
export abstract class BaseFile implements OpenFile {
  abstract readonly owner: KernelId;
  abstract readonly kind: FileKind;
  references = 1;
  dentry: Dentry | null = null;
  flags: number;
  /** The name by which it holds locks, once it has had any. */
  #lockHolder: string | null = null;
  #ownLocks: LockTable | null = null;

  constructor(flags: number) {
    this.flags = flags & ~(O.CREAT | O.EXCL | O.NOCTTY | O.TRUNC | O.CLOEXEC);
  }

  get lockHolder(): string | null {
    return this.#lockHolder;
  }
  set lockHolder(name: string | null) {
    this.#lockHolder = name;
  }
  get label(): string {
    return 'anon_inode:[file]';
  }
  get seekable(): boolean {
    return false;
  }
  get position(): number {
    return 0;
  }
  get queues(): readonly WaitQueue[] {
    return NO_QUEUES;
  }
  get inode(): Inode | null {
    return null;
  }
  get sharedPages(): SharedPages | null {
    return null;
  }
  get nonblocking(): boolean {
    return (this.flags & O.NONBLOCK) !== 0;
  }

  retain(): void {
    this.references++;
  }

  release(): Maybe<void> {
    this.references--;
    if (this.references > 0) return;
    const holder = this.#lockHolder;
    if (holder === null) return after(this.closed(), () => this.#tellGone());
    return after(this.#locked.lock(unlockAll('flock', holder)), () =>
      after(this.#locked.lock(unlockAll('record', holder)), () => after(this.closed(), () => this.#tellGone())),
    );
  }

  /** Sets that it is in find it gone. */
  #tellGone(): void {
    for (const queue of this.queues) queue.wakeAll();
  }

  /** The last reference is gone. */
  protected closed(): Maybe<void> {}

  setFlags(flags: number): Maybe<void> {
    this.flags = flags;
  }
  read(_target: Uint8Array, _io: IoContext): Maybe<number> {
    throw new Errno(E.INVAL);
  }
  write(_source: Uint8Array, _io: IoContext): Maybe<number> {
    throw new Errno(E.INVAL);
  }
  pread(_target: Uint8Array, _position: number, _io: IoContext): Maybe<number> {
    throw new Errno(E.SPIPE);
  }
  pwrite(_source: Uint8Array, _position: number, _io: IoContext): Maybe<number> {
    throw new Errno(E.SPIPE);
  }
  seek(_offset: number, _whence: number): Maybe<number> {
    throw new Errno(E.SPIPE);
  }
  poll(): Maybe<number> {
    return ALWAYS_READY;
  }
  ioctl(_command: number, _argument: number, _data: Uint8Array, _io: IoContext): Maybe<number> {
    throw new Errno(E.NOTTY);
  }
  readEntries(_countMax: number): Maybe<readonly DirectoryEntry[]> {
    throw new Errno(E.NOTDIR);
  }
  abstract attributes(): Maybe<Attributes>;
  setAttributes(_change: AttributeChange): Maybe<void> {
    throw new Errno(E.PERM);
  }
  truncate(_size: number): Maybe<void> {
    throw new Errno(E.INVAL);
  }
  allocate(_mode: number, _offset: number, _length: number): Maybe<void> {
    throw new Errno(E.NODEV);
  }
  status(): Maybe<FileSystemStatus> {
    throw new Errno(E.NOSYS);
  }
  sync(): Maybe<void> {}
  willMap(_firstPage: number, _count: number, _isShared: boolean): Maybe<void> {}
  mapPage(_index: number, _forWrite: boolean): Maybe<Pfn> {
    throw new Errno(E.NODEV);
  }

  lock(request: LockRequest): Maybe<Lock | null> {
    if (!request.byFile) return this.#locked.lock(request);
    this.#lockHolder ??= request.holder;
    return this.#locked.lock({ ...request, holder: this.#lockHolder });
  }
  /** Where locks are kept: with the inode, or here for a file that has none. */
  get #locked(): Pick<Inode, 'lock'> {
    const inode = this.inode ?? this.dentry?.inode ?? null;
    if (inode !== null) return inode;
    this.#ownLocks ??= new LockTable(new Locks());
    const locks = this.#ownLocks;
    return { lock: request => locks.apply(request) };
  }
}

const NO_QUEUES: readonly WaitQueue[] = [];

export const mayRead = (file: OpenFile): boolean => (file.flags & O.ACCMODE) !== O.WRONLY && (file.flags & O.PATH) === 0;
export const mayWrite = (file: OpenFile): boolean => (file.flags & O.ACCMODE) !== O.RDONLY && (file.flags & O.PATH) === 0;

/** Attributes of something that has no inode of its own: a pipe, an eventfd. */
export function plainAttributes(device: number, ino: number, mode: number, extra: Partial<Attributes> = {}): Attributes {
  const never = { seconds: 0, nanoseconds: 0 };
  return {
    device,
    ino,
    mode,
    links: 1,
    uid: 0,
    gid: 0,
    rdev: 0,
    size: 0,
    blocks: 0,
    blockSize: 4096,
    atime: never,
    mtime: never,
    ctime: never,
    ...extra,
  };
}
