/**
 * The TCP layer: who a segment is for, who holds which port, and what all connections share.
 *
 * Always holds: a segment for nobody is answered by a reset, unless it is one.
 */
import { E } from '../../abi/errno.ts';
import { ANY, LOOPBACK } from '../address.ts';
import { get16, get32 } from '../bytes.ts';
import type { NetContext } from '../context.ts';
import { tupleHash } from '../hash.ts';
import type { DeliveryError, IpLayer, IpPacket, Protocol } from '../ip.ts';
import { IPV4_HEADER, PROTOCOL } from '../ipv4.ts';
import type { Ipv4Address } from '../platform.ts';
import { choosePort } from '../ports.ts';
import type { SocketAddress } from '../socket.ts';
import { BindingTable, type Binding } from './bindings.ts';
import { TcpConnection } from './connection.ts';
import { EndpointTable, type Endpoint, type FourTuple, TCP_STATE } from './endpoint.ts';
import { SCALE_MAX, TCP } from './limits.ts';
import { TcpListener } from './listener.ts';
import { defaultOptions, type TcpOptions } from './options.ts';
import { sendSyn } from './output.ts';
import { FLAG, openSegment, parseSegment, sealSegment, span, TCP_HEADER, type Segment } from './segment.ts';
import { plus } from './sequence.ts';
import { TimeWait } from './time-wait.ts';

/** RFC 6528 asks for a clock that ticks every 4 microseconds or faster; Linux's ticks every 64 ns. */
const SEQUENCE_TICKS_PER_MS = 15_625;

export class TcpLayer implements Protocol {
  readonly endpoints = new EndpointTable();
  readonly bindings = new BindingTable();
  readonly #listeners = new Map<number, TcpListener[]>();
  /** Oldest first. */
  readonly #timeWaits = new Set<TimeWait>();
  /** Connections so far. */
  connections = 0;
  readonly #timestampOffset: number;

  constructor(
    readonly context: NetContext,
    readonly ip: IpLayer,
  ) {
    this.#timestampOffset = context.platform.random();
    ip.protocols.set(PROTOCOL.TCP, this);
  }

  // What a program asks for. Errors are returned as -errno.

  /** Holds a local port (0: one is chosen), to listen at or to connect from. */
  bind(address: Ipv4Address, port: number, { reuseAddress = false, reusePort = false } = {}): Binding | number {
    if (address !== ANY && !this.ip.isOwn(address)) return -E.ADDRNOTAVAIL;
    const held = (candidate: number): Binding => ({ address, port: candidate, reuseAddress, reusePort, explicit: true, listening: false });
    const chosen = port || choosePort(this.context, candidate => this.bindings.free(candidate));
    if (chosen === null || this.bindings.conflicts(held(chosen))) return -E.ADDRINUSE;
    return this.bindings.add(held(chosen));
  }

  /** Lets go of a port that nothing was done with. */
  unbind(binding: Binding): void {
    this.bindings.remove(binding);
  }

  listen(binding: Binding, backlog: number, options: TcpOptions = defaultOptions(this.context)): TcpListener | number {
    binding.listening = true;
    if (this.bindings.conflicts(binding)) {
      binding.listening = false;
      return -E.ADDRINUSE;
    }
    const listener = new TcpListener(this, binding, options, backlog);
    const others = this.#listeners.get(binding.port);
    if (others) others.push(listener);
    else this.#listeners.set(binding.port, [listener]);
    return listener;
  }

