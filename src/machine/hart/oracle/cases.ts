/**
 * The cases that qemu was asked about: for each row of the table, and each compressed instruction, start states and code. They are
 * made from the table by rule, the same ones every time, so what is recorded beside them (results.json) is only how each ended.
 *
 * A case is one instruction (LR/SC: two) in a state where every register holds something. Its outcome is a line of text that says
 * what changed; `outcome` writes it, for qemu and for the interpreter alike.
 */
import { compressedInstructions, expand } from '../isa/compressed.ts';
import { decode } from '../isa/decode.ts';
import { encode } from '../isa/encode.ts';
import type { Instruction } from '../isa/instruction.ts';
import { instructionNamed, instructions } from '../isa/table.ts';

/** Where code lies, and the boundary between the two pages of data; the window around it is what a case may write to. */
export const CODE = 0x10000000;
export const BOUNDARY = 0x20000000;
export const WINDOW = 2048;
/** An address where nothing is. */
const NOWHERE = 0x30000000;

export interface Case {
  readonly code: readonly number[];
  readonly pc: number;
  readonly x: readonly bigint[];
  readonly f: readonly bigint[];
  readonly fcsr: number;
}
/** How a case ended. */
export interface End {
  /** What stopped the instruction, if it did not end well: `illegal`, `ebreak`, `fault <address>`, `misaligned`. */
  readonly event: string;
  readonly pc: bigint;
  readonly x: readonly bigint[];
  readonly f: readonly bigint[];
  readonly fcsr: number;
  /** Doublewords of the window that changed, by their offset. */
  readonly memory: readonly (readonly [offset: number, value: bigint])[];
}

export const codeLength = (code: readonly number[]): number => code.reduce((sum, word) => sum + ((word & 3) === 3 ? 4 : 2), 0);

export function outcome(start: Case, end: End): string {
  const parts: string[] = [];
  if (end.event !== '') parts.push(end.event);
  end.x.forEach((value, i) => {
    if (value !== start.x[i]) parts.push(`x${i}=${value.toString(16)}`);
  });
  end.f.forEach((value, i) => {
    if (value !== start.f[i]) parts.push(`f${i}=${value.toString(16)}`);
  });
  if (end.fcsr !== start.fcsr) parts.push(`c=${end.fcsr.toString(16)}`);
  const went = BigInt.asIntN(64, end.pc - BigInt(start.pc));
  if (went !== BigInt(end.event === '' ? codeLength(start.code) : 0)) parts.push(`pc${went < 0n ? '' : '+'}${went}`);
  for (const [offset, value] of end.memory) parts.push(`m${offset}=${value.toString(16)}`);
  return parts.join(' ');
}

/** FNV-1a. */
export function digest(texts: Iterable<string>): string {
  let hash = 0x811c9dc5;
  for (const text of texts) {
    for (let i = 0; i <= text.length; i++) hash = Math.imul(hash ^ (i < text.length ? text.charCodeAt(i) : 10), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
/** Numbers from a seed, the same on every machine. */
export class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 0;
  }
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let z = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return Math.floor((((z ^ (z >>> 14)) >>> 0) / 4294967296) * bound);
  }
  bits(count: number): bigint {
    const all = (BigInt(this.below(2 ** 32)) << 32n) | BigInt(this.below(2 ** 32));
    return BigInt.asUintN(count, all);
  }
  of<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new Error('nothing to choose from');
    return found;
  }
}

const u64 = (value: bigint | number): bigint => BigInt.asUintN(64, BigInt(value));
const INTEGERS = [
  0n,
  1n,
  -1n,
  2n,
  7n,
  63n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  -0x80000000n,
  0x7fffffffffffffffn,
  -0x8000000000000000n,
  0x0123456789abcdefn,
  -0x0123456776543210n,
].map(u64);
const IMMEDIATES = [0, 1, -1, 5, 2047, -2048, 0x555];

