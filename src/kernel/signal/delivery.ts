/**
 * Delivering signals: choosing one, doing the default, or building the frame on which a handler runs.
 *
 * The frame as Linux RV64 lays it out (arch/riscv/kernel/signal.c), from the new stack pointer upwards:
 *
 *     0    siginfo (128)
 *     128  ucontext: flags 8 · link 8 · stack 24 · mask 8 + 120 spare · (176:) pc, x1 … x31 (256) · f0 … f31 (256), fcsr 4, spare (528 in all)
 *     1088 end, a multiple of 16
 *
 * Always holds: signals are delivered only as the task is about to go on in user mode, with its registers on the hart.
 */
import { E, Errno } from '../abi/errno.ts';
import { defaultAction, SA, SI, SIG, SIG_DFL, SIG_IGN } from '../abi/signal.ts';
import type { Kernel } from '../kernel.ts';
import { int64 } from '../mm/user-memory.ts';
import { exitProcess } from '../task/exit.ts';
import { VDSO_SIGRETURN } from '../task/vdso.ts';
import type { Process, Task } from '../task/task.ts';
import { TraceKind } from '../trace.ts';
import { isBlocked, type SignalInfo } from './state.ts';

const UCONTEXT = 128;
const MCONTEXT = UCONTEXT + 176;
const FPSTATE = MCONTEXT + 256;
const FRAME_BYTES = 1088;
const SS_ONSTACK = 1;
const SS_DISABLE = 2;
const UNBLOCKABLE: readonly number[] = [SIG.KILL, SIG.STOP];

/** A signal for a whole process that runs here. */
export function signalProcess(kernel: Kernel, process: Process, info: SignalInfo): void {
  if (!accept(kernel, process, info)) return;
  process.pending.add(info);
  for (const task of process.threads) {
    if (!isBlocked(task.blocked, info.signal) || UNBLOCKABLE.includes(info.signal)) {
      notify(kernel, task, info.signal);
      return;
    }
  }
}

/** A signal for one thread. */
export function signalTask(kernel: Kernel, task: Task, info: SignalInfo): void {
  if (!accept(kernel, task.process, info)) return;
  task.pending.add(info);
  if (!isBlocked(task.blocked, info.signal) || UNBLOCKABLE.includes(info.signal)) notify(kernel, task, info.signal);
}

/** A fault of the running task: delivered even if blocked or ignored, and then fatal. */
export function forceSignal(task: Task, signal: number, code: number, address: number): void {
  const action = task.process.actions[signal];
  if (action !== undefined && (isBlocked(task.blocked, signal) || action.handler === SIG_IGN)) {
    action.handler = SIG_DFL;
    setMask(task, unblock(task.blocked, signal));
  }
  task.pending.add({ signal, code, pid: 0, uid: 0, status: 0, address });
  task.work = true;
}

/** Changes the blocked set; signals that this lets through will be looked at. */
export function setMask(task: Task, mask: readonly [number, number]): void {
  task.blocked = [(mask[0] & ~((1 << (SIG.KILL - 1)) | (1 << (SIG.STOP - 1)))) >>> 0, mask[1] >>> 0];
  task.work = true;
}

/** Whether a signal waits that the task would take. */
export function hasSignal(task: Task): boolean {
  return task.pending.peek(task.blocked) !== null || task.process.pending.peek(task.blocked) !== null;
}

/** Takes pending signals until none is left, the task is stopped or gone, or a handler's frame is built. */
export function deliverSignals(kernel: Kernel, task: Task): void {
  const process = task.process;
  for (;;) {
    const info = task.pending.take(task.blocked) ?? process.pending.take(task.blocked);
    if (info === null) break;
    const action = process.actions[info.signal] as { handler: number; flags: number; mask: [number, number] };
    if (action.handler === SIG_IGN) continue;
    if (action.handler !== SIG_DFL) {
      kernel.trace(TraceKind.Signal, process.pid, info.signal, 1, 0);
      runHandler(kernel, task, info);
      return;
    }
    const first = process.pid === kernel.records.first;
    const doing = defaultAction(info.signal);
    if (
      doing === 'ignore' ||
      doing === 'continue' ||
      (first && info.code <= SI.KERNEL && info.code !== SI.KERNEL && info.signal !== SIG.KILL)
    )
      continue;
    kernel.trace(TraceKind.Signal, process.pid, info.signal, 0, 0);
    if (doing === 'stop') {
      if (info.signal !== SIG.STOP && kernel.origins.isOrphanedNow(process)) continue;
      stopProcess(kernel, process, info.signal);
      return;
    }
    exitProcess(kernel, process, info.signal | (doing === 'core' ? 0x80 : 0));
    return;
  }
  // A call that was interrupted without a handler is made again: the program counter still stands on it. Until then a handler ends it.
  if (task.savedBlocked !== null) {
    task.blocked = task.savedBlocked;
    task.savedBlocked = null;
  }
}

