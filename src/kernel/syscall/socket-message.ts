/**
 * Messages between user memory and sockets: msghdr, the pieces of the data, and control messages (descriptors, credentials).
 *
 * Always holds: the user's buffers are checked before a message is taken out of a socket.
 */
import { E, Errno } from '../abi/errno.ts';
import { CMSGHDR_BYTES, cmsgAlign, MSG, SCM, SCM_MAX_FD, SO, SOCK, SOL_SOCKET } from '../abi/socket.ts';
import { setU32, setU64, u32At, u64At } from '../fs/bytes.ts';
import type { OpenFile } from '../fs/file.ts';
import { releaseAll } from '../fs/socket/flow.ts';
import { credentialBytes } from '../fs/socket/options.ts';
import { credentialsOf, type Message, type Received, type Socket, type SocketCredentials, type SocketName } from '../fs/socket/socket.ts';
import { type Blocking, settle } from '../types.ts';
import type { SyscallContext } from './context.ts';
import { descriptorLimit, fileOf, ioOf } from './file-common.ts';
import { brokenPipe, PIECE_BYTES, vectors, type Vector } from './file-io.ts';
import { timed } from './socket-time.ts';

export interface MessageHeader {
  readonly name: number;
  readonly nameBytes: number;
  readonly data: readonly Vector[];
  readonly control: number;
  readonly controlBytes: number;
}

/** `write`: whether the pieces are going to be written to. */
export function headerAt(ctx: SyscallContext, address: number, write: boolean): MessageHeader {
  const [name, nameBytes, pieces, count, control, controlBytes] = [
    ctx.user.getU64(address),
    ctx.user.getU32(address + 8) | 0,
    ctx.user.getU64(address + 16),
    ctx.user.getU64(address + 24),
    ctx.user.getU64(address + 32),
    ctx.user.getU64(address + 40),
  ];
  if (nameBytes < 0) throw new Errno(E.INVAL);
  if (count > 1024) throw new Errno(E.MSGSIZE);
  if (controlBytes > 0x7fffffff) throw new Errno(E.NOBUFS);
  return { name, nameBytes: name === 0 ? 0 : nameBytes, data: vectors(ctx, pieces, count, write), control, controlBytes };
}

// ── Sending ──

/** What a message carries beside its bytes. */
export interface Enclosed {
  readonly files: readonly OpenFile[];
  readonly credentials: SocketCredentials;
}

/** The control messages that a program wrote. The files are not retained yet. Throws EINVAL, EBADF, EPERM. */
export function enclosedAt(ctx: SyscallContext, address: number, bytes: number): Enclosed {
  let credentials = credentialsOf(ioOf(ctx));
  const files: OpenFile[] = [];
  if (address === 0 || bytes < CMSGHDR_BYTES) return { files, credentials };
  if (bytes > PIECE_BYTES) throw new Errno(E.NOBUFS);
  const control = ctx.user.read(address, bytes);
  for (let at = 0; at + CMSGHDR_BYTES <= bytes; ) {
    const length = u64At(control, at);
    if (length < CMSGHDR_BYTES || length > bytes - at) throw new Errno(E.INVAL);
    const data = control.subarray(at + CMSGHDR_BYTES, at + length);
    const type = u32At(control, at + 12);
    at += cmsgAlign(length);
    if (u32At(control, at - cmsgAlign(length) + 8) !== SOL_SOCKET) continue;
    if (type === SCM.RIGHTS) {
      for (let i = 0; i + 4 <= data.length; i += 4) files.push(fileOf(ctx, u32At(data, i)));
      if (files.length > SCM_MAX_FD) throw new Errno(E.INVAL);
    } else if (type === SCM.CREDENTIALS) {
      if (data.length !== 12) throw new Errno(E.INVAL);
      credentials = claimed(ctx, { pid: u32At(data), uid: u32At(data, 4), gid: u32At(data, 8) });
    } else throw new Errno(E.INVAL);
  }
  return { files, credentials };
}

/** Who is not user 0 may only say what is true of itself. */
function claimed(ctx: SyscallContext, claim: SocketCredentials): SocketCredentials {
  const { pid, credentials } = ctx.process;
  const { uid, euid, suid, gid, egid, sgid } = credentials;
  const honest = claim.pid === pid && [uid, euid, suid].includes(claim.uid) && [gid, egid, sgid].includes(claim.gid);
  if (!honest && euid !== 0) throw new Errno(E.PERM);
  return claim;
}

