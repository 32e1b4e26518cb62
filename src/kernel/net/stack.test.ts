/** The layers below TCP, and the stack as a whole. */
import { describe, expect, it } from 'vitest';
import { E } from '../abi/errno.ts';
import { MAC_BROADCAST, macText, parseIp, parseMac } from './address.ts';
import { ARP } from './arp.ts';
import { get16 } from './bytes.ts';
import { addSum, checksum, foldSum, pseudoSum } from './checksum.ts';
import { getMac } from './ethernet.ts';
import { ICMP } from './icmp.ts';
import { HEADROOM, parseIpv4, PROTOCOL } from './ipv4.ts';
import { READY } from './socket.ts';
import { connect, HERTZ, ip, joined, listen, MS, must, pattern, pour, Sink, World, type Host } from './testing.ts';
import { buildUdp } from './udp.ts';

/** An echo request as ping makes it. */
function echo(sequence: number, size = 56): Uint8Array {
  const message = new Uint8Array(8 + size);
  message.set([ICMP.ECHO, 0, 0, 0, 0x12, 0x34, sequence >>> 8, sequence]);
  const sum = checksum(message);
  message[2] = sum >>> 8;
  message[3] = sum;
  return message;
}

/** a — router — b, each link of its own MTU. */
function routed(mtu = 1500): { world: World; a: Host; router: Host; b: Host } {
  const world = new World();
  const a = world.host('10.1.2.1');
  const router = world.host('10.1.2.9');
  const b = world.host('10.1.3.2');
  const far = world.device('eth1', mtu);
  const out = router.stack.attach(far);
  router.stack.setUp(out, true);
  router.stack.addAddress(out, ip('10.1.3.9'), 24);
  router.stack.ip.forwarding = true;
  world.link(a, router);
  world.link({ stack: router.stack, device: far }, b);
  a.stack.addRoute(0, 0, a.through, { gateway: ip('10.1.2.9') });
  b.stack.addRoute(0, 0, b.through, { gateway: ip('10.1.3.9') });
  return { world, a, router, b };
}

describe('addresses', () => {
  it('are read only if they are whole', () => {
    expect(parseIp('10.1.2.3')).toBe(0x0a010203);
    for (const text of ['10.1.2', '10.1.2.256', '10.1.2.3.4', '10.1.2.x', '010.1.2.3', '']) expect(parseIp(text)).toBe(null);
    expect(macText(parseMac('02:00:5e:00:fA:01') ?? 0)).toBe('02:00:5e:00:fa:01');
  });
});

describe('ARP', () => {
  it('asks once for many packets, and sends them when the answer comes', () => {
    const world = new World();
    const [a, b] = world.pair();
    const to = b.stack.udpOpen();
    to.bind(0, 9);
    const from = a.stack.udpOpen();
    for (let i = 0; i < 5; i++) from.send(pattern(i), { address: b.address, port: 9 });
    world.clock.run(HERTZ);
    expect(a.stack.counters.Arp.OutRequests).toBe(1);
    expect(b.stack.counters.Udp.InDatagrams).toBe(5);
    expect([...a.stack.ip.arp.neighbours]).toMatchObject([{ address: b.address, mac: b.device.mac, state: 'REACHABLE' }]);
    expect([...b.stack.ip.arp.neighbours]).toMatchObject([{ address: a.address, state: 'STALE' }]);
  });

  it('asks again, then gives the packets up and tells who sent them', () => {
    const world = new World();
    const lone = world.host('10.1.2.7');
    const udp = lone.stack.udpOpen();
    udp.connect({ address: ip('10.1.2.8'), port: 9 });
    udp.send(pattern(1));
    world.clock.run(10 * HERTZ);
    expect(lone.stack.counters.Arp.OutRequests).toBe(ARP.probes);
    expect(lone.stack.counters.Arp.Unresolved).toBe(1);
    expect([...lone.stack.ip.arp.neighbours]).toEqual([]);
    expect(udp.send(pattern(1))).toBe(1);
  });

  it('confirms what it knows after a while, by asking the neighbour itself', () => {
    const world = new World();
    const [a, b] = world.pair();
    const from = a.stack.udpOpen();
    for (let i = 0; i < 60; i++) {
      from.send(pattern(1), { address: b.address, port: 9 });
      world.clock.run(world.clock.now + HERTZ);
    }
    const requests = world.frames.filter(
      ({ frame }) => get16(frame, 12) === 0x0806 && frame[21] === 1 && getMac(frame, 6) === a.device.mac,
    );
    expect(requests).toHaveLength(2);
    expect(requests.map(({ frame }) => getMac(frame, 0))).toEqual([MAC_BROADCAST, b.device.mac]);
    expect([...a.stack.ip.arp.neighbours]).toMatchObject([{ state: 'REACHABLE' }]);
  });
});

