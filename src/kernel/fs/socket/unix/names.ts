/**
 * Names of AF_UNIX: a path, where a socket inode stands for the socket; or, after a zero byte, an entry of the directory of abstract
 * names, which goes with its socket. Either way the inode has the link to the socket.
 */
import { E, Errno } from '../../../abi/errno.ts';
import { ACCESS } from '../../../abi/fcntl.ts';
import { S } from '../../../abi/stat.ts';
import { type Blocking, settle } from '../../../types.ts';
import type { Inode, NewInode } from '../../inode.ts';
import { checkAccess, effective } from '../../permission.ts';
import type { NameSpace, Socket, SocketName } from '../socket.ts';
import type { UnixDomain } from './domain.ts';

const PATH_BYTES_MAX = 108;

/** The entry that an abstract name is: sockets of different types do not see each other's. Null for a path or no name. */
export const abstractKey = (type: number, data: string): string | null => (data.startsWith('\0') ? `${type}${data}` : null);

/** The path in a name, up to its first zero byte. */
function pathIn(data: string): string {
  const end = data.indexOf('\0');
  return end < 0 ? data : data.slice(0, end);
}

function check(data: string): void {
  if (data === '' || data.length > PATH_BYTES_MAX) throw new Errno(E.INVAL);
}

/** Gives a socket its name. Throws EADDRINUSE, EINVAL when it has one. */
export function* bindUnix(domain: UnixDomain, space: NameSpace, socket: Socket, data: string): Blocking<void> {
  const at = { kernel: socket.owner, ino: socket.socket.ino };
  const { type } = socket.socket;
  if (data === '') {
    if ((yield* settle(socket.ownName())) !== '') return;
    for (;;) {
      try {
        yield* bindUnix(domain, space, socket, `\0${domain.newName()}`);
        return;
      } catch (error) {
        if (!(error instanceof Errno) || error.errno !== E.ADDRINUSE) throw error;
      }
    }
  }
  check(data);
  const { vfs, caller } = space;
  const key = abstractKey(type, data);
  const path = pathIn(data);
  const mode = S.IFSOCK | (0o777 & ~caller.fs.umask);
  try {
    if (key === null) yield* settle(vfs.create(caller, caller.fs.cwd, path, { mode, socket: at }));
    else yield* claim(domain, key, { ...NAMELESS, mode: S.IFSOCK | 0o777, socket: at });
  } catch (error) {
    throw error instanceof Errno && error.errno === E.EXIST ? new Errno(E.ADDRINUSE) : error;
  }
  try {
    yield* settle(socket.bind({ data: key === null ? `${path}\0` : data, at }));
  } catch (error) {
    yield* settle(key === null ? vfs.remove(caller, caller.fs.cwd, path, false) : domain.names.unlink(key));
    throw error;
  }
}

/** Makes the entry of an abstract name. One that a dead kernel left is taken over. Throws EEXIST. */
function* claim(domain: UnixDomain, key: string, made: NewInode): Blocking<void> {
  const { names } = domain;
  try {
    yield* settle(names.create(key, made));
    return;
  } catch (error) {
    if (!(error instanceof Errno) || error.errno !== E.EXIST) throw error;
    const at = yield* settle((yield* settle(names.lookup(key))).socket());
    if (at === null || domain.isUp(at)) throw error;
  }
  yield* settle(names.unlink(key));
  yield* settle(names.create(key, made));
}

const NAMELESS: Omit<NewInode, 'mode'> = { uid: 0, gid: 0, rdev: 0, target: '' };

/** Throws ECONNREFUSED when nobody has the name, EACCES when the caller may not write there. */
export function* findUnix(domain: UnixDomain, space: NameSpace, socket: Socket, data: string): Blocking<SocketName> {
  check(data);
  const key = abstractKey(socket.socket.type, data);
  const inode = key === null ? yield* byPath(space, pathIn(data)) : yield* byKey(domain, key);
  const at = inode.kind === 'socket' ? yield* settle(inode.socket()) : null;
  if (at === null) throw new Errno(E.CONNREFUSED);
  return { data, at };
}

function* byPath({ vfs, caller }: NameSpace, path: string): Blocking<Inode> {
  const { inode } = yield* settle(vfs.walk(caller, caller.fs.cwd, path));
  checkAccess(yield* settle(inode.attributes()), ACCESS.W, effective(caller.credentials));
  return inode;
}

function* byKey(domain: UnixDomain, key: string): Blocking<Inode> {
  try {
    return yield* settle(domain.names.lookup(key));
  } catch (error) {
    throw error instanceof Errno && error.errno === E.NOENT ? new Errno(E.CONNREFUSED) : error;
  }
}
