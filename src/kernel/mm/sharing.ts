/**
 * What an address space asks when threads on other kernels use it too (migrate/spread.ts answers).
 *
 * Always holds: a page of which nothing is known there is this kernel's alone; nobody touches another one without asking.
 */
import type { Blocking, VirtAddr } from '../types.ts';

export interface Sharing {
  /** Whether this kernel may read or write the page now. */
  mayTouch(page: VirtAddr, access: 'read' | 'write'): boolean;
  /** A system call needs a page that is not to be touched: it is to be fetched, and the call made again. */
  missed(page: VirtAddr, access: 'read' | 'write'): void;
  /** What has been missed is not needed after all: nobody makes the call again. */
  forgetMissed(): void;
  /** Bytes that a system call has for a page that it may not write: they are there before a thread goes on in user mode. */
  writeLater(address: VirtAddr, bytes: Uint8Array): void;
  /** Takes the pages of [start, end) away from all other kernels. What the caller does at once afterwards is done before anyone gets one again. */
  gather(start: VirtAddr, end: VirtAddr): Blocking<void>;
  /** The space is to be destroyed. */
  end(): void;
}
