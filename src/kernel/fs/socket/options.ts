/** Options of level SOL_SOCKET that every family has: stored, limited, given back. What a socket only tells is its own (`told`). */
import { E, Errno } from '../../abi/errno.ts';
import { SO, SOL_SOCKET } from '../../abi/socket.ts';
import type { Cycles } from '../../types.ts';
import { setU32, u32At, u64At } from '../bytes.ts';

/** net.core.wmem_default; what is set is doubled, as room for bookkeeping. */
export const BUFFER_BYTES = 212_992;
const BUFFER_MAX = 2 * BUFFER_BYTES;
const SEND_MIN = 4608;
const RECEIVE_MIN = 2304;

interface Row {
  readonly bytes: number;
  readonly initial: Uint8Array;
  /** What counts when a program gives this. Throws EDOM. */
  readonly limit: (value: Uint8Array) => Uint8Array;
}

export function u32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  setU32(bytes, value);
  return bytes;
}

const flag: Row = { bytes: 4, initial: u32Bytes(0), limit: value => u32Bytes(u32At(value) === 0 ? 0 : 1) };
const number: Row = { bytes: 4, initial: u32Bytes(0), limit: value => value };
const buffer = (least: number): Row => ({
  bytes: 4,
  initial: u32Bytes(BUFFER_BYTES),
  limit: value => u32Bytes(Math.max(least, Math.min(BUFFER_MAX, 2 * u32At(value)))),
});
const timeout: Row = {
  bytes: 16,
  initial: new Uint8Array(16),
  limit: value => {
    if (u64At(value, 8) >= 1_000_000) throw new Errno(E.DOM);
    return value;
  },
};

const fixed = (value: number): Row => ({ bytes: 4, initial: u32Bytes(value), limit: () => u32Bytes(value) });

const ROWS: ReadonlyMap<number, Row> = new Map([
  [SO.RCVLOWAT, fixed(1)],
  [SO.SNDLOWAT, fixed(1)],
  [SO.MARK, number],
  [SO.INCOMING_CPU, fixed(0)],
  [SO.DEBUG, flag],
  [SO.REUSEADDR, flag],
  [SO.DONTROUTE, flag],
  [SO.BROADCAST, flag],
  [SO.SNDBUF, buffer(SEND_MIN)],
  [SO.RCVBUF, buffer(RECEIVE_MIN)],
  [SO.KEEPALIVE, flag],
  [SO.OOBINLINE, flag],
  [SO.PRIORITY, number],
  [SO.LINGER, { bytes: 8, initial: new Uint8Array(8), limit: value => value }],
  [SO.REUSEPORT, flag],
  [SO.PASSCRED, flag],
  [SO.RCVTIMEO, timeout],
  [SO.SNDTIMEO, timeout],
]);

export class SocketOptions {
  /** As programs gave them. */
  readonly #given = new Map<number, Uint8Array>();

  /** Throws ENOPROTOOPT. */
  get(level: number, name: number): Uint8Array {
    const row = level === SOL_SOCKET ? ROWS.get(name) : undefined;
    if (row === undefined) throw new Errno(level === SOL_SOCKET ? E.NOPROTOOPT : E.OPNOTSUPP);
    const given = this.#given.get(name);
    return given === undefined ? row.initial : row.limit(given);
  }

  /** Throws ENOPROTOOPT, EINVAL for too few bytes. */
  set(level: number, name: number, value: Uint8Array): void {
    const row = level === SOL_SOCKET ? ROWS.get(name) : undefined;
    if (row === undefined) throw new Errno(level === SOL_SOCKET ? E.NOPROTOOPT : E.OPNOTSUPP);
    if (value.length < row.bytes) throw new Errno(E.INVAL);
    const given = value.slice(0, row.bytes);
    row.limit(given);
    this.#given.set(name, given);
  }

  /** An accepted socket has what its listener has. */
  inherit(from: SocketOptions): void {
    for (const [name, value] of from.#given) this.#given.set(name, value);
  }

  /** What a program has set; null if none has. */
  given(name: number): Uint8Array | null {
    return this.#given.get(name) ?? null;
  }

  number(name: number): number {
    return u32At(this.get(SOL_SOCKET, name));
  }

  /** When a wait that begins now ends by SO_RCVTIMEO or SO_SNDTIMEO. */
  deadline(name: number, now: Cycles, hertz: number): Cycles {
    const given = this.#given.get(name);
    return given === undefined ? Number.POSITIVE_INFINITY : now + timeoutCycles(given, hertz);
  }
}

/** How long a timeout's option lets wait: Infinity when it is zero. */
export function timeoutCycles(value: Uint8Array, hertz: number): Cycles {
  const cycles = Math.ceil((u64At(value) + u64At(value, 8) / 1e6) * hertz);
  return cycles === 0 ? Number.POSITIVE_INFINITY : cycles;
}

export function credentialBytes({ pid, uid, gid }: { pid: number; uid: number; gid: number }): Uint8Array {
  const bytes = new Uint8Array(12);
  for (const [i, value] of [pid, uid, gid].entries()) setU32(bytes, value, 4 * i);
  return bytes;
}
