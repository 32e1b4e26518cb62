/**
 * Orders to kernels, as words: what is written to /proc/popcorn/control and what the page sends. An order is carried out by the kernel that it
 * concerns, whichever was told.
 *
 *     boot [K] [--cpus 8-15] [--mem 64M@2,16M@3] [--dev nic0]
 *                                                   boots kernel K from its share of the plan, or a kernel from what is free
 *     halt [K]                                      ends a kernel in order
 *     panic [K]                                     ends it as a fault would
 *     mv-cpu CORES K                                cores go to another kernel
 *     online CORE, offline CORE                     a core is taken into use, or out of use
 *     mv-mem SIZE[@NODE] FROM K                     memory goes to another kernel; FROM may be free: what is no kernel's that is up
 *     mv-dev DEVICES K                              devices go to another kernel
 *     split K [--cpus 4-7] [--mem 64M]              cores and memory of a kernel become one of their own; left out: half of them
 *     merge A B                                     kernel A's programs and all that it has go to B, and A ends
 *     migrate PID K                                 a process moves to another kernel
 *     balance on|off                                processes move from busy kernels to idle ones
 *     switch …, link …                              see net/orders.ts
 *     fault K KIND …                                see faults.ts
 *
 * What is to go elsewhere and is no kernel's that is up is taken from what is free. An order has been carried out when it is answered: a kernel that
 * is booted has checked in, one that is halted is no more, what a merged one had is the other's. (Where it was given on the kernel that ends by it,
 * it is answered before.)
 *
 * Always holds: an order that is refused changes nothing, and its refusal says why.
 */
import { namesOf } from '../../machine/devices/devices.ts';
import { E, Errno } from '../abi/errno.ts';
import type { MemoryRange } from '../boot/parameters.ts';
import { type Kernel, KernelState } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import { ALL } from '../message/multicast.ts';
import { type Blocking, type CoreId, type KernelId, type Pid, sleep } from '../types.ts';
import { cardOwner, orderLink, orderSwitch } from '../net/orders.ts';
import { inject } from './faults.ts';
import { type Block, freeMemory, moveCores, moveDevices, moveMemory, nodeId, setOnline } from './move.ts';
import { Refusal } from './refusal.ts';
import { absorb, merge, split } from './split.ts';

type Words = readonly string[];
interface Verb {
  /** The kernel that has to do it. */
  readonly where: (kernel: Kernel, words: Words) => KernelId;
  /** @param by the process of this kernel that gave the order; null: someone else did */
  readonly run: (kernel: Kernel, words: Words, by: Pid | null) => Blocking<unknown>;
  /** Whether it has been carried out, as seen where it was given: a kernel that ends by it can't answer any more when it has. */
  readonly isDone?: (kernel: Kernel, words: Words) => boolean;
}

const named = (kernel: Kernel, [word]: Words): KernelId => (word === undefined ? kernel.id : kernelNumber(word));

/** The kernel that is up and has it; this one where there is none. */
const upOr = (kernel: Kernel, owner: KernelId | null): KernelId => (owner !== null && kernel.ledger.isOn(owner) ? owner : kernel.id);

const ownerOf = (kernel: Kernel, [cores = '']: Words): KernelId => upOr(kernel, kernel.map.ownerOfCore(numbersOf(cores)[0] as CoreId));

