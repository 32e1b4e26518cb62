/** NETLINK_SOCK_DIAG (sock_diag(7)): the sockets that `ss` lists, with what TCP knows of each. */
import { E, Errno } from '../../../abi/errno.ts';
import { AF, IPPROTO } from '../../../abi/socket.ts';
import { TCP_STATE } from '../../../net/tcp/endpoint.ts';
import { u32At } from '../../bytes.ts';
import type { InetDomain } from '../inet/domain.ts';
import { datagramRows, type SocketRow, tcpRows } from '../inet/tables.ts';
import { tcpInfo } from '../inet/tcp-options.ts';
import { type Attribute, bodyOf, be32, text, u32s, u8s } from './codec.ts';
import type { Answer, Responder } from './socket.ts';

const SOCK_DIAG_BY_FAMILY = 20;
/** inet_diag_req_v2 */
const REQUEST_BYTES = 56;
const INET_DIAG = { INFO: 2, CONG: 4, SHUTDOWN: 8 } as const;

const STATE_NAMES = new Map<number, keyof typeof TCP_STATE>(
  Object.entries(TCP_STATE).map(([name, number]) => [number, name as keyof typeof TCP_STATE]),
);

function rowsOf(domain: InetDomain, protocol: number): SocketRow[] {
  switch (protocol) {
    case IPPROTO.TCP:
      return tcpRows(domain);
    case IPPROTO.UDP:
      return datagramRows(domain, 'udp');
    case IPPROTO.RAW:
      return datagramRows(domain, 'raw');
    default:
      throw new Errno(E.NOENT);
  }
}

/** inet_diag_msg, and by the bits of `wanted` (1 << attribute - 1) what else there is. */
function answerOf(domain: InetDomain, row: SocketRow, wanted: number): Answer {
  const { state, timer, retries, local, localPort, remote, remotePort, ino, connection, listener } = row;
  const ports = u8s(localPort >>> 8, localPort & 255, remotePort >>> 8, remotePort & 255);
  const fixed = new Uint8Array(72);
  fixed.set(u8s(AF.INET, state, timer, retries & 255));
  fixed.set(ports, 4);
  fixed.set(be32(local), 8);
  fixed.set(be32(remote), 24);
  // A cookie that names the socket as long as it lives: its number.
  fixed.set(u32s(ino, 0), 44);
  fixed.set(u32s(Math.round(row.expiresMs), row.receiveQueue, row.sendQueue, row.uid, ino), 52);
  const attributes: Attribute[] = [];
  const asked = (attribute: number): boolean => (wanted & (1 << (attribute - 1))) !== 0;
  if (connection !== null || listener !== null) {
    const shut = connection === null ? 0 : (connection.receiveShut || connection.finReceived ? 1 : 0) | (connection.finQueued ? 2 : 0);
    attributes.push([INET_DIAG.SHUTDOWN, u8s(shut)]);
    const name = STATE_NAMES.get(state) ?? 'CLOSE';
    if (asked(INET_DIAG.INFO)) attributes.push([INET_DIAG.INFO, tcpInfo(domain.stack, name, connection, listener)]);
    if (asked(INET_DIAG.CONG)) attributes.push([INET_DIAG.CONG, text('reno')]);
  }
  return { type: SOCK_DIAG_BY_FAMILY, body: bodyOf(fixed, attributes) };
}

export const respondDiag: Responder = (domain, { type, body }) => {
  if (type !== SOCK_DIAG_BY_FAMILY) throw new Errno(E.OPNOTSUPP);
  const [family = 0, protocol = 0, wanted = 0] = body;
  // There are none of the sixth version; of other families programs read /proc/net.
  if (family === AF_INET6) return [];
  if (family !== AF.INET) throw new Errno(E.NOENT);
  if (body.length < REQUEST_BYTES) throw new Errno(E.INVAL);
  const states = u32At(body, 4);
  return rowsOf(domain, protocol)
    .filter(({ state }) => (states & (1 << state)) !== 0)
    .map(row => answerOf(domain, row, wanted));
};

const AF_INET6 = 10;
