/**
 * A handshake that a listener has answered and whose last ACK is missing (Linux: request_sock). Small, and bounded in number by the
 * listener, so that a flood of SYNs costs no more than the listener's queue.
 */
import type { Cycles } from '../platform.ts';
import { Timer } from '../timer.ts';
import { TcpConnection } from './connection.ts';
import type { Endpoint, FourTuple } from './endpoint.ts';
import { adoptPeer, establish, type PeerSyn } from './input.ts';
import { TCP } from './limits.ts';
import type { TcpListener } from './listener.ts';
import { FLAG, openSegment, sealSegment, span, type Segment } from './segment.ts';
import { after, before, plus } from './sequence.ts';
import type { TcpLayer } from './tcp.ts';

export class SynRequest implements Endpoint {
  readonly state = 'SYN_RECV';
  readonly #timer: Timer;
  readonly #layer: TcpLayer;
  readonly #listener: TcpListener;
  readonly #peer: PeerSyn;
  readonly #initialSequence: number;
  readonly #scale: number;
  readonly #window: number;
  #sentAt: Cycles = 0;
  #retries = 0;
  /** The last ACK has come, without the data that the listener waits for. */
  #isAcknowledged = false;
  /** How often our SYN went out: the round trip is known only if once. */
  #answers = 0;

  constructor(
    listener: TcpListener,
    readonly tuple: FourTuple,
    peer: PeerSyn,
    initialSequence: number,
  ) {
    const { layer } = listener;
    this.#listener = listener;
    this.#layer = layer;
    this.#peer = peer;
    this.#initialSequence = initialSequence;
    this.#scale = layer.windowScale(listener.options);
    const { receiveBuffer, windowClamp } = listener.options;
    const space = Math.max(receiveBuffer ?? TCP.window, TCP.windowMin);
    this.#window = Math.min(65535, space, windowClamp || space);
    this.#timer = new Timer(layer.context.platform, () => this.#again());
    this.#answer();
    this.#wait();
  }

  receive(s: Segment): void {
    const expected = plus(this.#peer.initialSequence, 1);
    if ((s.flags & FLAG.RST) !== 0) {
      if (s.seq !== expected) return;
      this.#layer.context.counters.TcpExt.EmbryonicRsts++;
      return this.drop();
    }
    if ((s.flags & FLAG.SYN) !== 0) {
      // The peer has not heard our answer.
      if (s.seq === this.#peer.initialSequence && (s.flags & FLAG.ACK) === 0) this.#answer();
      return;
    }
    if ((s.flags & FLAG.ACK) === 0) return;
    const old = this.#peer.timestamp && s.timestamp && before(s.timestamp.value, this.#peer.timestamp.value);
    if (old || before(plus(s.seq, span(s)), expected) || after(s.seq, plus(expected, this.#window))) return this.#answer();
    if (s.ack !== plus(this.#initialSequence, 1)) return this.#layer.refuse(s);
    if (this.#retries < this.#listener.options.deferAccept && plus(s.seq, span(s)) === expected) {
      this.#isAcknowledged = true;
      this.#layer.context.counters.TcpExt.TCPDeferAcceptDrop++;
      return;
    }
    this.#complete(s);
  }

  /** The peer cannot be reached, it seems: the timer will find out. */
  failed(): void {}

  drop(): void {
    this.#timer.stop();
    this.#layer.endpoints.delete(this);
    this.#listener.requests.delete(this);
  }

  /** The last ACK: a connection takes this place. If the queue of the listener is full the ACK was in vain, and the peer will say it again. */
  #complete(s: Segment): void {
    const listener = this.#listener;
    const { counters, now } = this.#layer.context;
    if (listener.full) {
      counters.TcpExt.ListenOverflows++;
      counters.TcpExt.ListenDrops++;
      return;
    }
    this.drop();
    const c = new TcpConnection(
      this.#layer,
      this.tuple,
      listener.inherit(this.tuple),
      { ...listener.options, quickAck: true },
      this.#initialSequence,
    );
    c.state = 'SYN_RECV';
    c.sendNext = c.sendMax = c.smallEnd = plus(this.#initialSequence, 1);
    c.receiveScale = this.#scale;
    adoptPeer(c, this.#peer);
    if (this.#answers === 1) c.roundTrip.sample(now - this.#sentAt);
    c.sendWindow = s.window * 2 ** c.sendScale;
    establish(c, s.ack);
    counters.Tcp.PassiveOpens++;
    this.#layer.endpoints.set(c);
    listener.push(c);
    c.receive(s);
  }

  #wait(): void {
    const { context } = this.#layer;
    this.#timer.set(context.now + context.cycles(Math.min(TCP.rtoInitialMs * 2 ** this.#retries, TCP.rtoMaxMs)));
  }

  #again(): void {
    const { Tcp, TcpExt } = this.#layer.context.counters;
    if (this.#retries >= TCP.synAckRetries) return this.drop();
    // Who has acknowledged is asked again when the time for its data is about to be over: then an ACK alone will do.
    const isAsked = !this.#isAcknowledged || this.#retries >= this.#listener.options.deferAccept - 1;
    this.#retries++;
    if (isAsked) {
      TcpExt.TCPTimeouts++;
      Tcp.RetransSegs++;
      this.#answer();
    }
    this.#wait();
  }

  /** Our SYN and ACK. */
  #answer(): void {
    const { tuple } = this;
    const peer = this.#peer;
    const { options } = this.#listener;
    this.#sentAt = this.#layer.context.now;
    this.#answers++;
    const frame = openSegment(
      {
        sourcePort: tuple.localPort,
        targetPort: tuple.remotePort,
        seq: this.#initialSequence,
        ack: plus(peer.initialSequence, 1),
        flags: FLAG.SYN | FLAG.ACK,
        window: this.#window,
        mss: this.#layer.advertisedMss(tuple.remote, options),
        scale: peer.scale === null ? null : this.#scale,
        timestamp: peer.timestamp ? { value: this.#layer.timestampNow(), echo: peer.timestamp.value } : null,
      },
      0,
    );
    sealSegment(frame, tuple.local, tuple.remote);
    this.#layer.emit(frame, tuple.local, tuple.remote, options);
  }
}
