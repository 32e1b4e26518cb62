/**
 * When a kernel looks at packets that have come: Linux's NAPI. The first packet of a burst interrupts; while more keep coming they are
 * polled, one after the other, and interrupts are off; when none is left interrupts are on again.
 *
 *     idle ── a packet ──→ raised ── the interrupt (perhaps held back) ──→ polling ──→ idle
 *                                                                          └ after `budget` packets programs get a turn ┘
 *
 * A device that does not poll takes one packet for each interrupt.
 *
 * Always holds: whatever has come is taken, sooner or later; a packet is taken not before it came.
 */
import type { Kernel } from '../../kernel.ts';
import { TraceKind } from '../../trace.ts';
import type { Cycles } from '../../types.ts';

/** How long programs run when a budget is used up and they wait for the core: 50 µs at 2.2 GHz, as after a burst of messages. */
const TURN_CYCLES = 110_000;

export interface PollSource {
  /** As TraceKind.NetPoll has it: 0 the switch, 1 the network card. */
  readonly number: number;
  readonly budget: number;
  /** Cycles between two interrupts at least. */
  readonly coalesce: Cycles;
  readonly polls: boolean;
  /** Packets that have come and have not been taken. */
  readonly waiting: number;
  /** Takes one packet and sees to it; false: there is none. */
  poll(): boolean;
  /** Interrupts are wanted, or not, from now on. */
  mask(off: boolean): void;
}

export class Napi {
  interrupts = 0;
  polls = 0;
  packets = 0;
  /** Polls that used up their budget. */
  exhausted = 0;
  readonly #kernel: Kernel;
  readonly #source: PollSource;
  #state: 'idle' | 'raised' | 'polling' = 'idle';
  #last: Cycles = Number.NEGATIVE_INFINITY;
  #inOneGo = 0;

  constructor(kernel: Kernel, source: PollSource) {
    this.#kernel = kernel;
    this.#source = source;
  }

  /** Something has come. */
  notify(): void {
    if (this.#state !== 'idle') return;
    const kernel = this.#kernel;
    this.#state = 'raised';
    const due = this.#last + this.#source.coalesce;
    if (due > kernel.visible) kernel.at(due, () => this.#interrupt());
    else this.#interrupt();
  }

  #interrupt(): void {
    const kernel = this.#kernel;
    this.#last = kernel.visible;
    this.interrupts++;
    kernel.charge(kernel.cost('interruptEntry') + kernel.cost('softirq'));
    kernel.trace(TraceKind.NetInterrupt, this.#source.number, this.#source.waiting, 0, 0);
    if (this.#source.polls) this.#source.mask(true);
    this.#state = 'polling';
    this.#inOneGo = 0;
    this.#go(0);
  }

  #go(pause: Cycles): void {
    this.#kernel.at(this.#kernel.now + pause, () => this.#step());
  }

  #step(): void {
    const source = this.#source;
    if (!source.poll()) return this.#end();
    this.packets++;
    this.#inOneGo++;
    if (!source.polls) {
      this.#end();
      // What came meanwhile has an interrupt of its own.
      if (source.waiting > 0) this.notify();
      return;
    }
    if (this.#inOneGo < source.budget) return this.#go(0);
    this.exhausted++;
    this.#tell(true);
    this.#inOneGo = 0;
    this.#go(this.#kernel.serviceCore.busy ? TURN_CYCLES : 0);
  }

  #end(): void {
    this.#state = 'idle';
    this.#source.mask(false);
    if (this.#inOneGo > 0) this.#tell(false);
  }

  #tell(exhausted: boolean): void {
    this.polls++;
    this.#kernel.trace(TraceKind.NetPoll, this.#source.number, this.#inOneGo, exhausted ? 1 : 0, 0);
  }
}
