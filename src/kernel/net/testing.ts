/**
 * A small world for tests: virtual time, hosts with a stack each, and links that lose, repeat and delay frames as they are told.
 *
 * Always holds: a run follows from its seed.
 */
import { ipText, parseIp } from './address.ts';
import { ETHERNET_HEADER } from './ethernet.ts';
import { parseIpv4, PROTOCOL } from './ipv4.ts';
import type { Cycles, Ipv4Address, NetDevice, NetPlatform } from './platform.ts';
import type { NetInterface } from './interface.ts';
import { NetStack } from './stack.ts';
import type { TcpConnection } from './tcp/connection.ts';
import type { TcpListener } from './tcp/listener.ts';
import type { TcpOptions } from './tcp/options.ts';
import { FLAG, parseSegment, type Segment } from './tcp/segment.ts';

export const HERTZ = 1e9;
export const MS = HERTZ / 1000;
export const US = HERTZ / 1e6;

interface Event {
  readonly time: Cycles;
  readonly order: number;
  act: (() => void) | null;
}

/** A generator of 32-bit numbers (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** Virtual time. */
export class Clock {
  now: Cycles = 0;
  /** Events that have happened. */
  happened = 0;
  readonly #heap: Event[] = [];
  #order = 0;

  at(time: Cycles, act: () => void): () => void {
    const event: Event = { time: Math.max(time, this.now), order: this.#order++, act };
    this.#push(event);
    return () => {
      event.act = null;
    };
  }

  /** Runs until `time`, or until nothing is left to happen. */
  run(until: Cycles = Number.POSITIVE_INFINITY): void {
    for (let event = this.#heap[0]; event && event.time <= until; event = this.#heap[0]) {
      this.#pop();
      if (!event.act) continue;
      this.now = event.time;
      this.happened++;
      event.act();
    }
    if (until !== Number.POSITIVE_INFINITY) this.now = Math.max(this.now, until);
  }

  /** Runs until `done`, at most until `limit`; true if it came to that. */
  until(done: () => boolean, limit: Cycles): boolean {
    for (let event = this.#heap[0]; event && event.time <= limit && !done(); event = this.#heap[0]) {
      this.#pop();
      if (!event.act) continue;
      this.now = event.time;
      this.happened++;
      event.act();
    }
    return done();
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!sooner(event, heap[up] as Event)) break;
      heap[at] = heap[up] as Event;
      at = up;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && sooner(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!sooner(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

const sooner = (a: Event, b: Event): boolean => a.time < b.time || (a.time === b.time && a.order < b.order);

/** What a link does to frames. Chances are of 0 to 1. */
export interface LinkOptions {
  readonly delay: Cycles;
  /** Bits a second; 0: no limit. */
  readonly rate: number;
  readonly loss: number;
  readonly duplication: number;
  /** Chance that a frame is held for up to `reorderBy`. */
  readonly reorder: number;
  readonly reorderBy: Cycles;
  /** Frames that wait for the wire, at most; the rest the ring refuses. */
  readonly queue: number;
  /** Sees each frame first and may take it away (false). */
  readonly filter: ((frame: Uint8Array, from: number) => boolean) | null;
}

const PERFECT: LinkOptions = {
  delay: 50 * US,
  rate: 0,
  loss: 0,
  duplication: 0,
  reorder: 0,
  reorderBy: 0,
  queue: 1000,
  filter: null,
};

/** A frame as it was put on a wire. */
export interface Seen {
  readonly time: Cycles;
  readonly frame: Uint8Array;
}

export class TestDevice implements NetDevice {
  send: (frame: Uint8Array) => boolean = () => true;

  constructor(
    readonly name: string,
    readonly mac: number,
    readonly mtu: number,
  ) {}

  transmit(frame: Uint8Array): boolean {
    return this.send(frame);
  }
}

export interface Host {
  readonly stack: NetStack;
  readonly device: TestDevice;
  readonly through: NetInterface;
  readonly address: Ipv4Address;
}

/** Text to address; for addresses that are known to be well formed. */
export function ip(text: string): Ipv4Address {
  const address = parseIp(text);
  if (address === null) throw new Error(`not an address: ${text}`);
  return address;
}

export class World {
  readonly clock = new Clock();
  readonly random: () => number;
  /** Every frame put on a wire, lost ones too. */
  readonly frames: Seen[] = [];
  #nextMac = 0x020000000001;

  constructor(seed = 1) {
    this.random = generator(seed);
  }

  platform(): NetPlatform {
    const { clock } = this;
    const random = generator(this.random());
    return { hertz: HERTZ, now: () => clock.now, at: (time, act) => clock.at(time, act), random, spent: () => {} };
  }

  device(name = 'eth0', mtu = 1500): TestDevice {
    return new TestDevice(name, this.#nextMac++, mtu);
  }

  /** A host with one interface, `address` in a network of 24 bits. */
  host(address: string, mtu = 1500): Host {
    const stack = new NetStack(this.platform());
    const device = this.device('eth0', mtu);
    const through = stack.attach(device);
    stack.setUp(through, true);
    stack.addAddress(through, ip(address), 24);
    return { stack, device, through, address: ip(address) };
  }

  /** Joins two devices. */
  link(a: { stack: NetStack; device: TestDevice }, b: { stack: NetStack; device: TestDevice }, options: Partial<LinkOptions> = {}): void {
    const link = { ...PERFECT, ...options };
    const chance = (p: number): boolean => p > 0 && this.random() / 2 ** 32 < p;
    const direction = (from: number, to: { stack: NetStack; device: TestDevice }) => {
      let free = 0;
      return (frame: Uint8Array): boolean => {
        const { now } = this.clock;
        const wire = link.rate > 0 ? ((frame.length + 24) * 8 * HERTZ) / link.rate : 0;
        if (wire > 0 && (free - now) / wire > link.queue) return false;
        free = Math.max(free, now) + wire;
        this.frames.push({ time: now, frame });
        if ((link.filter && !link.filter(frame, from)) || chance(link.loss)) return true;
        const copies = chance(link.duplication) ? 2 : 1;
        for (let i = 0; i < copies; i++) {
          const held = chance(link.reorder) ? (this.random() / 2 ** 32) * link.reorderBy : 0;
          this.clock.at(Math.round(free + link.delay + held), () => to.stack.receive(to.device, frame));
        }
        return true;
      };
    };
    a.device.send = direction(0, b);
    b.device.send = direction(1, a);
  }

  /** Two hosts, 10.1.2.1 and 10.1.2.2, joined. */
  pair(options: Partial<LinkOptions> = {}, mtu = 1500): [Host, Host] {
    const a = this.host('10.1.2.1', mtu);
    const b = this.host('10.1.2.2', mtu);
    this.link(a, b, options);
    return [a, b];
  }
}

/** Fails the test if `result` is an error. */
export function must<T extends object>(result: T | number): T {
  if (typeof result === 'number') throw new Error(`errno ${-result}`);
  return result;
}

export function listen({ stack }: Host, port: number, backlog = 128, options: Partial<TcpOptions> = {}): TcpListener {
  const binding = must(stack.tcpBind({ address: 0, port }, { reuseAddress: true }));
  return must(stack.tcpListen(binding, backlog, { ...stack.tcpOptions(), ...options }));
}

export function connect({ stack }: Host, to: Ipv4Address, port: number, options: Partial<TcpOptions> = {}): TcpConnection {
  return must(stack.tcpConnect({ address: to, port }, null, { ...stack.tcpOptions(), ...options }));
}

/** A connection from `a` to `b`, both ends established. */
export function joined(world: World, a: Host, b: Host, port = 80, options: Partial<TcpOptions> = {}): [TcpConnection, TcpConnection] {
  const listener = listen(b, port, 128, options);
  const client = connect(a, b.address, port, options);
  const ready = world.clock.until(() => listener.waiting > 0 && client.state === 'ESTABLISHED', world.clock.now + 3600 * HERTZ);
  if (!ready) throw new Error(`no connection: ${client.state}`);
  return [client, must(listener.accept())];
}

/** Bytes that tell where they are. */
export function pattern(length: number, salt = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (Math.imul(i + salt, 2654435761) >>> 24) ^ i;
  return bytes;
}

/** Writes all of `bytes`, as there is room, `piece` at a time, and ends the stream. */
export function pour(c: TcpConnection, bytes: Uint8Array, piece = 10_000, end = true): void {
  let done = 0;
  const before = c.onChange;
  const go = (): void => {
    while (done < bytes.length) {
      const count = c.write(bytes.subarray(done, done + piece));
      if (count < 0) return;
      done += count;
    }
    if (end) c.shutdown('write');
  };
  c.onChange = () => {
    before();
    go();
  };
  go();
}

/** Gathers what `c` receives. */
export class Sink {
  readonly chunks: Uint8Array[] = [];
  length = 0;
  ended = false;
  error = 0;

  constructor(c: TcpConnection, piece = 65536) {
    const before = c.onChange;
    const go = (): void => {
      const into = new Uint8Array(piece);
      for (;;) {
        const count = c.read(into);
        if (count === 0) this.ended = true;
        else if (count < 0 && count !== -11) this.error = -count;
        if (count <= 0) return;
        this.chunks.push(into.slice(0, count));
        this.length += count;
      }
    };
    c.onChange = () => {
      before();
      go();
    };
    go();
  }

  get bytes(): Uint8Array {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }
}

/** The frames of a run as a classic pcap file with nanoseconds. */
export function pcap(frames: readonly Seen[]): Uint8Array {
  const size = 24 + frames.reduce((sum, { frame }) => sum + 16 + frame.length, 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const ETHERNET = 1;
  [0xa1b23c4d, 0x00040002, 0, 0, 262_144, ETHERNET].forEach((word, i) => view.setUint32(4 * i, word, true));
  let at = 24;
  for (const { time, frame } of frames) {
    const seconds = Math.floor(time / HERTZ);
    const nanoseconds = Math.floor(((time - seconds * HERTZ) * 1e9) / HERTZ);
    [seconds, nanoseconds, frame.length, frame.length].forEach((word, i) => view.setUint32(at + 4 * i, word, true));
    bytes.set(frame, at + 16);
    at += 16 + frame.length;
  }
  return bytes;
}

/** The TCP segments of a run, in words: `10.1.2.1 SYN`, `10.1.2.2 ACK 100` (with 100 bytes). */
export function segmentsOf(frames: readonly Seen[]): { time: Cycles; text: string; segment: Segment }[] {
  return frames.flatMap(({ time, frame }) => {
    const bytes = frame.subarray(ETHERNET_HEADER);
    const header = parseIpv4(bytes);
    if (typeof header === 'string' || header.protocol !== PROTOCOL.TCP) return [];
    const segment = parseSegment({ header, packet: bytes.subarray(0, header.totalBytes) });
    if (typeof segment === 'string') return [];
    const flags = Object.entries(FLAG).flatMap(([name, bit]) => (segment.flags & bit && name !== 'PSH' ? [name] : []));
    const text = [ipText(segment.source), ...flags, segment.payload.length || ''].join(' ').trim();
    return [{ time, text, segment }];
  });
}
