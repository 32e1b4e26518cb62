/**
 * TCP sockets: what a program holds, in front of what the stack has for it in each state.
 *
 *   fresh      nothing, or a port by bind()                 → listening, connecting
 *   listening  a listener                                   → fresh, by shutdown()
 *   connecting a connection whose handshake goes on         → connected, or fresh when it has failed and that was told
 *   connected  a connection, be it over by now
 *
 * Always holds: at most one of binding, listener and connection is held, and given back with the last close.
 */
import { E, Errno } from '../../../abi/errno.ts';
import { POLL } from '../../../abi/poll.ts';
import { AF, IPPROTO, MSG, SHUT, SO, SOCK, SOL_SOCKET } from '../../../abi/socket.ts';
import type { SocketAddress } from '../../../net/socket.ts';
import type { Binding } from '../../../net/tcp/bindings.ts';
import type { TcpConnection } from '../../../net/tcp/connection.ts';
import type { TcpState } from '../../../net/tcp/endpoint.ts';
import type { TcpListener } from '../../../net/tcp/listener.ts';
import type { TcpOptions } from '../../../net/tcp/options.ts';
import { type Blocking, type Maybe, sleep } from '../../../types.ts';
import { joined, u32At } from '../../bytes.ts';
import { transferCost } from '../../costs.ts';
import type { IoContext } from '../../file.ts';
import { eager } from '../../maybe.ts';
import { u32Bytes } from '../options.ts';
import { type Accepted, type Manner, type Message, plainly, type Received, type SocketName } from '../socket.ts';
import { inetAddress, inetData, NOWHERE } from './address.ts';
import { checked, type InetDomain } from './domain.ts';
import { InetSocket, lingerDeadline, pollBits } from './socket.ts';
import { setTcpOption, tcpOption, tcpOptionsOf } from './tcp-options.ts';

export class InetStream extends InetSocket {
  #binding: Binding | null = null;
  #listener: TcpListener | null = null;
  #connection: TcpConnection | null = null;
  #connecting = false;
  /** What shutdown() has shut that was never connected, as bits: 1 for reading, 2 for writing. */
  #shut = 0;
  readonly tcp: TcpOptions;

  constructor(domain: InetDomain, flags: number, uid: number, connection: TcpConnection | null = null) {
    super(domain, { family: AF.INET, type: SOCK.STREAM, protocol: IPPROTO.TCP }, flags, uid);
    this.tcp = connection?.options ?? domain.stack.tcpOptions();
    if (connection !== null) this.#attach(connection);
  }

