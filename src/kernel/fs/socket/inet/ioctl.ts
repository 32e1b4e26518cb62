/** The ioctls by which programs ask for network interfaces and set them (netdevice(7)), on any socket of the network. */
import { E, Errno } from '../../../abi/errno.ts';
import { ETHTOOL_BYTES_MAX } from '../../../abi/ethtool.ts';
import { IOCTL } from '../../../abi/ioctl.ts';
import { AF } from '../../../abi/socket.ts';
import { netmask } from '../../../net/address.ts';
import { get32, put32 } from '../../../net/bytes.ts';
import { putMac } from '../../../net/ethernet.ts';
import { broadcastOf, type InterfaceAddress, type NetInterface } from '../../../net/interface.ts';
import type { Ipv4Address } from '../../../net/platform.ts';
import type { NetStack } from '../../../net/stack.ts';
import { fromBytes, setU32, toBytes, u32At } from '../../bytes.ts';
import type { IoContext } from '../../file.ts';
import type { InetDomain } from './domain.ts';
import { ethtool } from './ethtool.ts';

export const IFF = {
  UP: 1,
  BROADCAST: 2,
  LOOPBACK: 8,
  RUNNING: 0x40,
  NOARP: 0x80,
  PROMISC: 0x100,
  MULTICAST: 0x1000,
  LOWER_UP: 0x10000,
} as const;
/** ARPHRD_* */
export const HARDWARE = { ETHER: 1, LOOPBACK: 772 } as const;

export function interfaceFlags({ up, loopback, promiscuous }: NetInterface): number {
  const kind = loopback ? IFF.LOOPBACK : IFF.BROADCAST | IFF.MULTICAST;
  return kind | (up ? IFF.UP | IFF.RUNNING : 0) | (promiscuous ? IFF.PROMISC : 0);
}

const NAME_BYTES = 16;
export const IFREQ_BYTES = 40;

/** sockaddr_in in an ifreq or an rtentry. */
function putAddress(data: Uint8Array, at: number, address: Ipv4Address): void {
  data.fill(0, at, at + 16);
  data[at] = AF.INET;
  put32(data, at + 4, address);
}
const addressIn = (data: Uint8Array, at: number): Ipv4Address => get32(data, at + 4);

const prefixOf = (mask: Ipv4Address): number => 32 - Math.round(Math.log2((~mask >>> 0) + 1));
/** The networks that addresses had before there were prefixes. */
const classPrefix = (address: Ipv4Address): number => (address >>> 31 === 0 ? 8 : address >>> 30 === 2 ? 16 : 24);

function first(through: NetInterface): InterfaceAddress {
  const own = through.addresses[0];
  if (own === undefined) throw new Errno(E.ADDRNOTAVAIL);
  return own;
}

type Act = (through: NetInterface, data: Uint8Array, stack: NetStack) => void;

const GETS: ReadonlyMap<number, Act> = new Map<number, Act>([
  [IOCTL.SIOCGIFFLAGS, (through, data) => put16le(data, interfaceFlags(through))],
  [IOCTL.SIOCGIFADDR, (through, data) => putAddress(data, NAME_BYTES, first(through).address)],
  [IOCTL.SIOCGIFDSTADDR, (through, data) => putAddress(data, NAME_BYTES, first(through).address)],
  [IOCTL.SIOCGIFBRDADDR, (through, data) => putAddress(data, NAME_BYTES, through.loopback ? 0 : broadcastOf(first(through)))],
  [IOCTL.SIOCGIFNETMASK, (through, data) => putAddress(data, NAME_BYTES, netmask(first(through).prefix))],
  [IOCTL.SIOCGIFMETRIC, (_through, data) => setU32(data, 0, NAME_BYTES)],
  [IOCTL.SIOCGIFMTU, (through, data) => setU32(data, through.mtu, NAME_BYTES)],
  [IOCTL.SIOCGIFINDEX, (through, data) => setU32(data, through.index, NAME_BYTES)],
  [IOCTL.SIOCGIFTXQLEN, (through, data) => setU32(data, through.queueLength, NAME_BYTES)],
  [IOCTL.SIOCGIFMAP, (_through, data) => void data.fill(0, NAME_BYTES)],
  [
    IOCTL.SIOCGIFHWADDR,
    (through, data) => {
      data.fill(0, NAME_BYTES);
      put16le(data, through.loopback ? HARDWARE.LOOPBACK : HARDWARE.ETHER);
      putMac(data, NAME_BYTES + 2, through.mac);
    },
  ],
]);

const SETS: ReadonlyMap<number, Act> = new Map<number, Act>([
  [IOCTL.SIOCSIFFLAGS, (through, data, stack) => stack.setUp(through, ((data[NAME_BYTES] ?? 0) & IFF.UP) !== 0)],
  [
    IOCTL.SIOCSIFADDR,
    (through, data, stack) => {
      const address = addressIn(data, NAME_BYTES);
      replaceFirst(stack, through, address === 0 ? null : { address, prefix: classPrefix(address) });
      if (address !== 0) stack.setUp(through, true);
    },
  ],
  [
    IOCTL.SIOCSIFNETMASK,
    (through, data, stack) =>
      replaceFirst(stack, through, { address: first(through).address, prefix: prefixOf(addressIn(data, NAME_BYTES)) }),
  ],
  [IOCTL.SIOCSIFBRDADDR, through => void first(through)],
  [IOCTL.SIOCSIFMTU, (through, data) => setMtu(through, u32At(data, NAME_BYTES))],
]);

