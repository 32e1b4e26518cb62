/**
 * Sockets: open files that have names besides, connect to each other and carry messages. A family (AF_UNIX, AF_INET) implements
 * `Socket` and has one entry in `families.ts`; a socket of another kernel is one more implementation.
 *
 * Always holds: names, options and credentials are plain data. What is passed along with a message is open files, one reference each:
 * they become the socket's when `send` succeeds and the caller's when `receive` does.
 */
import { SOCK } from '../../abi/socket.ts';
import type { Cycles, KernelId, Maybe } from '../../types.ts';
import type { IoContext, OpenFile } from '../file.ts';
import { after } from '../maybe.ts';
import type { Caller, Vfs } from '../vfs.ts';
import { releaseAll } from './flow.ts';

/** What a socket is from its first day to its last. */
export interface SocketKind {
  readonly family: number;
  /** SOCK.* */
  readonly type: number;
  readonly protocol: number;
  readonly ino: number;
}

/** Where a socket lives, for those that have found its name. It does not keep the socket alive. */
export interface SocketLink {
  readonly kernel: KernelId;
  readonly ino: number;
}

/** A name, as found at the kernel of the process that used it. */
export interface SocketName {
  /** What follows the family in a sockaddr, one character a byte; '' for a socket without a name. */
  readonly data: string;
  /** The socket that has the name, where a family can tell. */
  readonly at: SocketLink | null;
}

export interface SocketCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** What socket(2) asks for. */
export interface NewSocket {
  readonly family: number;
  readonly type: number;
  readonly protocol: number;
  /** Status flags. */
  readonly flags: number;
}

export interface Message {
  readonly bytes: Uint8Array;
  readonly files: readonly OpenFile[];
  readonly credentials: SocketCredentials;
  /** Where a message without a connection goes. */
  readonly to: SocketName | null;
}

/** How a message is sent or received. */
export interface Manner {
  /** MSG.* */
  readonly flags: number;
  /** When waiting ends, with EAGAIN; Infinity for never. The socket's own timeouts and O_NONBLOCK come on top. */
  readonly deadline: Cycles;
}
/** Of a call that says nothing of it. */
export const plainly = ({ deadline = Number.POSITIVE_INFINITY }: IoContext): Manner => ({ flags: 0, deadline });

export interface Received {
  readonly bytes: Uint8Array;
  /** Of the whole message, of which `bytes` may be the beginning. */
  readonly length: number;
  /** The sender's name, '' if it has none. */
  readonly from: string;
  readonly files: readonly OpenFile[];
  /** Null unless SO_PASSCRED asks for them. */
  readonly credentials: SocketCredentials | null;
  /** What the options of its family ask to be told of a message (IP_RECVTTL, SO_TIMESTAMP). */
  readonly control?: readonly ControlMessage[];
}

/** A control message: plain data, as it may come from another kernel. */
export interface ControlMessage {
  readonly level: number;
  readonly type: number;
  readonly data: readonly number[];
}

export interface Socket extends OpenFile {
  readonly socket: SocketKind;

  bind(name: SocketName): Maybe<void>;
  listen(backlog: number, io: IoContext): Maybe<void>;
  /** The next connection, a new socket with the status flags `flags`, and the name of its other end. */
  accept(flags: number, io: IoContext): Maybe<Accepted>;
  /** Null dissolves the association of a datagram socket. */
  connect(name: SocketName | null, io: IoContext): Maybe<void>;
  /** SHUT.* */
  shutdown(how: number): Maybe<void>;
  /** Bytes sent. */
  send(message: Message, manner: Manner, io: IoContext): Maybe<number>;
  receive(count: number, manner: Manner, io: IoContext): Maybe<Received>;
  ownName(): Maybe<string>;
  /** Throws ENOTCONN. */
  peerName(): Maybe<string>;
  /** An option as its bytes. Throws ENOPROTOOPT. */
  option(level: number, name: number): Maybe<Uint8Array>;
  setOption(level: number, name: number, value: Uint8Array): Maybe<void>;
}

export interface Accepted {
  readonly socket: Socket;
  readonly from: string;
}

/** Whose names a family looks up: the tree, and the caller's place in it. */
export interface NameSpace {
  readonly vfs: Vfs;
  readonly caller: Caller;
}

/** A row of the table of families. */
export interface SocketFamily {
  /** What an address of another family gets. */
  readonly wrongFamily: number;
  /** A new socket; `flags` are its status flags. Throws ESOCKTNOSUPPORT, EPROTONOSUPPORT. */
  create(vfs: Vfs, type: number, protocol: number, flags: number, io: IoContext): Socket;
  /**
   * Whether its sockets live with the network of the process's origin, wherever the process is: as a network namespace, that stays the
   * same when it moves. Else they live where they are made.
   */
  readonly atOrigin: boolean;
  /** Two that are connected to each other. Null: the family has no pairs. */
  readonly pair: ((vfs: Vfs, type: number, protocol: number, flags: number, io: IoContext) => readonly [Socket, Socket]) | null;
  /** Gives the socket the name that a program wrote. Done at the caller's kernel. */
  bind(space: NameSpace, socket: Socket, data: string): Maybe<void>;
  /** The name that a program wrote, looked up from where it stands. */
  find(space: NameSpace, socket: Socket, data: string): Maybe<SocketName>;
}

export const isSocket = (file: OpenFile): file is Socket => file.kind === 'socket' && 'socket' in file;

/** Whether a broken connection is told by SIGPIPE too: datagrams and packets only get EPIPE. */
export const signalsBreak = (file: OpenFile): boolean => !isSocket(file) || file.socket.type === SOCK.STREAM;

/** read(2) on a socket: what was passed along with the bytes is closed. */
export function readFrom(socket: Socket, target: Uint8Array, io: IoContext): Maybe<number> {
  if (target.length === 0) return 0;
  return after(socket.receive(target.length, plainly(io), io), ({ bytes, files }) => {
    target.set(bytes);
    return after(releaseAll(files), () => bytes.length);
  });
}

/** write(2) on a socket. */
export function writeTo(socket: Socket, bytes: Uint8Array, io: IoContext): Maybe<number> {
  return socket.send({ bytes, files: [], credentials: credentialsOf(io), to: null }, plainly(io), io);
}

export const credentialsOf = ({ pid, uid, gid }: IoContext): SocketCredentials => ({ pid, uid, gid });
