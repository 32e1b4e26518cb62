/** /dev/vda: the disk as one long file, on the kernel that owns it. */
import { E, Errno } from '../abi/errno.ts';
import { SEEK } from '../abi/fcntl.ts';
import { IOCTL } from '../abi/ioctl.ts';
import { S } from '../abi/stat.ts';
import { setU32, setU64 } from '../fs/bytes.ts';
import { transferCost } from '../fs/costs.ts';
import { BaseFile, type FileKind, type IoContext, plainAttributes } from '../fs/file.ts';
import type { Attributes, Inode } from '../fs/inode.ts';
import type { Kernel } from '../kernel.ts';
import { type Blocking, type KernelId, type Maybe, PAGE_SIZE, settle } from '../types.ts';
import { DISK_NUMBER, type DiskDriver } from './disk.ts';

/** Only for reading: the file system on it is in use. */
export class DiskFile extends BaseFile {
  readonly kind: FileKind = 'block';
  readonly #kernel: Kernel;
  readonly #driver: DiskDriver;
  #position = 0;

  constructor(kernel: Kernel, driver: DiskDriver, flags: number) {
    super(flags);
    this.#kernel = kernel;
    this.#driver = driver;
  }

  get owner(): KernelId {
    return this.#kernel.id;
  }
  override get inode(): Inode | null {
    return this.dentry?.inode ?? null;
  }
  override get seekable(): boolean {
    return true;
  }
  override get position(): number {
    return this.#position;
  }

  override *read(target: Uint8Array, io: IoContext): Blocking<number> {
    const count = yield* this.pread(target, this.#position, io);
    this.#position += count;
    return count;
  }
  /** What the file system has not written yet is written first. */
  override *pread(target: Uint8Array, position: number, _io: IoContext): Blocking<number> {
    const kernel = this.#kernel;
    yield* settle(this.#driver.flush());
    const count = Math.max(0, Math.min(target.length, this.#driver.bytes - position));
    const pfn = kernel.frames.allocate();
    try {
      for (let done = 0; done < count; ) {
        const at = position + done;
        const page = Math.floor(at / PAGE_SIZE) * PAGE_SIZE;
        const bytes = Math.min(PAGE_SIZE, this.#driver.bytes - page);
        yield* this.#driver.transfer(page, [{ address: pfn * PAGE_SIZE, bytes }], false);
        const part = Math.min(count - done, page + bytes - at);
        const from = pfn * PAGE_SIZE + (at - page);
        target.set(kernel.memory.u8.subarray(from, from + part), done);
        done += part;
      }
    } finally {
      kernel.frames.release(pfn);
    }
    kernel.charge(transferCost(count));
    return count;
  }
  override write(): Maybe<number> {
    throw new Errno(E.PERM);
  }
  override pwrite(): Maybe<number> {
    throw new Errno(E.PERM);
  }
  override seek(offset: number, whence: number): number {
    const base = whence === SEEK.SET ? 0 : whence === SEEK.CUR ? this.#position : whence === SEEK.END ? this.#driver.bytes : Number.NaN;
    const position = base + offset;
    if (!(position >= 0)) throw new Errno(E.INVAL);
    this.#position = position;
    return position;
  }
  override ioctl(command: number, _argument: number, data: Uint8Array, _io: IoContext): number {
    if (command === IOCTL.BLKGETSIZE64) setU64(data, this.#driver.bytes);
    else if (command === IOCTL.BLKSSZGET) setU32(data, 512);
    else throw new Errno(E.NOTTY);
    return 0;
  }
  attributes(): Maybe<Attributes> {
    return this.inode?.attributes() ?? plainAttributes(5, 5, S.IFBLK | 0o660, { rdev: DISK_NUMBER });
  }
}
