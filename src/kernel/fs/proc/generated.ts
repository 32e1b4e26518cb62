/**
 * File systems whose files are computed when they are read: /proc and /sys.
 *
 * A tree is described by nodes, plain values with functions; this file makes inodes and open files of them. A file's text is made when
 * reading starts (at position 0), so that one reading sees one state.
 */
import { E, Errno } from '../../abi/errno.ts';
import { O, SEEK } from '../../abi/fcntl.ts';
import { S } from '../../abi/stat.ts';
import type { KernelId, Maybe } from '../../types.ts';
import { fromBytes, toBytes } from '../bytes.ts';
import { timestamp } from '../clock.ts';
import { transferCost } from '../costs.ts';
import { BaseFile, type FileKind, type IoContext, type OpenFile } from '../file.ts';
import {
  BaseInode,
  type AttributeChange,
  type Attributes,
  type DirectoryEntry,
  type FileSystem,
  type FileSystemStatus,
  type Inode,
  type InodeKind,
} from '../inode.ts';
import { after } from '../maybe.ts';
import type { FsServices } from '../services.ts';

export type Owner = readonly [uid: number, gid: number];

export interface GeneratedDirectory {
  readonly kind: 'directory';
  readonly mode?: number;
  readonly owner?: () => Maybe<Owner>;
  names(): Maybe<readonly string[]>;
  /** null when there is none of that name. `io`: for whom, where that is known. */
  child(name: string, io?: IoContext): Maybe<GeneratedNode | null>;
}

export interface GeneratedFile {
  readonly kind: 'file';
  readonly mode?: number;
  readonly owner?: () => Maybe<Owner>;
  readonly read?: (io: IoContext) => Maybe<string | Uint8Array>;
  readonly write?: (text: string, io: IoContext) => Maybe<void>;
}

export interface GeneratedLink {
  readonly kind: 'symlink';
  readonly mode?: number;
  readonly owner?: () => Maybe<Owner>;
  target(io: IoContext): Maybe<string>;
  readonly opened?: (io: IoContext) => Maybe<OpenFile | null>;
}

export type GeneratedNode = GeneratedDirectory | GeneratedFile | GeneratedLink;

/** A directory that always has the same children. */
export function fixedDirectory(children: Readonly<Record<string, GeneratedNode>>, mode = 0o555): GeneratedDirectory {
  const names = Object.keys(children);
  return { kind: 'directory', mode, names: () => names, child: name => (Object.hasOwn(children, name) ? (children[name] ?? null) : null) };
}

export const textFile = (read: (io: IoContext) => Maybe<string | Uint8Array>, mode = 0o444): GeneratedFile => ({
  kind: 'file',
  mode,
  read,
});
export const link = (target: (io: IoContext) => Maybe<string>): GeneratedLink => ({ kind: 'symlink', mode: 0o777, target });

export class GeneratedFs implements FileSystem {
  readonly root: Inode;

  constructor(
    readonly services: FsServices,
    readonly type: string,
    readonly device: number,
    readonly magic: number,
    root: GeneratedDirectory,
  ) {
    this.root = new GeneratedInode(this, root, '');
  }

  status(): FileSystemStatus {
    return { type: this.magic, device: this.device, blockSize: 4096, blocks: 0, blocksFree: 0, files: 0, filesFree: 0 };
  }
}

const TYPES = { directory: S.IFDIR, file: S.IFREG, symlink: S.IFLNK } as const;
const DEFAULT_MODES = { directory: 0o555, file: 0o444, symlink: 0o777 } as const;
const ROOT_OWNER: Owner = [0, 0];

class GeneratedInode extends BaseInode {
  readonly ino: number;
  override readonly volatile = true;

  constructor(
    readonly fs: GeneratedFs,
    readonly node: GeneratedNode,
    readonly path: string,
  ) {
    super();
    this.ino = hash(path);
  }

  get kind(): InodeKind {
    return this.node.kind;
  }
  get owner(): KernelId {
    return this.fs.services.kernel;
  }
  get device(): number {
    return this.fs.device;
  }
  override status(): FileSystemStatus {
    return this.fs.status();
  }

  override attributes(): Maybe<Attributes> {
    return after(this.node.owner?.() ?? ROOT_OWNER, ([uid, gid]): Attributes => {
      const now = timestamp(this.fs.services.now(), this.fs.services.hertz);
      const { node } = this;
      const mode = TYPES[node.kind] | (node.mode ?? DEFAULT_MODES[node.kind]);
      return {
        device: this.device,
        ino: this.ino,
        mode,
        links: node.kind === 'directory' ? 2 : 1,
        uid,
        gid,
        rdev: 0,
        size: 0,
        blocks: 0,
        blockSize: 1024,
        atime: now,
        mtime: now,
        ctime: now,
      };
    });
  }

