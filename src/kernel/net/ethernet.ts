/**
 * Ethernet II frames: six bytes of target, six of source, two of type, then the payload.
 *
 *   0        6        12     14
 *   | target | source | type | payload…
 */
import type { MacAddress } from './platform.ts';

export const ETHERNET_HEADER = 14;
export const ETHERTYPE = { IPV4: 0x0800, ARP: 0x0806 } as const;

export function getMac(bytes: Uint8Array, at: number): MacAddress {
  let mac = 0;
  for (let i = 0; i < 6; i++) mac = mac * 256 + (bytes[at + i] as number);
  return mac;
}

export function putMac(bytes: Uint8Array, at: number, mac: MacAddress): void {
  let rest = mac;
  for (let i = 5; i >= 0; i--) {
    bytes[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

export function putEthernet(frame: Uint8Array, target: MacAddress, source: MacAddress, type: number): void {
  putMac(frame, 0, target);
  putMac(frame, 6, source);
  frame[12] = type >>> 8;
  frame[13] = type;
}

export const ethertype = (frame: Uint8Array): number => ((frame[12] as number) << 8) | (frame[13] as number);
