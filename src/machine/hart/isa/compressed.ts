/**
 * RV64C: each 16-bit instruction is a 32-bit one in short, so its row says which, and `expand` gives that word; nothing else in the
 * processor knows of it, but for the length. Encodings that the manual reserves expand to 0, which is illegal.
 */
import { encode } from './encode.ts';

interface Compressed {
  readonly name: string;
  readonly mask: number;
  readonly match: number;
  readonly expand: (c: number) => number;
}

const bit = (c: number, from: number, to: number): number => ((c >>> from) & 1) << to;
const field = (c: number, high: number, low: number, to = 0): number => ((c >>> low) & (2 ** (high - low + 1) - 1)) << to;
const signed = (value: number, width: number): number => (value << (32 - width)) >> (32 - width);
/** The register in bits 11–7, in 6–2, and the short ones (x8…x15) in 9–7 and 4–2. */
const full = (c: number) => field(c, 11, 7);
const second = (c: number) => field(c, 6, 2);
const upper = (c: number) => 8 + field(c, 9, 7);
const lower = (c: number) => 8 + field(c, 4, 2);

const imm6 = (c: number) => signed(bit(c, 12, 5) | field(c, 6, 2), 6);
const shamt = (c: number) => bit(c, 12, 5) | field(c, 6, 2);
const word = (c: number) => field(c, 12, 10, 3) | bit(c, 6, 2) | bit(c, 5, 6);
const doubleword = (c: number) => field(c, 12, 10, 3) | field(c, 6, 5, 6);
const wordFromSp = (c: number) => bit(c, 12, 5) | field(c, 6, 4, 2) | field(c, 3, 2, 6);
const doublewordFromSp = (c: number) => bit(c, 12, 5) | field(c, 6, 5, 3) | field(c, 4, 2, 6);
const wordToSp = (c: number) => field(c, 12, 9, 2) | field(c, 8, 7, 6);
const doublewordToSp = (c: number) => field(c, 12, 10, 3) | field(c, 9, 7, 6);
const jumpTarget = (c: number) =>
  signed(
    bit(c, 12, 11) | bit(c, 11, 4) | field(c, 10, 9, 8) | bit(c, 8, 10) | bit(c, 7, 6) | bit(c, 6, 7) | field(c, 5, 3, 1) | bit(c, 2, 5),
    12,
  );
const branchTarget = (c: number) => signed(bit(c, 12, 8) | field(c, 11, 10, 3) | field(c, 6, 5, 6) | field(c, 4, 3, 1) | bit(c, 2, 5), 9);
const SP = 2;

function row(name: string, pattern: string, expand: (c: number) => number): Compressed {
  const bits = pattern.replaceAll(' ', '');
  if (bits.length !== 16) throw new Error(`${name}: the pattern has ${bits.length} bits`);
  const mask = parseInt(bits.replace(/[^01]/g, 'x').replace(/[01]/g, '1').replaceAll('x', '0'), 2);
  return { name, mask, match: parseInt(bits.replace(/[^01]/g, '0'), 2), expand };
}
const load = (name: string, to: string, funct3: string, offset: (c: number) => number) =>
  row(name, `${funct3} ... ... .. ... 00`, c => encode(to, { rd: lower(c), rs1: upper(c), imm: offset(c) }));
const store = (name: string, to: string, funct3: string, offset: (c: number) => number) =>
  row(name, `${funct3} ... ... .. ... 00`, c => encode(to, { rs2: lower(c), rs1: upper(c), imm: offset(c) }));
const fromSp = (name: string, to: string, funct3: string, offset: (c: number) => number, any = false) =>
  row(name, `${funct3} . ..... ..... 10`, c => (any || full(c) !== 0 ? encode(to, { rd: full(c), rs1: SP, imm: offset(c) }) : 0));
const toSp = (name: string, to: string, funct3: string, offset: (c: number) => number) =>
  row(name, `${funct3} ...... ..... 10`, c => encode(to, { rs2: second(c), rs1: SP, imm: offset(c) }));
const short = (name: string, to: string, pattern: string) =>
  row(name, pattern, c => encode(to, { rd: upper(c), rs1: upper(c), rs2: lower(c) }));
const shortShift = (name: string, to: string, funct2: string) =>
  row(name, `100 . ${funct2} ... ..... 01`, c => encode(to, { rd: upper(c), rs1: upper(c), imm: shamt(c) }));

