/**
 * Random programs run on two machines side by side, one that interprets and one that translates whatever it jumps to, cut into pieces of
 * random fuel. After every piece both must have the same registers, counters and faults, and at times the same memory.
 *
 * A program is a few hundred instructions from the whole table on three pages, with loops, calls, returns and jumps by register; it loads
 * and stores around the boundary of two pages, at wild addresses, and over itself. Between the pieces happens what a kernel does:
 * faults are stepped over, pages lose rights and get them back, code is rewritten, TLBs are flushed, another hart has its turn.
 */
import { Bench, Pte, USER_RWX } from '../harness.ts';
import { Access, ExitKind } from '../hart.ts';
import { SAMPLED_BITS, state } from '../layout.ts';
import { compressedInstructions, expand } from '../isa/compressed.ts';
import { decode } from '../isa/decode.ts';
import { encode } from '../isa/encode.ts';
import { instructionNamed, instructions } from '../isa/table.ts';
import { BOUNDARY, CODE, Dice, randomCase } from './cases.ts';

const PAGE = 4096;
const CODE_PAGES = 3;
const START = CODE + PAGE - 256;
/** Where a program begins, and the code around it: low, and where an address is more than a signed word, as programs with shared libraries are. */
const PLACES = [0, 2 ** 31, 2 ** 37 + 2 ** 31 + 2 ** 20];
/** Registers that point at data, at code, and that count; rarely written otherwise. */
const [DATA_1, DATA_2, CODE_1, SP] = [8, 9, 20, 2];
/** From a base register to the followed line of its page. */
const OVER = 2000;
const KEPT = new Set([DATA_1, DATA_2, CODE_1, SP]);
const HARTS = 2;
/** Where a line is followed, on each of these pages. */
const FOLLOWED = [BOUNDARY + 4 * PAGE, BOUNDARY + 5 * PAGE];
const LINE = SAMPLED_BITS % PAGE;
const pool = instructions.filter(row => !['J', 'B', 'csr', 'none'].includes(row.format) && row.name !== 'jalr');
const branches = instructions.filter(row => row.format === 'B');

function halfwords(word: number): number[] {
  return (word & 3) === 3 ? [word & 0xffff, word >>> 16] : [word & 0xffff];
}

