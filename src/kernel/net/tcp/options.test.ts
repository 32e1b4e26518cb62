/** What options of TCP do that change when a connection begins, waits and ends: as on Linux (tcp(7)). */
import { describe, expect, it } from 'vitest';
import { E } from '../../abi/errno.ts';
import { READY } from '../socket.ts';
import { connect, HERTZ, joined, listen, MS, must, pattern, pour, segmentsOf, Sink, World } from '../testing.ts';

const texts = (world: World): string[] => segmentsOf(world.frames).map(({ text }) => text);
const SYN_ACK = '10.1.2.2 SYN ACK';

describe('TCP_SYNCNT', () => {
  it('is how often a SYN is sent again', () => {
    const world = new World();
    const [a, b] = world.pair({ filter: frame => frame[23] !== 6 });
    const client = connect(a, b.address, 80, { synRetries: 2 });
    world.clock.run();
    expect(segmentsOf(world.frames).map(({ time }) => Math.round(time / HERTZ))).toEqual([0, 1, 3]);
    expect(Math.round(world.clock.now / HERTZ)).toBe(7);
    expect(client.takeError()).toBe(E.TIMEDOUT);
  });
});

describe('TCP_DEFER_ACCEPT', () => {
  it('lets a program have a connection when its first data is there', () => {
    const world = new World();
    const [a, b] = world.pair();
    const listener = listen(b, 80, 128, { deferAccept: 2 });
    const client = connect(a, b.address, 80);
    world.clock.run(world.clock.now + 500 * MS);
    expect([client.state, listener.waiting]).toEqual(['ESTABLISHED', 0]);
    expect(b.stack.counters.TcpExt.TCPDeferAcceptDrop).toBe(1);
    client.write(pattern(10));
    world.clock.run(world.clock.now + MS);
    const server = must(listener.accept());
    expect(server.read(new Uint8Array(20))).toBe(10);
    expect(texts(world).filter(text => text === SYN_ACK)).toHaveLength(1);
  });

  it('asks a peer that says nothing once more, and then its ACK will do', () => {
    const world = new World();
    const [a, b] = world.pair();
    const listener = listen(b, 80, 128, { deferAccept: 2 });
    connect(a, b.address, 80);
    world.clock.run(world.clock.now + 2900 * MS);
    expect([listener.waiting, texts(world).filter(text => text === SYN_ACK).length]).toEqual([0, 1]);
    world.clock.run(world.clock.now + 200 * MS);
    expect([listener.waiting, texts(world).filter(text => text === SYN_ACK).length]).toEqual([1, 2]);
  });
});

describe('TCP_USER_TIMEOUT', () => {
  it('is how long data may go unanswered', () => {
    const world = new World();
    let cut = false;
    const [a, b] = world.pair({ filter: frame => !cut || frame[23] !== 6 });
    const [client] = joined(world, a, b);
    client.configure({ userTimeout: 5 * HERTZ });
    cut = true;
    const from = world.clock.now;
    client.write(pattern(10));
    world.clock.until(() => client.state === 'CLOSE', from + 100 * HERTZ);
    expect(client.takeError()).toBe(E.TIMEDOUT);
    expect((world.clock.now - from) / HERTZ).toBeCloseTo(5, 2);
  });

  it('holds for a SYN, a shut window, and the questions of keep-alive', () => {
    const world = new World();
    let cut = true;
    const [a, b] = world.pair({ filter: frame => !cut || frame[23] !== 6 });
    const userTimeout = 5 * HERTZ;
    const failed = connect(a, b.address, 80, { userTimeout });
    world.clock.run(world.clock.now + 6 * HERTZ);
    expect(failed.takeError()).toBe(E.TIMEDOUT);

    cut = false;
    const [full] = joined(world, a, b, 81, { receiveBuffer: 4096 });
    full.configure({ userTimeout });
    pour(full, pattern(20_000), 10_000, false);
    world.clock.run(world.clock.now + 100 * MS);
    expect(full.state).toBe('ESTABLISHED');
    world.clock.run(world.clock.now + 6 * HERTZ);
    expect(full.takeError()).toBe(E.TIMEDOUT);

    const [idle] = joined(world, a, b, 82);
    idle.configure({ userTimeout, keepAlive: true, keepIdle: HERTZ, keepInterval: 2 * HERTZ, keepCount: 9 });
    cut = true;
    world.clock.run(world.clock.now + 4 * HERTZ);
    expect(idle.state).toBe('ESTABLISHED');
    world.clock.run(world.clock.now + 2 * HERTZ);
    expect(idle.takeError()).toBe(E.TIMEDOUT);
  });
});

