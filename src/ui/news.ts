/** News of a session, at a pace that leaves the machine its time. */
import type { SessionStatus } from '../lab/session.ts';

/** Drawing takes time that the machine could have: news are shown a dozen times a second at most, less often where drawing is slow, the last ones always. */
const SHOW_EVERY_MS = { least: 80, most: 400 } as const;
/** Part of the time that drawing may take. */
const SHARE = 0.25;

export function atIntervals(show: (status: SessionStatus, traced: boolean) => void): {
  status: (status: SessionStatus) => void;
  traced: () => void;
} {
  let latest: SessionStatus | null = null;
  let traced = false;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let last = 0;
  let pause: number = SHOW_EVERY_MS.least;
  const flush = (): void => {
    timer = null;
    last = performance.now();
    if (latest !== null) show(latest, traced);
    traced = false;
    const began = last;
    requestAnimationFrame(() =>
      setTimeout(() => {
        pause = Math.max(SHOW_EVERY_MS.least, Math.min(SHOW_EVERY_MS.most, (performance.now() - began) / SHARE));
      }),
    );
  };
  const schedule = (): void => {
    if (timer === null) timer = setTimeout(flush, Math.max(0, last + pause - performance.now()));
  };
  return {
    status: status => {
      latest = status;
      schedule();
    },
    traced: () => {
      traced = true;
      schedule();
    },
  };
}
