/** Calls that make, change and list names, and the caller's place in the tree. */
import { E, Errno } from '../abi/errno.ts';
import { ACCESS, AT, MS, PATH_MAX, RENAME } from '../abi/fcntl.ts';
import { S } from '../abi/stat.ts';
import { toBytes } from '../fs/bytes.ts';
import { after, eager } from '../fs/maybe.ts';
import { checkAccess, effective } from '../fs/permission.ts';
import type { DirectoryEntry } from '../fs/inode.ts';
import { settle, type Blocking, type Maybe } from '../types.ts';
import type { SyscallContext } from './context.ts';
import { callerOf, fileOf, int, ioOf, pathAt, placeAt, startAt, unsigned } from './file-common.ts';

export function mkdirat(ctx: SyscallContext, dirfd: number, address: number, mode: number): Maybe<number> {
  const path = pathAt(ctx, address);
  const bits = unsigned(mode) & 0o1777 & ~ctx.process.fs.umask;
  return after(ctx.vfs.create(callerOf(ctx), startAt(ctx, dirfd, path), path, { mode: S.IFDIR | bits }), () => 0);
}

export function mknodat(ctx: SyscallContext, dirfd: number, address: number, mode: number, device: number): Maybe<number> {
  const path = pathAt(ctx, address);
  const type = unsigned(mode) & S.IFMT || S.IFREG;
  if (type === S.IFDIR) throw new Errno(E.PERM);
  if (![S.IFREG, S.IFCHR, S.IFBLK, S.IFIFO, S.IFSOCK].some(known => known === type)) throw new Errno(E.INVAL);
  if ((type === S.IFCHR || type === S.IFBLK) && ctx.process.credentials.euid !== 0) throw new Errno(E.PERM);
  const bits = unsigned(mode) & 0o7777 & ~ctx.process.fs.umask;
  return after(ctx.vfs.create(callerOf(ctx), startAt(ctx, dirfd, path), path, { mode: type | bits, rdev: unsigned(device) }), () => 0);
}

export function symlinkat(ctx: SyscallContext, targetAddress: number, dirfd: number, address: number): Maybe<number> {
  const target = pathAt(ctx, targetAddress);
  const path = pathAt(ctx, address);
  if (target === '') throw new Errno(E.NOENT);
  return after(ctx.vfs.create(callerOf(ctx), startAt(ctx, dirfd, path), path, { mode: S.IFLNK | 0o777, target }), () => 0);
}

export function linkat(
  ctx: SyscallContext,
  fromFd: number,
  fromAddress: number,
  toFd: number,
  toAddress: number,
  flags: number,
): Maybe<number> {
  if (unsigned(flags) & ~(AT.SYMLINK_FOLLOW | AT.EMPTY_PATH)) throw new Errno(E.INVAL);
  const from = pathAt(ctx, fromAddress);
  const to = pathAt(ctx, toAddress);
  return after(placeAt(ctx, fromFd, from, flags, (flags & AT.SYMLINK_FOLLOW) !== 0), place =>
    after(ctx.vfs.link(callerOf(ctx), place, startAt(ctx, toFd, to), to), () => 0),
  );
}

export function unlinkat(ctx: SyscallContext, dirfd: number, address: number, flags: number): Maybe<number> {
  if (unsigned(flags) & ~AT.REMOVEDIR) throw new Errno(E.INVAL);
  const path = pathAt(ctx, address);
  return after(ctx.vfs.remove(callerOf(ctx), startAt(ctx, dirfd, path), path, (flags & AT.REMOVEDIR) !== 0), () => 0);
}

export function renameat2(
  ctx: SyscallContext,
  fromFd: number,
  fromAddress: number,
  toFd: number,
  toAddress: number,
  flags: number,
): Maybe<number> {
  const how = unsigned(flags);
  if (how & ~(RENAME.NOREPLACE | RENAME.EXCHANGE) || how === (RENAME.NOREPLACE | RENAME.EXCHANGE)) throw new Errno(E.INVAL);
  const from = pathAt(ctx, fromAddress);
  const to = pathAt(ctx, toAddress);
  const moved = ctx.vfs.rename(
    callerOf(ctx),
    { start: startAt(ctx, fromFd, from), path: from },
    { start: startAt(ctx, toFd, to), path: to },
    how,
  );
  return after(moved, () => 0);
}

export function readlinkat(ctx: SyscallContext, dirfd: number, address: number, buffer: number, size: number): Maybe<number> {
  if (int(size) <= 0) throw new Errno(E.INVAL);
  const path = pathAt(ctx, address);
  return after(placeAt(ctx, dirfd, path, AT.EMPTY_PATH, false), ({ inode }) => {
    if (inode.kind !== 'symlink') throw new Errno(path === '' ? E.NOENT : E.INVAL);
    return after(inode.readlink(ioOf(ctx)), target => {
      const bytes = toBytes(target).subarray(0, int(size));
      ctx.user.write(buffer, bytes);
      return bytes.length;
    });
  });
}

// ── Listing ──

const DIRENT_HEADER = 19;
/** Entries asked for at once: of the shortest that would fit. */
const DIRENT_BYTES_MIN = 24;

