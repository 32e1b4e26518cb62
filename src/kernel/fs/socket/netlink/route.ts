/**
 * NETLINK_ROUTE (rtnetlink(7)): interfaces, addresses, routes and neighbours, shown and set, as far as `ip` goes.
 *
 * Types come in fours: new, del, get, set. A get with a dump flag gives all; without, the one that it names.
 */
import { E, Errno } from '../../../abi/errno.ts';
import { AF } from '../../../abi/socket.ts';
import { inNetwork, netmask } from '../../../net/address.ts';
import type { Neighbour, NeighbourState } from '../../../net/arp.ts';
import { get32 } from '../../../net/bytes.ts';
import { getMac, putMac } from '../../../net/ethernet.ts';
import {
  type AddressTraits,
  baseOf,
  broadcastOf,
  type InterfaceAddress,
  isSameNetwork,
  type NetInterface,
  scopeOf,
} from '../../../net/interface.ts';
import type { Ipv4Address } from '../../../net/platform.ts';
import { type Route, ROUTE_ORIGIN, type RouteKind, SCOPE } from '../../../net/route.ts';
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
const RTA = { DST: 1, SRC: 2, OIF: 4, GATEWAY: 5, PRIORITY: 6, PREFSRC: 7, METRICS: 8, TABLE: 15, UID: 25 } as const;
const RTAX_MTU = 2;
const NDA = { DST: 1, LLADDR: 2 } as const;

const TABLE = { MAIN: 254, LOCAL: 255 } as const;
const TYPE = { UNICAST: 1, LOCAL: 2, BROADCAST: 3 } as const;
const KINDS: Readonly<Record<number, RouteKind>> = { 1: 'unicast', 6: 'blackhole', 7: 'unreachable', 8: 'prohibit' };
const TYPES: Readonly<Record<RouteKind, number>> = { unicast: 1, blackhole: 6, unreachable: 7, prohibit: 8 };
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
const SECONDARY = 1;

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
    [IFLA.TXQLEN, u32s(through.queueLength)],
    [IFLA.OPERSTATE, u8s(up ? (loopback ? OPERSTATE.UNKNOWN : OPERSTATE.UP) : OPERSTATE.DOWN)],
    [IFLA.LINKMODE, u8s(0)],
    [IFLA.MTU, u32s(mtu)],
    [IFLA.GROUP, u32s(0)],
    [IFLA.PROMISCUITY, u32s(through.promiscuous ? 1 : 0)],
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
  const flags = PERMANENT | (own.secondary ? SECONDARY : 0);
  const fixed = new Uint8Array(ADDRESS_BYTES);
  fixed.set(u8s(AF.INET, own.prefix, flags, scopeOf(own)));
  fixed.set(u32s(index), 4);
  const usual = loopback || own.prefix >= 31 ? null : broadcastOf(own);
  const broadcast = own.broadcast === undefined ? usual : own.broadcast;
  const forever = 0xffffffff;
  return {
    type: RTM.NEWADDR,
    body: bodyOf(fixed, [
      [IFA.ADDRESS, be32(own.peer ?? own.address)],
      [IFA.LOCAL, be32(own.address)],
      ...(broadcast === null ? [] : [[IFA.BROADCAST, be32(broadcast)] as Attribute]),
      [IFA.LABEL, text(own.label ?? name)],
      [IFA.FLAGS, u32s(flags)],
      [IFA.CACHEINFO, u32s(forever, forever, 0, 0)],
    ]),
  };
}

interface RouteRow {
  readonly network: Ipv4Address;
  readonly prefix: number;
  readonly gateway: Ipv4Address | null;
  /** 0: it leads nowhere. */
  readonly index: number;
  readonly metric: number;
  readonly source: Ipv4Address | null;
  /** Whose packets they are to be. */
  readonly from?: Ipv4Address | null;
  readonly mtu?: number;
  readonly table: number;
  readonly protocol: number;
  readonly scope: number;
  readonly type: number;
  /** RTM_F_*, RTCF_* */
  readonly flags?: number;
}

function routeRow({ network, prefix, gateway, through, metric, source, mtu, origin, scope, kind }: Route): RouteRow {
  return {
    ...{ network, prefix, gateway, metric, source, mtu, scope, table: TABLE.MAIN, type: TYPES[kind], protocol: origin },
    index: kind === 'unicast' ? through.index : 0,
  };
}

/** As Linux's trie of routes is walked. */
const byPlace = (a: RouteRow, b: RouteRow): number => a.network - b.network || b.prefix - a.prefix || a.metric - b.metric;

