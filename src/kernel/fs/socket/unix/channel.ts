/**
 * A connection: two ends, a flow in each direction, all on one kernel. A socket of another kernel has its end by message (`Conduit`).
 *
 * Always holds: a flow that has ended takes nothing more; what was in it can still be read. An end that is released ends both flows,
 * and what it had not read is an error at the other end.
 */
import { E, Errno } from '../../../abi/errno.ts';
import { IOCTL } from '../../../abi/ioctl.ts';
import { POLL } from '../../../abi/poll.ts';
import { MSG, SHUT, SO, SOCK } from '../../../abi/socket.ts';
import { type Blocking, type Maybe, settle, sleep, WaitQueue, type WakeReason } from '../../../types.ts';
import { joined, setU32 } from '../../bytes.ts';
import { transferCost } from '../../costs.ts';
import type { IoContext } from '../../file.ts';
import { eager } from '../../maybe.ts';
import type { FsServices } from '../../services.ts';
import { Flow, releaseAll, type Taken } from '../flow.ts';
import { credentialBytes, SocketOptions, u32Bytes } from '../options.ts';
import type { Manner, Message, Received, Socket, SocketCredentials } from '../socket.ts';

/** What a socket needs of its end of a connection, be that here or a socket of another kernel. */
export type Conduit = Pick<
  Socket,
  'queues' | 'send' | 'receive' | 'poll' | 'shutdown' | 'release' | 'peerName' | 'option' | 'setOption' | 'ioctl'
>;

/** Not Linux's: bytes of different senders are not to be mixed, and the sender is to be told. */
export const MSG_SENDER = 0x10_0000;

/** Longest packet that a stream's bytes travel in. */
const STREAM_PACKET = 32_768;
/** What a message may be shorter than its flow. */
const MESSAGE_MARGIN = 32;

interface Party {
  readonly name: string;
  readonly credentials: SocketCredentials;
}

export class ChannelEnd implements Conduit {
  readonly changed = new WaitQueue();
  readonly queues: readonly WaitQueue[] = [this.changed];
  other!: ChannelEnd;
  readonly #options = new SocketOptions();
  #error = 0;

  constructor(
    readonly services: FsServices,
    readonly type: number,
    readonly into: Flow,
    readonly from: Flow,
    readonly peer: Party,
    readonly self: Party,
  ) {}

