/**
 * A replica made of a kernel: its run loop, and what reaches it from outside.
 *
 * Always holds: events are handled before anything a core does at or after their time; with several busy cores only whole cells before
 * `until` are run (sched/scheduler.ts says why).
 */
import { Errno } from '../abi/errno.ts';
import { debug } from '../debug/watch.ts';
import { Kernel, KernelState } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import type { Platform } from '../platform.ts';
import type { Replica, ReplicaFactory } from '../replica.ts';
import { EventClass } from '../sched/events.ts';
import { CELL } from '../sched/scheduler.ts';
import type { Cycles } from '../types.ts';
import { boot } from './boot.ts';
import type { BootParameters, ReplicaInput } from './parameters.ts';

export const createReplica: ReplicaFactory = (parameters, platform) => new KernelReplica(parameters, platform);

class KernelReplica implements Replica {
  readonly #machine: Kernel;

  constructor(parameters: BootParameters, platform: Platform) {
    const kernel = new Kernel(parameters, platform);
    this.#machine = kernel;
    kernel.messages.on(M.STARTUP, ({ by, present }) => {
      if (kernel.state === KernelState.Off) return boot(kernel, by, present);
    });
  }

  get kernel(): number {
    return this.#machine.id;
  }

  collect(): void {
    this.#machine.messages.collect();
  }

  nextTime(): Cycles {
    const kernel = this.#machine;
    const earliest = kernel.scheduler.earliest();
    return Math.min(kernel.events.next(), earliest === null ? Number.POSITIVE_INFINITY : earliest.clock);
  }

  run(until: Cycles): void {
    const kernel = this.#machine;
    const { events, scheduler } = kernel;
    kernel.bound = until;
    for (;;) {
      const event = events.next();
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
        const cell = (Math.floor(clock / CELL) + 1) * CELL;
        if (cell > kernel.bound) return;
        end = Math.min(cell, event);
      }
      kernel.visible = clock;
      scheduler.runCore(core, end);
    }
  }

  input(time: Cycles, input: ReplicaInput): void {
    this.#machine.events.add(time, EventClass.Input, 0, () => this.#take(input));
  }

  #take(input: ReplicaInput): void {
    const kernel = this.#machine;
    switch (input.kind) {
      case 'power':
        if (kernel.state === KernelState.Off) kernel.spawn(boot(kernel, kernel.id, []));
        return;
      case 'boot':
        this.#try(`boot ${input.kernel}`, () => kernel.image.boot(input.kernel));
        return;
      default:
        if (kernel.early !== null) kernel.early.push(() => this.#give(input));
        else if (kernel.state === KernelState.Up) this.#give(input);
    }
  }

  #give(input: Exclude<ReplicaInput, { kind: 'power' | 'boot' }>): void {
    const kernel = this.#machine;
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
        this.#try(`file ${input.name}`, () => kernel.files.dropFile(input.name, input.bytes));
        return;
      case 'migrate':
        kernel.spawn(this.#migrate(input.pid, input.to));
        return;
      case 'debug':
        debug(kernel, input.pid, input.order);
        return;
    }
  }

  *#migrate(pid: number, to: number) {
    try {
      yield* this.#machine.migration.request(pid, to);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      this.#machine.log(4, `popcorn: process ${pid} can't move to kernel ${to}: errno ${error.errno}`);
    }
  }

  #try(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      this.#machine.log(4, `${what}: refused with errno ${error.errno}`);
    }
  }
}
