/**
 * A machine of several kernels in one thread, for the kernel's tests: small, without hosts. The world does the same for real.
 *
 *     const lab = new KernelLab({ cores: 4, kernels: 2, exec: ['popcorn', 'echo', 'hi'] });
 *     lab.run(1e9); lab.stdout
 */
import { gunzipSync } from 'fflate';
import { instructionCosts } from '../machine/costs.ts';
import { cardBytes, Nic } from '../machine/devices/nic.ts';
import { Processor } from '../machine/hart/hart.ts';
import { CardSwitch } from '../machine/devices/card-switch.ts';
import { cardFunctions, usualDevices } from '../machine/devices/devices.ts';
import { Disk, DISK_AREA_BYTES } from '../machine/devices/disk.ts';
import { DECODE_CACHE_BYTES, HOSTS_MAX, memoryMap, TRANSLATION_BYTES } from '../machine/layout.ts';
import { PhysicalMemory } from '../machine/memory.ts';
import type { Topology } from '../machine/topology/topology.ts';
import { object } from '../machine/topology/tree.ts';
import { StartCells } from '../machine/start-cells.ts';
import type { BootParameters, ImageMode, ReplicaInput, ResolvedPlan } from './boot/parameters.ts';
import { createReplica, KernelReplica } from './boot/start.ts';
import type { Kernel } from './kernel.ts';
import { latencyBounds } from './message/latency.ts';
import { CAPTURE_PORT } from './net/frame-trace.ts';
import { CLIENT_KERNEL, DEFAULT_NETWORK, type NetworkParameters } from './net/parameters.ts';
import { DEFAULT_MESSAGES, type MessageSettings } from './message/settings.ts';
import { kernelsMax } from './partition/map.ts';
import type { Platform } from './platform.ts';
import type { Replica } from './replica.ts';

export interface LabOptions {
  readonly cores?: number;
  readonly kernels?: number;
  readonly exec?: readonly string[];
  readonly migrateEvery?: number;
  readonly archive: Uint8Array;
  readonly seed?: number;
  readonly messages?: MessageSettings;
  /** What is on the disk; left out: the machine's disk is empty, without so much as a sector. */
  readonly disk?: Uint8Array | null;
  readonly mode?: ImageMode;
  /** A client machine of one core at the other end of the cable. */
  readonly client?: boolean;
  readonly network?: Partial<NetworkParameters>;
}

/** One node and no caches to speak of. */
function flat(cores: number, nodes: number): Topology {
  const per = cores / nodes;
  return {
    name: 'flat',
    model: 'test',
    hertz: 2.2e9,
    root: object('Machine', 0, []),
    cores: Array.from({ length: cores }, (_, id) => ({
      id,
      node: Math.floor(id / per),
      package: 0,
      core: id,
      caches: [id, id, Math.floor(id / per)],
    })),
    nodes: Array.from({ length: nodes }, (_, id) => ({
      id,
      bytes: 1 << 30,
      package: 0,
      cores: Array.from({ length: per }, (_e, i) => id * per + i),
    })),
    distances: Array.from({ length: nodes }, (_, i) => Array.from({ length: nodes }, (_e, j) => (i === j ? 10 : 16))),
  };
}

export const inflate = (archive: Uint8Array): Uint8Array => gunzipSync(archive);

export class KernelLab {
  readonly replicas: Replica[] = [];
  readonly output: string[][];
  readonly plan: ResolvedPlan;
  readonly disk: Disk;
  status: number | null = null;
  records = 0;
  readonly trace: (readonly number[])[] = [];
  /** Frames, where `network` says so. */
  readonly captured: { readonly time: number; readonly kernel: number; readonly bytes: Uint8Array }[] = [];
  readonly #least: number;
  /** Two 32-bit halves of a running hash of all trace records. */
  #hash = [0x811c9dc5, 0x1b873593];
  #limit = 0;

