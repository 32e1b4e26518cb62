/** Virtual times as people write them: `200us`, `5ms`, `1s`. */

const UNITS: Readonly<Record<string, number>> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1 };

/** Cycles of a time. @throws Error */
export function cyclesOf(text: string, hertz: number): number {
  const match = /^(\d+(?:\.\d+)?)(ns|us|µs|ms|s)$/.exec(text.trim());
  const unit = match === null ? undefined : UNITS[match[2] as string];
  if (match === null || unit === undefined) throw new Error(`“${text}” is no time; write 200us, 5ms or 1s`);
  return Math.round(Number(match[1]) * unit * hertz);
}

/** A duration in the unit that suits it, with three digits. */
export function timeText(cycles: number, hertz: number): string {
  const seconds = cycles / hertz;
  const [value, unit] =
    seconds >= 1
      ? [seconds, 's']
      : seconds >= 1e-3
        ? [seconds * 1e3, 'ms']
        : seconds >= 1e-6
          ? [seconds * 1e6, 'µs']
          : [seconds * 1e9, 'ns'];
  return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ${unit}`;
}
