/**
 * Directories of ext2: blocks full of entries, each with the bytes to the next one.
 *
 *     0 u32 inode (0: free)   4 u16 bytes to the next   6 u8 length of the name   7 u8 type   8 name
 *
 * Always holds: an entry ends where the next begins, the last one of a block at its end; who reads one that does not gets EIO.
 */
import { E, Errno } from '../../abi/errno.ts';
import { RENAME } from '../../abi/fcntl.ts';
import { S } from '../../abi/stat.ts';
import { settle, type Blocking, type Maybe } from '../../types.ts';
import { fromBytes, setU32, toBytes, u32At } from '../bytes.ts';
import type { DirectoryEntry, Inode, InodeKind, NewInode } from '../inode.ts';
import type { Claim } from '../services.ts';
import type { Buffer } from './buffers.ts';
import { Ext2Inode } from './inode.ts';
import { ENTRY_HEAD, ENTRY_TYPES, entryBytes, INDEX_FLAG } from './layout.ts';

const LINKS_MAX = 32000;
/** `DT_*` by the type that stands in an entry. */
const DIRENT_TYPES = [0, 8, 4, 2, 6, 1, 12, 10] as const;

interface Entry {
  readonly ino: number;
  readonly name: string;
  readonly type: number;
  /** Where it stands: its block's buffer, its place in it, the bytes to the next, the place of the one before or −1. */
  readonly buffer: Buffer;
  readonly at: number;
  readonly bytes: number;
  readonly before: number;
  /** Byte of the directory at which the next one begins. */
  readonly next: number;
}

export class Ext2Directory extends Ext2Inode {
  readonly kind: InodeKind = 'directory';

  // --- reading -------------------------------------------------------------------------------------------------------------------

