/**
 * The virtual file system: one tree of names over many file systems.
 *
 *     Mount    a file system in its place             Dentry   a name in a directory that somebody walked to
 *
 * A walk asks the directory's inode for every component; dentries only give places an identity, for '..', getcwd and mount points. What of
 * another kernel's names is remembered, its inodes know (image/remote-inode.ts). A walk is a generator, as the root may be remote; over local inodes it
 * ends without sleeping and its caller gets a plain value (see `maybe.ts`).
 *
 * Always holds: a dentry's mount is the one whose file system its inode is of; a walk never stops at a covered dentry.
 */
import { E, Errno } from '../abi/errno.ts';
import { ACCESS, NAME_MAX, O, PATH_MAX, RENAME, SYMLINKS_MAX } from '../abi/fcntl.ts';
import { S } from '../abi/stat.ts';
import type { Credentials } from '../task/task.ts';
import { settle, type Blocking, type Maybe } from '../types.ts';
import type { FsContext } from './context.ts';
import { FS_COSTS } from './costs.ts';
import { Devices } from './devices.ts';
import { DirectoryFile, PathFile } from './directory-file.ts';
import type { IoContext, OpenFile } from './file.ts';
import type { AttributeChange, FileSystem, Inode, NewInode } from './inode.ts';
import { after, eager } from './maybe.ts';
import { checkAccess, effective } from './permission.ts';
import type { FsServices } from './services.ts';
import { InetDomain } from './socket/inet/domain.ts';
import { UnixDomain } from './socket/unix/domain.ts';
import type { TmpFs } from './tmpfs/tmpfs.ts';

export interface Mount {
  readonly id: number;
  fileSystem: FileSystem;
  readonly root: Dentry;
  /** The dentry that it covers; null for the root of all. */
  readonly at: Dentry | null;
  readonly source: string;
  options: string;
}

/** Most children remembered under one dentry; beyond it those that nobody needs are dropped. */
const CHILDREN_MAX = 1024;

export class Dentry {
  readonly children = new Map<string, Dentry>();
  covered: Mount | null = null;
  mount!: Mount;
  /** The name was taken away while somebody held the dentry. */
  removed = false;

  constructor(
    public parent: Dentry | null,
    public name: string,
    public inode: Inode,
  ) {
    if (parent) this.mount = parent.mount;
  }

  /** The child for what a lookup just found: the same as before if it is still the same inode. */
  child(name: string, inode: Inode): Dentry {
    const known = this.children.get(name);
    if (known) {
      const before = known.inode;
      if (
        before === inode ||
        (before.ino === inode.ino && before.device === inode.device && before.owner === inode.owner && before.kind === inode.kind)
      ) {
        // On a disk a number may be another file's by now.
        known.inode = inode;
        return known;
      }
    }
    const made = new Dentry(this, name, inode);
    if (this.inode.volatile && !known?.covered) return made;
    if (this.children.size >= CHILDREN_MAX) this.#dropIdle();
    this.children.set(name, made);
    return made;
  }

  /** The absolute path from the root of all; '(deleted)' behind it when the name is gone, as Linux shows it. */
  path(): string {
    let path = '';
    for (let at: Dentry | null = this; at; ) {
      if (at.parent) path = `/${at.name}${path}`;
      at = at.parent ?? at.mount.at;
    }
    return (path || '/') + (this.removed ? ' (deleted)' : '');
  }

  forget(name: string): void {
    const child = this.children.get(name);
    if (child) child.removed = true;
    this.children.delete(name);
  }

  #dropIdle(): void {
    for (const [name, child] of this.children) {
      if (!child.covered && child.children.size === 0) this.children.delete(name);
    }
  }
}

/** For whom a walk is done. */
export interface Caller {
  readonly fs: FsContext;
  readonly credentials: Credentials;
  readonly io: IoContext;
}

/** A name that may or may not exist yet, in a directory that does. */
export interface Place {
  readonly directory: Dentry;
  /** Possibly '.', '..' or '' (the root itself). */
  readonly name: string;
  /** The path ended in '/': only a directory will do. */
  readonly slash: boolean;
}

/** A name to be made: `mode` has the type. */
export type NewNode = Pick<NewInode, 'mode'> & Partial<Pick<NewInode, 'rdev' | 'target' | 'socket'>>;

