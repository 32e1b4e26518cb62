/**
 * One TCP connection: its control block (RFC 9293, 3.3.1) and what a program does with it. What the network does is in the files
 * beside: `input.ts` (a segment came), `output.ts` (what may be sent is), `timers.ts` (nothing came), `close.ts` (how it ends).
 *
 *   acknowledged │ sent, not acknowledged │ rewound │ not sent yet          received, read │ to be read │ free │
 *             sendUna                  sendNext  sendMax                                           receiveNext  windowEdge
 *
 * Always holds: sendUna ≤ sendNext ≤ sendMax; `out` begins at sendUna, but for SYN and FIN; the edge of the window offered never moves back;
 * nothing is taken in beyond it.
 */
import { E } from '../../abi/errno.ts';
import type { NetContext } from '../context.ts';
import type { DeliveryError } from '../ip.ts';
import type { Cycles } from '../platform.ts';
import { NetSocket, READY } from '../socket.ts';
import { Timer } from '../timer.ts';
import type { Binding } from './bindings.ts';
import { close, failed, shutdownSend } from './close.ts';
import { NewReno } from './congestion.ts';
import { type Endpoint, type FourTuple, TCP_STATE, type TcpState } from './endpoint.ts';
import { segmentArrives } from './input.ts';
import { TCP } from './limits.ts';
import type { TcpOptions } from './options.ts';
import { mayUpdateWindow, output, sendAck } from './output.ts';
import { OutOfOrder, ReceiveQueue } from './receive-queue.ts';
import { RoundTrip } from './rtt.ts';
import type { Segment } from './segment.ts';
import { SendBuffer } from './send-buffer.ts';
import { distance, plus } from './sequence.ts';
import type { TcpLayer } from './tcp.ts';
import { armKeep, onAckTimer, onKeepTimer, onResendTimer } from './timers.ts';

/** A connection as `ss -ti` and the views show it. */
export interface ConnectionInfo extends FourTuple {
  readonly state: TcpState;
  /** Bytes that wait to be read, and that are written but not acknowledged. */
  readonly receiveQueue: number;
  readonly sendQueue: number;
  /** In cycles; null before it was measured. */
  readonly rtt: Cycles | null;
  readonly rttVariance: Cycles;
  readonly rto: Cycles;
  readonly mss: number;
  /** Congestion window and threshold in bytes. */
  readonly cwnd: number;
  readonly ssthresh: number;
  /** The window that the peer offers, and the one offered to it, in bytes. */
  readonly sendWindow: number;
  readonly receiveWindow: number;
  /** Segments sent again, ever and since the last progress. */
  readonly retransmissions: number;
  readonly retries: number;
  readonly bytesSent: number;
  readonly bytesAcked: number;
  readonly bytesReceived: number;
  readonly segmentsOut: number;
  readonly segmentsIn: number;
}

export class TcpConnection extends NetSocket implements Endpoint {
  state: TcpState = 'CLOSE';
  /** Among the stack's connections, for those who look on. */
  readonly number: number;
  readonly context: NetContext;

  // The send sequence space.
  readonly out = new SendBuffer();
  sendUna: number;
  /** The next to send; behind sendMax while lost segments are sent again. */
  sendNext: number;
  sendMax: number;
  /** The window the peer offers, in bytes, and the segment that said so. */
  sendWindow = 0;
  windowSeq = 0;
  windowAck = 0;
  /** The largest window the peer ever offered. */
  sendWindowMax = 0;
  /** Shift of the windows that the peer offers; of ours. */
  sendScale = 0;
  receiveScale = 0;
  /** Most payload of a segment, options taken off. */
  mss: number = TCP.mssDefault;
  /** What the peer said it takes (its MSS option). */
  peerMss: number = TCP.mssDefault;
  /** No more will be written: a FIN follows the last byte. */
  finQueued = false;
  /** The peer has acknowledged that FIN. */
  finAcked = false;
  /** Past the last segment sent that was not full (Minshall's variant of Nagle's rule). */
  smallEnd: number;
  congestion: NewReno;
  readonly roundTrip: RoundTrip;
  /** The segment whose round trip is being measured: its end, and when it was sent. */
  timed: { readonly end: number; readonly at: Cycles } | null = null;
  /** Something was sent again, so that only timestamps can tell the round trip (Karn). */
  ambiguous = false;
  /** The congestion window kept back what could have been sent. */
  congested = false;
  lastSentAt: Cycles = 0;
  /** Since when what is under way has waited for an answer. */
  waitingSince: Cycles = 0;
  /** Since when a shut window is probed; null: it is not. */
  probingSince: Cycles | null = null;

