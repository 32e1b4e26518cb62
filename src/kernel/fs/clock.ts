/** Wall-clock time as files show it: virtual time since power-on, on top of a constant beginning. */
import type { Cycles } from '../types.ts';

export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Power-on is 2013-05-02T00:00:00Z, whenever it is outside. */
export const POWER_ON_SECONDS = 1367452800;

export function timestamp(cycles: Cycles, hertz: number): Timestamp {
  const seconds = Math.floor(cycles / hertz);
  return { seconds: POWER_ON_SECONDS + seconds, nanoseconds: Math.floor(((cycles - seconds * hertz) * 1e9) / hertz) };
}

export const cyclesOf = (seconds: number, nanoseconds: number, hertz: number): Cycles =>
  Math.ceil(seconds * hertz + (nanoseconds * hertz) / 1e9);
