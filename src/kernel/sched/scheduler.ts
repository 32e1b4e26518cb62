/**
 * The scheduler: who runs on which core, and for how long (after Linux's CFS: the ready task with the least weighted run time).
 *
 * A kernel's cores are interleaved in one thread. When more than one is busy they advance through cells of CELL cycles, smallest
 * clock first, lowest core first among equals; a cell is cut only by an event of this kernel, or by something from outside. A run is
 * therefore the same however the world cuts it into calls of `run(until)`: with several busy cores only cells (or what a cut leaves of
 * them) that end before `until` are run, with one busy core the hart stops and goes on exactly.
 *
 * Always holds: a task is in the queue of exactly one core iff it is ready, current on exactly one iff it is running.
 */
import { ExitKind } from '../../machine/hart/hart.ts';
import type { Kernel } from '../kernel.ts';
import { CAUSE_NONE, causeOfCall } from '../message/wire.ts';
import { hasSignal } from '../signal/delivery.ts';
import { TraceKind } from '../trace.ts';
import type { Task } from '../task/task.ts';
import type { Blocking, Cycles, Wait, WakeReason } from '../types.ts';
import type { Core } from './core.ts';
import { weightOf } from './weights.ts';

/** Cycles by which cores of one kernel may be apart. Half the least latency between kernels, or less, so that a horizon always lets a whole cell run. */
export const CELL = 512;

/** No instruction that traps takes longer. */
const INSTRUCTION_CYCLES = 64;

/** Why a task left its core (TraceKind.TaskStop). */
export const StopReason = { Preempted: 0, Blocked: 1, Exited: 2, Migrating: 3, Stopped: 4 } as const;

