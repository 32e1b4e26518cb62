/** Symbolic links, FIFOs, device nodes and sockets of ext2. */
import { E, Errno } from '../../abi/errno.ts';
import { majorOf, makeDevice, minorOf } from '../../abi/stat.ts';
import { settle, type Blocking, type Maybe } from '../../types.ts';
import { fromBytes, toBytes } from '../bytes.ts';
import type { IoContext, OpenFile } from '../file.ts';
import type { InodeKind, NewInode } from '../inode.ts';
import { openFifo, Pipe } from '../pipe.ts';
import type { SocketLink } from '../socket/socket.ts';
import type { Ext2 } from './ext2.ts';
import { Ext2Inode } from './inode.ts';
import { INODE } from './layout.ts';

/** A target shorter than this stands in the inode, in place of numbers of blocks. */
const SHORT = 60;

export class Ext2Symlink extends Ext2Inode {
  readonly kind: InodeKind = 'symlink';

  get #isShort(): boolean {
    return this.size < SHORT && this.attributes().blocks === (this.attributeBlock === 0 ? 0 : this.fs.blockBytes / 512);
  }

  override *begin({ target }: NewInode): Blocking<void> {
    if (target.length >= this.fs.blockBytes) throw new Errno(E.NAMETOOLONG);
    if (target.length < SHORT) this.raw.set(toBytes(target), INODE.block);
    else this.fs.buffers.fresh(yield* this.blockOf(0, true)).bytes.set(toBytes(target));
    this.size = target.length;
  }

  override readlink(_io: IoContext): Maybe<string> {
    if (this.#isShort) return fromBytes(this.raw.subarray(INODE.block, INODE.block + this.size));
    return this.fs.locked(
      function* (this: Ext2Symlink): Blocking<string> {
        const block = yield* this.blockOf(0);
        if (block === 0 || this.size >= this.fs.blockBytes) throw new Errno(E.IO);
        return fromBytes((yield* settle(this.fs.buffers.get(block))).bytes.subarray(0, this.size));
      }.bind(this),
    );
  }

  override *freeContents(): Blocking<void> {
    if (!this.#isShort) yield* this.freeBlocks(0);
  }
}

/** Devices are opened by the VFS. A socket's name leads to the socket while this kernel lives. */
export class Ext2Node extends Ext2Inode {
  #socket: SocketLink | null = null;
  #pipe: Pipe | null = null;

  constructor(
    fs: Ext2,
    ino: number,
    raw: Uint8Array,
    readonly kind: InodeKind,
  ) {
    super(fs, ino, raw);
  }

  /** In the first number as Linux had it first, or else in the second. */
  protected override get rdev(): number {
    if (this.kind !== 'character' && this.kind !== 'block') return 0;
    const old = this.slot(0);
    if (old !== 0) return makeDevice(old >>> 8, old & 0xff);
    const now = this.slot(1);
    return makeDevice((now >>> 8) & 0xfff, (now & 0xff) | ((now >>> 12) & 0xfff00));
  }

  override *begin({ rdev, socket }: NewInode): Blocking<void> {
    const [major, minor] = [majorOf(rdev), minorOf(rdev)];
    if (this.kind === 'character' || this.kind === 'block') {
      if (major < 256 && minor < 256) this.setSlot(0, (major << 8) | minor);
      else this.setSlot(1, (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12));
    }
    this.#socket = socket ?? null;
  }
  override *freeContents(): Blocking<void> {
    // Its numbers are none of blocks.
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
