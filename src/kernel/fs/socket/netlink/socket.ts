/**
 * AF_NETLINK sockets: what a program sends is a request, answered at once by the kernel that the socket lives on.
 *
 * Always holds: a request is answered by its messages, or by NLMSG_ERROR; a dump ends with NLMSG_DONE.
 */
import { E, Errno } from '../../../abi/errno.ts';
import { POLL } from '../../../abi/poll.ts';
import { AF, MSG, SO, SOL_NETLINK, SOL_SOCKET } from '../../../abi/socket.ts';
import type { Blocking, Maybe } from '../../../types.ts';
import { fromBytes, joined, setU32, toBytes, u32At } from '../../bytes.ts';
import { transferCost } from '../../costs.ts';
import type { IoContext } from '../../file.ts';
import { eager } from '../../maybe.ts';
import type { InetDomain } from '../inet/domain.ts';
import { NetworkSocket } from '../inet/socket.ts';
import type { Manner, Message, Received, SocketName } from '../socket.ts';
import { message, NL_HEADER, NLM_F, NLMSG, type Request, requestsIn, u32s } from './codec.ts';

/** An answer: its type and everything behind the header. */
export interface Answer {
  readonly type: number;
  readonly body: Uint8Array;
}

/** Answers requests of one netlink protocol. Throws Errno. */
export type Responder = (domain: InetDomain, request: Request, io: IoContext) => readonly Answer[];

/** Most bytes of a dump in one datagram: programs offer buffers of 16 KiB and more. */
const DATAGRAM_BYTES = 8192;
/** Bytes that wait to be read before requests are refused. */
const QUEUE_BYTES = 1 << 20;
/** NLMSG_NOOP and the like, below the types of any protocol. */
const FIRST_TYPE = 16;

export class NetlinkSocket extends NetworkSocket {
  readonly #respond: Responder;
  #port = 0;
  #groups = 0;
  #queue: Uint8Array[] = [];
  #queued = 0;

  constructor(domain: InetDomain, type: number, protocol: number, flags: number, uid: number, respond: Responder) {
    super(domain, { family: AF.NETLINK, type, protocol }, flags, uid);
    this.#respond = respond;
  }

  get port(): number {
    return this.#port;
  }
  get groups(): number {
    return this.#groups;
  }

  protected override ended(): void {
    this.#queue = [];
  }

  // ── Names: u16 of nothing, port, groups ──

  override bind(name: SocketName): void {
    const bytes = toBytes(name.data.padEnd(10, '\0'));
    const wanted = u32At(bytes, 2);
    if (this.#port !== 0 && wanted !== 0 && wanted !== this.#port) throw new Errno(E.INVAL);
    this.#autobind(wanted);
    this.#groups = u32At(bytes, 6);
  }
  #autobind(wanted = 0): void {
    if (this.#port === 0) this.#port = wanted || this.socket.ino;
  }
  override connect(_name: SocketName | null, _io: IoContext): void {
    this.#autobind();
  }
  override ownName(): string {
    return nameOf(this.#port, this.#groups);
  }
  override peerName(): string {
    return nameOf(0, 0);
  }
  override shutdown(): void {
    throw new Errno(E.OPNOTSUPP);
  }

  // ── Requests and answers ──

  override send({ bytes }: Message, _manner: Manner, io: IoContext): number {
    this.#autobind();
    if (this.#queued > QUEUE_BYTES) throw new Errno(E.NOBUFS);
    this.services.charge(transferCost(bytes.length));
    for (const request of requestsIn(bytes)) this.#answer(request, io);
    return bytes.length;
  }

  #answer(request: Request, io: IoContext): void {
    const { type, flags, sequence } = request;
    if (type < FIRST_TYPE || (flags & NLM_F.REQUEST) === 0) {
      if (flags & NLM_F.ACK) this.#put(this.#error(request, 0));
      return;
    }
    let answers: readonly Answer[];
    try {
      answers = this.#respond(this.domain, request, io);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      this.#put(this.#error(request, error.errno));
      return;
    }
    const isDump = (flags & NLM_F.DUMP) !== 0 && isGet(type, this.socket.protocol);
    let datagram: Uint8Array[] = [];
    let length = 0;
    for (const each of answers) {
      const one = message(each.type, isDump ? NLM_F.MULTI : 0, sequence, this.#port, each.body);
      if (length + one.length > DATAGRAM_BYTES && length > 0) {
        this.#put(joined(datagram));
        datagram = [];
        length = 0;
      }
      datagram.push(one);
      length += one.length;
    }
    if (length > 0) this.#put(joined(datagram));
    if (isDump) this.#put(message(NLMSG.DONE, NLM_F.MULTI, sequence, this.#port, u32s(0)));
    else if (flags & NLM_F.ACK) this.#put(this.#error(request, 0));
  }

  /** NLMSG_ERROR: the errno, negative, and the request's header; and all of the request that has failed. */
  #error({ type, flags, sequence, body }: Request, errno: number): Uint8Array {
    const quote = message(type, flags, sequence, this.#port, body);
    return message(NLMSG.ERROR, 0, sequence, this.#port, joined([u32s(-errno), errno === 0 ? quote.subarray(0, NL_HEADER) : quote]));
  }

  #put(datagram: Uint8Array): void {
    this.#queue.push(datagram);
    this.#queued += datagram.length;
    this.changed.wakeAll();
  }

  override receive(count: number, manner: Manner, _io: IoContext): Maybe<Received> {
    return eager(this.#receive(count, this.manner(manner, SO.RCVTIMEO)));
  }

  *#receive(count: number, manner: Manner): Blocking<Received> {
    for (;;) {
      const first = this.#queue[0];
      if (first !== undefined) {
        if ((manner.flags & MSG.PEEK) === 0) {
          this.#queue.shift();
          this.#queued -= first.length;
        }
        const bytes = first.slice(0, count);
        this.services.charge(transferCost(bytes.length));
        return { bytes, length: first.length, from: nameOf(0, 0), files: [], credentials: null };
      }
      yield* this.waitChange(manner);
    }
  }

  override poll(): number {
    return POLL.OUT | POLL.WRNORM | (this.#queue.length > 0 ? POLL.IN | POLL.RDNORM : 0);
  }
  protected override waitingBytes(): number {
    return this.#queue[0]?.length ?? 0;
  }

  /** Options of netlink change how much an answer explains: none of it is needed to understand these. */
  override setOption(level: number, name: number, value: Uint8Array): Maybe<void> {
    if (level === SOL_NETLINK) return;
    super.setOption(level, level === SOL_SOCKET ? (FORCED.get(name) ?? name) : name, value);
  }
}

const FORCED: ReadonlyMap<number, number> = new Map([
  [SO.SNDBUFFORCE, SO.SNDBUF],
  [SO.RCVBUFFORCE, SO.RCVBUF],
]);

/** Of rtnetlink every fourth type asks; sock_diag only ever does. */
const isGet = (type: number, protocol: number): boolean => protocol !== 0 || (type & 3) === 2;

function nameOf(port: number, groups: number): string {
  const bytes = new Uint8Array(10);
  setU32(bytes, port, 2);
  setU32(bytes, groups, 6);
  return fromBytes(bytes);
}
