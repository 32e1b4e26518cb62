/** Record locks on files of one kernel, of processes on others that die with their kernels. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { F_LOCK, O } from '../abi/fcntl.ts';
import type { Lock } from '../fs/lock.ts';
import type { Kernel } from '../kernel.ts';
import { inflate, KernelLab } from '../testing.ts';
import { type Blocking, type Pid, settle } from '../types.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url))));
const SECOND = 2.2e9;

/** What is in the way of a lock on these bytes; or takes it. */
function* lock(kernel: Kernel, pid: Pid, how: 'try' | 'test', first: number, last: number): Blocking<Lock | null> {
  const { vfs } = kernel;
  const file = yield* settle(vfs.open(vfs.kernelCaller(), vfs.root, '/tmp/locked', O.RDWR | O.CREAT, 0o644));
  // It stays open: closing it is not what gives a process's locks up here.
  return yield* settle(file.lock({ kind: 'record', type: F_LOCK.WR, first, last, holder: `process ${pid}`, pid, how, byFile: false }));
}

it('those of the dead are given up, those of the living are not, wherever they were born', () => {
  const lab = new KernelLab({ archive, cores: 3, kernels: 3 });
  for (const kernel of [1, 2]) lab.input(0, { kind: 'boot', kernel });
  let time = lab.run(SECOND / 5);
  const type = (kernel: number, text: string): void => {
    lab.input(kernel, { kind: 'console', bytes: new TextEncoder().encode(`${text}\n`) });
    time = lab.run(time + SECOND / 10);
  };
  type(0, 'taskset -c 1 sleep 100 & taskset -c 2 sleep 100 &');
  type(1, "trap '' HUP; taskset -c 2 sleep 100 &");
  const [first, second, third] = lab.running as [Kernel, Kernel, Kernel];
  const sleeping = (kernel: Kernel, born: number): Pid =>
    [...kernel.processes.values()].find(({ name, origin }) => name === 'sleep' && origin === born)?.pid as Pid;
  const doing = (kernel: Kernel, ...args: [Pid, 'try' | 'test', number, number]): Lock | null | undefined => {
    let found: Lock | null | undefined;
    kernel.at(time, () =>
      kernel.spawn(
        (function* () {
          found = yield* lock(kernel, ...args);
        })(),
      ),
    );
    time = lab.run(time + SECOND / 100, () => found !== undefined);
    return found;
  };
  const [dies, lives, orphan] = [sleeping(second, 0), sleeping(third, 0), sleeping(third, 1)];
  expect(Math.min(dies, lives, orphan)).toBeGreaterThan(0);
  expect(doing(second, dies, 'try', 0, 9)).toBe(null);
  expect(doing(third, lives, 'try', 10, 19)).toBe(null);
  expect(doing(third, orphan, 'try', 20, 29)).toBe(null);
  const inTheWay = (): (number | undefined)[] => [0, 10, 20].map(at => doing(first, 1, 'test', at, at)?.pid);
  expect(inTheWay()).toEqual([dies, lives, orphan]);
  lab.input(0, { kind: 'order', text: 'panic 1' });
  time = lab.run(time + 1.2 * SECOND);
  expect(inTheWay()).toEqual([undefined, lives, orphan]);
});
