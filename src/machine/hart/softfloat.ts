/**
 * Exact IEEE 754 arithmetic as RISC-V asks for it, with BigInt, for any binary format: a number is unpacked to sign × significand ×
 * 2^exponent, the exact result is formed (or one with enough bits and a sticky one below them), and rounded once. Canonical
 * NaNs only; tininess is detected after rounding; flags are or-ed into `Flags`.
 */

export const Flag = { inexact: 1, underflow: 2, overflow: 4, divideByZero: 8, invalid: 16 } as const;
export const Rounding = { nearestEven: 0, towardZero: 1, down: 2, up: 3, nearestAway: 4 } as const;

export interface Context {
  readonly rounding: number;
  /** fflags raised so far by this instruction. */
  flags: number;
}

export interface Format {
  readonly width: number;
  /** Bits of the significand, the hidden one included. */
  readonly precision: number;
  readonly maximumExponent: number;
}
export const binary32: Format = { width: 32, precision: 24, maximumExponent: 127 };
export const binary64: Format = { width: 64, precision: 53, maximumExponent: 1023 };

interface Finite {
  readonly kind: 'finite';
  readonly negative: boolean;
  /** The value is significand × 2^exponent; 0 for a zero. */
  readonly significand: bigint;
  readonly exponent: number;
}
type Unpacked = Finite | { readonly kind: 'infinite'; readonly negative: boolean } | { readonly kind: 'nan'; readonly signaling: boolean };

const ones = (count: number): bigint => (1n << BigInt(count)) - 1n;
const lengthOf = (x: bigint): number => x.toString(2).length;
const signBit = (f: Format, negative: boolean): bigint => (negative ? 1n << BigInt(f.width - 1) : 0n);
const fractionBits = (f: Format): bigint => BigInt(f.precision - 1);

export const infinity = (f: Format, negative: boolean): bigint => signBit(f, negative) | (ones(f.width - f.precision) << fractionBits(f));
export const zero = (f: Format, negative: boolean): bigint => signBit(f, negative);
export const canonicalNaN = (f: Format): bigint => infinity(f, false) | (1n << (fractionBits(f) - 1n));

function unpack(f: Format, bits: bigint): Unpacked {
  const negative = bits >> BigInt(f.width - 1) === 1n;
  const exponentField = Number((bits >> fractionBits(f)) & ones(f.width - f.precision));
  const fraction = bits & ones(f.precision - 1);
  if (exponentField === 2 * f.maximumExponent + 1) {
    if (fraction === 0n) return { kind: 'infinite', negative };
    return { kind: 'nan', signaling: fraction >> (fractionBits(f) - 1n) === 0n };
  }
  const hidden = exponentField === 0 ? 0n : 1n << fractionBits(f);
  const exponent = Math.max(exponentField, 1) - f.maximumExponent - (f.precision - 1);
  return { kind: 'finite', negative, significand: fraction | hidden, exponent };
}

function invalid(f: Format, context: Context): bigint {
  context.flags |= Flag.invalid;
  return canonicalNaN(f);
}
/** The result where an operand is a NaN: always the canonical one; invalid only if one was signaling. */
function propagate(f: Format, context: Context, ...operands: Unpacked[]): bigint {
  if (operands.some(x => x.kind === 'nan' && x.signaling)) context.flags |= Flag.invalid;
  return canonicalNaN(f);
}

/** Drops the low `shift` bits (a negative shift appends zeros); the rest is rounded by the mode. */
function dropBits(significand: bigint, shift: number, negative: boolean, rounding: number): { kept: bigint; inexact: boolean } {
  if (shift <= 0) return { kept: significand << BigInt(-shift), inexact: false };
  const kept = significand >> BigInt(shift);
  const rest = significand & ones(shift);
  if (rest === 0n) return { kept, inexact: false };
  const half = 1n << BigInt(shift - 1);
  const up =
    rounding === Rounding.nearestEven
      ? rest > half || (rest === half && (kept & 1n) === 1n)
      : rounding === Rounding.nearestAway
        ? rest >= half
        : rounding === Rounding.down
          ? negative
          : rounding === Rounding.up
            ? !negative
            : false;
  return { kept: up ? kept + 1n : kept, inexact: true };
}

/** The one rounding: significand × 2^exponent (significand > 0) to the format. */
function round(f: Format, negative: boolean, significand: bigint, exponent: number, context: Context): bigint {
  const minimumExponent = 1 - f.maximumExponent;
  const leading = exponent + lengthOf(significand) - 1;
  const quantum = Math.max(leading, minimumExponent) - (f.precision - 1);
  const { kept, inexact } = dropBits(significand, quantum - exponent, negative, context.rounding);
  if (inexact) {
    context.flags |= Flag.inexact;
    if (leading < minimumExponent) {
      const unbounded = dropBits(significand, leading - (f.precision - 1) - exponent, negative, context.rounding).kept;
      const reachesNormal = leading === minimumExponent - 1 && lengthOf(unbounded) > f.precision;
      if (!reachesNormal) context.flags |= Flag.underflow;
    }
  }
  // A carry out of the significand just runs on into the exponent field, which is what it should do.
  const exponentField = quantum + (f.precision - 1) + f.maximumExponent - 1;
  const packed = (BigInt(exponentField) << fractionBits(f)) + kept;
  if (packed >= infinity(f, false)) {
    context.flags |= Flag.overflow | Flag.inexact;
    const toInfinity =
      context.rounding === Rounding.nearestEven ||
      context.rounding === Rounding.nearestAway ||
      (context.rounding === Rounding.down && negative) ||
      (context.rounding === Rounding.up && !negative);
    return toInfinity ? infinity(f, negative) : infinity(f, negative) - 1n;
  }
  return signBit(f, negative) | packed;
}

