/**
 * The TCP connections that kernels told of (kernel/trace.ts, Tcp…): both ends of each, their states, and what each end knew of its path.
 *
 * Always holds: a connection has one end or two, and two that belong together are one connection; the last KEPT are remembered, those that
 * live before those that are over.
 */
import { LOOPBACK } from '../../kernel/net/address.ts';
import { TCP_STATE, type TcpState } from '../../kernel/net/tcp/endpoint.ts';
import { TraceKind } from '../../kernel/trace.ts';
import { NumberList, PathTable } from './tables.ts';

const KEPT = 512;
/** Samples of an end's path, and retransmissions. */
const SAMPLES = 2048;

const NAMES = new Map<number, TcpState>(Object.entries(TCP_STATE).map(([name, number]) => [number, name as TcpState]));

export interface ConnectionEnd {
  readonly kernel: number;
  /** Among the kernel's connections. */
  readonly number: number;
  readonly address: number;
  readonly port: number;
  state: TcpState;
  /** With which it has ended; 0: in order. */
  errno: number;
  /** Time of the last state. */
  since: number;
  readonly path: PathTable;
  /** Times at which it sent something again. */
  readonly resends: NumberList;
}

export interface ConnectionRow {
  /** Names it for good; later ones have higher numbers. */
  readonly id: number;
  readonly began: number;
  /** Who opened it first, as far as that was told. */
  readonly ends: readonly ConnectionEnd[];
}

/** It is closed, but perhaps for an end that still waits for late segments. */
export const isOver = ({ ends }: ConnectionRow): boolean => ends.every(({ state }) => state === 'CLOSE' || state === 'TIME_WAIT');

/** A row while ends come to it; `key` names the pair of its ends. */
interface GrowingRow extends ConnectionRow {
  readonly ends: ConnectionEnd[];
  readonly key: string;
}

export class ConnectionTable {
  readonly #rows = new Map<number, GrowingRow>();
  /** By kernel and number. */
  readonly #ends = new Map<string, ConnectionEnd>();
  /** The last connection between two ends. */
  readonly #between = new Map<string, GrowingRow>();
  /** Connections so far. */
  count = 0;

  /** Takes a record of one of the kinds Tcp…; `number` is what stands in the core's place. */
  take(kind: number, kernel: number, time: number, number: number, a: number, b: number, c: number, d: number): void {
    if (kind === TraceKind.TcpState) return this.#state(kernel, time, number, a, b, c >>> 16, c & 0xffff, d & 0xff, d >>> 8);
    const end = this.#ends.get(`${kernel} ${number}`);
    if (kind === TraceKind.TcpPath) end?.path.add(time, a, b, c, d);
    else if (kind === TraceKind.TcpResend) end?.resends.push(time);
  }

  #state(
    ...[kernel, time, number, address, peer, port, peerPort, state, errno]: [
      ...[kernel: number, time: number, number: number, address: number, peer: number, port: number, peerPort: number],
      ...[state: number, errno: number],
    ]
  ): void {
    const name = NAMES.get(state) ?? 'CLOSE';
    const known = this.#ends.get(`${kernel} ${number}`);
    if (known !== undefined) {
      Object.assign(known, { state: name, errno, since: time });
      return;
    }
    const end: ConnectionEnd = {
      ...{ kernel, number, address, port, state: name, errno, since: time },
      path: new PathTable(SAMPLES),
      resends: new NumberList(SAMPLES),
    };
    // 127.0.0.1 is another place on each kernel.
    const place = address >>> 24 === LOOPBACK >>> 24 ? `${kernel} ` : '';
    const key = place + [`${address}:${port}`, `${peer}:${peerPort}`].sort().join('-');
    let row = this.#between.get(key);
    const isOther = row?.ends.length === 1 && row.ends[0]?.port === peerPort && row.ends[0].address === peer;
    if (row === undefined || !isOther) {
      row = { id: this.count++, began: time, ends: [], key };
      this.#rows.set(row.id, row);
      this.#between.set(key, row);
    }
    if (name === 'SYN_SENT') row.ends.unshift(end);
    else row.ends.push(end);
    this.#ends.set(`${kernel} ${number}`, end);
    if (this.#rows.size > KEPT) this.#forgetOne();
  }

  #forgetOne(): void {
    let victim: GrowingRow | undefined;
    for (const row of this.#rows.values()) {
      victim ??= row;
      if (!isOver(row)) continue;
      victim = row;
      break;
    }
    if (victim === undefined) return;
    this.#rows.delete(victim.id);
    for (const { kernel, number } of victim.ends) this.#ends.delete(`${kernel} ${number}`);
    if (this.#between.get(victim.key) === victim) this.#between.delete(victim.key);
  }

  /** A kernel ends, or begins anew: its connections are over, and its numbers are free. */
  kernelGone(kernel: number, time: number): void {
    for (const [key, end] of this.#ends) {
      if (end.kernel !== kernel) continue;
      if (end.state !== 'CLOSE') Object.assign(end, { state: 'CLOSE', since: time });
      this.#ends.delete(key);
    }
  }

  get(id: number): ConnectionRow | null {
    return this.#rows.get(id) ?? null;
  }

  /** All that are remembered, oldest first. */
  all(): ConnectionRow[] {
    return [...this.#rows.values()];
  }
}
