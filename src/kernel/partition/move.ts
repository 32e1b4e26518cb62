/**
 * Cores, memory and devices change hands while programs run. The kernel that gives makes them free, has the ledger note whose they are now, and the one
 * that gets them takes them into use when it notes that.
 *
 * Always holds: what a kernel gives, nothing in it refers to any more; a kernel keeps a core, and the memory that it was booted with holds
 * its window.
 */
import { deviceTexts } from '../../machine/devices/devices.ts';
import { E, Errno } from '../abi/errno.ts';
import { type MemoryRange, rangesText } from '../boot/parameters.ts';
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import type { AddressSpace } from '../mm/address-space.ts';
import type { Core } from '../sched/core.ts';
import { StopReason } from '../sched/scheduler.ts';
import { type Blocking, type CoreId, type KernelId, PAGE_SIZE, type Pfn, sleep, type VirtAddr, WaitQueue } from '../types.ts';
import { Refusal } from './refusal.ts';
import { ASK } from './ledger.ts';
import { cut, NO_SHARE, type Share } from './map.ts';

/** @throws Refusal */
export function* moveCores(kernel: Kernel, wanted: readonly CoreId[], to: KernelId): Blocking<void> {
  check(kernel, to);
  if (wanted.every(id => isFree(kernel, kernel.map.ownerOfCore(id)))) {
    yield* take(kernel, to, { ...NO_SHARE, cores: wanted });
    return;
  }
  refuseOwn(kernel, to);
  for (const id of wanted) {
    if (!kernel.cores.some(core => core.id === id)) throw new Refusal(E.INVAL, whyNotInUse(kernel, id));
  }
  if (kernel.cores.length <= wanted.length) throw new Refusal(E.BUSY, `kernel ${kernel.id} would have no core left: halt it instead`);
  const leaving = kernel.cores.filter(core => wanted.includes(core.id));
  yield* apart(kernel, () => {
    for (const core of leaving) takeOffline(kernel, core);
  });
  try {
    yield* kernel.ledger.change({ ...NO_SHARE, ask: ASK.Give, kernel: to, cores: leaving.map(core => core.id) });
  } catch (error) {
    kernel.lifecycle.takeOnline(leaving.map(core => core.id));
    throw refusedBy(error, to);
  }
  kernel.log(6, `popcorn: core ${rangesText(wanted)} is kernel ${to}'s now`);
}

function check(kernel: Kernel, to: KernelId): void {
  if (to !== kernel.id && !kernel.isPeer(to)) throw new Refusal(E.HOSTDOWN, `kernel ${to} is not up`);
}
function refuseOwn(kernel: Kernel, to: KernelId): void {
  if (to === kernel.id) throw new Refusal(E.INVAL, `kernel ${to} has it`);
}
const isFree = (kernel: Kernel, owner: KernelId | null): boolean => owner === null || !kernel.ledger.isOn(owner);

/** What is free goes to a kernel. @throws Refusal */
function* take(kernel: Kernel, to: KernelId, share: Share): Blocking<void> {
  try {
    yield* kernel.ledger.change({ ...share, ask: ASK.Take, kernel: to });
  } catch (error) {
    throw refusedBy(error, to);
  }
}

const refusedBy = (error: unknown, to: KernelId): unknown =>
  error instanceof Errno && !(error instanceof Refusal)
    ? new Refusal(error.errno, `kernel ${to} can't take it: errno ${error.errno}`)
    : error;

function whyNotInUse(kernel: Kernel, id: CoreId): string {
  if (kernel.offline.some(core => core.id === id)) return `core ${id} is offline`;
  return kernel.map.ownerOfCore(id) === kernel.id ? `core ${id} has stopped` : `core ${id} is not kernel ${kernel.id}'s`;
}

/** A core of this kernel is taken out of use, or into use again. @throws Refusal */
export function* setOnline(kernel: Kernel, id: CoreId, online: boolean): Blocking<void> {
  const core = [...kernel.cores, ...kernel.offline].find(each => each.id === id);
  if (core === undefined) throw new Refusal(E.INVAL, whyNotInUse(kernel, id));
  if (kernel.cores.includes(core) === online) return;
  if (!online && kernel.cores.length === 1) throw new Refusal(E.BUSY, `core ${id} is the last one of kernel ${kernel.id}`);
  yield* apart(kernel, () => {
    if (online) {
      kernel.offline.splice(kernel.offline.indexOf(core), 1);
      kernel.lifecycle.takeOnline([id]);
    } else {
      takeOffline(kernel, core);
      kernel.offline.push(core);
    }
  });
  kernel.log(6, `smp: CPU ${id} is now ${online ? 'online' : 'offline'}`);
}

