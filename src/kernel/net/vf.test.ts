/** Virtual functions of the network card: what its own switch carries, without the kernel that has the card, and what becomes of it when they move. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inflate, KernelLab } from '../testing.ts';
import { FRAME, NET_DEVICE } from './frame-trace.ts';
import { TraceKind } from '../trace.ts';
import { addressOfFunction, addressOfKernel, CLIENT_ADDRESS, CLIENT_KERNEL, DEFAULT_NETWORK, SERVER_ADDRESS } from './parameters.ts';
import { kernelOf, order, pass, ping } from './switch/testing.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url))));

/** So many kernels of one core; kernel k has nic0.k, kernel 0 the card. */
function machine(kernels: number, client = true): KernelLab {
  const lab = new KernelLab({ archive, cores: kernels, kernels, client, exec: ['sleep', '1000'], network: DEFAULT_NETWORK });
  for (let kernel = 1; kernel < kernels; kernel++) lab.input(0, { kind: 'boot', kernel });
  pass(lab, 50);
  for (let kernel = 1; kernel < kernels; kernel++) order(lab, `mv-dev nic0.${kernel} ${kernel}`);
  return lab;
}

/** Cycles that three echoes take, those that come back. */
function echoes(lab: KernelLab, from: number, to: number): number[] {
  const times = ping(lab, from, to, 3);
  pass(lab, 8);
  return times.filter(time => time > 0);
}

/** Frames that kernels have told of since `since`, at these devices. */
const frames = (lab: KernelLab, since: number, device: number, kernel?: number): (readonly number[])[] =>
  lab.trace.filter(
    ([time = 0, by, kind, , a = 0]) =>
      kind === TraceKind.NetFrame && time >= since && ((a >>> 16) & 255) === device && (kernel === undefined || by === kernel),
  );

const interfacesOf = (lab: KernelLab, kernel: number): string[] => kernelOf(lab, kernel).net.stack.interfaces.map(({ name }) => name);

describe('a kernel with a virtual function', () => {
  const lab = machine(3);

  it('has an interface of its own on the network of the wire', () => {
    expect(interfacesOf(lab, 0)).toEqual(['lo', 'vnet0', 'eth0']);
    expect(interfacesOf(lab, 1)).toEqual(['lo', 'vnet0', 'eth1']);
    const { mac, addresses } = kernelOf(lab, 2).net.stack.interfaces[2] ?? {};
    expect(mac?.toString(16)).toBe('2504f500166');
    expect(addresses).toEqual([{ address: addressOfFunction(2), prefix: 24 }]);
  });

  it('is reached by the client machine without the kernel that has the card', () => {
    echoes(lab, CLIENT_KERNEL, addressOfFunction(1));
    const from = lab.now;
    expect(echoes(lab, CLIENT_KERNEL, addressOfFunction(1))).toHaveLength(3);
    expect(frames(lab, from, NET_DEVICE.Nic, 1).length).toBeGreaterThanOrEqual(3);
    expect(frames(lab, from, NET_DEVICE.Nic, 0)).toEqual([]);
    expect(frames(lab, from, NET_DEVICE.Switch)).toEqual([]);
  });

  it('gets there and back sooner than through the hub', () => {
    echoes(lab, CLIENT_KERNEL, addressOfKernel(1));
    const direct = echoes(lab, CLIENT_KERNEL, addressOfFunction(1))[2] ?? 0;
    const times = ping(lab, CLIENT_KERNEL, addressOfKernel(1), 3);
    pass(lab, 8);
    // The way back is the direct one: there is no need to ask the hub.
    expect(direct).toBeLessThan((times[2] ?? 0) - 5000);
  });

  it('speaks with other functions within the card, whether or not there is a cable', () => {
    order(lab, 'link down');
    const from = lab.now;
    expect(echoes(lab, 1, addressOfFunction(2))).toHaveLength(3);
    expect(echoes(lab, 0, addressOfFunction(2))).toHaveLength(3);
    expect(echoes(lab, 1, SERVER_ADDRESS)).toHaveLength(3);
    expect(frames(lab, from, NET_DEVICE.Card).length).toBeGreaterThan(18);
    expect(frames(lab, from, NET_DEVICE.Nic).every(([, , , , a = 0]) => a >>> 24 === FRAME.Nowhere)).toBe(true);
    expect(echoes(lab, CLIENT_KERNEL, addressOfFunction(1))).toEqual([]);
    order(lab, 'link up');
    expect(echoes(lab, CLIENT_KERNEL, addressOfFunction(1))).toHaveLength(3);
  });

  it('is no different on a machine without a client', () => {
    const alone = machine(3, false);
    expect(echoes(alone, 1, addressOfFunction(2))).toHaveLength(3);
    expect(echoes(alone, 2, SERVER_ADDRESS)).toHaveLength(3);
  });
});

