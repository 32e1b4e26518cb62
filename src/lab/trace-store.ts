/**
 * The records of all kernels, in memory, with running summaries for the views: who runs where, which messages went, what is up. Views read
 * it and never write.
 *
 * Always holds: all that it says is read from records that kernels emitted; records of one kernel are in order of time.
 */
import { MigrateStep, TRACE_RECORD_BYTES, TraceKind } from '../kernel/trace.ts';

export interface Span {
  readonly kernel: number;
  readonly core: number;
  readonly pid: number;
  readonly start: number;
  /** Infinity while it runs. */
  end: number;
  reason: number;
}

export interface MessageRow {
  readonly index: number;
  readonly from: number;
  readonly to: number;
  readonly type: number;
  readonly sequence: number;
  readonly length: number;
  readonly cause: number;
  readonly sent: number;
  /** NaN until it has been handled. */
  received: number;
  /** The 64 bytes on the wire. */
  readonly bytes: Uint8Array;
}

export interface ProcessRow {
  readonly pid: number;
  name: string;
  /** Kernel where it runs now. */
  kernel: number;
  readonly origin: number;
  alive: boolean;
  /** Steps of its migrations: time, kernel that says so, the other one, step. */
  readonly moves: { readonly time: number; readonly at: number; readonly other: number; readonly step: number; readonly count: number }[];
}

export interface KernelRow {
  state: number;
  by: number;
  cores: number;
  frames: number;
  since: number;
}

/** Older ones are dropped: views show the recent past, recordings repeat the rest. */
const SPANS_MAX = 120_000;
const MESSAGES_MAX = 60_000;
const LOAD_BUCKETS = 64;

export class TraceStore {
  readonly kernels = new Map<number, KernelRow>();
  readonly processes = new Map<number, ProcessRow>();
  readonly spans: Span[] = [];
  readonly messages: MessageRow[] = [];
  /** Messages that were ever sent, and those handled. */
  sentCount = 0;
  receivedCount = 0;
  faultCount = 0;
  recordCount = 0;
  /** Time of the last record. */
  end = 0;
  version = 0;
  readonly #running = new Map<number, Span>();
  readonly #open = new Map<string, MessageRow>();
  readonly #last: (MessageRow | null)[] = [];
  readonly #partial: number[] = [];
  /** Per core: busy cycles in a ring of buckets. */
  readonly #busy = new Map<number, Float64Array>();
  #bucket = 2_200_000;

  /** Cycles of one bucket of the load: views ask over a few of them. */
  set loadBucket(cycles: number) {
    this.#bucket = cycles;
    this.#busy.clear();
  }

