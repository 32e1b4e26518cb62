/**
 * A debugger's hold on one task: stop, step by instruction, breakpoints. It is asked for from outside (ReplicaInput `debug`), as hardware debuggers
 * are, so programs don't notice, and a recording repeats it.
 *
 * A watched task with breakpoints, or one that steps, is run instruction by instruction; other tasks don't pay. While it is held the rest
 * of its kernel goes on.
 *
 * Always holds: a held task has executed nothing since its last report; what a report says was read without a page fault.
 */
import { type Kernel, REGISTERS_SET } from '../kernel.ts';
import { PTE } from '../mm/page-table.ts';
import { toBytes } from '../fs/bytes.ts';
import type { Task } from '../task/task.ts';
import { type Blocking, PAGE_SIZE, type Pid, sleep, type VirtAddr, WaitQueue } from '../types.ts';
import { type CodeSymbol, symbolsOf } from './symbols.ts';

export type DebugCommand =
  /** Hold the task at its next instruction. */
  | { readonly command: 'stop' }
  /** Execute one instruction, system calls and all, and hold again. */
  | { readonly command: 'step' }
  /** Let it run to the next breakpoint. */
  | { readonly command: 'go' }
  | { readonly command: 'break'; readonly address: VirtAddr }
  | { readonly command: 'unbreak'; readonly address: VirtAddr }
  /** Let go of it for good. */
  | { readonly command: 'leave' };

export type HoldReason = 'stop' | 'step' | 'breakpoint';

/** What goes out by the debug port, as JSON. */
export type DebugReport =
  | {
      readonly kind: 'held';
      readonly pid: Pid;
      readonly reason: HoldReason;
      /** x0–x31, f0–f31, pc, fcsr as they lie in memory; two hexadecimal digits a byte. */
      readonly registers: string;
      /** Address of the first byte of `code`. */
      readonly codeStart: VirtAddr;
      /** Bytes around pc, as far as they are in memory; hexadecimal. */
      readonly code: string;
      /** Whether this host has pc's code translated: the one thing here that another host may see otherwise. */
      readonly translated: boolean;
    }
  | { readonly kind: 'running'; readonly pid: Pid }
  /** It sleeps in a system call, and is held when that is over. */
  | { readonly kind: 'asleep'; readonly pid: Pid; readonly call: number }
  | { readonly kind: 'symbols'; readonly pid: Pid; readonly symbols: readonly CodeSymbol[] }
  /** It is no more, or not with this kernel. */
  | { readonly kind: 'gone'; readonly pid: Pid };

/** Platform.output's port for reports. */
export const DEBUG_PORT = 4;
const CODE_BEFORE = 96;
const CODE_AFTER = 192;
/** Of the registers as a task keeps them. */
const PC = 512;

export class Watch {
  mode: 'held' | 'step' | 'run' = 'run';
  readonly breakpoints = new Set<VirtAddr>();
  readonly queue = new WaitQueue();
  reason: HoldReason = 'stop';
  reported = false;
  /** The breakpoint that it goes on from; −1 for none. */
  passing = -1;

  /** One that has come from another kernel. */
  static of(held: boolean, breakpoints: readonly VirtAddr[]): Watch {
    const watch = new Watch();
    for (const address of breakpoints) watch.breakpoints.add(address);
    if (held) watch.hold('stop');
    return watch;
  }

  hold(reason: HoldReason): void {
    this.mode = 'held';
    this.reason = reason;
    this.reported = false;
  }
  /** Whether the task is to run one instruction at a time. */
  get isSingle(): boolean {
    return this.mode === 'step' || this.breakpoints.size > 0;
  }
  /** The task has executed an instruction, or made a system call. */
  stepped(): void {
    this.passing = -1;
    if (this.mode === 'step') this.hold('step');
  }
}