export function getdents64(ctx: SyscallContext, fd: number, address: number, size: number): Maybe<number> {
  const file = fileOf(ctx, fd);
  if (file.kind !== 'directory') throw new Errno(E.NOTDIR);
  const room = Math.min(unsigned(size), 1 << 20);
  ctx.user.check(address, room, true);
  return after(file.readEntries(Math.max(1, Math.floor(room / DIRENT_BYTES_MIN))), entries => {
    const { bytes, next } = packEntries(entries, room);
    if (bytes.length === 0 && entries.length > 0) throw new Errno(E.INVAL);
    ctx.user.write(address, bytes);
    if (next === null) return bytes.length;
    return after(file.seek(next, 0), () => bytes.length);
  });
}

function packEntries(entries: readonly DirectoryEntry[], room: number): { bytes: Uint8Array; next: number | null } {
  const bytes = new Uint8Array(room);
  const view = new DataView(bytes.buffer);
  let at = 0;
  let next: number | null = null;
  for (const entry of entries) {
    const size = (DIRENT_HEADER + entry.name.length + 1 + 7) & ~7;
    if (at + size > room) break;
    view.setBigUint64(at, BigInt(entry.ino), true);
    view.setBigInt64(at + 8, BigInt(entry.next), true);
    view.setUint16(at + 16, size, true);
    bytes[at + 18] = entry.type;
    bytes.set(toBytes(entry.name), at + DIRENT_HEADER);
    at += size;
    next = entry.next;
  }
  return { bytes: bytes.subarray(0, at), next };
}

// ── The caller's place ──

export function chdir(ctx: SyscallContext, address: number): Maybe<number> {
  const path = pathAt(ctx, address);
  return after(ctx.vfs.walk(callerOf(ctx), ctx.process.fs.cwd, path), place => {
    return enter(ctx, place, () => {
      ctx.process.fs.cwd = place;
    });
  });
}

export function fchdir(ctx: SyscallContext, fd: number): Maybe<number> {
  const { dentry } = fileOf(ctx, fd);
  if (!dentry) throw new Errno(E.NOTDIR);
  return enter(ctx, dentry, () => {
    ctx.process.fs.cwd = dentry;
  });
}

export function chroot(ctx: SyscallContext, address: number): Maybe<number> {
  const path = pathAt(ctx, address);
  return after(ctx.vfs.walk(callerOf(ctx), ctx.process.fs.cwd, path), place => {
    if (ctx.process.credentials.euid !== 0) throw new Errno(E.PERM);
    return enter(ctx, place, () => {
      ctx.process.fs.root = place;
    });
  });
}

function enter(ctx: SyscallContext, place: Parameters<SyscallContext['vfs']['pathOf']>[0], then: () => void): Maybe<number> {
  if (place.inode.kind !== 'directory') throw new Errno(E.NOTDIR);
  return after(place.inode.attributes(), attributes => {
    checkAccess(attributes, ACCESS.X, effective(ctx.process.credentials));
    then();
    return 0;
  });
}

export function getcwd(ctx: SyscallContext, address: number, size: number): number {
  const { cwd, root } = ctx.process.fs;
  if (!ctx.vfs.isReachable(cwd)) throw new Errno(E.NOENT);
  const path = ctx.vfs.pathOf(cwd, root);
  if (path.length + 1 > PATH_MAX) throw new Errno(E.NAMETOOLONG);
  if (path.length + 1 > unsigned(size)) throw new Errno(E.RANGE);
  ctx.user.write(address, toBytes(`${path}\0`));
  return path.length + 1;
}

export function umask(ctx: SyscallContext, mask: number): number {
  const before = ctx.process.fs.umask;
  ctx.process.fs.umask = unsigned(mask) & 0o777;
  return before;
}

// ── Mounts ──

export function mount(ctx: SyscallContext, source: number, target: number, type: number, flags: number, data: number): Maybe<number> {
  if (ctx.process.credentials.euid !== 0) throw new Errno(E.PERM);
  return eager(
    mountSteps(
      ctx,
      source ? pathAt(ctx, source) : 'none',
      pathAt(ctx, target),
      type ? pathAt(ctx, type) : '',
      unsigned(flags),
      data ? pathAt(ctx, data) : '',
    ),
  );
}

function* mountSteps(ctx: SyscallContext, source: string, target: string, type: string, flags: number, data: string): Blocking<number> {
  const place = yield* settle(ctx.vfs.walk(callerOf(ctx), ctx.process.fs.cwd, target));
  const options = flags & MS.RDONLY ? 'ro' : 'rw';
  if (flags & MS.REMOUNT) {
    if (place.mount.root !== place) throw new Errno(E.INVAL);
    place.mount.options = options;
    return 0;
  }
  if (flags & (MS.BIND | MS.MOVE)) throw new Errno(E.INVAL);
  const maker = ctx.vfs.types.get(type);
  if (!maker) throw new Errno(E.NODEV);
  ctx.vfs.mount(maker(source, data), place, source, options);
  return 0;
}

export function umount2(ctx: SyscallContext, target: number, flags: number): Maybe<number> {
  if (ctx.process.credentials.euid !== 0) throw new Errno(E.PERM);
  if (unsigned(flags) & ~0xf) throw new Errno(E.INVAL);
  const path = pathAt(ctx, target);
  return after(ctx.vfs.walk(callerOf(ctx), ctx.process.fs.cwd, path), place => {
    ctx.vfs.unmount(place);
    return 0;
  });
}
