/**
 * What has been sent and not yet received, in one direction: packets in order, each with its sender and what was passed along.
 *
 * Always holds: `used` is what the packets cost, each its bytes and Linux's overhead for one, so that a flood of tiny ones fills the
 * flow too. A packet is let in while `used` is below the limit, and then whole.
 */
import type { Blocking, Maybe } from '../../types.ts';
import { settle } from '../../types.ts';
import { joined } from '../bytes.ts';
import type { OpenFile } from '../file.ts';
import type { SocketCredentials } from './socket.ts';

export interface Packet {
  readonly bytes: Uint8Array;
  readonly files: readonly OpenFile[];
  readonly credentials: SocketCredentials;
  readonly from: string;
}

/** A stream's packet is taken bit by bit. */
interface Waiting {
  readonly packet: Packet;
  taken: number;
  files: readonly OpenFile[];
}

export interface Taken {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly files: readonly OpenFile[];
  readonly credentials: SocketCredentials;
  readonly from: string;
}

/** How Linux counts a small packet (its `truesize`, less the bytes). */
const PACKET_OVERHEAD = 768;

export class Flow {
  /** Bytes that may wait. */
  limit: number;
  readonly #packets: Waiting[] = [];
  used = 0;
  /** Nothing more will come: one of its sides was shut. */
  ended = false;

  constructor(limit: number) {
    this.limit = limit;
  }

  get count(): number {
    return this.#packets.length;
  }
  get hasRoom(): boolean {
    return this.used < this.limit;
  }
  /** Room enough to tell a writer (Linux: unix_writable). */
  get isWritable(): boolean {
    return this.used * 4 <= this.limit;
  }
  /** Bytes that wait; of whole packets only the first one's. */
  waiting(whole: boolean): number {
    const rest = ({ packet, taken }: Waiting): number => packet.bytes.length - taken;
    if (whole) return this.#packets[0] === undefined ? 0 : rest(this.#packets[0]);
    return this.#packets.reduce((sum, each) => sum + rest(each), 0);
  }

  put(packet: Packet): void {
    this.#packets.push({ packet, taken: 0, files: packet.files });
    this.used += packet.bytes.length + PACKET_OVERHEAD;
  }

  /** The first packet, cut to `count` bytes. Null when there is none. */
  takePacket(count: number, peek: boolean): Taken | null {
    const first = this.#packets[0];
    if (first === undefined) return null;
    const { packet } = first;
    const files = peek ? retained(first.files) : first.files;
    if (!peek) this.#drop();
    return { ...packet, bytes: packet.bytes.subarray(0, count), length: packet.bytes.length, files };
  }

  /**
   * Up to `count` bytes across packets, as a stream has them: no further than behind a packet with something passed along, and with
   * `apart` not from one sender into the next. Null when there is nothing.
   */
  takeBytes(count: number, peek: boolean, apart: boolean): Taken | null {
    const first = this.#packets[0];
    if (first === undefined) return null;
    const { credentials, from } = first.packet;
    const parts: Uint8Array[] = [];
    let length = 0;
    let files: readonly OpenFile[] = [];
    for (let at = 0, round = 0; round === 0 || length < count; round++) {
      const next = this.#packets[at];
      if (next === undefined || (apart && !same(next.packet.credentials, credentials))) break;
      const part = next.packet.bytes.subarray(next.taken, next.taken + count - length);
      parts.push(part);
      length += part.length;
      files = peek ? retained(next.files) : next.files;
      if (peek) at++;
      else {
        next.taken += part.length;
        next.files = [];
        if (next.taken < next.packet.bytes.length) break;
        this.#drop();
      }
      if (files.length > 0) break;
    }
    return { bytes: joined(parts), length, files, credentials, from };
  }

  /** What waits is not wanted any more. Returns whether there was anything. */
  clear(): { readonly lost: boolean; readonly released: Maybe<void> } {
    const lost = this.#packets.length > 0;
    const files = this.#packets.splice(0).flatMap(each => each.files);
    this.used = 0;
    return { lost, released: releaseAll(files) };
  }

  #drop(): void {
    const gone = this.#packets.shift();
    if (gone !== undefined) this.used -= gone.packet.bytes.length + PACKET_OVERHEAD;
  }
}

export function releaseAll(files: readonly OpenFile[]): Maybe<void> {
  return files.length === 0 ? undefined : releaseEach(files);
}

function* releaseEach(files: readonly OpenFile[]): Blocking<void> {
  for (const file of files) yield* settle(file.release());
}

function retained(files: readonly OpenFile[]): readonly OpenFile[] {
  for (const file of files) file.retain();
  return files;
}

const same = (a: SocketCredentials, b: SocketCredentials): boolean => a.pid === b.pid && a.uid === b.uid && a.gid === b.gid;
