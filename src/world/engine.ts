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
 * A stretch can be ended before its limit, at a time that no kernel has passed. Take an event at time t that is still to come. As its kernel
 * could send to any other, no kernel has passed t + LATENCY_MAX, nor will one before the word of the event's host rises beyond t. So
 * the host of the event may lower the limit to t + LATENCY_MAX (or to where its own kernels are, if that is later), as long as it does so
 * before it raises its word. `#cut` does that when the face asks for it, with what is next; and the end of the `exec` program does it with
 * its own time, so that a run ends where its program ended, however fast which host was.
 *
 * Always holds: what a kernel does is the same whatever hosts there are and however fast they are; only `Replica` decides it.
 */
import type { BootParameters } from '../kernel/boot/parameters.ts';
import { CLIENT_KERNEL } from '../kernel/net/parameters.ts';
import type { Cycles, KernelId } from '../kernel/types.ts';
import { createReplica } from '../kernel/boot/start.ts';
import { CELL } from '../kernel/sched/scheduler.ts';
import { latencyBounds } from '../kernel/message/latency.ts';
import { kernelsMax } from '../kernel/partition/map.ts';
import { StartCells } from '../machine/start-cells.ts';
import type { Platform } from '../kernel/platform.ts';
import type { Replica, ReplicaFactory } from '../kernel/replica.ts';
import { TRACE_RECORD_BYTES } from '../kernel/trace.ts';
import { Caches } from '../machine/caches.ts';
import { instructionCosts } from '../machine/costs.ts';
import { CardSwitch } from '../machine/devices/card-switch.ts';
import { cardFunctions } from '../machine/devices/devices.ts';
import { Nic } from '../machine/devices/nic.ts';
import { Processor } from '../machine/hart/hart.ts';
import { Disk } from '../machine/devices/disk.ts';
import { DECODE_CACHE_BYTES, memoryMap, type NodeRange, TRANSLATION_BYTES } from '../machine/layout.ts';
import { PhysicalMemory } from '../machine/memory.ts';
import type { Topology } from '../machine/topology/topology.ts';
import { type FromHost, hostOf, type ToHost } from './protocol.ts';
import { HostWords, NEVER } from './words.ts';
import { OutputBatch } from './outputs.ts';

/** What a host needs of the thread it lives in. */
export interface HostEnvironment {
  post(message: FromHost, transfer?: ArrayBuffer[]): void;
  /** Lets messages to this thread be handled. */
  turn(): Promise<void>;
  /** Sleeps until the word is no longer `seen`, a message came, or a while has passed. */
  wait(words: Int32Array, index: number, seen: number): Promise<void>;
}

const TRACE_BYTES = 6400 * TRACE_RECORD_BYTES;
/** One call of Replica.run goes no further than to the next multiple of this: between calls a stretch can be ended. A multiple of CELL. */
export const CHUNK = 512 * CELL;
/** Cycles, of each core that might have used them, between looks at the thread's messages. */
const WORK_PER_TURN = 1 << 20;
/** Runs between looks at the other hosts' words. */
const RUNS_PER_ROUND = 16;
const RUNS_ALONE = 1000;
/** Looks at its bell and at the others' words before a host sleeps. */
const SPINS = 6;
/** Milliseconds that a host sleeps at most before it looks again; nothing depends on it. */
const NAP = 100;

