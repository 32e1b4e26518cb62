/**
 * Kernels split and merge while programs run.
 *
 *     split   some cores and a block of memory of a kernel become free, as if they went to another one; a new kernel boots from them
 *     merge   the programs of a kernel move to another one, its devices go there, then it halts, and what it had becomes the other's
 *
 * Always holds: nothing is the new owner's before it is nobody's in every kernel's map; programs that can't move keep their kernel up.
 */
import { E, Errno } from '../abi/errno.ts';
import type { MemoryRange } from '../boot/parameters.ts';
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import type { Process } from '../task/task.ts';
import { type Blocking, type CoreId, type KernelId, type Pid, sleep } from '../types.ts';
import { ANY, ASK } from './ledger.ts';
import { NO_SHARE, type Share } from './map.ts';
import { apart, moveDevices, takeOffline, vacate } from './move.ts';
import { Refusal } from './refusal.ts';

const MEBIBYTE = 1 << 20;
const MEMORY_MIN = 8 * MEBIBYTE;
/** Milliseconds that programs get to leave, and that the end of a kernel may take. */
const PATIENCE = 2000;

/**
 * @param cores of this kernel; empty: the second half of them
 * @param bytes of this kernel's memory; 0: the largest block up to half of it that can be had
 * @throws Refusal
 */
export function* split(kernel: Kernel, cores: readonly CoreId[], bytes: number): Blocking<KernelId> {
  const own = kernel.cores.map(({ id }) => id).sort((a, b) => a - b);
  const wanted = cores.length > 0 ? cores : own.slice(Math.ceil(own.length / 2));
  if (wanted.length === 0) throw new Refusal(E.BUSY, `kernel ${kernel.id} has one core, which can't be split`);
  for (const id of wanted) if (!own.includes(id)) throw new Refusal(E.INVAL, `core ${id} is not kernel ${kernel.id}'s`);
  if (wanted.length >= own.length) throw new Refusal(E.BUSY, `kernel ${kernel.id} would have no core left`);
  let memory: MemoryRange | null = null;
  yield* apart(kernel, () => {
    memory = vacateSome(kernel, bytes);
    for (const core of kernel.cores.filter(({ id }) => wanted.includes(id))) takeOffline(kernel, core);
  });
  const share: Share = { ...NO_SHARE, cores: wanted, memory: [memory as unknown as MemoryRange] };
  try {
    yield* kernel.ledger.change({ ...share, ask: ASK.Give, kernel: ANY });
  } catch (error) {
    kernel.lifecycle.takeOnline(wanted);
    for (const range of share.memory) kernel.frames.own.add(range);
    throw error;
  }
  for (const range of share.memory) kernel.traceMemory(range, false);
  try {
    const made = yield* kernel.lifecycle.boot({ ...share, kernel: null });
    yield* kernel.lifecycle.arrival(made);
    kernel.log(6, `popcorn: kernel ${made} has been split off`);
    return made;
  } catch (error) {
    // Nobody else wants it: it comes back.
    yield* kernel.ledger.change({ ...share, ask: ASK.Take, kernel: kernel.id });
    throw error;
  }
}

function vacateSome(kernel: Kernel, bytes: number): MemoryRange {
  if (bytes > 0) return vacate(kernel, { bytes, node: null });
  for (
    let size = Math.floor((kernel.frames.own.total * 4096) / 2 / MEBIBYTE) * MEBIBYTE;
    ;
    size = Math.floor(size / 2 / MEBIBYTE) * MEBIBYTE
  ) {
    try {
      return vacate(kernel, { bytes: Math.max(size, MEMORY_MIN), node: null });
    } catch (error) {
      if (!(error instanceof Errno) || size <= MEMORY_MIN) throw error;
    }
  }
}

/**
 * This kernel's programs, devices, cores and memory go to another one, and it ends.
 * @param by the program that orders it: is it this kernel's, it goes last, when it has been answered
 * @throws Refusal what can't go
 */
