/**
 * A replica as the world drives it: one kernel, from its power switch on.
 *
 * Always holds: what a replica does is a function of its boot parameters, its messages and its inputs; `run(until)` handles exactly
 * what happens before `until`, however a stretch of time is cut into calls.
 */
import type { BootParameters, ReplicaInput } from './boot/parameters.ts';
import type { Platform } from './platform.ts';
import type { Cycles } from './types.ts';

export interface Replica {
  readonly kernel: number;
  /** Looks for messages that other kernels have written since the last look. No virtual effect. To be called before nextTime and run. */
  collect(): void;
  /** Earliest time at which this replica will do anything by itself; Infinity while it is off or idle. */
  nextTime(): Cycles;
  /** Handles everything before `until`; may stop earlier, at the bound that `platform.sent` returned. */
  run(until: Cycles): void;
  /** Something from outside, at or after the time the replica has reached. */
  input(time: Cycles, input: ReplicaInput): void;
}

export type ReplicaFactory = (parameters: BootParameters, platform: Platform) => Replica;
