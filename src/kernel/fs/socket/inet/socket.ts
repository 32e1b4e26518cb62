/**
 * What sockets of the network have in common: their place among the living, what is stored and checked for all of AF_INET, ioctls, and
 * how a call waits for the stack, which never does.
 */
import { E, Errno } from '../../../abi/errno.ts';
import { IOCTL } from '../../../abi/ioctl.ts';
import { POLL } from '../../../abi/poll.ts';
import { IP, IPPROTO, MSG, SO, SOL_SOCKET } from '../../../abi/socket.ts';
import type { NetInterface } from '../../../net/interface.ts';
import { READY } from '../../../net/socket.ts';
import { type Blocking, type Cycles, type Maybe, sleep } from '../../../types.ts';
import { fromBytes, setU32, toBytes, u32At } from '../../bytes.ts';
import type { IoContext } from '../../file.ts';
import { LocalSocket } from '../local.ts';
import { u32Bytes } from '../options.ts';
import type { Accepted, ControlMessage, Manner, SocketKind } from '../socket.ts';
import type { InetDomain } from './domain.ts';
import { interfaceIoctl } from './ioctl.ts';

/** What /proc/net and `ss` tell of a socket beside its addresses. */
export abstract class NetworkSocket extends LocalSocket {
  /** Who made it. */
  readonly uid: number;

  constructor(
    readonly domain: InetDomain,
    kind: Omit<SocketKind, 'ino'>,
    flags: number,
    uid: number,
  ) {
    super(domain.services, { ...kind, ino: domain.newIno() }, flags);
    this.uid = uid;
    domain.living.add(this);
  }

  protected override closed(): Maybe<void> {
    this.domain.living.delete(this);
    return this.ended();
  }
  /** The last reference is gone. */
  protected abstract ended(): Maybe<void>;

  /** Waits until the socket changes. Throws EAGAIN for one that does not want to, or no longer; RESTARTSYS for a signal. */
  protected *waitChange({ flags, deadline }: Manner): Blocking<void> {
    if (flags & MSG.DONTWAIT) throw new Errno(E.AGAIN);
    const reason = yield* sleep(this.queues, { deadline });
    if (reason !== 'woken') throw new Errno(reason === 'timeout' ? E.AGAIN : E.RESTARTSYS);
  }

  override ioctl(command: number, _argument: number, data: Uint8Array, io: IoContext): Maybe<number> {
    if (command === IOCTL.FIONREAD || command === IOCTL.TIOCOUTQ) {
      setU32(data, command === IOCTL.FIONREAD ? this.waitingBytes() : this.unsentBytes());
      return 0;
    }
    return interfaceIoctl(this.domain, command, data, io);
  }
  protected abstract waitingBytes(): number;
  protected unsentBytes(): number {
    return 0;
  }

  override listen(_backlog: number, _io: IoContext): Maybe<void> {
    throw new Errno(E.OPNOTSUPP);
  }
  override accept(_flags: number, _io: IoContext): Maybe<Accepted> {
    throw new Errno(E.OPNOTSUPP);
  }
}

/** Options of level IPPROTO_IP that are numbers, with their first values. */
const IP_NUMBERS: ReadonlyMap<number, number> = new Map([
  [IP.TOS, 0],
  [IP.TTL, 0],
  [IP.HDRINCL, 0],
  [IP.RETOPTS, 0],
  [IP.PKTINFO, 0],
  [IP.MTU_DISCOVER, 1],
  [IP.RECVERR, 0],
  [IP.RECVTTL, 0],
  [IP.RECVTOS, 0],
  [IP.FREEBIND, 0],
  [IP.MINTTL, 0],
  [IP.BIND_ADDRESS_NO_PORT, 0],
  [IP.MULTICAST_TTL, 1],
  [IP.MULTICAST_LOOP, 1],
]);

/** What a packet is told to have come with. */
interface Arrival {
  readonly to: number;
  readonly through: NetInterface;
  readonly ttl: number;
  readonly tos: number;
}

export abstract class InetSocket extends NetworkSocket {
  /** Those of IP_NUMBERS that a program has set. */
  readonly #ip = new Map<number, number>();
  /** SO_BINDTODEVICE */
  protected through: NetInterface | null = null;

