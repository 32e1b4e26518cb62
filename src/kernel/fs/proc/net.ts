/** /proc/net, /proc/sys/net and /sys/class/net of one kernel's network, in Linux's formats (net/ipv4/proc.c, tcp_ipv4.c, udp.c, arp.c …). */
import { E, Errno } from '../../abi/errno.ts';
import { SOCK } from '../../abi/socket.ts';
import { macText, netmask } from '../../net/address.ts';
import type { NeighbourState } from '../../net/arp.ts';
import type { Counters } from '../../net/counters.ts';
import type { InterfaceCounters, NetInterface } from '../../net/interface.ts';
import { EPHEMERAL } from '../../net/ports.ts';
import { TCP } from '../../net/tcp/limits.ts';
import { IFF, HARDWARE, interfaceFlags } from '../socket/inet/ioctl.ts';
import { NetworkSocket } from '../socket/inet/socket.ts';
import { datagramRows, type SocketRow, tcpRows, TIMER } from '../socket/inet/tables.ts';
import { NetlinkSocket } from '../socket/netlink/socket.ts';
import { UnixSocket } from '../socket/unix/socket.ts';
import type { KernelId, Maybe, Pid } from '../../types.ts';
import type { Vfs } from '../vfs.ts';

const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0');
/** An address as the number that it is to a little-endian machine, and a port. */
function endText(address: number, port: number): string {
  const swapped = ((address & 255) << 24) | ((address & 0xff00) << 8) | ((address >>> 8) & 0xff00) | (address >>> 24);
  return `${hex(swapped >>> 0, 8)}:${hex(port, 4)}`;
}
const addressText = (address: number): string => endText(address, 0).slice(0, 8);

const JIFFIES_PER_MS = 0.1;

function socketLine(row: SocketRow, slot: number, rest: string): string {
  const { state, timer, retries, uid, ino } = row;
  return [
    `${String(slot).padStart(4)}: ${endText(row.local, row.localPort)} ${endText(row.remote, row.remotePort)} ${hex(state, 2)}`,
    `${hex(row.sendQueue, 8)}:${hex(row.receiveQueue, 8)}`,
    `${hex(timer, 2)}:${hex(Math.round(row.expiresMs * JIFFIES_PER_MS), 8)} ${hex(retries, 8)}`,
    `${String(uid).padStart(5)} ${String(timer === TIMER.PROBE ? retries : 0).padStart(8)} ${ino} ${rest}`,
  ].join(' ');
}

const SOCKET_HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';

/** A listener's queue for sending is its backlog only in what `ss` is told. */
const tcpText = (vfs: Vfs): string =>
  [
    SOCKET_HEAD.padEnd(149),
    ...tcpRows(vfs.inet).map((row, slot) =>
      socketLine(
        row.listener === null ? row : { ...row, sendQueue: 0 },
        slot,
        `${row.references} 0000000000000000 100 0 0 ${row.connection === null ? 10 : Math.floor(row.connection.congestion.window / row.connection.mss)} 0`,
      ).padEnd(149),
    ),
  ].join('\n');

const datagramText = (vfs: Vfs, kind: 'udp' | 'icmp' | 'raw'): string =>
  [
    `${SOCKET_HEAD} ref pointer drops`.padEnd(127),
    ...datagramRows(vfs.inet, kind).map((row, slot) =>
      socketLine(row, slot, `${row.references + 1} 0000000000000000 ${row.drops}`).padEnd(127),
    ),
  ].join('\n');

function devText({ inet }: Vfs): string {
  const row = ({ name, counters: c }: NetInterface): string =>
    `${name.padStart(6)}: ${String(c.rxBytes).padStart(7)} ${String(c.rxPackets).padStart(7)} ${String(c.rxErrors).padStart(4)} ${String(
      c.rxDropped,
    ).padStart(4)} ${'0'.padStart(4)} ${'0'.padStart(5)} ${'0'.padStart(10)} ${'0'.padStart(9)} ${String(c.txBytes).padStart(8)} ${String(
      c.txPackets,
    ).padStart(
      7,
    )} ${String(c.txErrors).padStart(4)} ${String(c.txDropped).padStart(4)} ${'0'.padStart(4)} ${'0'.padStart(5)} ${'0'.padStart(
      7,
    )} ${'0'.padStart(10)}`;
  return [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    ...inet.stack.interfaces.map(row),
  ].join('\n');
}

