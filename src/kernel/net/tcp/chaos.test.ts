/** Whatever programs, links and strangers do: nothing throws, and in the end nothing is left over. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ETHERNET_HEADER, ETHERTYPE, putEthernet } from '../ethernet.ts';
import { HEADROOM, IPV4_HEADER, PROTOCOL, putIpv4 } from '../ipv4.ts';
import { generator, HERTZ, listen, MS, must, pattern, World, type Host } from '../testing.ts';
import { TcpConnection } from './connection.ts';
import { TCP } from './limits.ts';
import { openSegment, sealSegment } from './segment.ts';
import { distance } from './sequence.ts';

/** A segment as from the peer of `victim`, near its window, with any flags. */
function forge(to: Host, victim: TcpConnection, random: () => number): Uint8Array {
  const { local, localPort, remote, remotePort } = victim.tuple;
  const near = () => (random() % 5000) - 2000;
  const segment = {
    sourcePort: remotePort,
    targetPort: localPort,
    seq: (victim.receiveNext + (random() % 2 ? 0 : near())) >>> 0,
    ack: (victim.sendUna + (random() % 2 ? 0 : near())) >>> 0,
    flags: random() & 0x1f,
    window: random() & 0xffff,
    mss: random() % 4 ? null : random() & 0xffff,
    scale: null,
    timestamp: random() % 2 ? null : { value: (victim.recentTimestamp + near()) >>> 0, echo: random() },
  };
  const frame = openSegment(segment, random() % 3 ? 0 : random() % 1000);
  sealSegment(frame, remote, local);
  putEthernet(frame, to.device.mac, 1, ETHERTYPE.IPV4);
  const header = { headerBytes: IPV4_HEADER, tos: 0, totalBytes: frame.length - ETHERNET_HEADER, id: 0, ttl: 64 };
  const whole = { dontFragment: true, moreFragments: false, fragmentOffset: 0 };
  putIpv4(frame.subarray(ETHERNET_HEADER, HEADROOM), { ...header, ...whole, protocol: PROTOCOL.TCP, source: remote, target: local });
  return frame;
}

/** What `connection.ts` says always holds. */
function sound(c: TcpConnection): boolean {
  const order = distance(c.sendNext, c.sendUna) >= 0 && distance(c.sendMax, c.sendNext) >= 0;
  const window = c.state === 'SYN_SENT' || distance(c.windowEdge, c.receiveNext) >= (c.finReceived ? -1 : 0);
  const ended = c.state !== 'CLOSE' || !(c.resendTimer.armed || c.ackTimer.armed || c.keepTimer.armed);
  // A program that makes the buffer smaller keeps what is in it.
  const bounded = c.out.length <= TCP.sendBufferMax && c.in.length <= TCP.windowMax && c.congestion.window >= c.mss;
  return order && window && ended && bounded;
}

function riot(seed: number, loss: number, forgeries: boolean): void {
  const random = generator(seed);
  const world = new World(seed);
  const hosts = world.pair({ loss, duplication: loss, reorder: loss, reorderBy: 5 * MS, delay: MS });
  const [a, b] = hosts;
  a.stack.ip.arp.add(a.through, b.address, b.device.mac);
  b.stack.ip.arp.add(b.through, a.address, a.device.mac);
  const listeners = hosts.map(host => listen(host, 80, 4));
  const live: { host: Host; c: TcpConnection }[] = [];
  const into = new Uint8Array(3000);
  const acts: ((c: TcpConnection, host: Host) => void)[] = [
    c => void c.write(pattern(random() % 8000), random() % 4 === 0),
    c => void c.write(pattern(random() % 100)),
    c => void c.read(into.subarray(0, random() % 3000)),
    c => void c.read(into),
    c => void c.shutdown((['read', 'write', 'both'] as const)[random() % 3] ?? 'both'),
    c => c.configure({ cork: random() % 2 === 0, noDelay: random() % 2 === 0, keepAlive: random() % 2 === 0, keepIdle: HERTZ }),
    c => c.configure({ receiveBuffer: 1 + (random() % 9000), resetOnClose: random() % 8 === 0 }),
    (c, host) => {
      c.close();
      live.splice(
        live.findIndex(one => one.c === c && one.host === host),
        1,
      );
    },
    (c, host) => {
      if (forgeries) host.stack.receive(host.device, forge(host, c, random));
    },
    (c, host) => {
      if (forgeries) host.stack.receive(host.device, forge(host, c, random));
    },
  ];
  for (let step = 0; step < 300; step++) {
    const host = hosts[random() % 2] as Host;
    const other = host === a ? b : a;
    if (random() % 12 === 0 && live.length < 12) live.push({ host, c: must(host.stack.tcpConnect({ address: other.address, port: 80 })) });
    hosts.forEach((here, i) => {
      const c = listeners[i]?.accept();
      if (c instanceof TcpConnection) live.push({ host: here, c });
    });
    const one = live[random() % Math.max(1, live.length)];
    if (one) acts[random() % acts.length]?.(one.c, one.host);
    world.clock.run(world.clock.now + (random() % 10 === 0 ? random() % (3 * HERTZ) : random() % (2 * MS)));
    for (const { c } of live) if (!sound(c)) expect.unreachable(JSON.stringify(c.info));
  }
  for (const { c } of live) c.close();
  for (const listener of listeners) listener.close();
  world.clock.run(world.clock.now + 10_000 * HERTZ);
  for (const { stack } of hosts) {
    expect(stack.tcpTable()).toEqual([]);
    expect(stack.counters.Tcp.CurrEstab).toBe(0);
    expect(stack.tcp.bindings.free(80)).toBe(true);
    expect(stack.tcp.endpoints.size).toBe(0);
    expect(stack.tcp.bindings.size).toBe(0);
  }
}

describe('a riot', () => {
  it('of programs leaves nothing behind', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(0, 0.05, 0.3), (seed, loss) => riot(seed, loss, false)),
      { seed: 1, numRuns: 60 },
    );
  });

  it('of programs and forgers leaves nothing behind', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(0, 0.1), (seed, loss) => riot(seed, loss, true)),
      { seed: 2, numRuns: 60 },
    );
  });
});
