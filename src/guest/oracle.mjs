/**
 * The test programs against their oracle: what each prints under qemu-riscv64 is recorded in tests/expected/, and a kernel of
 * the lab has to print the same bytes and return the same status.
 *
 *   node src/guest/oracle.mjs            run all under qemu, compare with what is recorded
 *   node src/guest/oracle.mjs --record   run all under qemu, record
 *
 * `exec` starts itself again by execve, where qemu can't follow without the host's help: its file was written by hand, from
 * execve(2), and is left out here.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const guest = dirname(fileURLToPath(import.meta.url));
const expected = join(guest, 'tests/expected');
const record = process.argv[2] === '--record';
const isThere = command => spawnSync(command, ['--version']).error === undefined;

const qemu = ['qemu-riscv64-static', 'qemu-riscv64'].find(isThere);
if (!qemu) {
  console.error('oracle: qemu-riscv64 is missing; on Debian or Ubuntu: apt-get install qemu-user-static');
  process.exit(1);
}

// `system` prints its priority.
if (getPriority() !== 0) setPriority(0);

const root = join(mkdtempSync(join(tmpdir(), 'oracle-')), 'root');
let failed = 0;
try {
  const built = spawnSync(process.execPath, [join(guest, 'build.mjs'), '--tree', root], { stdio: 'inherit' });
  if (built.status !== 0) process.exit(1);
  mkdirSync(expected, { recursive: true });
  for (const name of readdirSync(join(root, 'usr/lib/tests')).sort()) {
    if (name === 'exec') continue;
    const result = spawnSync(qemu, [join(root, 'usr/lib/tests', name)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: '/root' },
      timeout: 120_000,
    });
    const output = `${result.stdout}${result.stderr}status ${result.status}\n`;
    const file = join(expected, `${name}.txt`);
    if (record) writeFileSync(file, output);
    else if (!existsSync(file) || readFileSync(file, 'utf8') !== output) {
      failed++;
      console.log(`${name}: differs from tests/expected/${name}.txt:\n${output}`);
    }
  }
} finally {
  rmSync(dirname(root), { recursive: true });
}
console.log(record ? 'recorded' : `${failed} of the programs differ`);
process.exit(failed ? 1 : 0);