  /** Begins a connection; it is in SYN_SENT when this returns. Without `binding` a port is chosen. */
  connect(to: SocketAddress, binding: Binding | null = null, options: TcpOptions = defaultOptions(this.context)): TcpConnection | number {
    const remote = to.address === ANY ? LOOPBACK : to.address;
    if (this.ip.isBroadcast(remote) || to.port === 0) return to.port === 0 ? -E.CONNREFUSED : -E.NETUNREACH;
    const path = this.ip.path(remote, binding?.address ?? ANY);
    if (typeof path === 'number') return -path;
    const local = path.source;
    if (local === ANY) return -E.ADDRNOTAVAIL;
    const usable = (port: number): boolean => {
      const there = this.endpoints.find(local, port, remote, to.port);
      return there === null || (there instanceof TimeWait && there.reusable);
    };
    if (binding && !usable(binding.port)) return -E.ADDRNOTAVAIL;
    const localPort = binding?.port ?? choosePort(this.context, port => !this.bindings.reserved(port) && usable(port));
    if (localPort === null) return -E.ADDRNOTAVAIL;

    const tuple: FourTuple = { local, localPort, remote, remotePort: to.port };
    const before = this.endpoints.find(local, localPort, remote, to.port);
    const sequence = before instanceof TimeWait ? plus(before.sendNext, 65537) : this.initialSequence(tuple);
    if (before instanceof TimeWait) this.forgetTimeWait(before);
    const hold =
      binding ??
      this.bindings.add({ address: local, port: localPort, reuseAddress: false, reusePort: false, explicit: false, listening: false });
    const connection = new TcpConnection(this, tuple, hold, options, sequence);
    connection.receiveScale = this.windowScale(options);
    connection.enter('SYN_SENT');
    connection.timed = { end: plus(sequence, 1), at: this.context.now };
    this.endpoints.set(connection);
    this.context.counters.Tcp.ActiveOpens++;
    sendSyn(connection);
    return connection;
  }

  *listeners(): Iterable<TcpListener> {
    for (const listeners of this.#listeners.values()) yield* listeners;
  }

  // What comes in.

  receive(packet: IpPacket): void {
    const { Tcp } = this.context.counters;
    Tcp.InSegs++;
    // A connection has two ends.
    if (packet.group) return;
    const s = parseSegment(packet);
    if (typeof s === 'string') {
      Tcp.InErrs++;
      if (s === 'checksum') Tcp.InCsumErrors++;
      return;
    }
    const endpoint = this.endpoints.find(s.target, s.targetPort, s.source, s.sourcePort);
    if (endpoint) return endpoint.receive(s);
    this.begin(s, null);
  }

  failed(error: DeliveryError): void {
    const { source, target, payload } = error;
    const endpoint = this.endpoints.find(source, get16(payload, 0), target, get16(payload, 2));
    endpoint?.failed(error, get32(payload, 4));
  }

  /** A segment for no connection: the beginning of one, or a mistake. `sequence`: the initial one to use, if that matters. */
  begin(s: Segment, sequence: number | null): void {
    if ((s.flags & FLAG.RST) !== 0) return;
    const listener = this.#listenerFor(s);
    if (!listener || (s.flags & FLAG.ACK) !== 0) return this.refuse(s);
    if ((s.flags & FLAG.SYN) === 0) return;
    const tuple = { local: s.target, localPort: s.targetPort, remote: s.source, remotePort: s.sourcePort };
    listener.begin(s, tuple, sequence ?? this.initialSequence(tuple));
  }

  /** A listener at just that address before one at all; among those that share the port, by hash of the four-tuple. */
  #listenerFor(s: Segment): TcpListener | null {
    const all = this.#listeners.get(s.targetPort);
    if (!all) return null;
    const exact = all.filter(({ binding }) => binding.address === s.target);
    const equals = exact.length > 0 ? exact : all.filter(({ binding }) => binding.address === ANY);
    if (equals.length <= 1) return equals[0] ?? null;
    return equals[tupleHash(this.context.secret, s.target, s.targetPort, s.source, s.sourcePort) % equals.length] ?? null;
  }

