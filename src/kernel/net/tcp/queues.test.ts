/** The buffers of a connection against the plainest model of each. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pattern } from '../testing.ts';
import { TCP } from './limits.ts';
import { OutOfOrder, ReceiveQueue } from './receive-queue.ts';
import { SendBuffer } from './send-buffer.ts';
import { plus } from './sequence.ts';

describe('the send buffer', () => {
  it('gives back what was appended, from any place', () => {
    const step = fc.record({ append: fc.nat(9000), drop: fc.double({ min: 0, max: 1, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), steps => {
        const buffer = new SendBuffer();
        let model: number[] = [];
        steps.forEach(({ append, drop }, i) => {
          const bytes = pattern(append, i);
          buffer.append(bytes);
          model.push(...bytes);
          const from = Math.floor(model.length * drop);
          const part = new Uint8Array(model.length - from);
          buffer.copy(from, part);
          expect(Buffer.compare(part, Uint8Array.from(model.slice(from)))).toBe(0);
          buffer.drop(from);
          model = model.slice(from);
          expect(buffer.length).toBe(model.length);
        });
      }),
      { seed: 1, numRuns: 50 },
    );
  });
});

describe('the receive queue', () => {
  it('gives back the stream in pieces of any size', () => {
    const step = fc.record({ push: fc.oneof(fc.nat(600), fc.nat(3000)), read: fc.nat(2000), peek: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), steps => {
        const queue = new ReceiveQueue();
        let model: number[] = [];
        steps.forEach(({ push, read, peek }, i) => {
          const bytes = pattern(push, i);
          queue.push(bytes);
          model.push(...bytes);
          const target = new Uint8Array(read);
          const count = queue.read(target, peek);
          expect(count).toBe(Math.min(read, model.length));
          expect(Buffer.compare(target.subarray(0, count), Uint8Array.from(model.slice(0, count)))).toBe(0);
          if (!peek) model = model.slice(count);
          expect(queue.length).toBe(model.length);
        });
      }),
      { seed: 2, numRuns: 100 },
    );
  });
});

describe('pieces out of order', () => {
  it('come out as the stream that they are parts of, over the wrap of sequence numbers', () => {
    const piece = fc.tuple(fc.nat(1000), fc.integer({ min: 1, max: 200 }));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), fc.constantFrom(0, 0xffffffff - 500), (pieces, base) => {
        const stream = pattern(1300);
        const queue = new OutOfOrder();
        const here = new Uint8Array(1300);
        for (const [from, length] of pieces) {
          const kept = queue.insert(plus(base, from), stream.slice(from, from + length));
          expect(kept).toBe(here.subarray(from, from + length).includes(0));
          here.fill(1, from, from + length);
        }
        for (let at = 0; at < 1200; at++) {
          if (!here[at]) continue;
          const bytes = queue.take(plus(base, at));
          expect(bytes).not.toBe(null);
          expect(bytes).toEqual(stream.slice(at, at + (bytes?.length ?? 0)));
          at += (bytes?.length ?? 1) - 1;
        }
        expect(queue.pieces).toBe(0);
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it('keep the first bytes that came for a place, and no more pieces than the bound', () => {
    const queue = new OutOfOrder();
    expect(queue.insert(10, Uint8Array.of(1, 1))).toBe(true);
    expect(queue.insert(9, Uint8Array.of(2, 2, 2, 2))).toBe(true);
    expect([queue.take(9), queue.take(10), queue.take(12)]).toEqual([Uint8Array.of(2), Uint8Array.of(1, 1), Uint8Array.of(2)]);
    for (let i = 0; i < 5000; i++) queue.insert(2 * i, Uint8Array.of(0));
    expect(queue.pieces).toBe(TCP.outOfOrderPieces);
  });
});
