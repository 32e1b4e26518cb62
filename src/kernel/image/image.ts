/**
 * The single system image: what this kernel does for others and asks of them. Processes by their origin, signals, files, /proc, control.
 *
 * Always holds: every request is answered exactly once, with an errno if need be; a request that its asker has cancelled ends as a call
 * interrupted by a signal would.
 */
import { E, Errno } from '../abi/errno.ts';
import { type Kernel, KernelState } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import { deliverHere } from '../task/origins.ts';
import type { KernelFiber } from '../task/fiber.ts';
import { type Blocking, type KernelId, type Maybe, type Pfn, settle, sleep, WaitQueue } from '../types.ts';
import { RemoteFiles } from './files.ts';
import { ProcTables, rangesOf } from './proc.ts';

const HEARTBEAT_MILLISECONDS = 100;
/** Frames that one FRAME_RETURN names at most. */
const RETURN_MAX = 256;
const VERB_BOOT = 1;
const VERB_HALT = 2;
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
  readonly #starting = new Set<KernelId>();
  readonly #arrived = new WaitQueue();
  #beat = 0;

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
    const answer = yield* this.#kernel.messages.call(pid >>> 15, M.ORIGIN_REQUEST, { pid, operation, args }, M.ORIGIN_RESPONSE, sleeps);
    return answer.values;
  }
  get #sleepsNumber(): number {
    return this.#kernel.origins.numberOf(SLEEPS);
  }

  /** The last reference to another kernel's frame is gone: its owner will hear of it with the others of this moment. */
  returnFrame(pfn: Pfn): void {
    const kernel = this.#kernel;
    const owner = this.ownerOfFrame(pfn);
    const waiting = this.#returns.get(owner);
    if (waiting !== undefined) {
      waiting.push(pfn);
      return;
    }
    this.#returns.set(owner, [pfn]);
    kernel.at(kernel.now, () => {
      const frames = this.#returns.get(owner) ?? [];
      this.#returns.delete(owner);
      for (let at = 0; at < frames.length; at += RETURN_MAX)
        kernel.messages.send(owner, M.FRAME_RETURN, { frames: frames.slice(at, at + RETURN_MAX) });
    });
  }

  ownerOfFrame(pfn: Pfn): KernelId {
    const at = pfn * 4096;
    const owner = this.#kernel.plan.partitions.find(partition =>
      partition.memory.some(range => at >= range.base && at < range.base + range.bytes),
    );
    if (owner === undefined) throw new Error(`frame ${pfn} belongs to no kernel`);
    return owner.kernel;
  }

  // --- kernels come and go -------------------------------------------------------------------------------------------------------

  /** Boots another kernel of the plan: its first core is started and told who is there. @throws Errno EINVAL EEXIST */
  boot(other: KernelId): void {
    const kernel = this.#kernel;
    if (other === kernel.id || kernel.plan.partitions[other] === undefined) throw new Errno(E.INVAL);
    if (kernel.isPeer(other) || this.#starting.has(other)) throw new Errno(E.EXIST);
    const present = [kernel.id, ...kernel.peers(), ...this.#starting].sort((a, b) => a - b);
    this.#starting.add(other);
    kernel.log(6, `smp: starting kernel ${other} on cpu ${rangesOf(kernel.plan.partitions[other]?.cores ?? [])}`);
    kernel.messages.send(other, M.STARTUP, { by: kernel.id, present });
  }

  /** Tells those present that this kernel is there; from now on they are peers. */
  checkIn(present: readonly KernelId[]): void {
    const kernel = this.#kernel;
    for (const other of present) {
      if (other === kernel.id) continue;
      kernel.messages.send(other, M.CHECKIN, { cores: kernel.cores.length, frames: kernel.frames.own.total });
    }
  }

  /** Waits until every kernel that this one started has checked in; a kernel that does not come is not waited for longer than a second. */
  *allArrived(): Blocking<void> {
    const kernel = this.#kernel;
    const deadline = kernel.now + kernel.hertz;
    while (this.#starting.size > 0) {
      if ((yield* sleep([this.#arrived], { deadline, interruptible: false })) === 'timeout') return;
    }
  }

  startHeartbeat(): void {
    const kernel = this.#kernel;
    const period = Math.round((kernel.hertz * HEARTBEAT_MILLISECONDS) / 1000);
    const beat = (): void => {
      if (kernel.state !== KernelState.Up) return;
      // A ring: each kernel tells the next one.
      const next = kernel.peers().find(peer => peer > kernel.id) ?? kernel.peers()[0];
      if (next !== undefined) kernel.messages.send(next, M.HEARTBEAT, { beat: this.#beat++ });
      kernel.at(kernel.now + period, beat);
    };
    kernel.at(kernel.now + period, beat);
  }

  halt(): void {
    const kernel = this.#kernel;
    kernel.log(5, 'reboot: System halted');
    for (const task of [...kernel.tasks.values()]) kernel.dropThread(task);
    kernel.setState(KernelState.Halted);
  }

  /** Commands written to /proc/popcorn/control. @throws Errno EINVAL */
  *control(text: string): Blocking<void> {
    const [verb = '', argument = ''] = text.trim().split(/\s+/);
    const kernel = this.#kernel;
    if (argument !== '' && !/^\d+$/.test(argument)) throw new Errno(E.INVAL);
    if (verb === 'boot' && argument !== '') this.boot(Number(argument));
    else if (verb === 'halt' && (argument === '' || Number(argument) === kernel.id)) this.halt();
    else if (verb === 'halt') {
      if (!kernel.isPeer(Number(argument))) throw new Errno(E.HOSTDOWN);
      yield* kernel.messages.call(Number(argument), M.CONTROL_REQUEST, { verb: VERB_HALT, argument: 0 }, M.CONTROL_RESPONSE);
      kernel.removePeer(Number(argument));
    } else throw new Errno(E.INVAL);
  }

  logged(): void {}

  // --- answering ---------------------------------------------------------------------------------------------------------------

  /** Does `work` for the kernel that asked, and answers with its value or its errno. */
  serve<T>(from: KernelId, request: number, work: () => Maybe<T>, answer: (errno: number, value: T | null) => void): void {
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

  #listen(): void {
    const kernel = this.#kernel;
    // Made by the kernel after this object: reached when a message comes.
    const on = kernel.messages;
    on.on(M.CHECKIN, ({ cores, frames }, { from }) => {
      this.#starting.delete(from);
      this.#arrived.wakeAll();
      kernel.addPeer(from);
      on.send(from, M.CHECKIN_ANSWER, { cores: kernel.cores.length, frames: kernel.frames.own.total });
      if (kernel.state === KernelState.Up) kernel.log(6, `popcorn: kernel ${from} has checked in: ${cores} cores, ${frames} frames`);
    });
    on.on(M.CHECKIN_ANSWER, (_payload, { from }) => kernel.addPeer(from));
    on.on(M.HEARTBEAT, () => {});
    on.on(M.CANCEL, ({ request }, { from }) => this.#serving.get(from * 2 ** 32 + request)?.interrupt());
    on.on(M.ORIGIN_REQUEST, ({ request, pid, operation, args }, { from }) => {
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
    on.on(M.FRAME_RETURN, ({ frames }) => {
      for (const pfn of frames) kernel.frames.release(pfn);
    });
    on.on(M.CONTROL_REQUEST, ({ request, verb, argument }, { from }) => {
      this.serve(
        from,
        request,
        () => (verb === VERB_BOOT ? this.boot(argument) : undefined),
        errno => on.send(from, M.CONTROL_RESPONSE, { request, errno }),
      );
      if (verb === VERB_HALT) kernel.at(kernel.now, () => this.halt());
    });
    on.on(M.CONTROL_RESPONSE, ({ request, errno }) => on.answered(request, errno === 0 ? {} : new Errno(errno)));
    this.files.listen();
    this.proc.listen();
  }
}