  /** The first entry, from byte `from` on, that `wanted` says yes to. Within an operation, as all here that begins with `*`. */
  *#find(wanted: (entry: Entry) => boolean, from = 0): Blocking<Entry | null> {
    const { blockBytes, blocks } = this.fs;
    const count = this.size / blockBytes;
    if (count > blocks) throw new Errno(E.IO);
    for (let index = Math.floor(from / blockBytes); index < count; index++) {
      const buffer = yield* this.#block(index);
      for (const entry of entriesOf(buffer, index * blockBytes)) if (entry.next > from && wanted(entry)) return entry;
    }
    return null;
  }
  *#block(index: number): Blocking<Buffer> {
    const block = yield* this.blockOf(index);
    if (block === 0) throw new Errno(E.IO);
    return yield* settle(this.fs.buffers.get(block));
  }
  *#named(name: string): Blocking<Entry | null> {
    return yield* this.#find(entry => entry.ino !== 0 && entry.name === name);
  }
  *#entry(name: string): Blocking<Entry> {
    const entry = yield* this.#named(name);
    if (entry === null) throw new Errno(E.NOENT);
    return entry;
  }
  *#isEmpty(): Blocking<boolean> {
    return (yield* this.#find(({ ino, name }) => ino !== 0 && name !== '.' && name !== '..')) === null;
  }

  override lookup(name: string): Maybe<Inode> {
    return this.fs.locked(
      function* (this: Ext2Directory): Blocking<Inode> {
        return yield* this.fs.inode((yield* this.#entry(name)).ino);
      }.bind(this),
    );
  }

  override entries(cookie: number, countMax: number): Maybe<readonly DirectoryEntry[]> {
    return this.fs.locked(
      function* (this: Ext2Directory): Blocking<readonly DirectoryEntry[]> {
        const found: DirectoryEntry[] = [];
        yield* this.#find(({ ino, name, type, next }) => {
          if (ino !== 0 && name !== '.' && name !== '..') found.push({ name, ino, type: DIRENT_TYPES[type] ?? 0, next });
          return found.length >= countMax;
        }, cookie);
        return found;
      }.bind(this),
    );
  }

  // --- changing ------------------------------------------------------------------------------------------------------------------

  override create(name: string, made: NewInode): Maybe<Inode> {
    return this.fs.changing(
      function* (this: Ext2Directory, claim: Claim): Blocking<Inode> {
        claim(this);
        this.#checkAlive();
        if ((yield* this.#named(name)) !== null) throw new Errno(E.EXIST);
        const inode = yield* this.#make(made);
        try {
          yield* this.#add(name, inode);
        } catch (error) {
          yield* this.fs.destroy(inode);
          throw error;
        }
        inode.links = inode.kind === 'directory' ? 2 : 1;
        if (inode.kind === 'directory') this.links++;
        return inode;
      }.bind(this),
    );
  }

  override createNameless(made: NewInode): Maybe<Inode> {
    return this.fs.changing(() => this.#make(made));
  }

  *#make(made: NewInode): Blocking<Ext2Inode> {
    const inherits = (this.mode & S.ISGID) !== 0;
    const isDirectory = (made.mode & S.IFMT) === S.IFDIR;
    const inode = yield* this.fs.newInode(made.mode | (inherits && isDirectory ? S.ISGID : 0), this.ino);
    try {
      inode.setOwner(made.uid, inherits ? this.gid : made.gid);
      inode.changedAt('atime', 'mtime', 'ctime');
      if (inode instanceof Ext2Directory) yield* inode.#begin(this.ino);
      else yield* inode.begin(made);
    } catch (error) {
      yield* this.fs.destroy(inode);
      throw error;
    }
    return inode;
  }
  /** The first block of a new one. */
  *#begin(parent: number): Blocking<void> {
    const buffer = this.fs.buffers.fresh(yield* this.blockOf(0, true));
    this.size = this.fs.blockBytes;
    this.#put(buffer, 0, 12, '.', this.ino, this.mode);
    this.#put(buffer, 12, this.fs.blockBytes - 12, '..', parent, this.mode);
  }

  override link(name: string, inode: Inode): Maybe<void> {
    return this.fs.changing(
      function* (this: Ext2Directory, claim: Claim): Blocking<void> {
        if (!(inode instanceof Ext2Inode) || inode.fs !== this.fs) throw new Errno(E.XDEV);
        this.#checkAlive();
        if (inode.links >= LINKS_MAX) throw new Errno(E.MLINK);
        if ((yield* this.#named(name)) !== null) throw new Errno(E.EXIST);
        claim(this, inode);
        yield* this.#add(name, inode);
        inode.links++;
      }.bind(this),
    );
  }

  override unlink(name: string): Maybe<void> {
    return this.fs.changing(
      function* (this: Ext2Directory, claim: Claim): Blocking<void> {
        const entry = yield* this.#entry(name);
        const inode = yield* this.fs.inode(entry.ino);
        if (inode.kind === 'directory') throw new Errno(E.ISDIR);
        claim(this, inode);
        this.#remove(entry);
        yield* inode.dropLink();
      }.bind(this),
    );
  }

  override rmdir(name: string): Maybe<void> {
    return this.fs.changing(
      function* (this: Ext2Directory, claim: Claim): Blocking<void> {
        const entry = yield* this.#entry(name);
        const inode = yield* this.fs.inode(entry.ino);
        if (!(inode instanceof Ext2Directory)) throw new Errno(E.NOTDIR);
        if (inode === this || !(yield* inode.#isEmpty())) throw new Errno(E.NOTEMPTY);
        claim(this, inode);
        this.#remove(entry);
        this.links--;
        yield* inode.dropLink();
      }.bind(this),
    );
  }

  override rename(name: string, target: Inode, targetName: string, flags: number): Maybe<void> {
    return this.fs.changing(
      function* (this: Ext2Directory, claim: Claim): Blocking<void> {
        if (!(target instanceof Ext2Directory) || target.fs !== this.fs) throw new Errno(E.XDEV);
        const inode = yield* this.fs.inode((yield* this.#entry(name)).ino);
        const entry = yield* target.#named(targetName);
        const there = entry === null ? null : yield* this.fs.inode(entry.ino);
        if (flags & RENAME.NOREPLACE && there) throw new Errno(E.EXIST);
        target.#checkAlive();
        yield* target.#checkNotBelow(inode);
        claim(this, target, inode, ...(there === null ? [] : [there]));
        if (flags & RENAME.EXCHANGE) {
          if (there === null) throw new Errno(E.NOENT);
          yield* this.#checkNotBelow(there);
          this.#point(yield* this.#entry(name), there);
          target.#point(yield* target.#entry(targetName), inode);
          yield* moved(there, target, this);
          yield* moved(inode, this, target);
          return;
        }
        if (there === inode) return;
        if (there !== null) {
          if (inode.kind === 'directory' && there.kind !== 'directory') throw new Errno(E.NOTDIR);
          if (inode.kind !== 'directory' && there.kind === 'directory') throw new Errno(E.ISDIR);
          if (there instanceof Ext2Directory) {
            if (!(yield* there.#isEmpty())) throw new Errno(E.NOTEMPTY);
            target.links--;
          }
          target.#point(yield* target.#entry(targetName), inode);
          yield* there.dropLink();
        } else yield* target.#add(targetName, inode);
        // Found anew: the other name may have been put into the same block.
        this.#remove(yield* this.#entry(name));
        yield* moved(inode, this, target);
      }.bind(this),
    );
  }

  /** Nothing can be made in a directory that has been removed. */
  #checkAlive(): void {
    if (this.links === 0) throw new Errno(E.NOENT);
  }

  /** A directory can't move into itself. */
  *#checkNotBelow(inode: Ext2Inode): Blocking<void> {
    if (inode.kind !== 'directory') return;
    let at: Ext2Inode = this;
    for (let depth = 0; depth <= this.fs.inodesCount; depth++) {
      if (at === inode) throw new Errno(E.INVAL);
      if (!(at instanceof Ext2Directory)) throw new Errno(E.IO);
      const parent: Entry = yield* at.#entry('..');
      if (parent.ino === at.ino) return;
      at = yield* this.fs.inode(parent.ino);
    }
    throw new Errno(E.IO);
  }
  *parentIs(parent: Ext2Directory): Blocking<void> {
    this.#point(yield* this.#entry('..'), parent);
  }

  *#add(name: string, inode: Ext2Inode): Blocking<void> {
    if (inode.kind === 'directory' && this.links >= LINKS_MAX) throw new Errno(E.MLINK);
    const { blockBytes } = this.fs;
    const need = entryBytes(name.length);
    const used = (entry: Entry): number => (entry.ino === 0 ? 0 : entryBytes(entry.name.length));
    const room = yield* this.#find(entry => entry.bytes - used(entry) >= need);
    if (room === null) {
      const index = this.size / blockBytes;
      const buffer = this.fs.buffers.fresh(yield* this.blockOf(index, true));
      this.size += blockBytes;
      this.#put(buffer, 0, blockBytes, name, inode.ino, inode.mode);
    } else {
      const { buffer, at, bytes } = room;
      const kept = used(room);
      if (kept > 0) setBytes(buffer, at, kept);
      this.#put(buffer, at + kept, bytes - kept, name, inode.ino, inode.mode);
    }
    this.#changed();
  }

  #remove({ buffer, at, bytes, before }: Entry): void {
    if (before >= 0) setBytes(buffer, before, at + bytes - before);
    else setU32(buffer.bytes, 0, at);
    buffer.dirty = true;
    this.#changed();
  }

  /** The entry stands for another inode now. */
  #point({ buffer, at }: Entry, inode: Ext2Inode): void {
    setU32(buffer.bytes, inode.ino, at);
    if (this.fs.hasTypes) buffer.bytes[at + 7] = ENTRY_TYPES[inode.mode >>> 12] ?? 0;
    buffer.dirty = true;
    this.#changed();
  }

  #put(buffer: Buffer, at: number, bytes: number, name: string, ino: number, mode: number): void {
    setU32(buffer.bytes, ino, at);
    setBytes(buffer, at, bytes);
    buffer.bytes[at + 6] = name.length;
    buffer.bytes[at + 7] = this.fs.hasTypes ? (ENTRY_TYPES[mode >>> 12] ?? 0) : 0;
    buffer.bytes.set(toBytes(name), at + ENTRY_HEAD);
    buffer.dirty = true;
  }

  #changed(): void {
    if (this.flags & INDEX_FLAG) this.flags &= ~INDEX_FLAG;
    this.changedAt('mtime', 'ctime');
  }
}

/** An inode that has another directory now: what in it says so. */
function* moved(inode: Ext2Inode, from: Ext2Directory, to: Ext2Directory): Blocking<void> {
  inode.changedAt('ctime');
  if (!(inode instanceof Ext2Directory) || from === to) return;
  yield* inode.parentIs(to);
  from.links--;
  to.links++;
}

function setBytes(buffer: Buffer, at: number, bytes: number): void {
  buffer.bytes[at + 4] = bytes & 0xff;
  buffer.bytes[at + 5] = bytes >>> 8;
  buffer.dirty = true;
}

/** @throws Errno EIO */
function* entriesOf(buffer: Buffer, start: number): Generator<Entry> {
  const { bytes: block } = buffer;
  let before = -1;
  for (let at = 0; at < block.length; ) {
    const bytes = (block[at + 4] as number) | ((block[at + 5] as number) << 8);
    const nameBytes = block[at + 6] as number;
    if (bytes < ENTRY_HEAD || bytes % 4 !== 0 || at + bytes > block.length || ENTRY_HEAD + nameBytes > bytes) throw new Errno(E.IO);
    const name = fromBytes(block.subarray(at + ENTRY_HEAD, at + ENTRY_HEAD + nameBytes));
    const type = block[at + 7] as number;
    yield { ino: u32At(block, at), name, type, buffer, at, bytes, before, next: start + at + bytes };
    before = at;
    at += bytes;
  }
}
