/** Reads of a page of a file, in virtual time: on the kernel that owns the tree, on another one, and there once more. */
import { guestRoot, printed, runGuest } from './guest.ts';
import type { Figure } from './observe.ts';

export async function fileReads(): Promise<Figure[]> {
  const root = await guestRoot();
  if (root === null) return [{ what: 'needs riscv64-linux-gnu-gcc', value: 'skipped' }];
  const figures: Figure[] = [];
  for (const [kernel, where] of [
    [0, 'on the kernel that has it'],
    [1, 'on another kernel'],
  ] as const) {
    const rounds = printed(await runGuest(root, kernel, ['read', '/file']));
    for (const [i, nanoseconds] of rounds.entries())
      figures.push({
        what: `read of 4 KiB of a file ${where}, ${i === 0 ? 'the first time' : 'again'}, virtual`,
        value: `${(nanoseconds / 1000).toFixed(2)} µs`,
      });
  }
  return figures;
}
