/** How far cores are from each other: the cost of moving one cache line between them. */
import { LINE_COSTS } from './costs.ts';
import { coreOf, type Topology } from './topology/topology.ts';

const BASE_DISTANCE = 16;
const LOCAL_DISTANCE = 10;

/** Position in topology.nodes. */
export type NodePosition = number;

/**
 * Cycles that a line takes longer from one core to another because its home is neither's node: who misses it asks the home's directory, and that sends
 * the request on (Conway and others, "Cache Hierarchy and Memory Subsystem of the AMD Opteron Processor", IEEE Micro 2010: the probe filter).
 * 0 where the home is the node of one of them.
 */
export function homeDetour(topology: Topology, from: number, to: number, home: NodePosition): number {
  const [a, b] = [coreOf(topology, from).node, coreOf(topology, to).node];
  const distance = (x: NodePosition, y: NodePosition): number => topology.distances[x]?.[y] ?? (x === y ? LOCAL_DISTANCE : BASE_DISTANCE);
  const longer = distance(a, home) + distance(home, b) - distance(a, b) - LOCAL_DISTANCE;
  return Math.max(0, longer) * LINE_COSTS.remotePerDistance.value;
}

/**
 * Cycles for one cache line to get from one core to another, from the caches that they share or else the distance of their nodes.
 * @throws RangeError when a core is not there
 */
export function lineTransfer(topology: Topology, from: number, to: number): number {
  if (from === to) return 0;
  const a = coreOf(topology, from);
  const b = coreOf(topology, to);
  const shares = (level: number): boolean => (a.caches[level - 1] ?? -1) >= 0 && a.caches[level - 1] === b.caches[level - 1];
  if (shares(1) || shares(2)) return LINE_COSTS.sharedL2.value;
  if (shares(3) || a.node === b.node) return LINE_COSTS.sharedL3.value;
  if (a.package === b.package) return LINE_COSTS.samePackage.value;
  const distance = topology.distances[a.node]?.[b.node] ?? BASE_DISTANCE;
  return LINE_COSTS.remoteBase.value + Math.max(0, distance - BASE_DISTANCE) * LINE_COSTS.remotePerDistance.value;
}
