/**
 * hwloc's XML, in and out: versions 1 (NUMA nodes and caches as plain objects of the tree), 2 and 3 (memory beside the tree).
 *
 * Always holds: what `writeHwloc` gives, `readHwloc` reads to the same tree, cores, nodes and distances; and `lstopo --input` shows it.
 */
import { SaxesParser } from 'saxes';
import type { ObjectType, Topology, TopologyObject } from './topology.ts';
import { info, object, topologyFrom } from './tree.ts';

const BYTES_MAX = 16 << 20;
const OBJECTS_MAX = 20_000;
const DEPTH_MAX = 60;
const HERTZ_DEFAULT = 2.2e9;

const KEPT: ReadonlySet<string> = new Set<ObjectType>([
  'Machine',
  'Package',
  'Die',
  'Group',
  'NUMANode',
  'L5Cache',
  'L4Cache',
  'L3Cache',
  'L2Cache',
  'L1Cache',
  'L3iCache',
  'L2iCache',
  'L1iCache',
  'Core',
  'PU',
]);

interface Draft {
  type: string;
  attributes: Readonly<Record<string, string>>;
  infos: [string, string][];
  children: Draft[];
}

/**
 * @param name how the machine is called from now on
 * @throws Error naming what is wrong and, for broken XML, the line
 */
