/**
 * AF_PACKET sockets (packet(7)): every frame of the network's interfaces as it passes, in and out; and frames sent as they are given.
 *
 * Always holds: what waits to be read is bounded by SO_RCVBUF; a frame that does not fit is dropped, and counted.
 */
import { E, Errno } from '../../../abi/errno.ts';
import { POLL } from '../../../abi/poll.ts';
import { AF, MSG, PACKET, SO, SOCK, SOL_PACKET, SOL_SOCKET } from '../../../abi/socket.ts';
import { isGroupMac, MAC_BROADCAST } from '../../../net/address.ts';
import { ETHERNET_HEADER, ethertype, getMac, putEthernet, putMac } from '../../../net/ethernet.ts';
import { type Filter, parseFilter, runFilter } from '../../../net/filter.ts';
import type { NetInterface } from '../../../net/interface.ts';
import type { Blocking, Maybe } from '../../../types.ts';
import { fromBytes, joined, setU32, setU64, toBytes, u32At } from '../../bytes.ts';
import { timestamp } from '../../clock.ts';
import { transferCost } from '../../costs.ts';
import type { IoContext } from '../../file.ts';
import { eager } from '../../maybe.ts';
import type { InetDomain } from '../inet/domain.ts';
import { HARDWARE } from '../inet/ioctl.ts';
import { NetworkSocket } from '../inet/socket.ts';
import { u32Bytes } from '../options.ts';
import type { ControlMessage, Manner, Message, Received, SocketName } from '../socket.ts';

/** ETH_P_ALL */
const ALL = 3;
/** sll_pkttype */
const PASSES = { HOST: 0, BROADCAST: 1, MULTICAST: 2, OTHERHOST: 3, OUTGOING: 4 } as const;
/** sockaddr_ll behind its family. */
const DATA_BYTES = 18;
const FRAME_OVERHEAD = 256;

interface Seen {
  /** The frame, or what the filter wants of it. */
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly from: string;
  readonly time: number;
}

/** 16 bits in network order as a program hands them over in an int. */
const swap16 = (value: number): number => ((value & 255) << 8) | ((value >>> 8) & 255);

function linkName(protocol: number, through: NetInterface | null, passes: number, mac: number): string {
  const bytes = new Uint8Array(DATA_BYTES);
  const kind = through?.loopback ? HARDWARE.LOOPBACK : HARDWARE.ETHER;
  bytes.set([protocol >>> 8, protocol & 255]);
  setU32(bytes, through?.index ?? 0, 2);
  bytes.set([kind & 255, kind >>> 8, passes, through === null ? 0 : 6], 6);
  putMac(bytes, 10, mac);
  return fromBytes(bytes);
}

export class PacketSocket extends NetworkSocket {
  /** Ethertype wanted; ALL for every frame, 0 for none. */
  #protocol: number;
  #through: NetInterface | null = null;
  #filter: Filter | null = null;
  #queue: Seen[] = [];
  #held = 0;
  #packets = 0;
  #drops = 0;
  #stamps = false;
  /** errno to be told once: its interface is down. */
  #error = 0;
  readonly #down = (through: NetInterface): void => {
    if (through === this.#through) this.#fail();
  };
  readonly #tap = (through: NetInterface, direction: 'in' | 'out', frame: Uint8Array): void => this.#see(through, direction, frame);

