/**
 * The file system of one kernel, put together: the tree, its devices and terminals. This is what the kernel makes at boot.
 *
 *     const files = new FileSystems(services, { console: (bytes) => … });
 *     files.mountRoot(files.archiveRoot(platform.rootArchive));        the first kernel
 *     files.mountRoot(remoteRoot);                                      another kernel of one system image
 *     files.mountStandard();                                            /proc, /sys, /dev, /dev/pts, /tmp …
 */
import { E, Errno } from '../abi/errno.ts';
import { makeDevice, S } from '../abi/stat.ts';
import { settle, type Blocking, type Maybe } from '../types.ts';
import { FULL_DEVICE, LOG_DEVICE, MemoryDeviceFile, NULL_DEVICE, RANDOM_DEVICE, ZERO_DEVICE, type MemoryDevice } from './dev/memory.ts';
import type { FsContext } from './context.ts';
import { CpioError } from './cpio.ts';
import type { OpenFile } from './file.ts';
import type { FileSystem } from './inode.ts';
import { after } from './maybe.ts';
import { procFs } from './proc/procfs.ts';
import type { FsServices } from './services.ts';
import { sysFs } from './sys/sysfs.ts';
import type { TmpDirectory } from './tmpfs/directory.ts';
import { populate, reached } from './tmpfs/populate.ts';
import { TmpFile } from './tmpfs/file.ts';
import { TmpFs } from './tmpfs/tmpfs.ts';
import { PseudoTerminals, PTS_MAJOR } from './tty/pty.ts';
import { Terminal } from './tty/terminal.ts';
import { Terminals } from './tty/tty-file.ts';
import { Vfs, type Caller } from './vfs.ts';

interface DeviceRow {
  readonly name: string;
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
}

const MEMORY_DEVICES: readonly (DeviceRow & { readonly device: MemoryDevice })[] = [
  { name: 'null', major: 1, minor: 3, mode: 0o666, device: NULL_DEVICE },
  { name: 'zero', major: 1, minor: 5, mode: 0o666, device: ZERO_DEVICE },
  { name: 'full', major: 1, minor: 7, mode: 0o666, device: FULL_DEVICE },
  { name: 'random', major: 1, minor: 8, mode: 0o666, device: RANDOM_DEVICE },
  { name: 'urandom', major: 1, minor: 9, mode: 0o666, device: RANDOM_DEVICE },
  { name: 'kmsg', major: 1, minor: 11, mode: 0o644, device: LOG_DEVICE },
];
const TTY_DEVICES: readonly DeviceRow[] = [
  { name: 'tty', major: 5, minor: 0, mode: 0o666 },
  { name: 'console', major: 5, minor: 1, mode: 0o600 },
  { name: 'ptmx', major: 5, minor: 2, mode: 0o666 },
  { name: 'ttyS0', major: 4, minor: 64, mode: 0o620 },
];
/** Of the kernel's network, which registers them (boot/boot.ts). */
const NET_DEVICES: readonly DeviceRow[] = [
  { name: 'tun', major: 10, minor: 200, mode: 0o666 },
  { name: 'shmtun', major: 10, minor: 201, mode: 0o600 },
];
const DEV_LINKS: readonly (readonly [string, string])[] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
];

/** The console's device number, as /proc/PID/stat shows it: that of ttyS0. */
export const CONSOLE_DEVICE = makeDevice(4, 64);

export class FileSystems {
  readonly vfs: Vfs;
  readonly terminals = new Terminals();
  /** The terminal behind the console device. Feed it with `console.input(bytes)`, resize it with `console.resize(columns, rows)`. */
  readonly console: Terminal;
  readonly ptys: PseudoTerminals;

  constructor(
    readonly services: FsServices,
    wires: { readonly console: (bytes: Uint8Array) => void },
  ) {
    this.vfs = new Vfs(services);
    const { vfs } = this;
    this.console = new Terminal(services, CONSOLE_DEVICE, 'console', wires.console);
    this.terminals.all.add(this.console);
    this.ptys = new PseudoTerminals(services, this.terminals, vfs.newDevice());
    vfs.nameless = new TmpFs(services, vfs.newDevice());
    this.#registerDevices();
    const memory = (type: string, mode: number) => (): FileSystem => new TmpFs(services, vfs.newDevice(), type, mode);
    vfs.types.set('proc', () => procFs(services, vfs, vfs.newDevice()));
    vfs.types.set('sysfs', () => sysFs(services, vfs, vfs.newDevice()));
    vfs.types.set('tmpfs', memory('tmpfs', 0o1777));
    vfs.types.set('ramfs', memory('ramfs', 0o755));
    vfs.types.set('devtmpfs', () => this.#devices());
    vfs.types.set('devpts', () => this.ptys.fileSystem);
  }

  #registerDevices(): void {
    const { devices } = this.vfs;
    const { services, terminals } = this;
    for (const { major, minor, device } of MEMORY_DEVICES) {
      devices.register('mem', major, minor, flags => new MemoryDeviceFile(services, device, makeDevice(major, minor), flags));
    }
    devices.register('/dev/console', 5, 1, (flags, io) => terminals.open(this.console, flags, io));
    devices.register('ttyS', 4, 64, (flags, io) => terminals.open(this.console, flags, io));
    devices.register('/dev/tty', 5, 0, (flags, io): Maybe<OpenFile> => {
      const own = terminals.ofSession(services.jobs.sessionOf(io.pid));
      if (own) return terminals.open(own, flags, io);
      return after(services.openRemoteTerminal(flags, io), file => {
        if (!file) throw new Errno(E.NXIO);
        return file;
      });
    });
    devices.register('/dev/ptmx', 5, 2, flags => this.ptys.openMaster(flags));
    devices.registerFamily('pts', PTS_MAJOR, (minor, flags, io) => this.ptys.openSlave(minor, flags, io));
  }

