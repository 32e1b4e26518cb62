/** The network's sockets as rows: what /proc/net and `ss` show, whoever asks. */
import { SOCK } from '../../../abi/socket.ts';
import type { TcpConnection } from '../../../net/tcp/connection.ts';
import { type FourTuple, TCP_STATE } from '../../../net/tcp/endpoint.ts';
import type { TcpListener } from '../../../net/tcp/listener.ts';
import { TimeWait } from '../../../net/tcp/time-wait.ts';
import { InetDatagram, InetPing, InetRaw, InetUdp } from './datagram.ts';
import type { InetDomain } from './domain.ts';
import { InetStream } from './stream.ts';

/** tr in /proc/net/tcp, idiag_timer. */
export const TIMER = { NONE: 0, RETRANSMIT: 1, KEEPALIVE: 2, TIMEWAIT: 3, PROBE: 4 } as const;

export interface SocketRow extends FourTuple {
  /** TCP_STATE; datagram sockets are ESTABLISHED when connected, else CLOSE. */
  readonly state: number;
  readonly receiveQueue: number;
  readonly sendQueue: number;
  readonly timer: number;
  /** Milliseconds until the timer rings. */
  readonly expiresMs: number;
  readonly retries: number;
  readonly uid: number;
  /** 0: no socket has it any more, or none yet. */
  readonly ino: number;
  readonly references: number;
  readonly drops: number;
  /** IP protocol of a raw socket. */
  readonly protocol: number;
  readonly connection: TcpConnection | null;
  readonly listener: TcpListener | null;
}

const PLAIN = {
  receiveQueue: 0,
  sendQueue: 0,
  timer: TIMER.NONE as number,
  expiresMs: 0,
  retries: 0,
  uid: 0,
  ino: 0,
  references: 1,
  drops: 0,
  protocol: 0,
  connection: null,
  listener: null,
} as const;

/** Listeners first, then connections and what remains of them. */
export function tcpRows({ stack, living }: InetDomain): SocketRow[] {
  const rows: SocketRow[] = [];
  const owners = new Map<TcpConnection, InetStream>();
  for (const socket of living) {
    if (!(socket instanceof InetStream)) continue;
    const { listener, connection, uid } = socket;
    if (connection !== null) owners.set(connection, socket);
    if (listener === null) continue;
    const { address, port } = listener.binding;
    rows.push({
      ...PLAIN,
      ...{ local: address, localPort: port, remote: 0, remotePort: 0, state: TCP_STATE.LISTEN },
      ...{ receiveQueue: listener.waiting, sendQueue: listener.backlog, uid, ino: socket.socket.ino, listener },
    });
  }
  const { context } = stack;
  for (const endpoint of stack.tcp.all()) {
    const state = TCP_STATE[endpoint.state];
    const until = (deadline: number | null): number => (deadline === null ? 0 : Math.max(0, context.milliseconds(deadline - context.now)));
    if (endpoint instanceof TimeWait) {
      rows.push({ ...PLAIN, ...endpoint.tuple, state, timer: TIMER.TIMEWAIT, expiresMs: until(endpoint.timer.deadline) });
      continue;
    }
    const owner = owners.get(endpoint as TcpConnection);
    const connection = 'resendTimer' in endpoint ? (endpoint as TcpConnection) : null;
    if (connection === null) {
      rows.push({ ...PLAIN, ...endpoint.tuple, state, timer: TIMER.RETRANSMIT });
      continue;
    }
    const { resendTimer, keepTimer } = connection;
    const timer = resendTimer.armed
      ? connection.resendFor === 'probe'
        ? TIMER.PROBE
        : TIMER.RETRANSMIT
      : keepTimer.armed
        ? TIMER.KEEPALIVE
        : TIMER.NONE;
    rows.push({
      ...PLAIN,
      ...endpoint.tuple,
      ...{ state, timer, expiresMs: until(resendTimer.deadline ?? keepTimer.deadline), retries: connection.retries },
      ...{ receiveQueue: connection.in.length, sendQueue: connection.out.length, connection },
      ...{ uid: owner?.uid ?? 0, ino: owner?.socket.ino ?? 0 },
    });
  }
  return rows;
}

const KINDS = { udp: InetUdp, icmp: InetPing, raw: InetRaw } as const;

/** Those of one kind that have a name. */
export function datagramRows({ living }: InetDomain, kind: keyof typeof KINDS): SocketRow[] {
  const rows: SocketRow[] = [];
  for (const socket of living) {
    if (!(socket instanceof InetDatagram) || !(socket instanceof KINDS[kind])) continue;
    const { local, remote, uid, queued, drops } = socket;
    const { protocol, type, ino } = socket.socket;
    if (local.port === 0) continue;
    rows.push({
      ...PLAIN,
      ...{ local: local.address, localPort: local.port, remote: remote?.address ?? 0, remotePort: remote?.port ?? 0 },
      ...{ state: remote === null ? TCP_STATE.CLOSE : TCP_STATE.ESTABLISHED, receiveQueue: queued, uid, ino, drops },
      protocol: type === SOCK.RAW ? protocol : 0,
    });
  }
  return rows;
}
