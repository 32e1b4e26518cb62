/**
 * The sockets of one kernel that are ends of its network: AF_INET, AF_PACKET, AF_NETLINK. For /proc/net and `ss`.
 *
 * Always holds: `living` has every such socket from its making to its last close, in the order in which they were made.
 */
import { E, Errno } from '../../../abi/errno.ts';
import type { NetStack } from '../../../net/stack.ts';
import type { FsServices } from '../../services.ts';
import type { UnixDomain } from '../unix/domain.ts';
import type { NetworkSocket } from './socket.ts';

/** Sockets of one kernel, at most: what a program that does not stop can make of them. */
const SOCKETS_MAX = 1 << 16;

export class InetDomain {
  readonly living = new Set<NetworkSocket>();
  readonly #unix: UnixDomain;

  constructor(
    readonly services: FsServices,
    unix: UnixDomain,
  ) {
    this.#unix = unix;
  }

  get stack(): NetStack {
    return this.services.net.stack;
  }

  /** Numbers of all sockets are of one row. Throws ENFILE. */
  newIno(): number {
    if (this.living.size >= SOCKETS_MAX) throw new Errno(E.NFILE);
    return this.#unix.newIno();
  }
}

/** The value that the stack gave, or the error that it told as -errno. */
export function checked<T>(result: T | number): T {
  if (typeof result === 'number' && result < 0) throw new Errno(-result);
  return result as T;
}
