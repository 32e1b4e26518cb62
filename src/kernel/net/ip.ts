/**
 * The IPv4 layer: what comes in is checked, put together and delivered or forwarded; what goes out finds its way and its neighbour.
 *
 * Always holds: a packet to an own address never leaves the host, and one that claims to come from an own address never enters it.
 */
import { E } from '../abi/errno.ts';
import { ANY, inNetwork, isLoopback, isMulticast, isNobody, LIMITED_BROADCAST, MAC_BROADCAST } from './address.ts';
import { ArpTable } from './arp.ts';
import type { NetContext } from './context.ts';
import { ETHERNET_HEADER, ETHERTYPE, putEthernet } from './ethernet.ts';
import { fragment, Reassembly, type WholePacket } from './fragment.ts';
import { baseOf, broadcastOf, type NetInterface } from './interface.ts';
import { HEADROOM, IPV4_HEADER, IPV4_MAX, IPV4_MIN_MTU, parseIpv4, putIpv4, type Ipv4Header } from './ipv4.ts';
import type { Cycles, Ipv4Address, MacAddress } from './platform.ts';
import { type RouteKind, RouteTable } from './route.ts';

/** A packet that is for this host, in one piece. */
export interface IpPacket extends WholePacket {
  readonly payload: Uint8Array;
  readonly through: NetInterface;
  /** It came to more than this host, on the link or by its address: no error may answer it. */
  readonly group: boolean;
}

/** News that a packet this host sent did not arrive. */
export interface DeliveryError {
  readonly source: Ipv4Address;
  readonly target: Ipv4Address;
  /** The first bytes (8 at least) of what the IP packet carried. */
  readonly payload: Uint8Array;
  readonly errno: number;
  /** It will not get better by waiting. */
  readonly hard: boolean;
  /** The largest packet that passes, where that was the trouble; else null. */
  readonly mtu: number | null;
}

/** TCP, UDP and ICMP as IP sees them. */
export interface Protocol {
  receive(packet: IpPacket): void;
  failed(error: DeliveryError): void;
}

/** Errors that ICMP reports to the sender of a packet, by the names of RFC 792. */
export type IpError =
  | 'hostUnreachable'
  | 'netUnreachable'
  | 'protocolUnreachable'
  | 'portUnreachable'
  | 'fragmentationNeeded'
  | 'filtered'
  | 'ttlExceeded'
  | 'reassemblyTimeExceeded';

/** Of routes that lead nowhere: what a program's call returns, and what is told to the sender of a packet that came. */
const NOWHERE: Readonly<Record<Exclude<RouteKind, 'unicast'>, { readonly errno: number; readonly error: IpError | null }>> = {
  blackhole: { errno: E.INVAL, error: null },
  unreachable: { errno: E.HOSTUNREACH, error: 'hostUnreachable' },
  prohibit: { errno: E.ACCES, error: 'filtered' },
};

/** The way to an address. */
export interface Path {
  readonly through: NetInterface;
  readonly nextHop: Ipv4Address;
  readonly source: Ipv4Address;
  readonly mtu: number;
}

export interface Outgoing {
  /** HEADROOM free bytes, then the payload with its checksums done. */
  readonly frame: Uint8Array;
  readonly protocol: number;
  readonly source: Ipv4Address;
  readonly target: Ipv4Address;
  readonly ttl?: number;
  readonly tos?: number;
  /** Send through this interface whatever the routes say. */
  readonly through?: NetInterface | null;
}

export const DEFAULT_TTL = 64;
/** net.ipv4.route.mtu_expires, min_pmtu; and how many are remembered. */
const PATH_MTU = { expiresMs: 600_000, least: 552, entries: 1024 } as const;

