/** The end of threads and processes (Linux: kernel/exit.c). */
import type { Kernel } from '../kernel.ts';
import { futexWake } from './futex.ts';
import { TraceKind } from '../trace.ts';
import type { Blocking } from '../types.ts';
import type { Process, Task } from './task.ts';

/** All threads of a process end; `status` is the wait status (exit code << 8, or signal with 0x80 for a core). */
export function exitProcess(kernel: Kernel, process: Process, status: number): void {
  if (process.exitStatus === null) process.exitStatus = status;
  for (const task of [...process.threads]) exitTask(kernel, task, status);
}

/** One thread ends; with the last one, the process does. */
export function exitTask(kernel: Kernel, task: Task, status: number): void {
  if (task.state === 'dead') return;
  const process = task.process;
  if (task.clearChildTid !== 0 && process.mm.users > 1) {
    try {
      process.user.setU32(task.clearChildTid, 0);
      futexWake(kernel, process, task.clearChildTid, 1, 0xffffffff);
    } catch {
      // The address was never good: nobody can wait there.
    }
  }
  kernel.dropThread(task);
  kernel.trace(TraceKind.TaskExit, process.pid, task.tid, status, 0);
  if (process.threads.size > 0) return;
  if (process.exitStatus === null) process.exitStatus = status;
  kernel.charge(kernel.cost('exit'));
  if (process.itimer !== null) process.itimer.cancelled = true;
  kernel.releaseSpace(process);
  process.vforkDone?.wakeAll();
  process.vforkDone = null;
  kernel.processes.delete(process.pid);
  const closing = kernel.releaseFiles(process);
  // Whoever waits for this process finds its files closed.
  if (closing.length === 0) kernel.origins.exited(process, process.exitStatus);
  else kernel.spawn(exitedAfter(kernel, process, process.exitStatus, closing));
}

function* exitedAfter(kernel: Kernel, process: Process, status: number, closing: readonly Blocking<void>[]): Blocking<void> {
  for (const close of closing) yield* close;
  kernel.origins.exited(process, status);
}
