/** Addresses as text and as sets: what is a broadcast, what belongs to a network. */
import type { Ipv4Address, MacAddress } from './platform.ts';

export const ANY: Ipv4Address = 0;
export const LOOPBACK: Ipv4Address = 0x7f000001;
export const LIMITED_BROADCAST: Ipv4Address = 0xffffffff;
export const MAC_BROADCAST: MacAddress = 0xffffffffffff;

/** The mask of a network of `prefix` bits (0 to 32). */
export const netmask = (prefix: number): number => (prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0);

export const inNetwork = (address: Ipv4Address, network: Ipv4Address, prefix: number): boolean =>
  ((address ^ network) & netmask(prefix)) === 0;

export const isLoopback = (address: Ipv4Address): boolean => address >>> 24 === 127;
export const isMulticast = (address: Ipv4Address): boolean => address >>> 28 === 0xe;
/** No host has such an address: "this network", multicast, reserved (RFC 6890). */
export const isNobody = (address: Ipv4Address): boolean => address >>> 24 === 0 || address >>> 28 >= 0xe;

/** The low bit of the first octet: broadcast or multicast on the link. */
export const isGroupMac = (mac: MacAddress): boolean => (Math.floor(mac / 2 ** 40) & 1) === 1;

export const ipText = (address: Ipv4Address): string =>
  `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;

/** Reads dotted decimal, four parts; null for anything else. */
export function parseIp(text: string): Ipv4Address | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let address = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    address = address * 256 + Number(part);
  }
  return address;
}

export const macText = (mac: MacAddress): string => (mac.toString(16).padStart(12, '0').match(/../g) ?? []).join(':');

export function parseMac(text: string): MacAddress | null {
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? Number.parseInt(text.replaceAll(':', ''), 16) : null;
}
