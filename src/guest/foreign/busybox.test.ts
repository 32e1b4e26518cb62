/** Debian's busybox, unmodified: a script of its commands prints here what it prints under qemu-riscv64. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debianPackage } from './debian.mjs';

const LAB = new URL('../../cli/lab.mjs', import.meta.url).pathname;
const SCRIPT = readFileSync(new URL('commands.sh', import.meta.url), 'utf8');

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
  writeFileSync(join(root, 'commands.sh'), SCRIPT);
  return root;
}

const root = rootFolder();

describe.skipIf(root === null)('busybox of Debian (skipped without apt, qemu-user and proot)', () => {
  let expected: { out: string; status: number | null };
  const lab = (...options: string[]): { out: string; status: number | null } => {
    const args = [LAB, 'exec', '--root', root as string, ...options, '--', '/bin/sh', '/commands.sh'];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { input: '', encoding: 'latin1', timeout: 200_000 });
    return { out: stdout + stderr, status };
  };

  beforeAll(() => {
    // A copy, as the script writes to /tmp.
    const copy = `${root}-qemu`;
    cpSync(root as string, copy, { recursive: true, verbatimSymlinks: true });
    const { stdout, stderr, status } = spawnSync(
      'proot',
      ['-q', 'qemu-riscv64-static', '-r', copy, '-b', '/dev', '-b', '/proc', '-w', '/', '/bin/sh', '/commands.sh'],
      { input: '', encoding: 'latin1', env: { PATH: '/usr/bin:/bin:/usr/local/bin', HOME: '/root' }, timeout: 100_000 },
    );
    rmSync(copy, { recursive: true });
    expected = { out: stdout + stderr, status };
  }, 120_000);
  afterAll(() => rmSync(root as string, { recursive: true }));

  it('prints a page under qemu', () => {
    expect(expected.status).toBe(0);
    expect(expected.out.split('\n').length).toBeGreaterThan(150);
  });
  it('prints the same bytes here', () => expect(lab()).toEqual(expected));
  it('prints the same bytes while every process moves round 8 kernels each 100 µs', () => {
    expect(lab('--plan', 'clustered', '--migrate-every', '100us')).toEqual(expected);
  }, 240_000);
});
