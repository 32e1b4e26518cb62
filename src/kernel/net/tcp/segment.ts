/**
 * The TCP header (RFC 9293, 3.1) and the options that are spoken here: MSS, window scale and timestamps (RFC 7323).
 *
 * Always holds: what is parsed lies inside its packet and has a right checksum; absurd options are passed over, as on Linux.
 */
import { get16, get32, put16, put32 } from '../bytes.ts';
import { addSum, foldSum, pseudoSum } from '../checksum.ts';
import type { WholePacket } from '../fragment.ts';
import { HEADROOM, PROTOCOL } from '../ipv4.ts';
import type { Ipv4Address } from '../platform.ts';
import { SCALE_MAX } from './limits.ts';

export const TCP_HEADER = 20;
/** Two NOPs and the timestamp option. */
export const TIMESTAMP_BYTES = 12;

export const FLAG = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16 } as const;

const OPTION = { END: 0, NOP: 1, MSS: 2, SCALE: 3, TIMESTAMP: 8 } as const;

export interface Timestamp {
  /** The sender's clock. */
  readonly value: number;
  /** What the sender last heard of the receiver's clock. */
  readonly echo: number;
}

export interface SegmentHeader {
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  /** As in the header: not scaled. */
  readonly window: number;
  readonly mss: number | null;
  readonly scale: number | null;
  readonly timestamp: Timestamp | null;
}

export interface Segment extends SegmentHeader {
  readonly source: Ipv4Address;
  readonly target: Ipv4Address;
  readonly payload: Uint8Array;
}

/** How many sequence numbers a segment takes: its bytes, and one each for SYN and FIN. */
export const span = ({ flags, payload }: Segment): number => payload.length + ((flags & FLAG.SYN) >>> 1) + (flags & FLAG.FIN);

/** Reads the segment in an IP packet. */
export function parseSegment({ header, packet }: WholePacket): Segment | 'header' | 'checksum' {
  const { source, target, headerBytes: at } = header;
  const length = packet.length - at;
  if (length < TCP_HEADER) return 'header';
  const headerBytes = ((packet[at + 12] as number) >>> 4) * 4;
  if (headerBytes < TCP_HEADER || headerBytes > length) return 'header';
  if (foldSum(addSum(pseudoSum(source, target, PROTOCOL.TCP, length), packet, at)) !== 0) return 'checksum';
  const options = headerBytes > TCP_HEADER ? parseOptions(packet, at + TCP_HEADER, at + headerBytes) : NO_OPTIONS;
  return {
    source,
    target,
    sourcePort: get16(packet, at),
    targetPort: get16(packet, at + 2),
    seq: get32(packet, at + 4),
    ack: get32(packet, at + 8),
    flags: (packet[at + 13] as number) & 0x1f,
    window: get16(packet, at + 14),
    mss: options.mss,
    scale: options.scale,
    timestamp: options.timestamp,
    payload: packet.subarray(at + headerBytes),
  };
}

interface Options {
  mss: number | null;
  scale: number | null;
  timestamp: Timestamp | null;
}

const NO_OPTIONS: Options = { mss: null, scale: null, timestamp: null };

function parseOptions(bytes: Uint8Array, from: number, to: number): Options {
  const options: Options = { mss: null, scale: null, timestamp: null };
  let at = from;
  while (at < to) {
    const kind = bytes[at] as number;
    if (kind === OPTION.END) break;
    if (kind === OPTION.NOP) {
      at++;
      continue;
    }
    const length = at + 1 < to ? (bytes[at + 1] as number) : 0;
    if (length < 2 || at + length > to) break;
    if (kind === OPTION.MSS && length === 4) options.mss = get16(bytes, at + 2);
    else if (kind === OPTION.SCALE && length === 3) options.scale = Math.min(bytes[at + 2] as number, SCALE_MAX);
    else if (kind === OPTION.TIMESTAMP && length === 10) options.timestamp = { value: get32(bytes, at + 2), echo: get32(bytes, at + 6) };
    at += length;
  }
  return options;
}

/**
 * A frame with a segment and room for `dataBytes` at its end; what is below TCP is still empty. To be filled and then sealed.
 *
 *   | HEADROOM | header | MSS 4 | NOP, scale 4 | NOP, NOP, timestamp 12 | data…
 */
export function openSegment(segment: SegmentHeader, dataBytes: number): Uint8Array {
  const { mss, scale, timestamp } = segment;
  const optionBytes = (mss !== null ? 4 : 0) + (scale !== null ? 4 : 0) + (timestamp ? TIMESTAMP_BYTES : 0);
  const frame = new Uint8Array(HEADROOM + TCP_HEADER + optionBytes + dataBytes);
  put16(frame, HEADROOM, segment.sourcePort);
  put16(frame, HEADROOM + 2, segment.targetPort);
  put32(frame, HEADROOM + 4, segment.seq);
  put32(frame, HEADROOM + 8, segment.ack);
  frame[HEADROOM + 12] = ((TCP_HEADER + optionBytes) / 4) << 4;
  frame[HEADROOM + 13] = segment.flags;
  put16(frame, HEADROOM + 14, segment.window);
  let at = HEADROOM + TCP_HEADER;
  if (mss !== null) {
    frame[at] = OPTION.MSS;
    frame[at + 1] = 4;
    put16(frame, at + 2, mss);
    at += 4;
  }
  if (scale !== null) {
    frame[at] = OPTION.NOP;
    frame[at + 1] = OPTION.SCALE;
    frame[at + 2] = 3;
    frame[at + 3] = scale;
    at += 4;
  }
  if (timestamp) {
    frame[at] = OPTION.NOP;
    frame[at + 1] = OPTION.NOP;
    frame[at + 2] = OPTION.TIMESTAMP;
    frame[at + 3] = 10;
    put32(frame, at + 4, timestamp.value);
    put32(frame, at + 8, timestamp.echo);
  }
  return frame;
}

/** Writes the checksum, when all else is in place. */
export function sealSegment(frame: Uint8Array, source: Ipv4Address, target: Ipv4Address): void {
  put16(frame, HEADROOM + 16, 0);
  const sum = pseudoSum(source, target, PROTOCOL.TCP, frame.length - HEADROOM);
  put16(frame, HEADROOM + 16, foldSum(addSum(sum, frame, HEADROOM)));
}
