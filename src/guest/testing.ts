/**
 * The guest's commands under qemu-riscv64, for tests: `popcorn` out of the committed archive, so that no compiler is needed.
 *
 * Always holds: nothing that is started here lives longer than its test; nothing listens but on 127.0.0.1, or for a while.
 */
import { type ChildProcess, spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const QEMU = 'qemu-riscv64-static';
const ARCHIVE = new URL('../../public/initramfs.cpio.gz', import.meta.url);

/** Whether a command of the host is there. Some have no --version and fail on it; that is enough. */
export const isThere = (command: string): boolean => spawnSync(command, ['--version']).error === undefined;

/** The bytes of a file in a cpio archive of the "newc" form. */
function fileOf(archive: Buffer, wanted: string): Buffer {
  const number = (at: number): number => Number.parseInt(archive.toString('latin1', at, at + 8), 16);
  const padded = (at: number): number => (at + 3) & ~3;
  for (let at = 0; at + 110 <= archive.length; ) {
    const size = number(at + 54);
    const nameSize = number(at + 94);
    const name = archive.toString('latin1', at + 110, at + 110 + nameSize - 1);
    const data = padded(at + 110 + nameSize);
    if (name === wanted) return archive.subarray(data, data + size);
    at = padded(data + size);
  }
  throw new Error(`the archive has no ${wanted}`);
}

/** The commands in a folder of their own, with what was started from them. */
export class Guest {
  readonly folder = mkdtempSync(join(tmpdir(), 'guest-'));
  private readonly program = join(this.folder, 'popcorn');
  private readonly started: ChildProcess[] = [];

  constructor() {
    writeFileSync(this.program, fileOf(gunzipSync(readFileSync(ARCHIVE)), 'usr/bin/popcorn'));
    chmodSync(this.program, 0o755);
  }

  /** Runs a command to its end. */
  run(args: readonly string[], input = ''): SpawnSyncReturns<string> {
    return spawnSync(QEMU, [this.program, ...args], { cwd: this.folder, encoding: 'latin1', input, timeout: 30_000, env: { TZ: 'UTC' } });
  }

  /** Runs a command while this process goes on: what it printed, and its status. */
  finish(args: readonly string[], input = ''): Promise<{ stdout: string; stderr: string; status: number | null }> {
    const child = this.start(args);
    let [stdout, stderr] = ['', ''];
    child.stdout?.setEncoding('latin1').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('latin1').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input, 'latin1');
    return new Promise(resolve => child.on('close', status => resolve({ stdout, stderr, status })));
  }

  /** Starts a command in a group of its own, so that end() reaches its children as well. */
  start(args: readonly string[]): ChildProcess {
    const child = spawn(QEMU, [this.program, ...args], { cwd: this.folder, detached: true, env: { TZ: 'UTC' } });
    this.started.push(child);
    return child;
  }

  /** Ends what still runs, and removes the folder. */
  end(): void {
    for (const child of this.started)
      if (child.exitCode === null && child.signalCode === null && child.pid !== undefined)
        try {
          process.kill(-child.pid, 'SIGKILL');
        } catch {
          // It ended by itself meanwhile.
        }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The guest's commands, or null (and a line that says why) where there is no qemu. */
export function guestUnderQemu(): Guest | null {
  if (isThere(QEMU)) return new Guest();
  process.stderr.write(`skipped: ${QEMU} is missing (on Debian or Ubuntu: apt-get install qemu-user-static)\n`);
  return null;
}

/** A port on which nobody listens now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}

/** Waits until something is so, at most five seconds. */
export async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 250; i++) {
    if (await what()) return;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  throw new Error('it did not become so in five seconds');
}
