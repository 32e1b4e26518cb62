/**
 * RV64F and D. A meaning here is the quick way only, taken where it is provably what RISC-V asks for; everywhere else
 * `exactUnless` hands the instruction to the exact soft-float (fpu.ts).
 *
 * Why the quick way is right: the engine rounds to nearest even, so with that mode in force and the inexact flag already raised
 * the only differences left are NaN bits, overflow, division by zero, invalid operands and underflow. The first four show as a
 * result that is not finite. Underflow needs a result no larger than the smallest normal number, and a sum cannot underflow
 * inexactly at all.
 */
import { type F32, type F64, type I32, type I64, f32, f64, i32, i64, select, sequence } from '../wasm/code.ts';
import { type CostClass, type Instruction, instruction } from './instruction.ts';
import type { Meaning, Operands } from './operands.ts';

const R5 = '.....';
type Precision = 's' | 'd';
const fmt = (p: Precision) => (p === 's' ? '00' : '01');
const NEAREST = [0, 7];
const ANY_STATIC = [0, 1, 2, 3, 4];
const TOWARD_ZERO = [1];
const SMALLEST_NORMAL_D = 2 ** -1022;
const SMALLEST_NORMAL_S = 2 ** -126;

const all = (first: I32, ...rest: I32[]): I32 => rest.reduce((a, b) => i32.and(a, b), first);
function variable<T>(list: readonly T[], index = 0): T {
  const found = list[index];
  if (found === undefined) throw new Error('no scratch variable');
  return found;
}

/** The results that the quick way may give, by operation. */
type Safe = 'finite' | 'normal' | 'root';
const safeD = (r: F64, safe: Safe): I32 =>
  safe === 'root'
    ? i32.and(f64.ge(r, f64.const(0)), f64.lt(r, f64.const(Infinity)))
    : safe === 'finite'
      ? f64.lt(f64.abs(r), f64.const(Infinity))
      : i32.and(f64.lt(f64.abs(r), f64.const(Infinity)), f64.gt(f64.abs(r), f64.const(SMALLEST_NORMAL_D)));
const safeS = (r: F32, safe: Safe): I32 =>
  safe === 'root'
    ? i32.and(f32.ge(r, f32.const(0)), f32.lt(r, f32.const(Infinity)))
    : safe === 'finite'
      ? f32.lt(f32.abs(r), f32.const(Infinity))
      : i32.and(f32.lt(f32.abs(r), f32.const(Infinity)), f32.gt(f32.abs(r), f32.const(SMALLEST_NORMAL_S)));

const quickD =
  (compute: (m: Operands) => F64, safe: Safe): Meaning =>
  m => {
    const result = variable(m.f);
    return sequence(result.set(compute(m)), m.exactUnless(i32.and(m.nearestAndInexact, safeD(result.get, safe))), m.setD(result.get));
  };
const quickS =
  (compute: (m: Operands) => F32, safe: Safe, sources: 0 | 1 | 2 | 3): Meaning =>
  m => {
    const result = variable(m.g);
    return sequence(
      result.set(compute(m)),
      m.exactUnless(all(m.nearestAndInexact, ...(sources ? [m.boxed(sources)] : []), safeS(result.get, safe))),
      m.setS(result.get),
    );
  };

function arithmetic(name: string, funct5: string, cost: CostClass, safe: Safe, s: (a: F32, b: F32) => F32, d: (a: F64, b: F64) => F64) {
  const row = (p: Precision, meaning: Meaning) =>
    instruction(`${name}.${p}`, `${funct5}${fmt(p)} ${R5} ${R5} ... ${R5} 1010011`, 'R', 'fd fs1 fs2 rm', cost, meaning, {
      rounding: NEAREST,
    });
  return [
    row(
      's',
      quickS(m => s(m.s1, m.s2), safe, 2),
    ),
    row(
      'd',
      quickD(m => d(m.d1, m.d2), safe),
    ),
  ];
}
function root(p: Precision) {
  const meaning = p === 's' ? quickS(m => f32.sqrt(m.s1), 'root', 1) : quickD(m => f64.sqrt(m.d1), 'root');
  return instruction(`fsqrt.${p}`, `01011${fmt(p)} 00000 ${R5} ... ${R5} 1010011`, 'R', 'fd fs1 rm', 'fpSqrt', meaning, {
    rounding: NEAREST,
  });
}

