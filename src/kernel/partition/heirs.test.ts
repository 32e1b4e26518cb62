import { expect, it } from 'vitest';
import { firstHandle, Heirs } from './heirs.ts';

it('numbers lead to whoever has what was left, also of a kernel that was up twice and left it to different ones', () => {
  const heirs = new Heirs(0, []);
  const handle = firstHandle(2);
  heirs.set(2, 0, 5, 100);
  heirs.set(0, 1, 9, 50);
  // Kernel 2 has been booted again and has given out more; now it leaves that to a kernel 0 that has been booted again.
  expect([heirs.ofHandle(handle + 100), heirs.ofHandle(handle + 101), heirs.taken(2)]).toEqual([
    1,
    2,
    expect.objectContaining({ pids: 5, handles: 100 }),
  ]);
  heirs.set(2, 0, 7, 130);
  expect([100, 101, 130, 131].map(local => heirs.ofHandle(handle + local))).toEqual([1, 0, 0, 2]);
  expect([5, 6, 8].map(local => heirs.ofPid((2 << 15) | local))).toEqual([1, 0, 2]);
  expect(heirs.tree).toBe(1);
  const told = new Heirs(heirs.tree, heirs.flat);
  expect(told.flat).toEqual(heirs.flat);
  heirs.set(1, 0, 3, 30);
  expect([heirs.tree, heirs.ofHandle(handle + 1), heirs.ofHandle(7)]).toEqual([0, 0, 0]);
});
