/**
 * The 64 bytes of a message:
 *
 *      0 type      1 from      2 to      3 flags (bit 0 urgent, 1 first fragment, 2 last, 3 big-endian payload)
 *      4 sequence in its lane (u32)
 *      8 payload bytes in this slot (u16)        10 index of the fragment (u16)
 *     12 cause (u32): kernel << 24 | low 24 bits of the sequence of the message that led to this one; or a system call, see `causeOfCall`
 *     16 payload, up to 44 bytes
 *     60 checksum (u32) of what stands before it: written last, as Popcorn's ready bit is
 *
 * The header is little-endian; the payload as bit 3 says.
 *
 * Always holds: a payload longer than 44 bytes is cut into fragments that follow each other in the lane with only urgent ones between.
 */

export const MESSAGE_BYTES = 64;
export const HEADER_BYTES = 16;
const CHECKSUM_AT = 60;
export const FRAGMENT_BYTES = CHECKSUM_AT - HEADER_BYTES;
/** What the index of the fragment can count, 2.75 MiB. (Popcorn's has 7 bits.) */
export const FRAGMENTS_MAX = 65536;
export const FLAG = { Urgent: 1, First: 2, Last: 4, BigEndian: 8 } as const;

/** Cause of what the kernel sends by itself: a timer, a heartbeat. */
export const CAUSE_NONE = 0xff000000;
const CAUSE_CALL = 0xfe;
/** Cause of what a system call has sent: 0xfe, nine bits of its number, fifteen of the caller's pid. */
export const causeOfCall = (number: number, pid: number): number => ((CAUSE_CALL << 24) | ((number & 0x1ff) << 15) | (pid & 0x7fff)) >>> 0;
/** What `causeOfCall` has put together; null: it is no system call. */
export const callOfCause = (cause: number): { readonly number: number; readonly localPid: number } | null =>
  cause >>> 24 === CAUSE_CALL ? { number: (cause >>> 15) & 0x1ff, localPid: cause & 0x7fff } : null;

export interface Header {
  readonly type: number;
  readonly from: number;
  readonly to: number;
  readonly flags: number;
  readonly sequence: number;
  readonly length: number;
  readonly fragment: number;
  readonly cause: number;
}

/** Views of the memory that slots lie in. */
interface Memory {
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
}

/**
 * Writes header, payload and checksum; the rest of the slot is zero. The same once more changes nothing at any moment.
 * @param at physical address, a multiple of 4
 */
export function writeSlot({ u8, u32 }: Memory, at: number, header: Header, payload: Uint8Array): void {
  const word = at >>> 2;
  u32[word] = header.type | (header.from << 8) | (header.to << 16) | (header.flags << 24);
  u32[word + 1] = header.sequence;
  u32[word + 2] = header.length | (header.fragment << 16);
  u32[word + 3] = header.cause;
  // No byte is another meanwhile, as what is written once more may be read at the same time.
  const { length } = payload;
  u8.set(payload, at + HEADER_BYTES);
  for (let i = length; (i & 3) !== 0; i++) u8[at + HEADER_BYTES + i] = 0;
  for (let i = (HEADER_BYTES + length + 3) >>> 2; i < CHECKSUM_AT / 4; i++) u32[word + i] = 0;
  u32[word + CHECKSUM_AT / 4] = checksum(u32, word);
}

export const isIntact = ({ u32 }: Memory, at: number): boolean => u32[(at + CHECKSUM_AT) >>> 2] === checksum(u32, at >>> 2);

/**
 * FNV-1a (Fowler, Noll, Vo) over the 15 words before it, over even and odd ones apart so that a processor does both at once: any change within one
 * word shows.
 */
function checksum(u32: Uint32Array, word: number): number {
  let even = Math.imul(0x811c9dc5 ^ (u32[word] as number), 0x01000193);
  let odd = 0x811c9dc5;
  for (let i = 1; i < CHECKSUM_AT / 4; i += 2) {
    odd = Math.imul(odd ^ (u32[word + i] as number), 0x01000193);
    even = Math.imul(even ^ (u32[word + i + 1] as number), 0x01000193);
  }
  return (even ^ ((odd << 16) | (odd >>> 16))) >>> 0;
}

export function readHeader({ u32 }: Memory, at: number): Header {
  const word = at >>> 2;
  const [first, third] = [u32[word] as number, u32[word + 2] as number];
  return {
    type: first & 0xff,
    from: (first >>> 8) & 0xff,
    to: (first >>> 16) & 0xff,
    flags: first >>> 24,
    sequence: u32[word + 1] as number,
    length: third & 0xffff,
    fragment: third >>> 16,
    cause: u32[word + 3] as number,
  };
}
