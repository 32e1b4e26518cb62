/** RV64I, M, Zicsr and Zifencei: encodings and meanings. */
import { type Code, type I32, type I64, choose, i32, i64, sequence } from '../wasm/code.ts';
import { type CostClass, type Instruction, instruction } from './instruction.ts';
import type { AccessSize, LoadKind, Meaning, Operands } from './operands.ts';

const OP = '0110011';
const OP_32 = '0111011';
const OP_IMM = '0010011';
const OP_IMM_32 = '0011011';
const R5 = '.....';
const IMM = '............';

type Binary = (a: I64, b: I64) => I64;
/** Computes on the low 32 bits, the result sign-extended. */
const word =
  (f: (a: I32, b: I32) => I32): Binary =>
  (a, b) =>
    i64.extendS(f(i32.wrap(a), i32.wrap(b)));

const register = (name: string, funct7: string, funct3: string, opcode: string, f: Binary, cost: CostClass = 'alu') =>
  instruction(name, `${funct7} ${R5} ${R5} ${funct3} ${R5} ${opcode}`, 'R', 'rd rs1 rs2', cost, m => m.setRd(f(m.rs1, m.rs2)));
const immediate = (name: string, funct3: string, opcode: string, f: Binary) =>
  instruction(name, `${IMM} ${R5} ${funct3} ${R5} ${opcode}`, 'I', 'rd rs1 imm', 'alu', m => m.setRd(f(m.rs1, m.imm)));
const shift = (name: string, funct6: string, funct3: string, f: Binary) =>
  instruction(name, `${funct6}...... ${R5} ${funct3} ${R5} ${OP_IMM}`, 'shift6', 'rd rs1 imm', 'alu', m => m.setRd(f(m.rs1, m.imm)));
const shiftWord = (name: string, funct7: string, funct3: string, f: Binary) =>
  instruction(name, `${funct7} ${R5} ${R5} ${funct3} ${R5} ${OP_IMM_32}`, 'shift5', 'rd rs1 imm', 'alu', m => m.setRd(f(m.rs1, m.imm)));
const load = (name: string, funct3: string, kind: LoadKind) =>
  instruction(name, `${IMM} ${R5} ${funct3} ${R5} 0000011`, 'I', 'rd imm(rs1)', 'load', m => m.setRd(m.load(kind, m.address)));
const store = (name: string, funct3: string, size: AccessSize) =>
  instruction(name, `....... ${R5} ${R5} ${funct3} ${R5} 0100011`, 'S', 'rs2 imm(rs1)', 'store', m => m.store(size, m.address, m.rs2));
const branch = (name: string, funct3: string, f: (a: I64, b: I64) => I32) =>
  instruction(name, `....... ${R5} ${R5} ${funct3} ${R5} 1100011`, 'B', 'rs1 rs2 target', 'branch', m => m.branchIf(f(m.rs1, m.rs2)));

// Division never traps in RISC-V: by zero it gives all ones and the dividend, and the one overflow wraps.
const ones = i64.const(-1);
const zero = i64.const(0);
const divide: Binary = (a, b) => choose('i64', i64.eqz(b), ones, choose('i64', i64.eq(b, ones), i64.sub(zero, a), i64.divS(a, b)));
const remainder: Binary = (a, b) => choose('i64', i64.eqz(b), a, choose('i64', i64.eq(b, ones), zero, i64.remS(a, b)));
const divideUnsigned: Binary = (a, b) => choose('i64', i64.eqz(b), ones, i64.divU(a, b));
const remainderUnsigned: Binary = (a, b) => choose('i64', i64.eqz(b), a, i64.remU(a, b));
const low = (a: I64): I64 => i64.and(a, i64.const(0xffffffff));
/** The 64-bit operation on 32-bit values, sign- or zero-extended: no overflow of the narrow one can hurt the wide one. */
const narrowSigned =
  (f: Binary): Binary =>
  (a, b) =>
    i64.extend32(f(i64.extend32(a), i64.extend32(b)));
const narrowUnsigned =
  (f: Binary): Binary =>
  (a, b) =>
    i64.extend32(f(low(a), low(b)));

/** Takes each operand that counts as negative off the unsigned high product, as often as two's complement put 2^64 in. */
const highProduct =
  (signedA: boolean, signedB: boolean): Meaning =>
  m => {
    const negative = (x: I64, y: I64): I64 => i64.and(i64.shrS(x, i64.const(63)), y);
    let high = m.multiplyHigh(m.rs1, m.rs2);
    if (signedA) high = i64.sub(high, negative(m.rs1, m.rs2));
    if (signedB) high = i64.sub(high, negative(m.rs2, m.rs1));
    return m.setRd(high);
  };
const multiplyHigh = (name: string, funct3: string, signedA: boolean, signedB: boolean) =>
  instruction(name, `0000001 ${R5} ${R5} ${funct3} ${R5} ${OP}`, 'R', 'rd rs1 rs2', 'mul', highProduct(signedA, signedB));

const csr = (name: string, funct3: string, source: 'rs1' | 'zimm') =>
  instruction(name, `${IMM} ${R5} ${funct3} ${R5} 1110011`, 'csr', `rd csr ${source}`, 'csr', m => m.system('csr'));

const nothing = (): Code => [];
const bool =
  (f: (a: I64, b: I64) => I32): Binary =>
  (a, b) =>
    i64.extendU(f(a, b));