interface Walked extends Place {
  /** Set when the walk ended at a magic link to a file without a place (a pipe). */
  readonly opened: OpenFile | null;
}

export const SUPERUSER: Credentials = { uid: 0, gid: 0, euid: 0, egid: 0, suid: 0, sgid: 0, groups: [] };

export type FileSystemMaker = (source: string, options: string) => FileSystem;

export class Vfs {
  readonly devices = new Devices();
  readonly types = new Map<string, FileSystemMaker>();
  readonly mounts: Mount[] = [];
  /** Where files without a name live (memfd_create, shared anonymous memory). */
  nameless: TmpFs | null = null;
  readonly unix: UnixDomain;
  /** Sockets of this kernel's own network: AF_INET, AF_PACKET, AF_NETLINK. */
  readonly inet: InetDomain;
  #nextMount = 1;
  #nextDevice = 16;
  #nextAnonymous = 1;
  #nextLockHolder = 1;

  constructor(readonly services: FsServices) {
    this.unix = new UnixDomain(services);
    this.inet = new InetDomain(services, this.unix);
  }

  /** The root of all. */
  get root(): Dentry {
    const root = this.mounts[0];
    if (!root) throw new Error('no root file system is mounted');
    return root.root;
  }

  /** For the kernel's own work: user 0, at the root of all. */
  kernelCaller(): Caller {
    const { root } = this;
    return { fs: { root, cwd: root, umask: 0o022 }, credentials: SUPERUSER, io: { pid: 0, tid: 0, uid: 0, gid: 0, shield: 0 } };
  }

  /** A device number for a file system that has no device. */
  newDevice(): number {
    return this.#nextDevice++;
  }

  /** A name for an open file that holds locks, unlike that of any other in the image. */
  newLockHolder(): string {
    return `file ${this.services.kernel}/${this.#nextLockHolder++}`;
  }

  /** An inode number for a pipe or another file without a name. */
  newAnonymous(): number {
    return this.#nextAnonymous++;
  }

  // ── Mounts ──

