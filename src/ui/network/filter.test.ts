/** The filter of the packet list: frames of a real handshake, and what is said where a filter makes no sense. */
import { describe, expect, it } from 'vitest';
import { connect, HERTZ, listen, World } from '../../kernel/net/testing.ts';
import { dissect } from '../../lab/dissect.ts';
import type { PacketRow } from '../../lab/trace/network.ts';
import { packetFilter } from './filter.ts';

const world = new World(1);
const [a, b] = world.pair();
listen(b, 80);
connect(a, b.address, 80);
connect(a, b.address, 81);
world.clock.run(HERTZ);
/** From kernel 0 to kernel 1 and back; the refusal of port 81 is lost. */
const rows = world.frames.map(({ time, frame }, number): PacketRow => {
  const said = dissect(frame);
  const from = said.addresses[0] === '10.1.2.1' ? 0 : 1;
  const lost = said.flags.includes('RST');
  return {
    number,
    time,
    over: said.protocol === 'ARP' ? 'wire' : said.flags.join() === 'SYN,ACK' ? 'card' : 'switch',
    functions: [],
    from,
    to: lost ? [] : [1 - from],
    fates: lost ? ['lost on the wire'] : [],
    frame,
  };
});

const found = (text: string): string[] => {
  const fits = packetFilter(text);
  return rows.flatMap(row => {
    const { protocol, ports, flags } = dissect(row.frame);
    return fits(row, dissect(row.frame)) ? [`${protocol} ${row.from} ${ports.includes(81) ? '81 ' : ''}${flags.join(' ')}`.trim()] : [];
  });
};
const handshake = ['TCP 0 SYN', 'TCP 1 SYN ACK', 'TCP 0 ACK'];

describe('the filter of the packet list', () => {
  it('takes the words of tcpdump', () => {
    expect(found('arp')).toEqual(['ARP 0', 'ARP 1']);
    expect(found('tcp port 80').sort()).toEqual([...handshake].sort());
    expect(found('port 80').sort()).toEqual([...handshake].sort());
    expect(found('80').sort()).toEqual([...handshake].sort());
    expect(found('src port 80')).toEqual(['TCP 1 SYN ACK']);
    expect(found('tcp and not (port 80 or syn)')).toEqual(['TCP 1 81 RST ACK']);
    expect(found('src host 10.1.2.2 and tcp')).toEqual(['TCP 1 SYN ACK', 'TCP 1 81 RST ACK']);
    expect(found('host 10.1.2.9')).toEqual([]);
  });

  it('takes some of Wireshark’s, and what a line says', () => {
    expect(found('tcp.port == 81 && ip.src == 10.1.2.1')).toEqual(['TCP 0 81 SYN']);
    expect(found('tcp.dstport==80 !syn')).toEqual(['TCP 0 ACK']);
    expect(found('frame.len > 70 && ack')).toEqual(['TCP 1 SYN ACK']);
    expect(found('10.1.2.2:81 syn')).toEqual(['TCP 0 81 SYN']);
    expect(found('lost')).toEqual(['TCP 1 81 RST ACK']);
    expect(found('wire')).toEqual(['ARP 0', 'ARP 1']);
    expect(found('card')).toEqual(['TCP 1 SYN ACK']);
    expect(found('"who has"')).toEqual(['ARP 0']);
    expect(found('1>0 syn')).toEqual(['TCP 1 SYN ACK']);
    expect(found('k1')).toHaveLength(rows.length);
    expect(found('')).toHaveLength(rows.length);
  });

  it.each([
    ['port', 'a number is missing after “port”'],
    ['port http', '“http” is not a port'],
    ['host 10.1.2', '“10.1.2” is no address'],
    ['tcp and', 'something is missing after “and”'],
    ['or tcp', 'something is missing before “or”'],
    ['(tcp', 'a “(” without its “)”'],
    ['tcp)', 'a “)” without its “(”'],
    ['tcp.stream == 3', 'there is no field “tcp.stream”, but ip.addr,'],
    ['ip.addr > 3', 'ip.addr can be compared with == and != only'],
    ['tcp.port', '“tcp.port” wants a value'],
    ['10.1.2.300', '“10.1.2.300” is no address'],
    ['== 3', '“==” stands alone'],
    ['>', '“>” wants a kernel’s number'],
  ])('says what is wrong with %s', (text, message) => {
    expect(() => packetFilter(text)).toThrow(message);
  });
});
