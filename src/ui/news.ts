/** News of a session, at a pace that leaves the machine its time. */
import type { SessionStatus } from '../lab/session.ts';

/** Drawing takes time that the machine could have: news are shown a dozen times a second, the last ones always. */
const SHOW_EVERY_MS = 80;

export function atIntervals(show: (status: SessionStatus, traced: boolean) => void): { status: (status: SessionStatus) => void; traced: () => void } {
  let latest: SessionStatus | null = null;
  let traced = false;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let last = 0;
  const flush = (): void => {
    timer = null;
    last = performance.now();
    if (latest !== null) show(latest, traced);
    traced = false;
  };
  const schedule = (): void => {
    timer ??= setTimeout(flush, Math.max(0, last + SHOW_EVERY_MS - performance.now()));
  };
  return {
    status: (status) => {
      latest = status;
      schedule();
    },
    traced: () => {
      traced = true;
      schedule();
    },
  };
}
