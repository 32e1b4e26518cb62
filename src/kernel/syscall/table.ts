/**
 * The system calls of Linux RV64 by number, and the way into them.
 *
 * Always holds: a call ends in `Kernel.finishSyscall` exactly once, at once or when its fiber does; a call that is missing gives
 * ENOSYS and is named once in the log.
 */
import { E } from '../abi/errno.ts';
import type { Hart } from '../../machine/hart/hart.ts';
import type { Kernel } from '../kernel.ts';
import { CAUSE_NONE, causeOfCall } from '../message/wire.ts';
import { setMask, signalTask } from '../signal/delivery.ts';
import { SI } from '../abi/signal.ts';
import type { Task } from '../task/task.ts';
import { TraceKind } from '../trace.ts';
import { type Blocking, isBlocking, type Maybe } from '../types.ts';
import type { CallRow, SyscallContext } from './context.ts';
import { FILE_CALLS } from './file.ts';
import { memoryCalls } from './memory.ts';
import { processCalls } from './process.ts';
import { schedulingCalls } from './scheduling.ts';
import { signalCalls } from './signal.ts';
import { systemCalls } from './system.ts';
import { timeCalls } from './time.ts';

export class CallTable {
  readonly rows: Readonly<Record<number, CallRow>>;
  readonly #kernel: Kernel;
  readonly #missing = new Set<number>();
  readonly #contexts = new WeakMap<Task, SyscallContext>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.rows = {
      ...FILE_CALLS,
      ...processCalls(kernel),
      ...memoryCalls(kernel),
      ...signalCalls(kernel),
      ...timeCalls(kernel),
      ...schedulingCalls(kernel),
      ...systemCalls(kernel),
    };
  }

  /** An `ecall` of the task, whose registers are on the hart. */
  enter(task: Task, hart: Hart): void {
    const number = hart.x(17);
    task.syscall = number;
    task.restart = 0;
    const row = this.rows[number];
    if (row === undefined) {
      this.#miss(task, number);
      this.#kernel.finishSyscall(task, -E.NOSYS);
      return;
    }
    const ctx = this.contextOf(task);
    const { messages } = this.#kernel;
    messages.cause = causeOfCall(number, task.process.pid);
    const result = this.#kernel.guarded(() => row.handler(ctx, hart.x(10), hart.x(11), hart.x(12), hart.x(13), hart.x(14), hart.x(15)));
    messages.cause = CAUSE_NONE;
    if (isBlocking(result)) this.#kernel.scheduler.begin(task, result);
    else this.#kernel.finishSyscall(task, result);
  }

  #miss(task: Task, number: number): void {
    if (this.#missing.has(number)) return;
    this.#missing.add(number);
    this.#kernel.trace(TraceKind.MissingCall, task.process.pid, number, 0, 0);
    this.#kernel.log(4, `${task.process.name}[${task.process.pid}]: system call ${number} is not implemented`);
  }

  contextOf(task: Task): SyscallContext {
    let ctx = this.#contexts.get(task);
    if (ctx === undefined) {
      ctx = new TaskContext(this.#kernel, task);
      this.#contexts.set(task, ctx);
    }
    return ctx;
  }
}

class TaskContext implements SyscallContext {
  readonly #kernel: Kernel;

  constructor(
    kernel: Kernel,
    readonly task: Task,
  ) {
    this.#kernel = kernel;
  }
  get process(): SyscallContext['process'] {
    return this.task.process;
  }
  get services(): SyscallContext['services'] {
    return this.#kernel.files.services;
  }
  get vfs(): SyscallContext['vfs'] {
    return this.#kernel.vfs;
  }
  get user(): SyscallContext['user'] {
    return this.task.process.user;
  }

  raise(signal: number): void {
    signalTask(this.#kernel, this.task, { signal, code: SI.KERNEL, pid: 0, uid: 0, status: 0, address: 0 });
  }

  withSignalMask(mask: readonly [number, number], body: () => Maybe<number>): Maybe<number> {
    return this.#masked(mask, body);
  }

  *#masked(mask: readonly [number, number], body: () => Maybe<number>): Blocking<number> {
    const { task } = this;
    const old: [number, number] = [task.blocked[0], task.blocked[1]];
    setMask(task, mask);
    // A signal that the new mask lets through and that waits already ends the first sleep.
    if (task.pending.peek(task.blocked) !== null || task.process.pending.peek(task.blocked) !== null) task.poked = true;
    let interrupted = false;
    try {
      const result = body();
      return isBlocking(result) ? yield* result : result;
    } catch (error) {
      interrupted = true;
      throw error;
    } finally {
      if (interrupted && task.work) task.savedBlocked = old;
      else setMask(task, old);
    }
  }
}
