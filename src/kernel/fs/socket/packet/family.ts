/** AF_PACKET as a row of the table of families. */
import { E, Errno } from '../../../abi/errno.ts';
import { SOCK } from '../../../abi/socket.ts';
import type { SocketFamily } from '../socket.ts';
import { PacketSocket } from './socket.ts';

export const PACKETS: SocketFamily = {
  wrongFamily: E.INVAL,
  atOrigin: true,
  create: ({ inet }, type, protocol, flags, { uid }) => {
    if (type !== SOCK.RAW && type !== SOCK.DGRAM) throw new Errno(E.SOCKTNOSUPPORT);
    if (uid !== 0) throw new Errno(E.PERM);
    return new PacketSocket(inet, type, protocol & 0xffff, flags, uid);
  },
  pair: null,
  bind: (_space, socket, data) => socket.bind({ data, at: null }),
  find: (_space, _socket, data) => ({ data, at: null }),
};
