/** What every layer of a stack shares: the platform, the counters, and time in units of people. */
import type { Counters } from './counters.ts';
import type { Cycles, NetPlatform } from './platform.ts';

export class NetContext {
  /** Keys the hashes of sequence numbers and ports, so that they cannot be told from outside. */
  readonly secret: number;

  constructor(
    readonly platform: NetPlatform,
    readonly counters: Counters,
  ) {
    this.secret = platform.random();
  }

  get now(): Cycles {
    return this.platform.now();
  }

  /** `ms` milliseconds in cycles. */
  cycles(ms: number): Cycles {
    return Math.round((ms * this.platform.hertz) / 1000);
  }

  /** A span of cycles in milliseconds, not rounded. */
  milliseconds(span: Cycles): number {
    return span / (this.platform.hertz / 1000);
  }
}
