/** Captures, as Wireshark's dissectors read them: `tshark` was not written here. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { addressOfFunction, addressOfKernel, CLIENT_ADDRESS, CLIENT_KERNEL, DEFAULT_NETWORK } from '../kernel/net/parameters.ts';
import type { SwitchVersion } from '../kernel/net/switch/settings.ts';
import { flood, kernelOf, listeners, order, pass, ping } from '../kernel/net/switch/testing.ts';
import { must, pour, Sink } from '../kernel/net/testing.ts';
import { CHECKSUMS, dissect, hasTshark, TROUBLE } from '../kernel/net/tshark/testing.ts';
import { KernelLab } from '../kernel/testing.ts';
import { Capture } from './pcapng.ts';

const archive = gunzipSync(new Uint8Array(readFileSync(new URL('../../public/initramfs.cpio.gz', import.meta.url))));

/** Three kernels and a client machine that have spoken: echoes, datagrams, fragments, a stream over the cable, and some that got lost. */
function conversation(version: SwitchVersion): KernelLab {
  const lab = new KernelLab({
    archive,
    cores: 3,
    kernels: 3,
    client: true,
    exec: ['sleep', '1000'],
    network: { ...DEFAULT_NETWORK, switch: { ...DEFAULT_NETWORK.switch, version }, capture: true },
  });
  for (const kernel of [1, 2]) lab.input(0, { kind: 'boot', kernel });
  pass(lab, 50);
  listeners(lab, [0, 2]);
  for (const kernel of [1, 2]) order(lab, `mv-dev nic0.${kernel} ${kernel}`);
  ping(lab, 1, addressOfFunction(2), 2);
  ping(lab, CLIENT_KERNEL, addressOfFunction(1), 2);
  pass(lab, 10);
  for (const kernel of [1, 2]) order(lab, `mv-dev nic0.${kernel} 0`, kernel);
  ping(lab, 1, addressOfKernel(2), 3);
  ping(lab, CLIENT_KERNEL, addressOfKernel(1), 3);
  flood(lab, 1, 2, 5, { bytes: 1400 });
  flood(lab, 2, 0, 2, { bytes: 4000 });
  flood(lab, 2, 9, 2);
  const server = kernelOf(lab, 2);
  const client = kernelOf(lab, CLIENT_KERNEL);
  server.at(lab.now, () => {
    const { stack } = server.net;
    const listener = must(stack.tcpListen(must(stack.tcpBind({ address: 0, port: 20_080 }, {})), 5));
    listener.onChange = () => {
      const connection = listener.accept();
      if (typeof connection === 'number') return;
      new Sink(connection);
      pour(connection, new Uint8Array(200_000).fill(97));
    };
  });
  client.at(lab.now + 10_000, () => {
    const connection = must(client.net.stack.tcpConnect({ address: addressOfKernel(2), port: 20_080 }));
    new Sink(connection);
    pour(connection, new Uint8Array(50_000).fill(98));
  });
  pass(lab, 60);
  lab.input(0, { kind: 'order', text: 'link loss 100%' });
  pass(lab, 1);
  ping(lab, 1, CLIENT_ADDRESS, 1);
  pass(lab, 10);
  return lab;
}

function captured(lab: KernelLab, wanted: (kernel: number, bytes: Uint8Array) => boolean = () => true): { capture: Capture; file: Buffer } {
  const capture = new Capture(2.2e9);
  const pieces: Uint8Array[] = [];
  const all = lab.captured.map((each, i) => ({ ...each, i })).sort((a, b) => a.time - b.time || a.kernel - b.kernel || a.i - b.i);
  for (const { kernel, time, bytes } of all) {
    if (!wanted(kernel, bytes)) continue;
    capture.add(kernel, time, bytes);
    pieces.push(...capture.take());
  }
  pieces.push(...capture.take(true));
  return { capture, file: Buffer.concat(pieces) };
}

const lab = conversation('rings');

/** What is said of frames at the switch's ports, and at the card's. */
const FATES = [
  'hub: kernel 0; to kernel 0, here',
  'hub: kernel 0; to kernel 0, here; to port 1',
  'hub: kernel 0; to kernel 0, here; to port 2',
  'hub: kernel 0; to port 1',
  'hub: kernel 0; to port 1; to port 2',
  'hub: kernel 0; to port 2',
];

describe.skipIf(!hasTshark)('tshark reads a capture', () => {
  const { capture, file } = captured(lab);

  it('and finds every frame well', () => {
    const rows = dissect(file, ['_ws.malformed', 'frame.len', ...CHECKSUMS]);
    expect(rows).toHaveLength(capture.count);
    expect(rows.length).toBeGreaterThan(400);
    expect(rows.filter(([malformed]) => malformed !== '')).toEqual([]);
    expect(rows.filter(row => row.slice(2).some(status => status.split(',').includes('0')))).toEqual([]);
    expect(rows.every(([, length]) => Number(length) >= 60)).toBe(true);
  });

  it('with a port for each kernel and the wire as interfaces, and times in order', () => {
    const rows = dissect(file, ['frame.interface_name', 'frame.time_epoch']);
    expect([...new Set(rows.map(([name]) => name))].sort()).toEqual(['nic0.1', 'nic0.2', 'port0', 'port1', 'port2', 'wire']);
    const times = rows.map(([, time]) => Number(time));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    // Virtual time, to the nanosecond: what happened after 50 ms.
    expect(times[0]).toBeGreaterThan(0.05);
    expect(rows[0]?.[1]).toMatch(/^0\.\d{9}$/);
  });

  it('with what became of each frame in its comment', () => {
    const comments = new Set(dissect(file, ['frame.comment']).map(([comment]) => comment));
    expect([...comments].sort()).toEqual([
      'card: from kernel 1; to nic0.2',
      'card: from kernel 1; to nic0; to nic0.2',
      'card: from kernel 2; to nic0.1',
      'from kernel 0',
      'from kernel 0, lost on the wire',
      'from kernel 1',
      'from the client machine',
      ...FATES,
    ]);
  });

  it('also where programs carry them: to each port that one has written to', () => {
    const comments = dissect(captured(conversation('user')).file, ['frame.interface_name', 'frame.comment']);
    expect([...new Set(comments.flatMap(([name, comment = '']) => (name?.startsWith('port') ? [comment] : [])))].sort()).toEqual(FATES);
  });

  it('and sees the stream on the wire whole, without anything sent twice', () => {
    const wire = captured(lab, (_kernel, bytes) => bytes[1] === 1);
    const rows = dissect(wire.file, ['tcp.len', 'tcp.srcport', 'tcp.flags.fin', ...TROUBLE]);
    const bytesFrom = (isServer: boolean): number =>
      rows.reduce((sum, [length, port]) => sum + ((port === '20080') === isServer ? Number(length) : 0), 0);
    expect([bytesFrom(true), bytesFrom(false)]).toEqual([200_000, 50_000]);
    expect(rows.filter(row => row.slice(3).some(sign => sign !== ''))).toEqual([]);
  });
});

describe('capturing', () => {
  it('changes nothing', () => {
    const run = (capture: boolean): string => {
      const other = new KernelLab({
        archive,
        cores: 2,
        kernels: 2,
        exec: ['sleep', '1000'],
        network: { ...DEFAULT_NETWORK, capture },
      });
      other.input(0, { kind: 'boot', kernel: 1 });
      pass(other, 50);
      ping(other, 1, addressOfKernel(0), 3);
      pass(other, 5);
      return other.fingerprint;
    };
    expect(run(true)).toBe(run(false));
  });
});
