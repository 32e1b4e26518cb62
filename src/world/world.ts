/**
 * A world as its face sees it: hosts in other threads, driven in stretches of virtual time.
 *
 * Always holds: one stretch at a time; when it is over no kernel has anything to do before its end, all traces and outputs of it have been
 * handed over, and the fingerprint says what happened up to there.
 */
import { memoryMap } from '../machine/layout.ts';
import { Disk } from '../machine/devices/disk.ts';
import { PhysicalMemory } from '../machine/memory.ts';
import { type FromHost, type HostInput, hostOf, type ToHost, type WorldOptions } from './protocol.ts';
import { type Output, readOutputs } from './outputs.ts';
import { HostWords, NEVER } from './words.ts';

/** A host in its thread. */
export interface HostPort {
  post(message: ToHost): void;
  listen(handler: (message: FromHost) => void): void;
  close(): void;
}

export interface WorldListener {
  trace(bytes: Uint8Array): void;
  output(kernel: number, port: number, time: number, bytes: Uint8Array): void;
  /** `end`: where a run that ends with its program ends; follows from the program alone. */
  ended(kernel: number, time: number, status: number, end: number): void;
  failed(kernels: readonly number[], message: string): void;
}

export interface Stretch {
  /** Where it ended: at the limit asked for or before. */
  readonly limit: number;
  /** The earliest time at which a kernel will do anything; NEVER when all wait for the outside. */
  readonly next: number;
}

