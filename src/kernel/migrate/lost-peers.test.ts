/**
 * A process moves from kernel 1 to kernel 2, its origin being kernel 0, and one of them dies at each step of that: at every message of it, just
 * before and just after. Whatever happens, the process ends once: by itself, or as one that died with its kernel; and never because of a
 * kernel on which it was not. The same for threads that compute on kernel 2 while their process is on kernel 1, and for processes that share
 * memory.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inflate, KernelLab } from '../testing.ts';
import { MigrateStep, TraceKind } from '../trace.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url))));
const SECOND = 2.2e9;
const SOURCE = 1;
const TARGET = 2;
/** LOST_PEERS_ALL=1 takes every step. */
const EVERY = process.env.LOST_PEERS_ALL === '1' ? 1 : 6;

function labOf(script: string): KernelLab {
  const made = new KernelLab({ archive, cores: 3, kernels: 3, exec: ['sh', '-c', script] });
  for (const kernel of [SOURCE, TARGET]) made.input(0, { kind: 'boot', kernel });
  return made;
}
const lab = (): KernelLab => labOf('primes 100000 > /dev/null & p=$!; migrate $p 1; sleep 0.002; migrate $p 2; wait $p; echo status $?');

const steps = ({ trace }: KernelLab, kernel: number, step: number): number[] =>
  trace.filter(([, k, kind, , , , c]) => k === kernel && kind === TraceKind.Migrate && c === step).map(([time]) => time as number);

const undisturbed = lab();
undisturbed.run(10 * SECOND);
const begin = steps(undisturbed, SOURCE, MigrateStep.Stopped)[0] as number;
const end = steps(undisturbed, SOURCE, MigrateStep.ShadowLeft)[0] as number;
/** Times of all messages in between, as soon after them as a run can be stopped. */
const messagesOf = ({ trace }: KernelLab, from: number, to: number): number[] =>
  trace
    .filter(([time, , kind]) => (kind === TraceKind.MessageSend || kind === TraceKind.MessageReceive) && (time as number) >= from)
    .map(([time]) => Math.ceil((time as number) / 512) * 512)
    .filter((time, i, all) => time <= to && all.indexOf(time) === i);
const moments = messagesOf(undisturbed, begin, end + 20_000);

it('goes well when nobody dies', () => {
  expect(undisturbed.stdout).toBe('status 0\n');
  expect(moments.length).toBeGreaterThan(20);
});

describe.each([
  ['the source', SOURCE],
  ['the target', TARGET],
])('when %s dies', (_name, victim) => {
  it('at any step, the process ends once', () => {
    const ends: string[] = [];
    for (const [i, time] of moments.entries()) {
      if (i % EVERY !== 0) continue;
      const run = lab();
      run.run(time);
      run.input(victim, { kind: 'order', text: 'panic' });
      run.run(10 * SECOND);
      expect([time - begin, run.stdout]).toEqual([time - begin, expect.stringMatching(/^status (0|137)\n$/)]);
      expect(run.status).toBe(0);
      ends.push(run.stdout);
      expect([time - begin, runsTwice(run)]).toEqual([time - begin, false]);
    }
    // It dies with the source as long as it is there, and with the target from when it is there.
    const sorted = [...ends].sort();
    expect(ends).toEqual(victim === SOURCE ? sorted.reverse() : sorted);
    expect(new Set(ends).size).toBe(2);
  }, 120_000);
});

