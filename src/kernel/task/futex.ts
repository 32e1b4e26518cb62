/**
 * Futexes: sleeping on a word of memory. A word of memory that processes share is known by its object and its place in that, so it is the same for
 * everyone who maps it; one of private memory by its address space and its address there, wherever its page lies at the time. Who waits on a word
 * of shared memory whose home is another kernel waits there.
 *
 * Always holds: a queue is in the table only while somebody sleeps in it.
 */
import { E, Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import { backingFile } from '../mm/file-backing.ts';
import type { SharedPages } from '../mm/sharing.ts';
import type { UserMemory } from '../mm/user-memory.ts';
import { type Blocking, type Cycles, type KernelId, type Maybe, PAGE_SIZE, sleep, WaitQueue } from '../types.ts';
import type { Process, Task } from './task.ts';

type Key = number | string;

interface Waiter {
  readonly queue: WaitQueue;
  readonly bits: number;
  woken: boolean;
  key: Key;
}

export class Futexes {
  readonly waiters = new Map<Key, Waiter[]>();
  /** Objects of this kernel on whose words somebody has slept. */
  readonly #numbers = new WeakMap<object, number>();
  #next = 1;

  /** A word of an object of this kernel. */
  key(object: object, offset: number): Key {
    let number = this.#numbers.get(object);
    if (number === undefined) {
      number = this.#next++;
      this.#numbers.set(object, number);
    }
    return `object ${number}:${offset}`;
  }
  /** An object goes by another one from now on. */
  rename(from: object, to: object): void {
    const number = this.#numbers.get(from) ?? this.#next++;
    this.#numbers.set(from, number);
    this.#numbers.set(to, number);
  }
}

/** Where who waits on a word waits: here, or with another kernel's object. */
type Place = { readonly key: Key } | { readonly home: KernelId; readonly group: number; readonly offset: number };

/** Operations in a FUTEX_REQUEST. */
const OPERATION = { Wait: 0, Wake: 1, Requeue: 2 } as const;
const NONE = { value: 0, bits: 0xffffffff, deadline: -1, other: 0, target: 0 } as const;

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
  const { user } = task.process;
  const place = placeOf(kernel, user, address);
  if ('home' in place) {
    const { home, group, offset } = place;
    const request = { ...NONE, operation: OPERATION.Wait, group, offset, value: expected >>> 0, bits: bits >>> 0 };
    const until = Number.isFinite(deadline) ? deadline : -1;
    yield* kernel.messages.call(home, M.FUTEX_REQUEST, { ...request, deadline: until }, M.FUTEX_RESPONSE, true);
    return 0;
  }
  if (user.getU32(address) !== expected >>> 0) throw new Errno(E.AGAIN);
  return yield* wait(kernel, place.key, bits, deadline);
}

function* wait(kernel: Kernel, key: Key, bits: number, deadline: Cycles): Blocking<number> {
  const waiter: Waiter = { queue: new WaitQueue(), bits, woken: false, key };
  const table = kernel.futexes.waiters;
  table.set(key, [...(table.get(key) ?? []), waiter]);
  const reason = yield* sleep([waiter.queue], { deadline });
  if (waiter.woken) return 0;
  forget(kernel, waiter);
  if (reason === 'timeout') throw new Errno(E.TIMEDOUT);
  throw new Errno(E.RESTARTSYS);
}

/** FUTEX_WAKE[_BITSET]: how many were woken. */
export function futexWake(kernel: Kernel, process: Process, address: number, count: number, bits: number): Maybe<number> {
  const place = placeOf(kernel, process.user, address);
  if (!('home' in place)) return wakeKey(kernel, place.key, count, bits);
  const { home, group, offset } = place;
  return ask(kernel, home, { ...NONE, operation: OPERATION.Wake, group, offset, value: Math.max(0, count), bits: bits >>> 0 });
}

function* ask(kernel: Kernel, home: KernelId, request: Omit<Request, 'request'>): Blocking<number> {
  return (yield* kernel.messages.call(home, M.FUTEX_REQUEST, request, M.FUTEX_RESPONSE)).count;
}