/** All threads of a process stop until SIGCONT. */
export function stopProcess(kernel: Kernel, process: Process, signal: number): void {
  process.isStopped = true;
  for (const task of process.threads) {
    // One that computes elsewhere stops when it has come home.
    if (kernel.threads.callHome(task)) continue;
    kernel.scheduler.interrupt(task);
    if (task.state === 'ready' || task.state === 'running') kernel.scheduler.stop(task);
  }
  kernel.origins.stopped(process, signal);
}

export function continueProcess(kernel: Kernel, process: Process): void {
  let any = process.isStopped;
  process.isStopped = false;
  for (const task of process.threads) {
    if (task.state !== 'stopped') continue;
    any = true;
    kernel.scheduler.enqueue(task);
  }
  if (any) kernel.origins.continued(process);
}

/** rt_sigreturn(2): puts back what the frame at the stack pointer says. @throws Errno EFAULT */
export function signalReturn(kernel: Kernel, task: Task): void {
  const hart = kernel.coreOf(task).hart;
  const user = task.process.user;
  const bytes = user.read(hart.x(2), FRAME_BYTES);
  const view = new DataView(bytes.buffer);
  hart.pc = Number(view.getBigInt64(MCONTEXT, true));
  for (let i = 1; i < 32; i++) hart.setXBig(i, view.getBigInt64(MCONTEXT + 8 * i, true));
  for (let i = 0; i < 32; i++) hart.setF(i, view.getBigUint64(FPSTATE + 8 * i, true));
  hart.fcsr = view.getUint32(FPSTATE + 256, true) & 0xff;
  setMask(task, [view.getUint32(UCONTEXT + 40, true), view.getUint32(UCONTEXT + 44, true)]);
  task.altStack = {
    base: Number(view.getBigUint64(UCONTEXT + 16, true)),
    flags: view.getUint32(UCONTEXT + 24, true) & SS_DISABLE,
    size: Number(view.getBigUint64(UCONTEXT + 32, true)),
  };
}

export function onAlternateStack(task: Task, sp: number): boolean {
  const { base, size, flags } = task.altStack;
  return (flags & SS_DISABLE) === 0 && sp > base && sp - base <= size;
}

