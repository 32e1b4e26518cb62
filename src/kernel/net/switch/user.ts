/**
 * /dev/net/shmtun: the rings between kernels, for the program that carries frames in the switch's version `user`.
 *
 *     read     the next frame that has arrived, behind the port (a kernel's number, 4 bytes, little-endian) at which it came; 0: no program
 *              is wanted
 *     write    such a port and a frame: EAGAIN while what was written there before has not been taken
 *     poll     a frame has arrived
 *     SHMTUN_PORTS   which ports there are: a bit each
 *
 * The real program mapped /dev/mem, found slots there, and spun on them. Here no two kernels may write to one page, and a program that
 * spins for ever would be all that there is to see: so it asks the kernel for frames, and sleeps.
 */
import { E, Errno } from '../../abi/errno.ts';
import { IOCTL } from '../../abi/ioctl.ts';
import { POLL } from '../../abi/poll.ts';
import { makeDevice, S } from '../../abi/stat.ts';
import { transferCost } from '../../fs/costs.ts';
import { BaseFile, type FileKind, type IoContext, plainAttributes } from '../../fs/file.ts';
import type { Attributes, Inode } from '../../fs/inode.ts';
import type { Kernel } from '../../kernel.ts';
import { type Blocking, type KernelId, type Maybe, sleep, type WaitQueue } from '../../types.ts';
import { FRAME_MAX } from '../../../machine/devices/packet-ring.ts';
import { ETHERNET_HEADER } from '../ethernet.ts';

export const SHMTUN_DEVICE = { major: 10, minor: 201 } as const;
const PORT_BYTES = 4;

export class ShmtunFile extends BaseFile {
  readonly kind: FileKind = 'character';
  readonly #kernel: Kernel;

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
    return [this.#kernel.vnet.changed];
  }
  attributes(): Maybe<Attributes> {
    return (
      this.inode?.attributes() ?? plainAttributes(5, 4, S.IFCHR | 0o600, { rdev: makeDevice(SHMTUN_DEVICE.major, SHMTUN_DEVICE.minor) })
    );
  }

  get #isWanted(): boolean {
    return this.#kernel.vnet.settings.version === 'user';
  }

  override read(target: Uint8Array, _io: IoContext): Maybe<number> {
    if (target.length < PORT_BYTES + FRAME_MAX) throw new Errno(E.INVAL);
    const count = this.#taken(target);
    if (count !== null) return count;
    if (this.nonblocking) throw new Errno(E.AGAIN);
    return this.#readLater(target);
  }

  *#readLater(target: Uint8Array): Blocking<number> {
    for (;;) {
      const count = this.#taken(target);
      if (count !== null) return count;
      if ((yield* sleep(this.queues)) === 'interrupted') throw new Errno(E.RESTARTSYS);
    }
  }

  /** Null: nothing has arrived. */
  #taken(target: Uint8Array): number | null {
    const { vnet } = this.#kernel;
    if (!this.#isWanted) return 0;
    const found = vnet.take();
    if (found === null) return null;
    const { from, packet } = found;
    vnet.given(packet);
    new DataView(target.buffer, target.byteOffset).setUint32(0, from, true);
    target.set(packet.frame, PORT_BYTES);
    this.#kernel.charge(transferCost(PORT_BYTES + packet.frame.length));
    return PORT_BYTES + packet.frame.length;
  }

  override write(source: Uint8Array, _io: IoContext): number {
    const kernel = this.#kernel;
    const { vnet } = kernel;
    const length = source.length - PORT_BYTES;
    if (length < ETHERNET_HEADER || length > FRAME_MAX) throw new Errno(E.INVAL);
    const target = new DataView(source.buffer, source.byteOffset).getUint32(0, true);
    const port = vnet.ports.get(target);
    if (port === undefined) throw new Errno(E.NODEV);
    kernel.charge(transferCost(source.length));
    if (!port.sender.hasRoom(1)) throw new Errno(E.AGAIN);
    vnet.put(vnet.packetOf(source.slice(PORT_BYTES)), target);
    return source.length;
  }

  override poll(): number {
    if (!this.#isWanted) return POLL.IN | POLL.RDNORM | POLL.HUP;
    return POLL.OUT | POLL.WRNORM | (this.#kernel.vnet.waiting > 0 ? POLL.IN | POLL.RDNORM : 0);
  }

  override ioctl(command: number, _argument: number, data: Uint8Array, _io: IoContext): number {
    if (command !== IOCTL.SHMTUN_PORTS) throw new Errno(E.NOTTY);
    for (const kernel of this.#kernel.vnet.ports.keys()) data[kernel >> 3] = (data[kernel >> 3] as number) | (1 << (kernel & 7));
    return 0;
  }
}
