/** The families of sockets by number. Another one is one more row. */
import { AF } from '../../abi/socket.ts';
import { INET } from './inet/family.ts';
import { NETLINK } from './netlink/family.ts';
import { PACKETS } from './packet/family.ts';
import type { SocketFamily } from './socket.ts';
import { UNIX } from './unix/family.ts';

export const FAMILIES: Readonly<Record<number, SocketFamily>> = {
  [AF.UNIX]: UNIX,
  [AF.INET]: INET,
  [AF.NETLINK]: NETLINK,
  [AF.PACKET]: PACKETS,
};
