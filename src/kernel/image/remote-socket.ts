/**
 * Sockets of other kernels: what is asked of them (`RemoteSocket`, `RemotePort`) and how it is served (`SOCKET_OPERATIONS`).
 *
 * Always holds: a descriptor that is passed along travels as a reference, one for each kernel on its way; the sender's own is given
 * back when the message has been taken.
 */
import { E, Errno } from '../abi/errno.ts';
import type { IoContext, OpenFile } from '../fs/file.ts';
import { toBytes } from '../fs/bytes.ts';
import { netText, setNet } from '../fs/proc/net.ts';
import { FAMILIES } from '../fs/socket/families.ts';
import { releaseAll } from '../fs/socket/flow.ts';
import {
  type Accepted,
  type Manner,
  type Message,
  type NewSocket,
  type Received,
  readFrom,
  type Socket,
  type SocketKind,
  type SocketLink,
  type SocketName,
  writeTo,
} from '../fs/socket/socket.ts';
import { UnixConnection } from '../fs/socket/unix/connection.ts';
import type { Caller, Letter, UnixPort } from '../fs/socket/unix/domain.ts';
import type { Kernel } from '../kernel.ts';
import { type Blocking, type KernelId, settle } from '../types.ts';
import type { FileRef, Json, RemoteFiles, Result, Serve } from './files.ts';
import { RemoteFile } from './remote-file.ts';

const json = (value: unknown): Json => value as Json;
const given = <T>(value: Json | undefined): T => value as unknown as T;
const socket = (object: unknown): Socket => (object as { readonly file: Socket }).file;
/** Without a deadline it comes as null. */
const timed = <T extends { readonly deadline: number }>(value: Json | undefined): T => {
  const plain = given<T>(value);
  return { ...plain, deadline: plain.deadline ?? Number.POSITIVE_INFINITY };
};

// ── The owner's side ──

type Envelope = Omit<Message, 'bytes' | 'files'> & { readonly refs: readonly FileRef[] };

/** Sends what came from another kernel; if that fails, the references are given back here. */
function* sending(
  files: RemoteFiles,
  { refs, ...rest }: Envelope,
  bytes: Uint8Array,
  send: (message: Message) => unknown,
): Blocking<Result> {
  const passed = refs.map(ref => files.import(ref));
  try {
    return { value: yield* settle(send({ ...rest, bytes, files: passed }) as number) };
  } catch (error) {
    yield* settle(releaseAll(passed));
    throw error;
  }
}

function* receiving(files: RemoteFiles, to: KernelId, from: Socket, count: number, manner: Manner, io: IoContext): Blocking<Result> {
  const { bytes, files: passed, ...rest } = yield* settle(from.receive(count, manner, io));
  const refs: FileRef[] = [];
  for (const file of passed) refs.push(yield* files.pass(file, to));
  return { value: json({ ...rest, refs }), bytes };
}

const done = function* (work: unknown): Blocking<Result> {
  return { value: json((yield* settle(work)) ?? null) };
};

export const SOCKET_OPERATIONS: readonly (readonly [string, Serve])[] = [
  ['bind', (_f, o, [name]) => done(socket(o).bind(given(name)))],
  ['listen', (_f, o, [backlog, io]) => done(socket(o).listen(backlog as number, given(io)))],
  [
    'accept',
    function* (f, o, [flags, io], _bytes, to) {
      const { socket: made, from } = yield* settle(socket(o).accept(flags as number, given(io)));
      return { value: json({ ref: f.handOver(made, to), from }) };
    },
  ],
  ['connect', (_f, o, [name, io]) => done(socket(o).connect(given(name), given(io)))],
  ['shutdown', (_f, o, [how]) => done(socket(o).shutdown(how as number))],
  [
    'send',
    (f, o, [envelope, manner, io], bytes) =>
      sending(f, given(envelope), bytes, message => socket(o).send(message, timed<Manner>(manner), given(io))),
  ],
  ['receive', (f, o, [count, manner, io], _bytes, from) => receiving(f, from, socket(o), count as number, timed(manner), given(io))],
  ['ownName', (_f, o) => done(socket(o).ownName())],
  ['peerName', (_f, o) => done(socket(o).peerName())],
  [
    'option',
    function* (_f, o, [level, name]) {
      return { value: null, bytes: yield* settle(socket(o).option(level as number, name as number)) };
    },
  ],
  ['setOption', (_f, o, [level, name], bytes) => done(socket(o).setOption(level as number, name as number, bytes.slice()))],
  // For processes whose network is here.
  [
    'newSocket',
    (f, _o, [wanted, io], _bytes, from) => {
      const { family, type, protocol, flags } = given<NewSocket>(wanted);
      const row = FAMILIES[family];
      if (row === undefined) throw new Errno(E.AFNOSUPPORT);
      return { value: json(f.handOver(row.create(f.vfs, type, protocol, flags, given(io)), from)) };
    },
  ],
  [
    'netText',
    (f, _o, [path, change]) => {
      if (typeof change === 'string') setNet(f.vfs, path as string, change);
      return { value: null, bytes: toBytes(netText(f.vfs, path as string)) };
    },
  ],
  // On sockets that are known by their link.
  [
    'dial',
    function* (f, _o, [ino, caller, io], _bytes, from) {
      const { unix } = f.vfs;
      const call = timed<Caller>(caller);
      const end = yield* settle(unix.port({ kernel: unix.services.kernel, ino: ino as number }).dial(call, given(io)));
      return { value: json(f.handOver(new UnixConnection(unix, call.type, 0, end), from)) };
    },
  ],
  [
    'deliver',
    (f, _o, [ino, letter, envelope, io], bytes) => {
      const { unix } = f.vfs;
      return sending(f, given(envelope), bytes, message =>
        unix.port({ kernel: unix.services.kernel, ino: ino as number }).deliver({ ...timed<Letter>(letter), message }, given(io)),
      );
    },
  ],
];

