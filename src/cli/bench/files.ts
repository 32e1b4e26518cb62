/**
 * Reads of a file, 4 KiB at a time from its beginning to its end, in virtual time: by one program, which opens, reads and closes it twice on the
 * kernel that owns the tree and the disk, then goes to another kernel and does the same twice there.
 */
import { FILE_PAGES, guestRoot, printed, runGuest } from './guest.ts';
import type { Figure } from './observe.ts';

/** Cores of the owner and of another kernel. */
const CORES = [0, 8] as const;
/** A file, and from where its owner has it the first time. */
const FILES = [
  ['/file', 'the archive'],
  ['/disk/file', 'the disk'],
] as const;

export async function fileReads(): Promise<Figure[]> {
  const root = await guestRoot();
  if (root === null) return [{ what: 'needs riscv64-linux-gnu-gcc', value: 'skipped' }];
  const { disk: image } = await runGuest(root, 0, ['write', '/disk/file', FILE_PAGES]);
  const figures: Figure[] = [];
  for (const [path, source] of FILES) {
    const nanoseconds = printed(await runGuest(root, 0, ['read', path, ...CORES], 'clustered', [0, 1], { disk: { image } }));
    const rounds = [`local, first: from ${source}`, 'local, again', "remote, first: from its owner's memory", 'remote, again: cached'];
    for (const [i, what] of rounds.entries())
      figures.push({ what: `read of a page of ${path}, ${what}, virtual`, value: `${((nanoseconds[i] as number) / 1000).toFixed(2)} µs` });
  }
  return figures;
}