function runHandler(kernel: Kernel, task: Task, info: SignalInfo): void {
  const process = task.process;
  const action = process.actions[info.signal] as { handler: number; flags: number; mask: [number, number] };
  const hart = kernel.coreOf(task).hart;
  kernel.charge(kernel.cost('signalDelivery'));
  if (task.restart !== 0) {
    if (task.restart === E.RESTARTNOHAND || !(action.flags & SA.RESTART)) {
      hart.setX(10, -E.INTR);
      hart.pc = hart.pc + 4;
      task.restartDeadline = Number.NaN;
    }
    task.restart = 0;
  }
  const sp = hart.x(2);
  const useAlternate = (action.flags & SA.ONSTACK) !== 0 && (task.altStack.flags & SS_DISABLE) === 0 && !onAlternateStack(task, sp);
  const top = useAlternate ? task.altStack.base + task.altStack.size : sp;
  const at = Math.floor((top - FRAME_BYTES) / 16) * 16;
  const mask = task.savedBlocked ?? task.blocked;
  task.savedBlocked = null;

  const bytes = new Uint8Array(FRAME_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(siginfo(info));
  view.setBigUint64(UCONTEXT + 16, BigInt(task.altStack.base), true);
  view.setUint32(UCONTEXT + 24, task.altStack.flags & SS_DISABLE ? SS_DISABLE : onAlternateStack(task, sp) ? SS_ONSTACK : 0, true);
  view.setBigUint64(UCONTEXT + 32, BigInt(task.altStack.size), true);
  view.setUint32(UCONTEXT + 40, mask[0], true);
  view.setUint32(UCONTEXT + 44, mask[1], true);
  view.setBigInt64(MCONTEXT, BigInt(hart.pc), true);
  for (let i = 1; i < 32; i++) view.setBigInt64(MCONTEXT + 8 * i, hart.xBig(i), true);
  for (let i = 0; i < 32; i++) view.setBigUint64(FPSTATE + 8 * i, hart.f(i), true);
  view.setUint32(FPSTATE + 256, hart.fcsr, true);
  try {
    process.user.write(at, bytes);
  } catch (error) {
    if (!(error instanceof Errno)) throw error;
    // No room for the frame: as Linux, a SIGSEGV that can't be handled.
    exitProcess(kernel, process, SIG.SEGV | 0x80);
    return;
  }
  hart.setX(1, VDSO_SIGRETURN);
  hart.setX(2, at);
  hart.setX(10, info.signal);
  hart.setX(11, at);
  hart.setX(12, at + UCONTEXT);
  hart.pc = action.handler;
  const blocked: [number, number] = [task.blocked[0] | action.mask[0], task.blocked[1] | action.mask[1]];
  setMask(task, action.flags & SA.NODEFER ? blocked : block(blocked, info.signal));
  task.work = hasSignal(task);
  if (action.flags & SA.RESETHAND) action.handler = SIG_DFL;
}

/** Whether the signal is to be kept at all; does what signals do on arrival. */
function accept(kernel: Kernel, process: Process, info: SignalInfo): boolean {
  const { signal } = info;
  if (signal === SIG.CONT) {
    removePending(process, [SIG.STOP, SIG.TSTP, SIG.TTIN, SIG.TTOU]);
    continueProcess(kernel, process);
  } else if (defaultAction(signal) === 'stop') {
    removePending(process, [SIG.CONT]);
  }
  if (process.exitStatus !== null) return false;
  const action = process.actions[signal];
  const ignored =
    action !== undefined && (action.handler === SIG_IGN || (action.handler === SIG_DFL && defaultAction(signal) === 'ignore'));
  const blocked = [...process.threads].some(task => isBlocked(task.blocked, signal));
  if (signal === SIG.KILL) {
    for (const task of process.threads) {
      if (task.state === 'stopped') kernel.scheduler.enqueue(task);
    }
  }
  return !ignored || blocked || signal === SIG.KILL || signal === SIG.STOP;
}

function notify(kernel: Kernel, task: Task, _signal: number): void {
  task.work = true;
  kernel.scheduler.interrupt(task);
  const core = kernel.coreOf(task);
  if (core.current === task && core !== kernel.core) kernel.yieldRequested = true;
}

function removePending(process: Process, signals: readonly number[]): void {
  process.pending.remove(signals);
  for (const task of process.threads) task.pending.remove(signals);
}

/** struct siginfo of Linux for the kinds of signals that occur here. */
export function siginfo(info: SignalInfo): Uint8Array {
  const bytes = new Uint8Array(128);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, info.signal, true);
  view.setInt32(8, info.code, true);
  if (info.code > 0 && info.code < SI.KERNEL && info.signal !== SIG.CHLD) {
    bytes.set(int64(info.address), 16);
  } else {
    view.setInt32(16, info.pid, true);
    view.setInt32(20, info.uid, true);
    view.setInt32(24, info.status, true);
  }
  return bytes;
}

function block(mask: readonly [number, number], signal: number): [number, number] {
  const result: [number, number] = [mask[0], mask[1]];
  const word = (signal - 1) >> 5;
  result[word] = ((result[word] as number) | (1 << ((signal - 1) & 31))) >>> 0;
  return result;
}

function unblock(mask: readonly [number, number], signal: number): [number, number] {
  const result: [number, number] = [mask[0], mask[1]];
  const word = (signal - 1) >> 5;
  result[word] = ((result[word] as number) & ~(1 << ((signal - 1) & 31))) >>> 0;
  return result;
}
