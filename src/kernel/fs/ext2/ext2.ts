/**
 * The second extended file system, revision 1, on a block device. What it holds of the disk: the superblock and the group descriptors, the
 * inodes that somebody has asked for, buffers with the rest of the books, and pages of files. Changes are written back together, some time
 * later, or by `flush`.
 *
 * Always holds:
 * - One operation at a time changes or reads the books (`locked`): others wait, as an operation sleeps while the disk works.
 * - The superblock says "not clean" on the disk from the first change on, until everything is written by `unmount`.
 * - Nothing that stands on the disk is trusted: numbers of blocks and inodes are in range before they are used, or the operation ends with EIO.
 */
import { E, Errno } from '../../abi/errno.ts';
import { settle, sleep, WaitQueue, type Blocking, type Maybe } from '../../types.ts';
import { timestamp, type Timestamp } from '../clock.ts';
import type { FileSystem, FileSystemStatus } from '../inode.ts';
import { eager } from '../maybe.ts';
import type { Claim, FsServices } from '../services.ts';
import { type BlockDevice, Buffers, type Buffer } from './buffers.ts';
import { Ext2Directory } from './directory.ts';
import { Ext2File } from './file.ts';
import type { Ext2Inode } from './inode.ts';
import { Ext2Node, Ext2Symlink } from './nodes.ts';
import {
  DESCRIPTOR_BYTES,
  EXT2_MAGIC,
  GD,
  INCOMPATIBLE,
  INODE,
  INODE_BYTES,
  READ_ONLY_COMPATIBLE,
  ROOT_INO,
  SB,
  STATE,
  SUPERBLOCK_AT,
} from './layout.ts';
import { kindOfMode, type InodeKind } from '../inode.ts';
import { S } from '../../abi/stat.ts';

const SUPERBLOCK_BYTES = 1024;
/** Of the kernel's memory, at most this part holds pages of files. */
const PAGES_SHARE = 4;

/** Why it can't be mounted, in words. */
export class NotMountable extends Errno {
  constructor(readonly reason: string) {
    super(E.INVAL);
  }
}

export class Ext2 implements FileSystem {
  readonly type = 'ext2';
  readonly blockBytes: number;
  readonly blocks: number;
  readonly inodesCount: number;
  readonly firstDataBlock: number;
  readonly hasTypes: boolean;
  readonly isReadOnly: boolean;
  readonly buffers: Buffers;
  root!: Ext2Directory;
  /** Pages of files that are in memory. */
  pages = 0;
  readonly #super: DataView;
  readonly #descriptors: DataView;
  readonly #inodes = new Map<number, Ext2Inode>();
  readonly #dirtyInodes = new Set<Ext2Inode>();
  readonly #perGroup: number;
  readonly #inodesPerGroup: number;
  readonly #inodeBytes: number;
  readonly #groups: number;
  readonly #wasClean: boolean;
  readonly #changed: () => void;
  readonly #queue = new WaitQueue();
  #isBusy = false;
  #isOver = false;
  /** The descriptors or the superblock differ from the disk's. */
  #isDirty = false;
  #isChanged = false;

  /**
   * @param changed called when something is to be written some time
   * @throws NotMountable when there is no such file system, or one with features that are not known here; Errno EIO
   */
  static *mount(services: FsServices, device: BlockDevice, number: number, changed: () => void): Blocking<Ext2> {
    const head = new Buffers(services, device, SUPERBLOCK_BYTES);
    try {
      if (device.bytes < 2 * SUPERBLOCK_BYTES) throw new NotMountable('there is nothing on it');
      const copy = (yield* settle(head.get(SUPERBLOCK_AT / SUPERBLOCK_BYTES))).bytes.slice();
      const fs = new Ext2(services, device, number, new DataView(copy.buffer), changed);
      yield* fs.#start();
      return fs;
    } finally {
      head.release();
    }
  }

