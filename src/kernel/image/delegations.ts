/**
 * The owner's side of what others remember of its inodes: serials given with answers, and recalls before changes (delegation.ts).
 *
 * Always holds: a change is made only when nobody else remembers what it changes; an owner remembers at most HOLDINGS_MAX holdings, of which the
 * oldest are recalled to make room.
 */
import type { Inode } from '../fs/inode.ts';
import { eager } from '../fs/maybe.ts';
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import { type Blocking, type KernelId, type Maybe, sleep, WaitQueue } from '../types.ts';
import { begin, type Delegated, end, givenUp, grant, mayChange, NOT_DELEGATED, recall, returned } from './delegation.ts';

/** Pairs of an inode and a kernel that may remember something of it. */
const HOLDINGS_MAX = 16_384;
/** Inodes that are recalled at once to make room. */
const ROOM = 256;

export class Delegations {
  readonly #kernel: Kernel;
  /** In order of the first serial given. */
  readonly #states = new Map<Inode, Delegated>();
  readonly #changed = new WaitQueue();
  #serial = 0;
  #holdings = 0;
  #makingRoom = false;
  #isClosed = false;
  recalls = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  get holdings(): number {
    return this.#holdings;
  }

  /** The serial that goes with what `to` is being told of an inode at this moment; 0: it may not remember it. */
  grant(inode: Inode, to: KernelId): number {
    if (!inode.isTracked || this.#isClosed || to === this.#kernel.id) return 0;
    if (this.#holdings >= HOLDINGS_MAX) {
      if (!this.#makingRoom) this.#kernel.spawn(this.#makeRoom());
      return 0;
    }
    const granted = grant(this.#states.get(inode) ?? NOT_DELEGATED, to, this.#serial + 1);
    if (granted === null) return 0;
    this.#set(inode, granted);
    return ++this.#serial;
  }

  givenUp(inode: Inode, from: KernelId, serial: number): void {
    const state = this.#states.get(inode);
    if (state !== undefined) this.#set(inode, givenUp(state, from, serial));
  }

  /** Does `work`, which changes the inodes that `involved` names, at a moment when nobody else remembers anything of them. */
  changing<T>(involved: () => readonly Inode[], work: () => T): Maybe<T> {
    if (this.#holdings === 0 || involved().every(inode => !this.#states.has(inode))) return work();
    return eager(this.#change(involved, work));
  }

  *#change<T>(involved: () => readonly Inode[], work: () => T): Blocking<T> {
    const begun = new Set<Inode>();
    try {
      for (;;) {
        // Names may lead to others by now.
        const inodes = involved();
        for (const inode of inodes) {
          if (begun.has(inode)) continue;
          begun.add(inode);
          this.#set(inode, begin(this.#states.get(inode) ?? NOT_DELEGATED));
        }
        const held = inodes.filter(inode => !mayChange(this.#states.get(inode) ?? NOT_DELEGATED));
        if (held.length === 0) return work();
        yield* this.#recall(held);
      }
    } finally {
      for (const inode of begun) this.#set(inode, end(this.#states.get(inode) ?? NOT_DELEGATED));
    }
  }

  /** Returns when something has changed about who holds these. */
  *#recall(inodes: readonly Inode[]): Blocking<void> {
    const handles = new Map<KernelId, Inode[]>();
    for (const inode of inodes) {
      const { state, from } = recall(this.#states.get(inode) ?? NOT_DELEGATED);
      this.#set(inode, state);
      for (const kernel of from) handles.set(kernel, [...(handles.get(kernel) ?? []), inode]);
    }
    const members = [...handles.keys()].sort((a, b) => a - b);
    if (members.length === 0) {
      // Others have asked for them already.
      yield* sleep([this.#changed], { interruptible: false });
      return;
    }
    this.recalls += members.length;
    const upTo = this.#serial;
    const { image, messages } = this.#kernel;
    const all = [...new Set([...handles.values()].flat())];
    const payload = { upTo, handles: all.map(inode => image.files.inodeRef(inode).handle) };
    yield* messages.mcastCall(members, M.FILE_RECALL, payload, M.FILE_RECALLED);
    // Whoever has not answered is gone.
    for (const [kernel, held] of handles) {
      for (const inode of held) this.#set(inode, returned(this.#states.get(inode) ?? NOT_DELEGATED, kernel, upTo));
    }
    this.#changed.wakeAll();
  }

  *#makeRoom(): Blocking<void> {
    this.#makingRoom = true;
    try {
      yield* this.#recall([...this.#states.keys()].slice(0, ROOM));
    } finally {
      this.#makingRoom = false;
    }
  }

  /** Nothing is to be remembered any more: returns when nobody does. */
  *close(): Blocking<void> {
    this.#isClosed = true;
    while (this.#holdings > 0) yield* this.#recall([...this.#states.keys()]);
  }

  peerGone(peer: KernelId): void {
    for (const [inode, state] of [...this.#states]) this.#set(inode, returned(state, peer));
    this.#changed.wakeAll();
  }

  #set(inode: Inode, state: Delegated): void {
    const before = this.#states.get(inode)?.holders.length ?? 0;
    this.#holdings += state.holders.length - before;
    if (state.holders.length + state.recalled.length + state.changes === 0) this.#states.delete(inode);
    else this.#states.set(inode, state);
  }
}
