/**
 * Where the parts of a machine lie on the picture: packages in a grid, nodes in a package, cores in a node, as lstopo nests them.
 * Units are those of the SVG's view box.
 */
import type { Topology } from '../../machine/topology/topology.ts';

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
export interface NodeBox extends Box {
  /** Position in topology.nodes. */
  readonly node: number;
  readonly package: number;
  readonly cores: readonly CoreBox[];
  /** Cores that share a second-level cache stand in one of these. */
  readonly modules: readonly Box[];
}
export interface MachineLayout {
  readonly width: number;
  readonly height: number;
  readonly packages: readonly (Box & { readonly index: number })[];
  readonly nodes: readonly NodeBox[];
}

const CORE = 40;
const GAP = 6;
const NODE_PAD = 12;
const NODE_HEAD = 30;
const NODE_FOOT = 34;
const PACKAGE_PAD = 12;
const PACKAGE_HEAD = 24;
const SPACE = 22;

/** @param aspect width over height that the picture should come near to */
export function layoutMachine(topology: Topology, aspect: number): MachineLayout {
  const packages = [...new Set(topology.nodes.map((node) => node.package))].sort((a, b) => a - b);
  const largest = Math.max(1, ...topology.nodes.map((node) => node.cores.length));
  const columns = largest <= 4 ? Math.max(2, largest) : largest <= 16 ? 4 : Math.ceil(Math.sqrt(largest * 1.6));
  const rows = Math.ceil(largest / columns);
  const nodeWidth = columns * CORE + (columns - 1) * GAP + 2 * NODE_PAD;
  const nodeHeight = NODE_HEAD + rows * CORE + (rows - 1) * GAP + NODE_FOOT;
  const perPackage = Math.max(1, ...packages.map((index) => topology.nodes.filter((node) => node.package === index).length));
  const across = perPackage <= 2 ? perPackage : Math.ceil(Math.sqrt(perPackage));
  const down = Math.ceil(perPackage / across);
  const packageWidth = across * nodeWidth + (across - 1) * GAP + 2 * PACKAGE_PAD;
  const packageHeight = PACKAGE_HEAD + down * nodeHeight + (down - 1) * GAP + PACKAGE_PAD;
  let best = 1;
  for (let n = 1; n <= packages.length; n++) {
    const ratio = (k: number): number => (k * (packageWidth + SPACE)) / (Math.ceil(packages.length / k) * (packageHeight + SPACE));
    if (Math.abs(Math.log(ratio(n) / aspect)) < Math.abs(Math.log(ratio(best) / aspect))) best = n;
  }
  const boxes = packages.map((index, i) => ({
    index, x: SPACE / 2 + (i % best) * (packageWidth + SPACE), y: SPACE / 2 + Math.floor(i / best) * (packageHeight + SPACE), width: packageWidth, height: packageHeight,
  }));
  const nodes = topology.nodes.map((node, position): NodeBox => {
    const home = boxes[packages.indexOf(node.package)] as Box;
    const order = topology.nodes.filter((each, at) => each.package === node.package && at < position).length;
    const x = home.x + PACKAGE_PAD + (order % across) * (nodeWidth + GAP);
    const y = home.y + PACKAGE_HEAD + Math.floor(order / across) * (nodeHeight + GAP);
    const cores = node.cores.map((core, i): CoreBox => ({
      core, node: position, x: x + NODE_PAD + (i % columns) * (CORE + GAP), y: y + NODE_HEAD + Math.floor(i / columns) * (CORE + GAP), width: CORE, height: CORE,
    }));
    const shared = new Map<number, CoreBox[]>();
    for (const box of cores) {
      const l2 = topology.cores.find(({ id }) => id === box.core)?.caches[1] ?? -1;
      if (l2 >= 0) shared.set(l2, [...(shared.get(l2) ?? []), box]);
    }
    const modules = [...shared.values()].filter((group) => group.length > 1 && new Set(group.map((box) => box.y)).size === 1).map((group): Box => {
      const [head, tail] = [group[0] as CoreBox, group.at(-1) as CoreBox];
      return { x: head.x - 2, y: head.y - 2, width: tail.x + tail.width - head.x + 4, height: CORE + 4 };
    });
    return { node: position, package: node.package, x, y, width: nodeWidth, height: nodeHeight, cores, modules };
  });
  const rowsOfPackages = Math.ceil(packages.length / best);
  return { width: best * (packageWidth + SPACE), height: rowsOfPackages * (packageHeight + SPACE), packages: boxes, nodes };
}
