/** eventfd: a 64-bit counter that can be waited for. */
import { E, Errno } from '../abi/errno.ts';
import { O } from '../abi/fcntl.ts';
import { POLL } from '../abi/poll.ts';
import { sleep, WaitQueue, type Blocking, type KernelId, type Maybe } from '../types.ts';
import { BaseFile, plainAttributes, type FileKind, type IoContext } from './file.ts';
import type { Attributes } from './inode.ts';

const COUNT_MAX = 0xfffffffffffffffen;
export const ANONYMOUS_DEVICE = 11;

export class EventFile extends BaseFile {
  readonly kind: FileKind = 'anonymous';
  readonly #queues: readonly WaitQueue[] = [new WaitQueue()];
  #count: bigint;

  constructor(
    readonly owner: KernelId,
    initial: number,
    readonly semaphore: boolean,
    flags: number,
  ) {
    super(O.RDWR | flags);
    this.#count = BigInt(initial >>> 0);
  }

  override get label(): string {
    return 'anon_inode:[eventfd]';
  }
  override get queues(): readonly WaitQueue[] {
    return this.#queues;
  }

  override read(target: Uint8Array, _io: IoContext): Maybe<number> {
    if (target.length < 8) throw new Errno(E.INVAL);
    if (this.#count > 0n) return this.#take(target);
    if (this.nonblocking) throw new Errno(E.AGAIN);
    return this.#readLater(target);
  }

  *#readLater(target: Uint8Array): Blocking<number> {
    while (this.#count === 0n) {
      if ((yield* sleep(this.#queues)) === 'interrupted' && this.#count === 0n) throw new Errno(E.RESTARTSYS);
    }
    return this.#take(target);
  }

  #take(target: Uint8Array): number {
    const value = this.semaphore ? 1n : this.#count;
    this.#count -= value;
    new DataView(target.buffer, target.byteOffset, 8).setBigUint64(0, value, true);
    this.#queues[0]?.wakeAll();
    return 8;
  }

  override write(source: Uint8Array, _io: IoContext): Maybe<number> {
    if (source.length < 8) throw new Errno(E.INVAL);
    const value = new DataView(source.buffer, source.byteOffset, 8).getBigUint64(0, true);
    if (value > COUNT_MAX) throw new Errno(E.INVAL);
    if (this.#count + value <= COUNT_MAX) return this.#add(value);
    if (this.nonblocking) throw new Errno(E.AGAIN);
    return this.#writeLater(value);
  }

  *#writeLater(value: bigint): Blocking<number> {
    while (this.#count + value > COUNT_MAX) {
      if ((yield* sleep(this.#queues)) === 'interrupted') throw new Errno(E.RESTARTSYS);
    }
    return this.#add(value);
  }

  #add(value: bigint): number {
    this.#count += value;
    this.#queues[0]?.wakeAll();
    return 8;
  }

  override poll(): number {
    return (this.#count > 0n ? POLL.IN | POLL.RDNORM : 0) | (this.#count < COUNT_MAX ? POLL.OUT | POLL.WRNORM : 0);
  }

  attributes(): Attributes {
    return plainAttributes(ANONYMOUS_DEVICE, 1, 0o600);
  }
}
