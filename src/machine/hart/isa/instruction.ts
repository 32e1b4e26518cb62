/**
 * The shape of a row of the table: an encoding as the manual prints it, operands as objdump names them, a class of cost, a meaning.
 */
import type { Meaning } from './operands.ts';

/** What an instruction costs, by class. Each is 1…255 cycles; the numbers themselves are the machine's (`machine/costs.ts`). */
export type CostClass =
  | 'alu'
  | 'mul'
  | 'div'
  | 'load'
  | 'store'
  | 'branch'
  | 'jump'
  | 'amo'
  | 'fence'
  | 'csr'
  | 'system'
  | 'fpMove'
  | 'fpAdd'
  | 'fpMul'
  | 'fpFma'
  | 'fpDiv'
  | 'fpSqrt'
  | 'fpConvert';
export type InstructionCosts = Readonly<Record<CostClass, number>>;

/** Where the immediate lies. R4 has rs3 in its place, csr the register's number, shift6/shift5 an amount. */
export type Format = 'R' | 'R4' | 'I' | 'S' | 'B' | 'U' | 'J' | 'shift6' | 'shift5' | 'csr' | 'none';

export interface Instruction {
  readonly name: string;
  readonly mask: number;
  readonly match: number;
  readonly format: Format;
  /** In objdump's order; an x register is rd, rs1, rs2, an f register fd, fs1, fs2, fs3; `imm(rs1)` is an address. */
  readonly operands: readonly string[];
  readonly cost: CostClass;
  readonly meaning: Meaning;
  /** For floating-point operations that have an exact counterpart in fpu.ts: the rounding modes that the meaning can do. */
  readonly exact: boolean;
  readonly hasRounding: boolean;
  readonly fastRounding: readonly number[];
}

/** `pattern`: 32 bits from the top, 0 and 1 fixed, anything else an operand's; blanks are for the eye. */
export function instruction(
  name: string,
  pattern: string,
  format: Format,
  operands: string,
  cost: CostClass,
  meaning: Meaning,
  fast?: { readonly rounding?: readonly number[] },
): Instruction {
  const bits = pattern.replaceAll(' ', '');
  if (bits.length !== 32) throw new Error(`${name}: the pattern has ${bits.length} bits`);
  let mask = 0;
  let match = 0;
  for (const bit of bits) {
    mask = (mask << 1) | (bit === '0' || bit === '1' ? 1 : 0);
    match = (match << 1) | (bit === '1' ? 1 : 0);
  }
  const list = operands === '' ? [] : operands.split(' ');
  return {
    name,
    mask: mask >>> 0,
    match: match >>> 0,
    format,
    operands: list,
    cost,
    meaning,
    exact: fast !== undefined,
    hasRounding: fast?.rounding !== undefined,
    fastRounding: fast?.rounding ?? [],
  };
}
