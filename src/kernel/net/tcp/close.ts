/**
 * How a connection ends: our side is done, the program lets go, the peer or the network breaks it off.
 *
 * Always holds: a connection in state CLOSE has no timer, no port and no place in the table.
 */
import { E } from '../../abi/errno.ts';
import type { DeliveryError } from '../ip.ts';
import type { TcpConnection } from './connection.ts';
import { fitSegments, output, resendFirst, sendReset } from './output.ts';
import { after, before } from './sequence.ts';

/** Nothing more will be written: our FIN goes out behind what there is. */
export function shutdownSend(c: TcpConnection): void {
  if (c.finQueued || c.state === 'CLOSE') return;
  if (c.state === 'SYN_SENT') return end(c, 0);
  c.finQueued = true;
  if (c.state === 'ESTABLISHED') c.enter('FIN_WAIT1');
  else if (c.state === 'CLOSE_WAIT') c.enter('LAST_ACK');
  output(c);
}

export function close(c: TcpConnection): void {
  if (c.orphan) return;
  c.orphan = true;
  const { TcpExt } = c.context.counters;
  const unread = c.in.length > 0;
  c.in.clear();
  if (c.state === 'CLOSE') return;
  if (unread || c.options.resetOnClose) {
    if (unread) TcpExt.TCPAbortOnClose++;
    return abort(c, 0);
  }
  shutdownSend(c);
  if (c.state === 'FIN_WAIT2') awaitFin(c);
}

/** Breaks the connection off: the peer hears of it, and the program by `error` (an errno; 0: nothing to tell). */
export function abort(c: TcpConnection, error: number): void {
  if (c.state !== 'SYN_SENT' && c.state !== 'CLOSE') sendReset(c);
  end(c, error);
}

/** The connection is no more. */
export function end(c: TcpConnection, error: number): void {
  if (c.state === 'CLOSE') return;
  settle(c, error);
  c.tellState('CLOSE', error);
  c.layer.forget(c);
}

/** Both streams have ended: TIME_WAIT remembers for the connection. */
export function rest(c: TcpConnection): void {
  settle(c, 0);
  c.layer.rest(c);
}

function settle(c: TcpConnection, error: number): void {
  c.error = error;
  c.enter('CLOSE');
  c.finQueued = true;
  c.stopTimers();
  c.out.clear();
  c.outOfOrder.clear();
  if (c.orphan) c.in.clear();
}

/** In FIN_WAIT2 nobody reads any more: the peer gets some time to end, too, or none. */
export function awaitFin(c: TcpConnection): void {
  const { finTimeout } = c.options;
  if (finTimeout >= 0) return c.keepTimer.set(c.context.now + finTimeout);
  c.context.counters.TcpExt.TCPAbortOnLinger++;
  abort(c, 0);
}

/** All waiting was in vain. */
export function giveUp(c: TcpConnection): void {
  c.context.counters.TcpExt.TCPAbortOnTimeout++;
  end(c, c.softError || E.TIMEDOUT);
}

/** ICMP says that the segment at `seq` did not arrive. */
export function failed(c: TcpConnection, { errno, mtu }: DeliveryError, seq: number): void {
  if (before(seq, c.sendUna) || after(seq, c.sendMax)) return;
  if (mtu !== null) return shrink(c, mtu);
  if (c.state === 'SYN_SENT' || c.state === 'SYN_RECV') return end(c, errno);
  c.softError = errno;
}

/** Path MTU discovery (RFC 1191): what is under way was too large, and goes out again in smaller segments. */
function shrink(c: TcpConnection, mtu: number): void {
  const before = c.mss;
  c.layer.ip.learnPathMtu(c.tuple.remote, mtu);
  fitSegments(c);
  if (c.mss >= before || !c.synchronized || c.flight === 0) return;
  c.sendNext = c.sendUna;
  resendFirst(c);
  output(c);
}
