/**
 * A run, seen through its trace. What is said of it in virtual time follows from the scenario alone: one run is enough, and it is the same on
 * every machine.
 */
import { TRACE_RECORD_BYTES, TraceKind } from '../../kernel/trace.ts';
import { resolvePlan } from '../../lab/plan.ts';
import { type Scenario, scenarioOf } from '../../lab/scenario.ts';
import { machineOf } from '../../lab/machine.ts';
import { start } from '../session.ts';

export interface TraceRecord {
  /** Cycles. */
  readonly time: number;
  readonly kind: number;
  readonly kernel: number;
  readonly core: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

export interface Observed {
  /** Without the bytes of messages. */
  readonly records: readonly TraceRecord[];
  /** What the program printed. */
  readonly out: string;
  readonly hertz: number;
  /** What is on the disk in the end. */
  readonly disk: Uint8Array;
  /** Pieces in which the trace came: milliseconds of the wall clock, and how many messages were sent in it. */
  readonly batches: readonly { readonly at: number; readonly messages: number }[];
}

export const ENVIRONMENT = ['PATH=/usr/bin:/bin', 'HOME=/root'];

/** The scenario with a program that kernel `kernel` runs. */
export function programOn(kernel: number, script: string, partial: Partial<Scenario> = {}): Scenario {
  return scenarioOf({ ...partial, exec: { kernel, argv: ['sh', '-c', script], env: ENVIRONMENT, migrateEvery: 0 } });
}

/** All kernels of a plan. */
export function kernelsOf(plan: string): number[] {
  return resolvePlan(plan, machineOf(scenarioOf({}))).partitions.map(({ kernel }) => kernel);
}

/**
 * Runs it to its end.
 * @param rootArchive the embedded userland where left out
 * @throws Error when the program fails
 */
export async function observe(
  scenario: Scenario,
  { hosts = 1, rootArchive }: { hosts?: number; rootArchive?: Uint8Array } = {},
): Promise<Observed> {
  const session = await start(
    { ...scenario, inputs: [endOfInput(scenario)] },
    { hosts, ...(rootArchive === undefined ? {} : { rootArchive }) },
  );
  const records: TraceRecord[] = [];
  const batches: { at: number; messages: number }[] = [];
  let out = '';
  session.listen({
    output: (_kernel, port, _time, bytes) => {
      if (port === 1 || port === 2) out += Buffer.from(bytes).toString('latin1');
    },
    records: bytes => {
      let messages = 0;
      for (const record of recordsIn(bytes)) {
        if (record.kind === TraceKind.MessageSend) messages++;
        records.push(record);
      }
      batches.push({ at: performance.now(), messages });
    },
  });
  await session.finished();
  const { exitStatus, failure } = session.status;
  const disk = await session.diskImage();
  session.close();
  if (failure !== null) throw new Error(failure.message);
  if (exitStatus !== 0) throw new Error(`the program ended with ${exitStatus}: ${out}`);
  return { records, out, hertz: session.topology.hertz, disk, batches };
}

const endOfInput = ({ exec }: Scenario) =>
  ({ time: 0, kernel: exec?.kernel ?? 0, input: { kind: 'stdin', bytes: new Uint8Array(0) } }) as const;

/** A piece of the trace, without the bytes of messages. */
export function* recordsIn(bytes: Uint8Array): Generator<TraceRecord> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (at: number): number => view.getUint32(at, true);
  for (let at = 0; at < bytes.length; at += TRACE_RECORD_BYTES) {
    const kind = view.getUint16(at + 8, true);
    if (kind === TraceKind.MessageBytes) continue;
    const [core, a, b, c, d] = [u32(at + 12), u32(at + 16), u32(at + 20), u32(at + 24), u32(at + 28)];
    yield { time: view.getFloat64(at, true), kind, kernel: view.getUint16(at + 10, true), core, a, b, c, d };
  }
}

/** Type of a message, and the kernel at its other end. */
export const typeOf = ({ a }: TraceRecord): number => a & 0xffff;
export const otherEnd = ({ a }: TraceRecord): number => a >>> 16;

/** Cycles from each request of `kernel` to the arrival of its answer, for requests that do not overlap. */
export function roundTrips({ records }: Observed, kernel: number, request: number, answer: number): number[] {
  const trips: number[] = [];
  let sent = Number.NaN;
  for (const record of records) {
    if (record.kernel !== kernel) continue;
    if (record.kind === TraceKind.MessageSend && typeOf(record) === request) sent = record.time;
    if (record.kind === TraceKind.MessageReceive && typeOf(record) === answer && !Number.isNaN(sent)) {
      trips.push(record.time - sent);
      sent = Number.NaN;
    }
  }
  return trips;
}

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

export interface Figure {
  readonly what: string;
  readonly value: string;
}

/** Cycles as microseconds. */
export const micros = (cycles: number, hertz: number): string => `${((cycles / hertz) * 1e6).toFixed(2)} µs`;

/** The exponent k of y ~ x^k that fits best (least squares of the logarithms). */
export function exponent(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (pick: 0 | 1): number => logs.reduce((sum, point) => sum + point[pick], 0) / logs.length;
  const [mx, my] = [mean(0), mean(1)];
  return logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0) / logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
}
