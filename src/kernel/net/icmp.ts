/**
 * ICMP (RFC 792): answers echo requests, tells senders what became of their packets, and passes on what others tell us.
 *
 * Always holds: no error is sent about an ICMP error, a broadcast or a fragment other than the first (RFC 1122, 3.2.2), and no more
 * than a set number a second, so that hostile packets cannot be turned into a flood.
 */
import { E } from '../abi/errno.ts';
import { ANY } from './address.ts';
import { get16, get32, put16, put32 } from './bytes.ts';
import { checksum } from './checksum.ts';
import type { NetContext } from './context.ts';
import type { IpError, IpLayer, IpPacket, Protocol } from './ip.ts';
import { HEADROOM, IPV4_HEADER, PROTOCOL } from './ipv4.ts';
import type { Cycles } from './platform.ts';

export const ICMP = { ECHO_REPLY: 0, UNREACHABLE: 3, ECHO: 8, TIME_EXCEEDED: 11 } as const;
export const ICMP_HEADER = 8;
const FRAGMENTATION_NEEDED = 4;

/** Type and code of each error that this host reports. */
const ERRORS: Record<IpError, readonly [type: number, code: number]> = {
  netUnreachable: [ICMP.UNREACHABLE, 0],
  hostUnreachable: [ICMP.UNREACHABLE, 1],
  protocolUnreachable: [ICMP.UNREACHABLE, 2],
  portUnreachable: [ICMP.UNREACHABLE, 3],
  fragmentationNeeded: [ICMP.UNREACHABLE, FRAGMENTATION_NEEDED],
  filtered: [ICMP.UNREACHABLE, 13],
  ttlExceeded: [ICMP.TIME_EXCEEDED, 0],
  reassemblyTimeExceeded: [ICMP.TIME_EXCEEDED, 1],
};

/** What a program gets to see for each code of "destination unreachable", and whether the connection is lost by it (Linux: icmp_err_convert). */
const UNREACHABLE_ERRNO: readonly (readonly [errno: number, hard: boolean])[] = [
  [E.NETUNREACH, false],
  [E.HOSTUNREACH, false],
  [E.NOPROTOOPT, true],
  [E.CONNREFUSED, true],
  [E.MSGSIZE, false],
  [E.OPNOTSUPP, false],
  [E.NETUNREACH, true],
  [E.HOSTDOWN, true],
  [E.NETUNREACH, true],
  [E.NETUNREACH, true],
  [E.HOSTUNREACH, true],
  [E.NETUNREACH, false],
  [E.HOSTUNREACH, false],
  [E.HOSTUNREACH, true],
  [E.HOSTUNREACH, true],
  [E.HOSTUNREACH, true],
];

/** net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst; an error quotes its packet up to a whole of 576 bytes (RFC 1812, 4.3.2.3). */
const LIMITS = { perSecond: 1000, burst: 50, packet: 576 } as const;

/** Plateaus to try where a router did not say how large a packet may be (RFC 1191, 7.1). */
const PLATEAUS = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68] as const;

/** A frame with an ICMP message: type, code, four bytes, data. */
export function buildIcmp(type: number, code: number, rest: number, data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADROOM + ICMP_HEADER + data.length);
  frame[HEADROOM] = type;
  frame[HEADROOM + 1] = code;
  put32(frame, HEADROOM + 4, rest);
  frame.set(data, HEADROOM + ICMP_HEADER);
  put16(frame, HEADROOM + 2, checksum(frame, HEADROOM));
  return frame;
}

const isError = (type: number): boolean => type !== ICMP.ECHO && type !== ICMP.ECHO_REPLY && type < 13;

export class IcmpLayer implements Protocol {
  /** Errors that may be sent now. */
  #credit: number = LIMITS.burst;
  #creditAt: Cycles = 0;

  constructor(
    readonly context: NetContext,
    readonly ip: IpLayer,
  ) {
    ip.protocols.set(PROTOCOL.ICMP, this);
    ip.report = (error, packet, mtu) => this.#report(error, packet, mtu);
  }