describe('routes', () => {
  it('the longest prefix wins, then the least metric; an interface that is down has none', () => {
    const world = new World();
    const a = world.host('10.1.2.1');
    const second = a.stack.attach(world.device('eth1'));
    a.stack.setUp(second, true);
    a.stack.addAddress(second, ip('10.1.0.1'), 16);
    a.stack.addRoute(0, 0, second, { gateway: ip('10.1.0.9'), metric: 5 });
    a.stack.addRoute(0, 0, a.through, { gateway: ip('10.1.2.9'), metric: 10 });
    const path = (text: string) => {
      const found = a.stack.ip.path(ip(text));
      return typeof found === 'number' ? found : `${found.through.name} ${found.nextHop.toString(16)} ${found.source.toString(16)}`;
    };
    expect(path('10.1.2.77')).toBe('eth0 a01024d a010201');
    expect(path('10.1.3.1')).toBe('eth1 a010301 a010001');
    expect(path('192.0.2.1')).toBe('eth1 a010009 a010001');
    a.stack.setUp(second, false);
    expect(path('192.0.2.1')).toBe('eth0 a010209 a010201');
    expect(path('10.1.2.1')).toBe('lo a010201 a010201');
    a.stack.removeAddress(a.through, ip('10.1.2.1'));
    expect(path('10.1.2.77')).toBe(E.NETUNREACH);
  });
});

describe('forwarding', () => {
  it('carries streams between networks, and takes one from the time to live', () => {
    const { world, a, b, router } = routed();
    const [client, server] = joined(world, a, b);
    const sink = new Sink(server);
    pour(client, pattern(100_000));
    expect(world.clock.until(() => sink.ended, 10 * HERTZ)).toBe(true);
    expect(router.stack.counters.Ip.ForwDatagrams).toBeGreaterThan(100);
    const lives = world.frames.flatMap(({ frame }) => {
      const header = parseIpv4(frame.subarray(14));
      return typeof header === 'string' ? [] : [header.ttl];
    });
    expect(new Set(lives)).toEqual(new Set([64, 63]));
  });

  it('says so when the time is over (traceroute)', () => {
    const { world, a, b } = routed();
    const raw = a.stack.rawOpen();
    raw.ttl = 1;
    raw.send(echo(1), b.address);
    world.clock.run(HERTZ);
    const answer = must(raw.receive());
    expect(answer.from).toBe(ip('10.1.2.9'));
    expect(answer.bytes[20]).toBe(ICMP.TIME_EXCEEDED);
    raw.ttl = null;
    raw.send(echo(2), b.address);
    world.clock.run(2 * HERTZ);
    expect(must(raw.receive())).toMatchObject({ from: b.address });
  });

  it('goes nowhere by a route of such a kind, and the sender hears of it, or does not', () => {
    for (const [kind, code, errno] of [
      ['unreachable', 1, E.HOSTUNREACH],
      ['prohibit', 13, E.ACCES],
      ['blackhole', null, E.INVAL],
    ] as const) {
      const { world, a, b, router } = routed();
      router.stack.addRoute(b.address, 32, router.stack.loopback, { kind });
      const raw = a.stack.rawOpen();
      raw.send(echo(1), b.address);
      world.clock.run(HERTZ);
      const answer = raw.receive();
      if (code === null) expect(answer).toBe(-E.AGAIN);
      else expect([...must(answer).bytes.subarray(20, 22)]).toEqual([ICMP.UNREACHABLE, code]);
      expect(router.stack.tcpConnect({ address: b.address, port: 80 })).toBe(-errno);
    }
  });

  it('cuts what is too large for the next link, if it may', () => {
    const { world, a, b, router } = routed(300);
    const to = b.stack.udpOpen();
    to.bind(0, 9);
    const from = a.stack.udpOpen();
    // Larger than the first link: it goes out in three fragments, of which two are cut again.
    from.send(pattern(3000), { address: b.address, port: 9 });
    world.clock.run(HERTZ);
    expect(Buffer.compare(must(to.receive()).bytes, pattern(3000))).toBe(0);
    expect(router.stack.counters.Ip.FragOKs).toBe(2);
    // One that may not is reported, and the sender learns.
    from.connect({ address: b.address, port: 9 });
    from.send(pattern(1000));
    world.clock.run(2 * HERTZ);
    expect(from.takeError()).toBe(E.MSGSIZE);
    from.send(pattern(1000));
    world.clock.run(3 * HERTZ);
    expect(must(to.receive()).bytes).toHaveLength(1000);
  });
});

