/** What a program has written and the peer has not acknowledged: a ring that grows as it is needed. */

const FIRST_CAPACITY = 512;

export class SendBuffer {
  #ring = new Uint8Array(0);
  #start = 0;
  length = 0;

  /** Appends all of `bytes`. */
  append(bytes: Uint8Array): void {
    this.#reserve(this.length + bytes.length);
    const capacity = this.#ring.length;
    const end = (this.#start + this.length) & (capacity - 1);
    const first = Math.min(bytes.length, capacity - end);
    this.#ring.set(first === bytes.length ? bytes : bytes.subarray(0, first), end);
    if (first < bytes.length) this.#ring.set(bytes.subarray(first), 0);
    this.length += bytes.length;
  }

  /** Copies bytes from `offset` on into `target`, which must not ask for more than there are. */
  copy(offset: number, target: Uint8Array): void {
    const capacity = this.#ring.length;
    const from = (this.#start + offset) & (capacity - 1);
    const first = Math.min(target.length, capacity - from);
    target.set(this.#ring.subarray(from, from + first));
    if (first < target.length) target.set(this.#ring.subarray(0, target.length - first), first);
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.length -= count;
    this.#start = this.length === 0 ? 0 : (this.#start + count) & (this.#ring.length - 1);
  }

  clear(): void {
    this.#ring = new Uint8Array(0);
    this.#start = 0;
    this.length = 0;
  }

  /** The capacity stays a power of two. */
  #reserve(bytes: number): void {
    if (bytes <= this.#ring.length) return;
    let capacity = this.#ring.length || FIRST_CAPACITY;
    while (capacity < bytes) capacity *= 2;
    const ring = new Uint8Array(capacity);
    this.copy(0, ring.subarray(0, this.length));
    this.#ring = ring;
    this.#start = 0;
  }
}
