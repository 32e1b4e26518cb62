/** Wireshark's dissectors judge the frames of whole runs: `tshark` was not written here. */
import { describe, expect, it } from 'vitest';
import { checksum } from './checksum.ts';
import { ICMP } from './icmp.ts';
import { connect, HERTZ, listen, MS, must, pattern, pcap, pour, Sink, US, World } from './testing.ts';
import { CHECKSUMS, dissect, hasTshark, TROUBLE } from './tshark/testing.ts';

/** A payload in which nobody sees a protocol. */
const letters = (length: number, salt = 0): Uint8Array => pattern(length, salt).map(byte => 97 + (byte % 26));

const BAD = '0';
const GOOD = '1';

describe.skipIf(!hasTshark)('tshark finds nothing wrong', () => {
  it('with streams, short connections, refusals, pings, datagrams and fragments on a link without loss', () => {
    const world = new World(11);
    const [a, b] = world.pair({ rate: 1e9, delay: 100 * US });
    listen(b, 20_079);
    const listener = listen(b, 20_080);
    const stream = connect(a, b.address, 20_080);
    expect(world.clock.until(() => listener.waiting > 0 && stream.state === 'ESTABLISHED', HERTZ)).toBe(true);
    const served = must(listener.accept());
    const sink = new Sink(served);
    const back = new Sink(stream);
    pour(stream, letters(400_000, 1));
    pour(served, letters(300_000, 2));
    connect(a, b.address, 20_081);
    const to = b.stack.udpOpen();
    to.bind(0, 20_001);
    const from = a.stack.udpOpen();
    for (const size of [0, 1, 1472, 1473, 9001]) from.send(letters(size), { address: b.address, port: 20_001 });
    from.send(letters(3), { address: b.address, port: 20_002 });
    const ping = a.stack.rawOpen();
    const echo = new Uint8Array(64);
    echo[0] = ICMP.ECHO;
    const sum = checksum(echo);
    echo[2] = sum >>> 8;
    echo[3] = sum;
    ping.send(echo, b.address);
    expect(world.clock.until(() => sink.ended && back.ended, 10 * HERTZ)).toBe(true);
    for (let i = 0; i < 50; i++) {
      const client = connect(a, b.address, 20_080);
      world.clock.until(() => listener.waiting > 0, world.clock.now + HERTZ);
      const server = must(listener.accept());
      const got = new Sink(server);
      new Sink(client);
      client.write(letters(100));
      world.clock.until(() => got.length === 100, world.clock.now + HERTZ);
      server.write(letters(5000));
      server.close();
      world.clock.run(world.clock.now + MS);
      client.close();
      world.clock.run(world.clock.now + MS);
    }
    expect(Buffer.compare(sink.bytes, letters(400_000, 1))).toBe(0);
    expect(a.stack.counters.Tcp.RetransSegs + b.stack.counters.Tcp.RetransSegs).toBe(0);
    expect(ping.readiness() & 1).toBe(1);

    const rows = dissect(pcap(world.frames), [...CHECKSUMS, '_ws.malformed', ...TROUBLE]);
    expect(rows).toHaveLength(world.frames.length);
    for (const row of rows) {
      for (const statuses of row.slice(0, CHECKSUMS.length)) expect(statuses.split(',')).not.toContain(BAD);
      expect(row.slice(CHECKSUMS.length).join('')).toBe('');
    }
    const good = CHECKSUMS.map((_, i) => rows.filter(row => row[i]?.split(',')[0] === GOOD).length);
    expect(good[0]).toBeGreaterThan(1000);
    expect(good[1]).toBeGreaterThan(1000);
    // Six datagrams, and the one that an ICMP error quotes.
    expect(good[2]).toBe(7);
    expect(good[3]).toBe(3);
  });

  it('but sees what was damaged, and what was sent twice', () => {
    const world = new World(12);
    let count = 0;
    const [a, b] = world.pair({ filter: frame => frame.length < 1000 || ++count !== 20 });
    const listener = listen(b, 20_079);
    const client = connect(a, b.address, 20_079);
    world.clock.until(() => listener.waiting > 0, HERTZ);
    new Sink(must(listener.accept()));
    pour(client, letters(100_000));
    world.clock.run(world.clock.now + HERTZ);
    expect(a.stack.counters.Tcp.RetransSegs).toBe(1);
    const rows = dissect(pcap(world.frames), ['tcp.analysis.retransmission', 'tcp.checksum.status']);
    expect(rows.filter(([again]) => again === '1')).toHaveLength(1);
    const damaged = world.frames.map(({ time, frame }) => ({ time, frame: frame.slice() }));
    const victim = damaged.find(({ frame }) => frame.length > 1000)?.frame as Uint8Array;
    victim[500] = (victim[500] as number) ^ 1;
    expect(dissect(pcap(damaged), ['tcp.checksum.status']).filter(([status]) => status === '0')).toHaveLength(1);
  });
});
