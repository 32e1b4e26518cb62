/**
 * Sending, receiving and answering messages.
 *
 *     send      encode → fragments → slots of the receiver's lane, one interrupt each; what finds no free slot waits in a backlog
 *     collect   written slots → events at their arrival times
 *     handle    at its arrival: interrupt entry, reassembly, dispatch to the handler of its kind, which may block
 *     call      a request that waits for its answer; interrupted, it asks the other side to give up and waits for what comes
 *
 * Always holds: messages from one kernel to another are handled in the order in which they were sent; every call gets exactly one
 * answer, be it that its peer is gone (EHOSTDOWN).
 */
import { E, Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import { EventClass } from '../sched/events.ts';
import { TraceKind } from '../trace.ts';
import { type Blocking, type Cycles, isBlocking, type KernelId, type Maybe, sleep, WaitQueue } from '../types.ts';
import { M, type MessageKind } from './catalog.ts';
import { decode, encode, type Fields, type Payload } from './codec.ts';
import { FLAG, FRAGMENT_BYTES, FRAGMENTS_MAX, HEADER_BYTES, type Header, MESSAGE_BYTES, readHeader, writeHeader } from './wire.ts';
import { kernelsMax, windowAddress } from '../partition/map.ts';
import { Window } from './window.ts';

/** What a handler gets beside the payload. */
export interface Received {
  readonly from: KernelId;
  /** To be given as the cause of whatever is sent because of this message. */
  readonly cause: number;
}

export type Handler<F extends Fields> = (payload: Payload<F>, received: Received) => Maybe<void>;

interface Call {
  readonly to: KernelId;
  readonly queue: WaitQueue;
  answer: unknown;
  cancelled: boolean;
}

interface Fragment {
  readonly header: Header;
  readonly payload: Uint8Array;
}

/** Cause of messages that a system call or the kernel itself sends. */
export const CAUSE_NONE = 0xff000000;
const RETRY_CYCLES = 2000;

export class Messenger {
  readonly #kernel: Kernel;
  readonly #lanes: number;
  /** This kernel's. */
  readonly #own: Window;
  /** Of kernels that have been written to. */
  readonly #windows = new Map<KernelId, Window>();
  readonly #nextSend: number[];
  readonly #nextReceive: number[];
  readonly #lastArrival: number[];
  readonly #backlog: Fragment[][];
  readonly #backlogTimer: boolean[];
  readonly #partial = new Map<KernelId, Uint8Array[]>();
  readonly #handlers = new Map<number, (bytes: Uint8Array, received: Received) => Maybe<void>>();
  readonly #calls = new Map<number, Call>();
  #nextRequest = 1;
  /** Cause of what is being sent now. */
  cause = CAUSE_NONE;
  sentCount = 0;
  receivedCount = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const count = kernelsMax(kernel.topology.cores.length);
    this.#lanes = count;
    this.#own = this.#windowOf(kernel.id);
    this.#own.clear();
    this.#nextSend = new Array<number>(count).fill(0);
    this.#nextReceive = new Array<number>(count).fill(0);
    this.#lastArrival = new Array<number>(count).fill(0);
    this.#backlog = Array.from({ length: count }, () => []);
    this.#backlogTimer = new Array<boolean>(count).fill(false);
  }

  /** Calls under way and messages not yet in a slot: both must be 0 when a kernel has come to rest. */
  get outstanding(): { calls: number; backlog: number } {
    return { calls: this.#calls.size, backlog: this.#backlog.reduce((sum, list) => sum + list.length, 0) };
  }

  on<F extends Fields>(kind: MessageKind<F>, handler: Handler<F>): void {
    this.#handlers.set(kind.type, (bytes, received) => handler(decode(kind.fields, bytes), received));
  }

  // --- sending ---------------------------------------------------------------------------------------------------------------

  /** Never blocks; order per receiver is kept. */
  send<F extends Fields>(to: KernelId, kind: MessageKind<F>, payload: Payload<F>): void {
    const bytes = encode(kind.fields, payload);
    const count = Math.max(1, Math.ceil(bytes.length / FRAGMENT_BYTES));
    if (count > FRAGMENTS_MAX) throw new Error(`${kind.name} of ${bytes.length} bytes is too long`);
    for (let fragment = 0; fragment < count; fragment++) {
      const part = bytes.subarray(fragment * FRAGMENT_BYTES, (fragment + 1) * FRAGMENT_BYTES);
      const flags = (fragment === 0 ? FLAG.First : 0) | (fragment === count - 1 ? FLAG.Last : 0);
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
      this.#put(to, { header, payload: part });
    }
  }

  /** Sends the same to every kernel that is up. */
  multicast<F extends Fields>(kind: MessageKind<F>, payload: Payload<F>): void {
    for (const peer of this.#kernel.peers()) this.send(peer, kind, payload);
  }

  /** A number for a request, and the place where its answer will be. */
  #open(to: KernelId): number {
    const request = this.#nextRequest++;
    this.#calls.set(request, { to, queue: new WaitQueue(), answer: undefined, cancelled: false });
    return request;
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
    const id = this.#open(to);
    const call = this.#calls.get(id) as Call;
    this.send(to, request, { ...payload, request: id } as unknown as Payload<Q>);
    try {
      while (call.answer === undefined) {
        const reason = yield* sleep([call.queue], { interruptible: interruptible && !call.cancelled });
        if (reason === 'interrupted' && call.answer === undefined) {
          call.cancelled = true;
          this.send(to, M.CANCEL, { request: id });
        }
      }
    } finally {
      this.#calls.delete(id);
    }
    if (call.answer instanceof Errno) throw call.answer;
    return call.answer as Payload<A>;
  }

  /** Whether the call whose answer just came had been cancelled is the caller's to know; this hands the answer over. */
  answered(request: number, answer: unknown): void {
    const call = this.#calls.get(request);
    if (call === undefined) return;
    call.answer = answer;
    call.queue.wakeAll();
  }

  #windowOf(kernel: KernelId): Window {
    const known = this.#windows.get(kernel);
    if (known !== undefined) return known;
    const partition = this.#kernel.map.of(kernel);
    if (partition === undefined) throw new Error(`kernel ${kernel} has no window`);
    const made = new Window(this.#kernel.memory, windowAddress(partition, this.#lanes), this.#lanes);
    this.#windows.set(kernel, made);
    return made;
  }

  /** Nothing more can come from a peer that is gone: should there be one of that number again, it begins anew. */
  forgetLane(peer: KernelId): void {
    this.#own.clearLane(peer);
    this.#nextSend[peer] = 0;
    this.#nextReceive[peer] = 0;
    this.#lastArrival[peer] = 0;
    this.#windows.delete(peer);
    this.#partial.delete(peer);
  }

  /** A peer is gone: what waits for it gets an error, what was to go there is dropped. */
  peerGone(peer: KernelId): void {
    for (const call of this.#calls.values()) {
      if (call.to !== peer || call.answer !== undefined) continue;
      call.answer = new Errno(E.HOSTDOWN);
      call.queue.wakeAll();
    }
    this.#backlog[peer] = [];
  }

  #put(to: KernelId, fragment: Fragment): void {
    const backlog = this.#backlog[to] as Fragment[];
    if (backlog.length > 0 || !this.#write(to, fragment)) {
      backlog.push(fragment);
      this.#scheduleRetry(to);
    }
  }

  #scheduleRetry(to: KernelId): void {
    if (this.#backlogTimer[to]) return;
    this.#backlogTimer[to] = true;
    const kernel = this.#kernel;
    kernel.at(kernel.now + RETRY_CYCLES, () => {
      this.#backlogTimer[to] = false;
      const backlog = this.#backlog[to] as Fragment[];
      while (backlog.length > 0 && this.#write(to, backlog[0] as Fragment)) backlog.shift();
      if (backlog.length > 0) this.#scheduleRetry(to);
    });
  }

  #write(to: KernelId, { header, payload }: Fragment): boolean {
    const kernel = this.#kernel;
    const window = this.#windowOf(to);
    const sequence = this.#nextSend[to] as number;
    if (!window.isFree(kernel.id, sequence, kernel.visible)) return false;
    this.#nextSend[to] = sequence + 1;
    kernel.charge(kernel.cost('messageSend'));
    const at = window.slot(kernel.id, sequence);
    kernel.memory.u8.fill(0, at, at + MESSAGE_BYTES);
    kernel.memory.u8.set(payload, at + HEADER_BYTES);
    writeHeader(window.view, at, { ...header, sequence });
    kernel.trace(TraceKind.MessageSend, (to << 16) | header.type, sequence, header.length | (header.fragment << 16), header.cause);
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
    // Cores of one kernel are apart by less than a cell: what is sent later does not arrive earlier.
    const arrival = Math.max(kernel.now + kernel.latencyTo(to), this.#lastArrival[to] as number);
    this.#lastArrival[to] = arrival;
    window.publish(kernel.id, sequence, arrival);
    this.sentCount++;
    kernel.lowerBound(kernel.platform.sent(to, arrival));
    return true;
  }

  // --- receiving -------------------------------------------------------------------------------------------------------------

  /** Turns newly written slots into events at their arrival times. No virtual effect. */
  collect(): void {
    const own = this.#own;
    for (let word = 0; word * 32 < this.#lanes; word++) {
      let bells = own.takeDoorbells(word);
      while (bells !== 0) {
        const bit = 31 - Math.clz32(bells);
        bells &= ~(1 << bit);
        this.#collectLane(own, word * 32 + bit);
      }
    }
  }

  #collectLane(own: Window, sender: KernelId): void {
    const kernel = this.#kernel;
    for (;;) {
      const sequence = this.#nextReceive[sender] as number;
      const arrival = own.arrival(sender, sequence);
      if (Number.isNaN(arrival)) return;
      this.#nextReceive[sender] = sequence + 1;
      kernel.events.add(arrival, EventClass.Message, sender * 2 ** 32 + sequence, () => this.#receive(own, sender, sequence, arrival));
    }
  }

  #receive(own: Window, sender: KernelId, sequence: number, arrival: Cycles): void {
    const kernel = this.#kernel;
    const at = own.slot(sender, sequence);
    const header = readHeader(own.view, at);
    const payload = kernel.memory.u8.slice(at + HEADER_BYTES, at + HEADER_BYTES + header.length);
    kernel.charge(kernel.cost('messageDispatch'));
    own.free(sender, sequence, kernel.now + kernel.latencyTo(sender));
    this.receivedCount++;
    kernel.trace(
      TraceKind.MessageReceive,
      (sender << 16) | header.type,
      sequence,
      Math.min(0xffffffff, Math.round(kernel.now - arrival)),
      0,
    );
    if (!kernel.accepts(sender, header.type)) return;
    const parts = header.flags & FLAG.First ? [] : (this.#partial.get(sender) ?? []);
    parts.push(payload);
    if (!(header.flags & FLAG.Last)) {
      this.#partial.set(sender, parts);
      return;
    }
    this.#partial.delete(sender);
    const bytes = parts.length === 1 ? payload : join(parts);
    const handler = this.#handlers.get(header.type);
    if (handler === undefined) {
      kernel.log(4, `message of unknown type ${header.type} from kernel ${sender}`);
      return;
    }
    const outer = this.cause;
    const cause = ((sender << 24) | (sequence & 0xffffff)) >>> 0;
    this.cause = cause;
    const result = handler(bytes, { from: sender, cause });
    if (isBlocking(result)) kernel.spawn(result, cause);
    this.cause = outer;
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
