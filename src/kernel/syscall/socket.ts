/**
 * The socket calls of Linux RV64: addresses and options between user memory and whatever family a socket is of.
 *
 * A name is looked up here, in the tree and with the rights of the caller; from then on it is plain data, and the socket may be another
 * kernel's.
 */
import { E, Errno } from '../abi/errno.ts';
import { O } from '../abi/fcntl.ts';
import { AF, MMSGHDR_BYTES, MSG, MSGHDR_BYTES, SHUT, SO, SOCK, SOCKADDR_BYTES_MAX, SOL_SOCKET } from '../abi/socket.ts';
import { fromBytes, toBytes } from '../fs/bytes.ts';
import { after, eager } from '../fs/maybe.ts';
import { FAMILIES } from '../fs/socket/families.ts';
import { isSocket, type NameSpace, type Socket, type SocketFamily, type SocketName } from '../fs/socket/socket.ts';
import { type Blocking, type Maybe, settle } from '../types.ts';
import type { CallRow, SyscallContext, SyscallHandler } from './context.ts';
import { addFile, addPair, callerOf, descriptorLimit, fileOf, holding, int, ioOf, unsigned } from './file-common.ts';
import { length } from './file-io.ts';
import { receiving, sending } from './socket-time.ts';
import { deliverEnclosed, enclosedAt, headerAt, receivePieces, sendPieces } from './socket-message.ts';

function socketOf(ctx: SyscallContext, fd: number): Socket {
  const file = fileOf(ctx, fd);
  if (file.flags & O.PATH) throw new Errno(E.BADF);
  if (!isSocket(file)) throw new Errno(E.NOTSOCK);
  return file;
}

function familyOf(number: number): SocketFamily {
  const family = FAMILIES[number];
  if (family === undefined) throw new Errno(E.AFNOSUPPORT);
  return family;
}

const spaceOf = (ctx: SyscallContext): NameSpace => ({ vfs: ctx.vfs, caller: callerOf(ctx) });

// ── Addresses ──

interface Address {
  readonly family: number;
  readonly data: string;
}

function addressAt(ctx: SyscallContext, address: number, bytes: number): Address {
  if (int(bytes) < 0 || bytes > SOCKADDR_BYTES_MAX) throw new Errno(E.INVAL);
  if (bytes < 2) throw new Errno(E.INVAL);
  const raw = ctx.user.read(address, bytes);
  return { family: (raw[0] as number) | ((raw[1] as number) << 8), data: fromBytes(raw.subarray(2)) };
}

/** The data of an address of the socket's own family. */
function ownAddress(ctx: SyscallContext, socket: Socket, address: number, bytes: number): string {
  const { family, data } = addressAt(ctx, address, bytes);
  if (family !== socket.socket.family) throw new Errno(familyOf(socket.socket.family).wrongFamily);
  return data;
}

function destination(ctx: SyscallContext, socket: Socket, address: number, bytes: number): Maybe<SocketName | null> {
  if (address === 0 || bytes === 0) return null;
  // A stream has no use for it: it says so itself.
  if (socket.socket.type === SOCK.STREAM) return { data: '', at: null };
  if (socket.socket.type === SOCK.SEQPACKET) return null;
  return familyOf(socket.socket.family).find(spaceOf(ctx), socket, ownAddress(ctx, socket, address, bytes));
}

/** Writes an address as far as there is room, and its whole length. */
function writeAddress(ctx: SyscallContext, bytes: Uint8Array, address: number, lengthAt: number): void {
  const room = ctx.user.getU32(lengthAt) | 0;
  if (room < 0) throw new Errno(E.INVAL);
  ctx.user.write(address, bytes.subarray(0, room));
  ctx.user.setU32(lengthAt, bytes.length);
}

const addressBytes = (socket: Socket, data: string): Uint8Array => toBytes(`${String.fromCharCode(socket.socket.family)}\0${data}`);
/** Of a message's sender: nothing at all for one without a name. */
const senderBytes = (socket: Socket, from: string): Uint8Array => (from === '' ? new Uint8Array(0) : addressBytes(socket, from));

// ── Making ──

const STATUS_FLAGS = SOCK.NONBLOCK | SOCK.CLOEXEC;

function typeAndFlags(value: number): readonly [type: number, flags: number] {
  if (unsigned(value) & ~(SOCK.TYPE | STATUS_FLAGS)) throw new Errno(E.INVAL);
  return [value & SOCK.TYPE, value & STATUS_FLAGS];
}

const socket: SyscallHandler = (ctx, family, typeValue, protocol) => {
  const [type, flags] = typeAndFlags(typeValue);
  const row = familyOf(int(family));
  const { origin } = ctx.process;
  const io = ioOf(ctx);
  const made: Maybe<Socket> =
    row.atOrigin && origin !== ctx.services.kernel
      ? ctx.services.farSocket(origin, { family: int(family), type, protocol: int(protocol), flags: flags & SOCK.NONBLOCK }, io)
      : row.create(ctx.vfs, type, int(protocol), flags & SOCK.NONBLOCK, io);
  return after(made, file => addFile(ctx, file, (flags & SOCK.CLOEXEC) !== 0));
};

