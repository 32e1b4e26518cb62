/**
 * A debugger for the processes of a session: gives the orders, keeps what the kernels report, and makes a listing of the code.
 *
 * Always holds: a watched process is shown as its kernel last reported it; the orders are inputs, so a recording repeats them.
 */
import { type DebugCommand, type DebugReport, DEBUG_PORT, type HoldReason } from '../kernel/debug/watch.ts';
import type { CodeSymbol } from '../kernel/debug/symbols.ts';
import { disassemble, type Disassembled } from '../machine/hart/disassemble.ts';
import type { Session } from './session.ts';

export interface Registers {
  /** 32 values of 64 bits, unsigned. */
  readonly x: readonly bigint[];
  readonly f: readonly bigint[];
  readonly pc: number;
  readonly fcsr: number;
}

export interface Watched {
  readonly pid: number;
  readonly state: 'running' | 'held' | 'asleep' | 'gone';
  /** Why it is held. */
  readonly reason: HoldReason;
  /** As of when it was last held, and the time before that; null before. */
  readonly registers: Registers | null;
  readonly before: Registers | null;
  readonly codeStart: number;
  readonly code: Uint8Array;
  /** Whether its host has the code at pc translated. */
  readonly translated: boolean;
  /** Ascending. */
  readonly symbols: readonly CodeSymbol[];
  readonly breakpoints: ReadonlySet<number>;
}

/** A line of code. */
export interface Line extends Disassembled {
  readonly address: number;
  /** The instruction's own bits. */
  readonly bits: number;
  /** The symbol that begins here. */
  readonly label: string | undefined;
}

const decoder = new TextDecoder();

export class Debugger {
  readonly #session: Session;
  readonly #watched = new Map<number, Watched>();
  readonly #stop: () => void;

  /** @param changed called after each report and order */
  constructor(
    session: Session,
    readonly changed: () => void,
  ) {
    this.#session = session;
    this.#stop = session.listen({
      output: (_kernel, port, _time, bytes) => {
        if (port !== DEBUG_PORT) return;
        this.#take(JSON.parse(decoder.decode(bytes)) as DebugReport);
        changed();
      },
    });
  }

  close(): void {
    this.#stop();
  }

  watched(pid: number): Watched | undefined {
    return this.#watched.get(pid);
  }

  /** False: there is no such process, or a recording is playing. */
  order(pid: number, order: DebugCommand): boolean {
    const row = this.#session.trace.processes.get(pid);
    if (row === undefined || !this.#session.input(row.kernel, { kind: 'debug', pid, order })) return false;
    const before = this.#watched.get(pid) ?? nothing(pid);
    const breakpoints = new Set(before.breakpoints);
    if (order.command === 'leave') this.#watched.delete(pid);
    else if (order.command === 'break') this.#watched.set(pid, { ...before, breakpoints: breakpoints.add(order.address) });
    else if (order.command === 'unbreak' && breakpoints.delete(order.address)) this.#watched.set(pid, { ...before, breakpoints });
    this.changed();
    return true;
  }

  #take(report: DebugReport): void {
    const before = this.#watched.get(report.pid) ?? nothing(report.pid);
    this.#watched.set(report.pid, { ...before, ...news(report, before) });
  }
}

const nothing = (pid: number): Watched => ({
  pid,
  state: 'running',
  reason: 'stop',
  registers: null,
  before: null,
  codeStart: 0,
  code: new Uint8Array(),
  translated: false,
  symbols: [],
  breakpoints: new Set(),
});

function news(report: DebugReport, before: Watched): Partial<Watched> {
  switch (report.kind) {
    case 'held':
      return {
        state: 'held',
        reason: report.reason,
        registers: registersOf(fromHex(report.registers)),
        before: before.registers,
        codeStart: report.codeStart,
        code: fromHex(report.code),
        translated: report.translated,
      };
    case 'symbols':
      // Another program: breakpoints of the one before mean nothing in it.
      return { symbols: report.symbols, ...(before.symbols.length > 0 ? { breakpoints: new Set() } : {}) };
    default:
      return { state: report.kind };
  }
}

const fromHex = (text: string): Uint8Array => Uint8Array.from(text.match(/../g) ?? [], byte => Number.parseInt(byte, 16));

/** x0–x31, f0–f31, pc, fcsr, as a task keeps them. */
function registersOf(bytes: Uint8Array): Registers {
  const view = new DataView(bytes.buffer);
  const all = Array.from({ length: 64 }, (_, i) => view.getBigUint64(i * 8, true));
  return { x: all.slice(0, 32), f: all.slice(32), pc: Number(view.getBigUint64(512, true)), fcsr: view.getUint32(520, true) };
}

/** The symbol that an address lies in, and how far. */
export function symbolAt(symbols: readonly CodeSymbol[], address: number): string | undefined {
  let low = 0;
  let high = symbols.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((symbols[middle] as CodeSymbol)[0] <= address) low = middle + 1;
    else high = middle;
  }
  const [start, size, name] = symbols[low - 1] ?? [0, 0, undefined];
  const into = address - start;
  if (name === undefined || (into > 0 && into >= size)) return undefined;
  return into === 0 ? name : `${name}+0x${into.toString(16)}`;
}

/** The code around pc. Where instructions begin is counted from a symbol's beginning or, where there is none, so that pc is one. */
export function listing({ registers, codeStart, code, symbols }: Watched): Line[] {
  const pc = registers?.pc ?? codeStart;
  const labels = new Map(symbols.map(([address, , name]) => [address, name]));
  const from = (start: number): Line[] => {
    const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
    const lines: Line[] = [];
    for (let at = start - codeStart; at + 2 <= code.length; ) {
      const low = view.getUint16(at, true);
      const isLong = (low & 3) === 3;
      if (isLong && at + 4 > code.length) break;
      const bits = isLong ? view.getUint32(at, true) : low;
      const address = codeStart + at;
      const line = disassemble(bits, address, target => symbolAt(symbols, target));
      lines.push({ ...line, address, bits, label: labels.get(address) });
      at += line.length;
    }
    return lines;
  };
  const known = symbols.map(([address]) => address).filter(address => address >= codeStart && address <= pc && address % 2 === 0);
  const starts = [codeStart + (codeStart % 2), codeStart + (codeStart % 2) + 2, known[0] ?? pc, pc];
  for (const start of starts) {
    const lines = from(start);
    const begins = new Set(lines.map(({ address }) => address));
    if ([...known, pc].every(address => address < start || begins.has(address))) return lines;
  }
  return [];
}
