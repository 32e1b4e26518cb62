/**
 * The filter of the packet list, in the words of tcpdump, with some of Wireshark's:
 *
 *     tcp  udp  icmp  arp        syn  ack  fin  rst  psh        lost: it did not get through        switch  wire  card: what carried it
 *     10.1.2.3   host 10.1.2.3   src host …   dst host …        80   port 80   src port …   dst port …        10.1.2.3:80
 *     k3: from or to kernel 3    2>5   2>   >5: from and to kernels             len > 100        ip.addr == …  tcp.port == …
 *     any other word, or one in quotes: the line has it         and  or  not  ( ); words side by side must all fit
 */
import { parseIp } from '../../kernel/net/address.ts';
import type { Dissection } from '../../lab/dissect.ts';
import type { Carrier, PacketRow } from '../../lab/trace/network.ts';

export type PacketTest = (row: PacketRow, said: Dissection) => boolean;

/** What is wrong with a filter, for people. */
export class FilterError extends Error {}

const PROTOCOLS = ['tcp', 'udp', 'icmp', 'arp'];
const CARRIERS: readonly Carrier[] = ['switch', 'wire', 'card'];
const FLAGS = ['syn', 'ack', 'fin', 'rst', 'psh'];
const SIDES = { src: [0], dst: [1], any: [0, 1] } as const;
type Side = keyof typeof SIDES;

/** Wireshark's fields, and which side of what they are. */
const FIELDS: Readonly<Record<string, { readonly kind: 'host' | 'port' | 'len'; readonly side: Side }>> = {
  'ip.addr': { kind: 'host', side: 'any' },
  'ip.src': { kind: 'host', side: 'src' },
  'ip.dst': { kind: 'host', side: 'dst' },
  'tcp.port': { kind: 'port', side: 'any' },
  'tcp.srcport': { kind: 'port', side: 'src' },
  'tcp.dstport': { kind: 'port', side: 'dst' },
  'udp.port': { kind: 'port', side: 'any' },
  'frame.len': { kind: 'len', side: 'any' },
  len: { kind: 'len', side: 'any' },
};

const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '==': (a, b) => a === b,
  '=': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
  '<=': (a, b) => a <= b,
  '>=': (a, b) => a >= b,
};

const TOKEN = /\s*("[^"]*"?|\(|\)|&&|\|\||\d*>\d*(?![.=\w])|==|!=|<=|>=|[=<>!]|[^\s()"=<>!&|]+|.)/y;

/** @throws FilterError */
export function packetFilter(text: string): PacketTest {
  const words = wordsOf(text.trim());
  let at = 0;
  const next = (): string | undefined => words[at];
  const take = (...wanted: readonly string[]): boolean => {
    const found = wanted.includes(next()?.toLowerCase() ?? '');
    if (found) at++;
    return found;
  };

  const either = (): PacketTest => {
    let test = all();
    while (take('or', '||')) test = joined(test, all(), (a, b) => a || b);
    return test;
  };
  const all = (): PacketTest => {
    let test = not();
    while (next() !== undefined && next() !== ')' && !['or', '||'].includes(next()?.toLowerCase() ?? '')) {
      take('and', '&&');
      test = joined(test, not(), (a, b) => a && b);
    }
    return test;
  };
  const not = (): PacketTest => {
    if (take('not', '!')) {
      const test = not();
      return (row, said) => !test(row, said);
    }
    if (take('(')) {
      const test = either();
      if (!take(')')) throw new FilterError('a “(” without its “)”');
      return test;
    }
    return term();
  };
  const value = (after: string, what: string): string => {
    const word = words[at++];
    if (word === undefined) throw new FilterError(`${what} is missing after “${after}”`);
    return word;
  };
  const term = (): PacketTest => {
    const word = words[at++];
    if (word === undefined) throw new FilterError(at > 1 ? `something is missing after “${words[at - 2]}”` : 'there is no word');
    const name = word.toLowerCase();
    if (name === ')') throw new FilterError('a “)” without its “(”');
    if (['and', 'or', '&&', '||', '&', '|'].includes(name)) throw new FilterError(`something is missing before “${word}”`);
    if (name === 'src' || name === 'dst') {
      const kind = value(word, 'host or port').toLowerCase();
      if (kind === 'port') return portTest(value(`${word} port`, 'a number'), name);
      return hostTest(kind === 'host' ? value(`${word} host`, 'an address') : kind, name);
    }
    if (name === 'host') return hostTest(value(word, 'an address'), 'any');
    if (name === 'port') return portTest(value(word, 'a number'), 'any');
    if (COMPARE[next() ?? ''] !== undefined) return comparison(name);
    return single(word, name);
  };
  const comparison = (name: string): PacketTest => {
    const field = FIELDS[name];
    if (field === undefined) throw new FilterError(`there is no field “${name}”, but ${Object.keys(FIELDS).join(', ')}`);
    const operator = words[at++] as string;
    const compare = COMPARE[operator] as (a: number, b: number) => boolean;
    const right = value(operator, 'a value');
    if (field.kind === 'len') {
      const bytes = numberOf(right, 'a number of bytes');
      return row => compare(row.frame.length, bytes);
    }
    if (!['=', '==', '!='].includes(operator)) throw new FilterError(`${name} can be compared with == and != only`);
    const test = field.kind === 'host' ? hostTest(right, field.side) : portTest(right, field.side);
    const protocol = name.split('.')[0];
    const fits: PacketTest = (row, said) => test(row, said) && (protocol === 'ip' || said.protocol.toLowerCase() === protocol);
    return operator === '!=' ? (row, said) => !fits(row, said) : fits;
  };

  if (words.length === 0) return () => true;
  const test = either();
  if (next() === ')') throw new FilterError('a “)” without its “(”');
  return test;
}

