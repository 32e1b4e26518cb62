/**
 * A segment has come for a connection (RFC 9293, 3.10.7): does it fit, what does it acknowledge, what does it bring, does it end.
 *
 * Always holds: a segment that does not fit changes nothing, and is answered at most twice a second (RFC 5961).
 */
import { E } from '../../abi/errno.ts';
import { abort, awaitFin, end, rest } from './close.ts';
import { NewReno } from './congestion.ts';
import type { TcpConnection } from './connection.ts';
import { TCP } from './limits.ts';
import { fitSegments, output, resendFirst, restartResend, sendAck, sendChallenge, sendCorrection, sendSyn } from './output.ts';
import { FLAG, span, type Segment, type Timestamp } from './segment.ts';
import { after, before, distance, plus } from './sequence.ts';
import { armKeep } from './timers.ts';

/** Timestamps older than this say nothing about order any more (RFC 7323, 5.5). */
const PAWS_MS = 24 * 86_400_000;

export function segmentArrives(c: TcpConnection, s: Segment): void {
  if (c.state === 'CLOSE') return;
  if (c.state === 'SYN_SENT') return synAnswered(c, s);
  if (!fits(c, s) || (s.flags & FLAG.ACK) === 0) return;
  if (c.state === 'SYN_RECV' && !synAcknowledged(c, s)) return;
  if (!takeAck(c, s)) return;
  const disordered = takeData(c, s);
  if (c.finSeq === c.receiveNext && !c.finReceived) takeFin(c);
  if (c.synchronized) answer(c, disordered);
  if (c.wantsRoom && c.writable) {
    c.wantsRoom = false;
    c.touch();
  }
}

// The handshake.

/** What the peer's SYN says, of which a connection is made. */
export interface PeerSyn {
  readonly initialSequence: number;
  readonly window: number;
  readonly mss: number | null;
  readonly scale: number | null;
  readonly timestamp: Timestamp | null;
}

export const peerSyn = (s: Segment): PeerSyn => ({
  initialSequence: s.seq,
  window: s.window,
  mss: s.mss,
  scale: s.scale,
  timestamp: s.timestamp,
});

/** Takes over the peer's initial sequence number and options. */
export function adoptPeer(c: TcpConnection, syn: PeerSyn): void {
  c.receiveNext = c.lastAcked = plus(syn.initialSequence, 1);
  c.windowEdge = plus(c.receiveNext, Math.min(c.offerable, 65535));
  c.peerMss = syn.mss ?? TCP.mssDefault;
  if (syn.scale === null) c.receiveScale = c.sendScale = 0;
  else c.sendScale = syn.scale;
  c.timestamps = syn.timestamp !== null;
  c.recentTimestamp = syn.timestamp?.value ?? 0;
  c.sendWindow = c.sendWindowMax = syn.window;
  c.windowSeq = syn.initialSequence;
}

/** Our SYN is acknowledged, and the peer's is here. */
export function establish(c: TcpConnection, ack: number): void {
  c.sendUna = ack;
  c.windowAck = ack;
  c.retries = 0;
  c.resendTimer.stop();
  c.enter(c.finQueued ? 'FIN_WAIT1' : 'ESTABLISHED');
  fitSegments(c);
  c.congestion = new NewReno(c.mss, c.initialSequence);
  c.tellPath();
  armKeep(c);
}

function synAnswered(c: TcpConnection, s: Segment): void {
  const acks = (s.flags & FLAG.ACK) !== 0;
  if (acks && s.ack !== c.sendMax) return c.layer.refuse(s);
  if ((s.flags & FLAG.RST) !== 0) {
    if (acks) end(c, E.CONNREFUSED);
    return;
  }
  if ((s.flags & FLAG.SYN) === 0) return;
  adoptPeer(c, peerSyn(s));
  if (acks) {
    measure(c, s);
    establish(c, s.ack);
    sendAck(c);
    return output(c);
  }
  // Both sides have begun at once.
  c.enter('SYN_RECV');
  sendSyn(c);
}

/** SYN_RECV: the ACK of our SYN. */
function synAcknowledged(c: TcpConnection, s: Segment): boolean {
  if (s.ack !== c.sendMax) {
    c.layer.refuse(s);
    return false;
  }
  measure(c, s);
  establish(c, s.ack);
  return true;
}

// Does it fit?