function routeText({ inet }: Vfs): string {
  const UP = 1;
  const GATEWAY = 2;
  const HOST = 4;
  const REJECT = 0x200;
  return [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT'.padEnd(127),
    ...inet.stack.ip.routes.routes.map(({ kind, through, network, gateway, prefix, metric, mtu }) => {
      const refuses = kind === 'unreachable' || kind === 'prohibit' ? REJECT : 0;
      const flags = UP | (gateway === null ? 0 : GATEWAY) | (prefix === 32 ? HOST : 0) | refuses;
      const [to, via, mask] = [network, gateway ?? 0, netmask(prefix)].map(addressText);
      const name = kind === 'unicast' ? through.name : '*';
      return `${name}\t${to}\t${via}\t${hex(flags, 4)}\t0\t0\t${metric}\t${mask}\t${mtu === 0 ? 0 : mtu - 40}\t0\t0`.padEnd(127);
    }),
  ].join('\n');
}

/** ATF_COM and ATF_PERM. */
const ARP_FLAGS: Readonly<Record<NeighbourState, number>> = { INCOMPLETE: 0, REACHABLE: 2, STALE: 2, DELAY: 2, PROBE: 2, PERMANENT: 6 };

function arpText({ inet }: Vfs): string {
  const dotted = (address: number): string => [24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.');
  return [
    'IP address       HW type     Flags       HW address            Mask     Device',
    ...[...inet.stack.ip.arp.neighbours].map(
      ({ address, state, mac, through }) =>
        `${dotted(address).padEnd(16)} 0x${'1'.padEnd(10)}0x${ARP_FLAGS[state].toString(16).padEnd(10)}${macText(mac)}     *        ${through.name}`,
    ),
  ].join('\n');
}

/** Names and numbers in two lines, as Linux has them. */
function pairs(prefix: string, fields: Readonly<Record<string, number>>): string {
  return `${prefix}: ${Object.keys(fields).join(' ')}\n${prefix}: ${Object.values(fields).join(' ')}`;
}

function snmpText({ inet }: Vfs): string {
  const { stack } = inet;
  const { Ip, Icmp, Tcp, Udp } = stack.counters;
  const ip = { Forwarding: stack.ip.forwarding ? 1 : 2, DefaultTTL: stack.ip.defaultTtl, ...Ip };
  const tcp = { RtoAlgorithm: 1, RtoMin: TCP.rtoMinMs, RtoMax: TCP.rtoMaxMs, MaxConn: -1, ...Tcp };
  return [pairs('Ip', ip), pairs('Icmp', Icmp), pairs('Tcp', tcp), pairs('Udp', Udp), pairs('UdpLite', zeros(Udp))].join('\n');
}
const zeros = (fields: Counters['Udp']): Record<string, number> => Object.fromEntries(Object.keys(fields).map(name => [name, 0]));

function netstatText({ inet }: Vfs): string {
  const { TcpExt, IpExt } = inet.stack.counters;
  return [pairs('TcpExt', TcpExt), pairs('IpExt', IpExt)].join('\n');
}

function sockstatText({ inet, unix }: Vfs): string {
  const sockets = [...inet.living];
  const rows = tcpRows(inet);
  const waits = rows.filter(({ timer }) => timer === TIMER.TIMEWAIT).length;
  const orphans = rows.filter(({ connection }) => connection?.orphan).length;
  return [
    `sockets: used ${sockets.length + unix.living.size}`,
    `TCP: inuse ${rows.length - waits} orphan ${orphans} tw ${waits} alloc ${rows.length - waits} mem 0`,
    `UDP: inuse ${datagramRows(inet, 'udp').length} mem 0`,
    'UDPLITE: inuse 0',
    `RAW: inuse ${datagramRows(inet, 'raw').length}`,
    'FRAG: inuse 0 memory 0',
  ].join('\n');
}

function unixText({ unix }: Vfs): string {
  const lines: string[] = ['Num       RefCount Protocol Flags    Type St Inode Path'];
  for (const socket of unix.living.values()) {
    if (!(socket instanceof UnixSocket)) continue;
    const { type, ino } = socket.socket;
    const { isListening, isConnected, name } = socket;
    const path = name === '' ? '' : ` ${name.startsWith('\0') ? `@${name.slice(1)}` : name.replace(/\0.*$/s, '')}`;
    const flags = isListening ? 0x10000 : 0;
    lines.push(
      `0000000000000000: ${hex(socket.references + 1, 8)} 00000000 ${hex(flags, 8)} ${hex(type, 4)} ${isConnected ? '03' : '01'} ${String(ino).padStart(5)}${path}`,
    );
  }
  return lines.join('\n');
}

function netlinkText({ inet }: Vfs): string {
  const lines = ['sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode'];
  for (const socket of inet.living) {
    if (!(socket instanceof NetlinkSocket)) continue;
    const { protocol, ino } = socket.socket;
    lines.push(
      `0000000000000000 ${String(protocol).padEnd(3)} ${String(socket.port).padEnd(10)} ${hex(socket.groups, 8).toLowerCase()} ${'0'.padEnd(8)} ${'0'.padEnd(8)} ${'0'.padEnd(5)} ${'2'.padEnd(8)} ${'0'.padEnd(8)} ${ino}`,
    );
  }
  return lines.join('\n');
}

function packetText({ inet }: Vfs): string {
  const lines = ['sk               RefCnt Type Proto  Iface R Rmem   User   Inode'];
  for (const socket of inet.living) {
    if (!(socket instanceof NetworkSocket) || socket.socket.family !== AF_PACKET) continue;
    const { type, protocol, ino } = socket.socket;
    lines.push(
      `0000000000000000 ${String(socket.references + 1).padEnd(6)} ${String(type).padEnd(4)} ${hex(protocol, 4).toLowerCase()}   0     1 0      ${String(socket.uid).padEnd(6)} ${ino}`,
    );
  }
  return lines.join('\n');
}
const AF_PACKET = 17;

function protocolsText({ inet, unix }: Vfs): string {
  const count = (family: number, type: number): number =>
    [...inet.living].filter(({ socket }) => socket.family === family && socket.type === type).length;
  const row = (name: string, sockets: number): string => `${name.padEnd(9)} ${String(1024).padStart(4)} ${String(sockets).padStart(6)}`;
  return [
    'protocol  size sockets',
    row('UNIX', unix.living.size),
    row('RAW', count(2, SOCK.RAW)),
    row('UDP', count(2, SOCK.DGRAM)),
    row('TCP', count(2, SOCK.STREAM)),
  ].join('\n');
}

/** By name below /proc/net. */
const FILES: Readonly<Record<string, (vfs: Vfs) => string>> = {
  dev: devText,
  tcp: tcpText,
  udp: vfs => datagramText(vfs, 'udp'),
  icmp: vfs => datagramText(vfs, 'icmp'),
  raw: vfs => datagramText(vfs, 'raw'),
  unix: unixText,
  netlink: netlinkText,
  packet: packetText,
  route: routeText,
  arp: arpText,
  snmp: snmpText,
  netstat: netstatText,
  sockstat: sockstatText,
  protocols: protocolsText,
  // There is no version 6: nobody has such an address.
  if_inet6: () => '',
};
export const NET_FILES: readonly string[] = Object.keys(FILES);

const TCP_MEMORY = '4096\t131072\t6291456';

/** By path below /proc/sys/net: what the stack does, as far as it can be said by a number. */
const SETTINGS: Readonly<Record<string, string>> = {
  'core/somaxconn': String(TCP.backlogMax),
  'core/rmem_default': '212992',
  'core/rmem_max': '212992',
  'core/wmem_default': '212992',
  'core/wmem_max': '212992',
  'core/netdev_max_backlog': '1000',
  'core/default_qdisc': 'noqueue',
  'ipv4/ip_local_port_range': `${EPHEMERAL.first}\t${EPHEMERAL.last}`,
  'ipv4/ip_unprivileged_port_start': '1024',
  'ipv4/icmp_echo_ignore_broadcasts': '1',
  'ipv4/ping_group_range': '0\t2147483647',
  'ipv4/tcp_congestion_control': 'reno',
  'ipv4/tcp_available_congestion_control': 'reno',
  'ipv4/tcp_rmem': TCP_MEMORY,
  'ipv4/tcp_wmem': `4096\t${TCP.sendBuffer}\t${TCP.sendBufferMax}`,
  'ipv4/tcp_max_tw_buckets': String(TCP.timeWaits),
  'ipv4/tcp_fin_timeout': String(TCP.finTimeoutMs / 1000),
  'ipv4/tcp_keepalive_time': String(TCP.keepIdleMs / 1000),
  'ipv4/tcp_keepalive_intvl': String(TCP.keepIntervalMs / 1000),
  'ipv4/tcp_keepalive_probes': String(TCP.keepProbes),
  'ipv4/tcp_syn_retries': String(TCP.synRetries),
  'ipv4/tcp_synack_retries': String(TCP.synAckRetries),
  'ipv4/tcp_retries2': String(TCP.retries),
  'ipv4/tcp_timestamps': '1',
  'ipv4/tcp_window_scaling': '1',
  'ipv4/tcp_sack': '0',
  'ipv4/tcp_fastopen': '0',
  'unix/max_dgram_qlen': '10',
};
const FORWARD = 'ipv4/ip_forward';
const TTL = 'ipv4/ip_default_ttl';
/** Those that can be set. */
export const NET_SWITCHES: readonly string[] = [FORWARD, TTL];
export const NET_SETTINGS: readonly string[] = [...Object.keys(SETTINGS), ...NET_SWITCHES];

/** Whose network a process has: its origin's. */
export const networkOf = (pid: Pid): KernelId => pid >>> 15;

/** What a kernel's network says, or is to say from now on: `netText`, of another kernel by message. Throws ENETDOWN, ENOENT, ENODEV, EINVAL. */
export function networkText(vfs: Vfs, network: KernelId, path: string, change: string | null = null): Maybe<string> {
  if (network !== vfs.services.kernel) return vfs.services.farNetText(network, path, change);
  if (change !== null) setNet(vfs, path, change);
  return netText(vfs, path);
}

/** Before the paths of what is below /sys/class/net; by itself: a line for each interface. */
export const INTERFACES = 'class';

/**
 * `path`: below /proc/net, below /proc/sys/net with 'sys/' before it, or below /sys/class/net with 'class/'.
 * Throws ENOENT, ENODEV for an interface that is gone.
 */
export function netText(vfs: Vfs, path: string): string {
  const { ip, interfaces } = vfs.inet.stack;
  if (path === `sys/${FORWARD}`) return ip.forwarding ? '1\n' : '0\n';
  if (path === `sys/${TTL}`) return `${ip.defaultTtl}\n`;
  const setting = path.startsWith('sys/') ? SETTINGS[path.slice(4)] : undefined;
  if (setting !== undefined) return `${setting}\n`;
  if (path === INTERFACES) return interfaces.map(({ name }) => `${name}\n`).join('');
  const [isClass, name, ...rest] = path.split('/');
  if (isClass === INTERFACES)
    return interfaceText(
      interfaces.find(each => each.name === name),
      rest.join('/'),
    );
  const file = Object.hasOwn(FILES, path) ? FILES[path] : undefined;
  if (file === undefined) throw new Errno(E.NOENT);
  const text = file(vfs);
  return text === '' ? '' : `${text}\n`;
}

/** Sets one of NET_SWITCHES. Throws EINVAL. */
export function setNet(vfs: Vfs, path: string, text: string): void {
  const { ip } = vfs.inet.stack;
  const number = Number(text.trim());
  if (!Number.isInteger(number) || text.trim() === '') throw new Errno(E.INVAL);
  if (path === `sys/${FORWARD}`) ip.forwarding = number !== 0;
  else if (path === `sys/${TTL}` && number >= 1 && number <= 255) ip.defaultTtl = number;
  else throw new Errno(E.INVAL);
}

/** The files of /sys/class/net/NAME. */
const ATTRIBUTES: Readonly<Record<string, (through: NetInterface) => string | number>> = {
  address: ({ mac }) => macText(mac),
  addr_len: () => 6,
  broadcast: ({ loopback }) => macText(loopback ? 0 : 0xffffffffffff),
  carrier: ({ up }) => (up ? 1 : 0),
  flags: through => `0x${(interfaceFlags(through) & ~IFF.RUNNING).toString(16)}`,
  ifindex: ({ index }) => index,
  iflink: ({ index }) => index,
  mtu: ({ mtu }) => mtu,
  operstate: ({ loopback, up }) => (loopback ? 'unknown' : up ? 'up' : 'down'),
  tx_queue_len: ({ queueLength }) => queueLength,
  type: ({ loopback }) => (loopback ? HARDWARE.LOOPBACK : HARDWARE.ETHER),
  uevent: ({ name, index }) => `INTERFACE=${name}\nIFINDEX=${index}`,
};
export const INTERFACE_FILES: readonly string[] = Object.keys(ATTRIBUTES);

/** The files of /sys/class/net/NAME/statistics. */
const STATISTICS: Readonly<Record<string, (counters: InterfaceCounters) => number>> = {
  rx_bytes: c => c.rxBytes,
  rx_packets: c => c.rxPackets,
  rx_errors: c => c.rxErrors,
  rx_dropped: c => c.rxDropped,
  tx_bytes: c => c.txBytes,
  tx_packets: c => c.txPackets,
  tx_errors: c => c.txErrors,
  tx_dropped: c => c.txDropped,
  collisions: () => 0,
  multicast: () => 0,
};
export const INTERFACE_STATISTICS: readonly string[] = Object.keys(STATISTICS);

function interfaceText(through: NetInterface | undefined, file: string): string {
  if (through === undefined) throw new Errno(E.NODEV);
  const [folder, name = ''] = file.split('/');
  const text = folder === 'statistics' ? STATISTICS[name]?.(through.counters) : ATTRIBUTES[file]?.(through);
  if (text === undefined) throw new Errno(E.NOENT);
  return `${text}\n`;
}
