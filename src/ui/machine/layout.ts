/**
 * Where the parts of a machine lie on the picture: packages in a grid, nodes in a package, cores in a node, as lstopo nests them. Units are
 * CSS pixels, so that text keeps its size: of all ways to arrange the boxes that one is taken whose cores come out largest.
 */
import type { Topology, TopologyObject } from '../../machine/topology/topology.ts';

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}
export interface CoreBox extends Box {
  readonly core: number;
  readonly node: number;
}
export interface CacheBox extends Box {
  readonly level: number;
  readonly bytes: number;
}
export interface NodeBox extends Box {
  /** Position in topology.nodes. */
  readonly node: number;
  readonly package: number;
  readonly cores: readonly CoreBox[];
  /** Second-level caches that several cores share stand round these. */
  readonly modules: readonly CacheBox[];
  /** The last-level cache of the node, as a strip below its cores; null without one. */
  readonly cache: CacheBox | null;
  /** Where processes stand. */
  readonly tasks: Box;
  /** The node's memory, as a bar at its foot. */
  readonly memory: Box;
}
export interface MachineLayout {
  readonly width: number;
  readonly height: number;
  readonly packages: readonly (Box & { readonly index: number })[];
  readonly nodes: readonly NodeBox[];
  readonly core: { readonly width: number; readonly height: number };
  /** Height of a line of text. */
  readonly line: number;
}

const GAP = 4;
const CORE_MAX = { width: 96, height: 64 } as const;

interface Arrangement {
  readonly packagesAcross: number;
  readonly nodesAcross: number;
  readonly coresAcross: number;
  readonly width: number;
  readonly height: number;
}

/**
 * @param line height of a line of text, in pixels
 * @param tasks whether there is a line for processes in each node
 * @param tight leaves out what is not needed; taken by itself where cores would be too low for their numbers
 */
export function layoutMachine(
  topology: Topology,
  width: number,
  height: number,
  line: number,
  tasks: boolean,
  tight = false,
): MachineLayout {
  const packages = [...new Set(topology.nodes.map(node => node.package))].sort((a, b) => a - b);
  const largest = Math.max(1, ...topology.nodes.map(node => node.cores.length));
  const perPackage = Math.max(1, ...packages.map(index => topology.nodes.filter(node => node.package === index).length));
  const pad = tight || packages.length > 8 || topology.nodes.length > 16 ? 4 : 8;
  const space = tight || packages.length > 8 ? 8 : 16;
  const head = line + (tight ? 8 : 10);
  const taskLine = tasks ? line + (tight ? 8 : 12) : 0;
  const strip = tight ? 0 : Math.round(line * 0.95);
  const bar = tight ? 9 : strip;
  const nodeExtra = { x: 2 * pad, y: head + taskLine + strip + bar + 2 * GAP + pad };
  const packageHead = line + 4;

  const sizes = ({
    packagesAcross,
    nodesAcross,
    coresAcross,
  }: Omit<Arrangement, 'width' | 'height'>): { width: number; height: number } => {
    const down = Math.ceil(packages.length / packagesAcross);
    const packageWidth = (width - (packagesAcross + 1) * space) / packagesAcross;
    const packageHeight = (height - down * space - space / 2) / down;
    const nodesDown = Math.ceil(perPackage / nodesAcross);
    const nodeWidth = (packageWidth - 2 * pad - (nodesAcross - 1) * GAP * 2) / nodesAcross;
    const nodeHeight = (packageHeight - packageHead - pad - (nodesDown - 1) * GAP * 2) / nodesDown;
    const coresDown = Math.ceil(largest / coresAcross);
    return {
      width: (nodeWidth - nodeExtra.x - (coresAcross - 1) * GAP) / coresAcross,
      height: (nodeHeight - nodeExtra.y - (coresDown - 1) * GAP) / coresDown,
    };
  };
  let best: Arrangement | null = null;
  const pairs = topology.cores.some(
    core => (core.caches[1] ?? -1) >= 0 && topology.cores.some(other => other !== core && other.caches[1] === core.caches[1]),
  );
  const worth = (a: Arrangement): number => {
    const size = Math.min(a.width, CORE_MAX.width, a.height * 1.3, CORE_MAX.height * 1.3);
    // A node has room for its kernel's name; packages stand in a square rather than a row, for the sake of their links.
    const nodeWidth = a.coresAcross * (a.width + GAP) + 2 * pad;
    const narrow = nodeWidth < line * 10 ? (nodeWidth / (line * 10)) ** 2 : 1;
    const row = packages.length > 3 && (a.packagesAcross === 1 || a.packagesAcross === packages.length) ? 0.75 : 1;
    const ragged = packages.length % a.packagesAcross === 0 && perPackage % a.nodesAcross === 0 ? 1 : 0.85;
    return size * narrow * row * ragged;
  };
  for (let packagesAcross = 1; packagesAcross <= packages.length; packagesAcross++) {
    for (let nodesAcross = 1; nodesAcross <= perPackage; nodesAcross++) {
      for (let coresAcross = 1; coresAcross <= largest; coresAcross++) {
        if ((coresAcross > 1 || pairs) && coresAcross < largest && coresAcross % 2 === 1) continue;
        const candidate = { packagesAcross, nodesAcross, coresAcross, ...sizes({ packagesAcross, nodesAcross, coresAcross }) };
        if (best === null || worth(candidate) > worth(best) + 0.5) best = candidate;
      }
    }
  }
  const chosen = best as Arrangement;
  if (!tight && chosen.height < line * 1.4) return layoutMachine(topology, width, height, line, tasks, true);
  const core = {
    width: Math.max(8, Math.min(CORE_MAX.width, chosen.width)),
    height: Math.max(8, Math.min(CORE_MAX.height, chosen.height)),
  };
  return placed(topology, packages, perPackage, largest, chosen, {
    core,
    pad,
    space,
    head,
    taskLine,
    strip,
    bar,
    packageHead,
    width,
    height,
    line,
  });
}

