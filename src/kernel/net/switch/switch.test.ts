/** The virtual switch between kernels: what it carries, in each of its versions, and what becomes of it when kernels go. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inflate, KernelLab, type LabOptions } from '../../testing.ts';
import { CLIENT_ADDRESS, CLIENT_KERNEL, addressOfKernel } from '../parameters.ts';
import { kernelOf, pass, ping } from './testing.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../../../public/initramfs.cpio.gz', import.meta.url))));

/** So many kernels of one core each, all up and joined. */
function machine(kernels: number, options: Partial<LabOptions> = {}): KernelLab {
  const lab = new KernelLab({ archive, cores: kernels, kernels, exec: ['sleep', '1000'], ...options });
  for (let kernel = 1; kernel < kernels; kernel++) lab.input(0, { kind: 'boot', kernel });
  pass(lab, 50);
  return lab;
}

describe('the switch', () => {
  it('carries echoes between any two kernels', () => {
    const lab = machine(3);
    for (const [from, to] of [
      [1, 0],
      [0, 2],
      [1, 2],
    ] as const) {
      const times = ping(lab, from, addressOfKernel(to), 3);
      pass(lab, 10);
      console.log(
        from,
        to,
        times.map(t => t / 2200),
      );
      expect(times.filter(time => time > 0)).toHaveLength(3);
    }
    console.log(kernelOf(lab, 0).vnet.text);
    console.log(lab.log(1));
  });
  it('connects', () => {
    const lab = machine(3, { client: true });
    for (const from of [0, 2, CLIENT_KERNEL]) {
      const times = ping(lab, from, from === CLIENT_KERNEL ? addressOfKernel(2) : CLIENT_ADDRESS, 3);
      pass(lab, 10);
      console.log(
        from,
        times.map(t => t / 2200),
      );
      if (times.length === 0) console.log(kernelOf(lab,0).nic.text, kernelOf(lab,127).nic.text, kernelOf(lab,0).vnet.text,  lab.trace.filter(t=>t[2]===40 && t[0]>lab.now-20*2.2e6).map(t=>t.join(" ")).join("\n"),kernelOf(lab,2).net.stack.ip.routes.routes.map(r=>[r.network.toString(16),r.prefix,r.gateway?.toString(16),r.through.name]), kernelOf(lab,0).net.stack.counters.Ip, kernelOf(lab,127).net.stack.counters.Ip,kernelOf(lab,2).net.stack.counters.Ip,kernelOf(lab,0).net.stack.ip.routes.routes.map(r=>[r.network.toString(16),r.prefix,r.gateway?.toString(16),r.through.name]));
      expect(times.filter(time => time > 0)).toHaveLength(3);
    }
    console.log(kernelOf(lab, 0).nic.text, kernelOf(lab, 127).nic.text);
    console.log(lab.log(127));
    console.log(lab.log(0));
  });
});
