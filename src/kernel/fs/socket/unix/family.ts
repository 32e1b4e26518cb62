/** AF_UNIX as a row of the table of families. */
import { E, Errno } from '../../../abi/errno.ts';
import { AF, SOCK } from '../../../abi/socket.ts';
import { eager } from '../../maybe.ts';
import type { Vfs } from '../../vfs.ts';
import type { SocketFamily } from '../socket.ts';
import { connectedPair, UnixConnection } from './connection.ts';
import { datagramPair, UnixDatagram } from './datagram.ts';
import { bindUnix, findUnix } from './names.ts';

/** SOCK_RAW has always meant datagrams here. */
function check(type: number, protocol: number): void {
  if (protocol !== 0 && protocol !== AF.UNIX) throw new Errno(E.PROTONOSUPPORT);
  if (type !== SOCK.STREAM && type !== SOCK.SEQPACKET && type !== SOCK.DGRAM && type !== SOCK.RAW) throw new Errno(E.SOCKTNOSUPPORT);
}
const isDatagram = (type: number): boolean => type === SOCK.DGRAM || type === SOCK.RAW;

export const UNIX: SocketFamily = {
  wrongFamily: E.INVAL,
  atOrigin: false,
  create: ({ unix }: Vfs, type, protocol, flags) => {
    check(type, protocol);
    return isDatagram(type) ? new UnixDatagram(unix, flags) : new UnixConnection(unix, type, flags);
  },
  pair: ({ unix }: Vfs, type, protocol, flags, io) => {
    check(type, protocol);
    return isDatagram(type) ? datagramPair(unix, flags, io) : connectedPair(unix, type, flags, io);
  },
  bind: (space, socket, data) => eager(bindUnix(space.vfs.unix, space, socket, data)),
  find: (space, socket, data) => eager(findUnix(space.vfs.unix, space, socket, data)),
};