const socketpair: SyscallHandler = (ctx, family, typeValue, protocol, address) => {
  const [type, flags] = typeAndFlags(typeValue);
  ctx.user.check(address, 8, true);
  const { pair } = familyOf(int(family));
  if (pair === null) throw new Errno(E.OPNOTSUPP);
  const ends = pair(ctx.vfs, type, int(protocol), flags & SOCK.NONBLOCK, ioOf(ctx));
  return addPair(ctx, ends, (flags & SOCK.CLOEXEC) !== 0, address);
};

// ── Names and connections ──

const bind: SyscallHandler = (ctx, fd, address, bytes) => {
  const own = socketOf(ctx, fd);
  const data = ownAddress(ctx, own, address, bytes);
  return after(familyOf(own.socket.family).bind(spaceOf(ctx), own, data), () => 0);
};

const listen: SyscallHandler = (ctx, fd, backlog) => after(socketOf(ctx, fd).listen(int(backlog), ioOf(ctx)), () => 0);

const connect: SyscallHandler = (ctx, fd, address, bytes) => {
  const own = socketOf(ctx, fd);
  const { family } = addressAt(ctx, address, bytes);
  return holding(own, eager(connectTo(ctx, own, family === AF.UNSPEC ? null : ownAddress(ctx, own, address, bytes))));
};

function* connectTo(ctx: SyscallContext, own: Socket, data: string | null): Blocking<number> {
  const name = data === null ? null : yield* settle(familyOf(own.socket.family).find(spaceOf(ctx), own, data));
  yield* settle(own.connect(name, ioOf(ctx)));
  return 0;
}

const accept4: SyscallHandler = (ctx, fd, address, lengthAt, flags) => {
  if (unsigned(flags) & ~STATUS_FLAGS) throw new Errno(E.INVAL);
  const own = socketOf(ctx, fd);
  ctx.process.files.checkRoom(descriptorLimit(ctx));
  if (address !== 0) ctx.user.check(lengthAt, 4, true);
  return holding(
    own,
    after(own.accept(flags & SOCK.NONBLOCK, ioOf(ctx)), ({ socket: made, from }) => {
      if (address !== 0) writeAddress(ctx, addressBytes(own, from), address, lengthAt);
      return addFile(ctx, made, (flags & SOCK.CLOEXEC) !== 0);
    }),
  );
};
const accept: SyscallHandler = (ctx, fd, address, lengthAt) => accept4(ctx, fd, address, lengthAt, 0, 0, 0);

const shutdown: SyscallHandler = (ctx, fd, how) => {
  const own = socketOf(ctx, fd);
  if (int(how) < SHUT.RD || int(how) > SHUT.RDWR) throw new Errno(E.INVAL);
  return after(own.shutdown(int(how)), () => 0);
};

const name =
  (which: 'ownName' | 'peerName'): SyscallHandler =>
  (ctx, fd, address, lengthAt) => {
    const own = socketOf(ctx, fd);
    return after(own[which](), data => {
      writeAddress(ctx, addressBytes(own, data), address, lengthAt);
      return 0;
    });
  };

// ── Options ──

const getsockopt: SyscallHandler = (ctx, fd, level, option, address, lengthAt) => {
  const own = socketOf(ctx, fd);
  const room = ctx.user.getU32(lengthAt) | 0;
  if (room < 0) throw new Errno(E.INVAL);
  return after(own.option(int(level), int(option)), value => {
    const bytes = value.subarray(0, room);
    ctx.user.write(address, bytes);
    ctx.user.setU32(lengthAt, bytes.length);
    return 0;
  });
};

const OPTION_BYTES_MAX = 256;

const setsockopt: SyscallHandler = (ctx, fd, level, option, address, bytes) => {
  const own = socketOf(ctx, fd);
  if (int(bytes) < 0) throw new Errno(E.INVAL);
  const filters = int(level) === SOL_SOCKET && int(option) === SO.ATTACH_FILTER;
  const value = filters ? filterAt(ctx, address, bytes) : ctx.user.read(address, Math.min(bytes, OPTION_BYTES_MAX));
  return after(own.setOption(int(level), int(option), value), () => 0);
};

/** struct sock_fprog: a count and a pointer to instructions of eight bytes. What the option gets is the instructions. */
function filterAt(ctx: SyscallContext, address: number, bytes: number): Uint8Array {
  if (bytes < 16) throw new Errno(E.INVAL);
  return ctx.user.read(ctx.user.getU64(address + 8), 8 * (ctx.user.getU32(address) & 0xffff));
}

// ── Messages ──

const sendto: SyscallHandler = (ctx, fd, address, count, flags, nameAt, nameBytes) => {
  const own = socketOf(ctx, fd);
  const size = length(count);
  ctx.user.check(address, size, false);
  const enclosed = enclosedAt(ctx, 0, 0);
  return eager(
    (function* () {
      const to = yield* settle(destination(ctx, own, nameAt, nameBytes));
      return yield* sendPieces(ctx, own, [{ address, length: size }], to, enclosed, unsigned(flags));
    })(),
  );
};

