/** Debian's busybox, unmodified: a script of its commands prints here what it prints under qemu-riscv64. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debianPackage } from './debian.mjs';

const LAB = new URL('../../cli/lab.mjs', import.meta.url).pathname;
/** The long one, and one for machines on which everything takes longer. */
const SCRIPTS = ['commands.sh', 'few-commands.sh'] as const;
type Script = (typeof SCRIPTS)[number];

/** Root file system with busybox under the names of all its commands, or null where there is no way to get one. */
function rootFolder(): string | null {
  if (['qemu-riscv64-static', 'proot'].some(tool => spawnSync(tool, ['--version']).error !== undefined)) return null;
  let busybox: string;
  try {
    busybox = join(debianPackage('busybox-static').folder, 'usr/bin/busybox');
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    return null;
  }
  const root = mkdtempSync(join(tmpdir(), 'lab-busybox-'));
  for (const folder of ['bin', 'dev', 'etc', 'proc', 'root', 'tmp', 'usr/bin']) mkdirSync(join(root, folder), { recursive: true });
  cpSync(busybox, join(root, 'bin/busybox'));
  const names = spawnSync('qemu-riscv64-static', [busybox, '--list'], { encoding: 'utf8' }).stdout.trim().split('\n');
  for (const name of names) if (name !== 'busybox') symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  for (const script of SCRIPTS) cpSync(fileURLToPath(new URL(script, import.meta.url)), join(root, script));
  return root;
}

const root = rootFolder();

interface Result {
  readonly out: string;
  readonly status: number | null;
}

describe.skipIf(root === null)('busybox of Debian (skipped without apt, qemu-user and proot)', () => {
  const lab = (script: Script, ...options: string[]): Result => {
    const args = [LAB, 'exec', '--root', root as string, ...options, '--', '/bin/sh', `/${script}`];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { input: '', encoding: 'latin1', timeout: 200_000 });
    return { out: stdout + stderr, status };
  };
  const expected = new Map<Script, Result>();

  beforeAll(() => {
    for (const script of SCRIPTS) {
      // A copy, as the script writes to /tmp.
      const copy = `${root}-qemu`;
      cpSync(root as string, copy, { recursive: true, verbatimSymlinks: true });
      const { stdout, stderr, status } = spawnSync(
        'proot',
        ['-q', 'qemu-riscv64-static', '-r', copy, '-b', '/dev', '-b', '/proc', '-w', '/', '/bin/sh', `/${script}`],
        { input: '', encoding: 'latin1', env: { PATH: '/usr/bin:/bin:/usr/local/bin', HOME: '/root' }, timeout: 100_000 },
      );
      rmSync(copy, { recursive: true });
      expected.set(script, { out: stdout + stderr, status });
    }
  }, 120_000);
  afterAll(() => rmSync(root as string, { recursive: true }));

  it('prints a page under qemu', () => {
    for (const { status } of expected.values()) expect(status).toBe(0);
    expect(expected.get('commands.sh')?.out.split('\n').length).toBeGreaterThan(150);
  });
  it('prints the same bytes here', () => expect(lab('commands.sh')).toEqual(expected.get('commands.sh')), 60_000);
  it.each([
    [2, '0-31@0-3;32-63@4-7', 'commands.sh'],
    [8, 'clustered', 'commands.sh'],
    [64, 'partitioned', 'few-commands.sh'],
  ] as const)(
    'prints the same bytes while every process moves round %i kernels each 50 µs',
    (_kernels, plan, script) => {
      expect(lab(script, '--plan', plan, '--migrate-every', '50us')).toEqual(expected.get(script));
    },
    240_000,
  );
});
