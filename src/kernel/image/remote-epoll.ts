/**
 * epoll sets across kernels: a set of another kernel (`RemoteEpoll`), a file of another kernel in a set here (`WatchedFile`), and how both
 * are served (`EPOLL_OPERATIONS`).
 *
 * Always holds: that a file is in a set keeps nobody from closing it. Its owner remembers which kernels' sets have it, and answers ESTALE
 * once the last reference is gone: then it leaves the set.
 */
import { E, Errno } from '../abi/errno.ts';
import { POLL } from '../abi/poll.ts';
import { EpollFile, type EpollEvent, type EpollSet } from '../fs/epoll.ts';
import type { OpenFile } from '../fs/file.ts';
import type { Kernel } from '../kernel.ts';
import { type Blocking, settle } from '../types.ts';
import type { Exported, FileRef, Json, Serve } from './files.ts';
import { RemoteFile } from './remote-file.ts';

const setOf = (object: unknown): EpollFile => (object as { readonly file: EpollFile }).file;

/** Events as they travel: the data is a 64-bit number, in text. */
type Event = readonly [events: number, data: string];

export const EPOLL_OPERATIONS: readonly (readonly [string, Serve])[] = [
  ['newEpoll', (f, _o, _args, _bytes, from) => ({ value: f.handOver(new EpollFile(f.vfs.services), from) as unknown as Json })],
  [
    'epollControl',
    function* (f, o, [operation, fd, ref, event]) {
      const [events, data] = event as unknown as Event;
      const file = yield* settle(f.mentioned(ref as unknown as FileRef));
      try {
        yield* settle(setOf(o).control(operation as number, fd as number, file, { events, data: BigInt(data) }));
      } finally {
        // The item has its own hold on the stand-in; this was the request's.
        f.unwatched(file);
      }
      return { value: null };
    },
  ],
  [
    'epollCollect',
    function* (f, o, [count], _bytes, from) {
      // First, as what happens while the answer is on its way must not be missed.
      f.watch(o as Exported, from);
      const found = yield* settle(setOf(o).collect(count as number));
      return { value: found.map(({ events, data }) => [events, String(data)] as const) as unknown as Json };
    },
  ],
  [
    'inSet',
    (f, o, [there], _bytes, from) => {
      f.inSet(o as Exported, from, there as boolean);
      return { value: null };
    },
  ],
];

/** Most events of one answer: what a frame holds. */
const EVENTS_MAX = 64;

export class RemoteEpoll extends RemoteFile implements EpollSet {
  readonly isEpoll = true;

  *control(operation: number, fd: number, file: OpenFile, { events, data }: EpollEvent): Blocking<void> {
    const { files } = this.kernel.image;
    if (file instanceof RemoteFile) yield* file.openAtOwner();
    yield* this.ask('epollControl', [operation, fd, files.mention(file, this.owner) as unknown as Json, [events, String(data)]]);
  }

  *collect(countMax: number): Blocking<EpollEvent[]> {
    const found = yield* this.ask<readonly Event[]>('epollCollect', [Math.min(countMax, EVENTS_MAX)]);
    return found.map(([events, data]) => ({ events, data: BigInt(data) }));
  }
}

/** A file of another kernel, as sets here know it. It holds no reference: `references` is 0 once its owner says that it is closed. */
export class WatchedFile extends RemoteFile {
  /** Items of sets, and requests about it under way. */
  items = 0;

  constructor(kernel: Kernel, ref: FileRef) {
    super(kernel, ref);
  }

  override poll(): Blocking<number> {
    return this.#poll();
  }
  *#poll(): Blocking<number> {
    if (!this.kernel.isPeer(this.owner)) return POLL.ERR | POLL.HUP;
    try {
      return yield* this.ask<number>('poll', []);
    } catch (error) {
      if (!(error instanceof Errno) || error.errno !== E.STALE) throw error;
      this.references = 0;
      return 0;
    }
  }
}
