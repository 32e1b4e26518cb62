/** From a tree of objects to a topology: what cores and nodes there are, and whether they make sense. */
import type { ObjectType, Topology, TopologyCore, TopologyNode, TopologyObject } from './topology.ts';

export const CORES_MAX = 256;
export const NODES_MAX = 64;
const DEPTH_MAX = 64;
const LOCAL = 10;
const REMOTE = 20;
const CACHE_LEVELS: readonly ObjectType[] = ['L1Cache', 'L2Cache', 'L3Cache', 'L4Cache', 'L5Cache'];

/** An object with the defaults of those that have no size and no name. */
export function object(
  type: ObjectType,
  osIndex: number,
  children: readonly TopologyObject[],
  more: Partial<TopologyObject> = {},
): TopologyObject {
  const cacheType = /^L\diCache$/.test(type) ? 2 : type === 'L1Cache' ? 1 : 0;
  return { type, osIndex, bytes: 0, lineBytes: 0, ways: 0, cacheType, subtype: '', infos: [], children, memory: [], ...more };
}

interface Place {
  package: number;
  core: number;
  caches: number[];
  nodes: number[];
}

/**
 * @param distances between nodes in ascending order of their numbers; null: 10 to itself, 20 to others
 * @throws Error naming what is wrong: no PU, a number twice, too many cores or nodes, distances that do not fit
 */
export function topologyFrom(
  root: TopologyObject,
  { name, hertz, distances }: { name: string; hertz: number; distances: readonly (readonly number[])[] | null },
): Topology {
  const cores: (Omit<TopologyCore, 'node'> & { nodes: readonly number[] })[] = [];
  const nodes = new Map<number, { bytes: number; package: number }>();
  const caches = new Map<ObjectType, number>();
  let packages = 0;
  let model = '';

  const visit = (at: TopologyObject, place: Place, depth: number): void => {
    if (depth > DEPTH_MAX) throw new Error(`objects are nested more than ${DEPTH_MAX} deep`);
    const here: Place = { ...place, caches: [...place.caches] };
    if (at.type === 'Package') {
      here.package = packages++;
      model ||= info(at, 'CPUModel').trim();
    }
    if (at.type === 'Core') here.core = at.osIndex;
    const level = CACHE_LEVELS.indexOf(at.type);
    if (level >= 0) {
      const index = caches.get(at.type) ?? 0;
      caches.set(at.type, index + 1);
      here.caches[level] = index;
    }
    const own = at.memory.filter(child => child.type === 'NUMANode');
    for (const node of own) {
      if (node.osIndex < 0) throw new Error('a NUMA node without a number (os_index)');
      if (nodes.has(node.osIndex)) throw new Error(`NUMA node ${node.osIndex} appears twice`);
      nodes.set(node.osIndex, { bytes: node.bytes, package: Math.max(0, here.package) });
    }
    if (own.length > 0) here.nodes = own.map(node => node.osIndex);
    if (at.type === 'PU' && at.osIndex < 0) throw new Error('a PU without a number (os_index)');
    if (at.type === 'PU')
      cores.push({
        id: at.osIndex,
        package: Math.max(0, here.package),
        core: Math.max(0, here.core),
        caches: here.caches,
        nodes: here.nodes,
      });
    for (const child of at.children) visit(child, here, depth + 1);
  };
  visit(root, { package: -1, core: -1, caches: [-1, -1, -1], nodes: [] }, 0);

  if (cores.length === 0) throw new Error('the topology has no PU (no core)');
  if (cores.length > CORES_MAX) throw new Error(`the topology has ${cores.length} PUs; the lab takes ${CORES_MAX}`);
  if (nodes.size === 0) nodes.set(0, { bytes: 0, package: 0 });
  if (nodes.size > NODES_MAX) throw new Error(`the topology has ${nodes.size} NUMA nodes; the lab takes ${NODES_MAX}`);
  const seen = new Set<number>();
  for (const { id } of cores) {
    if (seen.has(id)) throw new Error(`PU ${id} appears twice`);
    seen.add(id);
  }
  const ids = [...nodes.keys()].sort((a, b) => a - b);
  const matrix = distances ?? ids.map(a => ids.map(b => (a === b ? LOCAL : REMOTE)));
  if (matrix.length !== ids.length || matrix.some(row => row.length !== ids.length))
    throw new Error(`the distances are not ${ids.length} × ${ids.length}`);
  if (matrix.some(row => row.some(value => !(value > 0 && value < 65536)))) throw new Error('a distance is not a number from 1 to 65535');
  for (const [i, row] of matrix.entries()) {
    const nearest = Math.min(...row);
    if (row[i] !== nearest) throw new Error(`node ${ids[i]} is nearer to node ${ids[row.indexOf(nearest)]} than to itself`);
  }
  const finished: TopologyCore[] = cores
    .map(({ nodes: local, ...core }) => ({ ...core, node: ids.indexOf(local[0] ?? (ids[0] as number)) }))
    .sort((a, b) => a.id - b.id);
  return {
    name,
    model: model || name,
    hertz,
    root,
    cores: finished,
    distances: matrix,
    nodes: ids.map(
      (id, position): TopologyNode => ({
        id,
        bytes: nodes.get(id)?.bytes ?? 0,
        package: nodes.get(id)?.package ?? 0,
        cores: finished.filter(core => core.node === position).map(core => core.id),
      }),
    ),
  };
}

/** A named piece of information of an object, or ''. */
export function info(at: TopologyObject, name: string): string {
  return at.infos.find(([key]) => key === name)?.[1] ?? '';
}
