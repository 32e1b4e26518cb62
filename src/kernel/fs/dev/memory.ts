/** Devices without a device: /dev/null, zero, full, random, kmsg. */
import { E, Errno } from '../../abi/errno.ts';
import { SEEK } from '../../abi/fcntl.ts';
import { S } from '../../abi/stat.ts';
import type { KernelId, Maybe, Pfn } from '../../types.ts';
import { fromBytes } from '../bytes.ts';
import { transferCost } from '../costs.ts';
import { BaseFile, plainAttributes, type FileKind, type IoContext } from '../file.ts';
import type { AttributeChange, Attributes, Inode } from '../inode.ts';
import type { FsServices } from '../services.ts';

/** What one of these does; reading gives 0 at the end of file. */
export interface MemoryDevice {
  read(services: FsServices, target: Uint8Array, position: number): number;
  write(services: FsServices, source: Uint8Array): number;
  readonly mappable: boolean;
}

const swallow = (_services: FsServices, source: Uint8Array): number => source.length;

export function fillRandom(services: FsServices, target: Uint8Array): void {
  for (let at = 0; at < target.length; at += 4) {
    const word = services.random();
    for (let i = 0; i < 4 && at + i < target.length; i++) target[at + i] = (word >>> (8 * i)) & 0xff;
  }
}

function readZeros(_services: FsServices, target: Uint8Array): number {
  target.fill(0);
  return target.length;
}

export const NULL_DEVICE: MemoryDevice = { read: () => 0, write: swallow, mappable: false };
export const ZERO_DEVICE: MemoryDevice = { read: readZeros, write: swallow, mappable: true };
export const FULL_DEVICE: MemoryDevice = {
  read: readZeros,
  write: (_services, source) => {
    if (source.length > 0) throw new Errno(E.NOSPC);
    return 0;
  },
  mappable: false,
};
export const RANDOM_DEVICE: MemoryDevice = {
  read: (services, target) => {
    fillRandom(services, target);
    return target.length;
  },
  write: swallow,
  mappable: false,
};
/** One line of the log for each read, as in Linux: "priority,sequence,microseconds,-;text". */
export const LOG_DEVICE: MemoryDevice = {
  read: (services, target, position) => {
    const line = services.proc.logLines()[position];
    if (!line) throw new Errno(E.AGAIN);
    const text = `6,${position},${Math.floor((line.time * 1e6) / services.hertz)},-;${line.text}\n`;
    for (let i = 0; i < Math.min(text.length, target.length); i++) target[i] = text.charCodeAt(i) & 0xff;
    return Math.min(text.length, target.length);
  },
  write: (services, source) => {
    services.log(
      fromBytes(source)
        .replace(/^<\d+>/, '')
        .replace(/\n$/, ''),
    );
    return source.length;
  },
  mappable: false,
};

export class MemoryDeviceFile extends BaseFile {
  readonly kind: FileKind = 'character';
  #records = 0;

  constructor(
    readonly services: FsServices,
    readonly device: MemoryDevice,
    readonly number: number,
    flags: number,
  ) {
    super(flags);
  }

  get owner(): KernelId {
    return this.services.kernel;
  }
  override get inode(): Inode | null {
    return this.dentry?.inode ?? null;
  }
  override get seekable(): boolean {
    return true;
  }

  override read(target: Uint8Array, _io: IoContext): number {
    const count = this.device.read(this.services, target, this.#records);
    if (count > 0) this.#records++;
    this.services.charge(transferCost(count));
    return count;
  }

  override write(source: Uint8Array, _io: IoContext): number {
    this.services.charge(transferCost(0));
    return this.device.write(this.services, source);
  }

  override pread(target: Uint8Array, _position: number, io: IoContext): number {
    return this.read(target, io);
  }
  override pwrite(source: Uint8Array, _position: number, io: IoContext): number {
    return this.write(source, io);
  }

  override seek(offset: number, whence: number): number {
    if (whence === SEEK.SET && offset === 0) this.#records = 0;
    if (whence === SEEK.END) this.#records = this.services.proc.logLines().length;
    return 0;
  }

  override truncate(_size: number): void {}

  override mapPage(_index: number, _forWrite: boolean): Pfn {
    if (!this.device.mappable) throw new Errno(E.NODEV);
    return this.services.allocFrame();
  }

  attributes(): Maybe<Attributes> {
    return this.inode?.attributes() ?? plainAttributes(5, 4, S.IFCHR | 0o666, { rdev: this.number });
  }

  override setAttributes(change: AttributeChange): Maybe<void> {
    return this.inode?.setAttributes(change);
  }
}
