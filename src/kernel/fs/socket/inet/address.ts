/** sockaddr_in behind its family: port and address in network order, then eight bytes of nothing. */
import { E, Errno } from '../../../abi/errno.ts';
import type { SocketAddress } from '../../../net/socket.ts';

const DATA_BYTES = 14;

export function inetData({ address, port }: SocketAddress): string {
  const bytes = [port >>> 8, port & 255, address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255];
  return String.fromCharCode(...bytes).padEnd(DATA_BYTES, '\0');
}

/** Throws EINVAL for one that is too short. */
export function inetAddress(data: string): SocketAddress {
  if (data.length < DATA_BYTES) throw new Errno(E.INVAL);
  const at = (i: number): number => data.charCodeAt(i);
  return { port: (at(0) << 8) | at(1), address: ((at(2) << 24) | (at(3) << 16) | (at(4) << 8) | at(5)) >>> 0 };
}

export const NOWHERE: SocketAddress = { address: 0, port: 0 };
