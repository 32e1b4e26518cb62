/** Streams arrive whole and in order, whatever the link does. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { connect, HERTZ, joined, listen, MS, must, pattern, pour, Sink, US, World, type LinkOptions } from '../testing.ts';
import type { TcpOptions } from './options.ts';

/** Sends `bytes` both ways at once over a link; returns the world for a closer look. */
function exchange(seed: number, link: Partial<LinkOptions>, mtu: number, bytes: number, options: Partial<TcpOptions> = {}, piece = 10_000) {
  const world = new World(seed);
  const [a, b] = world.pair(link, mtu);
  // ARP gives up after three questions, which is not what is tried here.
  a.stack.ip.arp.add(a.through, b.address, b.device.mac);
  b.stack.ip.arp.add(b.through, a.address, a.device.mac);
  const [client, server] = joined(world, a, b, 80, options);
  const there = new Sink(server);
  const back = new Sink(client);
  const up = pattern(bytes, 1);
  const down = pattern(Math.floor(bytes * 0.7), 2);
  pour(client, up, piece);
  pour(server, down, piece);
  const began = world.clock.now;
  const done = world.clock.until(() => there.ended && back.ended, 20_000 * HERTZ);
  const seconds = (world.clock.now - began) / HERTZ;
  expect(done, `stuck: ${client.state} ${JSON.stringify(client.info)} ${server.state} ${JSON.stringify(server.info)}`).toBe(true);
  expect(Buffer.compare(there.bytes, up)).toBe(0);
  expect(Buffer.compare(back.bytes, down)).toBe(0);
  return { world, a, b, client, server, seconds };
}

describe('a stream', () => {
  it('crosses a perfect link without a segment sent twice', () => {
    const { a, b } = exchange(1, {}, 1500, 1_000_000);
    for (const { counters } of [a.stack, b.stack]) {
      expect(counters.Tcp.RetransSegs).toBe(0);
      expect(counters.Tcp.InErrs).toBe(0);
      expect(counters.TcpExt.TCPTimeouts).toBe(0);
    }
  });

  it('fills a gigabit link', () => {
    const world = new World(3);
    const [a, b] = world.pair({ rate: 1e9, delay: 100 * US });
    const [client, server] = joined(world, a, b);
    const sink = new Sink(server);
    const bytes = pattern(8_000_000);
    const began = world.clock.now;
    pour(client, bytes);
    expect(world.clock.until(() => sink.ended, 100 * HERTZ)).toBe(true);
    const megabits = (bytes.length * 8) / ((world.clock.now - began) / HERTZ) / 1e6;
    // 1448 bytes of payload in each 1538 bytes on the wire: 941 Mb/s at most, slow start taken off.
    expect(megabits).toBeGreaterThan(800);
    expect(megabits).toBeLessThan(942);
    expect(Buffer.compare(sink.bytes, bytes)).toBe(0);
  });

  it('recovers from single losses by fast retransmit, without waiting for the timer', () => {
    let count = 0;
    const filter = (frame: Uint8Array): boolean => frame.length < 1000 || ++count % 100 !== 99;
    const { a, seconds } = exchange(4, { filter, delay: 5 * MS }, 1500, 500_000);
    expect(a.stack.counters.TcpExt.TCPRenoRecovery).toBeGreaterThan(0);
    expect(a.stack.counters.TcpExt.TCPTimeouts).toBe(0);
    expect(seconds).toBeLessThan(2);
  });

  it('recovers several losses of one window in one recovery (NewReno)', () => {
    let count = 0;
    const lost = [60, 63, 64, 70];
    const filter = (frame: Uint8Array): boolean => frame.length < 1000 || !lost.includes(++count);
    const world = new World(4);
    const [a, b] = world.pair({ filter, delay: 5 * MS });
    const [client, server] = joined(world, a, b);
    const sink = new Sink(server);
    pour(client, pattern(300_000));
    expect(world.clock.until(() => sink.ended, 10 * HERTZ)).toBe(true);
    expect(Buffer.compare(sink.bytes, pattern(300_000))).toBe(0);
    expect(a.stack.counters.TcpExt).toMatchObject({ TCPRenoRecovery: 1, TCPFastRetrans: lost.length, TCPTimeouts: 0 });
    expect(client.congestion.threshold).toBeLessThan(40 * client.mss);
  });

  it('arrives whole over any link', () => {
    const link = fc.record({
      delay: fc.integer({ min: 0, max: 20 * MS }),
      loss: fc.double({ min: 0, max: 0.15, noNaN: true }),
      duplication: fc.double({ min: 0, max: 0.2, noNaN: true }),
      reorder: fc.double({ min: 0, max: 0.3, noNaN: true }),
      reorderBy: fc.integer({ min: 0, max: 30 * MS }),
    });
    const options = fc.record({
      noDelay: fc.boolean(),
      receiveBuffer: fc.constantFrom(null, 1024, 3000, 20_000),
      sendBuffer: fc.constantFrom(null, 2048, 10_000),
    });
    const mtu = fc.constantFrom(1500, 576, 296, 100, 9000);
    fc.assert(
      fc.property(fc.nat(), link, mtu, options, fc.integer({ min: 0, max: 60_000 }), fc.integer({ min: 1, max: 5000 }), (...run) => {
        const [seed, conditions, size, settings, bytes, piece] = run;
        exchange(seed, conditions, size, size < 200 ? Math.floor(bytes / 8) : bytes, settings, piece);
      }),
      { seed: 5, numRuns: 60 },
    );
  });

  it('goes on in one direction when the other has ended', () => {
    const world = new World(6);
    const [a, b] = world.pair({ loss: 0.05 });
    const [client, server] = joined(world, a, b);
    const there = new Sink(server);
    const back = new Sink(client);
    pour(client, pattern(1000, 1));
    world.clock.until(() => there.ended, 100 * HERTZ);
    expect(server.state).toBe('CLOSE_WAIT');
    pour(server, pattern(50_000, 2));
    expect(world.clock.until(() => back.ended, 1000 * HERTZ)).toBe(true);
    expect(Buffer.compare(back.bytes, pattern(50_000, 2))).toBe(0);
  });

  it('goes on where sequence numbers wrap round', () => {
    const world = new World(8);
    const [a, b] = world.pair({ loss: 0.02, reorder: 0.05, reorderBy: MS });
    for (const { stack } of [a, b]) stack.tcp.initialSequence = () => 0xffffffff - 20_000;
    const [client, server] = joined(world, a, b);
    const there = new Sink(server);
    const back = new Sink(client);
    pour(client, pattern(100_000, 1));
    pour(server, pattern(100_000, 2));
    expect(world.clock.until(() => there.ended && back.ended, 1000 * HERTZ)).toBe(true);
    expect(Buffer.compare(there.bytes, pattern(100_000, 1))).toBe(0);
    expect(Buffer.compare(back.bytes, pattern(100_000, 2))).toBe(0);
    expect(client.sendUna).toBeLessThan(100_000);
  });

  it('crosses loopback in its large packets', () => {
    const world = new World(9);
    const [a] = world.pair();
    const listener = listen(a, 80);
    const client = connect(a, a.address, 80);
    world.clock.run(MS);
    const server = must(listener.accept());
    const there = new Sink(server);
    pour(client, pattern(2_000_000), 200_000);
    expect(world.clock.until(() => there.ended, HERTZ)).toBe(true);
    expect(Buffer.compare(there.bytes, pattern(2_000_000))).toBe(0);
    expect(client.mss).toBe(65_483);
    expect(a.stack.counters.Tcp.RetransSegs).toBe(0);
  });
});
