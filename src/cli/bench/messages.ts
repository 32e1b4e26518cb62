/**
 * Messages between two kernels. A program on one writes a file of kernel 0 line by line: each write is a request and its answer, so this is the
 * conversation in which each side waits for the other. In virtual time by transport and way of noticing, and by distance; in wall time on
 * one host and two. And the way of a message by itself, beside postMessage, by turns (ring.ts).
 */
import { M } from '../../kernel/message/catalog.ts';
import type { MessageSettings } from '../../kernel/message/settings.ts';
import { type Figure, median, micros, type Observed, observe, programOn, roundTrips } from './observe.ts';
import { postRate, ringRate } from './ring.ts';

const LINES = 60;
const LINES_FOR_WALL = 1000;
const RUNS = 5;
const SENT = 500_000;

const CARRIED: readonly (readonly [what: string, Partial<MessageSettings>])[] = [
  ['shared memory, an interrupt each', { transport: 'memory', receive: 'ipi' }],
  ['shared memory, polling', { transport: 'memory', receive: 'polling' }],
  ['shared memory, adaptive', { transport: 'memory', receive: 'adaptive' }],
  ['hardware queue, adaptive', { transport: 'queue', receive: 'adaptive' }],
];
/** A core at each distance from core 0 of the Opteron. */
const DISTANCES = [
  ['a core that shares the second-level cache', 1],
  ['a core of the same die', 2],
  ['the other die of the package', 8],
  ['another package, distance 16', 16],
  ['another package, distance 22', 24],
] as const;

const writes = (lines: number): string => `i=0; while [ $i -lt ${lines} ]; do echo $i; i=$((i+1)); done > /tmp/f`;

function conversation(core: number, messages: Partial<MessageSettings>, plan = 'partitioned'): Promise<Observed> {
  return observe(programOn(core, writes(LINES), { plan, boot: [0, core], messages }));
}

const tripsOf = (run: Observed, kernel: number): number[] => roundTrips(run, kernel, M.FILE_REQUEST.type, M.FILE_RESPONSE.type);

export async function messages(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [what, settings] of CARRIED) {
    const run = await conversation(8, settings);
    const cycles = median(tripsOf(run, 8));
    figures.push({ what: `request and answer, ${what}, virtual`, value: micros(cycles, run.hertz) });
    figures.push({ what: '  messages a virtual second, one conversation', value: ((2 * run.hertz) / cycles).toFixed(0) });
  }
  for (const [what, core] of DISTANCES) {
    const run = await conversation(core, {});
    figures.push({ what: `request and answer, to ${what}, virtual`, value: micros(median(tripsOf(run, core)), run.hertz) });
  }
  const flat = await conversation(2, {}, 'flat:partitioned');
  figures.push({
    what: 'request and answer, to a core of the same die by windows on another package (flat), virtual',
    value: micros(median(tripsOf(flat, 2)), flat.hertz),
  });
  const rates = { one: [] as number[], two: [] as number[], ring: [] as number[], post: [] as number[] };
  for (let i = 0; i < RUNS; i++) {
    rates.one.push(await wallRate(1));
    rates.two.push(await wallRate(2));
    rates.ring.push(await ringRate(SENT));
    rates.post.push(await postRate(SENT));
  }
  const [one, two, ring, post] = [rates.one, rates.two, rates.ring, rates.post].map(median) as [number, number, number, number];
  return [
    ...figures,
    { what: 'requests and answers a wall second, kernels on one host', value: one.toFixed(0) },
    { what: 'requests and answers a wall second, kernels on two hosts', value: two.toFixed(0) },
    { what: 'messages a wall second from host to host, by themselves', value: ring.toFixed(0) },
    { what: '64 bytes by postMessage from thread to thread, a wall second', value: post.toFixed(0) },
    { what: 'ratio of the last two', value: (ring / post).toFixed(1) },
  ];
}

/** Messages per wall second of the conversation, from its first message to the last. */
async function wallRate(hosts: number): Promise<number> {
  const scenario = programOn(1, writes(LINES_FOR_WALL), { machine: { preset: 'laptop' }, plan: 'partitioned', boot: [0, 1] });
  const { batches } = await observe(scenario, { hosts });
  const talk = batches.filter(({ messages }) => messages > 0);
  const [first, last] = [talk[1], talk.at(-1)];
  if (first === undefined || last === undefined || last.at <= first.at) throw new Error(`${talk.length} pieces of trace are too few`);
  return (talk.slice(2).reduce((sum, { messages }) => sum + messages, 0) * 1000) / (last.at - first.at);
}