/** A command from outside for a process of this kernel (its first thread). */
export function debug(kernel: Kernel, pid: Pid, order: DebugCommand): void {
  const task = kernel.taskHere(pid);
  if (task === undefined) {
    report(kernel, { kind: 'gone', pid });
    return;
  }
  if (order.command === 'leave') {
    const { watch } = task;
    task.watch = null;
    watch?.queue.wakeAll();
    return;
  }
  if (task.watch === null) {
    task.watch = new Watch();
    // Where it computes nobody looks at it: it is held here.
    kernel.threads.callHome(task);
    kernel.spawn(tellSymbols(kernel, task));
  }
  const { watch } = task;
  switch (order.command) {
    case 'break':
      watch.breakpoints.add(order.address);
      return;
    case 'unbreak':
      watch.breakpoints.delete(order.address);
      return;
    case 'stop':
      watch.hold('stop');
      if (watch.queue.sleepers.size > 0) tellHeld(kernel, task, watch);
      else if (task.state === 'asleep') report(kernel, { kind: 'asleep', pid, call: task.syscall });
      return;
    case 'step':
    case 'go':
      watch.mode = order.command === 'step' ? 'step' : 'run';
      watch.passing = pcOf(registersOf(kernel, task));
      watch.queue.wakeAll();
      if (order.command === 'go') report(kernel, { kind: 'running', pid });
  }
}

/** The watched task is about to go on in user mode. Returns whether it is held instead. */
export function holds(kernel: Kernel, task: Task, watch: Watch): boolean {
  const { pc } = kernel.coreOf(task).hart;
  if (watch.mode !== 'held' && watch.breakpoints.has(pc) && watch.passing !== pc) watch.hold('breakpoint');
  if (watch.mode !== 'held') return false;
  if (!watch.reported) tellHeld(kernel, task, watch);
  kernel.scheduler.begin(task, held(watch));
  return true;
}

/** The task is no more. */
export function taskGone(kernel: Kernel, task: Task): void {
  if (task.watch !== null) report(kernel, { kind: 'gone', pid: task.process.pid });
}

/** Another program runs in the watched task. */
export function programChanged(kernel: Kernel, task: Task): void {
  if (task.watch === null) return;
  task.watch.breakpoints.clear();
  kernel.spawn(tellSymbols(kernel, task));
}

/** Sleeps until it is let go, or something else is to be looked at: a signal, a move. */
function* held(watch: Watch): Blocking<number> {
  yield* sleep([watch.queue]);
  return REGISTERS_SET;
}

function registersOf(kernel: Kernel, task: Task): Uint8Array {
  const { current, hart } = kernel.coreOf(task);
  return current === task ? hart.regs : task.registers;
}

const pcOf = (registers: Uint8Array): VirtAddr =>
  Number(new DataView(registers.buffer, registers.byteOffset, registers.byteLength).getBigUint64(PC, true));

function tellHeld(kernel: Kernel, task: Task, watch: Watch): void {
  watch.reported = true;
  const registers = registersOf(kernel, task);
  const pc = pcOf(registers);
  const [codeStart, code] = codeAround(kernel, task, pc);
  const entry = task.process.mm.table.get(pc);
  report(kernel, {
    kind: 'held',
    pid: task.process.pid,
    reason: watch.reason,
    registers: hex(registers),
    codeStart,
    code: hex(code),
    translated: (entry & PTE.V) !== 0 && kernel.processor.isTranslated(entry >>> 10, pc),
  });
}

/** What is in memory of the bytes around pc: an unbroken run with pc in it. Nothing is fetched for it. */
function codeAround(kernel: Kernel, task: Task, pc: VirtAddr): [start: VirtAddr, bytes: Uint8Array] {
  const { table } = task.process.mm;
  const bytes = new Uint8Array(CODE_BEFORE + CODE_AFTER);
  let from = CODE_BEFORE;
  let to = CODE_BEFORE;
  const byteAt = (address: VirtAddr): number => {
    const entry = address < 0 ? 0 : table.get(address);
    return entry & PTE.V ? (kernel.memory.u8[(entry >>> 10) * PAGE_SIZE + (address % PAGE_SIZE)] as number) : -1;
  };
  for (let value = byteAt(pc); value >= 0 && to < bytes.length; value = byteAt(pc - CODE_BEFORE + to)) bytes[to++] = value;
  for (let value = byteAt(pc - 1); value >= 0 && from > 0; value = byteAt(pc - CODE_BEFORE + from - 1)) bytes[--from] = value;
  return [pc - CODE_BEFORE + from, bytes.subarray(from, to)];
}

function* tellSymbols(kernel: Kernel, task: Task): Blocking<void> {
  const { pid } = task.process;
  report(kernel, { kind: 'symbols', pid, symbols: yield* symbolsOf(kernel, task) });
}

function report(kernel: Kernel, what: DebugReport): void {
  kernel.platform.output(kernel.now, DEBUG_PORT, toBytes(JSON.stringify(what)));
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
