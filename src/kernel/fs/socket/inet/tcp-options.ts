/** Options of TCP sockets between their bytes and the stack's own: IPPROTO_TCP, and what SOL_SOCKET and IPPROTO_IP say that TCP heeds. */
import { E, Errno } from '../../../abi/errno.ts';
import { IP, SO, SOL_SOCKET, TCPOPT } from '../../../abi/socket.ts';
import type { NetStack } from '../../../net/stack.ts';
import type { TcpConnection } from '../../../net/tcp/connection.ts';
import { TCP_STATE, type TcpState } from '../../../net/tcp/endpoint.ts';
import { TCP } from '../../../net/tcp/limits.ts';
import type { TcpListener } from '../../../net/tcp/listener.ts';
import type { TcpOptions } from '../../../net/tcp/options.ts';
import { fromBytes, setU32, setU64, toBytes, u32At } from '../../bytes.ts';
import { type SocketOptions, u32Bytes } from '../options.ts';

/** The one way of avoiding congestion that there is. */
const CONGESTION = 'reno';

/** What options of other levels mean to a connection. */
export function tcpOptionsOf(options: SocketOptions, ip: (name: number) => number): Partial<TcpOptions> {
  const linger = options.get(SOL_SOCKET, SO.LINGER);
  // Half of what is asked for is room for bookkeeping.
  const payload = (name: number): number | null => (options.given(name) === null ? null : options.number(name) / 2);
  return {
    keepAlive: options.number(SO.KEEPALIVE) !== 0,
    resetOnClose: u32At(linger) !== 0 && u32At(linger, 4) === 0,
    sendBuffer: payload(SO.SNDBUF),
    receiveBuffer: payload(SO.RCVBUF),
    ttl: ip(IP.TTL) || null,
    tos: ip(IP.TOS),
  };
}

/** TCP_SYNCNT and TCP_WINDOW_CLAMP are bounded so (MAX_TCP_SYNCNT, half of SOCK_MIN_RCVBUF). */
const SYN_RETRIES_MAX = 127;
const CLAMP_MIN = 1152;

/** How many timeouts, each twice the one before, are over after so many seconds: TCP_DEFER_ACCEPT's two ways of counting (Linux: secs_to_retrans). */
function timeoutsIn(seconds: number): number {
  let timeouts = 0;
  for (let step = 1, over = 0; over < seconds && timeouts < 255; timeouts++, step = nextStep(step)) over += step;
  return timeouts;
}
function secondsOf(timeouts: number): number {
  let seconds = 0;
  for (let i = 0, step = 1; i < timeouts; i++, step = nextStep(step)) seconds += step;
  return seconds;
}
const nextStep = (step: number): number => Math.min(2 * step, TCP.rtoMaxMs / 1000);

/** Throws ENOPROTOOPT, EINVAL, ENOENT for a way of avoiding congestion that there isn't. */
export function setTcpOption(name: number, value: Uint8Array, state: TcpState, stack: NetStack): Partial<TcpOptions> {
  const { context } = stack;
  if (name === TCPOPT.CONGESTION) {
    if (fromBytes(value).replace(/\0.*$/s, '') !== CONGESTION) throw new Errno(E.NOENT);
    return {};
  }
  if (value.length < 4) throw new Errno(E.INVAL);
  const number = u32At(value) | 0;
  const within = (least: number, most: number): number => {
    if (number < least || number > most) throw new Errno(E.INVAL);
    return number;
  };
  switch (name) {
    case TCPOPT.NODELAY:
      return { noDelay: number !== 0 };
    case TCPOPT.CORK:
      return { cork: number !== 0 };
    case TCPOPT.MAXSEG:
      return { maxSegment: number === 0 ? null : within(88, 32767) };
    case TCPOPT.KEEPIDLE:
      return { keepIdle: context.cycles(1000 * within(1, 32767)) };
    case TCPOPT.KEEPINTVL:
      return { keepInterval: context.cycles(1000 * within(1, 32767)) };
    case TCPOPT.KEEPCNT:
      return { keepCount: within(1, 127) };
    case TCPOPT.SYNCNT:
      return { synRetries: within(1, SYN_RETRIES_MAX) };
    case TCPOPT.LINGER2:
      return { finTimeout: number < 0 ? -1 : context.cycles(Math.min(1000 * number || TCP.finTimeoutMs, TCP.finTimeoutMaxMs)) };
    case TCPOPT.DEFER_ACCEPT:
      return { deferAccept: timeoutsIn(number) };
    case TCPOPT.WINDOW_CLAMP:
      if (number === 0 && state !== 'CLOSE') throw new Errno(E.INVAL);
      return { windowClamp: number === 0 ? 0 : Math.max(number, CLAMP_MIN) };
    case TCPOPT.QUICKACK:
      return { quickAck: number !== 0 };
    case TCPOPT.USER_TIMEOUT:
      return { userTimeout: context.cycles(within(0, 0x7fffffff)) };
    case TCPOPT.NOTSENT_LOWAT:
      return { notSentLowat: number >>> 0 };
    case TCPOPT.FASTOPEN:
      if (state !== 'CLOSE' && state !== 'LISTEN') throw new Errno(E.INVAL);
      return { fastOpen: within(0, 0x7fffffff) };
  }
  throw new Errno(E.NOPROTOOPT);
}

