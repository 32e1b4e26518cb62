/** Streams put together from the frames of lossy links, against what was said, and against tshark's own "follow". */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HERTZ, joined, pattern, pcap, pour, type Seen, Sink, US, World } from '../kernel/net/testing.ts';
import { bytesOf, followStream, type Stream } from './stream.ts';
import { StreamTable } from './trace/streams.ts';

const said = ({ parts }: Stream, from: 0 | 1): string =>
  Buffer.concat(parts.filter(part => part.from === from).map(part => bytesOf(part))).toString('latin1');

/** A request and its answer on a link that loses, repeats and reorders; all frames that were put on it. */
function talk(seed: number, question: Uint8Array, answer: Uint8Array): readonly Seen[] {
  const world = new World(seed);
  const [a, b] = world.pair({ rate: 1e8, delay: 300 * US, loss: 0.03, duplication: 0.02, reorder: 0.05, reorderBy: 900 * US });
  const [client, server] = joined(world, a, b);
  const [asked, got] = [new Sink(server), new Sink(client)];
  pour(client, question);
  expect(world.clock.until(() => asked.ended, 60 * HERTZ)).toBe(true);
  pour(server, answer);
  expect(world.clock.until(() => got.ended, 120 * HERTZ)).toBe(true);
  return world.frames;
}

describe('a stream that is followed', () => {
  const [question, answer] = [pattern(5000, 1), pattern(60_000, 2)];

  it('says what was said, in turn, whatever the link did', () => {
    for (const seed of [1, 2, 3]) {
      const frames = talk(seed, question, answer);
      const stream = followStream(frames, frames.at(-1) as Seen) as Stream;
      expect(stream.ends[1]).toBe('10.1.2.2:80');
      expect(said(stream, 0)).toBe(Buffer.from(question).toString('latin1'));
      expect(said(stream, 1)).toBe(Buffer.from(answer).toString('latin1'));
      expect(stream.parts.map(({ from, missing }) => [from, missing])).toEqual([
        [0, 0],
        [1, 0],
      ]);
      expect(stream.bytes).toEqual([5000, 60_000]);
      expect(stream.again).toBeGreaterThan(0);
    }
  });

  it('tells how much no frame had, and begins where frames begin', () => {
    const frames = talk(4, question, answer);
    const large = frames.filter(({ frame }) => frame.length > 1400);
    const holes = frames.filter(({ frame }) => !large.slice(20, 23).some(each => Buffer.compare(each.frame, frame) === 0));
    const stream = followStream(holes, holes.at(-1) as Seen) as Stream;
    const missing = stream.parts.reduce((sum, part) => sum + part.missing, 0);
    expect(stream.bytes[0] + stream.bytes[1] + missing).toBe(65_000);
    expect(missing).toBeGreaterThan(0);
    const late = followStream(frames.slice(-30), frames.at(-1) as Seen) as Stream;
    expect(Buffer.from(answer).toString('latin1').endsWith(said(late, 1))).toBe(true);
    expect(followStream(frames, { time: 0, frame: new Uint8Array(60) })).toBeNull();
  });

  it('is whole however long ago it began, while there is room; then it is said how much is not there', () => {
    const frames = talk(6, question, answer);
    const tableOf = (limit: number): StreamTable => {
      const table = new StreamTable(limit);
      for (const [number, { time, frame }] of frames.entries()) table.add({ number, time, frame });
      return table;
    };
    const last = frames.at(-1) as Seen;
    const whole = followStream(tableOf(1 << 20).between(last.frame), last) as Stream;
    expect([said(whole, 0), said(whole, 1)]).toEqual([question, answer].map(bytes => Buffer.from(bytes).toString('latin1')));
    const late = followStream(tableOf(30_000).between(last.frame), last) as Stream;
    const missing = late.parts.reduce((sum, part) => sum + part.missing, 0);
    expect(missing).toBeGreaterThan(20_000);
    expect(late.bytes[0] + late.bytes[1] + missing).toBe(65_000);
    expect(Buffer.from(answer).toString('latin1').endsWith(said(late, 1))).toBe(true);
  });

  it('has a packet once that was seen on the wire and on the switch', () => {
    const frames = talk(7, question, answer);
    const twice = frames.flatMap(each => [each, { ...each, time: each.time + 1, frame: each.frame.slice() }]);
    const [one, two] = [frames, twice].map(each => followStream(each, each.at(-1) as Seen) as Stream);
    expect([two?.bytes, two?.again]).toEqual([one?.bytes, one?.again]);
  });

  it.skipIf(spawnSync('tshark', ['--version']).status !== 0)('is what tshark makes of the same frames', () => {
    const frames = talk(5, question, answer);
    const folder = mkdtempSync(join(tmpdir(), 'stream-'));
    try {
      const file = join(folder, 'run.pcap');
      writeFileSync(file, pcap(frames));
      const text = execFileSync('tshark', ['-n', '-r', file, '-q', '-z', 'follow,tcp,raw,0'], { encoding: 'utf8' });
      const lines = text.split('\n').filter(line => /^\t?[0-9a-f]+$/.test(line));
      const hex = (own: boolean): string =>
        lines
          .filter(line => line.startsWith('\t') !== own)
          .map(line => line.trim())
          .join('');
      const stream = followStream(frames, frames.at(-1) as Seen) as Stream;
      expect(Buffer.from(said(stream, 0), 'latin1').toString('hex')).toBe(hex(true));
      expect(Buffer.from(said(stream, 1), 'latin1').toString('hex')).toBe(hex(false));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