describe('the wire', () => {
  it('takes one frame at a time, whichever functions they come from', () => {
    const lab = machine(3);
    order(lab, 'link rate 10M');
    for (const kernel of [0, 1, 2]) echoes(lab, kernel, CLIENT_ADDRESS);
    const from = lab.now;
    for (const kernel of [0, 1, 2]) ping(lab, kernel, CLIENT_ADDRESS, 4, 0, 1000);
    pass(lab, 30);
    const out = frames(lab, from, NET_DEVICE.Nic, CLIENT_KERNEL).filter(([, , , , a = 0]) => a >>> 24 === FRAME.In);
    expect(out).toHaveLength(12);
    const [first, last] = [out[0]?.[0] ?? 0, out.at(-1)?.[0] ?? 0];
    // Eleven more frames of 1066 bytes at 10 Mb/s.
    expect((last - first) / 2200).toBeCloseTo(11 * 852.8, -2);
  });
});

describe('a virtual function that changes kernels', () => {
  it('keeps its address: the client goes on with it', () => {
    const lab = machine(3);
    expect(echoes(lab, CLIENT_KERNEL, addressOfFunction(1))).toHaveLength(3);
    order(lab, 'mv-dev nic0.1 2', 1);
    expect(interfacesOf(lab, 1)).toEqual(['lo', 'vnet0']);
    expect(interfacesOf(lab, 2)).toEqual(['lo', 'vnet0', 'eth2', 'eth1']);
    expect(echoes(lab, CLIENT_KERNEL, addressOfFunction(1))).toHaveLength(3);
    expect(echoes(lab, CLIENT_KERNEL, addressOfFunction(2))).toHaveLength(3);
    expect(lab.log(2)).toContain('eth1: nic0.1, 10.1.1.101');
  });

  it('loses nothing but what is under way meanwhile', () => {
    const lab = machine(3);
    const times = ping(lab, CLIENT_KERNEL, addressOfFunction(1), 40, 0.1);
    pass(lab, 2);
    order(lab, 'mv-dev nic0.1 2', 1);
    pass(lab, 10);
    const came = times.filter(time => time > 0).length;
    expect(came).toBeGreaterThan(32);
    expect(times[39]).toBeGreaterThan(0);
  });

  it('is free when its kernel halts', () => {
    const lab = machine(3);
    echoes(lab, CLIENT_KERNEL, addressOfFunction(1));
    order(lab, 'halt 1');
    pass(lab, 10);
    expect(echoes(lab, CLIENT_KERNEL, addressOfFunction(1))).toEqual([]);
    order(lab, 'mv-dev nic0.1 2');
    expect(echoes(lab, CLIENT_KERNEL, addressOfFunction(1))).toHaveLength(3);
  });

  it('outlives the kernel that has the card, and may be taken from one that is dead', () => {
    const lab = machine(4);
    for (const number of [1, 2]) echoes(lab, CLIENT_KERNEL, addressOfFunction(number));
    order(lab, 'mv-dev nic0 3');
    order(lab, 'panic 3');
    expect(echoes(lab, CLIENT_KERNEL, addressOfFunction(1))).toHaveLength(3);
    expect(echoes(lab, 1, addressOfFunction(2))).toHaveLength(3);
    order(lab, 'panic 2');
    expect(echoes(lab, CLIENT_KERNEL, addressOfFunction(2))).toEqual([]);
    // Each in its turn is noticed to be silent: kernel 3 was to notice that kernel 2 is.
    for (let i = 0; i < 30 && kernelOf(lab, 0).devices.ownerOf('nic0.2') !== null; i++) pass(lab, 100);
    order(lab, 'mv-dev nic0.2 1');
    expect(echoes(lab, CLIENT_KERNEL, addressOfFunction(2))).toHaveLength(3);
    expect(echoes(lab, CLIENT_KERNEL, addressOfFunction(1))).toHaveLength(3);
  });
});
