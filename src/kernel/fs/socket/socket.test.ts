import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { E } from '../../abi/errno.ts';
import { POLL } from '../../abi/poll.ts';
import { AF, MSG, SHUT, SO, SOCK, SOL_SOCKET } from '../../abi/socket.ts';
import { BUFFER, FsLab } from '../testing.ts';
import { Flow } from './flow.ts';

/** A process, and sockaddr_un for names: '@' stands for the zero byte of an abstract one. */
function socketLab() {
  const lab = new FsLab({ 'tmp/': '' });
  const ctx = lab.process(1);
  const address = (name: string): readonly [number, number] => {
    const text = `\x01\0${name.replace(/^@/, '\0')}`;
    return [lab.text(text), text.length];
  };
  const call = (name: string, ...args: (number | string)[]): number => lab.call(ctx, name, ...args);
  const server = (name: string, type: number = SOCK.STREAM, backlog = 5): number => {
    const fd = call('socket', AF.UNIX, type, 0);
    expect(call('bind', fd, ...address(name))).toBe(0);
    if (type !== SOCK.DGRAM) expect(call('listen', fd, backlog)).toBe(0);
    return fd;
  };
  const pair = (type: number): readonly [number, number] => {
    expect(call('socketpair', AF.UNIX, type, 0, BUFFER)).toBe(0);
    const view = new DataView(lab.memory.buffer, BUFFER);
    return [view.getInt32(0, true), view.getInt32(4, true)];
  };
  const read = (fd: number, count = 100): string => {
    const got = call('read', fd, BUFFER, count);
    return got < 0 ? `${got}` : lab.at(BUFFER, got);
  };
  const poll = (fd: number): number => {
    const view = new DataView(lab.memory.buffer, BUFFER);
    view.setInt32(0, fd, true);
    view.setInt16(4, -1, true);
    view.setBigInt64(16, 0n, true);
    view.setBigInt64(24, 0n, true);
    call('ppoll', BUFFER, 1, BUFFER + 16, 0, 0);
    return view.getInt16(6, true);
  };
  return { lab, ctx, call, address, server, pair, read, poll };
}

describe('a stream', () => {
  it('connects to a name in the tree, and is woken by what comes', () => {
    const { lab, ctx, call, address, server, read } = socketLab();
    const listening = server('/tmp/s');
    const acceptor = lab.start(ctx, 'accept4', listening, 0, 0, 0);
    expect(acceptor.done).toBe(false);
    const client = call('socket', AF.UNIX, SOCK.STREAM, 0);
    expect(call('connect', client, ...address('/tmp/s'))).toBe(0);
    lab.wake();
    const accepted = acceptor.result as number;
    const reader = lab.start(ctx, 'read', accepted, BUFFER, 10);
    call('write', client, 'hello', 5);
    lab.wake();
    expect(reader.result).toBe(5);
    call('write', accepted, 'abc', 3);
    call('write', accepted, 'def', 3);
    expect(read(client, 4)).toBe('abcd');
    call('close', accepted);
    expect([read(client), read(client)]).toEqual(['ef', '']);
    expect(call('write', client, 'x', 1)).toBe(-E.PIPE);
    expect(lab.signals).toEqual([[1, 13]]);
  });

  it('refuses what Linux refuses', () => {
    const { call, address, server } = socketLab();
    const listening = server('/tmp/s');
    const other = call('socket', AF.UNIX, SOCK.STREAM, 0);
    expect(call('bind', other, ...address('/tmp/s'))).toBe(-E.ADDRINUSE);
    expect(call('bind', listening, ...address('/tmp/t'))).toBe(-E.INVAL);
    expect(call('newfstatat', -100, '/tmp/t', BUFFER, 0)).toBe(-E.NOENT);
    expect(call('connect', other, ...address('/tmp/none'))).toBe(-E.NOENT);
    expect(call('listen', other, 1)).toBe(-E.INVAL);
    expect(call('write', other, 'x', 1)).toBe(-E.NOTCONN);
    expect(call('read', other, BUFFER, 1)).toBe(-E.INVAL);
    expect(call('getpeername', other, BUFFER, BUFFER + 200)).toBe(-E.NOTCONN);
    const packets = call('socket', AF.UNIX, SOCK.SEQPACKET, 0);
    expect(call('connect', packets, ...address('/tmp/s'))).toBe(-E.PROTOTYPE);
    call('close', listening);
    expect(call('connect', other, ...address('/tmp/s'))).toBe(-E.CONNREFUSED);
    expect(call('socket', 77, SOCK.STREAM, 0)).toBe(-E.AFNOSUPPORT);
    expect(call('socket', AF.UNIX, 9, 0)).toBe(-E.SOCKTNOSUPPORT);
    expect(call('openat', -100, '/tmp/s', 2, 0)).toBe(-E.NXIO);
  });

  it('lets one more than the backlog wait', () => {
    const { lab, ctx, call, address, server } = socketLab();
    const listening = server('@s', SOCK.STREAM, 0);
    const [first, second] = [call('socket', AF.UNIX, SOCK.STREAM, 0), call('socket', AF.UNIX, SOCK.STREAM | SOCK.NONBLOCK, 0)];
    expect(call('connect', first, ...address('@s'))).toBe(0);
    expect(call('connect', second, ...address('@s'))).toBe(-E.AGAIN);
    const third = call('socket', AF.UNIX, SOCK.STREAM, 0);
    const waiting = lab.start(ctx, 'connect', third, ...address('@s'));
    expect(waiting.done).toBe(false);
    expect(call('accept', listening, 0, 0)).toBeGreaterThan(0);
    lab.wake();
    expect(waiting.result).toBe(0);
  });

  it('says what holds by poll, shutdown and close', () => {
    const { call, pair, poll, read } = socketLab();
    const fresh = call('socket', AF.UNIX, SOCK.STREAM, 0);
    expect(poll(fresh) & (POLL.OUT | POLL.HUP | POLL.IN)).toBe(POLL.OUT | POLL.HUP);
    const [a, b] = pair(SOCK.STREAM);
    expect(poll(a) & (POLL.OUT | POLL.HUP | POLL.IN)).toBe(POLL.OUT);
    call('write', b, 'unread', 6);
    expect(call('shutdown', b, SHUT.WR)).toBe(0);
    expect(poll(a) & (POLL.RDHUP | POLL.HUP | POLL.IN)).toBe(POLL.RDHUP | POLL.IN);
    expect(call('sendto', b, 'x', 1, MSG.NOSIGNAL, 0, 0)).toBe(-E.PIPE);
    expect(read(a)).toBe('unread');
    call('write', a, 'lost', 4);
    call('close', b);
    expect(poll(a) & (POLL.ERR | POLL.HUP)).toBe(POLL.ERR | POLL.HUP);
    expect([read(a), read(a)]).toEqual([`${-E.CONNRESET}`, '']);
  });

  it('stops a writer when it is full', () => {
    const { lab, ctx, call, pair, poll } = socketLab();
    const [a, b] = pair(SOCK.STREAM | SOCK.NONBLOCK);
    let total = 0;
    for (let sent = 0; sent >= 0; total += Math.max(0, sent)) sent = call('write', a, BUFFER, 10_000);
    expect(call('write', a, BUFFER, 1)).toBe(-E.AGAIN);
    expect(poll(a) & POLL.OUT).toBe(0);
    call('fcntl', a, 4, 2);
    const writer = lab.start(ctx, 'write', a, BUFFER, 100_000);
    let drained = 0;
    for (let got = 1; got > 0; drained += Math.max(0, got)) {
      got = call('read', b, BUFFER, 200_000);
      lab.wake();
    }
    expect([writer.result, drained]).toEqual([100_000, total + 100_000]);
  });
});

