/**
 * Files as archives have them, and the archive that a kernel's root is made of (cpio, as an initramfs is).
 *
 * Always holds: a name is bytes, one a character, without a leading slash and without `.` and `..`; of two files of one name the later counts.
 */
import { cpioEntries } from '../../kernel/fs/cpio.ts';

export type FileType = 'file' | 'directory' | 'symlink' | 'character' | 'block' | 'fifo';

export interface ArchiveFile {
  readonly name: string;
  readonly type: FileType;
  /** Permissions, without the type. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Of a file its bytes, of a symbolic link its target; of others nothing. */
  readonly content: Uint8Array;
  /** Files of one key are one inode with several names; the last of them has the contents. Null: it has one name. */
  readonly inode: string | null;
  /** Of a device. */
  readonly rdev?: { readonly major: number; readonly minor: number };
}

const TYPES: Readonly<Record<FileType, number>> = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
};
const TYPE_OF = new Map(Object.entries(TYPES).map(([type, bits]) => [bits, type as FileType]));
const MODE_TYPE = 0o170000;

/** The files of a cpio archive. @throws CpioError saying where it is broken */
export function cpioFiles(archive: Uint8Array, source = ''): ArchiveFile[] {
  return [...cpioEntries(archive)].flatMap(entry => {
    const type = TYPE_OF.get(entry.mode & MODE_TYPE);
    if (type === undefined || entry.name === '') return [];
    return {
      name: entry.name,
      type,
      mode: entry.mode & 0o7777,
      uid: entry.uid,
      gid: entry.gid,
      mtime: entry.mtime,
      content: entry.content,
      inode: entry.links > 1 && type !== 'directory' ? `${source}:${entry.deviceMajor}:${entry.deviceMinor}:${entry.ino}` : null,
      rdev: { major: entry.rdevMajor, minor: entry.rdevMinor },
    };
  });
}

/**
 * One archive of all files, in their order.
 * @throws Error when it has more than `most` bytes
 */
export function toCpio(files: Iterable<ArchiveFile>, most = 1 << 30): Uint8Array {
  const parts: Uint8Array[] = [];
  let total = 0;
  const push = (bytes: Uint8Array): void => {
    const padding = (4 - (bytes.length % 4)) % 4;
    parts.push(bytes, new Uint8Array(padding));
    total += bytes.length + padding;
    if (total > most) throw new Error(`files of more than ${most >> 20} MiB`);
  };
  const numbers = new Map<string, number>();
  let next = 1;
  const entry = (name: string, fields: readonly number[], content: Uint8Array): void => {
    const hex = fields.map(value => (value >>> 0).toString(16).padStart(8, '0')).join('');
    push(Uint8Array.from(`070701${hex}${name}\0`, c => c.charCodeAt(0)));
    push(content);
  };
  for (const { name, type, mode, uid, gid, mtime, content, inode, rdev } of files) {
    const number = (inode === null ? undefined : numbers.get(inode)) ?? next++;
    if (inode !== null) numbers.set(inode, number);
    const { major, minor } = rdev ?? { major: 0, minor: 0 };
    const links = inode !== null || type === 'directory' ? 2 : 1;
    entry(name, [number, TYPES[type] | mode, uid, gid, links, mtime, content.length, 0, 0, major, minor, name.length + 1, 0], content);
  }
  entry('TRAILER!!!', [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 'TRAILER!!!'.length + 1, 0], new Uint8Array(0));
  const archive = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}
