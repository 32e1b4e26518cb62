/**
 * The round-trip time and the retransmission timeout (RFC 6298), in cycles.
 *
 * As on Linux, the variance counts for at least TCP_RTO_MIN, in the place of the clock granularity G of the RFC.
 */
import type { NetContext } from '../context.ts';
import type { Cycles } from '../platform.ts';
import { TCP } from './limits.ts';

export class RoundTrip {
  /** Smoothed round-trip time; null before the first measurement. */
  smoothed: Cycles | null = null;
  variance: Cycles = 0;
  /** How often the timeout was doubled since it was last measured. */
  backoff = 0;
  readonly #initial: Cycles;
  readonly #least: Cycles;
  readonly #most: Cycles;

  constructor(context: NetContext) {
    this.#initial = context.cycles(TCP.rtoInitialMs);
    this.#least = context.cycles(TCP.rtoMinMs);
    this.#most = context.cycles(TCP.rtoMaxMs);
  }

  /** The timeout in cycles, with its doublings. */
  get timeout(): Cycles {
    const base = this.smoothed === null ? this.#initial : this.smoothed + Math.max(this.#least, 4 * this.variance);
    return Math.min(this.#most, Math.round(base) * 2 ** this.backoff);
  }

  /** Takes in one measured round trip, of a segment that was sent once (Karn's algorithm is the caller's). */
  sample(span: Cycles): void {
    this.backoff = 0;
    if (this.smoothed === null) {
      this.smoothed = span;
      this.variance = span / 2;
      return;
    }
    this.variance = (3 * this.variance + Math.abs(this.smoothed - span)) / 4;
    this.smoothed = (7 * this.smoothed + span) / 8;
  }

  /** Doubles the timeout (5.5). */
  double(): void {
    if (this.timeout < this.#most) this.backoff++;
  }
}