  constructor({
    cores = 1,
    kernels = 1,
    exec,
    migrateEvery = 0,
    archive,
    seed = 1,
    messages = DEFAULT_MESSAGES,
    disk = null,
    mode = 'single',
    client = false,
    network = {},
  }: LabOptions) {
    const topology = flat(cores, kernels);
    const other = client ? flat(1, 1) : null;
    const card = Math.ceil(cardBytes(cardFunctions(topology)) / 2 ** 20) * 2 ** 20;
    const hardware = HOSTS_MAX * (DECODE_CACHE_BYTES + TRANSLATION_BYTES) + DISK_AREA_BYTES + card;
    const map = memoryMap(topology, (28 << 20) + hardware + kernels * (64 << 20) + (client ? 160 << 20 : 0), other);
    const memory = PhysicalMemory.create(map.bytes);
    const processor = new Processor({
      memory: memory.wasm,
      decodeCacheBase: map.decodeCache(0),
      decodeCacheBytes: 4 << 20,
      lowLimit: map.lowLimit,
      costs: instructionCosts(),
    });
    this.plan = {
      mode,
      partitions: topology.nodes.map((node, kernel) => ({
        kernel,
        cores: node.cores,
        memory: [map.nodes[kernel] as (typeof map.nodes)[number]],
        devices: kernel === 0 ? usualDevices(topology) : [],
      })),
    };
    const cells = new StartCells(memory);
    this.disk = new Disk(memory, map.disk);
    if (disk !== null) this.disk.insert(disk, disk.length);
    this.#least = latencyBounds(topology).least;
    const cardSwitch = new CardSwitch(memory, map.card, cardFunctions(topology), this.#least);
    this.output = Array.from({ length: kernelsMax(cores) }, () => ['', '', '', '', '']);
    const program =
      exec === undefined
        ? null
        : { kernel: 0, path: exec[0] as string, argv: exec, env: ['PATH=/usr/bin:/bin', 'HOME=/root'], migrateEvery };
    const numbers = Array.from({ length: kernelsMax(cores) }, (_, kernel) => kernel);
    for (const kernel of other === null ? numbers : [...numbers, CLIENT_KERNEL]) {
      const isClient = kernel === CLIENT_KERNEL;
      const own = isClient && other !== null ? other : topology;
      const nodes = isClient && map.client !== null ? [map.client.node] : map.nodes;
      const platform: Platform = {
        memory,
        topology: own,
        processor,
        rootArchive: archive,
        nodes,
        disk: this.disk,
        card: {
          hasCable: client,
          nic: number => new Nic(memory, map.card, cardSwitch, isClient ? cardSwitch.wire : number, topology.hertz, client),
          sent: arrival => arrival + this.#least,
        },
        hart: core => processor.hart(map.hartState(isClient ? topology.cores.length + core : core)),
        sent: (_to, arrival) => arrival + this.#least,
        start: (target, address, bytes, arrival) => {
          cells.request(target, address, bytes, arrival);
          return arrival + this.#least;
        },
        startRequest: () => cells.read(kernel),
        trace: (time, kind, core, a, b, c, d) => {
          this.records++;
          for (const value of [time, kind, core, a, b, c, d]) this.#mix(kernel, value);
          if (kind !== 12) this.trace.push([time, kernel, kind, core, a, b, c, d]);
        },
        output: (time, port, bytes) => {
          if (port === CAPTURE_PORT) this.captured.push({ time, kernel, bytes });
          else this.#outputOf(kernel)[port] += String.fromCharCode(...bytes);
        },
        programEnded: (_time, status) => {
          this.status = status;
        },
      };
      const partition = {
        kernel,
        cores: own.cores.map(({ id }) => id),
        memory: nodes,
        devices: usualDevices(own),
      };
      const firmware: BootParameters = {
        kernel,
        plan: isClient ? { mode: 'federation', partitions: [partition] } : this.plan,
        by: kernel,
        present: [],
        seed,
        caches: true,
        messages,
        balance: false,
        network: { ...DEFAULT_NETWORK, ...network },
        exec: program,
        init: exec === undefined || mode === 'federation',
      };
      this.replicas.push(createReplica(kernel, kernel === 0 || isClient ? firmware : null, platform));
    }
    this.input(0, { kind: 'power' });
    if (client) this.input(CLIENT_KERNEL, { kind: 'power' });
  }

  #outputOf(kernel: number): string[] {
    return (this.output[kernel] ??= ['', '', '', '', '']);
  }

  #mix(kernel: number, value: number): void {
    this.#hash[0] = Math.imul((this.#hash[0] as number) ^ ((value % 4294967296) | 0) ^ kernel, 0x01000193);
    this.#hash[1] = Math.imul((this.#hash[1] as number) ^ ((Math.floor(value / 4294967296) + value) | 0), 0x85ebca6b);
  }
  get fingerprint(): string {
    return this.#hash.map(half => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }

  /** The kernels that run. */
  get running(): Kernel[] {
    return this.replicas.flatMap(replica => (replica instanceof KernelReplica && replica.machine?.isRunning ? [replica.machine] : []));
  }

  input(kernel: number, input: ReplicaInput): void {
    this.replicas.find(replica => replica.kernel === kernel)?.input(this.#limit, input);
  }

  /** Cycles up to which it has been run. */
  get now(): number {
    return this.#limit;
  }

  get stdout(): string {
    return this.output[0]?.[1] ?? '';
  }
  get stderr(): string {
    return this.output[0]?.[2] ?? '';
  }
  console(kernel: number): string {
    return this.output[kernel]?.[0] ?? '';
  }
  log(kernel: number): string {
    return this.output[kernel]?.[3] ?? '';
  }

  /** Types a line on a kernel's console, and goes on for so many cycles. Returns what the console has said meanwhile. */
  type(kernel: number, text: string, cycles: number): string {
    const before = this.console(kernel).length;
    this.input(kernel, { kind: 'console', bytes: new TextEncoder().encode(`${text}\n`) });
    this.run(this.now + cycles);
    return this.console(kernel).slice(before).replaceAll('\r', '');
  }

  /** Runs until `limit` cycles, until nothing is left to do, or the program has ended. Returns the time reached. */
  run(limit: number, stop: () => boolean = () => this.status !== null): number {
    this.#limit = Math.ceil(limit / 512) * 512;
    for (;;) {
      for (const replica of this.replicas) replica.collect();
      const next = this.replicas.map(replica => replica.nextTime());
      const least = next.indexOf(Math.min(...next));
      const time = next[least] as number;
      if (time >= this.#limit || stop()) return Math.min(time, this.#limit);
      let horizon = this.#limit;
      for (const [j, other] of next.entries()) if (j !== least) horizon = Math.min(horizon, other + this.#least);
      (this.replicas[least] as Replica).run(horizon);
    }
  }
}
