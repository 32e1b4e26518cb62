/** How far cores are from each other: the cost of moving one cache line between them. */
import { LINE_COSTS } from './costs.ts';
import { coreOf, type Topology } from './topology/topology.ts';

const BASE_DISTANCE = 16;

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
