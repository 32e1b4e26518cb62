/**
 * Reading, writing and moving about in open files.
 *
 * Always holds: user buffers are checked before a file is touched, so that a wild pointer takes nothing out of a pipe. Data goes by way
 * of a buffer of the kernel's, in pieces, so that no call asks for more host memory than one piece.
 */
import { E, Errno } from '../abi/errno.ts';
import { IOV_MAX, RLIMIT_FSIZE, TRANSFER_MAX } from '../abi/fcntl.ts';
import { SIG } from '../abi/signal.ts';
import { fillRandom } from '../fs/dev/memory.ts';
import { mayRead, mayWrite, type IoContext, type OpenFile } from '../fs/file.ts';
import { after, eager } from '../fs/maybe.ts';
import { signalsBreak } from '../fs/socket/socket.ts';
import { isBlocking, settle, type Blocking, type Maybe } from '../types.ts';
import type { SyscallContext } from './context.ts';
import { fileOf, holding, int, ioOf, unsigned } from './file-common.ts';

/** One piece of a long transfer: longer than any message of a socket, which stays whole. */
export const PIECE_BYTES = 1 << 19;
/** Position -1: the file's own. */
const OWN = -1;

export interface Vector {
  readonly address: number;
  readonly length: number;
}

function readable(ctx: SyscallContext, fd: number): OpenFile {
  const file = fileOf(ctx, fd);
  if (!mayRead(file)) throw new Errno(E.BADF);
  return file;
}

function writable(ctx: SyscallContext, fd: number): OpenFile {
  const file = fileOf(ctx, fd);
  if (!mayWrite(file)) throw new Errno(E.BADF);
  return file;
}

export function length(value: number): number {
  if (value < 0) throw new Errno(E.INVAL);
  return Math.min(value, TRANSFER_MAX);
}

// ── One buffer ──

export function read(ctx: SyscallContext, fd: number, address: number, count: number): Maybe<number> {
  return readInto(ctx, readable(ctx, fd), address, length(count), OWN);
}

export function pread64(ctx: SyscallContext, fd: number, address: number, count: number, position: number): Maybe<number> {
  if (position < 0) throw new Errno(E.INVAL);
  return readInto(ctx, checkSeekable(readable(ctx, fd)), address, length(count), position);
}

export function write(ctx: SyscallContext, fd: number, address: number, count: number): Maybe<number> {
  return writeFrom(ctx, writable(ctx, fd), address, length(count), OWN);
}

export function pwrite64(ctx: SyscallContext, fd: number, address: number, count: number, position: number): Maybe<number> {
  if (position < 0) throw new Errno(E.INVAL);
  return writeFrom(ctx, checkSeekable(writable(ctx, fd)), address, length(count), position);
}

function checkSeekable(file: OpenFile): OpenFile {
  if (!file.seekable) throw new Errno(E.SPIPE);
  return file;
}

function readInto(ctx: SyscallContext, file: OpenFile, address: number, count: number, position: number): Maybe<number> {
  ctx.user.check(address, count, true);
  if (count > PIECE_BYTES) return holding(file, eager(readPieces(ctx, file, address, count, position)));
  const buffer = new Uint8Array(count);
  const io = ioOf(ctx);
  const got = position === OWN ? file.read(buffer, io) : file.pread(buffer, position, io);
  if (isBlocking(got))
    return holding(
      file,
      after(got, bytes => delivered(ctx, address, buffer, bytes)),
    );
  return delivered(ctx, address, buffer, got);
}

function delivered(ctx: SyscallContext, address: number, buffer: Uint8Array, bytes: number): number {
  if (bytes > 0) ctx.user.write(address, buffer.subarray(0, bytes));
  return bytes;
}

function* readPieces(ctx: SyscallContext, file: OpenFile, address: number, count: number, position: number): Blocking<number> {
  const buffer = new Uint8Array(PIECE_BYTES);
  const io = ioOf(ctx);
  let done = 0;
  try {
    while (done < count) {
      const piece = buffer.subarray(0, Math.min(PIECE_BYTES, count - done));
      const got = yield* settle(position === OWN ? file.read(piece, io) : file.pread(piece, position + done, io));
      delivered(ctx, address + done, piece, got);
      done += got;
      // What isn't a disk file gives what it has, and is not waited for again.
      if (got < piece.length || file.kind !== 'file') break;
    }
  } catch (error) {
    if (done === 0 || !(error instanceof Errno)) throw error;
  }
  return done;
}

