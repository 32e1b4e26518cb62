/** What stream, packet and datagram sockets of AF_UNIX have in common: a name, and a port by which others reach them. */
import { E, Errno } from '../../../abi/errno.ts';
import { AF } from '../../../abi/socket.ts';
import type { Maybe } from '../../../types.ts';
import { after } from '../../maybe.ts';
import { LocalSocket } from '../local.ts';
import type { SocketLink, SocketName } from '../socket.ts';
import type { UnixDomain, UnixPort } from './domain.ts';
import { abstractKey } from './names.ts';

export abstract class UnixSocket extends LocalSocket implements UnixPort {
  /** '' until it is bound; an accepted socket has its listener's. */
  name = '';
  /** The abstract name that goes with it. */
  #entry: string | null = null;
  /** Wakes those who wait for this socket when something else has changed that it depends on. */
  protected readonly relay = { wake: (): void => this.changed.wakeAll() };

  constructor(
    readonly domain: UnixDomain,
    type: number,
    flags: number,
  ) {
    super(domain.services, { family: AF.UNIX, type, protocol: 0, ino: domain.newIno() }, flags);
    domain.living.set(this.socket.ino, this);
  }

  get link(): SocketLink {
    return { kernel: this.owner, ino: this.socket.ino };
  }

  protected override closed(): Maybe<void> {
    this.domain.living.delete(this.socket.ino);
    const entry = this.#entry;
    return after(this.ended(), () => (entry === null ? undefined : this.domain.names.unlink(entry)));
  }
  /** The last reference is gone: connections and messages go. */
  protected abstract ended(): Maybe<void>;

  override bind(name: SocketName): Maybe<void> {
    if (this.name !== '') throw new Errno(E.INVAL);
    this.name = name.data;
    this.#entry = abstractKey(this.socket.type, name.data);
  }
  override ownName(): string {
    return this.name;
  }

  /** For /proc/net/unix. */
  get isListening(): boolean {
    return false;
  }
  get isConnected(): boolean {
    return false;
  }

  abstract dial(...args: Parameters<UnixPort['dial']>): ReturnType<UnixPort['dial']>;
  abstract deliver(...args: Parameters<UnixPort['deliver']>): ReturnType<UnixPort['deliver']>;
}
