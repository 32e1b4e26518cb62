/**
 * Ethernet II frames: six bytes of target, six of source, two of type, then the payload.
 *
 *   0        6        12     14
 *   | target | source | type | payload…
 */
import { get16, get32, put16, put32 } from './bytes.ts';
import type { MacAddress } from './platform.ts';

export const ETHERNET_HEADER = 14;
export const ETHERTYPE = { IPV4: 0x0800, ARP: 0x0806 } as const;

export const getMac = (bytes: Uint8Array, at: number): MacAddress => get16(bytes, at) * 2 ** 32 + get32(bytes, at + 2);

export function putMac(bytes: Uint8Array, at: number, mac: MacAddress): void {
  put16(bytes, at, Math.floor(mac / 2 ** 32));
  put32(bytes, at + 2, mac % 2 ** 32);
}

export function putEthernet(frame: Uint8Array, target: MacAddress, source: MacAddress, type: number): void {
  putMac(frame, 0, target);
  putMac(frame, 6, source);
  put16(frame, 12, type);
}

export const ethertype = (frame: Uint8Array): number => get16(frame, 12);