/** What the table `local` of Linux says, which here follows from the addresses. */
function localRows(stack: NetStack): RouteRow[] {
  const rows: RouteRow[] = [];
  for (const through of stack.interfaces) {
    if (!through.up) continue;
    for (const own of through.addresses) {
      const rest = {
        gateway: null,
        metric: 0,
        source: through.addresses.find(other => !other.secondary && isSameNetwork(other, own))?.address ?? own.address,
        index: through.index,
        table: TABLE.LOCAL,
        protocol: ROUTE_ORIGIN.KERNEL,
      };
      rows.push({ ...rest, network: own.address, prefix: 32, scope: SCOPE.HOST, type: TYPE.LOCAL });
      if (own.secondary) continue;
      if (through.loopback && (own.prefix < 32 || own.peer !== undefined))
        rows.push({ ...rest, network: baseOf(own), prefix: own.prefix, scope: SCOPE.HOST, type: TYPE.LOCAL });
      if (own.prefix < 31) rows.push({ ...rest, network: broadcastOf(own), prefix: 32, scope: SCOPE.LINK, type: TYPE.BROADCAST });
    }
  }
  return rows;
}

function routeAnswer(row: RouteRow): Answer {
  const { network, prefix, gateway, index, metric, source, from = null, mtu = 0, table, protocol, scope, type, flags = 0 } = row;
  const fixed = new Uint8Array(ROUTE_BYTES);
  fixed.set(u8s(AF.INET, prefix, from === null ? 0 : 32, 0, table, protocol, scope, type));
  fixed.set(u32s(flags), 8);
  const attributes: Attribute[] = [[RTA.TABLE, u32s(table)]];
  if (prefix > 0) attributes.push([RTA.DST, be32(network)]);
  if (from !== null) attributes.push([RTA.SRC, be32(from)]);
  if (metric !== 0) attributes.push([RTA.PRIORITY, u32s(metric)]);
  if (mtu !== 0) attributes.push([RTA.METRICS, bodyOf(new Uint8Array(0), [[RTAX_MTU, u32s(mtu)]])]);
  if (source !== null) attributes.push([RTA.PREFSRC, be32(source)]);
  if (gateway !== null) attributes.push([RTA.GATEWAY, be32(gateway)]);
  if (index !== 0) attributes.push([RTA.OIF, u32s(index)]);
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

const setLink: Handle = (stack, { body, flags }) => {
  const attributes = attributesIn(body, LINK_BYTES);
  const found = stack.interfaces.find(each => each.index === u32At(body, 4));
  // Making new ones is for the devices.
  if (flags & NLM_F.CREATE && found === undefined) throw new Errno(E.OPNOTSUPP);
  if (found === undefined && u32At(body, 4) === 0 && !attributes.has(IFLA.IFNAME)) throw new Errno(E.INVAL);
  const through = found ?? theInterface(stack, 0, attributes.get(IFLA.IFNAME));
  for (const attribute of attributes.keys()) if (!SETTABLE.includes(attribute)) throw new Errno(E.OPNOTSUPP);
  const [state, change] = [u32At(body, 8), u32At(body, 12)];
  if (change & ~(IFF.UP | IFF.PROMISC)) throw new Errno(E.OPNOTSUPP);
  const [mtu, queue, name] = [IFLA.MTU, IFLA.TXQLEN, IFLA.IFNAME].map(type => attributes.get(type));
  if (mtu !== undefined) setMtu(through, u32At(mtu));
  if (queue !== undefined) through.queueLength = u32At(queue);
  if (name !== undefined && found !== undefined) rename(stack, through, fromBytes(name).replace(/\0.*$/s, ''));
  if (change & IFF.PROMISC) through.promiscuous = (state & IFF.PROMISC) !== 0;
  if (change & IFF.UP) stack.setUp(through, (state & IFF.UP) !== 0);
  return [];
};

/** What of a link a program may set. */
const SETTABLE: readonly number[] = [IFLA.IFNAME, IFLA.MTU, IFLA.TXQLEN];
const NAME_MAX = 15;

/** Throws EINVAL for what is no name, EEXIST. */
function rename(stack: NetStack, through: NetInterface, name: string): void {
  if (name === through.name) return;
  if (name === '' || name.length > NAME_MAX || /[/:\s]|^\.\.?$/.test(name)) throw new Errno(E.INVAL);
  if (stack.interfaces.some(each => each.name === name)) throw new Errno(E.EXIST);
  through.name = name;
}

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
  const peer = addressIn(attributes, IFA.ADDRESS) ?? address;
  const label = attributes.get(IFA.LABEL);
  const traits: AddressTraits = { scope: body[3] ?? 0, broadcast: addressIn(attributes, IFA.BROADCAST) };
  stack.addAddress(through, address, prefix, {
    ...traits,
    ...(peer === address ? {} : { peer }),
    ...(label === undefined ? {} : { label: fromBytes(label).replace(/\0.*$/s, '') }),
  });
  return [];
};