function fits(c: TcpConnection, s: Segment): boolean {
  const { TcpExt } = c.context.counters;
  const reset = (s.flags & FLAG.RST) !== 0;
  const syn = (s.flags & FLAG.SYN) !== 0;
  if (!reset && isOld(c, s)) {
    TcpExt.PAWSEstab++;
    answerMisfit(c, s);
    return false;
  }
  // The SYN and ACK of a peer that began when we did.
  if (syn && c.state === 'SYN_RECV' && s.ack === c.sendMax && plus(s.seq, 1) === c.receiveNext && s.payload.length === 0) return !reset;
  if (before(plus(s.seq, span(s)), c.lastAcked) || after(s.seq, c.windowEdge)) {
    if (!reset) answerMisfit(c, s);
    return false;
  }
  if (reset) {
    if (s.seq === c.receiveNext) end(c, c.state === 'SYN_RECV' ? E.CONNREFUSED : c.state === 'CLOSE_WAIT' ? E.PIPE : E.CONNRESET);
    else sendChallenge(c);
    return false;
  }
  if (syn) {
    TcpExt.TCPSYNChallenge++;
    sendChallenge(c);
    return false;
  }
  if (c.timestamps && s.timestamp && !after(s.seq, c.lastAcked)) c.recentTimestamp = s.timestamp.value;
  return true;
}

/** By its timestamp the segment is older than one that has come before (PAWS, RFC 7323, 5.3). */
function isOld(c: TcpConnection, s: Segment): boolean {
  if (!c.timestamps || !s.timestamp || !before(s.timestamp.value, c.recentTimestamp)) return false;
  return c.context.now - c.lastReceivedAt < c.context.cycles(PAWS_MS);
}

/** With data it is most likely a retransmission whose ACK was lost; without, the answer could be answered for ever. */
function answerMisfit(c: TcpConnection, s: Segment): void {
  if (s.payload.length > 0 && (s.flags & FLAG.SYN) === 0) {
    c.quickAcks = TCP.quickAcks;
    sendAck(c);
  } else sendCorrection(c);
}

// What does it acknowledge?

/** False: the segment is not to be believed, or the connection is over. */
function takeAck(c: TcpConnection, s: Segment): boolean {
  const acked = distance(s.ack, c.sendUna);
  if (after(s.ack, c.sendMax) || acked < -Math.max(c.sendWindowMax, 65535)) {
    sendChallenge(c);
    return false;
  }
  if (acked < 0) return true;
  c.lastReceivedAt = c.context.now;
  c.keepProbes = c.probes = 0;
  const window = s.window * 2 ** c.sendScale;
  const duplicate = acked === 0 && window === c.sendWindow && span(s) === 0 && c.sendMax !== c.sendUna;
  takeWindow(c, s, window, acked);
  if (duplicate) takeDuplicate(c);
  const measured = acked > 0 && advance(c, s, acked);
  if (measured || c.pathChanged) c.tellPath();
  if (c.finAcked && c.state === 'FIN_WAIT1') {
    c.enter('FIN_WAIT2');
    if (c.orphan) awaitFin(c);
  } else if (c.finAcked && c.state === 'CLOSING') rest(c);
  else if (c.finAcked && c.state === 'LAST_ACK') end(c, 0);
  return c.synchronized;
}

function takeWindow(c: TcpConnection, s: Segment, window: number, acked: number): void {
  const newer = acked > 0 || after(s.seq, c.windowSeq) || (s.seq === c.windowSeq && (window > c.sendWindow || window === 0));
  if (!newer) return;
  c.windowSeq = s.seq;
  c.windowAck = s.ack;
  if (c.sendWindow === 0 && window > 0) c.roundTrip.backoff = 0;
  if (window > 0) c.probingSince = null;
  c.sendWindow = window;
  c.sendWindowMax = Math.max(c.sendWindowMax, window);
}

function takeDuplicate(c: TcpConnection): void {
  const { TcpExt } = c.context.counters;
  if (!c.congestion.duplicate(c.flight, c.sendUna, c.sendMax)) return;
  TcpExt.TCPRenoRecovery++;
  TcpExt.TCPFastRetrans++;
  resendFirst(c);
  restartResend(c, 'loss');
}

/** `acked` more sequence numbers are with the peer. True: that told the round trip. */
function advance(c: TcpConnection, s: Segment, acked: number): boolean {
  const { congestion } = c;
  const limited = c.congested || (congestion.window < congestion.threshold && c.flight * 2 >= congestion.window);
  const bytes = Math.min(acked, c.out.length);
  c.out.drop(bytes);
  if (acked > bytes) c.finAcked = true;
  c.statistics.bytesAcked += bytes;
  c.sendUna = s.ack;
  if (before(c.sendNext, s.ack)) c.sendNext = s.ack;
  c.retries = 0;
  c.waitingSince = c.context.now;
  c.softError = 0;
  const measured = measure(c, s);
  const now = congestion.acknowledged(acked, s.ack, distance(c.sendMax, s.ack));
  if (now === 'open' && limited) congestion.grow(acked);
  if (now === 'partial') {
    c.context.counters.TcpExt.TCPFastRetrans++;
    resendFirst(c);
  }
  if (c.flight > 0) restartResend(c, 'loss');
  else c.resendTimer.stop();
  return measured;
}

