/**
 * From the bytes of an instruction to its text, as `objdump -d` of GNU binutils writes it: aliases where there are any, ABI names of
 * registers, sixteen-bit instructions like those that they stand for.
 *
 * Always holds: what `decode` knows has a text; everything else is data, `.2byte` or `.4byte`.
 */
import { compressedRow } from './isa/compressed.ts';
import { type Decoded, decode, lengthOf } from './isa/decode.ts';
import { instructionNamed } from './isa/table.ts';

export interface Disassembled {
  readonly length: 2 | 4;
  readonly mnemonic: string;
  /** Comma-separated; empty for none. */
  readonly operands: string;
  /** Where it branches or jumps to, as far as the instruction alone says that; null otherwise. */
  readonly target: number | null;
  /** False: no instruction of RV64GC. */
  readonly known: boolean;
}

/** A name for an address, such as `main+0x1c`. */
export type Symbolize = (address: number) => string | undefined;

export const X_NAMES: readonly string[] = [
  ...['zero', 'ra', 'sp', 'gp', 'tp', 't0', 't1', 't2', 's0', 's1', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7'],
  ...['s2', 's3', 's4', 's5', 's6', 's7', 's8', 's9', 's10', 's11', 't3', 't4', 't5', 't6'],
];
export const F_NAMES: readonly string[] = [
  ...['ft0', 'ft1', 'ft2', 'ft3', 'ft4', 'ft5', 'ft6', 'ft7', 'fs0', 'fs1', 'fa0', 'fa1', 'fa2', 'fa3', 'fa4', 'fa5', 'fa6', 'fa7'],
  ...['fs2', 'fs3', 'fs4', 'fs5', 'fs6', 'fs7', 'fs8', 'fs9', 'fs10', 'fs11', 'ft8', 'ft9', 'ft10', 'ft11'],
];
const ROUNDING: readonly string[] = ['rne', 'rtz', 'rdn', 'rup', 'rmm', 'unknown', 'unknown', 'dyn'];
const DYNAMIC = 7;
/** Those that user mode may have, vectors and performance counters too. */
const CSR_NAMES: ReadonlyMap<number, string> = new Map([
  [0x001, 'fflags'],
  [0x002, 'frm'],
  [0x003, 'fcsr'],
  [0x008, 'vstart'],
  [0x009, 'vxsat'],
  [0x00a, 'vxrm'],
  [0x00f, 'vcsr'],
  [0x015, 'seed'],
  [0xc00, 'cycle'],
  [0xc01, 'time'],
  [0xc02, 'instret'],
  ...Array.from({ length: 29 }, (_, i): [number, string] => [0xc03 + i, `hpmcounter${3 + i}`]),
  [0xc20, 'vl'],
  [0xc21, 'vtype'],
  [0xc22, 'vlenb'],
]);

/**
 * Of an instruction, when its fields have these values: another mnemonic and operands. The first that fits counts. `rs1=rs2` compares
 * fields, `by` is the instruction of 16 bits that stands for it; those that only hint at something keep their own names.
 */
const ALIASES = `
  addi rd=0 rs1=0 imm=0 by=c.li > c.li rd imm
  addi rd=0 rs1=0 imm=0   > nop
  addi by=c.addi rd=0     > c.nop imm
  addi by=c.addi          > add rd rs1 imm
  addi by=c.li rd=0       > c.li rd imm
  addi rs1=0              > li rd imm
  addi imm=0              > mv rd rs1
  addi                    > add rd rs1 imm
  addiw imm=0             > sext.w rd rs1
  addiw                   > addw rd rs1 imm
  xori imm=-1             > not rd rs1
  xori                    > xor rd rs1 imm
  ori                     > or rd rs1 imm
  andi imm=255            > zext.b rd rs1
  andi                    > and rd rs1 imm
  slli by=c.slli imm=0    > c.slli64 rd
  slli by=c.slli rd=0     > c.slli rd shift
  srli by=c.srli imm=0    > c.srli64 rd
  srai by=c.srai imm=0    > c.srai64 rd
  slli                    > sll rd rs1 shift
  srli                    > srl rd rs1 shift
  srai                    > sra rd rs1 shift
  slliw                   > sllw rd rs1 shift
  srliw                   > srlw rd rs1 shift
  sraiw                   > sraw rd rs1 shift
  sltiu imm=1             > seqz rd rs1
  sltu rs1=0              > snez rd rs2
  slt rs2=0               > sltz rd rs1
  slt rs1=0               > sgtz rd rs2
  sub rs1=0               > neg rd rs2
  subw rs1=0              > negw rd rs2
  beq rs2=0               > beqz rs1 target
  bne rs2=0               > bnez rs1 target
  bge rs1=0               > blez rs2 target
  bge rs2=0               > bgez rs1 target
  blt rs2=0               > bltz rs1 target
  blt rs1=0               > bgtz rs2 target
  jal rd=0                > j target
  jal rd=1                > jal target
  jalr rd=0 rs1=1 imm=0   > ret
  jalr rd=0 imm=0         > jr rs1
  jalr rd=0               > jr imm(rs1)
  jalr rd=1 imm=0         > jalr rs1
  jalr rd=1               > jalr imm(rs1)
  jalr imm=0              > jalr rd rs1
  lui by=c.lui rd=0       > c.lui rd imm
  add by=c.mv rd=0        > c.mv rd rs2
  add by=c.mv             > mv rd rs2
  add by=c.add rd=0       > c.add rd rs2
  fence word=2200961039   > fence.tso
  csrrw rd=0 rs1=0 imm=3072 > unimp
  csrrs rs1=0 imm=1       > frflags rd
  csrrs rs1=0 imm=2       > frrm rd
  csrrs rs1=0 imm=3       > frcsr rd
  csrrs rs1=0 imm=3072    > rdcycle rd
  csrrs rs1=0 imm=3073    > rdtime rd
  csrrs rs1=0 imm=3074    > rdinstret rd
  csrrs rs1=0             > csrr rd csr
  csrrw rd=0 imm=1        > fsflags rs1
  csrrw rd=0 imm=2        > fsrm rs1
  csrrw rd=0 imm=3        > fscsr rs1
  csrrw imm=1             > fsflags rd rs1
  csrrw imm=2             > fsrm rd rs1
  csrrw imm=3             > fscsr rd rs1
  csrrw rd=0              > csrw csr rs1
  csrrs rd=0              > csrs csr rs1
  csrrc rd=0              > csrc csr rs1
  csrrwi imm=1            > fsflagsi rd zimm
  csrrwi imm=2            > fsrmi rd zimm
  csrrwi rd=0             > csrw csr zimm
  csrrsi rd=0             > csrs csr zimm
  csrrci rd=0             > csrc csr zimm
  csrrwi                  > csrrw rd csr zimm
  csrrsi                  > csrrs rd csr zimm
  csrrci                  > csrrc rd csr zimm
  fsgnj.s rs1=rs2         > fmv.s fd fs1
  fsgnj.d rs1=rs2         > fmv.d fd fs1
  fsgnjn.s rs1=rs2        > fneg.s fd fs1
  fsgnjn.d rs1=rs2        > fneg.d fd fs1
  fsgnjx.s rs1=rs2        > fabs.s fd fs1
  fsgnjx.d rs1=rs2        > fabs.d fd fs1
`;

/** What conditions and operands are taken from. */
interface Subject extends Decoded {
  readonly word: number;
  readonly by: string;
}
interface Alias {
  readonly fits: (d: Subject) => boolean;
  readonly mnemonic: string;
  readonly operands: readonly string[];
}
const aliases = new Map<string, Alias[]>();
for (const line of ALIASES.trim().split('\n')) {
  const [left = '', right = ''] = line.split('>').map(side => side.trim());
  const [name = '', ...conditions] = left.split(/ +/);
  const [mnemonic = '', ...operands] = right.split(/ +/);
  const tests = conditions.map(each => {
    const [field, value] = each.split('=') as [keyof Subject, string];
    return (d: Subject) => `${d[field]}` === (value === 'rs2' ? `${d.rs2}` : value);
  });
  const list = aliases.get(instructionNamed(name).name) ?? [];
  aliases.set(name, [...list, { fits: d => tests.every(test => test(d)), mnemonic, operands }]);
}

/** Two's complement of 64 bits below zero. */
const hex = (value: number): string => `0x${value < 0 ? BigInt.asUintN(64, BigInt(value)).toString(16) : value.toString(16)}`;
const SETS = ['i', 'o', 'r', 'w'] as const;
/** Four bits: input, output, reads, writes. */
const fenceSet = (bits: number): string => SETS.filter((_, i) => (bits >>> (3 - i)) & 1).join('') || 'unknown';

const x = (register: number): string => X_NAMES[register] as string;
const f = (register: number): string => F_NAMES[register] as string;
/** How each kind of operand is written; undefined where it is left out. */
const written: Readonly<Record<string, (d: Subject, target: string) => string | undefined>> = {
  rd: d => x(d.rd),
  rs1: d => x(d.rs1),
  rs2: d => x(d.rs2),
  fd: d => f(d.rd),
  fs1: d => f(d.rs1),
  fs2: d => f(d.rs2),
  fs3: d => f(d.rs3),
  '(rs1)': d => `(${x(d.rs1)})`,
  'imm(rs1)': d => `${d.imm}(${x(d.rs1)})`,
  imm: d => (d.row.format === 'U' ? hex((d.imm >>> 12) & 0xfffff) : `${d.imm}`),
  shift: d => hex(d.imm),
  zimm: d => `${d.rs1}`,
  csr: d => CSR_NAMES.get(d.imm) ?? hex(d.imm),
  target: (_, target) => target,
  fence: d => `${fenceSet(d.word >>> 24)},${fenceSet(d.word >>> 20)}`,
  rm: d => (d.rm === DYNAMIC || (NEVER_ROUNDS.has(d.row.name) && d.rm === 0) ? undefined : ROUNDING[d.rm]),
};
/** Exact whatever the mode: 0 is what assemblers put there. */
const NEVER_ROUNDS = new Set(['fcvt.d.w', 'fcvt.d.wu', 'fcvt.d.s']);
/** Of atomic instructions: bits 26 and 25. */
const ORDERING = ['', '.rl', '.aq', '.aqrl'] as const;

/**
 * @param bits at least the instruction's own bytes, the first lowest
 * @param pc its address, from which targets are counted
 */
export function disassemble(bits: number, pc: number, symbol: Symbolize = () => undefined): Disassembled {
  const decoded = decode(bits);
  if (decoded === undefined) {
    const length = lengthOf(bits);
    const word = length === 2 ? bits & 0xffff : bits >>> 0;
    return word === 0
      ? { length, mnemonic: 'unimp', operands: '', target: null, known: false }
      : { length, mnemonic: `.${length}byte`, operands: hex(word), target: null, known: false };
  }
  const { row, length } = decoded;
  const subject: Subject = { ...decoded, word: bits >>> 0, by: length === 2 ? (compressedRow(bits & 0xffff)?.name ?? '') : '' };
  const { mnemonic, operands } = aliases.get(row.name)?.find(each => each.fits(subject)) ?? { mnemonic: row.name, operands: row.operands };
  const target = row.format === 'B' || row.format === 'J' ? pc + decoded.imm : null;
  const name = target === null ? undefined : symbol(target);
  const where = target === null ? '' : name === undefined ? hex(target) : `${target.toString(16)} <${name}>`;
  const texts = operands.map(each => written[each]?.(subject, where)).filter(each => each !== undefined);
  const ordering = row.cost === 'amo' ? ORDERING[(bits >>> 25) & 3] : '';
  return { length, mnemonic: `${mnemonic}${ordering}`, operands: texts.join(','), target, known: true };
}
