/**
 * Fused multiply-add for round to nearest even. Each way gives the correctly rounded a × b + c, or a NaN where its proof does not hold; it
 * never gives a wrong number. Out of ordinary arithmetic, the product and the sums are split into a rounded part and its exact error:
 * - Slow: Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd" (2008). The parts
 *   below the leading one are joined with rounding to odd, which keeps the last bit honest for the one rounding that counts.
 * - Quick: Ziv, "Fast evaluation of elementary mathematical functions with correctly rounded last bit" (1991). The parts below the leading
 *   one are rounded; where a little more and a little less of them lead to the same result, so does all that lies between.
 * Where the engine has a multiply-add that rounds once (relaxed SIMD may have), that is the quick way for doubles.
 */
import {
  after,
  type Code,
  choose,
  type F32,
  type F64,
  f32,
  f64,
  type I64,
  i32,
  i64,
  type Local,
  local,
  select,
  sequence,
  when,
} from '../wasm/code.ts';
import { engine } from '../wasm/engine.ts';
import { type Locals, ModuleBuilder } from '../wasm/module.ts';

export interface FusedFunctions {
  readonly double: number;
  readonly single: number;
}

/** `error` such that sum + error = x + y exactly, where sum = x + y rounded (Knuth). */
function sumError(sum: Local<F64>, x: F64, y: F64, part: Local<F64>): F64 {
  const { get } = part;
  return after(part.set(f64.sub(sum.get, x)), f64.add(f64.sub(x, f64.sub(sum.get, get)), f64.sub(y, get)));
}

/** sum, moved to its odd neighbour on the side of the error, if there is an error and sum is even. */
function roundToOdd(sum: Local<F64>, error: Local<F64>, bits: Local<I64>): Code {
  const towards = select(i32.eq(f64.lt(error.get, f64.const(0)), f64.lt(sum.get, f64.const(0))), i64.const(1), i64.const(-1));
  return sequence(
    bits.set(i64.reinterpret(sum.get)),
    when(
      i32.and(f64.ne(error.get, f64.const(0)), i64.eqz(i64.and(bits.get, i64.const(1)))),
      sum.set(f64.reinterpret(i64.add(bits.get, towards))),
    ),
  );
}

/** Both halves have at most 26 bits, so their products are exact (Veltkamp). */
function split(x: F64, high: Local<F64>, low: Local<F64>): Code {
  return sequence(
    low.set(f64.mul(x, f64.const(134217729))),
    high.set(f64.sub(low.get, f64.sub(low.get, x))),
    low.set(f64.sub(x, high.get)),
  );
}

/** What p, the rounded product, lacks of the product of two split numbers (Dekker). */
const productError = (p: Local<F64>, ah: Local<F64>, al: Local<F64>, bh: Local<F64>, bl: Local<F64>): F64 =>
  f64.add(
    f64.mul(al.get, bl.get),
    f64.add(f64.mul(al.get, bh.get), f64.add(f64.mul(ah.get, bl.get), f64.sub(f64.mul(ah.get, bh.get), p.get))),
  );

const within = (x: F64, least: number, most: number) => i32.and(f64.ge(f64.abs(x), f64.const(least)), f64.le(f64.abs(x), f64.const(most)));

function double(locals: Locals): Code {
  const [a, b, c] = [0, 1, 2].map(i => locals.parameter<F64>(i)) as [Local<F64>, Local<F64>, Local<F64>];
  const d = () => locals.add<F64>('f64');
  const [p, ah, al, bh, bl, pe, s, se, u, ue, v, ve, part] = [d(), d(), d(), d(), d(), d(), d(), d(), d(), d(), d(), d(), d()];
  const bits = locals.add<I64>('i64');
  // Far from both ends of the range: no part overflows, and even the last bit of the product's error is a normal number.
  const proven = i32.and(
    i32.and(within(a.get, 2 ** -450, 2 ** 450), within(b.get, 2 ** -450, 2 ** 450)),
    i32.or(f64.eq(c.get, f64.const(0)), within(c.get, 2 ** -900, 2 ** 900)),
  );
  const compute = sequence(
    p.set(f64.mul(a.get, b.get)),
    split(a.get, ah, al),
    split(b.get, bh, bl),
    pe.set(productError(p, ah, al, bh, bl)),
    s.set(f64.add(c.get, pe.get)),
    se.set(sumError(s, c.get, pe.get, part)),
    u.set(f64.add(p.get, s.get)),
    ue.set(sumError(u, p.get, s.get, part)),
    v.set(f64.add(se.get, ue.get)),
    ve.set(sumError(v, se.get, ue.get, part)),
    roundToOdd(v, ve, bits),
  );
  const slow = choose('f64', proven, after(compute, f64.add(u.get, v.get)), f64.const(NaN));
  if (hasFusedMultiplyAdd()) return f64.fusedMultiplyAdd(a.get, b.get, c.get);
  return sequence(v.set(quickDouble(a, b, c, [p, ah, al, bh, bl, s, se, part, u])), choose('f64', f64.eq(v.get, v.get), v.get, slow));
}

