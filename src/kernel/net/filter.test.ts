/** Filters as tcpdump compiles them. */
import { describe, expect, it } from 'vitest';
import { parseFilter, runFilter } from './filter.ts';

const program = (rows: readonly (readonly [number, number, number, number])[]): Uint8Array => {
  const view = new DataView(new ArrayBuffer(8 * rows.length));
  for (const [i, [code, jt, jf, k]] of rows.entries()) {
    view.setUint16(8 * i, code, true);
    view.setUint8(8 * i + 2, jt);
    view.setUint8(8 * i + 3, jf);
    view.setUint32(8 * i + 4, k, true);
  }
  return new Uint8Array(view.buffer);
};

/** `tcpdump -ddd tcp port 80`, the part for version 4. */
const TCP_80 = program([
  [0x28, 0, 0, 12],
  [0x15, 0, 10, 0x800],
  [0x30, 0, 0, 23],
  [0x15, 0, 8, 6],
  [0x28, 0, 0, 20],
  [0x45, 6, 0, 0x1fff],
  [0xb1, 0, 0, 14],
  [0x48, 0, 0, 14],
  [0x15, 2, 0, 80],
  [0x48, 0, 0, 16],
  [0x15, 0, 1, 80],
  [0x6, 0, 0, 262144],
  [0x6, 0, 0, 0],
]);

const frame = (protocol: number, from: number, to: number, words = 5): Uint8Array => {
  const bytes = new Uint8Array(14 + words * 4 + 20);
  bytes.set([0x08, 0x00, 0x40 | words], 12);
  bytes[23] = protocol;
  bytes.set([from >>> 8, from & 255, to >>> 8, to & 255], 14 + words * 4);
  return bytes;
};

describe('a filter', () => {
  it('takes what it describes, behind options too, and nothing else', () => {
    const filter = parseFilter(TCP_80);
    if (filter === null) throw new Error('not let in');
    for (const words of [5, 8]) {
      expect(runFilter(filter, frame(6, 80, 5000, words))).toBe(262144);
      expect(runFilter(filter, frame(6, 5000, 80, words))).toBe(262144);
      expect(runFilter(filter, frame(6, 5000, 81, words))).toBe(0);
      expect(runFilter(filter, frame(17, 80, 80, words))).toBe(0);
    }
    for (let length = 0; length < 36; length++) expect(runFilter(filter, frame(6, 80, 80).subarray(0, length))).toBe(0);
  });

  it('is not let in when it could leave itself, divide by nothing or end without a result', () => {
    expect(
      parseFilter(
        program([
          [0x5, 0, 0, 1],
          [0x6, 0, 0, 0],
        ]),
      ),
    ).toBeNull();
    expect(
      parseFilter(
        program([
          [0x15, 0, 1, 1],
          [0x6, 0, 0, 0],
        ]),
      ),
    ).toBeNull();
    expect(
      parseFilter(
        program([
          [0x34, 0, 0, 0],
          [0x6, 0, 0, 0],
        ]),
      ),
    ).toBeNull();
    expect(
      parseFilter(
        program([
          [0x2, 0, 0, 16],
          [0x6, 0, 0, 0],
        ]),
      ),
    ).toBeNull();
    expect(parseFilter(program([[0x0, 0, 0, 0]]))).toBeNull();
    expect(parseFilter(new Uint8Array(0))).toBeNull();
    expect(parseFilter(new Uint8Array(12))).toBeNull();
  });

  it('ends for any bytes that are let in', () => {
    let state = 12345;
    const random = (): number => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 8;
    let letIn = 0;
    for (let i = 0; i < 20_000; i++) {
      const rows = Array.from({ length: 1 + (random() % 6) }, () => [random() & 0xff, random() & 3, random() & 3, random() & 15] as const);
      const filter = parseFilter(program([...rows, [0x16, 0, 0, 0]]));
      if (filter === null) continue;
      letIn++;
      expect(runFilter(filter, frame(6, 1, 2))).toBeGreaterThanOrEqual(0);
    }
    expect(letIn).toBeGreaterThan(1000);
  });
});