  /** Takes whole records, of any kernels, each kernel's in order. */
  append(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + TRACE_RECORD_BYTES <= bytes.length; at += TRACE_RECORD_BYTES) this.#take(view, at, bytes);
    if (this.spans.length > SPANS_MAX * 1.5) this.spans.splice(0, this.spans.length - SPANS_MAX);
    if (this.messages.length > MESSAGES_MAX * 1.5) this.messages.splice(0, this.messages.length - MESSAGES_MAX);
    this.version++;
  }

  #take(view: DataView, at: number, bytes: Uint8Array): void {
    const time = view.getFloat64(at, true);
    const kind = view.getUint16(at + 8, true);
    const kernel = view.getUint16(at + 10, true);
    const core = view.getUint32(at + 12, true);
    const a = view.getUint32(at + 16, true);
    const b = view.getUint32(at + 20, true);
    const c = view.getUint32(at + 24, true);
    const d = view.getUint32(at + 28, true);
    this.recordCount++;
    if (time > this.end) this.end = time;
    switch (kind) {
      case TraceKind.KernelState:
        this.kernels.set(kernel, { state: a, by: b, cores: c, frames: d, since: time });
        return;
      case TraceKind.TaskRun: {
        const span: Span = { kernel, core, pid: a, start: time, end: Number.POSITIVE_INFINITY, reason: -1 };
        this.#running.set(core, span);
        this.spans.push(span);
        const row = this.processes.get(a);
        if (row) row.kernel = kernel;
        return;
      }
      case TraceKind.TaskStop: {
        const span = this.#running.get(core);
        if (span === undefined) return;
        span.end = time;
        span.reason = c;
        this.#running.delete(core);
        this.#addBusy(core, span.start, time);
        return;
      }
      case TraceKind.TaskNew:
        if (b === a) this.processes.set(a, { pid: a, name: this.processes.get(c)?.name ?? '', kernel, origin: d, alive: true, moves: [] });
        return;
      case TraceKind.TaskName: {
        const row = this.processes.get(core) ?? { pid: core, name: '', kernel, origin: core >>> 15, alive: true, moves: [] };
        row.name = nameOf([a, b, c, d]);
        row.kernel = kernel;
        this.processes.set(core, row);
        return;
      }
      case TraceKind.TaskExit: {
        if (b !== a) return;
        const row = this.processes.get(a);
        if (row) row.alive = false;
        // The dead leave no row once nobody can be looking at them.
        if (this.processes.size > 2000) for (const [pid, each] of this.processes) if (!each.alive) this.processes.delete(pid);
        return;
      }
      case TraceKind.Migrate: {
        const row = this.processes.get(a);
        if (!row) return;
        row.moves.push({ time, at: kernel, other: b, step: c, count: d });
        if (row.moves.length > 400) row.moves.splice(0, 200);
        if (c === MigrateStep.Running) row.kernel = kernel;
        return;
      }
      case TraceKind.MessageSend: {
        const row: MessageRow = {
          index: this.sentCount++, from: kernel, to: a >>> 16, type: a & 0xffff, sequence: b, length: c & 0xffff, cause: d, sent: time, received: Number.NaN, bytes: new Uint8Array(64),
        };
        this.messages.push(row);
        this.#open.set(`${kernel}>${row.to}:${b}`, row);
        this.#last[kernel] = row;
        this.#partial[kernel] = 0;
        return;
      }
      case TraceKind.MessageBytes: {
        const row = this.#last[kernel];
        const part = this.#partial[kernel] ?? 0;
        if (!row || part > 3) return;
        row.bytes.set(bytes.subarray(at + 16, at + 32), part * 16);
        this.#partial[kernel] = part + 1;
        return;
      }
      case TraceKind.MessageReceive: {
        this.receivedCount++;
        const key = `${a >>> 16}>${kernel}:${b}`;
        const row = this.#open.get(key);
        if (row) row.received = time;
        this.#open.delete(key);
        return;
      }
      case TraceKind.PageFault:
        this.faultCount++;
        return;
    }
  }

  // --- questions -----------------------------------------------------------------------------------------------------------------

  /** What runs on the core now. */
  runningOn(core: number): Span | null {
    return this.#running.get(core) ?? null;
  }

  /** Share of the last `buckets` whole buckets before `now` that the core was busy, 0 … 1. */
  load(core: number, now: number, buckets = 8): number {
    const running = this.#running.get(core);
    const end = now;
    const start = end - buckets * this.#bucket;
    let busy = running === undefined ? 0 : Math.max(0, end - Math.max(start, running.start));
    const ring = this.#busy.get(core);
    if (ring !== undefined) {
      const last = Math.floor(end / this.#bucket);
      for (let i = 0; i < buckets; i++) {
        const bucket = last - i;
        if (ring[LOAD_BUCKETS + (bucket % LOAD_BUCKETS)] === bucket) busy += ring[bucket % LOAD_BUCKETS] ?? 0;
      }
    }
    return Math.max(0, Math.min(1, busy / (buckets * this.#bucket)));
  }

  #addBusy(core: number, start: number, end: number): void {
    let ring = this.#busy.get(core);
    if (ring === undefined) {
      ring = new Float64Array(2 * LOAD_BUCKETS).fill(-1, LOAD_BUCKETS);
      this.#busy.set(core, ring);
    }
    const first = Math.max(Math.floor(start / this.#bucket), Math.floor(end / this.#bucket) - LOAD_BUCKETS + 1);
    for (let bucket = first; bucket * this.#bucket < end; bucket++) {
      const slot = bucket % LOAD_BUCKETS;
      if (ring[LOAD_BUCKETS + slot] !== bucket) {
        ring[LOAD_BUCKETS + slot] = bucket;
        ring[slot] = 0;
      }
      ring[slot] = (ring[slot] ?? 0) + Math.min(end, (bucket + 1) * this.#bucket) - Math.max(start, bucket * this.#bucket);
    }
  }

  /** Index of the first message sent at or after `time`, by bisection over those kept (nearly in order: hosts report in batches). */
  messagesSince(time: number): number {
    let at = this.messages.length;
    while (at > 0 && (this.messages[at - 1] as MessageRow).sent >= time) at--;
    return at;
  }

  /** Living processes that have a name, ascending. */
  living(): ProcessRow[] {
    return [...this.processes.values()].filter((row) => row.alive).sort((a, b) => a.pid - b.pid);
  }
}

function nameOf(words: readonly number[]): string {
  let name = '';
  for (const word of words) {
    for (let shift = 0; shift < 32; shift += 8) {
      const code = (word >>> shift) & 0xff;
      if (code === 0) return name;
      name += String.fromCharCode(code);
    }
  }
  return name;
}
