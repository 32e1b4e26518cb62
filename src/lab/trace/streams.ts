/**
 * Frames of TCP connections, for longer than the list of the last frames has them: who follows a stream finds it from its beginning, as far as the
 * bound lets.
 *
 * Always holds: all frames together are KEPT_BYTES at most, and a quarter more for a while; the oldest go first. Those that open a connection or
 * close it stay, so that it is known how much of it is missing.
 */
import { get16, get32 } from '../../kernel/net/bytes.ts';
import { ETHERNET_HEADER, ETHERTYPE, ethertype } from '../../kernel/net/ethernet.ts';
import { PROTOCOL } from '../../kernel/net/ipv4.ts';
import { FLAG } from '../../kernel/net/tcp/segment.ts';

/** Bytes of frames that are kept, of all connections. */
export const KEPT_BYTES = 32 << 20;
/** Pairs of ends. */
const KEPT_PAIRS = 1024;
/** What keeping a frame costs besides its bytes, about. */
const FRAME_COST = 200;

/** A frame, by the number of its arrival here. */
export interface Kept {
  readonly number: number;
  readonly time: number;
  readonly frame: Uint8Array;
}

export class StreamTable {
  readonly #limit: number;
  /** In order of time, by the pair of their ends. */
  readonly #pairs = new Map<string, Kept[]>();
  /** All of them as they came. */
  #all: Kept[] = [];
  #bytes = 0;

  constructor(limit = KEPT_BYTES) {
    this.#limit = limit;
  }

  /** Takes a frame of any kind; those that are not TCP's are passed over. */
  add(kept: Kept): void {
    const pair = pairOf(kept.frame);
    if (pair === null) return;
    let list = this.#pairs.get(pair);
    if (list === undefined) {
      list = [];
      this.#pairs.set(pair, list);
      const [oldest] = this.#pairs.keys();
      if (this.#pairs.size > KEPT_PAIRS && oldest !== undefined) this.#pairs.delete(oldest);
    }
    let at = list.length;
    while (at > 0 && (list[at - 1] as Kept).time > kept.time) at--;
    list.splice(at, 0, kept);
    this.#all.push(kept);
    this.#bytes += costOf(kept);
    if (this.#bytes > this.#limit * 1.25) this.#shrink();
  }

  /** Frames between the same two ends, in order of time; a list that `add` may change. Empty: it is no segment of TCP. */
  between(frame: Uint8Array): readonly Kept[] {
    const pair = pairOf(frame);
    return pair === null ? [] : (this.#pairs.get(pair) ?? []);
  }

  #shrink(): void {
    let first = this.#all.length;
    this.#bytes = 0;
    while (first > 0) {
      const bytes = this.#bytes + costOf(this.#all[first - 1] as Kept);
      if (bytes > this.#limit) break;
      this.#bytes = bytes;
      first--;
    }
    this.#all = this.#all.slice(first);
    const oldest = this.#all[0]?.number ?? Number.POSITIVE_INFINITY;
    for (const [pair, list] of this.#pairs) {
      // Frames come as parts of larger buffers: one that outlives those beside it has its own.
      const rest = list.flatMap(kept =>
        kept.number >= oldest ? [kept] : isEdge(kept.frame) ? [{ ...kept, frame: kept.frame.slice() }] : [],
      );
      this.#pairs.set(pair, rest);
    }
  }
}

const costOf = ({ frame }: Kept): number => frame.length + FRAME_COST;

/** Where TCP's header begins; −1: the frame has none. */
function tcpAt(frame: Uint8Array): number {
  if (frame.length < ETHERNET_HEADER + 40 || ethertype(frame) !== ETHERTYPE.IPV4) return -1;
  const isFragment = (get16(frame, ETHERNET_HEADER + 6) & 0x1fff) !== 0;
  if (frame[ETHERNET_HEADER + 9] !== PROTOCOL.TCP || isFragment) return -1;
  const at = ETHERNET_HEADER + ((frame[ETHERNET_HEADER] as number) & 15) * 4;
  return at + 20 > frame.length ? -1 : at;
}

const isEdge = (frame: Uint8Array): boolean => ((frame[tcpAt(frame) + 13] ?? 0) & (FLAG.SYN | FLAG.FIN)) !== 0;

/** Names a pair of ends, whichever of them speaks. */
function pairOf(frame: Uint8Array): string | null {
  const at = tcpAt(frame);
  if (at < 0) return null;
  const source = get32(frame, ETHERNET_HEADER + 12) * 65536 + get16(frame, at);
  const target = get32(frame, ETHERNET_HEADER + 16) * 65536 + get16(frame, at + 2);
  return source < target ? `${source} ${target}` : `${target} ${source}`;
}
