/** What the file calls share: descriptors, paths and contexts of the caller. */
import { E, Errno } from '../abi/errno.ts';
import { AT, PATH_MAX, RLIMIT_NOFILE } from '../abi/fcntl.ts';
import { SIG } from '../abi/signal.ts';
import { SHIELD_TTIN, SHIELD_TTOU, type IoContext, type OpenFile } from '../fs/file.ts';
import { after } from '../fs/maybe.ts';
import type { Caller, Dentry } from '../fs/vfs.ts';
import { isBlocked } from '../signal/state.ts';
import { SIG_IGN } from '../abi/signal.ts';
import { isBlocking, type Blocking, type Maybe } from '../types.ts';
import type { SyscallContext } from './context.ts';

export const int = (value: number): number => value | 0;
export const unsigned = (value: number): number => value >>> 0;

export function ioOf(ctx: SyscallContext): IoContext {
  const { restartDeadline } = ctx.task;
  return {
    ...(Number.isFinite(restartDeadline) ? { deadline: restartDeadline } : {}),
    pid: ctx.process.pid,
    tid: ctx.task.tid,
    uid: ctx.process.credentials.uid,
    gid: ctx.process.credentials.gid,
    shield: (shielded(ctx, SIG.TTIN) ? SHIELD_TTIN : 0) | (shielded(ctx, SIG.TTOU) ? SHIELD_TTOU : 0),
  };
}

function shielded(ctx: SyscallContext, signal: number): boolean {
  return isBlocked(ctx.task.blocked, signal) || ctx.process.actions[signal]?.handler === SIG_IGN;
}

export function callerOf(ctx: SyscallContext): Caller {
  return { fs: ctx.process.fs, credentials: ctx.process.credentials, io: ioOf(ctx) };
}

export const fileOf = (ctx: SyscallContext, fd: number): OpenFile => ctx.process.files.get(unsigned(fd));

export function descriptorLimit(ctx: SyscallContext): number {
  return Math.min(ctx.process.rlimits.get(RLIMIT_NOFILE)?.[0] ?? 1024, 1 << 20);
}

/** Adds a fresh open file; if there is no room it is closed again. */
export function addFile(ctx: SyscallContext, file: OpenFile, closeOnExec: boolean): Maybe<number> {
  try {
    return ctx.process.files.add(file, closeOnExec, descriptorLimit(ctx));
  } catch (error) {
    return after(file.release(), () => {
      throw error;
    });
  }
}

/** Two fresh files as descriptors at `address`; both or none. */
export function addPair(ctx: SyscallContext, ends: readonly [OpenFile, OpenFile], closeOnExec: boolean, address: number): Maybe<number> {
  const { files } = ctx.process;
  const limit = descriptorLimit(ctx);
  const fds: number[] = [];
  try {
    for (const end of ends) fds.push(files.add(end, closeOnExec, limit));
  } catch (error) {
    for (const fd of fds) files.take(fd);
    return after(ends[0].release(), () =>
      after(ends[1].release(), () => {
        throw error;
      }),
    );
  }
  ctx.user.setU32(address, fds[0] as number);
  ctx.user.setU32(address + 4, fds[1] as number);
  return 0;
}

export function pathAt(ctx: SyscallContext, address: number): string {
  return ctx.user.readString(address, PATH_MAX);
}

/** Where a relative path starts. */
export function startAt(ctx: SyscallContext, dirfd: number, path: string): Dentry {
  if (path.startsWith('/')) return ctx.process.fs.root;
  if (int(dirfd) === AT.FDCWD) return ctx.process.fs.cwd;
  const { dentry } = fileOf(ctx, dirfd);
  if (!dentry) throw new Errno(E.NOTDIR);
  if (path !== '' && dentry.inode.kind !== 'directory') throw new Errno(E.NOTDIR);
  return dentry;
}

/** The place that (dirfd, path, flags) names, with AT_EMPTY_PATH and the wish not to follow a last link. */
export function placeAt(
  ctx: SyscallContext,
  dirfd: number,
  path: string,
  flags: number,
  follow = !(flags & AT.SYMLINK_NOFOLLOW),
): Maybe<Dentry> {
  const start = startAt(ctx, dirfd, path);
  if (path === '') {
    if (!(flags & AT.EMPTY_PATH)) throw new Errno(E.NOENT);
    return start;
  }
  return ctx.vfs.walk(callerOf(ctx), start, path, follow);
}

/** Keeps `file` open while a call works on it that may block, whatever another thread closes meanwhile. */
export function holding<T>(file: OpenFile, work: Maybe<T>): Maybe<T> {
  return isBlocking(work) ? hold(file, work) : work;
}

function* hold<T>(file: OpenFile, work: Blocking<T>): Blocking<T> {
  file.retain();
  try {
    return yield* work;
  } finally {
    const released = file.release();
    if (isBlocking(released)) yield* released;
  }
}
