/** Debian's busybox compressing ten megabytes, and doing nothing, here and under qemu-riscv64: the same file, the same output. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineKind } from '../../world/protocol.ts';
import { debianPackage } from '../../guest/foreign/debian.mjs';

const LAB = new URL('../lab.mjs', import.meta.url).pathname;
const RUNS = 3;
/** 10.4 MiB of numbers. */
const LINES = 1_500_000;

export interface BusyboxTimes {
  /** Milliseconds of wall time, start-up included. */
  readonly ours: number;
  readonly theirs: number;
  /** Of `busybox true`: the lab's own start, a kernel's boot, and hardly an instruction. */
  readonly ourStart: number;
  readonly ourStartInterpreted: number;
  readonly theirStart: number;
}

/** @throws Error where there is no busybox or no qemu */
export function busyboxTimes(median: (values: readonly number[]) => number): BusyboxTimes {
  const root = mkdtempSync(join(tmpdir(), 'lab-bench-'));
  try {
    for (const folder of ['bin', 'tmp', 'dev']) mkdirSync(join(root, folder));
    const busybox = join(root, 'bin/busybox');
    cpSync(join(debianPackage('busybox-static').folder, 'usr/bin/busybox'), busybox);
    const run = (command: string, args: readonly string[], input: Buffer): [Buffer, number] => {
      const from = performance.now();
      const { stdout, error } = spawnSync(command, args, { input, maxBuffer: 1 << 26 });
      if (error) throw error;
      return [stdout, performance.now() - from];
    };
    const numbers = Buffer.from(Array.from({ length: LINES }, (_, i) => `${i + 1}\n`).join(''));
    const here = (engine: EngineKind, ...argv: string[]): string[] => [
      LAB,
      'exec',
      '--engine',
      engine,
      '--root',
      root,
      '--',
      '/bin/busybox',
      ...argv,
    ];
    const nothing = Buffer.alloc(0);
    const times = {
      ours: [] as number[],
      theirs: [] as number[],
      ourStart: [] as number[],
      ourStartInterpreted: [] as number[],
      theirStart: [] as number[],
    };
    for (let i = 0; i < RUNS; i++) {
      times.ourStart.push(run(process.execPath, here('translate', 'true'), nothing)[1]);
      times.ourStartInterpreted.push(run(process.execPath, here('interpret', 'true'), nothing)[1]);
      times.theirStart.push(run('qemu-riscv64-static', [busybox, 'true'], nothing)[1]);
      const [ours, ourTime] = run(process.execPath, here('translate', 'gzip', '-c'), numbers);
      const [theirs, theirTime] = run('qemu-riscv64-static', [busybox, 'gzip', '-c'], numbers);
      if (!ours.equals(theirs)) throw new Error(`busybox gzip gives ${ours.length} bytes here and ${theirs.length} under qemu`);
      times.ours.push(ourTime);
      times.theirs.push(theirTime);
    }
    return {
      ours: median(times.ours),
      theirs: median(times.theirs),
      ourStart: median(times.ourStart),
      ourStartInterpreted: median(times.ourStartInterpreted),
      theirStart: median(times.theirStart),
    };
  } finally {
    rmSync(root, { recursive: true });
  }
}
