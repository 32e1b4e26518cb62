/**
 * Files of the lab: a scenario (what is run) and a recording (a scenario with everything that came from outside and when).
 * Both are JSON, carry a version, and are checked by a schema on their way in.
 */
import * as v from 'valibot';
import { SWITCH_LIMITS, SWITCH_VERSIONS } from '../kernel/net/switch/settings.ts';
import type { MessageSettings } from '../kernel/message/settings.ts';
import { LINK_LIMITS } from '../machine/devices/nic.ts';
import type { NetworkScenario } from './network.ts';
import type { ReplicaInput } from '../kernel/boot/parameters.ts';

export interface Scenario {
  readonly version: 1;
  readonly kind: 'scenario';
  readonly title: string;
  /** A preset's name, or hwloc XML. */
  readonly machine: { readonly preset: string } | { readonly name: string; readonly xml: string };
  /** A plan as text: `smp`, `partitioned`, `clustered` or `0-7@0;8-15@1`. */
  readonly plan: string;
  readonly seed: number;
  /** Kernels that firmware boots at time 0 … all others wait for `boot`. Default [0]. */
  readonly boot: readonly number[];
  /** False: loads and stores cost the same wherever they go. */
  readonly caches?: boolean;
  /** How messages between kernels go, where it differs from what is usual (kernel/message/settings.ts). */
  readonly messages?: Partial<MessageSettings>;
  /** What is on the disk: its bytes, an empty file system of so many MiB, or (null) that there is none. Left out: an empty one of 16 MiB. */
  readonly disk?: { readonly image: Uint8Array } | { readonly mebibytes: number } | null;
  /** The virtual switch, the cable, and whether there is a client machine. */
  readonly network?: NetworkScenario;
  /** A program in place of init on one kernel. */
  readonly exec: {
    readonly kernel: number;
    readonly argv: readonly string[];
    readonly env: readonly string[];
    readonly migrateEvery: number;
  } | null;
  /** Programs that kernels start once they are up, beside their first; what they say goes to the kernel's log. */
  readonly daemons?: readonly Daemon[];
  /** Archives (tar, cpio, .deb) that are laid over the userland, in this order. A file may leave the bytes out: then they lie beside it. */
  readonly root?: readonly RootPart[];
  /** Inputs of the scenario itself, in order of time (cycles). */
  readonly inputs: readonly TimedInput[];
}

export interface Daemon {
  readonly kernel: number;
  readonly argv: readonly string[];
  /** Left out: as init's. */
  readonly env?: readonly string[];
}

export interface RootPart {
  readonly name: string;
  readonly bytes?: Uint8Array;
}

export interface TimedInput {
  readonly time: number;
  readonly kernel: number;
  readonly input: ReplicaInput;
}

export interface Recording {
  readonly version: 1;
  readonly kind: 'recording';
  readonly scenario: Scenario;
  readonly inputs: readonly TimedInput[];
  /** Virtual time at which the recording ends. */
  readonly end: number;
  /** The run's fingerprint at `end`. */
  readonly fingerprint: string;
  /** Bytes that the memory had in all, where it could not have what the machine should have. */
  readonly memoryLimit?: number;
}

// --- in and out --------------------------------------------------------------------------------------------------------------------

const FILE_MAX = 64 << 20;
const XML_MAX = 16 << 20;
const INPUTS_MAX = 1_000_000;

/** What a scenario is where it does not say. */
const USUAL = {
  version: 1,
  kind: 'scenario',
  title: '',
  machine: { preset: 'opteron-6274' },
  plan: 'smp',
  seed: 1,
  boot: [0],
  exec: null,
  inputs: [],
} as const satisfies Scenario;

const time = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 50));
const kernel = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(127));
const pid = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32));
/** Bytes as base64. */
const bytes = v.pipe(v.string(), v.maxLength(FILE_MAX * 1.4), v.base64(), v.transform(fromBase64));
/** What is typed, as a person writes it. */
const typed = <K extends 'console' | 'stdin'>(kind: K) =>
  v.pipe(
    v.strictObject({ kind: v.literal(kind), text: v.pipe(v.string(), v.maxLength(FILE_MAX)) }),
    v.transform(({ text }) => ({ kind, bytes: new TextEncoder().encode(text) })),
  );
