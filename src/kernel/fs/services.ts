/**
 * What the file system needs from the rest of the kernel. The kernel implements it; tests use `testing.ts`.
 */
import type { Cycles, KernelId, Maybe, Pfn, Pid } from '../types.ts';
import type { IoContext, OpenFile } from './file.ts';
import type { Inode } from './inode.ts';
import type { Locks } from './lock.ts';
import type { ProcSource } from './proc/source.ts';
import type { Network } from '../net/network.ts';
import type { NewSocket, Socket, SocketLink } from './socket/socket.ts';
import type { UnixPort } from './socket/unix/domain.ts';

/** These are about to be changed. */
export type Claim = (...inodes: readonly Inode[]) => void;

export interface FsServices {
  readonly kernel: KernelId;
  /** Cycles per second of virtual time. */
  readonly hertz: number;
  now(): Cycles;
  /** Virtual time spent by the kernel on behalf of the running task. */
  charge(cycles: Cycles): void;

  /** A zeroed frame with one reference. Throws Errno(E.NOMEM). */
  allocFrame(): Pfn;
  retainFrame(pfn: Pfn): void;
  releaseFrame(pfn: Pfn): void;
  /** The frame's 4096 bytes of physical memory. */
  frameBytes(pfn: Pfn): Uint8Array;
  /** Its bytes were changed: instructions decoded from it are stale. */
  wroteFrame(pfn: Pfn): void;
  /** Whether another kernel has a reference to it: then it is not to be written. */
  isLent(pfn: Pfn): boolean;
  /** A page of a file is another frame now: who has mapped the old one here finds the new one when the page is next touched. */
  replacedFrame(old: Pfn): void;
  /**
   * Does `work`, which changes the inodes that it claims, at a moment when no other kernel remembers anything of them. It claims them before it
   * changes anything: a claim ends it, when others have to be told to forget, and it is done from its beginning again.
   */
  changing<T>(work: (claim: Claim) => Maybe<T>): Maybe<T>;
  /** What stands for an inode that is this kernel's own by now (inherited from one that has halted): the inode; any other as it is. */
  ownInode(inode: Inode): Inode;
  /** A file ends before this page: mappings here show nothing of it from there on. */
  cut(file: Inode, firstPage: number): void;
  /** Frames of this kernel, for statfs. */
  frameCounts(): { readonly total: number; readonly free: number };

  /** 32 bits of this kernel's pseudo-random stream (a function of its seed). */
  random(): number;
  /** A line for dmesg. */
  log(text: string): void;

  /** Locks on files of this kernel. */
  readonly locks: Locks;
  readonly jobs: Jobs;
  readonly proc: ProcSource;
  /** Opens the controlling terminal of a process when it isn't one of this kernel's; null when it has none. */
  openRemoteTerminal(flags: number, io: IoContext): Maybe<OpenFile | null>;
  /** Whether it is another kernel that is up. */
  isPeer(kernel: KernelId): boolean;
  /** A socket of another kernel. */
  farPort(link: SocketLink): UnixPort;
  /** A new socket of another kernel. Throws ENETDOWN when that is not there. */
  farSocket(kernel: KernelId, wanted: NewSocket, io: IoContext): Maybe<Socket>;
  /** A new epoll set of another kernel. Throws ENETDOWN when that is not there. */
  farEpoll(kernel: KernelId): Maybe<OpenFile>;
  /** What an epoll set here keeps of a file: itself, or for one of another kernel a stand-in without a reference. */
  watched(file: OpenFile): Maybe<OpenFile>;
  /** An item of a set with such a file is gone. */
  unwatched(file: OpenFile): void;
  /** A file of /proc/net or /proc/sys/net of another kernel; `change` is written to it first. Throws ENETDOWN, EINVAL. */
  farNetText(kernel: KernelId, path: string, change: string | null): Maybe<string>;
  /** TCP/IP of this kernel. */
  readonly net: Network;
  /** The directory of abstract socket names, when another kernel owns the tree and so keeps it. */
  farNames(): Inode | null;
}

/** Groups and sessions of the processes that use a terminal of this kernel, wherever they run. */
export interface Jobs {
  /** 0 for an unknown process. */
  groupOf(pid: Pid): Pid;
  sessionOf(pid: Pid): Pid;
  /** Every process of the group gets the signal, from the kernel. */
  signalGroup(group: Pid, signal: number): void;
  /** No member has a parent in another group of the same session: nobody could continue it. */
  isOrphanedGroup(group: Pid): boolean;
}
