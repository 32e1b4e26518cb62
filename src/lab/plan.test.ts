import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { preset } from '../machine/topology/presets.ts';
import { DEFAULT_MESSAGES } from '../kernel/message/settings.ts';
import { commandLine, rangesText } from '../kernel/boot/parameters.ts';
import { deviceTexts } from '../machine/devices/devices.ts';
import { PlanError, readPlan, withPrefix } from './plan-text.ts';
import { kernelsText, resolvePlan, withCores, withDevice, withMemory } from './plan.ts';

const opteron = preset('opteron-6274');
const MEBIBYTE = 1 << 20;

describe('the named plans', () => {
  it('smp: one kernel with every core and every node, the nearest first', () => {
    const { mode, partitions } = resolvePlan('smp', opteron);
    expect(mode).toBe('single');
    expect(partitions).toHaveLength(1);
    expect(partitions[0]?.cores).toEqual(Array.from({ length: 64 }, (_, core) => core));
    expect(partitions[0]?.memory.map(({ node }) => node)).toEqual([0, 1, 2, 4, 6, 3, 5, 7]);
  });

  it('clustered: a kernel for each node, with that node’s memory', () => {
    const { partitions } = resolvePlan('clustered', opteron);
    expect(partitions.map(({ cores }) => rangesText(cores))).toEqual(['0-7', '8-15', '16-23', '24-31', '32-39', '40-47', '48-55', '56-63']);
    expect(partitions.map(({ memory }) => memory.map(({ node }) => node))).toEqual([[0], [1], [2], [3], [4], [5], [6], [7]]);
    for (const { memory } of partitions) expect(memory[0]?.bytes).toBe(256 * MEBIBYTE);
  });

  it('partitioned: a kernel for each core, with an equal share of its node', () => {
    const { partitions } = resolvePlan('partitioned', opteron);
    expect(partitions).toHaveLength(64);
    for (const { kernel, cores, memory } of partitions) {
      expect(cores).toEqual([kernel]);
      expect(memory.map(({ node, bytes }) => [node, bytes])).toEqual([[Math.floor(kernel / 8), 32 * MEBIBYTE]]);
    }
  });

  it('kvm: not there yet', () => {
    expect(() => resolvePlan('kvm', opteron)).toThrow('not there yet');
  });
});

