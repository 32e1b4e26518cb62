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
  ttl: null,
  tos: 0,
});
