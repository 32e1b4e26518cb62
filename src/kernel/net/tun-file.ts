/**
 * /dev/net/tun: a network interface whose other end is a program. What the stack sends the program reads, what the program writes comes in.
 *
 *     open → TUNSETIFF names the interface and makes it, or takes `vnet0`, while the virtual switch is of version `user` → read, write,
 *          poll
 *
 * A TAP device has whole frames. A TUN device has IP packets: the headers before them are taken away and made here, and who asks for a
 * neighbour on it gets an answer. Without IFF_NO_PI four bytes stand before each: flags (0) and the ethertype, in network order.
 *
 * Always holds: one file is one interface; with the last reference to it the interface goes, unless it is persistent or the switch's.
 */
import { E, Errno } from '../abi/errno.ts';
import { IOCTL } from '../abi/ioctl.ts';
import { POLL } from '../abi/poll.ts';
import { makeDevice, S } from '../abi/stat.ts';
import { fromBytes } from '../fs/bytes.ts';
import { transferCost } from '../fs/costs.ts';
import { BaseFile, type FileKind, type IoContext, plainAttributes } from '../fs/file.ts';
import type { Attributes, Inode } from '../fs/inode.ts';
import type { Kernel } from '../kernel.ts';
import { FRAME_MAX } from '../../machine/devices/packet-ring.ts';
import { type Blocking, type KernelId, type Maybe, sleep, type WaitQueue } from '../types.ts';
import { put16 } from './bytes.ts';
import { ETHERNET_HEADER, ETHERTYPE, ethertype, getMac, putEthernet, putMac } from './ethernet.ts';
import { MTU } from './parameters.ts';
import type { MacAddress, NetDevice } from './platform.ts';
import { type Tap, TapQueue } from './switch/tap.ts';

export const TUN_DEVICE = { major: 10, minor: 200 } as const;

const IFF = { TUN: 1, TAP: 2, NO_PI: 0x1000, ONE_QUEUE: 0x2000, TUN_EXCL: 0x8000 } as const;
const NAME_BYTES = 16;
const PI_BYTES = 4;
/** Who is at the other end of a TUN device: it has no address of its own. */
const FAR_MAC: MacAddress = 0x02504f5003ff;

export class TunFile extends BaseFile {
  readonly kind: FileKind = 'character';
  readonly #kernel: Kernel;
  #tap: Tap | null = null;
  #name = '';
  #flags = 0;
  #release: () => void = () => {};
  #persists = false;

  constructor(kernel: Kernel, flags: number) {
    super(flags);
    this.#kernel = kernel;
  }

