/**
 * A port of the virtual switch: a pair of rings with another kernel, and what waits for room in the one that leads there.
 *
 * Always holds: frames leave in the order in which they were put out; what waits is at most what the queue of a TAP device holds.
 */
import type { Kernel } from '../../kernel.ts';
import type { KernelId } from '../../types.ts';
import type { RingReceiver, RingSender } from './ends.ts';
import type { Packet } from '../../../machine/devices/packet-ring.ts';
import { TAP_QUEUE, VERSIONS, type VersionTraits } from './settings.ts';

/** Cycles after which a ring that was full is looked at again (tunnel.c spins for 4096 turns, then yields). */
const RETRY_CYCLES = 4096;

export class Port {
  readonly kernel: KernelId;
  readonly sender: RingSender;
  readonly receiver: RingReceiver;
  /** Frames that found no room. */
  dropped = 0;
  readonly #own: Kernel;
  readonly #queue: Packet[] = [];
  #retrying = false;
  #closed = false;

  constructor(own: Kernel, kernel: KernelId, sender: RingSender, receiver: RingReceiver) {
    this.#own = own;
    this.kernel = kernel;
    this.sender = sender;
    this.receiver = receiver;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Puts a packet out, now or when there is room; false: it is dropped. */
  put(packet: Packet, traits: VersionTraits): boolean {
    if (this.#queue.length === 0 && this.sender.send(packet, traits.underWay)) return true;
    if ((!traits.tap && this.#queue.length === 0) || this.#queue.length >= TAP_QUEUE) {
      this.dropped++;
      return false;
    }
    this.#queue.push(packet);
    this.#retryLater();
    return true;
  }

  close(): void {
    this.#closed = true;
    this.receiver.close();
  }

  #retryLater(): void {
    if (this.#retrying) return;
    this.#retrying = true;
    const kernel = this.#own;
    kernel.at(kernel.now + RETRY_CYCLES, () => {
      this.#retrying = false;
      if (this.#closed) return;
      const { underWay } = VERSIONS[kernel.vnet.settings.version];
      while (this.#queue[0] !== undefined && this.sender.send(this.#queue[0], underWay)) this.#queue.shift();
      if (this.#queue.length > 0) this.#retryLater();
    });
  }
}