function fused(name: string, opcode: string, negateProduct: boolean, negateAddend: boolean) {
  const sign = (negate: boolean, x: F64) => (negate ? f64.neg(x) : x);
  const meanings: Record<Precision, Meaning> = {
    d: quickD(m => m.fusedD(sign(negateProduct, m.d1), m.d2, sign(negateAddend, m.d3)), 'normal'),
    s: quickS(m => m.fusedS(sign(negateProduct, f64.promote(m.s1)), f64.promote(m.s2), sign(negateAddend, f64.promote(m.s3))), 'normal', 3),
  };
  return (['s', 'd'] as const).map(p =>
    instruction(`${name}.${p}`, `.....${fmt(p)} ${R5} ${R5} ... ${R5} ${opcode}`, 'R4', 'fd fs1 fs2 fs3 rm', 'fpFma', meanings[p], {
      rounding: NEAREST,
    }),
  );
}

/** Sign injection: the sign of the second, changed or not, on the magnitude of the first. A badly boxed single counts as the NaN. */
const SIGN_D = i64.const(-0x8000000000000000n);
const MAGNITUDE_D = i64.const(0x7fffffffffffffffn);
const SIGN_S = i64.const(0x80000000);
const MAGNITUDE_S = i64.const(0x7fffffff);
const BOX = i64.const(-0x100000000n);
const unbox = (bits: I64): I64 => select(i64.geU(bits, BOX), bits, i64.const(0xffffffff7fc00000n));
function inject(name: string, funct3: string, sign: (a: I64, b: I64) => I64) {
  return [
    instruction(`${name}.s`, `0010000 ${R5} ${R5} ${funct3} ${R5} 1010011`, 'R', 'fd fs1 fs2', 'fpMove', m =>
      m.setBits(i64.or(BOX, i64.or(i64.and(unbox(m.bits1), MAGNITUDE_S), i64.and(sign(unbox(m.bits1), unbox(m.bits2)), SIGN_S)))),
    ),
    instruction(`${name}.d`, `0010001 ${R5} ${R5} ${funct3} ${R5} 1010011`, 'R', 'fd fs1 fs2', 'fpMove', m =>
      m.setBits(i64.or(i64.and(m.bits1, MAGNITUDE_D), i64.and(sign(m.bits1, m.bits2), SIGN_D))),
    ),
  ];
}

/** Where neither operand is a NaN, the engine's min and max (−0 below +0) and comparisons are RISC-V's and raise nothing. */
const orderedD = (m: Operands): I32 => i32.and(f64.eq(m.d1, m.d1), f64.eq(m.d2, m.d2));
const orderedS = (m: Operands): I32 => all(m.boxed(2), f32.eq(m.s1, m.s1), f32.eq(m.s2, m.s2));
function extreme(name: string, funct3: string, s: (a: F32, b: F32) => F32, d: (a: F64, b: F64) => F64) {
  return [
    instruction(
      `${name}.s`,
      `0010100 ${R5} ${R5} ${funct3} ${R5} 1010011`,
      'R',
      'fd fs1 fs2',
      'fpMove',
      m => sequence(m.exactUnless(orderedS(m)), m.setS(s(m.s1, m.s2))),
      {},
    ),
    instruction(
      `${name}.d`,
      `0010101 ${R5} ${R5} ${funct3} ${R5} 1010011`,
      'R',
      'fd fs1 fs2',
      'fpMove',
      m => sequence(m.exactUnless(orderedD(m)), m.setD(d(m.d1, m.d2))),
      {},
    ),
  ];
}
function compare(name: string, funct3: string, s: (a: F32, b: F32) => I32, d: (a: F64, b: F64) => I32) {
  return [
    instruction(
      `${name}.s`,
      `1010000 ${R5} ${R5} ${funct3} ${R5} 1010011`,
      'R',
      'rd fs1 fs2',
      'fpMove',
      m => sequence(m.exactUnless(orderedS(m)), m.setRd(i64.extendU(s(m.s1, m.s2)))),
      {},
    ),
    instruction(
      `${name}.d`,
      `1010001 ${R5} ${R5} ${funct3} ${R5} 1010011`,
      'R',
      'rd fs1 fs2',
      'fpMove',
      m => sequence(m.exactUnless(orderedD(m)), m.setRd(i64.extendU(d(m.d1, m.d2)))),
      {},
    ),
  ];
}
const classify = (p: Precision) =>
  instruction(`fclass.${p}`, `11100${fmt(p)} 00000 ${R5} 001 ${R5} 1010011`, 'R', 'rd fs1', 'fpMove', m => m.exactUnless(i32.const(0)), {});