export class IpLayer {
  readonly routes = new RouteTable();
  readonly arp: ArpTable;
  readonly protocols = new Map<number, Protocol>();
  /** Hears of each packet delivered, before its protocol; true if somebody wanted it (raw sockets). */
  overhear: (packet: IpPacket) => boolean = () => false;
  /** Tells the sender of a packet what became of it (ICMP). */
  report: (error: IpError, packet: IpPacket, mtu: number) => void = () => {};
  /** net.ipv4.ip_forward */
  forwarding = false;
  defaultTtl = DEFAULT_TTL;
  readonly #reassembly: Reassembly;
  readonly #pathMtu = new Map<Ipv4Address, { readonly mtu: number; readonly expires: Cycles }>();
  #nextId: number;
  /** Addresses of interfaces that are up, and the broadcast addresses of their networks. */
  #own: ReadonlySet<Ipv4Address> = new Set();
  #broadcasts: ReadonlySet<Ipv4Address> = new Set([LIMITED_BROADCAST]);

  constructor(
    readonly context: NetContext,
    readonly loopback: NetInterface,
    readonly interfaces: readonly NetInterface[],
  ) {
    this.#nextId = context.platform.random() & 0xffff;
    this.arp = new ArpTable(
      context,
      address => this.isOwn(address),
      (frame, through) => this.#neighbourFailed(frame, through),
    );
    this.#reassembly = new Reassembly(context, (first, through) =>
      this.report('reassemblyTimeExceeded', asPacket(first, through, false), 0),
    );
  }

  isOwn(address: Ipv4Address): boolean {
    return this.#own.has(address) || this.#networkHere(address) !== null;
  }

  /** The address of loopback in whose network it is: such networks are all this host's, as 127.0.0.0/8 is. */
  #networkHere(address: Ipv4Address): Ipv4Address | null {
    if (!this.loopback.up) return null;
    return this.loopback.addresses.find(own => inNetwork(address, baseOf(own), own.prefix))?.address ?? null;
  }

  isBroadcast(address: Ipv4Address): boolean {
    return this.#broadcasts.has(address);
  }

  /** To be called when an interface went up or down, or has other addresses: every packet asks whether it is for us. */
  addressesChanged(): void {
    const up = this.interfaces.filter(own => own.up).flatMap(own => own.addresses);
    this.#own = new Set(up.map(({ address }) => address));
    this.#broadcasts = new Set([LIMITED_BROADCAST, ...up.map(broadcastOf)]);
  }

  /** The way to `target`, from `source` (0: to be chosen); or why there is none, as an errno. */
  path(target: Ipv4Address, source: Ipv4Address = ANY, through: NetInterface | null = null): Path | number {
    if (this.isOwn(target)) {
      const { loopback } = this;
      const own = this.#own.has(target) ? target : (this.#networkHere(target) ?? target);
      return { through: loopback, nextHop: target, source: source || own, mtu: this.#mtu(target, loopback) };
    }
    if (isLoopback(target) || isLoopback(source)) return E.INVAL;
    const route = this.routes.lookup(target, through);
    if (route && route.kind !== 'unicast') return NOWHERE[route.kind].errno;
    const link = route?.through ?? (through?.up ? through : null);
    if (!link) return E.NETUNREACH;
    const from = source || route?.source || link.sourceFor(route?.gateway ?? target) || this.#anyAddress();
    return { through: link, nextHop: route?.gateway ?? target, source: from ?? ANY, mtu: this.#mtu(target, link, route?.mtu) };
  }

  /** Sends one packet, in fragments if need be. Returns 0 or an errno; a packet that a full ring drops is counted, and not an error. */
  send(outgoing: Outgoing): number {
    const { Ip, IpExt } = this.context.counters;
    const { frame, target } = outgoing;
    Ip.OutRequests++;
    const path = this.path(target, outgoing.source, outgoing.through ?? null);
    if (typeof path === 'number') {
      Ip.OutNoRoutes++;
      return path;
    }
    const totalBytes = frame.length - ETHERNET_HEADER;
    if (totalBytes > IPV4_MAX) return E.MSGSIZE;
    IpExt.OutOctets += totalBytes;
    const header: Ipv4Header = {
      headerBytes: IPV4_HEADER,
      tos: outgoing.tos ?? 0,
      totalBytes,
      id: (this.#nextId = (this.#nextId + 1) & 0xffff),
      dontFragment: totalBytes <= path.mtu,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: outgoing.ttl ?? this.defaultTtl,
      protocol: outgoing.protocol,
      source: outgoing.source,
      target,
    };
    putIpv4(frame.subarray(ETHERNET_HEADER, HEADROOM), header);
    this.#emit(frame, header, path);
    return 0;
  }

  /** A frame of type IPv4 that came in. `group`: it was sent to more than this host. */
  receive(through: NetInterface, frame: Uint8Array, group: boolean): void {
    const { Ip, IpExt } = this.context.counters;
    Ip.InReceives++;
    const bytes = frame.subarray(ETHERNET_HEADER);
    const header = parseIpv4(bytes);
    if (typeof header === 'string') {
      if (header === 'truncated') IpExt.InTruncatedPkts++;
      else Ip.InHdrErrors++;
      if (header === 'checksum') IpExt.InCsumErrors++;
      return;
    }
    IpExt.InOctets += header.totalBytes;
    if (!this.#plausible(header, through)) {
      Ip.InAddrErrors++;
      return;
    }
    const packet = bytes.subarray(0, header.totalBytes);
    const broadcast = this.isBroadcast(header.target);
    if (broadcast) IpExt.InBcastPkts++;
    if (broadcast || isMulticast(header.target) || this.isOwn(header.target)) {
      return this.#receiveOwn(header, packet, through, group || broadcast || isMulticast(header.target));
    }
    if (!this.forwarding || group) {
      Ip.InAddrErrors++;
      return;
    }
    this.#forward(asPacket({ header, packet }, through, group));
  }

  /** Remembers that only packets of `mtu` bytes pass to `target`. */
  learnPathMtu(target: Ipv4Address, mtu: number): void {
    this.#pathMtu.delete(target);
    const oldest = this.#pathMtu.keys().next();
    if (this.#pathMtu.size >= PATH_MTU.entries && !oldest.done) this.#pathMtu.delete(oldest.value);
    const expires = this.context.now + this.context.cycles(PATH_MTU.expiresMs);
    this.#pathMtu.set(target, { mtu: Math.max(mtu, PATH_MTU.least), expires });
  }

  #anyAddress(): Ipv4Address | null {
    return this.interfaces.find(own => own.up && !own.loopback && own.firstAddress !== null)?.firstAddress ?? null;
  }

  #mtu(target: Ipv4Address, link: NetInterface, ofRoute = 0): number {
    // Loopback takes frames one byte larger than a packet can be.
    const most = Math.min(link.mtu, IPV4_MAX, ofRoute || IPV4_MAX);
    const learnt = this.#pathMtu.get(target);
    if (!learnt) return most;
    if (learnt.expires > this.context.now) return Math.min(most, learnt.mtu);
    this.#pathMtu.delete(target);
    return most;
  }

  /** No martians: a source that no host can have, or one of ours from outside (RFC 1812, 5.3.7). */
  #plausible({ source, target }: Ipv4Header, through: NetInterface): boolean {
    if (through.loopback) return true;
    if (isLoopback(source) || isLoopback(target) || target === ANY || this.isOwn(source) || this.isBroadcast(source)) return false;
    return !isNobody(source) || (source === ANY && target === LIMITED_BROADCAST);
  }

  #receiveOwn(header: Ipv4Header, packet: Uint8Array, through: NetInterface, group: boolean): void {
    if (!header.moreFragments && header.fragmentOffset === 0) return this.#deliver(asPacket({ header, packet }, through, group));
    const whole = this.#reassembly.add(header, packet, through);
    if (whole) this.#deliver(asPacket(whole, through, group));
  }

  #deliver(packet: IpPacket): void {
    const { Ip } = this.context.counters;
    const overheard = this.overhear(packet);
    const protocol = this.protocols.get(packet.header.protocol);
    if (protocol) {
      Ip.InDelivers++;
      protocol.receive(packet);
    } else if (overheard) Ip.InDelivers++;
    else {
      Ip.InUnknownProtos++;
      this.report('protocolUnreachable', packet, 0);
    }
  }

  #forward(packet: IpPacket): void {
    const { Ip } = this.context.counters;
    const { header } = packet;
    if (header.ttl <= 1) {
      Ip.InHdrErrors++;
      return this.report('ttlExceeded', packet, 0);
    }
    const route = this.routes.lookup(header.target);
    if (!route) {
      Ip.OutNoRoutes++;
      return this.report('netUnreachable', packet, 0);
    }
    if (route.kind !== 'unicast') {
      const { error } = NOWHERE[route.kind];
      Ip.InAddrErrors++;
      if (error !== null) this.report(error, packet, 0);
      return;
    }
    const mtu = Math.min(route.through.mtu, route.mtu || IPV4_MAX);
    if (header.totalBytes > mtu && header.dontFragment) {
      Ip.FragFails++;
      return this.report('fragmentationNeeded', packet, mtu);
    }
    Ip.ForwDatagrams++;
    const frame = new Uint8Array(ETHERNET_HEADER + header.totalBytes);
    frame.set(packet.packet, ETHERNET_HEADER);
    const passed = { ...header, ttl: header.ttl - 1 };
    putIpv4(frame.subarray(ETHERNET_HEADER), passed);
    this.#emit(frame, passed, { through: route.through, nextHop: route.gateway ?? header.target, source: header.source, mtu });
  }

  #emit(frame: Uint8Array, header: Ipv4Header, path: Path): void {
    if (header.totalBytes <= path.mtu) return this.#transmit(frame, path);
    const { Ip } = this.context.counters;
    if (path.mtu < IPV4_MIN_MTU) {
      Ip.FragFails++;
      return;
    }
    const pieces = fragment(frame, header, path.mtu);
    Ip.FragOKs++;
    Ip.FragCreates += pieces.length;
    for (const piece of pieces) this.#transmit(piece, path);
  }

  #transmit(frame: Uint8Array, { through, nextHop }: Path): void {
    if (!this.#hand(frame, through, nextHop)) this.context.counters.Ip.OutDiscards++;
  }

  #hand(frame: Uint8Array, through: NetInterface, nextHop: Ipv4Address): boolean {
    const group = this.#groupMac(through, nextHop);
    if (group === null && !through.loopback) return this.arp.send(through, nextHop, frame);
    putEthernet(frame, group ?? through.mac, through.mac, ETHERTYPE.IPV4);
    return through.transmit(frame);
  }

  /** The MAC address that a broadcast or multicast (RFC 1112) goes to; null for a single neighbour. */
  #groupMac(through: NetInterface, nextHop: Ipv4Address): MacAddress | null {
    if (isMulticast(nextHop)) return 0x01005e000000 + (nextHop & 0x7fffff);
    if (!through.isBroadcast(nextHop)) return null;
    this.context.counters.IpExt.OutBcastPkts++;
    return MAC_BROADCAST;
  }

  /** A neighbour did not answer ARP: the sender hears of it, be it this host or another. */
  #neighbourFailed(frame: Uint8Array, through: NetInterface): void {
    const bytes = frame.subarray(ETHERNET_HEADER);
    const header = parseIpv4(bytes);
    if (typeof header === 'string') return;
    const packet = asPacket({ header, packet: bytes }, through, false);
    if (!this.isOwn(header.source)) return this.report('hostUnreachable', packet, 0);
    const { source, target } = header;
    this.protocols.get(header.protocol)?.failed({ source, target, payload: packet.payload, errno: E.HOSTUNREACH, hard: false, mtu: null });
  }
}

const asPacket = ({ header, packet }: WholePacket, through: NetInterface, group: boolean): IpPacket => ({
  header,
  packet,
  payload: packet.subarray(header.headerBytes),
  through,
  group,
});
