/**
 * Quantities over time, for charts: in steps of several lengths at once, the last STEPS of each, so that a chart can look at the last
 * half millisecond as well as at the last quarter of a minute.
 *
 * Always holds: what is taken in counts in every length alike; what is older than a length remembers is left out there.
 */

/** Steps that a chart shows; one more is under way. */
export const STEPS = 128;
const KEPT = STEPS + 1;
/** Cycles in a step, by level. At 2.2 GHz a chart of each shows 477 µs, 3.8 ms, 31 ms, 244 ms, 2 s and 16 s. */
export const LEVELS = [2 ** 13, 2 ** 16, 2 ** 19, 2 ** 22, 2 ** 25, 2 ** 28] as const;
/** The level of rates and of charts at first: about two seconds. */
export const LEVEL_USUAL = 4;

/** Values by step; how two of one step become one is what counts and heights differ in. */
class Steps {
  readonly #values = LEVELS.map(() => new Float64Array(KEPT));
  readonly #steps = LEVELS.map(() => new Float64Array(KEPT).fill(-1));

  protected take(time: number, value: number, join: (old: number, value: number) => number): void {
    for (let level = 0; level < LEVELS.length; level++) {
      const values = this.#values[level] as Float64Array;
      const steps = this.#steps[level] as Float64Array;
      const step = Math.floor(time / (LEVELS[level] as number));
      const at = step % KEPT;
      if ((steps[at] as number) < step) {
        steps[at] = step;
        values[at] = value;
      } else if (steps[at] === step) values[at] = join(values[at] as number, value);
    }
  }

  /** The value of a step, 0 where there was nothing. */
  protected at(level: number, step: number): number {
    const at = step % KEPT;
    return step >= 0 && this.#steps[level]?.[at] === step ? (this.#values[level]?.[at] as number) : 0;
  }

  /** The last STEPS values that are over at `now`, oldest first. */
  last(now: number, level: number): Float64Array {
    const underWay = Math.floor(now / (LEVELS[level] as number));
    return Float64Array.from({ length: STEPS }, (_, i) => this.at(level, underWay - STEPS + i));
  }
}

/** A count, and how quickly it grew of late. */
export class Tally extends Steps {
  total = 0;

  add(time: number, count: number): void {
    this.total += count;
    this.take(time, count, sum);
  }

  /** How much it grew in the `cycles` before `now`, per as many cycles; of a run that is younger, per as many as it has had. */
  rate(now: number, cycles: number): number {
    const length = LEVELS[LEVEL_USUAL];
    const last = Math.floor(now / length);
    const first = Math.max(0, last - Math.min(STEPS - 1, Math.ceil(cycles / length)) + 1);
    let total = 0;
    for (let step = first; step <= last; step++) total += this.at(LEVEL_USUAL, step);
    return (total * cycles) / Math.max(length, now - first * length);
  }

  /** As `last`, per `cycles`. */
  rates(now: number, level: number, cycles: number): Float64Array {
    const length = LEVELS[level] as number;
    return this.last(now, level).map(count => (count * cycles) / length);
  }
}
const sum = (old: number, value: number): number => old + value;

/** A height: of each step its greatest. */
export class Gauge extends Steps {
  /** The last that was told, and the greatest ever. */
  latest = 0;
  most = 0;

  set(time: number, value: number): void {
    this.latest = value;
    this.most = Math.max(this.most, value);
    this.take(time, value, Math.max);
  }
}
