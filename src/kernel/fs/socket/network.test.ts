/** Sockets of the network in a kernel small enough for tests: what programs may hand in that makes no sense costs an error, and no more. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../../abi/errno.ts';
import { IOCTL } from '../../abi/ioctl.ts';
import { AF, IPPROTO, PACKET, SO, SOCK, SOL_PACKET, SOL_SOCKET } from '../../abi/socket.ts';
import { isBlocking } from '../../types.ts';
import { fromBytes } from '../bytes.ts';
import type { IoContext } from '../file.ts';
import { NET_FILES, netText } from '../proc/net.ts';
import { FsLab } from '../testing.ts';
import { FAMILIES } from './families.ts';
import { message, NLMSG, requestsIn, u16At } from './netlink/codec.ts';
import { plainly, type Socket } from './socket.ts';

const ROOT: IoContext = { pid: 1, tid: 1, uid: 0, gid: 0, shield: 0 };
const USER: IoContext = { ...ROOT, uid: 1000 };
const RUNS = Number(process.env.FUZZ_RUNS ?? 500);

const make = (lab: FsLab, family: number, type: number, protocol: number, io = ROOT): Socket =>
  FAMILIES[family]?.create(lab.files.vfs, type, protocol, SOCK.NONBLOCK, io) as Socket;

/** What becomes of a call: a value, the number of an error, or 'waits'. Anything else than Errno is thrown on. */
function outcome(call: () => unknown): unknown {
  try {
    const value = call();
    if (!isBlocking(value)) return value;
    const step = value.next();
    return step.done ? step.value : 'waits';
  } catch (error) {
    if (error instanceof Errno) return -error.errno;
    throw error;
  }
}

const send = (socket: Socket, bytes: Uint8Array, io = ROOT): unknown =>
  outcome(() => socket.send({ bytes, files: [], credentials: { pid: 1, uid: io.uid, gid: 0 }, to: null }, plainly(io), io));
const receive = (socket: Socket): Uint8Array | null => {
  const got = outcome(() => socket.receive(65536, plainly(ROOT), ROOT));
  return typeof got === 'object' && got !== null && 'bytes' in got ? (got.bytes as Uint8Array) : null;
};

const bytes = (most: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: most });

