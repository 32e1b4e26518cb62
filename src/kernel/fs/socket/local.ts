/**
 * What the sockets of this kernel have in common, of whatever family: number, options, how long calls wait, reading and writing as on
 * any file.
 */
import { O } from '../../abi/fcntl.ts';
import { MSG, SO, SOL_SOCKET } from '../../abi/socket.ts';
import { S } from '../../abi/stat.ts';
import { type KernelId, type Maybe, WaitQueue } from '../../types.ts';
import { BaseFile, type FileKind, type IoContext, plainAttributes } from '../file.ts';
import type { Attributes } from '../inode.ts';
import type { FsServices } from '../services.ts';
import { SocketOptions, u32Bytes } from './options.ts';
import {
  type Accepted,
  type Manner,
  type Message,
  readFrom,
  type Received,
  type Socket,
  type SocketKind,
  type SocketName,
  writeTo,
} from './socket.ts';

/** st_dev of sockets, and of the directory of abstract names. */
export const SOCKET_DEVICE = 12;

export abstract class LocalSocket extends BaseFile implements Socket {
  readonly kind: FileKind = 'socket';
  readonly options = new SocketOptions();
  /** Woken when what `poll` says may have changed. */
  readonly changed = new WaitQueue();
  readonly #queues: readonly WaitQueue[] = [this.changed];

  constructor(
    readonly services: FsServices,
    readonly socket: SocketKind,
    flags: number,
  ) {
    super(O.RDWR | flags);
  }

  get owner(): KernelId {
    return this.services.kernel;
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

  // ── Messages ──

  /** How a call waits that was asked to do so in this manner. */
  protected manner({ flags, deadline }: Manner, timeout: number): Manner {
    const { services } = this;
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
      [SO.PROTOCOL]: socket.protocol,
      [SO.DOMAIN]: socket.family,
      [SO.ERROR]: 0,
      [SO.ACCEPTCONN]: 0,
    };
    const number = numbers[name];
    return number === undefined ? null : u32Bytes(number);
  }

  abstract bind(name: SocketName): Maybe<void>;
  abstract listen(backlog: number, io: IoContext): Maybe<void>;
  abstract accept(flags: number, io: IoContext): Maybe<Accepted>;
  abstract connect(name: SocketName | null, io: IoContext): Maybe<void>;
  abstract shutdown(how: number): Maybe<void>;
  abstract send(message: Message, manner: Manner, io: IoContext): Maybe<number>;
  abstract receive(count: number, manner: Manner, io: IoContext): Maybe<Received>;
  abstract ownName(): Maybe<string>;
  abstract peerName(): Maybe<string>;
}
