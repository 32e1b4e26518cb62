/** The virtual switch between kernels: what it carries, in each of its versions, what it costs, and what becomes of it when kernels go. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inflate, KernelLab, type LabOptions } from '../../testing.ts';
import { CAPTURE_HEADER, FRAME, NET_DEVICE } from '../frame-trace.ts';
import { addressOfKernel, CLIENT_ADDRESS, CLIENT_KERNEL, DEFAULT_NETWORK, type NetworkParameters } from '../parameters.ts';
import { SWITCH_VERSIONS, type SwitchSettings } from './settings.ts';
import { flood, kernelOf, listeners, order, pass, ping } from './testing.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../../../public/initramfs.cpio.gz', import.meta.url))));

/** So many kernels of one core each, all up and joined. */
function machine(
  kernels: number,
  settings: Partial<SwitchSettings> = {},
  { client = false, ...network }: Partial<NetworkParameters> & Pick<LabOptions, 'client'> = {},
): KernelLab {
  const lab = new KernelLab({
    archive,
    cores: kernels,
    kernels,
    client,
    exec: ['sleep', '1000'],
    network: { ...network, switch: { ...DEFAULT_NETWORK.switch, ...settings } },
  });
  for (let kernel = 1; kernel < kernels; kernel++) lab.input(0, { kind: 'boot', kernel });
  pass(lab, 50);
  return lab;
}

/** How many of three echoes come back. */
function echoes(lab: KernelLab, from: number, to: number): number {
  const times = ping(lab, from, to, 3);
  pass(lab, 8);
  return times.filter(time => time > 0).length;
}

/** Sums of the frames that have come into the switch, in no order. */
const entered = (lab: KernelLab): string[] =>
  lab.captured
    .filter(({ bytes }) => bytes[0] === FRAME.In && bytes[1] === NET_DEVICE.Switch)
    // The identification of a packet, its source port and the checksums over them are as the stack's chance has them.
    .map(({ bytes }) => Buffer.from(bytes.subarray(CAPTURE_HEADER)).fill(0, 18, 20).fill(0, 24, 26).fill(0, 34, 36).fill(0, 40, 42))
    .map(frame => `${frame.length} ${createHash('sha1').update(frame).digest('hex')}`)
    .sort();

describe.each(SWITCH_VERSIONS)('version %s', version => {
  it('carries echoes between any two kernels, at once', () => {
    const lab = machine(3, { version });
    for (const [from, to] of [
      [1, 0],
      [0, 2],
      [1, 2],
    ] as const)
      expect(echoes(lab, from, addressOfKernel(to))).toBe(3);
  });
});

describe('the three versions', () => {
  const runs = SWITCH_VERSIONS.map(version => {
    const lab = machine(3, { version }, { capture: true });
    const got = listeners(lab, [0, 2]);
    flood(lab, 1, 2, 30, { gap: 100_000, bytes: 1400 });
    flood(lab, 1, 0, 30, { gap: 100_000, bytes: 10 });
    flood(lab, 0, 2, 30, { gap: 100_000, bytes: 700 });
    pass(lab, 10);
    return { lab, got };
  });

  it('carry the same frames', () => {
    const [first, ...others] = runs.map(({ lab }) => entered(lab));
    expect(first?.length).toBeGreaterThan(90);
    for (const other of others) expect(other).toEqual(first);
    for (const { got } of runs) expect([...got.values()].map(each => each.got.length)).toEqual([30, 60]);
  });

  it('take longer the more they do', () => {
    const [user = 0, kernel = 0, rings = 0] = SWITCH_VERSIONS.map(version => {
      const lab = machine(2, { version });
      const times = ping(lab, 1, addressOfKernel(0), 5);
      pass(lab, 8);
      return times[4];
    });
    expect(rings).toBeLessThan(kernel);
    expect(kernel).toBeLessThan(user);
  });

  it('are exchanged under traffic, and nothing is lost', () => {
    const lab = machine(3);
    const got = listeners(lab, [0, 2]);
    flood(lab, 1, 2, 400, { gap: 60_000 });
    flood(lab, 2, 0, 400, { gap: 60_000 });
    for (const version of ['user', 'rings', 'kernel', 'user', 'kernel', 'rings']) order(lab, `switch ${version}`, 1);
    pass(lab, 20);
    expect([...got.values()].map(each => each.got.length)).toEqual([400, 400]);
    expect(lab.running.filter(({ id }) => id < 3).map(({ vnet }) => vnet.settings.version)).toEqual(['rings', 'rings', 'rings']);
  });
});

