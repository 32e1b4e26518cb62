/**
 * A host: runs some of the kernels of a world, in conservative parallel with the other hosts.
 *
 * A kernel may run up to its horizon, the earliest time at which a message could still reach it:
 *
 *     horizon(i) = min( over kernels j of this host:  next(j) + latency(j, i)
 *                       over other hosts h:           word(h) + least latency from h's kernels to i
 *                       own messages m to other hosts: arrival(m) + latency(receiver of m, i) )
 *
 * As latencies obey the triangle inequality (message/latency.ts), chains over third kernels are covered.
 *
 * Always holds: what a kernel does is the same whatever hosts there are and however fast they are; only `Replica` decides it.
 */
import type { Cycles, KernelId } from '../kernel/types.ts';
import { createReplica } from '../kernel/boot/start.ts';
import { KERNEL_COSTS } from '../kernel/costs.ts';
import { latencyTable } from '../kernel/message/latency.ts';
import type { Platform } from '../kernel/platform.ts';
import type { Replica, ReplicaFactory } from '../kernel/replica.ts';
import { TRACE_RECORD_BYTES } from '../kernel/trace.ts';
import { instructionCosts } from '../machine/costs.ts';
import { Processor } from '../machine/hart/hart.ts';
import { lineTransfer } from '../machine/interconnect.ts';
import { DECODE_CACHE_BYTES, memoryMap } from '../machine/layout.ts';
import { PhysicalMemory } from '../machine/memory.ts';
import { type FromHost, hostOf, type ToHost, type WorldOptions } from './protocol.ts';
import { HostWords, NEVER } from './words.ts';

/** What a host needs of the thread it lives in. */
export interface HostEnvironment {
  post(message: FromHost, transfer?: ArrayBuffer[]): void;
  /** Lets messages to this thread be handled. */
  turn(): Promise<void>;
  /** Sleeps until the word is no longer `seen`, a message came, or a while has passed. */
  wait(words: Int32Array, index: number, seen: number): Promise<void>;
}

const TRACE_BYTES = 6400 * TRACE_RECORD_BYTES;
/** Calls of Replica.run between looks at the thread's messages. */
const RUNS_PER_TURN = 4000;
/** Looks at the other hosts' words before sleeping. */
const SPINS = 300;

interface Local {
  readonly kernel: KernelId;
  readonly replica: Replica;
  next: Cycles;
  /** Bound by other hosts. */
  outer: Cycles;
  dirty: boolean;
  readonly hash: [number, number];
  sequence: number;
}

export class Host {
  readonly #environment: HostEnvironment;
  readonly #host: number;
  readonly #hosts: number;
  readonly #locals: Local[] = [];
  readonly #byKernel: (Local | null)[];
  readonly #latency: readonly (readonly number[])[];
  /** [other host][position of local]: least latency. */
  readonly #fromHost: number[][] = [];
  readonly #words: HostWords;
  readonly #snapshot: bigint[] = [];
  #limit: Cycles = 0;
  #reported: Cycles = -1;
  #wake: (() => void) | null = null;
  #trace = new Uint8Array(TRACE_BYTES);
  #view = new DataView(this.#trace.buffer);
  #traceLength = 0;
  #stopped = false;

