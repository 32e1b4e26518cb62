/**
 * Futexes: sleeping on a word of memory. A word of memory that processes share is known by its physical address, so it is the same for everyone
 * who maps it; one of private memory by its address space and its address there, wherever its page lies at the time.
 *
 * Always holds: a queue is in the table only while somebody sleeps in it.
 */
import { E, Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import type { UserMemory } from '../mm/user-memory.ts';
import { type Blocking, type Cycles, sleep, WaitQueue } from '../types.ts';
import type { Process, Task } from './task.ts';

interface Waiter {
  readonly queue: WaitQueue;
  readonly bits: number;
  woken: boolean;
  key: number | string;
}

export class Futexes {
  readonly waiters = new Map<number | string, Waiter[]>();
}

/**
 * FUTEX_WAIT[_BITSET].
 * @throws Errno EAGAIN the word has another value, ETIMEDOUT, ERESTARTSYS
 */
export function* futexWait(
  kernel: Kernel,
  task: Task,
  address: number,
  expected: number,
  bits: number,
  deadline: Cycles,
): Blocking<number> {
  if (bits === 0) throw new Errno(E.INVAL);
  const user = task.process.user;
  if (user.getU32(address) !== expected >>> 0) throw new Errno(E.AGAIN);
  const waiter: Waiter = { queue: new WaitQueue(), bits, woken: false, key: keyOf(user, address) };
  const table = kernel.futexes.waiters;
  table.set(waiter.key, [...(table.get(waiter.key) ?? []), waiter]);
  const reason = yield* sleep([waiter.queue], { deadline });
  if (waiter.woken) return 0;
  forget(kernel, waiter);
  if (reason === 'timeout') throw new Errno(E.TIMEDOUT);
  throw new Errno(E.RESTARTSYS);
}

/** FUTEX_WAKE[_BITSET]: how many were woken. */
export function futexWake(kernel: Kernel, process: Process, address: number, count: number, bits: number): number {
  return wakeKey(kernel, keyOf(process.user, address), count, bits);
}

function wakeKey(kernel: Kernel, key: number | string, count: number, bits: number): number {
  let woken = 0;
  for (const waiter of [...(kernel.futexes.waiters.get(key) ?? [])]) {
    if (woken >= count) break;
    if ((waiter.bits & bits) === 0) continue;
    waiter.woken = true;
    forget(kernel, waiter);
    waiter.queue.wakeAll();
    woken++;
  }
  return woken;
}

/** FUTEX_REQUEUE: wakes some, moves others to another word; how many in all. */
export function futexRequeue(kernel: Kernel, process: Process, from: number, to: number, wake: number, move: number): number {
  const table = kernel.futexes.waiters;
  const [source, target] = [keyOf(process.user, from), keyOf(process.user, to)];
  const woken = wakeKey(kernel, source, wake, 0xffffffff);
  const moved = (table.get(source) ?? []).slice(0, move);
  for (const waiter of moved) {
    forget(kernel, waiter);
    waiter.key = target;
    table.set(target, [...(table.get(target) ?? []), waiter]);
  }
  return woken + moved.length;
}

/** @throws Errno EFAULT */
function keyOf(user: UserMemory, address: number): number | string {
  const area = user.space.areas.find(address);
  return area !== null && !area.shared ? `${user.space.table.root}:${address}` : user.physical(address);
}

function forget(kernel: Kernel, waiter: Waiter): void {
  const table = kernel.futexes.waiters;
  const left = (table.get(waiter.key) ?? []).filter(other => other !== waiter);
  if (left.length === 0) table.delete(waiter.key);
  else table.set(waiter.key, left);
}