function replaceFirst(stack: NetStack, through: NetInterface, place: InterfaceAddress | null): void {
  const own = through.addresses[0];
  if (own !== undefined) stack.removeAddress(through, own.address);
  if (place !== null) stack.addAddress(through, place.address, place.prefix);
}

/** Throws EINVAL for one that the device does not take. */
export function setMtu(through: NetInterface, mtu: number): void {
  if (mtu < 68 || mtu > through.device.mtu) throw new Errno(E.INVAL);
  through.mtu = mtu;
}

function put16le(data: Uint8Array, value: number): void {
  data[NAME_BYTES] = value & 255;
  data[NAME_BYTES + 1] = (value >>> 8) & 255;
}

/** Throws ENODEV, EPERM, ENOTTY for a command that it doesn't know. SIOCETHTOOL: `data` is the interface's name and what the ifreq points to. */
export function interfaceIoctl({ stack }: InetDomain, command: number, data: Uint8Array, { uid }: IoContext): number {
  if (command === IOCTL.SIOCGIFCONF) return listInterfaces(stack, data);
  if (command === IOCTL.SIOCGIFNAME) {
    const found = stack.interfaces.find(each => each.index === u32At(data, NAME_BYTES));
    if (found === undefined) throw new Errno(E.NODEV);
    putName(data, 0, found.name);
    return 0;
  }
  if (command === IOCTL.SIOCADDRT || command === IOCTL.SIOCDELRT) {
    if (uid !== 0) throw new Errno(E.PERM);
    changeRoute(stack, command === IOCTL.SIOCADDRT, data);
    return 0;
  }
  const act = GETS.get(command) ?? SETS.get(command);
  if (act === undefined && command !== IOCTL.SIOCETHTOOL) throw new Errno(E.NOTTY);
  if (SETS.has(command) && uid !== 0) throw new Errno(E.PERM);
  const name = fromBytes(data.subarray(0, NAME_BYTES)).replace(/\0.*$/s, '');
  const through = stack.interfaces.find(each => each.name === name);
  if (through === undefined) throw new Errno(E.NODEV);
  if (act === undefined && data.length < NAME_BYTES + ETHTOOL_BYTES_MAX) throw new Errno(E.INVAL);
  if (act === undefined) ethtool(through, data.subarray(NAME_BYTES), uid);
  else act(through, data, stack);
  return 0;
}

function putName(data: Uint8Array, at: number, name: string): void {
  data.set(toBytes(name.slice(0, NAME_BYTES - 1).padEnd(NAME_BYTES, '\0')), at);
}

/** `data`: u32 length, then as many ifreqs as there is room for; those with addresses. The length is of what was, or would be, written. */
function listInterfaces(stack: NetStack, data: Uint8Array): number {
  const rows = stack.interfaces.flatMap(through => through.addresses.map(({ address }) => ({ name: through.name, address })));
  let at = 4;
  for (const { name, address } of rows) {
    if (data.length > 4 && at + IFREQ_BYTES > data.length) break;
    if (data.length > 4) {
      putName(data, at, name);
      putAddress(data, at + NAME_BYTES, address);
    }
    at += IFREQ_BYTES;
  }
  setU32(data, at - 4);
  return 0;
}

/**
 * struct rtentry: target at 8, gateway at 24, mask at 40, flags at 56, metric at 80 (one more than it is); and behind it, where it has a
 * pointer to that, the name of the device.
 */
export const RTENTRY_BYTES = 120;
export const RTENTRY_DEVICE_AT = 88;
function changeRoute(stack: NetStack, add: boolean, data: Uint8Array): void {
  const GATEWAY = 2;
  const HOST = 4;
  const flags = data[56] ?? 0;
  const network = addressIn(data, 8);
  const prefix = flags & HOST ? 32 : prefixOf(addressIn(data, 40));
  const gateway = flags & GATEWAY ? addressIn(data, 24) : null;
  const name = fromBytes(data.subarray(RTENTRY_BYTES)).replace(/\0.*$/s, '');
  const device = name === '' ? null : stack.interfaces.find(each => each.name === name);
  if (device === undefined) throw new Errno(E.NODEV);
  if (add) {
    const path = device === null ? stack.ip.path(gateway ?? network) : { through: device };
    if (typeof path === 'number') throw new Errno(path);
    const metric = Math.max(0, ((data[80] ?? 0) | ((data[81] ?? 0) << 8)) - 1);
    if (stack.ip.routes.routes.some(each => each.network === network && each.prefix === prefix && each.metric === metric))
      throw new Errno(E.EXIST);
    stack.addRoute(network, prefix, path.through, { gateway, metric });
    return;
  }
  const gone = stack.ip.routes.remove(
    route => route.network === network && route.prefix === prefix && (gateway === null || route.gateway === gateway),
  );
  if (gone === 0) throw new Errno(E.SRCH);
}
