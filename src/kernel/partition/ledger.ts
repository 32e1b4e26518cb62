/**
 * Agreeing on who owns what. One kernel keeps the ledger: the lowest that is up. Whoever wants a change asks it; it makes one change after the
 * other, tells all kernels, and answers when they have all noted it. Should it go, the next lowest keeps the ledger: each kernel has all of it.
 *
 *     anyone                     keeper                         everyone else
 *     LEDGER_REQUEST       →     checks, notes
 *                                LEDGER_UPDATE            →     notes
 *                          ←     LEDGER_RESPONSE          ←     LEDGER_NOTED
 *
 * The end of a kernel is told three times: to be noted, by each by itself; when all have, to free what it had; when that is done,
 * and its processes that live elsewhere are adopted, to go on.
 *
 * Always holds: what a kernel is given has been free, in every kernel's map, since before it was asked for.
 */
import { E, Errno } from '../abi/errno.ts';
import type { MemoryRange, Partition } from '../boot/parameters.ts';
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import { type Blocking, type KernelId, sleep, WaitQueue } from '../types.ts';
import { kernelsMax, MachineMap, type Share } from './map.ts';

/** What may be asked of the keeper; the number stands in the message. */
export const ASK = {
  /** `kernel` (or, if that is ANY, some number that is free) is to be booted; with cores and memory: with these and the devices, else with its share. */
  Boot: 1,
  /** `kernel` is no more. */
  Gone: 2,
  /** `kernel` (or, if that is ANY, nobody) gets what the asker has given up. */
  Give: 3,
  /** `kernel` gets what has been nobody's, or a kernel's that is off. */
  Take: 4,
} as const;
export type Ask = (typeof ASK)[keyof typeof ASK];
export const ANY = 255;

export interface Change extends Share {
  readonly ask: Ask;
  readonly kernel: KernelId;
}

