/** The file calls of Linux RV64 by number: what is there, how completely, and what is missing. */
import { E, Errno } from '../abi/errno.ts';
import type { TmpFs } from '../fs/tmpfs/tmpfs.ts';
import type { CallRow, SyscallContext, SyscallHandler } from './context.ts';
import * as attributes from './file-attributes.ts';
import * as io from './file-io.ts';
import { receiving, sending } from './socket-time.ts';
import * as locks from './file-lock.ts';
import * as names from './file-name.ts';
import * as open from './file-open.ts';
import * as poll from './file-poll.ts';
import { SOCKET_CALLS } from './socket.ts';

const full = (name: string, handler: SyscallHandler): CallRow => ({ name, handler, support: 'full' });
const partial = (name: string, handler: SyscallHandler, missing: string): CallRow => ({ name, handler, support: 'partial', missing });

const noAttributes: SyscallHandler = () => {
  throw new Errno(E.OPNOTSUPP);
};

/** memfd_create lives on the kernel's nameless file system, which the VFS keeps. */
const namelessOf = (ctx: SyscallContext): TmpFs => {
  const { nameless } = ctx.vfs;
  if (!nameless) throw new Errno(E.NOSYS);
  return nameless;
};

const XATTRS = 'There are no extended attributes: EOPNOTSUPP.';

export const FILE_CALLS: Readonly<Record<number, CallRow>> = {
  5: partial('setxattr', noAttributes, XATTRS),
  6: partial('lsetxattr', noAttributes, XATTRS),
  7: partial('fsetxattr', noAttributes, XATTRS),
  8: partial('getxattr', noAttributes, XATTRS),
  9: partial('lgetxattr', noAttributes, XATTRS),
  10: partial('fgetxattr', noAttributes, XATTRS),
  11: partial('listxattr', noAttributes, XATTRS),
  12: partial('llistxattr', noAttributes, XATTRS),
  13: partial('flistxattr', noAttributes, XATTRS),
  14: partial('removexattr', noAttributes, XATTRS),
  15: partial('lremovexattr', noAttributes, XATTRS),
  16: partial('fremovexattr', noAttributes, XATTRS),
  17: full('getcwd', names.getcwd),
  19: full('eventfd2', open.eventfd2),
  20: full('epoll_create1', open.epollCreate1),
  21: partial('epoll_ctl', poll.epollCtl, 'EPOLLEXCLUSIVE wakes all.'),
  22: full('epoll_pwait', poll.epollPwait),
  23: full('dup', open.dup),
  24: full('dup3', open.dup3),
  25: partial('fcntl', open.fcntl, 'No leases, seals, owners of SIGIO; pipes keep 64 KiB.'),
  29: full('ioctl', open.ioctl),
  32: full('flock', locks.flock),
  33: full('mknodat', names.mknodat),
  34: full('mkdirat', names.mkdirat),
  35: full('unlinkat', names.unlinkat),
  36: full('symlinkat', names.symlinkat),
  37: full('linkat', names.linkat),
  39: partial('umount2', names.umount2, 'Open files on it do not keep it mounted; flags are ignored.'),
  40: partial('mount', names.mount, 'No bind mounts, moves or propagation.'),
  43: full('statfs', attributes.statfs),
  44: full('fstatfs', attributes.fstatfs),
  45: full('truncate', attributes.truncate),
  46: full('ftruncate', io.ftruncate),
  47: partial('fallocate', io.fallocate, 'No collapsing or inserting of ranges.'),
  48: full('faccessat', attributes.faccessat),
  49: full('chdir', names.chdir),
  50: full('fchdir', names.fchdir),
  51: full('chroot', names.chroot),
  52: full('fchmod', attributes.fchmod),
  53: full('fchmodat', attributes.fchmodat),
  54: full('fchownat', attributes.fchownat),
  55: full('fchown', attributes.fchown),
  56: full('openat', open.openat),
  57: full('close', open.close),
  59: partial('pipe2', open.pipe2, 'O_DIRECT does not keep packets apart.'),
  61: full('getdents64', names.getdents64),
  62: full('lseek', io.lseek),
  63: full('read', receiving(io.read)),
  64: full('write', sending(io.write)),
  65: full('readv', receiving(io.readv)),
  66: full('writev', sending(io.writev)),
  67: full('pread64', io.pread64),
  68: full('pwrite64', io.pwrite64),
  69: full('preadv', io.preadv),
  70: full('pwritev', io.pwritev),
  71: full('sendfile', io.sendfile),
  72: full('pselect6', poll.pselect6),
  73: full('ppoll', poll.ppoll),
  76: partial('splice', io.splice, 'Copies; SPLICE_F_NONBLOCK is ignored.'),
  78: full('readlinkat', names.readlinkat),
  79: full('newfstatat', attributes.newfstatat),
  80: full('fstat', attributes.fstat),
  81: full('sync', io.sync),
  82: full('fsync', io.fsync),
  83: full('fdatasync', io.fsync),
  84: full('sync_file_range', io.fsync),
  88: full('utimensat', attributes.utimensat),
  166: full('umask', names.umask),
  ...SOCKET_CALLS,
  213: full('readahead', io.readahead),
  223: full('fadvise64', io.fadvise64),
  267: full('syncfs', io.fsync),
  276: partial('renameat2', names.renameat2, 'No RENAME_WHITEOUT.'),
  278: full('getrandom', io.getrandom),
  279: partial('memfd_create', open.memfdCreateIn(namelessOf), 'No seals.'),
  285: full('copy_file_range', io.copyFileRange),
  286: partial('preadv2', io.preadv2, 'RWF_NOWAIT and RWF_APPEND are refused.'),
  287: partial('pwritev2', io.pwritev2, 'RWF_NOWAIT and RWF_APPEND are refused.'),
  291: partial('statx', attributes.statx, 'No birth time; the mount id is always 1.'),
  436: partial('close_range', open.closeRange, 'CLOSE_RANGE_UNSHARE only when nothing is shared.'),
  437: partial('openat2', open.openat2, 'RESOLVE_* flags are refused.'),
  439: full('faccessat2', attributes.faccessat2),
  441: full('epoll_pwait2', poll.epollPwait2),
  452: full('fchmodat2', attributes.fchmodat2),
};
