/**
 * Pipes and FIFOs: 64 KiB between writers and readers. At most PIPE_BUF bytes are written all at once or not at all.
 *
 * A write without readers fails with EPIPE; the system call raises SIGPIPE, as it knows the caller.
 */
import { E, Errno } from '../abi/errno.ts';
import { O } from '../abi/fcntl.ts';
import { IOCTL } from '../abi/ioctl.ts';
import { POLL } from '../abi/poll.ts';
import { S } from '../abi/stat.ts';
import { sleep, WaitQueue, type Blocking, type KernelId, type Maybe } from '../types.ts';
import { setU32 } from './bytes.ts';
import { BaseFile, plainAttributes, type FileKind, type IoContext, type OpenFile } from './file.ts';
import type { AttributeChange, Attributes, Inode } from './inode.ts';
import { transferCost } from './costs.ts';
import type { FsServices } from './services.ts';

export const PIPE_BYTES = 65536;
export const PIPE_BUF = 4096;
export const PIPE_DEVICE = 10;

export class Pipe {
  readonly changed = new WaitQueue();
  readonly queues: readonly WaitQueue[] = [this.changed];
  readers = 0;
  writers = 0;
  /** How often an end was opened, so that the opener of the other end notices one that is gone again. */
  readersEver = 0;
  writersEver = 0;
  #ring: Uint8Array | null = null;
  #start = 0;
  length = 0;