interface IntegerType {
  readonly name: string;
  readonly code: string;
  /** Converts a double that lies in the range; the result as a register holds it. */
  readonly truncate: (x: F64) => I64;
  readonly inRange: (x: F64) => I32;
  /** The truncated value again, to see whether anything was cut off. */
  readonly back: (x: I64) => F64;
  readonly toD: (x: I64) => F64;
  readonly toS: (x: I64) => F32;
  /** Every value is exact as a double, so no mode and no flag can matter. */
  readonly exactInD: boolean;
}
const low = (x: I64): I64 => i64.and(x, i64.const(0xffffffff));
const below = (bound: number) => (x: F64) => f64.lt(f64.abs(x), f64.const(bound));
const natural = (bound: number) => (x: F64) => i32.and(f64.gt(x, f64.const(-1)), f64.lt(x, f64.const(bound)));
const integerTypes: readonly IntegerType[] = [
  {
    name: 'w',
    code: '00000',
    truncate: x => i64.extendS(i32.truncSatS64(x)),
    inRange: below(2 ** 31),
    back: f64.convertS64,
    toD: x => f64.convertS64(i64.extend32(x)),
    toS: x => f32.convertS64(i64.extend32(x)),
    exactInD: true,
  },
  {
    name: 'wu',
    code: '00001',
    truncate: x => i64.extendS(i32.truncSatU64(x)),
    inRange: natural(2 ** 32),
    back: x => f64.convertS64(low(x)),
    toD: x => f64.convertS64(low(x)),
    toS: x => f32.convertS64(low(x)),
    exactInD: true,
  },
  {
    name: 'l',
    code: '00010',
    truncate: i64.truncSatS64,
    inRange: below(2 ** 63),
    back: f64.convertS64,
    toD: f64.convertS64,
    toS: f32.convertS64,
    exactInD: false,
  },
  {
    name: 'lu',
    code: '00011',
    truncate: i64.truncSatU64,
    inRange: natural(2 ** 64),
    back: f64.convertU64,
    toD: f64.convertU64,
    toS: f32.convertU64,
    exactInD: false,
  },
];

function toInteger(p: Precision, type: IntegerType) {
  return instruction(
    `fcvt.${type.name}.${p}`,
    `11000${fmt(p)} ${type.code} ${R5} ... ${R5} 1010011`,
    'R',
    'rd fs1 rm',
    'fpConvert',
    m => {
      const source = variable(m.f);
      const result = variable(m.t);
      const inRange = p === 's' ? i32.and(m.boxed(1), type.inRange(source.get)) : type.inRange(source.get);
      return sequence(
        source.set(p === 's' ? f64.promote(m.s1) : m.d1),
        result.set(type.truncate(source.get)),
        m.exactUnless(i32.and(inRange, i32.or(m.inexactRaised, f64.eq(type.back(result.get), source.get)))),
        m.setRd(result.get),
      );
    },
    { rounding: TOWARD_ZERO },
  );
}
function fromInteger(p: Precision, type: IntegerType) {
  const exact = p === 'd' && type.exactInD;
  /** Integers below 2^53 are exact as doubles whatever the mode. */
  const small = (x: I64): I32 => i64.ltU(x, i64.const(2 ** 53));
  return instruction(
    `fcvt.${p}.${type.name}`,
    `11010${fmt(p)} ${type.code} ${R5} ... ${R5} 1010011`,
    'R',
    'fd rs1 rm',
    'fpConvert',
    m =>
      sequence(
        exact ? [] : m.exactUnless(p === 'd' ? i32.or(m.nearestAndInexact, i32.and(m.roundingValid, small(m.rs1))) : m.nearestAndInexact),
        p === 'd' ? m.setD(type.toD(m.rs1)) : m.setS(type.toS(m.rs1)),
      ),
    { rounding: exact ? ANY_STATIC : NEAREST },
  );
}

