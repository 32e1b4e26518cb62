/**
 * Waiting for several files: ppoll, pselect6, epoll.
 *
 * Always holds: between the last look at the files and going to sleep nothing can happen unnoticed. Asking a remote file takes time; a
 * `Notice` in all queues tells whether something changed meanwhile.
 */
import { E, Errno } from '../abi/errno.ts';
import { EPOLL, EPOLL_EVENT_BYTES, POLL } from '../abi/poll.ts';
import { type EpollEvent, type EpollSet, isEpoll } from '../fs/epoll.ts';
import { cyclesOf } from '../fs/clock.ts';
import type { OpenFile } from '../fs/file.ts';
import { after, eager } from '../fs/maybe.ts';
import { settle, sleep, type Blocking, type Cycles, type Maybe, type Sleeper, type WaitQueue } from '../types.ts';
import type { SyscallContext } from './context.ts';
import { fileOf, int, unsigned } from './file-common.ts';

/** Files that one ppoll or pselect may name. */
const POLL_MAX = 1 << 16;
const POLLFD_BYTES = 8;
const TIMESPEC_BYTES = 16;

class Notice implements Sleeper {
  seen = false;
  wake(): void {
    this.seen = true;
  }
}

/** Calls `look` until it gives more than 0, the deadline is over, or a signal comes. */
function* waitFor(ctx: SyscallContext, files: readonly OpenFile[], deadline: Cycles, look: () => Maybe<number>): Blocking<number> {
  const [only] = files;
  const queues = files.length === 1 && only ? only.queues : [...new Set(files.flatMap(file => [...file.queues]))];
  const remote = files.some(file => file.owner !== ctx.services.kernel);
  for (;;) {
    const notice = new Notice();
    const count = yield* remote ? noticing(queues, notice, look) : settle(look());
    if (count > 0) return count;
    if (notice.seen) continue;
    if (deadline <= ctx.services.now()) return 0;
    const reason = yield* sleep(queues, { deadline });
    if (reason === 'interrupted') {
      const last = yield* settle(look());
      if (last > 0) return last;
      throw new Errno(E.RESTARTNOHAND);
    }
    if (reason === 'timeout') return yield* settle(look());
  }
}

function* noticing(queues: readonly WaitQueue[], notice: Notice, look: () => Maybe<number>): Blocking<number> {
  for (const queue of queues) queue.sleepers.add(notice);
  try {
    return yield* settle(look());
  } finally {
    for (const queue of queues) queue.sleepers.delete(notice);
  }
}

/** Holds on to the files while the call lasts. */
function* keeping<T>(files: readonly OpenFile[], steps: () => Blocking<T>): Blocking<T> {
  for (const file of files) file.retain();
  try {
    return yield* steps();
  } finally {
    for (const file of files) yield* settle(file.release());
  }
}

function deadlineAt(ctx: SyscallContext, address: number): Cycles {
  if (address === 0) return Number.POSITIVE_INFINITY;
  const seconds = ctx.user.getI64(address);
  const nanoseconds = ctx.user.getI64(address + 8);
  if (seconds < 0 || nanoseconds < 0 || nanoseconds > 999_999_999) throw new Errno(E.INVAL);
  if (seconds === 0 && nanoseconds === 0) return ctx.services.now();
  return deadlineAfter(ctx, seconds, nanoseconds);
}

/** A call that is made again, after a move say, ends when the first one would have. */
function deadlineAfter(ctx: SyscallContext, seconds: number, nanoseconds: number): Cycles {
  const { services, task } = ctx;
  if (Number.isNaN(task.restartDeadline)) task.restartDeadline = services.now() + cyclesOf(seconds, nanoseconds, services.hertz);
  return task.restartDeadline;
}

function withMask(ctx: SyscallContext, address: number, size: number, body: () => Maybe<number>): Maybe<number> {
  if (address === 0) return body();
  if (size !== 8) throw new Errno(E.INVAL);
  return ctx.withSignalMask([ctx.user.getU32(address), ctx.user.getU32(address + 4)], body);
}

/** What is left of the time, as ppoll and pselect6 report it. */
function writeRest(ctx: SyscallContext, address: number, deadline: Cycles): void {
  if (address === 0) return;
  const rest = Math.max(0, deadline - ctx.services.now());
  const seconds = Math.floor(rest / ctx.services.hertz);
  ctx.user.setI64(address, seconds);
  ctx.user.setI64(address + 8, Math.floor(((rest - seconds * ctx.services.hertz) * 1e9) / ctx.services.hertz));
}

