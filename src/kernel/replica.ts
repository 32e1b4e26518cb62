/**
 * A replica as the world drives it: one kernel, from its power switch on.
 *
 * Always holds: what a replica does is a function of its boot parameters, its messages and its inputs; `run(until)` handles exactly
 * what happens before `until`, however a stretch of time is cut into calls.
 */
import type { BootParameters, ReplicaInput } from './boot/parameters.ts';
import type { Platform } from './platform.ts';
import type { Cycles, KernelId } from './types.ts';

export interface Replica {
  readonly kernel: number;
  /** How many it has. */
  readonly cores: number;
  /** Looks for messages that other kernels have written since the last look. No virtual effect. To be called before nextTime and run. */
  collect(): void;
  /** Earliest time at which this replica will do anything by itself; Infinity while it is off or idle. */
  nextTime(): Cycles;
  /** Handles everything before `until`; may stop earlier, at the bound that `platform.sent` returned. */
  run(until: Cycles): void;
  /** Something from outside, at or after the time the replica has reached. */
  input(time: Cycles, input: ReplicaInput): void;
}

/** @param firmware what the kernel is told when the power is switched on; null: another kernel starts it */
export type ReplicaFactory = (kernel: KernelId, firmware: BootParameters | null, platform: Platform) => Replica;
