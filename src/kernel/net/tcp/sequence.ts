/** Sequence numbers: 32 bits that wrap round. Two of them can be compared if they are less than 2^31 apart (RFC 9293, 3.4). */

export const plus = (seq: number, count: number): number => (seq + count) >>> 0;
/** How far `a` is past `b`; negative if it is before. */
export const distance = (a: number, b: number): number => (a - b) | 0;
export const before = (a: number, b: number): boolean => ((a - b) | 0) < 0;
export const after = (a: number, b: number): boolean => ((a - b) | 0) > 0;
