/** Machines: the presets, hwloc's XML in and out with lstopo as the judge, and files that are none. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { readHwloc, writeHwloc } from './hwloc.ts';
import { PRESETS } from './presets.ts';
import type { ObjectType, Topology, TopologyObject } from './topology.ts';
import { CORES_MAX, NODES_MAX, object, topologyFrom } from './tree.ts';

const preset = (name: string): Topology => PRESETS[name as keyof typeof PRESETS];
const count = (at: TopologyObject, type: ObjectType): number =>
  (at.type === type ? 1 : 0) + [...at.children, ...at.memory].reduce((sum, each) => sum + count(each, type), 0);

describe('the presets', () => {
  it.each<[string, Partial<Record<ObjectType, number>>]>([
    ['opteron-6274', { Package: 4, NUMANode: 8, L3Cache: 8, L2Cache: 32, Core: 64, PU: 64 }],
    ['laptop', { Package: 1, NUMANode: 1, L3Cache: 1, L2Cache: 4, Core: 4, PU: 4 }],
    ['dual', { Package: 2, NUMANode: 2, L3Cache: 2, L2Cache: 16, Core: 16, PU: 16 }],
  ])('%s has its parts', (name, parts) => {
    const { root } = preset(name);
    expect(Object.fromEntries(Object.keys(parts).map(type => [type, count(root, type as ObjectType)]))).toEqual(parts);
  });

  it('opteron-6274: two cores share an L2, eight an L3 and a node; two hops at most', () => {
    const { cores, nodes, distances } = preset('opteron-6274');
    for (const { id, node, caches, package: socket } of cores) {
      expect([caches[1], caches[2], node, socket]).toEqual([id >> 1, id >> 3, id >> 3, id >> 4]);
    }
    expect(nodes.map(({ cores: own }) => own.length)).toEqual(Array.from({ length: 8 }, () => 8));
    for (const [i, row] of distances.entries()) {
      expect(row.toSorted((a, b) => a - b)[0]).toBe(row[i]);
      for (const [j, value] of row.entries()) {
        expect([10, 16, 22]).toContain(value);
        expect(value).toBe(distances[j]?.[i]);
      }
    }
  });
});

// --- in and out ----------------------------------------------------------------------------------------------------------------------

const lstopo = (...args: string[]): string => spawnSync('lstopo-no-graphics', args, { encoding: 'utf8' }).stdout ?? '';
const folder = mkdtempSync(join(tmpdir(), 'lab-topology-'));
afterAll(() => rmSync(folder, { recursive: true }));
const shown = (xml: string): string => {
  const file = join(folder, 'machine.xml');
  writeFileSync(file, xml);
  return lstopo('--input', file, '--of', 'console', '--no-io');
};

describe('hwloc XML', () => {
  it.each(Object.keys(PRESETS))('of %s is read back as it was', name => {
    const { root, cores, nodes, distances } = preset(name);
    const again = readHwloc(writeHwloc(preset(name)), name);
    expect(again).toMatchObject({ cores, nodes, distances });
    expect(count(again.root, 'L2Cache')).toBe(count(root, 'L2Cache'));
  });

  describe.skipIf(lstopo('--version') === '')('by Debian’s lstopo (skipped without it)', () => {
    it.each([
      'pack:2 numa:2 l2:2 core:1 pu:2',
      'node:2 pack:1 l3:2 core:3 pu:2',
      'numa:4 core:2 pu:1',
      'group:2 pack:1 numa:1 l1i:2 l1:1 core:2 pu:2',
      'core:3 1',
      'pu:1',
    ])('%s shows the same tree when it has been through here', machine => {
      for (const flags of [[], ['--export-xml-flags', 'v1']]) {
        const xml = lstopo('--input', machine, ...flags, '--of', 'xml');
        expect(xml).toContain('<topology');
        expect(shown(writeHwloc(readHwloc(xml, machine)))).toBe(shown(xml));
      }
    });
    it.each(Object.keys(PRESETS))('the preset %s is a machine', name => {
      const text = shown(writeHwloc(preset(name)));
      expect(text.match(/PU L#/g)).toHaveLength(preset(name).cores.length);
      expect(text.match(/NUMANode/g)).toHaveLength(preset(name).nodes.length);
    });
  });

  it('of version 1 has cores inside nodes, caches with a depth, and relative latencies', () => {
    const node = (
      n: number,
    ): string => `<object type="NUMANode" os_index="${n}" local_memory="1048576"><object type="Socket" os_index="${n}">
      <object type="Cache" depth="3" cache_size="4096" cache_type="0"><object type="Core" os_index="0"><object type="PU" os_index="${n}"/></object></object></object></object>`;
    const { cores, nodes, distances } = readHwloc(
      `<topology><object type="Machine">${node(0)}${node(1)}
        <distances nbobjs="2"><latency value="1.0"/><latency value="2.1"/><latency value="2.1"/><latency value="1.0"/></distances></object></topology>`,
      'old',
    );
    expect(cores.map(core => [core.id, core.node, core.package, core.caches[2]])).toEqual([
      [0, 0, 0, 0],
      [1, 1, 1, 1],
    ]);
    expect(nodes.map(({ bytes }) => bytes)).toEqual([1048576, 1048576]);
    expect(distances).toEqual([
      [10, 21],
      [21, 10],
    ]);
  });

  it('of any machine is read to an equal one', () => {
    fc.assert(
      fc.property(machine, topology => {
        const again = readHwloc(writeHwloc(topology), topology.name);
        expect({ cores: again.cores, nodes: again.nodes, distances: again.distances, hertz: again.hertz }).toEqual({
          cores: topology.cores,
          nodes: topology.nodes,
          distances: topology.distances,
          hertz: topology.hertz,
        });
        expect(writeHwloc(again)).toBe(writeHwloc(topology));
      }),
      { seed: 1, numRuns: 100 },
    );
  });
});

/** Packages of nodes of caches of cores of PUs, in numbers, sizes and distances of any kind. */
const machine = fc
  .record({
    shape: fc.tuple(...[3, 3, 2, 3, 2].map(max => fc.integer({ min: 1, max }))),
    bytes: fc.integer({ min: 1, max: 2 ** 40 }),
    far: fc.integer({ min: 11, max: 255 }),
    mhz: fc.integer({ min: 1, max: 5000 }),
    model: fc.string({ maxLength: 12 }).map(text => text.trim()),
  })
  .map(({ shape: [packages = 1, nodes = 1, caches = 1, cores = 1, pus = 1], bytes, far, mhz, model }) => {
    const next = { Package: 0, NUMANode: 0, Core: 0, PU: 0 };
    const times = (n: number, make: () => TopologyObject): TopologyObject[] => Array.from({ length: n }, make);
    const core = (): TopologyObject =>
      object(
        'Core',
        next.Core++,
        times(pus, () => object('PU', next.PU++, [])),
      );
    const cache = (): TopologyObject => object('L2Cache', -1, times(cores, core), { bytes, lineBytes: 64, ways: 8 });
    const group = (): TopologyObject =>
      object('Group', -1, times(caches, cache), { memory: [object('NUMANode', next.NUMANode++, [], { bytes })] });
    const root = object(
      'Machine',
      -1,
      times(packages, () => object('Package', next.Package++, times(nodes, group), { infos: model === '' ? [] : [['CPUModel', model]] })),
    );
    const all = packages * nodes;
    const distances = Array.from({ length: all }, (_, i) => Array.from({ length: all }, (_e, j) => (i === j ? 10 : far + ((i + j) % 5))));
    return topologyFrom(root, { name: 'any', hertz: mhz * 1e6, distances });
  });

