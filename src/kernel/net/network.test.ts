/** A kernel's network as programs have it: devices that are attached, what cannot be reached, whose network it is. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Kernel } from '../kernel.ts';
import { inflate, KernelLab } from '../testing.ts';
import { parseIp } from './address.ts';
import { parseArp } from './arp.ts';
import type { NetDevice } from './platform.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url))));
const HERTZ = 2.2e9;

/** A lab with consoles. */
function booted(kernels: number): { lab: KernelLab; type: (kernel: number, text: string, seconds: number) => string } {
  const lab = new KernelLab({ archive, kernels, cores: kernels });
  for (let kernel = 1; kernel < kernels; kernel++) lab.input(0, { kind: 'boot', kernel });
  let time = lab.run(HERTZ / 5);
  return {
    lab,
    /** What the console shows of it. */
    type: (kernel, text, seconds) => {
      const before = lab.console(kernel).length;
      lab.input(kernel, { kind: 'console', bytes: new TextEncoder().encode(text) });
      time += seconds * HERTZ;
      lab.run(time);
      return lab.console(kernel).slice(before).replaceAll('\r', '');
    },
  };
}

const address = (text: string): number => {
  const parsed = parseIp(text);
  if (parsed === null) throw new Error(text);
  return parsed;
};

/** A device whose cable ends nowhere. */
function loose(sent: Uint8Array[]): NetDevice {
  return { name: 'wire0', mac: 0x02_00_00_00_00_01, mtu: 1500, transmit: frame => sent.push(frame) > 0 };
}

/** Two devices at one wire, each of another kernel: what goes in comes out as an event of the other. */
function wire(a: Kernel, b: Kernel): void {
  const ends = [a, b].map(
    (_, i): NetDevice => ({
      name: 'wire0',
      mac: 0x02_00_00_00_01_00 + i,
      mtu: 1500,
      transmit: frame => {
        const kernel = i === 0 ? b : a;
        const other = ends[1 - i] as NetDevice;
        kernel.at(Math.max(a.now, b.now) + 10_000, () => kernel.net.receive(other, frame));
        return true;
      },
    }),
  );
  for (const [i, kernel] of [a, b].entries()) kernel.net.attach(ends[i] as NetDevice, { address: address(`10.77.0.${i + 1}`), prefix: 24 });
}

describe('a device that is attached', () => {
  it('is shown with its address and its route; nobody behind it is unreachable after three questions, a silent one after 127 s', () => {
    const { lab, type } = booted(1);
    const sent: Uint8Array[] = [];
    const [kernel] = lab.running as [Kernel];
    const wire0 = kernel.net.attach(loose(sent), { address: address('10.7.0.1'), prefix: 24, gateway: address('10.7.0.254') });
    expect(type(0, 'ip route\n', 0.2)).toContain('default via 10.7.0.254 dev wire0');
    expect(type(0, 'cat /proc/net/route\n', 0.2)).toContain('wire0\t00000000\tFE00070A\t0003\t0\t0\t0\t00000000\t');
    expect(type(0, 'cat /sys/class/net/wire0/address /proc/net/arp\n', 0.2)).toContain('02:00:00:00:00:01\nIP address ');

    expect(type(0, 'echo | nc 10.7.0.9 80; echo "status $?"\n', 5)).toMatch(/[Hh]ost is unreachable|No route to host/);
    const asked = sent.map(frame => parseArp(frame)).filter(packet => packet?.target === address('10.7.0.9'));
    expect(asked).toHaveLength(3);

    // The way is known, but nobody answers: six more SYNs, each twice as late.
    kernel.net.stack.ip.arp.add(wire0, address('10.7.0.9'), 5);
    sent.length = 0;
    const begun = kernel.now;
    const text = type(0, 'echo | nc 10.7.0.9 80; cat /proc/uptime\n', 130);
    expect(text).toMatch(/timed out/);
    expect(sent).toHaveLength(7);
    const ended = Number(/\n(\d+\.\d+) /.exec(text)?.[1]);
    expect(ended - begun / HERTZ).toBeGreaterThan(126);
    expect(ended - begun / HERTZ).toBeLessThan(129);
  });
});

describe('the network of a process', () => {
  it('is that of its origin, and stays so when it moves', () => {
    const { lab, type } = booted(3);
    const [first, second] = lab.running as [Kernel, Kernel];
    wire(first, second);
    // Kernel 1 serves from its own address, while the program runs on kernel 2.
    type(1, 'mkdir -p /tmp/www; echo of kernel 1 > /tmp/www/index.html; httpd -f -p 8080 -h /tmp/www &\n', 0.3);
    const pid = Number(/\[1\] (\d+)/.exec(lab.console(1))?.[1]);
    expect(pid >>> 15).toBe(1);
    expect(type(0, 'wget -q -O - http://10.77.0.2:8080/index.html\n', 0.5)).toContain('of kernel 1\n');
    type(1, `migrate ${pid} 2\n`, 0.5);
    expect(type(0, 'wget -q -O - http://10.77.0.2:8080/index.html\n', 1)).toContain('of kernel 1\n');
    expect(type(2, `cat /proc/${pid}/net/tcp\n`, 0.3)).toContain(': 00000000:1F90 00000000:0000 0A ');
    expect(type(2, 'cat /proc/net/tcp | wc -l\n', 0.3)).toContain('\n1\n');
    expect(type(0, 'ping -c 1 10.77.0.2\n', 0.5)).toContain('1 packets transmitted, 1 received');
  });

  it('is what /sys/class/net shows it, from wherever it runs', () => {
    const { lab, type } = booted(3);
    const [first, second] = lab.running as [Kernel, Kernel];
    wire(first, second);
    const show = 'cd /sys/class/net; echo *; cat wire0/address wire0/statistics/tx_packets';
    const missing = 'No such file or directory';
    expect(type(2, `(${show})\n`, 0.3)).toContain(`\nlo vnet0\ncat: wire0/address: ${missing}\n`);
    const moved = type(1, `sh -c 'migrate $$ 2; ${show}; cat /proc/self/kernel wire1/mtu'\n`, 1);
    expect(moved).toContain(`\nlo vnet0 wire0\n02:00:00:00:01:01\n0\n2\ncat: wire1/mtu: ${missing}\n`);
    expect(type(1, `sh -c 'cd /sys/class/net/wire0; migrate $$ 2; echo *; cat operstate'\n`, 1)).toContain(' uevent\nup\n');
  });
});