/** Does `work` while no core of this kernel is in the middle of anything. */
export function* apart(kernel: Kernel, work: () => void): Blocking<void> {
  const queue = new WaitQueue();
  let problem: unknown = null;
  let done = false;
  kernel.at(kernel.now, () => {
    try {
      work();
    } catch (error) {
      problem = error;
    }
    done = true;
    queue.wakeAll();
  });
  while (!done) yield* sleep([queue], { interruptible: false });
  if (problem !== null) throw problem;
}

/** The core's tasks go to the others; one that may run on this core alone may from now on run on any, as Linux has it. */
export function takeOffline(kernel: Kernel, core: Core): void {
  const tasks = [...core.queue.splice(0)];
  // What was in the registers of a core that has stopped is lost, and the task with it.
  if (core.current !== null && !core.isStopped) tasks.push(core.current);
  if (core.current !== null) kernel.scheduler.leave(core, StopReason.Preempted);
  core.hart.setAddressSpace(-1);
  kernel.cores.splice(kernel.cores.indexOf(core), 1);
  if (kernel.core === core) {
    kernel.core = kernel.serviceCore;
    kernel.core.advanceIdle(core.clock);
  }
  const left = kernel.cores.map(({ id }) => id);
  for (const task of kernel.tasks.values()) {
    const allowed = task.affinity.filter(id => id !== core.id);
    task.affinity = allowed.length > 0 ? allowed : left;
    if (task.core === core.id) task.core = task.affinity[0] as CoreId;
  }
  for (const task of tasks) kernel.scheduler.enqueue(task);
  kernel.traceCore(core.id, false);
}

// --- devices ---------------------------------------------------------------------------------------------------------------------

/** @throws Refusal */
export function* moveDevices(kernel: Kernel, names: readonly string[], to: KernelId): Blocking<void> {
  check(kernel, to);
  if (names.every(name => isFree(kernel, kernel.map.ownerOfDevice(name)))) {
    yield* take(kernel, to, { ...NO_SHARE, devices: names });
    yield* settled(kernel, to);
    return;
  }
  refuseOwn(kernel, to);
  for (const name of names) {
    if (kernel.devices.ownerOf(name) !== kernel.id) throw new Refusal(E.INVAL, `${name} is not kernel ${kernel.id}'s`);
  }
  const left: string[] = [];
  try {
    for (const name of names) {
      yield* kernel.devices.detach(name);
      left.push(name);
    }
    yield* kernel.ledger.change({ ...NO_SHARE, ask: ASK.Give, kernel: to, devices: names });
  } catch (error) {
    for (const name of left) yield* kernel.devices.attach(name);
    throw refusedBy(error, to);
  }
  kernel.log(6, `popcorn: ${deviceTexts(names).join(', ')} ${names.length > 1 ? 'are' : 'is'} kernel ${to}'s now`);
  yield* settled(kernel, to);
}

/** The new owner uses them. */
function* settled(kernel: Kernel, to: KernelId): Blocking<void> {
  if (to === kernel.id) yield* kernel.devices.settled();
  else yield* kernel.messages.call(to, M.CONTROL_REQUEST, { order: 'settled' }, M.CONTROL_RESPONSE);
}

// --- memory ----------------------------------------------------------------------------------------------------------------------

/** So much memory, of a node (its position in topology.nodes) or of any. */
export interface Block {
  readonly bytes: number;
  readonly node: number | null;
}

/** The block as it stands in a refusal. */
const textOf = (kernel: Kernel, { bytes, node }: Block): string =>
  `${bytes / 2 ** 20}M of memory${node === null ? '' : ` on node ${nodeId(kernel, node)}`} in one piece`;
export const nodeId = (kernel: Kernel, node: number): number => kernel.topology.nodes[node]?.id ?? node;

/**
 * @param from null: what belongs to no kernel that is up
 * @throws Refusal
 */