const VERBS: Readonly<Record<string, Verb>> = {
  boot: {
    where: kernel => kernel.id,
    run: (kernel, words) => bootFrom(kernel, words),
  },
  halt: {
    where: named,
    run: function* (kernel) {
      yield* kernel.estate.refuseWithoutRoom();
      // After the answer has gone.
      kernel.at(kernel.now, () => kernel.spawn(kernel.lifecycle.halt()));
    },
    isDone: (kernel, words) => !kernel.ledger.isOn(named(kernel, words)),
  },
  panic: {
    where: named,
    run: function* (kernel) {
      kernel.at(kernel.now, () => {
        kernel.log(0, 'Kernel panic - not syncing: as ordered');
        kernel.lifecycle.stop(KernelState.Panicked);
      });
    },
  },
  balance: {
    where: kernel => kernel.id,
    run: (kernel, words) => balance(kernel, words),
  },
  migrate: {
    where: kernel => kernel.id,
    run: (kernel, [pid = '', to = '']) => migrate(kernel, pid, kernelNumber(to)),
  },
  switch: {
    where: cardOwner,
    run: function* (kernel, words) {
      orderSwitch(kernel, words);
    },
  },
  link: {
    where: cardOwner,
    run: function* (kernel, words) {
      orderLink(kernel, words);
    },
  },
  fault: {
    where: named,
    run: (kernel, [, ...words]) => inject(kernel, words),
  },
  'mv-cpu': {
    where: ownerOf,
    run: (kernel, [cores = '', to = '']) => moveCores(kernel, coresOf(kernel, cores), kernelNumber(to)),
  },
  online: { where: ownerOf, run: (kernel, [core = '']) => setOnline(kernel, coresOf(kernel, core)[0] as CoreId, true) },
  offline: { where: ownerOf, run: (kernel, [core = '']) => setOnline(kernel, coresOf(kernel, core)[0] as CoreId, false) },
  'mv-mem': {
    where: (kernel, [, from = '']) => upOr(kernel, giverOf(from)),
    run: (kernel, [size = '', from = '', to = '']) => moveMemory(kernel, blockOf(kernel, size), giverOf(from), kernelNumber(to)),
  },
  split: {
    where: named,
    run: (kernel, [, ...words]) => splitBy(kernel, words),
  },
  merge: {
    where: named,
    run: (kernel, [, to = ''], by) => merge(kernel, kernelNumber(to), by),
    isDone: (kernel, words) => {
      const ended = named(kernel, words);
      return !kernel.ledger.isOn(ended) && (kernel.map.of(ended)?.cores.length ?? 0) === 0;
    },
  },
  // Between kernels: one is about to end whose share is to be this one's.
  absorb: {
    where: kernel => kernel.id,
    run: (kernel, [gone = '']) => absorb(kernel, kernelNumber(gone)),
  },
  // Between kernels: devices are in use that have come; one is there; the run ends; whether one uses the disk's files in ways that its owner can't see; whether
  // one has so many free frames.
  settled: {
    where: kernel => kernel.id,
    run: kernel => kernel.devices.settled(),
  },
  here: {
    where: kernel => kernel.id,
    run: function* () {},
  },
  finish: {
    where: kernel => kernel.id,
    run: kernel => kernel.disk.finish(),
  },
  idle: {
    where: kernel => kernel.id,
    run: function* (kernel) {
      kernel.disk.refuseIfUsed();
    },
  },
  room: {
    where: kernel => kernel.id,
    run: function* (kernel, [frames = '']) {
      if (kernel.frames.own.free < Number(frames))
        throw new Refusal(E.NOMEM, `kernel ${kernel.id} has ${kernel.frames.own.free} free frames`);
    },
  },
  'mv-dev': {
    where: (kernel, [names = '']) => upOr(kernel, kernel.map.ownerOfDevice(devicesOf(kernel, names)[0] as string)),
    run: (kernel, [names = '', to = '']) => moveDevices(kernel, devicesOf(kernel, names), kernelNumber(to)),
  },
};

/** Not for people. */
const INNER: readonly string[] = ['here', 'idle', 'settled', 'finish', 'absorb', 'room'];

export class Control {
  readonly #kernel: Kernel;
  /** Why the last order given here was refused; empty: it was not. */
  lastRefusal = '';

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    const { messages } = kernel;
    messages.on(M.CONTROL_REQUEST, ({ request, order }, { from }) => {
      let reason = '';
      const run = function* (): Blocking<void> {
        try {
          yield* carryOut(kernel, order);
        } catch (error) {
          if (error instanceof Refusal) reason = error.reason;
          throw error;
        }
      };
      kernel.image.serve(from, request, run, errno => messages.send(from, M.CONTROL_RESPONSE, { request, errno, reason }));
    });
    messages.on(M.CONTROL_RESPONSE, ({ request, errno, reason }) =>
      messages.answered(request, errno === 0 ? {} : new Refusal(errno, reason)),
    );
  }

  /**
   * @param by the process that gives it
   * @throws Errno (a Refusal where there is more to say)
   */
  *order(text: string, by: Pid | null = null): Blocking<void> {
    this.lastRefusal = '';
    const kernel = this.#kernel;
    try {
      const { verb, words } = parsed(text);
      const where = verb.where(kernel, words);
      if (where === kernel.id) {
        yield* verb.run(kernel, words, by);
      } else {
        if (!kernel.isPeer(where)) throw new Refusal(E.HOSTDOWN, `kernel ${where} is not up`);
        yield* kernel.messages.call(where, M.CONTROL_REQUEST, { order: text.trim() }, M.CONTROL_RESPONSE);
        yield* this.#until(() => verb.isDone?.(kernel, words) !== false);
      }
    } catch (error) {
      if (error instanceof Refusal) {
        this.lastRefusal = error.reason;
        kernel.log(4, `popcorn: ${text.trim()}: ${error.reason}`);
      }
      throw error;
    }
  }

  /** A second at most: it has been answered already. */
  *#until(isDone: () => boolean): Blocking<void> {
    const kernel = this.#kernel;
    const deadline = kernel.now + kernel.hertz;
    while (!isDone() && kernel.now < deadline)
      if ((yield* sleep([], { deadline: kernel.now + kernel.hertz / 1000, interruptible: true })) === 'interrupted') return;
  }
}

