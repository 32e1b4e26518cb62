/** What the page says of the network against what was done there: echoes between kernels that run, and a cable that loses all. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { addressOfKernel, CLIENT_ADDRESS, CLIENT_KERNEL, DEFAULT_NETWORK } from '../../kernel/net/parameters.ts';
import { pass, ping } from '../../kernel/net/switch/testing.ts';
import { KernelLab } from '../../kernel/testing.ts';
import { dissect } from '../dissect.ts';
import { NetworkTable, Tally } from './network.ts';

const archive = gunzipSync(new Uint8Array(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url))));

function tableOf(lab: KernelLab): NetworkTable {
  const table = new NetworkTable();
  for (const [time = 0, kernel = 0, kind = 0, , a = 0, b = 0, c = 0, d = 0] of lab.trace) table.take(kind, kernel, time, a, b, c, d);
  for (const { time, kernel, bytes } of [...lab.captured].sort((a, b) => a.time - b.time)) table.addCapture(kernel, time, bytes);
  return table;
}

describe('the network as records tell it', () => {
  const lab = new KernelLab({
    ...{ archive, cores: 3, kernels: 3, client: true, exec: ['sleep', '1000'] },
    network: { ...DEFAULT_NETWORK, capture: true },
  });
  for (const kernel of [1, 2]) lab.input(0, { kind: 'boot', kernel });
  pass(lab, 50);
  const trips = ping(lab, 1, addressOfKernel(2), 3);
  pass(lab, 5);
  lab.input(0, { kind: 'order', text: 'link loss 100%' });
  lab.input(0, { kind: 'order', text: 'switch kernel' });
  pass(lab, 1);
  ping(lab, 1, CLIENT_ADDRESS, 1);
  pass(lab, 10);
  const table = tableOf(lab);
  const lines = table.packets().map(row => ({ ...row, ...dissect(row.frame) }));

  it('knows each echo, where it came from and where it went', () => {
    expect(trips).toHaveLength(3);
    const echoes = lines.filter(({ protocol, onWire, summary }) => protocol === 'ICMP' && !onWire && !summary.includes('10.1.1.63'));
    expect(echoes.map(({ from, to }) => [from, ...to])).toEqual([
      [1, 2],
      [2, 1],
      [1, 2],
      [2, 1],
      [1, 2],
      [2, 1],
    ]);
    expect(echoes[0]?.summary).toContain('10.1.2.2 → 10.1.2.3 echo request');
    expect(lines.every(({ damaged }) => !damaged)).toBe(true);
    const question = lines.find(({ summary }) => summary.startsWith('who has 10.1.2.3?'));
    expect(question?.to).toEqual([0, 2]);
  });

  it('counts what the packet list shows, port by port', () => {
    for (const kernel of [0, 1, 2]) {
      const port = table.ports.get(kernel);
      const own = lines.filter(({ from, onWire }) => from === kernel && !onWire);
      expect(port?.sent.total).toBe(own.length);
      expect(port?.sentBytes).toBe(own.reduce((sum, { frame }) => sum + frame.length, 0));
      expect(port?.received.total).toBe(lines.filter(({ to, onWire }) => to.includes(kernel) && !onWire).length);
    }
    expect(table.ports.get(2)?.interrupts.total).toBeGreaterThan(0);
    expect(table.ports.get(2)?.polled).toBe(table.ports.get(2)?.received.total);
  });

  it('says what the wire lost, and how switch and cable are set', () => {
    expect(table.wire.dropped).toBeGreaterThan(0);
    expect(lines.filter(({ onWire }) => onWire).map(({ from, to, fates }) => [from, to.length, fates[0]])[0]).toEqual([
      0,
      0,
      'lost on the wire',
    ]);
    expect(table.switch).toEqual({ version: 'kernel', slots: 64, budget: 64, hub: 0 });
    expect(table.link).toMatchObject({ up: true, loss: 1e6 });
    expect(table.ports.has(CLIENT_KERNEL)).toBe(false);
  });
});

describe('a tally', () => {
  it('tells how quickly it grew of late, and forgets', () => {
    const tally = new Tally();
    const second = 2.2e9;
    for (let i = 0; i < 300; i++) tally.add(i * 0.01 * second, 1);
    const rate = tally.rate(3 * second, second);
    expect(rate).toBeGreaterThan(95);
    expect(rate).toBeLessThan(105);
    expect(tally.rate(6 * second, second)).toBe(0);
    expect(tally.total).toBe(300);
    const young = new Tally();
    for (let i = 0; i < 20; i++) young.add(i * 0.01 * second, 1);
    expect(young.rate(0.2 * second, second)).toBeCloseTo(100, -1);
  });
});
