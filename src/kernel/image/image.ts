/**
 * The single system image: what this kernel does for others and asks of them. Processes by their origin, signals, files, /proc, control.
 *
 * Always holds: every request is answered exactly once, with an errno if need be; a request that its asker has cancelled ends as a call
 * interrupted by a signal would.
 */
import { Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import { Moved } from '../message/messenger.ts';
import { deliverHere } from '../task/origins.ts';
import type { KernelFiber } from '../task/fiber.ts';
import { framesOf, runsOf } from '../mm/runs.ts';
import { type Blocking, type KernelId, type Maybe, type Pfn, settle, sleep } from '../types.ts';
import { RemoteFiles } from './files.ts';
import { ProcTables } from './proc.ts';

/** Frames that one FRAME_RETURN names at most. */
const RETURN_MAX = 1024;
/** Operations of the origin in which the asker sleeps: a signal there ends them here. */
const SLEEPS = 'wait';

export class Image {
  readonly files: RemoteFiles;
  readonly proc: ProcTables;
  /** Seconds that clock_settime has moved the calendar. */
  clockOffset = 0;
  readonly #kernel: Kernel;
  readonly #serving = new Map<number, KernelFiber>();
  readonly #returns = new Map<KernelId, Pfn[]>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.files = new RemoteFiles(kernel);
    this.proc = new ProcTables(kernel);
    this.#listen();
  }

  // --- asking ------------------------------------------------------------------------------------------------------------------

  *askOrigin(
    pid: number,
    operation: number,
    args: readonly number[],
    sleeps = operation === this.#sleepsNumber,
  ): Blocking<readonly number[]> {
    const { lifecycle, messages, origins, id } = this.#kernel;
    for (;;) {
      const origin = yield* lifecycle.keeperOf(pid);
      if (origin === id) return yield* settle(origins.perform(pid, operation, args));
      try {
        return (yield* messages.call(origin, M.ORIGIN_REQUEST, { pid, operation, args }, M.ORIGIN_RESPONSE, sleeps)).values;
      } catch (error) {
        if (error instanceof Moved) continue;
        // Its origin may have died of that; somebody may have its record then.
        if (!(error instanceof Errno) || this.#kernel.isPeer(origin) || (yield* lifecycle.keeperOf(pid)) === origin) throw error;
      }
    }
  }
  get #sleepsNumber(): number {
    return this.#kernel.origins.numberOf(SLEEPS);
  }

  /** The last reference to another kernel's frame is gone: its owner will hear of it with the others of this moment. */
  returnFrame(pfn: Pfn): void {
    const kernel = this.#kernel;
    const owner = this.ownerOfFrame(pfn);
    if (!kernel.isPeer(owner)) return;
    const waiting = this.#returns.get(owner);
    if (waiting !== undefined) {
      waiting.push(pfn);
      return;
    }
    this.#returns.set(owner, [pfn]);
    kernel.at(kernel.now, () => this.sendReturns(owner));
  }
  /** At once, as what is sent next relies on it. */
  sendReturns(owner: KernelId): void {
    const kernel = this.#kernel;
    const frames = (this.#returns.get(owner) ?? []).sort((a, b) => a - b);
    this.#returns.delete(owner);
    for (let at = 0; at < frames.length && kernel.isPeer(owner); at += RETURN_MAX)
      kernel.messages.send(owner, M.FRAME_RETURN, { runs: runsOf(frames.slice(at, at + RETURN_MAX)) });
  }

  ownerOfFrame(pfn: Pfn): KernelId {
    const owner = this.#kernel.map.ownerOfFrame(pfn);
    if (owner === null) throw new Error(`frame ${pfn} belongs to no kernel`);
    return owner;
  }

  logged(): void {}

  // --- answering ---------------------------------------------------------------------------------------------------------------

  /** Does `work` for the kernel that asked, and answers with its value or its errno. */
  serve<T>(from: KernelId, request: number, work: () => Maybe<T>, reply: (errno: number, value: T | null) => void): void {
    const kernel = this.#kernel;
    // One that has gone meanwhile is owed no answer, and what it lent may be another's by now.
    const answer = (errno: number, value: T | null): void => {
      if (kernel.isPeer(from)) reply(errno, value);
    };
    const key = from * 2 ** 32 + request;
    const run = function* (): Blocking<void> {
      let value: T;
      try {
        value = yield* settle(work());
      } catch (error) {
        if (!(error instanceof Errno)) throw error;
        answer(error.errno, null);
        return;
      }
      answer(0, value);
    };
    const fiber = this.#kernel.spawn(run(), this.#kernel.messages.cause);
    if (fiber.finished) return;
    this.#serving.set(key, fiber);
    fiber.onDone(() => this.#serving.delete(key));
  }

  /** What is being done for others ends, as for a signal; returns when it has, or after `cycles`. */
  *quiesce(cycles: number): Blocking<void> {
    const kernel = this.#kernel;
    const deadline = kernel.now + cycles;
    for (const fiber of [...this.#serving.values()]) fiber.interrupt();
    while (this.#serving.size > 0 && kernel.now < deadline)
      yield* sleep([], { deadline: kernel.now + kernel.cost('ipiDelivery'), interruptible: false });
  }

  /** What is being done for a kernel that is gone ends. */
  peerGone(peer: KernelId): void {
    for (const [key, fiber] of [...this.#serving]) if (Math.floor(key / 2 ** 32) === peer) fiber.interrupt();
    this.files.peerGone(peer);
  }

  #listen(): void {
    const kernel = this.#kernel;
    // Made by the kernel after this object: reached when a message comes.
    const on = kernel.messages;
    on.on(M.CANCEL, ({ request }, { from }) => this.#serving.get(from * 2 ** 32 + request)?.interrupt());
    on.on(M.ORIGIN_REQUEST, ({ request, pid, operation, args }, { from }) => {
      if (this.files.isFrozen) return;
      this.serve(
        from,
        request,
        () => kernel.origins.perform(pid, operation, args),
        (errno, values) => on.send(from, M.ORIGIN_RESPONSE, { request, errno, values: values ?? [] }),
      );
    });
    on.on(M.ORIGIN_RESPONSE, answer => on.answered(answer.request, answer.errno === 0 ? answer : new Errno(answer.errno)));
    on.on(M.REMOTE_SENDSIG, ({ pid, signal, code, sender, uid, status }, { from }) => {
      if (!deliverHere(kernel, pid, { signal, code, pid: sender, uid, status, address: 0 }))
        on.send(from, M.SIGNAL_BOUNCED, { pid, signal, code, sender, uid, status });
    });
    on.on(M.SIGNAL_BOUNCED, ({ pid, signal, code, sender, uid, status }, { from }) => {
      const record = kernel.records.all.get(pid);
      if (record === undefined || record.state === 'zombie') return;
      const info = { signal, code, pid: sender, uid, status, address: 0 };
      // On its way: it will be told when it has arrived.
      if (record.location === from) record.undelivered.push(info);
      else kernel.deliver(record, info);
    });
    on.on(M.FRAME_RETURN, ({ runs }) => {
      for (const pfn of framesOf(runs)) kernel.frames.returned(pfn);
    });
    this.files.listen();
    this.proc.listen();
  }
}
