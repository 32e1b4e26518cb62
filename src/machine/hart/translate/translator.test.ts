/** Translated code against the interpreter, and what becomes of it: shared, dropped, bounded. The oracle's cases are in ../oracle. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeEach, describe, expect, test } from 'vitest';
import { Bench } from '../harness.ts';
import { ExitKind } from '../hart.ts';
import { encode } from '../isa/encode.ts';
import { SideBySide } from '../oracle/programs.ts';

/** fuzz.mjs runs as many more as one likes. */
const PROGRAMS = 60;

describe('random programs, interpreted and translated, cut anywhere', () => {
  test('have the same registers, counters, faults and memory at every cut', () => {
    const both = new SideBySide();
    for (let seed = 1; seed <= PROGRAMS; seed++) expect(both.run(seed)).toBe(null);
    expect(both.instructions).toBeGreaterThan(PROGRAMS * 1000);
    expect(both.misses).toBeGreaterThan(10);
    expect(both.statistics?.functions).toBeGreaterThan(PROGRAMS);
  }, 60_000);
  test('and with so little room that translated code keeps being thrown away', () => {
    const both = new SideBySide(20_000);
    let largest = 0;
    for (let seed = 1; seed <= PROGRAMS / 3; seed++) {
      expect(both.run(seed)).toBe(null);
      largest = Math.max(largest, both.statistics?.bytes ?? 0);
    }
    // One module more than there is room for.
    expect(largest).toBeGreaterThan(10_000);
    expect(largest).toBeLessThan(80_000);
    expect(both.statistics?.modules).toBeLessThan(20);
  }, 60_000);
});

describe('a loop', () => {
  const CODE = 0x10000;
  const [A0, A1] = [10, 11];
  /** a0 += step, a1 times. */
  const loop = (step: number) => [
    encode('addi', { rd: A0, rs1: A0, imm: step }),
    encode('addi', { rd: A1, rs1: A1, imm: -1 }),
    encode('bne', { rs1: A1, imm: -8 }),
    encode('ebreak'),
  ];
  let bench: Bench;
  let code: number;
  beforeEach(() => {
    bench = new Bench({ threshold: 50 });
    code = bench.map(CODE);
    bench.code(code * 4096, loop(3));
  });
  function run(times: number, hart = bench.hart): number {
    hart.pc = CODE;
    hart.setX(A0, 0);
    hart.setX(A1, times);
    expect(hart.run(10_000_000)).toBe(ExitKind.Ebreak);
    return hart.x(A0);
  }
  const functions = () => bench.processor.translations?.functions;

  test('is translated once it is hot, and not before', () => {
    expect([run(20), functions()]).toEqual([60, 0]);
    expect([run(1000), functions()]).toEqual([3000, 1]);
    expect([run(1000), functions()]).toEqual([3000, 1]);
  });
  test('serves every hart, and every frame that holds the same bytes at the same address', () => {
    run(1000);
    const [, other] = bench.harts;
    expect(run(100_000, other)).toBe(300_000);
    const twin = bench.map(CODE);
    expect(twin).not.toBe(code);
    bench.code(twin * 4096, loop(3));
    expect(run(1000)).toBe(3000);
    expect(bench.processor.translations).toMatchObject({ functions: 1, records: 2 });
  });
  test('that is written over is another one', () => {
    run(1000);
    bench.code(code * 4096, loop(5));
    expect(bench.processor.translations?.records).toBe(0);
    expect([run(1000), functions()]).toEqual([5000, 2]);
    // The first one's bytes again: nothing has to be translated.
    bench.code(code * 4096, loop(3));
    expect([run(1000), functions()]).toEqual([3000, 2]);
  });
  test('at another address is another one', () => {
    run(1000);
    bench.map(CODE + 0x100000, 1, undefined, code);
    const { hart } = bench;
    hart.pc = CODE + 0x100000;
    hart.setX(A0, 0);
    hart.setX(A1, 1000);
    expect(hart.run(10_000_000)).toBe(ExitKind.Ebreak);
    expect([hart.x(A0), hart.pc, functions()]).toEqual([3000, CODE + 0x10000c, 2]);
    expect(run(1000)).toBe(3000);
  });
});

describe('a host that never stops meeting new code', () => {
  const CODE = 0x10000;
  const ENDLESS = 150;
  const INSTRUCTIONS = 900;
  const MEGABYTE = 2 ** 20;
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  const resident = (): number => {
    collect();
    return process.memoryUsage.rss();
  };

  test('keeps 128 MB of it, tables and the engine’s own code included', () => {
    const bench = new Bench({ threshold: 50 });
    const { hart, processor } = bench;
    const code = bench.map(CODE);
    const before = resident();
    for (let program = 0; program < ENDLESS; program++) {
      const body = Array.from({ length: INSTRUCTIONS }, (_, i) =>
        encode('addi', { rd: 5 + (i % 20), rs1: 5 + ((i * 7) % 20), imm: program }),
      );
      bench.code(code * 4096, [
        ...body,
        encode('addi', { rd: 31, rs1: 31, imm: -1 }),
        encode('bne', { rs1: 31, imm: -4 * INSTRUCTIONS - 4 }),
        encode('ebreak'),
      ]);
      hart.pc = CODE;
      hart.setX(31, 1000);
      expect(hart.run(100_000_000)).toBe(ExitKind.Ebreak);
    }
    const { modules = 0, bytes = 0 } = processor.translations ?? {};
    // All but full, and programs enough to have filled it: else nothing would have been shown.
    expect(bytes).toBeGreaterThan(MEGABYTE / 2);
    expect(bytes).toBeLessThan(5 * MEGABYTE);
    expect(modules).toBeLessThan(350);
    expect(resident() - before).toBeLessThan(128 * MEGABYTE);
  }, 60_000);
});
