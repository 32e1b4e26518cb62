/**
 * Inodes: files as they are on disk, whichever file system holds them and whichever kernel holds that.
 *
 * Always holds: only plain data crosses the interface, so an inode of another kernel is one more implementation. Names are binary
 * strings without '/' and are never '.', '..' or empty. Every operation may throw Errno.
 */
import { E, Errno } from '../abi/errno.ts';
import { S } from '../abi/stat.ts';
import type { KernelId, Maybe } from '../types.ts';
import type { Timestamp } from './clock.ts';
import type { IoContext, OpenFile } from './file.ts';
import { type Lock, type LockRequest, Locks, LockTable } from './lock.ts';
import type { SocketLink } from './socket/socket.ts';

export type InodeKind = 'file' | 'directory' | 'symlink' | 'pipe' | 'socket' | 'character' | 'block';

export interface Attributes {
  readonly device: number;
  readonly ino: number;
  /** Type and permission bits, as in `st_mode`. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly size: number;
  /** In units of 512 bytes. */
  readonly blocks: number;
  readonly blockSize: number;
  readonly atime: Timestamp;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
}

/** Attributes to change; those left out stay. The change time becomes now. */
export interface AttributeChange {
  /** Permission bits (07777). */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** 'now' for the owner's present time. */
  readonly atime?: Timestamp | 'now';
  readonly mtime?: Timestamp | 'now';
}

/** A new inode: type and permission bits, and the rest that its kind needs. */
export interface NewInode {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Device number of a device node. */
  readonly rdev: number;
  /** Where a symbolic link points. */
  readonly target: string;
  /** The socket that a socket's inode is the name of. */
  readonly socket?: SocketLink;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly ino: number;
  /** `DT_*`. */
  readonly type: number;
  /** Cookie that continues after this entry. */
  readonly next: number;
}

export interface FileSystemStatus {
  readonly type: number;
  readonly device: number;
  readonly blockSize: number;
  readonly blocks: number;
  readonly blocksFree: number;
  readonly files: number;
  readonly filesFree: number;
}

export interface FileSystem {
  /** As in /proc/filesystems. */
  readonly type: string;
  readonly device: number;
  readonly root: Inode;
  status(): Maybe<FileSystemStatus>;
  /** What has been written is on the disk afterwards; left out: there is none. */
  flush?(): Maybe<void>;
}

export interface Inode {
  readonly owner: KernelId;
  readonly device: number;
  readonly ino: number;
  readonly kind: InodeKind;
  /** Whether names below it come and go by themselves (as in /proc) or elsewhere (remote), so that none is worth remembering. */
  readonly volatile: boolean;
  /** Whether all that changes it goes through `FsServices.changing`, so that other kernels may remember it. */
  readonly isTracked: boolean;

  attributes(): Maybe<Attributes>;
  setAttributes(change: AttributeChange): Maybe<void>;
  truncate(size: number): Maybe<void>;
  status(): Maybe<FileSystemStatus>;

  /** `io`: for whom, as some names are not the same to all (/sys/class/net). Throws ENOENT when the name isn't there. */
  lookup(name: string, io?: IoContext): Maybe<Inode>;
  /** A new file, directory, link, device node, FIFO by `made.mode`. Throws EEXIST. */
  create(name: string, made: NewInode): Maybe<Inode>;
  link(name: string, inode: Inode): Maybe<void>;
  unlink(name: string): Maybe<void>;
  rmdir(name: string): Maybe<void>;
  /** `flags` are RENAME.* */
  rename(name: string, target: Inode, targetName: string, flags: number): Maybe<void>;
  /** Entries after `cookie` (0: from the start), at most `countMax`; none at the end. Without '.' and '..'. */
  entries(cookie: number, countMax: number): Maybe<readonly DirectoryEntry[]>;

  /** Where it points, for this caller (/proc/self). */
  readlink(io: IoContext): Maybe<string>;
  /** For a link that is more than its text (/proc/self/fd/N): the open file itself. */
  opened(io: IoContext): Maybe<OpenFile | null>;

