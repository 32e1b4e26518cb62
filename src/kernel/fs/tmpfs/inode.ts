/** What all inodes of tmpfs have: attributes and a count of names. */
import { S } from '../../abi/stat.ts';
import { PAGE_SIZE, type KernelId, type Maybe } from '../../types.ts';
import type { Timestamp } from '../clock.ts';
import { BaseInode, type AttributeChange, type Attributes, type FileSystemStatus, type InodeKind, type NewInode } from '../inode.ts';
import type { Locks } from '../lock.ts';
import type { Content, InodeState, Packer, Unpacked } from './state.ts';
import type { TmpFs } from './tmpfs.ts';

export abstract class TmpInode extends BaseInode {
  abstract override readonly kind: InodeKind;
  ino: number;
  /** Names it has. A directory also counts itself and its subdirectories. */
  links = 0;
  mode: number;
  uid: number;
  gid: number;
  rdev: number;
  atime: Timestamp;
  mtime: Timestamp;
  ctime: Timestamp;

  constructor(
    readonly fs: TmpFs,
    made: NewInode,
  ) {
    super();
    this.ino = fs.newIno();
    this.mode = made.mode;
    this.uid = made.uid;
    this.gid = made.gid;
    this.rdev = made.rdev;
    this.atime = this.mtime = this.ctime = fs.now();
  }

  get owner(): KernelId {
    return this.fs.services.kernel;
  }
  get device(): number {
    return this.fs.device;
  }
  override get isTracked(): boolean {
    return true;
  }
  /** Changes this inode once nobody else remembers it. */
  changing<T>(work: () => Maybe<T>): Maybe<T> {
    return this.fs.services.changing(claim => {
      claim(this);
      return work();
    });
  }
  abstract get size(): number;
  get blocks(): number {
    return 0;
  }
  override status(): FileSystemStatus {
    return this.fs.status();
  }
  protected override kernelLocks(): Locks {
    return this.fs.services.locks;
  }

  override attributes(): Attributes {
    const { ino, mode, links, uid, gid, rdev, size, blocks, atime, mtime, ctime } = this;
    return { device: this.device, ino, mode, links, uid, gid, rdev, size, blocks, blockSize: PAGE_SIZE, atime, mtime, ctime };
  }

  override setAttributes(change: AttributeChange): Maybe<void> {
    return this.changing(() => this.#setAttributes(change));
  }
  #setAttributes(change: AttributeChange): void {
    const now = this.fs.now();
    if (change.mode !== undefined) this.mode = (this.mode & S.IFMT) | (change.mode & 0o7777);
    if (change.uid !== undefined || change.gid !== undefined) {
      if (this.kind === 'file') this.mode &= ~(S.ISUID | (this.mode & 0o010 ? S.ISGID : 0));
      this.uid = change.uid ?? this.uid;
      this.gid = change.gid ?? this.gid;
    }
    if (change.atime !== undefined) this.atime = change.atime === 'now' ? now : change.atime;
    if (change.mtime !== undefined) this.mtime = change.mtime === 'now' ? now : change.mtime;
    this.ctime = now;
  }

  /** All that it is, as plain data. */
  state(packer: Packer): InodeState {
    const { ino, mode, links, uid, gid, rdev, atime, mtime, ctime } = this;
    const fs = packer.fileSystem(this.fs);
    return { fs, ino, mode, links, uid, gid, rdev, times: [atime, mtime, ctime], locks: this.heldLocks, content: this.content(packer) };
  }
  /** Takes all that over. */
  restore(state: InodeState, from: Unpacked): void {
    this.ino = state.ino;
    this.links = state.links;
    this.mode = state.mode;
    [this.atime, this.mtime, this.ctime] = state.times;
    this.restoreLocks(state.locks);
    this.restoreContent(state.content, from);
  }
  protected content(_packer: Packer): Content {
    return {};
  }
  protected restoreContent(_content: Content, _from: Unpacked): void {}

  /** One name fewer; without any, and unused, the contents go. */
  dropLink(): void {
    this.links--;
    this.ctime = this.fs.now();
    this.dropIfUnused();
  }

  protected dropIfUnused(): void {
    if (this.links === 0) this.fs.inodes--;
  }
}
