/** Folders and archives of this computer as what a kernel's root is made of. Read, never written. */
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type ArchiveFile, type FileType, toCpio } from '../lab/archive/file.ts';
import { unpack } from '../lab/archive/unpack.ts';

/** @throws Error when it can't be read or is too large */
export async function archiveOf(path: string): Promise<Uint8Array> {
  return toCpio(statSync(path).isDirectory() ? folderFiles(path) : await unpack(basename(path), readFileSync(path)));
}

/** Archives named `a.deb:b.tar.gz`, as they are. @throws Error */
export function archivesNamed(list: string): { name: string; bytes: Uint8Array }[] {
  return list
    .split(':')
    .filter(path => path !== '')
    .map(path => ({ name: basename(path), bytes: new Uint8Array(readFileSync(path)) }));
}

function* folderFiles(folder: string, name = ''): Generator<ArchiveFile> {
  for (const each of readdirSync(folder, { encoding: 'latin1' }).sort()) {
    const full = join(folder, Buffer.from(each, 'latin1').toString());
    const stat = lstatSync(full);
    const type = typeOf(stat);
    if (type === null) continue;
    const inside = name === '' ? each : `${name}/${each}`;
    yield {
      name: inside,
      type,
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      mtime: Math.floor(stat.mtimeMs / 1000),
      content: type === 'symlink' ? Buffer.from(readlinkSync(full)) : type === 'file' ? readFileSync(full) : new Uint8Array(0),
      inode: type === 'file' && stat.nlink > 1 ? `${stat.dev}:${stat.ino}` : null,
    };
    if (type === 'directory') yield* folderFiles(full, inside);
  }
}

/** Devices, pipes and sockets of this computer stay here. */
function typeOf(stat: Stats): FileType | null {
  return stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : stat.isFile() ? 'file' : null;
}
