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

/** Writes header, payload and checksum; the rest of the slot is zero. */
export function writeSlot(
  memory: { readonly view: DataView; readonly u8: Uint8Array },
  at: number,
  header: Header,
  payload: Uint8Array,
): void {
  const { view, u8 } = memory;
  u8.fill(0, at, at + MESSAGE_BYTES);
  view.setUint8(at, header.type);
  view.setUint8(at + 1, header.from);
  view.setUint8(at + 2, header.to);
  view.setUint8(at + 3, header.flags);
  view.setUint32(at + 4, header.sequence >>> 0, true);
  view.setUint16(at + 8, header.length, true);
  view.setUint16(at + 10, header.fragment, true);
  view.setUint32(at + 12, header.cause >>> 0, true);
  u8.set(payload, at + HEADER_BYTES);
  view.setUint32(at + CHECKSUM_AT, checksum(view, at), true);
}

export const isIntact = (view: DataView, at: number): boolean => view.getUint32(at + CHECKSUM_AT, true) === checksum(view, at);

/** FNV-1a (Fowler, Noll, Vo) over the 15 words before it: any change within one word shows. */
function checksum(view: DataView, at: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < CHECKSUM_AT; i += 4) hash = Math.imul(hash ^ view.getUint32(at + i, true), 0x01000193);
  return hash >>> 0;
}

export function readHeader(slot: DataView, at: number): Header {
  return {
    type: slot.getUint8(at),
    from: slot.getUint8(at + 1),
    to: slot.getUint8(at + 2),
    flags: slot.getUint8(at + 3),
    sequence: slot.getUint32(at + 4, true),
    length: slot.getUint16(at + 8, true),
    fragment: slot.getUint16(at + 10, true),
    cause: slot.getUint32(at + 12, true),
  };
}
