/** Calls about signals. */
import { E, Errno } from '../abi/errno.ts';
import { SA, SIG, SIG_IGN, SIGNAL_COUNT } from '../abi/signal.ts';
import { type Kernel, REGISTERS_SET } from '../kernel.ts';
import { int64 } from '../mm/user-memory.ts';
import { onAlternateStack, setMask, siginfo, signalReturn } from '../signal/delivery.ts';
import { isBlocked, type SignalInfo } from '../signal/state.ts';
import { killThread } from '../task/origins.ts';
import { type Blocking, sleep, WaitQueue } from '../types.ts';
import type { CallRow, SyscallContext, SyscallHandler } from './context.ts';
import { int } from './file-common.ts';
import { durationOf } from './time.ts';

const full = (name: string, handler: SyscallHandler): CallRow => ({ name, handler, support: 'full' });
const SS = { ONSTACK: 1, DISABLE: 2 } as const;
const MINSIGSTKSZ = 2048;
const SIG_BLOCK = 0;
const SIG_UNBLOCK = 1;
const SIG_SETMASK = 2;

export function signalCalls(kernel: Kernel): Readonly<Record<number, CallRow>> {
  /** struct sigaction of RV64: handler 8, flags 8, mask 8. */
  function sigaction(ctx: SyscallContext, signal: number, newAt: number, oldAt: number, size: number): number {
    if (size !== 8 || !(signal >= 1 && signal <= SIGNAL_COUNT)) throw new Errno(E.INVAL);
    const action = ctx.process.actions[signal];
    if (action === undefined) throw new Errno(E.INVAL);
    const bytes = newAt === 0 ? null : ctx.user.read(newAt, 24);
    if (bytes !== null && (signal === SIG.KILL || signal === SIG.STOP)) throw new Errno(E.INVAL);
    if (oldAt !== 0) {
      const old = new Uint8Array(24);
      const view = new DataView(old.buffer);
      old.set(int64(action.handler), 0);
      view.setUint32(8, action.flags >>> 0, true);
      view.setUint32(16, action.mask[0], true);
      view.setUint32(20, action.mask[1], true);
      ctx.user.write(oldAt, old);
    }
    if (bytes === null) return 0;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    action.handler = Number(view.getBigInt64(0, true));
    action.flags = view.getUint32(8, true);
    action.mask = [view.getUint32(16, true), view.getUint32(20, true)];
    if (action.handler === SIG_IGN) {
      ctx.process.pending.remove([signal]);
      for (const task of ctx.process.threads) task.pending.remove([signal]);
    }
    if (signal === SIG.CHLD) kernel.origins.childMode(ctx.process, action.handler === SIG_IGN || (action.flags & SA.NOCLDWAIT) !== 0);
    return 0;
  }

  function sigprocmask(ctx: SyscallContext, how: number, newAt: number, oldAt: number, size: number): number {
    if (size !== 8) throw new Errno(E.INVAL);
    const { blocked } = ctx.task;
    const wanted = newAt === 0 ? null : [ctx.user.getU32(newAt), ctx.user.getU32(newAt + 4)];
    if (wanted !== null && how !== SIG_BLOCK && how !== SIG_UNBLOCK && how !== SIG_SETMASK) throw new Errno(E.INVAL);
    if (oldAt !== 0) {
      ctx.user.setU32(oldAt, blocked[0]);
      ctx.user.setU32(oldAt + 4, blocked[1]);
    }
    if (wanted === null) return 0;
    const mix = (old: number, bits: number): number => (how === SIG_BLOCK ? old | bits : how === SIG_UNBLOCK ? old & ~bits : bits) >>> 0;
    setMask(ctx.task, [mix(blocked[0], wanted[0] as number), mix(blocked[1], wanted[1] as number)]);
    return 0;
  }

  function* sigsuspend(ctx: SyscallContext, maskAt: number, size: number): Blocking<number> {
    if (size !== 8) throw new Errno(E.INVAL);
    const { task } = ctx;
    const mask = [ctx.user.getU32(maskAt), ctx.user.getU32(maskAt + 4)] as const;
    task.savedBlocked ??= [task.blocked[0], task.blocked[1]];
    setMask(task, mask);
    yield* sleep([new WaitQueue()]);
    throw new Errno(E.RESTARTNOHAND);
  }

  function* sigtimedwait(ctx: SyscallContext, setAt: number, infoAt: number, timeoutAt: number, size: number): Blocking<number> {
    if (size !== 8) throw new Errno(E.INVAL);
    const { task } = ctx;
    const set = [ctx.user.getU32(setAt), ctx.user.getU32(setAt + 4)] as const;
    const others: [number, number] = [~set[0] >>> 0, ~set[1] >>> 0];
    if (Number.isNaN(task.restartDeadline))
      task.restartDeadline = timeoutAt === 0 ? Number.POSITIVE_INFINITY : durationOf(kernel, ctx.user, timeoutAt, false, false);
    const deadline = task.restartDeadline;
    const old: [number, number] = [task.blocked[0], task.blocked[1]];
    const take = (): SignalInfo | null => task.pending.take(others) ?? ctx.process.pending.take(others);
    let info = take();
    while (info === null) {
      // While it waits the signals count as not blocked, so that their coming ends the sleep.
      setMask(task, [old[0] & ~set[0], old[1] & ~set[1]]);
      const reason = yield* sleep([new WaitQueue()], { deadline });
      setMask(task, old);
      info = take();
      if (info === null && reason === 'timeout') throw new Errno(E.AGAIN);
      if (info === null) throw new Errno(E.RESTARTNOHAND);
    }
    if (infoAt !== 0) ctx.user.write(infoAt, siginfo(info));
    return info.signal;
  }

  function sigaltstack(ctx: SyscallContext, newAt: number, oldAt: number): number {
    const { task } = ctx;
    const on = onAlternateStack(task, kernel.coreOf(task).hart.x(2));
    const { base, size, flags } = task.altStack;
    const wanted =
      newAt === 0 ? null : { base: ctx.user.getI64(newAt), flags: ctx.user.getU32(newAt + 8), size: ctx.user.getI64(newAt + 16) };
    if (oldAt !== 0) {
      ctx.user.setI64(oldAt, base);
      ctx.user.setI64(oldAt + 8, flags & SS.DISABLE ? SS.DISABLE : on ? SS.ONSTACK : 0);
      ctx.user.setI64(oldAt + 16, size);
    }
    if (wanted === null) return 0;
    if (on) throw new Errno(E.PERM);
    if (wanted.flags & SS.DISABLE) task.altStack = { base: 0, size: 0, flags: SS.DISABLE };
    else if (wanted.flags & ~SS.ONSTACK & 0x7fffffff) throw new Errno(E.INVAL);
    else if (wanted.size < MINSIGSTKSZ) throw new Errno(E.NOMEM);
    else task.altStack = { base: wanted.base, size: wanted.size, flags: 0 };
    return 0;
  }

  function* sigqueue(ctx: SyscallContext, group: number, tid: number, signal: number): Blocking<number> {
    return yield* killThread(kernel, ctx.process, int(group), int(tid), int(signal));
  }

  return {
    130: full('tkill', (ctx, tid, signal) => sigqueue(ctx, 0, tid, signal)),
    131: full('tgkill', (ctx, group, tid, signal) => {
      if (int(group) <= 0) throw new Errno(E.INVAL);
      return sigqueue(ctx, group, tid, signal);
    }),
    132: full('sigaltstack', sigaltstack),
    133: full('rt_sigsuspend', sigsuspend),
    134: full('rt_sigaction', (ctx, signal, newAt, oldAt, size) => sigaction(ctx, int(signal), newAt, oldAt, size)),
    135: full('rt_sigprocmask', (ctx, how, newAt, oldAt, size) => sigprocmask(ctx, int(how), newAt, oldAt, size)),
    136: full('rt_sigpending', (ctx, at, size) => {
      if (size > 8) throw new Errno(E.INVAL);
      const set = [0, 0];
      for (const info of [...ctx.task.pending.all, ...ctx.process.pending.all]) {
        if (isBlocked(ctx.task.blocked, info.signal))
          set[(info.signal - 1) >> 5] = (set[(info.signal - 1) >> 5] as number) | (1 << ((info.signal - 1) & 31));
      }
      ctx.user.setU32(at, (set[0] as number) >>> 0);
      ctx.user.setU32(at + 4, (set[1] as number) >>> 0);
      return 0;
    }),
    137: full('rt_sigtimedwait', sigtimedwait),
    139: full('rt_sigreturn', ctx => {
      signalReturn(kernel, ctx.task);
      return REGISTERS_SET;
    }),
  };
}
