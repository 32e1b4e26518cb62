/**
 * NETLINK_ROUTE (rtnetlink(7)): interfaces, addresses, routes and neighbours, shown and set, as far as `ip` goes.
 *
 * Types come in fours: new, del, get, set. A get with a dump flag gives all; without, the one that it names.
 */
import { E, Errno } from '../../../abi/errno.ts';
import { AF } from '../../../abi/socket.ts';
import { isLoopback, netmask } from '../../../net/address.ts';
import type { Neighbour, NeighbourState } from '../../../net/arp.ts';
import { get32 } from '../../../net/bytes.ts';
import { getMac, putMac } from '../../../net/ethernet.ts';
import { broadcastOf, type InterfaceAddress, type NetInterface } from '../../../net/interface.ts';
import type { Ipv4Address } from '../../../net/platform.ts';
import type { Route } from '../../../net/route.ts';
import type { NetStack } from '../../../net/stack.ts';
import { fromBytes, u32At } from '../../bytes.ts';
import { HARDWARE, IFF, interfaceFlags, setMtu } from '../inet/ioctl.ts';
import { type Attribute, attributesIn, be32, bodyOf, NLM_F, type Request, text, u32s, u64s, u8s } from './codec.ts';
import type { Answer, Responder } from './socket.ts';

const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  SETLINK: 19,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
  NEWNEIGH: 28,
  DELNEIGH: 29,
  GETNEIGH: 30,
  GETRULE: 34,
  NEWRULE: 32,
} as const;

const IFLA = {
  ADDRESS: 1,
  BROADCAST: 2,
  IFNAME: 3,
  MTU: 4,
  QDISC: 6,
  TXQLEN: 13,
  OPERSTATE: 16,
  LINKMODE: 17,
  STATS64: 23,
  GROUP: 27,
  PROMISCUITY: 30,
  NUM_TX_QUEUES: 31,
  NUM_RX_QUEUES: 32,
  CARRIER: 33,
} as const;
const IFA = { ADDRESS: 1, LOCAL: 2, LABEL: 3, BROADCAST: 4, CACHEINFO: 6, FLAGS: 8 } as const;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6, PREFSRC: 7, TABLE: 15, UID: 25 } as const;
const NDA = { DST: 1, LLADDR: 2 } as const;

const TABLE = { MAIN: 254, LOCAL: 255 } as const;
/** RTPROT_KERNEL: it came with an address. RTPROT_BOOT: a program has set it. */
const PROTOCOL = { KERNEL: 2, BOOT: 3 } as const;
const SCOPE = { UNIVERSE: 0, LINK: 253, HOST: 254 } as const;
const TYPE = { UNICAST: 1, LOCAL: 2, BROADCAST: 3 } as const;
/** RTM_F_CLONED: the way to one address, found when it was asked for; and that this is an own one (RTCF_LOCAL). */
const FOUND = 0x200;
const FOUND_HERE = 0x80000000;
const OPERSTATE = { UNKNOWN: 0, DOWN: 2, UP: 6 } as const;
const NUD: Readonly<Record<NeighbourState, number>> = { INCOMPLETE: 1, REACHABLE: 2, STALE: 4, DELAY: 8, PROBE: 0x10, PERMANENT: 0x80 };

/** Bytes of the fixed parts: ifinfomsg, ifaddrmsg, rtmsg, ndmsg. */
const LINK_BYTES = 16;
const ADDRESS_BYTES = 8;
const ROUTE_BYTES = 12;
const NEIGHBOUR_BYTES = 12;
const PERMANENT = 0x80;

function macBytes(mac: number): Uint8Array {
  const bytes = new Uint8Array(6);
  putMac(bytes, 0, mac);
  return bytes;
}

// ── Showing ──

