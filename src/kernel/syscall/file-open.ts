/** Calls that make, copy and close descriptors, and ask or tell open files things. */
import { E, Errno } from '../abi/errno.ts';
import { CLOSE_RANGE, F, FD_CLOEXEC, MEMFD_CLOEXEC, O, RESOLVE, SETTABLE_FLAGS } from '../abi/fcntl.ts';
import { ETHTOOL_BYTES_MAX } from '../abi/ethtool.ts';
import { IOCTL, IOCTLS } from '../abi/ioctl.ts';
import { EFD } from '../abi/poll.ts';
import { EpollFile } from '../fs/epoll.ts';
import { EventFile } from '../fs/eventfd.ts';
import type { OpenFile } from '../fs/file.ts';
import { after, eager } from '../fs/maybe.ts';
import { replyBytes } from '../fs/socket/inet/ethtool.ts';
import { RTENTRY_DEVICE_AT } from '../fs/socket/inet/ioctl.ts';
import { makePipe, PIPE_BYTES } from '../fs/pipe.ts';
import { namelessFile } from '../fs/tmpfs/file.ts';
import type { TmpFs } from '../fs/tmpfs/tmpfs.ts';
import { joined, toBytes, u32At, u64At } from '../fs/bytes.ts';
import { settle, type Blocking, type Maybe } from '../types.ts';
import type { SyscallContext } from './context.ts';
import { addFile, addPair, callerOf, descriptorLimit, fileOf, holding, int, ioOf, pathAt, startAt, unsigned } from './file-common.ts';
import { LOCK_COMMANDS, recordLock } from './file-lock.ts';

export function openat(ctx: SyscallContext, dirfd: number, path: number, flags: number, mode: number): Maybe<number> {
  return openPath(ctx, dirfd, pathAt(ctx, path), unsigned(flags), unsigned(mode));
}

function openPath(ctx: SyscallContext, dirfd: number, path: string, flags: number, mode: number): Maybe<number> {
  ctx.process.files.checkRoom(descriptorLimit(ctx));
  const start = startAt(ctx, dirfd, path);
  const made = mode & 0o7777 & ~ctx.process.fs.umask;
  return after(ctx.vfs.open(callerOf(ctx), start, path, flags, made), file => addFile(ctx, file, (flags & O.CLOEXEC) !== 0));
}

const OPEN_HOW_BYTES = 24;

export function openat2(ctx: SyscallContext, dirfd: number, path: number, how: number, size: number): Maybe<number> {
  if (size < OPEN_HOW_BYTES) throw new Errno(E.INVAL);
  const flags = ctx.user.getU64(how);
  const mode = ctx.user.getU64(how + 8);
  const resolve = ctx.user.getU64(how + 16);
  if (flags > 0x7fffffff || mode > 0o7777) throw new Errno(E.INVAL);
  if (resolve & ~(RESOLVE.NO_XDEV | RESOLVE.NO_MAGICLINKS | RESOLVE.NO_SYMLINKS | RESOLVE.BENEATH | RESOLVE.IN_ROOT | RESOLVE.CACHED))
    throw new Errno(E.INVAL);
  // Restricted resolution isn't there; a program that asks for it must not get the unrestricted kind.
  if (resolve !== 0) throw new Errno(E.OPNOTSUPP);
  return openPath(ctx, dirfd, pathAt(ctx, path), flags, mode);
}

export function close(ctx: SyscallContext, fd: number): Maybe<number> {
  return after(ctx.process.files.close(unsigned(fd)), () => 0);
}

export function closeRange(ctx: SyscallContext, first: number, last: number, flags: number): Maybe<number> {
  const from = unsigned(first);
  const to = unsigned(last);
  if (from > to || unsigned(flags) & ~(CLOSE_RANGE.CLOEXEC | CLOSE_RANGE.UNSHARE)) throw new Errno(E.INVAL);
  if (flags & CLOSE_RANGE.UNSHARE && ctx.process.files.users > 1) throw new Errno(E.OPNOTSUPP);
  const chosen = [...ctx.process.files.list()].filter(([fd]) => fd >= from && fd <= to);
  if (flags & CLOSE_RANGE.CLOEXEC) {
    for (const [, descriptor] of chosen) descriptor.closeOnExec = true;
    return 0;
  }
  return eager(
    closeAll(
      ctx,
      chosen.map(([fd]) => fd),
    ),
  );
}

function* closeAll(ctx: SyscallContext, fds: readonly number[]): Blocking<number> {
  for (const fd of fds) if (ctx.process.files.has(fd)) yield* settle(ctx.process.files.close(fd));
  return 0;
}