/** Adds two finite numbers exactly, then rounds. `zeroNegative`: the sign of a zero that both terms agree on, if they do. */
function addFinite(f: Format, a: Finite, b: Finite, context: Context): bigint {
  if (a.significand === 0n && b.significand === 0n && a.negative === b.negative) return zero(f, a.negative);
  const exponent = a.significand === 0n ? b.exponent : b.significand === 0n ? a.exponent : Math.min(a.exponent, b.exponent);
  const aligned = (x: Finite): bigint => {
    if (x.significand === 0n) return 0n;
    const magnitude = x.significand << BigInt(x.exponent - exponent);
    return x.negative ? -magnitude : magnitude;
  };
  const sum = aligned(a) + aligned(b);
  if (sum === 0n) return zero(f, context.rounding === Rounding.down);
  return round(f, sum < 0n, sum < 0n ? -sum : sum, exponent, context);
}

const negated = (x: Unpacked, negate: boolean): Unpacked => (negate && x.kind !== 'nan' ? { ...x, negative: !x.negative } : x);

export function add(f: Format, aBits: bigint, bBits: bigint, subtract: boolean, context: Context): bigint {
  const a = unpack(f, aBits);
  const b = negated(unpack(f, bBits), subtract);
  if (a.kind === 'nan' || b.kind === 'nan') return propagate(f, context, a, b);
  if (a.kind === 'infinite') return b.kind === 'infinite' && a.negative !== b.negative ? invalid(f, context) : infinity(f, a.negative);
  if (b.kind === 'infinite') return infinity(f, b.negative);
  return addFinite(f, a, b, context);
}

export function multiply(f: Format, aBits: bigint, bBits: bigint, context: Context): bigint {
  const a = unpack(f, aBits);
  const b = unpack(f, bBits);
  if (a.kind === 'nan' || b.kind === 'nan') return propagate(f, context, a, b);
  const negative = a.negative !== b.negative;
  if (a.kind === 'infinite') return b.kind === 'finite' && b.significand === 0n ? invalid(f, context) : infinity(f, negative);
  if (b.kind === 'infinite') return a.significand === 0n ? invalid(f, context) : infinity(f, negative);
  const product = a.significand * b.significand;
  return product === 0n ? zero(f, negative) : round(f, negative, product, a.exponent + b.exponent, context);
}

export function divide(f: Format, aBits: bigint, bBits: bigint, context: Context): bigint {
  const a = unpack(f, aBits);
  const b = unpack(f, bBits);
  if (a.kind === 'nan' || b.kind === 'nan') return propagate(f, context, a, b);
  const negative = a.negative !== b.negative;
  if (a.kind === 'infinite') return b.kind === 'infinite' ? invalid(f, context) : infinity(f, negative);
  if (b.kind === 'infinite') return zero(f, negative);
  if (b.significand === 0n) {
    if (a.significand === 0n) return invalid(f, context);
    context.flags |= Flag.divideByZero;
    return infinity(f, negative);
  }
  if (a.significand === 0n) return zero(f, negative);
  // Enough quotient bits for the precision and a guard; whatever remains is one sticky bit below.
  const extra = Math.max(0, f.precision + 2 + lengthOf(b.significand) - lengthOf(a.significand));
  const numerator = a.significand << BigInt(extra);
  const quotient = numerator / b.significand;
  const sticky = numerator % b.significand === 0n ? 0n : 1n;
  return round(f, negative, (quotient << 1n) | sticky, a.exponent - b.exponent - extra - 1, context);
}

function integerRoot(x: bigint): bigint {
  let root = 1n << BigInt(Math.ceil(lengthOf(x) / 2));
  for (;;) {
    const better = (root + x / root) >> 1n;
    if (better >= root) return root;
    root = better;
  }
}

export function squareRoot(f: Format, bits: bigint, context: Context): bigint {
  const a = unpack(f, bits);
  if (a.kind === 'nan') return propagate(f, context, a);
  if (a.kind === 'finite' && a.significand === 0n) return zero(f, a.negative);
  if (a.negative) return invalid(f, context);
  if (a.kind === 'infinite') return infinity(f, false);
  let extra = Math.max(0, 2 * (f.precision + 2) - lengthOf(a.significand));
  if ((a.exponent - extra) % 2 !== 0) extra++;
  const radicand = a.significand << BigInt(extra);
  const root = integerRoot(radicand);
  const sticky = root * root === radicand ? 0n : 1n;
  return round(f, false, (root << 1n) | sticky, (a.exponent - extra) / 2 - 1, context);
}

