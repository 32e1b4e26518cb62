/**
 * What a handler of a system call is given.
 *
 * Always holds: arguments are the registers as signed 64-bit numbers (AT_FDCWD is -100, a user address is below 2^38; what isn't
 * exact as a number is no valid argument of any call). A handler returns the result or throws Errno.
 */
import type { FsServices } from '../fs/services.ts';
import type { Vfs } from '../fs/vfs.ts';
import type { Process, Task } from '../task/task.ts';
import type { Maybe, VirtAddr } from '../types.ts';

/** Memory of the calling process. All throw Errno(E.FAULT) for what the process itself could not do. Never blocks. */
export interface UserMemory {
  /** A copy of `length` bytes. */
  read(address: VirtAddr, length: number): Uint8Array;
  write(address: VirtAddr, bytes: Uint8Array): void;
  /** Bytes up to a NUL (left out), as a binary string. Throws ENAMETOOLONG when there is none within `max` bytes. */
  readString(address: VirtAddr, max: number): string;
  readU32(address: VirtAddr): number;
  writeU32(address: VirtAddr, value: number): void;
  readU64(address: VirtAddr): bigint;
  writeU64(address: VirtAddr, value: bigint): void;
  /** Makes sure that the range can be accessed, before anything has an effect; faults pages in. */
  check(address: VirtAddr, length: number, write: boolean): void;
}

export interface SyscallContext {
  readonly task: Task;
  readonly process: Process;
  readonly services: FsServices;
  readonly vfs: Vfs;
  readonly user: UserMemory;
  /** Sends a signal to the calling thread (SIGPIPE). */
  raise(signal: number): void;
  /**
   * Runs `body` with the thread's signal mask replaced. When the body ends with EINTR for a signal, the handler runs before the
   * old mask is back.
   */
  withSignalMask(mask: readonly [number, number], body: () => Maybe<number>): Maybe<number>;
}

export type SyscallHandler = (ctx: SyscallContext, a0: number, a1: number, a2: number, a3: number, a4: number, a5: number) => Maybe<number>;

/** One row of the table of calls. */
export interface CallRow {
  readonly name: string;
  readonly handler: SyscallHandler;
  readonly support: 'full' | 'partial';
  /** What a 'partial' one lacks, in a sentence. */
  readonly missing?: string;
}