const deleteAddress: Handle = (stack, { body }) => {
  const attributes = attributesIn(body, ADDRESS_BYTES);
  const through = theInterface(stack, u32At(body, 4));
  const [local, peer] = [addressIn(attributes, IFA.LOCAL), addressIn(attributes, IFA.ADDRESS)];
  const wanted = through.addresses.find(
    own =>
      (local === null || own.address === local) &&
      (peer === null || (own.prefix === body[1] && inNetwork(peer, own.peer ?? own.address, own.prefix))),
  );
  if (wanted === undefined) throw new Errno(E.ADDRNOTAVAIL);
  stack.removeAddress(through, wanted.address);
  return [];
};

const getRoute: Handle = (stack, request) => {
  const { body } = request;
  if (!isOurs(body)) return [];
  const attributes = attributesIn(body, ROUTE_BYTES);
  if (isDump(request)) {
    const table = numberIn(attributes, RTA.TABLE) || (body[4] ?? 0);
    const main = (table === 0 || table === TABLE.MAIN ? stack.ip.routes.routes : []).map(routeRow);
    const local = table === 0 || table === TABLE.LOCAL ? localRows(stack) : [];
    const index = numberIn(attributes, RTA.OIF);
    const wanted = (row: RouteRow): boolean => index === 0 || row.index === index;
    return [main, local].flatMap(rows => rows.filter(wanted).sort(byPlace).map(routeAnswer));
  }
  const target = addressIn(attributes, RTA.DST);
  if (target === null) throw new Errno(E.INVAL);
  const from = addressIn(attributes, RTA.SRC);
  const path = stack.ip.path(target, from ?? 0);
  if (typeof path === 'number') throw new Errno(path);
  const local = stack.ip.isOwn(target);
  return [
    routeAnswer({
      ...{ network: target, prefix: 32, gateway: path.nextHop === target ? null : path.nextHop, index: path.through.index, metric: 0 },
      ...{ source: from === null ? path.source : null, from, table: TABLE.MAIN, protocol: 0, scope: SCOPE.UNIVERSE },
      type: local ? TYPE.LOCAL : TYPE.UNICAST,
      flags: path.through.loopback ? FOUND + FOUND_HERE : FOUND,
      mtu: path.mtu < Math.min(path.through.mtu, 65535) ? path.mtu : 0,
    }),
  ];
};

const newRoute: Handle = (stack, { body, flags }) => {
  if (body[0] !== AF.INET) throw new Errno(E.AFNOSUPPORT);
  const attributes = attributesIn(body, ROUTE_BYTES);
  const prefix = body[1] ?? 0;
  const network = addressIn(attributes, RTA.DST) ?? 0;
  if (prefix > 32 || (network & ~netmask(prefix)) !== 0) throw new Errno(E.INVAL);
  const kind = KINDS[body[7] ?? TYPE.UNICAST];
  if (kind === undefined || (numberIn(attributes, RTA.TABLE) || (body[4] ?? 0) || TABLE.MAIN) !== TABLE.MAIN) throw new Errno(E.OPNOTSUPP);
  const gateway = addressIn(attributes, RTA.GATEWAY);
  const index = numberIn(attributes, RTA.OIF);
  const path = index === 0 && gateway !== null ? stack.ip.path(gateway) : null;
  if (typeof path === 'number') throw new Errno(path);
  const through = kind === 'unicast' ? (path?.through ?? theInterface(stack, index)) : stack.loopback;
  if (!through.up) throw new Errno(E.NETDOWN);
  const metric = numberIn(attributes, RTA.PRIORITY);
  const there = stack.ip.routes.routes.some(each => each.network === network && each.prefix === prefix && each.metric === metric);
  if (there && (flags & NLM_F.REPLACE) === 0) throw new Errno(E.EXIST);
  const metrics = attributesIn(attributes.get(RTA.METRICS) ?? new Uint8Array(0), 0);
  stack.addRoute(network, prefix, through, {
    ...{ kind, gateway, metric, source: addressIn(attributes, RTA.PREFSRC), mtu: numberIn(metrics, RTAX_MTU) },
    ...{ origin: body[5] ?? ROUTE_ORIGIN.BOOT, scope: body[6] ?? SCOPE.UNIVERSE },
  });
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
      (index === 0 || each.through.index === index) &&
      (!attributes.has(RTA.PRIORITY) || each.metric === numberIn(attributes, RTA.PRIORITY)) &&
      (body[7] === 0 || TYPES[each.kind] === body[7]),
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