const recvfrom: SyscallHandler = (ctx, fd, address, count, flags, nameAt, lengthAt) => {
  const own = socketOf(ctx, fd);
  const size = length(count);
  ctx.user.check(address, size, true);
  if (nameAt !== 0) ctx.user.check(lengthAt, 4, true);
  return eager(
    (function* () {
      const got = yield* receivePieces(ctx, own, [{ address, length: size }], unsigned(flags));
      for (const file of got.files) yield* settle(file.release());
      if (nameAt !== 0) writeAddress(ctx, senderBytes(own, got.from), nameAt, lengthAt);
      return flags & MSG.TRUNC ? got.length : got.bytes.length;
    })(),
  );
};

const sendmsg: SyscallHandler = (ctx, fd, message, flags) => eager(sendOne(ctx, socketOf(ctx, fd), message, unsigned(flags)));

function* sendOne(ctx: SyscallContext, own: Socket, message: number, flags: number): Blocking<number> {
  const header = headerAt(ctx, message, false);
  const enclosed = enclosedAt(ctx, header.control, header.controlBytes);
  const to = yield* settle(destination(ctx, own, header.name, header.nameBytes));
  return yield* sendPieces(ctx, own, header.data, to, enclosed, flags);
}

const recvmsg: SyscallHandler = (ctx, fd, message, flags) => eager(receiveOne(ctx, socketOf(ctx, fd), message, unsigned(flags)));

const MSG_FLAGS_AT = 48;

function* receiveOne(ctx: SyscallContext, own: Socket, message: number, flags: number): Blocking<number> {
  ctx.user.check(message, MSGHDR_BYTES, true);
  const header = headerAt(ctx, message, true);
  const got = yield* receivePieces(ctx, own, header.data, flags);
  const told = yield* deliverEnclosed(ctx, header, got, flags);
  if (header.name !== 0) {
    const from = senderBytes(own, got.from);
    ctx.user.write(header.name, from.subarray(0, header.nameBytes));
    ctx.user.setU32(message + 8, from.length);
  }
  ctx.user.setI64(message + 40, told.used);
  const cut = got.length > got.bytes.length ? MSG.TRUNC : 0;
  ctx.user.setU32(message + MSG_FLAGS_AT, (flags & MSG.CMSG_CLOEXEC) | told.flags | cut);
  return flags & MSG.TRUNC ? got.length : got.bytes.length;
}

/** Several messages in one call: as many as go without an error; an error counts only for the first. */
const many =
  (one: (ctx: SyscallContext, own: Socket, message: number, flags: number) => Blocking<number>): SyscallHandler =>
  (ctx, fd, messages, count, flags, timeout) => {
    const own = socketOf(ctx, fd);
    if (timeout !== 0 && one === receiveOne) throw new Errno(E.OPNOTSUPP);
    return eager(each(ctx, own, messages, Math.min(unsigned(count), 1024), unsigned(flags), one));
  };

function* each(
  ctx: SyscallContext,
  own: Socket,
  messages: number,
  count: number,
  flags: number,
  one: (ctx: SyscallContext, own: Socket, message: number, flags: number) => Blocking<number>,
): Blocking<number> {
  let done = 0;
  try {
    for (; done < count; done++) {
      const more = done > 0 && flags & MSG.WAITFORONE ? MSG.DONTWAIT : 0;
      const at = messages + done * MMSGHDR_BYTES;
      ctx.user.setU32(at + MSGHDR_BYTES, yield* one(ctx, own, at, (flags & ~MSG.WAITFORONE) | more));
    }
  } catch (error) {
    if (done === 0 || !(error instanceof Errno)) throw error;
  }
  return done;
}

const full = (callName: string, handler: SyscallHandler): CallRow => ({ name: callName, handler, support: 'full' });
const NO_OOB = 'No out-of-band data.';

export const SOCKET_CALLS: Readonly<Record<number, CallRow>> = {
  198: { name: 'socket', handler: socket, support: 'partial', missing: 'Only the families of fs/socket/families.ts.' },
  199: full('socketpair', socketpair),
  200: full('bind', bind),
  201: full('listen', listen),
  202: full('accept', receiving(accept)),
  203: full('connect', sending(connect)),
  204: full('getsockname', name('ownName')),
  205: full('getpeername', name('peerName')),
  206: { name: 'sendto', handler: sendto, support: 'partial', missing: NO_OOB },
  207: { name: 'recvfrom', handler: recvfrom, support: 'partial', missing: NO_OOB },
  208: full('setsockopt', setsockopt),
  209: full('getsockopt', getsockopt),
  210: full('shutdown', shutdown),
  211: { name: 'sendmsg', handler: sendmsg, support: 'partial', missing: NO_OOB },
  212: { name: 'recvmsg', handler: recvmsg, support: 'partial', missing: NO_OOB },
  242: full('accept4', receiving(accept4)),
  243: { name: 'recvmmsg', handler: many(receiveOne), support: 'partial', missing: 'No timeout; no out-of-band data.' },
  269: { name: 'sendmmsg', handler: many(sendOne), support: 'partial', missing: NO_OOB },
};
