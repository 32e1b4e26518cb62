/** Hostile frames cost nothing but the frame: nothing throws, nothing grows, no stream changes, and each drop has its counter. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { put16, put32 } from './bytes.ts';
import { checksum, foldSum, addSum, pseudoSum } from './checksum.ts';
import { ETHERNET_HEADER, ETHERTYPE, putEthernet } from './ethernet.ts';
import { REASSEMBLY } from './fragment.ts';
import { HEADROOM, IPV4_HEADER, PROTOCOL, putIpv4, type Ipv4Header } from './ipv4.ts';
import { connect, generator, HERTZ, ip, joined, listen, MS, must, pattern, pour, Sink, World, type Host } from './testing.ts';
import { FLAG, openSegment, sealSegment } from './tcp/segment.ts';
import { UDP_HEADER } from './udp.ts';

/** A frame to `to` with an IP packet of these bytes and header fields, its header checksum right. */
function forged(to: Host, payload: Uint8Array, fields: Partial<Ipv4Header> = {}): Uint8Array {
  const frame = new Uint8Array(HEADROOM + payload.length);
  frame.set(payload, HEADROOM);
  putEthernet(frame, to.device.mac, 0x020000000099, ETHERTYPE.IPV4);
  putIpv4(frame.subarray(ETHERNET_HEADER), {
    headerBytes: IPV4_HEADER,
    tos: 0,
    totalBytes: IPV4_HEADER + payload.length,
    id: 1,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: PROTOCOL.UDP,
    source: ip('10.1.2.99'),
    target: to.address,
    ...fields,
  });
  return frame;
}

function forgedSegment(
  to: Host,
  source: number,
  sourcePort: number,
  targetPort: number,
  seq: number,
  ack: number,
  flags: number,
  data = 0,
) {
  const segment = { sourcePort, targetPort, seq, ack, flags, window: 1000, mss: null, scale: null, timestamp: null };
  const frame = openSegment(segment, data);
  sealSegment(frame, source, to.address);
  return forged(to, frame.subarray(HEADROOM), { source, protocol: PROTOCOL.TCP });
}

describe('fuzzed frames', () => {
  it('never make the stack throw, whatever bytes they are', () => {
    const world = new World();
    const [, b] = world.pair();
    listen(b, 80);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(0x0800, 0x0806, 0), (bytes, type) => {
        const frame = new Uint8Array(ETHERNET_HEADER + bytes.length);
        frame.set(bytes, ETHERNET_HEADER);
        putEthernet(frame, b.device.mac, 1, type);
        b.stack.receive(b.device, frame);
        b.stack.receive(b.device, bytes);
      }),
      { seed: 1, numRuns: 3000 },
    );
  });

  it('never change an established stream, with a few bytes of real frames overwritten or cut off', () => {
    const random = generator(7);
    for (let run = 0; run < 20; run++) {
      const world = new World(run);
      const damaged: Uint8Array[] = [];
      const [a, b] = world.pair({
        filter: frame => {
          const copy = frame.slice(0, random() % 4 === 0 ? random() % frame.length : frame.length);
          for (let i = 0; i <= random() % 4; i++) if (copy.length > 0) copy[random() % Math.min(copy.length, 80)] = random();
          damaged.push(copy);
          return true;
        },
      });
      const [client, server] = joined(world, a, b);
      const sink = new Sink(server);
      const back = new Sink(client);
      pour(client, pattern(30_000, 1));
      pour(server, pattern(30_000, 2));
      while (!(sink.ended && back.ended)) {
        const before = world.clock.now;
        world.clock.run(before + MS / 10);
        for (const frame of damaged.splice(0)) {
          a.stack.receive(a.device, frame);
          b.stack.receive(b.device, frame);
        }
        expect(world.clock.now).toBeLessThan(100 * HERTZ);
      }
      expect(Buffer.compare(sink.bytes, pattern(30_000, 1))).toBe(0);
      expect(Buffer.compare(back.bytes, pattern(30_000, 2))).toBe(0);
    }
  });

  it('never change an established stream, with right checksums and headers that are anything', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b);
    const sink = new Sink(server);
    const outside = fc.integer({ min: 200_000, max: 0xffffffff - 200_000 });
    const flags = fc.integer({ min: 0, max: 63 });
    const data = fc.integer({ min: 0, max: 100 });
    fc.assert(
      fc.property(outside, outside, flags, data, (seq, ack, bits, length) => {
        const { localPort } = client.tuple;
        const there = (server.receiveNext + seq) >>> 0;
        b.stack.receive(b.device, forgedSegment(b, a.address, localPort, 80, there, (server.sendUna + ack) >>> 0, bits, length));
        // A right place, but an ACK of what was never sent.
        b.stack.receive(
          b.device,
          forgedSegment(
            b,
            a.address,
            localPort,
            80,
            server.receiveNext,
            (server.sendMax + ack) >>> 0,
            bits & ~FLAG.RST & ~FLAG.SYN,
            length,
          ),
        );
      }),
      { seed: 2, numRuns: 2000 },
    );
    expect([client.state, server.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    pour(client, pattern(10_000));
    expect(world.clock.until(() => sink.ended, world.clock.now + 10 * HERTZ)).toBe(true);
    expect(Buffer.compare(sink.bytes, pattern(10_000))).toBe(0);
  });
});