describe('a ring that is full', () => {
  it('drops, and counts what it drops', () => {
    const lab = machine(2, { slots: 4 });
    const got = listeners(lab, [0]);
    expect(echoes(lab, 1, addressOfKernel(0))).toBe(3);
    // All at one moment: the hub has had no time to take any.
    flood(lab, 1, 0, 20, { gap: 0, bytes: 100 });
    pass(lab, 5);
    const { dropped } = kernelOf(lab, 1).vnet.ports.get(0) ?? { dropped: 0 };
    expect(dropped).toBeGreaterThan(5);
    expect(got.get(0)?.got.length).toBe(20 - dropped);
    expect(kernelOf(lab, 1).net.stack.interfaces.find(({ name }) => name === 'vnet0')?.counters.txDropped).toBe(dropped);
  });
});

describe('under load', () => {
  /** Interrupts for each hundred packets, at this many cycles from one to the next. */
  const interrupts = (version: SwitchSettings['version'], gap: number): number => {
    const lab = machine(2, { version });
    listeners(lab, [0]);
    pass(lab, 1);
    const { napi, ports } = kernelOf(lab, 0).vnet;
    const [before, had] = [napi.interrupts, ports.get(1)?.receiver.received ?? 0];
    flood(lab, 1, 0, 400, { gap, bytes: 60 });
    pass(lab, 10);
    return (100 * (napi.interrupts - before)) / ((ports.get(1)?.receiver.received ?? 0) - had);
  };

  it('rings are polled: the faster packets come the fewer interrupt', () => {
    const [slow = 0, middle = 0, fast = 0] = [20_000, 4200, 3000].map(gap => interrupts('rings', gap));
    expect(slow).toBeGreaterThan(95);
    expect(middle).toBeLessThanOrEqual(slow);
    expect(fast).toBeLessThan(middle / 2);
  });
  it('each packet interrupts where nobody polls', () => {
    for (const gap of [20_000, 4200]) expect(interrupts('kernel', gap)).toBeGreaterThan(95);
  });
  it('interrupts are held back as asked', () => {
    const lab = machine(2, { coalesce: 100 });
    const got = listeners(lab, [0]);
    flood(lab, 1, 0, 100, { gap: 22_000, bytes: 60 });
    pass(lab, 5);
    expect(got.get(0)?.got.length).toBe(100);
    expect(kernelOf(lab, 0).vnet.napi.interrupts).toBeLessThan(20);
  });
  it('a budget that is used up is told', () => {
    const lab = machine(2, { budget: 8 });
    listeners(lab, [0]);
    flood(lab, 1, 0, 60, { gap: 0, bytes: 60 });
    pass(lab, 5);
    expect(kernelOf(lab, 0).vnet.napi.exhausted).toBeGreaterThan(3);
  });
});