export function* moveMemory(kernel: Kernel, block: Block, from: KernelId | null, to: KernelId): Blocking<void> {
  check(kernel, to);
  if (isFree(kernel, from)) {
    // What nobody has before what a kernel had that may come back.
    const memory =
      from === null ? [...memoryWithout(kernel, kernel.map.partitions), ...freeMemory(kernel)] : (kernel.map.of(from)?.memory ?? []);
    const range = memory.find(({ node, bytes }) => bytes >= block.bytes && (block.node === null || node === block.node));
    if (range === undefined)
      throw new Refusal(E.INVAL, from === null ? `no ${textOf(kernel, block)} is free` : `kernel ${from} has no ${textOf(kernel, block)}`);
    yield* take(kernel, to, { ...NO_SHARE, memory: [{ ...range, bytes: block.bytes }] });
    return;
  }
  refuseOwn(kernel, to);
  let given: MemoryRange | null = null;
  yield* apart(kernel, () => {
    given = vacate(kernel, block);
  });
  const range = given as unknown as MemoryRange;
  try {
    yield* kernel.ledger.change({ ...NO_SHARE, ask: ASK.Give, kernel: to, memory: [range] });
  } catch (error) {
    kernel.frames.own.add(range);
    throw refusedBy(error, to);
  }
  kernel.traceMemory(range, false);
  kernel.log(6, `popcorn: ${range.bytes >>> 20}M of node ${nodeId(kernel, range.node)} are kernel ${to}'s now`);
}

/** What of the nodes' memory belongs to no kernel that is up. */
export const freeMemory = (kernel: Kernel): MemoryRange[] =>
  memoryWithout(
    kernel,
    kernel.map.partitions.filter(({ kernel: owner }) => kernel.ledger.isOn(owner)),
  );

function memoryWithout({ platform }: Kernel, owners: readonly Share[]): MemoryRange[] {
  const own = owners.flatMap(({ memory }) => memory);
  return platform.nodes.flatMap(range => own.reduce((rest, gone) => rest.flatMap(each => cut(each, gone)), [range as MemoryRange]));
}

interface Mapping {
  readonly space: AddressSpace;
  readonly address: VirtAddr;
  readonly flags: number;
}

/** Frees a block: pages of programs that lie there are moved. The block is then nobody's. @throws Refusal */
export function vacate(kernel: Kernel, wanted: Block): MemoryRange {
  const own = kernel.frames.own;
  const block = own.leastUsed(wanted.bytes, wanted.node);
  if (block === null) throw new Refusal(E.INVAL, `kernel ${kernel.id} has no ${textOf(kernel, wanted)}`);
  const used = own.usedIn(block);
  if (own.free - (block.bytes / PAGE_SIZE - used.length) < used.length + kernel.frames.own.total / 16)
    throw new Refusal(E.NOMEM, `kernel ${kernel.id} has too little memory left to move ${used.length} pages`);
  const mappings = mappingsOf(kernel, new Set(used));
  const stuck = used.filter(pfn => (mappings.get(pfn)?.length ?? 0) !== own.references(pfn));
  if (stuck.length > 0)
    throw new Refusal(E.BUSY, `${stuck.length} pages of the block can't be moved: page tables, files, or in use by other kernels`);
  own.remove(block, () => {
    for (const pfn of used) movePage(kernel, pfn, mappings.get(pfn) ?? []);
  });
  return block;
}

/** Where the private pages of programs are mapped. */
function mappingsOf(kernel: Kernel, frames: ReadonlySet<Pfn>): Map<Pfn, Mapping[]> {
  const found = new Map<Pfn, Mapping[]>();
  for (const space of new Set([...kernel.processes.values()].map(({ mm }) => mm))) {
    if (kernel.migration.isLeaving(space)) continue;
    for (const area of space.areas.list) {
      if (area.shared) continue;
      space.table.forEach(area.start, area.end, (address, pfn, flags) => {
        if (!frames.has(pfn)) return;
        const list = found.get(pfn) ?? [];
        list.push({ space, address, flags });
        found.set(pfn, list);
      });
    }
  }
  return found;
}

function movePage(kernel: Kernel, from: Pfn, mappings: readonly Mapping[]): void {
  const { frames, memory, processor } = kernel;
  const to = frames.own.allocate();
  for (let i = 1; i < mappings.length; i++) frames.own.retain(to);
  memory.u8.copyWithin(to * PAGE_SIZE, from * PAGE_SIZE, (from + 1) * PAGE_SIZE);
  processor.invalidateFrame(to);
  kernel.charge(kernel.cost('pageCopy'));
  for (const { space, address, flags } of mappings) {
    space.table.set(address, to, flags);
    kernel.mm.tableChanged(space.table.root);
  }
}
