/** tcpdump's decoder and its filter language against Debian's tcpdump and tshark, which were not written here. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { guestUnderQemu, isThere, type Guest } from '../../testing.ts';
import { exhibition, pcapOf, type Frame } from './testing.ts';

const guest = guestUnderQemu();
const hasTcpdump = isThere('tcpdump');
const hasTshark = isThere('tshark');
if (guest && !hasTcpdump) process.stderr.write('skipped: tcpdump is missing (apt-get install tcpdump)\n');

const frames = exhibition();
/** Frames cut in a header: Debian's tcpdump prints other bytes of these with -x, as it no longer knows where the header ended. */
const whole = frames.filter(frame => frame.kept === undefined);

const FILTERS = [
  'tcp',
  'udp',
  'icmp',
  'arp',
  'ip6',
  'host 10.1.2.1',
  'dst 10.1.2.2',
  'src or dst host 10.1.2.2',
  'src and dst host 10.1.2.1',
  'arp host 10.1.2.2',
  'net 10.1.2.0/24',
  'net 10.1',
  'src net 10.1.2.0 mask 255.255.255.254',
  'dst net 10.1.2.2/31',
  'port 80',
  'tcp port 80',
  'port 80 or 5001',
  'port 80 or port 5001 and udp',
  'not (tcp or udp)',
  '! tcp && ! udp',
  'portrange 5002-5005',
  'tcp src portrange 80-5001',
  'host 10.1.2.1 and (port 80 or icmp)',
  'port (80 or 5003)',
  'ether host 02:00:00:00:00:02',
  'ether dst ff:ff:ff:ff:ff:ff',
  'broadcast',
  'ether proto 0x88b5',
  'ip proto \\udp',
  'proto 200',
  'greater 100',
  'len > 60 and len < 70',
  'tcp[tcpflags] & tcp-syn != 0',
  '(tcp[13] & 2) != 0 and not port 80',
  'tcp[13] == 18 or udp[4:2] > 12',
  'icmp[icmptype] = icmp-echo',
  'ip[6:2] & 0x3fff = 0x2000',
  'ether[12:2] = 0x0806',
  'arp[6:2] = 2',
  'ip[2:2] - ((ip[0] & 0xf) * 4) > 30',
  'tcp[((tcp[12] & 0xf0) / 4):4] = 0x47455420',
  'not udp[8:4] = 0x68656c6c',
  'tcp[30] = 1 or arp',
  '2 = tcp[13]',
];
const WRONG = [
  'tcp and',
  '(tcp',
  'tcp)',
  'host',
  'port 99999',
  'port nowhere',
  'tcp host 10.1.2.1',
  'net 10.1.2.1/24',
  'tcp[0:3] = 1',
  'tcp[13',
  'tcp tcp',
  'src',
  'len >',
  'icmp port 80',
  'tcp[0]',
  '%',
];

