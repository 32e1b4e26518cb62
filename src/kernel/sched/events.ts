/**
 * What a kernel will do at a known time: timers, fibers that are to go on, messages and inputs that will have arrived.
 *
 * Always holds: events leave in the order (time, class, key, sequence), which does not depend on when they were put in, as long as
 * each is put in before anything at or after its time is taken out. Of those that wait at most half have been called off (and a few): a busy
 * network sets timers far ahead by the thousand, to stop almost all of them soon.
 */
import type { Cycles } from '../types.ts';

/** Among events of one time: inputs first, then messages by sender and sequence, then the kernel's own. */
export const EventClass = { Input: 0, Message: 1, Local: 2 } as const;

const nothing = (): void => {};

export class KernelEvent {
  #queue: EventQueue | null;
  #handle: () => void;
  #cancelled = false;

  constructor(
    readonly time: Cycles,
    readonly order: number,
    /** Within the class: for messages sender · 2^32 + sequence. */
    readonly key: number,
    readonly sequence: number,
    handle: () => void,
    queue: EventQueue,
  ) {
    this.#handle = handle;
    this.#queue = queue;
  }

  get handle(): () => void {
    return this.#handle;
  }

  /** Set to true: it is called off, and what its handler holds is let go. */
  get cancelled(): boolean {
    return this.#cancelled;
  }
  set cancelled(value: true) {
    if (this.#cancelled) return;
    this.#cancelled = value;
    this.#handle = nothing;
    this.#queue?.calledOff();
  }

  /** The queue has given it away. */
  left(): void {
    this.#queue = null;
  }
}

/** Called off events that are not worth looking for. */
const FEW = 64;

/** A binary heap. */
export class EventQueue {
  #heap: KernelEvent[] = [];
  #sequence = 0;
  #calledOff = 0;

  /** Those that wait, with what of them is called off. */
  get size(): number {
    return this.#heap.length;
  }

  add(time: Cycles, order: number, key: number, handle: () => void): KernelEvent {
    const event = new KernelEvent(time, order, key, this.#sequence++, handle, this);
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
    while (this.#heap.length > 0 && (this.#heap[0] as KernelEvent).cancelled) {
      this.#pop();
      this.#calledOff--;
    }
    return this.#heap[0]?.time ?? Number.POSITIVE_INFINITY;
  }

  /** Takes the next event; there must be one (`next()` was finite). */
  take(): KernelEvent {
    return this.#pop();
  }

  clear(): void {
    for (const event of this.#heap) event.left();
    this.#heap = [];
    this.#calledOff = 0;
  }

  /** One of those that wait has been. When they are the most, all of them leave. */
  calledOff(): void {
    this.#calledOff++;
    if (this.#calledOff <= FEW || this.#calledOff * 2 <= this.#heap.length) return;
    this.#heap = this.#heap.filter(event => !event.cancelled);
    this.#calledOff = 0;
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at--) this.#sink(at, this.#heap[at] as KernelEvent);
  }

  #pop(): KernelEvent {
    const heap = this.#heap;
    const top = heap[0] as KernelEvent;
    const last = heap.pop() as KernelEvent;
    if (heap.length > 0) this.#sink(0, last);
    top.left();
    return top;
  }

  /** Puts `event` at a place, or below it where it belongs. */
  #sink(place: number, event: KernelEvent): void {
    const heap = this.#heap;
    let at = place;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as KernelEvent, heap[child] as KernelEvent)) child++;
      if (!before(heap[child] as KernelEvent, event)) break;
      heap[at] = heap[child] as KernelEvent;
      at = child;
    }
    heap[at] = event;
  }
}

function before(a: KernelEvent, b: KernelEvent): boolean {
  if (a.time !== b.time) return a.time < b.time;
  if (a.order !== b.order) return a.order < b.order;
  if (a.key !== b.key) return a.key < b.key;
  return a.sequence < b.sequence;
}
