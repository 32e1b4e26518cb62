// What every command of the project needs before it starts: the packages of the lock file, installed. Plain JavaScript, no packages.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Installs what is missing; output goes to stderr. Ends the process when that fails. */
export function install() {
  const stamp = `${root}node_modules/.package-lock.json`;
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(`${root}package-lock.json`).mtimeMs) return;
  process.stderr.write('installing packages …\n');
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) {
    process.stderr.write('npm ci failed: the packages could not be installed\n');
    process.exit(1);
  }
}

/** Runs a package's command with inherited output; returns its exit code. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  return result.status ?? 1;
}

/** Path of a tool that a package brought. */
export const tool = name => `${root}node_modules/.bin/${name}`;
