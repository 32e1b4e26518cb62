/**
 * What the world hands to a kernel: its hardware, and the few ways in which what it does is noticed outside.
 *
 * Always holds: a kernel reaches everything that is not its own state through this, and nothing in here depends on wall time.
 */
import type { Hart, Processor } from '../machine/hart/hart.ts';
import type { Disk } from '../machine/devices/disk.ts';
import type { PhysicalMemory } from '../machine/memory.ts';
import type { StartRequest } from '../machine/start-cells.ts';
import type { Nic } from '../machine/devices/nic.ts';
import type { NodeRange } from '../machine/layout.ts';
import type { Topology } from '../machine/topology/topology.ts';
import type { CoreId, Cycles, KernelId } from './types.ts';
import type { TraceKind } from './trace.ts';

export interface Platform {
  readonly memory: PhysicalMemory;
  readonly topology: Topology;
  /** Memory of each node. */
  readonly nodes: readonly NodeRange[];
  /** The machine's disk; for the kernel that owns it. */
  readonly disk: Disk;
  readonly processor: Processor;
  /** The machine's network card. */
  readonly card: Card;
  hart(core: CoreId): Hart;
  /** The archive that the first kernel's root file system is made of: bytes of a cpio (newc) archive. */
  readonly rootArchive: Uint8Array;
  /** A slot of `to`'s window was written; its interrupt arrives at `arrival`. Returns the time before which no answer can come back. */
  sent(to: KernelId, arrival: Cycles): Cycles;
  /** Starts the first core of a kernel that is off; its parameters (JSON) lie in memory. Returns as `sent` does. */
  start(kernel: KernelId, address: number, bytes: number, arrival: Cycles): Cycles;
  /** The last such request for this kernel. */
  startRequest(): StartRequest | null;
  /** Appends one record to the trace of this replica. */
  trace(time: Cycles, kind: TraceKind, core: CoreId, a: number, b: number, c: number, d: number): void;
  /** Bytes that came out of a device with a wire to the outside: 0 the console, 1 and 2 the standard output and error of `exec`. */
  output(time: Cycles, port: number, bytes: Uint8Array): void;
  /** The program started by `exec` ended (status as wait(2) gives it). */
  programEnded(time: Cycles, status: number): void;
}

export interface Card {
  /** Whether there is a cable, and a machine at its other end. */
  readonly hasCable: boolean;
  /** One of its functions, for the kernel that has it: 0 the card itself. */
  nic(number: number): Nic;
  /** Something was given to the card that is at the other machine, or at kernels of this one, at `arrival`. Returns as `sent` does. */
  sent(arrival: Cycles, toFar: boolean): Cycles;
}