  // The receive sequence space.
  readonly in = new ReceiveQueue();
  readonly outOfOrder = new OutOfOrder();
  receiveNext = 0;
  /** Sequence number of the peer's FIN, once seen. */
  finSeq: number | null = null;
  finReceived = false;
  /** Right edge of the window offered. */
  windowEdge = 0;
  /** receiveNext as it was when last acknowledged. */
  lastAcked = 0;
  /** Bytes that may wait unread. */
  receiveSpace: number;
  /** Largest payload received: what counts as a full segment when ACKs are delayed. */
  receiveMss: number = TCP.mssDefault;
  /** ACKs that are still sent at once; none while data flows both ways. */
  quickAcks: number = TCP.quickAcks;
  interactive = false;
  lastReceivedAt: Cycles;
  lastDataAt: Cycles = Number.NEGATIVE_INFINITY;
  lastMisfitAt: Cycles = Number.NEGATIVE_INFINITY;
  /** Bytes read since when, to see whether the window is the brake. */
  tuned: { at: Cycles; bytes: number };

  // Timestamps (RFC 7323).
  timestamps = false;
  recentTimestamp = 0;

  /** Retransmission, or, when nothing is under way, window probes. */
  readonly resendTimer: Timer;
  resendFor: 'loss' | 'probe' = 'loss';
  readonly ackTimer: Timer;
  /** Keep-alive; after close, the end of FIN_WAIT2. */
  readonly keepTimer: Timer;
  retries = 0;
  probes = 0;
  keepProbes = 0;

  /** The program has closed it. */
  orphan = false;
  receiveShut = false;
  /** Why it may be failing, though it is not lost yet (ICMP). */
  softError = 0;
  /** Somebody found no room to write. */
  wantsRoom = false;

  readonly statistics = { retransmissions: 0, bytesSent: 0, bytesAcked: 0, bytesReceived: 0, segmentsOut: 0, segmentsIn: 0 };
  #changed = false;
  /** The windows as they were told last. */
  #toldCongestion = 0;
  #toldPeer = 0;

