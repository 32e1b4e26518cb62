import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { MemoryRange } from '../boot/parameters.ts';
import { PAGE_SIZE, type Pfn } from '../types.ts';
import { FrameAllocator } from './frames.ts';

const MEBIBYTE = 1 << 20;
const range = (node: number, from: number, mebibytes: number): MemoryRange => ({
  node,
  base: from * MEBIBYTE,
  bytes: mebibytes * MEBIBYTE,
});

/** What happens: frames are taken and given back, a block goes and comes back. */
const happening = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('allocate' as const), order: fc.nat(6) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('release' as const), which: fc.nat(1000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('give' as const), mebibytes: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('take' as const), which: fc.nat(1000) }) },
);

it('hands out each frame once, whatever comes and goes; what has come back is one piece with what it was cut from', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 120 }), list => {
      const frames = new FrameAllocator([range(0, 64, 8), range(1, 128, 8)]);
      const used = new Map<Pfn, number>();
      const away: MemoryRange[] = [];
      for (const each of list) {
        switch (each.kind) {
          case 'allocate': {
            if (frames.free < 1 << each.order) break;
            let first: Pfn;
            try {
              first = frames.allocate(each.order);
            } catch {
              break;
            }
            for (let pfn = first; pfn < first + (1 << each.order); pfn++) {
              expect(used.has(pfn)).toBe(false);
              used.set(pfn, 1);
            }
            break;
          }
          case 'release': {
            const pfn = [...used.keys()][each.which % Math.max(1, used.size)];
            if (pfn !== undefined && used.delete(pfn)) frames.release(pfn);
            break;
          }
          case 'give': {
            const block = frames.leastUsed(each.mebibytes * MEBIBYTE, null);
            if (block === null || frames.usedIn(block).length > 0) break;
            frames.remove(block, () => undefined);
            away.push(block);
            break;
          }
          case 'take': {
            const [block] = away.splice(each.which % Math.max(1, away.length), 1);
            if (block !== undefined) frames.add(block);
          }
        }
        const gone = away.reduce((sum, { bytes }) => sum + bytes, 0) / PAGE_SIZE;
        expect(frames.total).toBe((16 * MEBIBYTE) / PAGE_SIZE - gone);
        expect(frames.free).toBe(frames.total - used.size);
        for (const pfn of used.keys()) expect(frames.references(pfn)).toBe(1);
      }
      for (const block of away) frames.add(block);
      for (const pfn of used.keys()) frames.release(pfn);
      for (const node of [0, 1]) expect(frames.leastUsed(8 * MEBIBYTE, node)?.bytes).toBe(8 * MEBIBYTE);
    }),
    { seed: 1, numRuns: 150 },
  );
});
