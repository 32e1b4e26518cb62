/**
 * Plans: from text (plan-text.ts) to partitions, and back.
 *
 * Always holds for what comes out: every core and every device is in at most one partition, every partition has a core and memory, no two pieces
 * of memory overlap, and by the rule `numa` a kernel's first piece is on a node of its own cores where it has one.
 */
import { rangesText } from '../kernel/boot/parameters.ts';
import type { MemoryRange, Partition, ResolvedPlan } from '../kernel/boot/parameters.ts';
import { windowBytes } from '../kernel/message/window.ts';
import { kernelsMax } from '../kernel/partition/map.ts';
import { deviceTexts, machineDevices, usualDevices } from '../machine/devices/devices.ts';
import { type MemoryMap, memoryMap } from '../machine/layout.ts';
import type { Topology } from '../machine/topology/topology.ts';
import { PlanError, readPlan, type WantedKernel, withPrefix } from './plan-text.ts';

export const KERNELS_MAX = 64;
const MEBIBYTE = 1 << 20;
/** A kernel with less than this can't hold its programs. */
const MEMORY_MIN = 8 << 20;

/**
 * @param memoryLimit bytes that the memory may have in all
 * @param client the client machine, which takes its memory from that
 * @throws PlanError naming what is wrong
 */
export function resolvePlan(text: string, topology: Topology, memoryLimit?: number, client: Topology | null = null): ResolvedPlan {
  const { mode, rule, kernels } = readPlan(text, topology);
  if (kernels.length > KERNELS_MAX) throw new PlanError(`${kernels.length} kernels are too many; the lab takes ${KERNELS_MAX}`);
  const map = memoryMap(topology, memoryLimit, client);
  const memory = rule === 'flat' ? flat(kernels, map, topology) : byNodes(kernels, map, topology);
  const window = windowBytes(kernelsMax(topology.cores.length));
  const partitions = kernels.map(({ cores, devices }, kernel): Partition => {
    const own = memory[kernel] ?? [];
    const bytes = own.reduce((sum, range) => sum + range.bytes, 0);
    if (bytes < MEMORY_MIN || (own[0]?.bytes ?? 0) < window + (rule === 'flat' ? 0 : MEBIBYTE)) {
      throw new PlanError(`kernel ${kernel} would have ${(bytes / 2 ** 20).toFixed(0)} MiB of memory; it needs ${MEMORY_MIN >> 20}`);
    }
    return { kernel, cores, memory: own, devices };
  });
  return { mode, partitions };
}

/**
 * Memory of the nodes that each names, or else of its cores' nodes. A node's goes to all who have it: in equal parts where somebody has named it, else
 * by the cores that each has there.
 */
function byNodes(kernels: readonly WantedKernel[], map: MemoryMap, topology: Topology): MemoryRange[][] {
  const nodesOf = kernels.map(({ cores, nodes }) => nodes ?? [...new Set(cores.map(core => homeOf(core, topology)))]);
  const memory = kernels.map((): MemoryRange[] => []);
  for (const { node, base, bytes } of map.nodes) {
    const users = nodesOf.flatMap((nodes, kernel) => (nodes.includes(node) ? [kernel] : []));
    const byHand = users.some(kernel => kernels[kernel]?.nodes !== null);
    const weights = users.map(kernel =>
      byHand ? 1 : (kernels[kernel]?.cores.filter(core => homeOf(core, topology) === node).length ?? 0),
    );
    const all = weights.reduce((sum, weight) => sum + weight, 0);
    let at = base;
    for (const [i, kernel] of users.entries()) {
      const share = Math.floor((bytes * (weights[i] as number)) / all / MEBIBYTE) * MEBIBYTE;
      memory[kernel]?.push({ node, base: at, bytes: share });
      at += share;
    }
  }
  const between = (from: number, to: number): number => topology.distances[from]?.[to] ?? 0;
  const homes = kernels.map(({ cores }) => homeOf(cores[0] ?? 0, topology));
  const toAll = ({ node }: MemoryRange): number => homes.reduce((sum, home) => sum + between(home, node), 0);
  return memory.map((ranges, kernel) => {
    const home = homes[kernel] as number;
    ranges.sort((a, b) => between(home, a.node) - between(home, b.node) || a.node - b.node);
    // The first piece has the window: of the nodes with cores of this kernel's that one which is nearest to all kernels.
    const own = ranges.filter(({ node }) => kernels[kernel]?.cores.some(core => homeOf(core, topology) === node));
    const [first] = own.sort((a, b) => toAll(a) - toAll(b));
    return first === undefined ? ranges : [first, ...ranges.filter(range => range !== first)];
  });
}

/**
 * As `mpart` does without nodes: the kernels' windows in one area at the top of memory; below it one chunk after the other, in proportion to
 * cores. Who names nodes gets these; the chunks are then of what is left.
 */
