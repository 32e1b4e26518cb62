/**
 * The 64 bytes of a message:
 *
 *      0 type      1 from      2 to      3 flags (bit 0 urgent, 1 first fragment, 2 last)
 *      4 sequence in its lane (u32)
 *      8 payload bytes in this slot (u16)        10 index of the fragment (u16)
 *     12 cause (u32): kernel << 24 | low 24 bits of the sequence of the message that led to this one; 0xff…… for a system call
 *     16 payload, up to 48 bytes
 *
 * Always holds: a payload longer than 48 bytes is cut into fragments that follow each other in the lane without others between.
 */

export const MESSAGE_BYTES = 64;
export const HEADER_BYTES = 16;
export const FRAGMENT_BYTES = MESSAGE_BYTES - HEADER_BYTES;
/** What the index of the fragment can count, 3 MiB. (Popcorn's has 7 bits.) */
export const FRAGMENTS_MAX = 65536;
export const FLAG = { Urgent: 1, First: 2, Last: 4 } as const;

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

export function writeHeader(slot: DataView, at: number, header: Header): void {
  slot.setUint8(at, header.type);
  slot.setUint8(at + 1, header.from);
  slot.setUint8(at + 2, header.to);
  slot.setUint8(at + 3, header.flags);
  slot.setUint32(at + 4, header.sequence >>> 0, true);
  slot.setUint16(at + 8, header.length, true);
  slot.setUint16(at + 10, header.fragment, true);
  slot.setUint32(at + 12, header.cause >>> 0, true);
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