function* carryOut(kernel: Kernel, text: string): Blocking<void> {
  const { verb, words } = parsed(text);
  yield* verb.run(kernel, words, null);
}

function parsed(text: string): { verb: Verb; words: Words } {
  const [name = '', ...words] = text.trim().split(/\s+/);
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (verb === undefined)
    throw new Refusal(
      E.INVAL,
      `there is no order ${name}; there are ${Object.keys(VERBS)
        .filter(verb => !INNER.includes(verb))
        .join(', ')}`,
    );
  return { verb, words };
}

function* migrate(kernel: Kernel, pid: string, to: KernelId): Blocking<void> {
  if (!/^\d{1,10}$/.test(pid)) throw new Refusal(E.INVAL, `${pid} is no process`);
  try {
    yield* kernel.migration.request(Number(pid), to);
  } catch (error) {
    if (!(error instanceof Errno) || error instanceof Refusal) throw error;
    const why = new Map<number, string>([
      [E.SRCH, `there is no process ${pid}`],
      [E.INVAL, `kernel ${to} is not up`],
      [E.BUSY, `process ${pid} can't leave its kernel`],
    ]).get(error.errno);
    throw why === undefined ? error : new Refusal(error.errno, why);
  }
}

/** On every kernel that is up; one that boots later does as the one that boots it. */
function* balance(kernel: Kernel, [word = '', scope = 'all']: Words): Blocking<void> {
  if (word !== 'on' && word !== 'off') throw new Refusal(E.INVAL, `balance ${word}: on or off`);
  if (kernel.isFederated) throw new Refusal(E.OPNOTSUPP, 'in a federation no process moves to another kernel');
  kernel.balancer.isOn = word === 'on';
  if (scope === 'here') return;
  yield* kernel.messages.mcastCall(ALL, M.CONTROL_REQUEST, { order: `balance ${word} here` }, M.CONTROL_RESPONSE);
}

function* splitBy(kernel: Kernel, words: Words): Blocking<KernelId> {
  let cores: CoreId[] = [];
  let bytes = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word === '--cpus') cores = coresOf(kernel, words[++i] ?? '');
    else if (word === '--mem') bytes = bytesOf(words[++i] ?? '');
    else throw new Refusal(E.INVAL, `${word} is neither --cpus nor --mem`);
  }
  return yield* split(kernel, cores, bytes);
}

// --- boot ------------------------------------------------------------------------------------------------------------------------

function* bootFrom(kernel: Kernel, words: Words): Blocking<KernelId> {
  let wanted: KernelId | null = null;
  let cores: CoreId[] = [];
  let memory: MemoryRange[] = [];
  let devices: readonly string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word === '--cpus') cores = numbersOf(words[++i] ?? '');
    else if (word === '--mem') memory = memoryOf(kernel, words[++i] ?? '');
    else if (word === '--dev') devices = devicesOf(kernel, words[++i] ?? '');
    else if (wanted === null) wanted = kernelNumber(word);
    else throw new Refusal(E.INVAL, `${word} is none of --cpus, --mem and --dev`);
  }
  if (wanted === null && cores.length === 0) throw new Refusal(E.INVAL, 'neither a kernel nor --cpus is named');
  if (cores.length > 0 && memory.length === 0) throw new Refusal(E.INVAL, '--cpus without --mem');
  if (devices.length > 0 && cores.length === 0) throw new Refusal(E.INVAL, '--dev without --cpus and --mem');
  for (const core of cores) {
    if (!kernel.topology.cores.some(({ id }) => id === core)) throw new Refusal(E.INVAL, `the machine has no core ${core}`);
    refuseOwned(kernel, `core ${core}`, kernel.map.ownerOfCore(core));
  }
  for (const name of devices) refuseOwned(kernel, name, kernel.map.ownerOfDevice(name));
  if (wanted !== null && kernel.ledger.isOn(wanted)) throw new Refusal(E.EXIST, `kernel ${wanted} is up`);
  if (wanted !== null && cores.length === 0) {
    const share = kernel.map.of(wanted);
    if (share === undefined) throw new Refusal(E.INVAL, `the plan has no kernel ${wanted}: name its cores and memory`);
    if (share.cores.length === 0 || share.memory.length === 0)
      throw new Refusal(E.INVAL, `others have what was kernel ${wanted}'s: name its cores and memory`);
  }
  const id = yield* kernel.lifecycle.boot({ kernel: wanted, cores, memory, devices });
  yield* kernel.lifecycle.arrival(id);
  return id;
}