  /** A fresh devtmpfs with the device nodes of this kernel. */
  #devices(): FileSystem {
    const fs = new TmpFs(this.services, this.vfs.newDevice(), 'devtmpfs');
    const node = { uid: 0, gid: 0, rdev: 0, target: '' };
    for (const { name, major, minor, mode } of [...MEMORY_DEVICES, ...TTY_DEVICES]) {
      fs.root.make(name, { ...node, mode: S.IFCHR | mode, rdev: makeDevice(major, minor) });
    }
    fs.root.make('vda', { ...node, mode: S.IFBLK | 0o660, rdev: makeDevice(254, 0) });
    const net = fs.root.make('net', { ...node, mode: S.IFDIR | 0o755 }) as TmpDirectory;
    for (const { name, major, minor, mode } of NET_DEVICES)
      net.make(name, { ...node, mode: S.IFCHR | mode, rdev: makeDevice(major, minor) });
    for (const [name, target] of DEV_LINKS) fs.root.make(name, { ...node, mode: S.IFLNK | 0o777, target });
    for (const name of ['pts', 'shm']) fs.root.make(name, { ...node, mode: S.IFDIR | (name === 'shm' ? 0o1777 : 0o755) });
    return fs;
  }

  /** A file system with the contents of a cpio archive. Throws CpioError. */
  archiveRoot(archive: Uint8Array): TmpFs {
    const fs = new TmpFs(this.services, this.vfs.newDevice(), 'rootfs');
    populate(fs, archive);
    return fs;
  }

  mountRoot(fileSystem: FileSystem): void {
    this.vfs.mount(fileSystem, null, 'rootfs');
  }

  /** A place for the kernel's own work at the root, as user 0. */
  kernelCaller(): Caller {
    return this.vfs.kernelCaller();
  }

  rootContext(): FsContext {
    return { root: this.vfs.root, cwd: this.vfs.root, umask: 0o022 };
  }

  /**
   * Mounts what every Linux has. Mount points that the root lacks are made; under a remote root this asks its owner, so it may block.
   */
  *mountStandard(): Blocking<void> {
    yield* this.#mountAt('/proc', 'proc', 'proc');
    yield* this.#mountAt('/sys', 'sysfs', 'sysfs');
    yield* this.#mountAt('/dev', 'devtmpfs', 'devtmpfs');
    yield* this.#mountAt('/dev/pts', 'devpts', 'devpts');
  }

  *#mountAt(path: string, type: string, source: string): Blocking<void> {
    const { vfs } = this;
    const caller = this.kernelCaller();
    try {
      yield* settle(vfs.create(caller, vfs.root, path, { mode: S.IFDIR | 0o755 }));
    } catch (error) {
      if (!(error instanceof Errno) || error.errno !== E.EXIST) throw error;
    }
    const at = yield* settle(vfs.walk(caller, vfs.root, path));
    const maker = vfs.types.get(type);
    if (!maker) throw new Errno(E.NODEV);
    vfs.mount(maker(source, ''), at, source);
  }

  /** Lays files that came from outside, in a cpio archive, over those that are there. Only where the root is local. */
  *dropFiles(archive: Uint8Array): Blocking<void> {
    const fs = this.vfs.root.mount.fileSystem;
    if (!(fs instanceof TmpFs)) throw new Errno(E.ROFS);
    try {
      yield* settle(
        this.services.changing(claim => {
          claim(...reached(fs, archive));
          return populate(fs, archive);
        }),
      );
    } catch (error) {
      if (error instanceof CpioError) throw new Errno(E.INVAL);
      throw error;
    }
  }

  /** Puts a file that came from outside into /mnt. The bytes stay outside memory until they are touched. Only where the root is local. */
  *dropFile(name: string, bytes: Uint8Array): Blocking<void> {
    const fs = this.vfs.root.mount.fileSystem;
    if (!(fs instanceof TmpFs)) throw new Errno(E.ROFS);
    const fileName = name.replace(/[/\0]/g, '_').replace(/^\.+/, '_').slice(0, 255) || 'file';
    const node = { uid: 0, gid: 0, rdev: 0, target: '' };
    const mnt = fs.root.find('mnt') ?? (yield* settle(fs.root.create('mnt', { ...node, mode: S.IFDIR | 0o755 })));
    try {
      yield* settle(mnt.unlink(fileName));
    } catch (error) {
      if (!(error instanceof Errno) || error.errno !== E.NOENT) throw error;
    }
    const file = yield* settle(mnt.create(fileName, { ...node, mode: S.IFREG | 0o755 }));
    if (file instanceof TmpFile) file.fill(bytes.slice());
  }
}
