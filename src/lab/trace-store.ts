/**
 * The records of all kernels, in memory, and the questions that views ask of them: who runs where, which messages went, what is up. Views
 * read it and never write.
 *
 * Always holds: all that it says is read from records that kernels emitted; records of one kernel are in order of time, those of different
 * kernels come in any order.
 */
import { CLIENT_KERNEL } from '../kernel/net/parameters.ts';
import type { MemoryRange } from '../kernel/boot/parameters.ts';
import { MigrateStep, TRACE_RECORD_BYTES, TraceKind } from '../kernel/trace.ts';
import { NetworkTable } from './trace/network.ts';
import { SharedPageTable } from './trace/pages.ts';
import { lowerBound, MarkTable, MESSAGE_BYTES, MessageTable, NumberList, SpanTable } from './trace/tables.ts';

/** A stretch of a task on a core. */
export interface Span {
  readonly kernel: number;
  readonly core: number;
  readonly pid: number;
  readonly start: number;
  /** Infinity while it runs. */
  readonly end: number;
}

export interface MessageRow {
  /** Names the message for good. */
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly type: number;
  /** In the lane from sender to receiver. */
  readonly sequence: number;
  readonly length: number;
  readonly fragment: number;
  readonly cause: number;
  readonly sent: number;
  /** NaN until it has been handled. */
  readonly received: number;
  /** The 64 bytes on the wire. */
  readonly bytes: Uint8Array;
}

/** One step of a migration, as a kernel told it. */
export interface Move {
  readonly time: number;
  /** The kernel that says so, and the other one. */
  readonly at: number;
  readonly other: number;
  readonly step: number;
  readonly count: number;
}

export interface ProcessRow {
  readonly pid: number;
  name: string;
  /** Kernel where it runs now. */
  kernel: number;
  readonly origin: number;
  readonly parent: number;
  alive: boolean;
  /** Its last migration failed with this errno; 0 if it did not. */
  errno: number;
  readonly moves: Move[];
}

export interface KernelRow {
  state: number;
  by: number;
  cores: number;
  frames: number;
  since: number;
  faults: number;
  signals: number;
  /** Numbers of system calls that are not there. */
  readonly missing: Set<number>;
  /** What it has taken over from kernels that have halted. */
  readonly inherited: { readonly from: number; readonly time: number; readonly files: number; readonly tree: boolean }[];
  /** Free frames and all, where it told. */
  memory: { readonly free: number; readonly all: number } | null;
}

/** Something else that a kernel said (TraceKind). */
export interface Mark {
  readonly kernel: number;
  readonly time: number;
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** What is kept of each; older ones are forgotten: views show the recent past, recordings repeat the rest. */
const KEPT = { spans: 1 << 15, messages: 1 << 14, marks: 1 << 13, lane: 1 << 14, moves: 400, dead: 2000 } as const;
const FROM = 256;
/** A cause that is no message: a system call or a timer. */
const NO_MESSAGE = 0xff;

export class TraceStore {
  readonly kernels = new Map<number, KernelRow>();
  readonly processes = new Map<number, ProcessRow>();
  /** By a device's place in the machine's list, as with cores. */
  readonly deviceOwners = new Map<number, { readonly kernel: number; readonly time: number }>();
  /** Who was the last to say that it has a core; −1: it has been given up and nobody has it yet. */
  readonly coreOwners = new Map<number, { readonly kernel: number; readonly time: number }>();
  /** Memory that came to a kernel or left it, in order of time. */
  readonly memoryMoves: { readonly kernel: number; readonly time: number; readonly range: MemoryRange; readonly comes: boolean }[] = [];
  /** Pages that several kernels use, and threads away from their process. */
  readonly shared = new SharedPageTable();
  /** The switch, the cable, and frames. */
  readonly network = new NetworkTable();
  /** Who keeps the file tree of a single system. */
  tree = { kernel: 0, since: 0 };
  /** Changes with any of the owners above. */
  sharesVersion = 0;
  /** Messages that were ever sent, and those handled. */
  sentCount = 0;
  receivedCount = 0;
  faultCount = 0;
  recordCount = 0;
  /** Time of the last record. */
  end = 0;
  /** Changes with every `append`. */
  version = 0;
  readonly #spans = new Map<number, SpanTable>();
  readonly #messages: MessageTable[] = [];
  readonly #inbox: NumberList[] = [];
  readonly #marks: MarkTable[] = [];
  readonly #lanes = new Map<number, NumberList>();
  /** Handled, as the receiver's host said before the sender's told of the sending: times by number, by lane. */
  readonly #early = new Map<number, Map<number, number>>();
  /** Parts of the 64 bytes that have come of each kernel's last message. */
  readonly #parts: number[] = [];
  readonly #threads = new Map<number, Set<number>>();

