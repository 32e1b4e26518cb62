/**
 * Boot parameters: everything a kernel is told when its first core starts, and the inputs that reach it later from outside.
 *
 * Always holds: these are plain data, so they can be written into physical memory by the kernel that boots another, and recorded.
 */
import type { NetworkParameters } from '../net/parameters.ts';
import { deviceTexts } from '../../machine/devices/devices.ts';
import type { MessageSettings } from '../message/settings.ts';
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
  /** Names of the machine's devices (machine/devices/devices.ts). */
  readonly devices: readonly string[];
}

/** `single`: one system image over all kernels. `federation`: independent systems. */
export type ImageMode = 'single' | 'federation';

export interface ResolvedPlan {
  readonly mode: ImageMode;
  readonly partitions: readonly Partition[];
}

/** A program to run in place of `/sbin/init` (the `exec` verb), on one kernel. */
export interface ExecRequest {
  readonly kernel: KernelId;
  readonly path: string;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  /** Moves every process of the program on to the next kernel at this interval, in cycles; 0 for never. */
  readonly migrateEvery: number;
}

/** A program that a kernel starts once it is up, beside its first. */
export interface DaemonRequest {
  readonly kernel: KernelId;
  readonly argv: readonly string[];
  /** Left out: as init's. */
  readonly env?: readonly string[];
}

export interface BootParameters {
  readonly kernel: KernelId;
  /** Who owns what when it starts, itself included. */
  readonly plan: ResolvedPlan;
  /** The kernel that starts it (itself: firmware), and those that are there or on their way already. */
  readonly by: KernelId;
  readonly present: readonly KernelId[];
  /** The kernel that keeps the file tree (left out: this one does), and who has what others have left (`Heirs.flat`). */
  readonly tree?: KernelId;
  readonly heirs?: readonly number[];
  readonly seed: number;
  /** Whether caches and the distance of memory cost anything. */
  readonly caches: boolean;
  readonly messages: MessageSettings;
  /** Whether processes are moved from busy kernels to idle ones (migrate/balancer.ts). */
  readonly balance: boolean;
  readonly exec: ExecRequest | null;
  /** Of all kernels: each starts its own. Left out: none. */
  readonly daemons?: readonly DaemonRequest[];
  /** Left out: as is usual (net/parameters.ts). */
  readonly network?: NetworkParameters;
  /** Whether /init is started on the console: not in a run whose subject is one program. */
  readonly init: boolean;
}

/** Things that reach a kernel from outside the machine. Each is recorded with its virtual time. */
export type ReplicaInput =
  /** Firmware starts this kernel: the one kernel that no other boots. */
  | { readonly kind: 'power' }
  /** An operator asks this kernel to boot another one of the plan. */
  | { readonly kind: 'boot'; readonly kernel: KernelId }
  /** An operator's order to this kernel (partition/control.ts). */
  | { readonly kind: 'order'; readonly text: string }
  /** Keys typed on the console. */
  | { readonly kind: 'console'; readonly bytes: Uint8Array }
  /** The console's size changed. */
  | { readonly kind: 'resize'; readonly columns: number; readonly rows: number }
  /** Bytes for the standard input of `exec`'s program; an empty array is the end of file. */
  | { readonly kind: 'stdin'; readonly bytes: Uint8Array }
  /** A file dropped on the page: it appears in /mnt. */
  | { readonly kind: 'file'; readonly name: string; readonly bytes: Uint8Array }
  /** Files dropped on the page in an archive (cpio): they appear below /. */
  | { readonly kind: 'files'; readonly name: string; readonly archive: Uint8Array }
  /** A process is to move to another kernel. */
  | { readonly kind: 'migrate'; readonly pid: number; readonly to: KernelId }
  /** A debugger's command for a process that runs with this kernel. */
  | { readonly kind: 'debug'; readonly pid: number; readonly order: DebugCommand };

/** What /proc/cmdline says, in the words of Popcorn's kernels. */
export function commandLine({ kernel, plan, caches }: BootParameters): string {
  const { cores, memory, devices } = plan.partitions.find(each => each.kernel === kernel) ?? { cores: [], memory: [], devices: [] };
  const memmap = memory.map(range => `memmap=${range.bytes >>> 20}M@0x${range.base.toString(16)}`).join(' ');
  return `console=ttyS0 present_mask=${rangesText(cores)} ${memmap}${devices.length > 0 ? ` popcorn_devices=${deviceTexts(devices).join(',')}` : ''} popcorn_kernels=${plan.partitions.length} root=${plan.mode === 'single' ? 'popcornfs' : 'initramfs'}${caches ? '' : ' nocaches'}`;
}

/** `0-3,8` of ascending numbers. */
export function rangesText(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length; ) {
    let j = i;
    while (numbers[j + 1] === (numbers[j] as number) + 1) j++;
    parts.push(i === j ? String(numbers[i]) : `${numbers[i]}-${numbers[j]}`);
    i = j + 1;
  }
  return parts.join(',');
}