// --- what is no machine --------------------------------------------------------------------------------------------------------------

const nest = (depth: number): string => '<object type="Group">'.repeat(depth) + '</object>'.repeat(depth);
const pu = (n: number | string): string => `<object type="PU" os_index="${n}"/>`;
const topology = (inside: string): string => `<topology version="2.0"><object type="Machine">${inside}</object></topology>`;

describe('a file that is no machine', () => {
  const good = writeHwloc(preset('laptop'));
  it.each<[string, string, RegExp]>([
    ['nothing', '', /the file is empty/],
    ['text', 'hello', /line 1/],
    ['JSON', '{"version":1}', /line 1/],
    ['HTML', '<html><body></body></html>', /no <topology>/],
    ['bytes', '\0\x01\x02ELF', /line 1/],
    ['XML that is cut off', good.slice(0, good.length >> 1), /m, line \d+: unclosed tag|m, line \d+/],
    ['two roots', `${good}<x/>`, /line/],
    ['an entity bomb', `<!DOCTYPE t [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>${topology('&b;')}`, /line 1: undefined entity/],
    ['a topology without objects', '<topology/>', /has no object/],
    ['a machine without cores', topology('<object type="Package"/>'), /no PU/],
    ['an object without a type', topology('<object/>'), /line 1: an object without a type/],
    ['a first object of no known type', '<topology><object type="Spoon"/></topology>', /no known type/],
    ['objects nested without end', topology(nest(5000)), /nested more than 60 deep/],
    ['more objects than can be', topology('<object type="Misc"/>'.repeat(20_001)), /more than 20000 objects/],
    ['more than can be read', ' '.repeat((16 << 20) + 1), /too many/],
    ['a PU twice', topology(pu(3) + pu(3)), /PU 3 appears twice/],
    ['a PU without a number', topology(pu('many')), /a PU without a number/],
    [
      'a node twice',
      topology(`${pu(0)}<object type="NUMANode" os_index="1"/><object type="NUMANode" os_index="1"/>`),
      /NUMA node 1 appears twice/,
    ],
    [
      'more cores than the lab takes',
      topology(Array.from({ length: CORES_MAX + 1 }, (_, i) => pu(i)).join('')),
      /257 PUs; the lab takes 256/,
    ],
    [
      'more nodes than the lab takes',
      topology(pu(0) + Array.from({ length: NODES_MAX + 1 }, (_, i) => `<object type="NUMANode" os_index="${i}"/>`).join('')),
      /65 NUMA nodes; the lab takes 64/,
    ],
    [
      'distances of another machine',
      good.replace(
        '</topology>',
        '<distances2 type="NUMANode" nbobjs="2" indexing="os"><u64values>10 20 20 10</u64values></distances2></topology>',
      ),
      /distances are not 1 × 1/,
    ],
    [
      'distances that are cut off',
      good.replace(
        '</topology>',
        '<distances2 type="NUMANode" nbobjs="2" indexing="os"><u64values>10 20</u64values></distances2></topology>',
      ),
      /2 values for 2 nodes/,
    ],
    [
      'distances that are no numbers',
      good.replace(
        '</topology>',
        '<distances2 type="NUMANode" nbobjs="1" indexing="os"><u64values>far</u64values></distances2></topology>',
      ),
      /a distance is not a number/,
    ],
    [
      'a distance count that is none',
      good.replace('</topology>', '<distances2 type="NUMANode" nbobjs="-4" indexing="os"/></topology>'),
      /nbobjs/,
    ],
  ])('is refused: %s', (_what, text, message) => {
    expect(() => readHwloc(text, 'm')).toThrow(message);
  });

  it('of any damage is read or refused with a reason', () => {
    fc.assert(
      fc.property(fc.nat(good.length), fc.nat(40), fc.string({ maxLength: 8 }), (at, length, text) => {
        try {
          readHwloc(good.slice(0, at) + text + good.slice(at + length), 'm');
        } catch (error) {
          expect((error as Error).message).toMatch(/^m[,:] /);
        }
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});
