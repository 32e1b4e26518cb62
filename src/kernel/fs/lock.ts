/**
 * Locks on the contents of files: flock's on the whole, fcntl's on ranges. A table belongs to an inode and is kept at its owner.
 *
 * Always holds: two locks that overlap and have different holders are both for reading; the two kinds do not see each other. A holder's
 * own locks do not overlap, and touching ones of a type are one. A holder is a name: of a process, or of an open file.
 */
import { E, Errno } from '../abi/errno.ts';
import { F_LOCK } from '../abi/fcntl.ts';
import { type Blocking, type Maybe, sleep, WaitQueue } from '../types.ts';

export type LockKind = 'flock' | 'record';

export interface Lock {
  readonly kind: LockKind;
  /** F_LOCK.* */
  readonly type: number;
  readonly first: number;
  /** Inclusive; LAST_BYTE for all that follows. */
  readonly last: number;
  readonly holder: string;
  /** As F_GETLK shows it: -1 for an open file's. */
  readonly pid: number;
}

/** Plain data: it travels. */
export interface LockRequest extends Lock {
  /** Take it if it is free (else EAGAIN), wait for it, or only see what is in the way. */
  readonly how: 'try' | 'wait' | 'test';
  /** The holder is the open file: `holder` is a new name, by which the file is known from then on unless it has one. */
  readonly byFile: boolean;
}

export const LAST_BYTE = Number.MAX_SAFE_INTEGER;

/** Gives up all that `holder` has. */
export const unlockAll = (kind: LockKind, holder: string): LockRequest => ({
  kind,
  holder,
  type: F_LOCK.UN,
  first: 0,
  last: LAST_BYTE,
  pid: 0,
  how: 'try',
  byFile: false,
});

/** Those of a kernel. */
export class Locks {
  /** Which process waits for which: a circle is a deadlock. */
  readonly waits = new Map<string, string>();
  /** Tables with locks in them. */
  readonly tables = new Set<LockTable>();
}

export class LockTable {
  #locks: readonly Lock[] = [];
  readonly #changed = new WaitQueue();

  constructor(
    readonly all: Locks,
    held: readonly Lock[] = [],
  ) {
    this.#locks = held;
    if (held.length > 0) all.tables.add(this);
  }

  get held(): readonly Lock[] {
    return this.#locks;
  }

  /** What is in the way, for a test; else null. Throws EAGAIN, EDEADLK. */
  apply(request: LockRequest): Maybe<Lock | null> {
    if (request.how === 'test') return this.#conflict(request);
    // A flock that changes its type is given up first, come what may.
    if (request.kind === 'flock') this.#replace({ ...request, type: F_LOCK.UN });
    const conflict = this.#conflict(request);
    if (conflict === null) return this.#replace(request);
    if (request.how === 'try') throw new Errno(E.AGAIN);
    return this.#wait(request);
  }

  *#wait(request: LockRequest): Blocking<null> {
    const { holder, kind, byFile } = request;
    const watched = kind === 'record' && !byFile;
    try {
      for (let conflict = this.#conflict(request); conflict !== null; conflict = this.#conflict(request)) {
        if (watched) {
          this.#checkCircle(holder, conflict.holder);
          this.all.waits.set(holder, conflict.holder);
        }
        if ((yield* sleep([this.#changed])) === 'interrupted' && this.#conflict(request) !== null) throw new Errno(E.RESTARTSYS);
      }
    } finally {
      if (watched) this.all.waits.delete(holder);
    }
    return this.#replace(request);
  }

  #checkCircle(holder: string, from: string): void {
    for (let at: string | undefined = from; at !== undefined; at = this.all.waits.get(at)) if (at === holder) throw new Errno(E.DEADLK);
  }

  #conflict({ kind, type, first, last, holder }: Lock): Lock | null {
    if (type === F_LOCK.UN) return null;
    const stands = (lock: Lock): boolean =>
      lock.kind === kind &&
      lock.holder !== holder &&
      lock.first <= last &&
      first <= lock.last &&
      (type === F_LOCK.WR || lock.type === F_LOCK.WR);
    return this.#locks.find(stands) ?? null;
  }

  /** The holder's locks are cut to make room for the new one, which joins with those that it touches. */
  #replace({ kind, type, first, last, holder, pid }: Lock): null {
    const kept: Lock[] = [];
    let start = first;
    let end = last;
    for (const lock of this.#locks) {
      const own = lock.kind === kind && lock.holder === holder;
      if (own && lock.type === type && lock.first <= last + 1 && first <= lock.last + 1) {
        start = Math.min(start, lock.first);
        end = Math.max(end, lock.last);
      } else if (own && lock.first <= last && first <= lock.last) {
        if (lock.first < first) kept.push({ ...lock, last: first - 1 });
        if (lock.last > last) kept.push({ ...lock, first: last + 1 });
      } else kept.push(lock);
    }
    if (type !== F_LOCK.UN) kept.push({ kind, type, first: start, last: end, holder, pid });
    this.#locks = kept.sort((a, b) => a.first - b.first);
    if (kept.length > 0) this.all.tables.add(this);
    else this.all.tables.delete(this);
    this.#changed.wakeAll();
    return null;
  }
}