export function dup(ctx: SyscallContext, fd: number): Maybe<number> {
  return duplicate(ctx, fileOf(ctx, fd), false, 0);
}

function duplicate(ctx: SyscallContext, file: OpenFile, closeOnExec: boolean, from: number): number {
  const added = ctx.process.files.add(file, closeOnExec, descriptorLimit(ctx), from);
  file.retain();
  return added;
}

export function dup3(ctx: SyscallContext, from: number, to: number, flags: number): Maybe<number> {
  const fd = unsigned(to);
  if (unsigned(flags) & ~O.CLOEXEC || unsigned(from) === fd) throw new Errno(E.INVAL);
  if (fd >= descriptorLimit(ctx)) throw new Errno(E.BADF);
  const file = fileOf(ctx, from);
  file.retain();
  const before = ctx.process.files.set(fd, file, (flags & O.CLOEXEC) !== 0);
  return before ? after(ctx.process.files.release(before), () => fd) : fd;
}

export function fcntl(ctx: SyscallContext, fd: number, command: number, argument: number): Maybe<number> {
  const descriptor = ctx.process.files.descriptor(unsigned(fd));
  const { file } = descriptor;
  if (file.flags & O.PATH && !PATH_COMMANDS.includes(int(command))) throw new Errno(E.BADF);
  const lock = LOCK_COMMANDS[int(command)];
  if (lock !== undefined) return recordLock(ctx, file, lock, argument);
  switch (int(command)) {
    case F.DUPFD:
    case F.DUPFD_CLOEXEC: {
      const from = int(argument);
      if (from < 0 || from >= descriptorLimit(ctx)) throw new Errno(E.INVAL);
      return duplicate(ctx, file, int(command) === F.DUPFD_CLOEXEC, from);
    }
    case F.GETFD:
      return descriptor.closeOnExec ? FD_CLOEXEC : 0;
    case F.SETFD:
      descriptor.closeOnExec = (argument & FD_CLOEXEC) !== 0;
      return 0;
    case F.GETFL:
      return file.flags;
    case F.SETFL:
      return after(file.setFlags((file.flags & ~SETTABLE_FLAGS) | (unsigned(argument) & SETTABLE_FLAGS)), () => 0);
    case F.SETOWN:
    case F.SETSIG:
      return 0;
    case F.GETOWN:
    case F.GETSIG:
      return 0;
    case F.GETPIPE_SZ:
      if (file.kind !== 'pipe') throw new Errno(E.BADF);
      return PIPE_BYTES;
    case F.SETPIPE_SZ:
      if (file.kind !== 'pipe') throw new Errno(E.BADF);
      if (unsigned(argument) > PIPE_BYTES) throw new Errno(E.PERM);
      return PIPE_BYTES;
    case F.GET_SEALS:
      return 0;
    default:
      throw new Errno(E.INVAL);
  }
}

/** IFNAMSIZ */
const INTERFACE_NAME_BYTES = 16;

const PATH_COMMANDS: readonly number[] = [F.DUPFD, F.DUPFD_CLOEXEC, F.GETFD, F.SETFD, F.GETFL];

export function ioctl(ctx: SyscallContext, fd: number, command: number, argument: number): Maybe<number> {
  const descriptor = ctx.process.files.descriptor(unsigned(fd));
  const { file } = descriptor;
  const number = unsigned(command);
  if (file.flags & O.PATH) throw new Errno(E.BADF);
  switch (number) {
    case IOCTL.FIOCLEX:
      descriptor.closeOnExec = true;
      return 0;
    case IOCTL.FIONCLEX:
      descriptor.closeOnExec = false;
      return 0;
    case IOCTL.FIONBIO: {
      const on = u32At(ctx.user.read(argument, 4)) !== 0;
      return after(file.setFlags(on ? file.flags | O.NONBLOCK : file.flags & ~O.NONBLOCK), () => 0);
    }
    case IOCTL.FIOASYNC:
      return 0;
  }
  if (number === IOCTL.SIOCGIFCONF) return interfaceList(ctx, file, argument);
  if (number === IOCTL.SIOCETHTOOL) return driverOrder(ctx, file, argument);
  const shape = IOCTLS.get(number);
  if (!shape) throw new Errno(E.NOTTY);
  const { direction, bytes } = shape;
  const given = direction === 'in' || direction === 'both' ? ctx.user.read(argument, bytes) : new Uint8Array(bytes);
  const data = number === IOCTL.SIOCADDRT || number === IOCTL.SIOCDELRT ? withDevice(ctx, given) : given;
  return holding(
    file,
    after(file.ioctl(number, int(argument), data, ioOf(ctx)), result => {
      if (direction === 'out' || direction === 'both') ctx.user.write(argument, data);
      return result;
    }),
  );
}

