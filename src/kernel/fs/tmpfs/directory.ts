/** Directories of tmpfs: names to inodes, each name with the cookie by which a reading goes on behind it. */
import { E, Errno } from '../../abi/errno.ts';
import { RENAME } from '../../abi/fcntl.ts';
import { S, typeOfMode } from '../../abi/stat.ts';
import type { DirectoryEntry, Inode, InodeKind, NewInode } from '../inode.ts';
import type { Maybe } from '../../types.ts';
import { TmpInode } from './inode.ts';
import type { Content, Packer, Unpacked } from './state.ts';
import type { TmpFs } from './tmpfs.ts';

interface Entry {
  readonly inode: TmpInode;
  /** Grows with every entry, so that a reading neither repeats nor skips when others come and go. */
  readonly cookie: number;
}

export class TmpDirectory extends TmpInode {
  readonly kind: InodeKind = 'directory';
  /** In the order of cookies: a map keeps the order of insertion. */
  readonly #entries = new Map<string, Entry>();
  #nextCookie = 1;
  #parent: TmpDirectory | null;

  constructor(fs: TmpFs, made: NewInode, parent: TmpDirectory | null) {
    super(fs, made);
    this.links = parent ? 1 : 2;
    this.#parent = parent;
  }

  get size(): number {
    return 40 + this.#entries.size * 20;
  }
  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  override lookup(name: string): TmpInode {
    return this.#entry(name).inode;
  }

  /** Without an exception, for filling. */
  find(name: string): TmpInode | null {
    return this.#entries.get(name)?.inode ?? null;
  }

  override create(name: string, made: NewInode): Maybe<TmpInode> {
    return this.changing(() => this.make(name, made));
  }

  /** The same while no other kernel remembers the directory. */
  make(name: string, made: NewInode): TmpInode {
    if (this.#entries.has(name)) throw new Errno(E.EXIST);
    this.#checkAlive();
    const inherits = (this.mode & S.ISGID) !== 0;
    const isDirectory = (made.mode & S.IFMT) === S.IFDIR;
    const inode = this.fs.make(inherits ? { ...made, gid: this.gid, mode: made.mode | (isDirectory ? S.ISGID : 0) } : made, this);
    this.#add(name, inode);
    return inode;
  }

  override createNameless(made: NewInode): Inode {
    return this.fs.make(made, this);
  }

  override link(name: string, inode: Inode): Maybe<void> {
    return this.fs.services.changing(claim => {
      claim(this, this.fs.services.ownInode(inode));
      this.attach(name, inode);
    });
  }
  /** The same while no other kernel remembers either. */
  attach(name: string, linked: Inode): void {
    const inode = this.fs.services.ownInode(linked);
    if (!(inode instanceof TmpInode) || inode.fs !== this.fs) throw new Errno(E.XDEV);
    if (this.#entries.has(name)) throw new Errno(E.EXIST);
    this.#checkAlive();
    this.#add(name, inode);
    inode.ctime = this.fs.now();
  }

  override unlink(name: string): Maybe<void> {
    return this.fs.services.changing(claim => {
      claim(this, this.#entry(name).inode);
      this.detach(name);
    });
  }
  /** The same while no other kernel remembers either. */
  detach(name: string): void {
    const { inode } = this.#entry(name);
    if (inode.kind === 'directory') throw new Errno(E.ISDIR);
    this.#remove(name);
    inode.dropLink();
  }

  override rmdir(name: string): Maybe<void> {
    return this.fs.services.changing(claim => {
      claim(this, this.#entry(name).inode);
      this.#rmdir(name);
    });
  }
  #rmdir(name: string): void {
    const { inode } = this.#entry(name);
    if (!(inode instanceof TmpDirectory)) throw new Errno(E.NOTDIR);
    if (!inode.isEmpty) throw new Errno(E.NOTEMPTY);
    this.#remove(name);
    inode.links--; // its own '.'
    inode.dropLink();
  }

  override rename(name: string, to: Inode, targetName: string, flags: number): Maybe<void> {
    const target = this.fs.services.ownInode(to);
    return this.fs.services.changing(claim => {
      const there = target instanceof TmpDirectory ? target.find(targetName) : null;
      claim(this, target, this.#entry(name).inode, ...(there === null ? [] : [there]));
      this.#rename(name, target, targetName, flags);
    });
  }
  #rename(name: string, target: Inode, targetName: string, flags: number): void {
    if (!(target instanceof TmpDirectory) || target.fs !== this.fs) throw new Errno(E.XDEV);
    const { inode } = this.#entry(name);
    const there = target.find(targetName);
    if (flags & RENAME.NOREPLACE && there) throw new Errno(E.EXIST);
    target.#checkAlive();
    target.#checkNotBelow(inode);
    if (flags & RENAME.EXCHANGE) {
      if (!there) throw new Errno(E.NOENT);
      this.#checkNotBelow(there);
      this.#remove(name);
      target.#remove(targetName);
      this.#add(name, there, true);
      target.#add(targetName, inode, true);
      return;
    }
    if (there === inode) return;
    if (there) {
      if (inode.kind === 'directory' && there.kind !== 'directory') throw new Errno(E.NOTDIR);
      if (inode.kind !== 'directory' && there.kind === 'directory') throw new Errno(E.ISDIR);
      if (there.kind === 'directory') target.#rmdir(targetName);
      else target.detach(targetName);
    }
    this.#remove(name);
    target.#add(targetName, inode, true);
    inode.ctime = this.fs.now();
  }

  override entries(cookie: number, countMax: number): DirectoryEntry[] {
    const entries: DirectoryEntry[] = [];
    for (const [name, { inode, cookie: next }] of this.#entries) {
      if (next <= cookie) continue;
      if (entries.length === countMax) break;
      entries.push({ name, ino: inode.ino, type: typeOfMode(inode.mode), next });
    }
    return entries;
  }

  protected override content(packer: Packer): Content {
    return {
      entries: [...this.#entries].map(([name, { inode, cookie }]) => [name, packer.inode(inode), cookie] as const),
      nextCookie: this.#nextCookie,
      parent: this.#parent === null ? null : packer.inode(this.#parent),
    };
  }
  protected override restoreContent({ entries = [], nextCookie = 1, parent = null }: Content, { inodes }: Unpacked): void {
    for (const [name, number, cookie] of entries) this.#entries.set(name, { inode: inodes[number] as TmpInode, cookie });
    this.#nextCookie = nextCookie;
    this.#parent = parent === null ? null : (inodes[parent] as TmpDirectory);
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (!entry) throw new Errno(E.NOENT);
    return entry;
  }

  /** Nothing can be made in a directory that has been removed. */
  #checkAlive(): void {
    if (this.links === 0) throw new Errno(E.NOENT);
  }

  /** A directory can't move into itself. */
  #checkNotBelow(inode: TmpInode): void {
    for (let at: TmpDirectory | null = this; at; at = at.#parent) if (at === inode) throw new Errno(E.INVAL);
  }

  #add(name: string, inode: TmpInode, moved = false): void {
    this.#entries.set(name, { inode, cookie: this.#nextCookie++ });
    if (!moved) inode.links++;
    if (inode instanceof TmpDirectory) {
      inode.#parent = this;
      this.links++;
    }
    this.mtime = this.ctime = this.fs.now();
  }

  #remove(name: string): void {
    if (this.#entry(name).inode.kind === 'directory') this.links--;
    this.#entries.delete(name);
    this.mtime = this.ctime = this.fs.now();
  }
}