  /** An open file on a regular file or FIFO; directories and devices are opened by the VFS. */
  open(flags: number, io: IoContext): Maybe<OpenFile>;
  /** A nameless regular file in this directory (O_TMPFILE). */
  createNameless(made: NewInode): Maybe<Inode>;

  /** The socket that it is, or was, the name of; null when it never was. */
  socket(): Maybe<SocketLink | null>;

  /** Throws EAGAIN, EDEADLK. */
  lock(request: LockRequest): Maybe<Lock | null>;
}

const KINDS: Readonly<Record<number, InodeKind>> = {
  [S.IFREG]: 'file',
  [S.IFDIR]: 'directory',
  [S.IFLNK]: 'symlink',
  [S.IFIFO]: 'pipe',
  [S.IFSOCK]: 'socket',
  [S.IFCHR]: 'character',
  [S.IFBLK]: 'block',
};

export function kindOfMode(mode: number): InodeKind {
  const kind = KINDS[mode & S.IFMT];
  if (!kind) throw new Errno(E.INVAL);
  return kind;
}

/** An inode on which nothing is possible; kinds of inode add what they can do. */
export abstract class BaseInode implements Inode {
  abstract readonly owner: KernelId;
  abstract readonly device: number;
  abstract readonly ino: number;
  abstract readonly kind: InodeKind;
  readonly volatile: boolean = false;
  get isTracked(): boolean {
    return false;
  }
  #locks: LockTable | null = null;

  abstract attributes(): Maybe<Attributes>;
  abstract status(): Maybe<FileSystemStatus>;
  setAttributes(_change: AttributeChange): Maybe<void> {
    throw new Errno(E.PERM);
  }
  truncate(_size: number): Maybe<void> {
    throw new Errno(this.kind === 'directory' ? E.ISDIR : E.INVAL);
  }
  lookup(_name: string, _io?: IoContext): Maybe<Inode> {
    throw this.#notHere(E.NOENT);
  }
  create(_name: string, _made: NewInode): Maybe<Inode> {
    throw this.#notHere(E.PERM);
  }
  link(_name: string, _inode: Inode): Maybe<void> {
    throw this.#notHere(E.PERM);
  }
  unlink(_name: string): Maybe<void> {
    throw this.#notHere(E.PERM);
  }
  rmdir(_name: string): Maybe<void> {
    throw this.#notHere(E.PERM);
  }
  rename(_name: string, _target: Inode, _targetName: string, _flags: number): Maybe<void> {
    throw this.#notHere(E.PERM);
  }
  entries(_cookie: number, _countMax: number): Maybe<readonly DirectoryEntry[]> {
    throw this.#notHere(E.PERM);
  }
  readlink(_io: IoContext): Maybe<string> {
    throw new Errno(E.INVAL);
  }
  opened(_io: IoContext): Maybe<OpenFile | null> {
    return null;
  }
  open(_flags: number, _io: IoContext): Maybe<OpenFile> {
    throw new Errno(E.NXIO);
  }
  createNameless(_made: NewInode): Maybe<Inode> {
    throw this.#notHere(E.OPNOTSUPP);
  }
  socket(): Maybe<SocketLink | null> {
    return null;
  }
  lock(request: LockRequest): Maybe<Lock | null> {
    this.#locks ??= new LockTable(this.kernelLocks());
    return this.#locks.apply(request);
  }
  /** For when it is made again on another kernel. */
  protected get heldLocks(): readonly Lock[] {
    return this.#locks?.held ?? [];
  }
  protected restoreLocks(locks: readonly Lock[]): void {
    if (locks.length > 0) this.#locks = new LockTable(this.kernelLocks(), locks);
  }
  /** Those among which circles are looked for. */
  protected kernelLocks(): Locks {
    return new Locks();
  }

  #notHere(errno: number): Errno {
    return new Errno(this.kind === 'directory' ? errno : E.NOTDIR);
  }
}
