/**
 * Clocks, sleeps and interval timers.
 *
 * Always holds: all clocks are the virtual one; CLOCK_REALTIME is a fixed instant at power-on plus an offset that clock_settime moves.
 */
import { E, Errno } from '../abi/errno.ts';
import { POWER_ON_SECONDS } from '../fs/clock.ts';
import type { Kernel } from '../kernel.ts';
import { type Blocking, type Cycles, sleep, WaitQueue } from '../types.ts';
import type { CallRow, SyscallContext, SyscallHandler } from './context.ts';
import { int } from './file-common.ts';
import { usedBy } from './process.ts';

const full = (name: string, handler: SyscallHandler): CallRow => ({ name, handler, support: 'full' });
const partial = (name: string, handler: SyscallHandler, missing: string): CallRow => ({ name, handler, support: 'partial', missing });

const CLOCK = { REALTIME: 0, MONOTONIC: 1, PROCESS: 2, THREAD: 3, RAW: 4, REALTIME_COARSE: 5, MONOTONIC_COARSE: 6, BOOTTIME: 7 } as const;
const TIMER_ABSTIME = 1;

interface Timespec {
  readonly seconds: number;
  readonly nanoseconds: number;
}

function timespecAt(user: SyscallContext['user'], address: number): Timespec {
  const seconds = user.getI64(address);
  const nanoseconds = user.getI64(address + 8);
  if (seconds < 0 || nanoseconds < 0 || nanoseconds > 999_999_999) throw new Errno(E.INVAL);
  return { seconds, nanoseconds };
}

const cyclesIn = (kernel: Kernel, { seconds, nanoseconds }: Timespec): Cycles =>
  Math.ceil(seconds * kernel.hertz + (nanoseconds * kernel.hertz) / 1e9);

/** The absolute virtual time that a timespec in user memory means. @throws Errno EINVAL EFAULT */
export function durationOf(kernel: Kernel, user: SyscallContext['user'], address: number, absolute: boolean, realtime: boolean): Cycles {
  const time = timespecAt(user, address);
  if (!absolute) return kernel.now + cyclesIn(kernel, time);
  return cyclesIn(
    kernel,
    realtime ? { seconds: Math.max(0, time.seconds - POWER_ON_SECONDS - kernel.image.clockOffset), nanoseconds: time.nanoseconds } : time,
  );
}

