/** What waits in a TAP device until a program reads it, and what a program does with such a device. */
import { WaitQueue } from '../../types.ts';
import type { Packet } from '../../../machine/devices/packet-ring.ts';
import { TAP_QUEUE } from './settings.ts';

export interface Tap {
  /** Frames that the stack has sent. */
  readonly queue: TapQueue;
  /** Nothing more will come: a program that has read what there is reads the end. */
  readonly isOver?: boolean;
  /** A frame that the program has written comes in at the device. */
  receive(frame: Uint8Array): void;
  /** The program has been given one of those that waited. */
  given?(packet: Packet): void;
}

export class TapQueue {
  readonly changed = new WaitQueue();
  readonly #packets: Packet[] = [];

  get length(): number {
    return this.#packets.length;
  }

  /** False: it is full. */
  put(packet: Packet): boolean {
    if (this.#packets.length >= TAP_QUEUE) return false;
    this.#packets.push(packet);
    this.changed.wakeAll();
    return true;
  }
  take(): Packet | undefined {
    return this.#packets.shift();
  }
}
