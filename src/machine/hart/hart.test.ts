/** A hart as the kernel uses it: fuel, counters, registers, reservations. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { Bench } from './harness.ts';
import { ARCH_STATE_BYTES, ExitKind, type Hart } from './hart.ts';
import { encode } from './isa/encode.ts';
import { instructions } from './isa/table.ts';
import { BOUNDARY, CODE, Dice, randomCase, WINDOW } from './oracle/cases.ts';

const A0 = 10;
const A1 = 11;
const A2 = 12;
const EBREAK = encode('ebreak');
const LOOP = 31;

interface Program {
  readonly words: readonly number[];
  readonly x: readonly bigint[];
  readonly f: readonly bigint[];
}

/**
 * A loop of random instructions: arithmetic, loads and stores all over the window (across its two pages too), atomics, floating
 * point, short branches, and reads of the counters. Ends in ebreak.
 */
function programFrom(seed: number): Program {
  const dice = new Dice(seed);
  const pool = instructions.filter(row => row.operands.length > 0 && !['J', 'B', 'csr'].includes(row.format) && row.name !== 'jalr');
  const words: number[] = [];
  // x8 and x9 point at the window and are put back before each use; x31 counts; no other instruction writes them.
  const untouched = (rd: number) => (rd === 8 || rd === 9 || rd === LOOP ? 5 : rd);
  for (let i = 0; i < 40; i++) {
    if (dice.below(6) === 0)
      words.push(encode(dice.of(['beq', 'bne', 'blt', 'bgeu']), { rs1: dice.below(32), rs2: dice.below(32), imm: 8 }));
    if (dice.below(12) === 0) words.push(encode('csrrs', { rd: untouched(dice.below(32)), imm: dice.of([1, 2, 3, 0xc00, 0xc02]) }));
    const row = dice.of(pool);
    const fields = {
      rd: untouched(dice.below(32)),
      rs1: dice.below(32),
      rs2: dice.below(32),
      rs3: dice.below(32),
      rm: dice.below(5),
      imm: dice.below(2 ** 31),
    };
    if (row.format === 'U') fields.imm = dice.below(2 ** 32) & ~4095;
    else if (row.operands.includes('imm(rs1)')) {
      fields.rs1 = 8;
      fields.imm = dice.below(2000) - 1000;
    } else fields.imm &= 31;
    if (row.operands.includes('(rs1)')) fields.rs1 = 9;
    const writesFloat = row.operands[0] === 'fd';
    words.push(encode(row, { ...fields, rd: writesFloat ? dice.below(32) : fields.rd }));
  }
  const back = -4 * (words.length + 1);
  words.push(encode('addi', { rd: LOOP, rs1: LOOP, imm: -1 }), encode('bne', { rs1: LOOP, imm: back }), EBREAK);
  const { x, f } = randomCase(dice.of(pool), dice);
  const own = [...x];
  own[8] = BigInt(BOUNDARY);
  own[9] = BigInt(BOUNDARY - 16);
  own[LOOP] = 6n;
  return { words, x: own, f };
}