const doubleView = new DataView(new ArrayBuffer(8));
const double = (value: number): bigint => {
  doubleView.setFloat64(0, value);
  return doubleView.getBigUint64(0);
};
const BOX = 0xffffffff00000000n;
const single = (value: number): bigint => {
  doubleView.setFloat32(0, value);
  return BOX | BigInt(doubleView.getUint32(0));
};
/** Where conversions to integers end, and what lies just beside. */
const AROUND_INTEGERS = [
  0.5,
  1.5,
  2.5,
  0.75,
  2 ** 31 - 1,
  2 ** 31 - 0.5,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32 - 0.5,
  2 ** 32,
  2 ** 53,
  2 ** 53 + 2,
  2 ** 62,
  2 ** 63 - 1024,
  2 ** 63,
  2 ** 63 + 2048,
  2 ** 64 - 2048,
  2 ** 64,
  1e300,
  1e-300,
].flatMap(v => [v, -v]);
const DOUBLES = [
  0n,
  1n,
  0x000fffffffffffffn,
  0x0010000000000000n,
  0x0010000000000001n,
  0x7fefffffffffffffn,
  0x7ff0000000000000n,
  double(1),
  double(1 + 2 ** -52),
  double(1.5),
  double(2),
  double(3),
  double(1 / 3),
  double(2 ** 53 - 1),
  double(2 ** -537),
]
  .flatMap(v => [v, v | (1n << 63n)])
  .concat(0x7ff8000000000000n, 0xfff8000000000123n, 0x7ff0000000000001n, 0xfff4000000000000n);
const SINGLES = [
  0n,
  1n,
  0x007fffffn,
  0x00800000n,
  0x00800001n,
  0x7f7fffffn,
  0x7f800000n,
  0x3f800000n,
  0x3f800001n,
  0x3fc00000n,
  0x40000000n,
  0x40400000n,
  0x3eaaaaabn,
  0x4b7fffffn,
  0x33800000n,
]
  .flatMap(v => [v, v | 0x80000000n])
  .concat(0x7fc00000n, 0xffc00123n, 0x7f800001n, 0xffa00000n)
  .map(v => v | BOX)
  .concat(double(1), 0xfffffffe3f800000n);

/** Doubles beside the ends of what a single can be: where it overflows, turns subnormal, vanishes, and ties between neighbours. */
const AROUND_SINGLES = [
  2 ** -126,
  2 ** -126 * (1 - 2 ** -25),
  2 ** -126 * (1 - 2 ** -26),
  2 ** -126 * (1 - 2 ** -24),
  2 ** -127,
  2 ** -149,
  2 ** -150,
  1.5 * 2 ** -149,
  2 ** -150 * (1 + 2 ** -52),
  2 ** 128,
  2 ** 128 * (1 - 2 ** -24),
  2 ** 128 * (1 - 2 ** -25),
  2 ** 128 * (1 - 2 ** -26),
  1 + 2 ** -24,
  1 + 3 * 2 ** -24,
  1 + 2 ** -24 + 2 ** -52,
].flatMap(v => [double(v), double(-v)]);
/** Factors whose product lies just below the least normal number: it counts as tiny or not by how it rounds. */
const NEARLY_NORMAL: Readonly<Record<'s' | 'd', readonly (readonly [bigint, bigint])[]>> = {
  d: [
    [0x3fefffffffffffffn, 0x0010000000000000n],
    [0x3ff0000000000001n, 0x000fffffffffffffn],
    [0x3feffffffffffffen, 0x0010000000000001n],
    [0x3fe0000000000000n, 0x001fffffffffffffn],
    [0x3fe0000000000001n, 0x001fffffffffffffn],
    [0x1ff6a09e667f3bcdn, 0x1ff6a09e667f3bccn],
  ],
  s: [
    [0xffffffff3f7fffffn, 0xffffffff00800000n],
    [0xffffffff3f800001n, 0xffffffff007fffffn],
    [0xffffffff3f7ffffen, 0xffffffff00800001n],
    [0xffffffff3f000000n, 0xffffffff00ffffffn],
    [0xffffffff3f000001n, 0xffffffff00ffffffn],
    [0xffffffff203504f3n, 0xffffffff203504f4n],
  ],
};

