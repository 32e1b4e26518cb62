/**
 * Files of tmpfs as plain data, to be made again on another kernel: every inode that can be reached from those asked for, with names, contents, locks
 * and pipes.
 *
 *     a page of a file     [index, frame of this kernel], to be copied there; pages that are as in the root archive are left out: it is there too
 *
 * Always holds: what `unpack` makes of what `Packer` has written has the same numbers, names, links, sizes and bytes.
 */
import { E, Errno } from '../../abi/errno.ts';
import { PAGE_SIZE, type Pfn } from '../../types.ts';
import type { Timestamp } from '../clock.ts';
import type { NewInode } from '../inode.ts';
import type { Lock } from '../lock.ts';
import { Pipe } from '../pipe.ts';
import type { FsServices } from '../services.ts';
import type { SocketLink } from '../socket/socket.ts';
import type { TmpInode } from './inode.ts';
import { TmpFs } from './tmpfs.ts';

export interface InodeState {
  readonly fs: number;
  readonly ino: number;
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly times: readonly [Timestamp, Timestamp, Timestamp];
  readonly locks: readonly Lock[];
  readonly content: Content;
}
/** What kinds of inode have beside their attributes. Numbers of inodes and pipes are places in their lists. */
export interface Content {
  readonly size?: number;
  readonly archive?: readonly [offset: number, bytes: number] | null;
  readonly pages?: readonly (readonly [index: number, frame: Pfn])[];
  readonly isMemory?: boolean;
  readonly entries?: readonly (readonly [name: string, inode: number, cookie: number])[];
  readonly nextCookie?: number;
  readonly parent?: number | null;
  readonly target?: string;
  readonly socket?: SocketLink | null;
  readonly pipe?: number | null;
}
export interface PipeState {
  /** One byte a character. */
  readonly text: string;
  readonly readersEver: number;
  readonly writersEver: number;
}
export interface TreeState {
  readonly fileSystems: readonly { readonly device: number; readonly type: string; readonly nextIno: number; readonly inodes: number }[];
  readonly inodes: readonly InodeState[];
  readonly pipes: readonly PipeState[];
}

export class Packer {
  readonly #fileSystems: TmpFs[] = [];
  readonly #inodes: TmpInode[] = [];
  readonly #numbers = new Map<TmpInode, number>();
  readonly #pipes: Pipe[] = [];

  constructor(
    readonly services: FsServices,
    /** The archive that every kernel has. */
    readonly archive: Uint8Array,
  ) {}

  inode(inode: TmpInode): number {
    let number = this.#numbers.get(inode);
    if (number === undefined) {
      number = this.#inodes.push(inode) - 1;
      this.#numbers.set(inode, number);
    }
    return number;
  }
  fileSystem(fs: TmpFs): number {
    const known = this.#fileSystems.indexOf(fs);
    return known >= 0 ? known : this.#fileSystems.push(fs) - 1;
  }
  pipe(pipe: Pipe): number {
    const known = this.#pipes.indexOf(pipe);
    return known >= 0 ? known : this.#pipes.push(pipe) - 1;
  }

  /** All that has been asked for, and all that it leads to. */
  finish(): TreeState {
    const inodes: InodeState[] = [];
    for (let i = 0; i < this.#inodes.length; i++) inodes.push((this.#inodes[i] as TmpInode).state(this));
    return {
      inodes,
      fileSystems: this.#fileSystems.map(({ device, type, nextIno, inodes: count }) => ({ device, type, nextIno, inodes: count })),
      pipes: this.#pipes.map(pipe => ({ text: textOf(pipe), readersEver: pipe.readersEver, writersEver: pipe.writersEver })),
    };
  }
}

/** What can be asked for while inodes are made. */
export interface Unpacked {
  readonly services: FsServices;
  readonly archive: Uint8Array;
  readonly inodes: readonly TmpInode[];
  readonly pipes: readonly Pipe[];
  /** A frame of this kernel with what stands in another's. Throws ENOMEM. */
  copy(frame: Pfn): Pfn;
}

/** Makes it all again. @throws Errno ENOMEM, with nothing left behind */
export function unpack(state: TreeState, services: FsServices, archive: Uint8Array): Unpacked {
  const made: Pfn[] = [];
  const pages = state.inodes.reduce((sum, { content }) => sum + (content.pages?.length ?? 0), 0);
  if (pages >= services.frameCounts().free) throw new Errno(E.NOMEM);
  const copy = (frame: Pfn): Pfn => {
    const own = services.allocFrame();
    services.frameBytes(own).set(services.frameBytes(frame));
    made.push(own);
    return own;
  };
  try {
    const fileSystems = state.fileSystems.map(({ device, type }) => new TmpFs(services, device, type));
    const inodes = state.inodes.map(each => {
      const made: NewInode = {
        ...each,
        target: each.content.target ?? '',
        ...(each.content.socket ? { socket: each.content.socket } : {}),
      };
      return (fileSystems[each.fs] as TmpFs).make(made, null);
    });
    const pipes = state.pipes.map(({ text, readersEver, writersEver }) => {
      const pipe = new Pipe();
      pipe.put(Uint8Array.from(text, c => c.charCodeAt(0)));
      pipe.readersEver = readersEver;
      pipe.writersEver = writersEver;
      return pipe;
    });
    const unpacked = { services, archive, inodes, pipes, copy };
    for (const [i, each] of state.inodes.entries()) (inodes[i] as TmpInode).restore(each, unpacked);
    for (const [i, { nextIno, inodes: count }] of state.fileSystems.entries()) (fileSystems[i] as TmpFs).restore(nextIno, count);
    return unpacked;
  } catch (error) {
    for (const frame of made) services.releaseFrame(frame);
    throw error;
  }
}

function textOf(pipe: Pipe): string {
  const bytes = new Uint8Array(pipe.length);
  pipe.take(bytes);
  pipe.put(bytes);
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Whether a page is as it is in the archive. */
export function isAsIn(content: Uint8Array, index: number, page: Uint8Array): boolean {
  const part = content.subarray(index * PAGE_SIZE, (index + 1) * PAGE_SIZE);
  for (let i = 0; i < PAGE_SIZE; i++) if (page[i] !== (part[i] ?? 0)) return false;
  return true;
}