describe('ICMP', () => {
  it('answers pings, over loopback too', () => {
    const world = new World();
    const [a, b] = world.pair();
    const raw = a.stack.rawOpen();
    raw.send(echo(1), b.address);
    world.clock.run(HERTZ);
    const { bytes } = must(raw.receive());
    expect(bytes.subarray(20)).toHaveLength(64);
    expect([bytes[20], get16(bytes, 26)]).toEqual([ICMP.ECHO_REPLY, 1]);
    raw.send(echo(2), ip('127.0.0.1'));
    world.clock.run(2 * HERTZ);
    const messages = [must(raw.receive()), must(raw.receive())].map(message => message.bytes[20]);
    expect(messages).toEqual([ICMP.ECHO, ICMP.ECHO_REPLY]);
    raw.close();
    expect(a.stack.raw.sockets.size).toBe(0);
  });

  it('tells a connected UDP socket that nobody is there', () => {
    const world = new World();
    const [a, b] = world.pair();
    const udp = a.stack.udpOpen();
    udp.connect({ address: b.address, port: 99 });
    let woken = 0;
    udp.onChange = () => woken++;
    udp.send(pattern(1));
    world.clock.run(HERTZ);
    expect(woken).toBe(1);
    expect(udp.readiness() & READY.ERR).toBe(READY.ERR);
    expect(udp.receive()).toBe(-E.CONNREFUSED);
    expect(udp.receive()).toBe(-E.AGAIN);
  });
});

