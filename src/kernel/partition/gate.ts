/**
 * A gate before what brings other kernels' frames here. While it is closed nothing enters, but what those inside need; so there is a time at which
 * each kernel can say what it holds, and nothing is on its way that nobody has counted.
 */
import { type Blocking, sleep, WaitQueue } from '../types.ts';

export class Gate {
  #closed = 0;
  #inside = 0;
  readonly #changed = new WaitQueue();

  /** Does `work` inside. */
  *through<T>(work: () => Blocking<T>): Blocking<T> {
    while (this.#closed > 0 && this.#inside === 0) yield* sleep([this.#changed], { interruptible: false });
    this.#inside++;
    try {
      return yield* work();
    } finally {
      this.#inside--;
      this.#changed.wakeAll();
    }
  }

  /** Returns when nothing is inside. */
  *close(): Blocking<void> {
    this.#closed++;
    while (this.#inside > 0) yield* sleep([this.#changed], { interruptible: false });
  }

  open(): void {
    this.#closed = Math.max(0, this.#closed - 1);
    this.#changed.wakeAll();
  }
}
