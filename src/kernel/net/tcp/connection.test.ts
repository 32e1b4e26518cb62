/** How connections begin, wait and end: as RFC 9293 draws it, with the times of RFC 6298 and Linux. */
import { describe, expect, it } from 'vitest';
import { E } from '../../abi/errno.ts';
import { READY } from '../socket.ts';
import { connect, HERTZ, ip, joined, listen, MS, must, pattern, pour, segmentsOf, Sink, World } from '../testing.ts';
import type { TcpConnection } from './connection.ts';
import { FLAG, type Segment } from './segment.ts';

const texts = (world: World): string[] => segmentsOf(world.frames).map(({ text }) => text);

describe('the handshake', () => {
  it('takes three segments, with MSS, window scale and timestamps', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b);
    expect(texts(world)).toEqual(['10.1.2.1 SYN', '10.1.2.2 SYN ACK', '10.1.2.1 ACK']);
    const [syn, synAck] = segmentsOf(world.frames).map(({ segment }) => segment);
    expect(syn).toMatchObject({ mss: 1460, scale: 6, window: 65535 });
    expect(synAck).toMatchObject({ mss: 1460, scale: 6 });
    expect(synAck?.timestamp?.echo).toBe(syn?.timestamp?.value);
    expect([client.state, server.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    expect(client.mss).toBe(1448);
    expect(a.stack.counters.Tcp).toMatchObject({ ActiveOpens: 1, CurrEstab: 1 });
    expect(b.stack.counters.Tcp).toMatchObject({ PassiveOpens: 1, CurrEstab: 1 });
  });

  it('is refused by a reset where nobody listens', () => {
    const world = new World();
    const [a, b] = world.pair();
    const client = connect(a, b.address, 81);
    world.clock.run(HERTZ);
    expect(texts(world)).toEqual(['10.1.2.1 SYN', '10.1.2.2 RST ACK']);
    expect(client.readiness() & (READY.ERR | READY.HUP)).toBe(READY.ERR | READY.HUP);
    expect(client.takeError()).toBe(E.CONNREFUSED);
  });

  it('asks again after 1, 2, 4… seconds and gives up after six times', () => {
    const world = new World();
    const [a, b] = world.pair({ filter: frame => frame[23] !== 6 });
    const client = connect(a, b.address, 80);
    world.clock.run();
    const times = segmentsOf(world.frames).map(({ time }) => Math.round(time / HERTZ));
    expect(times).toEqual([0, 1, 3, 7, 15, 31, 63]);
    expect(Math.round(world.clock.now / HERTZ)).toBe(127);
    expect(client.takeError()).toBe(E.TIMEDOUT);
  });

  it('fails where no neighbour answers, or no route leads', () => {
    const world = new World();
    const [a] = world.pair();
    const client = connect(a, ip('10.1.2.77'), 80);
    world.clock.run(10 * HERTZ);
    expect(client.takeError()).toBe(E.HOSTUNREACH);
    expect(a.stack.tcpConnect({ address: ip('192.0.2.1'), port: 80 })).toBe(-E.NETUNREACH);
  });

  it('can be begun by both sides at once', () => {
    const world = new World();
    const [a, b] = world.pair();
    a.stack.ip.arp.add(a.through, b.address, b.device.mac);
    b.stack.ip.arp.add(b.through, a.address, a.device.mac);
    const portA = must(a.stack.tcpBind({ address: 0, port: 1000 }));
    const portB = must(b.stack.tcpBind({ address: 0, port: 2000 }));
    const left = must(a.stack.tcpConnect({ address: b.address, port: 2000 }, portA));
    const right = must(b.stack.tcpConnect({ address: a.address, port: 1000 }, portB));
    world.clock.run(HERTZ);
    expect([left.state, right.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    const sink = new Sink(right);
    pour(left, pattern(5000));
    world.clock.run(2 * HERTZ);
    expect(Buffer.compare(sink.bytes, pattern(5000))).toBe(0);
  });

  it('works over loopback, with oneself too', () => {
    const world = new World();
    const [a] = world.pair();
    listen(a, 80);
    const client = connect(a, ip('127.0.0.1'), 80);
    const own = connect(a, a.address, 80);
    world.clock.run(HERTZ);
    expect([client.state, own.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    expect(client.tuple).toMatchObject({ local: ip('127.0.0.1') });
    expect(own.tuple).toMatchObject({ local: a.address });
    expect(world.frames).toEqual([]);
    const held = must(a.stack.tcpBind({ address: ip('127.0.0.1'), port: 7000 }));
    const narcissus = must(a.stack.tcpConnect({ address: ip('127.0.0.1'), port: 7000 }, held));
    world.clock.run(2 * HERTZ);
    expect(narcissus.state).toBe('ESTABLISHED');
    expect(narcissus.write(pattern(10))).toBe(10);
    world.clock.run(3 * HERTZ);
    expect(narcissus.read(new Uint8Array(20))).toBe(10);
  });
});

describe('the end', () => {
  it('takes a FIN and an ACK each way, and 60 seconds of TIME_WAIT for who began', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b);
    world.frames.length = 0;
    client.close();
    world.clock.run(world.clock.now + MS);
    expect([client.state, server.state]).toEqual(['FIN_WAIT1', 'CLOSE_WAIT']);
    server.close();
    world.clock.run(world.clock.now + MS);
    expect(texts(world)).toEqual(['10.1.2.1 FIN ACK', '10.1.2.2 FIN ACK', '10.1.2.1 ACK']);
    expect(server.state).toBe('CLOSE');
    expect(a.stack.tcpTable().map(({ state }) => state)).toEqual(['TIME_WAIT']);
    world.clock.run(world.clock.now + 59 * HERTZ);
    expect(a.stack.tcpTable()).toHaveLength(1);
    world.clock.run(world.clock.now + 2 * HERTZ);
    expect(a.stack.tcpTable()).toEqual([]);
    expect(b.stack.tcpTable().map(({ state }) => state)).toEqual(['LISTEN']);
  });

  it('may be begun by both sides at once', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b);
    client.shutdown('write');
    server.shutdown('write');
    world.clock.run(world.clock.now + 60 * 1e3);
    expect([client.state, server.state]).toEqual(['CLOSING', 'CLOSING']);
    world.clock.run(world.clock.now + MS);
    for (const { stack } of [a, b]) expect(stack.tcpTable().some(({ state }) => state === 'TIME_WAIT')).toBe(true);
    expect(client.read(new Uint8Array(1))).toBe(0);
    expect(client.write(pattern(1))).toBe(-E.PIPE);
  });

  it('is a reset if something was left unread, or if SO_LINGER says so', () => {
    for (const resetOnClose of [false, true]) {
      const world = new World();
      const [a, b] = world.pair();
      const [client, server] = joined(world, a, b);
      client.write(pattern(10));
      world.clock.run(world.clock.now + HERTZ);
      server.configure({ resetOnClose });
      if (resetOnClose) server.read(new Uint8Array(10));
      server.close();
      world.clock.run(world.clock.now + HERTZ);
      expect(texts(world).at(-1)).toBe('10.1.2.2 RST ACK');
      expect(client.read(new Uint8Array(1))).toBe(-E.CONNRESET);
      expect(client.read(new Uint8Array(1))).toBe(0);
      expect(b.stack.counters.TcpExt.TCPAbortOnClose).toBe(resetOnClose ? 0 : 1);
    }
  });

  it('of one side alone is followed by a reset if the other goes on writing to a closed socket', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b);
    client.close();
    world.clock.run(world.clock.now + MS);
    server.write(pattern(10));
    world.clock.run(world.clock.now + HERTZ);
    expect(server.takeError()).toBe(E.PIPE);
    expect(a.stack.counters.TcpExt.TCPAbortOnData).toBe(1);
  });

  it('leaves FIN_WAIT2 after a minute when the program has closed', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client] = joined(world, a, b);
    client.close();
    world.clock.run(world.clock.now + HERTZ);
    expect(client.state).toBe('FIN_WAIT2');
    world.clock.run(world.clock.now + 61 * HERTZ);
    expect(a.stack.tcpTable()).toEqual([]);
  });

  it('lets the port be used again at once by a new connection, in either direction', () => {
    const world = new World();
    const [a, b] = world.pair();
    const listener = listen(b, 80);
    const binding = () => must(a.stack.tcpBind({ address: 0, port: 5555 }, { reuseAddress: true }));
    const dial = () => must(a.stack.tcpConnect({ address: b.address, port: 80 }, binding()));
    const first = dial();
    world.clock.run(world.clock.now + 2 * HERTZ);
    const served = must(listener.accept());
    served.close();
    world.clock.run(world.clock.now + MS);
    first.close();
    world.clock.run(world.clock.now + MS);
    // The server remembers, and takes the new SYN.
    expect(b.stack.tcpTable().map(({ state }) => state)).toContain('TIME_WAIT');
    const second = dial();
    world.clock.run(world.clock.now + HERTZ);
    expect(second.state).toBe('ESTABLISHED');
    const servedAgain = must(listener.accept());
    second.close();
    world.clock.run(world.clock.now + MS);
    servedAgain.close();
    world.clock.run(world.clock.now + 2 * HERTZ);
    // Now the client remembers, and by its timestamps may begin again.
    expect(a.stack.tcpTable().map(({ state }) => state)).toEqual(['TIME_WAIT']);
    const third = dial();
    world.clock.run(world.clock.now + HERTZ);
    expect(third.state).toBe('ESTABLISHED');
  });
});

