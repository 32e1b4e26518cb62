/** All of RV64GC, one row an instruction. A row's place in this list is its number everywhere (decoded entries, dispatch). */
import { atomicInstructions } from './atomic.ts';
import { floatInstructions } from './float.ts';
import type { Instruction } from './instruction.ts';
import { integerInstructions } from './integer.ts';

export const instructions: readonly Instruction[] = [...integerInstructions, ...atomicInstructions, ...floatInstructions];

const byName = new Map(instructions.map(row => [row.name, row]));
export function instructionNamed(name: string): Instruction {
  const row = byName.get(name);
  if (!row) throw new Error(`no instruction is called ${name}`);
  return row;
}
