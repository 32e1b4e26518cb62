/** The bench's own program for the machine (program.c), built with the distribution's compiler, and a root file system with nothing else. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Scenario, scenarioOf } from '../../lab/scenario.ts';
import { archiveOf } from '../archive.ts';
import { ENVIRONMENT, type Observed, observe } from './observe.ts';

const SOURCE = new URL('program.c', import.meta.url).pathname;
/** Of /file, which `program read` reads. */
export const FILE_PAGES = 64;

/** @returns the archive, or null where the compiler is not installed */
export async function guestRoot(): Promise<Uint8Array | null> {
  const folder = mkdtempSync(join(tmpdir(), 'lab-bench-'));
  try {
    for (const place of ['dev', 'proc', 'tmp']) mkdirSync(join(folder, place));
    const built = spawnSync('riscv64-linux-gnu-gcc', ['-O2', '-static', '-o', join(folder, 'program'), SOURCE]);
    if (built.status !== 0) return null;
    writeFileSync(join(folder, 'file'), new Uint8Array(FILE_PAGES * 4096));
    return await archiveOf(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The program on a kernel of a plan whose kernels `boot` are up. */
export function runGuest(
  rootArchive: Uint8Array,
  kernel: number,
  args: readonly (string | number)[],
  plan = 'clustered',
  boot = [0, 1],
  partial: Partial<Scenario> = {},
): Promise<Observed> {
  const argv = ['/program', ...args.map(String)];
  return observe(scenarioOf({ ...partial, plan, boot, exec: { kernel, argv, env: ENVIRONMENT, migrateEvery: 0 } }), { rootArchive });
}

/** The figures that it printed, nanoseconds. */
export const printed = ({ out }: Observed): number[] => out.trim().split('\n').map(Number);
