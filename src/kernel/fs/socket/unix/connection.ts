/**
 * Stream and packet sockets.
 *
 *     unconnected ── listen ──▸ listening: others dial, their ends wait to be accepted
 *          └──────── connect ─▸ connected: everything is done at the end of a channel
 *
 * A channel lives where its listener does. A socket that connects to another kernel's has its end there, by message.
 */
import { E, Errno } from '../../../abi/errno.ts';
import { IOCTL } from '../../../abi/ioctl.ts';
import { POLL } from '../../../abi/poll.ts';
import { MSG, SO, SOCK, SOL_SOCKET } from '../../../abi/socket.ts';
import { type Blocking, type Maybe, sleep, WaitQueue } from '../../../types.ts';
import type { IoContext } from '../../file.ts';
import { after, eager } from '../../maybe.ts';
import { BUFFER_BYTES, credentialBytes, u32Bytes } from '../options.ts';
import {
  type Accepted,
  credentialsOf,
  type Manner,
  type Message,
  plainly,
  type Received,
  type SocketCredentials,
  type SocketName,
} from '../socket.ts';
import { channel, type ChannelEnd, type Conduit, MSG_SENDER } from './channel.ts';
import type { Caller, UnixDomain } from './domain.ts';
import { UnixSocket } from './socket.ts';

/** net.core.somaxconn */
const BACKLOG_MAX = 4096;

/** Those that wait to be accepted. */
interface Listening {
  backlog: number;
  readonly credentials: SocketCredentials;
  readonly waiting: ChannelEnd[];
  /** Woken when there is room for one more. */
  readonly accepted: WaitQueue;
  shut: boolean;
}

export class UnixConnection extends UnixSocket {
  #end: Conduit | null = null;
  #listening: Listening | null = null;

  constructor(domain: UnixDomain, type: number, flags: number, end: Conduit | null = null) {
    super(domain, type, flags);
    if (end !== null) this.#attach(end);
  }