/** ±(a × b) ± c with one rounding. */
export function fusedMultiplyAdd(
  f: Format,
  aBits: bigint,
  bBits: bigint,
  cBits: bigint,
  negateProduct: boolean,
  negateAddend: boolean,
  context: Context,
): bigint {
  const a = negated(unpack(f, aBits), negateProduct);
  const b = unpack(f, bBits);
  const c = negated(unpack(f, cBits), negateAddend);
  const isZero = (x: Unpacked) => x.kind === 'finite' && x.significand === 0n;
  // Infinity times zero is invalid even beside a quiet NaN.
  if ((a.kind === 'infinite' && isZero(b)) || (isZero(a) && b.kind === 'infinite')) return invalid(f, context);
  if (a.kind === 'nan' || b.kind === 'nan' || c.kind === 'nan') return propagate(f, context, a, b, c);
  const negative = a.negative !== b.negative;
  if (a.kind === 'infinite' || b.kind === 'infinite') {
    return c.kind === 'infinite' && c.negative !== negative ? invalid(f, context) : infinity(f, negative);
  }
  if (c.kind === 'infinite') return infinity(f, c.negative);
  const product: Finite = { kind: 'finite', negative, significand: a.significand * b.significand, exponent: a.exponent + b.exponent };
  return addFinite(f, product, c, context);
}

/** The lesser (or greater): −0 is below +0, a number wins over a NaN. */
export function extreme(f: Format, aBits: bigint, bBits: bigint, greater: boolean, context: Context): bigint {
  const a = unpack(f, aBits);
  const b = unpack(f, bBits);
  if (a.kind === 'nan' || b.kind === 'nan') {
    const nan = propagate(f, context, a, b);
    return a.kind !== 'nan' ? aBits : b.kind !== 'nan' ? bBits : nan;
  }
  return order(f, aBits) < order(f, bBits) !== greater ? aBits : bBits;
}

/** A number by which bit patterns other than NaNs sort as their values do, −0 just below +0. */
function order(f: Format, bits: bigint): bigint {
  const magnitude = bits & ones(f.width - 1);
  return magnitude === bits ? magnitude : -magnitude - 1n;
}

export function compare(f: Format, aBits: bigint, bBits: bigint, how: 'eq' | 'lt' | 'le', context: Context): boolean {
  const a = unpack(f, aBits);
  const b = unpack(f, bBits);
  if (a.kind === 'nan' || b.kind === 'nan') {
    propagate(f, context, a, b);
    if (how !== 'eq') context.flags |= Flag.invalid;
    return false;
  }
  const value = (bits: bigint) => ((bits & ones(f.width - 1)) === 0n ? 0n : order(f, bits));
  const [x, y] = [value(aBits), value(bBits)];
  return how === 'eq' ? x === y : how === 'lt' ? x < y : x <= y;
}

/** One bit out of ten: −∞, −normal, −subnormal, −0, +0, +subnormal, +normal, +∞, signaling NaN, quiet NaN. */
export function classify(f: Format, bits: bigint): number {
  const a = unpack(f, bits);
  if (a.kind === 'nan') return a.signaling ? 256 : 512;
  const magnitude = a.kind === 'infinite' ? 0 : a.significand === 0n ? 3 : lengthOf(a.significand) < f.precision ? 2 : 1;
  return 1 << (a.negative ? magnitude : 7 - magnitude);
}

/** To an integer of the given range; out of it, or NaN: the nearest end (NaN: the upper one), and invalid instead of inexact. */
export function toInteger(f: Format, bits: bigint, least: bigint, most: bigint, context: Context): bigint {
  const a = unpack(f, bits);
  const clamped = (negative: boolean): bigint => {
    context.flags |= Flag.invalid;
    return negative ? least : most;
  };
  if (a.kind === 'nan') return clamped(false);
  if (a.kind === 'infinite') return clamped(a.negative);
  if (a.significand !== 0n && a.exponent > 64) return clamped(a.negative);
  const { kept, inexact } = dropBits(a.significand, -a.exponent, a.negative, context.rounding);
  const value = a.negative ? -kept : kept;
  if (value < least || value > most) return clamped(a.negative);
  if (inexact) context.flags |= Flag.inexact;
  return value;
}

export function fromInteger(f: Format, value: bigint, context: Context): bigint {
  if (value === 0n) return zero(f, false);
  return round(f, value < 0n, value < 0n ? -value : value, 0, context);
}

export function convert(from: Format, to: Format, bits: bigint, context: Context): bigint {
  const a = unpack(from, bits);
  if (a.kind === 'nan') return propagate(to, context, a);
  if (a.kind === 'infinite') return infinity(to, a.negative);
  if (a.significand === 0n) return zero(to, a.negative);
  return round(to, a.negative, a.significand, a.exponent, context);
}
