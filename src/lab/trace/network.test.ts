/** What the page says of the network against what was done there: echoes between kernels that run, and a cable that loses all. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { E } from '../../kernel/abi/errno.ts';
import { ipText } from '../../kernel/net/address.ts';
import { addressOfFunction, addressOfKernel, CLIENT_ADDRESS, CLIENT_KERNEL, DEFAULT_NETWORK } from '../../kernel/net/parameters.ts';
import { kernelOf, order, pass, ping } from '../../kernel/net/switch/testing.ts';
import { must, pattern, pour, Sink } from '../../kernel/net/testing.ts';
import { KernelLab } from '../../kernel/testing.ts';
import { dissect } from '../dissect.ts';
import { NetworkTable, type PacketRow } from './network.ts';
import { Gauge, LEVELS, STEPS, Tally } from './series.ts';

const archive = gunzipSync(new Uint8Array(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url))));

function tableOf(lab: KernelLab): NetworkTable {
  const table = new NetworkTable();
  for (const [time = 0, kernel = 0, kind = 0, core = 0, a = 0, b = 0, c = 0, d = 0] of lab.trace)
    table.take(kind, kernel, time, core, a, b, c, d);
  for (const { time, kernel, bytes } of [...lab.captured].sort((a, b) => a.time - b.time)) table.addCapture(kernel, time, bytes);
  return table;
}

/** Echoes between kernels 1 and 2, and one to the client machine that is lost. */
function echoes(capture: true | 'once'): { lab: KernelLab; trips: number[] } {
  const lab = new KernelLab({
    ...{ archive, cores: 3, kernels: 3, client: true, exec: ['sleep', '1000'] },
    network: { ...DEFAULT_NETWORK, capture },
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
  return { lab, trips };
}

describe('the network as records tell it', () => {
  const { lab, trips } = echoes(true);
  const table = tableOf(lab);
  const lines = table.packets().map(row => ({ ...row, ...dissect(row.frame) }));

  it('knows each echo, where it came from and where it went', () => {
    expect(trips).toHaveLength(3);
    const echoes = lines.filter(({ protocol, over, summary }) => protocol === 'ICMP' && over !== 'wire' && !summary.includes('10.1.1.63'));
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
      const own = lines.filter(({ from, over }) => from === kernel && over !== 'wire');
      expect(port?.sent.total).toBe(own.length);
      expect(port?.sentBytes.total).toBe(own.reduce((sum, { frame }) => sum + frame.length, 0));
      expect(port?.received.total).toBe(lines.filter(({ to, over }) => to.includes(kernel) && over !== 'wire').length);
    }
    expect(table.ports.get(2)?.interrupts.total).toBeGreaterThan(0);
    expect(table.ports.get(2)?.polled).toBe(table.ports.get(2)?.received.total);
  });

  it('is the same when of each frame the bytes are told once, at a third of the cost', () => {
    const once = echoes('once').lab;
    expect(tableOf(once).packets()).toEqual(table.packets());
    expect(once.trace).toEqual(lab.trace);
    const bytes = ({ captured }: KernelLab): number => captured.reduce((sum, each) => sum + each.bytes.length, 0);
    expect(bytes(once)).toBeLessThan(bytes(lab) / 2);
  });

  it('says what the wire lost, and how switch and cable are set', () => {
    expect(table.wire.dropped).toBeGreaterThan(0);
    expect(lines.filter(({ over }) => over === 'wire').map(({ from, to, fates }) => [from, to.length, fates[0]])[0]).toEqual([
      0,
      0,
      'lost on the wire',
    ]);
    expect(table.switch).toEqual({ version: 'kernel', slots: 64, budget: 64, hub: 0 });
    expect(table.link).toMatchObject({ up: true, loss: 1e6 });
    expect(table.ports.has(CLIENT_KERNEL)).toBe(false);
  });
});

describe('what the card carries by itself', () => {
  const lab = new KernelLab({
    ...{ archive, cores: 3, kernels: 3, client: true, exec: ['sleep', '1000'] },
    network: { ...DEFAULT_NETWORK, capture: 'once' },
  });
  for (const kernel of [1, 2]) lab.input(0, { kind: 'boot', kernel });
  pass(lab, 50);
  for (const kernel of [1, 2]) order(lab, `mv-dev nic0.${kernel} ${kernel}`);
  const trips = ping(lab, 1, addressOfFunction(2), 2);
  pass(lab, 5);
  const table = tableOf(lab);
  const lines = table.packets().map(row => ({ ...row, ...dissect(row.frame) }));

  it('is told of as such, with the functions that it passed', () => {
    expect(trips).toHaveLength(2);
    const way = ({ over, from, to, functions }: PacketRow) => [over, from, to, functions];
    expect(lines.filter(({ protocol }) => protocol === 'ICMP').map(way)).toEqual([
      ['card', 1, [2], [1, 2]],
      ['card', 2, [1], [2, 1]],
      ['card', 1, [2], [1, 2]],
      ['card', 2, [1], [2, 1]],
    ]);
  });
  it('and what goes to all is told of twice: in the card and on the wire', () => {
    const question = lines.filter(({ summary }) => summary.startsWith(`who has ${ipText(addressOfFunction(2))}?`));
    expect(question.map(({ over, from, to }) => [over, from, to])).toEqual([
      ['card', 1, [0, 2]],
      ['wire', 1, [CLIENT_KERNEL]],
    ]);
  });
  it('goes to the card and from it on the picture', () => {
    const passed: (readonly (number | null)[])[] = [];
    table.eachPassage(0, ({ over, from, to }) => {
      if (over === 'card' && from === 2) passed.push([from, to]);
    });
    expect(passed.slice(-2)).toEqual([
      [2, null],
      [2, 1],
    ]);
  });
});

describe('TCP connections as records tell them', () => {
  const lab = new KernelLab({
    ...{ archive, cores: 2, kernels: 2, client: true, exec: ['sleep', '1000'] },
    network: { ...DEFAULT_NETWORK, capture: true, link: { ...DEFAULT_NETWORK.link, rate: 1e8, loss: 0.02 } },
  });
  lab.input(0, { kind: 'boot', kernel: 1 });
  pass(lab, 50);
  const [server, client] = [kernelOf(lab, 1).net.stack, kernelOf(lab, CLIENT_KERNEL).net.stack];
  const listener = must(server.tcpListen(must(server.tcpBind({ address: 0, port: 80 })), 5));
  const opened = must(client.tcpConnect({ address: addressOfKernel(1), port: 80 }));
  const refused = must(client.tcpConnect({ address: addressOfKernel(1), port: 81 }));
  // Long enough for a SYN to be sent again, should the wire lose it.
  pass(lab, 3100);
  const served = must(listener.accept());
  const sink = new Sink(opened);
  const bytes = pattern(300_000);
  pour(served, bytes, 10_000, false);
  for (let i = 0; i < 40 && sink.length < bytes.length; i++) pass(lab, 100);
  const before = { info: served.info, table: tableOf(lab) };
  opened.close();
  pass(lab, 5);
  served.close();
  pass(lab, 500);
  const after = tableOf(lab);

  it('know both ends, who opened it, and how it goes on and ends', () => {
    expect(sink.bytes).toEqual(bytes);
    const [row, other] = before.table.connections.all();
    expect(row?.ends.map(({ kernel, port, state }) => [kernel, port === 80, state])).toEqual([
      [CLIENT_KERNEL, false, 'ESTABLISHED'],
      [1, true, 'ESTABLISHED'],
    ]);
    expect(other?.ends.map(({ kernel, state, errno }) => [kernel, state, errno])).toEqual([[CLIENT_KERNEL, 'CLOSE', E.CONNREFUSED]]);
    expect(refused.state).toBe('CLOSE');
    expect(after.connections.all()[0]?.ends.map(({ state }) => state)).toEqual(['TIME_WAIT', 'CLOSE']);
  });

  it('tell what the connection itself knows of its path, and each segment that went out again', () => {
    const { info } = before;
    const end = before.table.connections.all()[0]?.ends[1];
    if (end === undefined) throw new Error('it has no other end');
    const last = end.path.length - 1;
    expect(end.path.length).toBeGreaterThan(10);
    expect(end.path.roundTrip[last]).toBe(Math.ceil(((info.rtt ?? 0) * 1e9) / 2.2e9));
    expect(Math.abs((end.path.peerWindow[last] ?? 0) - info.sendWindow)).toBeLessThanOrEqual(info.sendWindow / 8);
    expect(Math.max(...end.path.congestionWindow.subarray(0, last + 1))).toBeGreaterThan(10 * info.mss);
    expect(info.retransmissions).toBeGreaterThan(0);
    expect(end.resends.length).toBe(info.retransmissions);
  });

  it('fill the rings that they pass, and wire and switch alike', () => {
    const { ports, wire } = before.table;
    expect(ports.get(1)?.toHub.most).toBeGreaterThan(1);
    expect(ports.get(1)?.fromHub.most).toBeGreaterThan(0);
    expect(Math.max(...[0, 1].flatMap(kernel => [ports.get(kernel)?.toHub.most ?? 0, ports.get(kernel)?.fromHub.most ?? 0]))).toBeLessThan(
      65,
    );
    expect(wire.sentBytes.total).toBeGreaterThan(bytes.length);
    let passed = 0;
    before.table.eachNewPassage(0, ({ from, to }) => {
      if (from === 1) expect(to).toBe(0);
      passed++;
    });
    expect(passed).toBeGreaterThan(300);
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

  it('has the same counts in steps of any length; a gauge has the greatest of each', () => {
    const [tally, gauge] = [new Tally(), new Gauge()];
    for (let i = 0; i < 100; i++) {
      tally.add(1e6 + i * 100, 1);
      gauge.set(1e6 + i * 100, i % 10);
    }
    for (let level = 0; level < LEVELS.length; level++) {
      const now = 1.02e6 + (LEVELS[level] as number);
      expect(tally.last(now, level).reduce((all, each) => all + each)).toBe(100);
      expect(Math.max(...gauge.last(now, level))).toBe(9);
    }
    expect(tally.last(1.02e6, 0).filter(each => each > 0)).toHaveLength(2);
    expect(tally.last(1.02e6 + STEPS * LEVELS[0] + 1e6, 0).every(each => each === 0)).toBe(true);
  });
});