/** One round trip, of a segment that was sent once; or told by the timestamp, if some were sent again. False: it tells nothing. */
function measure(c: TcpConnection, s: Segment): boolean {
  const { timed, context } = c;
  if (timed && !before(s.ack, timed.end)) c.roundTrip.sample(context.now - timed.at);
  else if (c.ambiguous && c.timestamps && s.timestamp) {
    const ms = distance(c.layer.timestampNow(), s.timestamp.echo);
    if (ms >= 0 && ms <= TCP.rtoMaxMs) c.roundTrip.sample(context.cycles(ms));
  } else return false;
  c.timed = null;
  c.ambiguous = false;
  return true;
}

// What does it bring?

/** Takes in the payload, as far as there is a window for it. True: it did not come in order, and the peer should know at once. */
function takeData(c: TcpConnection, s: Segment): boolean {
  const { TcpExt } = c.context.counters;
  const fin = (s.flags & FLAG.FIN) !== 0;
  if (s.payload.length === 0 && !fin) return false;
  if (c.state !== 'ESTABLISHED' && c.state !== 'FIN_WAIT1' && c.state !== 'FIN_WAIT2') return true;
  const end = plus(s.seq, s.payload.length);
  if (c.orphan && after(end, c.receiveNext)) {
    TcpExt.TCPAbortOnData++;
    abort(c, E.CONNRESET);
    return false;
  }
  if (fin && !after(end, c.windowEdge)) c.finSeq ??= end;
  if (s.payload.length === 0) return c.finSeq !== c.receiveNext;
  const skip = Math.max(0, distance(c.receiveNext, s.seq));
  const cut = Math.max(0, distance(end, c.windowEdge));
  const bytes = s.payload.subarray(skip, s.payload.length - cut);
  if (skip + cut >= s.payload.length) {
    if (cut > 0) TcpExt.TCPZeroWindowDrop++;
    c.quickAcks = Math.max(c.quickAcks, 1);
    return true;
  }
  c.receiveMss = Math.max(c.receiveMss, Math.min(s.payload.length, c.offerable / 2));
  c.lastDataAt = c.context.now;
  if (after(s.seq, c.receiveNext)) {
    if (c.outOfOrder.insert(s.seq, bytes)) TcpExt.TCPOFOQueue++;
    else TcpExt.TCPOFODrop++;
    return true;
  }
  accept(c, bytes);
  const filled = c.outOfOrder.pieces > 0;
  for (let next = c.outOfOrder.take(c.receiveNext); next; next = c.outOfOrder.take(c.receiveNext)) accept(c, next);
  return filled;
}

function accept(c: TcpConnection, bytes: Uint8Array): void {
  c.receiveNext = plus(c.receiveNext, bytes.length);
  c.statistics.bytesReceived += bytes.length;
  // After shutdown(SHUT_RD) what comes is taken and forgotten.
  if (!c.receiveShut) c.in.push(bytes);
  c.touch();
}

/** All that the peer sends is here. */
function takeFin(c: TcpConnection): void {
  c.finReceived = true;
  c.receiveNext = plus(c.receiveNext, 1);
  c.outOfOrder.clear();
  c.touch();
  if (c.state === 'ESTABLISHED') {
    c.enter('CLOSE_WAIT');
    // Most programs end soon after: the ACK may go with the FIN.
    c.interactive = true;
  } else if (c.state === 'FIN_WAIT1') {
    c.enter('CLOSING');
    c.interactive = false;
    c.quickAcks = Math.max(c.quickAcks, 1);
  } else if (c.state === 'FIN_WAIT2') {
    sendAck(c);
    rest(c);
  }
}

/** What has come is acknowledged: at once if it was out of order, with data if there is some, else soon. */
function answer(c: TcpConnection, disordered: boolean): void {
  if (disordered) sendAck(c);
  output(c);
  const pending = distance(c.receiveNext, c.lastAcked);
  if (pending === 0) return;
  const quick = c.quickAcks > 0 && !c.interactive;
  if (pending > c.receiveMss || quick || c.outOfOrder.pieces > 0) return sendAck(c);
  if (!c.ackTimer.armed) c.ackTimer.set(c.context.now + c.context.cycles(TCP.delayedAckMs));
}
