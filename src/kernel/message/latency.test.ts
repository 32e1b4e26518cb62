import { describe, expect, it } from 'vitest';
import { homeDetour } from '../../machine/interconnect.ts';
import { preset } from '../../machine/topology/presets.ts';
import { coreOf } from '../../machine/topology/topology.ts';
import { latencyBounds, messageLatency } from './latency.ts';
import { TRANSPORTS } from './settings.ts';

const opteron = preset('opteron-6274');
const nodes = [...opteron.nodes.keys()];

describe('the way of a message', () => {
  it('is no longer than the line’s where the window is at home, and by three hops where it is far from both', () => {
    // Cores of one die, whose window is on another package: to the directory there and back.
    expect(messageLatency(opteron, 0, 2, TRANSPORTS.memory, 0)).toBe(messageLatency(opteron, 0, 2));
    const away = nodes.find(node => opteron.distances[0]?.[node] === 22) as number;
    expect(homeDetour(opteron, 0, 2, away)).toBe((22 + 22 - 10 - 10) * 13);
    expect(messageLatency(opteron, 0, 2, TRANSPORTS.memory, away) - messageLatency(opteron, 0, 2)).toBe(24 * 13);
    // A queue of the hardware is in no memory.
    expect(messageLatency(opteron, 0, 2, TRANSPORTS.queue, away)).toBe(messageLatency(opteron, 0, 2, TRANSPORTS.queue));
  });

  it('is within the bounds by which hosts run, wherever cores and windows are', () => {
    const { least, most } = latencyBounds(opteron);
    for (const { id: from } of opteron.cores)
      for (const { id: to } of opteron.cores.filter(each => each.id !== from))
        for (const home of nodes) {
          const latency = messageLatency(opteron, from, to, TRANSPORTS.memory, home);
          expect(latency).toBe(messageLatency(opteron, to, from, TRANSPORTS.memory, home));
          if (latency < least || latency > most) expect.fail(`${from} to ${to} by ${home}: ${latency}, not in ${least} … ${most}`);
          if ([from, to].some(core => coreOf(opteron, core).node === home)) expect(homeDetour(opteron, from, to, home)).toBe(0);
        }
  });
});
