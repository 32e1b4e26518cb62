/**
 * Fused multiply-add out of ordinary arithmetic, for round to nearest even. Each function gives the correctly rounded a × b + c, or
 * a NaN where its proof does not hold; it never gives a wrong number. Method: Boldo and Melquiond, "Emulation of FMA and correctly
 * rounded sums: proved algorithms using rounding to odd" (2008). The product and the sums are split into a rounded part and its exact
 * error; the parts below the leading one are joined with rounding to odd, which keeps the last bit honest for the one rounding
 * that counts.
 */
import { type Code, type F32, type F64, type I64, type Local, choose, f32, f64, i32, i64, sequence, select, when } from '../wasm/code.ts';
import type { Locals, ModuleBuilder } from '../wasm/module.ts';

export interface FusedFunctions {
  readonly double: number;
  readonly single: number;
}

/** `error` such that sum + error = x + y exactly, where sum = x + y rounded (Knuth). */
function sumError(sum: Local<F64>, x: F64, y: F64, part: Local<F64>): F64 {
  const { get } = part;
  return [...part.set(f64.sub(sum.get, x)), ...f64.add(f64.sub(x, f64.sub(sum.get, get)), f64.sub(y, get))] as readonly number[] as F64;
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
    pe.set(
      f64.add(
        f64.mul(al.get, bl.get),
        f64.add(f64.mul(al.get, bh.get), f64.add(f64.mul(ah.get, bl.get), f64.sub(f64.mul(ah.get, bh.get), p.get))),
      ),
    ),
    s.set(f64.add(c.get, pe.get)),
    se.set(sumError(s, c.get, pe.get, part)),
    u.set(f64.add(p.get, s.get)),
    ue.set(sumError(u, p.get, s.get, part)),
    v.set(f64.add(se.get, ue.get)),
    ve.set(sumError(v, se.get, ue.get, part)),
    roundToOdd(v, ve, bits),
  );
  return choose('f64', proven, [...compute, ...f64.add(u.get, v.get)] as readonly number[] as F64, f64.const(NaN));
}

/** The product of two singles is exact as a double, and a double has more than twice a single's bits: one odd rounding is enough. */
function single(locals: Locals): Code {
  const [a, b, c] = [0, 1, 2].map(i => locals.parameter<F64>(i)) as [Local<F64>, Local<F64>, Local<F64>];
  const [p, s, error, part] = [locals.add<F64>('f64'), locals.add<F64>('f64'), locals.add<F64>('f64'), locals.add<F64>('f64')];
  const bits = locals.add<I64>('i64');
  const compute = sequence(
    p.set(f64.mul(a.get, b.get)),
    s.set(f64.add(p.get, c.get)),
    error.set(sumError(s, p.get, c.get, part)),
    roundToOdd(s, error, bits),
  );
  const finite = f64.lt(f64.add(f64.abs(p.get), f64.abs(c.get)), f64.const(Infinity));
  return sequence(compute, choose<F32>('f32', finite, f32.demote(s.get), f32.const(NaN)));
}

export function addFusedFunctions(module: ModuleBuilder): FusedFunctions {
  return {
    double: module.function(['f64', 'f64', 'f64'], ['f64'], double),
    single: module.function(['f64', 'f64', 'f64'], ['f32'], single),
  };
}
