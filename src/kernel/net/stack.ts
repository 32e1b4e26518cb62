/**
 * The TCP/IP stack of one kernel, put together. Devices are attached and hand in frames; programs' sockets come from here.
 *
 *   receive → ethernet ┬ arp                                    sockets
 *                      └ ip ┬ (forward) → transmit                 ↓
 *                           ├ icmp                     tcp, udp, raw → ip → arp → transmit
 *                           ├ udp → sockets
 *                           └ tcp → sockets
 *
 * Always holds: no frame makes it throw, and a frame that is good for nothing costs nothing but itself.
 */
import { isGroupMac, LOOPBACK } from './address.ts';
import { NetContext } from './context.ts';
import { newCounters, type Counters } from './counters.ts';
import { ETHERNET_HEADER, ETHERTYPE, ethertype, getMac } from './ethernet.ts';
import { IcmpLayer } from './icmp.ts';
import {
  type AddressTraits,
  baseOf,
  type InterfaceAddress,
  LoopbackDevice,
  NetInterface,
  type Tap,
  withAddress,
  withoutAddress,
} from './interface.ts';
import { ROUTE_ORIGIN, type RouteTraits, SCOPE } from './route.ts';
import { IpLayer } from './ip.ts';
import { PROTOCOL } from './ipv4.ts';
import type { Ipv4Address, NetDevice, NetPlatform } from './platform.ts';
import { PingLayer } from './ping.ts';
import { RawLayer, type RawSocket } from './raw.ts';
import type { SocketAddress } from './socket.ts';
import { TcpConnection, type ConnectionInfo } from './tcp/connection.ts';
import type { FourTuple, TcpState } from './tcp/endpoint.ts';
import type { TcpListener } from './tcp/listener.ts';
import type { Binding } from './tcp/bindings.ts';
import type { TcpOptions } from './tcp/options.ts';
import { defaultOptions } from './tcp/options.ts';
import { TcpLayer } from './tcp/tcp.ts';
import { UdpLayer, type UdpSocket } from './udp.ts';

/** One row of `ss -t`: what all endpoints have; and more of one that is a connection. */
export interface TcpRow extends FourTuple {
  readonly state: TcpState;
  readonly connection: ConnectionInfo | null;
  /** Of a listener: connections that wait, and the most that may. */
  readonly waiting: number;
  readonly backlog: number;
}

export class NetStack {
  readonly context: NetContext;
  readonly counters: Counters = newCounters();
  readonly loopback: NetInterface;
  readonly ip: IpLayer;
  readonly icmp: IcmpLayer;
  readonly udp: UdpLayer;
  readonly tcp: TcpLayer;
  readonly raw: RawLayer;
  readonly ping: PingLayer;
  /** See every frame in and out (tcpdump, captures). */
  readonly taps = new Set<Tap>();
  /** Told of an interface that goes down, or away (Linux: NETDEV_DOWN). */
  readonly onDown = new Set<(through: NetInterface) => void>();
  readonly #interfaces: NetInterface[] = [];
  #nextIndex = 1;