  mount(fileSystem: FileSystem, at: Dentry | null, source: string, options = 'rw'): Mount {
    if (at && at.inode.kind !== 'directory') throw new Errno(E.NOTDIR);
    const root = new Dentry(null, '', fileSystem.root);
    const mount: Mount = { id: this.#nextMount++, fileSystem, root, at, source, options };
    root.mount = mount;
    if (at) {
      at.covered = mount;
      // The place must keep its identity, also below a volatile directory.
      at.parent?.children.set(at.name, at);
    }
    this.mounts.push(mount);
    return mount;
  }

  unmount(root: Dentry): void {
    const { mount } = root;
    if (mount.root !== root || !mount.at) throw new Errno(E.INVAL);
    if (this.mounts.some(other => other.at?.mount === mount)) throw new Errno(E.BUSY);
    mount.at.covered = null;
    this.mounts.splice(this.mounts.indexOf(mount), 1);
  }

  /** Another file system becomes the root of all; what is mounted below keeps its place by name, made anew where it is missing. */
  *replaceRoot(fileSystem: FileSystem): Blocking<void> {
    const { root } = this;
    root.mount.fileSystem = fileSystem;
    root.inode = fileSystem.root;
    const node = { uid: 0, gid: 0, rdev: 0, target: '', mode: S.IFDIR | 0o755 };
    for (const { at } of this.mounts) {
      if (at === null || at.mount !== root.mount) continue;
      const way: Dentry[] = [];
      for (let each: Dentry | null = at; each?.parent; each = each.parent) way.unshift(each);
      let directory = fileSystem.root;
      for (const place of way) {
        try {
          place.inode = yield* settle(directory.lookup(place.name));
        } catch (error) {
          if (!(error instanceof Errno) || error.errno !== E.NOENT) throw error;
          place.inode = yield* settle(directory.create(place.name, node));
        }
        directory = place.inode;
      }
    }
  }

  /** The absolute path of a place as a process with this root sees it. */
  pathOf(dentry: Dentry, root: Dentry = this.root): string {
    let path = '';
    let at = dentry;
    while (at !== root) {
      if (at.parent) {
        path = `/${at.name}${path}`;
        at = at.parent;
      } else if (at.mount.at) at = at.mount.at;
      else break;
    }
    return path || '/';
  }

  isReachable(dentry: Dentry): boolean {
    for (let at: Dentry | null = dentry; at; at = at.parent ?? at.mount.at) {
      if (at.removed) return false;
    }
    return true;
  }

  // ── Walking ──

  /** The place a path names. `follow`: whether a symbolic link at its end is followed. */
  walk(caller: Caller, start: Dentry, path: string, follow = true): Maybe<Dentry> {
    return eager(this.#walkTo(caller, start, path, follow));
  }

  /** The directory a path's last component is in, and that component. */
  walkParent(caller: Caller, start: Dentry, path: string): Maybe<Place> {
    return eager(this.#walk(caller, start, path, 'parent'));
  }

  *#walkTo(caller: Caller, start: Dentry, path: string, follow: boolean): Blocking<Dentry> {
    return (yield* this.#walk(caller, start, path, follow ? 'follow' : 'stay')).directory;
  }

  /** With 'parent' the result is the last component's directory and name; else the place itself is in `directory`. */
  *#walk(caller: Caller, start: Dentry, path: string, end: 'parent' | 'follow' | 'stay'): Blocking<Walked> {
    if (path === '') throw new Errno(E.NOENT);
    if (path.length >= PATH_MAX) throw new Errno(E.NAMETOOLONG);
    const root = caller.fs.root;
    let at = top(path.startsWith('/') ? root : start);
    const todo = components(path).reverse();
    let slash = path.endsWith('/');
    let links = 0;
    if (todo.length === 0 && end === 'parent') return { directory: at, name: '', slash, opened: null };
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      const last = todo.length === 0;
      if (at.inode.kind !== 'directory') throw new Errno(E.NOTDIR);
      if (caller.credentials.euid !== 0) checkAccess(yield* settle(at.inode.attributes()), ACCESS.X, effective(caller.credentials));
      if (last && end === 'parent') return { directory: at, name, slash, opened: null };
      if (name === '.') continue;
      if (name === '..') {
        at = up(at, root);
        continue;
      }
      if (name.length > NAME_MAX) throw new Errno(E.NAMETOOLONG);
      const next = yield* this.#lookup(caller, at, name);
      if (next.inode.kind !== 'symlink' || (last && end === 'stay' && !slash)) {
        at = next;
        continue;
      }
      if (++links > SYMLINKS_MAX) throw new Errno(E.LOOP);
      const opened = yield* settle(next.inode.opened(caller.io));
      if (opened?.dentry) {
        at = opened.dentry;
        continue;
      }
      if (opened) {
        if (!last || slash) throw new Errno(E.NOTDIR);
        return { directory: next, name: '', slash, opened };
      }
      const target = yield* settle(next.inode.readlink(caller.io));
      if (target === '') throw new Errno(E.NOENT);
      if (target.startsWith('/')) at = top(root);
      if (last && target.endsWith('/')) slash = true;
      todo.push(...components(target).reverse());
    }
    if (slash && at.inode.kind !== 'directory') throw new Errno(E.NOTDIR);
    return { directory: at, name: '', slash, opened: null };
  }

  *#lookup({ io }: Caller, directory: Dentry, name: string): Blocking<Dentry> {
    this.services.charge(FS_COSTS.lookup);
    try {
      const inode = yield* settle(directory.inode.lookup(name, io));
      return top(directory.child(name, inode));
    } catch (error) {
      if (error instanceof Errno && error.errno === E.NOENT) directory.forget(name);
      throw error;
    }
  }