  constructor(environment: HostEnvironment, init: Extract<ToHost, { kind: 'init' }>, make: ReplicaFactory = createReplica) {
    const { host, hosts, options } = init;
    const { topology, kernels } = options;
    this.#environment = environment;
    this.#host = host;
    this.#hosts = hosts;
    const map = memoryMap(topology, options.memoryLimit);
    const memory = init.memory === null ? PhysicalMemory.create(map.bytes) : new PhysicalMemory(init.memory);
    this.#words = new HostWords(memory, hosts);
    const processor = new Processor({
      memory: memory.wasm, decodeCacheBase: map.decodeCache(host), decodeCacheBytes: DECODE_CACHE_BYTES, lowLimit: map.lowLimit, costs: instructionCosts(),
    });
    const position = new Map(topology.cores.map((core, index) => [core.id, index]));
    const plan = kernels[0]?.plan ?? { mode: 'single', partitions: [] };
    const transfer = (from: number, to: number): number => lineTransfer(topology, from, to);
    this.#latency = latencyTable(topology, plan, KERNEL_COSTS.ipiDelivery.value, transfer);
    this.#byKernel = kernels.map(() => null);
    for (const parameters of kernels) {
      const { kernel } = parameters;
      if (hostOf(kernel, hosts) !== host) continue;
      const platform: Platform = {
        memory, topology, processor, rootArchive: options.rootArchive, lineTransfer: transfer,
        hart: (core) => processor.hart(map.hartState(position.get(core) ?? 0)),
        sent: (to, arrival) => this.#sent(kernel, to, arrival),
        trace: (time, kind, core, a, b, c, d) => this.#record(kernel, time, kind, core, a, b, c, d),
        output: (time, port, bytes) => environment.post({ kind: 'output', kernel, port, time, bytes: bytes.slice() }),
        programEnded: (time, status) => environment.post({ kind: 'ended', kernel, time, status }),
      };
      const local: Local = { kernel, replica: make(parameters, platform), next: NEVER, outer: 0, dirty: true, hash: [0x811c9dc5 ^ kernel, 0x1b873593], sequence: 0 };
      this.#locals.push(local);
      this.#byKernel[kernel] = local;
    }
    for (let other = 0; other < hosts; other++) {
      const theirs = kernels.filter((each) => hostOf(each.kernel, hosts) === other);
      this.#fromHost.push(this.#locals.map((local) => theirs.reduce((least, each) => Math.min(least, this.#latency[each.kernel]?.[local.kernel] ?? NEVER), NEVER)));
    }
  }

  /** Kernels that this host runs. */
  get kernels(): KernelId[] {
    return this.#locals.map((local) => local.kernel);
  }

  /** What comes from outside. From now on this host's word accounts for it. */
  input(inputs: Extract<ToHost, { kind: 'inputs' }>['inputs']): void {
    for (const { time, kernel, input } of inputs) {
      this.#byKernel[kernel]?.replica.input(time, input);
      this.#words.lower(this.#host, time);
    }
    this.#environment.post({ kind: 'taken', host: this.#host });
  }

