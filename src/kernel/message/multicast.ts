/**
 * Multicast: one message to a group of kernels (Popcorn's pcn_kmsg_mcast_open, _send, _close).
 *
 *     sender                                        each member
 *     encodes once; up to INLINE_BYTES go in        MCAST: handles what is in the slot, or copies it out of the frames,
 *     the slot, more into frames of its own         as if it had been sent to it alone
 *     has its frames back when all have freed       frees the slot
 *     the slot (or are gone)
 *
 * As in Popcorn a payload is written once and each member is interrupted, one after the other; unlike there each member has a slot of its own
 * lane, as what a ring looks like must follow from virtual time, and a payload may be long. Group ALL is whoever is up. Any other group
 * belongs to the kernel that opened it: its members are told (MCAST with no message in it), may send to it too, and only its owner closes it.
 *
 * Always holds: the members of a group are up, as far as this kernel knows; a call to a group ends when each member has answered or is gone;
 * a frame with a payload is written by nobody from the first send to the last slot freed.
 */
import { E, Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import { type KernelId, PAGE_SIZE, type Pfn } from '../types.ts';
import { M } from './catalog.ts';

/** Names a group on every kernel: its owner << 8 | its number there. */
export type GroupId = number;
/** Every kernel that is up. */
export const ALL: GroupId = 0xffff;
/** A group for one message: its members are named by whoever sends. */
export const THESE: GroupId = 0xfffe;
/** Groups that one kernel may have open (Popcorn: mcast_wininfo[32]). */
export const GROUPS_MAX = 32;
/** Of a payload, what fits in the slot beside the fields of MCAST. */
export const INLINE_BYTES = 28;

export class Groups {
  readonly #kernel: Kernel;
  readonly #members = new Map<GroupId, Set<KernelId>>();
  #next = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Makes a group of this kernel and `members`. @throws Errno ENOSPC, EINVAL one of them is not up */
  open(members: readonly KernelId[]): GroupId {
    const kernel = this.#kernel;
    if (members.some(each => each !== kernel.id && !kernel.isPeer(each))) throw new Errno(E.INVAL);
    const numbers = Array.from({ length: GROUPS_MAX }, (_, i) => (kernel.id << 8) | ((this.#next + i) % GROUPS_MAX));
    const id = numbers.find(each => !this.#members.has(each));
    if (id === undefined) throw new Errno(E.NOSPC);
    this.#next = (id & 0xff) + 1;
    const all = new Set([kernel.id, ...members]);
    this.#members.set(id, all);
    const others = this.membersOf(id);
    for (const to of others) kernel.messages.send(to, M.MCAST, opening(id, [...all]));
    return id;
  }

  /** Only its owner does. @throws Errno EPERM, EINVAL */
  close(id: GroupId): void {
    const kernel = this.#kernel;
    if (id >>> 8 !== kernel.id) throw new Errno(E.PERM);
    const others = this.membersOf(id);
    this.#members.delete(id);
    for (const to of others) kernel.messages.send(to, M.MCAST_CLOSE, { group: id });
  }

  /** To whom a message to the group goes: its members without this kernel, ascending. @throws Errno EINVAL there is no such group */
  membersOf(id: GroupId): readonly KernelId[] {
    const kernel = this.#kernel;
    if (id === ALL) return kernel.peers();
    const members = this.#members.get(id);
    if (members === undefined) throw new Errno(E.INVAL);
    return [...members].filter(each => each !== kernel.id).sort((a, b) => a - b);
  }

  /** Groups with their members, ascending. */
  get list(): readonly (readonly [GroupId, readonly KernelId[]])[] {
    return [...this.#members].map(([id, members]) => [id, [...members].sort((a, b) => a - b)] as const).sort((a, b) => a[0] - b[0]);
  }

  opened(id: GroupId, members: readonly KernelId[]): void {
    this.#members.set(id, new Set(members.filter(each => each === this.#kernel.id || this.#kernel.isPeer(each))));
  }
  closed(id: GroupId): void {
    this.#members.delete(id);
  }
  /** A kernel is gone: so are its groups, and it is in no other. */
  peerGone(peer: KernelId): void {
    for (const [id, members] of [...this.#members]) {
      if (id >>> 8 === peer) this.#members.delete(id);
      else members.delete(peer);
    }
  }
}

const opening = (group: GroupId, members: readonly KernelId[]) => ({
  group,
  kind: 0,
  length: 0,
  pfn: 0,
  data: Uint8Array.from(members),
});

/** Where a long payload stands, in frames in a row, until all have read it. */
export interface Lent {
  readonly first: Pfn;
  /** To be called once for each member that has it, or is gone. */
  readonly taken: () => void;
}

/** Puts a payload into frames. @throws Errno ENOMEM */
export function lendPayload(kernel: Kernel, bytes: Uint8Array, members: number): Lent {
  let order = 0;
  while (PAGE_SIZE << order < bytes.length) order++;
  const first = kernel.frames.own.allocate(order);
  for (let i = 0; i < 1 << order; i++) kernel.processor.invalidateFrame(first + i);
  kernel.memory.u8.set(bytes, first * PAGE_SIZE);
  kernel.charge(copyCost(kernel, bytes.length));
  let left = members;
  const taken = (): void => {
    if (--left > 0) return;
    for (let i = 0; i < 1 << order; i++) kernel.frames.release(first + i);
  };
  return { first, taken };
}

/** Copies a payload out of the frames of another kernel. */
export function takePayload(kernel: Kernel, first: Pfn, length: number): Uint8Array {
  kernel.charge(copyCost(kernel, length));
  return kernel.memory.u8.slice(first * PAGE_SIZE, first * PAGE_SIZE + length);
}

const copyCost = (kernel: Kernel, bytes: number): number => Math.ceil(bytes / 64) * kernel.cost('copyLine');