/** A float of either kind, of the sorts that go wrong: edges, few bits set, anything, near the ends of the range, near one. */
function randomFloat(dice: Dice, precision: 's' | 'd'): bigint {
  const kind = dice.below(8);
  if (kind === 0) return dice.of(precision === 's' ? SINGLES : DOUBLES);
  const [fractionBits, bias] = precision === 's' ? [23, 127] : [52, 1023];
  let fraction = dice.bits(fractionBits);
  if (kind < 4)
    fraction = BigInt.asUintN(
      fractionBits,
      (1n << BigInt(dice.below(fractionBits))) - BigInt(dice.below(3)) + (1n << BigInt(dice.below(fractionBits))),
    );
  const most = 2 * bias;
  const near = (center: number, spread: number) => Math.min(most, Math.max(0, center - spread + dice.below(2 * spread)));
  const exponent =
    dice.below(3) > 0
      ? near(bias, 30)
      : dice.of(
          [near(0, 4), near(most, 3), near(bias / 2, 12), near(bias * 1.5, 4), near(bias + fractionBits, 14), dice.below(most + 1)].map(
            Math.floor,
          ),
        );
  const bits = (BigInt(dice.below(2)) << BigInt(precision === 's' ? 31 : 63)) | (BigInt(exponent) << BigInt(fractionBits)) | fraction;
  return precision === 's' ? bits | BOX : bits;
}
/** About the product of two, so that little of a sum is left; or as much smaller that it decides how the product is rounded. */
function nearProduct(dice: Dice, precision: 's' | 'd', a: bigint, b: bigint): bigint {
  const view = doubleView;
  const read = (bits: bigint) => {
    view.setBigUint64(0, bits);
    return precision === 's' ? view.getFloat32(4) : view.getFloat64(0);
  };
  const scale = dice.of([1, 1, 2, 2 ** -24, 2 ** -25, 2 ** -53, 2 ** -54, 2 ** -106, 2 ** 24, 2 ** 53]);
  const product = read(a) * read(b) * scale * dice.of([1, -1]);
  const bits = precision === 's' ? single(product) : double(product);
  return dice.below(2) ? bits : bits ^ BigInt(dice.below(4));
}
const randomInteger = (dice: Dice): bigint =>
  dice.below(2) ? dice.of(INTEGERS) : u64(BigInt.asIntN(64, dice.bits(64)) >> BigInt(dice.below(64)));

/** What a register holds when a case does not say otherwise: pointers into the window in sp and where compressed code can use them. */
const background = (() => {
  const dice = new Dice(1);
  const x = Array.from({ length: 32 }, () => dice.bits(64) & ~1n);
  x[0] = 0n;
  x[2] = BigInt(BOUNDARY - 64);
  for (let i = 8; i < 16; i++) x[i] = BigInt(BOUNDARY - 1024 + i * 80);
  const f = Array.from({ length: 32 }, (_, i) => (i % 2 ? single(i + 1 / 3) : double(-i / 7)));
  return { x, f };
})();

/** The case as text: its code, and what differs from the background. */
export function inWords(start: Case): string {
  const parts = [start.code.map(word => word.toString(16)).join('+'), `@${start.pc.toString(16)}`, `c=${start.fcsr.toString(16)}`];
  start.x.forEach((value, i) => {
    if (value !== background.x[i]) parts.push(`x${i}=${value.toString(16)}`);
  });
  start.f.forEach((value, i) => {
    if (value !== background.f[i]) parts.push(`f${i}=${value.toString(16)}`);
  });
  return parts.join(' ');
}