describe('hostile programs', () => {
  it('send netlink any message: it is answered, or passed over', () => {
    const types = fc.oneof(fc.integer({ min: 16, max: 36 }), fc.nat(0xffff));
    fc.assert(
      fc.property(fc.constantFrom(0, 4), types, fc.nat(0xffff), bytes(200), (protocol, type, flags, body) => {
        const lab = new FsLab();
        const socket = make(lab, AF.NETLINK, SOCK.RAW, protocol);
        const sent = message(type, flags | 1, 7, 0, body);
        expect(send(socket, sent)).toBe(sent.length);
        for (let answer = receive(socket); answer !== null; answer = receive(socket)) {
          for (const { sequence } of requestsIn(answer)) expect(sequence).toBe(7);
        }
        // The network is still one: everything can be told of it.
        for (const name of NET_FILES) netText(lab.files.vfs, name);
      }),
      { numRuns: RUNS / 5, seed: 1 },
    );
  });

  it('set nothing without the right to', () => {
    const lab = new FsLab();
    const socket = make(lab, AF.NETLINK, SOCK.RAW, 0, USER);
    const down = new Uint8Array(16);
    down[4] = down[12] = 1;
    send(socket, message(16, 5, 1, 0, down), USER);
    const answer = receive(socket) as Uint8Array;
    expect([u16At(answer, 4), new DataView(answer.buffer).getInt32(16, true)]).toEqual([NLMSG.ERROR, -1]);
    expect(lab.net.stack.loopback.up).toBe(true);
    expect(outcome(() => make(lab, AF.PACKET, SOCK.RAW, 0x300, USER))).toBe(-1);
    expect(outcome(() => make(lab, AF.INET, SOCK.RAW, IPPROTO.ICMP, USER))).toBe(-1);
  });

  it('use every call with any bytes on every kind of socket', () => {
    const kinds = [
      [AF.INET, SOCK.STREAM, 0],
      [AF.INET, SOCK.DGRAM, 0],
      [AF.INET, SOCK.DGRAM, IPPROTO.ICMP],
      [AF.INET, SOCK.RAW, IPPROTO.ICMP],
      [AF.INET, SOCK.RAW, IPPROTO.RAW],
      [AF.PACKET, SOCK.RAW, 0x300],
      [AF.PACKET, SOCK.DGRAM, 0x8],
    ] as const;
    const levels = fc.constantFrom(SOL_SOCKET, IPPROTO.IP, IPPROTO.TCP, SOL_PACKET, 255, 999);
    const commands = fc.oneof(fc.constantFrom(...Object.values(IOCTL)), fc.integer({ min: 0x8900, max: 0x8980 }));
    const act = fc.oneof(
      fc.record({ call: fc.constant('set' as const), level: levels, name: fc.nat(60), value: bytes(40) }),
      fc.record({ call: fc.constant('get' as const), level: levels, name: fc.nat(60), value: bytes(1) }),
      fc.record({
        call: fc.constant('ioctl' as const),
        level: fc.constant(0),
        name: commands,
        value: fc.uint8Array({ minLength: 120, maxLength: 120 }),
      }),
      fc.record({
        call: fc.constantFrom(
          'bind' as const,
          'connect' as const,
          'send' as const,
          'listen' as const,
          'shutdown' as const,
          'receive' as const,
        ),
        level: fc.constant(0),
        name: fc.nat(3),
        value: bytes(80),
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.array(act, { maxLength: 12 }), ([family, type, protocol], acts) => {
        const lab = new FsLab();
        const before = lab.files.vfs.inet.living.size;
        const socket = make(lab, family, type, protocol);
        for (const { call, level, name, value } of acts) {
          const to = { data: fromBytes(value), at: null };
          const calls: Record<typeof call, () => unknown> = {
            set: () => socket.setOption(level, name, value),
            get: () => socket.option(level, name),
            ioctl: () => socket.ioctl(name, 0, value.slice(), ROOT),
            bind: () => socket.bind(to),
            connect: () => socket.connect(name === 0 ? null : to, ROOT),
            send: () =>
              socket.send(
                { bytes: value, files: [], credentials: { pid: 1, uid: 0, gid: 0 }, to: name === 0 ? null : to },
                plainly(ROOT),
                ROOT,
              ),
            listen: () => socket.listen(name, ROOT),
            shutdown: () => socket.shutdown(Math.min(name, 2)),
            receive: () => socket.receive(value.length, { flags: name, deadline: Number.POSITIVE_INFINITY }, ROOT),
          };
          outcome(calls[call]);
          outcome(() => socket.poll());
          for (const file of NET_FILES) netText(lab.files.vfs, file);
        }
        outcome(() => socket.release());
        expect(lab.files.vfs.inet.living.size).toBe(before);
      }),
      { numRuns: RUNS, seed: 2 },
    );
  });
});

describe('a route', () => {
  it('is set by the interface that is named, and goes again', () => {
    const lab = new FsLab();
    const socket = make(lab, AF.INET, SOCK.DGRAM, 0);
    const route = new Uint8Array(124);
    route.set([AF.INET, 0, 0, 0, 10, 3, 0, 0], 8);
    route.set([AF.INET, 0, 0, 0, 255, 255, 0, 0], 40);
    route.set([1, 0], 56);
    route.set([3, 0], 80);
    route.set(new TextEncoder().encode('lo'), 120);
    expect(outcome(() => socket.ioctl(IOCTL.SIOCADDRT, 0, route, USER))).toBe(-1);
    expect(outcome(() => socket.ioctl(IOCTL.SIOCADDRT, 0, route, ROOT))).toBe(0);
    expect(netText(lab.files.vfs, 'route')).toContain('lo\t0000030A\t00000000\t0001\t0\t0\t2\t0000FFFF\t');
    expect(outcome(() => socket.ioctl(IOCTL.SIOCADDRT, 0, route, ROOT))).toBe(-17);
    expect(outcome(() => socket.ioctl(IOCTL.SIOCDELRT, 0, route, ROOT))).toBe(0);
    expect(outcome(() => socket.ioctl(IOCTL.SIOCDELRT, 0, route, ROOT))).toBe(-3);
    route.set(new TextEncoder().encode('no'), 120);
    expect(outcome(() => socket.ioctl(IOCTL.SIOCADDRT, 0, route, ROOT))).toBe(-19);
  });
});

describe('a packet socket', () => {
  it('has room for so much; what does not fit is counted', () => {
    const lab = new FsLab();
    const socket = make(lab, AF.PACKET, SOCK.RAW, 0x300);
    const frame = new Uint8Array(1000);
    frame.set([0x08, 0x00], 12);
    for (let i = 0; i < 500; i++) lab.net.stack.loopback.received(frame);
    const told = outcome(() => socket.option(SOL_PACKET, PACKET.STATISTICS)) as Uint8Array;
    const view = new DataView(told.buffer);
    expect(view.getUint32(0, true)).toBe(500);
    const lost = view.getUint32(4, true);
    expect(lost).toBeGreaterThan(200);
    let got = 0;
    while (receive(socket) !== null) got++;
    expect(got).toBe(500 - lost);
    expect(outcome(() => socket.setOption(SOL_SOCKET, SO.ATTACH_FILTER, new Uint8Array(8).fill(255)))).toBe(-22);
  });
});