  get owner(): KernelId {
    return this.#kernel.id;
  }
  override get inode(): Inode | null {
    return this.dentry?.inode ?? null;
  }
  override get queues(): readonly WaitQueue[] {
    return this.#tap === null ? [] : [this.#tap.queue.changed];
  }
  attributes(): Maybe<Attributes> {
    return this.inode?.attributes() ?? plainAttributes(5, 4, S.IFCHR | 0o666, { rdev: makeDevice(TUN_DEVICE.major, TUN_DEVICE.minor) });
  }
  protected override closed(): void {
    if (!this.#persists) this.#release();
  }

  // --- which interface -----------------------------------------------------------------------------------------------------------

  override ioctl(command: number, argument: number, data: Uint8Array, io: IoContext): number {
    switch (command) {
      case IOCTL.TUNSETIFF:
        this.#attach(data, io);
        return 0;
      case IOCTL.TUNGETIFF:
        if (this.#tap === null) throw new Errno(E.BADFD);
        this.#tell(data);
        return 0;
      case IOCTL.TUNGETFEATURES:
        new DataView(data.buffer, data.byteOffset).setUint32(0, IFF.TUN | IFF.TAP | IFF.NO_PI | IFF.ONE_QUEUE, true);
        return 0;
      case IOCTL.TUNSETPERSIST:
        if (this.#tap === null) throw new Errno(E.BADFD);
        this.#persists = argument !== 0;
        return 0;
      case IOCTL.TUNSETOWNER:
      case IOCTL.TUNSETGROUP:
      case IOCTL.TUNSETNOCSUM:
        return 0;
      default:
        throw new Errno(this.#tap === null ? E.BADFD : E.INVAL);
    }
  }

  #attach(data: Uint8Array, io: IoContext): void {
    const kernel = this.#kernel;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const flags = view.getUint16(NAME_BYTES, true);
    const type = flags & (IFF.TUN | IFF.TAP);
    if (io.uid !== 0) throw new Errno(E.PERM);
    if (this.#tap !== null || (type !== IFF.TUN && type !== IFF.TAP)) throw new Errno(E.INVAL);
    if (flags & ~(IFF.TUN | IFF.TAP | IFF.NO_PI | IFF.ONE_QUEUE | IFF.TUN_EXCL)) throw new Errno(E.INVAL);
    const wanted = fromBytes(data.subarray(0, NAME_BYTES - 1)).split('\0', 1)[0] ?? '';
    const taken = new Set(kernel.net.stack.interfaces.map(({ name }) => name));
    if (wanted === kernel.vnet.device.name) {
      if (type !== IFF.TAP) throw new Errno(E.INVAL);
      this.#release = kernel.vnet.attachProgram();
      this.#tap = kernel.vnet.tap;
      this.#name = wanted;
    } else {
      this.#name = this.#free(wanted === '' ? (type === IFF.TAP ? 'tap%d' : 'tun%d') : wanted, taken);
      this.#tap = this.#make(type === IFF.TUN);
    }
    this.#flags = flags;
    this.#tell(data);
  }

  #free(wanted: string, taken: ReadonlySet<string>): string {
    if (!wanted.includes('%d')) {
      if (/[/\s%]/.test(wanted)) throw new Errno(E.INVAL);
      if (taken.has(wanted)) throw new Errno(E.BUSY);
      return wanted;
    }
    for (let n = 0; n < 1000; n++) {
      const name = wanted.replace('%d', String(n));
      if (!taken.has(name) && !/[/\s%]/.test(name)) return name;
    }
    throw new Errno(E.NFILE);
  }

  #make(isTun: boolean): Tap {
    const kernel = this.#kernel;
    const queue = new TapQueue();
    const mac = 0x020000000000 + (kernel.random() % 0x1000000) * 0x10000 + (kernel.random() & 0xffff);
    const device: NetDevice = {
      name: this.#name,
      mac,
      mtu: MTU,
      driver: { driver: 'tun', bus: isTun ? 'tun' : 'tap', statistics: () => ({}), hasLink: () => true, speed: () => null },
      transmit: frame => {
        if (!isTun) return queue.put({ frame, id: 0 });
        if (ethertype(frame) === ETHERTYPE.ARP) this.#answer(device, frame);
        return ethertype(frame) !== ETHERTYPE.IPV4 || queue.put({ frame: frame.subarray(ETHERNET_HEADER), id: 0 });
      },
    };
    const through = kernel.net.attach(device);
    this.#release = () => kernel.net.detach(through);
    return {
      queue,
      receive: bytes => {
        if (!isTun) return kernel.net.receive(device, bytes);
        const frame = new Uint8Array(ETHERNET_HEADER + bytes.length);
        putEthernet(frame, mac, FAR_MAC, ETHERTYPE.IPV4);
        frame.set(bytes, ETHERNET_HEADER);
        kernel.net.receive(device, frame);
      },
    };
  }

  /** Whoever is asked for, the far end has that address. */
  #answer(device: NetDevice, request: Uint8Array): void {
    if (request.length < ETHERNET_HEADER + 28 || request[ETHERNET_HEADER + 7] !== 1) return;
    const reply = request.slice();
    const arp = reply.subarray(ETHERNET_HEADER);
    const [asker, askerAddress, wanted] = [getMac(arp, 8), arp.slice(14, 18), arp.slice(24, 28)];
    if (askerAddress.every((byte, i) => byte === wanted[i])) return;
    putEthernet(reply, asker, FAR_MAC, ETHERTYPE.ARP);
    put16(arp, 6, 2);
    putMac(arp, 8, FAR_MAC);
    arp.set(wanted, 14);
    putMac(arp, 18, asker);
    arp.set(askerAddress, 24);
    const kernel = this.#kernel;
    kernel.at(kernel.now, () => kernel.net.receive(device, reply));
  }

  #tell(data: Uint8Array): void {
    data.fill(0, 0, NAME_BYTES);
    for (let i = 0; i < this.#name.length && i < NAME_BYTES - 1; i++) data[i] = this.#name.charCodeAt(i) & 0xff;
    new DataView(data.buffer, data.byteOffset, data.byteLength).setUint16(NAME_BYTES, this.#flags, true);
  }

  // --- frames --------------------------------------------------------------------------------------------------------------------

  get #attached(): Tap {
    if (this.#tap === null) throw new Errno(E.BADFD);
    return this.#tap;
  }
  get #hasInfo(): boolean {
    return (this.#flags & IFF.NO_PI) === 0;
  }

  override read(target: Uint8Array, _io: IoContext): Maybe<number> {
    const { queue, isOver } = this.#attached;
    if (queue.length > 0 || isOver === true) return this.#taken(target);
    if (this.nonblocking) throw new Errno(E.AGAIN);
    return this.#readLater(target);
  }

  *#readLater(target: Uint8Array): Blocking<number> {
    const tap = this.#attached;
    const { queue } = tap;
    while (queue.length === 0 && tap.isOver !== true) {
      if ((yield* sleep([queue.changed])) === 'interrupted' && queue.length === 0) throw new Errno(E.RESTARTSYS);
    }
    return this.#taken(target);
  }

  #taken(target: Uint8Array): number {
    const tap = this.#attached;
    const packet = tap.queue.take();
    if (packet === undefined) return 0;
    tap.given?.(packet);
    const { frame } = packet;
    const before = this.#hasInfo ? PI_BYTES : 0;
    if (target.length < before) throw new Errno(E.INVAL);
    if (before > 0) {
      target.fill(0, 0, PI_BYTES);
      put16(target, 2, this.#flags & IFF.TUN ? ETHERTYPE.IPV4 : ethertype(frame));
    }
    const count = Math.min(frame.length, target.length - before);
    target.set(frame.subarray(0, count), before);
    this.#kernel.charge(transferCost(before + count));
    return before + count;
  }

  override write(source: Uint8Array, _io: IoContext): number {
    const tap = this.#attached;
    const frame = source.slice(this.#hasInfo ? PI_BYTES : 0);
    const least = this.#flags & IFF.TUN ? 1 : ETHERNET_HEADER;
    if (source.length < (this.#hasInfo ? PI_BYTES : 0) + least || frame.length > FRAME_MAX) throw new Errno(E.INVAL);
    this.#kernel.charge(transferCost(source.length));
    tap.receive(frame);
    return source.length;
  }

  override poll(): number {
    if (this.#tap === null) return POLL.ERR;
    if (this.#tap.isOver === true) return POLL.IN | POLL.RDNORM | POLL.HUP;
    return POLL.OUT | POLL.WRNORM | (this.#tap.queue.length > 0 ? POLL.IN | POLL.RDNORM : 0);
  }
}
