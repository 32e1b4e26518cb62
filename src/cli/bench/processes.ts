/** fork and the end of the child, as its parent sees it, in virtual time: on the parent's kernel, and with a child that goes to another one. */
import { guestRoot, printed, runGuest } from './guest.ts';
import { type Figure, median } from './observe.ts';

const PLACES = [
  ['on the same kernel', -1],
  ['and the child goes to another kernel by its affinity', 8],
] as const;

export async function forks(): Promise<Figure[]> {
  const root = await guestRoot();
  if (root === null) return [{ what: 'needs riscv64-linux-gnu-gcc', value: 'skipped' }];
  const figures: Figure[] = [];
  for (const [what, core] of PLACES) {
    const nanoseconds = median(printed(await runGuest(root, 0, ['fork', core])));
    figures.push({ what: `fork, exit and wait ${what}, virtual`, value: `${(nanoseconds / 1000).toFixed(2)} µs` });
  }
  return figures;
}