  #attach(end: Conduit): void {
    this.#end = end;
    for (const queue of end.queues) queue.sleepers.add(this.relay);
    this.changed.wakeAll();
  }

  protected override ended(): Maybe<void> {
    const listening = this.#listening;
    if (listening !== null) {
      listening.shut = true;
      listening.accepted.wakeAll();
      for (const end of listening.waiting.splice(0)) {
        end.fail();
        end.release();
      }
    }
    const end = this.#end;
    if (end === null) return;
    for (const queue of end.queues) queue.sleepers.delete(this.relay);
    return end.release();
  }

  override get isListening(): boolean {
    return this.#listening !== null;
  }
  override get isConnected(): boolean {
    return this.#end !== null;
  }

  // ── Coming together ──

  override listen(backlog: number, io: IoContext): void {
    if (this.name === '' || this.#end !== null) throw new Errno(E.INVAL);
    const most = Math.min(backlog >>> 0, BACKLOG_MAX);
    this.#listening ??= { backlog: 0, credentials: credentialsOf(io), waiting: [], accepted: new WaitQueue(), shut: false };
    this.#listening.backlog = most;
    this.#listening.accepted.wakeAll();
    this.changed.wakeAll();
  }

  override dial(caller: Caller): Maybe<Conduit> {
    if (caller.type !== this.socket.type) throw new Errno(E.PROTOTYPE);
    return eager(this.#dial(caller));
  }

  *#dial({ name, credentials, flags, deadline }: Caller): Blocking<Conduit> {
    for (;;) {
      const listening = this.#listening;
      if (listening === null || listening.shut) throw new Errno(E.CONNREFUSED);
      if (listening.waiting.length <= listening.backlog) {
        const { services } = this.domain;
        const self = { name: this.name, credentials: listening.credentials };
        const [theirs, ours] = channel(services, this.socket.type, BUFFER_BYTES, { name, credentials }, self);
        listening.waiting.push(ours);
        this.changed.wakeAll();
        return theirs;
      }
      if (flags & MSG.DONTWAIT) throw new Errno(E.AGAIN);
      const reason = yield* sleep([listening.accepted], { deadline });
      if (reason !== 'woken') throw new Errno(reason === 'timeout' ? E.AGAIN : E.RESTARTSYS);
    }
  }

  override accept(flags: number, io: IoContext): Maybe<Accepted> {
    const listening = this.#listening;
    if (listening === null) throw new Errno(E.INVAL);
    return eager(this.#accept(listening, flags, this.manner(plainly(io), SO.RCVTIMEO)));
  }

  *#accept(listening: Listening, flags: number, manner: Manner): Blocking<Accepted> {
    for (;;) {
      const end = listening.waiting.shift();
      if (end !== undefined) {
        listening.accepted.wakeAll();
        const socket = new UnixConnection(this.domain, this.socket.type, flags, end);
        socket.name = this.name;
        return { socket, from: end.peerName() };
      }
      if (listening.shut) throw new Errno(E.INVAL);
      if (manner.flags & MSG.DONTWAIT) throw new Errno(E.AGAIN);
      const reason = yield* sleep(this.queues, { deadline: manner.deadline });
      if (reason !== 'woken' && listening.waiting.length === 0) throw new Errno(reason === 'timeout' ? E.AGAIN : E.RESTARTSYS);
    }
  }

  override connect(name: SocketName | null, io: IoContext): Maybe<void> {
    if (name === null || name.at === null) throw new Errno(E.INVAL);
    this.#checkFree();
    const { flags, deadline } = this.manner(plainly(io), SO.SNDTIMEO);
    const caller = { type: this.socket.type, name: this.name, credentials: credentialsOf(io), flags, deadline };
    return after(this.domain.port(name.at).dial(caller, io), end => {
      try {
        this.#checkFree();
      } catch (error) {
        // Another thread was faster.
        return after(end.release(), () => {
          throw error;
        });
      }
      this.#attach(end);
      const room = this.options.given(SO.SNDBUF);
      return room === null ? undefined : end.setOption(SOL_SOCKET, SO.SNDBUF, room);
    });
  }

  #checkFree(): void {
    if (this.#listening !== null) throw new Errno(E.INVAL);
    if (this.#end !== null) throw new Errno(E.ISCONN);
  }

  // ── Talking ──

  override send(message: Message, manner: Manner, io: IoContext): Maybe<number> {
    if (message.to !== null && this.socket.type === SOCK.STREAM) throw new Errno(this.#end === null ? E.OPNOTSUPP : E.ISCONN);
    if (this.#end === null) throw new Errno(E.NOTCONN);
    return this.#end.send({ ...message, to: null }, this.manner(manner, SO.SNDTIMEO), io);
  }

  override receive(count: number, manner: Manner, io: IoContext): Maybe<Received> {
    if (this.#end === null) throw new Errno(this.socket.type === SOCK.STREAM ? E.INVAL : E.NOTCONN);
    const { flags, deadline } = this.manner(manner, SO.RCVTIMEO);
    const tells = this.options.number(SO.PASSCRED) !== 0 || (flags & MSG_SENDER) !== 0;
    return after(this.#end.receive(count, { flags: flags | (tells ? MSG_SENDER : 0), deadline }, io), got =>
      tells ? got : { ...got, credentials: null },
    );
  }

  override shutdown(how: number): Maybe<void> {
    if (this.#listening !== null) {
      this.#listening.shut = true;
      this.#listening.accepted.wakeAll();
      this.changed.wakeAll();
    }
    return this.#end?.shutdown(how);
  }

  override deliver(): Maybe<number> {
    throw new Errno(E.PROTOTYPE);
  }

  // ── State ──

  override poll(): Maybe<number> {
    if (this.#end !== null) return this.#end.poll();
    if (this.#listening === null) return POLL.OUT | POLL.WRNORM | POLL.WRBAND | POLL.HUP;
    const { waiting, shut } = this.#listening;
    return waiting.length > 0 || shut ? POLL.IN | POLL.RDNORM : 0;
  }

  override peerName(): Maybe<string> {
    if (this.#end === null) throw new Errno(E.NOTCONN);
    return this.#end.peerName();
  }

  protected override told(name: number): Maybe<Uint8Array> | null {
    if (name === SO.ACCEPTCONN) return u32Bytes(this.#listening === null ? 0 : 1);
    if (name === SO.PEERCRED && this.#end === null) return credentialBytes(this.#listening?.credentials ?? NOBODY);
    if ((name === SO.ERROR || name === SO.PEERCRED) && this.#end !== null) return this.#end.option(SOL_SOCKET, name);
    return super.told(name);
  }

  override setOption(level: number, name: number, value: Uint8Array): Maybe<void> {
    this.options.set(level, name, value);
    return name === SO.SNDBUF ? this.#end?.setOption(level, name, value) : undefined;
  }

  override ioctl(command: number, argument: number, data: Uint8Array, io: IoContext): Maybe<number> {
    if (this.#end !== null) return this.#end.ioctl(command, argument, data, io);
    if (command === IOCTL.FIONREAD || command === IOCTL.TIOCOUTQ) throw new Errno(E.INVAL);
    throw new Errno(E.NOTTY);
  }
}

export const NOBODY: SocketCredentials = { pid: 0, uid: -1, gid: -1 };

/** Two sockets with a channel between them: socketpair(2). */
export function connectedPair(domain: UnixDomain, type: number, flags: number, io: IoContext): readonly [UnixConnection, UnixConnection] {
  const party = { name: '', credentials: credentialsOf(io) };
  const [a, b] = channel(domain.services, type, BUFFER_BYTES, party, party);
  return [new UnixConnection(domain, type, flags, a), new UnixConnection(domain, type, flags, b)];
}
