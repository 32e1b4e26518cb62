/**
 * Sending, receiving and answering messages.
 *
 *     send      encode → fragments → slots of the receiver's lane (send-lane.ts)
 *     collect   written slots → events at their arrival times
 *     arrive    at its arrival: the checksum; then it is due. Urgent ones first, one after the other, as the service core gets to them
 *     handle    reassembly, dispatch to the handler of its kind, which may block
 *     call      a request that waits for its answer; interrupted, it asks the other side to give up and waits for what comes
 *     mcast…    the same to a group of kernels, with one payload and a count of answers (multicast.ts)
 *
 * Always holds: messages of one urgency from one kernel to another are handled in the order in which they were sent, each once, be it lost or
 * damaged on its way; every call gets exactly one answer, be it that its peer is gone (EHOSTDOWN).
 */
import type { NodePosition } from '../../machine/interconnect.ts';
import { E, Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import { EventClass, type KernelEvent } from '../sched/events.ts';
import { TraceKind } from '../trace.ts';
import { type Blocking, type Cycles, isBlocking, type KernelId, type Maybe, sleep, WaitQueue } from '../types.ts';
import { M, type MessageKind } from './catalog.ts';
import { decode, encode, type Encoded, encodedIn, type Fields, type Payload } from './codec.ts';
import { SendLane } from './send-lane.ts';
import { type MessageSettings, POLL_CYCLES, type Transport, TRANSPORTS } from './settings.ts';
import { type GroupId, Groups, INLINE_BYTES, type Lent, lendPayload, takePayload, THESE } from './multicast.ts';
import { CAUSE_NONE, FLAG, FRAGMENT_BYTES, FRAGMENTS_MAX, type Header, HEADER_BYTES, isIntact, readHeader } from './wire.ts';
import { kernelsMax, windowAddress } from '../partition/map.ts';
import { Window } from './window.ts';

/** What a handler gets beside the payload. */
export interface Received {
  readonly from: KernelId;
  /** To be given as the cause of whatever is sent because of this message. */
  readonly cause: number;
}

export type Handler<F extends Fields> = (payload: Payload<F>, received: Received) => Maybe<void>;

/** What a kernel was asked it had not begun when it halted: its heir (partition/heirs.ts) is to be asked. */
export class Moved extends Errno {
  constructor() {
    super(E.HOSTDOWN);
  }
}

type AnyKind = Pick<MessageKind, 'type' | 'name' | 'urgent'>;

interface Call {
  readonly type: number;
  /** Whose answers are missing. */
  readonly from: Set<KernelId>;
  readonly queue: WaitQueue;
  readonly answers: Map<KernelId, unknown>;
  cancelled: boolean;
}

/** The receiving end of a lane. */
interface ReceiveLane {
  readonly from: KernelId;
  /** Sequence of what comes next. */
  next: number;
  /** What has been found and is not handled yet: to be forgotten should something before it turn out to be damaged. */
  readonly coming: KernelEvent[];
  /** Nothing of this lane arrives before. */
  earliest: Cycles;
  /** Fragments so far, of ordinary and of urgent messages. */
  readonly partial: [Uint8Array[], Uint8Array[]];
}

interface Due {
  readonly header: Header;
  /** Its slot, which is the receiver's until it is handled. */
  readonly at: number;
  readonly arrival: Cycles;
}

/** Messages that are handled in one go before programs get their turn (Linux: the budget of a softirq), and how long that is. */
const BUDGET = 128;
const TURN_CYCLES = 110_000;

export class Messenger {
  readonly #kernel: Kernel;
  readonly #lanes: number;
  /** This kernel's. */
  readonly #own: Window;
  readonly #home: NodePosition | null;

  readonly #settings: MessageSettings;
  readonly #transport: Transport;
  readonly #sending = new Map<KernelId, SendLane>();
  readonly #receiving = new Map<KernelId, ReceiveLane>();
  readonly #due: [Due[], Due[]] = [[], []];
  /** Until then the service core handles messages. */
  #busyUntil: Cycles = 0;
  #deafUntil: Cycles = 0;
  #serving = false;
  #inOneGo = 0;
  readonly #handlers = new Map<number, (bytes: Encoded, little: boolean, received: Received) => Maybe<void>>();
  readonly #calls = new Map<number, Call>();
  #nextRequest = 1;
  /** From whom the message is that is being handled. */
  #handling: KernelId = -1;
  readonly groups: Groups;
  /** Cause of what is being sent now. */
  cause = CAUSE_NONE;
  #bad = 0;
  sentCount = 0;
  receivedCount = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#settings = kernel.parameters.messages;
    this.#transport = TRANSPORTS[this.#settings.transport];
    this.#lanes = kernelsMax(kernel.topology.cores.length);
    this.#own = this.#windowOf(kernel.id);
    this.#home = kernel.nodeOf(this.#own.base);
    this.#own.clear();
    this.groups = new Groups(kernel);
    this.on(M.MCAST_CLOSE, ({ group }, { from }) => {
      if (group >>> 8 === from) this.groups.closed(group);
    });
  }

  /** Calls under way and messages not yet in a slot: both must be 0 when a kernel has come to rest. */
  get outstanding(): { calls: number; backlog: number } {
    return { calls: this.#calls.size, backlog: [...this.#sending.values()].reduce((sum, lane) => sum + lane.backlog, 0) };
  }
  /** What went wrong on the way, and was mended. */
  get troubles(): { stalls: number; resent: number; bad: number } {
    const lanes = [...this.#sending.values()];
    const sum = (pick: (lane: SendLane) => number): number => lanes.reduce((total, lane) => total + pick(lane), 0);
    return { stalls: sum(lane => lane.stalls), resent: sum(lane => lane.resent), bad: this.#bad };
  }

  on<F extends Fields>(kind: MessageKind<F>, handler: Handler<F>): void {
    this.#handlers.set(kind.type, (bytes, little, received) => handler(decode(kind.fields, bytes, little), received));
  }

  // --- sending ---------------------------------------------------------------------------------------------------------------

  /** Never blocks; order per receiver is kept. What is for a kernel that is gone goes nowhere. */
  send<F extends Fields>(to: KernelId, kind: MessageKind<F>, payload: Payload<F>): void {
    if (!this.#mayGo(to, kind.type)) return;
    this.#put(to, kind, encode(kind.fields, payload, this.#isLittle));
  }

  get #isLittle(): boolean {
    return this.#settings.order === 'little';
  }
  #mayGo(to: KernelId, type: number): boolean {
    return this.#kernel.isPeer(to) || type === M.CHECKIN.type;
  }

  #put(to: KernelId, kind: AnyKind, bytes: Uint8Array, lent: Lent | null = null, repeated = false): void {
    const count = Math.max(1, Math.ceil(bytes.length / FRAGMENT_BYTES));
    if (count > (kind.urgent ? 1 : FRAGMENTS_MAX)) throw new Error(`${kind.name} of ${bytes.length} bytes is too long`);
    for (let fragment = 0; fragment < count; fragment++) {
      const part = bytes.subarray(fragment * FRAGMENT_BYTES, (fragment + 1) * FRAGMENT_BYTES);
      const flags =
        (fragment === 0 ? FLAG.First : 0) |
        (fragment === count - 1 ? FLAG.Last : 0) |
        (kind.urgent ? FLAG.Urgent : 0) |
        (this.#isLittle ? 0 : FLAG.BigEndian);
      const header: Header = {
        type: kind.type,
        from: this.#kernel.id,
        to,
        flags,
        sequence: 0,
        length: part.length,
        fragment,
        cause: this.cause,
      };
      this.sentCount++;
      this.lane(to).put({ header, payload: part, ...(lent === null ? {} : { taken: lent.taken }), repeated });
    }
  }

  /** Sends to every member of a group. */
  mcastSend<F extends Fields>(group: GroupId, kind: MessageKind<F>, payload: Payload<F>): void {
    this.#mcast(group, this.groups.membersOf(group), kind, encode(kind.fields, payload, this.#isLittle));
  }
  /** Sends to these: a group for one message. */
  mcastTo<F extends Fields>(members: readonly KernelId[], kind: MessageKind<F>, payload: Payload<F>): void {
    this.#mcast(THESE, members, kind, encode(kind.fields, payload, this.#isLittle));
  }

  #mcast(group: GroupId, members: readonly KernelId[], kind: AnyKind, bytes: Uint8Array): void {
    if (kind.urgent) throw new Error(`${kind.name} is urgent: it goes to one kernel at a time`);
    const there = members.filter(to => this.#mayGo(to, kind.type));
    const [only] = there;
    if (only === undefined) return;
    if (there.length === 1) {
      this.#put(only, kind, bytes);
      return;
    }
    let lent: Lent | null = null;
    const isShort = bytes.length <= INLINE_BYTES;
    try {
      if (!isShort) lent = lendPayload(this.#kernel, bytes, there.length);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      // No room for it: it goes to each in fragments.
      for (const to of there) this.#put(to, kind, bytes);
      return;
    }
    const packet = { group, kind: kind.type, length: bytes.length, pfn: lent?.first ?? 0, data: isShort ? bytes : NOTHING };
    const packed = encode(M.MCAST.fields, packet, this.#isLittle);
    for (const [i, to] of there.entries()) this.#put(to, M.MCAST, packed, lent, i > 0);
  }

  /** A number for a request, and the place where its answers will be. */
  #open(type: number, from: readonly KernelId[]): [number, Call] {
    const request = this.#nextRequest++;
    const call: Call = { type, from: new Set(from), queue: new WaitQueue(), answers: new Map(), cancelled: false };
    this.#calls.set(request, call);
    return [request, call];
  }

  /**
   * Sends a request and waits for the answer. An interruptible call that is interrupted sends CANCEL and goes on waiting: the other
   * side either gives up (ERESTARTSYS in its answer) or has done its work.
   * @throws Errno EHOSTDOWN
   */
  *call<Q extends Fields, A extends Fields>(
    to: KernelId,
    request: MessageKind<Q>,
    payload: Omit<Payload<Q>, 'request'>,
    _answer: MessageKind<A>,
    interruptible = false,
  ): Blocking<Payload<A>> {
    if (!this.#kernel.isPeer(to)) throw new Errno(E.HOSTDOWN);
    const [id, call] = this.#open(request.type, [to]);
    this.send(to, request, { ...payload, request: id } as unknown as Payload<Q>);
    yield* this.#answers(id, call, interruptible, () => this.send(to, M.CANCEL, { request: id }));
    const answer = call.answers.get(to);
    if (answer instanceof Errno) throw answer;
    return answer as Payload<A>;
  }

  /** Sends a request to a group and waits until each member has answered or is gone: what they answered, or the error, ascending by kernel. */
  *mcastCall<Q extends Fields, A extends Fields>(
    group: GroupId | readonly KernelId[],
    request: MessageKind<Q>,
    payload: Omit<Payload<Q>, 'request'>,
    _answer: MessageKind<A>,
  ): Blocking<ReadonlyMap<KernelId, Payload<A> | Errno>> {
    const members = (typeof group === 'number' ? this.groups.membersOf(group) : [...group]).filter(each => this.#kernel.isPeer(each));
    const [id, call] = this.#open(request.type, members);
    const bytes = encode(request.fields, { ...payload, request: id } as unknown as Payload<Q>, this.#isLittle);
    this.#mcast(typeof group === 'number' ? group : THESE, members, request, bytes);
    yield* this.#answers(id, call, false, () => undefined);
    return new Map(members.map(each => [each, call.answers.get(each) as Payload<A> | Errno]));
  }

  *#answers(id: number, call: Call, interruptible: boolean, cancel: () => void): Blocking<void> {
    try {
      while (call.from.size > 0) {
        const reason = yield* sleep([call.queue], { interruptible: interruptible && !call.cancelled });
        if (reason === 'interrupted' && call.from.size > 0) {
          call.cancelled = true;
          cancel();
        }
      }
    } finally {
      this.#calls.delete(id);
    }
  }

  /** An answer to a request, from the kernel whose message is being handled. Whether the call had been cancelled is the caller's to know. */
  answered(request: number, answer: unknown): void {
    const call = this.#calls.get(request);
    if (call !== undefined) this.#settle(call, this.#handling, answer);
  }
  #settle(call: Call, from: KernelId, answer: unknown): void {
    if (!call.from.delete(from)) return;
    call.answers.set(from, answer);
    if (call.from.size === 0) call.queue.wakeAll();
  }

  /** What was asked of a kernel by messages of these types, and has no answer yet, is to be asked of its heir. */
  moved(peer: KernelId, types: readonly number[]): void {
    for (const call of this.#calls.values()) if (types.includes(call.type)) this.#settle(call, peer, new Moved());
  }

  #windowOf(kernel: KernelId): Window {
    const partition = this.#kernel.map.of(kernel);
    if (partition === undefined) throw new Error(`kernel ${kernel} has no window`);
    return new Window(this.#kernel.memory, windowAddress(partition, this.#lanes), this.#lanes);
  }

  /** The way to a kernel. */
  lane(to: KernelId): SendLane {
    let lane = this.#sending.get(to);
    if (lane === undefined) {
      lane = new SendLane(this.#kernel, to, this.#windowOf(to), this.#transport);
      this.#sending.set(to, lane);
    }
    return lane;
  }

  /** A peer is gone: what waits for it gets an error, what was to go there is dropped. */
  peerGone(peer: KernelId): void {
    for (const call of this.#calls.values()) this.#settle(call, peer, new Errno(E.HOSTDOWN));
    this.groups.peerGone(peer);
  }

  /** Nothing more can come from a peer that is gone: should there be one of that number again, it begins anew. */
  forgetLane(peer: KernelId): void {
    this.#sending.get(peer)?.close();
    this.#sending.delete(peer);
    for (const event of this.#receiving.get(peer)?.coming ?? []) event.cancelled = true;
    this.#receiving.delete(peer);
    for (const due of this.#due) due.splice(0, due.length, ...due.filter(({ header }) => header.from !== peer));
    this.#own.clearLane(peer);
  }

  // --- receiving -------------------------------------------------------------------------------------------------------------

  /** Turns newly written slots into events at their arrival times. No virtual effect. */
  collect(): void {
    for (let word = 0; word * 32 < this.#lanes; word++) {
      let bells = this.#own.takeDoorbells(word);
      while (bells !== 0) {
        const bit = 31 - Math.clz32(bells);
        bells &= ~(1 << bit);
        this.#collectLane(word * 32 + bit);
      }
    }
  }

  #collectLane(from: KernelId): void {
    let lane = this.#receiving.get(from);
    if (lane === undefined) {
      lane = { from, next: 0, coming: [], earliest: 0, partial: [[], []] };
      this.#receiving.set(from, lane);
    }
    const { events } = this.#kernel;
    for (;;) {
      const sequence = lane.next;
      const arrival = this.#own.arrival(from, sequence);
      if (Number.isNaN(arrival)) return;
      lane.next = sequence + 1;
      lane.earliest = Math.max(lane.earliest, this.#noticed(arrival));
      const found = lane;
      const time = lane.earliest;
      lane.coming.push(events.add(time, EventClass.Message, from * 2 ** 32 + sequence, () => this.#arrive(found, sequence, time)));
    }
  }

  /** When a kernel that polls looks; others are interrupted. */
  #noticed(arrival: Cycles): Cycles {
    return this.#settings.receive === 'polling' ? Math.ceil(arrival / POLL_CYCLES) * POLL_CYCLES : arrival;
  }

  #arrive(lane: ReceiveLane, sequence: number, arrival: Cycles): void {
    const kernel = this.#kernel;
    lane.coming.shift();
    const own = this.#own;
    const at = own.slot(lane.from, sequence);
    if (this.#settings.receive === 'ipi') kernel.charge(kernel.cost('interruptEntry'));
    if (!isIntact(kernel.memory, at)) {
      // As if it had not come. What came behind it waits in its slots until it has been sent again.
      kernel.trace(TraceKind.MessageBad, lane.from << 16, sequence, 0, 0);
      this.#bad++;
      own.reject(lane.from, sequence);
      for (const event of lane.coming.splice(0)) event.cancelled = true;
      lane.next = sequence;
      return;
    }
    const header = readHeader(kernel.memory, at);
    this.#due[header.flags & FLAG.Urgent ? 1 : 0].push({ header, at, arrival });
    if (this.#serving) return;
    if (kernel.visible >= this.#busyUntil) {
      this.#inOneGo = 0;
      if (this.#settings.receive === 'adaptive') kernel.charge(kernel.cost('interruptEntry'));
    }
    this.#serve();
  }

  /** A fault: no message is handled before. */
  deafUntil(time: Cycles): void {
    this.#deafUntil = Math.max(this.#deafUntil, time);
    this.#busyUntil = Math.max(this.#busyUntil, time);
  }
  get isDeaf(): boolean {
    return this.#kernel.visible < this.#deafUntil;
  }

  #serveAt(time: Cycles): void {
    this.#serving = true;
    this.#kernel.at(time, () => {
      this.#serving = false;
      this.#serve();
    });
  }

  /** The next message that is due; the one after it when the core is through with this one. */
  #serve(): void {
    if (this.#kernel.visible < this.#busyUntil) {
      this.#serveAt(this.#busyUntil);
      return;
    }
    const due = this.#due[1].shift() ?? this.#due[0].shift();
    if (due === undefined) return;
    this.#handle(due);
    // It may have been the order to be deaf.
    this.#busyUntil = Math.max(this.#busyUntil, this.#kernel.now);
    if (this.#due[0].length + this.#due[1].length === 0) return;
    this.#inOneGo++;
    const pause = this.#inOneGo % BUDGET === 0 ? TURN_CYCLES : 0;
    this.#serveAt(this.#busyUntil + pause);
  }

  #handle({ header, at, arrival }: Due): void {
    const kernel = this.#kernel;
    const { from, sequence, type, flags } = header;
    kernel.charge(kernel.cost(this.#transport.dispatch));
    this.#own.free(from, sequence, kernel.now + kernel.latencyTo(from, this.#home));
    this.receivedCount++;
    kernel.trace(TraceKind.MessageReceive, (from << 16) | type, sequence, Math.min(0xffffffff, Math.round(kernel.now - arrival)), 0);
    const lane = this.#receiving.get(from);
    if (lane === undefined || (type !== M.MCAST.type && !kernel.accepts(from, type))) return;
    // The slot is free for what is sent later than now: no host is there before this has been handled.
    const { u8, view } = kernel.memory;
    let bytes: Encoded = { u8, view, at: at + HEADER_BYTES, end: at + HEADER_BYTES + Math.min(header.length, FRAGMENT_BYTES) };
    const partial = lane.partial[flags & FLAG.Urgent ? 1 : 0];
    if (flags & FLAG.First) partial.length = 0;
    if ((flags & FLAG.Last) === 0 || partial.length > 0) partial.push(u8.slice(bytes.at, bytes.end));
    if (!(flags & FLAG.Last)) return;
    if (partial.length > 0) bytes = encodedIn(join(partial.splice(0)));
    const cause = ((from << 24) | (sequence & 0xffffff)) >>> 0;
    const little = (flags & FLAG.BigEndian) === 0;
    if (type === M.MCAST.type) this.#unpack(decode(M.MCAST.fields, bytes, little), little, { from, cause });
    else this.#dispatch(type, bytes, little, { from, cause });
  }

  #unpack({ group, kind, length, pfn, data }: Payload<typeof M.MCAST.fields>, little: boolean, received: Received): void {
    if (!this.#kernel.accepts(received.from, kind)) return;
    if (kind === 0) this.groups.opened(group, [...data]);
    else this.#dispatch(kind, encodedIn(length === data.length ? data : takePayload(this.#kernel, pfn, length)), little, received);
  }

  #dispatch(type: number, bytes: Encoded, little: boolean, received: Received): void {
    const kernel = this.#kernel;
    const { from, cause } = received;
    const handler = this.#handlers.get(type);
    if (handler === undefined) {
      kernel.log(4, `message of unknown type ${type} from kernel ${from}`);
      return;
    }
    const outer = this.cause;
    this.cause = cause;
    this.#handling = from;
    const result = handler(bytes, little, received);
    if (isBlocking(result)) kernel.spawn(result, cause);
    this.cause = outer;
  }
}

const NOTHING = new Uint8Array(0);

function join(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