describe('each drop has its counter', () => {
  const cases: [name: string, frame: (to: Host) => Uint8Array, counter: (host: Host) => number][] = [
    ['a frame too short for Ethernet', () => new Uint8Array(5), ({ stack }) => stack.counters.Link.InErrors],
    [
      'a bad header checksum',
      to => flip(forged(to, new Uint8Array(8)), ETHERNET_HEADER + 10),
      ({ stack }) => stack.counters.IpExt.InCsumErrors,
    ],
    [
      'a header longer than the packet',
      to => set(forged(to, new Uint8Array(0)), ETHERNET_HEADER, 0x4f),
      ({ stack }) => stack.counters.Ip.InHdrErrors,
    ],
    [
      'a length beyond the frame',
      to => forged(to, new Uint8Array(8), { totalBytes: 1000 }),
      ({ stack }) => stack.counters.IpExt.InTruncatedPkts,
    ],
    ['a length below the header', to => forged(to, new Uint8Array(8), { totalBytes: 19 }), ({ stack }) => stack.counters.Ip.InHdrErrors],
    [
      'a source of 127.0.0.1',
      to => forged(to, new Uint8Array(8), { source: ip('127.0.0.1') }),
      ({ stack }) => stack.counters.Ip.InAddrErrors,
    ],
    ['a source that is ours', to => forged(to, new Uint8Array(8), { source: to.address }), ({ stack }) => stack.counters.Ip.InAddrErrors],
    [
      'a source that is a group',
      to => forged(to, new Uint8Array(8), { source: ip('224.0.0.1') }),
      ({ stack }) => stack.counters.Ip.InAddrErrors,
    ],
    [
      'a target that is not here',
      to => forged(to, new Uint8Array(8), { target: ip('10.9.9.9') }),
      ({ stack }) => stack.counters.Ip.InAddrErrors,
    ],
    [
      'a protocol that nobody speaks',
      to => forged(to, new Uint8Array(8), { protocol: 99 }),
      ({ stack }) => stack.counters.Ip.InUnknownProtos,
    ],
    ['a short UDP header', to => forged(to, new Uint8Array(4)), ({ stack }) => stack.counters.Udp.InErrors],
    [
      'a UDP length beyond the packet',
      to => forged(to, Uint8Array.of(0, 1, 0, 2, 0, 99, 0, 0)),
      ({ stack }) => stack.counters.Udp.InErrors,
    ],
    ['a bad UDP checksum', to => forged(to, Uint8Array.of(0, 1, 0, 2, 0, 8, 1, 2)), ({ stack }) => stack.counters.Udp.InCsumErrors],
    ['a UDP port that nobody has', to => forged(to, Uint8Array.of(0, 1, 0, 2, 0, 8, 0, 0)), ({ stack }) => stack.counters.Udp.NoPorts],
    ['a short TCP header', to => forged(to, new Uint8Array(12), { protocol: PROTOCOL.TCP }), ({ stack }) => stack.counters.Tcp.InErrs],
    [
      'a bad TCP checksum',
      to => forged(to, set(new Uint8Array(20), 12, 0x50), { protocol: PROTOCOL.TCP }),
      ({ stack }) => stack.counters.Tcp.InCsumErrors,
    ],
    ['a short ICMP message', to => forged(to, new Uint8Array(3), { protocol: PROTOCOL.ICMP }), ({ stack }) => stack.counters.Icmp.InErrors],
    [
      'a bad ICMP checksum',
      to => forged(to, new Uint8Array(8), { protocol: PROTOCOL.ICMP }),
      ({ stack }) => stack.counters.Icmp.InCsumErrors,
    ],
  ];
  it.each(cases)('%s', (_name, frame, counter) => {
    const [, b] = new World().pair();
    expect(counter(b)).toBe(0);
    b.stack.receive(b.device, frame(b));
    expect(counter(b)).toBe(1);
  });
});