export class Ledger {
  readonly #kernel: Kernel;
  /** Kernels that have been given a share to boot with and have not checked in yet. */
  readonly #starting = new Set<KernelId>();
  #isBusy = false;
  readonly #next = new WaitQueue();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#listen();
  }

  /** Who keeps it, not counting `but`. */
  keeper(but: ReadonlySet<KernelId> = new Set()): KernelId {
    const { id } = this.#kernel;
    return Math.min(id, this.#kernel.peers().find(peer => !but.has(peer)) ?? id);
  }

  isOn(kernel: KernelId): boolean {
    return kernel === this.#kernel.id || this.#kernel.isPeer(kernel) || this.#starting.has(kernel);
  }

  /**
   * Has a change made, and returns when every kernel knows: the number of the kernel concerned.
   * @param silent kernels that don't answer: none of them is asked
   * @throws Errno EBUSY it is not free, EEXIST that kernel is up, EINVAL no such core, memory or kernel, EHOSTDOWN
   */
  *change(change: Change, silent: ReadonlySet<KernelId> = new Set()): Blocking<KernelId> {
    const kernel = this.#kernel;
    for (;;) {
      // The one that goes cannot tell the others.
      const keeper = this.keeper(change.ask === ASK.Gone ? new Set([...silent, change.kernel]) : silent);
      if (keeper === kernel.id) return yield* this.#make(change, kernel.id);
      try {
        const { kernel: made } = yield* kernel.messages.call(
          keeper,
          M.LEDGER_REQUEST,
          {
            ask: change.ask,
            kernel: change.kernel,
            cores: change.cores,
            memory: flattened(change.memory),
            devices: change.devices.join(','),
          },
          M.LEDGER_RESPONSE,
        );
        return made;
      } catch (error) {
        // The keeper went meanwhile: there is another.
        if (!(error instanceof Errno) || error.errno !== E.HOSTDOWN || kernel.isPeer(keeper)) throw error;
      }
    }
  }

  /** A kernel has checked in. */
  arrived(kernel: KernelId): void {
    this.#starting.delete(kernel);
  }

  // --- the keeper ----------------------------------------------------------------------------------------------------------------

  *#make(change: Change, asker: KernelId): Blocking<KernelId> {
    switch (change.ask) {
      case ASK.Boot:
        return yield* this.#alone(() => this.#boot(change));
      case ASK.Gone:
        yield* this.#gone(change.kernel);
        return change.kernel;
      case ASK.Give:
        yield* this.#alone(() => this.#give(change, asker));
        return change.kernel;
      case ASK.Take:
        yield* this.#alone(() => this.#take(change));
        return change.kernel;
      default:
        throw new Errno(E.INVAL);
    }
  }

  *#boot({ kernel: wanted, cores, memory, devices }: Change): Blocking<KernelId> {
    const { map, topology } = this.#kernel;
    const most = kernelsMax(topology.cores.length);
    const numbers = Array.from({ length: most }, (_, i) => i);
    const made = wanted === ANY ? (numbers.find(each => map.of(each) === undefined) ?? numbers.find(each => !this.isOn(each))) : wanted;
    if (made === undefined || made >= most) throw new Errno(E.INVAL);
    if (this.isOn(made)) throw new Errno(E.EXIST);
    const own = map.of(made);
    if (cores.length === 0 && memory.length === 0) {
      if (own === undefined || own.cores.length === 0 || own.memory.length === 0) throw new Errno(E.INVAL);
    } else {
      if (cores.length === 0 || memory.length === 0) throw new Errno(E.INVAL);
      const share = { kernel: made, cores, memory, devices };
      yield* this.#tell([share, ...this.#robbed(share)]);
    }
    this.#starting.add(made);
    return made;
  }

  /** What is left of others' shares when one gets what is free. @throws Errno EBUSY EINVAL */
  #robbed(share: Partition): Partition[] {
    const { map, topology, devices } = this.#kernel;
    if (!share.cores.every(core => topology.cores.some(({ id }) => id === core))) throw new Errno(E.INVAL);
    if (!share.devices.every(name => devices.named(name) !== undefined)) throw new Errno(E.INVAL);
    const changed: Partition[] = [];
    for (const other of map.partitions) {
      if (other.kernel === share.kernel) continue;
      const rest = MachineMap.without(other, share);
      if (sizeOf(rest) === sizeOf(other)) continue;
      if (this.isOn(other.kernel)) throw new Errno(E.BUSY);
      changed.push(rest);
    }
    return changed;
  }

  *#give(change: Change, asker: KernelId): Blocking<void> {
    const from = this.#kernel.map.of(asker);
    if (from === undefined || (change.kernel !== ANY && !this.isOn(change.kernel))) throw new Errno(E.HOSTDOWN);
    yield* this.#tell([MachineMap.without(from, change)]);
    if (change.kernel !== ANY) yield* this.#add(change);
  }

  *#take(change: Change): Blocking<void> {
    if (!this.isOn(change.kernel)) throw new Errno(E.HOSTDOWN);
    yield* this.#tell(this.#robbed(change));
    yield* this.#add(change);
  }

  *#add({ kernel, cores, memory, devices }: Change): Blocking<void> {
    const old = this.#kernel.map.of(kernel);
    if (old === undefined) throw new Errno(E.HOSTDOWN);
    const share = { cores: [...old.cores, ...cores], memory: [...old.memory, ...memory], devices: [...old.devices, ...devices] };
    yield* this.#tell([{ kernel, ...share }]);
  }

  /** The end of a kernel is noted here at once: a change that is under way may be waiting for that very kernel. */
  *#gone(gone: KernelId): Blocking<void> {
    const { lifecycle } = this.#kernel;
    if (!this.isOn(gone) && !lifecycle.isUnsettled(gone)) return;
    this.#starting.delete(gone);
    // Whoever kept the ledger before may have begun to tell of it: nothing is lost by telling again.
    lifecycle.fence(gone);
    yield* lifecycle.forget(gone);
    const everyone = this.#everyone(gone);
    const tell = (settled: number): Blocking<void> => this.#inform(everyone, [], gone, settled);
    // Not one after the other: who notes one end may be waiting for another kernel whose end is to be told yet.
    yield* tell(0);
    yield* this.#alone(
      function* (this: Ledger): Blocking<void> {
        lifecycle.settle(gone);
        yield* tell(1);
        yield* this.#kernel.estate.adoptOrphans(gone);
        lifecycle.reopen(gone);
        yield* tell(2);
      }.bind(this),
    );
    yield* this.#kernel.estate.settle(gone);
  }

  /** One change after the other. */
  *#alone<T>(work: () => Blocking<T>): Blocking<T> {
    while (this.#isBusy) yield* sleep([this.#next], { interruptible: false });
    this.#isBusy = true;
    try {
      return yield* work();
    } finally {
      this.#isBusy = false;
      this.#next.wakeAll();
    }
  }

  /** Notes shares, here and everywhere. */
  *#tell(shares: readonly Partition[]): Blocking<void> {
    this.#kernel.lifecycle.note(shares);
    yield* this.#inform(this.#everyone(ANY), shares, ANY, 0);
  }

  #everyone(but: KernelId): KernelId[] {
    return this.#kernel.peers().filter(peer => peer !== but);
  }

  /** To all of them by one message, then waits for each. Who has gone meanwhile need not know. */
  *#inform(everyone: readonly KernelId[], shares: readonly Partition[], gone: KernelId, settled: number): Blocking<void> {
    yield* this.#kernel.messages.mcastCall(
      everyone,
      M.LEDGER_UPDATE,
      { gone, settled, shares: shares.flatMap(share => this.#packed(share)) },
      M.LEDGER_NOTED,
    );
  }

  // --- hearing -------------------------------------------------------------------------------------------------------------------

  #listen(): void {
    const kernel = this.#kernel;
    const { messages } = kernel;
    messages.on(M.LEDGER_REQUEST, ({ request, ask, kernel: subject, cores, memory, devices }, { from }) => {
      const names = devices === '' ? [] : devices.split(',');
      const change: Change = { ask: ask as Ask, kernel: subject, cores, memory: unflattened(memory), devices: names };
      kernel.image.serve(
        from,
        request,
        () => this.#make(change, from),
        (errno, made) => messages.send(from, M.LEDGER_RESPONSE, { request, errno, kernel: made ?? 0 }),
      );
    });
    messages.on(M.LEDGER_RESPONSE, answer => messages.answered(answer.request, answer.errno === 0 ? answer : new Errno(answer.errno)));
    const noted = (shares: readonly number[]): void => kernel.lifecycle.note(this.#unpacked(shares));
    messages.on(M.LEDGER_UPDATE, function* ({ request, gone, settled, shares }, { from }) {
      noted(shares);
      if (gone !== ANY && settled === 0) yield* kernel.lifecycle.forget(gone);
      if (settled === 1) kernel.lifecycle.settle(gone);
      if (settled === 2) kernel.lifecycle.reopen(gone);
      messages.send(from, M.LEDGER_NOTED, { request });
    });
    messages.on(M.LEDGER_NOTED, answer => messages.answered(answer.request, answer));
  }

  // --- shares as numbers: the kernel; of cores, memory (three numbers a range) and devices how many numbers, and these -----------

  #packed({ kernel, cores, memory, devices }: Partition): number[] {
    const { all } = this.#kernel.devices;
    const places = devices.map(name => all.findIndex(each => each.name === name));
    return [kernel, ...[cores, flattened(memory), places].flatMap(list => [list.length, ...list])];
  }

  #unpacked(numbers: readonly number[]): Partition[] {
    const { all } = this.#kernel.devices;
    const shares: Partition[] = [];
    for (let at = 0; at < numbers.length; ) {
      const kernel = numbers[at++] as number;
      const [cores = [], memory = [], places = []] = Array.from({ length: 3 }, () => {
        const from = at + 1;
        at = from + (numbers[at] as number);
        return numbers.slice(from, at);
      });
      shares.push({ kernel, cores, memory: unflattened(memory), devices: places.flatMap(place => all[place]?.name ?? []) });
    }
    return shares;
  }
}

/** Of two shares of which one is a part of the other, the smaller has the smaller size. */
const sizeOf = ({ cores, memory, devices }: Share): number =>
  memory.reduce((sum, { bytes }) => sum + bytes, 0) + cores.length + devices.length;
const flattened = (memory: readonly MemoryRange[]): number[] => memory.flatMap(({ node, base, bytes }) => [node, base, bytes]);
const unflattened = (numbers: readonly number[]): MemoryRange[] =>
  Array.from({ length: Math.floor(numbers.length / 3) }, (_, i) => {
    const [node = 0, base = 0, bytes = 0] = numbers.slice(3 * i);
    return { node, base, bytes };
  });