interface Measures {
  readonly core: { readonly width: number; readonly height: number };
  readonly pad: number;
  readonly space: number;
  readonly head: number;
  readonly taskLine: number;
  readonly strip: number;
  readonly bar: number;
  readonly packageHead: number;
  readonly width: number;
  readonly height: number;
  readonly line: number;
}

function placed(
  topology: Topology,
  packages: readonly number[],
  perPackage: number,
  largest: number,
  { packagesAcross, nodesAcross, coresAcross }: Arrangement,
  m: Measures,
): MachineLayout {
  const { core, pad, space, head, taskLine, strip, bar, packageHead } = m;
  const coresDown = Math.ceil(largest / coresAcross);
  const nodesDown = Math.ceil(perPackage / nodesAcross);
  const down = Math.ceil(packages.length / packagesAcross);
  const nodeWidth = coresAcross * core.width + (coresAcross - 1) * GAP + 2 * pad;
  const nodeHeight = head + coresDown * core.height + (coresDown - 1) * GAP + taskLine + strip + bar + 2 * GAP + pad;
  const packageWidth = nodesAcross * nodeWidth + (nodesAcross - 1) * GAP * 2 + 2 * pad;
  const packageHeight = packageHead + nodesDown * nodeHeight + (nodesDown - 1) * GAP * 2 + pad;
  // What is left goes between the packages, so that links have room.
  const gapX = Math.min(3 * space, (m.width - packagesAcross * packageWidth) / (packagesAcross + 1));
  const gapY = Math.min(3 * space, (m.height - down * packageHeight) / (down + 1));
  const left = (m.width - packagesAcross * packageWidth - (packagesAcross - 1) * gapX) / 2;
  const top = (m.height - down * packageHeight - (down - 1) * gapY) / 2;
  const boxes = packages.map((index, i) => ({
    index,
    x: left + (i % packagesAcross) * (packageWidth + gapX),
    y: top + Math.floor(i / packagesAcross) * (packageHeight + gapY),
    width: packageWidth,
    height: packageHeight,
  }));
  const caches = [...cachesOf(topology)];
  const nodes = topology.nodes.map((node, position): NodeBox => {
    const home = boxes[packages.indexOf(node.package)] as Box;
    const order = topology.nodes.filter((each, at) => each.package === node.package && at < position).length;
    const x = home.x + pad + (order % nodesAcross) * (nodeWidth + GAP * 2);
    const y = home.y + packageHead + Math.floor(order / nodesAcross) * (nodeHeight + GAP * 2);
    const cores = node.cores.map(
      (id, i): CoreBox => ({
        core: id,
        node: position,
        x: x + pad + (i % coresAcross) * (core.width + GAP),
        y: y + head + Math.floor(i / coresAcross) * (core.height + GAP),
        width: core.width,
        height: core.height,
      }),
    );
    const own = caches.filter(({ node: home }) => home === position);
    const modules = own
      .filter(({ level, cores: users }) => level === 2 && users.length > 1)
      .flatMap(({ cores: users, bytes }): CacheBox[] => {
        const group = cores.filter(box => users.includes(box.core));
        const [first, last] = [group[0], group.at(-1)];
        if (first === undefined || last === undefined || first.y !== last.y) return [];
        return [{ level: 2, bytes, x: first.x - 2, y: first.y - 2, width: last.x + last.width - first.x + 4, height: core.height + 4 }];
      });
    const outer = own.filter(({ level }) => level >= 3)[0];
    const cores2 = y + head + coresDown * (core.height + GAP);
    const room = { x: x + pad, width: nodeWidth - 2 * pad };
    const cache =
      outer === undefined || strip === 0 ? null : { level: outer.level, bytes: outer.bytes, ...room, y: cores2 + taskLine, height: strip };
    return {
      node: position,
      package: node.package,
      x,
      y,
      width: nodeWidth,
      height: nodeHeight,
      cores,
      modules,
      tasks: { ...room, y: cores2, height: Math.max(0, taskLine - GAP) },
      cache,
      memory: { ...room, y: cores2 + taskLine + (cache === null ? 0 : strip + GAP - 1), height: bar },
    };
  });
  return { width: m.width, height: m.height, packages: boxes, nodes, core, line: m.line };
}

