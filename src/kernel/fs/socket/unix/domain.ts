/**
 * The AF_UNIX sockets of one kernel, and the way to those of others.
 *
 * A name is found in two steps. Looking it up, at the owner of the tree, gives a link: the kernel where the socket lives and its number
 * there. The link leads to the socket's port. A name outlives its socket: then the link leads nowhere, and the connection is refused.
 *
 * Always holds: `living` has every socket from its making to its last close.
 */
import { E, Errno } from '../../../abi/errno.ts';
import type { Cycles, Maybe } from '../../../types.ts';
import type { IoContext } from '../../file.ts';
import type { Inode } from '../../inode.ts';
import type { FsServices } from '../../services.ts';
import { TmpFs } from '../../tmpfs/tmpfs.ts';
import type { Message, SocketCredentials, SocketLink, SocketName } from '../socket.ts';
import { SOCKET_DEVICE } from '../local.ts';
import type { Conduit } from './channel.ts';

/** Sockets of one kernel; those that messages hold in a circle stay for good, and count. */
const SOCKETS_MAX = 1 << 16;

export interface Caller {
  readonly type: number;
  /** The name of the socket that connects. */
  readonly name: string;
  readonly credentials: SocketCredentials;
  /** MSG.DONTWAIT or 0. */
  readonly flags: number;
  readonly deadline: Cycles;
}

export interface Letter {
  readonly type: number;
  readonly message: Omit<Message, 'to'>;
  readonly from: SocketName;
  readonly flags: number;
  readonly deadline: Cycles;
}

/** What a socket lets others do that have found its name. */
export interface UnixPort {
  /** A new connection: the caller's end. Throws ECONNREFUSED, EPROTOTYPE, EAGAIN. */
  dial(caller: Caller, io: IoContext): Maybe<Conduit>;
  /** A datagram from elsewhere. Throws ECONNREFUSED, EPROTOTYPE, EPERM, EAGAIN, EMSGSIZE. */
  deliver(letter: Letter, io: IoContext): Maybe<number>;
}

export class UnixDomain {
  readonly living = new Map<number, UnixPort>();
  /** Names that stand in no file tree are entries of this directory; the owner of the root keeps it. */
  #names: Inode;
  #next = 1;
  #nextName = 1;

  constructor(readonly services: FsServices) {
    this.#names = new TmpFs(services, SOCKET_DEVICE, 'sockfs').root;
  }

  /** Throws ENFILE. */
  newIno(): number {
    if (this.living.size >= SOCKETS_MAX) throw new Errno(E.NFILE);
    return this.#next++;
  }
  /** A name that nobody chose: five hexadecimal digits. */
  newName(): string {
    return (this.#nextName++ & 0xfffff).toString(16).padStart(5, '0');
  }

  /** The directory that this kernel keeps. */
  get ownNames(): Inode {
    return this.#names;
  }
  /** Takes over the directory of a kernel that has kept the tree. */
  keepNames(names: Inode): void {
    this.#names = names;
  }
  /** The directory that counts. */
  get names(): Inode {
    return this.services.farNames() ?? this.#names;
  }

  /** Whether the kernel that a link leads to is there. */
  isUp({ kernel }: SocketLink): boolean {
    return kernel === this.services.kernel || this.services.isPeer(kernel);
  }

  /** Throws ECONNREFUSED when there is no such socket any more. */
  port(link: SocketLink): UnixPort {
    const here = link.kernel === this.services.kernel;
    if (!here && this.isUp(link)) return this.services.farPort(link);
    const port = here ? this.living.get(link.ino) : undefined;
    if (port === undefined) throw new Errno(E.CONNREFUSED);
    return port;
  }
}