  /** The child, or null when there is none. */
  *#find(caller: Caller, directory: Dentry, name: string): Blocking<Dentry | null> {
    if (name.length > NAME_MAX) throw new Errno(E.NAMETOOLONG);
    try {
      return yield* this.#lookup(caller, directory, name);
    } catch (error) {
      if (error instanceof Errno && error.errno === E.NOENT) return null;
      throw error;
    }
  }

  // ── Opening ──

  /** `mode` (permission bits, umask applied) is for a file that O_CREAT makes. */
  open(caller: Caller, start: Dentry, path: string, flags: number, mode = 0o644): Maybe<OpenFile> {
    return eager(this.#open(caller, start, path, flags, mode));
  }

  *#open(caller: Caller, start: Dentry, path: string, flags: number, mode: number): Blocking<OpenFile> {
    const follow = (flags & O.NOFOLLOW) === 0;
    if (flags & O.PATH) {
      const { directory: place, opened } = yield* this.#walk(caller, start, path, follow ? 'follow' : 'stay');
      if (flags & O.DIRECTORY && place.inode.kind !== 'directory') throw new Errno(E.NOTDIR);
      if (opened) throw new Errno(E.NXIO);
      return new PathFile(this.services.kernel, place, flags);
    }
    if ((flags & O.TMPFILE) === O.TMPFILE) {
      if ((flags & O.ACCMODE) === O.RDONLY) throw new Errno(E.INVAL);
      const directory = yield* this.#walkTo(caller, start, path, true);
      const inode = yield* settle(directory.inode.createNameless(made(caller, S.IFREG | (mode & 0o7777))));
      const file = yield* settle(inode.open(flags & ~O.TMPFILE, caller.io));
      file.dentry = new Dentry(directory, `#${inode.ino}`, inode);
      file.dentry.removed = true;
      return file;
    }
    if (!(flags & O.CREAT)) {
      const { directory: place, opened } = yield* this.#walk(caller, start, path, follow ? 'follow' : 'stay');
      if (opened) {
        opened.retain();
        return opened;
      }
      return yield* this.#openPlace(caller, place, flags);
    }
    if (flags & O.DIRECTORY) throw new Errno(E.INVAL);
    return yield* this.#openOrCreate(caller, start, path, flags, mode);
  }

  *#openOrCreate(caller: Caller, start: Dentry, path: string, flags: number, mode: number): Blocking<OpenFile> {
    let at = start;
    let rest = path;
    for (let links = 0; links <= SYMLINKS_MAX; links++) {
      const { directory, name, slash } = yield* this.#walk(caller, at, rest, 'parent');
      if (name === '' || name === '.' || name === '..' || slash) throw new Errno(E.ISDIR);
      let place = yield* this.#find(caller, directory, name);
      if (place === null) {
        yield* this.#checkChange(caller, directory);
        try {
          const inode = yield* settle(directory.inode.create(name, made(caller, S.IFREG | (mode & 0o7777))));
          // The new file may be opened as asked whatever its mode.
          return yield* this.#openPlace(caller, directory.child(name, inode), flags & ~O.TRUNC, true);
        } catch (error) {
          // Another kernel or task was faster.
          if (!(error instanceof Errno) || error.errno !== E.EXIST || flags & O.EXCL) throw error;
          place = yield* this.#find(caller, directory, name);
          if (place === null) throw error;
        }
      }
      if (flags & O.EXCL) throw new Errno(E.EXIST);
      if (place.inode.kind !== 'symlink') return yield* this.#openPlace(caller, place, flags);
      if (flags & O.NOFOLLOW) throw new Errno(E.LOOP);
      const opened = yield* settle(place.inode.opened(caller.io));
      if (opened?.dentry) return yield* this.#openPlace(caller, opened.dentry, flags);
      if (opened) {
        opened.retain();
        return opened;
      }
      at = directory;
      rest = yield* settle(place.inode.readlink(caller.io));
    }
    throw new Errno(E.LOOP);
  }

  /** Opens what is there. */
  openPlace(caller: Caller, place: Dentry, flags: number): Maybe<OpenFile> {
    return eager(this.#openPlace(caller, place, flags));
  }

  *#openPlace(caller: Caller, place: Dentry, flags: number, fresh = false): Blocking<OpenFile> {
    const { inode } = place;
    const { kind } = inode;
    const writes = (flags & O.ACCMODE) !== O.RDONLY;
    if (kind === 'symlink') throw new Errno(E.LOOP);
    if (flags & O.DIRECTORY && kind !== 'directory') throw new Errno(E.NOTDIR);
    if (kind === 'directory' && (writes || flags & (O.CREAT | O.TRUNC))) throw new Errno(E.ISDIR);
    if (caller.credentials.euid !== 0 && !fresh) {
      const reads = (flags & O.ACCMODE) !== O.WRONLY;
      const want = (reads ? ACCESS.R : 0) | (writes || flags & O.TRUNC ? ACCESS.W : 0);
      checkAccess(yield* settle(inode.attributes()), want, effective(caller.credentials));
    }
    if (writes && kind === 'file') checkWritable(place);
    if (kind === 'directory') return new DirectoryFile(this.services.kernel, place, flags);
    if (kind === 'socket') throw new Errno(E.NXIO);
    let file: OpenFile;
    if (kind === 'character' || kind === 'block') {
      const { rdev } = yield* settle(inode.attributes());
      file = yield* settle(this.devices.open(kind, rdev, flags, caller.io));
    } else {
      if (flags & O.TRUNC && kind === 'file') yield* settle(inode.truncate(0));
      file = yield* settle(inode.open(flags & ~(O.CREAT | O.EXCL | O.TRUNC), caller.io));
    }
    file.dentry ??= place;
    return file;
  }

  /** A program to execute: a regular file that the caller may execute. */
  openProgram(caller: Caller, start: Dentry, path: string, follow = true): Maybe<OpenFile> {
    return eager(this.#openProgram(caller, start, path, follow));
  }

  /** The same for user 0, from the current directory: exec by a process whose place in the tree is `fs`. */
  openExecutable(fs: FsContext, path: string, io: IoContext, credentials: Credentials = SUPERUSER): Maybe<OpenFile> {
    return this.openProgram({ fs, credentials, io }, fs.cwd, path);
  }

  *#openProgram(caller: Caller, start: Dentry, path: string, follow: boolean): Blocking<OpenFile> {
    const place = yield* this.#walkTo(caller, start, path, follow);
    if (place.inode.kind === 'symlink') throw new Errno(E.LOOP);
    if (place.inode.kind !== 'file') throw new Errno(E.ACCES);
    checkAccess(yield* settle(place.inode.attributes()), ACCESS.X, effective(caller.credentials));
    const file = yield* settle(place.inode.open(O.RDONLY, caller.io));
    file.dentry ??= place;
    return file;
  }

  // ── Changing names ──

  /** mkdir, mknod, symlink, and bind of a socket. */
  create(caller: Caller, start: Dentry, path: string, node: NewNode): Maybe<void> {
    return eager(this.#create(caller, start, path, node));
  }

  *#create(caller: Caller, start: Dentry, path: string, node: NewNode): Blocking<void> {
    const { directory, name, slash } = yield* this.#walk(caller, start, path, 'parent');
    if (name === '' || name === '.' || name === '..') throw new Errno(E.EXIST);
    if (yield* this.#find(caller, directory, name)) throw new Errno(E.EXIST);
    if (slash && (node.mode & S.IFMT) !== S.IFDIR) throw new Errno(E.NOENT);
    yield* this.#checkChange(caller, directory);
    const inode = yield* settle(directory.inode.create(name, { ...made(caller, 0), ...node }));
    directory.child(name, inode);
  }

  link(caller: Caller, from: Dentry, start: Dentry, path: string): Maybe<void> {
    return eager(this.#link(caller, from, start, path));
  }

  *#link(caller: Caller, from: Dentry, start: Dentry, path: string): Blocking<void> {
    if (from.inode.kind === 'directory') throw new Errno(E.PERM);
    const { directory, name, slash } = yield* this.#walk(caller, start, path, 'parent');
    if (name === '' || name === '.' || name === '..' || (yield* this.#find(caller, directory, name))) throw new Errno(E.EXIST);
    if (slash) throw new Errno(E.NOENT);
    if (directory.mount !== from.mount) throw new Errno(E.XDEV);
    yield* this.#checkChange(caller, directory);
    yield* settle(directory.inode.link(name, from.inode));
  }

  /** unlink, or rmdir when `directories`. */
  remove(caller: Caller, start: Dentry, path: string, directories: boolean): Maybe<void> {
    return eager(this.#remove(caller, start, path, directories));
  }

  *#remove(caller: Caller, start: Dentry, path: string, directories: boolean): Blocking<void> {
    const { directory, name, slash } = yield* this.#walk(caller, start, path, 'parent');
    if (name === '' || name === '.' || name === '..') {
      throw new Errno(!directories ? E.ISDIR : name === '.' ? E.INVAL : name === '..' ? E.NOTEMPTY : E.BUSY);
    }
    const place = yield* this.#lookup(caller, directory, name);
    if (place.parent !== directory) throw new Errno(E.BUSY); // a mount's root
    const isDirectory = place.inode.kind === 'directory';
    if (directories && !isDirectory) throw new Errno(E.NOTDIR);
    if (!directories && (isDirectory || slash)) throw new Errno(isDirectory ? E.ISDIR : E.NOTDIR);
    yield* this.#checkChange(caller, directory, place.inode);
    yield* settle(directories ? directory.inode.rmdir(name) : directory.inode.unlink(name));
    directory.forget(name);
    place.removed = true;
  }

  rename(caller: Caller, from: { start: Dentry; path: string }, to: { start: Dentry; path: string }, flags: number): Maybe<void> {
    return eager(this.#rename(caller, from, to, flags));
  }

  *#rename(caller: Caller, from: { start: Dentry; path: string }, to: { start: Dentry; path: string }, flags: number): Blocking<void> {
    const source = yield* this.#walk(caller, from.start, from.path, 'parent');
    const target = yield* this.#walk(caller, to.start, to.path, 'parent');
    for (const { name } of [source, target]) if (name === '' || name === '.' || name === '..') throw new Errno(E.BUSY);
    if (source.directory.mount !== target.directory.mount) throw new Errno(E.XDEV);
    const moved = yield* this.#lookup(caller, source.directory, source.name);
    const there = yield* this.#find(caller, target.directory, target.name);
    if (moved.parent !== source.directory || (there && there.parent !== target.directory)) throw new Errno(E.BUSY);
    if (flags & RENAME.NOREPLACE && there) throw new Errno(E.EXIST);
    if (flags & RENAME.EXCHANGE && !there) throw new Errno(E.NOENT);
    if ((source.slash || (target.slash && !(flags & RENAME.EXCHANGE))) && moved.inode.kind !== 'directory') throw new Errno(E.NOTDIR);
    for (let at: Dentry | null = target.directory; at; at = at.parent) if (at === moved) throw new Errno(E.INVAL);
    if (there)
      for (let at: Dentry | null = source.directory; at; at = at.parent)
        if (at === there) throw new Errno(flags & RENAME.EXCHANGE ? E.INVAL : E.NOTEMPTY);
    yield* this.#checkChange(caller, source.directory, moved.inode);
    yield* this.#checkChange(caller, target.directory, there?.inode);
    if (moved.inode === there?.inode) return;
    yield* settle(source.directory.inode.rename(source.name, target.directory.inode, target.name, flags));
    source.directory.children.delete(source.name);
    if (there && flags & RENAME.EXCHANGE) place(there, source.directory, source.name);
    else target.directory.forget(target.name);
    place(moved, target.directory, target.name);
  }

  /** Whether names in `directory` may be changed, and with the sticky bit the victim's too. */
  *#checkChange(caller: Caller, directory: Dentry, victim?: Inode): Blocking<void> {
    checkWritable(directory);
    const { credentials } = caller;
    if (credentials.euid === 0) return;
    const attributes = yield* settle(directory.inode.attributes());
    checkAccess(attributes, ACCESS.W | ACCESS.X, effective(credentials));
    if (!victim || !(attributes.mode & S.ISVTX) || attributes.uid === credentials.euid) return;
    if ((yield* settle(victim.attributes())).uid !== credentials.euid) throw new Errno(E.PERM);
  }

  /** chmod, chown, utimes by path. Only the owner or user 0. */
  setAttributes(caller: Caller, place: Dentry, change: AttributeChange): Maybe<void> {
    checkWritable(place);
    if (caller.credentials.euid === 0) return place.inode.setAttributes(change);
    return after(place.inode.attributes(), ({ uid }) => {
      if (uid !== caller.credentials.euid || (change.uid !== undefined && change.uid !== uid)) throw new Errno(E.PERM);
      return place.inode.setAttributes(change);
    });
  }
}

export function checkWritable(place: Dentry): void {
  if (place.mount.options.split(',').includes('ro')) throw new Errno(E.ROFS);
}

function made(caller: Caller, mode: number): NewInode {
  return { mode, uid: caller.credentials.euid, gid: caller.credentials.egid, rdev: 0, target: '' };
}

function place(dentry: Dentry, parent: Dentry, name: string): void {
  dentry.parent = parent;
  dentry.name = name;
  parent.children.set(name, dentry);
}

const components = (path: string): string[] => path.split('/').filter(part => part !== '');

/** What is seen at a dentry: the root of whatever is mounted there. */
function top(dentry: Dentry): Dentry {
  let at = dentry;
  while (at.covered) at = at.covered.root;
  return at;
}

function up(from: Dentry, root: Dentry): Dentry {
  let at = from;
  for (;;) {
    if (at === root) return at;
    if (at.parent) return top(at.parent);
    if (!at.mount.at) return at;
    at = at.mount.at;
  }
}
