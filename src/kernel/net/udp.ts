/** UDP (RFC 768): ports, datagrams, and sockets with a bounded queue. */
import { E } from '../abi/errno.ts';
import { ANY, LOOPBACK } from './address.ts';
import { get16, put16 } from './bytes.ts';
import { addSum, foldSum, pseudoSum } from './checksum.ts';
import type { NetContext } from './context.ts';
import { tupleHash } from './hash.ts';
import type { NetInterface } from './interface.ts';
import type { DeliveryError, IpLayer, IpPacket, Protocol } from './ip.ts';
import { HEADROOM, IPV4_HEADER, IPV4_MAX, PROTOCOL } from './ipv4.ts';
import type { Ipv4Address } from './platform.ts';
import { choosePort } from './ports.ts';
import { DATAGRAM_BUFFER, MessageQueue, NetSocket, READY, type SocketAddress } from './socket.ts';

export const UDP_HEADER = 8;
export const UDP_MAX = IPV4_MAX - IPV4_HEADER - UDP_HEADER;

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly from: SocketAddress;
  /** Where it was sent to. */
  readonly to: SocketAddress;
  readonly through: NetInterface;
  readonly ttl: number;
  readonly tos: number;
}

export class UdpLayer implements Protocol {
  readonly #byPort = new Map<number, UdpSocket[]>();

  constructor(
    readonly context: NetContext,
    readonly ip: IpLayer,
  ) {
    ip.protocols.set(PROTOCOL.UDP, this);
  }