describe('the hub', () => {
  it('goes where the card goes, and the others join it there', () => {
    const lab = machine(3, {}, { client: true });
    expect(echoes(lab, 2, CLIENT_ADDRESS)).toBe(3);
    order(lab, 'mv-dev nic0 2', 1);
    expect(lab.running.filter(({ id }) => id < 3).map(({ vnet }) => vnet.hub)).toEqual([2, 2, 2]);
    for (const [from, to] of [
      [0, CLIENT_ADDRESS],
      [0, addressOfKernel(1)],
      [CLIENT_KERNEL, addressOfKernel(1)],
    ] as const)
      expect(echoes(lab, from, to)).toBe(3);
  });

  it('may die: nothing gets anywhere, until another kernel is given the card', () => {
    const lab = machine(3, {}, { client: true });
    order(lab, 'mv-dev nic0 2');
    expect(echoes(lab, 0, addressOfKernel(1))).toBe(3);
    order(lab, 'panic 2');
    expect(echoes(lab, 0, addressOfKernel(1))).toBe(0);
    pass(lab, 1000);
    expect(kernelOf(lab, 1).vnet.hub).toBe(null);
    expect(echoes(lab, 0, addressOfKernel(1))).toBe(0);
    order(lab, 'mv-dev nic0 1');
    expect(echoes(lab, 0, addressOfKernel(1))).toBe(3);
    expect(echoes(lab, CLIENT_KERNEL, addressOfKernel(0))).toBe(3);
  });

  it('forgets a client that has died, and knows it again', () => {
    const lab = machine(3);
    expect(echoes(lab, 1, addressOfKernel(2))).toBe(3);
    order(lab, 'panic 2');
    pass(lab, 1000);
    expect([...kernelOf(lab, 0).vnet.ports.keys()]).toEqual([1]);
    order(lab, 'boot 2');
    pass(lab, 30);
    expect(echoes(lab, 1, addressOfKernel(2))).toBe(3);
  });
});

describe('the cable', () => {
  it('is down when it is out, at both ends', () => {
    const lab = machine(1, {}, { client: true });
    order(lab, 'link down');
    expect(echoes(lab, 0, CLIENT_ADDRESS)).toBe(0);
    expect(lab.log(CLIENT_KERNEL)).toContain('eth0: link is down');
    order(lab, 'link up', CLIENT_KERNEL);
    pass(lab, 2000);
    expect(echoes(lab, 0, CLIENT_ADDRESS)).toBe(3);
  });

  it('loses what it is told to lose, and the same each time', () => {
    const lost = [1, 2].map(() => {
      const lab = machine(1, {}, { client: true, link: { ...DEFAULT_NETWORK.link, loss: 0.2 } });
      const times = ping(lab, 0, CLIENT_ADDRESS, 100, 0.1);
      pass(lab, 2000);
      // What the machine has sent has come to the client, or is counted where it was put on the wire.
      const { txPackets } = kernelOf(lab, 0).nic.port.counters;
      const client = kernelOf(lab, CLIENT_KERNEL).nic.port;
      expect(client.wire.wireLost).toBeGreaterThan(5);
      expect(client.counters.rxPackets + client.wire.wireLost).toBe(txPackets);
      return Array.from({ length: 100 }, (_, i) => (times[i] ?? 0) > 0);
    });
    const came = lost[0]?.filter(Boolean).length ?? 0;
    // 0.8 · 0.8
    expect(came).toBeGreaterThan(45);
    expect(came).toBeLessThan(80);
    expect(lost[0]).toEqual(lost[1]);
  });

  it('takes the time of its rate and delay', () => {
    const lab = machine(1, {}, { client: true });
    const time = (): number => {
      const times = ping(lab, 0, CLIENT_ADDRESS, 3, 5, 1000);
      pass(lab, 20);
      return times[2] ?? 0;
    };
    const before = time();
    order(lab, 'link delay 500us rate 10M');
    // Twice 495 µs of delay; 1066 bytes take 853 µs at 10 Mb/s and 8.5 µs at 1 Gb/s.
    expect((time() - before) / 2200).toBeCloseTo(2 * (495 + 844.3), -1);
  });

  it('refuses what makes no sense', () => {
    const lab = machine(2, {}, { client: true });
    for (const text of ['link loss 300%', 'link rate fast', 'link sideways', 'switch slots 0', 'switch budget 2.5', 'switch rings delay 3'])
      order(lab, text);
    expect(lab.log(0).match(/popcorn: (link|switch) /g)).toHaveLength(6);
    expect(kernelOf(lab, 0).nic.link).toEqual(DEFAULT_NETWORK.link);
  });
});
