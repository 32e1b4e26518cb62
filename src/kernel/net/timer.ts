/**
 * One alarm that is set, moved and stopped many times, as a TCP connection does with each segment.
 *
 * Moving it further away costs nothing: the event that is already due finds the new deadline and sets itself again.
 */
import type { Cycles, NetPlatform } from './platform.ts';

export class Timer {
  #deadline: Cycles | null = null;
  #due: Cycles = 0;
  #cancel: (() => void) | null = null;
  readonly #platform: NetPlatform;
  readonly #act: () => void;

  constructor(platform: NetPlatform, act: () => void) {
    this.#platform = platform;
    this.#act = act;
  }

  get armed(): boolean {
    return this.#deadline !== null;
  }

  /** When it rings; null while it is not set. */
  get deadline(): Cycles | null {
    return this.#deadline;
  }

  /** Rings at `time`, and no more at the time set before. */
  set(time: Cycles): void {
    this.#deadline = time;
    if (this.#cancel && this.#due <= time) return;
    this.#cancel?.();
    this.#schedule(time);
  }

  stop(): void {
    this.#deadline = null;
    this.#cancel?.();
    this.#cancel = null;
  }

  #schedule(time: Cycles): void {
    this.#due = time;
    this.#cancel = this.#platform.at(time, () => this.#ring());
  }

  #ring(): void {
    this.#cancel = null;
    const deadline = this.#deadline;
    if (deadline === null) return;
    if (deadline > this.#platform.now()) return this.#schedule(deadline);
    this.#deadline = null;
    this.#act();
  }
}
