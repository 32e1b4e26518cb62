import { describe, expect, it } from 'vitest';
import { DEFAULT_MESSAGES } from '../kernel/message/settings.ts';
import type { BootParameters, ReplicaInput } from '../kernel/boot/parameters.ts';
import { resolvePlan } from '../lab/plan.ts';
import { preset } from '../machine/topology/presets.ts';
import { CHUNK } from './engine.ts';
import { localHost } from './local-host.ts';
import { chatterThread, makeChatter, POISON } from './node-testing.ts';
import { NEVER } from './words.ts';
import { World, type WorldListener } from './world.ts';

const TOPOLOGY = preset('opteron-6274');
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
const MEMORY = 2 ** 30;

interface Seen {
  readonly outputs: { kernel: number; time: number; text: string }[];
  readonly records: Map<number, number>;
  readonly endings: { time: number; status: number; end: number }[];
  readonly failures: { kernels: readonly number[]; message: string }[];
}

async function world(plan: string, hosts: number, { seed = 1, life = 0 } = {}): Promise<{ world: World; seen: Seen }> {
  const resolved = resolvePlan(plan, TOPOLOGY, MEMORY);
  const kernels = resolved.partitions.map(
    ({ kernel }): BootParameters => ({
      kernel,
      plan: resolved,
      seed,
      by: kernel,
      present: [],
      caches: false,
      messages: DEFAULT_MESSAGES,
      balance: false,
      init: false,
      exec: kernel === 1 && life > 0 ? { kernel, path: '', argv: [], env: [], migrateEvery: life } : null,
    }),
  );
  const seen: Seen = { outputs: [], records: new Map(), endings: [], failures: [] };
  const listener: WorldListener = {
    trace: bytes => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at < bytes.length; at += 40) {
        const kernel = view.getUint16(at + 10, true);
        const sequence = view.getUint32(at + 32, true);
        expect(sequence).toBe(seen.records.get(kernel) ?? 0);
        seen.records.set(kernel, sequence + 1);
      }
    },
    output: (kernel, _port, time, bytes) => seen.outputs.push({ kernel, time, text: String.fromCharCode(...bytes) }),
    ended: (_kernel, time, status, end) => seen.endings.push({ time, status, end }),
    failed: (from, message) => seen.failures.push({ kernels: from, message }),
  };
  const ports = Array.from({ length: hosts }, () => (hosts === 1 ? localHost(turn, makeChatter) : chatterThread()));
  return {
    world: await World.start(
      { topology: TOPOLOGY, kernels, rootArchive: new Uint8Array(0), disk: null, memoryLimit: MEMORY, engine: 'translate', caches: false },
      ports,
      hosts > 1,
      listener,
    ),
    seen,
  };
}

const power = (kernels: number, time = 0): { time: number; kernel: number; input: ReplicaInput }[] =>
  Array.from({ length: kernels }, (_, kernel) => ({ time, kernel, input: { kind: 'power' } as const }));

describe.each([
  ['clustered', 8, 6_000_000],
  ['partitioned', 64, 700_000],
  ['0-3;4-7;8-63', 3, 12_000_000],
] as const)('%s', (plan, count, limit) => {
  it('leaves the same trace with 1, 2 and 4 hosts, in one stretch or in many', async () => {
    const results: unknown[] = [];
    for (const [hosts, pieces] of [
      [1, 1],
      [1, 97],
      [2, 1],
      [4, 11],
      [3, 1],
    ] as const) {
      const { world: each, seen } = await world(plan, hosts);
      for (let piece = 1; piece <= pieces; piece++) {
        await each.advance(Math.ceil((limit * piece) / pieces / 512) * 512, piece === 1 ? power(count) : []);
      }
      const total = [...seen.records.values()].reduce((sum, n) => sum + n, 0);
      expect(total).toBeGreaterThan(count * 100);
      results.push({ fingerprint: each.fingerprint, total, outputs: seen.outputs });
      each.close();
    }
    for (const result of results) expect(result).toEqual(results[0]);
  }, 180_000);

  it('can be cut anywhere, and goes on as if it had not been', async () => {
    const { world: whole } = await world(plan, 1);
    await whole.advance(Math.ceil(limit / 512) * 512, power(count));
    for (const hosts of [1, 4]) {
      const { world: each } = await world(plan, hosts);
      let cuts = 0;
      let inputs = power(count);
      while (each.now < limit) {
        const going = each.advance(Math.ceil(limit / 512) * 512, inputs);
        inputs = [];
        const timer = setTimeout(() => each.cut(), cuts % 7);
        const stretch = await going;
        clearTimeout(timer);
        expect(stretch.limit % 512).toBe(0);
        expect(stretch.limit).toBe(each.now);
        if (each.now < limit) cuts++;
      }
      expect(cuts).toBeGreaterThan(0);
      expect(each.fingerprint).toBe(whole.fingerprint);
      each.close();
    }
  }, 180_000);
});

