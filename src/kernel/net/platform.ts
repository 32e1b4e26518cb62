/**
 * What a network stack is given from outside: time, chance, and devices that carry frames.
 *
 * Always holds: the stack has no other source of time or chance, so what it does follows from these and from the calls made on it.
 */

import type { FourTuple } from './tcp/endpoint.ts';

/** An IPv4 address as an unsigned 32-bit number: 10.1.2.3 is 0x0a010203. */
export type Ipv4Address = number;
/** A MAC address as an unsigned 48-bit number. */
export type MacAddress = number;
/** A time or a duration in cycles of the reference clock. */
export type Cycles = number;

export interface NetPlatform {
  /** Cycles of the reference clock in a second. */
  readonly hertz: number;
  now(): Cycles;
  /** Calls `act` once at `time` (at once after the running event, if that is past). Returns how to call it off. */
  at(time: Cycles, act: () => void): () => void;
  /** The next unsigned 32-bit number of a seeded generator. */
  random(): number;
  /** Something about a TCP connection, for those who look on. */
  tell?(event: ConnectionEvent): void;
  /** A packet of so many bytes has passed through the stack: the work is done, and is to be charged. */
  spent(work: NetWork, bytes: number, loopback: boolean): void;
}

/** What a stack tells of its TCP connections; `number` is one's own in this stack, for good. */
export type ConnectionEvent =
  /** `state` by TCP_STATE; `error`: errno with which it has ended. */
  | { readonly kind: 'state'; readonly number: number; readonly tuple: FourTuple; readonly state: number; readonly error: number }
  /** `roundTrip` smoothed, in cycles, null before it was measured; the windows and what is under way in bytes. */
  | {
      readonly kind: 'path';
      readonly number: number;
      readonly roundTrip: Cycles | null;
      readonly congestionWindow: number;
      readonly peerWindow: number;
      readonly flight: number;
    }
  /** A segment goes out again. `offset`: its first byte, counted from the stream's first. */
  | { readonly kind: 'resend'; readonly number: number; readonly offset: number; readonly bytes: number; readonly timeout: boolean };

/** Which way a packet went. */
export type NetWork = 'send' | 'receive';

export interface NetDevice {
  readonly name: string;
  readonly mac: MacAddress;
  /** Largest IP packet in bytes. */
  readonly mtu: number;
  /** Takes a whole Ethernet frame, without its check sequence, that nobody writes to from now on. False: the ring is full. */
  transmit(frame: Uint8Array): boolean;
  /** What its driver tells of it; left out: nothing. */
  readonly driver?: DeviceDriver;
}

/** What ethtool shows of a device. */
export interface DeviceDriver {
  readonly driver: string;
  /** Where the device is: its name in a plan, if it has one. */
  readonly bus: string;
  /** Counts by name, always the same names in the same order. */
  statistics(): Readonly<Record<string, number>>;
  hasLink(): boolean;
  /** Mb/s; null: nobody can tell. */
  speed(): number | null;
  /** Packets that rings hold, and could hold. */
  rings?(): { readonly receive: number; readonly receiveMost: number; readonly send: number; readonly sendMost: number };
  /** Microseconds for which interrupts are held back. `set` returns false for what can't be. */
  readonly coalesce?: { get(): number; set(microseconds: number): boolean };
}