// ── The borrower's side ──

/** References to what is passed along, for the kernel that the message goes to. */
function* enveloped({ files, credentials, to }: Message, remote: RemoteFiles, owner: KernelId): Blocking<Envelope> {
  const refs: FileRef[] = [];
  for (const file of files) refs.push(yield* remote.refer(file, owner));
  return { credentials, to, refs };
}

export class RemoteSocket extends RemoteFile implements Socket {
  constructor(
    kernel: Kernel,
    ref: FileRef,
    readonly socket: SocketKind,
  ) {
    super(kernel, ref);
  }

  bind(name: SocketName): Blocking<void> {
    return this.ask('bind', [json(name)]);
  }
  listen(backlog: number, io: IoContext): Blocking<void> {
    return this.ask('listen', [backlog, json(io)]);
  }
  *accept(flags: number, io: IoContext): Blocking<Accepted> {
    const { ref, from } = yield* this.ask<{ ref: FileRef; from: string }>('accept', [flags, json(io)]);
    return { socket: this.kernel.image.files.import(ref) as OpenFile as Socket, from };
  }
  connect(name: SocketName | null, io: IoContext): Blocking<void> {
    return this.ask('connect', [json(name), json(io)]);
  }
  shutdown(how: number): Blocking<void> {
    return this.ask('shutdown', [how]);
  }
  *send(message: Message, manner: Manner, io: IoContext): Blocking<number> {
    const envelope = yield* enveloped(message, this.kernel.image.files, this.owner);
    const count = yield* this.ask<number>('send', [json(envelope), json(manner), json(io)], message.bytes);
    yield* settle(releaseAll(message.files));
    return count;
  }
  *receive(count: number, manner: Manner, io: IoContext): Blocking<Received> {
    const { files } = this.kernel.image;
    const answer = yield* files.ask(this.owner, 'receive', this.ref.handle, [count, json(manner), json(io)]);
    const { refs, ...rest } = given<Omit<Received, 'bytes' | 'files'> & { refs: readonly FileRef[] }>(answer.json);
    return { ...rest, bytes: answer.bytes, files: refs.map(ref => files.import(ref)) };
  }
  override read(target: Uint8Array, io: IoContext): Blocking<number> {
    return settle(readFrom(this, target, io));
  }
  override write(source: Uint8Array, io: IoContext): Blocking<number> {
    return settle(writeTo(this, source, io));
  }
  ownName(): Blocking<string> {
    return this.ask('ownName', []);
  }
  peerName(): Blocking<string> {
    return this.ask('peerName', []);
  }
  *option(level: number, name: number): Blocking<Uint8Array> {
    return (yield* this.kernel.image.files.ask(this.owner, 'option', this.ref.handle, [level, name])).bytes;
  }
  setOption(level: number, name: number, value: Uint8Array): Blocking<void> {
    return this.ask('setOption', [level, name], value);
  }
}

/** A socket of another kernel that is known by its link alone. */
export class RemotePort implements UnixPort {
  readonly #kernel: Kernel;

  constructor(
    kernel: Kernel,
    readonly link: SocketLink,
  ) {
    this.#kernel = kernel;
  }

  *dial(caller: Caller, io: IoContext): Blocking<Socket> {
    const { files } = this.#kernel.image;
    const { kernel, ino } = this.link;
    const answer = yield* files.ask(kernel, 'dial', 0, [ino, json(caller), json(io)]);
    return files.import(given(answer.json)) as OpenFile as Socket;
  }

  *deliver({ message, ...letter }: Letter, io: IoContext): Blocking<number> {
    const { files } = this.#kernel.image;
    const { kernel, ino } = this.link;
    const envelope = yield* enveloped({ ...message, to: null }, files, kernel);
    const answer = yield* files.ask(kernel, 'deliver', 0, [ino, json(letter), json(envelope), json(io)], message.bytes);
    yield* settle(releaseAll(message.files));
    return answer.json as number;
  }
}
