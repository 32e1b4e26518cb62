/**
 * Debian's programs for riscv64 as one archive that the page and `exec --root`, `exec --with` take.
 *
 *   npm run userland -- [-o FILE] PACKAGE…      default: PACKAGE.tar.gz of the first
 *
 * The packages and all that they need come through this machine's own apt, which checks them as always. Nothing is installed, no script of
 * theirs is run; what is documentation, or in another language, is left out.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { debianPackages } from './debian.mjs';

const LEFT_OUT = ['doc', 'man', 'info', 'locale', 'lintian', 'common-licenses', 'bug', 'bash-completion'].map(name => `usr/share/${name}`);
/** Accounts, as the script of base-passwd would make them. */
const ACCOUNTS = { passwd: 'etc/passwd', group: 'etc/group' };

function fail(message) {
  process.stderr.write(`userland: ${message}\n`);
  process.exit(1);
}

function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) fail(error?.message ?? stderr.trim());
}

const args = process.argv.slice(2);
const names = [];
let output = null;
for (let i = 0; i < args.length; i++) {
  if (args[i] === '-o') output = args[++i] ?? fail('-o needs a file');
  else if (/^[a-z0-9][a-z0-9+.-]+$/.test(args[i])) names.push(args[i]);
  else fail(`${args[i]} is no name of a package`);
}
if (names.length === 0) fail('no package: npm run userland -- [-o FILE] PACKAGE…');
const target = resolve(output ?? `${names[0]}.tar.gz`);

let found;
try {
  found = debianPackages(['base-passwd', ...names]);
} catch (error) {
  fail(error.message);
}
const tree = mkdtempSync(join(tmpdir(), 'userland-'));
try {
  for (const file of found.files) run('dpkg-deb', ['-x', file, tree]);
  for (const folder of LEFT_OUT) rmSync(join(tree, folder), { recursive: true, force: true });
  for (const folder of ['dev', 'proc', 'sys', 'root', 'run', 'var/log']) mkdirSync(join(tree, folder), { recursive: true });
  mkdirSync(join(tree, 'tmp'), { recursive: true });
  chmodSync(join(tree, 'tmp'), 0o1777);
  for (const folder of ['bin', 'sbin', 'lib']) {
    mkdirSync(join(tree, 'usr', folder), { recursive: true });
    if (!existsSync(join(tree, folder))) symlinkSync(`usr/${folder}`, join(tree, folder));
  }
  for (const [name, path] of Object.entries(ACCOUNTS)) {
    const master = join(tree, `usr/share/base-passwd/${name}.master`);
    mkdirSync(join(tree, 'etc'), { recursive: true });
    if (existsSync(master)) copyFileSync(master, join(tree, path));
  }
  // The same packages make the same archive, to the byte.
  const same = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '--use-compress-program=gzip -9n'];
  run('tar', ['-C', tree, ...same, '-cf', target, '.']);
} finally {
  rmSync(tree, { recursive: true });
}
process.stderr.write(
  `${target}: ${found.files.length} packages of Debian ${found.release}, ${(statSync(target).size / 2 ** 20).toFixed(1)} MiB\n`,
);
