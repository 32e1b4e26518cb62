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
import { cut } from '../kernel/partition/map.ts';
import { PlanError, prefixOf, readPlan, type WantedKernel, type WantedMemory, type WantedPlan, withPrefix } from './plan-text.ts';

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

/** A kernel's nodes are those of its cores. */
const ownNodes = (cores: readonly number[], topology: Topology): WantedMemory[] =>
  [...new Set(cores.map(core => homeOf(core, topology)))].map(node => ({ node, bytes: null }));

/**
 * Memory of the nodes that each names, or else of its cores' nodes. Of a node those who say how much of it get that; the rest goes to all others who have
 * it: in equal parts where one of them has named it, else by the cores that each has there.
 */
function byNodes(kernels: readonly WantedKernel[], map: MemoryMap, topology: Topology): MemoryRange[][] {
  const wanted = kernels.map(({ cores, memory }) => memory ?? ownNodes(cores, topology));
  const memory = kernels.map((): MemoryRange[] => []);
  for (const { node, base, bytes } of map.nodes) {
    const users = wanted.flatMap((all, kernel) => all.filter(each => each.node === node).map(each => ({ kernel, fixed: each.bytes })));
    const rest = users.reduce((left, { fixed }) => left - (fixed ?? 0), bytes);
    if (rest < 0)
      throw new PlanError(`node ${topology.nodes[node]?.id} has ${bytes / MEBIBYTE}M of memory, not ${(bytes - rest) / MEBIBYTE}M`);
    const byHand = users.some(({ kernel, fixed }) => fixed === null && kernels[kernel]?.memory !== null);
    const weightOf = (kernel: number): number =>
      byHand ? 1 : (kernels[kernel]?.cores.filter(core => homeOf(core, topology) === node).length ?? 0);
    const all = users.reduce((sum, { kernel, fixed }) => sum + (fixed === null ? weightOf(kernel) : 0), 0);
    let at = base;
    for (const { kernel, fixed } of users) {
      const share = fixed ?? Math.floor((rest * weightOf(kernel)) / all / MEBIBYTE) * MEBIBYTE;
      if (share > 0) memory[kernel]?.push({ node, base: at, bytes: share });
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
    kernels.map(each => ({ ...each, memory: each.memory ?? [] })),
    map,
    topology,
  );
  const shared = new Set(kernels.flatMap(({ memory }) => (memory ?? []).filter(({ bytes }) => bytes === null)).map(({ node }) => node));
  const free = map.nodes
    .filter(({ node }) => !shared.has(node))
    .flatMap(range => byHand.flat().reduce((left, gone) => left.flatMap(each => cut(each, gone)), [range as MemoryRange]))
    .sort((a, b) => a.base - b.base);
  const rest = kernels.flatMap(({ cores, memory }, kernel) => (memory === null ? [{ kernel, cores: cores.length }] : []));
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
export type KernelWords = Pick<WantedKernel, 'cores' | 'memory' | 'devices'>;

/** Kernels as text that `readPlan` reads; without the words before them. */
export function kernelsText(kernels: readonly KernelWords[], topology: Topology): string {
  const usual = usualDevices(topology).join();
  const isUsual =
    kernels.every(({ devices }, kernel) => devices.join() === (kernel === 0 ? usual : '')) ||
    kernels.every(({ devices }) => devices.length === 0);
  return kernels
    .map(({ cores, memory, devices }) => {
      const words = isUsual ? [] : deviceTexts(devices);
      return [`${rangesText(cores)}${memory === null ? '' : `@${memoryText(memory, topology)}`}`, ...words].join('+');
    })
    .join(';');
}

function memoryText(memory: readonly WantedMemory[], topology: Topology): string {
  const named = memory.map(({ node, bytes }) => ({ id: topology.nodes[node]?.id ?? node, bytes })).sort((a, b) => a.id - b.id);
  const shares = named.filter(({ bytes }) => bytes === null).map(({ id }) => id);
  const amounts = named.flatMap(({ id, bytes }) => (bytes === null ? [] : [`${bytes / MEBIBYTE}M@${id}`]));
  return [...(shares.length > 0 ? [rangesText(shares)] : []), ...amounts].join(',');
}

/**
 * The same plan, but for cores that are a kernel's now; null: one of their own. Kernels without cores go. Those whose cores are others than before
 * have the nodes of their cores, and amounts that they had of others.
 */
export function withCores(text: string, picked: readonly number[], kernel: number | null, topology: Topology): string {
  const { rule, kernels } = readOrNothing(text, topology);
  const joined = kernels[kernel ?? -1];
  const others = kernels.filter(each => each !== joined);
  const all: KernelWords[] = [
    ...others.map(each => ({ ...each, cores: each.cores.filter(core => !picked.includes(core)) })),
    { memory: null, devices: [], ...joined, cores: [...new Set([...(joined?.cores ?? []), ...picked])].sort((a, b) => a - b) },
  ];
  const left = all.filter(({ cores }) => cores.length > 0).sort((a, b) => (a.cores[0] as number) - (b.cores[0] as number));
  const changed = left.map(({ cores, memory, devices }): KernelWords => {
    const isAsBefore = kernels.some(each => each.cores.join() === cores.join());
    if (isAsBefore && memory !== null) return { cores, memory, devices };
    const own = ownNodes(cores, topology);
    const amounts = (memory ?? []).filter(({ node, bytes }) => bytes !== null && !own.some(each => each.node === node));
    return { cores, memory: rule === 'flat' && amounts.length === 0 ? null : [...own, ...amounts], devices };
  });
  return withPrefix(text, { body: kernelsText(changed, topology) });
}

/** A plan that makes no sense has no kernels. */
function readOrNothing(text: string, topology: Topology): Pick<WantedPlan, 'rule' | 'kernels'> {
  try {
    return readPlan(text, topology);
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    return { rule: prefixOf(text).rule, kernels: [] };
  }
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

/** So much of a node's memory (its position in topology.nodes), and whose it is; null: nobody's. */
export interface MemoryMove {
  readonly node: number;
  readonly bytes: number;
  readonly from: number | null;
  readonly to: number;
}

/** The same plan, but for a block of memory that a kernel has now; what the others have is written as it was. @throws PlanError */
export function withMemory(text: string, { node, bytes, from, to }: MemoryMove, topology: Topology): string {
  const { kernels } = readPlan(text, topology);
  const before = resolvePlan(text, topology).partitions.map(amountsOf);
  const wanted = before.map((amounts, kernel): WantedMemory[] => {
    const change = (kernel === to ? bytes : 0) - (kernel === from ? bytes : 0);
    const has = amounts.find(each => each.node === node)?.bytes ?? 0;
    return [...amounts.filter(each => each.node !== node), { node, bytes: has + change }].filter(each => each.bytes !== 0);
  });
  const short = wanted.flat().some(each => (each.bytes ?? 0) < 0);
  if (short) throw new PlanError(`kernel ${from} has not so much memory on node ${topology.nodes[node]?.id}`);
  // The plainest words that give what is wanted; amounts of all nodes do, if anything does.
  const words = (kernel: number): readonly WantedKernel['memory'][] => {
    const all = wanted[kernel] ?? [];
    const written = kernels[kernel]?.memory ?? null;
    if (kernel !== from && kernel !== to) return [written];
    return [written, null, all.map(each => (each.node === node ? each : { ...each, bytes: null })), all];
  };
  let problem: unknown = null;
  for (const own of words(from ?? to)) {
    for (const other of words(to)) {
      const changed = kernels.map((each, kernel) => ({ ...each, memory: kernel === to ? other : kernel === from ? own : each.memory }));
      const body = withPrefix(text, { body: kernelsText(changed, topology) });
      try {
        const after = resolvePlan(body, topology).partitions.map(amountsOf);
        if ([from ?? to, to].every(kernel => sameAmounts(after[kernel] ?? [], wanted[kernel] ?? []))) return body;
      } catch (error) {
        if (!(error instanceof PlanError)) throw error;
        problem = error;
      }
    }
  }
  throw problem;
}

/** How much of which node a kernel has, by node. */
function amountsOf({ memory }: Partition): { readonly node: number; readonly bytes: number }[] {
  const nodes = [...new Set(memory.map(({ node }) => node))].sort((a, b) => a - b);
  return nodes.map(node => ({ node, bytes: memory.reduce((sum, each) => sum + (each.node === node ? each.bytes : 0), 0) }));
}
const sameAmounts = (a: readonly WantedMemory[], b: readonly WantedMemory[]): boolean =>
  a.length === b.length && a.every(({ node, bytes }) => b.some(each => each.node === node && each.bytes === bytes));
