/** The end of threads and processes (Linux: kernel/exit.c). */
import { E, Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import { futexWake } from './futex.ts';
import { TraceKind } from '../trace.ts';
import type { Blocking } from '../types.ts';
import type { Process, Task } from './task.ts';

/**
 * All threads of a process end; `status` is the wait status (exit code << 8, or signal with 0x80 for a core). One that is just leaving for another
 * kernel ends if it does not get there.
 */
export function exitProcess(kernel: Kernel, process: Process, status: number): void {
  if (kernel.migration.putsOff(process, status)) return;
  if (process.exitStatus === null) process.exitStatus = status;
  for (const task of [...process.threads]) exitTask(kernel, task, status);
}

/** One thread ends; with the last one, the process does. */
export function exitTask(kernel: Kernel, task: Task, status: number): void {
  if (task.state === 'dead') return;
  const process = task.process;
  const later = releaseRobustLocks(kernel, task);
  if (task.clearChildTid !== 0 && (process.threads.size > 1 || process.mm.users > 1)) {
    try {
      process.user.setU32(task.clearChildTid, 0);
      kernel.detach(futexWake(kernel, process, task.clearChildTid, 1, 0xffffffff));
    } catch (error) {
      // The address was never good: nobody can wait there.
      if (!(error instanceof Errno)) throw error;
    }
  }
  kernel.dropThread(task);
  kernel.trace(TraceKind.TaskExit, process.pid, task.tid, status, 0);
  if (process.threads.size > 0) {
    if (later !== null) kernel.spawn(later);
    return;
  }
  if (process.exitStatus === null) process.exitStatus = status;
  kernel.charge(kernel.cost('exit'));
  if (process.itimer !== null) process.itimer.cancelled = true;
  kernel.releaseSpace(process);
  process.vforkDone?.wakeAll();
  process.vforkDone = null;
  kernel.processes.delete(process.pid);
  kernel.origins.ending.set(process.pid, process);
  const closing = [...(later === null ? [] : [later]), ...kernel.releaseFiles(process)];
  // Whoever waits for this process finds its files closed, and its locks marked.
  if (closing.length === 0) kernel.origins.exited(process, process.exitStatus);
  else kernel.spawn(exitedAfter(kernel, process, process.exitStatus, closing));
}

/** Entries of a robust list that are looked at; a list in a circle ends here. */
const ROBUST_MAX = 2048;
const FUTEX_WAITERS = 0x80000000;
const FUTEX_OWNER_DIED = 0x40000000;
const FUTEX_TID_MASK = 0x3fffffff;

/**
 * Locks that the thread holds, by its robust list: struct robust_list_head has the first entry, the distance from an entry to its lock word, and
 * the entry that was being taken or released.
 * @throws Errno EFAULT the list is no good, ERESTARTSYS another kernel has some of it
 */
function robustLocks({ robustList: head, process: { user }, tid }: Task): { readonly at: number; readonly word: number }[] {
  if (head === 0) return [];
  const distance = user.getI64(head + 8);
  const taking = user.getU64(head + 16);
  const entries = taking === 0 ? [] : [taking];
  for (let entry = user.getU64(head); entry !== head && entries.length < ROBUST_MAX; entry = user.getU64(entry))
    if (entry !== taking) entries.push(entry);
  return entries
    .map(entry => ({ at: entry + distance, word: user.getU32(entry + distance) }))
    .filter(({ word }) => (word & FUTEX_TID_MASK) === (tid & FUTEX_TID_MASK));
}

/** The thread is about to call exit(2) or exit_group(2): its locks can be read and written here. @throws Errno ERESTARTSYS when not */
export function prepareExit(task: Task): void {
  try {
    for (const { at } of robustLocks(task)) task.process.user.check(at, 4, true);
  } catch (error) {
    if (!(error instanceof Errno) || error.errno === E.RESTARTSYS) throw error;
  }
}

/**
 * Its locks are marked as left by a dead owner, and one who waits for each is woken (Linux: Documentation/locking/robust-futexes). What is left to do
 * where another kernel has some of them; the address space lives until that is done.
 */
function releaseRobustLocks(kernel: Kernel, task: Task): Blocking<void> | null {
  if (markRobustLocks(kernel, task)) return null;
  const { process } = task;
  process.mm.users++;
  return (function* (): Blocking<void> {
    try {
      do yield* process.mm.sharing?.fetchMissed() ?? nothing();
      while (!markRobustLocks(kernel, task));
    } catch (error) {
      // A page of them is lost with its kernel.
      if (!(error instanceof Errno)) throw error;
    } finally {
      kernel.releaseSpace(process);
    }
  })();
}
function* nothing(): Blocking<void> {}

/** Whether that was possible: else pages are missed. */
function markRobustLocks(kernel: Kernel, task: Task): boolean {
  const { mm, user } = task.process;
  try {
    const locks = robustLocks(task);
    for (const { at } of locks) user.check(at, 4, true);
    for (const { at, word } of locks) {
      user.setU32(at, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
      if (word & FUTEX_WAITERS) kernel.detach(futexWake(kernel, task.process, at, 1, 0xffffffff));
    }
    return true;
  } catch (error) {
    if (!(error instanceof Errno)) throw error;
    if (error.errno === E.RESTARTSYS) return false;
    // The list is the program's: what can't be read is left.
    mm.sharing?.forgetMissed();
    return true;
  }
}

function* exitedAfter(kernel: Kernel, process: Process, status: number, closing: readonly Blocking<void>[]): Blocking<void> {
  for (const close of closing) yield* close;
  kernel.origins.exited(process, status);
}
