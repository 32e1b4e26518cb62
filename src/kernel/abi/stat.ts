/** File modes and the layouts of stat, statx, statfs and dirent64 on Linux RV64. */
import type { Attributes, FileSystemStatus } from '../fs/inode.ts';

export const S = {
  IFMT: 0o170000,
  IFSOCK: 0o140000,
  IFLNK: 0o120000,
  IFREG: 0o100000,
  IFBLK: 0o060000,
  IFDIR: 0o040000,
  IFCHR: 0o020000,
  IFIFO: 0o010000,
  ISUID: 0o4000,
  ISGID: 0o2000,
  ISVTX: 0o1000,
} as const;

/** `d_type` of a directory entry is the type part of the mode. */
export const typeOfMode = (mode: number): number => (mode & S.IFMT) >> 12;

/** Linux's user-space device number: minor's low byte, twelve bits of major, the rest of minor. */
export const makeDevice = (major: number, minor: number): number => ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
export const majorOf = (device: number): number => (device >>> 8) & 0xfff;
export const minorOf = (device: number): number => (device & 0xff) | ((device >>> 12) & 0xfff00);

export const STAT_BYTES = 128;
export const STATX_BYTES = 256;
export const STATFS_BYTES = 120;
export const STATX_BASIC_STATS = 0x7ff;
export const STATX_MNT_ID = 0x1000;

class Writer {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
  }
  u16(at: number, value: number): void {
    this.#view.setUint16(at, value, true);
  }
  u32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }
  u64(at: number, value: number): void {
    this.#view.setBigInt64(at, BigInt(Math.trunc(value)), true);
  }
}

export function encodeStat(a: Attributes): Uint8Array {
  const out = new Writer(STAT_BYTES);
  out.u64(0, a.device);
  out.u64(8, a.ino);
  out.u32(16, a.mode);
  out.u32(20, a.links);
  out.u32(24, a.uid);
  out.u32(28, a.gid);
  out.u64(32, a.rdev);
  out.u64(48, a.size);
  out.u32(56, a.blockSize);
  out.u64(64, a.blocks);
  out.u64(72, a.atime.seconds);
  out.u64(80, a.atime.nanoseconds);
  out.u64(88, a.mtime.seconds);
  out.u64(96, a.mtime.nanoseconds);
  out.u64(104, a.ctime.seconds);
  out.u64(112, a.ctime.nanoseconds);
  return out.bytes;
}

export function encodeStatx(a: Attributes, mount: number): Uint8Array {
  const out = new Writer(STATX_BYTES);
  out.u32(0, STATX_BASIC_STATS | STATX_MNT_ID);
  out.u32(4, a.blockSize);
  out.u32(16, a.links);
  out.u32(20, a.uid);
  out.u32(24, a.gid);
  out.u16(28, a.mode);
  out.u64(32, a.ino);
  out.u64(40, a.size);
  out.u64(48, a.blocks);
  for (const [at, time] of [
    [64, a.atime],
    [96, a.ctime],
    [112, a.mtime],
  ] as const) {
    out.u64(at, time.seconds);
    out.u32(at + 8, time.nanoseconds);
  }
  out.u32(128, majorOf(a.rdev));
  out.u32(132, minorOf(a.rdev));
  out.u32(136, majorOf(a.device));
  out.u32(140, minorOf(a.device));
  out.u64(144, mount);
  return out.bytes;
}

export function encodeStatfs(s: FileSystemStatus): Uint8Array {
  const out = new Writer(STATFS_BYTES);
  out.u64(0, s.type);
  out.u64(8, s.blockSize);
  out.u64(16, s.blocks);
  out.u64(24, s.blocksFree);
  out.u64(32, s.blocksFree);
  out.u64(40, s.files);
  out.u64(48, s.filesFree);
  out.u32(56, s.device);
  out.u64(64, 255);
  out.u64(72, s.blockSize);
  out.u64(80, 0x20);
  return out.bytes;
}
