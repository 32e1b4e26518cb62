/** The kernel that keeps the file tree is halted at any moment of what others do with it: each of their requests is done, once. What is the heir's then. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Errno } from '../abi/errno.ts';
import { O } from '../abi/fcntl.ts';
import type { OpenFile } from '../fs/file.ts';
import type { Kernel } from '../kernel.ts';
import { fileBacking } from '../mm/file-backing.ts';
import type { Backing } from '../mm/vm-area.ts';
import { inflate, KernelLab } from '../testing.ts';
import { type Blocking, PAGE_SIZE, settle } from '../types.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url))));
const SECOND = 2.2e9;
const MICROSECOND = 2200;
const KERNELS = 4;
const LINES = 60;
const NOBODY = { pid: 0, tid: 0, uid: 0, gid: 0, shield: 0 };
/** HANDOVER_ALL=1 takes every moment. */
const EVERY = process.env.HANDOVER_ALL === '1' ? 1 : 16;

/** Appends line after line, each with the file opened anew. */
function* appends(kernel: Kernel, done: Set<string>, errors: number[]): Blocking<void> {
  const { vfs } = kernel;
  const caller = vfs.kernelCaller();
  for (let i = 0; i < LINES; i++) {
    const line = `${kernel.id}:${i}\n`;
    try {
      const file = yield* settle(vfs.open(caller, vfs.root, '/tmp/log', O.WRONLY | O.CREAT | O.APPEND, 0o644));
      yield* settle(
        file.write(
          Uint8Array.from(line, c => c.charCodeAt(0)),
          NOBODY,
        ),
      );
      done.add(line.trim());
      yield* settle(file.release());
      yield* settle(vfs.create(caller, vfs.root, `/tmp/${kernel.id}.${i}`, { mode: 0o100644 }));
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      errors.push(error.errno);
    }
  }
}

function play(haltAfter: number): { lab: KernelLab; log: string[]; names: number; done: Set<string>; before: number; errors: number[] } {
  const lab = new KernelLab({ archive, cores: KERNELS, kernels: KERNELS, exec: ['sleep', '1000'] });
  for (let kernel = 1; kernel < KERNELS; kernel++) lab.input(0, { kind: 'boot', kernel });
  const start = lab.run(SECOND / 10, () => false);
  const [first, ...others] = lab.running as [Kernel, ...Kernel[]];
  const [done, errors] = [new Set<string>(), [] as number[]];
  let left = others.length;
  for (const kernel of others) kernel.at(start, () => kernel.spawn(appends(kernel, done, errors)).onDone(() => left--));
  first.at(start + haltAfter, () => first.spawn(first.control.order('halt')));
  lab.run(start + SECOND, () => lab.log(1).includes('keeps the file tree'));
  const before = done.size;
  lab.run(start + SECOND / 10, () => false);
  expect(left).toBe(0);
  // What stands in it, and which files there are.
  const [heir] = lab.running as [Kernel];
  const log: string[] = [];
  let names = 0;
  heir.spawn(
    (function* () {
      const { vfs } = heir;
      const file = yield* settle(vfs.open(vfs.kernelCaller(), vfs.root, '/tmp/log', O.RDONLY));
      const bytes = new Uint8Array(100_000);
      log.push(
        ...String.fromCharCode(...bytes.subarray(0, yield* settle(file.read(bytes, NOBODY))))
          .trim()
          .split('\n'),
      );
      const tmp = yield* settle(vfs.walk(vfs.kernelCaller(), vfs.root, '/tmp'));
      names = (yield* settle(tmp.inode.entries(0, 10_000))).filter(({ name }) => /^\d\.\d+$/.test(name)).length;
    })(),
  );
  lab.run(start + SECOND / 8, () => false);
  return { lab, log, names, done, before, errors };
}

it('every request is done once, whenever that is', () => {
  const moments = Array.from({ length: 48 }, (_, i) => (i + 4) * 8 * MICROSECOND);
  let during = 0;
  for (const [i, moment] of moments.entries()) {
    if (i % EVERY !== 0) continue;
    const { lab, log, names, done, before, errors } = play(moment);
    expect([moment, errors]).toEqual([moment, []]);
    expect([moment, log.length, new Set(log).size]).toEqual([moment, 3 * LINES, 3 * LINES]);
    expect([moment, done.size, names]).toEqual([moment, 3 * LINES, 3 * LINES]);
    expect(lab.running.map(({ id, heirs, messages }) => [id, heirs.tree, messages.outstanding])).toEqual(
      [1, 2, 3].map(id => [id, 1, { calls: 0, backlog: 0 }]),
    );
    if (before > 0 && before < 3 * LINES) during++;
  }
  expect(during).toBeGreaterThan(0);
});