/** Rows that are a special case of another stand before it. */
export const compressedInstructions: readonly Compressed[] = [
  row('c.addi4spn', '000 ........ ... 00', c => {
    const imm = field(c, 12, 11, 4) | field(c, 10, 7, 6) | bit(c, 6, 2) | bit(c, 5, 3);
    return imm === 0 ? 0 : encode('addi', { rd: lower(c), rs1: SP, imm });
  }),
  load('c.fld', 'fld', '001', doubleword),
  load('c.lw', 'lw', '010', word),
  load('c.ld', 'ld', '011', doubleword),
  store('c.fsd', 'fsd', '101', doubleword),
  store('c.sw', 'sw', '110', word),
  store('c.sd', 'sd', '111', doubleword),

  row('c.addi', '000 . ..... ..... 01', c => encode('addi', { rd: full(c), rs1: full(c), imm: imm6(c) })),
  row('c.addiw', '001 . ..... ..... 01', c => (full(c) === 0 ? 0 : encode('addiw', { rd: full(c), rs1: full(c), imm: imm6(c) }))),
  row('c.li', '010 . ..... ..... 01', c => encode('addi', { rd: full(c), imm: imm6(c) })),
  row('c.addi16sp', '011 . 00010 ..... 01', c => {
    const imm = signed(bit(c, 12, 9) | bit(c, 6, 4) | bit(c, 5, 6) | field(c, 4, 3, 7) | bit(c, 2, 5), 10);
    return imm === 0 ? 0 : encode('addi', { rd: SP, rs1: SP, imm });
  }),
  row('c.lui', '011 . ..... ..... 01', c => (imm6(c) === 0 ? 0 : encode('lui', { rd: full(c), imm: imm6(c) << 12 }))),
  shortShift('c.srli', 'srli', '00'),
  shortShift('c.srai', 'srai', '01'),
  row('c.andi', '100 . 10 ... ..... 01', c => encode('andi', { rd: upper(c), rs1: upper(c), imm: imm6(c) })),
  short('c.sub', 'sub', '100 0 11 ... 00 ... 01'),
  short('c.xor', 'xor', '100 0 11 ... 01 ... 01'),
  short('c.or', 'or', '100 0 11 ... 10 ... 01'),
  short('c.and', 'and', '100 0 11 ... 11 ... 01'),
  short('c.subw', 'subw', '100 1 11 ... 00 ... 01'),
  short('c.addw', 'addw', '100 1 11 ... 01 ... 01'),
  row('c.j', '101 ........... 01', c => encode('jal', { imm: jumpTarget(c) })),
  row('c.beqz', '110 ... ... ..... 01', c => encode('beq', { rs1: upper(c), imm: branchTarget(c) })),
  row('c.bnez', '111 ... ... ..... 01', c => encode('bne', { rs1: upper(c), imm: branchTarget(c) })),

  row('c.slli', '000 . ..... ..... 10', c => encode('slli', { rd: full(c), rs1: full(c), imm: shamt(c) })),
  fromSp('c.fldsp', 'fld', '001', doublewordFromSp, true),
  fromSp('c.lwsp', 'lw', '010', wordFromSp),
  fromSp('c.ldsp', 'ld', '011', doublewordFromSp),
  row('c.jr', '100 0 ..... 00000 10', c => (full(c) === 0 ? 0 : encode('jalr', { rs1: full(c) }))),
  row('c.mv', '100 0 ..... ..... 10', c => encode('add', { rd: full(c), rs2: second(c) })),
  row('c.ebreak', '100 1 00000 00000 10', () => encode('ebreak')),
  row('c.jalr', '100 1 ..... 00000 10', c => encode('jalr', { rd: 1, rs1: full(c) })),
  row('c.add', '100 1 ..... ..... 10', c => encode('add', { rd: full(c), rs1: full(c), rs2: second(c) })),
  toSp('c.fsdsp', 'fsd', '101', doublewordToSp),
  toSp('c.swsp', 'sw', '110', wordToSp),
  toSp('c.sdsp', 'sd', '111', doublewordToSp),
];

export function compressedRow(halfword: number): Compressed | undefined {
  return compressedInstructions.find(candidate => ((halfword & candidate.mask) ^ candidate.match) === 0);
}

/** The 32-bit instruction that a 16-bit one stands for; 0 (illegal) for one that stands for none. */
export const expand = (halfword: number): number => compressedRow(halfword)?.expand(halfword) ?? 0;
