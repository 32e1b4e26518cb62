/**
 * Kernel work that blocks on nobody's behalf: answering a request, what is left of a dead task's call. Runs on the service core, at the
 * time at which it is woken.
 *
 * Always holds: an Errno that nobody catches ends the work quietly: there is no one to hear it.
 */
import { Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import { CAUSE_NONE } from '../message/wire.ts';
import type { KernelEvent } from '../sched/events.ts';
import type { Blocking, Sleeper, Wait, WakeReason } from '../types.ts';

export class KernelFiber implements Sleeper {
  readonly #kernel: Kernel;
  readonly #work: Blocking<unknown>;
  readonly #cause: number;
  #wait: Wait | null = null;
  #timer: KernelEvent | null = null;
  #poked = false;
  finished = false;
  #done: (() => void) | null = null;

  constructor(kernel: Kernel, work: Blocking<unknown>, cause: number, asleepIn: Wait | null = null) {
    this.#kernel = kernel;
    this.#work = work;
    this.#cause = cause;
    if (asleepIn === null) this.#step(null);
    else this.#sleep(asleepIn);
  }

  /** Goes on with work that slept as part of a task which is no more: an interruptible sleep ends. */
  static adopt(kernel: Kernel, work: Blocking<unknown>, wait: Wait): void {
    const fiber = new KernelFiber(kernel, work, CAUSE_NONE, wait);
    fiber.interrupt();
  }

  /** Calls `done` when the work is over; at once if it is. */
  onDone(done: () => void): void {
    if (this.finished) done();
    else this.#done = done;
  }

  wake(reason: WakeReason): void {
    const wait = this.#wait;
    if (wait === null) return;
    for (const queue of wait.queues) queue.sleepers.delete(this);
    if (this.#timer !== null) this.#timer.cancelled = true;
    this.#wait = null;
    this.#timer = null;
    this.#kernel.at(this.#kernel.now, () => this.#step(reason));
  }

  /** Ends the present interruptible sleep, or the next one if there is none. */
  interrupt(): void {
    if (this.#wait?.interruptible) this.wake('interrupted');
    else this.#poked = true;
  }

  #end(): void {
    this.finished = true;
    this.#done?.();
  }

  #step(reason: WakeReason | null): void {
    const { messages } = this.#kernel;
    const outer = messages.cause;
    messages.cause = this.#cause;
    try {
      const next = reason === null ? this.#work.next() : this.#work.next(reason);
      if (next.done) this.#end();
      else this.#sleep(next.value);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      this.#end();
    } finally {
      messages.cause = outer;
    }
  }

  #sleep(wait: Wait): void {
    this.#wait = wait;
    for (const queue of wait.queues) queue.sleepers.add(this);
    if (this.#poked && wait.interruptible) {
      this.#poked = false;
      this.wake('interrupted');
      return;
    }
    if (wait.deadline < Number.POSITIVE_INFINITY) this.#timer = this.#kernel.at(wait.deadline, () => this.wake('timeout'));
  }
}