  private constructor(
    readonly services: FsServices,
    readonly blockDevice: BlockDevice,
    readonly device: number,
    superblock: DataView,
    changed: () => void,
  ) {
    const u32 = (field: number): number => superblock.getUint32(field, true);
    const u16 = (field: number): number => superblock.getUint16(field, true);
    if (u16(SB.magic) !== EXT2_MAGIC) throw new NotMountable('there is no ext2 on it');
    if (u32(SB.revision) > 1) throw new NotMountable(`revision ${u32(SB.revision)}`);
    const strange = u32(SB.incompatible) & ~INCOMPATIBLE.FileType;
    if (u32(SB.revision) === 1 && strange !== 0) throw new NotMountable(`features 0x${strange.toString(16)} are not known here`);
    this.#super = superblock;
    this.#changed = changed;
    this.blockBytes = 1024 << Math.min(8, u32(SB.logBlockSize));
    if (this.blockBytes > 4096) throw new NotMountable(`blocks of ${this.blockBytes} bytes`);
    this.blocks = u32(SB.blocksCount);
    this.inodesCount = u32(SB.inodesCount);
    this.firstDataBlock = u32(SB.firstDataBlock);
    this.#perGroup = u32(SB.blocksPerGroup);
    this.#inodesPerGroup = u32(SB.inodesPerGroup);
    this.#inodeBytes = u32(SB.revision) === 0 ? INODE_BYTES : u16(SB.inodeSize);
    this.#groups = Math.ceil((this.blocks - this.firstDataBlock) / this.#perGroup);
    const isPowerOf2 = (this.#inodeBytes & (this.#inodeBytes - 1)) === 0;
    if (
      this.blocks * this.blockBytes > blockDevice.bytes ||
      this.firstDataBlock !== (this.blockBytes === 1024 ? 1 : 0) ||
      !(this.#perGroup > 0 && this.#perGroup <= 8 * this.blockBytes) ||
      !(this.#inodesPerGroup > 0 && this.#inodesPerGroup <= 8 * this.blockBytes) ||
      !(isPowerOf2 && this.#inodeBytes >= INODE_BYTES && this.#inodeBytes <= this.blockBytes) ||
      this.inodesCount !== this.#groups * this.#inodesPerGroup
    )
      throw new NotMountable('its superblock contradicts itself');
    this.hasTypes = (u32(SB.incompatible) & INCOMPATIBLE.FileType) !== 0;
    const known = READ_ONLY_COMPATIBLE.SparseSuper | READ_ONLY_COMPATIBLE.LargeFile;
    this.isReadOnly = u32(SB.revision) === 1 && (u32(SB.readOnlyCompatible) & ~known) !== 0;
    this.#wasClean = (u16(SB.state) & STATE.Clean) !== 0;
    this.#descriptors = new DataView(new ArrayBuffer(this.#groups * DESCRIPTOR_BYTES));
    this.buffers = new Buffers(services, blockDevice, this.blockBytes);
  }

  *#start(): Blocking<void> {
    try {
      yield* this.#eachDescriptorBlock((bytes, at) => new Uint8Array(this.#descriptors.buffer).set(bytes, at));
      for (let group = 0; group < this.#groups; group++) {
        const table = this.#descriptor(group, GD.inodeTable);
        const tableBlocks = Math.ceil((this.#inodesPerGroup * this.#inodeBytes) / this.blockBytes);
        for (const block of [this.#descriptor(group, GD.blockBitmap), this.#descriptor(group, GD.inodeBitmap), table + tableBlocks - 1])
          this.check(block);
        this.check(table);
      }
      const root = yield* this.inode(ROOT_INO);
      if (!(root instanceof Ext2Directory)) throw new NotMountable('its root is no directory');
      this.root = root;
    } catch (error) {
      this.buffers.release();
      throw error instanceof NotMountable ? error : new NotMountable('its group descriptors make no sense');
    }
  }

  /** Whether it had been unmounted in order before. */
  get wasClean(): boolean {
    return this.#wasClean;
  }
  /** Whether anything has been changed since it was mounted. */
  get isChanged(): boolean {
    return this.#isChanged;
  }
  get isOver(): boolean {
    return this.#isOver;
  }
  now(): Timestamp {
    return timestamp(this.services.now(), this.services.hertz);
  }

  // --- operations ----------------------------------------------------------------------------------------------------------------

  /** Does `work` while no other operation is under way; a plain value if nobody has to wait for anything. */
  locked<T>(work: () => Blocking<T>): Maybe<T> {
    return eager(this.#alone(work));
  }
  *#alone<T>(work: () => Blocking<T>): Blocking<T> {
    while (this.#isBusy) yield* sleep([this.#queue], { interruptible: false });
    if (this.#isOver) throw new Errno(E.STALE);
    this.#isBusy = true;
    try {
      this.buffers.trim();
      if (this.pages > this.services.frameCounts().total / PAGES_SHARE) yield* this.#makeRoom();
      return yield* work();
    } catch (error) {
      // What the disk says may be nonsense, but it is no reason to end the kernel.
      if (error instanceof RangeError) throw new Errno(E.IO);
      throw error;
    } finally {
      this.#isBusy = false;
      this.#queue.wakeAll();
    }
  }

  /** The same for what changes something, at a moment when no other kernel remembers what it claims. @throws Errno EROFS */
  changing<T>(work: (claim: Claim) => Blocking<T>): Maybe<T> {
    if (this.isReadOnly) throw new Errno(E.ROFS);
    return this.services.changing(claim => this.locked(() => work(claim)));
  }

  /** Does `work` while no other kernel remembers anything of what is in memory now: files that are open are open here. */
  recalled<T>(work: () => Maybe<T>): Maybe<T> {
    return this.services.changing(claim => {
      claim(...this.#inodes.values());
      return work();
    });
  }

  *#makeRoom(): Blocking<void> {
    yield* this.#write();
    const enough = this.services.frameCounts().total / PAGES_SHARE / 2;
    for (const inode of this.#inodes.values()) {
      if (this.pages <= enough) return;
      if (inode instanceof Ext2File) inode.dropPages();
    }
  }

  /** Writes all that has changed. */
  flush(): Maybe<void> {
    if (this.#isOver) return;
    return this.locked(() => this.#write());
  }
  *#write(): Blocking<void> {
    if (this.#isDirty) yield* this.#writeSuper(this.#wasClean ? 0 : null);
    for (const inode of [...this.#inodes.values()]) if (inode instanceof Ext2File) yield* inode.writePages();
    for (const inode of [...this.#dirtyInodes]) {
      const { buffer, at } = yield* this.#place(inode.ino);
      buffer.bytes.set(inode.raw, at);
      buffer.dirty = true;
      this.#dirtyInodes.delete(inode);
    }
    yield* this.buffers.flush();
  }

  /** @param clean bits of the state that become those of the superblock; null: they stay */
  *#writeSuper(clean: number | null): Blocking<void> {
    const { seconds } = this.now();
    this.#super.setUint32(SB.writeTime, seconds, true);
    if (clean !== null) this.#super.setUint16(SB.state, (this.#super.getUint16(SB.state, true) & ~STATE.Clean) | clean, true);
    const block = Math.floor(SUPERBLOCK_AT / this.blockBytes);
    const buffer = yield* settle(this.buffers.get(block));
    buffer.bytes.set(new Uint8Array(this.#super.buffer), SUPERBLOCK_AT % this.blockBytes);
    buffer.dirty = true;
    const descriptors = new Uint8Array(this.#descriptors.buffer);
    yield* this.#eachDescriptorBlock((bytes, at) => bytes.set(descriptors.subarray(at, at + bytes.length)), true);
    this.#isDirty = false;
  }

  *#eachDescriptorBlock(work: (bytes: Uint8Array, at: number) => void, dirty = false): Blocking<void> {
    const all = this.#groups * DESCRIPTOR_BYTES;
    for (let at = 0; at < all; at += this.blockBytes) {
      const buffer = yield* settle(this.buffers.get(this.firstDataBlock + 1 + at / this.blockBytes));
      work(buffer.bytes.subarray(0, Math.min(this.blockBytes, all - at)), at);
      buffer.dirty ||= dirty;
    }
  }

  /** Files that somebody has open here. */
  get openFiles(): number {
    let count = 0;
    for (const inode of this.#inodes.values()) count += inode.opens;
    return count;
  }

  /** Everything is written, and nothing of it is in memory any more: whoever still has an inode of it gets ESTALE. */
  *unmount(): Blocking<void> {
    yield* settle(
      this.services.changing(claim =>
        this.locked(
          function* (this: Ext2): Blocking<void> {
            claim(...this.#inodes.values());
            for (const inode of [...this.#inodes.values()]) if (inode.links === 0) yield* this.destroy(inode);
            yield* this.#write();
            if (!this.isReadOnly && this.#wasClean && (this.#super.getUint16(SB.state, true) & STATE.Clean) === 0) {
              yield* this.#writeSuper(STATE.Clean);
              yield* this.buffers.flush();
            }
            this.abandon();
          }.bind(this),
        ),
      ),
    );
  }
  /** Nothing is written any more. */
  abandon(): void {
    this.#isOver = true;
    for (const inode of this.#inodes.values()) if (inode instanceof Ext2File) inode.forgetPages();
    this.#inodes.clear();
    this.#dirtyInodes.clear();
    this.buffers.release();
  }

  status(): FileSystemStatus {
    return {
      type: EXT2_MAGIC,
      device: this.device,
      blockSize: this.blockBytes,
      blocks: this.blocks - this.#overhead(),
      blocksFree: this.#super.getUint32(SB.freeBlocks, true),
      files: this.inodesCount,
      filesFree: this.#super.getUint32(SB.freeInodes, true),
    };
  }
  /** Blocks that can never hold a file's contents. */
  #overhead(): number {
    const table = Math.ceil((this.#inodesPerGroup * this.#inodeBytes) / this.blockBytes);
    const descriptors = Math.ceil((this.#groups * DESCRIPTOR_BYTES) / this.blockBytes);
    return this.firstDataBlock + this.#groups * (table + 2) + 1 + descriptors;
  }

  // --- inodes --------------------------------------------------------------------------------------------------------------------

  /** The inode of this number: the same object each time. @throws Errno EIO */
  *inode(ino: number): Blocking<Ext2Inode> {
    const known = this.#inodes.get(ino);
    if (known !== undefined) return known;
    const { buffer, at } = yield* this.#place(ino);
    const raw = buffer.bytes.slice(at, at + INODE_BYTES);
    const mode = raw[INODE.mode] as number | 0;
    return this.#known(ino, raw, mode | ((raw[INODE.mode + 1] as number) << 8));
  }
  #known(ino: number, raw: Uint8Array, mode: number): Ext2Inode {
    if (mode === 0) throw new Errno(E.IO);
    const inode = this.#make(kindOrError(mode), ino, raw);
    this.#inodes.set(ino, inode);
    return inode;
  }
  #make(kind: InodeKind, ino: number, raw: Uint8Array): Ext2Inode {
    if (kind === 'file') return new Ext2File(this, ino, raw);
    if (kind === 'directory') return new Ext2Directory(this, ino, raw);
    return kind === 'symlink' ? new Ext2Symlink(this, ino, raw) : new Ext2Node(this, ino, raw, kind);
  }

  *#place(ino: number): Blocking<{ buffer: Buffer; at: number }> {
    if (!(ino >= 1 && ino <= this.inodesCount)) throw new Errno(E.IO);
    const index = (ino - 1) % this.#inodesPerGroup;
    const byte = index * this.#inodeBytes;
    const block = this.#descriptor(this.#groupOf(ino), GD.inodeTable) + Math.floor(byte / this.blockBytes);
    return { buffer: yield* settle(this.buffers.get(block)), at: byte % this.blockBytes };
  }
  #groupOf(ino: number): number {
    return Math.floor((ino - 1) / this.#inodesPerGroup);
  }

  /** The inode has changed. */
  touched(inode: Ext2Inode): void {
    this.#dirtyInodes.add(inode);
    this.wrote();
  }
  /** Something is to be written, some time. */
  wrote(): void {
    this.#isDirty = this.#isChanged = true;
    this.#changed();
  }

  /** An inode that is in no directory yet. @throws Errno ENOSPC */
  *newInode(mode: number, parent: number): Blocking<Ext2Inode> {
    const isDirectory = (mode & S.IFMT) === S.IFDIR;
    const home = isDirectory ? this.#emptiest() : this.#groupOf(parent);
    for (let i = 0; i < this.#groups; i++) {
      const group = (home + i) % this.#groups;
      if (this.#count(group, GD.freeInodes) === 0) continue;
      const bitmap = yield* settle(this.buffers.get(this.#descriptor(group, GD.inodeBitmap)));
      const reserved = group === 0 ? Math.max(10, this.#super.getUint32(SB.firstInode, true) - 1) : 0;
      const bit = clearBit(bitmap.bytes, reserved, this.#inodesPerGroup);
      if (bit < 0) continue;
      setBit(bitmap, bit, true);
      this.#addCount(group, GD.freeInodes, -1);
      if (isDirectory) this.#addCount(group, GD.directories, 1);
      this.#addFree(SB.freeInodes, -1);
      const ino = group * this.#inodesPerGroup + bit + 1;
      const { buffer, at } = yield* this.#place(ino);
      buffer.bytes.fill(0, at, at + this.#inodeBytes);
      buffer.dirty = true;
      const raw = new Uint8Array(INODE_BYTES);
      const inode = this.#known(ino, raw, mode);
      inode.mode = mode;
      return inode;
    }
    throw new Errno(E.NOSPC);
  }

  #emptiest(): number {
    let best = 0;
    for (let group = 1; group < this.#groups; group++)
      if (this.#count(group, GD.freeBlocks) > this.#count(best, GD.freeBlocks)) best = group;
    return best;
  }

  /** No name and nobody who has it open is left: its blocks and its number are free. */
  *destroy(inode: Ext2Inode): Blocking<void> {
    const { ino } = inode;
    yield* inode.freeContents();
    const attributes = inode.attributeBlock;
    if (attributes !== 0) {
      const buffer = yield* settle(this.buffers.get(this.check(attributes)));
      const view = new DataView(buffer.bytes.buffer, buffer.bytes.byteOffset, buffer.bytes.length);
      const references = view.getUint32(4, true);
      if (references > 1) {
        view.setUint32(4, references - 1, true);
        buffer.dirty = true;
      } else yield* this.freeBlock(attributes);
    }
    inode.markDeleted();
    const { buffer, at } = yield* this.#place(ino);
    buffer.bytes.set(inode.raw, at);
    buffer.dirty = true;
    this.#inodes.delete(ino);
    this.#dirtyInodes.delete(inode);
    const group = this.#groupOf(ino);
    const bitmap = yield* settle(this.buffers.get(this.#descriptor(group, GD.inodeBitmap)));
    setBit(bitmap, (ino - 1) % this.#inodesPerGroup, false);
    this.#addCount(group, GD.freeInodes, 1);
    if (inode.kind === 'directory') this.#addCount(group, GD.directories, -1);
    this.#addFree(SB.freeInodes, 1);
  }

  // --- blocks --------------------------------------------------------------------------------------------------------------------

  /** The number of a block that a file may have. @throws Errno EIO */
  check(block: number): number {
    if (!(block > this.firstDataBlock && block < this.blocks)) throw new Errno(E.IO);
    return block;
  }

  /** A free block, at or behind `goal` if there is one near. @throws Errno ENOSPC */
  *allocateBlock(goal: number): Blocking<number> {
    const near = goal > this.firstDataBlock && goal < this.blocks ? goal : this.firstDataBlock;
    const home = Math.floor((near - this.firstDataBlock) / this.#perGroup);
    for (let i = 0; i <= this.#groups; i++) {
      const group = (home + i) % this.#groups;
      if (this.#count(group, GD.freeBlocks) === 0) continue;
      const start = this.firstDataBlock + group * this.#perGroup;
      const bitmap = yield* settle(this.buffers.get(this.#descriptor(group, GD.blockBitmap)));
      const end = Math.min(this.#perGroup, this.blocks - start);
      const bit = clearBit(bitmap.bytes, i === 0 ? near - start : 0, end);
      if (bit < 0) continue;
      setBit(bitmap, bit, true);
      this.#addCount(group, GD.freeBlocks, -1);
      this.#addFree(SB.freeBlocks, -1);
      return this.check(start + bit);
    }
    throw new Errno(E.NOSPC);
  }

  /** @throws Errno EIO it is free already */
  *freeBlock(block: number): Blocking<void> {
    const index = this.check(block) - this.firstDataBlock;
    const group = Math.floor(index / this.#perGroup);
    const bitmap = yield* settle(this.buffers.get(this.#descriptor(group, GD.blockBitmap)));
    const bit = index % this.#perGroup;
    if (((bitmap.bytes[bit >>> 3] as number) & (1 << (bit & 7))) === 0) throw new Errno(E.IO);
    setBit(bitmap, bit, false);
    this.#addCount(group, GD.freeBlocks, 1);
    this.#addFree(SB.freeBlocks, 1);
    this.buffers.forget(block);
  }

  #descriptor(group: number, field: number): number {
    return this.#descriptors.getUint32(group * DESCRIPTOR_BYTES + field, true);
  }
  #count(group: number, field: number): number {
    return this.#descriptors.getUint16(group * DESCRIPTOR_BYTES + field, true);
  }
  #addCount(group: number, field: number, count: number): void {
    this.#descriptors.setUint16(group * DESCRIPTOR_BYTES + field, this.#count(group, field) + count, true);
    this.wrote();
  }
  #addFree(field: number, count: number): void {
    this.#super.setUint32(field, this.#super.getUint32(field, true) + count, true);
  }
}

function kindOrError(mode: number): InodeKind {
  try {
    return kindOfMode(mode);
  } catch {
    throw new Errno(E.IO);
  }
}

/** The first bit that is 0, from `from` on and below `end`; −1 for none. */
function clearBit(bytes: Uint8Array, from: number, end: number): number {
  for (let bit = from; bit < end; ) {
    const byte = bytes[bit >>> 3] as number;
    if (byte === 0xff && (bit & 7) === 0) bit += 8;
    else if ((byte & (1 << (bit & 7))) === 0) return bit;
    else bit++;
  }
  return -1;
}

function setBit(buffer: Buffer, bit: number, value: boolean): void {
  const byte = buffer.bytes[bit >>> 3] as number;
  buffer.bytes[bit >>> 3] = value ? byte | (1 << (bit & 7)) : byte & ~(1 << (bit & 7));
  buffer.dirty = true;
}
