/**
 * epoll: a set of files of which one asks for those that are ready. A set lives with the network of the process that made it, where its
 * sockets are; a process that has moved works on it by message (image/remote-epoll.ts).
 *
 * Always holds: an item sleeps in the queues of its file for as long as it is in the set; being woken puts it among `#ready`, and
 * whether it really is ready is asked when somebody collects. A set holds no reference on its files: the last close of one wakes its item,
 * which goes when it is met. A file of another kernel has a stand-in here that holds none either (`FsServices.watched`).
 */
import { E, Errno } from '../abi/errno.ts';
import { O } from '../abi/fcntl.ts';
import { EPOLL, POLL } from '../abi/poll.ts';
import { settle, WaitQueue, type Blocking, type KernelId, type Maybe, type Sleeper } from '../types.ts';
import { ANONYMOUS_DEVICE } from './eventfd.ts';
import { BaseFile, plainAttributes, type FileKind, type OpenFile } from './file.ts';
import type { Attributes } from './inode.ts';
import { after, eager } from './maybe.ts';
import type { FsServices } from './services.ts';

export interface EpollEvent {
  readonly events: number;
  readonly data: bigint;
}

/** A set of this kernel or of another. */
export interface EpollSet extends OpenFile {
  readonly isEpoll: true;
  /** EPOLL.CTL_*. Throws EEXIST, ENOENT, EINVAL, EPERM, ELOOP. */
  control(operation: number, fd: number, file: OpenFile, event: EpollEvent): Maybe<void>;
  /** What is ready now, at most `countMax`; each file in turn. */
  collect(countMax: number): Maybe<EpollEvent[]>;
}
export const isEpoll = (file: OpenFile): file is EpollSet => 'isEpoll' in file;

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

export class EpollFile extends BaseFile implements EpollSet {
  readonly isEpoll = true;
  readonly kind: FileKind = 'anonymous';
  readonly changed = new WaitQueue();
  readonly #queues: readonly WaitQueue[] = [this.changed];
  /** By descriptor: several if that has been used again since. */
  readonly #items = new Map<number, Item[]>();
  readonly #ready = new Set<Item>();

  constructor(readonly services: FsServices) {
    super(O.RDWR);
  }
  get owner(): KernelId {
    return this.services.kernel;
  }

  override get label(): string {
    return 'anon_inode:[eventpoll]';
  }
  override get queues(): readonly WaitQueue[] {
    return this.#queues;
  }

  protected override closed(): void {
    for (const item of [...this.#items.values()].flat()) this.#drop(item);
  }

  noteReady(item: Item): void {
    if (this.#ready.has(item)) return;
    this.#ready.add(item);
    this.changed.wakeAll();
  }

  control(operation: number, fd: number, file: OpenFile, event: EpollEvent): Maybe<void> {
    if (file === this) throw new Errno(E.INVAL);
    return after(this.services.watched(file), watched => {
      let kept = false;
      try {
        kept = this.#control(operation, fd, watched, event);
      } finally {
        if (!kept) this.services.unwatched(watched);
      }
    });
  }

  /** Whether a new item has the file. */
  #control(operation: number, fd: number, file: OpenFile, event: EpollEvent): boolean {
    const item = this.#find(fd, file);
    if (operation === EPOLL.CTL_ADD) {
      if (item !== null) throw new Errno(E.EXIST);
      this.#add(fd, file, event);
      return true;
    }
    if (item === null) throw new Errno(E.NOENT);
    if (operation === EPOLL.CTL_DEL) {
      this.#drop(item);
      return false;
    }
    item.events = event.events >>> 0;
    item.data = event.data;
    this.noteReady(item);
    return false;
  }

  #add(fd: number, file: OpenFile, { events, data }: EpollEvent): void {
    if (file.kind === 'file' || file.kind === 'directory') throw new Errno(E.PERM);
    // Of a set of another kernel it can't be told what is in it.
    if (isEpoll(file) && !(file instanceof EpollFile)) throw new Errno(E.LOOP);
    if (file instanceof EpollFile && (file.#contains(this) || file.#depth() >= NESTING_MAX)) throw new Errno(E.LOOP);
    const item = new Item(this, fd, file, events >>> 0, data);
    const others = this.#items.get(fd);
    if (others === undefined) this.#items.set(fd, [item]);
    else others.push(item);
    for (const queue of file.queues) queue.sleepers.add(item);
    this.noteReady(item);
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
    for (const item of again) if (this.#items.get(item.fd)?.includes(item)) this.#ready.add(item);
    return events;
  }

  *#maskOf(item: Item): Blocking<number> {
    const wanted = (item.events & ~FLAGS) >>> 0;
    // None after ONESHOT has reported.
    const mask = item.file.references === 0 || wanted === 0 ? 0 : yield* settle(item.file.poll());
    if (item.file.references > 0) return mask & (wanted | POLL.ERR | POLL.HUP);
    this.#drop(item);
    return 0;
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

  attributes(): Attributes {
    return plainAttributes(ANONYMOUS_DEVICE, 1, 0o600);
  }

  #find(fd: number, file: OpenFile): Item | null {
    return this.#items.get(fd)?.find(item => item.file === file) ?? null;
  }

  #drop(item: Item): void {
    const rest = (this.#items.get(item.fd) ?? []).filter(other => other !== item);
    if (rest.length > 0) this.#items.set(item.fd, rest);
    else this.#items.delete(item.fd);
    this.#ready.delete(item);
    for (const queue of item.file.queues) queue.sleepers.delete(item);
    this.services.unwatched(item.file);
  }

  get #files(): OpenFile[] {
    return [...this.#items.values()].flat().map(({ file }) => file);
  }

  #contains(other: EpollFile): boolean {
    for (const file of this.#files) {
      if (file === other || (file instanceof EpollFile && file.#contains(other))) return true;
    }
    return false;
  }

  #depth(): number {
    let deepest = 0;
    for (const file of this.#files) if (file instanceof EpollFile) deepest = Math.max(deepest, file.#depth());
    return deepest + 1;
  }
}