function writeFrom(ctx: SyscallContext, file: OpenFile, address: number, count: number, position: number): Maybe<number> {
  ctx.user.check(address, count, false);
  if (count > PIECE_BYTES) return signalled(ctx, file, holding(file, eager(writePieces(ctx, file, address, count, position))));
  return guarded(ctx, file, () => store(ctx, file, ctx.user.read(address, count), position, ioOf(ctx)));
}

function store(ctx: SyscallContext, file: OpenFile, bytes: Uint8Array, position: number, io: IoContext): Maybe<number> {
  const limit = ctx.process.rlimits.get(RLIMIT_FSIZE)?.[0] ?? Number.POSITIVE_INFINITY;
  let source = bytes;
  if (Number.isFinite(limit) && file.kind === 'file') {
    const at = position === OWN ? file.position : position;
    if (at >= limit && bytes.length > 0) {
      ctx.raise(SIG.XFSZ);
      throw new Errno(E.FBIG);
    }
    source = bytes.subarray(0, Math.max(0, limit - at));
  }
  return position === OWN ? file.write(source, io) : file.pwrite(source, position, io);
}

function* writePieces(ctx: SyscallContext, file: OpenFile, address: number, count: number, position: number): Blocking<number> {
  const io = ioOf(ctx);
  let done = 0;
  try {
    while (done < count) {
      const piece = ctx.user.read(address + done, Math.min(PIECE_BYTES, count - done));
      const put = yield* settle(store(ctx, file, piece, position === OWN ? OWN : position + done, io));
      done += put;
      if (put < piece.length) break;
    }
  } catch (error) {
    if (done === 0 || !(error instanceof Errno)) throw error;
  }
  return done;
}

/** Runs a write; EPIPE brings SIGPIPE with it. */
function guarded(ctx: SyscallContext, file: OpenFile, work: () => Maybe<number>): Maybe<number> {
  try {
    const result = work();
    return isBlocking(result) ? signalled(ctx, file, holding(file, result)) : result;
  } catch (error) {
    throw brokenPipe(ctx, file, error);
  }
}

function signalled(ctx: SyscallContext, file: OpenFile, work: Maybe<number>): Maybe<number> {
  return isBlocking(work) ? catchPipe(ctx, file, work) : work;
}

function* catchPipe(ctx: SyscallContext, file: OpenFile, work: Blocking<number>): Blocking<number> {
  try {
    return yield* work;
  } catch (error) {
    throw brokenPipe(ctx, file, error);
  }
}

export function brokenPipe(ctx: SyscallContext, file: OpenFile, error: unknown): unknown {
  if (error instanceof Errno && error.errno === E.PIPE && signalsBreak(file)) ctx.raise(SIG.PIPE);
  return error;
}

// ── Several buffers ──

export function vectors(ctx: SyscallContext, address: number, count: number, write: boolean): Vector[] {
  const n = int(count);
  if (n < 0 || n > IOV_MAX) throw new Errno(E.INVAL);
  const raw = ctx.user.read(address, n * 16);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const list: Vector[] = [];
  let total = 0;
  for (let i = 0; i < n; i++) {
    const base = Number(view.getBigInt64(16 * i, true));
    const size = Number(view.getBigInt64(16 * i + 8, true));
    if (size < 0) throw new Errno(E.INVAL);
    const rest = Math.min(size, TRANSFER_MAX - total);
    total += rest;
    if (rest === 0) continue;
    ctx.user.check(base, rest, write);
    list.push({ address: base, length: rest });
  }
  return list;
}

export function readv(ctx: SyscallContext, fd: number, address: number, count: number): Maybe<number> {
  return scatter(ctx, readable(ctx, fd), vectors(ctx, address, count, true), OWN);
}

export function writev(ctx: SyscallContext, fd: number, address: number, count: number): Maybe<number> {
  return gather(ctx, writable(ctx, fd), vectors(ctx, address, count, false), OWN);
}

export function preadv(ctx: SyscallContext, fd: number, address: number, count: number, position: number): Maybe<number> {
  if (position < 0) throw new Errno(E.INVAL);
  return scatter(ctx, checkSeekable(readable(ctx, fd)), vectors(ctx, address, count, true), position);
}

