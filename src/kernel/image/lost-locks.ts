/**
 * Record locks of processes that have died with their kernel. Locks of open files are given up with the references of the dead kernel; these are
 * a process's, and nobody closes its files.
 */
import { E, Errno } from '../abi/errno.ts';
import { unlockAll } from '../fs/lock.ts';
import type { Kernel } from '../kernel.ts';
import { type Blocking, type KernelId, type Pid, settle } from '../types.ts';

/** Gives them up on the files of this kernel. All know that `gone` is gone, and have noted which processes have ended with it. */
export function* giveUpLostLocks(kernel: Kernel, gone: KernelId): Blocking<void> {
  const { tables } = kernel.files.services.locks;
  // Those of open files say -1.
  const held = [...tables].flatMap(({ held }) => held).filter(({ pid }) => pid > 0);
  for (const [pid, holder] of new Map(held.map(lock => [lock.pid, lock.holder]))) {
    if (kernel.processes.has(pid) || !(yield* hasEnded(kernel, pid, gone))) continue;
    for (const table of [...tables]) yield* settle(table.apply(unlockAll('record', holder)));
  }
}

function* hasEnded(kernel: Kernel, pid: Pid, gone: KernelId): Blocking<boolean> {
  try {
    const relations = yield* settle(kernel.origins.ask(pid, 'relations'));
    return relations[8] === gone;
  } catch (error) {
    if (!(error instanceof Errno)) throw error;
    return error.errno === E.SRCH;
  }
}
