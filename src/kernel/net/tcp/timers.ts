/** What happens when nothing does: retransmission (RFC 6298), window probes, delayed ACKs, keep-alive (RFC 9293, 3.8). */
import { abort, end, giveUp } from './close.ts';
import { E } from '../../abi/errno.ts';
import type { TcpConnection } from './connection.ts';
import { TCP } from './limits.ts';
import { plus } from './sequence.ts';
import { noteRetransmission, resendFirst, restartResend, armResend, sendAck, sendProbe, sendRange, sendSyn } from './output.ts';

export function onResendTimer(c: TcpConnection): void {
  if (c.state === 'SYN_SENT' || c.state === 'SYN_RECV') synUnanswered(c);
  else if (c.resendFor === 'loss' && c.flight > 0) unacknowledged(c);
  else if (c.unsent) blocked(c);
}

function synUnanswered(c: TcpConnection): void {
  c.retries++;
  if (c.retries > (c.state === 'SYN_SENT' ? c.options.synRetries : TCP.synAckRetries) || isOverdue(c)) return giveUp(c);
  c.context.counters.TcpExt.TCPTimeouts++;
  c.roundTrip.double();
  noteRetransmission(c, plus(c.initialSequence, 1), 0);
  sendSyn(c);
}

function unacknowledged(c: TcpConnection): void {
  const { TcpExt } = c.context.counters;
  c.retries++;
  // A peer that has shut its window over what is under way, and still answers, is not gone.
  const alive = c.sendWindow === 0 && c.context.now - c.lastReceivedAt < c.context.cycles(TCP.rtoMaxMs);
  if (isOverdue(c) || (!alive && c.retries > (c.orphan ? TCP.orphanRetries : TCP.retries))) return giveUp(c);
  TcpExt.TCPTimeouts++;
  if (c.congestion.recovering) TcpExt.TCPRenoFailures++;
  c.congestion.timeout(c.flight, c.sendMax, c.retries === 1);
  c.tellPath();
  c.roundTrip.double();
  c.sendNext = c.sendUna;
  TcpExt.TCPSlowStartRetrans++;
  resendFirst(c);
  restartResend(c, 'loss');
}

/** Something waits, and nothing is under way that could bring an ACK: the window is shut or silly, or the program holds a part back. */
function blocked(c: TcpConnection): void {
  c.probes++;
  // A peer may keep its window shut for as long as it answers, but not for a program that is gone.
  if (c.sendWindow === 0) c.probingSince ??= c.context.now;
  if (isOverdue(c) || (c.orphan ? c.roundTrip.backoff >= TCP.orphanRetries : c.probes > TCP.retries)) return giveUp(c);
  const length = Math.min(c.out.length, c.mss, c.sendWindow);
  if (c.sendWindow > 0) {
    sendRange(c, c.sendNext, length, c.finQueued && length === c.out.length);
    return armResend(c);
  }
  c.context.counters.TcpExt.TCPWinProbe++;
  sendProbe(c);
  c.roundTrip.double();
  restartResend(c, 'probe');
}

/** TCP_USER_TIMEOUT: the peer has left all unanswered for as long as the program bears. */
function isOverdue({ context, options, waitingSince, probingSince }: TcpConnection): boolean {
  return options.userTimeout > 0 && context.now - (probingSince ?? waitingSince) >= options.userTimeout;
}

export function onAckTimer(c: TcpConnection): void {
  c.interactive = false;
  c.context.counters.TcpExt.DelayedACKs++;
  sendAck(c);
}

/** Starts or stops keep-alive, as the options say. */
export function armKeep(c: TcpConnection): void {
  if (!c.synchronized || c.orphan) return;
  if (c.options.keepAlive) c.keepTimer.set(c.context.now + c.options.keepIdle);
  else c.keepTimer.stop();
}

export function onKeepTimer(c: TcpConnection): void {
  if (c.orphan && c.state === 'FIN_WAIT2') return end(c, 0);
  const { keepAlive, keepIdle, keepInterval, keepCount, userTimeout } = c.options;
  if (!keepAlive || !c.synchronized) return;
  const { now } = c.context;
  const idleUntil = c.lastReceivedAt + keepIdle;
  if (c.flight > 0 || c.unsent || idleUntil > now) {
    c.keepProbes = 0;
    return c.keepTimer.set(Math.max(idleUntil, now + keepInterval));
  }
  if (userTimeout > 0 ? c.keepProbes > 0 && now - c.lastReceivedAt >= userTimeout : c.keepProbes >= keepCount) {
    c.context.counters.TcpExt.TCPAbortOnTimeout++;
    return abort(c, E.TIMEDOUT);
  }
  c.keepProbes++;
  c.context.counters.TcpExt.TCPKeepAlive++;
  sendProbe(c);
  c.keepTimer.set(now + keepInterval);
}