/** The window at the start: random, with edge values in between. */
export const initialWindow: readonly bigint[] = (() => {
  const dice = new Dice(2);
  return Array.from({ length: (2 * WINDOW) / 8 }, (_, i) => (i % 2 ? dice.bits(64) : (INTEGERS[(i / 2) % INTEGERS.length] ?? 0n)));
})();
/** Aligned addresses in the window where each of the edge values lies. */
const EDGE_ADDRESSES = INTEGERS.map((_, i) => BOUNDARY - WINDOW + 16 * i);

interface Chosen {
  rd?: number;
  rs1?: number;
  rs2?: number;
  rs3?: number;
  imm?: number;
  rm?: number;
  /** Contents of the registers named so. */
  x1?: bigint;
  x2?: bigint;
  f1?: bigint;
  f2?: bigint;
  f3?: bigint;
  fcsr?: number;
  pc?: number;
  /** Bits to set besides (aq, rl). */
  also?: number;
}
function make(row: Instruction, c: Chosen): Case {
  const { rd = 6, rs1 = 17, rs2 = 22, rs3 = 27, imm = 0, rm = 0 } = c;
  const x = [...background.x];
  const f = [...background.f];
  if (c.x1 !== undefined && rs1 !== 0) x[rs1] = c.x1;
  if (c.x2 !== undefined && rs2 !== 0) x[rs2] = c.x2;
  if (c.f1 !== undefined) f[rs1] = c.f1;
  if (c.f2 !== undefined) f[rs2] = c.f2;
  if (c.f3 !== undefined) f[rs3] = c.f3;
  const word = (encode(row, { rd, rs1, rs2, rs3, imm, rm }) | (c.also ?? 0)) >>> 0;
  return { code: [word], pc: c.pc ?? CODE, x, f, fcsr: c.fcsr ?? 0 };
}

const has = (row: Instruction, operand: string): boolean => row.operands.includes(operand);
const sourcesOf = (row: Instruction): number => ['fs1', 'fs2', 'fs3'].filter(operand => has(row, operand)).length;
const precisionOf = (row: Instruction): 's' | 'd' => {
  const parts = row.name.split('.');
  const last = parts.at(-1) ?? '';
  return /^fcvt\.[sd]\.[sd]$/.test(row.name) ? (last === 's' ? 's' : 'd') : parts.includes('s') || row.name === 'fmv.x.w' ? 's' : 'd';
};
/** Bytes that a load or store moves. */
const accessSize = (row: Instruction): number => ({ b: 1, h: 2, w: 4, d: 8 })[row.name.replace(/^f?[ls]|u$/g, '')] ?? 0;
/** Rounding mode in the instruction, and fcsr: each mode both ways, with the inexact flag and without. */
const MODES: readonly (readonly [rm: number, fcsr: number])[] = [
  [0, 1],
  [0, 0],
  [1, 0],
  [2, 1],
  [3, 0],
  [4, 1],
  [7, 0x01],
  [7, 0x00],
  [7, 0x21],
  [7, 0x40],
  [7, 0x61],
  [7, 0x80],
];
const NO_MODES: readonly (readonly [rm: number, fcsr: number])[] = [
  [5, 0],
  [6, 1],
  [7, 0xa0],
  [7, 0xc1],
  [7, 0xe0],
];

const csrNumbers = [1, 2, 3];

