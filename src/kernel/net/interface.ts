/**
 * A network interface: a device with addresses, a state and counters (Linux's `net_device` and `in_device` in one).
 *
 * Always holds: a frame either reaches the device's ring and counts as sent, or counts as dropped.
 */
import { inNetwork, isLoopback, LIMITED_BROADCAST, netmask } from './address.ts';
import type { Ipv4Address, MacAddress, NetDevice, NetPlatform } from './platform.ts';
import { SCOPE } from './route.ts';

export interface InterfaceAddress {
  readonly address: Ipv4Address;
  readonly prefix: number;
  /** The other end, of which the network then is. */
  readonly peer?: Ipv4Address;
  /** Not the first of its network on this interface: it goes when that goes. */
  readonly secondary?: true;
  /** As a program gave it, for who looks on: SCOPE; its own name; its broadcast address, null for none. */
  readonly scope?: number;
  readonly label?: string;
  readonly broadcast?: Ipv4Address | null;
}
/** What an address can be added with. */
export type AddressTraits = Pick<InterfaceAddress, 'peer' | 'scope' | 'label' | 'broadcast'>;

export const scopeOf = ({ address, scope }: InterfaceAddress): number => scope ?? (isLoopback(address) ? SCOPE.HOST : SCOPE.UNIVERSE);
/** The start of an address's network. */
export const baseOf = ({ address, prefix, peer }: InterfaceAddress): Ipv4Address => ((peer ?? address) & netmask(prefix)) >>> 0;
export const isSameNetwork = (a: InterfaceAddress, b: InterfaceAddress): boolean => a.prefix === b.prefix && baseOf(a) === baseOf(b);

/** The addresses with one more, where Linux puts it: of a network that is there already at the end, else behind those that reach no further. */
export function withAddress(all: readonly InterfaceAddress[], added: InterfaceAddress): readonly InterfaceAddress[] {
  if (all.some(own => !own.secondary && isSameNetwork(own, added))) return [...all, { ...added, secondary: true }];
  const at = all.findLastIndex(own => !own.secondary && scopeOf(added) <= scopeOf(own)) + 1;
  return [...all.slice(0, at), added, ...all.slice(at)];
}

/** The addresses without one, and without the others of its network if it was the first. */
export const withoutAddress = (all: readonly InterfaceAddress[], gone: InterfaceAddress): readonly InterfaceAddress[] =>
  all.filter(own => own !== gone && (gone.secondary || !own.secondary || !isSameNetwork(own, gone)));

/** As in /proc/net/dev. */
export interface InterfaceCounters {
  rxBytes: number;
  rxPackets: number;
  rxErrors: number;
  rxDropped: number;
  txBytes: number;
  txPackets: number;
  txErrors: number;
  txDropped: number;
}

export const broadcastOf = (own: InterfaceAddress): Ipv4Address =>
  own.prefix >= 31 ? LIMITED_BROADCAST : (baseOf(own) | ~netmask(own.prefix)) >>> 0;

/** Sees every frame that an interface receives or sends; must not write to it. */
export type Tap = (through: NetInterface, direction: 'in' | 'out', frame: Uint8Array) => void;

export class NetInterface {
  addresses: readonly InterfaceAddress[] = [];
  up = false;
  /** The device's, unless a program has named it anew. */
  name: string;
  /** For who asks: whether it takes what is for others too (taps see that anyway), and how many packets may wait above the ring (none do). */
  promiscuous = false;
  queueLength = 1000;
  /** Largest IP packet; at most the device's. */
  mtu: number;
  readonly counters: InterfaceCounters = {
    rxBytes: 0,
    rxPackets: 0,
    rxErrors: 0,
    rxDropped: 0,
    txBytes: 0,
    txPackets: 0,
    txErrors: 0,
    txDropped: 0,
  };
  readonly #taps: Set<Tap>;
  readonly #platform: NetPlatform;

  constructor(
    readonly index: number,
    readonly device: NetDevice,
    readonly loopback: boolean,
    taps: Set<Tap>,
    platform: NetPlatform,
  ) {
    this.mtu = device.mtu;
    this.name = device.name;
    this.#taps = taps;
    this.#platform = platform;
  }

  get mac(): MacAddress {
    return this.device.mac;
  }

  get firstAddress(): Ipv4Address | null {
    return this.addresses[0]?.address ?? null;
  }

  has(address: Ipv4Address): boolean {
    return this.addresses.some(own => own.address === address);
  }

  /** True for the limited broadcast and for that of a network on this interface. */
  isBroadcast(address: Ipv4Address): boolean {
    return address === LIMITED_BROADCAST || this.addresses.some(own => own.prefix < 31 && broadcastOf(own) === address);
  }

  /** The own address to speak from to `target`: of its network if there is one, else the first. */
  sourceFor(target: Ipv4Address): Ipv4Address | null {
    const near = this.addresses.find(own => inNetwork(target, own.address, own.prefix));
    return near?.address ?? this.firstAddress;
  }

  /** Hands a frame to the device; false (and counted) if it is down or its ring is full. */
  transmit(frame: Uint8Array): boolean {
    this.#platform.spent('send', frame.length, this.loopback);
    if (!this.up || !this.device.transmit(frame)) {
      this.counters.txDropped++;
      return false;
    }
    this.counters.txPackets++;
    this.counters.txBytes += frame.length;
    for (const tap of this.#taps) tap(this, 'out', frame);
    return true;
  }

  /** Counts a frame that came in; false if the interface is down. */
  received(frame: Uint8Array): boolean {
    if (!this.up) {
      this.counters.rxDropped++;
      return false;
    }
    this.#platform.spent('receive', frame.length, this.loopback);
    this.counters.rxPackets++;
    this.counters.rxBytes += frame.length;
    for (const tap of this.#taps) tap(this, 'in', frame);
    return true;
  }
}

/** As on Linux. */
export const LOOPBACK_MTU = 65536;
/** Frames under way through loopback, at most (Linux: netdev_max_backlog). */
const LOOPBACK_QUEUE = 1000;

/** What is sent through it comes in again, as an event of its own. */
export class LoopbackDevice implements NetDevice {
  readonly name = 'lo';
  readonly mac = 0;
  readonly mtu = LOOPBACK_MTU;
  #queue: Uint8Array[] = [];
  readonly #platform: NetPlatform;
  readonly #deliver: (frame: Uint8Array) => void;

  constructor(platform: NetPlatform, deliver: (frame: Uint8Array) => void) {
    this.#platform = platform;
    this.#deliver = deliver;
  }

  transmit(frame: Uint8Array): boolean {
    if (this.#queue.length >= LOOPBACK_QUEUE) return false;
    this.#queue.push(frame);
    if (this.#queue.length === 1) this.#platform.at(this.#platform.now(), () => this.#drain());
    return true;
  }

  #drain(): void {
    const frames = this.#queue;
    this.#queue = [];
    for (const frame of frames) this.#deliver(frame);
  }
}
