/** How messages go: by what they are carried, how they are noticed, and in which order their bytes stand. The same for all kernels of a run. */
import type { KernelCost } from '../costs.ts';

export interface MessageSettings {
  readonly transport: TransportName;
  /**
   * `ipi`: an interrupt for each. `polling`: no interrupts, the receiver looks every POLL_CYCLES. `adaptive`: an interrupt for the first of a
   * burst, and the rest is found waiting (as in Popcorn, and in NAPI).
   */
  readonly receive: 'ipi' | 'polling' | 'adaptive';
  readonly order: 'little' | 'big';
}
export type TransportName = 'memory' | 'queue';

export const DEFAULT_MESSAGES: MessageSettings = { transport: 'memory', receive: 'adaptive', order: 'little' };

export interface Transport {
  /** Slots that one sender may have in use with one receiver; LANE_SLOTS at most. */
  readonly slots: number;
  /** What the sender does for a message. */
  readonly send: KernelCost;
  /** And for each further member of the group that it goes to. */
  readonly sendMember: KernelCost;
  /** From there to the receiver's interrupt, without the way of the line. */
  readonly delivery: KernelCost;
  /** Whether the message travels as a cache line from core to core. */
  readonly byLine: boolean;
  /** What the receiver does for a message, its handler apart. */
  readonly dispatch: KernelCost;
}

/** Two ways for a message. A hardware queue is shallow, quick to write to and to read from, and as far from every core. */
export const TRANSPORTS: Readonly<Record<TransportName, Transport>> = {
  memory: { slots: 32, send: 'messageSend', sendMember: 'mcastMember', delivery: 'ipiDelivery', byLine: true, dispatch: 'messageDispatch' },
  queue: { slots: 8, send: 'queueSend', sendMember: 'queueSend', delivery: 'queueDelivery', byLine: false, dispatch: 'queueDispatch' },
};

/** Cycles between two looks of a kernel that polls: 5 µs at 2.2 GHz. A look costs less than what times are rounded to, and is not charged. */
export const POLL_CYCLES = 11_000;