  protected ipOption(name: number): number {
    return this.#ip.get(name) ?? IP_NUMBERS.get(name) ?? 0;
  }

  override option(level: number, name: number): Maybe<Uint8Array> {
    if (level === SOL_SOCKET && name === SO.BINDTODEVICE) return toBytes(this.through === null ? '' : `${this.through.name}\0`);
    if (level !== IPPROTO.IP) return super.option(level, name);
    if (name === IP.MTU) return u32Bytes(this.pathMtu());
    if (name === IP.OPTIONS) return new Uint8Array(0);
    if (name === IP.TTL) return u32Bytes(this.ipOption(IP.TTL) || this.domain.stack.ip.defaultTtl);
    if (!IP_NUMBERS.has(name)) throw new Errno(E.NOPROTOOPT);
    return u32Bytes(this.ipOption(name));
  }

  override setOption(level: number, name: number, value: Uint8Array): Maybe<void> {
    if (level === SOL_SOCKET && name === SO.BINDTODEVICE) {
      this.#bindTo(fromBytes(value).replace(/\0.*$/s, ''));
      return this.optionsChanged();
    }
    if (level !== IPPROTO.IP) {
      super.setOption(level, name, value);
      return this.optionsChanged();
    }
    if (!IP_NUMBERS.has(name)) throw new Errno(E.NOPROTOOPT);
    // A byte will do, as on Linux.
    if (value.length === 0) throw new Errno(E.INVAL);
    const number = value.length >= 4 ? u32At(value) | 0 : (value[0] as number);
    if (name === IP.TTL && number !== -1 && (number < 1 || number > 255)) throw new Errno(E.INVAL);
    this.#ip.set(name, number === -1 && name === IP.TTL ? 0 : number);
    return this.optionsChanged();
  }

  /** What was set is to count from now on. */
  protected abstract optionsChanged(): Maybe<void>;
  /** Throws ENOTCONN. */
  protected abstract pathMtu(): number;

  #bindTo(name: string): void {
    const { interfaces } = this.domain.stack;
    const found = name === '' ? null : interfaces.find(each => each.name === name);
    if (found === undefined) throw new Errno(E.NODEV);
    this.through = found;
  }

  /** SO_ERROR, which is thereby reported. */
  protected abstract takeError(): number;
  protected override told(name: number): Maybe<Uint8Array> | null {
    return name === SO.ERROR ? u32Bytes(this.takeError()) : super.told(name);
  }

  /** The control messages that options of IPPROTO_IP ask for. */
  protected controlOf({ to, through, ttl, tos }: Arrival): ControlMessage[] {
    const level = IPPROTO.IP;
    const messages: ControlMessage[] = [];
    if (this.ipOption(IP.PKTINFO)) {
      const data = new Uint8Array(12);
      setU32(data, through.index);
      for (const at of [4, 8]) for (let i = 0; i < 4; i++) data[at + i] = (to >>> (24 - 8 * i)) & 255;
      messages.push({ level, type: IP.PKTINFO, data: [...data] });
    }
    if (this.ipOption(IP.RECVTTL)) messages.push({ level, type: IP.TTL, data: [ttl, 0, 0, 0] });
    if (this.ipOption(IP.RECVTOS)) messages.push({ level, type: IP.TOS, data: [tos] });
    return messages;
  }
}

/** The stack's readiness in poll's bits. */
export function pollBits(ready: number): number {
  const { IN, OUT, ERR, HUP, RDHUP } = READY;
  return (
    (ready & IN ? POLL.IN | POLL.RDNORM : 0) |
    (ready & OUT ? POLL.OUT | POLL.WRNORM : 0) |
    (ready & ERR ? POLL.ERR : 0) |
    (ready & HUP ? POLL.HUP : 0) |
    (ready & RDHUP ? POLL.RDHUP : 0)
  );
}

/** A moment as SO_LINGER has it: so many seconds from now. */
export const lingerDeadline = (now: Cycles, seconds: number, hertz: number): Cycles => now + seconds * hertz;
