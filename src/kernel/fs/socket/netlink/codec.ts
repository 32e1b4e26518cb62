/**
 * Netlink messages (netlink(7)): a header, a fixed part by type, then attributes; everything on multiples of four.
 *
 *   0      4      6       8     12    16
 *   | len  | type | flags | seq | pid | fixed part … | len type value … | len type value … |
 */
import { joined, setU32, setU64, toBytes, u32At } from '../../bytes.ts';

export const NLMSG = { ERROR: 2, DONE: 3 } as const;
export const NLM_F = {
  REQUEST: 1,
  MULTI: 2,
  ACK: 4,
  ROOT: 0x100,
  MATCH: 0x200,
  DUMP: 0x300,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
} as const;
export const NL_HEADER = 16;

export interface Request {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Fixed part and attributes. */
  readonly body: Uint8Array;
}

const align = (bytes: number): number => (bytes + 3) & ~3;
export const u16At = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);

/** The messages in what a program sent; what is cut off at the end is passed over, as on Linux. */
export function requestsIn(bytes: Uint8Array): Request[] {
  const requests: Request[] = [];
  for (let at = 0; at + NL_HEADER <= bytes.length; ) {
    const length = u32At(bytes, at);
    if (length < NL_HEADER || length > bytes.length - at) break;
    requests.push({
      type: u16At(bytes, at + 4),
      flags: u16At(bytes, at + 6),
      sequence: u32At(bytes, at + 8),
      body: bytes.subarray(at + NL_HEADER, at + length),
    });
    at += align(length);
  }
  return requests;
}

/** Attributes by type, behind a fixed part of so many bytes; of several of one type the last counts. */
export function attributesIn(body: Uint8Array, fixedBytes: number): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  for (let at = align(fixedBytes); at + 4 <= body.length; ) {
    const length = u16At(body, at);
    if (length < 4 || length > body.length - at) break;
    // The two highest bits say how it is to be read.
    found.set(u16At(body, at + 2) & 0x3fff, body.subarray(at + 4, at + length));
    at += align(length);
  }
  return found;
}

export type Attribute = readonly [type: number, value: Uint8Array];

/** Bytes, words and 64-bit numbers one after another. */
export const u8s = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);
export function u32s(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  for (const [i, value] of values.entries()) setU32(bytes, value, 4 * i);
  return bytes;
}
export function u64s(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8 * values.length);
  for (const [i, value] of values.entries()) setU64(bytes, value, 8 * i);
  return bytes;
}
/** A number in network order. */
export const be32 = (value: number): Uint8Array => u8s(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
export const text = (value: string): Uint8Array => toBytes(`${value}\0`);

/** Fixed part and attributes in one. */
export function bodyOf(fixed: Uint8Array, attributes: readonly Attribute[]): Uint8Array {
  const parts = [padded(fixed)];
  for (const [type, value] of attributes) {
    const length = 4 + value.length;
    parts.push(u8s(length & 255, length >>> 8, type & 255, type >>> 8), padded(value));
  }
  return joined(parts);
}

function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(align(bytes.length));
  whole.set(bytes);
  return whole;
}

export function message(type: number, flags: number, sequence: number, port: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(align(NL_HEADER + body.length));
  setU32(bytes, NL_HEADER + body.length);
  setU32(bytes, type | (flags << 16), 4);
  setU32(bytes, sequence, 8);
  setU32(bytes, port, 12);
  bytes.set(body, NL_HEADER);
  return bytes;
}