function wakeKey(kernel: Kernel, key: Key, count: number, bits: number): number {
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
export function futexRequeue(kernel: Kernel, process: Process, from: number, to: number, wake: number, move: number): Maybe<number> {
  const [source, target] = [placeOf(kernel, process.user, from), placeOf(kernel, process.user, to)];
  if ('key' in source && 'key' in target) return requeueKey(kernel, source.key, target.key, wake, move);
  // Of words with two homes: those that would be moved are woken, and look for themselves.
  if (!('home' in source) || !('home' in target) || source.home !== target.home)
    return futexWake(kernel, process, from, Math.min(0x7fffffff, wake + move), 0xffffffff);
  const { home, group, offset } = source;
  const request = { ...NONE, operation: OPERATION.Requeue, group, offset, value: Math.max(0, wake), bits: Math.max(0, move) };
  return ask(kernel, home, { ...request, other: target.group, target: target.offset });
}

function requeueKey(kernel: Kernel, source: Key, target: Key, wake: number, move: number): number {
  const table = kernel.futexes.waiters;
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
function placeOf(kernel: Kernel, user: UserMemory, address: number): Place {
  const area = user.space.areas.find(address);
  if (area === null || !area.shared) return { key: `${user.space.table.root}:${address}` };
  const offset = area.backingPage * PAGE_SIZE + (address - area.start);
  const pages: SharedPages | null = area.backing?.sharedPages ?? null;
  if (pages !== null && !pages.isHome) return { home: pages.home, group: pages.group, offset };
  const object = backingFile(area.backing)?.inode ?? area.backing;
  return { key: object === null ? user.physical(address) : kernel.futexes.key(object, offset) };
}

function forget(kernel: Kernel, waiter: Waiter): void {
  const table = kernel.futexes.waiters;
  const left = (table.get(waiter.key) ?? []).filter(other => other !== waiter);
  if (left.length === 0) table.delete(waiter.key);
  else table.set(waiter.key, left);
}

// --- for other kernels -----------------------------------------------------------------------------------------------------------

interface Request {
  readonly request: number;
  readonly operation: number;
  readonly group: number;
  readonly offset: number;
  readonly value: number;
  readonly bits: number;
  readonly deadline: number;
  readonly other: number;
  readonly target: number;
}

/** What others ask about words of memory whose home is here. */
export function listenForFutexes(kernel: Kernel): void {
  const { messages } = kernel;
  messages.on(M.FUTEX_REQUEST, (request, { from }) => {
    kernel.image.serve(
      from,
      request.request,
      () => perform(kernel, request),
      (errno, count) => messages.send(from, M.FUTEX_RESPONSE, { request: request.request, errno, count: count ?? 0 }),
    );
  });
  messages.on(M.FUTEX_RESPONSE, answer => messages.answered(answer.request, answer.errno === 0 ? answer : new Errno(answer.errno)));
}

/** @throws Errno EINVAL there is no such object, and as the calls do */
function perform(kernel: Kernel, { operation, group, offset, value, bits, deadline, other, target }: Request): Maybe<number> {
  const keyAt = (of: number, at: number): Key => kernel.futexes.key(kernel.sharedMemory.homeOf(of).file, at);
  switch (operation) {
    case OPERATION.Wait:
      return waitFor(kernel, group, offset, value, bits, deadline < 0 ? Number.POSITIVE_INFINITY : deadline);
    case OPERATION.Wake:
      return wakeKey(kernel, keyAt(group, offset), value, bits);
    case OPERATION.Requeue:
      return requeueKey(kernel, keyAt(group, offset), keyAt(other, target), value, bits);
    default:
      throw new Errno(E.INVAL);
  }
}

/** The word is looked at here, where nobody can write it meanwhile. */
function* waitFor(kernel: Kernel, group: number, offset: number, expected: number, bits: number, deadline: Cycles): Blocking<number> {
  const home = kernel.sharedMemory.homeOf(group);
  const index = Math.floor(offset / PAGE_SIZE);
  const residency = home.expect(index);
  try {
    yield* home.acquire(index, 'read');
  } finally {
    residency?.used();
  }
  const word = home.file.frame(index, false) * PAGE_SIZE + (offset % PAGE_SIZE);
  if (offset % 4 !== 0) throw new Errno(E.INVAL);
  if (new DataView(kernel.memory.u8.buffer, word, 4).getUint32(0, true) !== expected) throw new Errno(E.AGAIN);
  return yield* wait(kernel, kernel.futexes.key(home.file, offset), bits, deadline);
}
