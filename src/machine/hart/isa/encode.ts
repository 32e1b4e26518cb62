/** From a row and its operands to the 32-bit word: the table read backwards. Used to expand compressed instructions and by tests. */
import type { Format, Instruction } from './instruction.ts';
import { instructionNamed } from './table.ts';

export interface Fields {
  readonly rd?: number;
  readonly rs1?: number;
  readonly rs2?: number;
  readonly rs3?: number;
  readonly imm?: number;
  readonly rm?: number;
}

const bits = (value: number, high: number, low: number): number => (value >>> low) & (2 ** (high - low + 1) - 1);

const placed: Record<Format, (imm: number) => number> = {
  R: () => 0,
  R4: () => 0,
  none: () => 0,
  I: imm => bits(imm, 11, 0) << 20,
  csr: imm => bits(imm, 11, 0) << 20,
  shift6: imm => bits(imm, 5, 0) << 20,
  shift5: imm => bits(imm, 4, 0) << 20,
  S: imm => (bits(imm, 11, 5) << 25) | (bits(imm, 4, 0) << 7),
  B: imm => (bits(imm, 12, 12) << 31) | (bits(imm, 10, 5) << 25) | (bits(imm, 4, 1) << 8) | (bits(imm, 11, 11) << 7),
  U: imm => imm & 0xfffff000,
  J: imm => (bits(imm, 20, 20) << 31) | (bits(imm, 10, 1) << 21) | (bits(imm, 11, 11) << 20) | (bits(imm, 19, 12) << 12),
};

export function encode(instruction: Instruction | string, { rd = 0, rs1 = 0, rs2 = 0, rs3 = 0, imm = 0, rm = 0 }: Fields = {}): number {
  const row = typeof instruction === 'string' ? instructionNamed(instruction) : instruction;
  const { format } = row;
  let word = row.match | placed[format](imm);
  const free = ~row.mask;
  word |= (rd << 7) & free & (format === 'S' || format === 'B' ? 0 : 0xf80);
  word |= (rs1 << 15) & free & (format === 'U' || format === 'J' ? 0 : 0xf8000);
  if (format === 'R' || format === 'R4' || format === 'S' || format === 'B') word |= (rs2 << 20) & free & 0x1f00000;
  if (format === 'R4') word |= rs3 << 27;
  if (row.hasRounding) word |= rm << 12;
  return word >>> 0;
}