  /** A further stretch of time. */
  advance(limit: Cycles): void {
    this.#limit = limit;
    this.#wake?.();
  }

  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  /** Runs for ever; rejects when a kernel fails. */
  async run(): Promise<void> {
    let runs = 0;
    let spins = 0;
    while (!this.#stopped) {
      const epoch = this.#words.epoch;
      const done = this.#round();
      runs += done;
      if (done > 0) {
        spins = 0;
        if (runs >= RUNS_PER_TURN) {
          runs = 0;
          await this.#environment.turn();
        }
        continue;
      }
      if (this.#allReached()) this.#report();
      if (this.#hosts > 1 && spins++ < SPINS && !this.#allReached()) continue;
      spins = 0;
      if (this.#words.epoch === epoch) await this.#sleep(epoch);
      else await this.#environment.turn();
    }
  }

  async #sleep(epoch: number): Promise<void> {
    const asked = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await Promise.race([asked, this.#environment.wait(this.#words.epochs, HostWords.epochIndex, epoch)]);
    this.#wake = null;
  }

  /** Publishes how far this host is, learns how far others are, and runs what may run. Returns how many calls of run it made. */
  #round(): number {
    const words = this.#words;
    let own: bigint | null = null;
    while (own === null) {
      const seen = words.load(this.#host);
      let least = NEVER;
      for (const local of this.#locals) {
        local.replica.collect();
        local.dirty = false;
        local.next = Math.min(NEVER, local.replica.nextTime());
        if (local.next < least) least = local.next;
      }
      own = words.raise(this.#host, seen, least);
    }
    words.snapshot(this.#snapshot);
    // Somebody sent us something since we looked: what is in the slots must be seen before time moves on.
    if (this.#snapshot[this.#host] !== own) return 1;
    for (const [i, local] of this.#locals.entries()) {
      let outer = this.#limit;
      for (let host = 0; host < this.#hosts; host++) {
        if (host !== this.#host) outer = Math.min(outer, HostWords.time(this.#snapshot[host] as bigint) + (this.#fromHost[host]?.[i] ?? NEVER));
      }
      local.outer = outer;
    }
    let runs = 0;
    for (; runs < 64; runs++) {
      const local = this.#pick();
      if (local === null) break;
      let until = local.outer;
      for (const other of this.#locals) if (other !== local) until = Math.min(until, other.next + (this.#latency[other.kernel]?.[local.kernel] ?? NEVER));
      const before = local.next;
      local.replica.run(until);
      local.dirty = true;
      this.#refresh();
      // With a horizon in the middle of a cell a kernel of several busy cores stands still: let the others move.
      if (local.next === before) local.outer = before;
    }
    return runs;
  }

  /** The kernel that is furthest behind and may run. */
  #pick(): Local | null {
    let best: Local | null = null;
    for (const local of this.#locals) if (local.next < local.outer && (best === null || local.next < best.next)) best = local;
    return best;
  }

  #refresh(): void {
    for (const local of this.#locals) {
      if (!local.dirty) continue;
      local.dirty = false;
      local.replica.collect();
      local.next = Math.min(NEVER, local.replica.nextTime());
    }
  }

  #sent(from: KernelId, to: KernelId, arrival: Cycles): Cycles {
    const local = this.#byKernel[to];
    if (local) {
      local.dirty = true;
    } else {
      this.#words.lower(hostOf(to, this.#hosts), arrival);
      for (const each of this.#locals) each.outer = Math.min(each.outer, arrival + (this.#latency[to]?.[each.kernel] ?? NEVER));
    }
    return arrival + (this.#latency[to]?.[from] ?? NEVER);
  }

  // --- telling the face ----------------------------------------------------------------------------------------------------------

  #allReached(): boolean {
    this.#words.snapshot(this.#snapshot);
    return this.#limit > 0 && this.#snapshot.every((word) => HostWords.time(word) >= this.#limit);
  }

  #report(): void {
    if (this.#reported === this.#limit) return;
    this.#reported = this.#limit;
    this.#flush();
    let next = NEVER;
    for (const local of this.#locals) next = Math.min(next, local.next);
    this.#environment.post({
      kind: 'reached', host: this.#host, limit: this.#limit, next, hashes: this.#locals.map(({ kernel, hash }) => [kernel, hash[0] >>> 0, hash[1] >>> 0] as const),
    });
  }

  #flush(): void {
    if (this.#traceLength === 0) return;
    const bytes = this.#trace.slice(0, this.#traceLength);
    this.#traceLength = 0;
    this.#environment.post({ kind: 'trace', bytes }, [bytes.buffer]);
  }

  #record(kernel: KernelId, time: Cycles, kind: number, core: number, a: number, b: number, c: number, d: number): void {
    if (this.#traceLength === TRACE_BYTES) this.#flush();
    const local = this.#byKernel[kernel] as Local;
    const view = this.#view;
    const at = this.#traceLength;
    this.#traceLength += TRACE_RECORD_BYTES;
    view.setFloat64(at, time, true);
    view.setUint16(at + 8, kind, true);
    view.setUint16(at + 10, kernel, true);
    view.setUint32(at + 12, core, true);
    view.setUint32(at + 16, a, true);
    view.setUint32(at + 20, b, true);
    view.setUint32(at + 24, c, true);
    view.setUint32(at + 28, d, true);
    view.setUint32(at + 32, local.sequence++, true);
    view.setUint32(at + 36, 0, true);
    // Two FNV-like chains over the ten words.
    let [high, low] = local.hash;
    for (let word = 0; word < TRACE_RECORD_BYTES; word += 4) {
      const value = view.getUint32(at + word, true);
      high = Math.imul(high ^ value, 0x01000193);
      low = Math.imul((low << 5) ^ (low >>> 27) ^ value, 0x85ebca6b);
    }
    local.hash[0] = high;
    local.hash[1] = low;
  }
}

/** What a host thread does with the messages that reach it. */
export function serveHost(environment: HostEnvironment): (message: ToHost) => void {
  let host: Host | null = null;
  const failed = (index: number, kernels: readonly number[], error: unknown): void =>
    environment.post({ kind: 'failed', host: index, kernels, message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  return (message) => {
    if (message.kind === 'advance') {
      host?.advance(message.limit);
      return;
    }
    if (message.kind === 'inputs') {
      host?.input(message.inputs);
      return;
    }
    try {
      const made = new Host(environment, message);
      host = made;
      environment.post({ kind: 'ready', host: message.host });
      made.run().catch((error: unknown) => failed(message.host, made.kernels, error));
    } catch (error) {
      failed(message.host, message.options.kernels.filter((each) => hostOf(each.kernel, message.hosts) === message.host).map((each) => each.kernel), error);
    }
  };
}

export type { WorldOptions };
