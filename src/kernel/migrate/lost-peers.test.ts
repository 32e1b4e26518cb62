/**
 * A process moves from kernel 1 to kernel 2, its origin being kernel 0, and one of them dies at each step of that: at every message of it, just
 * before and just after. Whatever happens, the process ends once: by itself, or as one that died with its kernel; and never because of a
 * kernel on which it was not.
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

function lab(): KernelLab {
  const script = 'primes 100000 > /dev/null & p=$!; migrate $p 1; sleep 0.002; migrate $p 2; wait $p; echo status $?';
  const made = new KernelLab({ archive, cores: 3, kernels: 3, exec: ['sh', '-c', script] });
  for (const kernel of [SOURCE, TARGET]) made.input(0, { kind: 'boot', kernel });
  return made;
}

const steps = ({ trace }: KernelLab, kernel: number, step: number): number[] =>
  trace.filter(([, k, kind, , , , c]) => k === kernel && kind === TraceKind.Migrate && c === step).map(([time]) => time as number);

const undisturbed = lab();
undisturbed.run(10 * SECOND);
const begin = steps(undisturbed, SOURCE, MigrateStep.Stopped)[0] as number;
const end = steps(undisturbed, SOURCE, MigrateStep.ShadowLeft)[0] as number;
const moments = undisturbed.trace
  .filter(([time, , kind]) => (kind === TraceKind.MessageSend || kind === TraceKind.MessageReceive) && (time as number) >= begin)
  .map(([time]) => Math.ceil((time as number) / 512) * 512)
  .filter((time, i, all) => time <= end + 20_000 && all.indexOf(time) === i);

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

/** Whether the process that moves ran on two kernels at one time. */
function runsTwice({ trace }: KernelLab): boolean {
  const pid = trace.find(([, , kind]) => kind === TraceKind.Migrate)?.[4];
  let where = -1;
  for (const [, kernel, kind, , a] of trace.toSorted(([s = 0], [t = 0]) => s - t)) {
    if (a !== pid) continue;
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
