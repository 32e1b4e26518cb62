/**
 * The memory of a connection that this side ended first (RFC 9293, 3.6.1): old segments die out before its four-tuple is used again, and
 * the peer's FIN is acknowledged once more if it comes again. Small, as a busy server has thousands.
 */
import { Timer } from '../timer.ts';
import type { Binding } from './bindings.ts';
import type { TcpConnection } from './connection.ts';
import type { Endpoint, FourTuple } from './endpoint.ts';
import { TCP } from './limits.ts';
import { FLAG, openSegment, sealSegment, span, type Segment } from './segment.ts';
import { after, before, distance, plus } from './sequence.ts';
import type { TcpLayer } from './tcp.ts';

export class TimeWait implements Endpoint {
  readonly state = 'TIME_WAIT';
  /** The connection's. */
  readonly number: number;
  readonly tuple: FourTuple;
  readonly binding: Binding;
  readonly sendNext: number;
  readonly #receiveNext: number;
  readonly #window: number;
  readonly #scale: number;
  /** The peer's last timestamp, null if there were none. */
  readonly recentTimestamp: number | null;
  readonly timer: Timer;
  #since: number;
  readonly #layer: TcpLayer;

  constructor(layer: TcpLayer, c: TcpConnection) {
    this.#layer = layer;
    this.number = c.number;
    this.tuple = c.tuple;
    this.binding = c.binding;
    this.sendNext = c.sendMax;
    this.#receiveNext = c.receiveNext;
    this.#scale = c.receiveScale;
    this.#window = Math.max(0, distance(c.windowEdge, c.receiveNext));
    this.recentTimestamp = c.timestamps ? c.recentTimestamp : null;
    this.#since = layer.context.now;
    this.timer = new Timer(layer.context.platform, () => layer.forgetTimeWait(this));
    this.#restart();
  }

  /** The four-tuple may be used for a new connection from here: the peer will tell old segments by their timestamps (RFC 6191). */
  get reusable(): boolean {
    return this.recentTimestamp !== null && this.#layer.context.now - this.#since > this.#layer.context.cycles(1000);
  }

  receive(s: Segment): void {
    const { context } = this.#layer;
    const old = this.recentTimestamp !== null && s.timestamp !== null && before(s.timestamp.value, this.recentTimestamp);
    if ((s.flags & FLAG.RST) !== 0) {
      if (!old && s.seq === this.#receiveNext) this.#layer.forgetTimeWait(this);
      return;
    }
    if (this.#begins(s, old)) {
      this.#layer.forgetTimeWait(this);
      return this.#layer.begin(s, plus(this.sendNext, 65537));
    }
    if (old) context.counters.TcpExt.PAWSEstab++;
    const fits = s.seq === this.#receiveNext && span(s) === 0;
    if (fits && (s.flags & FLAG.SYN) === 0) return;
    if ((s.flags & FLAG.FIN) !== 0 && !old) this.#restart();
    this.#acknowledge();
  }

  failed(): void {}

  /** A SYN that cannot be an old one: the peer reuses its port. */
  #begins(s: Segment, old: boolean): boolean {
    if ((s.flags & (FLAG.SYN | FLAG.ACK)) !== FLAG.SYN || old) return false;
    const later = this.recentTimestamp !== null && s.timestamp !== null && after(s.timestamp.value, this.recentTimestamp);
    return later || after(s.seq, this.#receiveNext);
  }

  #restart(): void {
    const { context } = this.#layer;
    this.#since = context.now;
    this.timer.set(context.now + context.cycles(TCP.timeWaitMs));
  }

  #acknowledge(): void {
    const { tuple, recentTimestamp } = this;
    const frame = openSegment(
      {
        sourcePort: tuple.localPort,
        targetPort: tuple.remotePort,
        seq: this.sendNext,
        ack: this.#receiveNext,
        flags: FLAG.ACK,
        window: Math.min(65535, this.#window >>> this.#scale),
        mss: null,
        scale: null,
        timestamp: recentTimestamp === null ? null : { value: this.#layer.timestampNow(), echo: recentTimestamp },
      },
      0,
    );
    sealSegment(frame, tuple.local, tuple.remote);
    this.#layer.emit(frame, tuple.local, tuple.remote, null);
  }
}