describe('threads on another kernel than their process', () => {
  const script = `/usr/lib/tests/spread x & p=$!; migrate $p 1; sleep 0.002; for t in $(ls /proc/$p/task); do migrate --thread $t 2; done
    sleep 0.05; kill $p; wait $p; echo status $?`;
  const calm = labOf(script);
  calm.run(10 * SECOND);
  const trips = calm.trace.filter(([, kernel, kind]) => kernel === SOURCE && kind === TraceKind.ThreadTrip);
  const tids = [...new Set(trips.map(([, , , , , tid]) => tid as number))];
  // From the first trip of all of them to the third of one.
  const [first = 0] = trips[0] ?? [];
  const [last = 0] =
    trips.find(([, , , , , tid], i) => trips.slice(0, i).filter(each => each[5] === tid && each[6] === 3).length === 2) ?? [];
  const at = messagesOf(calm, first, last + 5000);

  it('go well when nobody dies', () => {
    expect(calm.stdout).toBe('both\nboth\nstatus 143\n');
    expect(tids.length).toBe(3);
    expect(at.length).toBeGreaterThan(50);
    for (const tid of tids) expect([tid, runsTwice(calm, tid)]).toEqual([tid, false]);
  });

  it.each([
    ['home', SOURCE],
    ['the kernel where they compute', TARGET],
  ])(
    'when %s dies at any step, end once with their process or go on',
    (_name, victim) => {
      const ends = new Set<string>();
      for (const [i, time] of at.entries()) {
        if (i % (EVERY * 12) !== 0) continue;
        const run = labOf(script);
        run.run(time);
        run.input(victim, { kind: 'order', text: 'panic' });
        run.run(10 * SECOND);
        // With a thread or a page there it dies; otherwise its threads go on at home.
        expect([time - first, run.stdout]).toEqual([time - first, expect.stringMatching(/^(status 137|both\nboth\nstatus 143)\n$/)]);
        expect(run.status).toBe(0);
        for (const tid of tids) expect([time - first, tid, runsTwice(run, tid)]).toEqual([time - first, tid, false]);
        ends.add(run.stdout);
      }
      expect(ends).toContain('status 137\n');
    },
    120_000,
  );
});

describe('processes that share memory', () => {
  const play = (script: string, victim: number, millisecond: number, order = 'panic'): KernelLab => {
    const run = labOf(script);
    run.run(((millisecond + 10) * SECOND) / 1000);
    run.input(victim, { kind: 'order', text: order });
    run.run(5 * SECOND);
    expect(run.status).toBe(0);
    return run;
  };

  it('with one on a kernel that dies: the other goes on, and gets SIGBUS for a page that only the dead one had', () => {
    const outcomes = new Set<string>();
    for (let i = 0; i < 6; i++)
      outcomes.add(play('/usr/lib/tests/shared 1; echo status $?', 1, 12 + i * 0.507).stdout.replace(/^(it .*\n)+/, '$1'));
    for (const outcome of outcomes) expect(outcome).toMatch(/^it (counts|rests)\nlost\nstatus 9\n$|^it is gone\nstatus 8\n$/);
    expect([...outcomes].some(outcome => outcome.includes('lost'))).toBe(true);
  });

  it('lose nothing with a kernel that is halted in order', () => {
    for (const millisecond of [12, 12.507, 13.014]) {
      const { stdout } = play('/usr/lib/tests/shared 1; echo status $?', 1, millisecond, 'halt');
      expect(stdout).toMatch(/^(it (counts|rests)\n)+it is gone\nstatus 8\n$/);
    }
  });

  it('end with the kernel that is the home of it', () => {
    const { stdout } = play('taskset -c 1 /usr/lib/tests/shared 2; echo status $?; sleep 0.5; ps | grep -c "share[d] 2$"; exit 0', 1, 30);
    expect(stdout).toMatch(/^it rests\n(it counts\n)+status 137\n0\n$/);
  });
});

/** Whether the process that moves, or a thread, ran on two kernels at one time. */
function runsTwice({ trace }: KernelLab, tid = -1): boolean {
  const pid = trace.find(([, , kind]) => kind === TraceKind.Migrate)?.[4];
  let where = -1;
  for (const [, kernel, kind, , a, b] of trace.toSorted(([s = 0], [t = 0]) => s - t)) {
    if (tid < 0 ? a !== pid : b !== tid) continue;
    if (kind === TraceKind.TaskRun) {
      // A dead kernel says no more that it has stopped.
      if (where >= 0 && where !== kernel && !deadAt(trace, where)) return true;
      where = kernel as number;
    } else if (kind === TraceKind.TaskStop && kernel === where) {
      where = -1;
    }
  }
  return false;
}

const deadAt = (trace: KernelLab['trace'], kernel: number): boolean =>
  trace.some(([, k, kind, , a]) => k === kernel && kind === TraceKind.KernelState && a === 4);
