/** Quantities of the network in words, and whose an address is. */
import { E } from '../../kernel/abi/errno.ts';
import { parseIp } from '../../kernel/net/address.ts';
import { addressOfFunction, addressOfKernel, CLIENT_ADDRESS, CLIENT_KERNEL, SERVER_ADDRESS } from '../../kernel/net/parameters.ts';
import type { Carrier } from '../../lab/trace/network.ts';
import { functionName } from '../../machine/devices/devices.ts';

/** More than a card has. */
const FUNCTIONS = 64;

/** `1.2 MB`, with powers of ten, as networks count. */
export const bytesText = (bytes: number): string =>
  bytes >= 1e9
    ? `${(bytes / 1e9).toFixed(1)} GB`
    : bytes >= 1e6
      ? `${(bytes / 1e6).toFixed(1)} MB`
      : bytes >= 1e3
        ? `${(bytes / 1e3).toFixed(1)} kB`
        : `${Math.round(bytes)} B`;

export const bytesRateText = (bytes: number): string => `${bytesText(bytes)}/s`;

/** `–`, `3.5`, `1,234`. */
export const rateText = (value: number): string =>
  value === 0 ? '–' : value < 9.95 ? value.toFixed(1) : Math.round(value).toLocaleString('en');

export const countText = (frames: number, bytes: number): string =>
  frames === 0 ? '–' : `${frames.toLocaleString('en')} · ${bytesText(bytes)}`;

/** A duration in nanoseconds. */
export const nanosecondsText = (ns: number): string =>
  ns === 0 ? '–' : ns >= 1e9 ? `${(ns / 1e9).toFixed(2)} s` : ns >= 1e6 ? `${(ns / 1e6).toFixed(2)} ms` : `${(ns / 1e3).toFixed(1)} µs`;

const ERRNO_NAMES = new Map<number, string>(Object.entries(E).map(([name, errno]) => [errno, `E${name}`]));
export const errnoText = (errno: number): string => ERRNO_NAMES.get(errno) ?? `errno ${errno}`;

/** How a frame is carried: its arrow, the same for one that comes, and its name. */
export const CARRIERS: Readonly<Record<Carrier, { readonly goes: string; readonly comes: string; readonly name: string }>> = {
  switch: { goes: '→', comes: '←', name: 'over the virtual switch' },
  wire: { goes: '⇢', comes: '⇠', name: 'on the wire' },
  card: { goes: '↷', comes: '↶', name: 'within the network card' },
};

/** The kernel that has an address; null: none is known to. @param owner of a function of the network card */
export function kernelOfAddress(text: string, owner: (device: string) => number | null): number | null {
  const address = parseIp(text);
  if (address === null) return null;
  if (address === CLIENT_ADDRESS) return CLIENT_KERNEL;
  if (address === SERVER_ADDRESS) return owner('nic0');
  const number = address - addressOfFunction(1) + 1;
  if (number >= 1 && number < FUNCTIONS) return owner(functionName(number));
  const kernel = address - addressOfKernel(0);
  return kernel >= 0 && kernel < CLIENT_KERNEL ? kernel : null;
}