/** What a kernel finds under itself. */
interface Machine {
  readonly topology: Topology;
  readonly nodes: readonly NodeRange[];
  readonly rootArchive: Uint8Array;
  readonly disk: Disk;
  /** Where the states of its harts begin. */
  readonly firstHart: number;
  readonly parameters: readonly BootParameters[];
}

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
  /** Of a message between any two kernels, whichever cores they have. */
  readonly #latency: { readonly least: Cycles; readonly most: Cycles };
  readonly #starts: StartCells;
  readonly #bells = [0, 0, 0, 0];
  readonly #make: (kernel: KernelId) => Replica;
  readonly #words: HostWords;
  readonly #snapshot: bigint[] = [];
  readonly #sharesMemory: boolean;
  readonly disk: Disk;
  /** The limit that the last round went by. */
  #limit: Cycles = 0;
  /** The earliest of what was to come when this host's word was last raised. */
  #least: Cycles = 0;
  /** How far a kernel of this host has been run. */
  #reached: Cycles = 0;
  /** Work since the last turn. */
  #work = 0;
  #cutDone = false;
  /** This host's word as last raised. */
  #own = 0n;
  #reported: Cycles = 0;
  #wake: (() => void) | null = null;
  #trace = new Uint8Array(TRACE_BYTES);
  #view = new DataView(this.#trace.buffer);
  #traceLength = 0;
  readonly #outputs = new OutputBatch();
  #stopped = false;

  constructor(environment: HostEnvironment, init: Extract<ToHost, { kind: 'init' }>, make: ReplicaFactory = createReplica) {
    const { host, hosts, options } = init;
    const { topology, kernels } = options;
    this.#environment = environment;
    this.#host = host;
    this.#hosts = hosts;
    const client = options.client ?? null;
    const map = memoryMap(topology, options.memoryLimit, client?.topology ?? null);
    const memory = init.memory === null ? PhysicalMemory.create(map.bytes) : new PhysicalMemory(init.memory);
    this.#sharesMemory = init.memory !== null;
    const disk = new Disk(memory, map.disk);
    this.disk = disk;
    if (init.memory === null && options.disk !== null) disk.insert(options.disk.image, options.disk.bytes);
    this.#words = new HostWords(memory, hosts);
    const processor = new Processor({
      memory: memory.wasm,
      decodeCacheBase: map.decodeCache(host),
      decodeCacheBytes: DECODE_CACHE_BYTES,
      lowLimit: map.lowLimit,
      costs: instructionCosts(),
      caches: options.caches,
      ...(options.engine === 'translate' ? { translate: { base: map.translation(host), bytes: TRANSLATION_BYTES } } : {}),
    });
    const server: Machine = { topology, nodes: map.nodes, rootArchive: options.rootArchive, disk, firstHart: 0, parameters: kernels };
    const other: Machine | null =
      client === null || map.client === null
        ? null
        : {
            topology: client.topology,
            nodes: [map.client.node],
            rootArchive: client.rootArchive ?? options.rootArchive,
            disk: new Disk(memory, map.client.disk),
            firstHart: topology.cores.length,
            parameters: [client.kernel],
          };
    this.#latency = latencyBounds(topology);
    const cardSwitch = new CardSwitch(memory, map.card, cardFunctions(topology), this.#latency.least);
    this.#starts = new StartCells(memory);
    const most = kernelsMax(topology.cores.length);
    this.#byKernel = Array.from({ length: other === null ? most : CLIENT_KERNEL + 1 }, () => null);
    this.#make = kernel => {
      const machine = other !== null && kernel === CLIENT_KERNEL ? other : server;
      const caches = options.caches ? new Caches(machine.topology, machine.nodes) : null;
      const position = new Map(machine.topology.cores.map((core, index) => [core.id, machine.firstHart + index]));
      const platform: Platform = {
        memory,
        topology: machine.topology,
        nodes: machine.nodes,
        disk: machine.disk,
        processor,
        rootArchive: machine.rootArchive,
        card: {
          hasCable: other !== null,
          nic: number =>
            new Nic(memory, map.card, cardSwitch, machine === server ? number : cardSwitch.wire, topology.hertz, other !== null),
          sent: (arrival, toFar) => (toFar && machine === server ? this.#sent(CLIENT_KERNEL, arrival) : this.#sentToMachine(arrival)),
        },
        hart: core => {
          const hart = processor.hart(map.hartState(position.get(core) ?? machine.firstHart));
          hart.miss = caches?.missOf(core) ?? null;
          return hart;
        },
        sent: (to, arrival) => this.#sent(to, arrival),
        start: (other, address, bytes, arrival) => {
          this.#starts.request(other, address, bytes, arrival);
          return this.#sent(other, arrival);
        },
        startRequest: () => this.#starts.read(kernel),
        trace: (time, kind, core, a, b, c, d) => this.#record(kernel, time, kind, core, a, b, c, d),
        output: (time, port, bytes) => this.#output(kernel, port, time, bytes),
        programEnded: (time, status) => this.#programEnded(kernel, time, status),
      };
      return make(kernel, machine.parameters.find(each => each.kernel === kernel) ?? null, platform);
    };
    for (const { kernel } of [...kernels, ...(client === null ? [] : [client.kernel])])
      if (hostOf(kernel, hosts) === host) this.#local(kernel);
  }

  /** The kernel's replica, made when there is first something for it. */
  #local(kernel: KernelId): Local {
    const known = this.#byKernel[kernel];
    if (known) return known;
    const local: Local = {
      kernel,
      replica: this.#make(kernel),
      next: NEVER,
      outer: 0,
      dirty: true,
      hash: [0x811c9dc5 ^ kernel, 0x1b873593],
      sequence: 0,
    };
    this.#locals.push(local);
    this.#locals.sort((a, b) => a.kernel - b.kernel);
    this.#byKernel[kernel] = local;
    return local;
  }

  /** Replicas for kernels that others have started. */
  #lookForStarts(): void {
    for (let word = 0; word * 32 < this.#byKernel.length; word++) {
      const bells = this.#starts.bells(word);
      if (bells === this.#bells[word]) continue;
      this.#bells[word] = bells;
      for (let bit = 0; bit < 32; bit++)
        if (bells & (1 << bit) && hostOf(word * 32 + bit, this.#hosts) === this.#host) this.#local(word * 32 + bit);
    }
  }

  /** Kernels that this host runs. */
  get kernels(): KernelId[] {
    return this.#locals.map(local => local.kernel);
  }

  /** What comes from outside. From now on this host's word accounts for it. */
  input(inputs: Extract<ToHost, { kind: 'inputs' }>['inputs']): void {
    for (const { time, kernel, input } of inputs) {
      this.#byKernel[kernel]?.replica.input(time, input);
      this.#words.lower(this.#host, time);
    }
    this.#environment.post({ kind: 'taken', host: this.#host });
  }

  /** A further stretch of time. A host that shares its memory with the face finds the limit there. */
  advance(limit: Cycles): void {
    if (!this.#sharesMemory) this.#words.startStretch(limit);
    this.#wake?.();
  }

  /** The stretch is to end soon. */
  cut(): void {
    this.#words.requestCut();
  }

  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  /** Runs for ever; rejects when a kernel fails. */
  async run(): Promise<void> {
    let idle = 0;
    while (!this.#stopped) {
      const bell = this.#words.bell(this.#host);
      if (idle > SPINS) this.#words.setAsleep(this.#host, true);
      const moved = this.round();
      if (this.#work >= WORK_PER_TURN) {
        this.#work = 0;
        await this.#environment.turn();
      }
      if (moved) {
        if (idle > SPINS) this.#words.setAsleep(this.#host, false);
        idle = 0;
      } else if (this.atRest()) {
        await this.#sleep(bell);
        this.#words.setAsleep(this.#host, false);
        idle = 0;
      } else if (this.#hosts === 1) {
        // The face may have begun a stretch since the round looked: then there is another round.
        if (this.#words.limit !== this.#limit) continue;
        throw new Error(`kernel ${this.#pick()?.kernel ?? '?'} stands still at ${this.#least}, before the limit ${this.#words.limit}`);
      } else if (idle++ > SPINS) {
        // Other hosts have work before the limit. No message from the face can come meanwhile that matters: inputs come to a world at rest.
        Atomics.wait(this.#words.bells, this.#words.bellIndex(this.#host), bell, NAP);
        this.#words.setAsleep(this.#host, false);
        idle = 0;
      }
    }
  }

  async #sleep(bell: number): Promise<void> {
    const asked = new Promise<void>(resolve => {
      this.#wake = resolve;
    });
    await Promise.race([asked, this.#environment.wait(this.#words.bells, this.#words.bellIndex(this.#host), bell)]);
    this.#wake = null;
  }

  /** Publishes how far this host is, learns how far others are, and runs what may run. Returns whether that was anything. */
  round(): boolean {
    const words = this.#words;
    let own: bigint | null = null;
    while (own === null) {
      const seen = words.load(this.#host);
      // What others write is accounted for in the word: while that is as this host left it, only what happened here can have changed anything, or
      // between two stretches whoever has the replicas at hand (bench/crowd.ts).
      const untouched = seen === this.#own && words.limit === this.#limit;
      if (!untouched) this.#lookForStarts();
      let least = NEVER;
      for (const local of this.#locals) {
        if (!untouched || local.dirty) this.#look(local);
        if (local.next < least) least = local.next;
      }
      this.#least = least;
      own = words.raise(this.#host, seen, least);
    }
    if (own !== this.#own) words.ringBefore(this.#least + this.#latency.most, this.#host);
    words.snapshot(this.#snapshot);
    this.#own = own;
    // Somebody sent us something since we looked: what is in the slots must be seen before time moves on.
    if (this.#snapshot[this.#host] !== own) return true;
    const { limit } = words;
    this.#limit = limit;
    let outer = limit;
    for (let host = 0; host < this.#hosts; host++)
      if (host !== this.#host) outer = Math.min(outer, HostWords.time(this.#snapshot[host] as bigint) + this.#latency.least);
    for (const local of this.#locals) local.outer = outer;
    let moved = false;
    for (let runs = 0; runs < (this.#hosts > 1 ? RUNS_PER_ROUND : RUNS_ALONE) && this.#work < WORK_PER_TURN; runs++) {
      const local = this.#pick();
      if (local === null) break;
      if (this.#run(local)) moved = true;
      // A horizon in the middle of a cell lets a kernel of several busy cores stand still: the others are to move.
      else local.outer = local.next;
      if (words.cutRequested) this.#cut();
    }
    return moved;
  }

  /** Returns whether it got anywhere. */
  #run(local: Local): boolean {
    const before = local.next;
    let until = Math.min(local.outer, (Math.floor(before / CHUNK) + 1) * CHUNK);
    for (const other of this.#locals) if (other !== local) until = Math.min(until, other.next + this.#latency.least);
    if (until <= before) return false;
    this.#reached = Math.max(this.#reached, until);
    local.replica.run(until);
    local.dirty = true;
    for (const each of this.#locals) if (each.dirty) this.#look(each);
    this.#work += (Math.min(local.next, until) - before) * local.replica.cores;
    return local.next !== before;
  }

  #look(local: Local): void {
    local.dirty = false;
    local.replica.collect();
    local.next = Math.min(NEVER, local.replica.nextTime());
  }

  /** The kernel that is furthest behind and may run. */
  #pick(): Local | null {
    let best: Local | null = null;
    for (const local of this.#locals) if (local.next < local.outer && (best === null || local.next < best.next)) best = local;
    return best;
  }

  #sent(to: KernelId, arrival: Cycles): Cycles {
    const { least } = this.#latency;
    if (hostOf(to, this.#hosts) === this.#host) {
      this.#local(to).dirty = true;
    } else {
      this.#words.lower(hostOf(to, this.#hosts), arrival);
      for (const each of this.#locals) each.outer = Math.min(each.outer, arrival + least);
    }
    return arrival + least;
  }

  /** Something comes through the card to whichever kernel has that function by then: all may have something to look for. */
  #sentToMachine(arrival: Cycles): Cycles {
    const { least } = this.#latency;
    for (const each of this.#locals) each.dirty = true;
    for (let host = 0; host < this.#hosts; host++) if (host !== this.#host) this.#words.lower(host, arrival);
    if (this.#hosts > 1) for (const each of this.#locals) each.outer = Math.min(each.outer, arrival + least);
    return arrival + least;
  }

  // --- ends of a stretch -------------------------------------------------------------------------------------------------------

  #cut(): void {
    if (this.#cutDone) return;
    this.#cutDone = true;
    this.#endAt(this.#hosts === 1 ? this.#reached : Math.max(this.#reached, this.#least + this.#latency.most));
  }

  #programEnded(kernel: KernelId, time: Cycles, status: number): void {
    const end = Math.ceil((time + this.#latency.most + 1) / CHUNK) * CHUNK;
    this.#endAt(end);
    this.#environment.post({ kind: 'ended', kernel, time, status, end });
  }

  #endAt(time: Cycles): void {
    const end = Math.ceil(time / CELL) * CELL;
    this.#words.lowerLimit(end);
    for (const local of this.#locals) local.outer = Math.min(local.outer, end);
  }

  // --- telling the face ----------------------------------------------------------------------------------------------------------

  /** Whether no kernel anywhere has anything to do before the limit. The face hears of it. */
  atRest(): boolean {
    this.#words.snapshot(this.#snapshot);
    if (this.#snapshot[this.#host] !== this.#own) return false;
    const { limit } = this.#words;
    if (!this.#snapshot.every(word => HostWords.time(word) >= limit)) return false;
    if (limit > this.#reported) this.#report(limit);
    return true;
  }

  #report(limit: Cycles): void {
    this.#reported = limit;
    this.#cutDone = false;
    this.#words.ringAll(this.#host);
    this.#flush();
    this.#flushOutputs();
    this.#environment.post({
      kind: 'reached',
      host: this.#host,
      limit,
      next: this.#least,
      hashes: this.#locals.map(({ kernel, hash }) => [kernel, hash[0] >>> 0, hash[1] >>> 0] as const),
    });
  }

  #output(kernel: KernelId, port: number, time: Cycles, bytes: Uint8Array): void {
    if (this.#outputs.add(kernel, port, time, bytes)) return;
    this.#flushOutputs();
    this.#outputs.add(kernel, port, time, bytes);
  }

  #flushOutputs(): void {
    const batch = this.#outputs.take();
    if (batch !== null) this.#environment.post({ kind: 'outputs', batch }, [batch.buffer]);
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
export function serveHost(environment: HostEnvironment, make?: ReplicaFactory): (message: ToHost) => void {
  let host: Host | null = null;
  let init: Extract<ToHost, { kind: 'init' }> | null = null;
  const failed = (error: unknown): void => {
    if (init === null) throw error;
    const { hosts, options } = init;
    const index = init.host;
    host?.stop();
    environment.post({
      kind: 'failed',
      host: index,
      kernels: options.kernels.map(each => each.kernel).filter(kernel => hostOf(kernel, hosts) === index),
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      tooLarge: error instanceof RangeError && host === null,
    });
  };
  return message => {
    try {
      switch (message.kind) {
        case 'init':
          init = message;
          host = new Host(environment, message, make);
          environment.post({ kind: 'ready', host: message.host });
          host.run().catch(failed);
          return;
        case 'inputs':
          host?.input(message.inputs);
          return;
        case 'advance':
          host?.advance(message.limit);
          return;
        case 'cut':
          host?.cut();
          return;
        case 'disk':
          if (host !== null) environment.post({ kind: 'disk', image: host.disk.image() });
          return;
      }
    } catch (error) {
      failed(error);
    }
  };
}