const set = (bytes: Uint8Array, at: number, value: number): Uint8Array => {
  bytes[at] = value;
  return bytes;
};
const flip = (bytes: Uint8Array, at: number): Uint8Array => set(bytes, at, (bytes[at] as number) ^ 0x55);

describe('TCP options', () => {
  it('that are absurd are passed over', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 40, maxLength: 40 }), options => {
        const world = new World();
        const [, b] = world.pair();
        listen(b, 80);
        const segment = new Uint8Array(60);
        put16(segment, 0, 1234);
        put16(segment, 2, 80);
        segment[12] = 0xf0;
        segment[13] = FLAG.SYN;
        segment.set(options, 20);
        put16(segment, 16, foldSum(addSum(pseudoSum(ip('10.1.2.99'), b.address, PROTOCOL.TCP, 60), segment)));
        b.stack.receive(b.device, forged(b, segment, { protocol: PROTOCOL.TCP }));
        expect(b.stack.tcpTable().map(({ state }) => state)).toEqual(['LISTEN', 'SYN_RECV']);
      }),
      { seed: 3, numRuns: 300 },
    );
  });
});

describe('fragments', () => {
  const fragmentOf = (to: Host, id: number, offset: number, length: number, more: boolean, fill = 0) =>
    forged(to, new Uint8Array(length).fill(fill), { id, fragmentOffset: offset, moreFragments: more });

  it('that overlap end their packet', () => {
    const [, b] = new World().pair();
    const { Ip } = b.stack.counters;
    b.stack.receive(b.device, fragmentOf(b, 1, 0, 16, true));
    b.stack.receive(b.device, fragmentOf(b, 1, 8, 16, true));
    expect(Ip.ReasmFails).toBe(1);
    b.stack.receive(b.device, fragmentOf(b, 2, 16, 16, false));
    b.stack.receive(b.device, fragmentOf(b, 2, 24, 16, true));
    expect(Ip.ReasmFails).toBe(2);
    b.stack.receive(b.device, fragmentOf(b, 3, 65_528, 16, false));
    expect(Ip.ReasmFails).toBe(3);
    b.stack.receive(b.device, fragmentOf(b, 4, 16, 16, true));
    b.stack.receive(b.device, fragmentOf(b, 4, 8, 16, true));
    expect(Ip.ReasmFails).toBe(4);
    expect(Ip.ReasmOKs).toBe(0);
  });

  it('that never become whole are bounded, and gone after 30 seconds with a word to the sender', () => {
    const world = new World();
    const [, b] = world.pair();
    for (let id = 0; id < 20_000; id++) b.stack.receive(b.device, fragmentOf(b, id, 0, 1024, true));
    expect(b.stack.counters.Ip.ReasmFails).toBe(20_000 - REASSEMBLY.packets);
    b.stack.ip.arp.add(b.through, ip('10.1.2.99'), 0x020000000099);
    world.clock.run(31 * HERTZ);
    expect(b.stack.counters.Ip.ReasmTimeout).toBe(REASSEMBLY.packets);
    expect(b.stack.counters.Icmp.OutTimeExcds).toBe(50);
    expect(b.stack.counters.Icmp.OutRateLimitGlobal).toBe(REASSEMBLY.packets - 50);
  });

  it('in any order, some twice, make the datagram that was sent', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20_000 }), fc.constantFrom(68, 100, 576, 1500), fc.nat(), (length, mtu, seed) => {
        const world = new World(seed);
        const [a, b] = world.pair({ reorder: 0.5, reorderBy: MS, duplication: 0.2 }, mtu);
        // More fragments than would wait for an answer to ARP.
        a.stack.ip.arp.add(a.through, b.address, b.device.mac);
        const from = a.stack.udpOpen();
        const to = b.stack.udpOpen();
        to.bind(0, 53);
        expect(from.send(pattern(length, seed), { address: b.address, port: 53 })).toBe(length);
        world.clock.run(HERTZ);
        // A datagram in one packet may have come twice.
        const received = must(to.receive());
        expect(Buffer.compare(received.bytes, pattern(length, seed))).toBe(0);
        if (length > mtu - IPV4_HEADER - UDP_HEADER) expect(a.stack.counters.Ip.FragCreates).toBeGreaterThan(1);
      }),
      { seed: 4, numRuns: 60 },
    );
  });
});

