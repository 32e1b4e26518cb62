/**
 * Plans as people write them: `smp`, `partitioned`, `clustered`, or kernel by kernel `0-7@0;8-15@1;16-63@2-7` (cores @ nodes).
 *
 * Always holds for what comes out: every core is in at most one partition, every partition has a core and memory, no two pieces of memory
 * overlap, and a kernel's first piece is on a node of its own cores where it has one.
 */
import { rangesText } from '../kernel/boot/parameters.ts';
import type { MemoryRange, Partition, ResolvedPlan } from '../kernel/boot/parameters.ts';
import { windowBytes } from '../kernel/message/window.ts';
import { kernelsMax } from '../kernel/partition/map.ts';
import { memoryMap } from '../machine/layout.ts';
import type { Topology } from '../machine/topology/topology.ts';

export const KERNELS_MAX = 64;
const MEBIBYTE = 1 << 20;
/** A kernel with less than this can't hold its programs. */
const MEMORY_MIN = 8 << 20;

/** What is wrong with a plan, and where in its text. */
export class PlanError extends Error {
  constructor(
    message: string,
    readonly position: number | null = null,
  ) {
    super(message);
  }
}

interface Wanted {
  readonly cores: readonly number[];
  /** Positions in topology.nodes. */
  readonly nodes: readonly number[];
}

/**
 * @param memoryLimit bytes that the memory may have in all
 * @throws PlanError naming what is wrong
 */
export function resolvePlan(text: string, topology: Topology, memoryLimit?: number): ResolvedPlan {
  const wanted = named(text.trim(), topology) ?? explicit(text, topology);
  if (wanted.length > KERNELS_MAX) throw new PlanError(`${wanted.length} kernels are too many; the lab takes ${KERNELS_MAX}`);
  const map = memoryMap(topology, memoryLimit);
  const users = topology.nodes.map((_, node) => wanted.flatMap((each, kernel) => (each.nodes.includes(node) ? [kernel] : [])));
  const memory = wanted.map((): MemoryRange[] => []);
  for (const [node, kernels] of users.entries()) {
    const range = map.nodes[node];
    if (range === undefined || kernels.length === 0) continue;
    const share = Math.floor(range.bytes / kernels.length / MEBIBYTE) * MEBIBYTE;
    for (const [i, kernel] of kernels.entries()) memory[kernel]?.push({ node, base: range.base + i * share, bytes: share });
  }
  const partitions = wanted.map(({ cores }, kernel): Partition => {
    const home = topology.cores.find(core => core.id === cores[0])?.node ?? 0;
    const distance = (range: MemoryRange): number => topology.distances[home]?.[range.node] ?? 0;
    const own = (memory[kernel] ?? []).sort((a, b) => distance(a) - distance(b) || a.node - b.node);
    const bytes = own.reduce((sum, range) => sum + range.bytes, 0);
    if (bytes < MEMORY_MIN || (own[0]?.bytes ?? 0) < windowBytes(kernelsMax(topology.cores.length)) + (1 << 20)) {
      throw new PlanError(`kernel ${kernel} would have ${(bytes / 2 ** 20).toFixed(0)} MiB of memory; it needs ${MEMORY_MIN >> 20}`);
    }
    return { kernel, cores, memory: own };
  });
  return { mode: 'single', partitions };
}

function named(name: string, topology: Topology): Wanted[] | null {
  const node = (id: number): number => topology.cores.find(core => core.id === id)?.node ?? 0;
  switch (name) {
    case 'smp':
      return [{ cores: topology.cores.map(core => core.id), nodes: topology.nodes.map((_, i) => i) }];
    case 'partitioned':
      return topology.cores.map(({ id }) => ({ cores: [id], nodes: [node(id)] }));
    case 'clustered':
      return topology.nodes.flatMap((each, i) => (each.cores.length > 0 ? [{ cores: each.cores, nodes: [i] }] : []));
    case 'kvm':
      throw new PlanError('the plan kvm (a host kernel and guests) is not there yet');
    default:
      return null;
  }
}

function explicit(text: string, topology: Topology): Wanted[] {
  if (text.trim() === '') throw new PlanError('the plan is empty', 0);
  const owner = new Map<number, number>();
  let position = 0;
  return text.split(';').map((part, kernel) => {
    const at = position;
    position += part.length + 1;
    const [coreText = '', nodeText, ...rest] = part.split('@');
    if (rest.length > 0) throw new PlanError(`kernel ${kernel}: a second @ in “${part.trim()}”`, at);
    if (coreText.trim() === '') throw new PlanError(`kernel ${kernel} has no core`, at);
    const cores = numbers(coreText, at, `kernel ${kernel}`);
    for (const core of cores) {
      if (!topology.cores.some(({ id }) => id === core)) throw new PlanError(`kernel ${kernel}: the machine has no core ${core}`, at);
      const other = owner.get(core);
      if (other !== undefined)
        throw new PlanError(
          other === kernel
            ? `kernel ${kernel}: core ${core} appears twice`
            : `core ${core} is given to kernel ${other} and to kernel ${kernel}`,
          at,
        );
      owner.set(core, kernel);
    }
    if (nodeText !== undefined && nodeText.trim() === '')
      throw new PlanError(`kernel ${kernel} has no memory: no node stands behind the @`, at + coreText.length);
    const ids = nodeText === undefined ? null : numbers(nodeText, at + coreText.length + 1, `kernel ${kernel}`);
    const nodes =
      ids === null
        ? [...new Set(cores.map(core => topology.cores.find(({ id }) => id === core)?.node ?? 0))]
        : ids.map(id => {
            const index = topology.nodes.findIndex(node => node.id === id);
            if (index < 0) throw new PlanError(`kernel ${kernel}: the machine has no node ${id}`, at);
            return index;
          });
    return { cores, nodes };
  });
}

/** `0-7,9` */
function numbers(text: string, at: number, who: string): number[] {
  const found: number[] = [];
  for (const piece of text.split(',')) {
    const match = /^\s*(\d{1,4})(?:-(\d{1,4}))?\s*$/.exec(piece);
    if (match === null) throw new PlanError(`${who}: “${piece.trim()}” is no number or range of numbers`, at);
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    if (last < first) throw new PlanError(`${who}: the range ${piece.trim()} runs backwards`, at);
    for (let n = first; n <= last; n++) found.push(n);
  }
  return found;
}

/** A plan as text that `resolvePlan` reads. */
export function planText(plan: ResolvedPlan, topology: Topology): string {
  return plan.partitions
    .map(
      ({ cores, memory }) =>
        `${rangesText(cores)}@${rangesText([...new Set(memory.map(range => topology.nodes[range.node]?.id ?? range.node))].sort((a, b) => a - b))}`,
    )
    .join(';');
}
