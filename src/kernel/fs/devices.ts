/** Which driver opens a device node: by kind and number. One table per kernel; a device node means the device of the kernel that opens it. */
import { E, Errno } from '../abi/errno.ts';
import { majorOf, makeDevice, minorOf } from '../abi/stat.ts';
import type { Maybe } from '../types.ts';
import type { IoContext, OpenFile } from './file.ts';
import { after } from './maybe.ts';

export type DeviceOpen = (flags: number, io: IoContext) => Maybe<OpenFile>;

export class Devices {
  readonly #opens = new Map<number, DeviceOpen>();
  readonly #blocks = new Map<number, DeviceOpen>();
  readonly #families = new Map<number, { name: string; open: (minor: number, flags: number, io: IoContext) => Maybe<OpenFile> }>();
  readonly #names = new Map<number, string>();
  readonly #blockNames = new Map<number, string>();

  /** A character device. `family` is its line in /proc/devices. */
  register(family: string, major: number, minor: number, open: DeviceOpen): void {
    this.#opens.set(makeDevice(major, minor), open);
    this.#names.set(major, family);
  }

  registerBlock(family: string, major: number, minor: number, open: DeviceOpen): void {
    this.#blocks.set(makeDevice(major, minor), open);
    this.#blockNames.set(major, family);
  }
  unregisterBlock(major: number, minor: number): void {
    this.#blocks.delete(makeDevice(major, minor));
    this.#blockNames.delete(major);
  }

  /** All minors of a major, such as the pseudo terminals. */
  registerFamily(name: string, major: number, open: (minor: number, flags: number, io: IoContext) => Maybe<OpenFile>): void {
    this.#families.set(major, { name, open });
    this.#names.set(major, name);
  }

  open(kind: 'character' | 'block', device: number, flags: number, io: IoContext): Maybe<OpenFile> {
    const single = (kind === 'character' ? this.#opens : this.#blocks).get(device);
    if (single) return single(flags, io);
    const family = kind === 'character' ? this.#families.get(majorOf(device)) : undefined;
    if (!family) throw new Errno(E.NXIO);
    return after(family.open(minorOf(device), flags, io), file => file);
  }

  listBlock(): [number, string][] {
    return [...this.#blockNames].sort(([a], [b]) => a - b);
  }
  /** Major numbers and names, for /proc/devices. */
  list(): [number, string][] {
    return [...this.#names].sort(([a], [b]) => a - b);
  }
}