  receive(packet: IpPacket): void {
    const { Icmp } = this.context.counters;
    const { payload } = packet;
    Icmp.InMsgs++;
    if (payload.length < ICMP_HEADER) return void Icmp.InErrors++;
    if (checksum(payload) !== 0) {
      Icmp.InErrors++;
      Icmp.InCsumErrors++;
      return;
    }
    const type = payload[0] as number;
    if (type === ICMP.ECHO) this.#echo(packet);
    else if (type === ICMP.ECHO_REPLY) Icmp.InEchoReps++;
    else if (type === ICMP.UNREACHABLE || type === ICMP.TIME_EXCEEDED) this.#heard(type, payload);
  }

  /** No use is made of errors about ICMP itself: raw sockets have heard them. */
  failed(): void {}

  #echo({ payload, header, group }: IpPacket): void {
    const { Icmp } = this.context.counters;
    Icmp.InEchos++;
    // As Linux does by default (icmp_echo_ignore_broadcasts): no amplifier for a forged source.
    if (group) return;
    this.#send(header.target, header.source, buildIcmp(ICMP.ECHO_REPLY, 0, get32(payload, 4), payload.subarray(ICMP_HEADER)), header.tos);
    Icmp.OutEchoReps++;
  }

  #send(source: number, target: number, frame: Uint8Array, tos: number): void {
    this.context.counters.Icmp.OutMsgs++;
    this.ip.send({ frame, protocol: PROTOCOL.ICMP, source, target, tos });
  }

  #heard(type: number, payload: Uint8Array): void {
    const { Icmp } = this.context.counters;
    if (type === ICMP.UNREACHABLE) Icmp.InDestUnreachs++;
    else Icmp.InTimeExcds++;
    // What is quoted: the header of our packet and at least eight bytes of what it carried.
    const quoted = payload.subarray(ICMP_HEADER);
    const headerBytes = ((quoted[0] ?? 0) & 15) * 4;
    if ((quoted[0] ?? 0) >>> 4 !== 4 || headerBytes < IPV4_HEADER || quoted.length < headerBytes + 8) return void Icmp.InErrors++;
    const source = get32(quoted, 12);
    const target = get32(quoted, 16);
    if (!this.ip.isOwn(source)) return void Icmp.InErrors++;
    const code = payload[1] as number;
    const tooBig = type === ICMP.UNREACHABLE && code === FRAGMENTATION_NEEDED;
    const mtu = tooBig ? get16(payload, 6) || (PLATEAUS.find(size => size < get16(quoted, 2)) ?? 68) : null;
    const [errno, hard] = (type === ICMP.UNREACHABLE ? UNREACHABLE_ERRNO[code] : null) ?? [E.HOSTUNREACH, false];
    const protocol = quoted[9] as number;
    this.ip.protocols.get(protocol)?.failed({ source, target, payload: quoted.subarray(headerBytes), errno, hard, mtu });
  }

  #report(error: IpError, packet: IpPacket, mtu: number): void {
    const { Icmp } = this.context.counters;
    const { header } = packet;
    if (packet.group || header.source === ANY || header.fragmentOffset > 0) return;
    if (header.protocol === PROTOCOL.ICMP && isError(packet.payload[0] ?? 255)) return;
    if (!this.#mayReport()) {
      Icmp.OutRateLimitGlobal++;
      return;
    }
    const path = this.ip.path(header.source);
    if (typeof path === 'number') return;
    const source = this.ip.isOwn(header.target) ? header.target : path.source;
    const [type, code] = ERRORS[error];
    if (type === ICMP.UNREACHABLE) Icmp.OutDestUnreachs++;
    else Icmp.OutTimeExcds++;
    const quote = packet.packet.subarray(0, LIMITS.packet - IPV4_HEADER - ICMP_HEADER);
    this.#send(source, header.source, buildIcmp(type, code, mtu & 0xffff, quote), header.tos);
  }

  #mayReport(): boolean {
    const { now } = this.context;
    const earned = (this.context.milliseconds(now - this.#creditAt) * LIMITS.perSecond) / 1000;
    this.#credit = Math.min(LIMITS.burst, this.#credit + earned);
    this.#creditAt = now;
    if (this.#credit < 1) return false;
    this.#credit--;
    return true;
  }
}
