/**
 * Sending: what may go out does, in segments of the right size, and the timers follow.
 *
 * May go out: what the peer's window and the congestion window have room for, in full segments, or less if it is the last there is and
 * Nagle's rule (Minshall's variant, as on Linux) or TCP_CORK do not keep it back. Silly windows are avoided on both sides (RFC 9293, 3.8.6).
 */
import type { TcpConnection } from './connection.ts';
import { TCP } from './limits.ts';
import { FLAG, openSegment, sealSegment, TIMESTAMP_BYTES } from './segment.ts';
import { after, before, distance, plus } from './sequence.ts';

/** Sends all that may go out now. `more`: a part of a segment may wait, as others follow at once. */
export function output(c: TcpConnection, more = false): void {
  if (!c.synchronized) return;
  c.congested = false;
  const idle = c.flight === 0 && c.out.length > 0 && c.sendNext === c.sendMax;
  if (idle && c.lastSentAt > 0 && c.context.now - c.lastSentAt > c.roundTrip.timeout) c.congestion.restart();
  while (sendOne(c, more));
  armResend(c);
}

function sendOne(c: TcpConnection, more: boolean): boolean {
  const offset = distance(c.sendNext, c.outSeq);
  const unsent = c.out.length - offset;
  // Past our FIN there is nothing.
  if (unsent < 0 || c.finAcked) return false;
  const flight = c.flight;
  const byWindow = c.sendWindow - flight;
  const byCongestion = c.congestion.window + c.congestion.allowance - flight;
  const usable = Math.min(byWindow, byCongestion);
  const length = Math.min(unsent, c.mss, Math.max(0, usable));
  const last = length === unsent;
  const fin = c.finQueued && last && (length > 0 || usable > 0);
  if (length === 0 && !fin) {
    if (unsent > 0 && byCongestion <= 0 && byWindow > 0) c.congested = true;
    return false;
  }
  const again = before(c.sendNext, c.sendMax);
  if (length < c.mss && !fin && !again) {
    if (!last && byCongestion < byWindow && flight > 0) {
      c.congested = true;
      return false;
    }
    if (!last && byWindow <= byCongestion && length * 2 < c.sendWindowMax) return false;
    if (last && keptBack(c, more)) return false;
  }
  sendRange(c, c.sendNext, length, fin);
  return true;
}

/** Nagle's rule and the cork, for the last part of a segment. */
function keptBack(c: TcpConnection, more: boolean): boolean {
  if (c.options.cork || more) return true;
  if (c.options.noDelay) return false;
  return after(c.smallEnd, c.sendUna) && !after(c.smallEnd, c.sendNext);
}

/** Sends `length` bytes from `seq` on, with our FIN behind them if `fin`, and takes note of it. */
export function sendRange(c: TcpConnection, seq: number, length: number, fin: boolean): void {
  const { statistics, context } = c;
  const offset = distance(seq, c.outSeq);
  const end = plus(seq, length + (fin ? 1 : 0));
  const again = before(seq, c.sendMax);
  const flags = FLAG.ACK | (offset + length === c.out.length && length > 0 ? FLAG.PSH : 0) | (fin ? FLAG.FIN : 0);
  if (c.sendMax === c.sendUna) c.waitingSince = context.now;
  if (again) noteRetransmission(c, seq, length);
  else if (!c.timed) c.timed = { end, at: context.now };
  if (length < c.mss) c.smallEnd = end;
  statistics.bytesSent += length;
  if (after(end, c.sendNext)) c.sendNext = end;
  if (after(end, c.sendMax)) c.sendMax = end;
  if (length > 0 && context.now - c.lastDataAt < context.cycles(TCP.delayedAckMs)) c.interactive = true;
  c.lastSentAt = context.now;
  transmit(c, seq, flags, offset, length);
}

export function noteRetransmission(c: TcpConnection, seq: number, length: number): void {
  c.timed = null;
  c.ambiguous = true;
  c.statistics.retransmissions++;
  c.context.counters.Tcp.RetransSegs++;
  const offset = distance(seq, plus(c.initialSequence, 1)) >>> 0;
  c.context.platform.tell?.({ kind: 'resend', number: c.number, offset, bytes: length, timeout: c.retries > 0 });
}

/** Sends the first segment that is not acknowledged once more, whatever the windows say. */
export function resendFirst(c: TcpConnection): void {
  const length = Math.min(c.out.length, c.mss);
  const reach = distance(c.sendMax, c.sendUna);
  const fin = c.finQueued && length === c.out.length && reach > length;
  sendRange(c, c.sendUna, Math.min(length, reach), fin);
}

/** The timer of what is under way; or, if nothing is but something waits, of the next window probe. */
export function armResend(c: TcpConnection): void {
  const due = c.flight > 0 ? 'loss' : c.unsent ? 'probe' : null;
  if (due === null) return c.resendTimer.stop();
  if (c.resendTimer.armed && c.resendFor === due) return;
  restartResend(c, due);
}

export function restartResend(c: TcpConnection, due: 'loss' | 'probe'): void {
  const { now } = c.context;
  const { userTimeout } = c.options;
  c.resendFor = due;
  // Who is to give up at a certain time looks then, and not a doubled timeout later (Linux: tcp_clamp_rto_to_user_timeout).
  const patience =
    userTimeout > 0 && (c.retries > 0 || c.probingSince !== null)
      ? Math.max(c.context.cycles(1), (c.probingSince ?? c.waitingSince) + userTimeout - now)
      : Number.POSITIVE_INFINITY;
  c.resendTimer.set(now + Math.min(c.roundTrip.timeout, patience));
}

