/**
 * What all sockets of the stack have in common. None of their operations waits: what cannot be done now returns -EAGAIN, and `onChange`
 * tells when it may be worth another try. Results are counts, or a negative errno as in Linux.
 */
import type { Ipv4Address } from './platform.ts';

/** Bits of readiness, with poll's values. */
export const READY = { IN: 1, OUT: 4, ERR: 8, HUP: 16, RDHUP: 0x2000 } as const;

export interface SocketAddress {
  readonly address: Ipv4Address;
  readonly port: number;
}

export abstract class NetSocket {
  /** Called, outside of any call on the socket, when its readiness may have changed. */
  onChange: () => void = () => {};
  /** The error to be reported next (an errno; 0: none). */
  error = 0;

  /** SO_ERROR: the pending error, which is thereby reported. */
  takeError(): number {
    const { error } = this;
    this.error = 0;
    return error;
  }

  /** Which of READY's bits hold now. */
  abstract readiness(): number;
  abstract close(): void;
}

/** What a message in a queue costs beside its bytes (Linux: the overhead of an sk_buff). */
const MESSAGE_OVERHEAD = 256;

/** Messages that wait to be read; bounded by the bytes of SO_RCVBUF. */
export class MessageQueue<M extends { readonly bytes: Uint8Array }> {
  limit: number;
  #messages: M[] = [];
  #head = 0;
  #held = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get length(): number {
    return this.#messages.length - this.#head;
  }

  /** What it counts as holding: the bytes of its messages and their overhead. */
  get held(): number {
    return this.#held;
  }

  /** False: full, the message is lost. */
  push(message: M): boolean {
    const cost = message.bytes.length + MESSAGE_OVERHEAD;
    if (this.#held + cost > this.limit) return false;
    this.#held += cost;
    this.#messages.push(message);
    return true;
  }

  peek(): M | null {
    return this.#messages[this.#head] ?? null;
  }

  shift(): M | null {
    const message = this.peek();
    if (!message) return null;
    this.#held -= message.bytes.length + MESSAGE_OVERHEAD;
    this.#head++;
    if (this.#head === this.#messages.length) {
      this.#messages = [];
      this.#head = 0;
    } else if (this.#head >= 64 && this.#head * 2 >= this.#messages.length) {
      this.#messages.splice(0, this.#head);
      this.#head = 0;
    }
    return message;
  }
}

/** net.core.rmem_default and wmem_default. */
export const DATAGRAM_BUFFER = 212_992;
