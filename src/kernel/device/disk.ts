/**
 * The disk's driver, and its file system at /disk. The owner mounts what is on the disk; to everyone else /disk is the owner's, by message.
 *
 *     attach   the superblock is read; an ext2 is mounted
 *     detach   refused while a program anywhere has a file of it open, or works in a directory of it; then all is written, and it is unmounted,
 *              once no other kernel remembers anything of it
 *
 * Always holds: nothing of the disk is kept in a kernel that does not own it; one request at a time is with the disk, in the order in which
 * they were made.
 */
import { type Disk, SECTOR_BYTES } from '../../machine/devices/disk.ts';
import type { MachineDevice } from '../../machine/devices/devices.ts';
import { E, Errno } from '../abi/errno.ts';
import { makeDevice, S } from '../abi/stat.ts';
import type { BlockDevice, Piece } from '../fs/ext2/buffers.ts';
import { Ext2, NotMountable } from '../fs/ext2/ext2.ts';
import { type Attributes, BaseInode, type FileSystem, type FileSystemStatus, type Inode, type InodeKind } from '../fs/inode.ts';
import type { Dentry } from '../fs/vfs.ts';
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import { Refusal } from '../partition/refusal.ts';
import { type Blocking, type KernelId, type Maybe, settle, sleep, WaitQueue } from '../types.ts';
import type { Driver } from './devices.ts';
import { DiskFile } from './disk-file.ts';

export const DISK_NUMBER = makeDevice(254, 0);
const MOUNT_POINT = '/disk';
const NODE = '/dev/vda';
/** Seconds after a change at which it is written, as Linux's dirty_writeback and dirty_expire have it together. */
const WRITE_BACK_SECONDS = 5;
/** Within which a kernel surely hears that a device is its own. */
const NEWS_MILLISECONDS = 20;

