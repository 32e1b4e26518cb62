/** Graphs made into nested code: which loops there are, which nodes need a label, and what has to take the way by the dispatcher. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { structure } from './structure.ts';

describe('the structure of a graph', () => {
  test('a loop in a loop, and what lies in which', () => {
    // 1 → 2 → 3 → 2 (inner), 3 → 4 → 1 (outer), 4 → 5.
    const s = structure([[], [2], [3], [2, 4], [1, 5], []], [1]);
    expect(s.isLoop).toEqual([false, true, true, false, false, false]);
    expect(s.loopOf).toEqual([0, 1, 2, 2, 1, 0]);
    expect(s.entries).toEqual([1]);
    expect([2, 3, 4, 5].map(s.isInline)).toEqual([true, true, true, true]);
  });
  test('two ways that meet: the meeting has a label at the branch', () => {
    const s = structure([[], [2, 3], [4], [4], []], [1]);
    expect(s.labelled[1]).toEqual([4]);
    expect(s.isInline(4)).toBe(false);
  });
  test('a branch with both ways to one place', () => {
    expect(structure([[], [2, 2], []], [1]).isInline(2)).toBe(false);
  });
  test('a loop with two entrances goes by the dispatcher', () => {
    const s = structure([[], [2, 3], [3], [2]], [1]);
    expect(s.viaDispatcher(2, 3) || s.viaDispatcher(3, 2)).toBe(true);
    expect(s.entries.length).toBe(2);
  });
  test('in any graph, an edge that is not by the dispatcher leads on, or back to a loop that it is in', () => {
    const graph = fc
      .integer({ min: 2, max: 12 })
      .chain(n => fc.array(fc.array(fc.integer({ min: 1, max: n - 1 }), { maxLength: 2 }), { minLength: n, maxLength: n }));
    fc.assert(
      fc.property(graph, fc.integer({ min: 1, max: 3 }), (successors, entries) => {
        const out = successors.map((list, node) => (node === 0 ? [] : list));
        const s = structure(
          out,
          Array.from({ length: entries }, (_, i) => i + 1).filter(node => node < out.length),
        );
        for (const [from, list] of out.entries()) {
          for (const to of list) {
            if ((s.order[from] as number) < 0 || s.viaDispatcher(from, to)) continue;
            if ((s.order[to] as number) > (s.order[from] as number)) continue;
            expect(s.isLoop[to]).toBe(true);
            expect(s.loops.get(to)?.has(from)).toBe(true);
          }
        }
      }),
    );
  });
});