/** Code as halfwords; jumps go to where instructions begin, mostly. */
function randomCode(dice: Dice, place: number): number[] {
  const count = 60 + dice.below(300);
  const register = (): number => {
    const rd = dice.below(32);
    return KEPT.has(rd) && dice.below(40) !== 0 ? 5 + dice.below(3) : rd;
  };
  // Lengths first, so that jumps know where to go.
  type Make = (at: number, starts: readonly number[]) => number;
  const makes: { length: 2 | 4; make: Make }[] = [];
  const target = (at: number, starts: readonly number[], near: boolean): number => {
    const own = starts.indexOf(at);
    const to = near ? starts[Math.max(0, Math.min(starts.length - 1, own + dice.below(24) - 14))] : dice.of(starts);
    return (to ?? at) - at;
  };
  const plain = (): number => {
    const row = dice.of(pool);
    const fields = {
      rd: register(),
      rs1: dice.below(32),
      rs2: dice.below(32),
      rs3: dice.below(32),
      rm: dice.of([0, 7, 7, 7, 1, 2, 3, 4]),
      imm: 0,
    };
    if (row.operands[0] === 'fd') fields.rd = dice.below(32);
    fields.imm = row.format === 'U' ? dice.below(2 ** 32) & ~4095 : dice.below(4096) - 2048;
    if (row.format === 'shift5') fields.imm &= 31;
    if (row.format === 'shift6') fields.imm &= 63;
    if (row.operands.includes('imm(rs1)')) {
      const wild = dice.below(60) === 0;
      const size = { b: 1, h: 2, w: 4, d: 8 }[row.name.replace(/u$/, '').at(-1) ?? 'd'] ?? 8;
      fields.rs1 = wild ? dice.below(32) : dice.below(50) === 0 ? CODE_1 : dice.of([DATA_1, DATA_1, DATA_2, SP]);
      // Some go over to the next page, and to the line that is followed there.
      fields.imm =
        dice.below(4) === 0 ? dice.of([OVER + 8 * dice.below(8), OVER + dice.below(64), -400 - dice.below(100)]) : dice.below(300) - 150;
      if (dice.below(8) !== 0) fields.imm -= fields.imm % size;
    }
    if (row.operands.includes('(rs1)')) fields.rs1 = dice.below(30) === 0 ? dice.below(32) : dice.of([DATA_1, DATA_2]);
    return encode(row, fields);
  };
  for (let i = 0; i < count; i++) {
    const kind = dice.below(100);
    if (kind < 14) {
      const row = dice.of(branches);
      const [rs1, rs2] = [dice.below(32), dice.below(32)];
      makes.push({ length: 4, make: (at, starts) => encode(row, { rs1, rs2, imm: target(at, starts, true) }) });
    } else if (kind < 17) {
      const rd = dice.of([0, 1, 1]);
      makes.push({ length: 4, make: (at, starts) => encode('jal', { rd, imm: target(at, starts, dice.below(2) === 0) }) });
    } else if (kind < 20) {
      makes.push({
        length: 4,
        make: () => encode('jalr', { rd: dice.of([0, 0, 1]), rs1: dice.of([1, 1, 1, CODE_1, 5]), imm: dice.of([0, 0, 8]) }),
      });
    } else if (kind < 22) {
      // Somewhere to jump to by register.
      makes.push({
        length: 4,
        make: (at, starts) => encode('addi', { rd: CODE_1, rs1: CODE_1, imm: Math.max(-2000, Math.min(2000, dice.of(starts) - at)) }),
      });
    } else if (kind < 24) {
      makes.push({
        length: 4,
        make: () =>
          encode(dice.of(['csrrs', 'csrrw', 'csrrc', 'csrrwi']), {
            rd: register(),
            rs1: dice.below(32),
            imm: dice.of([1, 2, 3, 0xc00, 0xc02]),
          }),
      });
    } else if (kind < 25) {
      makes.push({ length: 4, make: () => encode(dice.of(['ecall', 'ebreak', 'fence', 'fence.i'])) });
    } else if (kind < 45) {
      makes.push({ length: 2, make: () => randomCompressed(dice) });
    } else {
      const word = plain();
      makes.push({ length: 4, make: () => word });
    }
  }
  const starts: number[] = [];
  let at = START + place;
  for (const { length } of makes) {
    starts.push(at);
    at += length;
  }
  return makes.flatMap(({ make }, i) => halfwords(make(starts[i] as number, starts)));
}

/** None that jumps, or writes a kept register. */
function randomCompressed(dice: Dice): number {
  for (;;) {
    const row = dice.of(compressedInstructions);
    const half = (row.match | (dice.below(65536) & ~row.mask)) & 0xffff;
    const decoded = decode(expand(half));
    if (!decoded || decoded.row.format === 'B' || decoded.row.format === 'J' || decoded.row.cost === 'jump') continue;
    if (KEPT.has(decoded.rd) && decoded.row.operands[0] === 'rd') continue;
    return half;
  }
}

class Machine {
  readonly bench: Bench;
  readonly codeAt: number;
  /** Of the program that runs. */
  place = 0;
  readonly #data: readonly number[];
  /** Lines that the first-level cache had not. */
  misses = 0;
  constructor(threshold: number, codeBytes = 0) {
    // Some cost nothing, some as much as many pieces of fuel.
    const miss = (physical: number): number => {
      this.misses++;
      return ((physical >>> 16) % 4) * 1000;
    };
    this.bench = new Bench({ threshold, codeBytes, miss });
    const frames = this.bench.map(CODE, CODE_PAGES);
    this.codeAt = frames * PAGE;
    for (const place of PLACES) this.bench.map(CODE + place, CODE_PAGES, undefined, frames);
    const followed = (): number => {
      let frame = this.bench.frame();
      while (frame % 16 !== SAMPLED_BITS >>> 12) frame = this.bench.frame();
      return frame;
    };
    // Contiguous in both spaces, but for the followed line on the second of them.
    const frame = followed();
    this.#data = [this.bench.map(BOUNDARY, 1, undefined, frame) * PAGE, this.bench.map(BOUNDARY - PAGE, 1, undefined, frame - 1) * PAGE];
    // Two more pages on which lines are followed.
    for (const page of FOLLOWED) this.bench.map(page, 1, undefined, followed());
  }