describe('retransmission', () => {
  it('follows RFC 6298: the first measured round trip of 400 ms makes a timeout of 1.2 s, which doubles', () => {
    const world = new World();
    let cut = false;
    const [a, b] = world.pair({ delay: 200 * MS, filter: () => !cut });
    a.stack.ip.arp.add(a.through, b.address, b.device.mac);
    b.stack.ip.arp.add(b.through, a.address, a.device.mac);
    const [client] = joined(world, a, b);
    expect(client.info.rtt).toBe(400 * MS);
    expect(client.info.rttVariance).toBe(200 * MS);
    expect(client.info.rto).toBe(1200 * MS);
    world.clock.run(world.clock.now + HERTZ);
    world.frames.length = 0;
    cut = true;
    const began = world.clock.now;
    client.write(pattern(100));
    world.clock.run(began + 60 * HERTZ);
    const times = segmentsOf(world.frames).map(({ time }) => (time - began) / MS);
    expect(times).toEqual([0, 1200, 3600, 8400, 18_000, 37_200]);
    expect(client.congestion.window).toBe(client.mss);
    expect(client.congestion.threshold).toBe(2 * client.mss);
    cut = false;
    world.clock.run(began + 80 * HERTZ);
    expect(client.info.sendQueue).toBe(0);
    // By Karn's algorithm only the timestamp tells this round trip: 400 ms, not the time since the first try.
    expect(client.info.rtt).toBe(400 * MS);
    expect(client.info.rto).toBeLessThan(1200 * MS);
  });

  it('gives up after fifteen times', () => {
    const world = new World();
    let cut = false;
    const [a, b] = world.pair({ filter: () => !cut });
    const [client] = joined(world, a, b);
    cut = true;
    client.write(pattern(10));
    a.stack.ip.arp.add(a.through, b.address, b.device.mac);
    world.clock.run();
    expect(client.takeError()).toBe(E.TIMEDOUT);
    expect(client.statistics.retransmissions).toBe(15);
    // tcp_retries2: 924.6 s with the least timeout, as Linux documents it.
    expect(world.clock.now / HERTZ).toBeGreaterThan(924);
    expect(world.clock.now / HERTZ).toBeLessThan(935);
  });

  it('makes segments smaller when a router says that they do not pass', () => {
    const world = new World();
    const a = world.host('10.1.2.1');
    const router = world.host('10.1.2.9');
    const b = world.host('10.1.3.2');
    const far = world.device('eth1', 600);
    const out = router.stack.attach(far);
    router.stack.setUp(out, true);
    router.stack.addAddress(out, ip('10.1.3.9'), 24);
    router.stack.ip.forwarding = true;
    world.link(a, router);
    world.link({ stack: router.stack, device: far }, b);
    a.stack.addRoute(0, 0, a.through, { gateway: ip('10.1.2.9') });
    b.stack.addRoute(0, 0, b.through, { gateway: ip('10.1.3.9') });
    const [client, server] = joined(world, a, b);
    const sink = new Sink(server);
    pour(client, pattern(50_000));
    expect(world.clock.until(() => sink.ended, world.clock.now + 10 * HERTZ)).toBe(true);
    expect(Buffer.compare(sink.bytes, pattern(50_000))).toBe(0);
    expect(client.mss).toBe(600 - 40 - 12);
    expect(a.stack.counters.Icmp.InDestUnreachs).toBeGreaterThan(0);
    expect(a.stack.counters.TcpExt.TCPTimeouts).toBe(0);
  });
});

