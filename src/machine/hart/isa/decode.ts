/** From the bytes of an instruction to its row and operands. */
import { expand } from './compressed.ts';
import type { Format, Instruction } from './instruction.ts';
import { instructions } from './table.ts';

export interface Decoded {
  readonly row: Instruction;
  /** The row's place in the table. */
  readonly number: number;
  readonly length: 2 | 4;
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  readonly rs3: number;
  readonly rm: number;
  readonly imm: number;
}

/** Rows by the five bits that tell major opcodes apart. */
const buckets: number[][] = Array.from({ length: 32 }, () => []);
for (const [number, row] of instructions.entries()) buckets[(row.match >>> 2) & 31]?.push(number);

const immediate: Record<Format, (w: number) => number> = {
  R: () => 0,
  R4: () => 0,
  none: () => 0,
  I: w => w >> 20,
  S: w => ((w >> 25) << 5) | ((w >>> 7) & 31),
  B: w => ((w >> 31) << 12) | (((w >>> 7) & 1) << 11) | (((w >>> 25) & 63) << 5) | (((w >>> 8) & 15) << 1),
  U: w => w & ~0xfff,
  J: w => ((w >> 31) << 20) | (((w >>> 12) & 255) << 12) | (((w >>> 20) & 1) << 11) | (((w >>> 21) & 1023) << 1),
  shift6: w => (w >>> 20) & 63,
  shift5: w => (w >>> 20) & 31,
  csr: w => w >>> 20,
};

export const lengthOf = (lowHalf: number): 2 | 4 => ((lowHalf & 3) === 3 ? 4 : 2);

/** `bits`: at least the instruction's own length, from its address on. Undefined: illegal. */
export function decode(bits: number): Decoded | undefined {
  const length = lengthOf(bits);
  const word = length === 4 ? bits : expand(bits & 0xffff);
  if ((word & 3) !== 3) return undefined;
  const number = buckets[(word >>> 2) & 31]?.find(candidate => {
    const row = instructions[candidate];
    return row !== undefined && ((word & row.mask) ^ row.match) === 0;
  });
  const row = number === undefined ? undefined : instructions[number];
  if (number === undefined || row === undefined) return undefined;
  const rm = (word >>> 12) & 7;
  if (row.hasRounding && (rm === 5 || rm === 6)) return undefined;
  return {
    row,
    number,
    length,
    rm,
    rd: (word >>> 7) & 31,
    rs1: (word >>> 15) & 31,
    rs2: (word >>> 20) & 31,
    rs3: word >>> 27,
    imm: immediate[row.format](word),
  };
}