  /** Moves what is there into `target`; returns how much. */
  take(target: Uint8Array): number {
    const count = Math.min(target.length, this.length);
    if (count === 0 || !this.#ring) return 0;
    const first = Math.min(count, PIPE_BYTES - this.#start);
    target.set(this.#ring.subarray(this.#start, this.#start + first));
    target.set(this.#ring.subarray(0, count - first), first);
    this.#start = (this.#start + count) % PIPE_BYTES;
    this.length -= count;
    this.changed.wakeAll();
    return count;
  }

  /** Moves as much of `source` as fits; returns how much. */
  put(source: Uint8Array): number {
    const count = Math.min(source.length, PIPE_BYTES - this.length);
    if (count === 0) return 0;
    this.#ring ??= new Uint8Array(PIPE_BYTES);
    const end = (this.#start + this.length) % PIPE_BYTES;
    const first = Math.min(count, PIPE_BYTES - end);
    this.#ring.set(source.subarray(0, first), end);
    this.#ring.set(source.subarray(first, count), 0);
    this.length += count;
    this.changed.wakeAll();
    return count;
  }

  get room(): number {
    return PIPE_BYTES - this.length;
  }
}

/** One end of a pipe, or (a FIFO opened O_RDWR) both. */
export class PipeEnd extends BaseFile {
  readonly kind: FileKind = 'pipe';
  readonly #reads: boolean;
  readonly #writes: boolean;

  constructor(
    readonly services: FsServices,
    readonly pipe: Pipe,
    flags: number,
    readonly ino: number,
    readonly fifo: Inode | null = null,
  ) {
    super(flags);
    const access = flags & O.ACCMODE;
    this.#reads = access !== O.WRONLY;
    this.#writes = access !== O.RDONLY;
    if (this.#reads) {
      pipe.readers++;
      pipe.readersEver++;
    }
    if (this.#writes) {
      pipe.writers++;
      pipe.writersEver++;
    }
    pipe.changed.wakeAll();
  }

  get owner(): KernelId {
    return this.services.kernel;
  }
  override get inode(): Inode | null {
    return this.fifo;
  }
  override get label(): string {
    return `pipe:[${this.ino}]`;
  }
  override get queues(): readonly WaitQueue[] {
    return this.pipe.queues;
  }

  protected override closed(): void {
    if (this.#reads) this.pipe.readers--;
    if (this.#writes) this.pipe.writers--;
    if (this.pipe.readers + this.pipe.writers === 0) this.pipe.length = 0;
    this.pipe.changed.wakeAll();
  }

  override read(target: Uint8Array, _io: IoContext): Maybe<number> {
    if (!this.#reads) throw new Errno(E.BADF);
    if (target.length === 0) return 0;
    const { pipe } = this;
    if (pipe.length > 0) return this.#taken(target);
    if (pipe.writers === 0) return 0;
    if (this.nonblocking) throw new Errno(E.AGAIN);
    return this.#readLater(target);
  }

  *#readLater(target: Uint8Array): Blocking<number> {
    const { pipe } = this;
    while (pipe.length === 0) {
      if (pipe.writers === 0) return 0;
      if ((yield* sleep(pipe.queues)) === 'interrupted' && pipe.length === 0) throw new Errno(E.RESTARTSYS);
    }
    return this.#taken(target);
  }

  #taken(target: Uint8Array): number {
    const count = this.pipe.take(target);
    this.services.charge(transferCost(count));
    return count;
  }

  override write(source: Uint8Array, _io: IoContext): Maybe<number> {
    if (!this.#writes) throw new Errno(E.BADF);
    const { pipe } = this;
    if (source.length === 0) return 0;
    if (pipe.readers === 0) throw new Errno(E.PIPE);
    this.services.charge(transferCost(source.length));
    if (source.length <= pipe.room) return pipe.put(source);
    if (!this.nonblocking) return this.#writeLater(source);
    const count = source.length <= PIPE_BUF ? 0 : pipe.put(source);
    if (count === 0) throw new Errno(E.AGAIN);
    return count;
  }

  *#writeLater(source: Uint8Array): Blocking<number> {
    const { pipe } = this;
    const atomic = source.length <= PIPE_BUF;
    let done = 0;
    for (;;) {
      if (pipe.readers === 0) {
        if (done > 0) return done;
        throw new Errno(E.PIPE);
      }
      if (!atomic || source.length <= pipe.room) done += pipe.put(source.subarray(done));
      if (done === source.length) return done;
      if ((yield* sleep(pipe.queues)) === 'interrupted') {
        if (done > 0) return done;
        throw new Errno(E.RESTARTSYS);
      }
    }
  }

  override poll(): Maybe<number> {
    const { pipe } = this;
    let mask = 0;
    if (this.#reads) {
      if (pipe.length > 0) mask |= POLL.IN | POLL.RDNORM;
      if (pipe.writers === 0 && pipe.writersEver > 0) mask |= POLL.HUP;
    }
    if (this.#writes) {
      if (pipe.room >= PIPE_BUF) mask |= POLL.OUT | POLL.WRNORM;
      if (pipe.readers === 0) mask |= POLL.ERR;
    }
    return mask;
  }

  override ioctl(command: number, _argument: number, data: Uint8Array, _io: IoContext): Maybe<number> {
    if (command !== IOCTL.FIONREAD) throw new Errno(E.NOTTY);
    setU32(data, this.pipe.length);
    return 0;
  }

  attributes(): Maybe<Attributes> {
    return this.fifo?.attributes() ?? plainAttributes(PIPE_DEVICE, this.ino, S.IFIFO | 0o600);
  }

  override setAttributes(change: AttributeChange): Maybe<void> {
    if (this.fifo) return this.fifo.setAttributes(change);
  }
}

/** A new pipe's two ends: the one to read from, the one to write to. */
export function makePipe(services: FsServices, ino: number, flags: number): [OpenFile, OpenFile] {
  const pipe = new Pipe();
  return [new PipeEnd(services, pipe, O.RDONLY | flags, ino), new PipeEnd(services, pipe, O.WRONLY | flags, ino)];
}

/** Opens a FIFO: waits for the other end, unless told not to. */
export function openFifo(services: FsServices, pipe: Pipe, flags: number, inode: Inode): Maybe<OpenFile> {
  const access = flags & O.ACCMODE;
  const nonblocking = (flags & O.NONBLOCK) !== 0;
  if (access === O.WRONLY && nonblocking && pipe.readers === 0) throw new Errno(E.NXIO);
  const end = new PipeEnd(services, pipe, flags, inode.ino, inode);
  const waits = !nonblocking && ((access === O.RDONLY && pipe.writers === 0) || (access === O.WRONLY && pipe.readers === 0));
  return waits ? awaitOtherEnd(pipe, end, access) : end;
}

function* awaitOtherEnd(pipe: Pipe, end: PipeEnd, access: number): Blocking<OpenFile> {
  const others = (): number => (access === O.RDONLY ? pipe.writersEver : pipe.readersEver);
  const before = others();
  while (others() === before) {
    if ((yield* sleep(pipe.queues)) === 'interrupted' && others() === before) {
      end.release();
      throw new Errno(E.RESTARTSYS);
    }
  }
  return end;
}
