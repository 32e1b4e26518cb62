/** What file work costs on top of the instructions around it, in cycles of the reference clock (order of magnitude of Linux 3.x). */
import type { Cycles } from '../types.ts';

export const FS_COSTS = {
  /** Looking one name up in a directory whose entries are in memory. */
  lookup: 150,
  /** Fixed part of one read or write of an open file. */
  transfer: 200,
  /** Moving 64 bytes between a file and a buffer. */
  copyLine: 12,
  /** Bringing one page of the root archive into memory. */
  archivePage: 2500,
  /** Clearing a new page. */
  zeroPage: 600,
} as const;

export const transferCost = (bytes: number): Cycles => FS_COSTS.transfer + ((bytes + 63) >>> 6) * FS_COSTS.copyLine;
