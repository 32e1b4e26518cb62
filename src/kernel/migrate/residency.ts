/**
 * A page that has come stays until those who waited for it have used it. Without this, kernels that want the same page could hand it to and
 * fro without a single instruction being executed (Mirage, Fleisch and Popek, SOSP 1989, keeps a page for a time for the same reason).
 *
 * Always holds: a page that is asked for is given within MOST of the asking, used or not; at once when this kernel itself waits for more of a
 * right than it has, which it gets no sooner than it has given up what it has.
 */
import type { Kernel } from '../kernel.ts';
import type { Cycles } from '../types.ts';

/** How long after the use of a page it may be used again, 2 µs: enough for an instruction that needs a second page, or for a pair of LR and SC. */
const AFTER_USE_SECONDS = 2e-6;
/** How long a page waits for threads that do not come to use it, 5 ms: a few slices of the scheduler. */
const MOST_SECONDS = 5e-3;

export class Residency {
  readonly #kernel: Kernel;
  readonly #isAsking: () => boolean;
  #waiting = 0;
  #usedAt: Cycles = Number.NEGATIVE_INFINITY;
  #deadline: Cycles = 0;
  #give: (() => void) | null = null;

  /** @param isAsking whether this kernel has asked for the page and not got it yet */
  constructor(kernel: Kernel, isAsking: () => boolean) {
    this.#kernel = kernel;
    this.#isAsking = isAsking;
  }

  /** Someone waits for the page, and says so when it goes on. */
  expect(): void {
    this.#waiting++;
  }
  used(): void {
    this.#waiting--;
    this.#usedAt = this.#kernel.now;
    this.check();
  }

  /** Calls `give` once the page may go; one at a time. */
  release(give: () => void): void {
    this.#give = give;
    this.#deadline = this.#kernel.now + MOST_SECONDS * this.#kernel.hertz;
    this.check();
  }

  /** To be called when this kernel has asked. */
  check(): void {
    const give = this.#give;
    if (give === null) return;
    const kernel = this.#kernel;
    const free = this.#waiting > 0 ? Number.POSITIVE_INFINITY : this.#usedAt + AFTER_USE_SECONDS * kernel.hertz;
    const time = this.#isAsking() ? kernel.now : Math.min(this.#deadline, free);
    if (time > kernel.now) {
      kernel.at(time, () => this.check());
      return;
    }
    this.#give = null;
    give();
  }
}