  /** All bound sockets. */
  *sockets(): Iterable<UdpSocket> {
    for (const sockets of this.#byPort.values()) yield* sockets;
  }

  open(): UdpSocket {
    return new UdpSocket(this);
  }

  /** Gives `socket` a port (0: any) at `address`. Returns 0 or -errno. */
  bind(socket: UdpSocket, address: Ipv4Address, port: number): number {
    const free = (candidate: number) => !this.#byPort.get(candidate)?.some(other => conflicts(socket, address, other));
    const chosen = port === 0 ? choosePort(this.context, candidate => !this.#byPort.has(candidate)) : free(port) ? port : null;
    if (chosen === null) return -E.ADDRINUSE;
    const sockets = this.#byPort.get(chosen);
    if (sockets) sockets.push(socket);
    else this.#byPort.set(chosen, [socket]);
    socket.local = { address, port: chosen };
    return 0;
  }

  release(socket: UdpSocket): void {
    const sockets = this.#byPort.get(socket.local.port) ?? [];
    const rest = sockets.filter(other => other !== socket);
    if (rest.length > 0) this.#byPort.set(socket.local.port, rest);
    else this.#byPort.delete(socket.local.port);
  }

  receive(packet: IpPacket): void {
    const { Udp } = this.context.counters;
    const { header, payload } = packet;
    const length = payload.length >= UDP_HEADER ? get16(payload, 4) : 0;
    if (length < UDP_HEADER || length > payload.length) return void Udp.InErrors++;
    if (
      get16(payload, 6) !== 0 &&
      foldSum(addSum(pseudoSum(header.source, header.target, PROTOCOL.UDP, length), payload, 0, length)) !== 0
    ) {
      Udp.InErrors++;
      Udp.InCsumErrors++;
      return;
    }
    const from = { address: header.source, port: get16(payload, 0) };
    const to = { address: header.target, port: get16(payload, 2) };
    const bytes = payload.subarray(UDP_HEADER, length);
    const datagram: Datagram = { bytes, from, to, through: packet.through, ttl: header.ttl, tos: header.tos };
    const wanting = (this.#byPort.get(to.port) ?? []).filter(socket => socket.wants(datagram));
    if (packet.group) {
      for (const socket of wanting) socket.arrive(datagram);
      return;
    }
    const socket = this.#choose(wanting, datagram);
    if (socket) return socket.arrive(datagram);
    Udp.NoPorts++;
    this.ip.report('portUnreachable', packet, 0);
  }

  failed({ source, target, payload, errno, hard, mtu }: DeliveryError): void {
    if (mtu !== null) this.ip.learnPathMtu(target, mtu);
    const remotePort = get16(payload, 2);
    for (const socket of this.#byPort.get(get16(payload, 0)) ?? []) {
      const { remote, local } = socket;
      const ours = remote?.address === target && remote.port === remotePort && (local.address === ANY || local.address === source);
      if (ours && (hard || mtu !== null)) socket.fail(errno);
    }
  }

  /** The most specific of the sockets that want a datagram; among equals that share a port, by hash of the sender. */
  #choose(wanting: readonly UdpSocket[], { from, to }: Datagram): UdpSocket | null {
    const score = (socket: UdpSocket) => (socket.remote ? 2 : 0) + (socket.local.address === ANY ? 0 : 1);
    const best = Math.max(...wanting.map(score));
    const equals = wanting.filter(socket => score(socket) === best);
    const last = equals.at(-1) ?? null;
    if (!last?.reusePort || equals.length === 1) return last;
    return equals[tupleHash(this.context.secret, to.address, to.port, from.address, from.port) % equals.length] ?? null;
  }
}

function conflicts(socket: UdpSocket, address: Ipv4Address, other: UdpSocket): boolean {
  if (address !== ANY && other.local.address !== ANY && address !== other.local.address) return false;
  return !(socket.reuseAddress && other.reuseAddress) && !(socket.reusePort && other.reusePort);
}

export class UdpSocket extends NetSocket {
  /** Port 0: not bound. */
  local: SocketAddress = { address: ANY, port: 0 };
  remote: SocketAddress | null = null;
  reuseAddress = false;
  reusePort = false;
  /** SO_BROADCAST: may send to broadcast addresses. */
  broadcast = false;
  /** SO_BINDTODEVICE */
  through: NetInterface | null = null;
  ttl: number | null = null;
  tos = 0;
  readonly #layer: UdpLayer;
  readonly #queue = new MessageQueue<Datagram>(DATAGRAM_BUFFER);

  constructor(layer: UdpLayer) {
    super();
    this.#layer = layer;
  }

  /** Datagrams lost because the queue was full. */
  drops = 0;

  /** The length of the datagram that is next, 0 if there is none. */
  get next(): number {
    return this.#queue.peek()?.bytes.length ?? 0;
  }

  /** Memory of what waits to be read, as /proc/net lists it. */
  get queued(): number {
    return this.#queue.held;
  }

  /** SO_RCVBUF */
  get receiveBuffer(): number {
    return this.#queue.limit;
  }
  set receiveBuffer(bytes: number) {
    this.#queue.limit = bytes;
  }

  /** Returns 0 or -errno; port 0 lets the stack choose. */
  bind(address: Ipv4Address, port: number): number {
    if (this.local.port !== 0) return -E.INVAL;
    const { ip } = this.#layer;
    if (address !== ANY && !ip.isOwn(address) && !ip.isBroadcast(address)) return -E.ADDRNOTAVAIL;
    return this.#layer.bind(this, address, port);
  }

  /** From now on speaks and listens to `remote` alone; null: to all again. Returns 0 or -errno. */
  connect(remote: SocketAddress | null): number {
    if (!remote) {
      this.remote = null;
      return 0;
    }
    const address = remote.address === ANY ? LOOPBACK : remote.address;
    const path = this.#layer.ip.path(address, this.local.address, this.through);
    if (typeof path === 'number') return -path;
    if (this.#layer.ip.isBroadcast(address) && !this.broadcast) return -E.ACCES;
    const bound = this.#bindIfNot();
    if (bound < 0) return bound;
    this.remote = { address, port: remote.port };
    this.local = { ...this.local, address: path.source };
    return 0;
  }

  /** Sends one datagram to `to`, or to where the socket is connected. Returns its length or -errno. */
  send(bytes: Uint8Array, to: SocketAddress | null = this.remote): number {
    const { ip, context } = this.#layer;
    if (this.error) return -this.takeError();
    if (!to) return -E.DESTADDRREQ;
    if (to.port === 0) return -E.INVAL;
    if (bytes.length > UDP_MAX) return -E.MSGSIZE;
    const target = to.address === ANY ? LOOPBACK : to.address;
    if (ip.isBroadcast(target) && !this.broadcast) return -E.ACCES;
    const path = ip.path(target, this.local.address, this.through);
    if (typeof path === 'number') return -path;
    const bound = this.#bindIfNot();
    if (bound < 0) return bound;
    const { source } = path;
    const frame = buildUdp({ address: source, port: this.local.port }, { address: target, port: to.port }, bytes);
    context.counters.Udp.OutDatagrams++;
    const sent = ip.send({
      frame,
      protocol: PROTOCOL.UDP,
      source,
      target,
      ttl: this.ttl ?? ip.defaultTtl,
      tos: this.tos,
      through: this.through,
    });
    return sent === 0 ? bytes.length : -sent;
  }

  /** The next datagram, which stays in the queue if `peek`; or -errno. */
  receive(peek = false): Datagram | number {
    if (this.error) return -this.takeError();
    return (peek ? this.#queue.peek() : this.#queue.shift()) ?? -E.AGAIN;
  }

  override readiness(): number {
    return READY.OUT | (this.#queue.length > 0 ? READY.IN : 0) | (this.error ? READY.ERR : 0);
  }

  override close(): void {
    if (this.local.port !== 0) this.#layer.release(this);
    this.local = { address: ANY, port: 0 };
  }

  /** For the layer: is this datagram for this socket? */
  wants({ from, to, through }: Datagram): boolean {
    const { local, remote } = this;
    if (local.address !== ANY && local.address !== to.address) return false;
    if (this.through && this.through !== through) return false;
    return !remote || (remote.address === from.address && remote.port === from.port);
  }

  /** For the layer: a datagram came. */
  arrive(datagram: Datagram): void {
    const { Udp } = this.#layer.context.counters;
    if (!this.#queue.push(datagram)) {
      this.drops++;
      Udp.RcvbufErrors++;
      Udp.InErrors++;
      return;
    }
    Udp.InDatagrams++;
    this.onChange();
  }

  /** For the layer: something sent from here did not arrive. */
  fail(errno: number): void {
    this.error = errno;
    this.onChange();
  }

  #bindIfNot(): number {
    return this.local.port === 0 ? this.#layer.bind(this, ANY, 0) : 0;
  }
}

/** A frame with a datagram, its headers below UDP still empty. */
export function buildUdp(from: SocketAddress, to: SocketAddress, bytes: Uint8Array): Uint8Array {
  const length = UDP_HEADER + bytes.length;
  const frame = new Uint8Array(HEADROOM + length);
  put16(frame, HEADROOM, from.port);
  put16(frame, HEADROOM + 2, to.port);
  put16(frame, HEADROOM + 4, length);
  frame.set(bytes, HEADROOM + UDP_HEADER);
  // A sum of 0 would say that there is none.
  put16(frame, HEADROOM + 6, foldSum(addSum(pseudoSum(from.address, to.address, PROTOCOL.UDP, length), frame, HEADROOM)) || 0xffff);
  return frame;
}
