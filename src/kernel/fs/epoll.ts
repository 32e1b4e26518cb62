/**
 * epoll: a set of files of which one asks for those that are ready.
 *
 * Always holds: an item sleeps in the queues of its file for as long as it is in the set; being woken puts it among `#ready`, and
 * whether it really is ready is asked when somebody collects. Items of files that were closed everywhere go when they are met.
 */
import { E, Errno } from '../abi/errno.ts';
import { O } from '../abi/fcntl.ts';
import { EPOLL, POLL } from '../abi/poll.ts';
import { settle, WaitQueue, type Blocking, type KernelId, type Maybe, type Sleeper } from '../types.ts';
import { ANONYMOUS_DEVICE } from './eventfd.ts';
import { BaseFile, plainAttributes, type FileKind, type OpenFile } from './file.ts';
import type { FileTable } from './file-table.ts';
import type { Attributes } from './inode.ts';
import { eager } from './maybe.ts';

export interface EpollEvent {
  readonly events: number;
  readonly data: bigint;
}

/** An item of a set on its way to another kernel. */
export interface SavedItem {
  /** The descriptor by which it was added, and one by which its process has the file now. */
  readonly fd: number;
  readonly at: number;
  readonly events: number;
  /** A 64-bit number, in decimal. */
  readonly data: string;
  /** What was ready when it was saved, and had been told; −1: something may be that has not been told. */
  readonly told: number;
}

const FLAGS = (EPOLL.ET | EPOLL.ONESHOT | EPOLL.WAKEUP | EPOLL.EXCLUSIVE) >>> 0;
const NESTING_MAX = 5;

class Item implements Sleeper {
  constructor(
    readonly set: EpollFile,
    readonly fd: number,
    readonly file: OpenFile,
    public events: number,
    public data: bigint,
  ) {}

  wake(): void {
    this.set.noteReady(this);
  }
}

export class EpollFile extends BaseFile {
  readonly kind: FileKind = 'anonymous';
  readonly changed = new WaitQueue();
  readonly #queues: readonly WaitQueue[] = [this.changed];
  readonly #items = new Set<Item>();
  readonly #ready = new Set<Item>();

  constructor(readonly owner: KernelId) {
    super(O.RDWR);
  }

  override get label(): string {
    return 'anon_inode:[eventpoll]';
  }
  override get queues(): readonly WaitQueue[] {
    return this.#queues;
  }

  protected override closed(): void {
    for (const item of [...this.#items]) this.#drop(item);
  }

  noteReady(item: Item): void {
    if (this.#ready.has(item)) return;
    this.#ready.add(item);
    this.changed.wakeAll();
  }

  add(fd: number, file: OpenFile, { events, data }: EpollEvent): void {
    if (file === this) throw new Errno(E.INVAL);
    if (file.kind === 'file' || file.kind === 'directory') throw new Errno(E.PERM);
    if (file instanceof EpollFile && (file.#contains(this) || file.#depth() >= NESTING_MAX)) throw new Errno(E.LOOP);
    if (this.#find(fd, file)) throw new Errno(E.EXIST);
    const item = new Item(this, fd, file, events >>> 0, data);
    this.#items.add(item);
    for (const queue of file.queues) queue.sleepers.add(item);
    this.noteReady(item);
  }

  modify(fd: number, file: OpenFile, { events, data }: EpollEvent): void {
    const item = this.#find(fd, file);
    if (!item) throw new Errno(E.NOENT);
    item.events = events >>> 0;
    item.data = data;
    this.noteReady(item);
  }

  remove(fd: number, file: OpenFile): void {
    const item = this.#find(fd, file);
    if (!item) throw new Errno(E.NOENT);
    this.#drop(item);
  }

  /** What is ready now, at most `countMax`; each file in turn. */
  collect(countMax: number): Maybe<EpollEvent[]> {
    return this.#ready.size === 0 ? [] : eager(this.#collect(countMax));
  }

  *#collect(countMax: number): Blocking<EpollEvent[]> {
    const events: EpollEvent[] = [];
    const again: Item[] = [];
    for (const item of [...this.#ready]) {
      if (events.length === countMax) break;
      this.#ready.delete(item);
      const mask = yield* this.#maskOf(item);
      if (mask === 0) continue;
      events.push({ events: mask, data: item.data });
      if (item.events & EPOLL.ONESHOT) item.events = (item.events & FLAGS) >>> 0;
      else if (!(item.events & EPOLL.ET)) again.push(item);
    }
    for (const item of again) if (this.#items.has(item)) this.#ready.add(item);
    return events;
  }

  *#maskOf(item: Item): Blocking<number> {
    if (item.file.references === 0) {
      this.#drop(item);
      return 0;
    }
    const wanted = (item.events & ~FLAGS) >>> 0;
    if (wanted === 0) return 0; // ONESHOT, already reported
    return (yield* settle(item.file.poll())) & (wanted | POLL.ERR | POLL.HUP);
  }

  override poll(): Maybe<number> {
    return this.#ready.size === 0 ? 0 : eager(this.#pollItems());
  }

  *#pollItems(): Blocking<number> {
    for (const item of [...this.#ready]) {
      if ((yield* this.#maskOf(item)) !== 0) return POLL.IN | POLL.RDNORM;
      this.#ready.delete(item);
    }
    return 0;
  }

  /** The set as its process takes it along; of files that it has no descriptor for any more, nothing. */
  *save(files: FileTable): Blocking<SavedItem[]> {
    const saved: SavedItem[] = [];
    for (const item of [...this.#items]) {
      const found = [...files.list()].filter(([, { file }]) => file === item.file).map(([fd]) => fd);
      const at = found.includes(item.fd) ? item.fd : found[0];
      if (at === undefined) continue;
      const told = this.#ready.has(item) ? -1 : yield* stateOf(item.file);
      saved.push({ fd: item.fd, at, events: item.events, data: String(item.data), told: this.#ready.has(item) ? -1 : told });
    }
    return saved;
  }

  /** Puts into an empty set what was saved of another one. An edge is one if there is more now than was told. */
  *restore(saved: readonly SavedItem[], files: FileTable): Blocking<void> {
    for (const { fd, at, events, data, told } of saved) {
      const item = new Item(this, fd, files.get(at), events, BigInt(data));
      this.#items.add(item);
      for (const queue of item.file.queues) queue.sleepers.add(item);
      // Asking a remote file also asks for its next change.
      if (told < 0 || (yield* stateOf(item.file)) & ~told) this.noteReady(item);
    }
  }

  attributes(): Attributes {
    return plainAttributes(ANONYMOUS_DEVICE, 1, 0o600);
  }

  #find(fd: number, file: OpenFile): Item | null {
    for (const item of this.#items) if (item.fd === fd && item.file === file) return item;
    return null;
  }

  #drop(item: Item): void {
    this.#items.delete(item);
    this.#ready.delete(item);
    for (const queue of item.file.queues) queue.sleepers.delete(item);
  }

  #contains(other: EpollFile): boolean {
    for (const { file } of this.#items) {
      if (file === other || (file instanceof EpollFile && file.#contains(other))) return true;
    }
    return false;
  }

  #depth(): number {
    let deepest = 0;
    for (const { file } of this.#items) if (file instanceof EpollFile) deepest = Math.max(deepest, file.#depth());
    return deepest + 1;
  }
}

function* stateOf(file: OpenFile): Blocking<number> {
  try {
    return yield* settle(file.poll());
  } catch (error) {
    if (!(error instanceof Errno)) throw error;
    return POLL.ERR;
  }
}
