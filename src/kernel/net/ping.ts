/**
 * Ping sockets (Linux: net/ipv4/ping.c): ICMP echo for programs without rights. The socket has an identifier as UDP has a port; it sends
 * echo requests with it, and receives the replies that have it.
 *
 * Always holds: no two ping sockets of a stack have the same identifier.
 */
import { E } from '../abi/errno.ts';
import { get16, put16 } from './bytes.ts';
import { checksum } from './checksum.ts';
import { ICMP, ICMP_HEADER } from './icmp.ts';
import { PROTOCOL } from './ipv4.ts';
import type { Ipv4Address } from './platform.ts';
import { choosePort } from './ports.ts';
import type { RawLayer, RawMessage, RawSocket } from './raw.ts';
import { NetSocket } from './socket.ts';
import type { NetContext } from './context.ts';

export class PingLayer {
  readonly sockets = new Map<number, PingSocket>();

  constructor(
    readonly context: NetContext,
    readonly raw: RawLayer,
  ) {}

  open(): PingSocket {
    return new PingSocket(this);
  }
}

export class PingSocket extends NetSocket {
  /** 0: none yet. */
  id = 0;
  /** What carries the messages. */
  readonly raw: RawSocket;
  readonly #layer: PingLayer;

  constructor(layer: PingLayer) {
    super();
    this.#layer = layer;
    this.raw = layer.raw.open(PROTOCOL.ICMP);
    this.raw.filter = message => message[0] === ICMP.ECHO_REPLY && message.length >= ICMP_HEADER && get16(message, 4) === this.id;
    this.raw.onChange = () => this.onChange();
  }

  /** Takes the identifier `id` (0: any). Returns 0 or -errno. */
  bind(address: Ipv4Address, id: number): number {
    if (this.id !== 0) return -E.INVAL;
    const { sockets, context } = this.#layer;
    const bound = this.raw.bind(address);
    if (bound < 0) return bound;
    const chosen = id === 0 ? choosePort(context, candidate => !sockets.has(candidate)) : sockets.has(id) ? null : id;
    if (chosen === null) return -E.ADDRINUSE;
    this.id = chosen;
    sockets.set(chosen, this);
    return 0;
  }

  /** Sends an echo request, whose identifier and checksum are filled in. Returns its length or -errno. */
  send(bytes: Uint8Array, to: Ipv4Address | null = this.raw.remote): number {
    if (bytes.length < ICMP_HEADER || bytes[0] !== ICMP.ECHO || bytes[1] !== 0) return -E.INVAL;
    const bound = this.id === 0 ? this.bind(this.raw.local, 0) : 0;
    if (bound < 0) return bound;
    const message = bytes.slice();
    put16(message, 4, this.id);
    put16(message, 2, 0);
    put16(message, 2, checksum(message));
    return this.raw.send(message, to);
  }

  /** The next reply, from its IP header on; or -errno. */
  receive(peek = false): RawMessage | number {
    return this.raw.receive(peek);
  }

  /** SO_RCVBUF */
  get receiveBuffer(): number {
    return this.raw.receiveBuffer;
  }
  set receiveBuffer(bytes: number) {
    this.raw.receiveBuffer = bytes;
  }

  override takeError(): number {
    return this.raw.takeError();
  }
  override readiness(): number {
    return this.raw.readiness();
  }
  override close(): void {
    this.raw.close();
    if (this.#layer.sockets.get(this.id) === this) this.#layer.sockets.delete(this.id);
  }
}
