/** AF_NETLINK as a row of the table of families. */
import { E, Errno } from '../../../abi/errno.ts';
import { SOCK } from '../../../abi/socket.ts';
import type { SocketFamily } from '../socket.ts';
import { respondDiag } from './diag.ts';
import { respondRoute } from './route.ts';
import { NetlinkSocket, type Responder } from './socket.ts';

/** NETLINK_* */
const PROTOCOLS: ReadonlyMap<number, Responder> = new Map([
  [0, respondRoute],
  [4, respondDiag],
]);

export const NETLINK: SocketFamily = {
  wrongFamily: E.INVAL,
  atOrigin: true,
  create: ({ inet }, type, protocol, flags, { uid }) => {
    if (type !== SOCK.RAW && type !== SOCK.DGRAM) throw new Errno(E.SOCKTNOSUPPORT);
    const respond = PROTOCOLS.get(protocol);
    if (respond === undefined) throw new Errno(E.PROTONOSUPPORT);
    return new NetlinkSocket(inet, type, protocol, flags, uid, respond);
  },
  pair: null,
  bind: (_space, socket, data) => socket.bind({ data, at: null }),
  find: (_space, _socket, data) => ({ data, at: null }),
};
