/** Fills a tmpfs from a cpio archive. Contents stay in the archive until they are touched. */
import { S, makeDevice } from '../../abi/stat.ts';
import { cpioEntries, CpioError, type CpioEntry } from '../cpio.ts';
import { fromBytes } from '../bytes.ts';
import { TmpDirectory } from './directory.ts';
import { TmpFile } from './file.ts';
import type { TmpInode } from './inode.ts';
import type { TmpFs } from './tmpfs.ts';

/** Throws CpioError when the archive isn't one. Returns the number of files. No other kernel remembers any of what is `reached`. */
export function populate(fs: TmpFs, archive: Uint8Array): number {
  /** Names of one inode that came before; the last of them brings the contents. */
  const linked = new Map<string, TmpInode>();
  let count = 0;
  for (const entry of cpioEntries(archive)) {
    count++;
    const cut = entry.name.lastIndexOf('/');
    const directory = directoryFor(fs.root, entry.name.slice(0, Math.max(0, cut)));
    const inode = place(fs, directory, entry.name.slice(cut + 1), entry, linked);
    inode.mtime = inode.atime = inode.ctime = { seconds: entry.mtime, nanoseconds: 0 };
  }
  return count;
}

/** What of the tree is on the way to an archive's files, or in their place. @throws CpioError */
export function reached(fs: TmpFs, archive: Uint8Array): TmpInode[] {
  const found = new Set<TmpInode>();
  for (const { name } of cpioEntries(archive)) {
    let at: TmpInode | null = fs.root;
    for (const part of name.split('/')) {
      found.add(at);
      at = at instanceof TmpDirectory ? at.find(part) : null;
      if (at === null) break;
    }
    if (at !== null) found.add(at);
  }
  return [...found];
}

function place(fs: TmpFs, directory: TmpDirectory, name: string, entry: CpioEntry, linked: Map<string, TmpInode>): TmpInode {
  const isDirectory = (entry.mode & S.IFMT) === S.IFDIR;
  const known = name === '' ? fs.root : directory.find(name);
  if (isDirectory && known instanceof TmpDirectory) {
    known.setAttributes({ mode: entry.mode & 0o7777, uid: entry.uid, gid: entry.gid });
    return known;
  }
  if (name === '') throw new CpioError('cpio: the root is no directory');
  if (known instanceof TmpDirectory) throw new CpioError(`cpio: '${entry.name}' is a directory and something else`);
  if (known) directory.detach(name);
  const key = `${entry.deviceMajor}:${entry.deviceMinor}:${entry.ino}`;
  const other = !isDirectory && entry.links > 1 ? linked.get(key) : undefined;
  if (other) {
    directory.attach(name, other);
    if (other instanceof TmpFile && entry.content.length > 0) other.fill(entry.content);
    return other;
  }
  if (!VALID_TYPES.has(entry.mode & S.IFMT))
    throw new CpioError(`cpio: '${entry.name}' has an unknown type, mode ${entry.mode.toString(8)}`);
  const target = (entry.mode & S.IFMT) === S.IFLNK ? fromBytes(entry.content) : '';
  const inode = directory.make(name, {
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    rdev: makeDevice(entry.rdevMajor, entry.rdevMinor),
    target,
  });
  if (inode instanceof TmpFile) inode.fill(entry.content);
  if (!isDirectory && entry.links > 1) linked.set(key, inode);
  return inode;
}

const VALID_TYPES: ReadonlySet<number> = new Set([S.IFREG, S.IFDIR, S.IFLNK, S.IFCHR, S.IFBLK, S.IFIFO, S.IFSOCK]);

/** The directory of a file, made when the archive names it later or never. */
function directoryFor(root: TmpDirectory, path: string): TmpDirectory {
  let at = root;
  for (const part of path.split('/').filter(name => name !== '')) {
    const next = at.find(part) ?? at.make(part, { mode: S.IFDIR | 0o755, uid: 0, gid: 0, rdev: 0, target: '' });
    if (!(next instanceof TmpDirectory)) throw new CpioError(`cpio: '${part}' in '${path}' is no directory`);
    at = next;
  }
  return at;
}
