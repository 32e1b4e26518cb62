/** The virtual switch between kernels: what it carries, in each of its versions, and what becomes of it when kernels go. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inflate, KernelLab, type LabOptions } from '../../testing.ts';
import { CLIENT_ADDRESS, CLIENT_KERNEL, addressOfKernel } from '../parameters.ts';
import { DEFAULT_SWITCH, SWITCH_VERSIONS } from './settings.ts';
import { flood, kernelOf, listeners, pass, ping } from './testing.ts';

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
  it.each(SWITCH_VERSIONS)('%s', version => {
    const lab = machine(3, { network: { switch: { ...DEFAULT_SWITCH, version } } });
    for (const [from, to] of [
      [1, 0],
      [0, 2],
      [1, 2],
    ] as const) {
      const times = ping(lab, from, addressOfKernel(to), 3);
      pass(lab, 10);
      console.log(
        version,
        from,
        to,
        times.map(t => t / 2200),
      );
    }
    console.log(kernelOf(lab, 0).vnet.text);
    console.log(lab.log(1).slice(-300));
    for (const [from, to] of [
      [1, 0],
      [0, 2],
      [1, 2],
    ] as const) {
      const got = listeners(lab, [to]);
      flood(lab, from, to, 200, { gap: 4000 });
      pass(lab, 10);
      console.log(got.get(to)?.got.length, kernelOf(lab, 0).vnet.text);
    }
  });
});
