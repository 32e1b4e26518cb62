/**
 * The exact counterpart of each floating-point row that has a quick way only: operands and result as raw register bits. This is
 * where the meaning of floating point is defined; the quick ways in isa/float.ts merely agree with it.
 */
import { instructions } from './isa/table.ts';
import {
  type Context,
  type Format,
  add,
  binary32,
  binary64,
  canonicalNaN,
  classify,
  compare,
  convert,
  divide,
  extreme,
  fromInteger,
  fusedMultiplyAdd,
  multiply,
  squareRoot,
  toInteger,
} from './softfloat.ts';

export interface Sources {
  /** f[rs1], f[rs2], f[rs3] and x[rs1], as unsigned 64-bit numbers. */
  readonly f1: bigint;
  readonly f2: bigint;
  readonly f3: bigint;
  readonly x1: bigint;
}
export type ExactOperation = (sources: Sources, context: Context) => bigint;

const BOX = 0xffffffff00000000n;
const formats: Readonly<Record<string, Format>> = { s: binary32, d: binary64 };
const unbox = (f: Format, bits: bigint): bigint => (f === binary64 ? bits : bits >= BOX ? bits & 0xffffffffn : canonicalNaN(binary32));
const box = (f: Format, bits: bigint): bigint => (f === binary64 ? bits : bits | BOX);

type Arithmetic = (f: Format, a: bigint, b: bigint, c: bigint, context: Context) => bigint;
const arithmetic: Readonly<Record<string, Arithmetic>> = {
  fadd: (f, a, b, _, context) => add(f, a, b, false, context),
  fsub: (f, a, b, _, context) => add(f, a, b, true, context),
  fmul: (f, a, b, _, context) => multiply(f, a, b, context),
  fdiv: (f, a, b, _, context) => divide(f, a, b, context),
  fsqrt: (f, a, _b, _c, context) => squareRoot(f, a, context),
  fmin: (f, a, b, _, context) => extreme(f, a, b, false, context),
  fmax: (f, a, b, _, context) => extreme(f, a, b, true, context),
  fmadd: (f, a, b, c, context) => fusedMultiplyAdd(f, a, b, c, false, false, context),
  fmsub: (f, a, b, c, context) => fusedMultiplyAdd(f, a, b, c, false, true, context),
  fnmsub: (f, a, b, c, context) => fusedMultiplyAdd(f, a, b, c, true, false, context),
  fnmadd: (f, a, b, c, context) => fusedMultiplyAdd(f, a, b, c, true, true, context),
};
const tests: Readonly<Record<string, (f: Format, a: bigint, b: bigint, context: Context) => bigint>> = {
  feq: (f, a, b, context) => (compare(f, a, b, 'eq', context) ? 1n : 0n),
  flt: (f, a, b, context) => (compare(f, a, b, 'lt', context) ? 1n : 0n),
  fle: (f, a, b, context) => (compare(f, a, b, 'le', context) ? 1n : 0n),
  fclass: (f, a) => BigInt(classify(f, a)),
};
const integers: Readonly<Record<string, { readonly width: number; readonly signed: boolean }>> = {
  w: { width: 32, signed: true },
  wu: { width: 32, signed: false },
  l: { width: 64, signed: true },
  lu: { width: 64, signed: false },
};

function operationNamed(name: string): ExactOperation | undefined {
  const [base = '', first = '', second = ''] = name.split('.');
  if (base !== 'fcvt') {
    const f = formats[first];
    const compute = arithmetic[base];
    const test = tests[base];
    if (f && compute) return (s, context) => box(f, compute(f, unbox(f, s.f1), unbox(f, s.f2), unbox(f, s.f3), context));
    if (f && test) return (s, context) => test(f, unbox(f, s.f1), unbox(f, s.f2), context);
    return undefined;
  }
  const [to, from] = [formats[first], formats[second]];
  const [toType, fromType] = [integers[first], integers[second]];
  if (to && from) return (s, context) => box(to, convert(from, to, unbox(from, s.f1), context));
  if (to && fromType) {
    const as = fromType.signed ? BigInt.asIntN : BigInt.asUintN;
    return (s, context) => box(to, fromInteger(to, as(fromType.width, s.x1), context));
  }
  if (toType && from) {
    const least = toType.signed ? -(1n << BigInt(toType.width - 1)) : 0n;
    const most = (1n << BigInt(toType.signed ? toType.width - 1 : toType.width)) - 1n;
    // Words are sign-extended into the register, unsigned ones too.
    return (s, context) => BigInt.asUintN(64, BigInt.asIntN(toType.width, toInteger(from, unbox(from, s.f1), least, most, context)));
  }
  return undefined;
}

/** By the row's place in the table. */
export const exactOperations: readonly (ExactOperation | undefined)[] = instructions.map(row =>
  row.exact ? operationNamed(row.name) : undefined,
);
