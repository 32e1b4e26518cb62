/** Calls about what is known of a file: stat and its kin, and chmod, chown, utimes, access. */
import { E, Errno } from '../abi/errno.ts';
import { ACCESS, AT } from '../abi/fcntl.ts';
import { encodeStat, encodeStatfs, encodeStatx, STAT_BYTES, STATFS_BYTES, STATX_BYTES } from '../abi/stat.ts';
import type { AttributeChange, Attributes } from '../fs/inode.ts';
import type { Timestamp } from '../fs/clock.ts';
import { after } from '../fs/maybe.ts';
import { checkAccess, effective, real } from '../fs/permission.ts';
import { checkWritable, type Dentry } from '../fs/vfs.ts';
import type { Maybe } from '../types.ts';
import type { SyscallContext } from './context.ts';
import { callerOf, fileOf, int, pathAt, placeAt, unsigned } from './file-common.ts';

const STAT_FLAGS = AT.SYMLINK_NOFOLLOW | AT.NO_AUTOMOUNT | AT.EMPTY_PATH;

/** Attributes of what (dirfd, path) names; a descriptor without a place answers for itself. */
function attributesAt(ctx: SyscallContext, dirfd: number, path: string, flags: number): Maybe<Attributes> {
  if (path === '' && flags & AT.EMPTY_PATH && int(dirfd) !== AT.FDCWD) return fileOf(ctx, dirfd).attributes();
  return after(placeAt(ctx, dirfd, path, flags), place => place.inode.attributes());
}

export function newfstatat(ctx: SyscallContext, dirfd: number, address: number, buffer: number, flags: number): Maybe<number> {
  if (unsigned(flags) & ~STAT_FLAGS) throw new Errno(E.INVAL);
  // With AT_EMPTY_PATH a null pointer will do for an empty path.
  const path = address === 0 && flags & AT.EMPTY_PATH ? '' : pathAt(ctx, address);
  ctx.user.check(buffer, STAT_BYTES, true);
  return after(attributesAt(ctx, dirfd, path, flags), attributes => {
    ctx.user.write(buffer, encodeStat(attributes));
    return 0;
  });
}

export function fstat(ctx: SyscallContext, fd: number, buffer: number): Maybe<number> {
  ctx.user.check(buffer, STAT_BYTES, true);
  return after(fileOf(ctx, fd).attributes(), attributes => {
    ctx.user.write(buffer, encodeStat(attributes));
    return 0;
  });
}

export function statx(ctx: SyscallContext, dirfd: number, address: number, flags: number, mask: number, buffer: number): Maybe<number> {
  if (
    unsigned(flags) & ~(STAT_FLAGS | AT.STATX_SYNC_TYPE) ||
    (unsigned(flags) & AT.STATX_SYNC_TYPE) === AT.STATX_SYNC_TYPE ||
    unsigned(mask) & 0x80000000
  )
    throw new Errno(E.INVAL);
  const path = address === 0 && flags & AT.EMPTY_PATH ? '' : pathAt(ctx, address);
  ctx.user.check(buffer, STATX_BYTES, true);
  return after(attributesAt(ctx, dirfd, path, flags), attributes => {
    ctx.user.write(buffer, encodeStatx(attributes, 1));
    return 0;
  });
}

export function statfs(ctx: SyscallContext, address: number, buffer: number): Maybe<number> {
  const path = pathAt(ctx, address);
  ctx.user.check(buffer, STATFS_BYTES, true);
  return after(placeAt(ctx, AT.FDCWD, path, 0), place =>
    after(place.inode.status(), status => {
      ctx.user.write(buffer, encodeStatfs(status));
      return 0;
    }),
  );
}

export function fstatfs(ctx: SyscallContext, fd: number, buffer: number): Maybe<number> {
  const file = fileOf(ctx, fd);
  ctx.user.check(buffer, STATFS_BYTES, true);
  return after(file.inode ? file.inode.status() : file.status(), status => {
    ctx.user.write(buffer, encodeStatfs(status));
    return 0;
  });
}

// ── Changing ──

export function fchmodat(ctx: SyscallContext, dirfd: number, address: number, mode: number): Maybe<number> {
  return fchmodat2(ctx, dirfd, address, mode, 0);
}

export function fchmodat2(ctx: SyscallContext, dirfd: number, address: number, mode: number, flags: number): Maybe<number> {
  if (unsigned(flags) & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) throw new Errno(E.INVAL);
  return after(placeAt(ctx, dirfd, pathAt(ctx, address), flags), place => {
    if (place.inode.kind === 'symlink') throw new Errno(E.OPNOTSUPP);
    return change(ctx, place, { mode: unsigned(mode) & 0o7777 });
  });
}