function flat(kernels: readonly WantedKernel[], map: MemoryMap, topology: Topology): MemoryRange[][] {
  const window = Math.ceil(windowBytes(kernelsMax(topology.cores.length)) / MEBIBYTE) * MEBIBYTE;
  const byHand = byNodes(
    kernels.map(each => ({ ...each, nodes: each.nodes ?? [] })),
    map,
    topology,
  );
  const taken = new Set(byHand.flat().map(({ node }) => node));
  const free = map.nodes.filter(({ node }) => !taken.has(node)).map(range => ({ ...range }));
  const rest = kernels.flatMap(({ cores, nodes }, kernel) => (nodes === null ? [{ kernel, cores: cores.length }] : []));
  const windows = rest.map(() => cutOff(free, window, 'top'));
  const bytes = free.reduce((sum, range) => sum + range.bytes, 0);
  const shares = rest.reduce((sum, each) => sum + each.cores, 0);
  const chunks = rest.map(({ cores }) => cutOff(free, Math.floor((bytes * cores) / shares / MEBIBYTE) * MEBIBYTE, 'bottom'));
  return byHand.map((ranges, kernel) => {
    const place = rest.findIndex(each => each.kernel === kernel);
    return place < 0 ? ranges : [...(windows[place] ?? []), ...(chunks[place] ?? [])];
  });
}

/** So many bytes off one end of what is free, in as many pieces as nodes they lie on. */
function cutOff(free: MemoryRange[], bytes: number, end: 'top' | 'bottom'): MemoryRange[] {
  const pieces: MemoryRange[] = [];
  for (let left = bytes; left > 0 && free.length > 0; ) {
    const at = end === 'top' ? free.length - 1 : 0;
    const range = free[at] as MemoryRange;
    const part = Math.min(left, range.bytes);
    const rest = range.bytes - part;
    pieces.push({ ...range, base: end === 'top' ? range.base + rest : range.base, bytes: part });
    if (rest === 0) free.splice(at, 1);
    else free[at] = { ...range, base: end === 'top' ? range.base : range.base + part, bytes: rest };
    left -= part;
  }
  return pieces;
}

const homeOf = (core: number, topology: Topology): number => topology.cores.find(({ id }) => id === core)?.node ?? 0;

/** What of a plan a person would write down by hand. */
export type KernelWords = Pick<WantedKernel, 'cores' | 'nodes' | 'devices'>;

/** Kernels as text that `readPlan` reads; without the words before them. */
export function kernelsText(kernels: readonly KernelWords[], topology: Topology): string {
  const usual = usualDevices(topology).join();
  const isUsual =
    kernels.every(({ devices }, kernel) => devices.join() === (kernel === 0 ? usual : '')) ||
    kernels.every(({ devices }) => devices.length === 0);
  return kernels
    .map(({ cores, nodes, devices }) => {
      const ids = (nodes ?? []).map(node => topology.nodes[node]?.id ?? node).sort((a, b) => a - b);
      const words = isUsual ? [] : deviceTexts(devices);
      return [`${rangesText(cores)}${nodes === null ? '' : `@${rangesText(ids)}`}`, ...words].join('+');
    })
    .join(';');
}

/** The same plan, but for a device that a kernel has now. @throws PlanError */
export function withDevice(text: string, device: string, kernel: number, topology: Topology): string {
  const order = machineDevices(topology).map(({ name }) => name);
  const kernels = readPlan(text, topology).kernels.map((each, index): KernelWords => {
    const others = each.devices.filter(name => name !== device);
    const devices = index === kernel ? [...others, device].sort((a, b) => order.indexOf(a) - order.indexOf(b)) : others;
    return { ...each, devices };
  });
  return withPrefix(text, { body: kernelsText(kernels, topology) });
}

/** A plan as text that `resolvePlan` reads: by a rule where one gives the same memory, else with the nodes of those kernels that have others. */
export function planText(plan: ResolvedPlan, topology: Topology): string {
  const named = plan.partitions.map(({ cores, memory, devices }) => ({
    cores,
    nodes: [...new Set(memory.map(({ node }) => node))],
    devices,
  }));
  const byRule = named.map(each => ({ ...each, nodes: null }));
  const mixed = named.map(each => {
    const own = new Set(each.cores.map(core => homeOf(core, topology)));
    return own.size === each.nodes.length && each.nodes.every(node => own.has(node)) ? { ...each, nodes: null } : each;
  });
  const texts = ([byRule, mixed] as const).flatMap(kernels =>
    (['numa', 'flat'] as const).map(rule => withPrefix(kernelsText(kernels, topology), { mode: plan.mode, rule })),
  );
  const same = texts.find(text => JSON.stringify(resolvePlan(text, topology)) === JSON.stringify(plan));
  return same ?? withPrefix(kernelsText(named, topology), { mode: plan.mode });
}
