/**
 * Frames for people: a line, and the layers with their fields, read with the kernel's own codecs.
 *
 * Always holds: any bytes are taken; what is damaged is called so, and what can't be read stays bytes.
 */
import { ipText, macText } from '../kernel/net/address.ts';
import { parseArp } from '../kernel/net/arp.ts';
import { get16 } from '../kernel/net/bytes.ts';
import { checksum } from '../kernel/net/checksum.ts';
import { ETHERNET_HEADER, ETHERTYPE, ethertype, getMac } from '../kernel/net/ethernet.ts';
import { ICMP, ICMP_HEADER } from '../kernel/net/icmp.ts';
import { type Ipv4Header, parseIpv4, PROTOCOL } from '../kernel/net/ipv4.ts';
import { FLAG, parseSegment } from '../kernel/net/tcp/segment.ts';
import { UDP_HEADER } from '../kernel/net/udp.ts';

export interface Layer {
  readonly name: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

export interface Dissection {
  /** Of the innermost layer that can be read: ARP, ICMP, UDP, TCP, IPv4, Ethernet. */
  readonly protocol: string;
  readonly summary: string;
  /** Source and target, of IPv4 or ARP. */
  readonly addresses: readonly string[];
  /** Ports of UDP or TCP, source and target. */
  readonly ports: readonly number[];
  /** Of TCP: SYN, ACK and the others that are set. */
  readonly flags: readonly string[];
  readonly layers: readonly Layer[];
  /** Something in it is not as it should be. */
  readonly damaged: boolean;
}

export function dissect(frame: Uint8Array): Dissection {
  if (frame.length < ETHERNET_HEADER) return damagedAs('Ethernet', `${frame.length} bytes are no frame`, []);
  const type = ethertype(frame);
  const ethernet: Layer = {
    name: 'Ethernet',
    fields: [
      ['to', macText(getMac(frame, 0))],
      ['from', macText(getMac(frame, 6))],
      ['type', `0x${type.toString(16).padStart(4, '0')}`],
    ],
  };
  if (type === ETHERTYPE.ARP) return arp(frame, ethernet);
  if (type === ETHERTYPE.IPV4) return ipv4(frame.subarray(ETHERNET_HEADER), ethernet);
  return whole('Ethernet', `type 0x${type.toString(16).padStart(4, '0')}, ${frame.length - ETHERNET_HEADER} bytes`, [ethernet]);
}

type Facts = Partial<Pick<Dissection, 'addresses' | 'ports' | 'flags'>>;
const whole = (protocol: string, summary: string, layers: readonly Layer[], facts: Facts = {}): Dissection => ({
  ...{ protocol, summary, layers, addresses: [], ports: [], flags: [], damaged: false },
  ...facts,
});
const damagedAs = (protocol: string, summary: string, layers: readonly Layer[]): Dissection => ({
  ...whole(protocol, `damaged: ${summary}`, layers),
  damaged: true,
});

function arp(frame: Uint8Array, ethernet: Layer): Dissection {
  const packet = parseArp(frame);
  if (packet === null) return damagedAs('ARP', 'not about Ethernet and IPv4, or too short', [ethernet]);
  const { operation, sender, senderMac, target, targetMac } = packet;
  const layer: Layer = {
    name: 'ARP',
    fields: [
      ['operation', operation === 1 ? '1 (request)' : operation === 2 ? '2 (reply)' : `${operation}`],
      ['sender', `${ipText(sender)}, ${macText(senderMac)}`],
      ['target', `${ipText(target)}, ${macText(targetMac)}`],
    ],
  };
  const summary =
    operation === 1
      ? `who has ${ipText(target)}? tell ${ipText(sender)}`
      : operation === 2
        ? `${ipText(sender)} is at ${macText(senderMac)}`
        : `operation ${operation}`;
  return whole('ARP', summary, [ethernet, layer], { addresses: [ipText(sender), ipText(target)] });
}

function ipv4(bytes: Uint8Array, ethernet: Layer): Dissection {
  const header = parseIpv4(bytes);
  if (typeof header === 'string') return damagedAs('IPv4', IPV4_FAULTS[header], [ethernet]);
  const { source, target, protocol, headerBytes, totalBytes, fragmentOffset, moreFragments, dontFragment } = header;
  const isPart = fragmentOffset > 0 || moreFragments;
  const layers = [
    ethernet,
    {
      name: 'IPv4',
      fields: [
        ['from', ipText(source)],
        ['to', ipText(target)],
        ['length', `${totalBytes}, header ${headerBytes}`],
        ['protocol', `${protocol}${NAMES[protocol] === undefined ? '' : ` (${NAMES[protocol]})`}`],
        ['ttl', `${header.ttl}`],
        ['identification', `${header.id}`],
        ...(dontFragment ? [['fragment', 'don’t'] as const] : []),
        ...(header.tos === 0 ? [] : [['type of service', `${header.tos}`] as const]),
        ...(isPart ? [['fragment', `at ${fragmentOffset}${moreFragments ? ', more follow' : ', the last'}`] as const] : []),
      ],
    } satisfies Layer,
  ];
  const route = `${ipText(source)} → ${ipText(target)}`;
  const addresses = [ipText(source), ipText(target)];
  if (isPart)
    return whole('IPv4', `${route} ${NAMES[protocol] ?? `protocol ${protocol}`}, fragment at ${fragmentOffset}`, layers, { addresses });
  const packet = bytes.subarray(0, totalBytes);
  if (protocol === PROTOCOL.ICMP) return { ...icmp(header, packet.subarray(headerBytes), route, layers), addresses };
  if (protocol === PROTOCOL.UDP) return { ...udp(header, packet.subarray(headerBytes), route, layers), addresses };
  if (protocol === PROTOCOL.TCP) return { ...tcp(header, packet, route, layers), addresses };
  return whole('IPv4', `${route} protocol ${protocol}, ${totalBytes - headerBytes} bytes`, layers, { addresses });
}

const NAMES: Readonly<Record<number, string>> = { [PROTOCOL.ICMP]: 'ICMP', [PROTOCOL.TCP]: 'TCP', [PROTOCOL.UDP]: 'UDP' };
/** Of what a record of the trace says of a frame: ethertype << 16 | protocol of IP. */
export function protocolName(said: number): string {
  const type = said >>> 16;
  if (type === ETHERTYPE.ARP) return 'ARP';
  return type === ETHERTYPE.IPV4 ? (NAMES[said & 0xff] ?? 'IPv4') : 'Ethernet';
}
const IPV4_FAULTS = {
  header: 'the header makes no sense',
  truncated: 'the packet is longer than the frame',
  checksum: 'the header’s checksum is wrong',
} as const;

function icmp(_header: Ipv4Header, bytes: Uint8Array, route: string, layers: readonly Layer[]): Dissection {
  if (bytes.length < ICMP_HEADER) return damagedAs('ICMP', `${route} too short`, layers);
  if (checksum(bytes) !== 0) return damagedAs('ICMP', `${route} wrong checksum`, layers);
  const [type = 0, code = 0] = bytes;
  const name = ICMP_NAMES[type] ?? `type ${type}`;
  const isEcho = type === ICMP.ECHO || type === ICMP.ECHO_REPLY;
  const layer: Layer = {
    name: 'ICMP',
    fields: [
      ['type', `${type} (${name})`],
      ['code', `${code}`],
      ...(isEcho
        ? ([
            ['identifier', `${get16(bytes, 4)}`],
            ['sequence', `${get16(bytes, 6)}`],
          ] as const)
        : []),
      ['data', `${bytes.length - ICMP_HEADER} bytes`],
    ],
  };
  const what = isEcho ? `${name} id=${get16(bytes, 4)} seq=${get16(bytes, 6)}` : `${name}, code ${code}`;
  return whole('ICMP', `${route} ${what}`, [...layers, layer]);
}

const ICMP_NAMES: Readonly<Record<number, string>> = {
  [ICMP.ECHO]: 'echo request',
  [ICMP.ECHO_REPLY]: 'echo reply',
  [ICMP.UNREACHABLE]: 'unreachable',
  [ICMP.TIME_EXCEEDED]: 'time exceeded',
};

function udp({ source, target }: Ipv4Header, bytes: Uint8Array, route: string, layers: readonly Layer[]): Dissection {
  const length = bytes.length < UDP_HEADER ? 0 : get16(bytes, 4);
  if (length < UDP_HEADER || length > bytes.length) return damagedAs('UDP', `${route} wrong length`, layers);
  const ports = [get16(bytes, 0), get16(bytes, 2)];
  const layer: Layer = {
    name: 'UDP',
    fields: [
      ['from port', `${ports[0]}`],
      ['to port', `${ports[1]}`],
      ['data', `${length - UDP_HEADER} bytes`],
    ],
  };
  return whole('UDP', `${ipText(source)}:${ports[0]} → ${ipText(target)}:${ports[1]} len=${length - UDP_HEADER}`, [...layers, layer], {
    ports,
  });
}

function tcp(header: Ipv4Header, packet: Uint8Array, route: string, layers: readonly Layer[]): Dissection {
  const segment = parseSegment({ header, packet });
  if (segment === 'header') return damagedAs('TCP', `${route} the header makes no sense`, layers);
  if (segment === 'checksum') return damagedAs('TCP', `${route} wrong checksum`, layers);
  const { sourcePort, targetPort, seq, ack, flags, window, mss, scale, timestamp, payload } = segment;
  const set = Object.entries(FLAG).flatMap(([name, bit]) => ((flags & bit) === 0 ? [] : [name]));
  const first = firstLine(payload);
  const options = [
    ...(mss === null ? [] : [['maximum segment', `${mss}`] as const]),
    ...(scale === null ? [] : [['window scale', `2^${scale}`] as const]),
    ...(timestamp === null ? [] : [['timestamps', `${timestamp.value}, echo ${timestamp.echo}`] as const]),
  ];
  const layer: Layer = {
    name: 'TCP',
    fields: [
      ['from port', `${sourcePort}`],
      ['to port', `${targetPort}`],
      ['flags', set.join(', ') || 'none'],
      ['sequence', `${seq}`],
      ['acknowledged', (flags & FLAG.ACK) === 0 ? 'nothing' : `${ack}`],
      ['window', `${window}`],
      ...options,
      ['data', `${payload.length} bytes${first === '' ? '' : `: ${first}`}`],
    ],
  };
  const data = `len=${payload.length}${first === '' ? '' : ` ${first}`}`;
  const said = `[${set.join(' ')}] ${data} seq=${seq}${(flags & FLAG.ACK) === 0 ? '' : ` ack=${ack}`} win=${window}`;
  const summary = `${ipText(header.source)}:${sourcePort} → ${ipText(header.target)}:${targetPort} ${said}`;
  return whole('TCP', summary, [...layers, layer], { ports: [sourcePort, targetPort], flags: set });
}

/** The first line where it is plain text (HTTP and the like); else nothing. */
function firstLine(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes.subarray(0, 80)) {
    if (byte === 10 || byte === 13) return text;
    if (byte < 32 || byte > 126) return '';
    text += String.fromCharCode(byte);
  }
  return text;
}