describe('packets and datagrams', () => {
  it.each([SOCK.SEQPACKET, SOCK.DGRAM])('of type %i keep their borders', type => {
    const { call, pair, read } = socketLab();
    const [a, b] = pair(type);
    for (const text of ['one', '', 'three']) call('write', a, text, text.length);
    expect([read(b), read(b), read(b, 2)]).toEqual(['one', '', 'th']);
    expect(call('recvfrom', b, BUFFER, 10, MSG.DONTWAIT, 0, 0)).toBe(-E.AGAIN);
    call('write', a, 'peeked', 6);
    expect(call('recvfrom', b, BUFFER, 2, MSG.PEEK | MSG.TRUNC, 0, 0)).toBe(6);
    expect(read(b)).toBe('peeked');
    expect(call('write', a, BUFFER, 250_000)).toBe(-E.MSGSIZE);
  });

  it('tell where they come from', () => {
    const { lab, call, address, server } = socketLab();
    const [a, b] = [server('/tmp/a', SOCK.DGRAM), server('@b', SOCK.DGRAM)];
    expect(call('sendto', a, 'hi', 2, 0, ...address('@b'))).toBe(2);
    new DataView(lab.memory.buffer).setInt32(BUFFER + 200, 110, true);
    expect(call('recvfrom', b, BUFFER, 10, 0, BUFFER + 64, BUFFER + 200)).toBe(2);
    expect(lab.at(BUFFER + 64, lab.memory[BUFFER + 200] as number)).toBe('\x01\0/tmp/a\0');
    expect(call('sendto', a, 'hi', 2, 0, ...address('@none'))).toBe(-E.CONNREFUSED);
    expect(call('connect', b, ...address('/tmp/a'))).toBe(0);
    const third = call('socket', AF.UNIX, SOCK.DGRAM, 0);
    expect(call('connect', third, ...address('@b'))).toBe(-E.PERM);
    call('close', a);
    expect([call('write', b, 'x', 1), call('write', b, 'x', 1)]).toEqual([-E.CONNREFUSED, -E.NOTCONN]);
  });

  it('wait for room at the receiver, eleven of them', () => {
    const { lab, ctx, call, pair, poll } = socketLab();
    const [a, b] = pair(SOCK.DGRAM);
    for (let i = 0; i < 11; i++) expect(call('write', a, 'x', 1)).toBe(1);
    expect(poll(a) & POLL.OUT).toBe(0);
    const writer = lab.start(ctx, 'write', a, 'y', 1);
    expect(writer.done).toBe(false);
    call('read', b, BUFFER, 1);
    lab.wake();
    expect(writer.result).toBe(1);
  });
});