function* systematic(row: Instruction): Generator<Case> {
  const format = row.format;
  if (row.name === 'ecall') {
    yield make(row, {});
  } else if (has(row, 'csr')) {
    for (const imm of [...csrNumbers, 0, 0x100, 0x300, 0x7c0]) {
      for (const fcsr of [0, 0x1f, 0x6a, 0xff]) {
        for (const value of [0n, 1n, 5n, 0x1fn, 0x80n, 0xffn, 0xfffffffffffffff6n]) {
          if (has(row, 'zimm')) yield make(row, { imm, fcsr, rs1: Number(value & 31n) });
          else yield make(row, { imm, fcsr, x1: value });
        }
        yield make(row, { imm, fcsr, rs1: 0 });
        yield make(row, { imm, fcsr, rs1: 0, rd: 0 });
        yield make(row, { imm, fcsr, rd: 0, x1: 3n });
      }
    }
    // The counters tell; they cannot be written.
    if (!row.name.startsWith('csrrw')) for (const imm of [0xc00, 0xc01, 0xc02]) yield make(row, { imm, rs1: 3, x1: 3n });
  } else if (has(row, '(rs1)')) {
    yield* atomics(row);
  } else if (has(row, 'imm(rs1)') && row.name !== 'jalr') {
    const contents: readonly Chosen[] = [
      ...INTEGERS.map(x2 => ({ x2 })),
      ...DOUBLES.slice(-6)
        .concat(SINGLES.slice(-8))
        .map(f2 => ({ f2 })),
    ];
    for (let offset = -9; offset <= 9; offset++) {
      for (const imm of [0, 16, -20]) yield make(row, { imm, x1: BigInt(BOUNDARY + offset - imm), ...contents[offset + 9] });
    }
    for (const [i, address] of EDGE_ADDRESSES.entries()) {
      for (const more of row.format === 'S' ? contents : [{}]) yield make(row, { imm: 2047, x1: BigInt(address - 2047), ...more });
      yield make(row, { imm: -2048, x1: BigInt(address + 2048 + (i % 8)) });
      yield make(row, { imm: 8, x1: BigInt(address + i) - 8n, rd: 17 });
    }
    for (const rd of [0, 1, 31]) yield make(row, { x1: BigInt(BOUNDARY), rd, rs2: rd });
    for (const x1 of [BigInt(NOWHERE), BigInt(NOWHERE + 4095), 0x3fffffff000n, 0x40n]) yield make(row, { x1 });
    for (const offset of [4096, 4097 - accessSize(row), -4097]) {
      if (offset < 4096 && accessSize(row) === 1) continue;
      yield make(row, { x1: BigInt(BOUNDARY + offset) });
    }
  } else if (row.name === 'jalr') {
    for (const imm of IMMEDIATES) {
      for (const to of [64, 65, 4094, -2, -4096]) {
        for (const rd of [0, 1, 6, 17]) yield make(row, { imm, rd, x1: u64(CODE + to - imm) });
      }
    }
  } else if (format === 'B') {
    for (const x1 of INTEGERS) {
      for (const x2 of INTEGERS) yield make(row, { x1, x2, imm: 16 });
    }
    for (const imm of [4094, -4096, -2, 6, 2048, 1024, 32]) {
      for (const [x1, x2] of [
        [1n, 2n],
        [2n, 1n],
        [1n, 1n],
        [u64(-1), 1n],
      ] as const)
        yield make(row, { x1, x2, imm, pc: CODE + 8 });
    }
    yield make(row, { rs1: 0, rs2: 0, imm: 4 });
    yield make(row, { rs1: 0, x2: 1n, imm: 6 });
  } else if (format === 'J') {
    for (const imm of [6, -2, 4, 2048, -2048, 4096, 0xff000, -0x100000, 0xffffe, 0x55554]) {
      for (const rd of [0, 1, 31]) yield make(row, { rd, imm, pc: CODE + 4 });
    }
  } else if (format === 'U') {
    for (const imm of [0, 0x1000, -0x1000, 0x7ffff000, -0x80000000, 0x12345000]) {
      for (const rd of [0, 1, 30]) yield make(row, { rd, imm, pc: CODE + 2 });
    }
  } else if (sourcesOf(row) > 0 || has(row, 'fd')) {
    yield* floats(row);
  } else if (has(row, 'rs2')) {
    for (const x1 of INTEGERS) {
      for (const x2 of INTEGERS) yield make(row, { x1, x2 });
    }
    for (const [rd, rs1, rs2] of [
      [0, 17, 22],
      [6, 0, 22],
      [6, 17, 0],
      [17, 17, 22],
      [22, 17, 22],
      [17, 17, 17],
      [31, 31, 31],
    ] as const) {
      yield make(row, { rd, rs1, rs2, x1: 0x123456789n, x2: 0xfedcba9876543210n });
    }
  } else if (has(row, 'rs1')) {
    const amounts = format === 'shift6' ? [0, 1, 31, 32, 63] : format === 'shift5' ? [0, 1, 15, 16, 31] : IMMEDIATES;
    for (const x1 of INTEGERS) {
      for (const imm of amounts) yield make(row, { x1, imm });
    }
    for (const [rd, rs1] of [
      [0, 17],
      [6, 0],
      [17, 17],
      [31, 1],
    ] as const)
      yield make(row, { rd, rs1, imm: 3, x1: 0x123456789n });
  } else {
    for (const imm of [0, 0xff, 0x333]) yield make(row, { imm, rd: 0, rs1: 0 });
  }
}

