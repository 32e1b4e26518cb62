/**
 * Files of the lab: a scenario (what is run) and a recording (a scenario with everything that came from outside and when).
 * Both are JSON, carry a version, and are checked by a schema on their way in.
 */
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
  /** A program in place of init on one kernel. */
  readonly exec: { readonly kernel: number; readonly argv: readonly string[]; readonly env: readonly string[]; readonly migrateEvery: number } | null;
  /** Inputs of the scenario itself, in order of time (cycles). */
  readonly inputs: readonly TimedInput[];
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
}