export class DiskDriver implements Driver, BlockDevice {
  readonly #kernel: Kernel;
  readonly #disk: Disk;
  readonly #turn = new WaitQueue();
  #isWorking = false;
  readonly #root: DiskRoot;
  #fs: Ext2 | null = null;
  /** What is mounted at /disk here: the file system, or the owner's. */
  #mounted: Dentry | null = null;
  #isWriteBackDue = false;
  /** The run is about to end. */
  #isLast = false;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#disk = kernel.platform.disk;
    this.#root = new DiskRoot(kernel);
    kernel.disk = this;
  }

  /** The root of the file system, for other kernels: one that waits until it is mounted. */
  get root(): Inode {
    return this.#fs?.root ?? this.#root;
  }
  /** Null: nothing is mounted. */
  get fileSystem(): Ext2 | null {
    return this.#fs;
  }

  // --- requests ------------------------------------------------------------------------------------------------------------------

  get bytes(): number {
    return this.#disk.sectors * SECTOR_BYTES;
  }

  *transfer(at: number, pieces: readonly Piece[], write: boolean): Blocking<void> {
    const kernel = this.#kernel;
    while (this.#isWorking) yield* sleep([this.#turn], { interruptible: false });
    const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
    const [sector, count] = [at / SECTOR_BYTES, bytes / SECTOR_BYTES];
    if (!kernel.devices.isAttached('disk0') || sector < 0 || sector + count > this.#disk.sectors) throw new Errno(E.IO);
    this.#isWorking = true;
    kernel.charge(kernel.cost('diskRequest'));
    const done = new WaitQueue();
    let isDone = false;
    kernel.at(this.#disk.start(kernel.now, sector, count, write), () => {
      kernel.charge(kernel.cost('interruptEntry'));
      kernel.diskInterrupts++;
      this.#disk.finish(sector, pieces, write);
      if (!write) for (const { address } of pieces) kernel.processor.invalidateFrame(Math.floor(address / 4096));
      this.#isWorking = false;
      isDone = true;
      done.wakeAll();
      this.#turn.wakeAll();
    });
    while (!isDone) yield* sleep([done], { interruptible: false });
  }

  // --- the driver ----------------------------------------------------------------------------------------------------------------

  *attach(device: MachineDevice): Blocking<void> {
    const kernel = this.#kernel;
    this.#root.expect();
    kernel.vfs.devices.registerBlock('virtblk', 254, 0, flags => new DiskFile(kernel, this, flags));
    try {
      if (this.bytes === 0) throw new NotMountable('there is no disk in it');
      kernel.log(6, `${device.name}: vda: ${this.bytes >>> 20} MiB, ${this.#disk.sectors} sectors`);
      const fs = yield* Ext2.mount(kernel.files.services, this, DISK_NUMBER, () => this.#writeBackLater());
      this.#fs = fs;
      yield* this.#mount(fs, fs.isReadOnly ? 'ro' : 'rw');
      this.#root.begin(fs.root);
      if (!fs.wasClean) kernel.log(4, 'EXT2-fs (vda): mounting a file system that was not unmounted: running e2fsck is recommended');
      kernel.log(6, `EXT2-fs (vda): mounted at ${MOUNT_POINT}`);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      this.#root.end(E.NXIO);
      if (this.bytes > 0) kernel.log(4, `vda: nothing is mounted: ${error instanceof NotMountable ? error.reason : error.message}`);
    }
  }

  *detach(): Blocking<void> {
    const kernel = this.#kernel;
    const fs = this.#fs;
    const check = (): Maybe<void> => this.#checkIdle();
    // What is open on other kernels only, as it is remembered there, is open here then.
    if (!kernel.lifecycle.isHalting && !this.#isLast) yield* settle(fs === null ? check() : fs.recalled(check));
    yield* settle(fs?.unmount());
    kernel.vfs.devices.unregisterBlock(254, 0);
    if (fs === null) return;
    this.#fs = null;
    this.#unmount();
    this.#root.end(E.STALE);
    kernel.log(6, `EXT2-fs (vda): unmounted`);
  }

  ownerChanged(_device: MachineDevice, owner: KernelId | null): Maybe<void> {
    const kernel = this.#kernel;
    this.#unmount();
    if (owner === null || owner === kernel.id || kernel.isFederated) return;
    return this.#follow(owner);
  }
  *#follow(owner: KernelId): Blocking<void> {
    const kernel = this.#kernel;
    const remote = kernel.image.files.disk(owner);
    try {
      yield* this.#mount(remote, 'rw');
      kernel.detach(this.#look(owner, remote));
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      kernel.log(4, `vda: ${MOUNT_POINT} of kernel ${owner} can't be mounted: errno ${error.errno}`);
    }
  }
  /** Whether the owner has something to mount. */
  *#look(owner: KernelId, remote: FileSystem): Blocking<void> {
    const mounted = this.#mounted;
    try {
      yield* settle(remote.status());
      this.#kernel.log(6, `popcornfs: ${MOUNT_POINT} of kernel ${owner} mounted`);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      if (this.#mounted === mounted) this.#unmount();
    }
  }

  // --- mounting ------------------------------------------------------------------------------------------------------------------

  *#mount(fs: FileSystem, options: string): Blocking<void> {
    const { vfs, files } = this.#kernel;
    const caller = files.kernelCaller();
    this.#unmount();
    try {
      yield* settle(vfs.create(caller, vfs.root, MOUNT_POINT, { mode: S.IFDIR | 0o755 }));
    } catch (error) {
      if (!(error instanceof Errno) || error.errno !== E.EXIST) throw error;
    }
    this.#mounted = vfs.mount(fs, yield* settle(vfs.walk(caller, vfs.root, MOUNT_POINT)), NODE, options).root;
  }
  #unmount(): void {
    const root = this.#mounted;
    this.#mounted = null;
    if (root === null) return;
    const { vfs } = this.#kernel;
    // What somebody has mounted below it goes with it.
    for (const other of [...vfs.mounts]) if (other.at?.mount === root.mount) vfs.unmount(other.root);
    if (vfs.mounts.includes(root.mount)) vfs.unmount(root);
  }

  // --- whether it can go ---------------------------------------------------------------------------------------------------------

  /** @throws Refusal */
  *#checkIdle(): Blocking<void> {
    const kernel = this.#kernel;
    const open = this.#fs?.openFiles ?? 0;
    if (open > 0) throw new Refusal(E.BUSY, `${MOUNT_POINT} is in use: ${open} open file${open > 1 ? 's' : ''}`);
    this.refuseIfUsed();
    if (kernel.isFederated) return;
    for (const peer of kernel.peers()) yield* kernel.messages.call(peer, M.CONTROL_REQUEST, { order: 'idle disk0' }, M.CONTROL_RESPONSE);
  }
  /** A process of this kernel works in a directory of it, or has one open. @throws Refusal */
  refuseIfUsed(): void {
    const kernel = this.#kernel;
    const mount = this.#mounted?.mount;
    if (mount === undefined) return;
    for (const { pid, name, fs, files } of kernel.processes.values()) {
      const isIn =
        fs.cwd.mount === mount || fs.root.mount === mount || [...files.list()].some(([, { file }]) => file.dentry?.mount === mount);
      if (isIn) throw new Refusal(E.BUSY, `${MOUNT_POINT} is in use by ${name} (${pid}) on kernel ${kernel.id}`);
    }
  }

  // --- writing back --------------------------------------------------------------------------------------------------------------

  #writeBackLater(): void {
    if (this.#isWriteBackDue) return;
    this.#isWriteBackDue = true;
    const kernel = this.#kernel;
    kernel.at(kernel.now + WRITE_BACK_SECONDS * kernel.hertz, () => {
      this.#isWriteBackDue = false;
      kernel.detach(this.flush());
    });
  }
  /** The run ends: if anything has changed since it was mounted the file system is unmounted, whoever uses it. */
  *finish(): Blocking<void> {
    if (this.#fs?.isChanged !== true) return;
    this.#isLast = true;
    yield* this.#kernel.devices.detach('disk0');
  }
  flush(): Maybe<void> {
    return this.#fs?.flush();
  }
}

