/** Runs random streams (streams.ts) under qemu-riscv64 and on both engines of the lab, and says where they differ. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { place, streamsElf } from './streams.ts';

/** RV64GC alone. */
const CPU = 'rv64,zba=off,zbb=off,zbc=off,zbs=off,v=off,h=off';
const LAB = new URL('../../../cli/lab.mjs', import.meta.url).pathname;
const SHOWN_MAX = 20;

/**
 * What differs for so many streams, at most twenty lines.
 * @param {number} count
 * @param {number} seed
 * @returns {string[]}
 * @throws Error where one of them ends in another way
 */
export function compareStreams(count, seed) {
  const root = mkdtempSync(join(tmpdir(), 'lab-streams-'));
  try {
    const file = join(root, 'streams');
    writeFileSync(file, streamsElf(count, seed), { mode: 0o755 });
    const run = (/** @type {string} */ command, /** @type {string[]} */ args) => {
      const { stdout, stderr, status } = spawnSync(command, args, { maxBuffer: 1 << 28, timeout: 600_000 });
      if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr}`);
      return stdout;
    };
    const expected = run('qemu-riscv64-static', ['-cpu', CPU, file]);
    /** @type {string[]} */
    const found = [];
    for (const engine of ['interpret', 'translate']) {
      const got = run(process.execPath, [LAB, 'exec', '--engine', engine, '--root', root, '--', '/streams']);
      if (got.length !== expected.length) found.push(`${engine}: ${got.length} bytes, qemu: ${expected.length}`);
      for (let at = 0; at < expected.length; at += 8) {
        const [theirs, ours] = [expected, got].map(bytes => bytes.subarray(at, at + 8).toString('hex'));
        if (theirs !== ours && found.length < SHOWN_MAX) found.push(`seed ${seed}, ${place(at)}: qemu ${theirs}, ${engine} ${ours}`);
      }
    }
    return found;
  } finally {
    rmSync(root, { recursive: true });
  }
}
