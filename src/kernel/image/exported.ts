/**
 * Open files that others hold, as plain data, for the heir of a kernel that halts: regular files with their position, and ends of pipes. Terminals,
 * sockets and the like end with their kernel.
 */
import type { OpenFile } from '../fs/file.ts';
import { PipeEnd } from '../fs/pipe.ts';
import { RegularFile } from '../fs/regular-file.ts';
import { memoryName, reopened, TmpFile } from '../fs/tmpfs/file.ts';
import { TmpInode } from '../fs/tmpfs/inode.ts';
import type { Packer, Unpacked } from '../fs/tmpfs/state.ts';
import type { Exported } from './files.ts';

export interface ExportedState {
  readonly handle: number;
  readonly flags: number;
  readonly holders: readonly (readonly [kernel: number, references: number])[];
  /** Kernels whose epoll sets have it. */
  readonly sets: readonly number[];
  readonly locker: string | null;
  readonly file: { readonly inode: number; readonly position: number; readonly name: string | null } | null;
  readonly pipe: { readonly pipe: number; readonly ino: number; readonly fifo: number | null } | null;
}

/** Null for what can't be made again. */
export function exportedState({ handle, file, holders, sets }: Exported, packer: Packer): ExportedState | null {
  // Only sets still know of it.
  if (holders.size === 0) return null;
  const shared = { handle, flags: file.flags, holders: [...holders], sets: [...sets] };
  if (file instanceof RegularFile && file.file instanceof TmpFile) {
    const { position, lockHolder: locker } = file;
    return { ...shared, locker, file: { inode: packer.inode(file.file), position, name: memoryName(file) }, pipe: null };
  }
  if (file instanceof PipeEnd) {
    const fifo = file.fifo instanceof TmpInode ? packer.inode(file.fifo) : null;
    return { ...shared, locker: file.lockHolder, file: null, pipe: { pipe: packer.pipe(file.pipe), ino: file.ino, fifo } };
  }
  return null;
}

export function restoreExported({ handle, flags, holders, sets, locker, file, pipe }: ExportedState, from: Unpacked): Exported {
  let open: RegularFile | PipeEnd;
  if (file !== null) open = reopened(from.inodes[file.inode] as TmpFile, flags, file.position, file.name);
  else if (pipe !== null) {
    const ends = from.pipes[pipe.pipe] as PipeEnd['pipe'];
    const { readersEver, writersEver } = ends;
    open = new PipeEnd(from.services, ends, flags, pipe.ino, pipe.fifo === null ? null : (from.inodes[pipe.fifo] as TmpInode));
    ends.readersEver = readersEver;
    ends.writersEver = writersEver;
  } else throw new Error(`nothing is known of open file ${handle}`);
  open.references = holders.reduce((sum, [, count]) => sum + count, 0);
  open.lockHolder = locker;
  return { handle, file: open as OpenFile, holders: new Map(holders), watchers: new Map(), sets: new Set(sets) };
}
