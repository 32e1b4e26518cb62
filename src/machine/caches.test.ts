/** The model of caches: what is near costs little, what is far costs what the distance says, and a wait can be interrupted. */
import { describe, expect, it } from 'vitest';
import { Caches } from './caches.ts';
import { MEMORY_COSTS } from './costs.ts';
import { Bench, Pte, USER_RWX } from './hart/harness.ts';
import { ExitKind, SAMPLED_ONE_IN } from './hart/hart.ts';
import { encode } from './hart/isa/encode.ts';
import { SAMPLED_BITS } from './hart/layout.ts';
import { memoryMap } from './layout.ts';
import { preset } from './topology/presets.ts';

const LINE = 64 * SAMPLED_ONE_IN;
const { secondLevel, thirdLevel, memoryPerDistance } = MEMORY_COSTS;

describe('the caches of an Opteron', () => {
  const topology = preset('opteron-6274');
  const { nodes } = memoryMap(topology);
  const fresh = () => new Caches(topology, nodes);
  /** The followed line of this number on a node. */
  const line = (node: number, i = 0): number => (nodes[node]?.base ?? 0) + i * LINE;
  const each = (cost: number): number => cost / SAMPLED_ONE_IN;

  it('have a line after the first access; before, it comes from memory at the distance that the firmware tells', () => {
    const miss = fresh().missOf(0);
    for (const node of [0, 1, 7]) {
      expect(each(miss(line(node)))).toBe((topology.distances[0]?.[node] ?? 0) * memoryPerDistance.value);
      expect(each(miss(line(node)))).toBe(secondLevel.value);
    }
  });
  it('are shared as the topology says: the second level by pairs, the third by a node', () => {
    const caches = fresh();
    const [zero, one, two, eight] = [0, 1, 2, 8].map(core => caches.missOf(core)) as ((at: number) => number)[];
    zero?.(line(0));
    expect(each(one?.(line(0)) ?? 0)).toBe(secondLevel.value);
    expect(each(two?.(line(0)) ?? 0)).toBe(thirdLevel.value);
    expect(each(eight?.(line(0)) ?? 0)).toBe(16 * memoryPerDistance.value);
  });
  it('hold as much as they are large', () => {
    const rounds = (bytes: number): number => {
      const miss = fresh().missOf(0);
      const walk = (): number => Array.from({ length: bytes / LINE }, (_, i) => each(miss(line(0, i)))).reduce((a, b) => a + b);
      walk();
      return walk() / (bytes / LINE);
    };
    expect(rounds(1 << 20)).toBe(secondLevel.value);
    expect(rounds(4 << 20)).toBe(thirdLevel.value);
    expect(rounds(32 << 20)).toBe(10 * memoryPerDistance.value);
  });
});

describe('a hart that waits for memory', () => {
  const CODE = 0x10000;
  const DATA = 0x20000;
  const WAIT = 5000;
  function machine(threshold: number): Bench {
    const bench = new Bench({ threshold, miss: () => WAIT });
    let frame = bench.frame();
    while (frame % 16 !== SAMPLED_BITS >>> 12) frame = bench.frame();
    bench.code(bench.map(CODE) * 4096, [
      encode('ld', { rd: 10, rs1: 8 }),
      encode('addi', { rd: 11, rs1: 11, imm: 1 }),
      encode('ld', { rd: 10, rs1: 8 }),
      encode('ebreak'),
    ]);
    bench.map(DATA, 1, undefined, frame);
    bench.hart.pc = CODE;
    bench.hart.setX(8, DATA + (SAMPLED_BITS % 4096));
    return bench;
  }
  it.each([0, 1])('waits once for a line, and is as long about it however it is cut (threshold %i)', threshold => {
    const times = [100_000, 700, 64, 1].map(piece => {
      const { hart } = machine(threshold);
      let time = 0;
      for (let exit: ExitKind = ExitKind.Fuel; exit === ExitKind.Fuel; time += hart.consumed) exit = hart.run(piece);
      return time;
    });
    expect(new Set(times).size).toBe(1);
    expect(times[0]).toBeGreaterThan(WAIT);
    expect(times[0]).toBeLessThan(WAIT + 100);
  });
  it('can be interrupted meanwhile: a run of some cycles takes these', () => {
    const { hart } = machine(0);
    expect([hart.run(1000), hart.consumed, hart.retired]).toEqual([ExitKind.Fuel, 1000, 1]);
    expect([hart.run(1000), hart.consumed, hart.retired]).toEqual([ExitKind.Fuel, 1000, 0]);
    expect(hart.x(11)).toBe(0);
  });

  it.each([0, 1])(
    'meets each followed line in memory that lies in one piece, and where a page is taken out of it (threshold %i)',
    threshold => {
      const pages = 20;
      let misses = 0;
      const bench = new Bench({
        threshold,
        miss: () => {
          misses++;
          return 0;
        },
      });
      let frame = bench.frame();
      while (frame % 16 !== (SAMPLED_BITS >>> 12) - 1) frame = bench.frame();
      bench.map(DATA, pages, USER_RWX | Pte.A | Pte.D, frame);
      bench.code(bench.map(CODE) * 4096, [
        encode('ld', { rd: 10, rs1: 8 }),
        encode('sd', { rs1: 8, rs2: 10 }),
        encode('addi', { rd: 8, rs1: 8, imm: 8 }),
        encode('bne', { rs1: 8, rs2: 9, imm: -12 }),
        encode('ebreak'),
      ]);
      const { hart } = bench;
      const pass = (): ExitKind => {
        hart.pc = CODE;
        hart.setX(8, DATA);
        hart.setX(9, DATA + pages * 4096);
        return hart.run(1_000_000);
      };
      expect([pass(), pass(), pass()]).toEqual([ExitKind.Ebreak, ExitKind.Ebreak, ExitKind.Ebreak]);
      // Two followed lines, of which each drives out the other.
      expect(misses).toBe(6);
      bench.setPte(bench.pte(DATA + 7 * 4096), 0, 0);
      hart.flushTlb(DATA + 7 * 4096);
      expect([pass(), hart.faultAddress]).toEqual([ExitKind.PageFault, DATA + 7 * 4096]);
    },
  );
});
