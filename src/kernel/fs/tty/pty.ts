/** Pseudo terminals: /dev/ptmx gives a master, the other end is a terminal /dev/pts/N. */
import { E, Errno } from '../../abi/errno.ts';
import { O } from '../../abi/fcntl.ts';
import { IOCTL } from '../../abi/ioctl.ts';
import { POLL } from '../../abi/poll.ts';
import { makeDevice, S } from '../../abi/stat.ts';
import { sleep, type Blocking, type KernelId, type Maybe, type WaitQueue } from '../../types.ts';
import { setU32 } from '../bytes.ts';
import { BaseFile, plainAttributes, type FileKind, type IoContext, type OpenFile } from '../file.ts';
import type { Attributes } from '../inode.ts';
import type { FsServices } from '../services.ts';
import { TmpFs } from '../tmpfs/tmpfs.ts';
import { Terminal } from './terminal.ts';
import type { Terminals } from './tty-file.ts';

export const PTS_MAJOR = 136;
const PTYS_MAX = 256;
/** Output that a master hasn't read yet. */
const OUTPUT_BYTES_MAX = 16384;

/** All pseudo terminals of one kernel; its file system is what is mounted at /dev/pts. */
export class PseudoTerminals {
  readonly fileSystem: TmpFs;
  readonly #masters: (PtyMaster | undefined)[] = [];

  constructor(
    readonly services: FsServices,
    readonly terminals: Terminals,
    device: number,
  ) {
    this.fileSystem = new TmpFs(services, device, 'devpts');
    this.fileSystem.root.create('ptmx', { mode: S.IFCHR | 0o666, uid: 0, gid: 0, rdev: makeDevice(5, 2), target: '' });
  }

  /** Opens /dev/ptmx. */
  openMaster(flags: number): OpenFile {
    let number = 0;
    while (this.#masters[number]) number++;
    if (number >= PTYS_MAX) throw new Errno(E.NOSPC);
    const master = new PtyMaster(this, number, flags);
    this.#masters[number] = master;
    this.fileSystem.root.create(String(number), { mode: S.IFCHR | 0o620, uid: 0, gid: 5, rdev: makeDevice(PTS_MAJOR, number), target: '' });
    this.terminals.all.add(master.terminal);
    return master;
  }

  openSlave(number: number, flags: number, io: IoContext): OpenFile {
    const master = this.#masters[number];
    if (!master) throw new Errno(E.NXIO);
    if (master.locked) throw new Errno(E.IO);
    master.everOpened = true;
    return this.terminals.open(master.terminal, flags, io);
  }

  gone(master: PtyMaster): void {
    this.#masters[master.number] = undefined;
    this.fileSystem.root.unlink(String(master.number));
    this.terminals.all.delete(master.terminal);
  }
}

class PtyMaster extends BaseFile {
  readonly kind: FileKind = 'character';
  readonly terminal: Terminal;
  locked = true;
  everOpened = false;
  #output: Uint8Array[] = [];
  #length = 0;

  constructor(
    readonly ptys: PseudoTerminals,
    readonly number: number,
    flags: number,
  ) {
    super(flags);
    this.terminal = new Terminal(
      ptys.services,
      makeDevice(PTS_MAJOR, number),
      `pts/${number}`,
      bytes => {
        this.#output.push(bytes);
        this.#length += bytes.length;
        this.terminal.changed.wakeAll();
      },
      () => Math.max(0, OUTPUT_BYTES_MAX - this.#length),
    );
  }

  get owner(): KernelId {
    return this.ptys.services.kernel;
  }
  override get label(): string {
    return '/dev/ptmx';
  }
  override get queues(): readonly WaitQueue[] {
    return this.terminal.queues;
  }

  protected override closed(): void {
    this.terminal.hangup();
    this.ptys.gone(this);
  }

  get #ended(): boolean {
    return this.everOpened && this.terminal.opens === 0;
  }

  override read(target: Uint8Array, _io: IoContext): Maybe<number> {
    if (this.#length > 0) return this.#take(target);
    if (this.#ended) throw new Errno(E.IO);
    if (this.nonblocking) throw new Errno(E.AGAIN);
    return this.#readLater(target);
  }

  *#readLater(target: Uint8Array): Blocking<number> {
    while (this.#length === 0) {
      if (this.#ended) throw new Errno(E.IO);
      if ((yield* sleep(this.queues)) === 'interrupted' && this.#length === 0) throw new Errno(E.RESTARTSYS);
    }
    return this.#take(target);
  }

  #take(target: Uint8Array): number {
    let count = 0;
    for (let chunk = this.#output[0]; chunk && count < target.length; chunk = this.#output[0]) {
      const part = chunk.subarray(0, target.length - count);
      target.set(part, count);
      count += part.length;
      if (part.length === chunk.length) this.#output.shift();
      else this.#output[0] = chunk.subarray(part.length);
    }
    this.#length -= count;
    this.terminal.changed.wakeAll();
    return count;
  }

  override write(source: Uint8Array, _io: IoContext): number {
    this.terminal.input(source);
    return source.length;
  }

  override poll(): number {
    return (this.#length > 0 ? POLL.IN | POLL.RDNORM : 0) | POLL.OUT | POLL.WRNORM | (this.#ended ? POLL.HUP : 0);
  }

  override ioctl(command: number, argument: number, data: Uint8Array, io: IoContext): Maybe<number> {
    switch (command) {
      case IOCTL.TIOCGPTN:
        setU32(data, this.number);
        return 0;
      case IOCTL.TIOCSPTLCK:
        this.locked = data.some(byte => byte !== 0);
        return 0;
      case IOCTL.TIOCGPTLCK:
        setU32(data, this.locked ? 1 : 0);
        return 0;
      case IOCTL.FIONREAD:
        setU32(data, this.#length);
        return 0;
      case IOCTL.TIOCGPGRP:
        setU32(data, this.terminal.foreground);
        return 0;
      case IOCTL.TIOCSCTTY:
      case IOCTL.TIOCNOTTY:
      case IOCTL.TIOCSPGRP:
        throw new Errno(E.NOTTY);
      default:
        return this.terminal.ioctl(command, argument, data, io);
    }
  }

  attributes(): Maybe<Attributes> {
    return this.dentry?.inode.attributes() ?? plainAttributes(5, 2, S.IFCHR | 0o666, { rdev: makeDevice(5, 2) });
  }

  override setFlags(flags: number): void {
    this.flags = flags & ~O.CLOEXEC;
  }
}
