/**
 * Fragments: a packet cut to fit a link, and put together again (RFC 791, RFC 815).
 *
 * Always holds: fragments in store never overlap, never exceed a packet's greatest length, and are bounded in number, bytes and time. One
 * that overlaps others ends its whole packet, as on Linux: no honest sender does that.
 */
import type { NetContext } from './context.ts';
import { ETHERNET_HEADER } from './ethernet.ts';
import type { NetInterface } from './interface.ts';
import { IPV4_HEADER, IPV4_MAX, putIpv4, type Ipv4Header } from './ipv4.ts';
import { Timer } from './timer.ts';

export const REASSEMBLY = {
  /** net.ipv4.ipfrag_time */
  timeoutMs: 30_000,
  /** net.ipv4.ipfrag_high_thresh */
  bytes: 4 << 20,
  packets: 1024,
  /** Of one packet: 64 KiB over links of 68 bytes make 1366. */
  fragments: 1400,
} as const;

/** What holding a fragment costs beside its bytes: counted, so that tiny ones do not come free. */
const FRAGMENT_OVERHEAD = 128;

interface Fragment {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

interface Partial {
  readonly timer: Timer;
  readonly through: NetInterface;
  /** By offset. */
  readonly fragments: Fragment[];
  /** Header bytes of the fragment at offset 0, once here. */
  first: { readonly header: Ipv4Header; readonly packet: Uint8Array } | null;
  /** Length of the whole payload, once the last fragment is here. */
  length: number | null;
  held: number;
  payload: number;
}

/** A packet as the layers above get it: header, then payload, in one piece. */
export interface WholePacket {
  readonly header: Ipv4Header;
  readonly packet: Uint8Array;
}

export class Reassembly {
  readonly #partials = new Map<string, Partial>();
  #held = 0;
  readonly #context: NetContext;
  readonly #expired: (first: WholePacket, through: NetInterface) => void;

  /** `expired` gets the first fragment of a packet that was not complete in time. */
  constructor(context: NetContext, expired: (first: WholePacket, through: NetInterface) => void) {
    this.#context = context;
    this.#expired = expired;
  }

  /** Bytes in store. */
  get held(): number {
    return this.#held;
  }

  /** Takes one fragment; returns the packet that it completes, if it does. */
  add(header: Ipv4Header, packet: Uint8Array, through: NetInterface): WholePacket | null {
    const { Ip } = this.#context.counters;
    Ip.ReasmReqds++;
    const key = `${header.source} ${header.target} ${header.protocol} ${header.id}`;
    const partial = this.#partials.get(key) ?? this.#open(key, through);
    const bytes = packet.subarray(header.headerBytes);
    if (!this.#insert(partial, header, packet, bytes)) {
      this.#drop(key, partial);
      Ip.ReasmFails++;
      return null;
    }
    if (partial.first === null || partial.payload !== partial.length) return null;
    this.#drop(key, partial);
    Ip.ReasmOKs++;
    return join(partial.first, partial.fragments, partial.length);
  }

