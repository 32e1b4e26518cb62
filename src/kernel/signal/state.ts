/** Pending signals and handlers: plain state, with the few operations that keep it consistent. */
import { SIGNAL_COUNT } from '../abi/signal.ts';

/** What came with a signal; becomes the handler's siginfo. */
export interface SignalInfo {
  readonly signal: number;
  readonly code: number;
  readonly pid: number;
  readonly uid: number;
  readonly status: number;
  readonly address: number;
}

export interface SignalAction {
  /** User address, or SIG_DFL, SIG_IGN. */
  handler: number;
  flags: number;
  mask: [number, number];
}

export type SignalActions = SignalAction[];

/** Actions for signals 1…64 (index = signal), all default. */
export function defaultActions(): SignalActions {
  return Array.from({ length: SIGNAL_COUNT + 1 }, () => ({ handler: 0, flags: 0, mask: [0, 0] as [number, number] }));
}

/** Signals that were sent and not yet taken; ordinary ones count once, as in Linux. */
export class PendingSignals {
  #queue: SignalInfo[] = [];

  add(info: SignalInfo): void {
    if (info.signal < 32 && this.#queue.some(pending => pending.signal === info.signal)) return;
    this.#queue.push(info);
  }

  /** Takes the pending signal with the lowest number that `blocked` lets through, or null. */
  take(blocked: readonly [number, number]): SignalInfo | null {
    const next = this.peek(blocked);
    if (next) this.#queue.splice(this.#queue.indexOf(next), 1);
    return next;
  }

  peek(blocked: readonly [number, number]): SignalInfo | null {
    let best: SignalInfo | null = null;
    for (const info of this.#queue) {
      if (!isBlocked(blocked, info.signal) && (best === null || info.signal < best.signal)) best = info;
    }
    return best;
  }

  remove(signals: readonly number[]): void {
    this.#queue = this.#queue.filter(info => !signals.includes(info.signal));
  }

  get all(): readonly SignalInfo[] {
    return this.#queue;
  }
}

/** Whether the mask (two words: signals 1–32, 33–64) holds `signal`. */
export function isBlocked(mask: readonly [number, number], signal: number): boolean {
  return ((mask[(signal - 1) >> 5] as number) >>> ((signal - 1) & 31)) % 2 === 1;
}
