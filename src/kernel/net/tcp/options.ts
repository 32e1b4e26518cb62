/** What a program can set on a TCP socket. A listener's are taken over by the connections that it accepts. */
import type { Cycles } from '../platform.ts';
import type { NetContext } from '../context.ts';
import { TCP } from './limits.ts';

export interface TcpOptions {
  /** TCP_NODELAY: no waiting for more to fill a segment (Nagle, RFC 9293, 3.7.4). */
  noDelay: boolean;
  /** TCP_CORK: only full segments, for at most the retransmission timeout. */
  cork: boolean;
  /** SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL (cycles), TCP_KEEPCNT */
  keepAlive: boolean;
  keepIdle: Cycles;
  keepInterval: Cycles;
  keepCount: number;
  /** SO_SNDBUF, SO_RCVBUF in bytes of payload; null: they grow with the connection's speed. */
  sendBuffer: number | null;
  receiveBuffer: number | null;
  /** TCP_MAXSEG; null: what the path allows. */
  maxSegment: number | null;
  /** SO_LINGER with no time: close() resets the connection. */
  resetOnClose: boolean;
  /** TCP_SYNCNT: how often a SYN is sent again. */
  synRetries: number;
  /** TCP_DEFER_ACCEPT, of a listener: for so many timeouts a handshake without data is not complete; 0: it is at once. */
  deferAccept: number;
  /** TCP_USER_TIMEOUT: how long the peer may leave all unanswered; 0: as often as things are sent again. */
  userTimeout: Cycles;
  /** TCP_LINGER2: how long a closed socket waits for the peer's FIN; below 0: not at all. */
  finTimeout: Cycles;
  /** TCP_QUICKACK, where there is no connection yet: its first ACKs are not kept for data to go with. */
  quickAck: boolean;
  /** TCP_NOTSENT_LOWAT: with so many bytes that were never sent there is no room for more; 0: no such bound. */
  notSentLowat: number;
  /** TCP_WINDOW_CLAMP: no larger window is offered; 0: no such bound. */
  windowClamp: number;
  /** TCP_FASTOPEN, kept for who asks: net.ipv4.tcp_fastopen is 0, so that there is none. */
  fastOpen: number;
  /** IP_TTL and IP_TOS; null: the stack's. */
  ttl: number | null;
  tos: number;
}

export const defaultOptions = (context: NetContext): TcpOptions => ({
  noDelay: false,
  cork: false,
  keepAlive: false,
  keepIdle: context.cycles(TCP.keepIdleMs),
  keepInterval: context.cycles(TCP.keepIntervalMs),
  keepCount: TCP.keepProbes,
  sendBuffer: null,
  receiveBuffer: null,
  maxSegment: null,
  resetOnClose: false,
  synRetries: TCP.synRetries,
  deferAccept: 0,
  userTimeout: 0,
  finTimeout: context.cycles(TCP.finTimeoutMs),
  quickAck: true,
  notSentLowat: 0,
  windowClamp: 0,
  fastOpen: 0,
  ttl: null,
  tos: 0,
});
