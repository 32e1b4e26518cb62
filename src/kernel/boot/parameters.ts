/**
 * Boot parameters: everything a kernel is told when its first core starts, and the inputs that reach it later from outside.
 *
 * Always holds: these are plain data, so they can be written into physical memory by the kernel that boots another, and recorded.
 */
import type { DebugCommand } from '../debug/watch.ts';
import type { CoreId, KernelId } from '../types.ts';

/** A contiguous piece of physical memory of one node, in bytes; both ends on a frame boundary. */
export interface MemoryRange {
  readonly node: number;
  readonly base: number;
  readonly bytes: number;
}

/** What one kernel owns. */
export interface Partition {
  readonly kernel: KernelId;
  readonly cores: readonly CoreId[];
  readonly memory: readonly MemoryRange[];
}

/** `single`: one system image over all kernels. `federation`: independent systems. */
export type ImageMode = 'single' | 'federation';

export interface ResolvedPlan {
  readonly mode: ImageMode;
  /** Index = kernel id. */
  readonly partitions: readonly Partition[];
}

/** A program to run in place of `/sbin/init` (the `exec` verb), on one kernel. */
export interface ExecRequest {
  readonly path: string;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  /** Moves every process of the program on to the next kernel at this interval, in cycles; 0 for never. */
  readonly migrateEvery: number;
}

export interface BootParameters {
  readonly kernel: KernelId;
  readonly plan: ResolvedPlan;
  readonly seed: number;
  /** `present_mask=… memmap=…` and the rest, as /proc/cmdline shows it. */
  readonly commandLine: string;
  readonly exec: ExecRequest | null;
  /** Whether /init is started on the console: not in a run whose subject is one program. */
  readonly init: boolean;
}

/** Things that reach a kernel from outside the machine. Each is recorded with its virtual time. */
export type ReplicaInput =
  /** Firmware starts this kernel: the one kernel that no other boots. */
  | { readonly kind: 'power' }
  /** An operator asks this kernel to boot another one of the plan. */
  | { readonly kind: 'boot'; readonly kernel: KernelId }
  /** Keys typed on the console. */
  | { readonly kind: 'console'; readonly bytes: Uint8Array }
  /** The console's size changed. */
  | { readonly kind: 'resize'; readonly columns: number; readonly rows: number }
  /** Bytes for the standard input of `exec`'s program; an empty array is the end of file. */
  | { readonly kind: 'stdin'; readonly bytes: Uint8Array }
  /** A file dropped on the page: it appears in /mnt. */
  | { readonly kind: 'file'; readonly name: string; readonly bytes: Uint8Array }
  /** A process is to move to another kernel. */
  | { readonly kind: 'migrate'; readonly pid: number; readonly to: KernelId }
  /** A debugger's command for a process that runs with this kernel. */
  | { readonly kind: 'debug'; readonly pid: number; readonly order: DebugCommand };
