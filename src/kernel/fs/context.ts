/** A process's place in the file tree. */
import type { Dentry } from './vfs.ts';

export interface FsContext {
  root: Dentry;
  cwd: Dentry;
  umask: number;
}