describe('options', () => {
  it('are stored, limited, told', () => {
    const { lab, call, pair } = socketLab();
    const [a] = pair(SOCK.STREAM);
    const view = new DataView(lab.memory.buffer, BUFFER);
    const get = (option: number): number => {
      view.setInt32(64, 4, true);
      const result = call('getsockopt', a, SOL_SOCKET, option, BUFFER, BUFFER + 64);
      return result < 0 ? result : view.getInt32(0, true);
    };
    expect([get(SO.TYPE), get(SO.DOMAIN), get(SO.ERROR), get(SO.ACCEPTCONN), get(SO.SNDBUF)]).toEqual([1, 1, 0, 0, 212_992]);
    view.setInt32(0, 10_000, true);
    expect(call('setsockopt', a, SOL_SOCKET, SO.SNDBUF, BUFFER, 4)).toBe(0);
    expect(get(SO.SNDBUF)).toBe(20_000);
    expect(get(SO.PEERCRED)).toBe(1);
    expect(get(999)).toBe(-E.NOPROTOOPT);
    expect(call('setsockopt', a, SOL_SOCKET, SO.REUSEADDR, BUFFER, 2)).toBe(-E.INVAL);
  });

  it('end a wait by SO_RCVTIMEO', () => {
    const { lab, ctx, call, pair } = socketLab();
    const [a] = pair(SOCK.STREAM);
    const view = new DataView(lab.memory.buffer, BUFFER);
    view.setBigInt64(0, 0n, true);
    view.setBigInt64(8, 500_000n, true);
    expect(call('setsockopt', a, SOL_SOCKET, SO.RCVTIMEO, BUFFER, 16)).toBe(0);
    const reader = lab.start(ctx, 'read', a, BUFFER, 1);
    lab.time = 400_000;
    lab.wake();
    expect(reader.done).toBe(false);
    lab.time = 500_000;
    lab.wake();
    expect(reader.errno).toBe(E.AGAIN);
  });
});

describe('descriptors in messages', () => {
  it('arrive as descriptors of the same open file, or are closed with the message', () => {
    const { lab, ctx, call, pair, read } = socketLab();
    const [a, b] = pair(SOCK.STREAM);
    call('pipe2', BUFFER, 0);
    const view = new DataView(lab.memory.buffer, BUFFER);
    const [from, to] = [view.getInt32(0, true), view.getInt32(4, true)];
    const message = (fd: number): void => {
      lab.memory.fill(0, BUFFER, BUFFER + 256);
      view.setBigInt64(16, BigInt(BUFFER + 64), true); // msg_iov
      view.setBigInt64(24, 1n, true);
      view.setBigInt64(32, BigInt(BUFFER + 128), true); // msg_control
      view.setBigInt64(40, 24n, true);
      view.setBigInt64(64, BigInt(BUFFER + 96), true);
      view.setBigInt64(72, 1n, true);
      view.setBigInt64(128, 20n, true); // cmsg_len, SOL_SOCKET, SCM_RIGHTS
      view.setInt32(136, 1, true);
      view.setInt32(140, 1, true);
      view.setInt32(144, fd, true);
    };
    message(to);
    expect(call('sendmsg', a, BUFFER, 0)).toBe(1);
    message(to);
    expect(call('sendmsg', a, BUFFER, 0)).toBe(1);
    call('close', to);
    message(99);
    expect(call('sendmsg', a, BUFFER, 0)).toBe(-E.BADF);
    expect(call('recvmsg', b, BUFFER, 0)).toBe(1);
    const received = view.getInt32(144, true);
    expect(ctx.process.files.get(received)).toBe(ctx.process.files.get(received));
    expect(call('write', received, 'through', 7)).toBe(7);
    expect(read(from)).toBe('through');
    call('close', received);
    const reader = lab.start(ctx, 'read', from, BUFFER, 1);
    expect(reader.done).toBe(false);
    call('close', b);
    lab.wake();
    expect(reader.result).toBe(0);
  });
});

it('gives a stream back as it went in, however it is cut', () => {
  const credentials = { pid: 1, uid: 0, gid: 0 };
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.record({ put: fc.uint8Array({ minLength: 1, maxLength: 40 }) }), fc.record({ take: fc.nat(50) }))),
      steps => {
        const flow = new Flow(1e9);
        const model: number[] = [];
        for (const step of steps) {
          if ('put' in step) {
            flow.put({ bytes: step.put, files: [], credentials, from: '' });
            model.push(...step.put);
            continue;
          }
          const seen = flow.takeBytes(step.take, true, false);
          const taken = flow.takeBytes(step.take, false, false);
          expect([...(taken?.bytes ?? [])]).toEqual(model.splice(0, step.take));
          expect(seen?.bytes).toEqual(taken?.bytes);
          expect(flow.waiting(false)).toBe(model.length);
        }
        if (model.length === 0) expect(flow.used).toBe(0);
      },
    ),
  );
});
