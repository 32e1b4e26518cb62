/**
 * Kernels for the world's tests: they have no programs, only traffic, and much more of it than real ones. And hosts that run them, in this
 * thread or in threads of Node (for which this file is both ends, as node-host.ts is).
 *
 * Always holds: like a real one, such a replica is a function of its parameters, messages and inputs; what it does next depends on all that
 * it has seen so far, so that one message out of order changes everything after it.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { BootParameters, ReplicaInput } from '../kernel/boot/parameters.ts';
import { messageLatency } from '../kernel/message/latency.ts';
import { Window } from '../kernel/message/window.ts';
import { windowAddress } from '../kernel/partition/map.ts';
import type { Platform } from '../kernel/platform.ts';
import type { Replica, ReplicaFactory } from '../kernel/replica.ts';
import { EventClass, EventQueue } from '../kernel/sched/events.ts';
import { TraceKind } from '../kernel/trace.ts';
import type { Cycles, KernelId } from '../kernel/types.ts';
import { serveHost } from './engine.ts';
import { nodeHostOf, serveNode } from './node-host.ts';
import type { HostPort } from './world.ts';

const RETRY = 2000;
/** Work that it does between two messages at most, in cycles. */
const WORK_MAX = 3000;
/** An input of this name makes the kernel fail. */
export const POISON = 'poison';

/** Starts with `power`; from then on every message makes it answer, ask third parties, work, or broadcast. */
class Chatter implements Replica {
  readonly kernel: KernelId;
  readonly cores = 1;
  readonly #platform: Platform;
  readonly #windows: Window[];
  readonly #latency: readonly number[];
  readonly #events = new EventQueue();
  readonly #sent: number[];
  readonly #seen: number[];
  readonly #waiting: number[][];
  #random: number;
  #clock: Cycles = 0;
  #bound: Cycles = 0;
  #visible: Cycles = 0;

  constructor({ kernel, plan, seed, exec }: BootParameters, platform: Platform) {
    this.kernel = kernel;
    this.#platform = platform;
    const lanes = plan.partitions.length;
    this.#windows = plan.partitions.map(each => new Window(platform.memory, windowAddress(each, lanes), lanes));
    const firsts = plan.partitions.map(each => each.cores[0] as number);
    this.#latency = firsts.map(first => messageLatency(platform.topology, firsts[kernel] as number, first));
    this.#sent = plan.partitions.map(() => 0);
    this.#seen = plan.partitions.map(() => 0);
    this.#waiting = plan.partitions.map(() => []);
    this.#random = (seed * 2654435761 + kernel * 40503 + 1) >>> 0 || 1;
    this.#life = exec === null ? Number.POSITIVE_INFINITY : exec.migrateEvery;
  }
  /** Time at which the `exec` program of this kernel ends. */
  readonly #life: Cycles;

  collect(): void {
    const own = this.#windows[this.kernel] as Window;
    for (let word = 0; word * 32 < this.#windows.length; word++) {
      for (let bells = own.takeDoorbells(word); bells !== 0; bells &= bells - 1) {
        const sender = word * 32 + 31 - Math.clz32(bells & -bells);
        for (;;) {
          const sequence = this.#seen[sender] as number;
          const arrival = own.arrival(sender, sequence);
          if (Number.isNaN(arrival)) break;
          if (arrival < this.#visible)
            throw new Error(`kernel ${this.kernel} is at ${this.#visible}; a message from ${sender} arrives at ${arrival}`);
          this.#seen[sender] = sequence + 1;
          this.#events.add(arrival, EventClass.Message, sender * 2 ** 32 + sequence, () => this.#receive(own, sender, sequence));
        }
      }
    }
  }

  nextTime(): Cycles {
    return this.#events.next();
  }

  run(until: Cycles): void {
    this.#bound = until;
    for (let next = this.#events.next(); next < this.#bound; next = this.#events.next()) {
      this.#visible = next;
      this.#clock = Math.max(this.#clock, next);
      this.#events.take().handle();
    }
  }

  input(time: Cycles, input: ReplicaInput): void {
    if (time < this.#visible) throw new Error(`kernel ${this.kernel} is at ${this.#visible}; an input comes at ${time}`);
    this.#events.add(time, EventClass.Input, 0, () => {
      if (input.kind === 'file' && input.name === POISON) throw new Error('poisoned');
      this.#note(input.kind === 'console' ? input.bytes.length : 0, 0xffff);
      if (input.kind === 'power') this.#tick();
      this.#speak(40);
      if (this.#life < Number.POSITIVE_INFINITY) {
        this.#events.add(this.#life, EventClass.Local, 0, () => this.#platform.programEnded(this.#clock, 7 << 8));
      }
    });
  }