/** Sends the pieces as one message; a stream's may be long and go in several. */
export function* sendPieces(
  ctx: SyscallContext,
  socket: Socket,
  pieces: readonly Vector[],
  to: SocketName | null,
  { files, credentials }: Enclosed,
  flags: number,
): Blocking<number> {
  if (flags & MSG.OOB) throw new Errno(E.OPNOTSUPP);
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (socket.socket.type !== SOCK.STREAM && total > PIECE_BYTES) throw new Errno(E.MSGSIZE);
  const io = ioOf(ctx);
  let done = 0;
  socket.retain();
  try {
    do {
      const bytes = gathered(ctx, pieces, done, Math.min(PIECE_BYTES, total - done));
      const enclosed = done === 0 ? files : [];
      for (const file of enclosed) file.retain();
      let sent: number;
      try {
        const message: Message = { bytes, files: enclosed, credentials, to };
        sent = yield* timed(
          ctx,
          socket,
          SO.SNDTIMEO,
          socket.send(message, { flags, deadline: io.deadline ?? Number.POSITIVE_INFINITY }, io),
        );
      } catch (error) {
        yield* settle(releaseAll(enclosed));
        throw error;
      }
      done += sent;
      if (sent < bytes.length) break;
    } while (done < total);
  } catch (error) {
    if (done === 0 || !(error instanceof Errno)) throw flags & MSG.NOSIGNAL ? error : brokenPipe(ctx, socket, error);
  } finally {
    yield* settle(socket.release());
  }
  return done;
}

function gathered(ctx: SyscallContext, pieces: readonly Vector[], from: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  let at = -from;
  for (const { address, length } of pieces) {
    const start = Math.max(0, -at);
    const end = Math.min(length, count - at);
    if (start < end) bytes.set(ctx.user.read(address + start, end - start), at + start);
    at += length;
  }
  return bytes;
}

// ── Receiving ──

/** Receives a message and puts its bytes into the pieces. */
export function* receivePieces(ctx: SyscallContext, socket: Socket, pieces: readonly Vector[], flags: number): Blocking<Received> {
  if (flags & MSG.OOB) throw new Errno(E.OPNOTSUPP);
  const count = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const io = ioOf(ctx);
  socket.retain();
  let got: Received;
  try {
    got = yield* timed(ctx, socket, SO.RCVTIMEO, socket.receive(count, { flags, deadline: io.deadline ?? Number.POSITIVE_INFINITY }, io));
  } finally {
    yield* settle(socket.release());
  }
  let at = 0;
  for (const { address, length } of pieces) {
    if (at >= got.bytes.length) break;
    ctx.user.write(address, got.bytes.subarray(at, at + length));
    at += length;
  }
  return got;
}

/** Writes control messages and hands descriptors out. What does not fit is dropped, and MSG_CTRUNC says so. */
export function* deliverEnclosed(
  ctx: SyscallContext,
  { control, controlBytes }: MessageHeader,
  { files, credentials, control: told = [] }: Received,
  flags: number,
): Blocking<{ readonly used: number; readonly flags: number }> {
  let used = 0;
  let truncated = 0;
  const put = (type: number, data: Uint8Array, level: number = SOL_SOCKET): void => {
    const room = controlBytes - used;
    if (control === 0 || room < CMSGHDR_BYTES) {
      truncated = MSG.CTRUNC;
      return;
    }
    const length = Math.min(room, CMSGHDR_BYTES + data.length);
    if (length < CMSGHDR_BYTES + data.length) truncated = MSG.CTRUNC;
    const bytes = new Uint8Array(CMSGHDR_BYTES + data.length);
    setU64(bytes, length);
    setU32(bytes, level, 8);
    setU32(bytes, type, 12);
    bytes.set(data, CMSGHDR_BYTES);
    ctx.user.write(control + used, bytes.subarray(0, length));
    used = Math.min(controlBytes, used + cmsgAlign(length));
  };
  for (const { level, type, data } of told) put(type, Uint8Array.from(data), level);
  if (credentials !== null) put(SCM.CREDENTIALS, credentialBytes(credentials));
  if (files.length > 0) {
    const room = control === 0 ? 0 : Math.max(0, Math.floor((controlBytes - used - CMSGHDR_BYTES) / 4));
    yield* findPlaces(ctx, files);
    const fds = takeIn(ctx, files.slice(0, room), (flags & MSG.CMSG_CLOEXEC) !== 0);
    if (fds.length > 0) put(SCM.RIGHTS, new Uint8Array(Uint32Array.from(fds).buffer));
    if (fds.length < files.length) truncated = MSG.CTRUNC;
    yield* settle(releaseAll(files.slice(fds.length)));
  }
  return { used, flags: truncated };
}

/** A directory of another kernel is to be found in this one's tree, for openat and fchdir. */
function* findPlaces({ vfs }: SyscallContext, files: readonly OpenFile[]): Blocking<void> {
  for (const file of files) {
    if (file.kind !== 'directory' || file.dentry !== null) continue;
    try {
      file.dentry = yield* settle(vfs.walk(vfs.kernelCaller(), vfs.root, file.label));
    } catch (error) {
      // It has no name any more.
      if (!(error instanceof Errno)) throw error;
    }
  }
}

/** Descriptors for as many of the files as the table has room for. */
function takeIn(ctx: SyscallContext, files: readonly OpenFile[], closeOnExec: boolean): number[] {
  const fds: number[] = [];
  try {
    for (const file of files) fds.push(ctx.process.files.add(file, closeOnExec, descriptorLimit(ctx)));
  } catch (error) {
    if (!(error instanceof Errno)) throw error;
  }
  return fds;
}
