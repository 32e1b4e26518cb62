/**
 * Registers that are known to hold a word's sign-extension. What is done with such in 32 bits and then extended gives the same; and the engine
 * drops an extension that the next such operation undoes, which it does not do across 64-bit logic.
 */
import type { Decoded } from '../isa/decode.ts';
import { type I32, i32 } from '../wasm/code.ts';

type Operation = (a: I32, b: I32) => I32;

/** Bit by bit, an extension's upper half follows from the word's top. */
const LOGIC: Readonly<Record<string, Operation>> = { and: i32.and, or: i32.or, xor: i32.xor, andi: i32.and, ori: i32.or, xori: i32.xor };
/** The extensions of words are in the order of the words, signed and unsigned. */
const COMPARISONS: Readonly<Record<string, Operation>> = {
  beq: i32.eq,
  bne: i32.ne,
  blt: i32.ltS,
  bge: i32.geS,
  bltu: i32.ltU,
  bgeu: i32.geU,
};
const WORDS = new Set([
  ...['lui', 'slt', 'slti', 'sltu', 'sltiu', 'lb', 'lh', 'lw', 'lbu', 'lhu'],
  ...['addw', 'addiw', 'subw', 'sllw', 'slliw', 'srlw', 'srliw', 'sraw', 'sraiw', 'mulw', 'divw', 'divuw', 'remw', 'remuw'],
]);

const sourcesAreWords = ({ row, rs1, rs2 }: Decoded, words: ReadonlySet<number>): boolean =>
  (rs1 === 0 || words.has(rs1)) && (!row.operands.includes('rs2') || rs2 === 0 || words.has(rs2));

/** The 32-bit operation that does for an instruction of logic, or for a branch's condition; undefined: none does. */
export function onWords(decoded: Decoded, words: ReadonlySet<number>): Operation | undefined {
  const operation = LOGIC[decoded.row.name] ?? COMPARISONS[decoded.row.name];
  return operation && sourcesAreWords(decoded, words) ? operation : undefined;
}

/** Whether what an instruction leaves in rd is a word's extension. */
export function givesWord(decoded: Decoded, words: ReadonlySet<number>): boolean {
  const { row, rs1, imm } = decoded;
  if (WORDS.has(row.name) || (row.name === 'andi' && imm >= 0)) return true;
  if (row.name === 'addi') return rs1 === 0 || (imm === 0 && words.has(rs1));
  return row.name in LOGIC && sourcesAreWords(decoded, words);
}
