/**
 * A replica made of a kernel: its run loop, and what reaches it from outside.
 *
 * Always holds: events are handled before anything a core does at or after their time, and so is what comes from outside; with several busy cores
 * only whole cells before `until` are run, or up to what cuts them (sched/scheduler.ts says why).
 */
import { Errno } from '../abi/errno.ts';
import { debug } from '../debug/watch.ts';
import { Kernel, KernelState } from '../kernel.ts';
import type { Platform } from '../platform.ts';
import type { Replica, ReplicaFactory } from '../replica.ts';
import { EventClass, EventQueue } from '../sched/events.ts';
import { CELL } from '../sched/scheduler.ts';
import type { StartRequest } from '../../machine/start-cells.ts';
import { Refusal } from '../partition/refusal.ts';
import type { Blocking, Cycles, KernelId } from '../types.ts';
import { boot } from './boot.ts';
import type { BootParameters, ReplicaInput } from './parameters.ts';

export const createReplica: ReplicaFactory = (id, firmware, platform) => new KernelReplica(id, firmware, platform);

export class KernelReplica implements Replica {
  readonly kernel: KernelId;
  readonly #firmware: BootParameters | null;
  readonly #platform: Platform;
  /** Null: its cores have never been started. */
  #machine: Kernel | null = null;
  /** What is to happen to cores on which no kernel runs: they are started. */
  readonly #outside = new EventQueue();
  #started = 0;

  constructor(kernel: KernelId, firmware: BootParameters | null, platform: Platform) {
    this.kernel = kernel;
    this.#firmware = firmware;
    this.#platform = platform;
  }

  /** For tests that look inside. */
  get machine(): Kernel | null {
    return this.#machine;
  }
  get cores(): number {
    return this.#machine?.cores.length ?? 1;
  }