export function tcpOption(
  name: number,
  options: TcpOptions,
  stack: NetStack,
  state: TcpState,
  connection: TcpConnection | null,
  listener: TcpListener | null,
): Uint8Array {
  const { context } = stack;
  const seconds = (cycles: number): Uint8Array => u32Bytes(Math.round(context.milliseconds(cycles) / 1000));
  switch (name) {
    case TCPOPT.NODELAY:
      return u32Bytes(options.noDelay ? 1 : 0);
    case TCPOPT.CORK:
      return u32Bytes(options.cork ? 1 : 0);
    case TCPOPT.MAXSEG:
      return u32Bytes(connection?.mss ?? options.maxSegment ?? TCP.mssDefault);
    case TCPOPT.KEEPIDLE:
      return seconds(options.keepIdle);
    case TCPOPT.KEEPINTVL:
      return seconds(options.keepInterval);
    case TCPOPT.KEEPCNT:
      return u32Bytes(options.keepCount);
    case TCPOPT.CONGESTION:
      return toBytes(CONGESTION.padEnd(16, '\0'));
    case TCPOPT.INFO:
      return tcpInfo(stack, state, connection, listener);
    case TCPOPT.SYNCNT:
      return u32Bytes(options.synRetries);
    case TCPOPT.LINGER2:
      return options.finTimeout < 0 ? u32Bytes(-1) : seconds(options.finTimeout);
    case TCPOPT.DEFER_ACCEPT:
      return u32Bytes(secondsOf(options.deferAccept));
    case TCPOPT.WINDOW_CLAMP:
      return u32Bytes(options.windowClamp);
    case TCPOPT.QUICKACK:
      return u32Bytes((connection === null ? options.quickAck : !connection.interactive) ? 1 : 0);
    case TCPOPT.USER_TIMEOUT:
      return u32Bytes(Math.round(context.milliseconds(options.userTimeout)));
    case TCPOPT.NOTSENT_LOWAT:
      return u32Bytes(options.notSentLowat);
    case TCPOPT.FASTOPEN:
      return u32Bytes(options.fastOpen);
  }
  throw new Errno(E.NOPROTOOPT);
}

/** struct tcp_info up to tcpi_segs_in. */
const INFO_BYTES = 232;

export function tcpInfo(stack: NetStack, state: TcpState, connection: TcpConnection | null, listener: TcpListener | null): Uint8Array {
  const bytes = new Uint8Array(INFO_BYTES);
  bytes[0] = TCP_STATE[state];
  if (listener !== null) {
    // Of a listener: connections that wait, and how many may.
    setU32(bytes, listener.waiting, 24);
    setU32(bytes, listener.backlog, 28);
  }
  if (connection === null) return bytes;
  const { info, options } = connection;
  const { context } = stack;
  const us = (cycles: number): number => Math.round(context.milliseconds(cycles) * 1000);
  const segments = (count: number): number => Math.max(0, Math.floor(count / Math.max(1, info.mss)));
  bytes[2] = info.retries;
  bytes[3] = connection.probes;
  // TCPI_OPT_TIMESTAMPS, TCPI_OPT_WSCALE
  bytes[5] = (connection.timestamps ? 1 : 0) | (connection.sendScale || connection.receiveScale ? 4 : 0);
  bytes[6] = connection.sendScale | (connection.receiveScale << 4);
  const sinceMs = (then: number): number => (Number.isFinite(then) ? Math.max(0, Math.floor(context.milliseconds(context.now - then))) : 0);
  const words: readonly (readonly [at: number, value: number])[] = [
    [8, us(info.rto)],
    [12, TCP.delayedAckMs * 1000],
    [16, info.mss],
    [20, connection.receiveMss],
    [24, Math.ceil(connection.flight / Math.max(1, info.mss))],
    [36, info.retries],
    [44, sinceMs(connection.lastSentAt)],
    [52, sinceMs(connection.lastDataAt)],
    [56, sinceMs(connection.lastReceivedAt)],
    [60, connection.layer.pathMss(info.remote, info.local) + 40],
    [64, connection.receiveSpace],
    [68, info.rtt === null ? 0 : us(info.rtt)],
    [72, us(info.rttVariance)],
    [76, Number.isFinite(info.ssthresh) && info.ssthresh < 2 ** 30 ? segments(info.ssthresh) : 0x7fffffff],
    [80, segments(info.cwnd)],
    [84, options.maxSegment ?? connection.layer.advertisedMss(info.remote, options)],
    [88, 3],
    [96, connection.receiveSpace],
    [100, info.retransmissions],
    [136, info.segmentsOut],
    [140, info.segmentsIn],
    [144, connection.unsent ? Math.max(0, info.sendQueue - connection.flight) : 0],
    [228, info.sendWindow],
  ];
  for (const [at, value] of words) setU32(bytes, value, at);
  setU64(bytes, info.bytesAcked, 120);
  setU64(bytes, info.bytesReceived, 128);
  setU64(bytes, info.bytesSent, 200);
  return bytes;
}
