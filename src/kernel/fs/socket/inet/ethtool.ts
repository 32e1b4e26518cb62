/**
 * SIOCETHTOOL: what a network device's driver tells of itself, as Debian's ethtool asks for it (linux/ethtool.h): who it is, its link, what it
 * counts, its rings, and how long it holds interrupts back, which can be set too.
 *
 * Always holds: an answer is as long as `replyBytes` says, whatever lengths the program has named.
 */
import { E, Errno } from '../../../abi/errno.ts';
import { ETHTOOL, ETHTOOL_BYTES_MAX } from '../../../abi/ethtool.ts';
import type { NetInterface } from '../../../net/interface.ts';
import type { DeviceDriver } from '../../../net/platform.ts';
import { setU32, setU64, toBytes, u32At } from '../../bytes.ts';

const STRING_BYTES = 32;
const STATISTICS = 1;
/** ethtool_link_settings: DUPLEX_FULL, PORT_FIBRE and PORT_OTHER, AUTONEG_DISABLE. Masks of modes: so many words each, of which there are three. */
const LINK = { duplexAt: 8, portAt: 9, wordsAt: 15, duplexFull: 1, portFibre: 3, portNone: 0xef, words: 4, unknown: 0xffffffff } as const;
const COALESCE_WORDS = 23;

type Answer = (driver: DeviceDriver, data: Uint8Array, through: NetInterface) => void;

const ANSWERS: ReadonlyMap<number, Answer> = new Map<number, Answer>([
  [
    ETHTOOL.GDRVINFO,
    ({ driver, bus, statistics }, data) => {
      data.fill(0, 4);
      putString(data, 4, driver);
      putString(data, 36, '6.1.0-popcorn');
      putString(data, 100, bus);
      setU32(data, Object.keys(statistics()).length, 180);
    },
  ],
  [
    ETHTOOL.GSSET_INFO,
    ({ statistics }, data) => {
      const isAsked = (u32At(data, 8) & (1 << STATISTICS)) !== 0;
      setU32(data, isAsked ? 1 << STATISTICS : 0, 8);
      setU32(data, 0, 12);
      if (isAsked) setU32(data, Object.keys(statistics()).length, 16);
    },
  ],
  [
    ETHTOOL.GSTRINGS,
    ({ statistics }, data) => {
      if (u32At(data, 4) !== STATISTICS) throw new Errno(E.OPNOTSUPP);
      const names = Object.keys(statistics());
      setU32(data, names.length, 8);
      for (const [i, name] of names.entries()) putString(data, 12 + i * STRING_BYTES, name);
    },
  ],
  [
    ETHTOOL.GSTATS,
    ({ statistics }, data) => {
      const values = Object.values(statistics());
      setU32(data, values.length, 4);
      for (const [i, value] of values.entries()) setU64(data, value, 8 + 8 * i);
    },
  ],
  [ETHTOOL.GLINK, ({ hasLink }, data, { up }) => setU32(data, up && hasLink() ? 1 : 0, 4)],
  [ETHTOOL.GLINKSETTINGS, linkSettings],
  [
    ETHTOOL.GRINGPARAM,
    ({ rings }, data) => {
      if (rings === undefined) throw new Errno(E.OPNOTSUPP);
      const { receive, receiveMost, send, sendMost } = rings();
      [receiveMost, 0, 0, sendMost, receive, 0, 0, send].forEach((count, i) => setU32(data, count, 4 + 4 * i));
    },
  ],
  [
    ETHTOOL.GCOALESCE,
    ({ coalesce }, data) => {
      if (coalesce === undefined) throw new Errno(E.OPNOTSUPP);
      data.fill(0, 4);
      setU32(data, coalesce.get(), 4);
    },
  ],
  [
    ETHTOOL.SCOALESCE,
    ({ coalesce }, data) => {
      if (coalesce === undefined) throw new Errno(E.OPNOTSUPP);
      // Only the microseconds before an interrupt for what comes in can be set.
      for (let word = 2; word < COALESCE_WORDS; word++) if (u32At(data, 4 * word) !== 0) throw new Errno(E.OPNOTSUPP);
      if (!coalesce.set(u32At(data, 4))) throw new Errno(E.INVAL);
    },
  ],
]);

/** Who asks with no words for masks is told, as a negative number, how many there are, and asks again. */
function linkSettings({ speed, hasLink }: DeviceDriver, data: Uint8Array, { up }: NetInterface): void {
  const words = ((data[LINK.wordsAt] ?? 0) << 24) >> 24;
  data.fill(0, 4, replyBytes(data));
  if (words !== LINK.words) {
    data[LINK.wordsAt] = 256 - LINK.words;
    return;
  }
  const rate = up && hasLink() ? speed() : null;
  setU32(data, rate ?? LINK.unknown, 4);
  data[LINK.duplexAt] = rate === null ? 255 : LINK.duplexFull;
  data[LINK.portAt] = speed() === null ? LINK.portNone : LINK.portFibre;
  data[LINK.wordsAt] = LINK.words;
}

/** Bytes that an order takes and its answer has; of the latter those with lists say in themselves how long they are. */
export function replyBytes(data: Uint8Array): number {
  const bytes: Readonly<Record<number, number>> = {
    [ETHTOOL.GSTRINGS]: 12 + u32At(data, 8) * STRING_BYTES,
    [ETHTOOL.GSTATS]: 8 + u32At(data, 4) * 8,
    [ETHTOOL.GDRVINFO]: 196,
    [ETHTOOL.GLINK]: 8,
    [ETHTOOL.GCOALESCE]: 4 * COALESCE_WORDS,
    [ETHTOOL.SCOALESCE]: 4 * COALESCE_WORDS,
    [ETHTOOL.GRINGPARAM]: 36,
    [ETHTOOL.GSSET_INFO]: 20,
    [ETHTOOL.GLINKSETTINGS]: 48 + (data[LINK.wordsAt] === LINK.words ? 3 * 4 * LINK.words : 0),
  };
  return Math.min(ETHTOOL_BYTES_MAX, bytes[u32At(data)] ?? 4);
}

/** @throws Errno EOPNOTSUPP for what the driver has nothing to say of, EPERM */
export function ethtool(through: NetInterface, data: Uint8Array, uid: number): void {
  const command = u32At(data);
  const { driver } = through.device;
  if (command === ETHTOOL.SCOALESCE && uid !== 0) throw new Errno(E.PERM);
  // A device without a driver that has more to say still has a link.
  if (driver === undefined && command === ETHTOOL.GLINK) return setU32(data, through.up ? 1 : 0, 4);
  const answer = ANSWERS.get(command);
  if (driver === undefined || answer === undefined) throw new Errno(E.OPNOTSUPP);
  answer(driver, data, through);
}

function putString(data: Uint8Array, at: number, text: string): void {
  data.set(toBytes(text.slice(0, STRING_BYTES - 1).padEnd(STRING_BYTES, '\0')), at);
}