export function fchmod(ctx: SyscallContext, fd: number, mode: number): Maybe<number> {
  return changeOpen(ctx, fd, { mode: unsigned(mode) & 0o7777 });
}

export function fchownat(ctx: SyscallContext, dirfd: number, address: number, uid: number, gid: number, flags: number): Maybe<number> {
  if (unsigned(flags) & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) throw new Errno(E.INVAL);
  return after(placeAt(ctx, dirfd, pathAt(ctx, address), flags), place => change(ctx, place, ownerChange(uid, gid)));
}

export function fchown(ctx: SyscallContext, fd: number, uid: number, gid: number): Maybe<number> {
  return changeOpen(ctx, fd, ownerChange(uid, gid));
}

function ownerChange(uid: number, gid: number): AttributeChange {
  return { ...(int(uid) === -1 ? {} : { uid: unsigned(uid) }), ...(int(gid) === -1 ? {} : { gid: unsigned(gid) }) };
}

function change(ctx: SyscallContext, place: Dentry, what: AttributeChange): Maybe<number> {
  return after(ctx.vfs.setAttributes(callerOf(ctx), place, what), () => 0);
}

function changeOpen(ctx: SyscallContext, fd: number, what: AttributeChange): Maybe<number> {
  const file = fileOf(ctx, fd);
  if (file.dentry) checkWritable(file.dentry);
  const { euid } = ctx.process.credentials;
  if (euid === 0) return after(file.setAttributes(what), () => 0);
  return after(file.attributes(), ({ uid }) => {
    if (uid !== euid || (what.uid !== undefined && what.uid !== uid)) throw new Errno(E.PERM);
    return after(file.setAttributes(what), () => 0);
  });
}

const UTIME_NOW = 0x3fffffff;
const UTIME_OMIT = 0x3ffffffe;

export function utimensat(ctx: SyscallContext, dirfd: number, address: number, times: number, flags: number): Maybe<number> {
  if (unsigned(flags) & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) throw new Errno(E.INVAL);
  const atime = times === 0 ? 'now' : timeAt(ctx, times);
  const mtime = times === 0 ? 'now' : timeAt(ctx, times + 16);
  const what: AttributeChange = { ...(atime ? { atime } : {}), ...(mtime ? { mtime } : {}) };
  if (address === 0) return int(dirfd) === AT.FDCWD ? fault() : changeOpen(ctx, dirfd, what);
  return after(placeAt(ctx, dirfd, pathAt(ctx, address), flags), place => (atime || mtime ? change(ctx, place, what) : 0));
}

function fault(): never {
  throw new Errno(E.FAULT);
}

function timeAt(ctx: SyscallContext, address: number): Timestamp | 'now' | null {
  const seconds = ctx.user.getI64(address);
  const nanoseconds = ctx.user.getU64(address + 8);
  if (nanoseconds === UTIME_NOW) return 'now';
  if (nanoseconds === UTIME_OMIT) return null;
  if (nanoseconds > 999_999_999 || !Number.isSafeInteger(seconds)) throw new Errno(E.INVAL);
  return { seconds, nanoseconds };
}

// ── Access, size ──

export function faccessat(ctx: SyscallContext, dirfd: number, address: number, mode: number): Maybe<number> {
  return faccessat2(ctx, dirfd, address, mode, 0);
}

export function faccessat2(ctx: SyscallContext, dirfd: number, address: number, mode: number, flags: number): Maybe<number> {
  if (unsigned(mode) & ~(ACCESS.R | ACCESS.W | ACCESS.X) || unsigned(flags) & ~(AT.EACCESS | AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH))
    throw new Errno(E.INVAL);
  const who = (flags & AT.EACCESS ? effective : real)(ctx.process.credentials);
  return after(placeAt(ctx, dirfd, pathAt(ctx, address), flags), place => {
    if (unsigned(mode) === ACCESS.F) return 0;
    return after(place.inode.attributes(), attributes => {
      if (mode & ACCESS.W && place.inode.kind !== 'character') checkWritable(place);
      checkAccess(attributes, unsigned(mode), who);
      return 0;
    });
  });
}

export function truncate(ctx: SyscallContext, address: number, size: number): Maybe<number> {
  if (size < 0) throw new Errno(E.INVAL);
  return after(placeAt(ctx, AT.FDCWD, pathAt(ctx, address), 0), place =>
    after(place.inode.attributes(), attributes => {
      if (place.inode.kind !== 'file') throw new Errno(place.inode.kind === 'directory' ? E.ISDIR : E.INVAL);
      checkWritable(place);
      checkAccess(attributes, ACCESS.W, effective(ctx.process.credentials));
      return after(place.inode.truncate(size), () => 0);
    }),
  );
}