describe('small segments', () => {
  const sizes = (world: World, from: string) =>
    segmentsOf(world.frames).flatMap(({ text, segment }) =>
      text.startsWith(from) && segment.payload.length > 0 ? [segment.payload.length] : [],
    );

  it('wait for the ACK of the one before (Nagle), unless TCP_NODELAY is set', () => {
    for (const noDelay of [false, true]) {
      const world = new World();
      const [a, b] = world.pair();
      const [client] = joined(world, a, b, 80, { noDelay });
      for (let i = 0; i < 5; i++) client.write(pattern(10));
      world.clock.run(world.clock.now + HERTZ);
      expect(sizes(world, '10.1.2.1')).toEqual(noDelay ? [10, 10, 10, 10, 10] : [10, 40]);
    }
  });

  it('wait for the cork to be pulled, at most for the least timeout', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client] = joined(world, a, b);
    client.configure({ cork: true });
    client.write(pattern(100));
    client.write(pattern(1448));
    world.clock.run(world.clock.now + 100 * MS);
    expect(sizes(world, '10.1.2.1')).toEqual([1448]);
    client.configure({ cork: false });
    world.clock.run(world.clock.now + 10 * MS);
    expect(sizes(world, '10.1.2.1')).toEqual([1448, 100]);
    client.configure({ cork: true });
    client.write(pattern(7));
    world.clock.run(world.clock.now + 150 * MS);
    expect(sizes(world, '10.1.2.1')).toEqual([1448, 100]);
    world.clock.run(world.clock.now + 100 * MS);
    expect(sizes(world, '10.1.2.1')).toEqual([1448, 100, 7]);
  });

  it('are joined if the program says that more follows', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client] = joined(world, a, b);
    client.write(pattern(10), true);
    client.write(pattern(20));
    world.clock.run(world.clock.now + MS);
    expect(sizes(world, '10.1.2.1')).toEqual([30]);
  });
});

