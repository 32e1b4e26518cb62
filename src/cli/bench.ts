/**
 * `lab bench [NAME]`: how fast it is here. Wall times are medians of several runs, with what they are compared to; figures called virtual follow
 * from the scenario alone and are taken once.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { boot, idle } from './bench/boot.ts';
import { crowd } from './bench/crowd.ts';
import { busyboxTimes } from './bench/busybox.ts';
import { fileReads } from './bench/files.ts';
import { workloads } from './bench/hart.ts';
import { messages } from './bench/messages.ts';
import { migration } from './bench/migration.ts';
import { type Figure, median } from './bench/observe.ts';
import { openPage } from './bench/page.ts';
import { forks } from './bench/processes.ts';
import { scale } from './bench/scale.ts';
import { virtualSwitch } from './bench/switch.ts';
import { webServer } from './bench/web.ts';
import { cpioFiles } from '../lab/archive/file.ts';
import { scenarioOf } from '../lab/scenario.ts';
import { embeddedRoot, start } from './session.ts';

const RUNS = 5;

async function wall(argv: readonly string[], plan: string, boot: readonly number[], hosts = 1): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const session = await start(
      scenarioOf({ plan, boot, exec: { kernel: 0, argv, env: ['PATH=/usr/bin:/bin', 'HOME=/root'], migrateEvery: 0 } }),
      { hosts },
    );
    const from = performance.now();
    await session.finished();
    times.push(performance.now() - from);
    session.close();
  }
  return median(times);
}

const BENCHES: Readonly<Record<string, () => Promise<Figure[]> | AsyncIterable<Figure>>> = {
  /** Integer work of one program, against qemu-riscv64 on the same file. */
  primes: async () => {
    const argv = ['primes', '300000'];
    const ours = await wall(argv, 'smp', [0]);
    const figures: Figure[] = [{ what: `primes 300000, wall`, value: `${ours.toFixed(0)} ms` }];
    const folder = mkdtempSync(join(tmpdir(), 'lab-bench-'));
    const program = join(folder, 'popcorn');
    const found = cpioFiles(embeddedRoot()).find(({ name }) => name === 'usr/bin/popcorn')?.content ?? null;
    if (found !== null && spawnSync('qemu-riscv64-static', ['--version']).status === 0) {
      writeFileSync(program, found, { mode: 0o755 });
      const theirs = median(
        Array.from({ length: RUNS }, () => {
          const from = performance.now();
          spawnSync('qemu-riscv64-static', [program, ...argv]);
          return performance.now() - from;
        }),
      );
      figures.push(
        { what: 'qemu-riscv64 on the same program, wall', value: `${theirs.toFixed(0)} ms` },
        { what: 'ratio (1 is as fast as qemu)', value: (theirs / ours).toFixed(3) },
      );
    }
    rmSync(folder, { recursive: true });
    return figures;
  },
  busybox: async () => {
    const { ours, theirs, ourStart, ourStartInterpreted, theirStart } = busyboxTimes(median);
    return [
      { what: 'busybox gzip of 10 MiB, wall', value: `${ours.toFixed(0)} ms` },
      { what: 'the same under qemu-riscv64', value: `${theirs.toFixed(0)} ms` },
      { what: 'ratio, each without the wall time of busybox true', value: ((theirs - theirStart) / (ours - ourStart)).toFixed(2) },
      { what: 'busybox true, with the lab’s start, translated', value: `${ourStart.toFixed(0)} ms` },
      { what: 'busybox true, with the lab’s start, interpreted', value: `${ourStartInterpreted.toFixed(0)} ms` },
      { what: 'start-up, translated to interpreted', value: (ourStart / ourStartInterpreted).toFixed(2) },
    ];
  },
  page: async () => {
    const page = await openPage();
    const figures: Figure[] = [];
    for (const [plan, kernels] of [
      ['clustered', 8],
      ['partitioned', 64],
    ] as const) {
      const runs: number[] = [];
      for (let i = 0; i < RUNS; i++) runs.push(await page.toPrompts(plan, kernels));
      figures.push({ what: `from the click to ${kernels} shell prompts in the page, wall`, value: `${median(runs).toFixed(0)} ms` });
    }
    await page.close();
    return figures;
  },
  hart: async () => workloads(median),
  messages,
  switch: virtualSwitch,
  crowd,
  web: webServer,
  migration,
  fork: forks,
  files: fileReads,
  scale,
  boot,
  idle,
};

/** @returns exit status */
export async function bench(args: readonly string[]): Promise<number> {
  const [name] = args;
  if (name !== undefined && !Object.hasOwn(BENCHES, name)) {
    process.stderr.write(`bench: there is no ${name}; there are ${Object.keys(BENCHES).join(', ')}\n`);
    return 2;
  }
  for (const [each, measure] of Object.entries(BENCHES)) {
    if (name !== undefined && name !== each) continue;
    for await (const { what, value } of await measure()) process.stdout.write(`${each.padEnd(10)} ${what.padEnd(80)} ${value}\n`);
  }
  return 0;
}
