/** What file work costs on top of the instructions around it, in cycles: entries of the machine's cost table. */
import { KERNEL_COSTS } from '../costs.ts';
import type { Cycles } from '../types.ts';

export const FS_COSTS = {
  lookup: KERNEL_COSTS.lookup.value,
  archivePage: KERNEL_COSTS.archivePage.value,
  zeroPage: KERNEL_COSTS.pageZero.value,
} as const;

/** A read or write of so many bytes. */
export const transferCost = (bytes: number): Cycles => KERNEL_COSTS.transfer.value + ((bytes + 63) >>> 6) * KERNEL_COSTS.copyLine.value;