function linkAnswer(through: NetInterface): Answer {
  const { loopback, up, counters, mtu, mac, name, index } = through;
  const flags = interfaceFlags(through) | (up ? IFF.LOWER_UP : 0);
  const kind = loopback ? HARDWARE.LOOPBACK : HARDWARE.ETHER;
  const { rxPackets, txPackets, rxBytes, txBytes, rxErrors, txErrors, rxDropped, txDropped } = counters;
  const attributes: Attribute[] = [
    [IFLA.IFNAME, text(name)],
    [IFLA.TXQLEN, u32s(1000)],
    [IFLA.OPERSTATE, u8s(up ? (loopback ? OPERSTATE.UNKNOWN : OPERSTATE.UP) : OPERSTATE.DOWN)],
    [IFLA.LINKMODE, u8s(0)],
    [IFLA.MTU, u32s(mtu)],
    [IFLA.GROUP, u32s(0)],
    [IFLA.PROMISCUITY, u32s(0)],
    [IFLA.NUM_TX_QUEUES, u32s(1)],
    [IFLA.NUM_RX_QUEUES, u32s(1)],
    [IFLA.CARRIER, u8s(up ? 1 : 0)],
    // Nothing waits above the device's ring.
    [IFLA.QDISC, text(loopback || up ? 'noqueue' : 'noop')],
    [IFLA.ADDRESS, macBytes(mac)],
    [IFLA.BROADCAST, macBytes(loopback ? 0 : 0xffffffffffff)],
    [
      IFLA.STATS64,
      u64s(rxPackets, txPackets, rxBytes, txBytes, rxErrors, txErrors, rxDropped, txDropped, ...new Array<number>(16).fill(0)),
    ],
  ];
  const fixed = new Uint8Array(LINK_BYTES);
  fixed.set(u8s(0, 0, kind & 255, kind >>> 8));
  fixed.set(u32s(index, flags, 0), 4);
  return { type: RTM.NEWLINK, body: bodyOf(fixed, attributes) };
}

function addressAnswer(through: NetInterface, own: InterfaceAddress): Answer {
  const { loopback, name, index } = through;
  const fixed = new Uint8Array(ADDRESS_BYTES);
  fixed.set(u8s(AF.INET, own.prefix, PERMANENT, loopback ? SCOPE.HOST : SCOPE.UNIVERSE));
  fixed.set(u32s(index), 4);
  const broadcast: Attribute[] = loopback || own.prefix >= 31 ? [] : [[IFA.BROADCAST, be32(broadcastOf(own))]];
  const forever = 0xffffffff;
  return {
    type: RTM.NEWADDR,
    body: bodyOf(fixed, [
      [IFA.ADDRESS, be32(own.address)],
      [IFA.LOCAL, be32(own.address)],
      ...broadcast,
      [IFA.LABEL, text(name)],
      [IFA.FLAGS, u32s(PERMANENT)],
      [IFA.CACHEINFO, u32s(forever, forever, 0, 0)],
    ]),
  };
}

interface RouteRow {
  readonly network: Ipv4Address;
  readonly prefix: number;
  readonly gateway: Ipv4Address | null;
  readonly index: number;
  readonly metric: number;
  readonly source: Ipv4Address | null;
  readonly table: number;
  readonly protocol: number;
  readonly scope: number;
  readonly type: number;
  /** RTM_F_*, RTCF_* */
  readonly flags?: number;
}

function routeRow({ network, prefix, gateway, through, metric, source }: Route): RouteRow {
  // The network of an address of the interface came with that.
  const connected = gateway === null && source !== null;
  return {
    ...{ network, prefix, gateway, metric, source, index: through.index, table: TABLE.MAIN, type: TYPE.UNICAST },
    protocol: connected ? PROTOCOL.KERNEL : PROTOCOL.BOOT,
    scope: gateway === null ? SCOPE.LINK : SCOPE.UNIVERSE,
  };
}

/** What the table `local` of Linux says, which here follows from the addresses. */
function localRows(stack: NetStack): RouteRow[] {
  const rows: RouteRow[] = [];
  for (const through of stack.interfaces) {
    if (!through.up) continue;
    for (const own of through.addresses) {
      const rest = { gateway: null, metric: 0, source: own.address, index: through.index, table: TABLE.LOCAL, protocol: PROTOCOL.KERNEL };
      if (isLoopback(own.address)) {
        const network = (own.address & netmask(own.prefix)) >>> 0;
        rows.push({ ...rest, network, prefix: own.prefix, scope: SCOPE.HOST, type: TYPE.LOCAL });
      }
      rows.push({ ...rest, network: own.address, prefix: 32, scope: SCOPE.HOST, type: TYPE.LOCAL });
      if (own.prefix < 31) rows.push({ ...rest, network: broadcastOf(own), prefix: 32, scope: SCOPE.LINK, type: TYPE.BROADCAST });
    }
  }
  return rows;
}

