/**
 * ext2 as it lies on a disk, revision 1 ("The Second Extended File System, internal layout", D. Poirier; Linux's fs/ext2/ext2.h).
 *
 *     byte 1024       superblock
 *     next block      group descriptors, 32 bytes each
 *     each group      [superblock and descriptors again, in some groups], block bitmap, inode bitmap, inode table, data
 *
 * All numbers are little-endian.
 */

export const SUPERBLOCK_AT = 1024;
export const EXT2_MAGIC = 0xef53;
export const ROOT_INO = 2;
export const DESCRIPTOR_BYTES = 32;
export const DIRECT_BLOCKS = 12;

/** Fields of the superblock by their place in it: u32 unless it says u16. */
export const SB = {
  inodesCount: 0,
  blocksCount: 4,
  reservedBlocks: 8,
  freeBlocks: 12,
  freeInodes: 16,
  firstDataBlock: 20,
  logBlockSize: 24,
  logFragmentSize: 28,
  blocksPerGroup: 32,
  fragmentsPerGroup: 36,
  inodesPerGroup: 40,
  mountTime: 44,
  writeTime: 48,
  /** u16 */
  mountCount: 52,
  /** u16, 0xffff for never */
  mountsMax: 54,
  /** u16 */
  magic: 56,
  /** u16, see STATE */
  state: 58,
  /** u16: 1 continue, 2 remount read-only, 3 panic */
  errors: 60,
  lastCheck: 64,
  revision: 76,
  firstInode: 84,
  /** u16 */
  inodeSize: 88,
  compatible: 92,
  incompatible: 96,
  readOnlyCompatible: 100,
  uuid: 104,
  volumeName: 120,
} as const;

export const STATE = { Clean: 1, Errors: 2 } as const;

/** Features without which this code does not change a file system, or does not understand it. */
export const INCOMPATIBLE = { FileType: 0x2 } as const;
export const READ_ONLY_COMPATIBLE = { SparseSuper: 0x1, LargeFile: 0x2 } as const;

/** Fields of a group descriptor: u32, and u16 counts. */
export const GD = { blockBitmap: 0, inodeBitmap: 4, inodeTable: 8, freeBlocks: 12, freeInodes: 14, directories: 16 } as const;

/** Fields of an inode. */
export const INODE = {
  mode: 0,
  uid: 2,
  size: 4,
  atime: 8,
  ctime: 12,
  mtime: 16,
  dtime: 20,
  gid: 24,
  links: 26,
  /** In units of 512 bytes, those that only hold numbers of blocks included. */
  blocks: 28,
  flags: 32,
  /** 15 numbers: 12 of data, then a block of numbers, a block of such, a block of such. */
  block: 40,
  attributeBlock: 104,
  /** Of a regular file: the upper half of its size. */
  sizeHigh: 108,
  uidHigh: 120,
  gidHigh: 122,
} as const;
export const INODE_BYTES = 128;

/** The directory has an index (ext3's htree), which goes stale when the directory is changed without it. */
export const INDEX_FLAG = 0x1000;

/** Types in directory entries, by the type bits of a mode >>> 12. */
export const ENTRY_TYPES: Readonly<Record<number, number>> = { 8: 1, 4: 2, 2: 3, 6: 4, 1: 5, 12: 6, 10: 7 };
export const ENTRY_HEAD = 8;
/** Bytes that an entry with a name of this length takes. */
export const entryBytes = (name: number): number => (ENTRY_HEAD + name + 3) & ~3;
