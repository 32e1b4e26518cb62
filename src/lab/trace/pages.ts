/**
 * Pages that several kernels use, as their homes told of them (TraceKind.PageState), and threads that compute away from their process
 * (TraceKind.ThreadTrip).
 *
 * Always holds: a page that is its home's alone again has no entry, like one that always was.
 */

export type PageLetter = 'M' | 'S' | 'L';

export interface SharedPage {
  readonly page: number;
  /** M: one kernel may write it; S: some may read it; L: it was lost with the kernel that could write it. */
  readonly state: PageLetter;
  /** Kernels that hold it, ascending. */
  readonly holders: readonly number[];
  readonly since: number;
  /** How often it has changed hands. */
  readonly changes: number;
}

/** The pages of one process, or of one piece of shared memory. */
export interface PageGroup {
  readonly home: number;
  /** Process whose threads are spread; null: shared memory. */
  readonly pid: number | null;
  /** Of shared memory: its number at its home. */
  readonly object: number | null;
  readonly pages: Map<number, SharedPage>;
}

const OBJECT = 0x80000000;
const STATES: readonly PageLetter[] = ['S', 'S', 'M', 'L'];

export class SharedPageTable {
  readonly #groups = new Map<number, PageGroup>();
  /** Kernels where threads are that are not with their process, by thread; and how many there are of each process. */
  readonly #away = new Map<number, { readonly pid: number; readonly kernel: number }>();

  /** @param high of the set of readers, the part from 32 up */
  changed(home: number, time: number, high: number, owner: number, page: number, state: number, who: number): void {
    const key = home * 2 ** 32 + owner;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { home, pid: owner < OBJECT ? owner : null, object: owner < OBJECT ? null : owner - OBJECT, pages: new Map() };
      this.#groups.set(key, group);
    }
    const letter = STATES[state] ?? 'S';
    const holders = letter === 'M' ? [who] : letter === 'L' ? [] : [...bitsOf(who, 0), ...bitsOf(high, 32)];
    if (letter === 'M' && who === home) group.pages.delete(page);
    else group.pages.set(page, { page, state: letter, holders, since: time, changes: (group.pages.get(page)?.changes ?? 0) + 1 });
    if (group.pages.size === 0) this.#groups.delete(key);
  }

  /** A thread has come to this kernel, or is about to go home from there, as that kernel told. */
  tripped(kernel: number, pid: number, tid: number, comes: boolean): void {
    if (comes) this.#away.set(tid, { pid, kernel });
    else if (this.#away.get(tid)?.kernel === kernel) this.#away.delete(tid);
  }
  isAway(tid: number, kernel: number): boolean {
    return this.#away.get(tid)?.kernel === kernel;
  }
  /** Threads of a process that compute elsewhere, and where. */
  awayOf(pid: number): { readonly tid: number; readonly kernel: number }[] {
    return [...this.#away].filter(([, each]) => each.pid === pid).map(([tid, { kernel }]) => ({ tid, kernel }));
  }

  /** Nothing of a kernel is there any more. */
  kernelGone(kernel: number): void {
    for (const [tid, away] of this.#away) if (away.kernel === kernel) this.#away.delete(tid);
    for (const [key, { home }] of this.#groups) if (home === kernel) this.#groups.delete(key);
  }
  processGone(pid: number): void {
    for (const [tid, away] of this.#away) if (away.pid === pid) this.#away.delete(tid);
    for (const [key, group] of this.#groups) if (group.pid === pid) this.#groups.delete(key);
  }

  /** Those of a process, and shared memory whose home is this kernel or of which it holds pages. */
  groups(pid: number | null, kernel: number): PageGroup[] {
    const concerns = (group: PageGroup): boolean =>
      group.home === kernel || [...group.pages.values()].some(({ holders }) => holders.includes(kernel));
    return [...this.#groups.values()].filter(group => (group.pid === null ? concerns(group) : group.pid === pid));
  }
}

function bitsOf(set: number, from: number): number[] {
  return Array.from({ length: 32 }, (_, bit) => bit)
    .filter(bit => (set >>> bit) & 1)
    .map(bit => from + bit);
}
