/** Whose cores are whose, and where on the picture a kernel is at home. */
import type { ResolvedPlan } from '../../kernel/boot/parameters.ts';
import { type Box, type CoreBox, type MachineLayout, middle, type NodeBox } from './layout.ts';

export interface KernelPlace {
  readonly kernel: number;
  readonly cores: readonly CoreBox[];
  /** Nodes that are all its own. */
  readonly nodes: readonly NodeBox[];
  /** Where messages start and end. */
  readonly middle: { readonly x: number; readonly y: number };
  /** A node that is all its own, else the one where it has most of its cores, as a position in topology.nodes. */
  readonly home: number;
  /** Where its processes stand; in a core's box when there is no better place. */
  readonly tasks: Box;
  /** It has so little room that its label stands in its core. */
  readonly small: boolean;
}

export function ownersOf(plan: ResolvedPlan | null): ReadonlyMap<number, number> {
  const map = new Map<number, number>();
  for (const { kernel, cores } of plan?.partitions ?? []) for (const core of cores) map.set(core, kernel);
  return map;
}

export function placesOf(plan: ResolvedPlan | null, layout: MachineLayout): KernelPlace[] {
  const owner = ownersOf(plan);
  const kernels = (plan?.partitions ?? []).flatMap(({ kernel }) => {
    const own = (node: NodeBox): CoreBox[] => node.cores.filter(({ core }) => owner.get(core) === kernel);
    const nodes = layout.nodes.filter(node => node.cores.length > 0 && own(node).length === node.cores.length);
    const home = nodes[0] ?? layout.nodes.reduce((best, node) => (own(node).length > own(best).length ? node : best));
    const [first] = own(home);
    return first === undefined ? [] : [{ kernel, cores: layout.nodes.flatMap(own), nodes, home, first }];
  });
  return kernels.map(({ kernel, cores, nodes, home, first }): KernelPlace => {
    const beside = kernels.filter(each => each.home === home).map(each => each.kernel);
    const share = home.tasks.width / beside.length;
    const small = nodes.length === 0 && (share < 64 || home.tasks.height === 0);
    const tasks = small
      ? { x: first.x + 1, y: first.y + first.height * 0.62, width: first.width - 2, height: first.height * 0.36 }
      : { ...home.tasks, x: home.tasks.x + share * beside.indexOf(kernel), width: share - 2 };
    return { kernel, cores, nodes, middle: middle(nodes[0] ?? first), home: first.node, tasks, small };
  });
}

const within = (box: Box, x: number, y: number): boolean => x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;

/** The kernel at a point of the picture. */
export function kernelAt(places: readonly KernelPlace[], layout: MachineLayout, x: number, y: number): number | null {
  for (const { kernel, cores, nodes } of places)
    if (cores.some(box => within(box, x, y)) || nodes.some(box => within(box, x, y))) return kernel;
  const node = layout.nodes.find(box => within(box, x, y));
  if (node === undefined) return null;
  let best: { kernel: number; distance: number } | null = null;
  for (const { kernel, cores } of places) {
    for (const box of cores) {
      const at = middle(box);
      const distance = Math.hypot(at.x - x, at.y - y);
      if (box.node === node.node && (best === null || distance < best.distance)) best = { kernel, distance };
    }
  }
  return best?.kernel ?? null;
}

/** The next of some boxes in a direction, for arrow keys. */
export function ahead<T>(from: { x: number; y: number }, to: readonly { x: number; y: number; value: T }[], key: string): T | null {
  const arrows: Record<string, readonly [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const [dx, dy] = arrows[key] ?? [0, 0];
  const [best] = to
    .map(each => ({
      value: each.value,
      along: (each.x - from.x) * dx + (each.y - from.y) * dy,
      aside: Math.abs((each.x - from.x) * dy) + Math.abs((each.y - from.y) * dx),
    }))
    .filter(({ along }) => along > 1)
    .sort((a, b) => a.along + 3 * a.aside - b.along - 3 * b.aside);
  return best?.value ?? null;
}
