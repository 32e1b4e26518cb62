/**
 * All kernels of a 64-core machine talking at once, datagrams of 1000 bytes from stack to stack: each to its neighbour, and each to all others in
 * turn. Through the virtual switch, where all goes by the hub; and through virtual functions of the network card, one a kernel, where nothing does.
 * What was offered either comes or is counted by a ring that was full: else it throws.
 */
import type { ReplicaInput } from '../../kernel/boot/parameters.ts';
import { createReplica, type KernelReplica } from '../../kernel/boot/start.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { DEFAULT_MESSAGES } from '../../kernel/message/settings.ts';
import { addressOfFunction, addressOfKernel, DEFAULT_NETWORK, macOfKernel } from '../../kernel/net/parameters.ts';
import type { Ipv4Address, MacAddress } from '../../kernel/net/platform.ts';
import type { SwitchVersion } from '../../kernel/net/switch/settings.ts';
import { CELL } from '../../kernel/sched/scheduler.ts';
import { resolvePlan } from '../../lab/plan.ts';
import { macOfFunction } from '../../machine/devices/nic.ts';
import { preset } from '../../machine/topology/presets.ts';
import { localHost } from '../../world/local-host.ts';
import type { HostInput } from '../../world/protocol.ts';
import { World } from '../../world/world.ts';
import { embeddedRoot } from '../session.ts';
import type { Figure } from './observe.ts';

const TOPOLOGY = preset('opteron-6274');
const KERNELS = TOPOLOGY.cores.length;
const PORT = 9;
const BYTES = 1000;
const MS = TOPOLOGY.hertz / 1000;
/** Virtual milliseconds in which datagrams are sent; and until the last has come, at most. */
const TALK_MS = 5;
const PATIENCE_MS = 500;

/** How packets get from kernel to kernel. */
interface Way {
  readonly name: string;
  readonly plan: string;
  readonly version: SwitchVersion;
  readonly addressOf: (kernel: number) => Ipv4Address;
  readonly macOf: (kernel: number) => MacAddress;
  readonly device: (kernel: number) => string;
  /** Packets that each kernel sends in a second. */
  readonly rates: readonly number[];
}

/** A machine of 64 kernels that are up and have met. */
class Crowd {
  readonly #world: World;
  readonly #replicas: readonly KernelReplica[];
  readonly #addressOf: (kernel: number) => Ipv4Address;

  private constructor(world: World, replicas: readonly KernelReplica[], addressOf: (kernel: number) => Ipv4Address) {
    this.#world = world;
    this.#replicas = replicas;
    this.#addressOf = addressOf;
  }

  static async gather({ plan, version, addressOf, device, macOf }: Way): Promise<Crowd> {
    const resolved = resolvePlan(plan, TOPOLOGY);
    const network = { ...DEFAULT_NETWORK, switch: { ...DEFAULT_NETWORK.switch, version } };
    const shared = { seed: 1, caches: true, messages: DEFAULT_MESSAGES, balance: false, init: false, exec: null, network };
    const kernels = resolved.partitions.map(({ kernel }) => ({ ...shared, kernel, plan: resolved, by: kernel, present: [] }));
    const replicas: KernelReplica[] = [];
    const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
    const host = localHost(turn, (kernel, firmware, platform) => {
      const made = createReplica(kernel, firmware, platform) as KernelReplica;
      replicas[kernel] = made;
      return made;
    });
    const options = { topology: TOPOLOGY, kernels, rootArchive: embeddedRoot(), disk: null, caches: true, memoryLimit: 2 ** 32 } as const;
    const fail = (_kernels: readonly number[], message: string): never => {
      throw new Error(message);
    };
    const listener = { trace: () => {}, output: () => {}, ended: () => {}, failed: fail };
    const world = await World.start({ ...options, engine: 'translate' }, [host], false, listener);
    const crowd = new Crowd(world, replicas, addressOf);
    const all = Array.from({ length: KERNELS - 1 }, (_, i) => i + 1);
    const power: HostInput = { time: 0, kernel: 0, input: { kind: 'power' } };
    const boots = all.map((kernel): HostInput => ({ time: 0, kernel: 0, input: { kind: 'boot', kernel } satisfies ReplicaInput }));
    await crowd.#run(100, [power, ...boots]);
    for (const kernel of crowd.#kernels) crowd.#listen(kernel);
    crowd.#introduce(device, macOf);
    return crowd;
  }

  get #kernels(): Kernel[] {
    return this.#replicas.flatMap(({ machine }) => (machine === null ? [] : [machine]));
  }
  readonly #sockets = new Map<number, ReturnType<Kernel['net']['stack']['udpOpen']>>();
  /** Datagrams that have come, and when the last did. */
  #came = 0;
  #last = 0;

