/**
 * Sixteen kernels, the guest's test programs, and everything that can happen to them in any order: processes and cores and memory move, kernels
 * are booted, halted and panic, messages are lost and damaged. Afterwards each program that did not die with its kernel has printed what it
 * prints under qemu, every answer has come, and the books balance.
 *
 * CHAOS_RUNS=N runs more of it, CHAOS_SEED=S others; what fails is shrunk to the fewest events.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { makeExt2 } from './fs/ext2/mkfs.ts';
import { inflate, KernelLab } from './testing.ts';
import { TraceKind } from './trace.ts';

const RUNS = Number(process.env.CHAOS_RUNS ?? 6);
const SEED = Number(process.env.CHAOS_SEED ?? 1);
const KERNELS = 16;
const MILLISECOND = 2.2e6;
const archive = inflate(new Uint8Array(readFileSync(new URL('../../public/initramfs.cpio.gz', import.meta.url))));
const expected = (name: string): string => readFileSync(new URL(`../guest/tests/expected/${name}.txt`, import.meta.url), 'latin1');

const PROGRAMS = [
  'descriptors',
  'exec',
  'files',
  'floating',
  'fork_wait',
  'pipes',
  'stress',
  'memory',
  'threads',
  'sockets',
  'spread',
  'shared',
  'inet',
  'epoll',
] as const;
/** Kernel 0 has the script that starts and waits for all, and the file tree. */
const other = fc.integer({ min: 1, max: KERNELS - 1 });
const happening = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('migrate' as const), which: fc.nat(30), to: fc.nat(KERNELS - 1) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('order' as const),
      text: fc.oneof(
        { weight: 1, arbitrary: other.map(k => `panic ${k}`) },
        { weight: 1, arbitrary: other.map(k => `halt ${k}`) },
        { weight: 2, arbitrary: other.map(k => `boot ${k}`) },
        {
          weight: 2,
          arbitrary: fc.tuple(fc.integer({ min: 2, max: 2 * KERNELS - 1 }), fc.nat(KERNELS - 1)).map(([c, k]) => `mv-cpu ${c} ${k}`),
        },
        { weight: 2, arbitrary: fc.tuple(other, fc.nat(KERNELS - 1)).map(([from, to]) => `mv-mem 1M ${from} ${to}`) },
        { weight: 1, arbitrary: other.map(k => `split ${k} --mem 8M`) },
        { weight: 1, arbitrary: fc.tuple(other, fc.nat(KERNELS - 1)).map(([from, to]) => `merge ${from} ${to}`) },
        {
          weight: 2,
          arbitrary: fc
            .tuple(fc.constantFrom('disk0', 'nic0', 'nic0.1-2'), fc.nat(KERNELS - 1))
            .map(([name, to]) => `mv-dev ${name} ${to}`),
        },
        { weight: 2, arbitrary: fc.tuple(fc.nat(KERNELS - 1), other).map(([from, to]) => `fault ${from} lose ${to}`) },
        { weight: 2, arbitrary: fc.tuple(fc.nat(KERNELS - 1), other).map(([from, to]) => `fault ${from} corrupt ${to} 2`) },
        { weight: 1, arbitrary: other.map(k => `fault ${k} deaf 3`) },
      ),
    }),
  },
);
const course = fc.record({
  /** Each once: they use files of fixed names. */
  programs: fc.uniqueArray(fc.record({ name: fc.constantFrom(...PROGRAMS), kernel: fc.nat(KERNELS - 1) }), {
    minLength: 2,
    maxLength: 6,
    selector: ({ name }) => name,
  }),
  events: fc.array(fc.record({ after: fc.integer({ min: 0, max: 4000 }), what: happening }), { maxLength: 25, size: 'max' }),
});
type Course = typeof course extends fc.Arbitrary<infer T> ? T : never;

/** Output and exit status of each program, one after the other. One that waits for a child which has died with its kernel waits for 20 s. */
function script({ programs }: Course): string {
  const starts = programs.map(
    ({ name, kernel }, i) =>
      `(cd /tmp; timeout 20 taskset -c ${2 * kernel} /usr/lib/tests/${name} > /tmp/out.${i} 2>&1 < /dev/null; echo $? > /tmp/rc.${i}) &`,
  );
  const ends = programs.map((_, i) => `echo "=== $(cat /tmp/rc.${i})"; cat /tmp/out.${i}`);
  return [...starts, 'wait', ...ends].join('\n');
}

function play(one: Course): KernelLab {
  const disk = new Uint8Array(1 << 20);
  disk.set(makeExt2(disk.length, 1024));
  const lab = new KernelLab({ archive, disk, cores: 2 * KERNELS, kernels: KERNELS, exec: ['sh', '-c', script(one)] });
  for (let kernel = 1; kernel < KERNELS; kernel++) lab.input(0, { kind: 'boot', kernel });
  let time = lab.run(20 * MILLISECOND);
  for (const { after, what } of one.events) {
    time = lab.run(time + after * (MILLISECOND / 1000));
    if (what.kind === 'order') {
      lab.input(0, { kind: 'order', text: what.text });
      continue;
    }
    const movable = lab.running.flatMap(kernel =>
      [...kernel.processes.values()].filter(({ name }) => name !== 'sh').map(({ pid }) => ({ kernel: kernel.id, pid })),
    );
    const chosen = movable[what.which % Math.max(1, movable.length)];
    if (chosen !== undefined) lab.input(chosen.kernel, { kind: 'migrate', pid: chosen.pid, to: what.to });
  }
  time = lab.run(60_000 * MILLISECOND);
  // Until those that have died are known to be dead.
  lab.run(time + 2000 * MILLISECOND, () => false);
  return lab;
}

const NEWLINE = '\n';

function judge(one: Course, lab: KernelLab): void {
  expect([lab.status, lab.stderr]).toEqual([0, expect.stringMatching(/^(Killed\n)*$/)]);
  const died = lab.trace.some(([, , kind, , a]) => kind === TraceKind.KernelState && (a === 3 || a === 4));
  const parts = lab.stdout.split('=== ').slice(1);
  expect(parts.length).toBe(one.programs.length);
  for (const [i, { name }] of one.programs.entries()) {
    const [status = '', ...lines] = (parts[i] ?? '').split(NEWLINE);
    const whole = `${lines.join(NEWLINE)}status ${status}${NEWLINE}`;
    if (whole === expected(name)) continue;
    // It, or something that it had to do with, died with its kernel: there must have been such a death.
    expect({ name, died, status, output: lines.join(NEWLINE) }).toMatchObject({ died: true });
  }
  balance(lab);
}

/** What kernels that are left think of each other agrees. */
function balance(lab: KernelLab): void {
  const kernels = lab.running;
  for (const owner of kernels) {
    const held = kernels.filter(each => each !== owner).flatMap(each => each.frames.held(pfn => owner.frames.own.owns(pfn)));
    expect([owner.id, owner.frames.givenCount]).toEqual([owner.id, held.length]);
    expect([owner.id, owner.messages.outstanding]).toEqual([
      owner.id,
      { calls: expect.toSatisfy((calls: number) => calls <= 1), backlog: 0 },
    ]);
    for (const peer of owner.peers()) expect([owner.id, peer, kernels.some(({ id }) => id === peer)]).toEqual([owner.id, peer, true]);
  }
}

it('leaves nothing behind', () => {
  fc.assert(
    fc.property(course, one => judge(one, play(one))),
    { numRuns: RUNS, seed: SEED, endOnFailure: false },
  );
}, 3_600_000);
