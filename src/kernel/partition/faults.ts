/**
 * Faults, as an operator injects them to see what survives.
 *
 *     fault K lose TO [N]         the next N messages from kernel K to kernel TO never get there
 *     fault K corrupt TO [N]      … get there damaged
 *     fault K deaf MS             kernel K hears no interrupt for so many milliseconds, its own timer's for the heartbeat neither: its rings fill,
 *                                 and if it takes too long the others declare it dead
 *     fault K memory MS           all free memory of kernel K is taken for so many milliseconds
 *     fault K core CORE           a core of kernel K stops
 *
 * Always holds: a fault is in the trace at the moment at which it happens.
 */
import { E, Errno } from '../abi/errno.ts';
import { SIG } from '../abi/signal.ts';
import { type Kernel, KernelState } from '../kernel.ts';
import { exitProcess } from '../task/exit.ts';
import { FaultKind, TraceKind } from '../trace.ts';
import type { Blocking, CoreId, Cycles, Pfn } from '../types.ts';
import { Refusal } from './refusal.ts';
import { apart, takeOffline } from './move.ts';

/** How long a core may say nothing before the others take it for dead (Linux: the hard lockup detector, 10 s; shorter here, as time is). */
const WATCHDOG_MILLISECONDS = 20;

const KINDS: Readonly<Record<string, (kernel: Kernel, words: readonly string[]) => Blocking<void>>> = {
  lose: function* (kernel, words) {
    mishap(kernel, words, 'lose');
  },
  corrupt: function* (kernel, words) {
    mishap(kernel, words, 'corrupt');
  },
  deaf: function* (kernel, [time]) {
    const cycles = cyclesOf(kernel, time);
    kernel.trace(TraceKind.Fault, FaultKind.Deaf, cycles, 0, 0);
    kernel.messages.deafUntil(kernel.now + cycles);
  },
  memory: function* (kernel, [time]) {
    const cycles = cyclesOf(kernel, time);
    const taken: Pfn[] = [];
    try {
      for (;;) taken.push(kernel.frames.allocate());
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
    }
    kernel.trace(TraceKind.Fault, FaultKind.MemoryTaken, taken.length, cycles, 0);
    kernel.at(kernel.now + cycles, () => {
      for (const pfn of taken) kernel.frames.release(pfn);
    });
  },
  core: (kernel, [word = '']) => apart(kernel, () => stopCore(kernel, Number(word))),
};

/** @throws Refusal */
export function inject(kernel: Kernel, [kind = '', ...words]: readonly string[]): Blocking<void> {
  const run = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (run === undefined) throw new Refusal(E.INVAL, `there is no fault ${kind}; there are ${Object.keys(KINDS).join(', ')}`);
  return run(kernel, words);
}

function mishap(kernel: Kernel, [to = '', count = '1']: readonly string[], kind: 'lose' | 'corrupt'): void {
  if (!/^\d+$/.test(to) || !kernel.isPeer(Number(to))) throw new Refusal(E.INVAL, `${to} is no other kernel that is up`);
  if (!/^\d{1,4}$/.test(count)) throw new Refusal(E.INVAL, `${count} is no number of messages`);
  kernel.messages.lane(Number(to)).faults[kind] += Number(count);
}

function cyclesOf(kernel: Kernel, word = ''): Cycles {
  if (!/^\d{1,5}$/.test(word)) throw new Refusal(E.INVAL, `${word} is no time in milliseconds`);
  return Math.round((kernel.hertz * Number(word)) / 1000);
}

function stopCore(kernel: Kernel, id: CoreId): void {
  const core = kernel.cores.find(each => each.id === id);
  if (core === undefined) throw new Refusal(E.INVAL, `core ${id} is not kernel ${kernel.id}'s, or not in use`);
  kernel.trace(TraceKind.Fault, FaultKind.CoreStopped, id, 0, 0);
  // Without the core that interrupts reach a kernel neither hears nor says anything.
  if (core === kernel.serviceCore) {
    kernel.lifecycle.stop(KernelState.Panicked);
    return;
  }
  const lost = core.current;
  core.isStopped = true;
  kernel.at(kernel.now + (kernel.hertz * WATCHDOG_MILLISECONDS) / 1000, () => {
    kernel.log(1, `watchdog: CPU ${id} does not answer: it is taken out of use`);
    takeOffline(kernel, core);
    if (lost !== null && lost.state !== 'dead') {
      kernel.log(1, `watchdog: ${lost.process.name} (${lost.process.pid}) was on it and is lost`);
      exitProcess(kernel, lost.process, SIG.KILL);
    }
  });
}