export function* merge(kernel: Kernel, to: KernelId, by: Pid | null): Blocking<void> {
  if (kernel.isFederated) throw new Refusal(E.OPNOTSUPP, 'in a federation no process moves to another kernel: halt it instead');
  if (to === kernel.id) throw new Refusal(E.INVAL, `kernel ${to} is this one`);
  if (!kernel.isPeer(to)) throw new Refusal(E.HOSTDOWN, `kernel ${to} is not up`);
  const leaving = (): Process[] => [...kernel.processes.values()].filter(process => !isOfConsole(kernel, process));
  for (const process of leaving()) {
    if (!kernel.migration.mayLeave(process))
      throw new Refusal(E.BUSY, `${process.name} (${process.pid}) shares memory with others and can't move`);
  }
  yield* depart(kernel, to, () => leaving().filter(({ pid }) => pid !== by));
  if (!leaving().some(({ pid }) => pid === by)) return yield* close(kernel, to);
  kernel.spawn(
    (function* () {
      try {
        yield* depart(kernel, to, leaving);
        yield* close(kernel, to);
      } catch (error) {
        if (!(error instanceof Errno)) throw error;
        kernel.log(4, `popcorn: merge ${kernel.id} ${to}: ${error instanceof Refusal ? error.reason : `errno ${error.errno}`}`);
      }
    })(),
  );
}

/** Has them move until there are none left. */
function* depart(kernel: Kernel, to: KernelId, leaving: () => Process[]): Blocking<void> {
  const deadline = kernel.now + (PATIENCE * kernel.hertz) / 1000;
  // Programs that have been born meanwhile, and those that were not let in, are asked again.
  for (let left = leaving(); left.length > 0; left = leaving()) {
    if (kernel.now >= deadline)
      throw new Refusal(E.BUSY, `${left.length} programs have not moved, ${left[0]?.name} (${left[0]?.pid}) among them`);
    for (const process of left) {
      try {
        kernel.migration.ask(process, to, []);
      } catch (error) {
        if (!(error instanceof Errno)) throw error;
      }
    }
    yield* sleep([], { deadline: kernel.now + kernel.hertz / 1000, interruptible: false });
  }
}

/** No program is left: devices go, then this kernel ends and the other takes what it had. */
function* close(kernel: Kernel, to: KernelId): Blocking<void> {
  const { devices } = kernel.partition;
  if (devices.length > 0) yield* moveDevices(kernel, devices, to);
  yield* kernel.messages.call(to, M.CONTROL_REQUEST, { order: `absorb ${kernel.id}` }, M.CONTROL_RESPONSE);
  kernel.at(kernel.now, () => kernel.spawn(kernel.lifecycle.halt()));
}

/** Its own init, and the shell on its console: they end with it. */
function isOfConsole(kernel: Kernel, { pid }: Process): boolean {
  const record = kernel.records.all.get(pid);
  return pid === kernel.firstPid || (record !== undefined && record.session === pid && record.parent?.pid === kernel.firstPid);
}

/** A kernel is about to end: what it has becomes this one's, once all know. */
export function* absorb(kernel: Kernel, gone: KernelId): Blocking<void> {
  kernel.spawn(take(kernel, gone));
}
function* take(kernel: Kernel, gone: KernelId): Blocking<void> {
  const deadline = kernel.now + (PATIENCE * kernel.hertz) / 1000;
  while (kernel.now < deadline) {
    yield* sleep([], { deadline: kernel.now + kernel.hertz / 1000, interruptible: false });
    if (kernel.ledger.isOn(gone)) continue;
    const share = kernel.map.of(gone);
    if (share === undefined) return;
    try {
      yield* kernel.ledger.change({ ...share, ask: ASK.Take, kernel: kernel.id });
      kernel.log(6, `popcorn: kernel ${gone} has been merged into this one`);
      return;
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      // The keeper does not know yet.
    }
  }
  kernel.log(4, `popcorn: what kernel ${gone} had is free: it could not be taken over`);
}
