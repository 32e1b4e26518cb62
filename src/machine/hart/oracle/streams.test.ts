/** Random streams of instructions: under qemu-riscv64, interpreted and translated they leave the same registers and memory. */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { compareStreams } from './compare.mjs';

const hasQemu = spawnSync('qemu-riscv64-static', ['--version']).error === undefined;

it.skipIf(!hasQemu)('random streams leave what they leave under qemu-riscv64 (skipped without it)', { timeout: 120_000 }, () => {
  expect(compareStreams(80, 20261123)).toEqual([]);
});
