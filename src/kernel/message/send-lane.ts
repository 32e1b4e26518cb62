/**
 * The sending end of a lane: slots in one receiver's window, what waits for a free one, and what nothing has been heard of yet.
 *
 * Always holds: what stands in the lane, in order of sequence, is what `put` was given, urgent ones before others; a message that its receiver
 * has not taken after RESEND_CYCLES (a beat: when the next one is due) is written again, until it has or the receiver is gone.
 */
import type { NodePosition } from '../../machine/interconnect.ts';
import type { Kernel } from '../kernel.ts';
import { FaultKind, TraceKind } from '../trace.ts';
import type { Cycles, KernelId } from '../types.ts';
import { M } from './catalog.ts';
import type { Transport } from './settings.ts';
import { FLAG, type Header, MESSAGE_BYTES, writeSlot } from './wire.ts';
import type { Window } from './window.ts';

export interface Fragment {
  readonly header: Header;
  readonly payload: Uint8Array;
  /** Called once its receiver has taken it, as far as this kernel can know, or is gone. */
  readonly taken?: () => void;
  /** The line has been written for another member of its group already: only the interrupt is left to raise. */
  readonly repeated?: boolean;
}

/** Cycles after which a lane that was full is looked at again. */
const RETRY_CYCLES = 2000;
/** One millisecond at 2.2 GHz: far longer than any receiver takes that is well. */
const RESEND_CYCLES = 2_200_000;

export class SendLane {
  /** Of messages to this receiver to be lost, or damaged: how many more. */
  readonly faults = { lose: 0, corrupt: 0 };
  readonly #kernel: Kernel;
  readonly #to: KernelId;
  readonly #window: Window;
  readonly #home: NodePosition | null;
  readonly #transport: Transport;
  readonly #urgent: Fragment[] = [];
  readonly #waiting: Fragment[] = [];
  /** Written and not known to be taken, from sequence #taken on. */
  readonly #written: Fragment[] = [];
  #taken = 0;
  #next = 0;
  #lastArrival: Cycles = 0;
  #retrying = false;
  #watching = false;
  #closed = false;
  /** Times that a message found no free slot. */
  stalls = 0;
  resent = 0;

  constructor(kernel: Kernel, to: KernelId, window: Window, transport: Transport) {
    this.#kernel = kernel;
    this.#to = to;
    this.#window = window;
    this.#home = kernel.nodeOf(window.base);
    this.#transport = transport;
  }

  /** Messages that wait for a slot. */
  get backlog(): number {
    return this.#urgent.length + this.#waiting.length;
  }

  put(fragment: Fragment): void {
    const isUrgent = (fragment.header.flags & FLAG.Urgent) !== 0;
    const before = isUrgent ? this.#urgent.length : this.backlog;
    if (before === 0 && this.#write(fragment)) return;
    this.stalls++;
    (isUrgent ? this.#urgent : this.#waiting).push(fragment);
    this.#retryLater();
  }

  /** Nothing more goes there. */
  close(): void {
    this.#closed = true;
    for (const list of [this.#written, this.#urgent, this.#waiting]) for (const { taken } of list.splice(0)) taken?.();
  }

  #retryLater(): void {
    if (this.#retrying) return;
    this.#retrying = true;
    const kernel = this.#kernel;
    kernel.at(kernel.now + RETRY_CYCLES, () => {
      this.#retrying = false;
      for (const list of [this.#urgent, this.#waiting]) while (list[0] !== undefined && this.#write(list[0])) list.shift();
      if (this.backlog > 0) this.#retryLater();
    });
  }

  #write({ header, payload, taken, repeated }: Fragment): boolean {
    const kernel = this.#kernel;
    const sequence = this.#next;
    this.#noteTaken();
    if (sequence - this.#taken >= this.#transport.slots || !this.#window.isFree(kernel.id, sequence, kernel.visible)) return false;
    this.#next = sequence + 1;
    const fragment = { header: { ...header, sequence }, payload, ...(taken === undefined ? {} : { taken }) };
    this.#written.push(fragment);
    kernel.charge(kernel.cost(repeated === true ? this.#transport.sendMember : this.#transport.send));
    const at = this.#fill(fragment);
    kernel.trace(TraceKind.MessageSend, (this.#to << 16) | header.type, sequence, header.length | (header.fragment << 16), header.cause);
    const words = kernel.memory.u32;
    for (let i = 0; i < MESSAGE_BYTES / 4; i += 4) {
      const word = (at >>> 2) + i;
      kernel.trace(
        TraceKind.MessageBytes,
        words[word] as number,
        words[word + 1] as number,
        words[word + 2] as number,
        words[word + 3] as number,
      );
    }
    this.#corrupt(sequence, at);
    this.#publish(sequence);
    // A beat is not waited for: should it be lost, the next one finds that it has not been taken.
    if (header.type !== M.HEARTBEAT.type || this.#written.length > 1) this.#watchLater();
    return true;
  }

  #fill({ header, payload }: Fragment): number {
    const at = this.#window.slot(this.#kernel.id, header.sequence);
    writeSlot(this.#kernel.memory, at, header, payload);
    return at;
  }

  /** Damages what was written for the first time: what is written again its receiver may have taken for good already. */
  #corrupt(sequence: number, at: number): void {
    if (this.faults.corrupt === 0) return;
    const kernel = this.#kernel;
    this.faults.corrupt--;
    const byte = at + (kernel.random() % MESSAGE_BYTES);
    kernel.memory.u8[byte] = (kernel.memory.u8[byte] as number) ^ (1 << (kernel.random() % 8));
    kernel.trace(TraceKind.Fault, FaultKind.MessageCorrupted, this.#to, sequence, byte - at);
  }

  #publish(sequence: number): void {
    const kernel = this.#kernel;
    // Cores of one kernel are apart by less than a cell: what is sent later does not arrive earlier.
    const arrival = Math.max(kernel.now + kernel.latencyTo(this.#to, this.#home), this.#lastArrival);
    this.#lastArrival = arrival;
    if (this.faults.lose > 0) {
      this.faults.lose--;
      kernel.trace(TraceKind.Fault, FaultKind.MessageLost, this.#to, sequence, 0);
      return;
    }
    this.#window.publish(kernel.id, sequence, arrival);
    kernel.lowerBound(kernel.platform.sent(this.#to, arrival));
  }

  #noteTaken(): void {
    while (this.#taken < this.#next && this.#window.isFreed(this.#kernel.id, this.#taken, this.#kernel.visible)) {
      this.#taken++;
      this.#written.shift()?.taken?.();
    }
  }

  #watchLater(): void {
    if (this.#watching) return;
    this.#watching = true;
    const kernel = this.#kernel;
    const first = this.#taken;
    kernel.at(kernel.now + RESEND_CYCLES, () => {
      this.#watching = false;
      if (this.#closed) return;
      this.#noteTaken();
      const [oldest] = this.#written;
      if (oldest === undefined) return;
      // It has been the oldest all the time; what follows it may be well.
      if (this.#taken === first) {
        kernel.charge(kernel.cost(this.#transport.send));
        kernel.trace(TraceKind.MessageResend, (this.#to << 16) | oldest.header.type, oldest.header.sequence, 0, 0);
        this.resent++;
        this.#fill(oldest);
        this.#publish(oldest.header.sequence);
      }
      this.#watchLater();
    });
  }
}
