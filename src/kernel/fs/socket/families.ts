/** The families of sockets by number. Another one is one more row. */
import { AF } from '../../abi/socket.ts';
import { INET } from './inet/family.ts';
import type { SocketFamily } from './socket.ts';
import { UNIX } from './unix/family.ts';

export const FAMILIES: Readonly<Record<number, SocketFamily>> = {
  [AF.UNIX]: UNIX,
  [AF.INET]: INET,
};
