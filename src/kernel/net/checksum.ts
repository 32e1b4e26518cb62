/**
 * The Internet checksum (RFC 1071): the one's complement of the one's complement sum of 16-bit words.
 *
 * A sum is kept unfolded between parts; each part but the last has an even length.
 */
import type { Ipv4Address } from './platform.ts';

/** Adds the big-endian words of `bytes[from..to)` to `sum`; an odd last byte counts as the high half of a word. */
export function addSum(sum: number, bytes: Uint8Array, from = 0, to = bytes.length): number {
  let high = 0;
  let low = 0;
  const even = from + ((to - from) & ~1);
  for (let i = from; i < even; i += 2) {
    high += bytes[i] as number;
    low += bytes[i + 1] as number;
  }
  if (even < to) high += bytes[even] as number;
  return sum + high * 256 + low;
}

/** The sum of the pseudo header that TCP and UDP put before themselves. */
export function pseudoSum(source: Ipv4Address, target: Ipv4Address, protocol: number, length: number): number {
  return (source >>> 16) + (source & 0xffff) + (target >>> 16) + (target & 0xffff) + protocol + length;
}

/** Folds a sum to 16 bits and complements it: the value to write, or 0 if the sum was over a sound packet with its checksum in it. */
export function foldSum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}

export const checksum = (bytes: Uint8Array, from = 0, to = bytes.length): number => foldSum(addSum(0, bytes, from, to));
