/** Sockets that carry messages without a connection: UDP, ping, raw. What differs is what the stack has for them, and what a name means. */
import { E, Errno } from '../../../abi/errno.ts';
import { AF, ICMP_FILTER, IP, IPPROTO, MSG, SHUT, SO, SOCK, SOL_RAW } from '../../../abi/socket.ts';
import type { NetInterface } from '../../../net/interface.ts';
import { get32 } from '../../../net/bytes.ts';
import type { PingSocket } from '../../../net/ping.ts';
import type { RawMessage, RawSocket } from '../../../net/raw.ts';
import type { NetSocket, SocketAddress } from '../../../net/socket.ts';
import type { UdpSocket } from '../../../net/udp.ts';
import type { Blocking, Maybe } from '../../../types.ts';
import { setU32, u32At } from '../../bytes.ts';
import { transferCost } from '../../costs.ts';
import type { IoContext } from '../../file.ts';
import { eager } from '../../maybe.ts';
import type { Manner, Message, Received, SocketName } from '../socket.ts';
import { inetAddress, inetData } from './address.ts';
import { checked, type InetDomain } from './domain.ts';
import { InetSocket, pollBits } from './socket.ts';

/** A message as a program gets it. */
interface Arrived {
  readonly bytes: Uint8Array;
  readonly from: SocketAddress;
  readonly to: number;
  readonly through: NetInterface;
  readonly ttl: number;
  readonly tos: number;
}

export abstract class InetDatagram extends InetSocket {
  /** SHUT_RD and SHUT_WR, as bits 1 and 2. */
  #shut = 0;

  constructor(domain: InetDomain, type: number, protocol: number, flags: number, uid: number) {
    super(domain, { family: AF.INET, type, protocol }, flags, uid);
  }

  // ── What the kinds have of their own ──

  protected abstract readonly end: NetSocket & { receiveBuffer: number };
  abstract get local(): SocketAddress;
  abstract get remote(): SocketAddress | null;
  /** Bytes and overhead of what waits. */
  abstract get queued(): number;
  abstract get drops(): number;
  protected abstract bindTo(at: SocketAddress): number;
  protected abstract connectTo(to: SocketAddress | null): number;
  protected abstract put(bytes: Uint8Array, to: SocketAddress | null): number;
  protected abstract take(peek: boolean): Arrived | number;

  /** To be called when `end` is there. */
  protected begin(): void {
    this.end.onChange = () => this.changed.wakeAll();
  }

  protected override ended(): void {
    this.end.close();
  }

  // ── Names ──

  override bind(name: SocketName): void {
    checked(this.bindTo(inetAddress(name.data)));
  }
  override connect(name: SocketName | null, _io: IoContext): void {
    checked(this.connectTo(name === null ? null : inetAddress(name.data)));
    this.changed.wakeAll();
  }
  override ownName(): string {
    return inetData(this.local);
  }
  override peerName(): string {
    if (this.remote === null) throw new Errno(E.NOTCONN);
    return inetData(this.remote);
  }
  override shutdown(how: number): void {
    this.#shut |= how + 1;
    this.changed.wakeAll();
    // As on Linux: an error, but with effect.
    if (this.remote === null) throw new Errno(E.NOTCONN);
  }

  // ── Messages ──

