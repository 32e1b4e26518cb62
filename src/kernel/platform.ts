/**
 * What the world hands to a kernel: its hardware, and the few ways in which what it does is noticed outside.
 *
 * Always holds: a kernel reaches everything that is not its own state through this, and nothing in here depends on wall time.
 */
import type { Hart, Processor } from '../machine/hart/hart.ts';
import type { PhysicalMemory } from '../machine/memory.ts';
import type { Topology } from '../machine/topology/topology.ts';
import type { CoreId, Cycles, KernelId } from './types.ts';
import type { TraceKind } from './trace.ts';

export interface Platform {
  readonly memory: PhysicalMemory;
  readonly topology: Topology;
  readonly processor: Processor;
  hart(core: CoreId): Hart;
  /** Least cycles that a message from this kernel takes to each (message/latency.ts); index = kernel id. */
  readonly latency: readonly Cycles[];
  /** The archive that the first kernel's root file system is made of: bytes of a cpio (newc) archive. */
  readonly rootArchive: Uint8Array;
  /** A slot of `to`'s window was written; its interrupt arrives at `arrival`. Returns the time before which no answer can come back. */
  sent(to: KernelId, arrival: Cycles): Cycles;
  /** Appends one record to the trace of this replica. */
  trace(time: Cycles, kind: TraceKind, core: CoreId, a: number, b: number, c: number, d: number): void;
  /** Bytes that came out of a device with a wire to the outside: 0 the console, 1 and 2 the standard output and error of `exec`. */
  output(time: Cycles, port: number, bytes: Uint8Array): void;
  /** The program started by `exec` ended (status as wait(2) gives it). */
  programEnded(time: Cycles, status: number): void;
}