// ── ppoll ──

export function ppoll(ctx: SyscallContext, address: number, count: number, timeout: number, mask: number, maskSize: number): Maybe<number> {
  const n = unsigned(count);
  if (n > POLL_MAX) throw new Errno(E.INVAL);
  const deadline = deadlineAt(ctx, timeout);
  if (timeout !== 0) ctx.user.check(timeout, TIMESPEC_BYTES, true);
  ctx.user.check(address, n * POLLFD_BYTES, true);
  const entries = ctx.user.read(address, n * POLLFD_BYTES);
  return withMask(ctx, mask, maskSize, () => eager(pollSteps(ctx, address, entries, timeout, deadline)));
}

function* pollSteps(ctx: SyscallContext, address: number, entries: Uint8Array, timeout: number, deadline: Cycles): Blocking<number> {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  const n = entries.length / POLLFD_BYTES;
  /** By entry; null for a descriptor that isn't open, undefined for one to skip. */
  const files: (OpenFile | null | undefined)[] = [];
  for (let i = 0; i < n; i++) {
    const fd = view.getInt32(POLLFD_BYTES * i, true);
    files.push(fd < 0 ? undefined : ctx.process.files.has(fd) ? ctx.process.files.get(fd) : null);
  }
  const open = files.filter((file): file is OpenFile => file !== null && file !== undefined);
  const count = yield* keeping(open, () => waitFor(ctx, open, deadline, () => eager(lookAll(view, files))));
  ctx.user.write(address, entries);
  writeRest(ctx, timeout, deadline);
  return count;
}

function* lookAll(view: DataView, files: readonly (OpenFile | null | undefined)[]): Blocking<number> {
  let count = 0;
  for (const [i, file] of files.entries()) {
    let found = 0;
    if (file === null) found = POLL.NVAL;
    else if (file) found = (yield* settle(file.poll())) & (view.getUint16(POLLFD_BYTES * i + 4, true) | POLL.ERR | POLL.HUP);
    view.setUint16(POLLFD_BYTES * i + 6, found, true);
    if (found !== 0) count++;
  }
  return count;
}

// ── pselect6 ──

const SELECT_MASKS = [
  POLL.IN | POLL.RDNORM | POLL.RDBAND | POLL.HUP | POLL.ERR,
  POLL.OUT | POLL.WRNORM | POLL.WRBAND | POLL.ERR,
  POLL.PRI,
] as const;

export function pselect6(
  ctx: SyscallContext,
  count: number,
  reads: number,
  writes: number,
  exceptions: number,
  timeout: number,
  maskArgument: number,
): Maybe<number> {
  const n = int(count);
  if (n < 0 || n > POLL_MAX) throw new Errno(E.INVAL);
  const bytes = Math.ceil(n / 64) * 8;
  const addresses = [reads, writes, exceptions];
  for (const address of addresses) if (address !== 0) ctx.user.check(address, bytes, true);
  const wanted = addresses.map(address => (address === 0 ? new Uint8Array(bytes) : ctx.user.read(address, bytes)));
  const deadline = deadlineAt(ctx, timeout);
  if (timeout !== 0) ctx.user.check(timeout, TIMESPEC_BYTES, true);
  const [mask, maskSize] = maskArgument === 0 ? [0, 0] : [ctx.user.getU64(maskArgument), ctx.user.getU64(maskArgument + 8)];
  return withMask(ctx, mask, maskSize, () => eager(selectSteps(ctx, n, addresses, wanted, timeout, deadline)));
}

