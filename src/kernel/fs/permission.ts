/** Who may do what with a file: mode bits against credentials. User 0 may read and write all, and execute what has any execute bit. */
import { E, Errno } from '../abi/errno.ts';
import { ACCESS } from '../abi/fcntl.ts';
import { S } from '../abi/stat.ts';
import type { Credentials } from '../task/task.ts';
import type { Attributes } from './inode.ts';

/** Throws EACCES unless all of `want` (ACCESS bits) is granted. */
export function checkAccess(file: Attributes, want: number, who: { uid: number; gid: number; groups: readonly number[] }): void {
  if (who.uid === 0) {
    const executable = (file.mode & 0o111) !== 0 || (file.mode & S.IFMT) === S.IFDIR;
    if ((want & ACCESS.X) !== 0 && !executable) throw new Errno(E.ACCES);
    return;
  }
  const shift = file.uid === who.uid ? 6 : file.gid === who.gid || who.groups.includes(file.gid) ? 3 : 0;
  if (((file.mode >> shift) & want) !== want) throw new Errno(E.ACCES);
}

export const effective = (c: Credentials): { uid: number; gid: number; groups: readonly number[] } => ({
  uid: c.euid,
  gid: c.egid,
  groups: c.groups,
});
export const real = (c: Credentials): { uid: number; gid: number; groups: readonly number[] } => ({
  uid: c.uid,
  gid: c.gid,
  groups: c.groups,
});