function single(word: string, name: string): PacketTest {
  if (PROTOCOLS.includes(name)) return (_row, said) => said.protocol.toLowerCase() === name;
  if (FLAGS.includes(name)) return (_row, { flags }) => flags.includes(name.toUpperCase());
  if ((CARRIERS as readonly string[]).includes(name)) return ({ over }) => over === name;
  if (name === 'lost') return row => row.fates.length > 0;
  if (/^\d+$/.test(name)) return portTest(name, 'any');
  const route = /^(\d*)>(\d*)$/.exec(name);
  if (route !== null) {
    const [, from, to] = route;
    if (from === '' && to === '') throw new FilterError('“>” wants a kernel’s number at one side: 2>5, 2>, >5');
    return row => (from === '' || Number(from) === row.from) && (to === '' || row.to.includes(Number(to)));
  }
  const kernel = /^k(\d+)$/.exec(name);
  if (kernel !== null) return ({ from, to }) => Number(kernel[1]) === from || to.includes(Number(kernel[1]));
  const end = /^(\d+\.\d+\.\d+\.\d+):(\d+)$/.exec(name);
  if (end !== null) return endTest(end[1] as string, numberOf(end[2] as string, 'a port'));
  if (/^\d+\.\d+\.\d+\.\d+$/.test(name)) return hostTest(name, 'any');
  if (FIELDS[name] !== undefined) throw new FilterError(`“${word}” wants a value: ${word} == …`);
  if (/^[a-z]+\.[a-z.]+$/.test(name)) throw new FilterError(`there is no field “${word}”, but ${Object.keys(FIELDS).join(', ')}`);
  if (/^[=<>!&|]+$/.test(name)) throw new FilterError(`“${word}” stands alone: len > 100, ip.addr == 10.1.2.3`);
  const part = name.startsWith('"') ? name.slice(1, name.endsWith('"') ? -1 : undefined) : name;
  return ({ fates, over }, { protocol, summary }) => `${protocol} ${summary} ${fates.join(' ')} ${over}`.toLowerCase().includes(part);
}

const joined =
  (a: PacketTest, b: PacketTest, join: (a: boolean, b: boolean) => boolean): PacketTest =>
  (row, said) =>
    join(a(row, said), b(row, said));

function hostTest(text: string, side: Side): PacketTest {
  if (parseIp(text) === null) throw new FilterError(`“${text}” is no address, such as 10.1.2.3`);
  return (_row, { addresses }) => SIDES[side].some(each => addresses[each] === text);
}

function portTest(text: string, side: Side): PacketTest {
  const port = numberOf(text, 'a port, 0 – 65535');
  return (_row, { ports }) => SIDES[side].some(each => ports[each] === port);
}

function endTest(address: string, port: number): PacketTest {
  if (parseIp(address) === null) throw new FilterError(`“${address}” is no address, such as 10.1.2.3`);
  return (_row, { addresses, ports }) => SIDES.any.some(each => addresses[each] === address && ports[each] === port);
}

function numberOf(text: string, what: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) throw new FilterError(`“${text}” is not ${what}`);
  return Number(text);
}

function wordsOf(text: string): string[] {
  const words: string[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) if (match[1]?.trim()) words.push(match[1]);
  return words;
}
