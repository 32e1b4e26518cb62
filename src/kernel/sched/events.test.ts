/** The queue of events: their order, and what becomes of those that are called off. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventQueue, type KernelEvent } from './events.ts';

describe('events', () => {
  it('leave in the order of time, class, key and sequence, without those called off before', () => {
    const step = fc.record({ time: fc.nat(50), order: fc.nat(2), key: fc.nat(3), off: fc.nat(300), take: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), steps => {
        const queue = new EventQueue();
        /** The same, plainly. */
        let waiting: KernelEvent[] = [];
        const first = (): KernelEvent | undefined =>
          [...waiting].sort((a, b) => a.time - b.time || a.order - b.order || a.key - b.key || a.sequence - b.sequence)[0];
        for (const { time, order, key, off, take } of steps) {
          waiting.push(queue.add(time, order, key, () => {}));
          const unwanted = waiting[off];
          if (unwanted !== undefined) {
            unwanted.cancelled = true;
            waiting = waiting.filter(event => event !== unwanted);
          }
          expect(queue.next()).toBe(first()?.time ?? Number.POSITIVE_INFINITY);
          if (!take || waiting.length === 0) continue;
          const taken = queue.take();
          expect(taken).toBe(first());
          waiting = waiting.filter(event => event !== taken);
          taken.cancelled = true;
        }
      }),
      { seed: 1 },
    );
  });

  it('hold nothing any more when they are called off, and do not gather', () => {
    const queue = new EventQueue();
    const kept = queue.add(1e9, 2, 0, () => {});
    for (let i = 0; i < 10_000; i++) {
      const handle = (): void => {};
      const event = queue.add(2e8 + i, 2, 0, handle);
      event.cancelled = true;
      expect(event.handle).not.toBe(handle);
    }
    expect(queue.size).toBeLessThan(200);
    expect(queue.next()).toBe(kept.time);
  });
});
