import { describe, expect, it } from 'vitest';
import { preset } from '../machine/topology/presets.ts';
import { messageLatency } from '../kernel/message/latency.ts';
import { resolvePlan } from './plan.ts';
import { planCost, planTable } from './plan-cost.ts';

const opteron = preset('opteron-6274');
const cost = (text: string): ReturnType<typeof planCost> => planCost(resolvePlan(text, opteron), opteron);

describe('what memory costs', () => {
  it('is local where each kernel has its node: 220 cycles a miss', () => {
    expect(cost('clustered').total).toMatchObject({ average: 220, first: 220 });
  });

  it('is more where a kernel’s memory lies on all nodes, by their distances', () => {
    const row = opteron.distances.map(distances => distances.reduce((a, b) => a + b, 0) / 8);
    expect(cost('smp').total.average).toBeCloseTo((row.reduce((a, b) => a + b, 0) / 8) * 22, 6);
    expect(cost('smp').total.first).toBe(220);
  });

  it('is more in a flat plan, when cores and chunks do not happen to fit', () => {
    const mixed = '56-63;0-55';
    expect(cost(`flat:${mixed}`).total.average).toBeGreaterThan(cost(mixed).total.average * 1.05);
    expect(cost(`flat:${mixed}`).total.first).toBeGreaterThan(cost(mixed).total.first);
  });

  it('has the windows of a flat plan at the top, those of the other where they are nearest to all', () => {
    expect(resolvePlan('flat:clustered', opteron).partitions.map(({ memory }) => memory[0]?.node)).toEqual([7, 7, 7, 7, 7, 7, 7, 7]);
    const { partitions } = resolvePlan('0-15;16-63', opteron);
    const sum = (node: number): number => [0, 2].reduce((all, home) => all + (opteron.distances[home]?.[node] ?? 0), 0);
    const costOf = (text: string): number => cost(text).total.message;
    // By a window at home a message takes what the line and its interrupt take; by one far from both it first asks there.
    expect(costOf('flat:clustered')).toBeGreaterThan(costOf('clustered'));
    expect(costOf('0-7;8-15')).toBe(messageLatency(opteron, 0, 8));
    for (const { memory } of partitions) for (const { node } of memory) expect(sum(node)).toBeGreaterThanOrEqual(sum(memory[0]?.node ?? 0));
  });

  it('is a table on the command line', () => {
    expect(
      planTable(resolvePlan('0-7;8-15+nic0', opteron), opteron)
        .split('\n')
        .map(line => line.trim()),
    ).toEqual([
      'kernel  cores     memory  average  first  message  devices',
      '0       0…7 (8)   256M@0  220      220    1560     -',
      '1       8…15 (8)  256M@1  220      220    1560     nic0',
      'all     16                220      220    1560',
      '',
    ]);
  });
});