describe.skipIf(guest === null)('tcpdump (skipped without qemu-user)', () => {
  const { run, folder } = { run: (guest as Guest)?.run.bind(guest), folder: (guest as Guest)?.folder };
  const file = (name: string, of: readonly Frame[]): string => {
    const path = join(folder, name);
    writeFileSync(path, pcapOf(of));
    return path;
  };
  const ours = (...args: string[]): string => run(['tcpdump', ...args]).stdout;
  const theirs = (...args: string[]): string =>
    spawnSync('tcpdump', args, { encoding: 'latin1', env: { ...process.env, TZ: 'UTC' } }).stdout;
  afterAll(() => guest?.end());

  describe.skipIf(!hasTcpdump)('prints what Debian prints (skipped without tcpdump)', () => {
    for (const options of ['-n', '-nv', '-nvv', '-ne', '-nq', '-nS', '-ntt', '-nttt', '-ntttt', '-neqvv'])
      it(`with ${options}`, () => {
        const path = file('all.pcap', frames);
        expect(ours(options, '-r', path).split('\n')).toEqual(theirs(options, '-r', path).split('\n'));
      });
    for (const options of ['-nx', '-nxx', '-nX', '-nXX'])
      it(`with ${options}, the bytes`, () => {
        const path = file('whole.pcap', whole);
        expect(ours(options, '-r', path)).toBe(theirs(options, '-r', path));
      });
    it('picks what Debian picks, filter by filter', () => {
      const path = file('all.pcap', frames);
      for (const filter of FILTERS) {
        const expected = theirs('-n', '-t', '-r', path, filter);
        expect(`${filter}\n${ours('-n', '-t', '-r', path, filter)}`).toBe(`${filter}\n${expected}`);
      }
    });
  });

  it.skipIf(!hasTshark)("picks what tshark's fields say (skipped without tshark)", () => {
    const path = file('whole.pcap', whole);
    // The first occurrence of a field is the packet's own; errors quote others.
    const fields = ['eth.type', 'ip.proto', 'ip.src', 'tcp.port', 'tcp.flags.syn', 'ip.frag_offset', 'frame.len'];
    const args = [
      '-n',
      '-o',
      'ip.defragment:FALSE',
      '-r',
      path,
      '-T',
      'fields',
      '-E',
      'separator=|',
      ...fields.flatMap(field => ['-e', field]),
    ];
    const rows = spawnSync('tshark', args, { encoding: 'latin1' })
      .stdout.split('\n')
      .slice(0, -1)
      .map(line => line.split('|').map(column => column.split(',')));
    expect(rows).toHaveLength(whole.length);
    type Row = Record<'type' | 'protocol' | 'source' | 'syn' | 'offset' | 'length', string | undefined> & { ports: string[] };
    const table = rows.map(
      ([type, protocol, source, ports, syn, offset, length]): Row => ({
        type: type?.[0],
        protocol: protocol?.[0],
        source: source?.[0],
        ports: protocol?.[0] === '6' ? (ports ?? []) : [],
        syn: protocol?.[0] === '6' ? syn?.[0] : undefined,
        offset: offset?.[0],
        length: length?.[0],
      }),
    );
    const pairs: [string, (row: Row) => boolean][] = [
      ['arp', row => row.type === '0x0806'],
      ['icmp', row => row.protocol === '1'],
      ['src host 10.1.2.2 and tcp', row => row.source === '10.1.2.2' && row.protocol === '6'],
      ['tcp port 80', row => row.ports.includes('80')],
      ['tcp[tcpflags] & tcp-syn != 0', row => row.syn === '1' || row.syn === 'True'],
      ['ip[6:2] & 0x1fff != 0', row => Number(row.offset) > 0],
      ['greater 100', row => Number(row.length) >= 100],
    ];
    for (const [filter, fits] of pairs) {
      const expected = table.flatMap((row, index) => (fits(row) ? [index] : []));
      const own = [...ours('-n', '-q', '-tt', '-r', path, filter).matchAll(/^1000000000\.(\d{3})000 /gm)].map(([, ms]) => Number(ms));
      expect(expected.length).toBeGreaterThan(0);
      expect([filter, ...own]).toEqual([filter, ...expected]);
    }
  });

  it('refuses filters that make no sense, with a message', () => {
    for (const filter of WRONG) {
      const { status, stderr } = run(['tcpdump', '-d', filter]);
      expect(`${filter} ${status}`).toBe(`${filter} 1`);
      expect(stderr).toMatch(/^tcpdump: /);
    }
    expect(run(['tcpdump', '-d', '('.repeat(500)]).status).toBe(1);
    expect(run(['tcpdump', '-d', 'not '.repeat(400)]).status).toBe(1);
  });

  it('writes what it reads, and a part of it', () => {
    const path = file('all.pcap', frames);
    const copy = join(folder, 'copy.pcap');
    expect(run(['tcpdump', '-r', path, '-w', copy]).status).toBe(0);
    expect(readFileSync(copy).equals(readFileSync(path))).toBe(true);
    run(['tcpdump', '-r', path, '-w', copy, 'arp']);
    expect(ours('-n', '-r', copy)).toBe(ours('-n', '-r', path, 'arp'));
  });

  it('survives frames of noise, and files that are none', () => {
    let state = 5;
    const random = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    const noise: Frame[] = Array.from({ length: 3000 }, () => {
      const frame = frames[Math.floor(random() * frames.length)] as Frame;
      const bytes = frame.bytes.slice();
      for (let i = 0; i < 4; i++)
        bytes[12 + Math.floor(random() * (bytes.length - 12))] = random() < 0.3 ? 255 : Math.floor(random() * 256);
      return { ...frame, bytes, kept: random() < 0.3 ? Math.floor(random() * bytes.length) : (frame.kept ?? bytes.length) };
    });
    const path = file('noise.pcap', noise);
    for (const options of ['-nvvX', '-ne']) {
      const { status, stdout } = run(['tcpdump', options, '-r', path, 'not tcp[100] = 1 or len > 0']);
      expect(status).toBe(0);
      expect(stdout.split('\n').length).toBeGreaterThan(1000);
    }
    writeFileSync(path, pcapOf(noise).subarray(0, 5000));
    expect(run(['tcpdump', '-n', '-r', path]).stderr).toMatch(/truncated dump file/);
    writeFileSync(path, Buffer.alloc(100, 7));
    expect(run(['tcpdump', '-n', '-r', path]).stderr).toMatch(/unknown file format/);
  });
});
