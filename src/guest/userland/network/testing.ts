/**
 * Frames for tcpdump to read: one of each kind that it takes apart, with what goes wrong in them, and a pcap file around them.
 *
 * Always holds: the bytes are a function of the arguments.
 */

export interface Frame {
  /** What it is, for the reader. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Bytes kept of it, where fewer than all. */
  readonly kept?: number;
}

const bytes = (...parts: (number | readonly number[] | Uint8Array)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap(part => (typeof part === 'number' ? [part] : [...part])));
const u16 = (value: number): number[] => [(value >>> 8) & 255, value & 255];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value)];
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const ip = (address: string): number[] => address.split('.').map(Number);

const MAC_A = [0x02, 0, 0, 0, 0, 1];
const MAC_B = [0x02, 0, 0, 0, 0, 2];
const EVERYBODY = [255, 255, 255, 255, 255, 255];
const A = '10.1.2.1';
const B = '10.1.2.2';

const ethernet = (type: number, payload: Uint8Array, to: readonly number[] = MAC_B): Uint8Array => bytes(to, MAC_A, u16(type), payload);

function sum(data: Uint8Array, start = 0): number {
  let total = start;
  for (let i = 0; i < data.length; i += 2) total += ((data[i] as number) << 8) | (data[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

interface IpFields {
  readonly from?: string;
  readonly to?: string;
  readonly tos?: number;
  readonly id?: number;
  /** Flags and offset as they stand in the header. */
  readonly fragment?: number;
  readonly ttl?: number;
  readonly options?: readonly number[];
  /** Where the header lies about its length. */
  readonly length?: number;
  readonly badSum?: boolean;
}

function ipv4(protocol: number, payload: Uint8Array, fields: IpFields = {}): Uint8Array {
  const options = fields.options ?? [];
  const size = 20 + options.length;
  const header = bytes(
    0x40 | (size / 4),
    fields.tos ?? 0,
    u16(fields.length ?? size + payload.length),
    u16(fields.id ?? 1),
    u16(fields.fragment ?? 0x4000),
    fields.ttl ?? 64,
    protocol,
    [0, 0],
    ip(fields.from ?? A),
    ip(fields.to ?? B),
    options,
  );
  header.set(u16(~sum(header) ^ (fields.badSum ? 0x55 : 0)), 10);
  return bytes(header, payload);
}

function withSum(protocol: number, segment: Uint8Array, at: number, from = A, to = B, spoil = 0): Uint8Array {
  const pseudo = bytes(ip(from), ip(to), u16(protocol), u16(segment.length));
  segment.set(u16(~sum(segment, sum(pseudo)) ^ spoil), at);
  return segment;
}

function udp(
  from: number,
  to: number,
  payload: Uint8Array,
  fields: { readonly spoil?: number; readonly none?: boolean; readonly length?: number } = {},
): Uint8Array {
  const datagram = bytes(u16(from), u16(to), u16(fields.length ?? 8 + payload.length), [0, 0], payload);
  return fields.none ? datagram : withSum(17, datagram, 6, A, B, fields.spoil);
}

interface TcpFields {
  readonly flags: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly window?: number;
  readonly urgent?: number;
  readonly options?: readonly number[];
  readonly payload?: Uint8Array;
  readonly back?: boolean;
  readonly port?: number;
  readonly offset?: number;
  readonly spoil?: number;
}

/** A segment of the conversation between A, port 40000, and B, port 5001. */
function tcp(fields: TcpFields): Uint8Array {
  const options = fields.options ?? [];
  const port = fields.port ?? 5001;
  const [from, to] = fields.back ? [B, A] : [A, B];
  const segment = bytes(
    fields.back ? [...u16(port), ...u16(40000)] : [...u16(40000), ...u16(port)],
    u32(fields.sequence ?? 0),
    u32(fields.acknowledgement ?? 0),
    (fields.offset ?? 5 + options.length / 4) << 4,
    fields.flags,
    u16(fields.window ?? 65535),
    [0, 0],
    u16(fields.urgent ?? 0),
    options,
    fields.payload ?? [],
  );
  return ethernet(0x0800, ipv4(6, withSum(6, segment, 16, from, to, fields.spoil), { from, to }));
}

const arp = (operation: number, from: string, hardware: readonly number[], to: string): Uint8Array =>
  bytes(u16(1), u16(0x0800), 6, 4, u16(operation), MAC_A, ip(from), hardware, ip(to));

function icmp(type: number, code: number, rest: readonly number[], payload: Uint8Array, spoil = 0): Uint8Array {
  const message = bytes(type, code, [0, 0], rest, payload);
  message.set(u16(~sum(message) ^ spoil), 2);
  return message;
}

const FIN = 1;
const SYN = 2;
const RST = 4;
const PUSH = 8;
const ACK = 16;
const URG = 32;
const NONE = [0, 0, 0, 0];

/** One of each. */
export function exhibition(): Frame[] {
  const quoted = ipv4(17, udp(5000, 33434, text('to be quoted'))).slice(0, 28);
  const quotedTcp = ipv4(6, bytes(u16(40000), u16(9), u32(7))).slice(0, 28);
  const frame = (name: string, protocol: number, payload: Uint8Array, fields?: IpFields): Frame => ({
    name,
    bytes: ethernet(0x0800, ipv4(protocol, payload, fields)),
  });
  const timestamps = [1, 1, 8, 10, ...u32(1000), ...u32(2000)];
  return [
    { name: 'ARP request', bytes: ethernet(0x0806, arp(1, A, [0, 0, 0, 0, 0, 0], B), EVERYBODY) },
    { name: 'ARP request with a guess', bytes: ethernet(0x0806, arp(1, A, MAC_B, B)) },
    { name: 'ARP announcement', bytes: ethernet(0x0806, arp(1, A, [0, 0, 0, 0, 0, 0], A), EVERYBODY) },
    { name: 'ARP probe', bytes: ethernet(0x0806, arp(1, '0.0.0.0', [0, 0, 0, 0, 0, 0], B), EVERYBODY) },
    { name: 'ARP reply', bytes: ethernet(0x0806, arp(2, A, MAC_B, B)) },
    { name: 'ARP reply, padded', bytes: ethernet(0x0806, bytes(arp(2, A, MAC_B, B), new Uint8Array(18))) },
    { name: 'ARP of an unknown kind', bytes: ethernet(0x0806, arp(77, A, MAC_B, B)) },
    frame('echo request', 1, icmp(8, 0, [...u16(77), ...u16(1)], text('0123456789abcdef'.repeat(3)))),
    frame('echo reply', 1, icmp(0, 0, [...u16(77), ...u16(1)], text('0123456789abcdef'.repeat(3)))),
    frame('echo request, wrong sum', 1, icmp(8, 0, [...u16(77), ...u16(2)], text('x'), 0x1234)),
    frame('net unreachable', 1, icmp(3, 0, NONE, quoted)),
    frame('host unreachable', 1, icmp(3, 1, NONE, quoted)),
    frame('protocol unreachable', 1, icmp(3, 2, NONE, quoted)),
    frame('UDP port unreachable', 1, icmp(3, 3, NONE, quoted)),
    frame('TCP port unreachable', 1, icmp(3, 3, NONE, quotedTcp)),
    frame('too big', 1, icmp(3, 4, [0, 0, ...u16(1400)], quoted)),
    frame('filtered', 1, icmp(3, 13, NONE, quoted)),
    frame('redirect', 1, icmp(5, 1, ip('10.1.2.9'), quoted)),
    frame('time exceeded', 1, icmp(11, 0, NONE, quoted)),
    frame('reassembly exceeded', 1, icmp(11, 1, NONE, quoted)),
    frame('ICMP of an unknown type', 1, icmp(99, 0, NONE, quoted)),
    frame('UDP', 17, udp(5000, 5001, text('hello'))),
    frame('UDP, empty', 17, udp(5000, 5001, text(''))),
    frame('UDP, wrong sum', 17, udp(5000, 5001, text('hello'), { spoil: 0x0101 })),
    frame('UDP, no sum', 17, udp(5000, 5001, text('hello'), { none: true })),
    frame('UDP, length too short', 17, udp(5000, 5001, text('hello'), { length: 3 })),
    frame('UDP, length too long', 17, udp(5000, 5001, text('hello'), { length: 400 })),
    frame('UDP, first fragment', 17, udp(5000, 5001, new Uint8Array(64), { length: 1472 }), { fragment: 0x2000, id: 99 }),
    frame('UDP, later fragment', 17, new Uint8Array(64), { fragment: 0x2009, id: 99 }),
    frame('UDP, last fragment', 17, new Uint8Array(10), { fragment: 0x0012, id: 99 }),
    frame('with a tos and ECN', 17, udp(5000, 5001, text('hello')), { tos: 0xb9, ttl: 1, fragment: 0 }),
    frame('with options', 17, udp(5000, 5001, text('hello')), { options: [1, 1, 1, 1] }),
    frame('with router alert', 17, udp(5000, 5001, text('hello')), { options: [148, 4, 0, 0] }),
    frame('wrong header sum', 17, udp(5000, 5001, text('hello')), { badSum: true }),
    frame('shorter than it says', 17, udp(5000, 5001, text('hello')), { length: 200 }),
    frame('another protocol', 200, text('what is this?')),
    {
      name: 'SYN',
      bytes: tcp({
        flags: SYN,
        sequence: 1000,
        window: 64240,
        options: [2, 4, ...u16(1460), 4, 2, 8, 10, ...u32(1), ...u32(0), 1, 3, 3, 7],
      }),
    },
    {
      name: 'SYN and ACK',
      bytes: tcp({ flags: SYN | ACK, back: true, sequence: 0xffffff00, acknowledgement: 1001, options: [2, 4, ...u16(1460), 1, 3, 3, 7] }),
    },
    { name: 'ACK', bytes: tcp({ flags: ACK, sequence: 1001, acknowledgement: 0xffffff01, window: 502 }) },
    {
      name: 'data',
      bytes: tcp({ flags: ACK | PUSH, sequence: 1001, acknowledgement: 0xffffff01, options: timestamps, payload: text('some bytes') }),
    },
    {
      name: 'data beyond 2^32',
      bytes: tcp({ flags: ACK, back: true, sequence: 0xffffff01, acknowledgement: 1011, payload: new Uint8Array(600) }),
    },
    {
      name: 'selective acknowledgement',
      bytes: tcp({ flags: ACK, sequence: 1011, acknowledgement: 0xffffff01, options: [1, 1, 5, 10, ...u32(0xffffff65), ...u32(44)] }),
    },
    { name: 'wrong sum', bytes: tcp({ flags: ACK, sequence: 1011, acknowledgement: 345, spoil: 0xbeef }) },
    { name: 'urgent', bytes: tcp({ flags: ACK | URG | PUSH, sequence: 1011, acknowledgement: 345, urgent: 3, payload: text('abc') }) },
    { name: 'FIN', bytes: tcp({ flags: ACK | FIN, sequence: 1014, acknowledgement: 345 }) },
    { name: 'RST', bytes: tcp({ flags: RST, sequence: 1015, window: 0 }) },
    { name: 'no flags', bytes: tcp({ flags: 0, sequence: 1 }) },
    { name: 'all flags', bytes: tcp({ flags: 255, sequence: 1, acknowledgement: 2, port: 5002 }) },
    {
      name: 'unknown option',
      bytes: tcp({ flags: ACK, sequence: 1, acknowledgement: 2, port: 5003, options: [253, 4, 0xbe, 0xef, 0, 0, 0, 0] }),
    },
    { name: 'option too long', bytes: tcp({ flags: ACK, sequence: 1, acknowledgement: 2, port: 5004, options: [8, 200, 0, 0] }) },
    { name: 'header too short', bytes: tcp({ flags: ACK, sequence: 1, acknowledgement: 2, port: 5005, offset: 3 }) },
    { name: 'header too long', bytes: tcp({ flags: ACK, sequence: 1, acknowledgement: 2, port: 5006, offset: 15 }) },
    {
      name: 'request',
      bytes: tcp({
        flags: ACK | PUSH,
        sequence: 1,
        acknowledgement: 1,
        port: 80,
        payload: text('GET / HTTP/1.1\r\nHost: b\r\nAccept: */*\r\n\r\n'),
      }),
    },
    {
      name: 'answer',
      bytes: tcp({
        flags: ACK | PUSH,
        back: true,
        sequence: 1,
        acknowledgement: 42,
        port: 80,
        payload: text('HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello\n'),
      }),
    },
    {
      name: 'binary to port 80',
      bytes: tcp({ flags: ACK, sequence: 42, acknowledgement: 90, port: 80, payload: bytes(1, 2, 3, 4, 0, 255) }),
    },
    { name: 'an unknown type', bytes: ethernet(0x88b5, text('an experiment with some bytes'), EVERYBODY) },
    { name: 'cut in the TCP header', bytes: tcp({ flags: ACK, sequence: 42, acknowledgement: 90 }), kept: 44 },
    { name: 'cut in the TCP options', bytes: tcp({ flags: ACK, sequence: 42, acknowledgement: 90, options: timestamps }), kept: 60 },
    { name: 'cut in the payload', bytes: tcp({ flags: ACK, sequence: 42, acknowledgement: 90, payload: text('0123456789') }), kept: 58 },
    { name: 'cut in the IP header', bytes: tcp({ flags: ACK, sequence: 42, acknowledgement: 90 }), kept: 30 },
    { name: 'cut in UDP', bytes: ethernet(0x0800, ipv4(17, udp(5000, 5001, text('hello')))), kept: 38 },
    { name: 'cut in ICMP', bytes: ethernet(0x0800, ipv4(1, icmp(8, 0, NONE, text('hello')))), kept: 37 },
    { name: 'cut in ARP', bytes: ethernet(0x0806, arp(2, A, MAC_B, B)), kept: 30 },
  ];
}

/** A pcap file, little-endian, microseconds; the frames a millisecond apart. */
export function pcapOf(frames: readonly Frame[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262144, 16);
  header.writeUInt32LE(1, 20);
  const records = frames.map(({ bytes: frame, kept }, index) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1_000_000_000 + Math.floor(index / 1000), 0);
    record.writeUInt32LE((index % 1000) * 1000, 4);
    record.writeUInt32LE(Math.min(kept ?? frame.length, frame.length), 8);
    record.writeUInt32LE(frame.length, 12);
    return Buffer.concat([record, frame.subarray(0, kept ?? frame.length)]);
  });
  return Buffer.concat([header, ...records]);
}