function* atomics(row: Instruction): Generator<Case> {
  const size = row.name.endsWith('.w') ? 4 : 8;
  const release = instructionNamed(row.name.replace('sc', 'lr'));
  const conditional = row.name.startsWith('sc.');
  const forms = (c: Chosen): Case[] => {
    const single = make(row, c);
    if (!conditional) return [single];
    const reserve = encode(release, { rd: 0, rs1: c.rs1 ?? 17 });
    return [single, { ...single, code: [reserve, ...single.code] }];
  };
  for (const address of EDGE_ADDRESSES) {
    for (const x2 of INTEGERS) yield* forms({ x1: BigInt(address), x2 });
    for (const also of [0, 1 << 25, 2 << 25, 3 << 25])
      yield* forms({ x1: BigInt(address + (size === 4 ? 4 : 0)), x2: 0x7788990011223344n, also });
  }
  for (const [rd, rs2] of [
    [0, 22],
    [17, 22],
    [22, 22],
    [6, 17],
    [17, 17],
    [6, 0],
  ] as const)
    yield* forms({ rd, rs2, x1: BigInt(BOUNDARY), x2: BigInt(BOUNDARY) });
  if (conditional) return;
  for (let offset = 1; offset < size; offset++) yield make(row, { x1: BigInt(BOUNDARY + offset) });
  yield make(row, { x1: BigInt(NOWHERE) });
}

function* floats(row: Instruction): Generator<Case> {
  const dice = new Dice(row.match ^ 0x5eed);
  const precision = precisionOf(row);
  const edges = precision === 's' ? SINGLES : DOUBLES;
  const sources = sourcesOf(row);
  const modes: typeof MODES = !row.hasRounding
    ? [
        [0, 0],
        [0, 0xff],
      ]
    : sources === 1
      ? [...MODES, [1, 1]]
      : MODES;
  const around = AROUND_INTEGERS.map(precision === 's' ? single : double).concat(row.name === 'fcvt.s.d' ? AROUND_SINGLES : []);
  const anything = () => randomFloat(dice, precision);
  for (const [m, [rm, fcsr]] of modes.entries()) {
    const all = m === 0;
    if (sources === 0) {
      for (const x1 of [
        ...INTEGERS,
        3n,
        0x1000001n,
        0x20000000000001n,
        0x20000000000003n,
        0x8000008000000001n,
        0xffffff7fffffffffn,
        0x3fffffbfn,
      ].map(u64))
        yield make(row, { rm, fcsr, x1 });
      for (let i = 0; i < 16; i++) yield make(row, { rm, fcsr, x1: randomInteger(dice) });
    } else if (sources === 1) {
      for (const f1 of [...edges, ...around]) yield make(row, { rm, fcsr, f1 });
      for (let i = 0; i < 24; i++) yield make(row, { rm, fcsr, f1: anything() });
    } else if (sources === 2) {
      for (const f1 of edges) {
        for (const f2 of edges) {
          if (dice.below(all ? 2 : 12) === 0) yield make(row, { rm, fcsr, f1, f2 });
        }
      }
      if (row.hasRounding) for (const [f1, f2] of NEARLY_NORMAL[precision]) yield make(row, { rm, fcsr, f1, f2 });
      for (let i = 0; i < (row.hasRounding ? 36 : 100); i++) yield make(row, { rm, fcsr, f1: anything(), f2: anything() });
    } else {
      for (let i = 0; i < (all ? 160 : 32); i++) yield make(row, { rm, fcsr, f1: dice.of(edges), f2: dice.of(edges), f3: dice.of(edges) });
      for (const [f1, f2] of NEARLY_NORMAL[precision]) yield make(row, { rm, fcsr, f1, f2, f3: f2 & (BOX | (1n << 63n)) });
      for (let i = 0; i < (all ? 120 : 44); i++) yield make(row, { rm, fcsr, f1: anything(), f2: anything(), f3: anything() });
    }
  }
  if (row.hasRounding) for (const [rm, fcsr] of NO_MODES) yield make(row, { rm, fcsr });
  for (const [rd, rs1, rs2, rs3] of [
    [0, 0, 0, 0],
    [17, 17, 22, 27],
    [22, 17, 22, 27],
    [31, 31, 1, 30],
    [6, 17, 17, 17],
  ] as const) {
    yield make(row, { rd, rs1, rs2: sources < 2 ? 0 : rs2, rs3 });
  }
}