  /** Takes whole records, of any kernels, each kernel's in order. */
  append(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + TRACE_RECORD_BYTES <= bytes.length; at += TRACE_RECORD_BYTES) this.#take(view, at, bytes);
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
      case TraceKind.TaskRun:
        return this.#run(kernel, core, a, b, time);
      case TraceKind.TaskStop:
        // The client machine's cores have numbers of their own, and no place in any view.
        if (kernel !== CLIENT_KERNEL) this.#spans.get(core)?.stop(time, c);
        return;
      case TraceKind.TaskNew:
        return this.#born(kernel, a, b, c, d);
      case TraceKind.TaskName:
        return this.#named(kernel, core, nameOf([a, b, c, d]));
      case TraceKind.TaskExit:
        return this.#gone(a, b, d);
      case TraceKind.MessageSend:
        return this.#send(kernel, a >>> 16, a & 0xffff, b, c, d, time);
      case TraceKind.MessageBytes:
        return this.#bytes(kernel, bytes.subarray(at + 16, at + 32));
      case TraceKind.MessageReceive:
        return this.#receive(a >>> 16, kernel, b, time);
      case TraceKind.NetFrame:
      case TraceKind.NetInterrupt:
      case TraceKind.NetPoll:
      case TraceKind.NetSwitch:
      case TraceKind.NetLink:
      case TraceKind.TcpState:
      case TraceKind.TcpPath:
      case TraceKind.TcpResend:
        return this.network.take(kind, kernel, time, core, a, b, c, d);
    }
    (this.#marks[kernel] ??= new MarkTable(KEPT.marks)).add(time, kind, a, b, c, d);
    const row = this.#kernel(kernel);
    switch (kind) {
      case TraceKind.KernelState:
        Object.assign(row, { state: a, by: b, cores: c, frames: d, since: time });
        if (a > 2) this.shared.kernelGone(kernel);
        if (a === 1) row.inherited.length = 0;
        if (a !== 2) this.network.kernelGone(kernel, time);
        return;
      case TraceKind.PageState:
        return this.shared.changed(kernel, time, core, a, b, c, d);
      case TraceKind.ThreadTrip:
        if (c === 1 || c === 2) this.shared.tripped(kernel, a, b, c === 1);
        return;
      case TraceKind.Migrate:
        return this.#moved(a, { time, at: kernel, other: b, step: c, count: d });
      case TraceKind.PageFault:
        this.faultCount++;
        row.faults++;
        return;
      case TraceKind.Signal:
        row.signals++;
        return;
      case TraceKind.MissingCall:
        row.missing.add(b);
        return;
      case TraceKind.CoreOwner: {
        // The client machine's cores, memory and devices have numbers of their own.
        if (kernel === CLIENT_KERNEL) return;
        const known = this.coreOwners.get(a);
        if (known !== undefined && known.time > time) return;
        if (b === 1 || known?.kernel === kernel) this.coreOwners.set(a, { kernel: b === 1 ? kernel : -1, time });
        this.sharesVersion++;
        return;
      }
      case TraceKind.DeviceOwner: {
        if (kernel === CLIENT_KERNEL) return;
        const known = this.deviceOwners.get(a);
        if (known !== undefined && known.time > time) return;
        if (b === 1 || known?.kernel === kernel) this.deviceOwners.set(a, { kernel: b === 1 ? kernel : -1, time });
        this.sharesVersion++;
        return;
      }
      case TraceKind.MemoryOwner: {
        if (kernel === CLIENT_KERNEL) return;
        const move = { kernel, time, range: { node: c, base: a * 4096, bytes: b * 4096 }, comes: d === 1 };
        const later = this.memoryMoves.findIndex(each => each.time > time);
        this.memoryMoves.splice(later < 0 ? this.memoryMoves.length : later, 0, move);
        this.sharesVersion++;
        return;
      }
      case TraceKind.Inherit:
        row.inherited.push({ from: a, time, files: b, tree: c === 1 });
        if (c === 1 && time >= this.tree.since) this.tree = { kernel, since: time };
        return;
      case TraceKind.Memory:
        row.memory = { free: a, all: b };
    }
  }

