/**
 * What a plan's choice of memory costs, from the cost model alone, in cycles.
 *
 *     average   a load that misses all caches, of a core of the kernel, from a page anywhere in its memory
 *     first     the same for the pages that it hands out first: of the core's own node, where it has some
 *     message   the way of a message to it from another kernel, by where the window lies in which it is received
 */
import type { Partition, ResolvedPlan } from '../kernel/boot/parameters.ts';
import { messageLatency } from '../kernel/message/latency.ts';
import { TRANSPORTS } from '../kernel/message/settings.ts';
import { memoryMiss } from '../machine/caches.ts';
import { coreOf, type Topology } from '../machine/topology/topology.ts';

export interface MemoryCost {
  readonly average: number;
  readonly first: number;
  readonly message: number;
}
export interface PlanCost {
  readonly kernels: readonly (MemoryCost & { readonly kernel: number })[];
  /** Over all cores; messages over all pairs of kernels. */
  readonly total: MemoryCost;
}

/** A piece this small only holds a window. */
const WINDOW_BYTES = 1 << 20;

export function planCost({ partitions }: ResolvedPlan, topology: Topology): PlanCost {
  const kernels = partitions.map(partition => ({
    kernel: partition.kernel,
    ...ofCores(partition, topology),
    message: mean(
      partitions.filter(other => other !== partition),
      other => wayOf(other, partition, topology),
    ),
  }));
  const cores = partitions.reduce((sum, each) => sum + each.cores.length, 0);
  const over = (pick: (cost: MemoryCost) => number): number =>
    kernels.reduce((sum, cost, i) => sum + pick(cost) * (partitions[i]?.cores.length ?? 0), 0) / Math.max(1, cores);
  return {
    kernels,
    total: { average: over(each => each.average), first: over(each => each.first), message: mean(kernels, each => each.message) },
  };
}

function wayOf({ cores: [from] }: Partition, { cores: [to], memory: [first] }: Partition, topology: Topology): number {
  return from === undefined || to === undefined ? 0 : messageLatency(topology, from, to, TRANSPORTS.memory, first?.node ?? null);
}

function ofCores({ cores, memory }: Partition, topology: Topology): { readonly average: number; readonly first: number } {
  const bytes = memory.reduce((sum, range) => sum + range.bytes, 0);
  const nodes = cores.map(core => coreOf(topology, core).node);
  const usual = (memory.find(range => range.bytes > WINDOW_BYTES) ?? memory[0])?.node ?? 0;
  return {
    average: mean(nodes, node => memory.reduce((sum, range) => sum + memoryMiss(topology, node, range.node) * range.bytes, 0) / bytes),
    first: mean(nodes, node =>
      memoryMiss(topology, node, memory.some(range => range.node === node && range.bytes > WINDOW_BYTES) ? node : usual),
    ),
  };
}

function mean<T>(list: readonly T[], value: (each: T) => number): number {
  return list.reduce((sum, each) => sum + value(each), 0) / Math.max(1, list.length);
}

/** A plan as a table, for the command line. Memory in MiB and by node, costs in cycles. */
export function planTable(plan: ResolvedPlan, topology: Topology): string {
  const cost = planCost(plan, topology);
  const rows = plan.partitions.map(({ kernel, cores, memory, devices }, i) => [
    `${kernel}`,
    cores.length > 1 ? `${cores[0]}…${cores.at(-1)} (${cores.length})` : `${cores[0]}`,
    memory.map(range => `${range.bytes >>> 20}M@${topology.nodes[range.node]?.id}`).join(','),
    ...costs(cost.kernels[i] as MemoryCost),
    devices.length > 3 ? `${devices.slice(0, 2).join(',')},… (${devices.length})` : devices.join(',') || '-',
  ]);
  const table = [
    ['kernel', 'cores', 'memory', 'average', 'first', 'message', 'devices'],
    ...rows,
    ['all', `${plan.partitions.reduce((sum, { cores }) => sum + cores.length, 0)}`, '', ...costs(cost.total), ''],
  ];
  const widths = (table[0] as string[]).map((_, column) => Math.max(...table.map(row => row[column]?.length ?? 0)));
  return table
    .map(
      row =>
        `${row
          .map((word, i) => word.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
const costs = (cost: MemoryCost): string[] => [cost.average, cost.first, cost.message].map(cycles => cycles.toFixed(0));