describe('UDP', () => {
  it('carries datagrams with their sender, and keeps them apart', () => {
    const world = new World();
    const [a, b] = world.pair();
    const server = b.stack.udpOpen();
    expect(server.bind(0, 53)).toBe(0);
    const client = a.stack.udpOpen();
    client.bind(0, 1000);
    client.send(pattern(5), { address: b.address, port: 53 });
    client.send(pattern(0), { address: b.address, port: 53 });
    world.clock.run(HERTZ);
    expect(server.readiness() & READY.IN).toBe(READY.IN);
    expect(must(server.receive(true)).bytes).toHaveLength(5);
    expect(must(server.receive())).toMatchObject({ from: { address: a.address, port: 1000 }, to: { address: b.address, port: 53 } });
    expect(must(server.receive()).bytes).toHaveLength(0);
    expect(server.receive()).toBe(-E.AGAIN);
  });

  it('writes a checksum of 0 as 0xffff, as 0 would say that there is none', () => {
    const from = { address: ip('10.1.2.1'), port: 1 };
    const to = { address: ip('10.1.2.2'), port: 2 };
    const plain = get16(buildUdp(from, to, Uint8Array.of(0, 0)), HEADROOM + 6);
    // The two bytes that bring the sum to all ones.
    const frame = buildUdp(from, to, Uint8Array.of(plain >>> 8, plain));
    expect(get16(frame, HEADROOM + 6)).toBe(0xffff);
    expect(foldSum(addSum(pseudoSum(from.address, to.address, PROTOCOL.UDP, 10), frame, HEADROOM))).toBe(0);
  });

  it('drops what its queue has no room for', () => {
    const world = new World();
    const [a, b] = world.pair();
    const server = b.stack.udpOpen();
    server.bind(0, 53);
    server.receiveBuffer = 10_000;
    a.stack.ip.arp.add(a.through, b.address, b.device.mac);
    const client = a.stack.udpOpen();
    for (let i = 0; i < 100; i++) client.send(pattern(1000), { address: b.address, port: 53 });
    world.clock.run(HERTZ);
    expect(b.stack.counters.Udp.InDatagrams).toBe(7);
    expect(b.stack.counters.Udp.RcvbufErrors).toBe(93);
  });

  it('shares and guards ports as its options say, and reaches all hosts if allowed', () => {
    const world = new World();
    const [a, b] = world.pair();
    const first = b.stack.udpOpen();
    const second = b.stack.udpOpen();
    first.bind(0, 67);
    expect(second.bind(b.address, 67)).toBe(-E.ADDRINUSE);
    expect(second.bind(ip('10.9.9.9'), 68)).toBe(-E.ADDRNOTAVAIL);
    first.reuseAddress = second.reuseAddress = true;
    expect(second.bind(0, 67)).toBe(0);
    const client = a.stack.udpOpen();
    expect(client.send(pattern(1), { address: ip('10.1.2.255'), port: 67 })).toBe(-E.ACCES);
    client.broadcast = true;
    expect(client.send(pattern(1), { address: ip('10.1.2.255'), port: 67 })).toBe(1);
    world.clock.run(HERTZ);
    must(first.receive());
    must(second.receive());
    expect(client.send(new Uint8Array(70_000), { address: b.address, port: 67 })).toBe(-E.MSGSIZE);
    first.close();
    second.close();
    expect([...b.stack.udp.sockets()]).toEqual([]);
  });
});

describe('the stack', () => {
  it('lists its connections with what ss shows', () => {
    const world = new World();
    const [a, b] = world.pair({ delay: 5 * MS });
    listen(b, 80, 5);
    connect(a, b.address, 80);
    world.clock.run(HERTZ);
    expect(b.stack.tcpTable()).toMatchObject([
      { state: 'LISTEN', localPort: 80, waiting: 1, backlog: 5 },
      { state: 'ESTABLISHED', localPort: 80, remote: a.address, connection: { rtt: 10 * MS, mss: 1448, cwnd: 14_480, retransmissions: 0 } },
    ]);
  });

  it('does the same twice, to the byte', () => {
    const run = () => {
      const world = new World(42);
      const [a, b] = world.pair({ loss: 0.03, reorder: 0.1, reorderBy: MS });
      const [client, server] = joined(world, a, b);
      const sink = new Sink(server);
      pour(client, pattern(50_000));
      world.clock.until(() => sink.ended, 1000 * HERTZ);
      return world.frames;
    };
    expect(run()).toEqual(run());
  });

  it('loses packets where the ring is full, and TCP makes up for it', () => {
    const world = new World();
    const [a, b] = world.pair({ rate: 1e8, queue: 8 });
    const [client, server] = joined(world, a, b);
    const sink = new Sink(server);
    pour(client, pattern(1_000_000));
    expect(world.clock.until(() => sink.ended, 100 * HERTZ)).toBe(true);
    expect(a.through.counters.txDropped).toBeGreaterThan(0);
    expect(a.stack.counters.Ip.OutDiscards).toBe(a.through.counters.txDropped);
    expect(Buffer.compare(sink.bytes, pattern(1_000_000))).toBe(0);
  });
});
