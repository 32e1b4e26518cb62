/** Encodings: the table read forwards and backwards, and what is no instruction. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bench } from './harness.ts';
import { ExitKind } from './hart.ts';
import { compressedInstructions, expand } from './isa/compressed.ts';
import { decode } from './isa/decode.ts';
import { encode } from './isa/encode.ts';
import type { Format } from './isa/instruction.ts';
import { instructionNamed, instructions } from './isa/table.ts';

const CODE = 0x10000;

/** Words that are no instruction of RV64GC, with the reason. */
const illegal: readonly (readonly [reason: string, word: number])[] = [
  ['all zeros', 0x0000],
  ['all ones', 0xffffffff],
  ['c.addi4spn of nothing', 0x0004],
  ['the reserved row of quadrant 0', 0x8000],
  ['c.addiw to x0', 0x2005],
  ['c.addi16sp of nothing', 0x6101],
  ['c.lui of nothing', 0x6281],
  ['reserved beside c.addw', 0x9c41],
  ['c.lwsp to x0', 0x4002],
  ['c.ldsp to x0', 0x6002],
  ['c.jr to x0', 0x8002],
  ['slliw by more than 31', 0x0210109b],
  ['slli with funct6 of none', 0x08109093],
  ['a load of 128 bits', 0x0000f083],
  ['a branch with funct3 2', 0x00002063],
  ['lr.w with a second source', 0x1011a0af],
  ['an atomic of 16 bits', 0x0031912f],
  ['fadd.s with rounding mode 5', encode('fadd.s', { rm: 5 })],
  ['fcvt.d.w with rounding mode 6', encode('fcvt.d.w', { rm: 6 })],
  ['fadd.h', 0x04000053],
  ['fadd.q', 0x06000053],
  ['fsqrt.s with a second source', 0x58100053],
  ['sret', 0x10200073],
  ['mret', 0x30200073],
  ['wfi', 0x10500073],
  ['sfence.vma', 0x12000073],
  ['csrrw to the cycle counter', encode('csrrw', { imm: 0xc00, rs1: 1 })],
  ['csrrs of a register that is not there', encode('csrrs', { imm: 0x305 })],
  ['the vector extension', 0x57],
  ['an instruction of 48 bits', 0x0000001f],
];

describe('no instruction', () => {
  for (const [reason, word] of illegal) {
    test(reason, () => {
      const bench = new Bench();
      bench.code(bench.map(CODE) * 4096, [word]);
      const { hart } = bench;
      hart.pc = CODE;
      const before = hart.regs.slice();
      expect(hart.run(100)).toBe(ExitKind.IllegalInstruction);
      expect([hart.pc, hart.consumed, hart.retired]).toEqual([CODE, 0, 0]);
      expect(hart.regs).toEqual(before);
    });
  }
  test('a dynamic rounding mode that is none, whatever the operation', () => {
    const bench = new Bench();
    const code = bench.map(CODE) * 4096;
    const { hart } = bench;
    for (const row of instructions.filter(each => each.hasRounding)) {
      for (const fcsr of [0xa0, 0xc1, 0xff]) {
        bench.code(code, [encode(row, { rm: 7 })]);
        hart.pc = CODE;
        hart.fcsr = fcsr;
        expect(hart.run(1), row.name).toBe(ExitKind.IllegalInstruction);
        expect(hart.fcsr).toBe(fcsr);
      }
    }
  });
});

/** A valid immediate of the format out of any integer. */
const immediateOf: Record<Format, (n: number) => number> = {
  R: () => 0,
  R4: () => 0,
  none: () => 0,
  I: n => (n << 20) >> 20,
  S: n => (n << 20) >> 20,
  B: n => ((n << 19) >> 19) & ~1,
  J: n => ((n << 11) >> 11) & ~1,
  U: n => n & ~4095,
  shift6: n => n & 63,
  shift5: n => n & 31,
  csr: n => n & 4095,
};

test('what encode writes, decode reads', () => {
  const register = fc.nat(31);
  fc.assert(
    fc.property(
      fc.constantFrom(...instructions),
      register,
      register,
      register,
      register,
      fc.integer(),
      fc.constantFrom(0, 1, 2, 3, 4, 7),
      (row, rd, rs1, rs2, rs3, any, rm) => {
        const imm = immediateOf[row.format](any);
        const word = encode(row, { rd, rs1, rs2, rs3, imm, rm });
        const decoded = decode(word);
        expect(decoded?.row.name).toBe(row.name);
        expect(decoded?.imm).toBe(imm);
        if (row.operands.some(each => each === 'rd' || each === 'fd')) expect(decoded?.rd).toBe(rd);
        if (row.operands.some(each => each.includes('rs1') || each === 'fs1')) expect(decoded?.rs1).toBe(rs1);
        if (row.operands.some(each => each === 'rs2' || each === 'fs2')) expect(decoded?.rs2).toBe(rs2);
        if (row.operands.includes('fs3')) expect(decoded?.rs3).toBe(rs3);
        if (row.hasRounding) expect(decoded?.rm).toBe(rm);
      },
    ),
    { numRuns: 3000 },
  );
});

test('no word is two instructions', () => {
  for (const a of instructions) {
    for (const b of instructions) {
      if (a !== b) expect(((a.match ^ b.match) & a.mask & b.mask) === 0, `${a.name}, ${b.name}`).toBe(false);
    }
  }
});

test('a compressed instruction expands to a legal one, or to none', () => {
  for (let halfword = 0; halfword < 65536; halfword++) {
    if ((halfword & 3) === 3) continue;
    const word = expand(halfword);
    if (word !== 0) expect(decode(word), halfword.toString(16)).toBeDefined();
  }
  for (const row of compressedInstructions) expect(() => instructionNamed(row.name)).toThrow();
});