/** The product of two singles is exact as a double, and a double has more than twice a single's bits: one odd rounding is enough. */
function singleOf(a: Local<F64>, b: Local<F64>, c: Local<F64>, scratch: readonly Local<F64>[], bits: Local<I64>): F32 {
  const [p, s, error, part] = scratch as [Local<F64>, Local<F64>, Local<F64>, Local<F64>];
  const compute = sequence(
    p.set(f64.mul(a.get, b.get)),
    s.set(f64.add(p.get, c.get)),
    error.set(sumError(s, p.get, c.get, part)),
    roundToOdd(s, error, bits),
  );
  const finite = f64.lt(f64.add(f64.abs(p.get), f64.abs(c.get)), f64.const(Infinity));
  return after(compute, choose<F32>('f32', finite, f32.demote(s.get), f32.const(NaN)));
}
function single(locals: Locals): Code {
  const [a, b, c] = [0, 1, 2].map(i => locals.parameter<F64>(i)) as [Local<F64>, Local<F64>, Local<F64>];
  return singleOf(
    a,
    b,
    c,
    Array.from({ length: 4 }, () => locals.add<F64>('f64')),
    locals.add<I64>('i64'),
  );
}

export interface FusedWays {
  double(a: F64, b: F64, c: F64): F64;
  single(a: F64, b: F64, c: F64): F32;
}

/** The same as expressions, the double the quick way. `local` makes variables of the function that they stand in. */
export function fusedWays(add: <T extends F64 | I64>(type: 'f64' | 'i64') => Local<T>): FusedWays {
  const d = (): Local<F64> => add<F64>('f64');
  const [a, b, c] = [d(), d(), d()];
  let scratch: Local<F64>[] | null = null;
  let bits: Local<I64> | null = null;
  return {
    double: (x, y, z) => {
      if (hasFusedMultiplyAdd()) return f64.fusedMultiplyAdd(x, y, z);
      scratch ??= Array.from({ length: 10 }, d);
      return after(sequence(a.set(x), b.set(y), c.set(z)), quickDouble(a, b, c, scratch));
    },
    single: (x, y, z) => {
      scratch ??= Array.from({ length: 10 }, d);
      bits ??= add<I64>('i64');
      return after(sequence(a.set(x), b.set(y), c.set(z)), singleOf(a, b, c, scratch, bits));
    },
  };
}

/**
 * The error of the product is exact if that is not tiny. The sum of the two errors below the leading part is rounded by less than its 2^-52th.
 * Infinities end as NaNs.
 */
function quickDouble(a: Local<F64>, b: Local<F64>, c: Local<F64>, scratch: readonly Local<F64>[]): F64 {
  const [p, ah, al, bh, bl, sum, below, part, more] = scratch as [
    Local<F64>,
    Local<F64>,
    Local<F64>,
    Local<F64>,
    Local<F64>,
    Local<F64>,
    Local<F64>,
    Local<F64>,
    Local<F64>,
  ];
  const around = (by: number): F64 => f64.add(sum.get, f64.mul(below.get, f64.const(by)));
  return after(
    sequence(
      p.set(f64.mul(a.get, b.get)),
      split(a.get, ah, al),
      split(b.get, bh, bl),
      sum.set(f64.add(p.get, c.get)),
      below.set(sumError(sum, p.get, c.get, part)),
      below.set(f64.add(below.get, productError(p, ah, al, bh, bl))),
      more.set(around(1 + 2 ** -51)),
    ),
    select(i32.and(f64.ge(f64.abs(p.get), f64.const(2 ** -900)), f64.eq(more.get, around(1 - 2 ** -51))), more.get, f64.const(NaN)),
  );
}

let fusedMultiplyAdd: boolean | null = null;
/** Whether the engine has relaxed SIMD, and its multiply-add rounds once: it does so always or never. */
function hasFusedMultiplyAdd(): boolean {
  fusedMultiplyAdd ??= probe();
  return fusedMultiplyAdd;
}
function probe(): boolean {
  const module = new ModuleBuilder(1);
  const parameter = (i: number): F64 => local<F64>(i).get;
  module.function(['f64', 'f64', 'f64'], ['f64'], () => f64.fusedMultiplyAdd(parameter(0), parameter(1), parameter(2)), 'f');
  const bytes = module.bytes();
  if (!engine.validate(bytes)) return false;
  const memory = new engine.Memory({ initial: 1, maximum: 1, shared: true });
  const { f } = new engine.Instance(new engine.Module(bytes), { env: { memory } }).exports as {
    f(a: number, b: number, c: number): number;
  };
  const x = 1 + 2 ** -30;
  return f(x, x, -(x * x)) === 2 ** -60 && f(x, -x, x * x) === -(2 ** -60);
}

export function addFusedFunctions(module: ModuleBuilder): FusedFunctions {
  return {
    double: module.function(['f64', 'f64', 'f64'], ['f64'], double),
    single: module.function(['f64', 'f64', 'f64'], ['f32'], single),
  };
}