function routeAnswer({ network, prefix, gateway, index, metric, source, table, protocol, scope, type, flags = 0 }: RouteRow): Answer {
  const fixed = new Uint8Array(ROUTE_BYTES);
  fixed.set(u8s(AF.INET, prefix, 0, 0, table, protocol, scope, type));
  fixed.set(u32s(flags), 8);
  const attributes: Attribute[] = [[RTA.TABLE, u32s(table)]];
  if (prefix > 0) attributes.push([RTA.DST, be32(network)]);
  if (metric !== 0) attributes.push([RTA.PRIORITY, u32s(metric)]);
  if (source !== null) attributes.push([RTA.PREFSRC, be32(source)]);
  if (gateway !== null) attributes.push([RTA.GATEWAY, be32(gateway)]);
  attributes.push([RTA.OIF, u32s(index)]);
  if (flags & FOUND) attributes.push([RTA.UID, u32s(0)]);
  return { type: RTM.NEWROUTE, body: bodyOf(fixed, attributes) };
}

function neighbourAnswer({ through, address, mac, state }: Neighbour): Answer {
  const fixed = new Uint8Array(NEIGHBOUR_BYTES);
  fixed.set(u8s(AF.INET, 0, 0, 0));
  fixed.set(u32s(through.index), 4);
  fixed.set(u8s(NUD[state], 0, 0, TYPE.UNICAST), 8);
  const known: Attribute[] = state === 'INCOMPLETE' ? [] : [[NDA.LLADDR, macBytes(mac)]];
  return { type: RTM.NEWNEIGH, body: bodyOf(fixed, [[NDA.DST, be32(address)], ...known]) };
}

// ── Which ──

const isDump = ({ flags }: Request): boolean => (flags & NLM_F.DUMP) !== 0;

/** Null when neither a number nor a name was given. Throws ENODEV. */
function interfaceOf(stack: NetStack, index: number, name: Uint8Array | undefined): NetInterface | null {
  const wanted = name === undefined ? null : fromBytes(name).replace(/\0.*$/s, '');
  if (index === 0 && wanted === null) return null;
  const found = stack.interfaces.find(each => (index === 0 ? each.name === wanted : each.index === index));
  if (found === undefined) throw new Errno(E.NODEV);
  return found;
}

function theInterface(stack: NetStack, index: number, name?: Uint8Array): NetInterface {
  const found = interfaceOf(stack, index, name);
  if (found === null) throw new Errno(E.NODEV);
  return found;
}

function addressIn(attributes: ReadonlyMap<number, Uint8Array>, type: number): Ipv4Address | null {
  const value = attributes.get(type);
  if (value === undefined) return null;
  if (value.length < 4) throw new Errno(E.INVAL);
  return get32(value, 0);
}
const numberIn = (attributes: ReadonlyMap<number, Uint8Array>, type: number): number => {
  const value = attributes.get(type);
  return value === undefined ? 0 : u32At(value);
};

/** Of no family, or of the only one there is. */
const isOurs = (body: Uint8Array): boolean => body[0] === AF.UNSPEC || body[0] === AF.INET;

// ── Requests by type ──

type Handle = (stack: NetStack, request: Request) => readonly Answer[];

const getLink: Handle = (stack, request) => {
  const { body } = request;
  if (isDump(request)) return stack.interfaces.map(linkAnswer);
  return [linkAnswer(theInterface(stack, u32At(body, 4), attributesIn(body, LINK_BYTES).get(IFLA.IFNAME)))];
};

const setLink: Handle = (stack, { body }) => {
  const attributes = attributesIn(body, LINK_BYTES);
  const found = stack.interfaces.find(each => each.index === u32At(body, 4));
  // Making new ones is for the devices.
  if (found === undefined && u32At(body, 4) === 0 && !attributes.has(IFLA.IFNAME)) throw new Errno(E.INVAL);
  const through = found ?? theInterface(stack, 0, attributes.get(IFLA.IFNAME));
  const mtu = attributes.get(IFLA.MTU);
  if (mtu !== undefined) setMtu(through, u32At(mtu));
  const change = u32At(body, 12);
  if (change & IFF.UP) stack.setUp(through, (u32At(body, 8) & IFF.UP) !== 0);
  return [];
};