export class World {
  readonly #ports: readonly HostPort[];
  readonly #listener: WorldListener;
  readonly #hashes = new Map<number, readonly [number, number]>();
  /** Where memory is shared: the words in it. */
  readonly #words: HostWords | null;
  readonly #disk: Disk | null;
  /** Who waits for what is on it, where it is the host's. */
  readonly #images: ((image: Uint8Array) => void)[] = [];
  /** Outputs not handed over yet. `key`: the time, or that of what the same kernel put out before if that is later. */
  readonly #outputs: { readonly key: number; readonly output: Output }[] = [];
  readonly #lastOutput = new Map<number, number>();
  readonly #endings: Extract<FromHost, { kind: 'ended' }>[] = [];
  #waiting: {
    reached: Extract<FromHost, { kind: 'reached' }>[];
    resolve: (stretch: Stretch) => void;
    reject: (error: Error) => void;
  } | null = null;
  #taking: { left: Set<number>; resolve: () => void; reject: (error: Error) => void } | null = null;
  /** A cut was asked for while inputs were on their way. */
  #cutSoon = false;
  #failure: Error | null = null;
  /** Virtual time that all kernels have reached. */
  now = 0;

  private constructor(ports: readonly HostPort[], words: HostWords | null, disk: Disk | null, listener: WorldListener) {
    this.#disk = disk;
    this.#ports = ports;
    this.#words = words;
    this.#listener = listener;
  }

  /**
   * Makes the memory (unless a single host is to make its own) and starts the hosts.
   * @param shared whether memory can be shared between threads; without it there must be one host
   * @throws RangeError when there is not so much memory to be had
   */
  static async start(options: WorldOptions, ports: readonly HostPort[], shared: boolean, listener: WorldListener): Promise<World> {
    if (!shared && ports.length !== 1) throw new Error(`${ports.length} hosts without shared memory`);
    const map = memoryMap(options.topology, options.memoryLimit, options.client?.topology);
    const memory = shared ? PhysicalMemory.create(map.bytes) : null;
    const disk = memory === null ? null : new Disk(memory, map.disk);
    if (options.disk !== null) disk?.insert(options.disk.image, options.disk.bytes);
    const toHosts = memory === null ? options : { ...options, disk: null };
    const world = new World(ports, memory === null ? null : new HostWords(memory, ports.length), disk, listener);
    await Promise.all(
      ports.map(
        (port, host) =>
          new Promise<void>((resolve, reject) => {
            let ready = false;
            port.listen(message => {
              if (message.kind === 'ready') {
                ready = true;
                resolve();
              } else if (message.kind === 'failed' && !ready) {
                reject(message.tooLarge === true ? new RangeError(message.message) : new Error(message.message));
              } else if (message.kind === 'failed') {
                const all = options.kernels.map(each => each.kernel);
                world.#fail(
                  message.kernels.length > 0 ? message.kernels : all.filter(kernel => hostOf(kernel, ports.length) === host),
                  message.message,
                );
              } else world.#take(message);
            });
            port.post({ kind: 'init', host, hosts: ports.length, memory: memory?.wasm ?? null, options: toHosts });
          }),
      ),
    );
    return world;
  }

  /** What is on the disk now, between stretches. */
  diskImage(): Promise<Uint8Array> {
    if (this.#disk !== null) return Promise.resolve(this.#disk.image());
    return new Promise(resolve => {
      this.#images.push(resolve);
      this.#ports[0]?.post({ kind: 'disk' });
    });
  }

  /**
   * Runs up to `limit` (a multiple of 512 cycles) or to where `cut` ends it; inputs first: their times are at or after `now`.
   * When it resolves, all that happened has been handed to the listener: outputs in order of time, then of kernels.
   */
  async advance(limit: number, inputs: readonly HostInput[]): Promise<Stretch> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#waiting !== null || this.#taking !== null) throw new Error('a stretch is under way');
    if (limit <= this.now || limit > NEVER) throw new RangeError(`a stretch from ${this.now} to ${limit}`);
    const hosts = new Set(inputs.map(({ kernel }) => hostOf(kernel, this.#ports.length)));
    if (hosts.size > 0) {
      await new Promise<void>((resolve, reject) => {
        this.#taking = { left: new Set(hosts), resolve, reject };
        for (const host of hosts)
          this.#ports[host]?.post({ kind: 'inputs', inputs: inputs.filter(({ kernel }) => hostOf(kernel, this.#ports.length) === host) });
      });
    }
    return await new Promise((resolve, reject) => {
      this.#waiting = { reached: [], resolve, reject };
      this.#words?.startStretch(limit);
      for (const port of this.#ports) port.post({ kind: 'advance', limit });
      if (this.#cutSoon) this.cut();
      this.#cutSoon = false;
    });
  }

  /** Ends the stretch that is under way as soon as may be. */
  cut(): void {
    if (this.#waiting === null) {
      this.#cutSoon = this.#taking !== null;
      return;
    }
    if (this.#words !== null) this.#words.requestCut();
    else this.#ports[0]?.post({ kind: 'cut' });
  }

  /** 16 hexadecimal digits over the traces of all kernels up to `now`. */
  get fingerprint(): string {
    let [high, low] = [0x811c9dc5, 0x9e3779b9];
    for (const kernel of [...this.#hashes.keys()].sort((a, b) => a - b)) {
      const [a, b] = this.#hashes.get(kernel) as readonly [number, number];
      high = Math.imul(high ^ a, 0x01000193) ^ b;
      low = Math.imul(((low << 5) | (low >>> 27)) ^ b, 0x85ebca6b) ^ a;
    }
    return [high, low].map(word => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  close(): void {
    for (const port of this.#ports) port.close();
  }

  #take(message: FromHost): void {
    switch (message.kind) {
      case 'trace':
        this.#listener.trace(message.bytes);
        return;
      case 'outputs':
        for (const output of readOutputs(message.batch)) {
          const key = Math.max(output.time, this.#lastOutput.get(output.kernel) ?? 0);
          this.#lastOutput.set(output.kernel, key);
          this.#outputs.push({ key, output });
        }
        return;
      case 'ended':
        this.#endings.push(message);
        return;
      case 'taken': {
        const taking = this.#taking;
        taking?.left.delete(message.host);
        if (taking?.left.size !== 0) return;
        this.#taking = null;
        taking.resolve();
        return;
      }
      case 'reached':
        this.#reached(message);
        return;
      case 'disk':
        this.#images.shift()?.(message.image);
        return;
      default:
        return;
    }
  }

  #reached(message: Extract<FromHost, { kind: 'reached' }>): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    waiting.reached.push(message);
    if (waiting.reached.length < this.#ports.length) return;
    for (const { hashes } of waiting.reached) for (const [kernel, high, low] of hashes) this.#hashes.set(kernel, [high, low]);
    this.#waiting = null;
    this.now = message.limit;
    this.#handOver(this.now);
    waiting.resolve({ limit: message.limit, next: Math.min(...waiting.reached.map(({ next }) => next)) });
  }

  /** Outputs from before `until`, in order. What a kernel that went a little beyond put out later waits for the others. */
  #handOver(until: number): void {
    this.#outputs.sort((a, b) => a.key - b.key || a.output.kernel - b.output.kernel);
    const held = this.#outputs.findIndex(({ key }) => key >= until);
    const outputs = this.#outputs.splice(0, held < 0 ? this.#outputs.length : held);
    const endings = this.#endings.splice(0);
    for (const { output } of outputs) this.#listener.output(output.kernel, output.port, output.time, output.bytes);
    for (const { kernel, time, status, end } of endings) this.#listener.ended(kernel, time, status, end);
  }

  #fail(kernels: readonly number[], message: string): void {
    if (this.#failure !== null) return;
    this.#failure = new Error(message);
    this.#handOver(Number.POSITIVE_INFINITY);
    this.#listener.failed(kernels, message);
    this.#waiting?.reject(this.#failure);
    this.#taking?.reject(this.#failure);
    this.#waiting = null;
    this.#taking = null;
  }
}