  #listen(kernel: Kernel): void {
    const socket = kernel.net.stack.udpOpen();
    socket.bind(0, PORT);
    socket.receiveBuffer = 1 << 26;
    socket.onChange = () => {
      while (typeof socket.receive() !== 'number') this.#came++;
      this.#last = Math.max(this.#last, kernel.now);
    };
    this.#sockets.set(kernel.id, socket);
  }

  async #run(milliseconds: number, inputs: readonly HostInput[] = []): Promise<void> {
    const until = Math.ceil((this.#world.now + milliseconds * MS) / CELL) * CELL;
    let pending = inputs;
    while (this.#world.now < until) {
      await this.#world.advance(until, [...pending]);
      pending = [];
    }
  }

  /** Each kernel sends so many datagrams, `gap` cycles apart. A kernel's turns lie evenly between those of the others. */
  #schedule(count: number, gap: number, to: (kernel: number, i: number) => number): void {
    for (const kernel of this.#kernels) {
      const socket = this.#sockets.get(kernel.id);
      for (let i = 0; i < count; i++) {
        kernel.at(this.#world.now + Math.round((i + kernel.id / KERNELS) * gap), () => {
          socket?.send(new Uint8Array(BYTES), { address: this.#addressOf(to(kernel.id, i)), port: PORT });
        });
      }
    }
  }

  /** All know the addresses of all: 64 kernels that ask each other would be another measurement. */
  #introduce(device: (kernel: number) => string, macOf: (kernel: number) => MacAddress): void {
    for (const { id, net } of this.#kernels) {
      const through = net.stack.interfaces.find(({ name }) => name === device(id));
      if (through === undefined) throw new Error(`kernel ${id} has no ${device(id)}`);
      for (let other = 0; other < KERNELS; other++) if (other !== id) net.stack.ip.arp.add(through, this.#addressOf(other), macOf(other));
    }
  }

  /** Packets that rings and the card had no room for, anywhere. */
  get #dropped(): number {
    return this.#kernels.reduce((sum, { vnet, virtualFunctions, nic }) => {
      const card = [...virtualFunctions.ports, nic.port].reduce((all, { counters }) => all + counters.txFull + counters.rxMissed, 0);
      return sum + vnet.full + vnet.nowhere + card;
    }, 0);
  }

  /** @throws Error when a datagram got lost that no ring has counted */
  async talk(
    rate: number,
    to: (kernel: number, i: number) => number,
  ): Promise<{ came: number; offered: number; seconds: number; wall: number }> {
    this.#came = 0;
    const begin = this.#world.now;
    const count = Math.round((rate * TALK_MS) / 1000);
    const before = this.#dropped;
    this.#schedule(count, TOPOLOGY.hertz / rate, to);
    const from = performance.now();
    const offered = count * KERNELS;
    let dropped = 0;
    for (let milliseconds = 0; this.#came + dropped < offered && milliseconds < PATIENCE_MS; milliseconds += TALK_MS) {
      await this.#run(TALK_MS);
      dropped = this.#dropped - before;
    }
    const wall = performance.now() - from;
    const came = this.#came;
    if (came + dropped !== offered) throw new Error(`of ${offered} packets ${came} came and ${dropped} were dropped`);
    return { came, offered, seconds: (this.#last - begin) / TOPOLOGY.hertz, wall };
  }

  close(): void {
    this.#world.close();
  }
}

const neighbour = (kernel: number): number => (kernel + 1) % KERNELS;
const everyone = (kernel: number, i: number): number => (kernel + 1 + (i % (KERNELS - 1))) % KERNELS;

/** Few enough for all that carries them but the programs of version `user`; and more than one core can pass on. */
const RATES = [4000, 60_000] as const;
const bySwitch = { plan: 'partitioned', addressOf: addressOfKernel, macOf: macOfKernel, device: () => 'vnet0' } as const;
const WAYS: readonly Way[] = [
  { ...bySwitch, name: 'user', version: 'user', rates: [500, 4000] },
  { ...bySwitch, name: 'kernel', version: 'kernel', rates: RATES },
  { ...bySwitch, name: 'rings', version: 'rings', rates: RATES },
  {
    ...{ name: 'virtual functions', plan: 'partitioned+vf', version: 'rings', rates: RATES },
    ...{ addressOf: addressOfFunction, macOf: macOfFunction, device: kernel => `eth${kernel}` },
  },
];

export async function crowd(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const way of WAYS) {
    const gathered = await Crowd.gather(way);
    for (const [whom, to] of [
      ['its neighbour', neighbour],
      ['all others', everyone],
    ] as const) {
      for (const rate of way.rates) {
        const { came, offered, seconds, wall } = await gathered.talk(rate, to);
        const gigabits = (came * (BYTES + 42) * 8) / seconds / 1e9;
        figures.push({
          what: `${way.name}, each of ${KERNELS} to ${whom}, ${(rate * KERNELS) / 1000}k packets a second offered`,
          value: `${(came / seconds / 1000).toFixed(0)}k a second, ${gigabits.toFixed(2)} Gb/s, ${offered - came} of ${offered} dropped; ${(came / wall).toFixed(1)}k a second of wall time`,
        });
      }
    }
    gathered.close();
  }
  return figures;
}
