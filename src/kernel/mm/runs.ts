/**
 * Lists of frames as they travel: runs of neighbours, each its first frame and how many there are.
 *
 * Always holds: `framesOf(runsOf(frames))` is `frames`, in their order.
 */
import type { Pfn } from '../types.ts';

/** First frame and count by turns. */
export function runsOf(frames: readonly Pfn[]): number[] {
  const runs: number[] = [];
  let next = -1;
  for (const pfn of frames) {
    if (pfn === next) runs[runs.length - 1] = (runs[runs.length - 1] as number) + 1;
    else runs.push(pfn, 1);
    next = pfn + 1;
  }
  return runs;
}

export function framesOf(runs: readonly number[]): Pfn[] {
  const frames: Pfn[] = [];
  for (let i = 0; i < runs.length; i += 2) for (let k = 0; k < (runs[i + 1] as number); k++) frames.push((runs[i] as number) + k);
  return frames;
}
