/** How long a process is nowhere when it migrates: from its rest at the source to its first turn at the target, in virtual time. */
import { MigrateStep, TraceKind } from '../../kernel/trace.ts';
import { guestRoot, runGuest } from './guest.ts';
import { exponent, type Figure, median, micros, type Observed } from './observe.ts';

/** Pages that the process has written to. */
const PAGES = [16, 64, 256, 1024, 4096] as const;
const AREAS = [1, 4, 16, 64, 256] as const;
const PAGES_FOR_AREAS = 256;

/** Cycles of each migration, in order. */
export function latencies({ records }: Observed): number[] {
  const steps = records.filter(({ kind }) => kind === TraceKind.Migrate);
  const times = (step: number): number[] => steps.filter(({ c }) => c === step).map(({ time }) => time);
  const running = times(MigrateStep.Running);
  return times(MigrateStep.Stopped).flatMap((time, i) => (running[i] === undefined ? [] : [running[i] - time]));
}

export async function migration(): Promise<Figure[]> {
  const root = await guestRoot();
  if (root === null) return [{ what: 'needs riscv64-linux-gnu-gcc', value: 'skipped' }];
  const figures: Figure[] = [];
  for (const [name, points] of [
    ['pages', PAGES.map(pages => [pages, pages, 1] as const)],
    ['areas', AREAS.map(areas => [areas, PAGES_FOR_AREAS, areas] as const)],
  ] as const) {
    const curve: [number, number][] = [];
    for (const [x, pages, areas] of points) {
      const run = await runGuest(root, 0, ['migrate', pages, areas, 0, 8]);
      const cycles = median(latencies(run));
      curve.push([x, cycles]);
      figures.push({ what: `migration of ${pages} pages in ${areas} areas, virtual`, value: micros(cycles, run.hertz) });
    }
    const [first, last] = [curve[0], curve.at(-1)] as [[number, number], [number, number]];
    const each = (last[1] - first[1]) / (last[0] - first[0]) / 2200;
    figures.push({ what: `  for each of the ${name}, beyond the first ${first[0]}`, value: `${each.toFixed(3)} µs` });
    figures.push({ what: `  exponent over the last three`, value: exponent(curve.slice(-3)).toFixed(2) });
  }
  return figures;
}