describe('an ACK', () => {
  it('waits up to 40 ms for data to go with, once data flows both ways', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b);
    const into = new Uint8Array(100);
    const turn = () => {
      client.write(pattern(10));
      world.clock.run(world.clock.now + MS);
      server.read(into);
      server.write(pattern(20));
      world.clock.run(world.clock.now + MS);
      client.read(into);
    };
    turn();
    world.frames.length = 0;
    turn();
    // The request takes the ACK of the last answer with it, the answer that of the request.
    expect(texts(world)).toEqual(['10.1.2.1 ACK 10', '10.1.2.2 ACK 20']);
    const before = world.clock.now;
    world.frames.length = 0;
    world.clock.run(before + HERTZ);
    expect(texts(world)).toEqual(['10.1.2.1 ACK']);
    expect((world.frames[0]?.time ?? 0) - before).toBeGreaterThan(35 * MS);
    expect((world.frames[0]?.time ?? 0) - before).toBeLessThanOrEqual(40 * MS);
    expect(a.stack.counters.TcpExt.DelayedACKs).toBe(1);
  });

  it('goes out for every second full segment of a bulk transfer', () => {
    const world = new World();
    const [a, b] = world.pair({ rate: 1e8 });
    const [client, server] = joined(world, a, b);
    const sink = new Sink(server);
    pour(client, pattern(1_000_000));
    world.clock.until(() => sink.ended, 10 * HERTZ);
    const data = texts(world).filter(text => text.startsWith('10.1.2.1')).length;
    const acks = texts(world).filter(text => text === '10.1.2.2 ACK').length;
    expect(acks / data).toBeGreaterThan(0.45);
    expect(acks / data).toBeLessThan(0.65);
  });
});