export function pwritev(ctx: SyscallContext, fd: number, address: number, count: number, position: number): Maybe<number> {
  if (position < 0) throw new Errno(E.INVAL);
  return gather(ctx, checkSeekable(writable(ctx, fd)), vectors(ctx, address, count, false), position);
}

/** The flags that preadv2 and pwritev2 know are hints to a disk. */
const RWF_HINTS = 0x1 | 0x2 | 0x4;

export function preadv2(
  ctx: SyscallContext,
  fd: number,
  address: number,
  count: number,
  position: number,
  _high: number,
  flags: number,
): Maybe<number> {
  if (unsigned(flags) & ~RWF_HINTS) throw new Errno(E.OPNOTSUPP);
  return position === -1 ? readv(ctx, fd, address, count) : preadv(ctx, fd, address, count, position);
}

export function pwritev2(
  ctx: SyscallContext,
  fd: number,
  address: number,
  count: number,
  position: number,
  _high: number,
  flags: number,
): Maybe<number> {
  if (unsigned(flags) & ~RWF_HINTS) throw new Errno(E.OPNOTSUPP);
  return position === -1 ? writev(ctx, fd, address, count) : pwritev(ctx, fd, address, count, position);
}

function scatter(ctx: SyscallContext, file: OpenFile, list: readonly Vector[], position: number): Maybe<number> {
  const total = list.reduce((sum, vector) => sum + vector.length, 0);
  if (list.length === 1 && list[0]) return readInto(ctx, file, list[0].address, list[0].length, position);
  if (total > PIECE_BYTES)
    return holding(file, eager(inTurn(list, position, (vector, at) => readInto(ctx, file, vector.address, vector.length, at))));
  const buffer = new Uint8Array(total);
  const io = ioOf(ctx);
  return holding(
    file,
    after(position === OWN ? file.read(buffer, io) : file.pread(buffer, position, io), got => {
      let from = 0;
      for (const vector of list) {
        if (from >= got) break;
        ctx.user.write(vector.address, buffer.subarray(from, Math.min(got, from + vector.length)));
        from += vector.length;
      }
      return got;
    }),
  );
}

/** Small vectors are written in one go, which keeps lines of several writers apart. */
function gather(ctx: SyscallContext, file: OpenFile, list: readonly Vector[], position: number): Maybe<number> {
  const total = list.reduce((sum, vector) => sum + vector.length, 0);
  if (total > PIECE_BYTES)
    return holding(file, eager(inTurn(list, position, (vector, at) => writeFrom(ctx, file, vector.address, vector.length, at))));
  const buffer = new Uint8Array(total);
  let to = 0;
  for (const vector of list) {
    buffer.set(ctx.user.read(vector.address, vector.length), to);
    to += vector.length;
  }
  return guarded(ctx, file, () => store(ctx, file, buffer, position, ioOf(ctx)));
}

function* inTurn(list: readonly Vector[], position: number, move: (vector: Vector, position: number) => Maybe<number>): Blocking<number> {
  let done = 0;
  try {
    for (const vector of list) {
      const moved = yield* settle(move(vector, position === OWN ? OWN : position + done));
      done += moved;
      if (moved < vector.length) break;
    }
  } catch (error) {
    if (done === 0 || !(error instanceof Errno)) throw error;
  }
  return done;
}

// ── Positions and sizes ──

export function lseek(ctx: SyscallContext, fd: number, offset: number, whence: number): Maybe<number> {
  return fileOf(ctx, fd).seek(offset, int(whence));
}

export function ftruncate(ctx: SyscallContext, fd: number, size: number): Maybe<number> {
  const file = fileOf(ctx, fd);
  if (size < 0 || !mayWrite(file)) throw new Errno(E.INVAL);
  return after(file.truncate(size), () => 0);
}

export function fallocate(ctx: SyscallContext, fd: number, mode: number, offset: number, size: number): Maybe<number> {
  return after(writable(ctx, fd).allocate(int(mode), offset, size), () => 0);
}

export function fsync(ctx: SyscallContext, fd: number): Maybe<number> {
  return after(fileOf(ctx, fd).sync(), () => 0);
}

/** What will be read is read when it is. */
export function readahead(ctx: SyscallContext, fd: number): number {
  fileOf(ctx, fd);
  return 0;
}

/** All files are written that lie on a disk. */
export function sync(ctx: SyscallContext): Maybe<number> {
  return eager(syncSteps(ctx));
}
function* syncSteps(ctx: SyscallContext): Blocking<number> {
  for (const { fileSystem } of [...ctx.vfs.mounts]) yield* settle(fileSystem.flush?.());
  return 0;
}

