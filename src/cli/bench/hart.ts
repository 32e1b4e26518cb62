/** The processor against qemu-riscv64 on the same programs. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineKind } from '../../world/protocol.ts';

const RUNS = 5;

interface Figure {
  readonly what: string;
  readonly value: string;
}

/** What the processor's workloads are called (machine/hart/workloads.c), and how often each is repeated: seconds of work. */
const WORKLOADS = { mix: 30000, is: 400, cg: 40, sha256: 2000 } as const;
const WORKLOADS_SOURCE = new URL('../../machine/hart/workloads.c', import.meta.url).pathname;

const LAB = new URL('../lab.mjs', import.meta.url).pathname;

/** Runs a command; its output, and wall milliseconds. */
function timed(command: string, args: readonly string[]): [string, number] {
  const from = performance.now();
  const { stdout } = spawnSync(command, args, { encoding: 'latin1' });
  return [stdout, performance.now() - from];
}

/**
 * The processor's workloads, translated, interpreted and under qemu-riscv64 on the same file. Start-up is part of none of the times: that of
 * a program that does nothing is taken off.
 */
export function workloads(median: (values: readonly number[]) => number): Figure[] {
  const folder = mkdtempSync(join(tmpdir(), 'lab-bench-'));
  try {
    const root = join(folder, 'root');
    mkdirSync(root);
    const file = join(root, 'workloads');
    const built = spawnSync('riscv64-linux-gnu-gcc', ['-O2', '-static', '-o', file, WORKLOADS_SOURCE, '-lm']);
    if (built.status !== 0 || spawnSync('qemu-riscv64-static', ['--version']).status !== 0)
      return [{ what: 'needs riscv64-linux-gnu-gcc and qemu-riscv64-static', value: 'skipped' }];
    const underQemu = (name: string, repeat: number) => timed('qemu-riscv64-static', [file, name, String(repeat)]);
    const here = (engine: EngineKind, name: string, repeat: number) =>
      timed(process.execPath, [LAB, 'exec', '--engine', engine, '--root', root, '--', '/workloads', name, String(repeat)]);
    const times = { translate: [] as number[], interpret: [] as number[], qemu: [] as number[] };
    const idle = { translate: 0, interpret: 0, qemu: 0 };
    const figures: Figure[] = [];
    const ratios: number[] = [];
    for (const [name, repeat] of [['nothing', 1], ...Object.entries(WORKLOADS)] as const) {
      let instructions = 0;
      for (const list of Object.values(times)) list.length = 0;
      for (let run = 0; run < RUNS; run++) {
        const [theirs, qemu] = underQemu(name, repeat);
        const [ours, translated] = here('translate', name, repeat);
        const sum = (text: string): string | undefined => text.split(' ')[0];
        if (sum(ours) !== sum(theirs)) throw new Error(`${name} gives ${ours.trim()} here and ${theirs.trim()} under qemu`);
        instructions = Number(ours.split(' ')[1]);
        times.qemu.push(qemu);
        times.translate.push(translated);
        // It takes long, and varies little.
        if (run === 0) times.interpret.push(here('interpret', name, Math.ceil(repeat / 10))[1]);
      }
      const [translate, interpret, qemu] = [median(times.translate), median(times.interpret), median(times.qemu)];
      if (name === 'nothing') {
        Object.assign(idle, { translate, interpret, qemu });
        continue;
      }
      const perSecond = (milliseconds: number, share = 1): string => `${(instructions / share / milliseconds / 1000).toFixed(0)} million/s`;
      const ratio = (qemu - idle.qemu) / (translate - idle.translate);
      ratios.push(ratio);
      figures.push(
        { what: `${name}: instructions, translated`, value: perSecond(translate - idle.translate) },
        { what: `${name}: instructions, interpreted`, value: perSecond(interpret - idle.interpret, 10) },
        { what: `${name}: instructions, under qemu`, value: perSecond(qemu - idle.qemu) },
        { what: `${name}: ratio (1 is as fast as qemu)`, value: ratio.toFixed(2) },
      );
    }
    const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
    return [...figures, { what: 'geometric mean of the ratios', value: mean.toFixed(2) }];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