export function timeCalls(kernel: Kernel): Readonly<Record<number, CallRow>> {
  const parts = (cycles: Cycles, base = 0): Timespec => {
    const seconds = Math.floor(cycles / kernel.hertz);
    return { seconds: base + seconds, nanoseconds: Math.floor(((cycles - seconds * kernel.hertz) * 1e9) / kernel.hertz) };
  };
  const read = (ctx: SyscallContext, clock: number): Timespec => {
    switch (int(clock)) {
      case CLOCK.REALTIME:
      case CLOCK.REALTIME_COARSE:
        return parts(kernel.now, POWER_ON_SECONDS + kernel.image.clockOffset);
      case CLOCK.MONOTONIC:
      case CLOCK.RAW:
      case CLOCK.MONOTONIC_COARSE:
      case CLOCK.BOOTTIME:
        return parts(kernel.now);
      case CLOCK.PROCESS: {
        const [user, system] = usedBy(ctx.process);
        return parts(user + system);
      }
      case CLOCK.THREAD:
        return parts(ctx.task.usedUser + ctx.task.usedSystem);
      default:
        throw new Errno(E.INVAL);
    }
  };
  const put = (ctx: SyscallContext, address: number, { seconds, nanoseconds }: Timespec): void => {
    ctx.user.setI64(address, seconds);
    ctx.user.setI64(address + 8, nanoseconds);
  };

  function* sleepUntil(ctx: SyscallContext, deadline: Cycles, restAt: number): Blocking<number> {
    const { task } = ctx;
    if (Number.isNaN(task.restartDeadline)) task.restartDeadline = deadline;
    const end = task.restartDeadline;
    while (kernel.now < end) {
      const reason = yield* sleep([new WaitQueue()], { deadline: end });
      if (reason !== 'interrupted') break;
      if (restAt !== 0) {
        const rest = Math.max(0, end - kernel.now);
        const seconds = Math.floor(rest / kernel.hertz);
        put(ctx, restAt, { seconds, nanoseconds: Math.floor(((rest - seconds * kernel.hertz) * 1e9) / kernel.hertz) });
      }
      throw new Errno(E.RESTARTNOHAND);
    }
    return 0;
  }

  const timeval = (ctx: SyscallContext, address: number): Cycles => {
    const [seconds, micros] = [ctx.user.getI64(address), ctx.user.getI64(address + 8)];
    if (seconds < 0 || micros < 0 || micros > 999_999) throw new Errno(E.INVAL);
    return seconds * kernel.hertz + Math.ceil((micros * kernel.hertz) / 1e6);
  };
  const putTimeval = (ctx: SyscallContext, address: number, cycles: Cycles): void => {
    const micros = Math.ceil((cycles * 1e6) / kernel.hertz);
    ctx.user.setI64(address, Math.floor(micros / 1e6));
    ctx.user.setI64(address + 8, micros % 1e6);
  };
  const getTimer = (ctx: SyscallContext, which: number, address: number): number => {
    if (which < 0 || which > 2) throw new Errno(E.INVAL);
    const { process } = ctx;
    putTimeval(ctx, address, which === 0 ? process.itimerInterval : 0);
    putTimeval(ctx, address + 16, which === 0 && process.itimer !== null ? Math.max(0, process.itimer.time - kernel.now) : 0);
    return 0;
  };

  return {
    101: full('nanosleep', (ctx, at, rest) => sleepUntil(ctx, kernel.now + cyclesIn(kernel, timespecAt(ctx.user, at)), rest)),
    102: partial('getitimer', getTimer, 'ITIMER_VIRTUAL and ITIMER_PROF never run.'),
    103: partial(
      'setitimer',
      (ctx, which, newAt, oldAt) => {
        if (which < 0 || which > 2) throw new Errno(E.INVAL);
        const wanted = newAt === 0 ? [0, 0] : [timeval(ctx, newAt + 16), timeval(ctx, newAt)];
        if (oldAt !== 0) getTimer(ctx, which, oldAt);
        if (which === 0) {
          ctx.process.itimerInterval = wanted[1] as number;
          kernel.alarm(ctx.process, wanted[0] as number);
        }
        return 0;
      },
      'ITIMER_VIRTUAL and ITIMER_PROF never run.',
    ),
    112: full('clock_settime', (ctx, clock, at) => {
      if (int(clock) !== CLOCK.REALTIME) throw new Errno(E.INVAL);
      if (ctx.process.credentials.euid !== 0) throw new Errno(E.PERM);
      kernel.image.clockOffset = timespecAt(ctx.user, at).seconds - POWER_ON_SECONDS - Math.floor(kernel.now / kernel.hertz);
      return 0;
    }),
    113: full('clock_gettime', (ctx, clock, at) => {
      put(ctx, at, read(ctx, clock));
      return 0;
    }),
    114: full('clock_getres', (ctx, clock, at) => {
      read(ctx, clock);
      if (at !== 0) put(ctx, at, { seconds: 0, nanoseconds: 1 });
      return 0;
    }),
    115: full('clock_nanosleep', (ctx, clock, flags, at, rest) => {
      if (int(clock) === CLOCK.THREAD) throw new Errno(E.INVAL);
      read(ctx, clock);
      const absolute = (flags & TIMER_ABSTIME) !== 0;
      return sleepUntil(ctx, durationOf(kernel, ctx.user, at, absolute, int(clock) === CLOCK.REALTIME), absolute ? 0 : rest);
    }),
    169: full('gettimeofday', (ctx, at, zone) => {
      const { seconds, nanoseconds } = read(ctx, CLOCK.REALTIME);
      if (at !== 0) put(ctx, at, { seconds, nanoseconds: Math.floor(nanoseconds / 1000) });
      if (zone !== 0) ctx.user.setI64(zone, 0);
      return 0;
    }),
    170: full('settimeofday', () => 0),
  };
}
