/** The machines that come with the lab. */
import type { Topology, TopologyObject } from './topology.ts';
import { object, topologyFrom } from './tree.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

const cache = (
  type: 'L1Cache' | 'L1iCache' | 'L2Cache' | 'L3Cache',
  bytes: number,
  ways: number,
  children: readonly TopologyObject[],
  memory: readonly TopologyObject[] = [],
): TopologyObject => object(type, -1, children, { bytes, ways, lineBytes: 64, memory });
const node = (id: number, bytes: number): TopologyObject => object('NUMANode', id, [], { bytes });
const range = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index));

/** The talk's machine: four packages of two dies; a die is a node of eight cores with an L3, two cores share a module's L2 and L1i. */
function opteron(): Topology {
  const core = (id: number): TopologyObject => cache('L1Cache', 16 * KIB, 4, [object('Core', id % 16, [object('PU', id, [])])]);
  const module = (first: number): TopologyObject =>
    cache('L2Cache', 2 * MIB, 16, [cache('L1iCache', 64 * KIB, 2, [core(first), core(first + 1)])]);
  const die = (id: number): TopologyObject =>
    cache(
      'L3Cache',
      6 * MIB,
      64,
      range(4, i => module(8 * id + 2 * i)),
      [node(id, 16 * GIB)],
    );
  const packages = range(4, id =>
    object('Package', id, [die(2 * id), die(2 * id + 1)], {
      infos: [
        ['CPUVendor', 'AuthenticAMD'],
        ['CPUFamilyNumber', '21'],
        ['CPUModelNumber', '1'],
        ['CPUModel', 'AMD Opteron(TM) Processor 6274'],
      ],
    }),
  );
  // As this board's firmware has it: 16 within a package and to some dies of others, 22 where two links lie between.
  const distances = [
    [10, 16, 16, 22, 16, 22, 16, 22],
    [16, 10, 22, 16, 16, 22, 22, 16],
    [16, 22, 10, 16, 16, 16, 16, 16],
    [22, 16, 16, 10, 16, 16, 22, 22],
    [16, 16, 16, 16, 10, 16, 16, 22],
    [22, 22, 16, 16, 16, 10, 22, 16],
    [16, 22, 16, 22, 16, 22, 10, 16],
    [22, 16, 16, 22, 22, 16, 16, 10],
  ];
  return topologyFrom(object('Machine', 0, packages), { name: 'opteron-6274', hertz: 2.2e9, distances });
}

function plain(
  name: string,
  model: string,
  hertz: number,
  packages: number,
  cores: number,
  l3: number,
  bytes: number,
  distances: readonly (readonly number[])[],
): Topology {
  const core = (id: number): TopologyObject =>
    cache('L2Cache', 1 * MIB, 16, [
      cache('L1Cache', 32 * KIB, 8, [cache('L1iCache', 32 * KIB, 8, [object('Core', id % cores, [object('PU', id, [])])])]),
    ]);
  const all = range(packages, id =>
    object(
      'Package',
      id,
      [
        cache(
          'L3Cache',
          l3,
          16,
          range(cores, i => core(id * cores + i)),
          [node(id, bytes)],
        ),
      ],
      { infos: [['CPUModel', model]] },
    ),
  );
  return topologyFrom(object('Machine', 0, all), { name, hertz, distances });
}

export const PRESETS: Readonly<Record<'opteron-6274' | 'laptop' | 'dual', Topology>> = {
  'opteron-6274': opteron(),
  laptop: plain('laptop', 'Laptop, 4 cores', 2.4e9, 1, 4, 8 * MIB, 16 * GIB, [[10]]),
  dual: plain('dual', 'Dual-socket server, 2 × 8 cores', 2.6e9, 2, 8, 20 * MIB, 64 * GIB, [
    [10, 21],
    [21, 10],
  ]),
};
export type PresetName = keyof typeof PRESETS;

/** @throws Error naming the presets there are */
export function preset(name: string): Topology {
  if (!Object.hasOwn(PRESETS, name)) throw new Error(`no machine is called ${name}; there are ${Object.keys(PRESETS).join(', ')}`);
  return PRESETS[name as PresetName];
}

/** What stands at the other end of the cable: a small machine on the same clock, from which others are put under load. */
export const clientMachine = (hertz: number, cores = 4): Topology =>
  plain('roastduck', `Load generator, ${cores} cores`, hertz, 1, cores, 8 * MIB, 4 * GIB, [[10]]);
