/** The bench measures what it claims to: its loops give what they gave under qemu. */
import { expect, test } from 'vitest';
import { createBench } from './bench.ts';

test('the loops of the bench compute what they compute under qemu', () => {
  const bench = createBench();
  expect(bench.run('sort', 20_000).checksum).toBe(335255290318046560n);
  expect(bench.run('crc32', 1_000_000).checksum).toBe(613668262n);
  expect(bench.run('spmv', 65_536).checksum).toBe(4466085167838572021n);
});
