/** flock, and the record locks of fcntl: from user memory to requests to whoever owns the file. */
import { E, Errno } from '../abi/errno.ts';
import { F, F_LOCK, FLOCK_BYTES, LOCK, O } from '../abi/fcntl.ts';
import { setU32, setU64, u32At } from '../fs/bytes.ts';
import { mayRead, mayWrite, type OpenFile } from '../fs/file.ts';
import { LAST_BYTE, type Lock, type LockRequest } from '../fs/lock.ts';
import { after, eager } from '../fs/maybe.ts';
import { type Blocking, type Maybe, settle } from '../types.ts';
import type { SyscallContext } from './context.ts';
import { fileOf, holding, int } from './file-common.ts';

const FLOCK_TYPES: Readonly<Record<number, number>> = { [LOCK.SH]: F_LOCK.RD, [LOCK.EX]: F_LOCK.WR, [LOCK.UN]: F_LOCK.UN };

export function flock(ctx: SyscallContext, fd: number, operation: number): Maybe<number> {
  const file = fileOf(ctx, fd);
  const type = FLOCK_TYPES[int(operation) & ~LOCK.NB];
  if (type === undefined) throw new Errno(E.INVAL);
  if (file.flags & O.PATH) throw new Errno(E.BADF);
  const how = operation & LOCK.NB ? 'try' : 'wait';
  const request: LockRequest = {
    kind: 'flock',
    type,
    first: 0,
    last: LAST_BYTE,
    holder: ctx.vfs.newLockHolder(),
    pid: 0,
    how,
    byFile: true,
  };
  return holding(
    file,
    after(file.lock(request), () => 0),
  );
}

interface Command {
  readonly how: LockRequest['how'];
  /** The open file holds it, not the process. */
  readonly byFile: boolean;
}

export const LOCK_COMMANDS: Readonly<Record<number, Command>> = {
  [F.GETLK]: { how: 'test', byFile: false },
  [F.SETLK]: { how: 'try', byFile: false },
  [F.SETLKW]: { how: 'wait', byFile: false },
  [F.OFD_GETLK]: { how: 'test', byFile: true },
  [F.OFD_SETLK]: { how: 'try', byFile: true },
  [F.OFD_SETLKW]: { how: 'wait', byFile: true },
};

export function recordLock(ctx: SyscallContext, file: OpenFile, { how, byFile }: Command, address: number): Maybe<number> {
  ctx.user.check(address, FLOCK_BYTES, how === 'test');
  const type = u32At(ctx.user.read(address, 4)) & 0xffff;
  if (type > F_LOCK.UN || (how === 'test' && type === F_LOCK.UN)) throw new Errno(E.INVAL);
  if (byFile && ctx.user.getU32(address + 24) !== 0) throw new Errno(E.INVAL);
  if (how !== 'test' && ((type === F_LOCK.RD && !mayRead(file)) || (type === F_LOCK.WR && !mayWrite(file)))) throw new Errno(E.BADF);
  return holding(file, eager(lockRange(ctx, file, { how, byFile }, type, address)));
}

function* lockRange(ctx: SyscallContext, file: OpenFile, { how, byFile }: Command, type: number, address: number): Blocking<number> {
  const whence = u32At(ctx.user.read(address, 4)) >>> 16;
  const from = yield* settle(base(file, whence));
  const start = from + ctx.user.getI64(address + 8);
  const size = ctx.user.getI64(address + 16);
  const first = size < 0 ? start + size : start;
  const last = size === 0 ? LAST_BYTE : size < 0 ? start - 1 : start + size - 1;
  if (first < 0) throw new Errno(E.INVAL);
  if (last > LAST_BYTE || first > LAST_BYTE) throw new Errno(E.OVERFLOW);
  const { pid, files } = ctx.process;
  const holder = byFile ? ctx.vfs.newLockHolder() : `process ${pid}`;
  // From now on its closing a file gives up its locks there.
  if (!byFile && how !== 'test') files.locker = holder;
  const found = yield* settle(file.lock({ kind: 'record', type, first, last, holder, pid: byFile ? -1 : pid, how, byFile }));
  if (how === 'test') writeFound(ctx, address, found);
  return 0;
}

/** Where the offsets of a lock count from. */
function base(file: OpenFile, whence: number): Maybe<number> {
  if (whence === 0) return 0;
  if (whence === 1) return file.seek(0, 1);
  if (whence === 2) return after(file.attributes(), ({ size }) => size);
  throw new Errno(E.INVAL);
}

function writeFound(ctx: SyscallContext, address: number, found: Lock | null): void {
  if (found === null) {
    ctx.user.write(address, Uint8Array.of(F_LOCK.UN, 0));
    return;
  }
  const bytes = new Uint8Array(FLOCK_BYTES);
  setU32(bytes, found.type);
  setU64(bytes, found.first, 8);
  setU64(bytes, found.last === LAST_BYTE ? 0 : found.last - found.first + 1, 16);
  setU32(bytes, found.pid, 24);
  ctx.user.write(address, bytes);
}
