/**
 * What a handler of a system call is given.
 *
 * Always holds: arguments are the registers as signed 64-bit numbers (AT_FDCWD is -100, a user address is below 2^38; what isn't
 * exact as a number is no valid argument of any call). A handler returns the result or throws Errno.
 */
import type { FsServices } from '../fs/services.ts';
import type { Vfs } from '../fs/vfs.ts';
import type { UserMemory } from '../mm/user-memory.ts';
import type { Process, Task } from '../task/task.ts';
import type { Maybe } from '../types.ts';

export interface SyscallContext {
  readonly task: Task;
  readonly process: Process;
  readonly services: FsServices;
  readonly vfs: Vfs;
  /** Memory of the calling process: throws EFAULT for what the process itself could not do, never blocks. */
  readonly user: Pick<UserMemory, 'read' | 'write' | 'check' | 'readString' | 'getU32' | 'setU32' | 'getU64' | 'getI64' | 'setI64'>;
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
