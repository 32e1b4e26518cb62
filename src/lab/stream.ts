/**
 * What the two ends of a TCP connection said to each other, put together from frames (Wireshark's "follow stream").
 *
 * Always holds: each byte appears once, in its stream's order, where it was first seen in turn; of bytes that no frame has, only their number.
 */
import { ipText } from '../kernel/net/address.ts';
import { ETHERNET_HEADER, ETHERTYPE, ethertype } from '../kernel/net/ethernet.ts';
import { parseIpv4, PROTOCOL } from '../kernel/net/ipv4.ts';
import { FLAG, parseSegment, type Segment } from '../kernel/net/tcp/segment.ts';
import { distance, plus } from '../kernel/net/tcp/sequence.ts';

/** What one end said before the other said something. */
export interface StreamPart {
  readonly from: 0 | 1;
  readonly time: number;
  /** Its bytes, as frames have them. */
  readonly pieces: readonly Uint8Array[];
  readonly length: number;
  /** Bytes of the stream that are missing before these. */
  readonly missing: number;
}

export interface Stream {
  /** `10.1.2.1:40000`; the one that opened the connection first, or else the one with the higher port. */
  readonly ends: readonly [string, string];
  readonly parts: readonly StreamPart[];
  /** Bytes that each end has said, as far as frames have them. */
  readonly bytes: readonly [number, number];
  /** Segments with bytes that had come before; those that were seen on the switch and on the wire count once. */
  readonly again: number;
}

interface Framed {
  readonly time: number;
  readonly frame: Uint8Array;
}

/** A segment, and the number that its packet keeps on its way. */
type Framing = Segment & { readonly id: number };

/** Frames that are followed are read at each look. */
const known = new WeakMap<Uint8Array, Framing | null>();

function segmentOf(frame: Uint8Array): Framing | null {
  let segment = known.get(frame);
  if (segment === undefined) known.set(frame, (segment = readSegment(frame)));
  return segment;
}

function readSegment(frame: Uint8Array): Framing | null {
  if (frame.length < ETHERNET_HEADER || ethertype(frame) !== ETHERTYPE.IPV4) return null;
  const bytes = frame.subarray(ETHERNET_HEADER);
  const header = parseIpv4(bytes);
  if (typeof header === 'string' || header.protocol !== PROTOCOL.TCP || header.fragmentOffset > 0 || header.moreFragments) return null;
  const segment = parseSegment({ header, packet: bytes.subarray(0, header.totalBytes) });
  return typeof segment === 'string' ? null : { ...segment, id: header.id };
}

const endOf = (address: number, port: number): number => address * 65536 + port;
const sourceOf = ({ source, sourcePort }: Segment): number => endOf(source, sourcePort);
const targetOf = ({ target, targetPort }: Segment): number => endOf(target, targetPort);
const endText = (end: number): string => `${ipText(Math.floor(end / 65536))}:${end % 65536}`;

interface Early {
  readonly seq: number;
  readonly bytes: Uint8Array;
}

/** One direction: what is next, and what has come before its turn. */
class Direction {
  next: number | null = null;
  /** What its FIN counts as, once it has come. */
  end: number | null = null;
  bytes = 0;
  readonly #early: Early[] = [];

  /** The bytes that are in turn now. `again`: some had come before. */
  take(seq: number, bytes: Uint8Array): { parts: { bytes: Uint8Array; missing: number }[]; again: boolean } {
    this.next ??= seq;
    const again = distance(seq, this.next) < 0 || this.#early.some(each => each.seq === seq);
    this.#early.push({ seq, bytes });
    return { parts: this.#inTurn(), again };
  }

  /** The other end has all up to here: what no frame had is passed over. */
  acknowledged(upTo: number): { bytes: Uint8Array; missing: number }[] {
    if (this.next === null) return [];
    const ack = this.end !== null && distance(upTo, this.end) > 0 ? this.end : upTo;
    const parts: { bytes: Uint8Array; missing: number }[] = [];
    while (this.next !== null && distance(ack, this.next) > 0) {
      const first = this.#first();
      const to = first !== undefined && distance(ack, first.seq) > 0 ? first.seq : ack;
      const missing = distance(to, this.next);
      this.next = to;
      const more = this.#inTurn();
      if (more[0] !== undefined) more[0] = { ...more[0], missing };
      parts.push(...(more.length === 0 ? [{ bytes: new Uint8Array(), missing }] : more));
    }
    return parts;
  }

  #first(): Early | undefined {
    let first: Early | undefined;
    for (const each of this.#early) if (first === undefined || distance(each.seq, first.seq) < 0) first = each;
    return first;
  }

  #inTurn(): { bytes: Uint8Array; missing: number }[] {
    const parts: { bytes: Uint8Array; missing: number }[] = [];
    for (;;) {
      const next = this.next as number;
      const at = this.#early.findIndex(({ seq }) => distance(seq, next) <= 0);
      if (at < 0) return parts;
      const [{ seq, bytes }] = this.#early.splice(at, 1) as [Early];
      const fresh = bytes.subarray(Math.min(bytes.length, distance(next, seq)));
      if (fresh.length === 0) continue;
      this.next = plus(next, fresh.length);
      this.bytes += fresh.length;
      parts.push({ bytes: fresh, missing: 0 });
    }
  }
}