function refuseOwned(kernel: Kernel, what: string, owner: KernelId | null): void {
  if (owner !== null && kernel.ledger.isOn(owner)) throw new Refusal(E.BUSY, `${what} belongs to kernel ${owner}, which is up`);
}

const MEMORY_MIN = 4 << 20;

/** `64M@2,16M@3`: pieces of the nodes' free memory, lowest addresses first. */
function memoryOf(kernel: Kernel, text: string): MemoryRange[] {
  const ranges = text.split(',').flatMap(piece => {
    const { bytes, node } = blockOf(kernel, piece);
    if (node === null) throw new Refusal(E.INVAL, `${piece} is not memory as in 64M@2`);
    const free = freeMemory(kernel).filter(range => range.node === node);
    return taken(free, bytes, nodeId(kernel, node));
  });
  if (ranges.reduce((sum, { bytes }) => sum + bytes, 0) < MEMORY_MIN) throw new Refusal(E.INVAL, 'a kernel needs 4M at least');
  return ranges;
}

function taken(free: readonly MemoryRange[], bytes: number, node: number): MemoryRange[] {
  const all = free.reduce((sum, range) => sum + range.bytes, 0);
  if (all < bytes) throw new Refusal(E.BUSY, `node ${node} has ${Math.floor(all / 2 ** 20)}M free, not ${bytes / 2 ** 20}M`);
  const found: MemoryRange[] = [];
  let left = bytes;
  for (const range of [...free].sort((a, b) => b.bytes - a.bytes || a.base - b.base)) {
    if (left === 0) break;
    const part = Math.min(left, range.bytes);
    found.push({ ...range, bytes: part });
    left -= part;
  }
  return found;
}

// --- words -----------------------------------------------------------------------------------------------------------------------

function kernelNumber(word: string): KernelId {
  if (!/^\d{1,3}$/.test(word)) throw new Refusal(E.INVAL, word === '' ? 'a kernel is missing' : `${word} is no kernel`);
  return Number(word);
}

/** Who gives; null: nobody, it is free. */
const giverOf = (word: string): KernelId | null => (word === 'free' ? null : kernelNumber(word));

/** `8-11,13` */
function numbersOf(text: string): number[] {
  const found = text.split(',').flatMap(piece => {
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(piece);
    if (match === null) throw new Refusal(E.INVAL, `${piece} is no core`);
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  });
  if (found.length === 0) throw new Refusal(E.INVAL, `${text} names no core`);
  return found;
}

/** Cores of the machine. */
function coresOf(kernel: Kernel, text: string): number[] {
  const cores = numbersOf(text);
  for (const core of cores) {
    if (!kernel.topology.cores.some(({ id }) => id === core)) throw new Refusal(E.INVAL, `the machine has no core ${core}`);
  }
  return cores;
}

/** `disk0,nic0.1-3`: devices of the machine. */
function devicesOf(kernel: Kernel, text: string): readonly string[] {
  return text.split(',').flatMap(piece => {
    const names = namesOf(piece);
    if (names === null) throw new Refusal(E.INVAL, piece === '' ? 'a device is missing' : `${piece} is no device`);
    const strange = names.find(name => kernel.devices.named(name) === undefined);
    if (strange !== undefined) throw new Refusal(E.INVAL, `the machine has no device ${strange}`);
    return names;
  });
}

function bytesOf(text: string): number {
  const match = /^(\d{1,4})([MG])$/.exec(text);
  if (match === null || Number(match[1]) === 0) throw new Refusal(E.INVAL, `${text} is no size as in 16M`);
  return Number(match[1]) * (match[2] === 'G' ? 2 ** 30 : 2 ** 20);
}

/** `16M`, `16M@2` */
function blockOf(kernel: Kernel, text: string): Block {
  const [size = '', id, ...rest] = text.split('@');
  const bytes = bytesOf(size);
  if (id === undefined) return { bytes, node: null };
  if (!/^\d{1,4}$/.test(id) || rest.length > 0) throw new Refusal(E.INVAL, `${text} is not memory as in 64M@2`);
  const node = kernel.topology.nodes.findIndex(each => each.id === Number(id));
  if (node < 0) throw new Refusal(E.INVAL, `the machine has no node ${id}`);
  return { bytes, node };
}
