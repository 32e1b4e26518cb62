/**
 * Who owns what: each kernel's cores, memory and devices, as this kernel has been told. A kernel starts with the map of the one that boots it, and is
 * told of every change by the keeper (ledger.ts).
 *
 * Always holds: a core, a device and a byte of memory belong to one kernel at most; what belongs to none, or to one that is off, is free.
 */
import type { MemoryRange, Partition } from '../boot/parameters.ts';
import { windowBytes } from '../message/window.ts';
import type { CoreId, KernelId, Pfn } from '../types.ts';

/** Kernel numbers go up to that of the machine's last core, and to 127 (`pid >> 15`, and the number's byte in a message). */
export const kernelsMax = (cores: number): number => Math.min(128, cores);

/** Things that change hands. */
export type Share = Omit<Partition, 'kernel'>;
export const NO_SHARE: Share = { cores: [], memory: [], devices: [] };

export class MachineMap {
  readonly #partitions = new Map<KernelId, Partition>();

  constructor(partitions: readonly Partition[]) {
    for (const each of partitions) this.#partitions.set(each.kernel, each);
  }

  /** Ascending. */
  get partitions(): readonly Partition[] {
    return [...this.#partitions.values()].sort((a, b) => a.kernel - b.kernel);
  }
  of(kernel: KernelId): Partition | undefined {
    return this.#partitions.get(kernel);
  }
  /** A kernel's share is now this. */
  set(partition: Partition): void {
    this.#partitions.set(partition.kernel, partition);
  }
  remove(kernel: KernelId): void {
    this.#partitions.delete(kernel);
  }

  ownerOfCore(core: CoreId): KernelId | null {
    for (const { kernel, cores } of this.#partitions.values()) if (cores.includes(core)) return kernel;
    return null;
  }
  ownerOfDevice(name: string): KernelId | null {
    for (const { kernel, devices } of this.#partitions.values()) if (devices.includes(name)) return kernel;
    return null;
  }
  ownerOfFrame(pfn: Pfn): KernelId | null {
    const at = pfn * 4096;
    for (const { kernel, memory } of this.#partitions.values()) if (memory.some(range => contains(range, at))) return kernel;
    return null;
  }

  /** What is left of a share when others have taken from it. */
  static without({ kernel, cores, memory, devices }: Partition, taken: Share): Partition {
    return {
      kernel,
      cores: cores.filter(core => !taken.cores.includes(core)),
      memory: memory.flatMap(range => taken.memory.reduce((rest, gone) => rest.flatMap(each => cut(each, gone)), [range])),
      devices: devices.filter(name => !taken.devices.includes(name)),
    };
  }
}

const contains = ({ base, bytes }: MemoryRange, at: number): boolean => at >= base && at < base + bytes;

/** `range` without `gone`: up to two pieces, the upper first: where a window lies, it lies at the end of what comes first. */
export function cut(range: MemoryRange, gone: MemoryRange): MemoryRange[] {
  const [from, to] = [Math.max(range.base, gone.base), Math.min(range.base + range.bytes, gone.base + gone.bytes)];
  if (from >= to) return [range];
  const pieces = [
    { ...range, base: to, bytes: range.base + range.bytes - to },
    { ...range, bytes: from - range.base },
  ];
  return pieces.filter(({ bytes }) => bytes > 0);
}

/** Where a kernel's receive window lies: at the end of the memory that it was booted with first. */
export function windowAddress({ kernel, memory: [first] }: Partition, lanes: number): number {
  if (first === undefined) throw new Error(`kernel ${kernel} has no memory`);
  return first.base + first.bytes - windowBytes(lanes);
}