  override send({ bytes, to }: Message, _manner: Manner, _io: IoContext): number {
    if (this.#shut & (SHUT.WR + 1)) throw new Errno(E.PIPE);
    this.services.charge(transferCost(bytes.length));
    return checked(this.put(bytes, to === null ? null : inetAddress(to.data)));
  }

  override receive(count: number, manner: Manner, _io: IoContext): Maybe<Received> {
    return eager(this.#receive(count, this.manner(manner, SO.RCVTIMEO)));
  }

  *#receive(count: number, manner: Manner): Blocking<Received> {
    // Errors are told by SO_ERROR and by the next call; none are kept beside.
    if (manner.flags & MSG.ERRQUEUE) throw new Errno(E.AGAIN);
    for (;;) {
      const got = this.take((manner.flags & MSG.PEEK) !== 0);
      if (typeof got !== 'number') {
        const bytes = got.bytes.slice(0, count);
        this.services.charge(transferCost(bytes.length));
        return {
          bytes,
          length: got.bytes.length,
          from: inetData(got.from),
          files: [],
          credentials: null,
          control: this.controlOf(got),
        };
      }
      if (got !== -E.AGAIN) throw new Errno(-got);
      if (this.#shut & (SHUT.RD + 1)) return NOTHING;
      yield* this.waitChange(manner);
    }
  }

  override poll(): number {
    const shut = (this.#shut & 1 ? POLL_SHUT : 0) | (this.#shut === 3 ? POLL_OVER : 0);
    const bits = pollBits(this.end.readiness());
    return bits | shut | (bits & POLL_OUT ? POLL_WRBAND : 0);
  }

  protected override takeError(): number {
    return this.end.takeError();
  }
  protected override optionsChanged(): void {
    this.end.receiveBuffer = this.options.number(SO.RCVBUF);
  }
  protected override pathMtu(): number {
    const { remote } = this;
    const path = remote === null ? E.NOTCONN : this.domain.stack.ip.path(remote.address, this.local.address, this.through);
    if (typeof path === 'number') throw new Errno(E.NOTCONN);
    return path.mtu;
  }
}

const POLL_OUT = 4;
const POLL_WRBAND = 512;
/** POLLIN, POLLRDNORM, POLLRDHUP; POLLHUP. */
const POLL_SHUT = 1 | 64 | 0x2000;
const POLL_OVER = 16;

const NOTHING: Received = { bytes: new Uint8Array(0), length: 0, from: '', files: [], credentials: null };

// ── UDP ──

export class InetUdp extends InetDatagram {
  protected readonly end: UdpSocket;

  constructor(domain: InetDomain, flags: number, uid: number) {
    super(domain, SOCK.DGRAM, IPPROTO.UDP, flags, uid);
    this.end = domain.stack.udpOpen();
    this.begin();
  }

  get local(): SocketAddress {
    return this.end.local;
  }
  get remote(): SocketAddress | null {
    return this.end.remote;
  }
  get queued(): number {
    return this.end.queued;
  }
  get drops(): number {
    return this.end.drops;
  }
  protected bindTo({ address, port }: SocketAddress): number {
    return this.end.bind(address, port);
  }
  protected connectTo(to: SocketAddress | null): number {
    return this.end.connect(to);
  }
  protected put(bytes: Uint8Array, to: SocketAddress | null): number {
    return this.end.send(bytes, to ?? this.end.remote);
  }
  protected take(peek: boolean): Arrived | number {
    const got = this.end.receive(peek);
    return typeof got === 'number' ? got : { ...got, to: got.to.address };
  }
  protected override waitingBytes(): number {
    return this.end.next;
  }

  protected override optionsChanged(): void {
    super.optionsChanged();
    const { end, options } = this;
    end.reuseAddress = options.number(SO.REUSEADDR) !== 0;
    end.reusePort = options.number(SO.REUSEPORT) !== 0;
    end.broadcast = options.number(SO.BROADCAST) !== 0;
    end.through = this.through;
    end.ttl = this.ipOption(IP.TTL) || null;
    end.tos = this.ipOption(IP.TOS);
  }
}

// ── ICMP ──

/** A raw message without its IP header, and with what that says. */
function arrived({ bytes, from, to, through }: RawMessage, whole: boolean): Arrived {
  const header = ((bytes[0] ?? 0) & 15) * 4;
  const rest = { from: { address: from, port: 0 }, to, through, ttl: bytes[8] ?? 0, tos: bytes[1] ?? 0 };
  return { ...rest, bytes: whole ? bytes : bytes.subarray(header) };
}

export class InetPing extends InetDatagram {
  protected readonly end: PingSocket;

  constructor(domain: InetDomain, flags: number, uid: number) {
    super(domain, SOCK.DGRAM, IPPROTO.ICMP, flags, uid);
    this.end = domain.stack.ping.open();
    this.begin();
  }

  get local(): SocketAddress {
    return { address: this.end.raw.local, port: this.end.id };
  }
  get remote(): SocketAddress | null {
    const { remote } = this.end.raw;
    return remote === null ? null : { address: remote, port: 0 };
  }
  get queued(): number {
    return this.end.raw.queued;
  }
  get drops(): number {
    return this.end.raw.drops;
  }
  protected bindTo({ address, port }: SocketAddress): number {
    return this.end.bind(address, port);
  }
  protected connectTo(to: SocketAddress | null): number {
    return this.end.raw.connect(to?.address ?? null);
  }
  protected put(bytes: Uint8Array, to: SocketAddress | null): number {
    return this.end.send(bytes, to?.address ?? this.end.raw.remote);
  }
  protected take(peek: boolean): Arrived | number {
    const got = this.end.receive(peek);
    return typeof got === 'number' ? got : arrived(got, false);
  }
  protected override waitingBytes(): number {
    return this.end.raw.next;
  }
  protected override optionsChanged(): void {
    const { raw } = this.end;
    raw.receiveBuffer = this.options.number(SO.RCVBUF);
    raw.through = this.through;
    raw.ttl = this.ipOption(IP.TTL) || null;
    raw.tos = this.ipOption(IP.TOS);
  }
}

/** IP options have nothing to say about a header that the program writes itself. */
const IP_HEADER_MIN = 20;

export class InetRaw extends InetDatagram {
  protected readonly end: RawSocket;
  /** ICMP_FILTER: the types of which a bit is set are not wanted. */
  #filter = 0;

  constructor(domain: InetDomain, protocol: number, flags: number, uid: number) {
    super(domain, SOCK.RAW, protocol, flags, uid);
    this.end = domain.stack.rawOpen(protocol);
    this.begin();
  }

  get local(): SocketAddress {
    return { address: this.end.local, port: this.socket.protocol };
  }
  get remote(): SocketAddress | null {
    return this.end.remote === null ? null : { address: this.end.remote, port: 0 };
  }
  get queued(): number {
    return this.end.queued;
  }
  get drops(): number {
    return this.end.drops;
  }
  protected bindTo({ address }: SocketAddress): number {
    return this.end.bind(address);
  }
  protected connectTo(to: SocketAddress | null): number {
    return this.end.connect(to?.address ?? null);
  }

  protected put(bytes: Uint8Array, to: SocketAddress | null): number {
    if (this.socket.protocol !== IPPROTO.RAW && this.ipOption(IP.HDRINCL) === 0)
      return this.end.send(bytes, to?.address ?? this.end.remote);
    // The program has written the header: of that counts what the stack has a choice in.
    const headerBytes = ((bytes[0] ?? 0) & 15) * 4;
    if (headerBytes < IP_HEADER_MIN || bytes.length < headerBytes) return -E.INVAL;
    const header = { tos: bytes[1] ?? 0, ttl: bytes[8] ?? 0, protocol: bytes[9] ?? 0, source: get32(bytes, 12) };
    const sent = this.end.sendAs(bytes.subarray(headerBytes), to?.address ?? get32(bytes, 16), header);
    return sent < 0 ? sent : bytes.length;
  }
  protected take(peek: boolean): Arrived | number {
    const got = this.end.receive(peek);
    return typeof got === 'number' ? got : arrived(got, true);
  }
  protected override waitingBytes(): number {
    return this.end.next;
  }

  override option(level: number, name: number): Maybe<Uint8Array> {
    if (level !== SOL_RAW || name !== ICMP_FILTER) return super.option(level, name);
    const bytes = new Uint8Array(4);
    setU32(bytes, this.#filter);
    return bytes;
  }
  override setOption(level: number, name: number, value: Uint8Array): Maybe<void> {
    if (level !== SOL_RAW || name !== ICMP_FILTER || this.socket.protocol !== IPPROTO.ICMP) return super.setOption(level, name, value);
    this.#filter = u32At(value);
    this.end.filter = message => {
      const type = message[0] ?? 0;
      return type > 31 || ((this.#filter >>> type) & 1) === 0;
    };
  }
  protected override optionsChanged(): void {
    super.optionsChanged();
    this.end.through = this.through;
    this.end.ttl = this.ipOption(IP.TTL) || null;
    this.end.tos = this.ipOption(IP.TOS);
  }
}