  get #streams(): boolean {
    return this.type === SOCK.STREAM;
  }

  // ── Sending ──

  send(message: Message, manner: Manner, _io: IoContext): Maybe<number> {
    const { bytes } = message;
    if (!this.#streams) {
      if (bytes.length > this.into.limit - MESSAGE_MARGIN) throw new Errno(E.MSGSIZE);
      this.#throwError();
    }
    if (this.into.ended) throw new Errno(E.PIPE);
    this.services.charge(transferCost(bytes.length));
    return eager(this.#send(message, manner));
  }

  *#send({ bytes, files, credentials }: Message, { flags, deadline }: Manner): Blocking<number> {
    const { into, self } = this;
    if (this.#streams && bytes.length === 0) {
      // There is no packet to carry anything along.
      yield* settle(releaseAll(files));
      return 0;
    }
    const step = this.#streams ? STREAM_PACKET : bytes.length;
    let done = 0;
    do {
      const errno = yield* this.#awaitRoom(flags, deadline);
      if (errno !== 0) {
        if (done > 0) return done;
        throw new Errno(errno);
      }
      // The bytes are the flow's now: the caller's buffer may be used again.
      const part = bytes.slice(done, done + step);
      into.put({ bytes: part, files: done === 0 ? files : [], credentials, from: self.name });
      this.other.changed.wakeAll();
      done += part.length;
    } while (done < bytes.length);
    return done;
  }

  /** 0 when there is room, else why there will not be. */
  *#awaitRoom(flags: number, deadline: number): Blocking<number> {
    const { into } = this;
    while (!into.ended && !into.hasRoom) {
      if (flags & MSG.DONTWAIT) return E.AGAIN;
      const reason = yield* sleep(this.queues, { deadline });
      if (reason !== 'woken' && !into.hasRoom) return reason === 'timeout' ? E.AGAIN : E.RESTARTSYS;
    }
    return into.ended ? E.PIPE : 0;
  }

  // ── Receiving ──

  receive(count: number, manner: Manner, _io: IoContext): Maybe<Received> {
    return eager(this.#receive(count, manner));
  }

  *#receive(count: number, { flags, deadline }: Manner): Blocking<Received> {
    const all = this.#streams && (flags & MSG.WAITALL) !== 0 && (flags & (MSG.PEEK | MSG.DONTWAIT)) === 0;
    let got: Taken | null = null;
    for (;;) {
      const wanted: number = count - (got?.length ?? 0);
      const least = all ? wanted : 1;
      let reason: WakeReason = 'woken';
      while (reason === 'woken' && !this.#isReady(least)) {
        if (flags & MSG.DONTWAIT) throw new Errno(E.AGAIN);
        reason = yield* sleep(this.queues, { deadline });
      }
      // Nothing was taken yet: the call can be made again.
      if (reason === 'interrupted' && got === null && !this.#isReady(least)) throw new Errno(E.RESTARTSYS);
      const taken = this.#take(wanted, flags);
      if (taken === null) {
        if (got !== null) return got;
        this.#throwError();
        if (this.from.ended) return NOTHING;
        throw new Errno(E.AGAIN);
      }
      got = got === null ? taken : { ...taken, bytes: joined([got.bytes, taken.bytes]), length: got.length + taken.length };
      if (!all || got.length >= count || got.files.length > 0 || reason !== 'woken') return got;
    }
  }

  /** Whether a receiver of `wanted` bytes need not wait: they are there, or will never be, or no more of them fit. */
  #isReady(wanted: number): boolean {
    const { from } = this;
    if (from.ended || this.#error !== 0) return true;
    return from.count > 0 && (wanted <= 1 || from.waiting(false) >= wanted || !from.hasRoom);
  }

  #take(count: number, flags: number): Taken | null {
    const { from } = this;
    const peek = (flags & MSG.PEEK) !== 0;
    const full = !from.isWritable;
    const taken = this.#streams ? from.takeBytes(count, peek, (flags & MSG_SENDER) !== 0) : from.takePacket(count, peek);
    if (taken === null) return null;
    this.services.charge(transferCost(taken.bytes.length));
    if (full && !peek) this.other.changed.wakeAll();
    return taken;
  }

  // ── State ──

  poll(): number {
    const { into, from } = this;
    let mask = 0;
    if (this.#error !== 0) mask |= POLL.ERR;
    if (from.ended) mask |= POLL.RDHUP | POLL.IN | POLL.RDNORM;
    if (from.ended && into.ended) mask |= POLL.HUP;
    if (from.count > 0) mask |= POLL.IN | POLL.RDNORM;
    if (into.isWritable) mask |= POLL.OUT | POLL.WRNORM | POLL.WRBAND;
    return mask;
  }

  shutdown(how: number): void {
    if (how !== SHUT.RD) this.into.ended = true;
    if (how !== SHUT.WR) this.from.ended = true;
    this.changed.wakeAll();
    this.other.changed.wakeAll();
  }

  release(): Maybe<void> {
    const { lost, released } = this.from.clear();
    if (lost) this.fail();
    this.shutdown(SHUT.RDWR);
    return released;
  }

  /** The other end hears that what it sent was thrown away. */
  fail(): void {
    this.other.#error = E.CONNRESET;
  }

  #takeError(): number {
    const error = this.#error;
    this.#error = 0;
    return error;
  }
  #throwError(): void {
    const error = this.#takeError();
    if (error !== 0) throw new Errno(error);
  }

  peerName(): string {
    return this.peer.name;
  }
  option(_level: number, name: number): Uint8Array {
    return name === SO.PEERCRED ? credentialBytes(this.peer.credentials) : u32Bytes(this.#takeError());
  }
  /** Only the room for what is sent matters here. */
  setOption(level: number, name: number, value: Uint8Array): void {
    this.#options.set(level, name, value);
    this.into.limit = this.#options.number(SO.SNDBUF);
  }
  ioctl(command: number, _argument: number, data: Uint8Array): number {
    if (command === IOCTL.FIONREAD) setU32(data, this.from.waiting(!this.#streams));
    else if (command === IOCTL.TIOCOUTQ) setU32(data, this.into.used);
    else throw new Errno(E.NOTTY);
    return 0;
  }
}

const NOTHING: Received = { bytes: new Uint8Array(0), length: 0, from: '', files: [], credentials: null };

/** Two ends that are connected; each has the other as its peer. */
export function channel(services: FsServices, type: number, limit: number, a: Party, b: Party): readonly [ChannelEnd, ChannelEnd] {
  const [there, back] = [new Flow(limit), new Flow(limit)];
  const first = new ChannelEnd(services, type, there, back, b, a);
  const second = new ChannelEnd(services, type, back, there, a, b);
  first.other = second;
  second.other = first;
  return [first, second];
}
