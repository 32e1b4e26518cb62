/**
 * NewReno congestion control (RFC 5681, RFC 6582), counted in bytes.
 *
 * Open: grows with what is acknowledged. Recovery: from the third duplicate ACK until all that had been sent by then is acknowledged.
 * Always holds: the window is at least one segment.
 */
import { TCP } from './limits.ts';
import { after, before } from './sequence.ts';

const DUPLICATE_ACKS = 3;

export class NewReno {
  /** Congestion window in bytes. */
  window: number;
  /** Below it the window grows by slow start. */
  threshold = Number.POSITIVE_INFINITY;
  recovering = false;
  /** Recovery ends when this is acknowledged; no new one begins before. */
  recover: number;
  duplicates = 0;
  #mss: number;
  /** Bytes acknowledged towards the next step of congestion avoidance. */
  #credit = 0;

  constructor(mss: number, initialSequence: number) {
    this.#mss = mss;
    this.window = TCP.initialWindow * mss;
    this.recover = initialSequence;
  }

  /** The segment size changed (path MTU): the window keeps its number of segments while it is small. */
  resize(mss: number): void {
    this.#mss = mss;
    this.window = Math.max(this.window, mss);
  }

  /** `acked` new bytes were acknowledged while the window, not the program, limited what was sent. */
  grow(acked: number): void {
    if (this.window < this.threshold) {
      this.window = Math.min(this.window + acked, Math.max(this.threshold, this.window + this.#mss));
      return;
    }
    this.#credit += acked;
    if (this.#credit < this.window) return;
    this.#credit -= this.window;
    this.window += this.#mss;
  }

  /** One more duplicate ACK while `flight` bytes up to `sent` are under way, `acked` acknowledged. True: retransmit the first segment now. */
  duplicate(flight: number, acked: number, sent: number): boolean {
    this.duplicates++;
    if (this.recovering) {
      this.window += this.#mss;
      return false;
    }
    if (this.duplicates !== DUPLICATE_ACKS || before(acked, this.recover)) return false;
    this.threshold = Math.max(Math.floor(flight / 2), 2 * this.#mss);
    this.recover = sent;
    this.recovering = true;
    this.window = this.threshold + DUPLICATE_ACKS * this.#mss;
    return true;
  }

  /** Bytes that may be sent beyond the window for the first two duplicate ACKs (limited transmit, RFC 3042). */
  get allowance(): number {
    return this.recovering ? 0 : Math.min(this.duplicates, DUPLICATE_ACKS - 1) * this.#mss;
  }

  /**
   * `acked` new bytes, up to `upTo`, were acknowledged; `flight` remain. Says what it was: 'partial' in recovery means that the next
   * segment is lost too and is to be retransmitted.
   */
  acknowledged(acked: number, upTo: number, flight: number): 'open' | 'partial' | 'recovered' {
    this.duplicates = 0;
    if (!this.recovering) return 'open';
    if (before(upTo, this.recover)) {
      this.window = Math.max(this.window - acked, 0) + (acked >= this.#mss ? this.#mss : 0);
      this.window = Math.max(this.window, this.#mss);
      return 'partial';
    }
    this.recovering = false;
    this.window = Math.min(this.threshold, Math.max(flight, this.#mss) + this.#mss);
    return 'recovered';
  }

  /** The retransmission timer rang; `first`: for the first time for this segment. */
  timeout(flight: number, sent: number, first: boolean): void {
    if (first) this.threshold = Math.max(Math.floor(flight / 2), 2 * this.#mss);
    this.window = this.#mss;
    if (after(sent, this.recover)) this.recover = sent;
    this.recovering = false;
    this.duplicates = 0;
    this.#credit = 0;
  }

  /** Nothing was sent for a timeout: what was known of the path is stale (RFC 5681, 4.1). */
  restart(): void {
    this.window = Math.min(this.window, TCP.initialWindow * this.#mss);
  }
}