  /** Every hart with the same code and its own registers. */
  start(
    place: number,
    code: readonly number[],
    states: readonly { readonly x: readonly bigint[]; readonly f: readonly bigint[]; readonly fcsr: number }[],
  ): void {
    const { bench } = this;
    this.place = place;
    // Pages that have both go on in one another.
    const marks = states[0]?.fcsr === 1 ? Pte.A | Pte.D : 0;
    for (let page = 0; page < CODE_PAGES; page++) bench.setPte(bench.pte(CODE + place + page * PAGE), this.codeAt / PAGE + page, USER_RWX);
    for (const [i, at] of this.#data.entries()) {
      bench.setPte(bench.pte(BOUNDARY - i * PAGE), at / PAGE, USER_RWX | marks);
      bench.bytes.fill(0, at, at + PAGE);
    }
    bench.bytes.fill(0, this.codeAt, this.codeAt + CODE_PAGES * PAGE);
    for (let page = 0; page < CODE_PAGES; page++) bench.processor.invalidateFrame(this.codeAt / PAGE + page);
    bench.code(this.codeAt + START - CODE, code);
    for (const [i, { x, f, fcsr }] of states.entries()) {
      const hart = bench.harts[i];
      if (!hart) continue;
      x.forEach((value, register) => {
        hart.setXBig(register, value);
      });
      f.forEach((value, register) => {
        hart.setF(register, value);
      });
      hart.fcsr = fcsr;
      hart.pc = START + place;
      hart.setTime(1000);
      hart.setInstructions(0);
      hart.breakReservation();
      hart.flushTlb();
      bench.view.setUint32(hart.base + state.line, 0, true);
    }
  }

  /** What a piece led to, as text. */
  run(who: number, fuel: number): string {
    const hart = this.bench.harts[who];
    if (!hart) throw new Error('no such hart');
    const kind = hart.run(fuel);
    const { pc } = hart;
    const told = [kind, pc.toString(16), hart.consumed, hart.retired, hart.fcsr];
    if (kind === ExitKind.PageFault || kind === ExitKind.Misaligned) told.push(hart.faultAddress, hart.faultAccess);
    // As a kernel that answers each trap by going on: behind the instruction, or, where there is none, at the beginning.
    if (kind !== ExitKind.Fuel) {
      const at = hart.physical(pc, Access.Fetch);
      hart.pc = at < 0 ? START + this.place : pc + ((this.bench.view.getUint16(at, true) & 3) === 3 ? 4 : 2);
    }
    return told.join(' ');
  }
  get memory(): Uint8Array {
    return this.bench.bytes.subarray(this.bench.root * PAGE);
  }
}

export interface Difference {
  readonly seed: number;
  readonly piece: number;
  readonly what: string;
}

export class SideBySide {
  readonly #interpreted = new Machine(0);
  readonly #translated: Machine;
  /** Pieces, and instructions, that were compared. */
  pieces = 0;
  instructions = 0;

  /** @param codeBytes as the translator has it */
  constructor(codeBytes = 0) {
    this.#translated = new Machine(1, codeBytes);
  }

  /** How often a line was not in the first-level cache. */
  get misses(): number {
    return this.#interpreted.misses;
  }

  /** What translated code there is now. */
  get statistics() {
    return this.#translated.bench.processor.translations;
  }

