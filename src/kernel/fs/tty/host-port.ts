/**
 * Wires to the outside for `exec`: standard input is fed by inputs of the replica, standard output and error go to ports.
 *
 * They look like pipes, not like terminals, so that programs behave as in a shell script.
 */
import { E, Errno } from '../../abi/errno.ts';
import { IOCTL } from '../../abi/ioctl.ts';
import { O } from '../../abi/fcntl.ts';
import { POLL } from '../../abi/poll.ts';
import { S } from '../../abi/stat.ts';
import { sleep, WaitQueue, type Blocking, type KernelId, type Maybe } from '../../types.ts';
import { setU32 } from '../bytes.ts';
import { transferCost } from '../costs.ts';
import { BaseFile, plainAttributes, type FileKind, type IoContext } from '../file.ts';
import type { Attributes } from '../inode.ts';
import { PIPE_DEVICE } from '../pipe.ts';
import type { FsServices } from '../services.ts';

/** Standard input: bytes arrive by `feed`, an empty array is the end. */
export class HostInput extends BaseFile {
  readonly kind: FileKind = 'pipe';
  readonly #changed = new WaitQueue();
  readonly #queues: readonly WaitQueue[] = [this.#changed];
  readonly #chunks: Uint8Array[] = [];
  #ended = false;

  constructor(
    readonly services: FsServices,
    readonly ino: number,
  ) {
    super(O.RDONLY);
  }

  get owner(): KernelId {
    return this.services.kernel;
  }
  override get label(): string {
    return `pipe:[${this.ino}]`;
  }
  override get queues(): readonly WaitQueue[] {
    return this.#queues;
  }

  feed(bytes: Uint8Array): void {
    if (bytes.length === 0) this.#ended = true;
    else if (!this.#ended) this.#chunks.push(bytes.slice());
    this.#changed.wakeAll();
  }

  get #length(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  override read(target: Uint8Array, _io: IoContext): Maybe<number> {
    if (target.length === 0) return 0;
    if (this.#chunks.length > 0) return this.#take(target);
    if (this.#ended) return 0;
    if (this.nonblocking) throw new Errno(E.AGAIN);
    return this.#readLater(target);
  }

  *#readLater(target: Uint8Array): Blocking<number> {
    while (this.#chunks.length === 0) {
      if (this.#ended) return 0;
      if ((yield* sleep(this.queues)) === 'interrupted' && this.#chunks.length === 0) throw new Errno(E.RESTARTSYS);
    }
    return this.#take(target);
  }

  #take(target: Uint8Array): number {
    let count = 0;
    for (let chunk = this.#chunks[0]; chunk && count < target.length; chunk = this.#chunks[0]) {
      const part = chunk.subarray(0, target.length - count);
      target.set(part, count);
      count += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
    }
    this.services.charge(transferCost(count));
    return count;
  }

  override write(): Maybe<number> {
    throw new Errno(E.BADF);
  }

  override poll(): number {
    return (this.#chunks.length > 0 ? POLL.IN | POLL.RDNORM : 0) | (this.#ended ? POLL.HUP : 0);
  }

  override ioctl(command: number, _argument: number, data: Uint8Array, _io: IoContext): number {
    if (command !== IOCTL.FIONREAD) throw new Errno(E.NOTTY);
    setU32(data, this.#length);
    return 0;
  }

  attributes(): Attributes {
    return plainAttributes(PIPE_DEVICE, this.ino, S.IFIFO | 0o600);
  }
}

/** Standard output or error. */
export class HostOutput extends BaseFile {
  readonly kind: FileKind = 'pipe';

  constructor(
    readonly services: FsServices,
    readonly ino: number,
    readonly send: (bytes: Uint8Array) => void,
  ) {
    super(O.WRONLY);
  }

  get owner(): KernelId {
    return this.services.kernel;
  }
  override get label(): string {
    return `pipe:[${this.ino}]`;
  }
  override read(): Maybe<number> {
    throw new Errno(E.BADF);
  }

  override write(source: Uint8Array, _io: IoContext): number {
    this.services.charge(transferCost(source.length));
    if (source.length > 0) this.send(source.slice());
    return source.length;
  }

  override poll(): number {
    return POLL.OUT | POLL.WRNORM;
  }
  attributes(): Attributes {
    return plainAttributes(PIPE_DEVICE, this.ino, S.IFIFO | 0o600);
  }
}