/** A route, and behind it the name of its device. */
function withDevice(ctx: SyscallContext, route: Uint8Array): Uint8Array {
  const at = u64At(route, RTENTRY_DEVICE_AT);
  const name = at === 0 ? '' : ctx.user.readString(at, INTERFACE_NAME_BYTES);
  return joined([route, toBytes(`${name}\0`)]);
}

/** SIOCGIFCONF: a length, and a pointer to where the list goes; without one only the length is told. */
function interfaceList(ctx: SyscallContext, file: OpenFile, argument: number): Maybe<number> {
  const LIST_BYTES_MAX = 40 * 256;
  const [room, list] = [ctx.user.getU32(argument) | 0, ctx.user.getU64(argument + 8)];
  if (room < 0) throw new Errno(E.INVAL);
  ctx.user.check(argument, 4, true);
  const data = new Uint8Array(4 + (list === 0 ? 0 : Math.min(room, LIST_BYTES_MAX)));
  return holding(
    file,
    after(file.ioctl(IOCTL.SIOCGIFCONF, 0, data, ioOf(ctx)), result => {
      const length = u32At(data);
      if (list !== 0) ctx.user.write(list, data.subarray(4, 4 + length));
      ctx.user.setU32(argument, length);
      return result;
    }),
  );
}

/** SIOCETHTOOL: the name of an interface, and a pointer to an order, which its answer takes the place of. */
function driverOrder(ctx: SyscallContext, file: OpenFile, argument: number): Maybe<number> {
  const place = ctx.user.getU64(argument + INTERFACE_NAME_BYTES);
  const data = new Uint8Array(INTERFACE_NAME_BYTES + ETHTOOL_BYTES_MAX);
  const order = data.subarray(INTERFACE_NAME_BYTES);
  data.set(ctx.user.read(argument, INTERFACE_NAME_BYTES));
  order.set(ctx.user.read(place, 4));
  // As far as it is no list: those are only answers.
  order.set(ctx.user.read(place, replyBytes(order)));
  return holding(
    file,
    after(file.ioctl(IOCTL.SIOCETHTOOL, 0, data, ioOf(ctx)), result => {
      ctx.user.write(place, order.subarray(0, replyBytes(order)));
      return result;
    }),
  );
}

export function pipe2(ctx: SyscallContext, address: number, flags: number): Maybe<number> {
  if (unsigned(flags) & ~(O.CLOEXEC | O.NONBLOCK | O.DIRECT)) throw new Errno(E.INVAL);
  ctx.user.check(address, 8, true);
  const ends = makePipe(ctx.services, ctx.vfs.newAnonymous(), flags & O.NONBLOCK);
  return addPair(ctx, ends, (flags & O.CLOEXEC) !== 0, address);
}

export function eventfd2(ctx: SyscallContext, initial: number, flags: number): Maybe<number> {
  if (unsigned(flags) & ~(EFD.SEMAPHORE | EFD.CLOEXEC | EFD.NONBLOCK)) throw new Errno(E.INVAL);
  const file = new EventFile(ctx.services.kernel, initial, (flags & EFD.SEMAPHORE) !== 0, flags & O.NONBLOCK);
  return addFile(ctx, file, (flags & EFD.CLOEXEC) !== 0);
}

export function epollCreate1(ctx: SyscallContext, flags: number): Maybe<number> {
  if (unsigned(flags) & ~O.CLOEXEC) throw new Errno(E.INVAL);
  const { services, process } = ctx;
  const made: Maybe<OpenFile> = process.origin === services.kernel ? new EpollFile(services) : services.farEpoll(process.origin);
  return after(made, file => addFile(ctx, file, (flags & O.CLOEXEC) !== 0));
}

/** memfd_create needs a file system for its files: the kernel's nameless one. */
export function memfdCreateIn(fs: (ctx: SyscallContext) => TmpFs): (ctx: SyscallContext, name: number, flags: number) => Maybe<number> {
  return (ctx, name, flags) => {
    if (unsigned(flags) & ~(MEMFD_CLOEXEC | 2 | 8 | 16)) throw new Errno(E.INVAL);
    const label = ctx.user.readString(name, 250);
    return addFile(ctx, namelessFile(fs(ctx), `/memfd:${label}`, O.RDWR), (flags & MEMFD_CLOEXEC) !== 0);
  };
}