export function readHwloc(text: string, name: string): Topology {
  if (text.length > BYTES_MAX) throw new Error(`${name}: ${text.length} bytes are too many for a topology (at most ${BYTES_MAX})`);
  if (text.trim() === '') throw new Error(`${name}: the file is empty`);
  const { root, distances, hasTopology } = parse(text, name);
  if (!hasTopology) throw new Error(`${name}: this is no hwloc topology: there is no <topology> element`);
  if (root === null) throw new Error(`${name}: the topology has no object`);
  try {
    const tree = convert(root);
    if (tree === null) throw new Error('the topology’s first object is of no known type');
    return topologyFrom(tree, { name, hertz: hertzOf(tree), distances: matrixOf(distances, root) });
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

interface Distances {
  readonly indexes: number[];
  readonly values: number[];
  readonly byOs: boolean;
  readonly count: number;
}

function parse(text: string, name: string): { root: Draft | null; distances: Distances | null; hasTopology: boolean } {
  const parser = new SaxesParser({ position: true });
  const stack: Draft[] = [];
  let root: Draft | null = null;
  let hasTopology = false;
  let objects = 0;
  let reading: Distances | null = null;
  let distances: Distances | null = null;
  let words = '';
  const fail = (message: string): never => {
    throw new Error(`${name}, line ${parser.line}: ${message}`);
  };
  const objectCount = (given: string | undefined): number =>
    given !== undefined && /^\d{1,4}$/.test(given) ? Number(given) : fail(`nbobjs="${given}" is no number of nodes`);
  parser.on('error', error => fail(error.message.replace(/^\d+:\d+: /, '')));
  parser.on('opentag', ({ name: tag, attributes }) => {
    const given = attributes as Record<string, string>;
    words = '';
    if (tag === 'topology') hasTopology = true;
    else if (tag === 'object') {
      if (!hasTopology) fail('an object outside a topology');
      if (++objects > OBJECTS_MAX) fail(`more than ${OBJECTS_MAX} objects`);
      if (stack.length >= DEPTH_MAX) fail(`objects are nested more than ${DEPTH_MAX} deep`);
      const draft: Draft = { type: given['type'] ?? fail('an object without a type'), attributes: given, infos: [], children: [] };
      const above = stack.at(-1);
      if (above) above.children.push(draft);
      else if (root === null) root = draft;
      stack.push(draft);
    } else if (tag === 'info' && stack.length > 0) stack.at(-1)?.infos.push([given['name'] ?? '', given['value'] ?? '']);
    else if (tag === 'distances2' && given['type'] === 'NUMANode')
      reading = { indexes: [], values: [], byOs: given['indexing'] !== 'gp', count: objectCount(given['nbobjs']) };
    else if (tag === 'distances' && given['nbobjs'] !== undefined) {
      reading = { indexes: [], values: [], byOs: false, count: objectCount(given['nbobjs']) };
    } else if (tag === 'latency' && reading !== null) reading.values.push(Number(given['value']) * 10);
  });
  parser.on('text', part => {
    words += part;
  });
  parser.on('closetag', ({ name: tag }) => {
    const numbers = (): number[] =>
      words
        .trim()
        .split(/\s+/)
        .filter(word => word !== '')
        .map(Number);
    if (tag === 'object') stack.pop();
    else if (tag === 'indexes' && reading !== null) reading.indexes.push(...numbers());
    else if (tag === 'u64values' && reading !== null) reading.values.push(...numbers());
    else if ((tag === 'distances2' || tag === 'distances') && reading !== null) {
      distances ??= reading;
      reading = null;
    }
    words = '';
  });
  parser.write(text);
  parser.close();
  return { root, distances, hasTopology };
}

/** An object of the kinds that the lab keeps; its place is taken by its children where it is of another kind. */
function convert(draft: Draft): TopologyObject | null {
  const type = typeOf(draft);
  if (type === null) return null;
  const children: TopologyObject[] = [];
  const memory: TopologyObject[] = [];
  const take = (from: Draft): void => {
    for (const each of from.children) {
      const kind = typeOf(each);
      if (kind === null) take(each);
      else if (kind === 'NUMANode') {
        const converted = convert(each) as TopologyObject;
        // Version 1 has the cores inside the node: they come up beside it.
        const { children: inside, ...node } = converted;
        if (inside.length === 0) memory.push({ ...node, children: [] });
        else children.push(object('Group', -1, inside, { memory: [{ ...node, children: [] }, ...node.memory] }));
      } else children.push(convert(each) as TopologyObject);
    }
  };
  take(draft);
  const { attributes, infos } = draft;
  const whole = (text: string | undefined): number => (text !== undefined && /^\d+$/.test(text) ? Number(text) : 0);
  return {
    type,
    children,
    memory,
    infos,
    subtype: attributes['subtype'] ?? '',
    osIndex: attributes['os_index'] !== undefined && /^\d+$/.test(attributes['os_index']) ? Number(attributes['os_index']) : -1,
    bytes: type === 'NUMANode' ? whole(attributes['local_memory']) : whole(attributes['cache_size']),
    lineBytes: whole(attributes['cache_linesize']),
    ways: Math.max(0, Number(attributes['cache_associativity'] ?? 0) || 0),
    cacheType: type.endsWith('Cache') ? whole(attributes['cache_type']) : 0,
  };
}

function typeOf({ type, attributes }: Draft): ObjectType | null {
  // Version 1: Socket, Cache with depth and type (0 unified, 1 data, 2 instruction).
  const modern =
    type === 'Socket'
      ? 'Package'
      : type === 'NUMANODE' || type === 'Node'
        ? 'NUMANode'
        : type === 'Cache'
          ? `L${attributes['depth'] ?? '1'}${attributes['cache_type'] === '2' ? 'i' : ''}Cache`
          : type;
  return KEPT.has(modern) ? (modern as ObjectType) : null;
}

function hertzOf(tree: TopologyObject): number {
  for (const name of ['CPUFrequency', 'CPUMaxFrequency']) {
    const text = info(tree, name);
    const hertz = Number(text);
    if (Number.isFinite(hertz) && hertz >= 1e6 && hertz <= 1e11) return hertz;
  }
  return HERTZ_DEFAULT;
}

function matrixOf(distances: Distances | null, root: Draft): readonly (readonly number[])[] | null {
  if (distances === null || distances.count === 0) return null;
  const { count, values, indexes, byOs } = distances;
  if (values.length !== count * count) throw new Error(`distances: ${values.length} values for ${count} nodes`);
  const rows = Array.from({ length: count }, (_, i) => values.slice(i * count, (i + 1) * count));
  if (indexes.length !== count) return rows;
  const ids = byOs ? indexes : indexes.map(gp => osIndexOf(root, String(gp)));
  const order = ids.map((_, i) => i).sort((a, b) => (ids[a] as number) - (ids[b] as number));
  return order.map(i => order.map(j => (rows[i] as number[])[j] as number));
}

function osIndexOf(draft: Draft, gp: string): number {
  if (draft.type === 'NUMANode' && draft.attributes['gp_index'] === gp) return Number(draft.attributes['os_index'] ?? 0);
  for (const child of draft.children) {
    const found = osIndexOf(child, gp);
    if (found >= 0) return found;
  }
  return -1;
}

// --- writing -------------------------------------------------------------------------------------------------------------------------

const escaped = (text: string): string => text.replace(/[&<>"]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c);

/** hwloc's bitmap: 32 bits a group, highest first. */
function bitmap(numbers: readonly number[]): string {
  const groups: number[] = [0];
  for (const n of numbers) {
    while (groups.length <= n >> 5) groups.push(0);
    groups[n >> 5] = ((groups[n >> 5] as number) | (1 << (n & 31))) >>> 0;
  }
  return groups
    .reverse()
    .map(group => `0x${group.toString(16).padStart(8, '0')}`)
    .join(',');
}

const pusOf = (at: TopologyObject): number[] => (at.type === 'PU' ? [at.osIndex] : at.children.flatMap(pusOf));
const nodesIn = (at: TopologyObject): number[] => [
  ...at.memory.filter(each => each.type === 'NUMANode').map(each => each.osIndex),
  ...at.children.flatMap(nodesIn),
];

/** The topology as hwloc XML, version 2. */
export function writeHwloc(topology: Topology): string {
  let gp = 0;
  const lines: string[] = ['<?xml version="1.0" encoding="UTF-8"?>', '<!DOCTYPE topology SYSTEM "hwloc2.dtd">', '<topology version="2.0">'];
  const cacheDepth = (type: string): string => type[1] ?? '1';
  const write = (at: TopologyObject, indent: string, cpus: readonly number[], nodes: readonly number[]): void => {
    const cpuset = bitmap(cpus);
    const nodeset = bitmap(nodes);
    const isCache = at.type.endsWith('Cache');
    const attributes = [
      ['type', at.type],
      ...(at.osIndex >= 0 ? [['os_index', String(at.osIndex)]] : []),
      ['cpuset', cpuset],
      ['complete_cpuset', cpuset],
      ...(at.type === 'Machine' ? [['allowed_cpuset', cpuset]] : []),
      ['nodeset', nodeset],
      ['complete_nodeset', nodeset],
      ...(at.type === 'Machine' ? [['allowed_nodeset', nodeset]] : []),
      ['gp_index', String(++gp)],
      ...(at.subtype === '' ? [] : [['subtype', at.subtype]]),
      ...(at.type === 'NUMANode' ? [['local_memory', String(at.bytes)]] : []),
      ...(isCache
        ? [
            ['cache_size', String(at.bytes)],
            ['depth', cacheDepth(at.type)],
            ['cache_linesize', String(at.lineBytes)],
            ['cache_associativity', String(at.ways)],
            ['cache_type', String(at.cacheType)],
          ]
        : []),
      ...(at.type === 'Group'
        ? [
            ['kind', '0'],
            ['subkind', '0'],
          ]
        : []),
    ] as [string, string][];
    const head = `${indent}<object ${attributes.map(([key, value]) => `${key}="${escaped(value)}"`).join(' ')}`;
    const inner = `${indent}  `;
    if (at.infos.length === 0 && at.children.length === 0 && at.memory.length === 0) {
      lines.push(`${head}/>`);
      return;
    }
    lines.push(`${head}>`);
    for (const [key, value] of at.infos) lines.push(`${inner}<info name="${escaped(key)}" value="${escaped(value)}"/>`);
    for (const each of at.memory) write(each, inner, cpus, [each.osIndex]);
    for (const each of at.children) {
      const below = nodesIn(each);
      write(
        each,
        inner,
        pusOf(each),
        below.length > 0 ? below : nodes.length === 1 ? nodes : at.memory.length > 0 ? at.memory.map(node => node.osIndex) : nodes,
      );
    }
    lines.push(`${indent}</object>`);
  };
  const ids = topology.nodes.map(node => node.id);
  const root =
    nodesIn(topology.root).length === 0
      ? { ...topology.root, memory: [object('NUMANode', ids[0] ?? 0, [], { bytes: topology.nodes[0]?.bytes ?? 0 })] }
      : topology.root;
  const withClock =
    info(root, 'CPUFrequency') === '' && topology.hertz !== HERTZ_DEFAULT
      ? { ...root, infos: [...root.infos, ['CPUFrequency', String(topology.hertz)] as const] }
      : root;
  write(withClock, '  ', pusOf(withClock), nodesIn(withClock));
  if (ids.length > 1) {
    lines.push(`  <distances2 type="NUMANode" nbobjs="${ids.length}" kind="5" name="NUMALatency" indexing="os">`);
    const chunk = (tag: string, values: readonly number[]): void => {
      for (let i = 0; i < values.length; i += 10) {
        const text = values
          .slice(i, i + 10)
          .map(value => `${value} `)
          .join('');
        lines.push(`    <${tag} length="${text.length}">${text}</${tag}>`);
      }
    };
    chunk('indexes', ids);
    chunk('u64values', topology.distances.flat());
    lines.push('  </distances2>');
  }
  lines.push('</topology>', '');
  return lines.join('\n');
}
