/**
 * Arithmetic that raises the inexact flag itself, by the host's own doubles: what runs between a program's start (or
 * its clearing of the flags) and its first inexact result, and for programs that never have one. It knows whether a result was exact
 * by computing its error, which is a number; where a proof of that needs more room than the operands leave, it declines.
 * Round to nearest even only.
 *
 * Singles are computed as doubles and rounded again: a double has more than twice a single's bits and two, so for one operation that
 * is the same as rounding once (Figueroa 1995). A product of singles is exact as a double.
 */

export const DECLINED = -1;
/** Where the result of the last operation that was not declined lies. */
export const quickResult = new Float64Array(1);

const inRange = (x: number, bound: number): boolean => {
  const magnitude = Math.abs(x);
  return magnitude <= bound && magnitude >= 1 / bound;
};
const BOUND = 2 ** 450;

/** Whether x × y is exactly p: the error of the product is zero (Dekker). */
function exactProduct(x: number, y: number, p: number): boolean {
  const tx = x * 134217729;
  const hx = tx - (tx - x);
  const lx = x - hx;
  const ty = y * 134217729;
  const hy = ty - (ty - y);
  const ly = y - hy;
  return hx * hy - p + hx * ly + lx * hy + lx * ly === 0;
}

function settle(result: number, exact: boolean): number {
  quickResult[0] = result;
  return exact ? 0 : 1;
}

/** Each gives the flags raised (0 or 1, inexact), or DECLINED. */
export function quickAdd(a: number, b: number): number {
  if (!(Math.abs(a) < 2 ** 1000 && Math.abs(b) < 2 ** 1000)) return DECLINED;
  const sum = a + b;
  const part = sum - a;
  return settle(sum, a - (sum - part) + (b - part) === 0);
}
export const quickSubtract = (a: number, b: number): number => quickAdd(a, -b);
export function quickMultiply(a: number, b: number): number {
  if (a === 0 || b === 0) {
    const product = a * b;
    return product === 0 ? settle(product, true) : DECLINED;
  }
  if (!inRange(a, BOUND) || !inRange(b, BOUND)) return DECLINED;
  const product = a * b;
  return settle(product, exactProduct(a, b, product));
}
export function quickDivide(a: number, b: number): number {
  if (!inRange(a, 2 ** 200) || !inRange(b, 2 ** 200)) return DECLINED;
  const quotient = a / b;
  return settle(quotient, quotient * b === a && exactProduct(quotient, b, a));
}
export function quickRoot(a: number): number {
  if (!(a > 0) || !inRange(a, BOUND)) return DECLINED;
  const root = Math.sqrt(a);
  return settle(root, root * root === a && exactProduct(root, root, a));
}
/** a × b + c only where a product of zero makes it a plain sum, or nothing is added; the rest has no short proof of exactness. */
export function quickFused(a: number, b: number, c: number): number {
  const product = a * b;
  if (product === 0 && (a === 0 || b === 0)) return quickAdd(product, c);
  if (!inRange(a, 2 ** 200) || !inRange(b, 2 ** 200) || !(c === 0 || inRange(c, BOUND))) return DECLINED;
  // With an exact product the sum is the only rounding.
  return exactProduct(a, b, product) ? quickAdd(product, c) : DECLINED;
}

const LEAST_NORMAL_SINGLE = 2 ** -126;

/** The double `exactly` (`known`: it has no error itself) as a single; declines what overflows or may underflow. */
function settleSingle(exactly: number, known: boolean): number {
  const single = Math.fround(exactly);
  const magnitude = Math.abs(single);
  if (!(magnitude > LEAST_NORMAL_SINGLE && magnitude < Infinity)) return exactly === 0 && known ? settle(exactly, true) : DECLINED;
  return settle(single, known && single === exactly);
}
export const quickSingleAdd = (a: number, b: number): number => {
  const sum = a + b;
  const part = sum - a;
  return settleSingle(sum, a - (sum - part) + (b - part) === 0);
};
export const quickSingleSubtract = (a: number, b: number): number => quickSingleAdd(a, -b);
export const quickSingleMultiply = (a: number, b: number): number => settleSingle(a * b, true);
export function quickSingleDivide(a: number, b: number): number {
  if (b === 0) return DECLINED;
  const quotient = a / b;
  return settleSingle(quotient, Math.fround(quotient) * b === a);
}
export function quickSingleRoot(a: number): number {
  const root = Math.sqrt(a);
  const single = Math.fround(root);
  return settleSingle(root, single * single === a);
}
export function quickSingleFused(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const part = sum - product;
  // Rounded to a double and again, a sum that is not exact could be off.
  return product - (sum - part) + (c - part) === 0 ? settleSingle(sum, true) : DECLINED;
}