  #kernel(id: number): KernelRow {
    let row = this.kernels.get(id);
    if (row === undefined) {
      row = { state: 0, by: 0, cores: 0, frames: 0, since: 0, faults: 0, signals: 0, missing: new Set(), inherited: [], memory: null };
      this.kernels.set(id, row);
    }
    return row;
  }

  // --- tasks ---------------------------------------------------------------------------------------------------------------------

  #run(kernel: number, core: number, pid: number, tid: number, time: number): void {
    if (kernel !== CLIENT_KERNEL) this.#spansOf(core).run(kernel, pid, time);
    const row = this.processes.get(pid);
    if (row === undefined)
      this.processes.set(pid, { pid, name: '', kernel, origin: pid >>> 15, parent: 0, alive: true, errno: 0, moves: [] });
    else if (time >= (row.moves.at(-1)?.time ?? 0) && !this.shared.isAway(tid, kernel)) row.kernel = kernel;
  }

  #spansOf(core: number): SpanTable {
    let table = this.#spans.get(core);
    if (table === undefined) {
      table = new SpanTable(KEPT.spans);
      this.#spans.set(core, table);
    }
    return table;
  }

  #born(kernel: number, pid: number, tid: number, parent: number, origin: number): void {
    if (tid === pid)
      this.processes.set(pid, {
        pid,
        name: this.processes.get(parent)?.name ?? '',
        kernel,
        origin,
        parent,
        alive: true,
        errno: 0,
        moves: [],
      });
    const threads = this.#threads.get(pid);
    if (threads === undefined || tid === pid) this.#threads.set(pid, new Set([pid, tid]));
    else threads.add(tid);
  }

  #named(kernel: number, pid: number, name: string): void {
    const row = this.processes.get(pid);
    if (row === undefined) this.processes.set(pid, { pid, name, kernel, origin: pid >>> 15, parent: 0, alive: true, errno: 0, moves: [] });
    else {
      row.name = name;
      if (row.moves.length === 0) row.kernel = kernel;
    }
  }

  /** @param whole 1 when the process's record has ended, wherever its threads were */
  #gone(pid: number, tid: number, whole: number): void {
    const threads = this.#threads.get(pid);
    threads?.delete(tid);
    if (whole !== 1 && threads !== undefined && threads.size > 0) return;
    if (whole !== 1 && threads === undefined && tid !== pid) return;
    const row = this.processes.get(pid);
    if (row) row.alive = false;
    this.#threads.delete(pid);
    this.shared.processGone(pid);
    // The dead leave no row once nobody can be looking at them.
    if (this.processes.size > KEPT.dead) for (const [each, { alive }] of this.processes) if (!alive) this.processes.delete(each);
  }

  #moved(pid: number, move: Move): void {
    const row = this.processes.get(pid);
    if (row === undefined) return;
    let at = row.moves.length;
    while (at > 0 && (row.moves[at - 1] as Move).time > move.time) at--;
    const late = at < row.moves.length;
    row.moves.splice(at, 0, move);
    if (row.moves.length > KEPT.moves) row.moves.splice(0, KEPT.moves / 2);
    if (late) return;
    if (move.step === MigrateStep.Running) {
      row.kernel = move.at;
      row.errno = 0;
    } else if (move.step === MigrateStep.Failed) row.errno = move.count;
  }

  // --- messages ------------------------------------------------------------------------------------------------------------------

  #send(from: number, to: number, type: number, sequence: number, lengths: number, cause: number, time: number): void {
    this.sentCount++;
    this.#parts[from] = 0;
    const table = (this.#messages[from] ??= new MessageTable(KEPT.messages));
    const ordinal = table.send(to, type, sequence, lengths & 0xffff, lengths >>> 16, cause, time);
    const key = from * FROM + to;
    let lane = this.#lanes.get(key);
    if (lane === undefined || lane.next !== sequence) {
      lane = new NumberList(KEPT.lane);
      lane.first = sequence;
      this.#lanes.set(key, lane);
    }
    lane.push(ordinal);
    const early = this.#early.get(key);
    const received = early?.get(sequence);
    if (early !== undefined && received !== undefined) {
      table.receive(ordinal, received);
      early.delete(sequence);
    }
    (this.#inbox[to] ??= new NumberList(KEPT.messages)).push(ordinal * FROM + from);
  }

  #bytes(from: number, part: Uint8Array): void {
    const table = this.#messages[from];
    const index = this.#parts[from] ?? 4;
    if (table === undefined || index > 3) return;
    table.bytes.set(part, (table.length - 1) * MESSAGE_BYTES + index * 16);
    this.#parts[from] = index + 1;
  }

  #receive(from: number, to: number, sequence: number, time: number): void {
    this.receivedCount++;
    const key = from * FROM + to;
    const lane = this.#lanes.get(key);
    const ordinal = lane?.at(sequence) ?? -1;
    if (ordinal >= 0) this.#messages[from]?.receive(ordinal, time);
    else if (lane === undefined || sequence >= lane.next) {
      const early = this.#early.get(key);
      if (early === undefined) this.#early.set(key, new Map([[sequence, time]]));
      else early.set(sequence, time);
    }
  }

  /**
   * Of a message that has not been handled: when its receiver ended, or one of that number began anew, so that it never will be. Null: it is
   * under way.
   */
  lostAt(to: number, sent: number): number | null {
    const row = this.kernels.get(to);
    return row === undefined || (row.state <= 2 && row.since <= sent) ? null : Math.max(row.since, sent);
  }

  /** The message with this id; null when it is forgotten. */
  message(id: number): MessageRow | null {
    const from = id % FROM;
    const table = this.#messages[from];
    if (table === undefined) return null;
    const at = Math.floor(id / FROM) - table.first;
    if (at < 0 || at >= table.length) return null;
    return {
      id,
      from,
      to: table.to[at] as number,
      type: table.type[at] as number,
      sequence: table.sequence[at] as number,
      length: table.length16[at] as number,
      fragment: table.fragment[at] as number,
      cause: table.cause[at] as number,
      sent: table.sent[at] as number,
      received: table.received[at] as number,
      bytes: table.bytes.slice(at * MESSAGE_BYTES, (at + 1) * MESSAGE_BYTES),
    };
  }

  /** The message with this number in its lane. */
  inLane(from: number, to: number, sequence: number): MessageRow | null {
    const ordinal = this.#lanes.get(from * FROM + to)?.at(sequence) ?? -1;
    return ordinal < 0 ? null : this.message(ordinal * FROM + from);
  }

  /** The message whose handling led to this one; null when it was a system call or a timer, or is forgotten. */
  causeOf(row: MessageRow): MessageRow | null {
    const from = row.cause >>> 24;
    if (from === NO_MESSAGE) return null;
    const lane = this.#lanes.get(from * FROM + row.from);
    if (lane === undefined) return null;
    // The cause has the low 24 bits of the number.
    const low = row.cause & 0xffffff;
    const last = lane.next - 1;
    const sequence = last - ((last - low) & 0xffffff);
    return this.inLane(from, row.from, sequence);
  }

  /** Messages that the receiver sent because of this one. */
  effectsOf(row: MessageRow, limit = 32): MessageRow[] {
    const table = this.#messages[row.to];
    if (table === undefined || Number.isNaN(row.received)) return [];
    const cause = ((row.from << 24) | (row.sequence & 0xffffff)) >>> 0;
    const found: MessageRow[] = [];
    for (let at = lowerBound(table.sent, table.length, row.received); at < table.length && found.length < limit; at++) {
      if (table.cause[at] === cause) {
        const effect = this.message((table.first + at) * FROM + row.to);
        if (effect) found.push(effect);
      }
    }
    return found;
  }

  /** Ids of the latest messages from and to a kernel, in order of sending. */
  messagesOf(kernel: number, limit: number, wanted: (type: number) => boolean = () => true): number[] {
    const found: { id: number; sent: number }[] = [];
    const own = this.#messages[kernel];
    if (own !== undefined) {
      for (let at = own.length - 1, n = 0; at >= 0 && n < limit; at--) {
        if (!wanted(own.type[at] as number)) continue;
        found.push({ id: (own.first + at) * FROM + kernel, sent: own.sent[at] as number });
        n++;
      }
    }
    const inbox = this.#inbox[kernel];
    if (inbox !== undefined) {
      for (let at = inbox.length - 1, n = 0; at >= 0 && n < limit; at--) {
        const id = inbox.values[at] as number;
        const table = this.#messages[id % FROM];
        const index = Math.floor(id / FROM) - (table?.first ?? 0);
        if (table === undefined || index < 0) break;
        if (!wanted(table.type[index] as number)) continue;
        found.push({ id, sent: table.sent[index] as number });
        n++;
      }
    }
    return found
      .sort((x, y) => x.sent - y.sent || x.id - y.id)
      .slice(-limit)
      .map(({ id }) => id);
  }

  /**
   * Visits messages that were under way at some time from `start` to `end`, kernel by kernel in order of sending. One that has not been
   * handled counts as under way for as long as the slowest of its sender was.
   */
  eachMessage(
    start: number,
    end: number,
    visit: (id: number, from: number, to: number, type: number, sent: number, received: number) => void,
  ): void {
    for (const [from, table] of this.#messages.entries()) {
      if (table === undefined) continue;
      for (let at = lowerBound(table.sent, table.length, start - table.flight); at < table.length; at++) {
        const sent = table.sent[at] as number;
        if (sent > end) break;
        const received = table.received[at] as number;
        if (received < start) continue;
        visit((table.first + at) * FROM + from, from, table.to[at] as number, table.type[at] as number, sent, received);
      }
    }
  }

  /** Visits messages sent since the last visit with the same cursor, which is brought up to date. */
  eachNewMessage(
    cursor: number[],
    visit: (id: number, from: number, to: number, type: number, sent: number, received: number) => void,
  ): void {
    for (const [from, table] of this.#messages.entries()) {
      if (table === undefined) continue;
      const since = Math.max(table.first, cursor[from] ?? 0);
      cursor[from] = table.next;
      for (let at = since - table.first; at < table.length; at++) {
        visit(
          (table.first + at) * FROM + from,
          from,
          table.to[at] as number,
          table.type[at] as number,
          table.sent[at] as number,
          table.received[at] as number,
        );
      }
    }
  }

  /** The next message after (or before) this time that is wanted, over all kernels. */
  neighbour(time: number, id: number, forward: boolean, wanted: (type: number) => boolean): number | null {
    let best: { id: number; sent: number } | null = null;
    const before = (x: { id: number; sent: number }, y: { id: number; sent: number }): boolean =>
      x.sent < y.sent || (x.sent === y.sent && x.id < y.id);
    for (const [from, table] of this.#messages.entries()) {
      if (table === undefined) continue;
      const step = forward ? 1 : -1;
      let at = lowerBound(table.sent, table.length, time);
      if (!forward) while (at < table.length && (table.sent[at] as number) <= time) at++;
      for (at = forward ? at : at - 1; at >= 0 && at < table.length; at += step) {
        const each = { id: (table.first + at) * FROM + from, sent: table.sent[at] as number };
        if (!wanted(table.type[at] as number) || each.id === id) continue;
        if (forward ? before(each, { id, sent: time }) : before({ id, sent: time }, each)) continue;
        if (best === null || (forward ? before(each, best) : before(best, each))) best = each;
        break;
      }
    }
    return best?.id ?? null;
  }

  /** How many messages a kernel sent from `start` to `end`. */
  sentBetween(kernel: number, start: number, end: number): number {
    const table = this.#messages[kernel];
    return table === undefined ? 0 : lowerBound(table.sent, table.length, end) - lowerBound(table.sent, table.length, start);
  }

  // --- questions about tasks -------------------------------------------------------------------------------------------------------

  /** What runs on the core now. */
  runningOn(core: number): Span | null {
    const table = this.#spans.get(core);
    const at = table?.running ?? -1;
    if (table === undefined || at < 0) return null;
    return {
      kernel: table.kernel[at] as number,
      core,
      pid: table.pid[at] as number,
      start: table.start[at] as number,
      end: Number.POSITIVE_INFINITY,
    };
  }

  /** What ran on the core at this time. */
  spanAt(core: number, time: number): Span | null {
    const table = this.#spans.get(core);
    if (table === undefined) return null;
    const at = lowerBound(table.end, table.length, time);
    if (at >= table.length || (table.start[at] as number) > time) return null;
    return {
      kernel: table.kernel[at] as number,
      core,
      pid: table.pid[at] as number,
      start: table.start[at] as number,
      end: table.end[at] as number,
    };
  }

  /** Share of the time from `start` to `end` that the core was busy, 0 … 1. */
  load(core: number, start: number, end: number): number {
    const table = this.#spans.get(core);
    if (table === undefined || end <= start) return 0;
    return Math.max(0, Math.min(1, (table.busyUntil(end) - table.busyUntil(start)) / (end - start)));
  }

  /**
   * Visits what ran on a core from `start` to `end`, in order. Of stretches shorter than `grain` only the first in each grain is visited, so
   * that a picture costs what its pixels cost.
   */
  eachSpan(
    core: number,
    start: number,
    end: number,
    grain: number,
    visit: (kernel: number, pid: number, start: number, end: number) => void,
  ): void {
    const table = this.#spans.get(core);
    if (table === undefined) return;
    let at = lowerBound(table.end, table.length, start);
    while (at < table.length) {
      const from = table.start[at] as number;
      if (from > end) return;
      const until = table.end[at] as number;
      visit(table.kernel[at] as number, table.pid[at] as number, from, until);
      at = until - from < grain ? Math.max(at + 1, lowerBound(table.end, table.length, from + grain)) : at + 1;
    }
  }

  /** Visits a kernel's other records from `start` to `end`. */
  eachMark(kernel: number, start: number, end: number, visit: (mark: Mark) => void): void {
    const table = this.#marks[kernel];
    if (table === undefined) return;
    for (let at = lowerBound(table.time, table.length, start); at < table.length && (table.time[at] as number) <= end; at++) {
      visit({
        kernel,
        time: table.time[at] as number,
        kind: table.kind[at] as number,
        a: table.a[at] as number,
        b: table.b[at] as number,
        c: table.c[at] as number,
        d: table.d[at] as number,
      });
    }
  }

  /** Living processes, ascending. */
  living(): ProcessRow[] {
    return [...this.processes.values()].filter(row => row.alive).sort((a, b) => a.pid - b.pid);
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
