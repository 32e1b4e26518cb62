/**
 * Working with `Maybe`: a local operation gives its value at once, a remote or blocking one gives a generator.
 *
 *     eager(steps())     runs a generator as far as it gets without sleeping; mostly that is to its end
 *     after(maybe, f)    goes on with the value, now or later, without a generator if it is there
 */
import { isBlocking, type Blocking, type Maybe, type Wait, type WakeReason } from '../types.ts';

/** Runs `steps` until its first sleep. Its value if there was none, else a generator that begins with that sleep. */
export function eager<T>(steps: Blocking<T>): Maybe<T> {
  const first = steps.next();
  return first.done ? first.value : resume(steps, first.value);
}

function* resume<T>(steps: Blocking<T>, first: Wait): Blocking<T> {
  let wait = first;
  for (;;) {
    const next = steps.next(yield wait);
    if (next.done) return next.value;
    wait = next.value;
  }
}

export function after<T, R>(value: Maybe<T>, then: (value: T) => Maybe<R>): Maybe<R> {
  return isBlocking(value) ? continueWith(value, then) : then(value);
}

function* continueWith<T, R>(value: Blocking<T>, then: (value: T) => Maybe<R>): Blocking<R> {
  const result = then(yield* value);
  return isBlocking(result) ? yield* result : result;
}

/** A fresh thing to sleep with: why a wait ended, for loops that only care about interruption. */
export const interrupted = (reason: WakeReason): boolean => reason === 'interrupted';
