/**
 * A listening socket: handshakes under way and connections that wait to be accepted.
 *
 * Always holds: at most `backlog` handshakes, and `backlog` + 1 connections (Linux counts so). A SYN that finds no place is dropped: the
 * peer tries again.
 */
import { E } from '../../abi/errno.ts';
import { NetSocket, READY } from '../socket.ts';
import type { Binding } from './bindings.ts';
import { abort } from './close.ts';
import type { TcpConnection } from './connection.ts';
import type { FourTuple } from './endpoint.ts';
import { peerSyn } from './input.ts';
import { TCP } from './limits.ts';
import type { TcpOptions } from './options.ts';
import { SynRequest } from './request.ts';
import type { Segment } from './segment.ts';
import type { TcpLayer } from './tcp.ts';

export class TcpListener extends NetSocket {
  readonly state = 'LISTEN';
  readonly requests = new Set<SynRequest>();
  #waiting: TcpConnection[] = [];
  #backlog: number;

  constructor(
    readonly layer: TcpLayer,
    readonly binding: Binding,
    readonly options: TcpOptions,
    backlog: number,
  ) {
    super();
    this.#backlog = TcpListener.#bounded(backlog);
  }

  static #bounded(backlog: number): number {
    // A negative backlog is a huge unsigned one, on Linux.
    return backlog < 0 ? TCP.backlogMax : Math.min(backlog, TCP.backlogMax);
  }

  get backlog(): number {
    return this.#backlog;
  }
  /** listen() was called again. */
  set backlog(backlog: number) {
    this.#backlog = TcpListener.#bounded(backlog);
  }

  /** Connections that wait to be accepted. */
  get waiting(): number {
    return this.#waiting.length;
  }

  get full(): boolean {
    return this.#waiting.length > this.#backlog;
  }

  /** The connection that has waited longest; or -errno. */
  accept(): TcpConnection | number {
    if (this.error) return -this.takeError();
    return this.#waiting.shift() ?? -E.AGAIN;
  }

  override readiness(): number {
    return this.#waiting.length > 0 ? READY.IN : 0;
  }

  /** Connections that nobody has accepted are broken off. */
  override close(): void {
    this.onChange = () => {};
    this.layer.forgetListener(this);
    for (const request of [...this.requests]) request.drop();
    for (const connection of this.#waiting.splice(0)) {
      connection.orphan = true;
      abort(connection, 0);
    }
  }

  /** For the layer: a SYN came. `sequence`: the initial sequence number to use. */
  begin(s: Segment, tuple: FourTuple, sequence: number): void {
    const { TcpExt } = this.layer.context.counters;
    if (this.requests.size >= Math.max(1, this.#backlog)) {
      TcpExt.TCPReqQFullDrop++;
      TcpExt.ListenDrops++;
      return;
    }
    if (this.full) {
      TcpExt.ListenOverflows++;
      TcpExt.ListenDrops++;
      return;
    }
    const request = new SynRequest(this, tuple, peerSyn(s), sequence);
    this.requests.add(request);
    this.layer.endpoints.set(request);
  }

  /** For a handshake: it is complete. */
  push(connection: TcpConnection): void {
    this.#waiting.push(connection);
    this.onChange();
  }

  /** The hold on the port that an accepted connection has. */
  inherit(tuple: FourTuple): Binding {
    const { reuseAddress, reusePort } = this.binding;
    return this.layer.bindings.add({
      address: tuple.local,
      port: tuple.localPort,
      reuseAddress,
      reusePort,
      explicit: false,
      listening: false,
    });
  }
}
