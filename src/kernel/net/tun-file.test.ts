/** /dev/net/tun as programs use it: interfaces whose other end reads and writes. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { E, Errno } from '../abi/errno.ts';
import { O } from '../abi/fcntl.ts';
import { IOCTL } from '../abi/ioctl.ts';
import { POLL } from '../abi/poll.ts';
import type { IoContext } from '../fs/file.ts';
import type { Kernel } from '../kernel.ts';
import { inflate, KernelLab } from '../testing.ts';
import { parseIp } from './address.ts';
import { kernelOf, pass } from './switch/testing.ts';
import { generator } from './testing.ts';
import { TunFile } from './tun-file.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url))));
const IFF = { TUN: 1, TAP: 2, NO_PI: 0x1000 };
const ROOT: IoContext = { pid: 1, tid: 1, uid: 0, gid: 0, shield: 0 };
const ip = (text: string): number => parseIp(text) as number;

function booted(): { lab: KernelLab; kernel: Kernel } {
  const lab = new KernelLab({ archive, exec: ['sleep', '1000'] });
  pass(lab, 20);
  return { lab, kernel: kernelOf(lab, 0) };
}

function request(name: string, flags: number): Uint8Array {
  const data = new Uint8Array(40);
  data.set(new TextEncoder().encode(name));
  new DataView(data.buffer).setUint16(16, flags, true);
  return data;
}

/** A file with an interface of this name, which has an address and is up. */
function interfaceOf(kernel: Kernel, name: string, flags: number, address: string): TunFile {
  const file = new TunFile(kernel, O.RDWR | O.NONBLOCK);
  const data = request(name, flags);
  expect(file.ioctl(IOCTL.TUNSETIFF, 0, data, ROOT)).toBe(0);
  const given = new TextDecoder().decode(data.subarray(0, 16)).replace(/\0.*/, '');
  const { stack } = kernel.net;
  const through = stack.interfaces.find(each => each.name === given);
  if (through === undefined) throw new Error(`no interface ${given}`);
  stack.setUp(through, true);
  stack.addAddress(through, ip(address), 24);
  return file;
}

/** The number that a call fails with; 0: it does not. */
function failure(work: () => unknown): number {
  try {
    work();
    return 0;
  } catch (error) {
    if (error instanceof Errno) return error.errno;
    throw error;
  }
}

function read(file: TunFile): Uint8Array {
  const target = new Uint8Array(2000);
  return target.subarray(0, file.read(target, ROOT) as number);
}

describe('a TUN device', () => {
  it('has packets without headers, and an answer for whoever asks for a neighbour on it', () => {
    const { lab, kernel } = booted();
    const file = interfaceOf(kernel, '', IFF.TUN | IFF.NO_PI, '10.9.0.1');
    const socket = kernel.net.stack.udpOpen();
    kernel.at(lab.now, () => socket.send(new Uint8Array([1, 2, 3]), { address: ip('10.9.0.2'), port: 9 }));
    pass(lab, 1);
    expect(file.poll() & POLL.IN).toBe(POLL.IN);
    const packet = read(file);
    expect([packet.length, packet[0], ...packet.subarray(16, 20), ...packet.subarray(28)]).toEqual([31, 0x45, 10, 9, 0, 2, 1, 2, 3]);
    expect(failure(() => read(file))).toBe(E.AGAIN);
    // The same the other way round: from 10.9.0.2 to 10.9.0.1, and the sums over the header and the payload stay what they are.
    const back = packet.slice();
    back.set(packet.subarray(12, 16), 16);
    back.set(packet.subarray(16, 20), 12);
    back.set(packet.subarray(20, 22), 22);
    back.set(packet.subarray(22, 24), 20);
    kernel.at(lab.now, () => file.write(back, ROOT));
    pass(lab, 1);
    const got = socket.receive();
    expect(typeof got === 'number' ? got : [...got.bytes]).toEqual([1, 2, 3]);
  });
});

describe('a TAP device', () => {
  it('has whole frames, behind their type where that is wanted', () => {
    const { lab, kernel } = booted();
    const file = interfaceOf(kernel, 'mine%d', IFF.TAP, '10.9.0.1');
    kernel.at(lab.now, () => kernel.net.stack.udpOpen().send(new Uint8Array(3), { address: ip('10.9.0.2'), port: 9 }));
    pass(lab, 1);
    const frame = read(file);
    // Flags, ARP, to all.
    expect([...frame.subarray(0, 10)]).toEqual([0, 0, 8, 6, 255, 255, 255, 255, 255, 255]);
    expect(kernel.net.stack.interfaces.map(({ name }) => name)).toContain('mine0');
    file.release();
    expect(kernel.net.stack.interfaces.map(({ name }) => name)).not.toContain('mine0');
  });

  it('takes anything that a program writes', () => {
    const { lab, kernel } = booted();
    const file = interfaceOf(kernel, 'tap0', IFF.TAP | IFF.NO_PI, '10.9.0.1');
    const random = generator(7);
    kernel.at(lab.now, () => {
      for (let i = 0; i < 2000; i++) {
        const frame = new Uint8Array(random() % 1600).map(() => random());
        if (random() % 2 === 0)
          frame.set([255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 1, 8, random() % 2 === 0 ? 0 : 6, 0x45].slice(0, frame.length));
        failure(() => file.write(frame, ROOT));
      }
    });
    pass(lab, 5);
    expect(kernel.isRunning).toBe(true);
  });

  it('is refused by name, by kind and to strangers as Linux refuses', () => {
    const { kernel } = booted();
    const attach = (name: string, flags: number, io = ROOT, file = new TunFile(kernel, O.RDWR)): number =>
      failure(() => file.ioctl(IOCTL.TUNSETIFF, 0, request(name, flags), io));
    expect(attach('tap0', IFF.TAP, { ...ROOT, uid: 1000 })).toBe(E.PERM);
    expect(attach('tap0', 0)).toBe(E.INVAL);
    expect(attach('a/b', IFF.TAP)).toBe(E.INVAL);
    expect(attach('lo', IFF.TAP)).toBe(E.BUSY);
    // The switch's own, while no program is to carry its frames.
    expect(attach('vnet0', IFF.TAP)).toBe(E.BUSY);
    const file = new TunFile(kernel, O.RDWR);
    expect(failure(() => file.read(new Uint8Array(100), ROOT))).toBe(E.BADFD);
    expect(attach('tap7', IFF.TAP, ROOT, file)).toBe(0);
    expect(attach('tap8', IFF.TAP, ROOT, file)).toBe(E.INVAL);
    expect(attach('tap7', IFF.TAP)).toBe(E.BUSY);
  });
});