describe.each([
  ['interpreted', 0],
  ['translated', 1],
])('%s', (_, threshold) => {
  /** One machine runs them all, so what earlier ones left in its caches is part of the test. */
  class Runner {
    readonly #bench = new Bench({ threshold });
    readonly #code = this.#bench.map(CODE) * 4096;
    readonly #upper = this.#bench.map(BOUNDARY) * 4096;
    readonly #lower = this.#bench.map(BOUNDARY - 4096) * 4096;

    /** Runs it to its end, each piece with the fuel that `next` gives; `between` happens after each piece. */
    finish(program: Program, next: () => number, between: (bench: Bench) => void = () => {}) {
      const bench = this.#bench;
      const { hart } = bench;
      for (const page of [this.#lower, this.#upper]) bench.bytes.fill(0, page, page + 4096);
      bench.code(this.#code, program.words);
      program.x.forEach((value, i) => {
        hart.setXBig(i, value);
      });
      program.f.forEach((value, i) => {
        hart.setF(i, value);
      });
      hart.fcsr = 0;
      hart.pc = CODE;
      hart.setTime(1000);
      hart.setInstructions(0);
      hart.breakReservation();
      let cycles = 0;
      let count = 0;
      for (;;) {
        const fuel = next();
        const kind = hart.run(fuel);
        cycles += hart.consumed;
        count += hart.retired;
        if (kind === ExitKind.Fuel) {
          if (hart.consumed < fuel) throw new Error(`${hart.consumed} of ${fuel} cycles used`);
          between(bench);
          continue;
        }
        return {
          kind,
          cycles,
          count,
          regs: hart.regs.slice(),
          memory: [
            ...bench.bytes.slice(this.#lower + 4096 - WINDOW, this.#lower + 4096),
            ...bench.bytes.slice(this.#upper, this.#upper + WINDOW),
          ].join(),
        };
      }
    }
  }

  describe('fuel', () => {
    const runner = new Runner();
    test('pieces of any size lead to the same state after the same cycles as one piece', () => {
      fc.assert(
        fc.property(fc.integer(), fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }), (seed, fuels) => {
          const program = programFrom(seed);
          const whole = runner.finish(program, () => 2 ** 31 - 1);
          expect(whole.kind).toBe(ExitKind.Ebreak);
          let i = 0;
          expect(runner.finish(program, () => fuels[i++ % fuels.length] ?? 1)).toEqual(whole);
        }),
        { numRuns: threshold === 0 ? 1000 : 60 },
      );
    });
    test('nor does it matter when caches are lost', () => {
      fc.assert(
        fc.property(fc.integer(), fc.integer({ min: 1, max: 60 }), (seed, fuel) => {
          const program = programFrom(seed);
          const whole = runner.finish(program, () => 2 ** 31 - 1);
          const pieces = runner.finish(
            program,
            () => fuel,
            bench => {
              bench.hart.flushTlb();
              for (let frame = 0; frame < bench.bytes.length / 4096; frame++) bench.processor.invalidateFrame(frame);
            },
          );
          expect(pieces).toEqual(whole);
        }),
        { numRuns: threshold === 0 ? 200 : 20 },
      );
    });
    test('the last instruction is done to its end; no fuel, no instruction', () => {
      const bench = new Bench({ threshold });
      const { hart } = bench;
      bench.code(bench.map(CODE) * 4096, [encode('div', { rd: A0, rs1: A1, rs2: A2 }), encode('addi', { rd: A0, imm: 1 }), EBREAK]);
      hart.pc = CODE;
      expect(hart.run(0)).toBe(ExitKind.Fuel);
      expect([hart.pc, hart.consumed, hart.retired]).toEqual([CODE, 0, 0]);
      expect(hart.run(1)).toBe(ExitKind.Fuel);
      expect([hart.pc, hart.consumed, hart.retired]).toEqual([CODE + 4, 20, 1]);
      expect(hart.run(1)).toBe(ExitKind.Fuel);
      expect([hart.pc, hart.consumed, hart.retired]).toEqual([CODE + 8, 1, 1]);
      expect(hart.run(2 ** 40)).toBe(ExitKind.Ebreak);
      expect([hart.pc, hart.consumed, hart.retired]).toEqual([CODE + 8, 0, 0]);
    });
  });

  describe('with a page of code', () => {
    let bench: Bench;
    let hart: Hart;
    let other: Hart;
    let code: number;
    beforeEach(() => {
      bench = new Bench({ threshold });
      [hart, other] = bench.harts as [Hart, Hart];
      code = bench.map(CODE) * 4096;
      bench.map(BOUNDARY);
    });
    function run(who: Hart, ...words: number[]): ExitKind {
      bench.code(code, [...words, EBREAK]);
      who.pc = CODE;
      return who.run(1000);
    }

    test('the counters tell time and instructions as of the beginning of the instruction that reads them', () => {
      hart.setTime(5_000_000_000);
      run(
        hart,
        encode('mul'),
        encode('csrrs', { rd: A0, imm: 0xc00 }),
        encode('csrrs', { rd: A1, imm: 0xc02 }),
        encode('csrrs', { rd: A2, imm: 0xc01 }),
      );
      expect([hart.x(A0), hart.x(A1), hart.x(A2)]).toEqual([5_000_000_003, 2, 5_000_000_011]);
      run(hart, encode('csrrs', { rd: A0, imm: 0xc00 }));
      expect(hart.x(A0)).toBe(5_000_000_015);
    });

    test('ecall and ebreak leave pc on themselves', () => {
      expect(run(hart, encode('addi'), encode('ecall'))).toBe(ExitKind.Ecall);
      expect([hart.pc, hart.retired]).toEqual([CODE + 4, 1]);
    });

    test('registers, as numbers and as bits', () => {
      for (const value of [0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32 + 5, -(2 ** 40) - 3, 2 ** 52, -(2 ** 53)]) {
        hart.setX(A0, value);
        expect(hart.x(A0)).toBe(value);
        expect(hart.xBig(A0)).toBe(BigInt(value));
      }
      hart.setXBig(A0, 2n ** 64n - 1n);
      expect([hart.xBig(A0), hart.x(A0)]).toEqual([-1n, -1]);
      hart.setX(0, 5);
      hart.setXBig(0, 5n);
      expect(hart.xBig(0)).toBe(0n);
      hart.setF(3, 0xfff0000000000001n);
      expect(hart.f(3)).toBe(0xfff0000000000001n);
      hart.fcsr = 0x1ff;
      expect(hart.fcsr).toBe(0xff);
      hart.pc = 2 ** 38 - 4096;
      expect(hart.pc).toBe(2 ** 38 - 4096);
    });

    test('a task’s registers go to another hart', () => {
      hart.setX(A0, -7);
      hart.setF(31, 5n);
      hart.pc = CODE;
      hart.fcsr = 0x63;
      const saved = new Uint8Array(ARCH_STATE_BYTES);
      hart.saveTo(saved);
      other.restoreFrom(saved);
      expect([other.x(A0), other.f(31), other.pc, other.fcsr]).toEqual([-7, 5n, CODE, 0x63]);
      expect(other.regs).toEqual(hart.regs);
    });

    describe('LR and SC', () => {
      const lr = encode('lr.d', { rd: A1, rs1: A0 });
      const sc = encode('sc.d', { rd: A2, rs1: A0, rs2: A0 });
      const sd = (imm = 0) => encode('sd', { rs1: A0, rs2: A1, imm });
      const succeeded = () => hart.x(A2) === 0;
      beforeEach(() => {
        for (const each of bench.harts) each.setX(A0, BOUNDARY);
        hart.setX(A2, 77);
      });

      test('SC after LR stores, once', () => {
        run(hart, lr, sc);
        expect(succeeded()).toBe(true);
        expect(hart.physical(BOUNDARY, 1)).toBeGreaterThan(0);
        expect(Number(bench.view.getBigUint64(hart.physical(BOUNDARY, 1), true))).toBe(BOUNDARY);
        run(hart, sc);
        expect(succeeded()).toBe(false);
      });
      test('SC without LR, or to another address, fails and stores nothing', () => {
        run(hart, sc);
        expect(hart.x(A2)).toBe(1);
        hart.setX(A2, 77);
        run(hart, lr, encode('addi', { rd: A0, rs1: A0, imm: 8 }), sc);
        expect(hart.x(A2)).toBe(1);
        expect(bench.view.getBigUint64(hart.physical(BOUNDARY + 8, 1), true)).toBe(0n);
        hart.setX(A0, BOUNDARY);
        run(hart, sc);
        expect(succeeded()).toBe(false);
      });
      test('a reservation outlives the end of the fuel', () => {
        bench.code(code, [lr, sc, EBREAK]);
        hart.pc = CODE;
        hart.run(1);
        other.pc = CODE + 8;
        other.run(1);
        hart.run(100);
        expect(succeeded()).toBe(true);
      });
      test('another hart’s store into the line ends it; one beside it does not', () => {
        for (const [offset, ends] of [
          [0, true],
          [56, true],
          [60, true],
          [-4, true],
          [-8, false],
          [64, false],
          [1024, false],
        ] as const) {
          hart.setX(A0, BOUNDARY + 2048);
          other.setX(A0, BOUNDARY + 2048);
          // The other hart has the page in its TLB already.
          run(other, sd(512));
          run(hart, lr);
          run(other, sd(offset));
          run(hart, sc);
          expect(succeeded(), `${offset}`).toBe(!ends);
        }
      });
      test('so does another’s atomic, and another’s SC', () => {
        run(hart, lr);
        run(other, encode('amoadd.w', { rs1: A0, rs2: A1 }));
        run(hart, sc);
        expect(succeeded()).toBe(false);
        run(hart, lr);
        run(other, lr, sc);
        run(hart, sc);
        expect(succeeded()).toBe(false);
      });
      test('a store through another mapping of the frame ends it too', () => {
        bench.map(BOUNDARY + 8192, 1, undefined, hart.physical(BOUNDARY, 2) / 4096);
        run(hart, lr);
        other.setX(A0, BOUNDARY + 8192);
        run(other, sd());
        run(hart, sc);
        expect(succeeded()).toBe(false);
      });
      test('its own stores do not', () => {
        run(hart, lr, sd(), sc);
        expect(succeeded()).toBe(true);
      });
      test('the kernel ends it: for one hart, for all, by another task’s registers', () => {
        const ends = [() => hart.breakReservation(), () => bench.processor.breakReservations(), () => hart.restoreFrom(hart.regs.slice())];
        for (const end of ends) {
          run(hart, lr);
          end();
          run(hart, sc);
          expect(succeeded()).toBe(false);
        }
      });
      test('the page means another frame now: SC fails', () => {
        run(hart, lr);
        bench.map(BOUNDARY);
        run(hart, sc);
        expect(succeeded()).toBe(false);
      });
    });
  });
});
