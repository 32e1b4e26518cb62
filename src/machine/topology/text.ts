/** A topology for people: the tree as lstopo's console output has it, and the distances. */
import type { Topology, TopologyObject } from './topology.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

export function describe(topology: Topology): string {
  const lines: string[] = [
    `${topology.name}: ${topology.model}, ${topology.cores.length} cores, ${topology.nodes.length} nodes, ${topology.hertz / 1e9} GHz`,
  ];
  const line = (at: TopologyObject, indent: number): void => {
    const number = at.osIndex >= 0 && at.type !== 'Machine' ? ` P#${at.osIndex}` : '';
    lines.push(`${' '.repeat(indent)}${at.type}${number}${at.bytes > 0 ? ` (${sizeText(at.bytes)})` : ''}`);
    for (const each of at.memory) line(each, indent + 2);
    for (const each of at.children) line(each, indent + 2);
  };
  line(topology.root, 0);
  const width =
    Math.max(...topology.distances.flat().map(value => String(value).length), ...topology.nodes.map(node => String(node.id).length)) + 2;
  const row = (cells: readonly (string | number)[]): string => cells.map(cell => String(cell).padStart(width)).join('');
  lines.push('', 'distances between nodes', row(['', ...topology.nodes.map(node => node.id)]));
  for (const [i, node] of topology.nodes.entries()) lines.push(row([node.id, ...(topology.distances[i] ?? [])]));
  return `${lines.join('\n')}\n`;
}
