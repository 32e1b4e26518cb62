/**
 * A file system in memory. The contents of its files are frames, which is also their page cache: what one process maps, another reads.
 */
import { E, Errno } from '../../abi/errno.ts';
import { S } from '../../abi/stat.ts';
import { PAGE_SIZE, type Maybe } from '../../types.ts';
import { timestamp, type Timestamp } from '../clock.ts';
import { kindOfMode, type FileSystem, type FileSystemStatus, type InodeKind, type NewInode } from '../inode.ts';
import { openFifo, Pipe } from '../pipe.ts';
import type { FsServices } from '../services.ts';
import type { SocketLink } from '../socket/socket.ts';
import type { IoContext, OpenFile } from '../file.ts';
import { TmpDirectory } from './directory.ts';
import { TmpFile } from './file.ts';
import { TmpInode } from './inode.ts';
import type { Content, Packer, Unpacked } from './state.ts';

const TMPFS_MAGIC = 0x01021994;
const INODES_MAX = 1 << 20;

export class TmpFs implements FileSystem {
  root: TmpDirectory;
  #nextIno = 1;
  inodes = 0;

  constructor(
    readonly services: FsServices,
    readonly device: number,
    readonly type = 'tmpfs',
    rootMode = 0o755,
  ) {
    this.root = new TmpDirectory(this, { mode: S.IFDIR | rootMode, uid: 0, gid: 0, rdev: 0, target: '' }, null);
  }

  now(): Timestamp {
    return timestamp(this.services.now(), this.services.hertz);
  }

  newIno(): number {
    if (this.inodes >= INODES_MAX) throw new Errno(E.NOSPC);
    this.inodes++;
    return this.#nextIno++;
  }

  get nextIno(): number {
    return this.#nextIno;
  }
  /** As it was on another kernel. */
  restore(nextIno: number, inodes: number): void {
    this.#nextIno = nextIno;
    this.inodes = inodes;
  }

  /** An inode of the kind that `made.mode` says, not yet in any directory. */
  make(made: NewInode, parent: TmpDirectory | null): TmpInode {
    switch (kindOfMode(made.mode)) {
      case 'file':
        return new TmpFile(this, made);
      case 'directory':
        return new TmpDirectory(this, made, parent);
      case 'symlink':
        return new TmpSymlink(this, made);
      default:
        return new TmpNode(this, made);
    }
  }

  /** @throws Errno ENOSPC what is written would take the memory that programs need */
  refuseIfFull(): void {
    if (this.#room.free <= 0) throw new Errno(E.NOSPC);
  }
  /** The last sixteenth of the kernel's memory is not for what is written (Linux leaves half of it, unless the mount says otherwise). */
  get #room(): { readonly total: number; readonly free: number } {
    const { total, free } = this.services.frameCounts();
    const kept = Math.ceil(total / 16);
    return { total: total - kept, free: Math.max(0, free - kept) };
  }

  status(): FileSystemStatus {
    const { total, free } = this.#room;
    return {
      type: TMPFS_MAGIC,
      device: this.device,
      blockSize: PAGE_SIZE,
      blocks: total,
      blocksFree: free,
      files: INODES_MAX,
      filesFree: INODES_MAX - this.inodes,
    };
  }
}

class TmpSymlink extends TmpInode {
  readonly kind: InodeKind = 'symlink';
  readonly #target: string;

  constructor(fs: TmpFs, made: NewInode) {
    super(fs, { ...made, mode: S.IFLNK | 0o777 });
    this.#target = made.target;
  }

  protected override content(): Content {
    return { target: this.#target };
  }
  get size(): number {
    return this.#target.length;
  }
  override readlink(): string {
    return this.#target;
  }
}

/** A device node, FIFO or socket. Devices are opened by the VFS. */
class TmpNode extends TmpInode {
  readonly kind: InodeKind;
  readonly #socket: SocketLink | null;
  #pipe: Pipe | null = null;

  constructor(fs: TmpFs, made: NewInode) {
    super(fs, made);
    this.kind = kindOfMode(made.mode);
    this.#socket = made.socket ?? null;
  }

  get size(): number {
    return 0;
  }

  protected override content(packer: Packer): Content {
    return { socket: this.#socket, pipe: this.#pipe === null ? null : packer.pipe(this.#pipe) };
  }
  protected override restoreContent({ pipe = null }: Content, { pipes }: Unpacked): void {
    this.#pipe = pipe === null ? null : (pipes[pipe] as Pipe);
  }

  override socket(): SocketLink | null {
    return this.#socket;
  }
  override open(flags: number, _io: IoContext): Maybe<OpenFile> {
    if (this.kind !== 'pipe') throw new Errno(E.NXIO);
    this.#pipe ??= new Pipe();
    return openFifo(this.fs.services, this.#pipe, flags, this);
  }
}
