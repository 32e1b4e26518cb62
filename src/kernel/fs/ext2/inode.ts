/**
 * What all inodes of ext2 have: the 128 bytes of the disk's inode, kept as they are, and the tree of blocks under it.
 *
 *     block[0…11]      data
 *     block[12]     →  numbers of data blocks
 *     block[13]     →  numbers of such blocks
 *     block[14]     →  numbers of these
 */
import { E, Errno } from '../../abi/errno.ts';
import { S } from '../../abi/stat.ts';
import { settle, type Blocking, type KernelId, type Maybe } from '../../types.ts';
import type { Timestamp } from '../clock.ts';
import { BaseInode, type AttributeChange, type Attributes, type FileSystemStatus, type InodeKind, type NewInode } from '../inode.ts';
import type { Locks } from '../lock.ts';
import { u32At, setU32 } from '../bytes.ts';
import type { Ext2 } from './ext2.ts';
import { DIRECT_BLOCKS, INODE } from './layout.ts';

export abstract class Ext2Inode extends BaseInode {
  abstract override readonly kind: InodeKind;
  readonly raw: Uint8Array;
  readonly #view: DataView;
  /** Open files on it. */
  opens = 0;
  /** Where the next block is looked for. */
  #goal = 0;

  constructor(
    readonly fs: Ext2,
    readonly ino: number,
    raw: Uint8Array,
  ) {
    super();
    this.raw = raw;
    this.#view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  }

  get owner(): KernelId {
    return this.fs.services.kernel;
  }
  get device(): number {
    return this.fs.device;
  }
  override get isTracked(): boolean {
    return !this.fs.isOver;
  }
  override status(): FileSystemStatus {
    return this.fs.status();
  }
  protected override kernelLocks(): Locks {
    return this.fs.services.locks;
  }

  // --- fields --------------------------------------------------------------------------------------------------------------------

  get mode(): number {
    return this.#view.getUint16(INODE.mode, true);
  }
  set mode(mode: number) {
    this.#set16(INODE.mode, mode);
  }
  get links(): number {
    return this.#view.getUint16(INODE.links, true);
  }
  set links(links: number) {
    this.#set16(INODE.links, links);
    this.changedAt('ctime');
  }
  get size(): number {
    const high = this.kind === 'file' ? this.#view.getUint32(INODE.sizeHigh, true) : 0;
    return this.#view.getUint32(INODE.size, true) + high * 2 ** 32;
  }
  set size(size: number) {
    this.#set32(INODE.size, size % 2 ** 32);
    if (this.kind === 'file') this.#set32(INODE.sizeHigh, Math.floor(size / 2 ** 32));
  }
  get flags(): number {
    return this.#view.getUint32(INODE.flags, true);
  }
  set flags(flags: number) {
    this.#set32(INODE.flags, flags);
  }
  get attributeBlock(): number {
    return this.#view.getUint32(INODE.attributeBlock, true);
  }
  get #uid(): number {
    return this.#view.getUint16(INODE.uid, true) + this.#view.getUint16(INODE.uidHigh, true) * 65536;
  }
  get #gid(): number {
    return this.#view.getUint16(INODE.gid, true) + this.#view.getUint16(INODE.gidHigh, true) * 65536;
  }
  get gid(): number {
    return this.#gid;
  }
  setOwner(uid: number, gid: number): void {
    this.#set16(INODE.uid, uid & 0xffff);
    this.#set16(INODE.uidHigh, uid >>> 16);
    this.#set16(INODE.gid, gid & 0xffff);
    this.#set16(INODE.gidHigh, gid >>> 16);
  }
  /** The time becomes now. */
  changedAt(...fields: readonly ('atime' | 'mtime' | 'ctime')[]): void {
    const { seconds } = this.fs.now();
    for (const field of fields) this.#set32(INODE[field], seconds);
  }
  /** As e2fsck wants to see what is free. */
  markDeleted(): void {
    this.#set16(INODE.links, 0);
    this.#set32(INODE.dtime, this.fs.now().seconds);
    this.size = 0;
  }

  #set16(field: number, value: number): void {
    this.#view.setUint16(field, value, true);
    this.fs.touched(this);
  }
  #set32(field: number, value: number): void {
    this.#view.setUint32(field, value, true);
    this.fs.touched(this);
  }
  #time(field: number): Timestamp {
    return { seconds: this.#view.getUint32(field, true), nanoseconds: 0 };
  }

  override attributes(): Attributes {
    if (this.fs.isOver) throw new Errno(E.STALE);
    const { ino, mode, links, size, device } = this;
    return {
      device,
      ino,
      mode,
      links,
      uid: this.#uid,
      gid: this.#gid,
      rdev: this.rdev,
      size,
      blocks: this.#view.getUint32(INODE.blocks, true),
      blockSize: this.fs.blockBytes,
      atime: this.#time(INODE.atime),
      mtime: this.#time(INODE.mtime),
      ctime: this.#time(INODE.ctime),
    };
  }
  protected get rdev(): number {
    return 0;
  }

  override setAttributes(change: AttributeChange): Maybe<void> {
    return this.fs.services.changing(claim => {
      this.checkChangeable();
      claim(this);
      this.#setAttributes(change);
    });
  }
  #setAttributes(change: AttributeChange): void {
    if (change.mode !== undefined) this.mode = (this.mode & S.IFMT) | (change.mode & 0o7777);
    if (change.uid !== undefined || change.gid !== undefined) {
      if (this.kind === 'file') this.mode &= ~(S.ISUID | (this.mode & 0o010 ? S.ISGID : 0));
      this.setOwner(change.uid ?? this.#uid, change.gid ?? this.#gid);
    }
    for (const field of ['atime', 'mtime'] as const) {
      const time = change[field];
      if (time === 'now') this.changedAt(field);
      else if (time !== undefined) this.#set32(INODE[field], time.seconds);
    }
    this.changedAt('ctime');
  }
  /** @throws Errno EROFS, ESTALE */
  protected checkChangeable(): void {
    if (this.fs.isOver) throw new Errno(E.STALE);
    if (this.fs.isReadOnly) throw new Errno(E.ROFS);
  }

  /** One name fewer; without any, and unused, it is gone. Within an operation. */
  *dropLink(): Blocking<void> {
    this.links = Math.max(0, this.links - (this.kind === 'directory' ? this.links : 1));
    if (this.links === 0 && this.opens === 0) yield* this.fs.destroy(this);
  }
  /** An open file on it is gone. */
  closed(): Maybe<void> {
    this.opens--;
    if (this.links > 0 || this.opens > 0 || this.fs.isOver) return;
    return this.fs.locked(() => this.fs.destroy(this));
  }

  // --- blocks --------------------------------------------------------------------------------------------------------------------

  /** A number of the inode's own fifteen. */
  slot(index: number): number {
    return this.#view.getUint32(INODE.block + 4 * index, true);
  }
  setSlot(index: number, value: number): void {
    this.#set32(INODE.block + 4 * index, value);
  }
  #addBlocks(count: number): void {
    this.#set32(INODE.blocks, Math.max(0, this.#view.getUint32(INODE.blocks, true) + (count * this.fs.blockBytes) / 512));
  }

  /** The disk's block that holds this block of the contents; 0: a hole. With `allocate` there is one afterwards. @throws Errno ENOSPC, EFBIG, EIO */
  *blockOf(index: number, allocate = false): Blocking<number> {
    const { fs } = this;
    const path = this.#path(index);
    let block = this.slot(path[0] as number);
    if (block === 0) {
      if (!allocate) return 0;
      block = yield* this.#newBlock(path.length > 1);
      this.setSlot(path[0] as number, block);
    }
    for (let level = 1; level < path.length; level++) {
      const buffer = yield* settle(fs.buffers.get(fs.check(block)));
      const at = 4 * (path[level] as number);
      let next = u32At(buffer.bytes, at);
      if (next === 0) {
        if (!allocate) return 0;
        next = yield* this.#newBlock(level < path.length - 1);
        setU32(buffer.bytes, next, at);
        buffer.dirty = true;
      }
      block = next;
    }
    return fs.check(block);
  }
  *#newBlock(ofNumbers: boolean): Blocking<number> {
    const block = yield* this.fs.allocateBlock(this.#goal === 0 ? this.fs.firstDataBlock + 1 : this.#goal);
    this.#goal = block + 1;
    this.#addBlocks(1);
    if (ofNumbers) this.fs.buffers.fresh(block);
    return block;
  }

  /** Which slot, and then which number in each block of numbers. */
  #path(index: number): number[] {
    const per = this.fs.blockBytes / 4;
    if (index < DIRECT_BLOCKS) return [index];
    let rest = index - DIRECT_BLOCKS;
    for (let level = 1; level <= 3; level++) {
      if (rest < per ** level) {
        const path = [DIRECT_BLOCKS - 1 + level];
        for (let power = level - 1; power >= 0; power--) path.push(Math.floor(rest / per ** power) % per);
        return path;
      }
      rest -= per ** level;
    }
    throw new Errno(E.FBIG);
  }

  /** Frees the blocks of the contents from this one on. */
  *freeBlocks(keep: number): Blocking<void> {
    for (let i = keep; i < DIRECT_BLOCKS; i++) {
      const block = this.slot(i);
      if (block === 0) continue;
      this.setSlot(i, 0);
      yield* this.#free(block);
    }
    const per = this.fs.blockBytes / 4;
    let first = DIRECT_BLOCKS;
    for (let level = 1; level <= 3; level++) {
      const slot = DIRECT_BLOCKS - 1 + level;
      const block = this.slot(slot);
      if (block !== 0 && first + per ** level > keep && (yield* this.#shrink(block, level, first, keep))) this.setSlot(slot, 0);
      first += per ** level;
    }
  }
  /** Of a block of numbers, whose first stands for block `first` of the contents. @returns whether nothing is left of it */
  *#shrink(block: number, level: number, first: number, keep: number): Blocking<boolean> {
    const { fs } = this;
    const per = fs.blockBytes / 4;
    const span = per ** (level - 1);
    const buffer = yield* settle(fs.buffers.get(fs.check(block)));
    let isLeft = false;
    for (let i = 0; i < per; i++) {
      const next = u32At(buffer.bytes, 4 * i);
      if (next === 0) continue;
      const from = first + i * span;
      const goes = from + span > keep && (level === 1 || (yield* this.#shrink(next, level - 1, from, keep)));
      if (!goes) {
        isLeft = true;
        continue;
      }
      setU32(buffer.bytes, 0, 4 * i);
      buffer.dirty = true;
      if (level === 1) yield* this.#free(next);
    }
    if (isLeft) return false;
    yield* this.#free(block);
    return true;
  }
  *#free(block: number): Blocking<void> {
    yield* this.fs.freeBlock(block);
    this.#addBlocks(-1);
  }

  /** A new one, of another kind than directory: what it starts with. Within an operation. */
  *begin(_made: NewInode): Blocking<void> {
    // Nothing, mostly.
  }

  /** Within an operation: what it holds is free. */
  *freeContents(): Blocking<void> {
    yield* this.freeBlocks(0);
  }
}