/** A case of a row with everything drawn at random, for the comparison without a record. */
export function randomCase(row: Instruction, dice: Dice): Case {
  const register = () => dice.below(32);
  const precision = precisionOf(row);
  // Half of all in the mode that has the quick ways.
  const [rm, fcsr] = dice.below(2) ? dice.of(MODES) : [dice.of([0, 7]), 1];
  const flags = dice.of([1, 1, 0, 0x1f]);
  const anything = (): Chosen => ({
    rd: register(),
    rs1: 1 + dice.below(31),
    rs2: register(),
    rs3: register(),
    rm,
    fcsr: (fcsr & 0xe0) | flags,
    x1: randomInteger(dice),
    x2: randomInteger(dice),
    f1: randomFloat(dice, precision),
    f2: randomFloat(dice, precision),
    f3: randomFloat(dice, precision),
    imm: dice.below(4096) - 2048,
    pc: CODE + 2 * dice.below(2048),
  });
  const c = anything();
  if (has(row, 'fs3') && dice.below(2)) c.f3 = nearProduct(dice, precision, c.f1 ?? 0n, c.f2 ?? 0n);
  const size = row.name.endsWith('.w') ? 4 : 8;
  if (row.format === 'U') c.imm = dice.below(2 ** 32) & ~4095;
  if (row.format === 'J') c.imm = (dice.below(2 ** 20) - 2 ** 19) * 2;
  if (row.format === 'J' && (c.imm === 0 || c.imm === 2)) c.imm = 6;
  if (row.format === 'B') c.imm = c.imm === 0 || c.imm === 1 ? 6 : (c.imm ?? 0) * 2;
  if (row.format === 'csr') c.imm = dice.of(csrNumbers);
  if (row.name === 'jalr') c.x1 = u64(CODE + dice.below(100000) * 2 - 100000 - (c.imm ?? 0));
  else if (has(row, 'imm(rs1)')) c.x1 = u64(BOUNDARY + dice.below(2 * WINDOW - 8) - WINDOW - (c.imm ?? 0));
  if (has(row, '(rs1)')) c.x1 = u64(BOUNDARY + dice.below((2 * WINDOW) / size) * size - WINDOW);
  if (row.name === 'jalr' || has(row, 'imm(rs1)') || has(row, '(rs1)')) {
    // The address must not be overwritten by the other source.
    if (c.rs2 === c.rs1) delete c.x2;
  }
  const made = make(row, c);
  const target = row.name === 'jalr' ? Number(((made.x[c.rs1 ?? 0] ?? 0n) + BigInt(c.imm ?? 0)) & ~1n) : 0;
  return target === made.pc || target === made.pc + 2 ? make(row, { ...c, pc: CODE + 4096 }) : made;
}