  constructor(
    readonly layer: TcpLayer,
    readonly tuple: FourTuple,
    readonly binding: Binding,
    readonly options: TcpOptions,
    readonly initialSequence: number,
  ) {
    super();
    const { context } = layer;
    const { platform } = context;
    this.context = context;
    this.number = layer.connections++;
    this.sendUna = this.sendNext = this.sendMax = this.smallEnd = initialSequence;
    this.roundTrip = new RoundTrip(context);
    this.congestion = new NewReno(this.mss, initialSequence);
    this.receiveSpace = Math.max(options.receiveBuffer ?? TCP.window, TCP.windowMin);
    this.lastReceivedAt = context.now;
    this.tuned = { at: context.now, bytes: 0 };
    this.resendTimer = new Timer(platform, () => this.#then(onResendTimer));
    this.ackTimer = new Timer(platform, () => this.#then(onAckTimer));
    this.keepTimer = new Timer(platform, () => this.#then(onKeepTimer));
    this.interactive = !options.quickAck;
  }

  // What a program does.

  /** Moves bytes that have come into `target`. Returns how many; 0 at the end of the stream; or -errno. */
  read(target: Uint8Array, peek = false): number {
    if (this.in.length > 0) {
      const count = this.in.read(target, peek);
      if (!peek && count > 0) {
        this.#tune(count);
        if (mayUpdateWindow(this)) sendAck(this);
      }
      return count;
    }
    if (this.error) return -this.takeError();
    if (this.finReceived || this.receiveShut || this.state === 'CLOSE') return 0;
    return -E.AGAIN;
  }

  /** Takes as much of `bytes` as there is room for. `more`: others follow at once (MSG_MORE). Returns how many, or -errno. */
  write(bytes: Uint8Array, more = false): number {
    if (this.error) return -this.takeError();
    if (this.finQueued) return -E.PIPE;
    if (this.state === 'SYN_SENT' || this.state === 'SYN_RECV') return -E.AGAIN;
    if (this.state !== 'ESTABLISHED' && this.state !== 'CLOSE_WAIT') return -E.PIPE;
    const count = Math.min(bytes.length, this.room);
    if (count < bytes.length) this.wantsRoom = true;
    if (count === 0) return bytes.length === 0 ? 0 : -E.AGAIN;
    this.out.append(count === bytes.length ? bytes : bytes.subarray(0, count));
    output(this, more && count === bytes.length);
    return count;
  }

  /** Ends the reading side, the writing side (a FIN follows what is written), or both. Returns 0 or -errno. */
  shutdown(side: 'read' | 'write' | 'both'): number {
    if (this.state === 'CLOSE') return -E.NOTCONN;
    if (side !== 'write') this.receiveShut = true;
    if (side !== 'read') shutdownSend(this);
    return 0;
  }

  /** The program lets go. What it has written is still sent, unless it left something unread: then the peer gets a reset. */
  override close(): void {
    this.onChange = () => {};
    close(this);
  }

  override readiness(): number {
    const { state } = this;
    const ended = this.finReceived || this.receiveShut || state === 'CLOSE';
    let bits = this.error ? READY.ERR : 0;
    if (this.in.length > 0 || ended || this.error) bits |= READY.IN;
    if (ended) bits |= READY.RDHUP;
    if (state === 'CLOSE' || (ended && this.finQueued)) bits |= READY.HUP;
    if (state !== 'SYN_SENT' && state !== 'SYN_RECV') {
      if (this.finQueued || state === 'CLOSE' || this.writable) bits |= READY.OUT;
      else this.wantsRoom = true;
    }
    return bits;
  }

  /** Sets options, with effect at once. */
  configure(change: Partial<TcpOptions>): void {
    Object.assign(this.options, change);
    const { receiveBuffer, noDelay, cork, quickAck } = change;
    if (receiveBuffer) this.receiveSpace = Math.max(receiveBuffer, TCP.windowMin);
    if (change.keepAlive !== undefined || change.keepIdle !== undefined) armKeep(this);
    if (noDelay || cork === false) output(this);
    if (quickAck !== undefined) this.#acknowledgeSoon(quickAck);
  }

  /** TCP_QUICKACK: ACKs wait for no data from now on, the one that is due included; or they do. */
  #acknowledgeSoon(quick: boolean): void {
    this.interactive = !quick;
    if (quick && this.ackTimer.armed) sendAck(this);
  }

  get info(): ConnectionInfo {
    const { roundTrip, congestion } = this;
    return {
      ...this.tuple,
      state: this.state,
      receiveQueue: this.in.length,
      sendQueue: this.out.length,
      rtt: roundTrip.smoothed,
      rttVariance: roundTrip.variance,
      rto: roundTrip.timeout,
      mss: this.mss,
      cwnd: congestion.window,
      ssthresh: congestion.threshold,
      sendWindow: this.sendWindow,
      receiveWindow: Math.max(0, distance(this.windowEdge, this.receiveNext)),
      retries: this.retries,
      ...this.statistics,
    };
  }

  // What the files beside use.

  /** Bytes that may be written now: the buffer holds two congestion windows, within bounds. */
  get room(): number {
    const limit = this.options.sendBuffer ?? Math.min(TCP.sendBufferMax, Math.max(TCP.sendBuffer, 2 * this.congestion.window));
    const { notSentLowat } = this.options;
    const ahead = notSentLowat > 0 ? notSentLowat - this.notSent : Number.POSITIVE_INFINITY;
    if (ahead <= 0) return 0;
    // A segment that is begun may be filled.
    return Math.max(0, Math.min(Math.max(limit, TCP.sendBufferMin) - this.out.length, Math.max(ahead, this.mss)));
  }

  /** Linux wakes a writer when a third of the buffer is free, not for each byte. */
  get writable(): boolean {
    const { notSentLowat } = this.options;
    if (notSentLowat > 0 && this.notSent * 2 >= notSentLowat) return false;
    return this.room * 2 >= this.out.length && this.room > 0;
  }

  /** Bytes that are written and were never sent. */
  get notSent(): number {
    return Math.max(0, distance(plus(this.outSeq, this.out.length), this.sendMax));
  }

  /** Bytes that may wait unread, as far as the peer may know. */
  get offerable(): number {
    const { windowClamp } = this.options;
    return windowClamp > 0 ? Math.min(this.receiveSpace, windowClamp) : this.receiveSpace;
  }

  /** Bytes and marks sent and not acknowledged. */
  get flight(): number {
    return distance(this.sendNext, this.sendUna);
  }

  /** Sequence number of the first byte in `out`. */
  get outSeq(): number {
    return this.synchronized ? this.sendUna : plus(this.initialSequence, 1);
  }

  /** Something is written, or the end of it, and was never sent. */
  get unsent(): boolean {
    if (this.finAcked) return false;
    const ahead = distance(plus(this.outSeq, this.out.length), this.sendNext);
    return ahead > 0 || (ahead === 0 && this.finQueued);
  }

  /** Both sides have exchanged their initial sequence numbers. */
  get synchronized(): boolean {
    return this.state !== 'SYN_SENT' && this.state !== 'SYN_RECV' && this.state !== 'CLOSE';
  }

  /** The one way to change the state: keeps the counters true. */
  enter(state: TcpState): void {
    const { Tcp } = this.context.counters;
    const open = (s: TcpState) => s === 'ESTABLISHED' || s === 'CLOSE_WAIT';
    if (open(state) && !open(this.state)) Tcp.CurrEstab++;
    if (!open(state) && open(this.state)) {
      Tcp.CurrEstab--;
      if (state === 'CLOSE') Tcp.EstabResets++;
    }
    if (state === 'CLOSE' && (this.state === 'SYN_SENT' || this.state === 'SYN_RECV')) Tcp.AttemptFails++;
    this.state = state;
    // Whether it ends or rests is told by who knows (close.ts, tcp.ts).
    if (state !== 'CLOSE') this.tellState(state);
    this.touch();
  }

  tellState(state: TcpState, error = 0): void {
    this.context.platform.tell?.({ kind: 'state', number: this.number, tuple: this.tuple, state: TCP_STATE[state], error });
  }

  tellPath(): void {
    const { roundTrip, congestion, sendWindow: peerWindow, flight, number } = this;
    this.#toldCongestion = congestion.window;
    this.#toldPeer = peerWindow;
    this.context.platform.tell?.({
      kind: 'path',
      number,
      roundTrip: roundTrip.smoothed,
      congestionWindow: congestion.window,
      peerWindow,
      flight,
    });
  }

  /** Whether a window is another than what was told last, by so much that it can be seen. */
  get pathChanged(): boolean {
    return differ(this.#toldCongestion, this.congestion.window) || differ(this.#toldPeer, this.sendWindow);
  }

  receive(segment: Segment): void {
    this.statistics.segmentsIn++;
    segmentArrives(this, segment);
    this.flush();
  }

  failed(error: DeliveryError, seq: number): void {
    failed(this, error, seq);
    this.flush();
  }

  /** Readiness may have changed: `onChange` follows when the event is dealt with. */
  touch(): void {
    this.#changed = true;
  }

  flush(): void {
    if (!this.#changed) return;
    this.#changed = false;
    this.onChange();
  }

  stopTimers(): void {
    this.resendTimer.stop();
    this.ackTimer.stop();
    this.keepTimer.stop();
  }

  #then(act: (connection: TcpConnection) => void): void {
    act(this);
    this.flush();
  }

  /** The window grows to twice what the program reads in a round trip (Linux: tcp_rcv_space_adjust). */
  #tune(count: number): void {
    const { tuned, context } = this;
    tuned.bytes += count;
    const { smoothed } = this.roundTrip;
    if (this.options.receiveBuffer !== null || smoothed === null || context.now - tuned.at < smoothed) return;
    if (tuned.bytes * 2 > this.receiveSpace) this.receiveSpace = Math.min(TCP.windowMax, tuned.bytes * 2 + 16 * this.receiveMss);
    tuned.at = context.now;
    tuned.bytes = 0;
  }
}

const differ = (a: number, b: number): boolean => Math.abs(a - b) > Math.max(a, b) / 8;