describe('a window', () => {
  it('that is shut is probed, more and more seldom, until it opens', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b, 80, { receiveBuffer: 4096 });
    pour(client, pattern(20_000));
    world.clock.run(world.clock.now + 20 * HERTZ);
    expect(client.info.sendWindow).toBe(0);
    expect(server.info.receiveQueue).toBe(4096);
    expect(a.stack.counters.TcpExt.TCPWinProbe).toBeGreaterThan(3);
    expect(a.stack.counters.TcpExt.TCPWinProbe).toBeLessThan(10);
    const sink = new Sink(server);
    expect(world.clock.until(() => sink.ended, world.clock.now + HERTZ)).toBe(true);
    expect(Buffer.compare(sink.bytes, pattern(20_000))).toBe(0);
  });

  it('that opens byte by byte is not silly: neither side sends crumbs', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b, 80, { receiveBuffer: 4096 });
    pour(client, pattern(40_000));
    const got = new Uint8Array(40_000);
    let length = 0;
    while (length < 40_000) {
      world.clock.run(world.clock.now + MS);
      const count = server.read(got.subarray(length, length + 50));
      if (count > 0) length += count;
      expect(world.clock.now).toBeLessThan(100 * HERTZ);
    }
    expect(Buffer.compare(got, pattern(40_000))).toBe(0);
    const data = segmentsOf(world.frames).flatMap(({ segment }) => (segment.payload.length > 0 ? [segment.payload.length] : []));
    expect(data.length).toBeLessThan(60);
    expect(data.filter(size => size < 500).length).toBeLessThan(5);
  });

  it('of a crumb is not used before the timer says that no more will come', () => {
    const world = new World();
    const [a, b] = world.pair({ filter: (_, from) => from === 0 || open });
    let open = true;
    const [client, server] = joined(world, a, b);
    world.clock.run(world.clock.now + MS);
    // The server's ACKs are made here.
    open = false;
    const offer = (window: number) =>
      client.receive({
        source: b.address,
        target: a.address,
        sourcePort: 80,
        targetPort: client.tuple.localPort,
        seq: client.receiveNext,
        ack: client.sendMax,
        flags: FLAG.ACK,
        window: window / 2 ** server.receiveScale,
        mss: null,
        scale: null,
        timestamp: null,
        payload: new Uint8Array(0),
      });
    offer(0);
    world.frames.length = 0;
    client.write(pattern(10_000));
    offer(640);
    const began = world.clock.now;
    world.clock.run(began + 150 * MS);
    expect(texts(world)).toEqual([]);
    world.clock.run(began + 250 * MS);
    expect(texts(world).filter(text => text.startsWith('10.1.2.1'))).toEqual(['10.1.2.1 ACK 640']);
  });

  it('is not taken beyond its edge, whoever sends that', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b, 80, { receiveBuffer: 4096 });
    client.sendWindow = client.sendWindowMax = 1_000_000;
    client.write(pattern(14_000));
    world.clock.run(world.clock.now + 50 * MS);
    expect(server.info.receiveQueue).toBe(4096);
    expect(server.receiveNext).toBe(server.windowEdge);
    expect(b.stack.counters.TcpExt.TCPZeroWindowDrop).toBeGreaterThan(0);
  });

  it('keeps what a program may write within the buffer, and says when there is room again', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b, 80, { sendBuffer: 10_000, receiveBuffer: 4096 });
    let woken = 0;
    client.onChange = () => woken++;
    expect(client.write(pattern(50_000))).toBe(10_000);
    expect(client.write(pattern(1))).toBe(-E.AGAIN);
    expect(client.readiness() & READY.OUT).toBe(0);
    world.clock.run(world.clock.now + HERTZ);
    expect(woken).toBeGreaterThan(0);
    expect(client.info.sendQueue).toBe(10_000 - 4096);
    expect(client.readiness() & READY.OUT).toBe(READY.OUT);
    new Sink(server);
    world.clock.run(world.clock.now + 10 * HERTZ);
    expect(client.info.sendQueue).toBe(0);
  });

  it('grows with what the program reads in a round trip', () => {
    const world = new World();
    const [a, b] = world.pair({ rate: 1e9, delay: 5 * MS, queue: 100_000 });
    const [client, server] = joined(world, a, b);
    const sink = new Sink(server);
    pour(client, pattern(6_000_000));
    world.clock.until(() => sink.ended, 60 * HERTZ);
    expect(server.receiveSpace).toBeGreaterThan(500_000);
    expect(sink.ended).toBe(true);
  });
});