  collect(): void {
    const request = this.#platform.startRequest();
    if (request !== null && request.count !== this.#started) {
      this.#started = request.count;
      this.#outside.add(request.arrival, EventClass.Message, 0, () => this.#startAs(request));
    }
    if (!this.#machine?.isRunning) return;
    this.#machine.messages.collect();
    this.#machine.vnet.collect();
    this.#machine.nic.collect();
    this.#machine.virtualFunctions.collect();
  }

  nextTime(): Cycles {
    return Math.min(this.#outside.next(), this.#machine === null ? Number.POSITIVE_INFINITY : nextTime(this.#machine));
  }

  run(until: Cycles): void {
    // What comes from outside may put another kernel in the place of this one.
    for (;;) {
      const outside = this.#outside.next();
      const kernel = this.#machine;
      const limit = Math.min(until, outside);
      if (kernel !== null) {
        runKernel(kernel, limit, outside);
        if (kernel.bound < limit) return;
      }
      if (outside >= until || this.nextTime() < outside) return;
      this.#outside.take().handle();
    }
  }

  #startAs({ address, bytes, arrival }: StartRequest): void {
    const kernel = this.#machine;
    if (bytes === 0) {
      if (kernel?.isRunning) {
        kernel.core = kernel.serviceCore;
        kernel.core.advanceIdle(arrival);
        kernel.lifecycle.stop(kernel.lifecycle.isHalting ? KernelState.Halted : KernelState.Panicked);
      }
      return;
    }
    if (kernel?.isRunning) return;
    const text = String.fromCharCode(...this.#platform.memory.u8.slice(address, address + bytes));
    this.#start(JSON.parse(text) as BootParameters, arrival);
  }

  #start(parameters: BootParameters, time: Cycles): void {
    const kernel = new Kernel(parameters, this.#platform);
    this.#machine = kernel;
    for (const core of kernel.cores) core.advanceIdle(time);
    kernel.visible = time;
    kernel.spawn(boot(kernel));
  }

  input(time: Cycles, input: ReplicaInput): void {
    if (input.kind === 'power') {
      if (this.#machine === null && this.#firmware !== null) {
        const parameters = this.#firmware;
        this.#outside.add(time, EventClass.Input, 0, () => this.#start(parameters, time));
      }
    } else {
      // Whichever kernel is there by then.
      this.#outside.add(time, EventClass.Input, 0, () => {
        const kernel = this.#machine;
        kernel?.events.add(time, EventClass.Input, 0, () => this.#take(kernel, input));
      });
    }
  }

  #take(kernel: Kernel, input: Exclude<ReplicaInput, { kind: 'power' }>): void {
    if (input.kind === 'boot') kernel.spawn(this.#order(kernel, `boot ${input.kernel}`));
    else if (kernel.early !== null) kernel.early.push(() => this.#give(kernel, input));
    else if (kernel.state === KernelState.Up) this.#give(kernel, input);
  }

  #give(kernel: Kernel, input: Exclude<ReplicaInput, { kind: 'power' | 'boot' }>): void {
    switch (input.kind) {
      case 'console':
        kernel.files.console.input(input.bytes);
        return;
      case 'resize':
        kernel.files.console.resize(input.columns, input.rows);
        return;
      case 'stdin':
        kernel.stdin?.feed(input.bytes);
        return;
      case 'file':
        kernel.spawn(this.#drop(kernel, `file ${input.name}`, kernel.files.dropFile(input.name, input.bytes)));
        return;
      case 'files':
        kernel.spawn(this.#drop(kernel, `files of ${input.name}`, kernel.files.dropFiles(input.archive)));
        return;
      case 'migrate':
        kernel.spawn(this.#migrate(kernel, pidHere(kernel, input.pid), input.to));
        return;
      case 'debug':
        debug(kernel, pidHere(kernel, input.pid), input.order);
        return;
      case 'order':
        kernel.spawn(this.#order(kernel, input.text));
        return;
    }
  }

  *#order(kernel: Kernel, text: string) {
    try {
      yield* kernel.control.order(text);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      if (!(error instanceof Refusal)) kernel.log(4, `popcorn: ${text}: errno ${error.errno}`);
    }
  }

  *#migrate(kernel: Kernel, pid: number, to: number) {
    try {
      yield* kernel.migration.request(pid, to);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      kernel.log(
        4,
        `popcorn: process ${pid} can't move to kernel ${to}: ${error instanceof Refusal ? error.reason : `errno ${error.errno}`}`,
      );
    }
  }

  *#drop(kernel: Kernel, what: string, work: Blocking<void>) {
    try {
      yield* work;
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      kernel.log(4, `${what}: refused with errno ${error.errno}`);
    }
  }
}

/** The page has pids from the trace. */
const pidHere = (kernel: Kernel, pid: number): number => (kernel.isFederated ? pid & 0x7fff : pid);

function nextTime(kernel: Kernel): Cycles {
  return Math.min(kernel.events.next(), kernel.scheduler.earliest()?.clock ?? Number.POSITIVE_INFINITY);
}

/** @param outside when something comes from outside; it cuts a cell as an event does, and is left to the caller */
function runKernel(kernel: Kernel, until: Cycles, outside: Cycles): void {
  const { events, scheduler } = kernel;
  kernel.bound = until;
  for (;;) {
    const event = Math.min(events.next(), outside);
    const core = scheduler.earliest();
    const clock = core === null ? Number.POSITIVE_INFINITY : core.clock;
    if (event >= kernel.bound && clock >= kernel.bound) return;
    if (event <= clock || core === null) {
      kernel.visible = event;
      kernel.core = kernel.serviceCore;
      kernel.core.advanceIdle(event);
      events.take().handle();
      continue;
    }
    let end = Math.min(kernel.bound, event);
    if (scheduler.busyCores() > 1) {
      end = Math.min((Math.floor(clock / CELL) + 1) * CELL, event);
      if (end > kernel.bound) return;
    }
    kernel.visible = clock;
    scheduler.runCore(core, end);
  }
}
