/**
 * RV64A. No frame is writable by two hosts at once and the harts of a kernel take turns, so a read-modify-write needs no lock:
 * nothing can come between its two halves. All of them count as stores when they fault (SC and AMO), LR as a load.
 */
import { Access } from '../layout.ts';
import { type I32, type I64, i64, select, sequence } from '../wasm/code.ts';
import { type Instruction, instruction } from './instruction.ts';
import type { Operands } from './operands.ts';

const encoding = (funct5: string, size: 4 | 8, rs2 = '.....') => `${funct5}.. ${rs2} ..... ${size === 4 ? '010' : '011'} ..... 0101111`;

const scratch = (m: Operands) => {
  const old = m.t[0];
  if (!old) throw new Error('no scratch variable');
  return old;
};
/** `f` sees both operands sign-extended to 64 bits, for words too, so that signed and unsigned comparison come out right. */
function amo(name: string, funct5: string, f: (old: I64, operand: I64) => I64): Instruction[] {
  return ([4, 8] as const).map(size =>
    instruction(`${name}.${size === 4 ? 'w' : 'd'}`, encoding(funct5, size), 'R', 'rd rs2 (rs1)', 'amo', m => {
      const old = scratch(m);
      const operand = size === 4 ? i64.extend32(m.rs2) : m.rs2;
      return sequence(
        m.atomicAddress(size, Access.Store),
        old.set(m.atomicLoad(size)),
        m.atomicStore(size, f(old.get, operand)),
        m.setRd(old.get),
      );
    }),
  );
}
const pick = (compare: (a: I64, b: I64) => I32) => (a: I64, b: I64) => select(compare(a, b), a, b);

export const atomicInstructions: readonly Instruction[] = [
  ...([4, 8] as const).flatMap(size => [
    instruction(`lr.${size === 4 ? 'w' : 'd'}`, encoding('00010', size, '00000'), 'R', 'rd (rs1)', 'amo', m =>
      sequence(m.atomicAddress(size, Access.Load), m.reserve, m.setRd(m.atomicLoad(size))),
    ),
    instruction(`sc.${size === 4 ? 'w' : 'd'}`, encoding('00011', size), 'R', 'rd rs2 (rs1)', 'amo', m => m.storeConditional(size)),
  ]),
  ...amo('amoswap', '00001', (_, operand) => operand),
  ...amo('amoadd', '00000', i64.add),
  ...amo('amoxor', '00100', i64.xor),
  ...amo('amoand', '01100', i64.and),
  ...amo('amoor', '01000', i64.or),
  ...amo('amomin', '10000', pick(i64.ltS)),
  ...amo('amomax', '10100', pick(i64.gtS)),
  ...amo('amominu', '11000', pick(i64.ltU)),
  ...amo('amomaxu', '11100', pick(i64.gtU)),
];
