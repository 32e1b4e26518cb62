/**
 * Calls whose wait SO_RCVTIMEO or SO_SNDTIMEO limits: made again after a move of the process, such a call ends when it would have; after
 * a handler of a signal it does not go on.
 *
 * The limit is the socket's; the moment at which it is reached is kept in the task, and given back to the socket by the IoContext.
 */
import { E, Errno } from '../abi/errno.ts';
import { SO, SOL_SOCKET } from '../abi/socket.ts';
import type { OpenFile } from '../fs/file.ts';
import { timeoutCycles } from '../fs/socket/options.ts';
import { isSocket, type Socket } from '../fs/socket/socket.ts';
import { type Blocking, isBlocking, type Maybe, settle } from '../types.ts';
import type { SyscallContext, SyscallHandler } from './context.ts';
import { fileOf } from './file-common.ts';

/** `option`: SO.RCVTIMEO or SO.SNDTIMEO. */
export function* timed<T>(ctx: SyscallContext, socket: Socket, option: number, work: Maybe<T>): Blocking<T> {
  const { task, services } = ctx;
  const now = services.now();
  const deadline = Number.isNaN(task.restartDeadline) ? Number.POSITIVE_INFINITY : task.restartDeadline;
  try {
    return yield* settle(work);
  } catch (error) {
    if (!(error instanceof Errno) || error.errno !== E.RESTARTSYS) throw error;
    const limit = timeoutCycles(yield* settle(socket.option(SOL_SOCKET, option)), services.hertz);
    if (!Number.isFinite(limit)) throw error;
    task.restartDeadline = Math.min(deadline, now + limit);
    throw new Errno(E.RESTARTNOHAND);
  }
}

/** A call whose first argument is a descriptor, which may be a socket's. */
const within =
  (option: number, handler: SyscallHandler): SyscallHandler =>
  (ctx, fd, ...rest) => {
    const result = handler(ctx, fd, ...rest);
    if (!isBlocking(result)) return result;
    const file: OpenFile = fileOf(ctx, fd);
    return isSocket(file) ? timed(ctx, file, option, result) : result;
  };
export const receiving = (handler: SyscallHandler): SyscallHandler => within(SO.RCVTIMEO, handler);
export const sending = (handler: SyscallHandler): SyscallHandler => within(SO.SNDTIMEO, handler);
