/**
 * The IPv4 header (RFC 791), read and written.
 *
 * A packet is built in a frame from the start: HEADROOM bytes are left for the Ethernet and IPv4 headers, which their layers fill in,
 * so that a payload is written once.
 */
import { get16, get32, put16, put32 } from './bytes.ts';
import { checksum } from './checksum.ts';
import { ETHERNET_HEADER } from './ethernet.ts';
import type { Ipv4Address } from './platform.ts';

export const IPV4_HEADER = 20;
export const HEADROOM = ETHERNET_HEADER + IPV4_HEADER;
export const IPV4_MAX = 65535;
/** Every host takes packets of this size (RFC 791). */
export const IPV4_MIN_MTU = 68;
export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17 } as const;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;

export interface Ipv4Header {
  readonly headerBytes: number;
  readonly tos: number;
  /** Header and payload. */
  readonly totalBytes: number;
  readonly id: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** Of the payload, in bytes. */
  readonly fragmentOffset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly source: Ipv4Address;
  readonly target: Ipv4Address;
}

export type Ipv4Fault = 'header' | 'truncated' | 'checksum';

/** Reads the header at the start of `bytes`, which may be longer than the packet (short frames are padded). */
export function parseIpv4(bytes: Uint8Array): Ipv4Header | Ipv4Fault {
  if (bytes.length < IPV4_HEADER) return 'header';
  const first = bytes[0] as number;
  const headerBytes = (first & 15) * 4;
  if (first >>> 4 !== 4 || headerBytes < IPV4_HEADER || headerBytes > bytes.length) return 'header';
  if (checksum(bytes, 0, headerBytes) !== 0) return 'checksum';
  const totalBytes = get16(bytes, 2);
  if (totalBytes < headerBytes) return 'header';
  if (totalBytes > bytes.length) return 'truncated';
  const fragment = get16(bytes, 6);
  return {
    headerBytes,
    tos: bytes[1] as number,
    totalBytes,
    id: get16(bytes, 4),
    dontFragment: (fragment & DONT_FRAGMENT) !== 0,
    moreFragments: (fragment & MORE_FRAGMENTS) !== 0,
    fragmentOffset: (fragment & 0x1fff) * 8,
    ttl: bytes[8] as number,
    protocol: bytes[9] as number,
    source: get32(bytes, 12),
    target: get32(bytes, 16),
  };
}

/** Writes a header with its checksum at the start of `bytes`; options, if `headerBytes` leaves room for them, are left as they are. */
export function putIpv4(bytes: Uint8Array, header: Ipv4Header): void {
  bytes[0] = 0x40 | (header.headerBytes / 4);
  bytes[1] = header.tos;
  put16(bytes, 2, header.totalBytes);
  put16(bytes, 4, header.id);
  const flags = (header.dontFragment ? DONT_FRAGMENT : 0) | (header.moreFragments ? MORE_FRAGMENTS : 0);
  put16(bytes, 6, flags | (header.fragmentOffset / 8));
  bytes[8] = header.ttl;
  bytes[9] = header.protocol;
  put16(bytes, 10, 0);
  put32(bytes, 12, header.source);
  put32(bytes, 16, header.target);
  put16(bytes, 10, checksum(bytes, 0, header.headerBytes));
}