it("a file that was open is the heir's own from then on, and is mapped shared like any of its own", () => {
  const lab = new KernelLab({ archive, cores: 3, kernels: 3, exec: ['sleep', '1000'] });
  for (const kernel of [1, 2]) lab.input(0, { kind: 'boot', kernel });
  let time = lab.run(SECOND / 10, () => false);
  const [first, second, third] = lab.running as [Kernel, Kernel, Kernel];
  const doing = <T>(kernel: Kernel, work: () => Blocking<T>): T => {
    let done: { value: T } | null = null;
    kernel.at(time, () =>
      kernel.spawn(
        (function* () {
          done = { value: yield* work() };
        })(),
      ),
    );
    time = lab.run(time + SECOND / 5, () => done !== null);
    return (done as { value: T } | null)?.value as T;
  };
  const open = ({ vfs }: Kernel): Blocking<OpenFile> =>
    settle(vfs.open(vfs.kernelCaller(), vfs.root, '/tmp/mapped', O.RDWR | O.CREAT, 0o644));
  const map = (kernel: Kernel, file: OpenFile): Blocking<Backing> => fileBacking(file, true, 0, 1, work => kernel.detach(work));
  const byte = (backing: Backing): number => backing.mapPage(0, true) * PAGE_SIZE;
  const file = doing(second, function* () {
    const opened = yield* open(second);
    yield* settle(opened.pwrite(Uint8Array.of(1, 2, 3), 0, NOBODY));
    return opened;
  });
  doing(first, () => first.control.order('halt'));
  time = lab.run(time + SECOND / 5, () => false);
  expect(lab.log(1)).toContain('keeps the file tree');
  const backing = doing(second, () => map(second, file));
  second.memory.u8[byte(backing)] = 42;
  // Another kernel maps it too: what the heir has written is there, and the other way round.
  const there = doing(third, function* () {
    const mapped = yield* map(third, yield* open(third));
    if (mapped.sharedPages !== null) yield* mapped.sharedPages.acquire(0, 'write');
    return mapped;
  });
  const at = byte(there);
  expect([...third.memory.u8.subarray(at, at + 3)]).toEqual([42, 2, 3]);
  third.memory.u8[at + 1] = 43;
  const bytes = doing(second, function* () {
    const read = new Uint8Array(3);
    yield* settle(file.pread(read, 0, NOBODY));
    return [...read];
  });
  expect(bytes).toEqual([42, 43, 3]);
});

it('a program that is just leaving a kernel that halts gets where it was going, or ends; its pages are counted once', () => {
  const outcomes = new Set<string>();
  for (let after = 0; after <= 240; after += 24) {
    const lab = new KernelLab({ archive, cores: 3, kernels: 3, exec: ['sh', '-c', 'taskset -c 1 primes 6000 | tail -1'] });
    for (const kernel of [1, 2]) lab.input(0, { kind: 'boot', kernel });
    const leaver = (): Kernel | undefined => lab.running.find(({ id }) => id === 1);
    const program = () => [...(leaver()?.processes.values() ?? [])].find(({ name }) => name === 'primes');
    const start = lab.run(SECOND, () => program() !== undefined);
    const [kernel, process] = [leaver(), program()];
    if (kernel === undefined || process === undefined) throw new Error('the program has not come to its kernel');
    kernel.at(start, () => kernel.migration.ask(process, 2, []));
    kernel.at(start + after * MICROSECOND, () => kernel.spawn(kernel.control.order('halt')));
    lab.run(start + 2 * SECOND, () => false);
    outcomes.add(lab.stdout);
    expect(lab.running.map(({ id }) => id)).toEqual([0, 2]);
    for (const owner of lab.running) {
      const held = lab.running.flatMap(each => (each === owner ? [] : each.frames.held(pfn => owner.frames.own.owns(pfn))));
      expect(owner.frames.givenCount).toBe(held.length);
    }
  }
  expect([...outcomes].sort()).toEqual(['', '783 primes up to 6000\n']);
});
