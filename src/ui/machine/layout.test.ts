/** The machine's picture: whatever the machine and the room, boxes lie within each other and none on another. */
import { describe, expect, it } from 'vitest';
import { resolvePlan } from '../../lab/plan.ts';
import { PRESETS } from '../../machine/topology/presets.ts';
import type { Topology } from '../../machine/topology/topology.ts';
import { type Box, layoutMachine, linksOf, routesOf } from './layout.ts';
import { memoryMap } from '../../machine/layout.ts';
import { blockBytes, memoryParts } from './memory.ts';
import { ahead, kernelAt, placesOf } from './owners.ts';

const machines = Object.values(PRESETS) as readonly Topology[];
const sizes = [
  [580, 300, 14],
  [690, 360, 14],
  [1060, 600, 16],
  [690, 310, 19],
] as const;
const inside = (a: Box, b: Box): boolean =>
  a.x >= b.x - 0.5 && a.y >= b.y - 0.5 && a.x + a.width <= b.x + b.width + 0.5 && a.y + a.height <= b.y + b.height + 0.5;
const apart = (a: Box, b: Box): boolean =>
  a.x + a.width <= b.x + 0.5 || b.x + b.width <= a.x + 0.5 || a.y + a.height <= b.y + 0.5 || b.y + b.height <= a.y + 0.5;

describe.each(machines)('$name', topology => {
  it.each(sizes)('%i × %i with lines of %i', (width, height, line) => {
    for (const tasks of [false, true]) {
      const layout = layoutMachine(topology, width, height, line, tasks);
      const whole = { x: 0, y: 0, width, height };
      for (const box of layout.packages) expect(inside(box, whole), `package ${box.index}`).toBe(true);
      const cores = layout.nodes.flatMap(node => node.cores);
      expect(cores.map(({ core }) => core).sort((a, b) => a - b)).toEqual(topology.cores.map(({ id }) => id));
      for (const node of layout.nodes) {
        expect(layout.packages.some(box => inside(node, box))).toBe(true);
        for (const core of node.cores) expect(inside(core, node)).toBe(true);
        if (node.cache) expect(inside(node.cache, node)).toBe(true);
        if (tasks) expect(inside(node.tasks, node)).toBe(true);
        expect(inside(node.memory, node)).toBe(true);
        for (const other of [...node.cores, ...(node.cache ? [node.cache] : []), ...(tasks ? [node.tasks] : [])])
          expect(apart(node.memory, other)).toBe(true);
      }
      for (const [i, a] of cores.entries()) for (const b of cores.slice(i + 1)) expect(apart(a, b)).toBe(true);
      expect(layout.core.width).toBeGreaterThan(line * 1.3);
      expect(layout.core.height).toBeGreaterThan(line);
    }
  });

  it('finds the kernel under every core, and by arrows from every kernel some other', () => {
    const layout = layoutMachine(topology, 690, 360, 14, true);
    for (const text of ['smp', 'clustered', 'partitioned']) {
      const plan = resolvePlan(text, topology);
      const places = placesOf(plan, layout);
      expect(places).toHaveLength(plan.partitions.length);
      for (const place of places)
        for (const box of place.cores) expect(kernelAt(places, layout, box.x + box.width / 2, box.y + box.height / 2)).toBe(place.kernel);
      if (places.length < 2) continue;
      for (const place of places) {
        const next = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'].map(key =>
          ahead(
            place.middle,
            places.map(each => ({ ...each.middle, value: each.kernel })),
            key,
          ),
        );
        expect(next.some(kernel => kernel !== null && kernel !== place.kernel)).toBe(true);
      }
    }
    expect(kernelAt([], layout, -5, -5)).toBeNull();
  });

  it('shows all memory of each node, in parts that lie beside each other', () => {
    const layout = layoutMachine(topology, 690, 360, 14, true);
    const { nodes } = memoryMap(topology);
    for (const text of ['smp', 'clustered', 'partitioned', 'flat:clustered', '0@8M@0,5M@1;1@0']) {
      if (text.includes('@1') && nodes.length < 2) continue;
      const plan = resolvePlan(text, topology);
      const parts = memoryParts(plan, nodes, layout);
      for (const { node, bytes } of nodes) {
        const here = parts.filter(each => each.node === node);
        expect(here.reduce((sum, each) => sum + each.bytes, 0)).toBe(bytes);
        const boxes = here.flatMap(each => each.boxes);
        for (const box of boxes) expect(inside(box, layout.nodes[node]?.memory as Box)).toBe(true);
        for (const [i, a] of boxes.entries()) for (const b of boxes.slice(i + 1)) expect(apart(a, b)).toBe(true);
      }
      for (const { kernel, memory } of plan.partitions)
        expect(parts.filter(each => each.kernel === kernel).reduce((sum, { bytes }) => sum + bytes, 0)).toBe(
          memory.reduce((sum, { bytes }) => sum + bytes, 0),
        );
      for (const part of parts) expect(blockBytes(part, 1e6, nodes)).toBe(part.piece);
    }
  });

  it('has ways along links between all nodes, the same length both ways', () => {
    const route = routesOf(topology);
    const links = new Set(linksOf(topology).flatMap(({ a, b }) => [`${a}-${b}`, `${b}-${a}`]));
    for (const [a] of topology.nodes.entries()) {
      for (const [b] of topology.nodes.entries()) {
        const way = route(a, b);
        expect([way[0], way.at(-1)]).toEqual([a, b]);
        expect(route(b, a)).toHaveLength(way.length);
        for (let i = 1; i < way.length; i++) expect(links.has(`${way[i - 1]}-${way[i]}`)).toBe(true);
      }
    }
  });
});

it('a kernel’s processes stand in the node that is its own, wherever else it has a core', () => {
  const topology = PRESETS['opteron-6274'];
  const layout = layoutMachine(topology, 690, 360, 14, true);
  const places = placesOf(resolvePlan('0,2-7@0;1,8-15@1', topology), layout);
  expect(places.map(({ home }) => home)).toEqual([0, 1]);
  for (const { home, tasks } of places) expect(inside(tasks, layout.nodes[home] as Box)).toBe(true);
  expect(places[0]?.tasks.width).toBeGreaterThan((layout.nodes[0]?.tasks.width ?? 0) - 3);
});