function* selectSteps(
  ctx: SyscallContext,
  n: number,
  addresses: readonly number[],
  wanted: readonly Uint8Array[],
  timeout: number,
  deadline: Cycles,
): Blocking<number> {
  const files = new Map<number, OpenFile>();
  const isSet = (set: Uint8Array, fd: number): boolean => (((set[fd >> 3] as number) >> (fd & 7)) & 1) === 1;
  for (let fd = 0; fd < n; fd++) if (wanted.some(set => isSet(set, fd))) files.set(fd, fileOf(ctx, fd));
  const found = wanted.map(set => new Uint8Array(set.length));
  const look = function* (): Blocking<number> {
    let count = 0;
    for (const set of found) set.fill(0);
    for (const [fd, file] of files) {
      const mask = yield* settle(file.poll());
      for (const [kind, bits] of SELECT_MASKS.entries()) {
        if (!(mask & bits) || !isSet(wanted[kind] as Uint8Array, fd)) continue;
        const set = found[kind] as Uint8Array;
        set[fd >> 3] = (set[fd >> 3] as number) | (1 << (fd & 7));
        count++;
      }
    }
    return count;
  };
  const open = [...files.values()];
  const count = yield* keeping(open, () => waitFor(ctx, open, deadline, () => eager(look())));
  for (const [kind, address] of addresses.entries()) if (address !== 0) ctx.user.write(address, found[kind] as Uint8Array);
  writeRest(ctx, timeout, deadline);
  return count;
}

// ── epoll ──

function epollOf(ctx: SyscallContext, fd: number): EpollSet {
  const file = fileOf(ctx, fd);
  if (!isEpoll(file)) throw new Errno(E.INVAL);
  return file;
}

const OPERATIONS: readonly number[] = [EPOLL.CTL_ADD, EPOLL.CTL_DEL, EPOLL.CTL_MOD];

export function epollCtl(ctx: SyscallContext, epollFd: number, operation: number, fd: number, address: number): Maybe<number> {
  const event: EpollEvent = int(operation) === EPOLL.CTL_DEL ? { events: 0, data: 0n } : eventAt(ctx, address);
  const file = fileOf(ctx, fd);
  const epoll = epollOf(ctx, epollFd);
  if (!OPERATIONS.includes(int(operation))) throw new Errno(E.INVAL);
  return after(epoll.control(int(operation), int(fd), file, event), () => 0);
}

function eventAt(ctx: SyscallContext, address: number): EpollEvent {
  const view = new DataView(ctx.user.read(address, EPOLL_EVENT_BYTES).buffer);
  return { events: view.getUint32(0, true), data: view.getBigUint64(8, true) };
}

function packEvents(events: readonly EpollEvent[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(EPOLL_EVENT_BYTES * events.length));
  let at = 0;
  for (const { events: mask, data } of events) {
    view.setUint32(at, mask, true);
    view.setBigUint64(at + 8, data, true);
    at += EPOLL_EVENT_BYTES;
  }
  return new Uint8Array(view.buffer);
}

export function epollPwait(
  ctx: SyscallContext,
  epollFd: number,
  address: number,
  countMax: number,
  timeout: number,
  mask: number,
  maskSize: number,
): Maybe<number> {
  const milliseconds = int(timeout);
  const deadline =
    milliseconds < 0 ? Number.POSITIVE_INFINITY : milliseconds === 0 ? ctx.services.now() : deadlineAfter(ctx, 0, milliseconds * 1e6);
  return waitEpoll(ctx, epollFd, address, countMax, deadline, mask, maskSize);
}

export function epollPwait2(
  ctx: SyscallContext,
  epollFd: number,
  address: number,
  countMax: number,
  timeout: number,
  mask: number,
  maskSize: number,
): Maybe<number> {
  return waitEpoll(ctx, epollFd, address, countMax, deadlineAt(ctx, timeout), mask, maskSize);
}

function waitEpoll(
  ctx: SyscallContext,
  epollFd: number,
  address: number,
  countMax: number,
  deadline: Cycles,
  mask: number,
  maskSize: number,
): Maybe<number> {
  const n = int(countMax);
  if (n <= 0 || n > POLL_MAX) throw new Errno(E.INVAL);
  const epoll = epollOf(ctx, epollFd);
  ctx.user.check(address, n * EPOLL_EVENT_BYTES, true);
  return withMask(ctx, mask, maskSize, () => eager(keeping([epoll], () => epollSteps(ctx, epoll, address, n, deadline))));
}

function* epollSteps(ctx: SyscallContext, epoll: EpollSet, address: number, countMax: number, deadline: Cycles): Blocking<number> {
  const collect = function* (): Blocking<number> {
    const events = yield* settle(epoll.collect(countMax));
    ctx.user.write(address, packEvents(events));
    return events.length;
  };
  return yield* waitFor(ctx, [epoll], deadline, () => eager(collect()));
}
