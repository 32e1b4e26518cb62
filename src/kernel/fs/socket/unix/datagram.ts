/**
 * Datagram sockets: a flow of letters that others put in, and the place where this one's own go.
 *
 * Always holds: the flow lives with the receiver; who sends to a socket of another kernel asks there, and waits there for room.
 */
import { E, Errno } from '../../../abi/errno.ts';
import { IOCTL } from '../../../abi/ioctl.ts';
import { POLL } from '../../../abi/poll.ts';
import { MSG, SHUT, SO, SOCK } from '../../../abi/socket.ts';
import { type Blocking, type Maybe, sleep, WaitQueue } from '../../../types.ts';
import { setU32 } from '../../bytes.ts';
import { transferCost } from '../../costs.ts';
import type { IoContext } from '../../file.ts';
import { eager } from '../../maybe.ts';
import { Flow, type Taken } from '../flow.ts';
import { credentialBytes } from '../options.ts';
import type { Accepted, Manner, Message, Received, SocketLink, SocketName } from '../socket.ts';
import { type Conduit, MSG_SENDER } from './channel.ts';
import { NOBODY } from './connection.ts';
import type { Letter, UnixDomain } from './domain.ts';
import { UnixSocket } from './socket.ts';

/** net.unix.max_dgram_qlen: letters that wait before senders do; one more gets in. */
const LETTERS_MAX = 10;
const MESSAGE_MARGIN = 32;

export class UnixDatagram extends UnixSocket {
  readonly #flow = new Flow(Number.POSITIVE_INFINITY);
  /** Woken when there is room for a letter. */
  readonly #room = new WaitQueue();
  #peer: SocketName | null = null;
  #peerRoom: WaitQueue | null = null;
  #shut = 0;

  constructor(domain: UnixDomain, flags: number) {
    super(domain, SOCK.DGRAM, flags);
  }

  protected override ended(): Maybe<void> {
    this.#associate(null);
    const { released } = this.#flow.clear();
    this.#room.wakeAll();
    return released;
  }

  override get isConnected(): boolean {
    return this.#peer !== null;
  }