it('gives an input the time at which it came in, and repeats it', async () => {
  const { world: live } = await world('clustered', 4);
  const inputs = power(8);
  let due = inputs;
  while (live.now < 2_000_000) {
    const going = live.advance(4_000_256, due);
    setTimeout(() => live.cut(), 2);
    await going;
    due = [{ time: live.now, kernel: inputs.length % 8, input: { kind: 'console', bytes: new Uint8Array(inputs.length) } }];
    if (live.now < 2_000_000) inputs.push(...due);
  }
  expect(inputs.length).toBeGreaterThan(8);
  for (const hosts of [1, 2]) {
    const { world: replay } = await world('clustered', hosts);
    await replay.advance(live.now, inputs);
    expect(replay.fingerprint).toBe(live.fingerprint);
    replay.close();
  }
  live.close();
});

it('ends where the program ended, however far the limit is', async () => {
  const ends: unknown[] = [];
  for (const hosts of [1, 2, 4]) {
    const { world: each, seen } = await world('clustered', hosts, { life: 1_234_567 });
    const { limit } = await each.advance(2 ** 40, power(8));
    expect(seen.endings).toHaveLength(1);
    expect(limit).toBe(seen.endings[0]?.end);
    expect(limit % CHUNK).toBe(0);
    ends.push({ endings: seen.endings, fingerprint: each.fingerprint });
    each.close();
  }
  expect(ends[1]).toEqual(ends[0]);
  expect(ends[2]).toEqual(ends[0]);
});

it('comes to rest at once where nothing is to be done', async () => {
  for (const hosts of [1, 4]) {
    const { world: each } = await world('clustered', hosts);
    expect(await each.advance(2 ** 40, [])).toEqual({ limit: 2 ** 40, next: NEVER });
    each.close();
  }
});

it('hands outputs over in order of time', async () => {
  const { world: each, seen } = await world('clustered', 3);
  await each.advance(4_000_256, power(8));
  expect(seen.outputs.length).toBeGreaterThan(20);
  expect(seen.outputs.map(({ time }) => time)).toEqual(seen.outputs.map(({ time }) => time).sort((a, b) => a - b));
  each.close();
});

it.each([1, 2])('names the kernels of a host that fails, and keeps what was recorded (%i hosts)', async hosts => {
  const { world: each, seen } = await world('clustered', hosts);
  await each.advance(512 * 512, power(8));
  const records = new Map(seen.records);
  await expect(
    each.advance(2 ** 40, [{ time: each.now, kernel: 3, input: { kind: 'file', name: POISON, bytes: new Uint8Array(0) } }]),
  ).rejects.toThrow('poisoned');
  expect(seen.failures).toHaveLength(1);
  expect(seen.failures[0]?.kernels).toEqual(hosts === 1 ? [0, 1, 2, 3, 4, 5, 6, 7] : [1, 3, 5, 7]);
  for (const [kernel, count] of records) expect(seen.records.get(kernel)).toBeGreaterThanOrEqual(count);
  await expect(each.advance(2 ** 41, [])).rejects.toThrow('poisoned');
  each.close();
});