/** An ACK and nothing else. */
export function sendAck(c: TcpConnection): void {
  transmit(c, c.sendMax, FLAG.ACK, 0, 0);
}

/** An empty segment that the peer has had before, which makes it tell its state (window probes and keep-alive). */
export function sendProbe(c: TcpConnection): void {
  transmit(c, plus(c.sendUna, -1), FLAG.ACK, 0, 0);
}

export function sendReset(c: TcpConnection): void {
  c.context.counters.Tcp.OutRsts++;
  transmit(c, c.sendNext, FLAG.RST | FLAG.ACK, 0, 0);
}

/** An ACK that sets a peer right which sent something that does not fit, not more often than is useful. False: not now. */
export function sendCorrection(c: TcpConnection): boolean {
  const { now } = c.context;
  if (now - c.lastMisfitAt < c.context.cycles(TCP.invalidRateMs)) return false;
  c.lastMisfitAt = now;
  sendAck(c);
  return true;
}

/** A correction for what may be forged (RFC 5961): a true peer will say it again in a way that fits. */
export function sendChallenge(c: TcpConnection): void {
  if (sendCorrection(c)) c.context.counters.TcpExt.TCPChallengeACK++;
}

/** Our SYN, with an ACK if the peer's has come. */
export function sendSyn(c: TcpConnection): void {
  if (c.retries === 0) c.waitingSince = c.context.now;
  c.sendNext = c.sendMax = plus(c.initialSequence, 1);
  c.lastSentAt = c.context.now;
  transmit(c, c.initialSequence, FLAG.SYN | (c.state === 'SYN_RECV' ? FLAG.ACK : 0), 0, 0);
  restartResend(c, 'loss');
}

function transmit(c: TcpConnection, seq: number, flags: number, offset: number, length: number): void {
  const { layer, tuple, options, statistics } = c;
  const syn = (flags & FLAG.SYN) !== 0;
  const acks = (flags & FLAG.ACK) !== 0;
  const frame = openSegment(
    {
      sourcePort: tuple.localPort,
      targetPort: tuple.remotePort,
      seq,
      ack: acks ? c.receiveNext : 0,
      flags,
      window: syn ? Math.min(c.offerable, 65535) : offeredWindow(c),
      mss: syn ? layer.advertisedMss(tuple.remote, options) : null,
      scale: syn && (!acks || c.receiveScale > 0 || c.sendScale > 0) ? c.receiveScale : null,
      timestamp: c.timestamps || (syn && !acks) ? { value: layer.timestampNow(), echo: acks ? c.recentTimestamp : 0 } : null,
    },
    length,
  );
  if (length > 0) c.out.copy(offset, frame.subarray(frame.length - length));
  sealSegment(frame, tuple.local, tuple.remote);
  if (syn) c.windowEdge = plus(c.receiveNext, Math.min(c.offerable, 65535));
  if (acks) acknowledged(c);
  statistics.segmentsOut++;
  layer.emit(frame, tuple.local, tuple.remote, options);
}

function acknowledged(c: TcpConnection): void {
  c.lastAcked = c.receiveNext;
  c.ackTimer.stop();
  if (c.quickAcks > 0) c.quickAcks--;
}

/** The window to offer, as the header holds it; the edge that it offers is kept. */
function offeredWindow(c: TcpConnection): number {
  const offered = Math.max(0, distance(c.windowEdge, c.receiveNext));
  const window = Math.max(offered, freeWindow(c));
  const unit = 2 ** c.receiveScale;
  // An edge that was offered is not taken back by rounding.
  const field = Math.min(65535, window === offered ? Math.ceil(window / unit) : Math.floor(window / unit));
  const edge = plus(c.receiveNext, field * unit);
  if (after(edge, c.windowEdge)) c.windowEdge = edge;
  return field;
}

/** Room for more; 0 if it is too little to be worth a segment. */
function freeWindow(c: TcpConnection): number {
  const free = Math.min(c.receiveSpace - c.in.length, c.offerable);
  return free < Math.min(c.offerable / 2, c.receiveMss) ? 0 : free;
}

/** Whether the program has read enough for the peer to be told. */
export function mayUpdateWindow(c: TcpConnection): boolean {
  if (c.finReceived || !c.synchronized) return false;
  const offered = Math.max(0, distance(c.windowEdge, c.receiveNext));
  const free = freeWindow(c);
  return free >= 2 * offered && free - offered >= Math.min(c.offerable / 2, 2 * c.receiveMss);
}

/** Fits the segment size to the peer, the path and the options. */
export function fitSegments(c: TcpConnection): void {
  const { remote, local } = c.tuple;
  const most = Math.min(c.layer.pathMss(remote, local), c.peerMss, c.options.maxSegment ?? Number.POSITIVE_INFINITY);
  c.mss = Math.max(most, TCP.mssMin) - (c.timestamps ? TIMESTAMP_BYTES : 0);
  c.receiveMss = Math.min(c.receiveMss, c.mss, c.offerable / 2);
  c.congestion.resize(c.mss);
}
