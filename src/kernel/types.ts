/**
 * The words that every part of a kernel uses: identities, time, and what it means to block.
 *
 * Always holds: kernel code never waits by itself. Code that may block is a generator that yields a {@link Wait}; the scheduler
 * resumes it with the reason. Code that can't block is a plain function. `Maybe<T>` is for interfaces with both kinds behind them.
 */

/** Cycles of the machine's reference clock since power-on. */
export type Cycles = number;
/** Index of a kernel in the plan, 0 … 127. */
export type KernelId = number;
/** Global process or thread id: `kernel << 15 | local`; the kernel is the origin. */
export type Pid = number;
/** Operating-system index of a core (hwloc's P#). */
export type CoreId = number;
/** Physical frame number: physical address >>> 12. */
export type Pfn = number;
/** User virtual address, below 2^38. */
export type VirtAddr = number;

export const PAGE_SIZE = 4096;
export const PAGE_SHIFT = 12;

/** Why a fiber goes on: an awaited queue was woken, the deadline passed, or (interruptible waits only) a signal or a request to move came. */
export type WakeReason = 'woken' | 'timeout' | 'interrupted';

/** What a fiber yields to sleep. */
export interface Wait {
  readonly queues: readonly WaitQueue[];
  /** Absolute virtual time at which the wait ends with 'timeout'; Infinity for none. */
  readonly deadline: Cycles;
  /** Whether a signal (or a migration request) ends the wait with 'interrupted'. */
  readonly interruptible: boolean;
}

export type Blocking<T> = Generator<Wait, T, WakeReason>;
export type Maybe<T> = T | Blocking<T>;

/** Something that can be woken: a fiber asleep in one or more queues. */
export interface Sleeper {
  wake(reason: WakeReason): void;
}

/** The sleepers that wait for one condition, first come first woken. */
export class WaitQueue {
  readonly sleepers = new Set<Sleeper>();

  wakeAll(): void {
    for (const sleeper of [...this.sleepers]) sleeper.wake('woken');
  }

  /** Wakes at most `count` sleepers; returns how many. */
  wake(count: number): number {
    let woken = 0;
    for (const sleeper of [...this.sleepers]) {
      if (woken === count) break;
      sleeper.wake('woken');
      woken++;
    }
    return woken;
  }
}

/** Whether a `Maybe` is the blocking kind. */
export function isBlocking<T>(value: Maybe<T>): value is Blocking<T> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value && 'next' in value && 'throw' in value;
}

/** Runs a `Maybe` to its value inside a generator. */
export function* settle<T>(value: Maybe<T>): Blocking<T> {
  return isBlocking(value) ? yield* value : value;
}

/** One sleep on queues; the caller checks its condition again afterwards. */
export function* sleep(
  queues: readonly WaitQueue[],
  { deadline = Number.POSITIVE_INFINITY, interruptible = true }: { deadline?: Cycles; interruptible?: boolean } = {},
): Blocking<WakeReason> {
  return yield { queues, deadline, interruptible };
}