describe('a plan kernel by kernel', () => {
  it('gives each its cores, and nodes’ memory in equal parts to those that name them', () => {
    const { partitions } = resolvePlan('0-7@0; 8-11,13@1,2 ;16-63@2-7', opteron);
    expect(partitions.map(({ cores }) => rangesText(cores))).toEqual(['0-7', '8-11,13', '16-63']);
    expect(partitions.map(({ memory }) => memory.map(({ node, bytes }) => [node, bytes / MEBIBYTE]))).toEqual([
      [[0, 256]],
      [
        [1, 256],
        [2, 128],
      ],
      [
        [2, 128],
        [4, 256],
        [5, 256],
        [6, 256],
        [7, 256],
        [3, 256],
      ].sort(([a], [b]) => {
        const row = opteron.distances[2] ?? [];
        return (row[a as number] ?? 0) - (row[b as number] ?? 0) || (a as number) - (b as number);
      }),
    ]);
  });

  it('without @ means the cores’ own nodes', () => {
    expect(resolvePlan('0-8', opteron).partitions[0]?.memory.map(({ node }) => node)).toEqual([0, 1]);
  });

  it.each([
    ['', 'empty', 0],
    ['0-7@0;', 'kernel 1 has no core', 6],
    ['0-7@0;7-8@1', 'core 7 is given to kernel 0 and to kernel 1', 6],
    ['0,0@0', 'core 0 appears twice', 0],
    ['0-7@0;64@1', 'the machine has no core 64', 6],
    ['0-7@8', 'the machine has no node 8', 4],
    ['0-7@', 'no memory', 3],
    ['7-0@0', 'runs backwards', 0],
    ['0-x@0', 'no number', 0],
    ['0@0@1', '“0@1” is no memory', 2],
    ['0@0M@1', 'is no memory', 2],
    ['0@1,16M@1', 'node 1 appears twice', 4],
    ['0@16M@8', 'no node 8', 2],
    ['0@200M@0;1@57M@0', 'node 0 has 256M of memory, not 257M', null],
    ['0@0;1@0+nic1', 'the machine has no nic1', 7],
    ['0@0+disk0;1@0+disk0', 'disk0 is given to kernel 0 and to kernel 1', 13],
    ['0+nic0+nic0', 'nic0 appears twice', 6],
    ['0+nic0.64', 'no nic0.64', 1],
    ['0+NIC', 'is no device', 1],
    ['flat:0@0;0@1', 'core 0 is given to', 9],
    ['federation:', 'empty', 11],
    ['0@0;smp', 'no number', 4],
  ] as const)('refuses %j: %s', (text, message, position) => {
    let error: unknown;
    try {
      resolvePlan(text, opteron);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(PlanError);
    expect((error as PlanError).message).toContain(message);
    expect((error as PlanError).position).toBe(position);
  });

  it('refuses too many kernels, and too little memory', () => {
    const crowd = Array.from({ length: 64 }, (_, core) => `${core}@0`).join(';');
    expect(() => resolvePlan(crowd, opteron)).toThrow(/MiB of memory/);
  });
});

describe('devices in a plan', () => {
  const devicesOf = (text: string): (readonly string[])[] =>
    resolvePlan(text, opteron).partitions.map(({ devices }) => deviceTexts(devices));
  it('disk and card go to the first kernel where none is named', () => {
    expect(devicesOf('0-7;8-15')).toEqual([['disk0', 'nic0'], []]);
    expect(devicesOf('clustered')[0]).toEqual(['disk0', 'nic0']);
  });
  it('go to those that name them; the others are nobody’s', () => {
    expect(devicesOf('0-7@0+disk0;8-15@1+nic0+nic0.3-5')).toEqual([['disk0'], ['nic0', 'nic0.3-5']]);
    expect(devicesOf('clustered+vf').slice(0, 3)).toEqual([['disk0', 'nic0'], ['nic0.1'], ['nic0.2']]);
    expect(() => devicesOf('smp+nic0')).toThrow('kernel by kernel');
  });
});

describe('memory without regard to nodes', () => {
  it('is one chunk after the other, in proportion to cores; the windows lie at the top', () => {
    const { partitions } = resolvePlan('flat:0,8,16;1-3', opteron);
    const size = (memory: (typeof partitions)[number]['memory']): number => memory.reduce((sum, { bytes }) => sum + bytes, 0) / MEBIBYTE;
    expect(partitions.map(({ memory }) => size(memory))).toEqual([1024, 1024]);
    expect(partitions.map(({ memory }) => memory.map(({ node }) => node))).toEqual([
      [7, 0, 1, 2, 3],
      [7, 3, 4, 5, 6, 7],
    ]);
    const starts = partitions.map(({ memory }) => memory[1]?.base ?? 0);
    expect(starts[1]).toBeGreaterThan(starts[0] as number);
  });
  it('leaves those alone who name their nodes', () => {
    const { partitions } = resolvePlan('flat:0@2;1', opteron);
    expect(partitions[0]?.memory.map(({ node, bytes }) => [node, bytes / MEBIBYTE])).toEqual([[2, 256]]);
    expect(partitions[1]?.memory.some(({ node }) => node === 2)).toBe(false);
  });
});

it('a federation is the same plan with a word before it', () => {
  expect(resolvePlan('federation:clustered', opteron)).toEqual({ ...resolvePlan('clustered', opteron), mode: 'federation' });
  expect(resolvePlan('federation:flat:0-7;8-15', opteron).mode).toBe('federation');
  expect(withPrefix('federation:flat:0;1', { mode: 'single' })).toBe('flat:0;1');
  expect(withPrefix('smp', { mode: 'federation', rule: 'flat' })).toBe('federation:flat:smp');
});

it('whatever is accepted keeps what the file promises, and survives being written and read', () => {
  const kernels = fc.array(
    fc.record({
      cores: fc.uniqueArray(fc.nat(66), { minLength: 0, maxLength: 5 }),
      nodes: fc.uniqueArray(fc.nat(8), { maxLength: 3 }),
      amounts: fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 99 }), fc.nat(8)), { maxLength: 2 }),
      devices: fc.uniqueArray(fc.constantFrom('disk0', 'nic0', 'nic0.1', 'nic0.2'), { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(
    fc.property(kernels, fc.constantFrom('', 'flat:', 'federation:'), (wanted, words) => {
      const own = wanted.map(({ cores, nodes, amounts, devices }) => {
        const memory = [...nodes, ...amounts.map(([size, node]) => `${size}M@${node}`)];
        return [cores.join(',') + (memory.length > 0 ? `@${memory.join(',')}` : ''), ...devices].join('+');
      });
      const text = words + own.join(';');
      let plan: ReturnType<typeof resolvePlan>;
      try {
        plan = resolvePlan(text, opteron);
      } catch (error) {
        expect(error).toBeInstanceOf(PlanError);
        return;
      }
      const cores = plan.partitions.flatMap(each => each.cores);
      expect(new Set(cores).size).toBe(cores.length);
      const devices = plan.partitions.flatMap(each => each.devices);
      expect(new Set(devices).size).toBe(devices.length);
      const ranges = plan.partitions.flatMap(each => each.memory).sort((a, b) => a.base - b.base);
      for (const [i, { base, bytes }] of ranges.entries()) {
        expect(bytes % MEBIBYTE).toBe(0);
        expect(base + bytes).toBeLessThanOrEqual(ranges[i + 1]?.base ?? Number.POSITIVE_INFINITY);
      }
      const written = withPrefix(text, { body: kernelsText(readPlan(text, opteron).kernels, opteron) });
      expect(resolvePlan(written, opteron)).toEqual(plan);
    }),
    { numRuns: 300 },
  );
});

it('gives a device to another kernel and leaves all else as it is', () => {
  for (const text of ['clustered', 'flat:clustered+vf', '0-7@0;8-15@1;16-63@2-7', 'federation:0-7@0+nic0;8-15@3+disk0']) {
    for (const [device, to] of [
      ['disk0', 1],
      ['nic0', 1],
      ['disk0', 0],
    ] as const) {
      const [before, after] = [resolvePlan(text, opteron), resolvePlan(withDevice(text, device, to, opteron), opteron)];
      const without = (plan: typeof before) =>
        plan.partitions.map(each => ({ ...each, devices: each.devices.filter(name => name !== device) }));
      expect(after.partitions[to]?.devices).toContain(device);
      expect({ ...after, partitions: without(after) }).toEqual({ ...before, partitions: without(before) });
    }
  }
});

describe('memory in a plan', () => {
  const amounts = (text: string): string[] =>
    resolvePlan(text, opteron).partitions.map(({ memory }) => {
      const sums = new Map<number, number>();
      for (const { node, bytes } of memory) sums.set(node, (sums.get(node) ?? 0) + bytes / MEBIBYTE);
      return [...sums]
        .sort(([a], [b]) => a - b)
        .map(([node, size]) => `${size}M@${node}`)
        .join();
    });

  it('goes by amounts first, and what is left of a node to those that share it', () => {
    expect(amounts('0-7@0;8-15@1,16M@0')).toEqual(['240M@0', '16M@0,256M@1']);
    expect(amounts('0;1-3;4-7@200M@0')).toEqual(['14M@0', '42M@0', '200M@0']);
    expect(amounts('0@0;1@0;2@56M@0')).toEqual(['100M@0', '100M@0', '56M@0']);
    expect(amounts('flat:0@100M@0;1@64M@7;2')[2]).toBe('156M@0,256M@1,256M@2,256M@3,256M@4,256M@5,256M@6,192M@7');
  });

  it('a block of it goes to another kernel, and there and back is the way it was written', () => {
    const there = withMemory('0-7;8-15', { node: 0, bytes: 16 * MEBIBYTE, from: 0, to: 1 }, opteron);
    expect(there).toBe('0-7;8-15@1,16M@0');
    expect(withMemory(there, { node: 0, bytes: 16 * MEBIBYTE, from: 1, to: 0 }, opteron)).toBe('0-7;8-15');
    expect(withMemory('0-7@0;8-15@1', { node: 5, bytes: MEBIBYTE, from: null, to: 1 }, opteron)).toBe('0-7@0;8-15@1,1M@5');
  });

  it('is whole: the two have what was asked for, all others what they had', () => {
    const MOVED = 5;
    for (const text of ['clustered', 'flat:clustered+vf', 'partitioned', '0-3;4-7;8-63', '0-3@0,2;4-7@0;8-15@1,16M@3']) {
      const before = amounts(text);
      for (const [from, to] of [
        [0, 1],
        [1, 0],
        [2, 1],
      ] as const) {
        const [, node = 0] =
          (before[from] ?? '')
            .split(',')
            .map(word => word.split('M@').map(Number))
            .sort(([a = 0], [b = 0]) => b - a)[0] ?? [];
        const moved = withMemory(text, { node, bytes: MOVED * MEBIBYTE, from, to }, opteron);
        const has = (all: string[], kernel: number): number => Number(new RegExp(`(\\d+)M@${node}\\b`).exec(all[kernel] ?? '')?.[1] ?? 0);
        const after = amounts(moved);
        expect(has(after, from) - has(before, from), `${text} ${from}>${to} ${moved}`).toBe(-MOVED);
        expect(has(after, to) - has(before, to)).toBe(MOVED);
        for (const [kernel] of before.entries()) if (kernel !== from && kernel !== to) expect(after[kernel]).toBe(before[kernel]);
      }
    }
  });

  it('is refused where a kernel would have too little, or has not so much', () => {
    const move = (bytes: number) => () => withMemory('0-7@0;8-15@1', { node: 0, bytes: bytes * MEBIBYTE, from: 0, to: 1 }, opteron);
    expect(move(250)).toThrow('kernel 0 would have 6 MiB of memory; it needs 8');
    expect(move(256)).toThrow('kernel 0 has no memory');
    expect(move(257)).toThrow('kernel 0 has not so much memory on node 0');
  });
});

it('gives cores to a kernel of their own, or to one that is there; others’ memory is as it was written', () => {
  expect(withCores('clustered', [4, 5], null, opteron)).toMatch(/^0-3,6-7@0;4-5@0;8-15@1;/);
  expect(withCores('0-7@0;8-15@1,16M@0;16-23@2-4', [8], 0, opteron)).toBe('0-8@0-1;9-15@1,16M@0;16-23@2-4');
  expect(withCores('flat:0-7;8-15', [0], 1, opteron)).toBe('flat:0,8-15;1-7+disk0+nic0');
  expect(withCores('nonsense', [3], null, opteron)).toBe('3@0');
});

it('says on the command line what Popcorn’s kernels were told', () => {
  const plan = resolvePlan('clustered', opteron);
  const parameters = {
    kernel: 0,
    plan,
    by: 0,
    present: [],
    seed: 1,
    caches: true,
    messages: DEFAULT_MESSAGES,
    balance: false,
    exec: null,
    init: true,
  };
  expect(commandLine(parameters)).toMatch(/^console=ttyS0 present_mask=0-7 memmap=256M@0x[0-9a-f]+ /);
});
