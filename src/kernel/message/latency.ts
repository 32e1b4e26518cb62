/**
 * How long a message takes at least from kernel to kernel: the line's way between the two kernels' first cores, the interrupt's way,
 * and its entry. The smallest of these is how far hosts may run ahead of each other.
 *
 * Always holds: the table is symmetric, positive off the diagonal, and no way through a third kernel is shorter than the direct one.
 */
import { lineTransfer } from '../../machine/interconnect.ts';
import type { Topology } from '../../machine/topology/topology.ts';
import type { ResolvedPlan } from '../boot/parameters.ts';
import { KERNEL_COSTS } from '../costs.ts';
import type { CoreId, Cycles } from '../types.ts';

/** @returns latency[from][to] in cycles */
export function latencyTable(topology: Topology, plan: ResolvedPlan): Cycles[][] {
  const way = (from: CoreId, to: CoreId): Cycles =>
    KERNEL_COSTS.ipiDelivery.value + Math.round((lineTransfer(topology, from, to) + lineTransfer(topology, to, from)) / 2);
  const firsts = plan.partitions.map(partition => partition.cores[0] as CoreId);
  const table = firsts.map(from => firsts.map(to => (from === to ? 0 : way(from, to))));
  for (const via of firsts.keys()) {
    for (const row of table) {
      for (const to of row.keys()) row[to] = Math.min(row[to] as number, (row[via] as number) + (table[via]?.[to] as number));
    }
  }
  return table;
}
