/**
 * A world as its face sees it: hosts in other threads, driven in stretches of virtual time.
 *
 * Always holds: one stretch at a time; when it is over no kernel has anything to do before its end, all traces and outputs of it have been
 * handed over, and the fingerprint says what happened up to there.
 */
import type { Memory } from '../machine/hart/wasm/engine.ts';
import { memoryMap } from '../machine/layout.ts';
import { PhysicalMemory } from '../machine/memory.ts';
import { type FromHost, type HostInput, hostOf, type ToHost, type WorldOptions } from './protocol.ts';
import { NEVER } from './words.ts';

/** A host in its thread. */
export interface HostPort {
  post(message: ToHost): void;
  listen(handler: (message: FromHost) => void): void;
  close(): void;
}

export interface WorldListener {
  trace(bytes: Uint8Array): void;
  output(kernel: number, port: number, time: number, bytes: Uint8Array): void;
  ended(kernel: number, time: number, status: number): void;
  failed(kernels: readonly number[], message: string): void;
}

export interface Stretch {
  /** The earliest time at which a kernel will do anything; NEVER when all wait for the outside. */
  readonly next: number;
}

export class World {
  readonly #ports: readonly HostPort[];
  readonly #listener: WorldListener;
  readonly #hashes = new Map<number, readonly [number, number]>();
  #waiting: { limit: number; reached: Set<number>; next: number; resolve: (stretch: Stretch) => void; reject: (error: Error) => void } | null = null;
  #taking: { left: Set<number>; resolve: () => void; reject: (error: Error) => void } | null = null;
  #failure: Error | null = null;
  limit = 0;

  private constructor(ports: readonly HostPort[], listener: WorldListener) {
    this.#ports = ports;
    this.#listener = listener;
  }

  /**
   * Makes the memory (unless a single host is to make its own) and starts the hosts.
   * @param shared whether memory can be shared between threads; without it there must be one host
   * @throws RangeError when there is not so much memory to be had
   */
  static async start(options: WorldOptions, ports: readonly HostPort[], shared: boolean, listener: WorldListener): Promise<World> {
    const world = new World(ports, listener);
    let memory: Memory | null = null;
    if (shared) {
      const physical = PhysicalMemory.create(memoryMap(options.topology, options.memoryLimit).bytes);
      memory = physical.wasm;
    }
    await Promise.all(ports.map((port, host) => new Promise<void>((resolve, reject) => {
      port.listen((message) => {
        if (message.kind === 'ready') resolve();
        else if (message.kind === 'failed') {
          reject(new Error(message.message));
          world.#fail(message.kernels, message.message);
        } else world.#take(message);
      });
      port.post({ kind: 'init', host, hosts: ports.length, memory, options });
    })));
    return world;
  }

  /** Runs up to `limit` (a multiple of 512 cycles), inputs first: their times are at or after the end of the last stretch. */
  async advance(limit: number, inputs: readonly HostInput[]): Promise<Stretch> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#waiting !== null) throw new Error('a stretch is under way');
    const hosts = new Set(inputs.map(({ kernel }) => hostOf(kernel, this.#ports.length)));
    if (hosts.size > 0) {
      await new Promise<void>((resolve, reject) => {
        this.#taking = { left: new Set(hosts), resolve, reject };
        for (const host of hosts) this.#ports[host]?.post({ kind: 'inputs', inputs: inputs.filter(({ kernel }) => hostOf(kernel, this.#ports.length) === host) });
      });
    }
    this.limit = limit;
    return await new Promise((resolve, reject) => {
      this.#waiting = { limit, reached: new Set(), next: NEVER, resolve, reject };
      for (const port of this.#ports) port.post({ kind: 'advance', limit });
    });
  }

  /** 16 hexadecimal digits over the traces of all kernels up to the limit. */
  get fingerprint(): string {
    let [high, low] = [0x811c9dc5, 0x9e3779b9];
    for (const kernel of [...this.#hashes.keys()].sort((a, b) => a - b)) {
      const [a, b] = this.#hashes.get(kernel) as readonly [number, number];
      high = Math.imul(high ^ a, 0x01000193) ^ b;
      low = Math.imul(((low << 5) | (low >>> 27)) ^ b, 0x85ebca6b) ^ a;
    }
    return [high, low].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  close(): void {
    for (const port of this.#ports) port.close();
  }

  #take(message: FromHost): void {
    switch (message.kind) {
      case 'trace': this.#listener.trace(message.bytes); return;
      case 'output': this.#listener.output(message.kernel, message.port, message.time, message.bytes); return;
      case 'ended': this.#listener.ended(message.kernel, message.time, message.status); return;
      case 'taken':
        this.#taking?.left.delete(message.host);
        if (this.#taking?.left.size === 0) this.#taking.resolve();
        return;
      case 'reached': this.#reached(message); return;
      default: return;
    }
  }

  #reached({ host, limit, next, hashes }: Extract<FromHost, { kind: 'reached' }>): void {
    const waiting = this.#waiting;
    if (waiting === null || limit !== waiting.limit) return;
    for (const [kernel, high, low] of hashes) this.#hashes.set(kernel, [high, low]);
    waiting.next = Math.min(waiting.next, next);
    waiting.reached.add(host);
    if (waiting.reached.size < this.#ports.length) return;
    this.#waiting = null;
    waiting.resolve({ next: waiting.next });
  }

  #fail(kernels: readonly number[], message: string): void {
    if (this.#failure !== null) return;
    this.#failure = new Error(message);
    this.#listener.failed(kernels, message);
    this.#waiting?.reject(this.#failure);
    this.#taking?.reject(this.#failure);
    this.#waiting = null;
  }
}
