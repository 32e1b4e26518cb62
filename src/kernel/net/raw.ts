/** Raw sockets: a copy of each packet of one protocol that is delivered here, and packets sent as they are given (ping, traceroute). */
import { E } from '../abi/errno.ts';
import { ANY, LOOPBACK } from './address.ts';
import type { IpLayer, IpPacket } from './ip.ts';
import { HEADROOM, IPV4_HEADER, IPV4_MAX } from './ipv4.ts';
import type { NetInterface } from './interface.ts';
import type { Ipv4Address } from './platform.ts';
import { DATAGRAM_BUFFER, MessageQueue, NetSocket, READY } from './socket.ts';

export interface RawMessage {
  /** The packet from its IP header on, as Linux hands it to a raw socket. */
  readonly bytes: Uint8Array;
  readonly from: Ipv4Address;
  readonly to: Ipv4Address;
  readonly through: NetInterface;
}

export class RawLayer {
  readonly sockets = new Set<RawSocket>();

  constructor(readonly ip: IpLayer) {
    ip.overhear = packet => this.#overhear(packet);
  }

  /** A socket for one IP protocol number. */
  open(protocol: number): RawSocket {
    const socket = new RawSocket(this, protocol);
    this.sockets.add(socket);
    return socket;
  }

  #overhear({ header, packet, through }: IpPacket): boolean {
    let wanted = false;
    for (const socket of this.sockets) {
      if (socket.protocol !== header.protocol) continue;
      if (socket.local !== ANY && socket.local !== header.target) continue;
      if (socket.remote !== null && socket.remote !== header.source) continue;
      if (socket.filter !== null && !socket.filter(packet.subarray(header.headerBytes))) continue;
      wanted = true;
      socket.arrive({ bytes: packet, from: header.source, to: header.target, through });
    }
    return wanted;
  }
}

export class RawSocket extends NetSocket {
  local: Ipv4Address = ANY;
  remote: Ipv4Address | null = null;
  ttl: number | null = null;
  tos = 0;
  through: NetInterface | null = null;
  /** Which messages are wanted, by what stands behind their IP header; null: all. */
  filter: ((message: Uint8Array) => boolean) | null = null;
  /** Messages lost because the queue was full. */
  drops = 0;
  readonly #queue = new MessageQueue<RawMessage>(DATAGRAM_BUFFER);
  readonly #layer: RawLayer;

  constructor(
    layer: RawLayer,
    readonly protocol: number,
  ) {
    super();
    this.#layer = layer;
  }

  /** The length of the message that is next, 0 if there is none. */
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

  bind(address: Ipv4Address): number {
    if (address !== ANY && !this.#layer.ip.isOwn(address)) return -E.ADDRNOTAVAIL;
    this.local = address;
    return 0;
  }

  connect(remote: Ipv4Address | null): number {
    this.remote = remote;
    return 0;
  }

  /** Sends `bytes` behind an IP header. Returns their number or -errno. */
  send(bytes: Uint8Array, to: Ipv4Address | null = this.remote): number {
    const { protocol, tos, ttl, local } = this;
    return this.sendAs(bytes, to, { protocol, tos, ttl, source: local });
  }

  /** The same with a header as the caller wants it; a source of 0 and a time of null are the stack's choice. */
  sendAs(
    bytes: Uint8Array,
    to: Ipv4Address | null,
    { protocol, tos, ttl, source }: { protocol: number; tos: number; ttl: number | null; source: Ipv4Address },
  ): number {
    const { ip } = this.#layer;
    if (this.error) return -this.takeError();
    if (to === null) return -E.DESTADDRREQ;
    if (bytes.length > IPV4_MAX - IPV4_HEADER) return -E.MSGSIZE;
    const target = to === ANY ? LOOPBACK : to;
    const { through } = this;
    const path = ip.path(target, source, through);
    if (typeof path === 'number') return -path;
    const frame = new Uint8Array(HEADROOM + bytes.length);
    frame.set(bytes, HEADROOM);
    const sent = ip.send({ frame, protocol, source: path.source, target, ttl: ttl ?? ip.defaultTtl, tos, through });
    return sent === 0 ? bytes.length : -sent;
  }

  receive(peek = false): RawMessage | number {
    if (this.error) return -this.takeError();
    return (peek ? this.#queue.peek() : this.#queue.shift()) ?? -E.AGAIN;
  }

  override readiness(): number {
    return READY.OUT | (this.#queue.length > 0 ? READY.IN : 0) | (this.error ? READY.ERR : 0);
  }

  override close(): void {
    this.#layer.sockets.delete(this);
  }

  /** For the layer: a packet came. */
  arrive(message: RawMessage): void {
    if (this.#queue.push(message)) this.onChange();
    else this.drops++;
  }
}