const plain = (code: readonly number[], pc = CODE): Case => ({ code, pc, x: background.x, f: background.f, fcsr: 0 });
/** A jump to itself, which never ends, or into the middle of itself, which runs something else besides. */
const intoItself = (word: number): boolean => {
  const decoded = decode(word);
  return decoded !== undefined && (decoded.row.format === 'J' || decoded.row.format === 'B') && (decoded.imm === 0 || decoded.imm === 2);
};

function* compressed(row: (typeof compressedInstructions)[number]): Generator<Case> {
  const dice = new Dice(row.match);
  for (let i = 0; i < 64; i++) {
    const halfword = (dice.below(65536) & ~row.mask) | row.match;
    if (compressedInstructions.find(other => (halfword & other.mask) === other.match) !== row) continue;
    if (!intoItself(expand(halfword))) yield plain([halfword], CODE + 2 * dice.below(64));
  }
}

/** All recorded cases, by instruction. */
export function allCases(): Map<string, Case[]> {
  const all = new Map<string, Case[]>();
  for (const row of instructions) {
    const dice = new Dice(row.match ^ row.mask);
    const cases = [...systematic(row)];
    if (row.operands.length > 0) for (let i = 0; i < 24; i++) cases.push(randomCase(row, dice));
    const [first] = cases;
    // The same once more, lying across a page's end.
    if (first && row.name !== 'jalr') cases.push({ ...first, pc: CODE - 2 });
    all.set(row.name, cases);
  }
  for (const row of compressedInstructions) all.set(row.name, [...compressed(row)]);
  return all;
}

/** Whether the outcome of a word depends on more than the architecture says, or never comes, or qemu 7.2 is known to be wrong. */
function untold(word: number): boolean {
  const opcode = word & 0x7f;
  // vmv1r.v and its like do not ask whether there are vectors.
  if (opcode === 0x57) return word >>> 25 === 0x4f;
  if (opcode !== 0x73) return intoItself(word);
  const funct3 = (word >>> 12) & 7;
  return funct3 === 0 ? word !== encode('ebreak') : word >>> 20 >= 0xb00 || (word >>> 20 >= 0x7a0 && word >>> 20 < 0x7b0);
}

/**
 * Encodings swept for what is legal and what is not, in groups whose outcomes are recorded as one digest: all of the 16-bit ones,
 * and of the 32-bit ones every opcode with every funct3, funct7 and a few second sources.
 */
export function* sweeps(): Generator<readonly [group: string, cases: Case[]]> {
  for (let high = 0; high < 256; high++) {
    const cases: Case[] = [];
    for (let low = 0; low < 256; low++) {
      const halfword = (high << 8) | low;
      if ((halfword & 3) !== 3 && !intoItself(expand(halfword))) cases.push(plain([halfword], CODE + 0x100));
    }
    yield [`16 ${high.toString(16)}`, cases];
  }
  for (let opcode = 3; opcode < 128; opcode += 4) {
    const cases: Case[] = [];
    for (let functs = 0; functs < 1024; functs++) {
      for (const [rd, rs1, rs2] of [
        [6, 9, 0],
        [6, 9, 1],
        [0, 0, 2],
        [7, 10, 3],
        [0, 11, 22],
      ] as const) {
        const word = ((functs >>> 3) << 25) | (rs2 << 20) | (rs1 << 15) | ((functs & 7) << 12) | (rd << 7) | opcode;
        if (!untold(word >>> 0)) cases.push(plain([word >>> 0], CODE + 0x200));
      }
    }
    yield [`32 ${opcode.toString(16)}`, cases];
  }
}