/**
 * The connection that a frame belongs to. Null: it is of none.
 * @param frames those that are known between its two ends, or more, in order of time; `of` is or was one of them
 */
export function followStream(frames: readonly Framed[], of: Framed): Stream | null {
  const chosen = segmentOf(of.frame);
  if (chosen === null) return null;
  const pair = [sourceOf(chosen), targetOf(chosen)] as const;
  let opener = chosen.sourcePort >= chosen.targetPort ? pair[0] : pair[1];
  let directions: [Direction, Direction] = [new Direction(), new Direction()];
  let parts: { from: 0 | 1; time: number; missing: number; pieces: Uint8Array[] }[] = [];
  let again = 0;
  let opened: number | null = null;
  const seen = [new Set<number>(), new Set<number>()] as const;
  for (const framed of frames) {
    const segment = segmentOf(framed.frame);
    if (segment === null) continue;
    const [source, target] = [sourceOf(segment), targetOf(segment)];
    if (!pair.includes(source) || !pair.includes(target) || source === target) continue;
    const { seq, ack, flags, payload, id } = segment;
    // One packet on its way over the switch and over the wire.
    const packets = seen[source === pair[0] ? 0 : 1];
    const packet = id * 2 ** 32 + seq;
    if (packets.has(packet)) continue;
    packets.add(packet);
    const syn = (flags & FLAG.SYN) !== 0;
    if (syn && (flags & FLAG.ACK) === 0 && seq !== opened) {
      // The same two ends have opened another connection.
      if (framed.time > of.time) break;
      opened = seq;
      opener = source;
      directions = [new Direction(), new Direction()];
      parts = [];
      again = 0;
    }
    const from = source === opener ? 0 : 1;
    const add = (side: 0 | 1, pieces: readonly { bytes: Uint8Array; missing: number }[]): void => {
      for (const { bytes, missing } of pieces) {
        const last = parts.at(-1);
        if (last?.from === side && last.pieces.length === 0) {
          last.missing += missing;
          if (bytes.length > 0) last.pieces.push(bytes);
        } else if (last?.from === side && missing === 0) last.pieces.push(bytes);
        else parts.push({ from: side, time: framed.time, missing, pieces: bytes.length > 0 ? [bytes] : [] });
      }
    };
    if ((flags & FLAG.ACK) !== 0) {
      // A SYN and a FIN count as a byte each: beyond the last byte there may be one that is none.
      const other = from === 0 ? 1 : 0;
      const { next } = directions[other];
      if (next !== null && distance(ack, next) > 1) add(other, directions[other].acknowledged(ack));
    }
    if ((flags & FLAG.FIN) !== 0) directions[from].end = plus(seq, payload.length);
    if (syn) directions[from].next = plus(seq, 1);
    else if (payload.length > 0) {
      const taken = directions[from].take(seq, payload);
      if (taken.again) again++;
      add(from, taken.parts);
    }
  }
  const [first, second] = opener === pair[0] ? pair : [pair[1], pair[0]];
  return {
    ends: [endText(first), endText(second)],
    parts: parts.map(({ from, time, missing, pieces }) => ({ from, time, missing, pieces, length: lengthOf(pieces) })),
    bytes: [directions[0].bytes, directions[1].bytes],
    again,
  };
}

const lengthOf = (pieces: readonly Uint8Array[]): number => pieces.reduce((sum, { length }) => sum + length, 0);

/** A part's bytes, the first `most` of them. */
export function bytesOf({ pieces, length }: StreamPart, most = length): Uint8Array {
  const bytes = new Uint8Array(Math.min(length, most));
  let at = 0;
  for (const piece of pieces) {
    if (at >= bytes.length) break;
    bytes.set(piece.subarray(0, bytes.length - at), at);
    at += piece.length;
  }
  return bytes;
}