function jumpAndLink(m: Operands): Code {
  const target = m.t[0];
  if (!target) return [];
  return sequence(target.set(i64.and(m.address, i64.const(-2))), m.setRd(m.nextPc), m.jump(target.get));
}

export const integerInstructions: readonly Instruction[] = [
  instruction('lui', `.................... ${R5} 0110111`, 'U', 'rd imm', 'alu', m => m.setRd(m.imm)),
  instruction('auipc', `.................... ${R5} 0010111`, 'U', 'rd imm', 'alu', m => m.setRd(i64.add(m.pc, m.imm))),
  instruction('jal', `.................... ${R5} 1101111`, 'J', 'rd target', 'jump', m =>
    sequence(m.setRd(m.nextPc), m.jump(i64.add(m.pc, m.imm))),
  ),
  instruction('jalr', `${IMM} ${R5} 000 ${R5} 1100111`, 'I', 'rd imm(rs1)', 'jump', jumpAndLink),

  branch('beq', '000', i64.eq),
  branch('bne', '001', i64.ne),
  branch('blt', '100', i64.ltS),
  branch('bge', '101', i64.geS),
  branch('bltu', '110', i64.ltU),
  branch('bgeu', '111', i64.geU),

  load('lb', '000', 'i8'),
  load('lh', '001', 'i16'),
  load('lw', '010', 'i32'),
  load('ld', '011', 'i64'),
  load('lbu', '100', 'u8'),
  load('lhu', '101', 'u16'),
  load('lwu', '110', 'u32'),
  store('sb', '000', 1),
  store('sh', '001', 2),
  store('sw', '010', 4),
  store('sd', '011', 8),

  immediate('addi', '000', OP_IMM, i64.add),
  immediate('slti', '010', OP_IMM, bool(i64.ltS)),
  immediate('sltiu', '011', OP_IMM, bool(i64.ltU)),
  immediate('xori', '100', OP_IMM, i64.xor),
  immediate('ori', '110', OP_IMM, i64.or),
  immediate('andi', '111', OP_IMM, i64.and),
  shift('slli', '000000', '001', i64.shl),
  shift('srli', '000000', '101', i64.shrU),
  shift('srai', '010000', '101', i64.shrS),
  immediate('addiw', '000', OP_IMM_32, word(i32.add)),
  shiftWord('slliw', '0000000', '001', word(i32.shl)),
  shiftWord('srliw', '0000000', '101', word(i32.shrU)),
  shiftWord('sraiw', '0100000', '101', word(i32.shrS)),

  register('add', '0000000', '000', OP, i64.add),
  register('sub', '0100000', '000', OP, i64.sub),
  register('sll', '0000000', '001', OP, i64.shl),
  register('slt', '0000000', '010', OP, bool(i64.ltS)),
  register('sltu', '0000000', '011', OP, bool(i64.ltU)),
  register('xor', '0000000', '100', OP, i64.xor),
  register('srl', '0000000', '101', OP, i64.shrU),
  register('sra', '0100000', '101', OP, i64.shrS),
  register('or', '0000000', '110', OP, i64.or),
  register('and', '0000000', '111', OP, i64.and),
  register('addw', '0000000', '000', OP_32, word(i32.add)),
  register('subw', '0100000', '000', OP_32, word(i32.sub)),
  register('sllw', '0000000', '001', OP_32, word(i32.shl)),
  register('srlw', '0000000', '101', OP_32, word(i32.shrU)),
  register('sraw', '0100000', '101', OP_32, word(i32.shrS)),

  register('mul', '0000001', '000', OP, i64.mul, 'mul'),
  multiplyHigh('mulh', '001', true, true),
  multiplyHigh('mulhsu', '010', true, false),
  multiplyHigh('mulhu', '011', false, false),
  register('div', '0000001', '100', OP, divide, 'div'),
  register('divu', '0000001', '101', OP, divideUnsigned, 'div'),
  register('rem', '0000001', '110', OP, remainder, 'div'),
  register('remu', '0000001', '111', OP, remainderUnsigned, 'div'),
  register('mulw', '0000001', '000', OP_32, word(i32.mul), 'mul'),
  register('divw', '0000001', '100', OP_32, narrowSigned(divide), 'div'),
  register('divuw', '0000001', '101', OP_32, narrowUnsigned(divideUnsigned), 'div'),
  register('remw', '0000001', '110', OP_32, narrowSigned(remainder), 'div'),
  register('remuw', '0000001', '111', OP_32, narrowUnsigned(remainderUnsigned), 'div'),

  // Harts of a kernel take turns, and a store to code drops what was decoded of it: there is nothing left for a fence to do.
  instruction('fence', `${IMM} ${R5} 000 ${R5} 0001111`, 'none', 'fence', 'fence', nothing),
  instruction('fence.i', `${IMM} ${R5} 001 ${R5} 0001111`, 'none', '', 'fence', nothing),
  instruction('ecall', '000000000000 00000 000 00000 1110011', 'none', '', 'system', m => m.system('ecall')),
  instruction('ebreak', '000000000001 00000 000 00000 1110011', 'none', '', 'system', m => m.system('ebreak')),
  csr('csrrw', '001', 'rs1'),
  csr('csrrs', '010', 'rs1'),
  csr('csrrc', '011', 'rs1'),
  csr('csrrwi', '101', 'zimm'),
  csr('csrrsi', '110', 'zimm'),
  csr('csrrci', '111', 'zimm'),
];
