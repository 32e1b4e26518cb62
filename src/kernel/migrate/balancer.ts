/**
 * The balancer between kernels: off, unless an operator has it on (`balance on`).
 *
 * The policy: every PERIOD a kernel that has more tasks ready than cores asks one other kernel, drawn at random, for its load. If that kernel has
 * fewer tasks for each core, by more than one task, the process that has waited longest for a core moves there. A process is left alone
 * for STAY after it has first been seen waiting.
 *
 * Always holds: nothing is asked while no task waits, so an idle machine sends no message; a process that may run here alone stays here.
 */
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import type { Process, Task } from '../task/task.ts';
import { type Blocking, type Cycles, sleep } from '../types.ts';

const PERIOD_MILLISECONDS = 5;
const STAY_MILLISECONDS = 20;

export class Balancer {
  readonly #kernel: Kernel;
  readonly #seen = new WeakMap<Process, Cycles>();
  #isOn = false;
  #runs = false;
  /** Processes sent away so far. */
  sent = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const { messages } = kernel;
    messages.on(M.LOAD_REQUEST, ({ request }, { from }) => {
      messages.send(from, M.LOAD_RESPONSE, { request, tasks: this.#tasks(), cores: kernel.cores.length });
    });
    messages.on(M.LOAD_RESPONSE, answer => messages.answered(answer.request, answer));
  }

  get isOn(): boolean {
    return this.#isOn;
  }
  set isOn(on: boolean) {
    this.#isOn = on;
    if (on && !this.#runs) this.#kernel.spawn(this.#run());
  }

  /** Whether it is on, what it goes by, and what it has done: /proc/popcorn/balance. */
  get text(): string {
    return `${this.#isOn ? 'on' : 'off'}
policy every ${PERIOD_MILLISECONDS} ms a kernel with tasks that wait for a core asks another one, drawn at random;
       has that one fewer tasks a core, by more than one, what has waited longest moves there
period ${PERIOD_MILLISECONDS} ms
stay ${STAY_MILLISECONDS} ms
sent ${this.sent}
`;
  }

  *#run(): Blocking<void> {
    const kernel = this.#kernel;
    this.#runs = true;
    while (this.#isOn) {
      yield* sleep([], { deadline: kernel.now + this.#cycles(PERIOD_MILLISECONDS), interruptible: false });
      if (this.#waiting().length > 0) yield* this.#relieve();
    }
    this.#runs = false;
  }

  *#relieve(): Blocking<void> {
    const kernel = this.#kernel;
    const peers = kernel.peers();
    const other = peers[kernel.random() % Math.max(1, peers.length)];
    if (other === undefined) return;
    const { tasks, cores } = yield* kernel.messages.call(other, M.LOAD_REQUEST, {}, M.LOAD_RESPONSE);
    if (this.#tasks() / kernel.cores.length <= tasks / cores + 1) return;
    const candidates = this.#waiting().filter(task => this.#hereFor(task) >= this.#cycles(STAY_MILLISECONDS) && this.#mayGo(task));
    const [longest] = candidates.sort((a, b) => a.vruntime - b.vruntime || a.tid - b.tid);
    if (longest === undefined || !kernel.isPeer(other)) return;
    kernel.migration.ask(longest.process, other, []);
    this.sent++;
  }

  /** Since it was first seen waiting. */
  #hereFor({ process }: Task): Cycles {
    const { now } = this.#kernel;
    const since = this.#seen.get(process) ?? now;
    this.#seen.set(process, since);
    return now - since;
  }
  /** One bound to some of this kernel's cores was put there on purpose. */
  #mayGo({ process, affinity }: Task): boolean {
    return affinity.length >= this.#kernel.cores.length && this.#kernel.migration.mayLeave(process);
  }
  #waiting(): Task[] {
    return this.#kernel.cores.flatMap(core => core.queue);
  }
  #tasks(): number {
    return this.#kernel.cores.reduce((sum, core) => sum + core.queue.length + (core.current === null ? 0 : 1), 0);
  }
  #cycles(milliseconds: number): Cycles {
    return Math.round((this.#kernel.hertz * milliseconds) / 1000);
  }
}
