/**
 * The caches between a kernel's cores and memory, and what it costs to go past them. One line in 1024 is followed, and what happens to it
 * counts 1024 times; so the model is cheap, and right on the average. The first level is in the hart (hart/): it asks here for lines that
 * it has not.
 *
 * What always holds:
 * - What an access costs follows from what the same kernel's cores have accessed before, and from where memory and cores are.
 * - A cache that cores of several kernels share is modelled for each kernel as if it had it alone: kernels share nothing that could tell
 *   one what another did.
 *
 * The first level is one such line: 64 KiB, whatever the machine's.
 *
 * Not in the model: fetches of instructions, coherence between cores, prefetching, bandwidth.
 */
import { MEMORY_COSTS } from './costs.ts';
import { SAMPLED_ONE_IN } from './hart/hart.ts';
import type { NodeRange } from './layout.ts';
import { coreOf, type Topology, type TopologyObject } from './topology/topology.ts';

const LINE_BYTES = 64;

/** Those of its lines that are followed: sets of ways, the least recently used goes. */
class Cache {
  /** Line numbers, the most recently used first in each set; −1 for none. */
  readonly #lines: Int32Array;
  readonly #sets: number;
  readonly #ways: number;
  constructor(bytes: number, ways: number) {
    const lines = Math.max(1, Math.floor(bytes / LINE_BYTES / SAMPLED_ONE_IN));
    this.#ways = Math.min(lines, ways > 0 ? ways : 16);
    this.#sets = Math.max(1, Math.floor(lines / this.#ways));
    this.#lines = new Int32Array(this.#sets * this.#ways).fill(-1);
  }

  /** Looks for a line, and has it from now on. */
  access(line: number): boolean {
    const lines = this.#lines;
    const from = (Math.floor(line / SAMPLED_ONE_IN) % this.#sets) * this.#ways;
    let at = from;
    while (at < from + this.#ways - 1 && lines[at] !== line) at++;
    const hit = lines[at] === line;
    lines.copyWithin(from + 1, from, at);
    lines[from] = line;
    return hit;
  }
}

export interface CacheStatistics {
  /** Accesses to followed lines that were in the cache of this level: index 0 is level 2. */
  readonly hits: readonly number[];
  /** Accesses to memory, by distance in the firmware's unit. */
  readonly memory: ReadonlyMap<number, number>;
}

/** The caches of one kernel's cores. */
export class Caches {
  readonly #topology: Topology;
  readonly #nodes: readonly NodeRange[];
  readonly #objects: readonly (readonly TopologyObject[])[];
  readonly #caches = new Map<string, Cache>();
  readonly #hits: number[] = [];
  readonly #memory = new Map<number, number>();

  constructor(topology: Topology, nodes: readonly NodeRange[]) {
    this.#topology = topology;
    this.#nodes = nodes;
    this.#objects = [1, 2, 3, 4, 5].map(level => cachesOf(topology.root, level));
  }

  get statistics(): CacheStatistics {
    return { hits: this.#hits, memory: this.#memory };
  }

  /** What a core asks when it has not the followed line at a physical address; it answers in cycles, weighted. */
  missOf(core: number): (physical: number) => number {
    const { caches, node } = coreOf(this.#topology, core);
    const beyond = caches.slice(1).flatMap((index, i) => {
      const object = this.#objects[i + 1]?.[index];
      return object === undefined ? [] : [{ level: i + 2, cache: this.#cache(`${i + 2} ${index}`, object) }];
    });
    const distances = this.#topology.distances[node] ?? [];
    return physical => {
      const line = Math.floor(physical / LINE_BYTES);
      let cost = -1;
      for (const { level, cache } of beyond) {
        if (!cache.access(line) || cost >= 0) continue;
        cost = (level === 2 ? MEMORY_COSTS.secondLevel : MEMORY_COSTS.thirdLevel).value;
        this.#hits[level - 2] = (this.#hits[level - 2] ?? 0) + 1;
      }
      if (cost < 0) {
        const distance = distances[this.#nodeOf(physical)] ?? 10;
        cost = ofDistance(distance);
        this.#memory.set(distance, (this.#memory.get(distance) ?? 0) + 1);
      }
      return cost * SAMPLED_ONE_IN;
    };
  }

  #cache(key: string, { bytes, ways }: TopologyObject): Cache {
    let found = this.#caches.get(key);
    if (found === undefined) {
      found = new Cache(bytes, ways);
      this.#caches.set(key, found);
    }
    return found;
  }
  #nodeOf(physical: number): number {
    return this.#nodes.find(({ base, bytes }) => physical >= base && physical < base + bytes)?.node ?? 0;
  }
}

const ofDistance = (distance: number): number => distance * MEMORY_COSTS.memoryPerDistance.value;

/** Cycles of a load that no cache has, from a core of one node to memory of another (positions in topology.nodes). */
export const memoryMiss = (topology: Topology, from: number, to: number): number => ofDistance(topology.distances[from]?.[to] ?? 10);

/** In the order of their logical indices; caches of instructions are none of these. */
function cachesOf(root: TopologyObject, level: number): TopologyObject[] {
  const own = root.type === `L${level}Cache` ? [root] : [];
  return [...own, ...root.children.flatMap(child => cachesOf(child, level))];
}