describe('keep-alive', () => {
  const options = { keepAlive: true, keepIdle: 10 * HERTZ, keepInterval: 2 * HERTZ, keepCount: 3 };

  it('asks an idle peer, and ends the connection if it is gone', () => {
    const world = new World();
    let cut = false;
    const [a, b] = world.pair({ filter: () => !cut });
    const [client, server] = joined(world, a, b);
    client.configure(options);
    world.clock.run(world.clock.now + 35 * HERTZ);
    expect(a.stack.counters.TcpExt.TCPKeepAlive).toBe(3);
    expect([client.state, server.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    cut = true;
    world.clock.run(world.clock.now + 20 * HERTZ);
    expect(client.takeError()).toBe(E.TIMEDOUT);
  });

  it('is told by a reset if the peer has forgotten', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b);
    client.configure(options);
    b.stack.tcp.forget(server);
    server.stopTimers();
    world.clock.run(world.clock.now + 12 * HERTZ);
    expect(client.takeError()).toBe(E.CONNRESET);
  });
});

describe('a listener', () => {
  it('takes no more than its backlog, and those who wait come in later', () => {
    const world = new World();
    const [a, b] = world.pair();
    const listener = listen(b, 80, 2);
    const clients = Array.from({ length: 6 }, () => connect(a, b.address, 80));
    world.clock.run(world.clock.now + 500 * MS);
    expect(listener.waiting).toBeLessThanOrEqual(3);
    const accepted: object[] = [];
    world.clock.until(() => {
      const next = listener.accept();
      if (typeof next !== 'number') accepted.push(next);
      return accepted.length === 6;
    }, 60 * HERTZ);
    expect(accepted).toHaveLength(6);
    expect(clients.every(({ state }) => state === 'ESTABLISHED')).toBe(true);
    expect(b.stack.counters.TcpExt.ListenDrops).toBeGreaterThan(0);
  });

  it('shares its port with others by SO_REUSEPORT, spread by the four-tuple', () => {
    const world = new World();
    const [a, b] = world.pair();
    const listeners = Array.from({ length: 4 }, () => {
      const binding = must(b.stack.tcpBind({ address: 0, port: 80 }, { reusePort: true }));
      return must(b.stack.tcpListen(binding, 1000));
    });
    for (let i = 0; i < 400; i++) connect(a, b.address, 80);
    // Most SYNs find no place in the queue for ARP, and go out a second later.
    world.clock.run(3 * HERTZ);
    const shares = listeners.map(({ waiting }) => waiting);
    expect(shares.reduce((sum, share) => sum + share)).toBe(400);
    for (const share of shares) expect(Math.abs(share - 100)).toBeLessThan(35);
    expect(b.stack.tcpBind({ address: 0, port: 80 })).toBe(-E.ADDRINUSE);
  });

  it('holds its port against others, and its connections do after it unless SO_REUSEADDR is set', () => {
    const world = new World();
    const [a, b] = world.pair();
    const listener = listen(b, 80);
    expect(b.stack.tcpBind({ address: 0, port: 80 }, { reuseAddress: true })).toBe(-E.ADDRINUSE);
    expect(b.stack.tcpBind({ address: b.address, port: 80 })).toBe(-E.ADDRINUSE);
    connect(a, b.address, 80);
    world.clock.run(HERTZ);
    const served = must(listener.accept());
    listener.close();
    expect(served.state).toBe('ESTABLISHED');
    expect(b.stack.tcpBind({ address: 0, port: 80 })).toBe(-E.ADDRINUSE);
    const again = must(b.stack.tcpBind({ address: 0, port: 80 }, { reuseAddress: true }));
    must(b.stack.tcpListen(again, 1));
  });

  it('resets what nobody accepted when it is closed', () => {
    const world = new World();
    const [a, b] = world.pair();
    const listener = listen(b, 80);
    const client = connect(a, b.address, 80);
    world.clock.run(HERTZ);
    listener.close();
    world.clock.run(2 * HERTZ);
    expect(client.takeError()).toBe(E.CONNRESET);
    expect(b.stack.tcpTable()).toEqual([]);
    must(b.stack.tcpBind({ address: 0, port: 80 }));
  });
});

