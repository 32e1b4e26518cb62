/**
 * What the stack counts, under the names and in the order of /proc/net/snmp and /proc/net/netstat.
 *
 * Always holds: a packet that is thrown away adds to the counter of its cause.
 */

const NAMES = {
  Ip: [
    'InReceives',
    'InHdrErrors',
    'InAddrErrors',
    'ForwDatagrams',
    'InUnknownProtos',
    'InDiscards',
    'InDelivers',
    'OutRequests',
    'OutDiscards',
    'OutNoRoutes',
    'ReasmTimeout',
    'ReasmReqds',
    'ReasmOKs',
    'ReasmFails',
    'FragOKs',
    'FragFails',
    'FragCreates',
  ],
  Icmp: [
    'InMsgs',
    'InErrors',
    'InCsumErrors',
    'InDestUnreachs',
    'InTimeExcds',
    'InEchos',
    'InEchoReps',
    'OutMsgs',
    'OutErrors',
    'OutRateLimitGlobal',
    'OutDestUnreachs',
    'OutTimeExcds',
    'OutEchos',
    'OutEchoReps',
  ],
  Tcp: [
    'ActiveOpens',
    'PassiveOpens',
    'AttemptFails',
    'EstabResets',
    'CurrEstab',
    'InSegs',
    'OutSegs',
    'RetransSegs',
    'InErrs',
    'OutRsts',
    'InCsumErrors',
  ],
  Udp: ['InDatagrams', 'NoPorts', 'InErrors', 'OutDatagrams', 'RcvbufErrors', 'SndbufErrors', 'InCsumErrors'],
  TcpExt: [
    'EmbryonicRsts',
    'TW',
    'PAWSEstab',
    'DelayedACKs',
    'ListenOverflows',
    'ListenDrops',
    'TCPRenoRecovery',
    'TCPRenoFailures',
    'TCPFastRetrans',
    'TCPSlowStartRetrans',
    'TCPTimeouts',
    'TCPAbortOnData',
    'TCPAbortOnClose',
    'TCPAbortOnTimeout',
    'TCPAbortOnLinger',
    'TCPDeferAcceptDrop',
    'TCPTimeWaitOverflow',
    'TCPReqQFullDrop',
    'TCPChallengeACK',
    'TCPSYNChallenge',
    'TCPOFOQueue',
    'TCPOFODrop',
    'TCPKeepAlive',
    'TCPWinProbe',
    'TCPZeroWindowDrop',
  ],
  IpExt: ['InTruncatedPkts', 'InBcastPkts', 'OutBcastPkts', 'InOctets', 'OutOctets', 'InCsumErrors'],
  Arp: ['InRequests', 'InReplies', 'InErrors', 'OutRequests', 'OutReplies', 'Unresolved', 'QueueDrops'],
  Link: ['InErrors', 'InOtherHost', 'InUnknownProtos'],
} as const;

type Names = typeof NAMES;
export type Counters = { readonly [G in keyof Names]: Record<Names[G][number], number> };

export function newCounters(): Counters {
  const zero = (names: readonly string[]) => Object.fromEntries(names.map(name => [name, 0]));
  return Object.fromEntries(Object.entries(NAMES).map(([group, names]) => [group, zero(names)])) as Counters;
}