  /** Something to do by itself, now and then. */
  #tick(): void {
    this.#events.add(this.#clock + 20_000 + (this.#draw() % 60_000), EventClass.Local, 1, () => {
      this.#note(1, 1);
      this.#speak(6);
      this.#tick();
    });
  }

  #receive(own: Window, sender: KernelId, sequence: number): void {
    const at = own.slot(sender, sequence);
    const [value, hops] = [own.view.getUint32(at, true), own.view.getUint32(at + 4, true)];
    this.#clock += 300;
    own.free(sender, sequence, this.#clock + (this.#latency[sender] as number));
    this.#random = Math.imul(this.#random ^ value, 0x9e3779b1) >>> 0 || 1;
    this.#note(value, hops);
    if (hops > 0) this.#speak(hops - 1);
  }

  #speak(hops: number): void {
    const count = this.#windows.length;
    if (count === 1) return;
    const choice = this.#draw() % 16;
    if (choice === 0) for (let to = 0; to < count; to++) this.#send(to, Math.min(hops, 3));
    else if (choice === 1) for (let i = 0; i < 50; i++) this.#send((this.kernel + 1) % count, 0);
    else if (choice < 8)
      this.#events.add(this.#clock + (this.#draw() % WORK_MAX), EventClass.Local, 2, () => this.#send(this.#draw() % count, hops));
    else this.#send(this.#draw() % count, hops);
    if (choice === 9) this.#platform.output(this.#clock, 0, Uint8Array.of(48 + this.kernel));
  }

  #send(to: KernelId, hops: number): void {
    if (to === this.kernel) return;
    const waiting = this.#waiting[to] as number[];
    if (waiting.length > 0 || !this.#write(to, hops)) {
      waiting.push(hops);
      if (waiting.length === 1) this.#retry(to);
    }
  }

  #retry(to: KernelId): void {
    this.#events.add(this.#clock + RETRY, EventClass.Local, 3, () => {
      const waiting = this.#waiting[to] as number[];
      while (waiting.length > 0 && this.#write(to, waiting[0] as number)) waiting.shift();
      if (waiting.length > 0) this.#retry(to);
    });
  }

  #write(to: KernelId, hops: number): boolean {
    const window = this.#windows[to] as Window;
    const sequence = this.#sent[to] as number;
    if (!window.isFree(this.kernel, sequence, this.#visible)) return false;
    this.#sent[to] = sequence + 1;
    this.#clock += 100;
    const at = window.slot(this.kernel, sequence);
    window.view.setUint32(at, this.#draw(), true);
    window.view.setUint32(at + 4, hops, true);
    const arrival = this.#clock + (this.#latency[to] as number);
    window.publish(this.kernel, sequence, arrival);
    this.#bound = Math.min(this.#bound, this.#platform.sent(to, arrival));
    return true;
  }

  #note(a: number, b: number): void {
    this.#platform.trace(this.#clock, TraceKind.MessageReceive, this.kernel, a >>> 0, b, this.#random, 0);
  }
  #draw(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x >>> 0;
    return this.#random;
  }
}

export const makeChatter: ReplicaFactory = (_kernel, firmware, platform) => new Chatter(firmware as BootParameters, platform);

/** A host in a thread of its own. */
export const chatterThread = (): HostPort => nodeHostOf(import.meta.url, { chatter: true });

if (!isMainThread && parentPort !== null && (workerData as { chatter?: boolean } | null)?.chatter === true) {
  const port = parentPort;
  serveNode(port, environment => serveHost(environment, makeChatter));
}