/** Stands for the root of the disk's file system, for other kernels: they may ask before it is mounted. */
class DiskRoot extends BaseInode {
  readonly kind: InodeKind = 'directory';
  readonly device = DISK_NUMBER;
  readonly ino = 2;
  #root: Inode | null = null;
  /** Why there is none; 0: it is on its way. */
  #errno: number = E.NXIO;
  readonly #changed = new WaitQueue();

  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    super();
    this.#kernel = kernel;
  }
  get owner(): KernelId {
    return this.#kernel.id;
  }
  expect(): void {
    this.#errno = 0;
  }
  begin(root: Inode): void {
    this.#root = root;
    this.#changed.wakeAll();
  }
  end(errno: number): void {
    this.#root = null;
    this.#errno = errno;
    this.#changed.wakeAll();
  }
  *#do<T>(work: (root: Inode) => Maybe<T>): Blocking<T> {
    // Who asks may know more of whose the disk is than this kernel does yet.
    const deadline = this.#kernel.now + (this.#kernel.hertz * NEWS_MILLISECONDS) / 1000;
    while (this.#root === null) {
      if (this.#errno !== 0 && this.#kernel.now >= deadline) throw new Errno(this.#errno);
      yield* sleep([this.#changed], { deadline: this.#errno === 0 ? Number.POSITIVE_INFINITY : deadline, interruptible: false });
    }
    return yield* settle(work(this.#root));
  }

  attributes(): Maybe<Attributes> {
    return this.#do(root => root.attributes());
  }
  status(): Maybe<FileSystemStatus> {
    return this.#do(root => root.status());
  }
  override setAttributes(...args: Parameters<Inode['setAttributes']>): Maybe<void> {
    return this.#do(root => root.setAttributes(...args));
  }
  override lookup(name: string): Maybe<Inode> {
    return this.#do(root => root.lookup(name));
  }
  override create(...args: Parameters<Inode['create']>): Maybe<Inode> {
    return this.#do(root => root.create(...args));
  }
  override createNameless(...args: Parameters<Inode['createNameless']>): Maybe<Inode> {
    return this.#do(root => root.createNameless(...args));
  }
  override link(...args: Parameters<Inode['link']>): Maybe<void> {
    return this.#do(root => root.link(...args));
  }
  override unlink(name: string): Maybe<void> {
    return this.#do(root => root.unlink(name));
  }
  override rmdir(name: string): Maybe<void> {
    return this.#do(root => root.rmdir(name));
  }
  override entries(...args: Parameters<Inode['entries']>): ReturnType<Inode['entries']> {
    return this.#do(root => root.entries(...args));
  }
}