  /** Answers with a reset (RFC 9293, 3.10.7.1). */
  refuse(s: Segment): void {
    if ((s.flags & FLAG.RST) !== 0) return;
    const { Tcp } = this.context.counters;
    const acks = (s.flags & FLAG.ACK) !== 0;
    const frame = openSegment(
      {
        sourcePort: s.targetPort,
        targetPort: s.sourcePort,
        seq: acks ? s.ack : 0,
        ack: acks ? 0 : plus(s.seq, span(s)),
        flags: acks ? FLAG.RST : FLAG.RST | FLAG.ACK,
        window: 0,
        mss: null,
        scale: null,
        timestamp: null,
      },
      0,
    );
    sealSegment(frame, s.target, s.source);
    Tcp.OutRsts++;
    this.emit(frame, s.target, s.source, null);
  }

  // What connections share.

  emit(frame: Uint8Array, source: Ipv4Address, target: Ipv4Address, options: TcpOptions | null): void {
    this.context.counters.Tcp.OutSegs++;
    this.ip.send({ frame, protocol: PROTOCOL.TCP, source, target, ttl: options?.ttl ?? this.ip.defaultTtl, tos: options?.tos ?? 0 });
  }

  /** The clock of timestamps: milliseconds from a start that is this stack's secret, the same for all connections. */
  timestampNow(): number {
    return plus(Math.floor(this.context.milliseconds(this.context.now)), this.#timestampOffset);
  }

  initialSequence({ local, localPort, remote, remotePort }: FourTuple): number {
    const ticks = Math.floor(this.context.milliseconds(this.context.now) * SEQUENCE_TICKS_PER_MS);
    return plus(tupleHash(this.context.secret, local, localPort, remote, remotePort), ticks);
  }

  /** Most payload that a packet on the way from `local` to `remote` has room for, without options. */
  pathMss(remote: Ipv4Address, local: Ipv4Address): number {
    const path = this.ip.path(remote, local);
    return typeof path === 'number' ? TCP.mssDefault : path.mtu - IPV4_HEADER - TCP_HEADER;
  }

  /** The MSS to tell `remote`. */
  advertisedMss(remote: Ipv4Address, options: TcpOptions): number {
    return Math.min(65535, Math.max(TCP.mssMin, this.pathMss(remote, ANY)), options.maxSegment ?? 65535);
  }

  /** The shift that lets the largest window be told in 16 bits. */
  windowScale({ receiveBuffer }: TcpOptions): number {
    let scale = 0;
    while (scale < SCALE_MAX && (receiveBuffer ?? TCP.windowMax) >>> scale > 65535) scale++;
    return scale;
  }

  // How things go.

  forget(connection: TcpConnection): void {
    this.endpoints.delete(connection);
    this.bindings.remove(connection.binding);
  }

  /** TIME_WAIT takes the place of a connection, and of its hold on the port. */
  rest(connection: TcpConnection): void {
    const { TcpExt } = this.context.counters;
    this.endpoints.delete(connection);
    if (this.#timeWaits.size >= TCP.timeWaits) {
      TcpExt.TCPTimeWaitOverflow++;
      connection.tellState('CLOSE');
      this.bindings.remove(connection.binding);
      return;
    }
    TcpExt.TW++;
    connection.tellState('TIME_WAIT');
    const timeWait = new TimeWait(this, connection);
    this.#timeWaits.add(timeWait);
    this.endpoints.set(timeWait);
  }

  forgetTimeWait(timeWait: TimeWait): void {
    timeWait.timer.stop();
    const { number, tuple } = timeWait;
    this.context.platform.tell?.({ kind: 'state', number, tuple, state: TCP_STATE.CLOSE, error: 0 });
    this.#timeWaits.delete(timeWait);
    this.endpoints.delete(timeWait);
    this.bindings.remove(timeWait.binding);
  }

  forgetListener(listener: TcpListener): void {
    const { port } = listener.binding;
    const rest = (this.#listeners.get(port) ?? []).filter(other => other !== listener);
    if (rest.length > 0) this.#listeners.set(port, rest);
    else this.#listeners.delete(port);
    this.bindings.remove(listener.binding);
  }

  /** All connections, and what remains of those that have ended. */
  all(): Iterable<Endpoint> {
    return this.endpoints.values();
  }
}