  #associate(peer: SocketName | null): void {
    this.#peerRoom?.sleepers.delete(this.relay);
    this.#peer = peer;
    const there = peer?.at?.kernel === this.owner ? this.domain.living.get(peer.at.ino) : undefined;
    this.#peerRoom = there instanceof UnixDatagram ? there.#room : null;
    this.#peerRoom?.sleepers.add(this.relay);
    this.changed.wakeAll();
  }

  override connect(name: SocketName | null, _io: IoContext): void {
    if (name?.at) {
      const there = name.at.kernel === this.owner ? this.domain.port(name.at) : null;
      if (there !== null && !(there instanceof UnixDatagram)) throw new Errno(E.PROTOTYPE);
      if (there !== null && !there.#takesFrom(this.link)) throw new Errno(E.PERM);
    }
    this.#associate(name);
  }

  /** Whether it is connected to nobody else. */
  #takesFrom(sender: SocketLink): boolean {
    const own = this.#peer?.at ?? null;
    return own === null || (own.kernel === sender.kernel && own.ino === sender.ino);
  }

  override send(message: Message, manner: Manner, io: IoContext): Maybe<number> {
    const to = message.to ?? this.#peer;
    if (this.#shut & WRITES) throw new Errno(E.PIPE);
    if (to?.at == null) throw new Errno(E.NOTCONN);
    if (message.bytes.length > this.options.number(SO.SNDBUF) - MESSAGE_MARGIN) throw new Errno(E.MSGSIZE);
    const letter: Letter = { type: SOCK.DGRAM, message, from: { data: this.name, at: this.link }, ...this.manner(manner, SO.SNDTIMEO) };
    try {
      return this.domain.port(to.at).deliver(letter, io);
    } catch (error) {
      // The association ends with the other socket.
      if (error instanceof Errno && error.errno === E.CONNREFUSED && message.to === null) this.#associate(null);
      throw error;
    }
  }

  override deliver(letter: Letter): Maybe<number> {
    if (letter.type !== SOCK.DGRAM) throw new Errno(E.PROTOTYPE);
    return eager(this.#deliver(letter));
  }

  *#deliver({ message, from, flags, deadline }: Letter): Blocking<number> {
    for (;;) {
      if (from.at !== null && !this.#takesFrom(from.at)) throw new Errno(E.PERM);
      if (this.references === 0) throw new Errno(E.CONNREFUSED);
      if (this.#shut & READS) throw new Errno(E.PIPE);
      if (this.#flow.count <= LETTERS_MAX || (from.at?.ino === this.socket.ino && from.at.kernel === this.owner)) break;
      if (flags & MSG.DONTWAIT) throw new Errno(E.AGAIN);
      const reason = yield* sleep([this.#room], { deadline });
      if (reason !== 'woken') throw new Errno(reason === 'timeout' ? E.AGAIN : E.RESTARTSYS);
    }
    const { bytes, files, credentials } = message;
    this.domain.services.charge(transferCost(bytes.length));
    this.#flow.put({ bytes: bytes.slice(), files, credentials, from: from.data });
    this.changed.wakeAll();
    return bytes.length;
  }

  override receive(count: number, manner: Manner, _io: IoContext): Maybe<Received> {
    return eager(this.#receive(count, this.manner(manner, SO.RCVTIMEO)));
  }

  *#receive(count: number, { flags, deadline }: Manner): Blocking<Received> {
    for (;;) {
      const taken = this.#take(count, (flags & MSG.PEEK) !== 0);
      if (taken !== null) {
        const tells = this.options.number(SO.PASSCRED) !== 0 || (flags & MSG_SENDER) !== 0;
        return tells ? taken : { ...taken, credentials: null };
      }
      if (flags & MSG.DONTWAIT) throw new Errno(E.AGAIN);
      if (this.#shut & READS) return { bytes: new Uint8Array(0), length: 0, from: '', files: [], credentials: null };
      const reason = yield* sleep(this.queues, { deadline });
      if (reason !== 'woken' && this.#flow.count === 0) throw new Errno(reason === 'timeout' ? E.AGAIN : E.RESTARTSYS);
    }
  }

  #take(count: number, peek: boolean): Taken | null {
    const taken = this.#flow.takePacket(count, peek);
    if (taken === null) return null;
    this.domain.services.charge(transferCost(taken.bytes.length));
    if (!peek) this.#room.wakeAll();
    return taken;
  }

  override shutdown(how: number): void {
    this.#shut |= how === SHUT.RDWR ? READS | WRITES : how === SHUT.RD ? READS : WRITES;
    this.changed.wakeAll();
    this.#room.wakeAll();
  }

  override poll(): number {
    let mask = 0;
    if (this.#shut & READS) mask |= POLL.RDHUP | POLL.IN | POLL.RDNORM;
    if (this.#shut === (READS | WRITES)) mask |= POLL.HUP;
    if (this.#flow.count > 0) mask |= POLL.IN | POLL.RDNORM;
    if (!this.#peerIsFull()) mask |= POLL.OUT | POLL.WRNORM | POLL.WRBAND;
    return mask;
  }

  /** Of a peer on another kernel it is not known: a send waits there. */
  #peerIsFull(): boolean {
    const at = this.#peer?.at;
    const there = at?.kernel === this.owner ? this.domain.living.get(at.ino) : undefined;
    return there instanceof UnixDatagram && there !== this && there.#flow.count > LETTERS_MAX;
  }

  override peerName(): string {
    if (this.#peer === null) throw new Errno(E.NOTCONN);
    return this.#peer.data;
  }
  protected override told(name: number): Maybe<Uint8Array> | null {
    return name === SO.PEERCRED ? credentialBytes(NOBODY) : super.told(name);
  }
  override ioctl(command: number, _argument: number, data: Uint8Array): number {
    if (command !== IOCTL.FIONREAD) throw new Errno(E.NOTTY);
    setU32(data, this.#flow.waiting(true));
    return 0;
  }

  override listen(): void {
    throw new Errno(E.OPNOTSUPP);
  }
  override accept(): Maybe<Accepted> {
    throw new Errno(E.OPNOTSUPP);
  }
  override dial(): Maybe<Conduit> {
    throw new Errno(E.PROTOTYPE);
  }
}

const READS = 1;
const WRITES = 2;

/** Two that send to each other: socketpair(2). */
export function datagramPair(domain: UnixDomain, flags: number, io: IoContext): readonly [UnixDatagram, UnixDatagram] {
  const pair = [new UnixDatagram(domain, flags), new UnixDatagram(domain, flags)] as const;
  const [a, b] = pair;
  a.connect({ data: '', at: b.link }, io);
  b.connect({ data: '', at: a.link }, io);
  return pair;
}