  #attach(connection: TcpConnection): void {
    this.#connection = connection;
    connection.onChange = () => this.changed.wakeAll();
  }

  // ── For /proc/net and ss ──

  get listener(): TcpListener | null {
    return this.#listener;
  }
  get connection(): TcpConnection | null {
    return this.#connection;
  }
  get state(): TcpState {
    return this.#listener !== null ? 'LISTEN' : (this.#connection?.state ?? 'CLOSE');
  }

  protected override ended(): Maybe<void> {
    const { stack } = this.domain;
    if (this.#binding !== null) stack.tcp.unbind(this.#binding);
    this.#listener?.close();
    const connection = this.#connection;
    if (connection === null) return;
    const [on, seconds] = this.#linger;
    if (!on || seconds === 0 || connection.state === 'CLOSE') return connection.close();
    return eager(this.#closeLater(connection, seconds));
  }

  get #linger(): readonly [on: boolean, seconds: number] {
    const linger = this.options.get(SOL_SOCKET, SO.LINGER);
    return [u32At(linger) !== 0, u32At(linger, 4)];
  }

  /** SO_LINGER: the last close waits until the peer has all, for so long. */
  *#closeLater(connection: TcpConnection, seconds: number): Blocking<void> {
    connection.shutdown('write');
    const deadline = lingerDeadline(this.services.now(), seconds, this.services.hertz);
    const open: readonly TcpState[] = ['ESTABLISHED', 'CLOSE_WAIT', 'FIN_WAIT1', 'CLOSING', 'LAST_ACK'];
    while (open.includes(connection.state)) {
      if ((yield* sleep(this.queues, { deadline })) !== 'woken') break;
    }
    connection.close();
  }

  // ── Coming together ──

  override bind(name: SocketName): void {
    if (this.#binding !== null || this.#listener !== null || this.#connection !== null) throw new Errno(E.INVAL);
    this.#hold(inetAddress(name.data));
  }

  #hold(at: SocketAddress): Binding {
    const sharing = { reuseAddress: this.options.number(SO.REUSEADDR) !== 0, reusePort: this.options.number(SO.REUSEPORT) !== 0 };
    this.#binding = checked(this.domain.stack.tcpBind(at, sharing));
    return this.#binding;
  }

  override listen(backlog: number, _io: IoContext): void {
    if (this.#connection !== null) throw new Errno(E.INVAL);
    if (this.#listener !== null) {
      this.#listener.backlog = backlog;
      return;
    }
    const binding = this.#binding ?? this.#hold(NOWHERE);
    const listener = checked(this.domain.stack.tcpListen(binding, backlog, this.tcp));
    this.#binding = null;
    this.#listener = listener;
    listener.onChange = () => this.changed.wakeAll();
    this.changed.wakeAll();
  }

  override accept(flags: number, io: IoContext): Maybe<Accepted> {
    return eager(this.#accept(flags, this.manner(plainly(io), SO.RCVTIMEO)));
  }

  *#accept(flags: number, manner: Manner): Blocking<Accepted> {
    for (;;) {
      if (this.#listener === null) throw new Errno(E.INVAL);
      const connection = this.#listener.accept();
      if (typeof connection !== 'number') {
        const socket = new InetStream(this.domain, flags, this.uid, connection);
        socket.options.inherit(this.options);
        const { remote, remotePort } = connection.tuple;
        return { socket, from: inetData({ address: remote, port: remotePort }) };
      }
      if (connection !== -E.AGAIN) throw new Errno(-connection);
      yield* this.waitChange(manner);
    }
  }

  override connect(name: SocketName | null, io: IoContext): Maybe<void> {
    if (this.#listener !== null) throw new Errno(E.ISCONN);
    if (name === null) return this.#disconnect();
    if (this.#connection === null) this.#begin(inetAddress(name.data));
    else if (!this.#connecting) throw new Errno(E.ISCONN);
    else if (this.#isUnderWay && this.nonblocking) throw new Errno(E.ALREADY);
    return eager(this.#established(this.manner(plainly(io), SO.SNDTIMEO)));
  }

  #begin(to: SocketAddress): void {
    const connection = checked(this.domain.stack.tcpConnect(to, this.#binding, this.tcp));
    this.#binding = null;
    this.#connecting = true;
    this.#shut = 0;
    this.#attach(connection);
    this.changed.wakeAll();
  }

  get #isUnderWay(): boolean {
    const state = this.#connection?.state;
    return state === 'SYN_SENT' || state === 'SYN_RECV';
  }

  *#established({ deadline }: Manner): Blocking<void> {
    while (this.#isUnderWay) {
      if (this.nonblocking) throw new Errno(E.INPROGRESS);
      const reason = yield* sleep(this.queues, { deadline });
      if (reason !== 'woken' && this.#isUnderWay) throw new Errno(reason === 'timeout' ? E.INPROGRESS : E.RESTARTSYS);
    }
    const connection = this.#connection;
    if (connection === null) throw new Errno(E.CONNABORTED);
    this.#connecting = false;
    if (connection.state !== 'CLOSE') return;
    const error = connection.takeError() || E.CONNABORTED;
    this.#forget();
    throw new Errno(error);
  }

  #disconnect(): void {
    const connection = this.#connection;
    if (connection === null) return;
    connection.configure({ resetOnClose: true });
    this.#forget();
    connection.close();
    this.changed.wakeAll();
  }

  #forget(): void {
    this.#connection = null;
    this.#connecting = false;
  }

  override shutdown(how: number): void {
    if (this.#listener !== null) {
      if (how === SHUT.WR) return;
      this.#listener.close();
      this.#listener = null;
    } else {
      // As on Linux: an error, but with effect.
      if (this.#connection === null) this.#shut |= how + 1;
      if (this.#connection === null || this.#connection.state === 'CLOSE') throw new Errno(E.NOTCONN);
      checked(this.#connection.shutdown(how === SHUT.RD ? 'read' : how === SHUT.WR ? 'write' : 'both'));
    }
    this.changed.wakeAll();
  }

  // ── Talking ──

  override send({ bytes }: Message, manner: Manner, _io: IoContext): Maybe<number> {
    this.services.charge(transferCost(bytes.length));
    return eager(this.#send(bytes, this.manner(manner, SO.SNDTIMEO)));
  }

  *#send(bytes: Uint8Array, manner: Manner): Blocking<number> {
    let done = 0;
    do {
      const connection = this.#connection;
      if (connection === null) throw new Errno(E.PIPE);
      const count = connection.write(bytes.subarray(done), (manner.flags & MSG.MORE) !== 0);
      if (count >= 0) done += count;
      else if (count !== -E.AGAIN) {
        if (done > 0) return done;
        throw new Errno(-count);
      }
      if (done === bytes.length) return done;
      if (count > 0) continue;
      try {
        yield* this.waitChange(manner);
      } catch (error) {
        if (done === 0 || !(error instanceof Errno)) throw error;
        return done;
      }
    } while (done < bytes.length);
    return done;
  }

  override receive(count: number, manner: Manner, _io: IoContext): Maybe<Received> {
    return eager(this.#receive(count, this.manner(manner, SO.RCVTIMEO)));
  }

  *#receive(count: number, manner: Manner): Blocking<Received> {
    const peek = (manner.flags & MSG.PEEK) !== 0;
    const all = (manner.flags & MSG.WAITALL) !== 0 && !peek;
    if (manner.flags & MSG.ERRQUEUE) throw new Errno(E.AGAIN);
    const parts: Uint8Array[] = [];
    let done = 0;
    for (;;) {
      const connection = this.#connection;
      if (connection === null && this.#shut & READS) break;
      if (connection === null) throw new Errno(E.NOTCONN);
      if (count === 0) break;
      // No more room than can be used: programs offer large buffers for a few bytes.
      const part = new Uint8Array(Math.min(count - done, Math.max(connection.in.length, 1)));
      const got = connection.read(part, peek);
      if (got > 0) {
        parts.push(part.subarray(0, got));
        done += got;
      } else if (got < 0 && got !== -E.AGAIN && done === 0) throw new Errno(-got);
      const ended = got === 0 || (got < 0 && got !== -E.AGAIN);
      if (ended || done === count || (done > 0 && !all)) break;
      if (got > 0) continue;
      try {
        yield* this.waitChange(manner);
      } catch (error) {
        if (done === 0 || !(error instanceof Errno)) throw error;
        break;
      }
    }
    this.services.charge(transferCost(done));
    return { ...NOTHING, bytes: joined(parts), length: done };
  }

  // ── State ──

  override poll(): number {
    if (this.#listener !== null) return pollBits(this.#listener.readiness());
    if (this.#connection !== null) return pollBits(this.#connection.readiness());
    const shut = this.#shut & READS ? POLL.IN | POLL.RDNORM | POLL.RDHUP : 0;
    return POLL.OUT | POLL.WRNORM | POLL.HUP | shut;
  }

  override ownName(): string {
    const tuple = this.#connection?.tuple;
    if (tuple !== undefined) return inetData({ address: tuple.local, port: tuple.localPort });
    return inetData((this.#listener?.binding ?? this.#binding ?? NOWHERE) as SocketAddress);
  }
  override peerName(): string {
    const connection = this.#connection;
    if (connection === null || connection.state === 'CLOSE' || connection.state === 'SYN_SENT') throw new Errno(E.NOTCONN);
    return inetData({ address: connection.tuple.remote, port: connection.tuple.remotePort });
  }

  protected override waitingBytes(): number {
    if (this.#listener !== null) throw new Errno(E.INVAL);
    return this.#connection?.in.length ?? 0;
  }
  protected override unsentBytes(): number {
    if (this.#listener !== null) throw new Errno(E.INVAL);
    return this.#connection?.out.length ?? 0;
  }

  // ── Options ──

  protected override pathMtu(): number {
    const tuple = this.#connection?.tuple;
    if (tuple === undefined) throw new Errno(E.NOTCONN);
    const path = this.domain.stack.ip.path(tuple.remote, tuple.local);
    if (typeof path === 'number') throw new Errno(E.NOTCONN);
    return path.mtu;
  }

  protected override takeError(): number {
    return this.#connection?.takeError() ?? 0;
  }
  protected override told(name: number): Maybe<Uint8Array> | null {
    return name === SO.ACCEPTCONN ? u32Bytes(this.#listener === null ? 0 : 1) : super.told(name);
  }

  override option(level: number, name: number): Maybe<Uint8Array> {
    if (level !== IPPROTO.TCP) return super.option(level, name);
    return tcpOption(name, this.tcp, this.domain.stack, this.state, this.#connection, this.#listener);
  }

  override setOption(level: number, name: number, value: Uint8Array): Maybe<void> {
    if (level !== IPPROTO.TCP) return super.setOption(level, name, value);
    this.#apply(setTcpOption(name, value, this.state, this.domain.stack));
  }

  protected override optionsChanged(): void {
    this.#apply(tcpOptionsOf(this.options, option => this.ipOption(option)));
  }

  #apply(change: Partial<TcpOptions>): void {
    if (this.#connection !== null && this.#connection.state !== 'CLOSE') this.#connection.configure(change);
    else Object.assign(this.tcp, change);
  }
}

const READS = 1;

const NOTHING: Received = { bytes: new Uint8Array(0), length: 0, from: '', files: [], credentials: null };