/** The caches of the tree: level, size, node of the first core and the cores that use it. */
function* cachesOf(topology: Topology): Generator<{ level: number; bytes: number; node: number; cores: readonly number[] }> {
  const pus = (at: TopologyObject): number[] => (at.type === 'PU' ? [at.osIndex] : at.children.flatMap(pus));
  const stack: TopologyObject[] = [topology.root];
  while (stack.length > 0) {
    const at = stack.pop() as TopologyObject;
    const match = /^L([2-5])Cache$/.exec(at.type);
    if (match) {
      const cores = pus(at);
      yield { level: Number(match[1]), bytes: at.bytes, node: topology.cores.find(({ id }) => id === cores[0])?.node ?? 0, cores };
    }
    stack.push(...at.children);
  }
}

/** Pairs of nodes that a link joins: as near as the distances of the firmware know besides a node itself. Positions in topology.nodes. */
export function linksOf(topology: Topology): { readonly a: number; readonly b: number; readonly distance: number }[] {
  const all: { a: number; b: number; distance: number }[] = [];
  for (const [a, row] of topology.distances.entries()) for (const [b, distance] of row.entries()) if (a < b) all.push({ a, b, distance });
  const nearest = Math.min(...all.map(({ distance }) => distance));
  return all.filter(({ distance }) => distance === nearest);
}

/** The way of a line from node to node over links, as positions in topology.nodes: with the firmware's distances, and over as few as there are. */
export function routesOf(topology: Topology): (from: number, to: number) => readonly number[] {
  const count = topology.nodes.length;
  const near: number[][] = Array.from({ length: count }, () => []);
  for (const { a, b } of linksOf(topology)) {
    near[a]?.push(b);
    near[b]?.push(a);
  }
  const known = new Map<number, readonly number[]>();
  return (from, to) => {
    const key = from * count + to;
    let route = known.get(key);
    if (route === undefined) known.set(key, (route = shortest(near, from, to) ?? [from, to]));
    return route;
  };
}

function shortest(near: readonly (readonly number[])[], from: number, to: number): readonly number[] | null {
  const before = new Map<number, number>([[from, -1]]);
  const queue = [from];
  for (const at of queue) {
    if (at === to) {
      const route: number[] = [];
      for (let each = to; each >= 0; each = before.get(each) ?? -1) route.unshift(each);
      return route;
    }
    for (const next of near[at] ?? []) {
      if (before.has(next)) continue;
      before.set(next, at);
      queue.push(next);
    }
  }
  return null;
}

export const middle = ({ x, y, width, height }: Box): { x: number; y: number } => ({ x: x + width / 2, y: y + height / 2 });
