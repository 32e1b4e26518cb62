/**
 * What memory asks when other kernels use it too: an address space whose threads are spread over kernels, or that maps memory which processes on
 * other kernels map (migrate/spread.ts answers), and such memory itself (migrate/shared-memory.ts).
 *
 * Always holds: a page of which nothing is known there is this kernel's alone; nobody touches another one without asking.
 */
import type { Right } from '../migrate/pages.ts';
import type { Blocking, KernelId, Pfn, VirtAddr } from '../types.ts';

/** Of an address space. */
export interface Sharing {
  /** Whether this kernel may read or write the page now. */
  mayTouch(page: VirtAddr, access: 'read' | 'write'): boolean;
  /** A system call needs a page that is not to be touched: it is to be fetched, and the call made again. */
  missed(page: VirtAddr, access: 'read' | 'write'): void;
  /** Gets what has been missed. @throws Errno one of these pages is not to be had */
  fetchMissed(): Blocking<void>;
  /** What has been missed is not needed after all: nobody makes the call again. */
  forgetMissed(): void;
  /** Bytes that a system call has for a page that it may not write: they are there before a thread goes on in user mode. */
  writeLater(address: VirtAddr, bytes: Uint8Array): void;
  /**
   * Takes the space's own pages of [start, end) away from all other kernels. What the caller does at once afterwards is done before anyone gets
   * one again.
   */
  gatherRange(start: VirtAddr, end: VirtAddr): Blocking<void>;
  /** The space is to be destroyed. */
  end(): void;
}

/** Of a file or other object that processes on several kernels map. */
export interface SharedPages {
  /** Kernel that has the directory, and the number by which it knows the object. */
  readonly home: KernelId;
  readonly group: number;
  readonly isHome: boolean;
  /** What this kernel may do with a page now. */
  right(index: number): Right;
  /** Someone is about to wait for a page: it stays until this one says that it was used. Null: it is here. */
  expect(index: number): { used(): void } | null;
  /** Gets a page; what comes at once afterwards may touch it. @throws Errno EIO it is lost, EFAULT it is beyond the end, ENOMEM */
  acquire(index: number, access: 'read' | 'write'): Blocking<void>;
  /** Who holds which page, a line each, as far as it is known here. Lines whose name is empty begin with a space. */
  text(nameOf: (index: number) => string): string;
  /** Its frame here, with a reference for the caller. @throws Errno EFAULT beyond the end */
  mapPage(index: number): Pfn;
}
