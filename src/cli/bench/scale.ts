/**
 * What more kernels cost, in virtual time: 2 … 64 kernels of one core are booted; then kernel 0 runs `ps`, a process moves to the last kernel, and
 * writes a file of kernel 0 there line by line. For each the exponent k of cost ~ kernels^k (bench/README.md says what the protocol demands).
 */
import { M } from '../../kernel/message/catalog.ts';
import { KernelState } from '../../kernel/kernel.ts';
import { TraceKind } from '../../kernel/trace.ts';
import { latencies } from './migration.ts';
import { exponent, type Figure, median, type Observed, observe, programOn, roundTrips, type TraceRecord } from './observe.ts';

const KERNELS = [2, 4, 8, 16, 32, 64] as const;
const script = (kernels: number): string =>
  `ps > /dev/null; migrate $$ ${kernels - 1}; i=0; while [ $i -lt 20 ]; do echo $i; i=$((i+1)); done > /tmp/f`;

interface Cost {
  /** Cycles. */
  readonly time: number;
  readonly messages: number;
}

const MEASURES: Readonly<Record<string, (run: Observed, kernels: number) => Cost>> = {
  boot: ({ records }) => {
    const up = records.filter(({ kind, a }) => kind === TraceKind.KernelState && a === KernelState.Up);
    const last = Math.max(...up.map(({ time }) => time));
    return { time: last, messages: sent(records, ({ time }) => time <= last) };
  },
  ps: ({ records }) => {
    const [pid, from] = named(records, 'ps');
    const until = records.find(({ kind, a }) => kind === TraceKind.TaskExit && a === pid)?.time ?? Number.NaN;
    return { time: until - from, messages: sent(records, ({ time, cause }) => cause !== 'beat' && time >= from && time < until) };
  },
  migration: run => ({ time: median(latencies(run)), messages: sent(run.records, ({ cause }) => cause === 'migration') }),
  'message, there and back': ({ records, ...run }, kernels) => {
    const moved = records.findLast(({ kind }) => kind === TraceKind.Migrate)?.time ?? Number.NaN;
    const talk = { ...run, records: records.filter(({ time }) => time >= moved) };
    return { time: median(roundTrips(talk, kernels - 1, M.FILE_REQUEST.type, M.FILE_RESPONSE.type)), messages: 2 };
  },
};

const CAUSES: ReadonlyMap<number, string> = new Map([
  [M.HEARTBEAT.type, 'beat'],
  ...[M.CLONE_REQUEST, M.VMA_TRANSFER, M.PTE_TRANSFER, M.OBJECT_TRANSFER, M.CREATE_PROCESS_PAIRING].map(
    ({ type }) => [type, 'migration'] as const,
  ),
]);

function sent(records: readonly TraceRecord[], counts: (message: { time: number; cause: string }) => boolean): number {
  return records.filter(({ kind, time, a }) => kind === TraceKind.MessageSend && counts({ time, cause: CAUSES.get(a & 0xffff) ?? '' }))
    .length;
}

/** Pid and time of the start of the first program of that name. */
function named(records: readonly TraceRecord[], name: string): [pid: number, time: number] {
  const text = ({ a, b, c, d }: TraceRecord): string =>
    Buffer.from(Uint32Array.of(a, b, c, d).buffer)
      .toString('latin1')
      .replace(/\0+$/, '');
  const found = records.find(record => record.kind === TraceKind.TaskName && text(record) === name);
  if (found === undefined) throw new Error(`no program ${name} has run`);
  return [found.core, found.time];
}

export async function scale(): Promise<Figure[]> {
  const runs = new Map<number, Observed>();
  for (const kernels of KERNELS) {
    const boot = Array.from({ length: kernels }, (_, kernel) => kernel);
    runs.set(kernels, await observe(programOn(0, script(kernels), { plan: 'partitioned', boot })));
  }
  const figures: Figure[] = [];
  for (const [what, measure] of Object.entries(MEASURES)) {
    const points = [...runs].map(([kernels, run]) => ({ kernels, ...measure(run, kernels) }));
    for (const { kernels, time, messages } of points)
      figures.push({ what: `${what}, ${kernels} kernels, virtual`, value: `${(time / 2200).toFixed(1)} µs, ${messages} messages` });
    const law = (pick: (point: Cost) => number): string => exponent(points.slice(-4).map(point => [point.kernels, pick(point)])).toFixed(2);
    figures.push({ what: `${what}: exponent of time, of messages, from 8 to 64`, value: `${law(p => p.time)}, ${law(p => p.messages)}` });
  }
  return figures;
}