  /** One program; the same for the same seed. The machines keep what earlier ones left in their caches. */
  run(seed: number): Difference | null {
    const dice = new Dice(seed);
    const both = [this.#interpreted, this.#translated] as const;
    const place = dice.of(PLACES);
    const states = Array.from({ length: HARTS }, () => {
      const { x, f, fcsr } = randomCase(instructionNamed('add'), dice);
      const own = [...x];
      own[DATA_1] = BigInt(BOUNDARY + dice.of([0, 64, 128, LINE - OVER, LINE - OVER]));
      own[DATA_2] = BigInt(BOUNDARY - 160 + 8 * dice.below(4));
      own[SP] = BigInt(dice.below(2) ? BOUNDARY + 1024 : (FOLLOWED[0] as number) + LINE);
      if (dice.below(3) === 0) own[DATA_2] = BigInt((FOLLOWED[1] as number) + LINE + 8 * dice.below(4));
      own[CODE_1] = own[1] = BigInt(START + place + 64);
      return { x: own, f, fcsr: dice.below(2) ? 1 : fcsr };
    });
    const code = randomCode(dice, place);
    for (const machine of both) machine.start(place, code, states);
    const pieces = 20 + dice.below(40);
    for (let piece = 0; piece < pieces; piece++) {
      const who = dice.below(4) === 0 ? 1 : 0;
      const fuel = dice.of([1, 2, 5, 1 + dice.below(60), 1 + dice.below(2000), 5000]);
      const [a, b] = both.map(machine => machine.run(who, fuel)) as [string, string];
      this.pieces++;
      this.instructions += both[0].bench.harts[who]?.retired ?? 0;
      const found = (what: string): Difference => ({ seed, piece, what });
      if (a !== b) return found(`interpreted: ${a}; translated: ${b}`);
      const [one, other] = both.map(machine => machine.bench.harts[who]?.regs ?? new Uint8Array()) as [Uint8Array, Uint8Array];
      const register = one.findIndex((byte, i) => byte !== other[i]);
      if (register >= 0) return found(`byte ${register} of the state: ${one[register]}; translated: ${other[register]}`);
      if (piece % 8 === 7 || piece === pieces - 1) {
        const at =
          Buffer.compare(both[0].memory, both[1].memory) === 0 ? -1 : both[0].memory.findIndex((byte, i) => byte !== both[1].memory[i]);
        if (at >= 0) return found(`memory at ${at.toString(16)}: ${both[0].memory[at]}; translated: ${both[1].memory[at]}`);
      }
      this.#meddle(dice, both);
    }
    return null;
  }

  #meddle(dice: Dice, both: readonly Machine[]): void {
    const what = dice.below(24);
    const start = CODE + (both[0]?.place ?? 0);
    const page = dice.of([start, start + PAGE, start + 2 * PAGE, BOUNDARY, BOUNDARY - PAGE]);
    const rights = dice.of([0, Pte.W, Pte.X, Pte.R | Pte.W, Pte.V]);
    const at = dice.below(CODE_PAGES * PAGE - 8) & ~1;
    const word = encode(dice.of(pool), { rd: 5, rs1: dice.below(32), rs2: dice.below(32), imm: 4 });
    for (const { bench, codeAt } of both) {
      const entry = bench.pte(page);
      const frame = bench.view.getUint32(entry, true) >>> 10;
      if (what < 3) {
        bench.setPte(entry, frame, USER_RWX & ~rights);
        for (const hart of bench.harts) hart.flushTlb(what === 0 ? undefined : page);
      } else if (what < 8) {
        for (const each of [start, start + PAGE, start + 2 * PAGE, BOUNDARY, BOUNDARY - PAGE]) {
          const own = bench.pte(each);
          bench.setPte(own, bench.view.getUint32(own, true) >>> 10, USER_RWX);
        }
        for (const hart of bench.harts) hart.flushTlb();
      } else if (what === 8) {
        bench.code(codeAt + at, [word]);
      } else if (what === 9) {
        bench.processor.breakReservations();
      } else if (what === 11) {
        // The first-level cache loses what it has.
        for (const hart of bench.harts) bench.view.setUint32(hart.base + state.line, 0, true);
      } else if (what === 10) {
        // The same code in another frame.
        const next = codeAt / PAGE + ((page / PAGE) % CODE_PAGES);
        bench.processor.invalidateFrame(next);
      }
    }
  }
}