  /** Times and modes can't be kept; programs that set them may go on. */
  override setAttributes(change: AttributeChange): void {
    if (change.uid !== undefined || change.gid !== undefined || change.mode !== undefined) throw new Errno(E.PERM);
  }

  override truncate(_size: number): void {}

  override lookup(name: string, io?: IoContext): Maybe<Inode> {
    if (this.node.kind !== 'directory') throw new Errno(E.NOTDIR);
    return after(this.node.child(name, io), child => {
      if (!child) throw new Errno(E.NOENT);
      return new GeneratedInode(this.fs, child, `${this.path}/${name}`);
    });
  }

  override entries(cookie: number, countMax: number): Maybe<readonly DirectoryEntry[]> {
    const { node } = this;
    if (node.kind !== 'directory') throw new Errno(E.NOTDIR);
    return after(node.names(), names => {
      const some = names.slice(cookie, cookie + countMax);
      // The type is left open where finding out would cost a message.
      return some.map((name, i) => ({ name, ino: hash(`${this.path}/${name}`), type: DT_UNKNOWN, next: cookie + i + 1 }));
    });
  }

  override readlink(io: IoContext): Maybe<string> {
    if (this.node.kind !== 'symlink') throw new Errno(E.INVAL);
    return this.node.target(io);
  }

  override opened(io: IoContext): Maybe<OpenFile | null> {
    return this.node.kind === 'symlink' ? (this.node.opened?.(io) ?? null) : null;
  }

  override open(flags: number, _io: IoContext): OpenFile {
    if (this.node.kind !== 'file') throw new Errno(E.INVAL);
    const access = flags & O.ACCMODE;
    if (access !== O.WRONLY && !this.node.read) throw new Errno(E.ACCES);
    if (access !== O.RDONLY && !this.node.write) throw new Errno(E.ACCES);
    return new GeneratedOpenFile(this, this.node, flags);
  }
}

const DT_UNKNOWN = 0;

class GeneratedOpenFile extends BaseFile {
  readonly kind: FileKind = 'file';
  #content: Uint8Array | null = null;
  #position = 0;

  constructor(
    readonly inodeOf: GeneratedInode,
    readonly node: GeneratedFile,
    flags: number,
  ) {
    super(flags);
  }

  get owner(): KernelId {
    return this.inodeOf.owner;
  }
  override get inode(): Inode {
    return this.inodeOf;
  }
  override get seekable(): boolean {
    return true;
  }
  override get position(): number {
    return this.#position;
  }

  override read(target: Uint8Array, io: IoContext): Maybe<number> {
    return after(this.pread(target, this.#position, io), count => {
      this.#position += count;
      return count;
    });
  }

  override pread(target: Uint8Array, position: number, io: IoContext): Maybe<number> {
    if (!this.node.read) throw new Errno(E.BADF);
    if (this.#content && position > 0) return this.#copy(this.#content, target, position);
    return after(this.node.read(io), content => {
      this.#content = typeof content === 'string' ? toBytes(content) : content;
      return this.#copy(this.#content, target, position);
    });
  }

  #copy(content: Uint8Array, target: Uint8Array, position: number): number {
    const part = content.subarray(position, position + target.length);
    target.set(part);
    this.inodeOf.fs.services.charge(transferCost(part.length));
    return part.length;
  }

  override write(source: Uint8Array, io: IoContext): Maybe<number> {
    if (!this.node.write) throw new Errno(E.BADF);
    return after(this.node.write(fromBytes(source), io), () => source.length);
  }

  override pwrite(source: Uint8Array, _position: number, io: IoContext): Maybe<number> {
    return this.write(source, io);
  }

  override seek(offset: number, whence: number): number {
    const position = whence === SEEK.SET ? offset : whence === SEEK.CUR ? this.#position + offset : -1;
    if (position < 0) throw new Errno(E.INVAL);
    this.#position = position;
    return position;
  }

  override truncate(_size: number): void {}
  attributes(): Maybe<Attributes> {
    return this.inodeOf.attributes();
  }
  override status(): FileSystemStatus {
    return this.inodeOf.fs.status();
  }
}

/** FNV-1a: an inode number that a path keeps. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return (value >>> 0) + 2 ** 31;
}