export function fadvise64(ctx: SyscallContext, fd: number, _offset: number, _length: number, advice: number): number {
  if (fileOf(ctx, fd).kind === 'pipe') throw new Errno(E.SPIPE);
  if (int(advice) < 0 || int(advice) > 5) throw new Errno(E.INVAL);
  return 0;
}

// ── From file to file ──

export function sendfile(ctx: SyscallContext, outFd: number, inFd: number, offset: number, count: number): Maybe<number> {
  const from = readable(ctx, inFd);
  const to = writable(ctx, outFd);
  if (from.kind === 'pipe') throw new Errno(E.INVAL);
  return eager(copyBetween(ctx, from, to, offset, 0, length(count)));
}

export function splice(
  ctx: SyscallContext,
  inFd: number,
  inOffset: number,
  outFd: number,
  outOffset: number,
  count: number,
): Maybe<number> {
  const from = readable(ctx, inFd);
  const to = writable(ctx, outFd);
  if (from.kind !== 'pipe' && to.kind !== 'pipe') throw new Errno(E.INVAL);
  if ((inOffset && !from.seekable) || (outOffset && !to.seekable)) throw new Errno(E.SPIPE);
  return eager(copyBetween(ctx, from, to, inOffset, outOffset, Math.min(length(count), 65536)));
}

export function copyFileRange(
  ctx: SyscallContext,
  inFd: number,
  inOffset: number,
  outFd: number,
  outOffset: number,
  count: number,
  flags: number,
): Maybe<number> {
  if (flags !== 0) throw new Errno(E.INVAL);
  const from = readable(ctx, inFd);
  const to = writable(ctx, outFd);
  if (from.kind !== 'file' || to.kind !== 'file') throw new Errno(E.INVAL);
  return eager(copyBetween(ctx, from, to, inOffset, outOffset, length(count)));
}

/** `inOffset`, `outOffset`: user addresses of positions that are used and moved instead of the file's own; 0 for none. */
function* copyBetween(
  ctx: SyscallContext,
  from: OpenFile,
  to: OpenFile,
  inOffset: number,
  outOffset: number,
  count: number,
): Blocking<number> {
  const io = ioOf(ctx);
  let inPosition = inOffset ? ctx.user.getI64(inOffset) : OWN;
  let outPosition = outOffset ? ctx.user.getI64(outOffset) : OWN;
  if (inOffset) ctx.user.check(inOffset, 8, true);
  if (outOffset) ctx.user.check(outOffset, 8, true);
  const buffer = new Uint8Array(Math.min(count, 65536));
  let done = 0;
  from.retain();
  to.retain();
  try {
    while (done < count) {
      const piece = buffer.subarray(0, Math.min(buffer.length, count - done));
      const got = yield* settle(inPosition === OWN ? from.read(piece, io) : from.pread(piece, inPosition, io));
      if (got === 0) break;
      let put = 0;
      try {
        while (put < got) {
          const more = yield* settle(
            outPosition === OWN ? to.write(piece.subarray(put, got), io) : to.pwrite(piece.subarray(put, got), outPosition, io),
          );
          put += more;
          if (outPosition !== OWN) outPosition += more;
        }
      } finally {
        // What could not be written was not read.
        if (inPosition !== OWN) inPosition += put;
        else if (put < got && from.seekable) yield* settle(from.seek(put - got, 1));
        done += put;
      }
      if (from.kind !== 'file') break;
    }
  } catch (error) {
    if (done === 0 || !(error instanceof Errno)) throw brokenPipe(ctx, to, error);
  } finally {
    yield* settle(from.release());
    yield* settle(to.release());
  }
  if (inOffset) ctx.user.setI64(inOffset, inPosition);
  if (outOffset) ctx.user.setI64(outOffset, outPosition);
  return done;
}

// ── Randomness ──

export function getrandom(ctx: SyscallContext, address: number, count: number, flags: number): number {
  if (unsigned(flags) & ~7) throw new Errno(E.INVAL);
  const bytes = Math.min(length(count), PIECE_BYTES);
  ctx.user.check(address, bytes, true);
  const buffer = new Uint8Array(bytes);
  fillRandom(ctx.services, buffer);
  ctx.user.write(address, buffer);
  return bytes;
}