const getAddress: Handle = (stack, { body }) => {
  if (!isOurs(body)) return [];
  const index = u32At(body, 4);
  return stack.interfaces
    .filter(each => index === 0 || each.index === index)
    .flatMap(through => through.addresses.map(own => addressAnswer(through, own)));
};

const newAddress: Handle = (stack, { body, flags }) => {
  if (body[0] !== AF.INET) throw new Errno(E.AFNOSUPPORT);
  const attributes = attributesIn(body, ADDRESS_BYTES);
  const through = theInterface(stack, u32At(body, 4));
  const address = addressIn(attributes, IFA.LOCAL) ?? addressIn(attributes, IFA.ADDRESS);
  const prefix = body[1] ?? 32;
  if (address === null || prefix > 32) throw new Errno(E.INVAL);
  if (through.has(address) && (flags & NLM_F.REPLACE) === 0) throw new Errno(E.EXIST);
  stack.addAddress(through, address, prefix);
  return [];
};

const deleteAddress: Handle = (stack, { body }) => {
  const attributes = attributesIn(body, ADDRESS_BYTES);
  const through = theInterface(stack, u32At(body, 4));
  const address = addressIn(attributes, IFA.LOCAL) ?? addressIn(attributes, IFA.ADDRESS) ?? through.firstAddress;
  if (address === null || !through.has(address)) throw new Errno(E.ADDRNOTAVAIL);
  stack.removeAddress(through, address);
  return [];
};

const getRoute: Handle = (stack, request) => {
  const { body } = request;
  if (!isOurs(body)) return [];
  const attributes = attributesIn(body, ROUTE_BYTES);
  if (isDump(request)) {
    const table = numberIn(attributes, RTA.TABLE) || (body[4] ?? 0);
    const main = [...stack.ip.routes.routes].sort((a, b) => a.prefix - b.prefix || a.network - b.network).map(routeRow);
    const rows = table === TABLE.LOCAL ? localRows(stack) : table === 0 ? [...main, ...localRows(stack)] : table === TABLE.MAIN ? main : [];
    return rows.map(routeAnswer);
  }
  const target = addressIn(attributes, RTA.DST);
  if (target === null) throw new Errno(E.INVAL);
  const path = stack.ip.path(target);
  if (typeof path === 'number') throw new Errno(path);
  const local = stack.ip.isOwn(target);
  return [
    routeAnswer({
      ...{ network: target, prefix: 32, gateway: path.nextHop === target ? null : path.nextHop, index: path.through.index, metric: 0 },
      ...{ source: path.source, table: local ? TABLE.LOCAL : TABLE.MAIN, protocol: 0, scope: SCOPE.UNIVERSE },
      type: local ? TYPE.LOCAL : TYPE.UNICAST,
      flags: local ? FOUND + FOUND_HERE : FOUND,
    }),
  ];
};

const newRoute: Handle = (stack, { body, flags }) => {
  if (body[0] !== AF.INET) throw new Errno(E.AFNOSUPPORT);
  const attributes = attributesIn(body, ROUTE_BYTES);
  const prefix = body[1] ?? 0;
  const network = addressIn(attributes, RTA.DST) ?? 0;
  if (prefix > 32 || (network & ~netmask(prefix)) !== 0) throw new Errno(E.INVAL);
  const gateway = addressIn(attributes, RTA.GATEWAY);
  const index = numberIn(attributes, RTA.OIF);
  const path = index === 0 && gateway !== null ? stack.ip.path(gateway) : null;
  if (typeof path === 'number') throw new Errno(path);
  const through = path?.through ?? theInterface(stack, index);
  if (!through.up) throw new Errno(E.NETDOWN);
  const metric = numberIn(attributes, RTA.PRIORITY);
  const there = stack.ip.routes.routes.some(each => each.network === network && each.prefix === prefix && each.metric === metric);
  if (there && (flags & NLM_F.REPLACE) === 0) throw new Errno(E.EXIST);
  stack.addRoute(network, prefix, through, { gateway, metric, source: addressIn(attributes, RTA.PREFSRC) });
  return [];
};

