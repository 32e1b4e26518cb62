/**
 * What a machine is made of: a tree of packages, NUMA nodes, caches, cores and PUs (hwloc's words), and the distances between nodes.
 *
 * Always holds (checked by `topologyFrom`): there is at least one PU and one node; PU numbers are unique; each PU belongs to exactly one
 * node; `distances` is square in the order of `nodes`, positive, with the smallest value of each row on the diagonal.
 */

export type ObjectType =
  | 'Machine'
  | 'Package'
  | 'Die'
  | 'Group'
  | 'NUMANode'
  | 'L5Cache'
  | 'L4Cache'
  | 'L3Cache'
  | 'L2Cache'
  | 'L1Cache'
  | 'L3iCache'
  | 'L2iCache'
  | 'L1iCache'
  | 'Core'
  | 'PU';

export interface TopologyObject {
  readonly type: ObjectType;
  /** The operating system's number (P#), or -1 where it has none (caches). */
  readonly osIndex: number;
  /** Caches: size in bytes. NUMA nodes: local memory in bytes. Else 0. */
  readonly bytes: number;
  /** Caches: bytes of a line and ways; else 0. */
  readonly lineBytes: number;
  readonly ways: number;
  /** Caches: what they hold, in hwloc's numbers: 0 both, 1 data, 2 instructions. */
  readonly cacheType: number;
  /** hwloc's subtype (a Group's "Cluster", a package's …), or ''. */
  readonly subtype: string;
  /** Names and values as hwloc's `info` has them; of a package the CPUModel, for example. */
  readonly infos: readonly (readonly [name: string, value: string])[];
  /** Objects with PUs, in order. */
  readonly children: readonly TopologyObject[];
  /** NUMA nodes attached here (hwloc 2 and later hang memory beside the tree). */
  readonly memory: readonly TopologyObject[];
}

/** One PU: what Linux calls a CPU and this lab a core. */
export interface TopologyCore {
  /** P# of the PU: the number in plans, in /proc/cpuinfo and on the screen. */
  readonly id: number;
  /** Index in `nodes`. */
  readonly node: number;
  /** Index of the package among packages. */
  readonly package: number;
  /** hwloc's Core number within the package (core_id of /proc/cpuinfo). */
  readonly core: number;
  /** Logical indices of the caches it uses, by level 1, 2, 3 …; -1 where a level is missing. Index 0 = level 1 (data). */
  readonly caches: readonly number[];
}

export interface TopologyNode {
  /** P# of the node. */
  readonly id: number;
  /** Memory of the real machine, bytes. */
  readonly bytes: number;
  /** Ids of its cores, ascending. */
  readonly cores: readonly number[];
  readonly package: number;
}

export interface Topology {
  /** A preset's name, or the file's. */
  readonly name: string;
  /** Processor model, for people. */
  readonly model: string;
  /** Cycles per second of the reference clock. */
  readonly hertz: number;
  readonly root: TopologyObject;
  /** Ascending by id. */
  readonly cores: readonly TopologyCore[];
  /** Ascending by id. */
  readonly nodes: readonly TopologyNode[];
  /** distances[i][j] between nodes[i] and nodes[j], in the firmware's unit (10: local). */
  readonly distances: readonly (readonly number[])[];
}

/** The core with this id. @throws RangeError */
export function coreOf(topology: Topology, id: number): TopologyCore {
  const core = topology.cores.find(each => each.id === id);
  if (core === undefined) throw new RangeError(`the machine has no core ${id}`);
  return core;
}