describe('the congestion window', () => {
  it('grows only while it is what limits the sender, and starts again after a pause', () => {
    const world = new World();
    const [a, b] = world.pair({ delay: 10 * MS });
    a.stack.ip.arp.add(a.through, b.address, b.device.mac);
    b.stack.ip.arp.add(b.through, a.address, a.device.mac);
    const [client, server] = joined(world, a, b);
    const sink = new Sink(server);
    const first = client.congestion.window;
    for (let i = 0; i < 12; i++) {
      client.write(pattern(1000));
      world.clock.run(world.clock.now + 100 * MS);
    }
    expect(client.congestion.window).toBe(first);
    // The round trip was measured all the time, once for each segment and not for each ACK.
    expect(client.info.rtt).toBeCloseTo(20 * MS, -3);
    pour(client, pattern(1_000_000), 10_000, false);
    world.clock.until(() => sink.length === 1_012_000, world.clock.now + 10 * HERTZ);
    world.clock.run(world.clock.now + HERTZ);
    expect(client.congestion.window).toBeGreaterThan(5 * first);
    world.frames.length = 0;
    client.write(pattern(60_000));
    world.clock.run(world.clock.now + 15 * MS);
    expect(texts(world).filter(text => text.startsWith('10.1.2.1'))).toHaveLength(10);
  });
});

describe('a segment that does not fit', () => {
  /** A segment as from `client`, which `server` is given now. */
  const forge = (client: TcpConnection, server: TcpConnection, seq: number, flags: number, more: Partial<Segment> = {}) =>
    server.receive({
      source: client.tuple.local,
      target: server.tuple.local,
      sourcePort: client.tuple.localPort,
      targetPort: 80,
      seq: seq >>> 0,
      ack: server.sendUna,
      flags,
      window: 1000,
      mss: null,
      scale: null,
      timestamp: null,
      payload: new Uint8Array(0),
      ...more,
    });

  it('resets a connection only if it is the very next (RFC 5961)', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b);
    forge(client, server, server.receiveNext + 100, FLAG.RST);
    forge(client, server, server.receiveNext - 1, FLAG.RST);
    forge(client, server, server.receiveNext + 5, FLAG.SYN);
    expect(server.state).toBe('ESTABLISHED');
    expect(b.stack.counters.TcpExt.TCPChallengeACK).toBe(1);
    forge(client, server, server.receiveNext, FLAG.RST);
    expect(server.takeError()).toBe(E.CONNRESET);
  });

  it('by its timestamp is older than the last is not taken (PAWS)', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b);
    const payload = pattern(10);
    const at = (value: number) => ({ payload, timestamp: { value: value >>> 0, echo: 0 } });
    forge(client, server, server.receiveNext, FLAG.ACK, at(server.recentTimestamp - 1));
    expect(server.info.receiveQueue).toBe(0);
    expect(b.stack.counters.TcpExt.PAWSEstab).toBe(1);
    forge(client, server, server.receiveNext, FLAG.ACK, at(server.recentTimestamp + 1));
    expect(server.info.receiveQueue).toBe(10);
  });

  it('comes again after the end is acknowledged again, and TIME_WAIT begins anew', () => {
    const world = new World();
    let last: Uint8Array = new Uint8Array(0);
    let cut = false;
    const [a, b] = world.pair({
      filter: (frame, from) => {
        if (from === 1 && frame[13] === 0) last = frame;
        return !cut;
      },
    });
    const [client, server] = joined(world, a, b);
    client.close();
    world.clock.run(world.clock.now + MS);
    server.close();
    world.clock.run(world.clock.now + 50 * HERTZ);
    world.frames.length = 0;
    // The peer has forgotten: it would answer the ACK by a reset, which ends TIME_WAIT.
    cut = true;
    a.stack.receive(a.device, last);
    expect(texts(world)).toEqual(['10.1.2.1 ACK']);
    world.clock.run(world.clock.now + 55 * HERTZ);
    expect(a.stack.tcpTable()).toHaveLength(1);
    world.clock.run(world.clock.now + 10 * HERTZ);
    expect(a.stack.tcpTable()).toEqual([]);
  });
});
