/**
 * Columns of typed arrays that grow at the end and, when they are full, forget their older half.
 *
 * Always holds: an entry's ordinal (its number since the beginning) never changes; `first` is the ordinal of the oldest entry kept.
 */

type Column = Float64Array | Uint32Array | Uint16Array | Uint8Array;

function resized<T extends Column>(column: T, length: number): T {
  const next = new (column.constructor as new (length: number) => T)(length);
  next.set(column.subarray(0, Math.min(column.length, length)));
  return next;
}

/** Rows that stand in order of time. */
abstract class Table {
  /** Ordinal of the oldest row kept. */
  first = 0;
  /** Rows kept. */
  length = 0;
  #room = 64;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Ordinal of the next row. */
  get next(): number {
    return this.first + this.length;
  }

  /** Makes room and returns the index at which the new row goes. */
  protected open(): number {
    if (this.length === this.#room) {
      if (this.#room < this.#limit) {
        this.#room *= 2;
        this.resize(this.#room);
      } else {
        const half = this.length >>> 1;
        this.shift(half, this.length);
        this.first += half;
        this.length -= half;
      }
    }
    return this.length++;
  }

  protected abstract resize(room: number): void;
  /** Moves rows `from` … `to` to the front. */
  protected abstract shift(from: number, to: number): void;
}

/** Index of the first of `length` ascending values that is at least `wanted`. */
export function lowerBound(values: Float64Array, length: number, wanted: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What ran on one core, and when. Rows don't overlap. */
export class SpanTable extends Table {
  start = new Float64Array(64);
  /** Infinity while it runs. */
  end = new Float64Array(64);
  pid = new Uint32Array(64);
  kernel = new Uint8Array(64);
  reason = new Uint8Array(64);
  /** Busy cycles of this core before the row's start. */
  before = new Float64Array(64);

  run(kernel: number, pid: number, time: number): void {
    this.stop(time, 0);
    const busy = this.length === 0 ? 0 : this.busyUntil(time);
    const at = this.open();
    this.start[at] = time;
    this.end[at] = Number.POSITIVE_INFINITY;
    this.pid[at] = pid;
    this.kernel[at] = kernel;
    this.reason[at] = 255;
    this.before[at] = busy;
  }

  stop(time: number, reason: number): void {
    const at = this.length - 1;
    if (at < 0 || this.end[at] !== Number.POSITIVE_INFINITY) return;
    this.end[at] = Math.max(time, this.start[at] as number);
    this.reason[at] = reason;
  }

  /** Index of the row that runs now, or -1. */
  get running(): number {
    return this.length > 0 && this.end[this.length - 1] === Number.POSITIVE_INFINITY ? this.length - 1 : -1;
  }

  /** Busy cycles up to this time. */
  busyUntil(time: number): number {
    const at = lowerBound(this.start, this.length, time) - 1;
    if (at < 0) return this.length === 0 ? 0 : (this.before[0] as number);
    return (this.before[at] as number) + Math.min(time, this.end[at] as number) - (this.start[at] as number);
  }

  protected override resize(room: number): void {
    this.start = resized(this.start, room);
    this.end = resized(this.end, room);
    this.pid = resized(this.pid, room);
    this.kernel = resized(this.kernel, room);
    this.reason = resized(this.reason, room);
    this.before = resized(this.before, room);
  }
  protected override shift(from: number, to: number): void {
    for (const column of [this.start, this.end, this.pid, this.kernel, this.reason, this.before]) column.copyWithin(0, from, to);
  }
}

export const MESSAGE_BYTES = 64;

/** What one kernel sent. */
export class MessageTable extends Table {
  sent = new Float64Array(64);
  /** NaN until it has been handled. */
  received = new Float64Array(64);
  sequence = new Uint32Array(64);
  cause = new Uint32Array(64);
  length16 = new Uint16Array(64);
  to = new Uint8Array(64);
  type = new Uint8Array(64);
  fragment = new Uint8Array(64);
  bytes = new Uint8Array(64 * MESSAGE_BYTES);
  /** The longest that one was under way. */
  flight = 0;

  send(to: number, type: number, sequence: number, length: number, fragment: number, cause: number, time: number): number {
    const at = this.open();
    this.sent[at] = time;
    this.received[at] = Number.NaN;
    this.sequence[at] = sequence;
    this.cause[at] = cause;
    this.length16[at] = length;
    this.to[at] = to;
    this.type[at] = type;
    this.fragment[at] = fragment;
    this.bytes.fill(0, at * MESSAGE_BYTES, (at + 1) * MESSAGE_BYTES);
    return this.first + at;
  }

  receive(ordinal: number, time: number): void {
    const at = ordinal - this.first;
    if (at < 0 || at >= this.length) return;
    this.received[at] = time;
    this.flight = Math.max(this.flight, time - (this.sent[at] as number));
  }

  protected override resize(room: number): void {
    this.sent = resized(this.sent, room);
    this.received = resized(this.received, room);
    this.sequence = resized(this.sequence, room);
    this.cause = resized(this.cause, room);
    this.length16 = resized(this.length16, room);
    this.to = resized(this.to, room);
    this.type = resized(this.type, room);
    this.fragment = resized(this.fragment, room);
    this.bytes = resized(this.bytes, room * MESSAGE_BYTES);
  }
  protected override shift(from: number, to: number): void {
    for (const column of [this.sent, this.received, this.sequence, this.cause, this.length16, this.to, this.type, this.fragment])
      column.copyWithin(0, from, to);
    this.bytes.copyWithin(0, from * MESSAGE_BYTES, to * MESSAGE_BYTES);
  }
}

/** All other things that a kernel said: faults, signals, steps of migrations, its states. */
export class MarkTable extends Table {
  time = new Float64Array(64);
  kind = new Uint8Array(64);
  a = new Uint32Array(64);
  b = new Uint32Array(64);
  c = new Uint32Array(64);
  d = new Uint32Array(64);

  add(time: number, kind: number, a: number, b: number, c: number, d: number): void {
    const at = this.open();
    this.time[at] = time;
    this.kind[at] = kind;
    this.a[at] = a;
    this.b[at] = b;
    this.c[at] = c;
    this.d[at] = d;
  }

  protected override resize(room: number): void {
    this.time = resized(this.time, room);
    this.kind = resized(this.kind, room);
    this.a = resized(this.a, room);
    this.b = resized(this.b, room);
    this.c = resized(this.c, room);
    this.d = resized(this.d, room);
  }
  protected override shift(from: number, to: number): void {
    for (const column of [this.time, this.kind, this.a, this.b, this.c, this.d]) column.copyWithin(0, from, to);
  }
}

/** What one end of a TCP connection told of its path. Round trips in nanoseconds, 0 while not known; the others in bytes. */
export class PathTable extends Table {
  time = new Float64Array(64);
  roundTrip = new Uint32Array(64);
  congestionWindow = new Uint32Array(64);
  peerWindow = new Uint32Array(64);
  flight = new Uint32Array(64);

  add(time: number, roundTrip: number, congestionWindow: number, peerWindow: number, flight: number): void {
    const at = this.open();
    this.time[at] = time;
    this.roundTrip[at] = roundTrip;
    this.congestionWindow[at] = congestionWindow;
    this.peerWindow[at] = peerWindow;
    this.flight[at] = flight;
  }

  protected override resize(room: number): void {
    this.time = resized(this.time, room);
    this.roundTrip = resized(this.roundTrip, room);
    this.congestionWindow = resized(this.congestionWindow, room);
    this.peerWindow = resized(this.peerWindow, room);
    this.flight = resized(this.flight, room);
  }
  protected override shift(from: number, to: number): void {
    for (const column of [this.time, this.roundTrip, this.congestionWindow, this.peerWindow, this.flight]) column.copyWithin(0, from, to);
  }
}

/** Numbers in order of arrival: ordinals of a lane by sequence, or ids of the messages to a kernel. */
export class NumberList extends Table {
  values = new Float64Array(64);

  push(value: number): void {
    // Making room may change the column.
    const at = this.open();
    this.values[at] = value;
  }
  /** The value with this ordinal, or -1. */
  at(ordinal: number): number {
    const index = ordinal - this.first;
    return index >= 0 && index < this.length ? (this.values[index] as number) : -1;
  }

  protected override resize(room: number): void {
    this.values = resized(this.values, room);
  }
  protected override shift(from: number, to: number): void {
    this.values.copyWithin(0, from, to);
  }
}
