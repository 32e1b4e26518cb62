/**
 * What this kernel remembers of files that are another's: attributes, names (also those that are not there), links, entries of directories, and
 * pages, as long as their owner lets it (delegation.ts). Pages are the owner's own frames, each with a reference that is counted there: so that
 * a program that is mapped and one that is read are one copy; the owner writes to a frame only after it has been given back, and to a
 * copy of its own if it is still mapped here.
 *
 * A regular file that is opened for reading while it is remembered is not opened at its owner (remote-file.ts): it is when the owner recalls it.
 *
 * Always holds: what is remembered of an inode came with serials above the floor of its owner, and nothing of it has been recalled since.
 */
import type { Attributes, DirectoryEntry } from '../fs/inode.ts';
import type { Kernel } from '../kernel.ts';
import type { Blocking, KernelId, Pfn } from '../types.ts';
import { mayRemember } from './delegation.ts';
import type { InodeRef } from './files.ts';
import type { RemoteFile } from './remote-file.ts';

/** Inodes, names of one directory, and pages that are remembered. */
const INODES_MAX = 4096;
const NAMES_MAX = 1024;
const PAGES_MAX = 16_384;

export interface Remembered {
  /** The last with which something of it came. */
  serial: number;
  attributes: Attributes | null;
  target: string | null;
  /** Null: there is no such name. */
  readonly names: Map<string, InodeRef | null>;
  /** By what was asked for. */
  readonly entries: Map<string, readonly DirectoryEntry[]>;
  readonly pages: Map<number, Pfn>;
  /** Open here, and not at the owner. */
  readonly readers: Set<RemoteFile>;
}

type Key = Pick<InodeRef, 'handle'> & { readonly owner: KernelId };

export class RemoteCache {
  readonly #kernel: Kernel;
  /** By handle, which tells the owner too. */
  readonly #inodes = new Map<number, Remembered>();
  readonly #floors = new Map<KernelId, number>();
  #pages = 0;
  /** Answers from here, and those that had to be asked for. */
  hits = 0;
  misses = 0;
  recalled = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  get counts(): { inodes: number; pages: number } {
    return { inodes: this.#inodes.size, pages: this.#pages };
  }

  find(ref: Key): Remembered | null {
    return this.#inodes.get(ref.handle) ?? null;
  }

  /** Something of an inode has come with this serial: where it may be put; null if it is not to be remembered. */
  note(ref: Key, serial: number): Remembered | null {
    const owner = this.#kernel.image.files.keeper(ref);
    if (serial === 0 || !mayRemember(serial, this.#floors.get(owner) ?? 0) || !this.#kernel.isPeer(owner)) return null;
    const key = ref.handle;
    let entry = this.#inodes.get(key);
    if (entry === undefined) {
      this.#makeRoom();
      entry = { serial, attributes: null, target: null, names: new Map(), entries: new Map(), pages: new Map(), readers: new Set() };
      this.#inodes.set(key, entry);
    }
    entry.serial = Math.max(entry.serial, serial);
    return entry;
  }

  setName(directory: Remembered | null, name: string, ref: InodeRef | null): void {
    if (directory === null) return;
    if (directory.names.size >= NAMES_MAX) directory.names.clear();
    directory.names.set(name, ref);
  }

  /** A page that has come, with a reference that becomes this cache's. */
  setPage(entry: Remembered | null, index: number, pfn: Pfn): void {
    if (entry === null || entry.pages.has(index) || this.#pages >= PAGES_MAX) {
      this.#kernel.frames.release(pfn);
      return;
    }
    this.#pages++;
    entry.pages.set(index, pfn);
  }

  /** Before this kernel asks for a change: what it remembers is forgotten. The handle and the last serial, for the owner; empty if there was nothing. */
  *giveUp(ref: Key): Blocking<readonly number[]> {
    const entry = this.#take(ref);
    if (entry === null) return [];
    this.#raiseFloor(this.#kernel.image.files.keeper(ref), entry.serial);
    yield* this.#openReaders(entry);
    return [ref.handle, entry.serial];
  }

  /** The owner wants these forgotten. Returns when files that are open here only are open there. */
  *recall(owner: KernelId, handles: readonly number[], upTo: number): Blocking<void> {
    this.#raiseFloor(owner, upTo);
    const taken = handles.map(handle => this.#take({ owner, handle })).filter(entry => entry !== null);
    this.recalled += taken.length;
    for (const entry of taken) yield* this.#openReaders(entry);
  }

  /** Of what this owner has answered up to this serial nothing that is still to come is remembered. */
  #raiseFloor(owner: KernelId, serial: number): void {
    this.#floors.set(owner, Math.max(serial, this.#floors.get(owner) ?? 0));
  }

  *#openReaders(entry: Remembered): Blocking<void> {
    for (const reader of [...entry.readers]) yield* reader.openAtOwner();
  }

  #take(ref: Key): Remembered | null {
    const key = ref.handle;
    const entry = this.#inodes.get(key);
    if (entry === undefined) return null;
    this.#inodes.delete(key);
    for (const pfn of entry.pages.values()) this.#kernel.frames.release(pfn);
    this.#pages -= entry.pages.size;
    entry.pages.clear();
    return entry;
  }

  /** The oldest go; those with files open stay. */
  #makeRoom(): void {
    if (this.#inodes.size < INODES_MAX && this.#pages < PAGES_MAX) return;
    let left = INODES_MAX / 8;
    for (const [key, entry] of [...this.#inodes]) {
      if (left === 0) return;
      if (entry.readers.size > 0) continue;
      left--;
      for (const pfn of entry.pages.values()) this.#kernel.frames.release(pfn);
      this.#pages -= entry.pages.size;
      this.#inodes.delete(key);
    }
  }

  /** An owner is gone: nothing of it is known any more. */
  peerGone(peer: KernelId): void {
    const { files } = this.#kernel.image;
    for (const handle of [...this.#inodes.keys()]) if (files.keeper({ owner: peer, handle }) === peer) this.#take({ owner: peer, handle });
    this.#floors.delete(peer);
  }
}
