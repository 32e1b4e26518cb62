/**
 * What a kernel will do at a known time: timers, fibers that are to go on, messages and inputs that will have arrived.
 *
 * Always holds: events leave in the order (time, class, key, sequence), which does not depend on when they were put in, as long as
 * each is put in before anything at or after its time is taken out.
 */
import type { Cycles } from '../types.ts';

/** Among events of one time: inputs first, then messages by sender and sequence, then the kernel's own. */
export const EventClass = { Input: 0, Message: 1, Local: 2 } as const;

export interface KernelEvent {
  readonly time: Cycles;
  readonly order: number;
  /** Within the class: for messages sender · 2^32 + sequence. */
  readonly key: number;
  readonly sequence: number;
  readonly handle: () => void;
  cancelled: boolean;
}

/** A binary heap. */
export class EventQueue {
  readonly #heap: KernelEvent[] = [];
  #sequence = 0;

  add(time: Cycles, order: number, key: number, handle: () => void): KernelEvent {
    const event: KernelEvent = { time, order, key, sequence: this.#sequence++, handle, cancelled: false };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent] as KernelEvent)) break;
      heap[at] = heap[parent] as KernelEvent;
      at = parent;
    }
    heap[at] = event;
    return event;
  }

  /** Time of the next event; Infinity when there is none. */
  next(): Cycles {
    while (this.#heap.length > 0 && (this.#heap[0] as KernelEvent).cancelled) this.#pop();
    return this.#heap[0]?.time ?? Number.POSITIVE_INFINITY;
  }

  /** Takes the next event; there must be one (`next()` was finite). */
  take(): KernelEvent {
    return this.#pop();
  }

  clear(): void {
    this.#heap.length = 0;
  }

  #pop(): KernelEvent {
    const heap = this.#heap;
    const top = heap[0] as KernelEvent;
    const last = heap.pop() as KernelEvent;
    if (heap.length > 0) {
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && before(heap[child + 1] as KernelEvent, heap[child] as KernelEvent)) child++;
        if (!before(heap[child] as KernelEvent, last)) break;
        heap[at] = heap[child] as KernelEvent;
        at = child;
      }
      heap[at] = last;
    }
    return top;
  }
}

function before(a: KernelEvent, b: KernelEvent): boolean {
  if (a.time !== b.time) return a.time < b.time;
  if (a.order !== b.order) return a.order < b.order;
  if (a.key !== b.key) return a.key < b.key;
  return a.sequence < b.sequence;
}
