/** What stream, packet and datagram sockets of AF_UNIX have in common: number, name, options, reading and writing as on any file. */
import { E, Errno } from '../../../abi/errno.ts';
import { S } from '../../../abi/stat.ts';
import { AF, MSG, SO, SOL_SOCKET } from '../../../abi/socket.ts';
import { O } from '../../../abi/fcntl.ts';
import { type KernelId, type Maybe, WaitQueue } from '../../../types.ts';
import { BaseFile, type FileKind, type IoContext, plainAttributes } from '../../file.ts';
import type { Attributes } from '../../inode.ts';
import { after } from '../../maybe.ts';
import { SocketOptions, u32Bytes } from '../options.ts';
import {
  type Accepted,
  type Manner,
  type Message,
  readFrom,
  type Received,
  type Socket,
  type SocketKind,
  type SocketLink,
  type SocketName,
  writeTo,
} from '../socket.ts';
import { abstractKey } from './names.ts';
import { SOCKET_DEVICE, type UnixDomain, type UnixPort } from './domain.ts';

export abstract class UnixSocket extends BaseFile implements Socket, UnixPort {
  readonly kind: FileKind = 'socket';
  readonly socket: SocketKind;
  /** '' until it is bound; an accepted socket has its listener's. */
  name = '';
  /** The abstract name that goes with it. */
  #entry: string | null = null;
  readonly options = new SocketOptions();
  protected readonly changed = new WaitQueue();
  readonly #queues: readonly WaitQueue[] = [this.changed];
  /** Wakes those who wait for this socket when something else has changed that it depends on. */
  protected readonly relay = { wake: (): void => this.changed.wakeAll() };

  constructor(
    readonly domain: UnixDomain,
    type: number,
    flags: number,
  ) {
    super(O.RDWR | flags);
    this.socket = { family: AF.UNIX, type, protocol: 0, ino: domain.newIno() };
    domain.living.set(this.socket.ino, this);
  }

  get owner(): KernelId {
    return this.domain.services.kernel;
  }
  get link(): SocketLink {
    return { kernel: this.owner, ino: this.socket.ino };
  }
  override get label(): string {
    return `socket:[${this.socket.ino}]`;
  }
  override get queues(): readonly WaitQueue[] {
    return this.#queues;
  }
  attributes(): Maybe<Attributes> {
    return plainAttributes(SOCKET_DEVICE, this.socket.ino, S.IFSOCK | 0o777);
  }

  protected override closed(): Maybe<void> {
    this.domain.living.delete(this.socket.ino);
    const entry = this.#entry;
    return after(this.ended(), () => (entry === null ? undefined : this.domain.names.unlink(entry)));
  }
  /** The last reference is gone: connections and messages go. */
  protected abstract ended(): Maybe<void>;

  // ── Names ──

  bind(name: SocketName): Maybe<void> {
    if (this.name !== '') throw new Errno(E.INVAL);
    this.name = name.data;
    this.#entry = abstractKey(this.socket.type, name.data);
  }
  ownName(): string {
    return this.name;
  }

  // ── Messages ──

  /** How a call waits that was asked to do so in this manner. */
  protected manner({ flags, deadline }: Manner, timeout: number): Manner {
    const { services } = this.domain;
    return {
      flags: flags | (this.nonblocking ? MSG.DONTWAIT : 0),
      deadline: Math.min(deadline, this.options.deadline(timeout, services.now(), services.hertz)),
    };
  }

  override read(target: Uint8Array, io: IoContext): Maybe<number> {
    return readFrom(this, target, io);
  }
  override write(source: Uint8Array, io: IoContext): Maybe<number> {
    return writeTo(this, source, io);
  }

  // ── Options ──

  option(level: number, name: number): Maybe<Uint8Array> {
    const told = level === SOL_SOCKET ? this.told(name) : null;
    return told ?? this.options.get(level, name);
  }
  setOption(level: number, name: number, value: Uint8Array): Maybe<void> {
    this.options.set(level, name, value);
  }
  /** Options that can only be read; null for others. */
  protected told(name: number): Maybe<Uint8Array> | null {
    const { socket } = this;
    const numbers: Readonly<Record<number, number>> = {
      [SO.TYPE]: socket.type,
      [SO.PROTOCOL]: 0,
      [SO.DOMAIN]: socket.family,
      [SO.ERROR]: 0,
    };
    const number = numbers[name];
    return number === undefined ? null : u32Bytes(number);
  }

  abstract listen(backlog: number, io: IoContext): Maybe<void>;
  abstract accept(flags: number, io: IoContext): Maybe<Accepted>;
  abstract connect(name: SocketName | null, io: IoContext): Maybe<void>;
  abstract shutdown(how: number): Maybe<void>;
  abstract send(message: Message, manner: Manner, io: IoContext): Maybe<number>;
  abstract receive(count: number, manner: Manner, io: IoContext): Maybe<Received>;
  abstract peerName(): Maybe<string>;
  abstract dial(...args: Parameters<UnixPort['dial']>): ReturnType<UnixPort['dial']>;
  abstract deliver(...args: Parameters<UnixPort['deliver']>): ReturnType<UnixPort['deliver']>;
}