  constructor(domain: InetDomain, type: number, protocol: number, flags: number, uid: number) {
    super(domain, { family: AF.PACKET, type, protocol: swap16(protocol) }, flags, uid);
    this.#protocol = swap16(protocol);
    domain.stack.taps.add(this.#tap);
    domain.stack.onDown.add(this.#down);
  }

  protected override ended(): void {
    this.domain.stack.taps.delete(this.#tap);
    this.domain.stack.onDown.delete(this.#down);
    this.#queue = [];
  }

  #see(through: NetInterface, direction: 'in' | 'out', frame: Uint8Array): void {
    if (this.#protocol === 0 || frame.length < ETHERNET_HEADER || (this.#through !== null && this.#through !== through)) return;
    const type = ethertype(frame);
    if (this.#protocol !== ALL && (direction === 'out' || this.#protocol !== type)) return;
    const whole = this.socket.type === SOCK.RAW ? frame : frame.subarray(ETHERNET_HEADER);
    const target = getMac(frame, 0);
    const passes =
      direction === 'out'
        ? PASSES.OUTGOING
        : target === MAC_BROADCAST
          ? PASSES.BROADCAST
          : isGroupMac(target)
            ? PASSES.MULTICAST
            : target === through.mac
              ? PASSES.HOST
              : PASSES.OTHERHOST;
    // SKF_AD_PROTOCOL, _PKTTYPE, _IFINDEX
    const beside = (offset: number): number | null => (offset === 0 ? type : offset === 4 ? passes : offset === 8 ? through.index : null);
    const wanted = this.#filter === null ? whole.length : Math.min(whole.length, runFilter(this.#filter, whole, beside));
    if (wanted === 0) return;
    this.#packets++;
    if (this.#held + wanted + FRAME_OVERHEAD > this.options.number(SO.RCVBUF)) {
      this.#drops++;
      return;
    }
    this.#held += wanted + FRAME_OVERHEAD;
    const from = linkName(type, through, passes, getMac(frame, 6));
    this.#queue.push({ bytes: whole.slice(0, wanted), length: wanted, from, time: this.services.now() });
    this.changed.wakeAll();
  }

  // ── Names ──

  override bind(name: SocketName): void {
    if (name.data.length < DATA_BYTES) throw new Errno(E.INVAL);
    const bytes = toBytes(name.data);
    const protocol = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
    this.#through = this.#interface(u32At(bytes, 2));
    if (protocol !== 0) this.#protocol = protocol;
    if (this.#through?.up === false) this.#fail();
  }
  #fail(): void {
    this.#error = E.NETDOWN;
    this.changed.wakeAll();
  }
  #takeError(): number {
    const error = this.#error;
    this.#error = 0;
    return error;
  }
  #interface(index: number): NetInterface | null {
    if (index === 0) return null;
    const found = this.domain.stack.interfaces.find(each => each.index === index);
    if (found === undefined) throw new Errno(E.NODEV);
    return found;
  }
  override connect(): void {
    throw new Errno(E.OPNOTSUPP);
  }
  override shutdown(): void {
    throw new Errno(E.OPNOTSUPP);
  }
  override ownName(): string {
    return linkName(this.#protocol, this.#through, 0, this.#through?.mac ?? 0);
  }
  override peerName(): string {
    throw new Errno(E.OPNOTSUPP);
  }

  // ── Frames ──

  override send({ bytes, to }: Message, _manner: Manner, _io: IoContext): number {
    const address = to === null ? null : toBytes(to.data.padEnd(DATA_BYTES, '\0'));
    const through = address === null ? this.#through : this.#interface(u32At(address, 2));
    if (through === null) throw new Errno(E.NXIO);
    if (!through.up) throw new Errno(E.NETDOWN);
    this.services.charge(transferCost(bytes.length));
    let frame: Uint8Array = bytes.slice();
    if (this.socket.type === SOCK.DGRAM) {
      if (address === null) throw new Errno(E.DESTADDRREQ);
      const header = new Uint8Array(ETHERNET_HEADER);
      putEthernet(header, getMac(address, 10), through.mac, ((address[0] ?? 0) << 8) | (address[1] ?? 0));
      frame = joined([header, frame]);
    }
    if (frame.length < ETHERNET_HEADER) throw new Errno(E.INVAL);
    if (frame.length - ETHERNET_HEADER > through.mtu) throw new Errno(E.MSGSIZE);
    if (!through.transmit(frame)) throw new Errno(E.NOBUFS);
    return bytes.length;
  }

  override receive(count: number, manner: Manner, _io: IoContext): Maybe<Received> {
    return eager(this.#receive(count, this.manner(manner, SO.RCVTIMEO)));
  }

  *#receive(count: number, manner: Manner): Blocking<Received> {
    for (;;) {
      const error = this.#takeError();
      if (error !== 0) throw new Errno(error);
      const first = this.#queue[0];
      if (first !== undefined) {
        if ((manner.flags & MSG.PEEK) === 0) {
          this.#queue.shift();
          this.#held -= first.length + FRAME_OVERHEAD;
        }
        const bytes = first.bytes.slice(0, count);
        this.services.charge(transferCost(bytes.length));
        return { bytes, length: first.length, from: first.from, files: [], credentials: null, control: this.#control(first) };
      }
      yield* this.waitChange(manner);
    }
  }

  #control({ time }: Seen): ControlMessage[] {
    if (!this.#stamps) return [];
    const { seconds, nanoseconds } = timestamp(time, this.services.hertz);
    const data = new Uint8Array(16);
    setU64(data, seconds);
    setU64(data, Math.floor(nanoseconds / 1000), 8);
    return [{ level: SOL_SOCKET, type: SO.TIMESTAMP, data: [...data] }];
  }

  override poll(): number {
    const ready = this.#queue.length > 0 || this.#error !== 0;
    return POLL.OUT | POLL.WRNORM | (ready ? POLL.IN | POLL.RDNORM : 0) | (this.#error === 0 ? 0 : POLL.ERR);
  }
  protected override waitingBytes(): number {
    return this.#queue[0]?.bytes.length ?? 0;
  }

  // ── Options ──

  override option(level: number, name: number): Maybe<Uint8Array> {
    if (level === SOL_SOCKET && name === SO.ERROR) return u32Bytes(this.#takeError());
    if (level === SOL_SOCKET && name === SO.TIMESTAMP) return u32Bytes(this.#stamps ? 1 : 0);
    if (level !== SOL_PACKET) return super.option(level, name);
    if (name !== PACKET.STATISTICS) throw new Errno(E.NOPROTOOPT);
    // struct tpacket_stats: since they were last asked for.
    const bytes = joined([u32Bytes(this.#packets), u32Bytes(this.#drops)]);
    this.#packets = 0;
    this.#drops = 0;
    return bytes;
  }

  override setOption(level: number, name: number, value: Uint8Array): Maybe<void> {
    if (level === SOL_PACKET) {
      // Interfaces here hear everything that reaches them: being promiscuous is nothing new.
      if (name !== PACKET.ADD_MEMBERSHIP && name !== PACKET.DROP_MEMBERSHIP) throw new Errno(E.NOPROTOOPT);
      return;
    }
    if (level !== SOL_SOCKET) throw new Errno(E.NOPROTOOPT);
    if (name === SO.TIMESTAMP) {
      if (value.length < 4) throw new Errno(E.INVAL);
      this.#stamps = u32At(value) !== 0;
    } else if (name === SO.ATTACH_FILTER) {
      const filter = parseFilter(value);
      if (filter === null) throw new Errno(E.INVAL);
      this.#filter = filter;
    } else if (name === SO.DETACH_FILTER) this.#filter = null;
    else super.setOption(level, name, value);
  }
}
