/** AF_INET as a row of the table of families. */
import { E, Errno } from '../../../abi/errno.ts';
import { IPPROTO, SOCK } from '../../../abi/socket.ts';
import type { IoContext } from '../../file.ts';
import { effective } from '../../permission.ts';
import type { NameSpace, Socket, SocketFamily, SocketName } from '../socket.ts';
import { inetAddress } from './address.ts';
import { InetPing, InetRaw, InetUdp } from './datagram.ts';
import type { InetDomain } from './domain.ts';
import { InetStream } from './stream.ts';

type Maker = (domain: InetDomain, protocol: number, flags: number, io: IoContext) => Socket;

/** By type and protocol; 0 is the protocol that the type has by itself. */
const MAKERS: ReadonlyMap<number, ReadonlyMap<number, Maker>> = new Map([
  [SOCK.STREAM, new Map<number, Maker>([[IPPROTO.TCP, (domain, _protocol, flags, { uid }) => new InetStream(domain, flags, uid)]])],
  [
    SOCK.DGRAM,
    new Map<number, Maker>([
      [IPPROTO.UDP, (domain, _protocol, flags, { uid }) => new InetUdp(domain, flags, uid)],
      [IPPROTO.ICMP, (domain, _protocol, flags, { uid }) => new InetPing(domain, flags, uid)],
    ]),
  ],
]);
const USUAL: Readonly<Record<number, number>> = { [SOCK.STREAM]: IPPROTO.TCP, [SOCK.DGRAM]: IPPROTO.UDP };

/** net.ipv4.ip_unprivileged_port_start */
const OPEN_PORTS = 1024;

export const INET: SocketFamily = {
  wrongFamily: E.AFNOSUPPORT,
  atOrigin: true,
  create: ({ inet }, type, protocol, flags, io) => {
    if (protocol < 0 || protocol > 255) throw new Errno(E.INVAL);
    if (type === SOCK.RAW) {
      if (protocol === IPPROTO.IP) throw new Errno(E.PROTONOSUPPORT);
      if (io.uid !== 0) throw new Errno(E.PERM);
      return new InetRaw(inet, protocol, flags, io.uid);
    }
    const makers = MAKERS.get(type);
    if (makers === undefined) throw new Errno(E.SOCKTNOSUPPORT);
    const make = makers.get(protocol === IPPROTO.IP ? (USUAL[type] ?? 0) : protocol);
    if (make === undefined) throw new Errno(E.PROTONOSUPPORT);
    return make(inet, protocol, flags, io);
  },
  pair: null,
  bind: ({ caller }: NameSpace, socket, data) => {
    const { port } = inetAddress(data);
    const mayTake = port === 0 || port >= OPEN_PORTS || effective(caller.credentials).uid === 0 || socket.socket.type === SOCK.RAW;
    if (!mayTake) throw new Errno(E.ACCES);
    return socket.bind({ data, at: null });
  },
  find: (_space, _socket, data): SocketName => {
    inetAddress(data);
    return { data, at: null };
  },
};