const deleteRoute: Handle = (stack, { body }) => {
  const attributes = attributesIn(body, ROUTE_BYTES);
  const [network, prefix] = [addressIn(attributes, RTA.DST) ?? 0, body[1] ?? 0];
  const gateway = addressIn(attributes, RTA.GATEWAY);
  const index = numberIn(attributes, RTA.OIF);
  const wanted = stack.ip.routes.routes.find(
    each =>
      each.network === network &&
      each.prefix === prefix &&
      (gateway === null || each.gateway === gateway) &&
      (index === 0 || each.through.index === index),
  );
  if (wanted === undefined) throw new Errno(E.SRCH);
  stack.ip.routes.remove(each => each === wanted);
  return [];
};

const getNeighbour: Handle = (stack, { body }) => {
  if (!isOurs(body)) return [];
  const index = u32At(body, 4);
  return [...stack.ip.arp.neighbours].filter(each => index === 0 || each.through.index === index).map(neighbourAnswer);
};

const newNeighbour: Handle = (stack, { body }) => {
  const attributes = attributesIn(body, NEIGHBOUR_BYTES);
  const mac = attributes.get(NDA.LLADDR);
  const address = addressIn(attributes, NDA.DST);
  if (address === null || mac === undefined || mac.length !== 6) throw new Errno(E.INVAL);
  stack.ip.arp.add(theInterface(stack, u32At(body, 4)), address, getMac(mac, 0));
  return [];
};

const deleteNeighbour: Handle = (stack, { body }) => {
  const address = addressIn(attributesIn(body, NEIGHBOUR_BYTES), NDA.DST);
  if (address === null) throw new Errno(E.INVAL);
  stack.ip.arp.remove(theInterface(stack, u32At(body, 4)), address);
  return [];
};

/** The three that Linux has from the start: fib_rule_hdr has its table at 7, its action (to look it up) at 8. */
const getRules: Handle = (_stack, { body }) => {
  if (!isOurs(body)) return [];
  const FRA_PRIORITY = 6;
  const FRA_TABLE = 15;
  return [
    [0, TABLE.LOCAL],
    [32766, TABLE.MAIN],
    [32767, 253],
  ].map(([priority = 0, table = 0]) => ({
    type: RTM.NEWRULE,
    body: bodyOf(u8s(AF.INET, 0, 0, 0, table, 0, 0, 1, 0, 0, 0, 0), [
      [FRA_TABLE, u32s(table)],
      ...(priority ? [[FRA_PRIORITY, u32s(priority)] as Attribute] : []),
    ]),
  }));
};

interface Row {
  readonly handle: Handle;
  /** Bytes that must be there. */
  readonly fixed: number;
  /** Only user 0 may. */
  readonly changes: boolean;
}
const shows = (fixed: number, handle: Handle): Row => ({ fixed, handle, changes: false });
const changes = (fixed: number, handle: Handle): Row => ({ fixed, handle, changes: true });

const ROWS: ReadonlyMap<number, Row> = new Map([
  [RTM.GETLINK, shows(1, getLink)],
  [RTM.NEWLINK, changes(LINK_BYTES, setLink)],
  [RTM.SETLINK, changes(LINK_BYTES, setLink)],
  [RTM.GETADDR, shows(1, getAddress)],
  [RTM.NEWADDR, changes(ADDRESS_BYTES, newAddress)],
  [RTM.DELADDR, changes(ADDRESS_BYTES, deleteAddress)],
  [RTM.GETROUTE, shows(1, getRoute)],
  [RTM.NEWROUTE, changes(ROUTE_BYTES, newRoute)],
  [RTM.DELROUTE, changes(ROUTE_BYTES, deleteRoute)],
  [RTM.GETNEIGH, shows(1, getNeighbour)],
  [RTM.NEWNEIGH, changes(NEIGHBOUR_BYTES, newNeighbour)],
  [RTM.DELNEIGH, changes(NEIGHBOUR_BYTES, deleteNeighbour)],
  [RTM.GETRULE, shows(1, getRules)],
]);

export const respondRoute: Responder = ({ stack }, request, { uid }) => {
  const row = ROWS.get(request.type);
  if (row === undefined) throw new Errno(E.OPNOTSUPP);
  if (row.changes && uid !== 0) throw new Errno(E.PERM);
  if (request.body.length < row.fixed) throw new Errno(E.INVAL);
  return row.handle(stack, request);
};
