/**
 * Makes an empty ext2: blocks of 4 KiB or 1 KiB, with a root directory and lost+found.
 *
 * Always holds: `e2fsck -fn` has nothing to say about it.
 */
import { S } from '../../abi/stat.ts';
import { POWER_ON_SECONDS } from '../clock.ts';
import {
  DESCRIPTOR_BYTES,
  DIRECT_BLOCKS,
  ENTRY_HEAD,
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

const FIRST_INO = 11;
const LOST_FOUND_INO = FIRST_INO;
/** e2fsck wants room in lost+found before it needs it. */
const LOST_FOUND_BYTES = 16384;
/** A file for so many bytes of disk. */
const BYTES_PER_INODE = 16384;
const DIRECTORY_TYPE = 2;

/**
 * @param bytes size of the disk; 256 KiB at least
 * @returns the beginning of the image; beyond it all is zero
 */
export function makeExt2(bytes: number, blockBytes: 1024 | 4096 = 4096): Uint8Array {
  const blocks = Math.floor(bytes / blockBytes);
  const firstDataBlock = blockBytes === 1024 ? 1 : 0;
  const perGroup = blockBytes * 8;
  const groups = Math.ceil((blocks - firstDataBlock) / perGroup);
  const inodesPerBlock = blockBytes / INODE_BYTES;
  const wanted = Math.max(FIRST_INO + 5, Math.floor(bytes / BYTES_PER_INODE / groups));
  const tableBlocks = Math.ceil(Math.min(wanted, perGroup) / inodesPerBlock);
  const inodesPerGroup = tableBlocks * inodesPerBlock;
  const descriptorBlocks = Math.ceil((groups * DESCRIPTOR_BYTES) / blockBytes);
  const startOf = (group: number): number => firstDataBlock + group * perGroup;
  const hasSuper = (group: number): boolean => group <= 1 || [3, 5, 7].some(base => isPower(group, base));
  const tableOf = (group: number): number => startOf(group) + (hasSuper(group) ? 1 + descriptorBlocks : 0) + 2;
  const lostFoundBlocks = Math.min(DIRECT_BLOCKS, LOST_FOUND_BYTES / blockBytes);
  const rootBlock = tableOf(0) + tableBlocks;
  const lastMetadata = tableOf(groups - 1) + tableBlocks;
  if (blocks < lastMetadata || blocks < rootBlock + 1 + lostFoundBlocks)
    throw new RangeError(`${bytes} bytes are too few for a file system`);

  const image = new Uint8Array(Math.max(lastMetadata, rootBlock + 1 + lostFoundBlocks) * blockBytes);
  const view = new DataView(image.buffer);
  const descriptors = (firstDataBlock + 1) * blockBytes;
  let freeBlocks = 0;
  for (let group = 0; group < groups; group++) {
    const start = startOf(group);
    const end = Math.min(start + perGroup, blocks);
    const table = tableOf(group);
    const used = table + tableBlocks - start + (group === 0 ? 1 + lostFoundBlocks : 0);
    const usedInodes = group === 0 ? FIRST_INO : 0;
    const at = descriptors + group * DESCRIPTOR_BYTES;
    view.setUint32(at + GD.blockBitmap, table - 2, true);
    view.setUint32(at + GD.inodeBitmap, table - 1, true);
    view.setUint32(at + GD.inodeTable, table, true);
    view.setUint16(at + GD.freeBlocks, end - start - used, true);
    view.setUint16(at + GD.freeInodes, inodesPerGroup - usedInodes, true);
    view.setUint16(at + GD.directories, group === 0 ? 2 : 0, true);
    freeBlocks += end - start - used;
    // Bits beyond the group's end count as used.
    setBits(image, (table - 2) * blockBytes, 0, used);
    setBits(image, (table - 2) * blockBytes, end - start, blockBytes * 8);
    setBits(image, (table - 1) * blockBytes, 0, usedInodes);
    setBits(image, (table - 1) * blockBytes, inodesPerGroup, blockBytes * 8);
  }

  const u32 = (field: number, value: number): void => view.setUint32(SUPERBLOCK_AT + field, value, true);
  const u16 = (field: number, value: number): void => view.setUint16(SUPERBLOCK_AT + field, value, true);
  u32(SB.inodesCount, inodesPerGroup * groups);
  u32(SB.blocksCount, blocks);
  u32(SB.freeBlocks, freeBlocks);
  u32(SB.freeInodes, inodesPerGroup * groups - FIRST_INO);
  u32(SB.firstDataBlock, firstDataBlock);
  u32(SB.logBlockSize, blockBytes === 1024 ? 0 : 2);
  u32(SB.logFragmentSize, blockBytes === 1024 ? 0 : 2);
  u32(SB.blocksPerGroup, perGroup);
  u32(SB.fragmentsPerGroup, perGroup);
  u32(SB.inodesPerGroup, inodesPerGroup);
  u32(SB.writeTime, POWER_ON_SECONDS);
  u32(SB.lastCheck, POWER_ON_SECONDS);
  u16(SB.mountsMax, 0xffff);
  u16(SB.magic, EXT2_MAGIC);
  u16(SB.state, STATE.Clean);
  u16(SB.errors, 1);
  u32(SB.revision, 1);
  u32(SB.firstInode, FIRST_INO);
  u16(SB.inodeSize, INODE_BYTES);
  u32(SB.incompatible, INCOMPATIBLE.FileType);
  u32(SB.readOnlyCompatible, READ_ONLY_COMPATIBLE.SparseSuper | READ_ONLY_COMPATIBLE.LargeFile);
  for (const [i, byte] of [...'popcorn lab disk'].entries()) {
    image[SUPERBLOCK_AT + SB.uuid + i] = byte.charCodeAt(0);
    if (i < 7) image[SUPERBLOCK_AT + SB.volumeName + i] = byte.charCodeAt(0);
  }
  for (let group = 1; group < groups; group++) {
    if (!hasSuper(group)) continue;
    const at = startOf(group) * blockBytes;
    image.copyWithin(at, SUPERBLOCK_AT, SUPERBLOCK_AT + 1024);
    view.setUint16(at + 90, group, true);
    image.copyWithin(at + blockBytes, descriptors, descriptors + descriptorBlocks * blockBytes);
  }

  const inode = (ino: number, mode: number, links: number, first: number, count: number): void => {
    const at = tableOf(0) * blockBytes + (ino - 1) * INODE_BYTES;
    view.setUint16(at + INODE.mode, S.IFDIR | mode, true);
    view.setUint16(at + INODE.links, links, true);
    view.setUint32(at + INODE.size, count * blockBytes, true);
    for (const field of [INODE.atime, INODE.ctime, INODE.mtime]) view.setUint32(at + field, POWER_ON_SECONDS, true);
    view.setUint32(at + INODE.blocks, (count * blockBytes) / 512, true);
    for (let i = 0; i < count; i++) view.setUint32(at + INODE.block + 4 * i, first + i, true);
  };
  inode(ROOT_INO, 0o755, 3, rootBlock, 1);
  inode(LOST_FOUND_INO, 0o700, 2, rootBlock + 1, lostFoundBlocks);
  const entry = (at: number, ino: number, length: number, name: string): number => {
    view.setUint32(at, ino, true);
    view.setUint16(at + 4, length, true);
    image[at + 6] = name.length;
    image[at + 7] = DIRECTORY_TYPE;
    for (let i = 0; i < name.length; i++) image[at + ENTRY_HEAD + i] = name.charCodeAt(i);
    return at + length;
  };
  const root = rootBlock * blockBytes;
  entry(entry(entry(root, ROOT_INO, 12, '.'), ROOT_INO, 12, '..'), LOST_FOUND_INO, blockBytes - 24, 'lost+found');
  const lost = (rootBlock + 1) * blockBytes;
  entry(entry(lost, LOST_FOUND_INO, 12, '.'), ROOT_INO, blockBytes - 12, '..');
  for (let i = 1; i < lostFoundBlocks; i++) entry(lost + i * blockBytes, 0, blockBytes, '');
  return image;
}

function setBits(image: Uint8Array, at: number, from: number, to: number): void {
  for (let bit = from; bit < to; bit++) image[at + (bit >>> 3)] = (image[at + (bit >>> 3)] as number) | (1 << (bit & 7));
}

function isPower(group: number, base: number): boolean {
  let power = base;
  while (power < group) power *= base;
  return power === group;
}