  constructor(platform: NetPlatform) {
    this.context = new NetContext(platform, this.counters);
    const device: LoopbackDevice = new LoopbackDevice(platform, frame => this.receive(device, frame));
    this.loopback = this.#add(device, true);
    this.ip = new IpLayer(this.context, this.loopback, this.#interfaces);
    this.icmp = new IcmpLayer(this.context, this.ip);
    this.udp = new UdpLayer(this.context, this.ip);
    this.tcp = new TcpLayer(this.context, this.ip);
    this.raw = new RawLayer(this.ip);
    this.ping = new PingLayer(this.context, this.raw);
    this.setUp(this.loopback, true);
    this.addAddress(this.loopback, LOOPBACK, 8);
  }

  get interfaces(): readonly NetInterface[] {
    return this.#interfaces;
  }

  // Interfaces.

  /** A new interface, down and without addresses. */
  attach(device: NetDevice): NetInterface {
    return this.#add(device, false);
  }

  detach(through: NetInterface): void {
    this.setUp(through, false);
    const at = this.#interfaces.indexOf(through);
    if (at >= 0) this.#interfaces.splice(at, 1);
  }

  /** `ip link set … up|down`. Down, its routes and neighbours go, except what its addresses bring back when it comes up. */
  setUp(through: NetInterface, up: boolean): void {
    if (through.up === up) return;
    through.up = up;
    this.ip.addressesChanged();
    if (up) {
      for (const own of through.addresses) this.#connectRoute(through, own);
      return;
    }
    this.ip.routes.remove(route => route.through === through);
    this.ip.arp.remove(through);
    for (const tell of this.onDown) tell(through);
  }

  /** `ip addr add`: the network of the address becomes reachable. */
  addAddress(through: NetInterface, address: Ipv4Address, prefix: number, traits: AddressTraits = {}): void {
    if (through.has(address)) return;
    const added: InterfaceAddress = { address, prefix, ...traits };
    through.addresses = withAddress(through.addresses, added);
    this.ip.addressesChanged();
    if (through.up) this.#connectRoute(through, added);
  }

  removeAddress(through: NetInterface, address: Ipv4Address): void {
    const gone = through.addresses.find(own => own.address === address);
    if (!gone) return;
    const before = through.addresses;
    through.addresses = withoutAddress(before, gone);
    const lost = new Set(before.filter(own => !through.addresses.includes(own)).map(own => own.address));
    this.ip.addressesChanged();
    const still = through.addresses.some(own => own.prefix === gone.prefix && baseOf(own) === baseOf(gone));
    this.ip.routes.remove(route => {
      if (route.through !== through) return false;
      const connected = route.gateway === null && route.prefix === gone.prefix && route.network === baseOf(gone);
      // Without an address it cannot speak IPv4, and no route leads through it.
      return (route.source !== null && lost.has(route.source)) || (connected && !still) || through.addresses.length === 0;
    });
  }

  /** `ip route add`; a default route has prefix 0. */
  addRoute(
    network: Ipv4Address,
    prefix: number,
    through: NetInterface,
    { gateway = null, kind = 'unicast', ...traits }: RouteTraits = {},
  ): void {
    const scope = gateway === null && kind === 'unicast' ? SCOPE.LINK : SCOPE.UNIVERSE;
    const usual = { metric: 0, source: null, mtu: 0, origin: ROUTE_ORIGIN.BOOT, scope };
    this.ip.routes.add({ network, prefix, through, gateway, kind, ...usual, ...traits });
  }

  /** A frame has come in at `device`. Nobody may write to it from now on. */
  receive(device: NetDevice, frame: Uint8Array): void {
    const through = this.#interfaces.find(own => own.device === device);
    if (!through?.received(frame)) return;
    const { Link } = this.counters;
    if (frame.length < ETHERNET_HEADER) {
      through.counters.rxErrors++;
      Link.InErrors++;
      return;
    }
    const target = getMac(frame, 0);
    const group = isGroupMac(target);
    if (!group && target !== through.mac) {
      Link.InOtherHost++;
      return;
    }
    const type = ethertype(frame);
    if (type === ETHERTYPE.IPV4) this.ip.receive(through, frame, group);
    else if (type === ETHERTYPE.ARP && !through.loopback) this.ip.arp.receive(through, frame);
    else Link.InUnknownProtos++;
  }

  // Sockets. Errors are returned as -errno.

  tcpOptions(): TcpOptions {
    return defaultOptions(this.context);
  }

  /** Holds a port, for tcpListen or tcpConnect; or, given back by `tcp.unbind`, for nothing. */
  tcpBind(at: SocketAddress, sharing: { reuseAddress?: boolean; reusePort?: boolean } = {}): Binding | number {
    return this.tcp.bind(at.address, at.port, sharing);
  }

  tcpListen(binding: Binding, backlog: number, options: TcpOptions = this.tcpOptions()): TcpListener | number {
    return this.tcp.listen(binding, backlog, options);
  }

  tcpConnect(to: SocketAddress, binding: Binding | null = null, options: TcpOptions = this.tcpOptions()): TcpConnection | number {
    return this.tcp.connect(to, binding, options);
  }

  udpOpen(): UdpSocket {
    return this.udp.open();
  }

  /** A raw socket; by default for ICMP. */
  rawOpen(protocol: number = PROTOCOL.ICMP): RawSocket {
    return this.raw.open(protocol);
  }

  // Tables.

  /** All that `ss -ta` lists. */
  tcpTable(): TcpRow[] {
    const rows: TcpRow[] = [];
    for (const { binding, waiting, backlog } of this.tcp.listeners()) {
      const { address, port } = binding;
      rows.push({ local: address, localPort: port, remote: 0, remotePort: 0, state: 'LISTEN', connection: null, waiting, backlog });
    }
    for (const endpoint of this.tcp.all()) {
      const connection = endpoint instanceof TcpConnection ? endpoint.info : null;
      rows.push({ ...endpoint.tuple, state: endpoint.state, connection, waiting: 0, backlog: 0 });
    }
    return rows;
  }

  #add(device: NetDevice, loopback: boolean): NetInterface {
    const added = new NetInterface(this.#nextIndex++, device, loopback, this.taps, this.context.platform);
    this.#interfaces.push(added);
    return added;
  }

  #connectRoute(through: NetInterface, own: InterfaceAddress): void {
    const { address, prefix, peer } = own;
    if (through.loopback || (prefix === 32 && peer === undefined)) return;
    this.addRoute(baseOf(own), prefix, through, { source: address, origin: ROUTE_ORIGIN.KERNEL });
  }
}
