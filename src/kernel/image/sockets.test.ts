/** Sockets between kernels: a process on one connects to what a process on another listens to. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { inflate, KernelLab } from '../testing.ts';
import { RemoteFiles } from './files.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url))));
const HERTZ = 2.2e9;

/** Each kernel's side of what is shared, as it was made. */
const sides: RemoteFiles[] = [];

beforeEach(() => {
  sides.splice(0);
  const listen = RemoteFiles.prototype.listen;
  vi.spyOn(RemoteFiles.prototype, 'listen').mockImplementation(function (this: RemoteFiles) {
    sides.push(this);
    listen.call(this);
  });
});
afterEach(() => void vi.restoreAllMocks());

function labOf(kernels: number): { lab: KernelLab; type: (kernel: number, text: string, seconds?: number) => void } {
  const lab = new KernelLab({ archive, kernels, cores: kernels });
  for (let kernel = 1; kernel < kernels; kernel++) lab.input(0, { kind: 'boot', kernel });
  let time = lab.run(HERTZ / 5);
  return {
    lab,
    type: (kernel, text, seconds = 0.2) => {
      lab.input(kernel, { kind: 'console', bytes: new TextEncoder().encode(text) });
      time += seconds * HERTZ;
      lab.run(time);
    },
  };
}

describe('a socket of another kernel', () => {
  it.each([
    ['kernel 0, which owns the tree', 0, 3],
    ['a kernel that does not own the tree', 2, 1],
    ['the kernel that asks for one of the owner', 3, 0],
  ])('is found by its name, listened to on %s', (_where, from, to) => {
    for (const name of ['/tmp/socket', '@socket']) {
      const { lab, type } = labOf(4);
      const before = sides.map(side => side.counts);
      type(from, `/usr/lib/tests/sockets serve ${name} &\n`);
      type(to, `/usr/lib/tests/sockets ask ${name}\n`);
      const answer = /here by a pipe: hello, process (\d+), I am (\d+)/.exec(lab.console(to));
      expect(answer?.[1]).toBe(answer?.[2]);
      expect(Number(answer?.[1]) >>> 15).toBe(to);
      // Nothing stays held by one kernel for another.
      expect(sides.map(side => side.counts)).toEqual(before);
    }
  });

  it('is refused when its kernel is dead, and its abstract name can be had again', () => {
    const { lab, type } = labOf(3);
    type(1, '/usr/lib/tests/sockets serve @name &\n');
    type(0, 'panic 1; sleep 1\n', 1.5);
    type(2, '/usr/lib/tests/sockets ask @name\n');
    expect(lab.console(2)).toContain('no answer: Connection refused');
    type(2, '/usr/lib/tests/sockets serve @name &\n');
    type(0, '/usr/lib/tests/sockets ask @name\n');
    expect(lab.console(0)).toContain('here by a pipe: hello, process');
  });

  it('ends for the one when the kernel of the other dies', () => {
    const { lab, type } = labOf(3);
    type(2, '/usr/lib/tests/sockets serve /tmp/name; echo "over: $?"\n');
    type(1, '{ /usr/lib/tests/sockets hold /tmp/name; } &\n');
    expect(lab.console(2)).not.toContain('over: 0');
    type(0, 'panic 1; sleep 1\n', 1.5);
    expect(lab.console(2)).toContain('over: 0');
  });

  it('goes along with either process', () => {
    const { lab, type } = labOf(3);
    const before = sides.map(side => side.counts);
    type(0, '/usr/lib/tests/sockets serve @moved &\n');
    const pid = /\[1\] (\d+)/.exec(lab.console(0))?.[1];
    type(0, `migrate ${pid} 2\n`);
    type(1, '/usr/lib/tests/sockets ask @moved\n');
    expect(lab.console(1)).toContain('here by a pipe: hello, process');
    expect(sides.map(side => side.counts)).toEqual(before);
  });
});