describe('TCP_LINGER2', () => {
  it('is how long a closed socket waits for the other side’s end, or that it does not', () => {
    for (const [finTimeout, lives] of [
      [5 * HERTZ, 4],
      [-1, 0],
    ] as const) {
      const world = new World();
      const [a, b] = world.pair();
      const [client, server] = joined(world, a, b);
      client.configure({ finTimeout });
      client.close();
      world.clock.run(world.clock.now + 100 * MS + lives * HERTZ);
      expect(a.stack.tcpTable()).toHaveLength(lives > 0 ? 1 : 0);
      expect(server.takeError()).toBe(lives > 0 ? 0 : E.PIPE);
      expect(a.stack.counters.TcpExt.TCPAbortOnLinger).toBe(lives > 0 ? 0 : 1);
      world.clock.run(world.clock.now + 2 * HERTZ);
      expect(a.stack.tcpTable()).toEqual([]);
    }
  });
});

describe('TCP_QUICKACK', () => {
  it('sends the ACK that waits for data to go with, and those that come', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b);
    server.configure({ quickAck: false });
    client.write(pattern(10));
    world.clock.run(world.clock.now + 10 * MS);
    expect(client.flight).toBe(10);
    server.configure({ quickAck: true });
    world.clock.run(world.clock.now + MS);
    expect(client.flight).toBe(0);
    client.write(pattern(10));
    world.clock.run(world.clock.now + MS);
    expect(client.flight).toBe(0);
  });
});

describe('TCP_NOTSENT_LOWAT', () => {
  it('keeps a program from writing far ahead of what can be sent', () => {
    const world = new World();
    const [a, b] = world.pair({ rate: 1e7 });
    const [client, server] = joined(world, a, b);
    client.configure({ notSentLowat: 8000 });
    const sink = new Sink(server);
    pour(client, pattern(500_000), 100_000);
    let most = client.notSent;
    const write = client.onChange;
    client.onChange = () => {
      write();
      most = Math.max(most, client.notSent);
    };
    expect(client.readiness() & READY.OUT).toBe(0);
    expect(world.clock.until(() => sink.ended, world.clock.now + 10 * HERTZ)).toBe(true);
    expect(most).toBeGreaterThan(4000);
    expect(most).toBeLessThan(8000 + client.mss);
    expect(Buffer.compare(sink.bytes, pattern(500_000))).toBe(0);
  });
});

describe('TCP_WINDOW_CLAMP', () => {
  it('bounds the window that is offered', () => {
    const world = new World();
    const [a, b] = world.pair({ delay: 5 * MS, rate: 1e9 });
    const [client, server] = joined(world, a, b, 80, { windowClamp: 6000 });
    const sink = new Sink(server);
    let most = 0;
    const before = server.onChange;
    server.onChange = () => {
      before();
      most = Math.max(most, client.flight);
    };
    pour(client, pattern(100_000));
    expect(world.clock.until(() => sink.ended, world.clock.now + 10 * HERTZ)).toBe(true);
    expect(client.sendWindowMax).toBeLessThanOrEqual(6000);
    expect(most).toBeGreaterThan(2000);
    expect(most).toBeLessThanOrEqual(6000);
  });
});
