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
import type { Claim } from '../fs/services.ts';
import { type Blocking, isBlocking, type KernelId, type Maybe, settle, sleep, WaitQueue } from '../types.ts';
import { begin, type Delegated, end, givenUp, grant, mayChange, NOT_DELEGATED, recall, returned } from './delegation.ts';

/** Pairs of an inode and a kernel that may remember something of it. */
const HOLDINGS_MAX = 16_384;
/** Inodes that are recalled at once to make room. */
const ROOM = 256;

/** Ends an attempt at a change: others have to be told to forget what it claims. */
const HELD = new Error('what is to be changed is remembered elsewhere');

interface Change {
  readonly claimed: Set<Inode>;
  /** Whether they are marked as being changed. */
  isBegun: boolean;
}

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

  /**
   * The serial that goes with what `to` is going to be told of an inode; 0: it may not remember it. Taken before the inode is asked, which may sleep:
   * if it changes meanwhile what has been told is recalled, though it comes later.
   */
  grant(inode: Inode, to: KernelId): number {
    if (!inode.isTracked || this.#isClosed || to === this.#kernel.id) return 0;
    if (this.#holdings >= HOLDINGS_MAX) {
      if (!this.#makingRoom) this.#kernel.spawn(this.#makeRoom());
      return 0;
    }
    const granted = grant(this.#state(inode), to, this.#serial + 1);
    if (granted === null) return 0;
    this.#set(inode, granted);
    return ++this.#serial;
  }

  givenUp(inode: Inode, from: KernelId, serial: number): void {
    const state = this.#states.get(inode);
    if (state !== undefined) this.#set(inode, givenUp(state, from, serial));
  }

  /** Does `work`, which changes the inodes that it claims, at a moment when nobody else remembers anything of them (FsServices.changing). */
  changing<T>(work: (claim: Claim) => Maybe<T>): Maybe<T> {
    const change: Change = { claimed: new Set(), isBegun: false };
    const claim: Claim = (...inodes) => this.#claim(change, inodes);
    let rest: Blocking<T> | null = null;
    try {
      const value = work(claim);
      if (!isBlocking(value)) return value;
      rest = value;
    } catch (error) {
      if (error !== HELD) throw error;
    }
    for (const inode of change.claimed) this.#set(inode, begin(this.#state(inode)));
    change.isBegun = true;
    return eager(this.#change(change, () => work(claim), rest));
  }

  *#change<T>({ claimed }: Change, work: () => Maybe<T>, begun: Blocking<T> | null): Blocking<T> {
    const attempt = function* (): Blocking<T> {
      return yield* settle(work());
    };
    try {
      for (let rest = begun; ; rest = attempt()) {
        try {
          if (rest !== null) return yield* rest;
        } catch (error) {
          if (error !== HELD) throw error;
        }
        yield* this.#recall([...claimed].filter(inode => !mayChange(this.#state(inode))));
      }
    } finally {
      for (const inode of claimed) this.#set(inode, end(this.#state(inode)));
    }
  }

  /** A change that sleeps has begun for others too; one that does not is over before anybody looks. */
  #claim({ claimed, isBegun }: Change, inodes: readonly Inode[]): void {
    for (const inode of inodes) {
      if (isBegun && !claimed.has(inode)) this.#set(inode, begin(this.#state(inode)));
      claimed.add(inode);
    }
    if (this.#holdings > 0 && !inodes.every(inode => mayChange(this.#state(inode)))) throw HELD;
  }

  #state(inode: Inode): Delegated {
    return this.#states.get(inode) ?? NOT_DELEGATED;
  }

  /** Returns when something has changed about who holds these. */
  *#recall(inodes: readonly Inode[]): Blocking<void> {
    const handles = new Map<KernelId, Inode[]>();
    for (const inode of inodes) {
      const { state, from } = recall(this.#state(inode));
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
      for (const inode of held) this.#set(inode, returned(this.#state(inode), kernel, upTo));
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
