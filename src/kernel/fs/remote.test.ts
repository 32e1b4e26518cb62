import { describe, expect, it } from 'vitest';
import { E } from '../abi/errno.ts';
import { O } from '../abi/fcntl.ts';
import { settle, sleep, WaitQueue, type Blocking, type Maybe } from '../types.ts';
import {
  BaseInode,
  type Attributes,
  type DirectoryEntry,
  type FileSystem,
  type FileSystemStatus,
  type Inode,
  type InodeKind,
  type NewInode,
} from './inode.ts';
import type { IoContext, OpenFile } from './file.ts';
import { BUFFER, FsLab } from './testing.ts';

const line = new WaitQueue();

/** An inode of "another kernel": every operation sleeps until an answer comes. */
class FarInode extends BaseInode {
  readonly owner = 9;
  override readonly volatile = true;
  constructor(readonly near: Inode) {
    super();
  }
  get device(): number {
    return this.near.device;
  }
  get ino(): number {
    return this.near.ino;
  }
  get kind(): InodeKind {
    return this.near.kind;
  }
  *#ask<T>(work: () => Maybe<T>): Blocking<T> {
    yield* sleep([line], { interruptible: false });
    return yield* settle(work());
  }
  attributes(): Maybe<Attributes> {
    return this.#ask(() => this.near.attributes());
  }
  status(): Maybe<FileSystemStatus> {
    return this.#ask(() => this.near.status());
  }
  override *lookup(name: string): Blocking<Inode> {
    return new FarInode(yield* this.#ask(() => this.near.lookup(name)));
  }
  override *create(name: string, made: NewInode): Blocking<Inode> {
    return new FarInode(yield* this.#ask(() => this.near.create(name, made)));
  }
  override unlink(name: string): Maybe<void> {
    return this.#ask(() => this.near.unlink(name));
  }
  override rename(name: string, target: Inode, to: string, flags: number): Maybe<void> {
    return this.#ask(() => this.near.rename(name, (target as FarInode).near, to, flags));
  }
  override entries(cookie: number, countMax: number): Maybe<readonly DirectoryEntry[]> {
    return this.#ask(() => this.near.entries(cookie, countMax));
  }
  override readlink(io: IoContext): Maybe<string> {
    return this.#ask(() => this.near.readlink(io));
  }
  override open(flags: number, io: IoContext): Maybe<OpenFile> {
    return this.#ask(() => this.near.open(flags, io));
  }
}

/** A kernel whose root is another's: the same files, at the end of a line. */
function farLab() {
  const owner = new FsLab({ 'etc/motd': 'hello', motd: '-> etc/motd', 'proc/': '', 'tmp/': '' });
  const lab = new FsLab();
  const far: FileSystem = {
    type: 'rootfs',
    device: 16,
    root: new FarInode(owner.files.vfs.root.inode),
    status: () => owner.files.vfs.root.inode.status() as FileSystemStatus,
  };
  lab.files.vfs.mounts.length = 0;
  lab.files.mountRoot(far);
  const call = (ctx: ReturnType<FsLab['process']>, name: string, ...args: (string | number)[]): number => {
    const fiber = lab.start(ctx, name, ...args);
    for (let answers = 0; !fiber.done; answers++) {
      if (answers > 100) throw new Error(`${name} never ends`);
      line.wakeAll();
      lab.wake();
    }
    return fiber.result ?? -(fiber.errno as number);
  };
  const drive = (steps: Blocking<void>): void => {
    while (!steps.next('woken').done);
  };
  return { lab, owner, call, drive, ctx: lab.process() };
}

describe('a root that another kernel owns', () => {
  it('is walked, read and changed by message', () => {
    const { lab, owner, call, ctx } = farLab();
    const fd = call(ctx, 'openat', -100, '/motd', O.RDONLY, 0);
    expect(call(ctx, 'read', fd, BUFFER, 100)).toBe(5);
    expect(lab.at(BUFFER, 5)).toBe('hello');
    expect(call(ctx, 'openat', -100, '/tmp/new', O.CREAT | O.EXCL | O.WRONLY, 0o644)).toBe(1);
    expect(call(ctx, 'renameat2', -100, '/tmp/new', -100, '/tmp/old', 0)).toBe(0);
    expect(owner.names(owner.process(), '/tmp')).toEqual(['.', '..', 'old']);
  });

  it('shows at once what its owner removed', () => {
    const { owner, call, ctx } = farLab();
    expect(call(ctx, 'faccessat', -100, '/etc/motd', 4)).toBe(0);
    owner.call(owner.process(), 'unlinkat', -100, '/etc/motd', 0);
    expect(call(ctx, 'faccessat', -100, '/etc/motd', 4)).toBe(-E.NOENT);
  });

  it("has the kernel's own /proc and /dev in it", () => {
    const { lab, call, drive, ctx } = farLab();
    drive(lab.files.mountStandard());
    const fd = call(ctx, 'openat', -100, '/proc/self/comm', O.RDONLY, 0);
    expect(call(ctx, 'read', fd, BUFFER, 10)).toBe(3);
    expect(call(ctx, 'openat', -100, '/dev/null', O.WRONLY, 0)).toBe(1);
    expect(call(ctx, 'chdir', '/dev/pts')).toBe(0);
    expect(call(ctx, 'getcwd', BUFFER, 20)).toBe(9);
  });
});