const load = (name: string, funct3: string, p: Precision) =>
  instruction(name, `............ ${R5} ${funct3} ${R5} 0000111`, 'I', 'fd imm(rs1)', 'load', m =>
    m.setBits(p === 's' ? i64.or(m.load('u32', m.address), BOX) : m.load('i64', m.address)),
  );
const store = (name: string, funct3: string, size: 4 | 8) =>
  instruction(name, `....... ${R5} ${R5} ${funct3} ${R5} 0100111`, 'S', 'fs2 imm(rs1)', 'store', m => m.store(size, m.address, m.bits2));
const move = (name: string, pattern: string, operands: string, meaning: Meaning) =>
  instruction(name, `${pattern} 00000 ${R5} 000 ${R5} 1010011`, 'R', operands, 'fpMove', meaning);

export const floatInstructions: readonly Instruction[] = [
  load('flw', '010', 's'),
  load('fld', '011', 'd'),
  store('fsw', '010', 4),
  store('fsd', '011', 8),

  ...arithmetic('fadd', '00000', 'fpAdd', 'finite', f32.add, f64.add),
  ...arithmetic('fsub', '00001', 'fpAdd', 'finite', f32.sub, f64.sub),
  ...arithmetic('fmul', '00010', 'fpMul', 'normal', f32.mul, f64.mul),
  ...arithmetic('fdiv', '00011', 'fpDiv', 'normal', f32.div, f64.div),
  root('s'),
  root('d'),
  ...fused('fmadd', '1000011', false, false),
  ...fused('fmsub', '1000111', false, true),
  ...fused('fnmsub', '1001011', true, false),
  ...fused('fnmadd', '1001111', true, true),

  ...inject('fsgnj', '000', (_, b) => b),
  ...inject('fsgnjn', '001', (_, b) => i64.xor(b, i64.const(-1))),
  ...inject('fsgnjx', '010', i64.xor),
  ...extreme('fmin', '000', f32.min, f64.min),
  ...extreme('fmax', '001', f32.max, f64.max),
  ...compare('fle', '000', f32.le, f64.le),
  ...compare('flt', '001', f32.lt, f64.lt),
  ...compare('feq', '010', f32.eq, f64.eq),
  classify('s'),
  classify('d'),

  ...integerTypes.flatMap(type => [toInteger('s', type), toInteger('d', type), fromInteger('s', type), fromInteger('d', type)]),
  instruction(
    'fcvt.s.d',
    `0100000 00001 ${R5} ... ${R5} 1010011`,
    'R',
    'fd fs1 rm',
    'fpConvert',
    quickS(m => f32.demote(m.d1), 'normal', 0),
    { rounding: NEAREST },
  ),
  instruction(
    'fcvt.d.s',
    `0100001 00000 ${R5} ... ${R5} 1010011`,
    'R',
    'fd fs1 rm',
    'fpConvert',
    m => sequence(m.exactUnless(i32.and(m.boxed(1), f32.eq(m.s1, m.s1))), m.setD(f64.promote(m.s1))),
    { rounding: ANY_STATIC },
  ),

  move('fmv.x.w', '1110000', 'rd fs1', m => m.setRd(i64.extend32(m.bits1))),
  move('fmv.w.x', '1111000', 'fd rs1', m => m.setBits(i64.or(low(m.rs1), BOX))),
  move('fmv.x.d', '1110001', 'rd fs1', m => m.setRd(m.bits1)),
  move('fmv.d.x', '1111001', 'fd rs1', m => m.setBits(m.rs1)),
];