const input = v.variant('kind', [
  v.strictObject({ kind: v.literal('power') }),
  v.strictObject({ kind: v.literal('boot'), kernel }),
  v.strictObject({ kind: v.literal('console'), bytes }),
  typed('console'),
  v.strictObject({
    kind: v.literal('resize'),
    columns: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)),
    rows: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)),
  }),
  v.strictObject({ kind: v.literal('stdin'), bytes }),
  typed('stdin'),
  v.strictObject({ kind: v.literal('file'), name: v.pipe(v.string(), v.maxLength(255)), bytes }),
  v.strictObject({ kind: v.literal('files'), name: v.pipe(v.string(), v.maxLength(255)), archive: bytes }),
  v.strictObject({ kind: v.literal('migrate'), pid, to: kernel }),
  v.strictObject({ kind: v.literal('order'), text: v.pipe(v.string(), v.maxLength(4096)) }),
  v.strictObject({
    kind: v.literal('debug'),
    pid,
    order: v.variant('command', [
      v.strictObject({ command: v.picklist(['stop', 'step', 'go', 'leave']) }),
      v.strictObject({
        command: v.picklist(['break', 'unbreak']),
        address: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 38)),
      }),
    ]),
  }),
]);
const timed = v.pipe(
  v.array(v.strictObject({ time, kernel, input })),
  v.maxLength(INPUTS_MAX),
  v.check(list => list.every((each, i) => i === 0 || each.time >= (list[i - 1]?.time ?? 0)), 'inputs are not in order of time'),
);
const text = v.pipe(v.string(), v.maxLength(4096));
const number = ([least, most]: readonly [number, number]) => v.pipe(v.number(), v.minValue(least), v.maxValue(most));
const whole = (limits: readonly [number, number]) => v.pipe(number(limits), v.integer());
const rootParts = v.pipe(
  v.array(
    v.strictObject({
      name: v.pipe(v.string(), v.maxLength(255), v.regex(/^[^/\\]+$/, 'a name without folders')),
      bytes: v.exactOptional(bytes),
    }),
  ),
  v.maxLength(100),
);
const scenarioSchema = v.strictObject({
  version: v.literal(1, 'this lab reads version 1'),
  kind: v.literal('scenario'),
  // What is left out is as `scenarioOf` has it.
  title: v.optional(v.pipe(v.string(), v.maxLength(200)), USUAL.title),
  machine: v.optional(
    v.union([v.strictObject({ preset: text }), v.strictObject({ name: text, xml: v.pipe(v.string(), v.maxLength(XML_MAX)) })]),
    USUAL.machine,
  ),
  plan: v.optional(v.pipe(v.string(), v.maxLength(20_000)), USUAL.plan),
  seed: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 1)), USUAL.seed),
  boot: v.optional(v.pipe(v.array(kernel), v.maxLength(128)), [...USUAL.boot]),
  exec: v.optional(
    v.nullable(
      v.strictObject({ kernel, argv: v.pipe(v.array(text), v.minLength(1)), env: v.array(text), migrateEvery: v.optional(time, 0) }),
    ),
    USUAL.exec,
  ),
  daemons: v.exactOptional(
    v.pipe(
      v.array(v.strictObject({ kernel, argv: v.pipe(v.array(text), v.minLength(1)), env: v.exactOptional(v.array(text)) })),
      v.maxLength(1000),
    ),
  ),
  caches: v.exactOptional(v.boolean()),
  disk: v.exactOptional(
    v.nullable(
      v.union([
        v.strictObject({ image: bytes }),
        v.strictObject({ mebibytes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(64)) }),
      ]),
    ),
  ),
  messages: v.exactOptional(
    v.strictObject({
      transport: v.exactOptional(v.picklist(['memory', 'queue'])),
      receive: v.exactOptional(v.picklist(['ipi', 'polling', 'adaptive'])),
      order: v.exactOptional(v.picklist(['little', 'big'])),
    }),
  ),
  network: v.exactOptional(
    v.strictObject({
      client: v.exactOptional(v.boolean()),
      clientRoot: v.exactOptional(rootParts),
      switch: v.exactOptional(
        v.strictObject({
          version: v.exactOptional(v.picklist(SWITCH_VERSIONS)),
          slots: v.exactOptional(whole(SWITCH_LIMITS.slots)),
          budget: v.exactOptional(whole(SWITCH_LIMITS.budget)),
          coalesce: v.exactOptional(whole(SWITCH_LIMITS.coalesce)),
        }),
      ),
      link: v.exactOptional(
        v.strictObject({
          up: v.exactOptional(v.boolean()),
          rate: v.exactOptional(number(LINK_LIMITS.rate)),
          delay: v.exactOptional(number(LINK_LIMITS.delay)),
          loss: v.exactOptional(number(LINK_LIMITS.loss)),
          queue: v.exactOptional(whole(LINK_LIMITS.queue)),
        }),
      ),
    }),
  ),
  root: v.exactOptional(rootParts),
  inputs: v.optional(timed, []),
});
const recordingSchema = v.strictObject({
  version: v.literal(1, 'this lab reads version 1'),
  kind: v.literal('recording'),
  scenario: scenarioSchema,
  inputs: timed,
  end: time,
  fingerprint: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  memoryLimit: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(2 ** 26), v.maxValue(2 ** 32))),
});
const fileSchema = v.variant('kind', [scenarioSchema, recordingSchema]);

/**
 * Reads a scenario or recording.
 * @throws Error naming what is wrong and where
 */
export function readFile(json: string): Scenario | Recording {
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch (error) {
    throw new Error(`this is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const result = v.safeParse(fileSchema, data);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new Error(`${v.getDotPath(issue) ?? 'the file'}${whatIsWrong(issue)}`);
}

function whatIsWrong({ type, expected, received, message }: v.BaseIssue<unknown>): string {
  if (type === 'strict_object') return expected === 'never' ? ': there is no such field' : ' is missing';
  return received === 'undefined' ? ' is missing' : `: ${message}`;
}

/** The text of a file, as `readFile` reads it. */
export function writeFile(file: Scenario | Recording): string {
  return JSON.stringify(file, (_key, value: unknown) => (value instanceof Uint8Array ? toBase64(value) : value), 1);
}

export function scenarioOf(partial: Partial<Omit<Scenario, 'version' | 'kind'>>): Scenario {
  return {
    ...USUAL,
    ...partial,
  };
}

function toBase64(data: Uint8Array): string {
  let binary = '';
  for (const byte of data) binary += String.fromCharCode(byte);
  return btoa(binary);
}
function fromBase64(data: string): Uint8Array {
  return Uint8Array.from(atob(data), c => c.charCodeAt(0));
}