describe('floods', () => {
  it('of SYNs take no more than the backlog, and the listener lives on', () => {
    const world = new World();
    const [a, b] = world.pair();
    const listener = listen(b, 80, 64);
    for (let i = 0; i < 20_000; i++) {
      const frame = forgedSegment(b, ip('10.1.2.100') + Math.floor(i / 1000), 1024 + (i % 1000), 80, i * 7919, 0, FLAG.SYN);
      b.stack.receive(b.device, frame);
    }
    expect(b.stack.tcpTable()).toHaveLength(1 + 64);
    expect(b.stack.counters.TcpExt.TCPReqQFullDrop).toBe(20_000 - 64);
    world.clock.run(200 * HERTZ);
    expect(b.stack.tcpTable()).toHaveLength(1);
    connect(a, b.address, 80);
    world.clock.run(201 * HERTZ);
    expect(listener.waiting).toBe(1);
  });

  it('of ARP answers that nobody asked for teach nothing, and of questions no more than the table holds', () => {
    const world = new World();
    const [, b] = world.pair();
    const arp = (operation: number, sender: number): Uint8Array => {
      const frame = new Uint8Array(42);
      putEthernet(frame, b.device.mac, 0x020000000099, ETHERTYPE.ARP);
      put16(frame, 14, 1);
      put16(frame, 16, ETHERTYPE.IPV4);
      put16(frame, 18, 0x0604);
      put16(frame, 20, operation);
      put32(frame, 28, sender);
      put32(frame, 38, b.address);
      return frame;
    };
    for (let i = 0; i < 5000; i++) b.stack.receive(b.device, arp(2, ip('10.2.0.0') + i));
    expect([...b.stack.ip.arp.neighbours]).toHaveLength(0);
    for (let i = 0; i < 5000; i++) b.stack.receive(b.device, arp(1, ip('10.2.0.0') + i));
    expect([...b.stack.ip.arp.neighbours]).toHaveLength(1024);
  });

  it('of one-byte segments out of order are bounded', () => {
    const world = new World();
    const [a, b] = world.pair();
    const [client, server] = joined(world, a, b);
    for (let i = 0; i < 20_000; i++) {
      const seq = (server.receiveNext + 1 + 2 * i) >>> 0;
      b.stack.receive(b.device, forgedSegment(b, a.address, client.tuple.localPort, 80, seq, server.sendUna, FLAG.ACK, 1));
    }
    expect(server.outOfOrder.pieces).toBe(1024);
    expect(b.stack.counters.TcpExt.TCPOFODrop).toBeGreaterThan(0);
  });

  it('of pings to the broadcast address are not answered', () => {
    const world = new World();
    const [, b] = world.pair();
    const ping = Uint8Array.of(8, 0, 0, 0, 0, 1, 0, 1);
    put16(ping, 2, checksum(ping));
    b.stack.receive(b.device, forged(b, ping, { protocol: PROTOCOL.ICMP, target: ip('10.1.2.255') }));
    world.clock.run(HERTZ);
    expect(b.stack.counters.Icmp.InEchos).toBe(1);
    expect(b.stack.counters.Icmp.OutMsgs).toBe(0);
  });
});