  #open(key: string, through: NetInterface): Partial {
    for (const [old, partial] of this.#partials) {
      if (this.#partials.size < REASSEMBLY.packets && this.#held < REASSEMBLY.bytes) break;
      this.#drop(old, partial);
      this.#context.counters.Ip.ReasmFails++;
    }
    const partial: Partial = {
      timer: new Timer(this.#context.platform, () => this.#expire(key)),
      through,
      fragments: [],
      first: null,
      length: null,
      held: 0,
      payload: 0,
    };
    partial.timer.set(this.#context.now + this.#context.cycles(REASSEMBLY.timeoutMs));
    this.#partials.set(key, partial);
    return partial;
  }

  /** False: the fragment contradicts the others, and the packet is lost. One that came before is let go without harm. */
  #insert(partial: Partial, header: Ipv4Header, packet: Uint8Array, bytes: Uint8Array): boolean {
    const offset = header.fragmentOffset;
    const end = offset + bytes.length;
    if (end > IPV4_MAX - header.headerBytes || bytes.length === 0 || (header.moreFragments && bytes.length % 8 !== 0)) return false;
    const { fragments } = partial;
    let at = fragments.length;
    while (at > 0 && (fragments[at - 1] as Fragment).offset >= offset) at--;
    const next = fragments[at];
    if (next && next.offset === offset && next.bytes.length === bytes.length) return true;
    const before = fragments[at - 1];
    if ((before && before.offset + before.bytes.length > offset) || (next && end > next.offset)) return false;
    if (!header.moreFragments) {
      if (partial.length !== null || at < fragments.length) return false;
      partial.length = end;
    } else if (partial.length !== null && end > partial.length) return false;
    if (fragments.length >= REASSEMBLY.fragments) return false;
    // A copy for a small fragment of a large buffer would cost more than it saves: frames are as large as what they carry.
    fragments.splice(at, 0, { offset, bytes });
    if (offset === 0) partial.first = { header, packet };
    partial.payload += bytes.length;
    partial.held += bytes.length + FRAGMENT_OVERHEAD;
    this.#held += bytes.length + FRAGMENT_OVERHEAD;
    return true;
  }

  #drop(key: string, partial: Partial): void {
    partial.timer.stop();
    this.#partials.delete(key);
    this.#held -= partial.held;
  }

  #expire(key: string): void {
    const partial = this.#partials.get(key);
    if (!partial) return;
    this.#drop(key, partial);
    this.#context.counters.Ip.ReasmTimeout++;
    this.#context.counters.Ip.ReasmFails++;
    if (partial.first) this.#expired(partial.first, partial.through);
  }
}

function join(first: WholePacket, fragments: readonly Fragment[], length: number): WholePacket {
  const { headerBytes } = first.header;
  const header = { ...first.header, totalBytes: headerBytes + length, moreFragments: false, fragmentOffset: 0 };
  const packet = new Uint8Array(header.totalBytes);
  packet.set(first.packet.subarray(0, headerBytes));
  putIpv4(packet, header);
  for (const { offset, bytes } of fragments) packet.set(bytes, headerBytes + offset);
  return { header, packet };
}

/**
 * Cuts the packet in `frame` (Ethernet header still empty) into frames whose packets are at most `mtu` bytes. Options that are not for
 * every fragment (RFC 791: copied flag) are blanked in all but the first.
 */
export function fragment(frame: Uint8Array, header: Ipv4Header, mtu: number): Uint8Array[] {
  const { headerBytes } = header;
  const start = ETHERNET_HEADER + headerBytes;
  const payload = frame.subarray(start, ETHERNET_HEADER + header.totalBytes);
  const room = Math.floor((mtu - headerBytes) / 8) * 8;
  const frames: Uint8Array[] = [];
  for (let offset = 0; offset < payload.length; offset += room) {
    const part = payload.subarray(offset, offset + room);
    const piece = new Uint8Array(start + part.length);
    piece.set(frame.subarray(0, start));
    piece.set(part, start);
    const packet = piece.subarray(ETHERNET_HEADER);
    if (offset > 0) blankOptions(packet, headerBytes);
    putIpv4(packet, {
      ...header,
      totalBytes: headerBytes + part.length,
      moreFragments: header.moreFragments || offset + part.length < payload.length,
      fragmentOffset: header.fragmentOffset + offset,
    });
    frames.push(piece);
  }
  return frames;
}

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_COPIED = 0x80;

function blankOptions(packet: Uint8Array, headerBytes: number): void {
  let at = IPV4_HEADER;
  while (at < headerBytes) {
    const kind = packet[at] as number;
    if (kind === OPTION_END) return;
    const length = kind === OPTION_NOP ? 1 : (packet[at + 1] as number);
    if (length < 1 || (kind !== OPTION_NOP && length < 2) || at + length > headerBytes) return;
    if ((kind & OPTION_COPIED) === 0) packet.fill(OPTION_NOP, at, at + length);
    at += length;
  }
}