export class Scheduler {
  readonly #kernel: Kernel;
  readonly #latency: Cycles;
  readonly #granularity: Cycles;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#latency = kernel.cost('schedLatency');
    this.#granularity = kernel.cost('schedGranularity');
  }

  // --- choosing --------------------------------------------------------------------------------------------------------------

  /** Puts a ready task in the queue of the best core: its own if that is free, else an idle one, else the least loaded allowed. */
  enqueue(task: Task): void {
    const kernel = this.#kernel;
    const core = this.#chooseCore(task);
    const now = kernel.now;
    if (!core.busy) core.advanceIdle(core === kernel.core ? now : now + kernel.cost('rescheduleIpi'));
    task.core = core.id;
    task.state = 'ready';
    task.vruntime = Math.max(task.vruntime, core.minVruntime - this.#latency / 2);
    core.queue.push(task);
    if (core !== kernel.core) kernel.yieldRequested = true;
    const current = core.current;
    if (current !== null && task.vruntime + this.#granularity < current.vruntime) core.resched = true;
    if (current !== null && core.queue.length === 1) core.sliceEnd = Math.max(core.clock, now) + this.#slice(core);
  }

  /** Takes a task off the queues and, when it is on a core, off that. */
  remove(task: Task, reason: number): void {
    const core = this.#kernel.coreOf(task);
    const index = core.queue.indexOf(task);
    if (index >= 0) core.queue.splice(index, 1);
    if (core.current === task) this.leave(core, reason);
  }

  /** The current task leaves the core; its registers are saved. */
  leave(core: Core, reason: number): void {
    const task = core.current as Task;
    core.hart.saveTo(task.registers);
    core.current = null;
    core.switches++;
    if (reason === StopReason.Preempted) task.involuntarySwitches++;
    else task.voluntarySwitches++;
    this.#kernel.trace(TraceKind.TaskStop, task.process.pid, task.tid, reason, 0, core);
  }

  /** Takes a task off its core and the queues until SIGCONT. */
  stop(task: Task): void {
    this.remove(task, StopReason.Stopped);
    task.state = 'stopped';
  }

  // --- sleeping --------------------------------------------------------------------------------------------------------------

  /** Puts the running task to sleep on `wait`. */
  sleep(task: Task, wait: Wait): void {
    task.wait = wait;
    for (const queue of wait.queues) queue.sleepers.add(task);
    if (wait.deadline < Number.POSITIVE_INFINITY) {
      task.timer = this.#kernel.at(wait.deadline, () => this.wake(task, 'timeout'));
    }
    const core = this.#kernel.coreOf(task);
    task.state = 'asleep';
    this.leave(core, StopReason.Blocked);
    // A signal or a request to move that came while the call was on its way must not be slept through.
    if (wait.interruptible && (task.poked || task.migrateTo >= 0 || hasSignal(task))) this.wake(task, 'interrupted');
    task.poked = false;
  }

  /** Ends a task's sleep; no effect on one that does not sleep. */
  wake(task: Task, reason: WakeReason): void {
    if (task.state !== 'asleep' || task.wait === null) return;
    for (const queue of task.wait.queues) queue.sleepers.delete(task);
    if (task.timer !== null) task.timer.cancelled = true;
    task.timer = null;
    task.wait = null;
    task.wakeReason = reason;
    this.enqueue(task);
  }

  /** Wakes a task for a signal or a move, if its sleep allows it. */
  interrupt(task: Task): void {
    if (task.state === 'asleep' && task.wait?.interruptible) this.wake(task, 'interrupted');
  }

  // --- running ---------------------------------------------------------------------------------------------------------------

  /** The busy core with the smallest clock, or null. */
  earliest(): Core | null {
    let best: Core | null = null;
    for (const core of this.#kernel.cores) if (core.busy && (best === null || core.clock < best.clock)) best = core;
    return best;
  }

  busyCores(): number {
    let count = 0;
    for (const core of this.#kernel.cores) if (core.busy) count++;
    return count;
  }

  /**
   * Runs one core until its clock is at least `until` or it has nothing to do. Returns early when another core of the kernel got
   * work or the world's bound was lowered (`kernel.yieldRequested`).
   */
  runCore(core: Core, until: Cycles): void {
    const kernel = this.#kernel;
    kernel.core = core;
    kernel.yieldRequested = false;
    while (core.clock < until && !kernel.yieldRequested) {
      kernel.visible = core.clock;
      if (core.current !== null && core.queue.length > 0 && (core.resched || core.clock >= core.sliceEnd)) {
        const task = core.current;
        this.leave(core, StopReason.Preempted);
        task.state = 'ready';
        core.queue.push(task);
      }
      core.resched = false;
      if (core.current === null && !this.#switchIn(core)) return;
      const task = core.current as unknown as Task;
      if (task.fiber !== null) {
        this.#resume(core, task);
        continue;
      }
      if (task.work || task.watch !== null) {
        kernel.beforeUserMode(task);
        if (core.current !== task || task.fiber !== null) continue;
      }
      this.#runUser(core, task, until);
    }
  }

  #runUser(core: Core, task: Task, until: Cycles): void {
    const kernel = this.#kernel;
    const limit = core.queue.length > 0 ? Math.min(until, core.sliceEnd) : until;
    if (limit <= core.clock) return;
    const hart = core.hart;
    hart.setTime(core.clock);
    const exit = hart.run(task.watch?.isSingle ? 1 : limit - core.clock);
    const used = hart.consumed;
    core.clock += used;
    core.userCycles += used;
    task.usedUser += used;
    this.#account(core, task, used);
    if (task.watch !== null && (hart.retired > 0 || (exit !== ExitKind.PageFault && exit !== ExitKind.Fuel))) task.watch.stepped();
    if (exit === ExitKind.Fuel) return;
    const before = core.clock;
    // A function of the trap's time and not of where this run began, which is the world's choice; and before `until`, as the instruction was.
    kernel.visible = before - INSTRUCTION_CYCLES;
    kernel.trap(task, exit);
    const spent = core.clock - before;
    core.systemCycles += spent;
    task.usedSystem += spent;
    this.#account(core, task, spent);
  }

  /** Starts or goes on with a blocking system call; at its end the result goes to the program. */
  begin(task: Task, fiber: Blocking<number>): void {
    task.fiber = fiber;
    this.#step(this.#kernel.coreOf(task), task, fiber, null);
  }

  #resume(core: Core, task: Task): void {
    const before = core.clock;
    this.#step(core, task, task.fiber as Blocking<number>, task.wakeReason);
    const spent = core.clock - before;
    core.systemCycles += spent;
    task.usedSystem += spent;
    this.#account(core, task, spent);
  }

  #step(core: Core, task: Task, fiber: Blocking<number>, reason: WakeReason | null): void {
    const kernel = this.#kernel;
    kernel.messages.cause = task.syscall < 0 ? CAUSE_NONE : causeOfCall(task.syscall, task.process.pid);
    const result = kernel.guarded(() => (reason === null ? fiber.next() : fiber.next(reason)));
    kernel.messages.cause = CAUSE_NONE;
    if (typeof result === 'number') {
      task.fiber = null;
      kernel.finishSyscall(task, result);
    } else if (result.done) {
      task.fiber = null;
      if (task.state !== 'dead') kernel.finishSyscall(task, result.value);
    } else if (core.current === task) {
      this.sleep(task, result.value);
    }
  }

  #switchIn(core: Core): boolean {
    const next = this.#pick(core) ?? this.#steal(core);
    if (next === null) return false;
    const kernel = this.#kernel;
    core.clock += kernel.cost('contextSwitch');
    core.systemCycles += kernel.cost('contextSwitch');
    core.current = next;
    next.state = 'running';
    next.core = core.id;
    core.minVruntime = Math.max(core.minVruntime, next.vruntime);
    core.sliceEnd = core.clock + this.#slice(core);
    core.hart.restoreFrom(next.registers);
    core.hart.setAddressSpace(next.process.mm.table.root);
    kernel.trace(TraceKind.TaskRun, next.process.pid, next.tid, next.process.origin === kernel.id ? 0 : 1, 0, core);
    return true;
  }

  #pick(core: Core): Task | null {
    const queue = core.queue;
    let best = -1;
    for (let i = 0; i < queue.length; i++) {
      const task = queue[i] as Task;
      const least = best < 0 ? null : (queue[best] as Task);
      if (least === null || task.vruntime < least.vruntime || (task.vruntime === least.vruntime && task.tid < least.tid)) best = i;
    }
    return best < 0 ? null : (queue.splice(best, 1)[0] as Task);
  }

  /** An idle core takes a waiting task from the longest queue that has one for it. */
  #steal(core: Core): Task | null {
    let victim: Core | null = null;
    for (const other of this.#kernel.cores) {
      if (other === core || other.current === null || other.queue.length <= (victim?.queue.length ?? 0)) continue;
      if (other.queue.some(task => task.affinity.includes(core.id))) victim = other;
    }
    if (victim === null) return null;
    const index = victim.queue.findIndex(task => task.affinity.includes(core.id));
    const task = victim.queue.splice(index, 1)[0] as Task;
    task.vruntime += core.minVruntime - victim.minVruntime;
    return task;
  }

  #chooseCore(task: Task): Core {
    const kernel = this.#kernel;
    let best: Core | null = null;
    let bestLoad = Number.POSITIVE_INFINITY;
    for (const core of kernel.cores) {
      if (!task.affinity.includes(core.id)) continue;
      const load = (core.current === null ? 0 : 2) + 2 * core.queue.length - (core.id === task.core ? 1 : 0);
      if (load < bestLoad) {
        best = core;
        bestLoad = load;
      }
    }
    return best ?? (kernel.cores[0] as Core);
  }

  #slice(core: Core): Cycles {
    return Math.max(this.#granularity, Math.ceil(this.#latency / (core.queue.length + 1)));
  }

  #account(core: Core, task: Task, cycles: Cycles): void {
    task.vruntime += (cycles * 1024) / weightOf(task.nice);
    if (core.current === task && task.vruntime > core.minVruntime && core.queue.length === 0) core.minVruntime = task.vruntime;
  }
}
