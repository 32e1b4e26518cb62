/**
 * Who keeps what a kernel that has halted has left: its files (by their handles) and the records of processes that were born there (by their
 * pids). A handle names the kernel that gave it out in its upper 8 bits, a pid in those above 15; should a kernel of that number be booted again,
 * it gives out numbers above those that its heir has.
 *
 * Always holds: every number leads to one kernel: to an heir that is up, or to the kernel that gave it out, which may be gone.
 */
import type { KernelId, Pid } from '../types.ts';

const HANDLE_BITS = 24;
const PID_BITS = 15;

interface Inheritance {
  heir: KernelId;
  /** Local parts up to these are the heir's. */
  readonly pids: number;
  readonly handles: number;
}

export class Heirs {
  /** The kernel that keeps the file tree. */
  tree: KernelId;
  /** Of a kernel that has been up more than once there may be several, by ascending numbers. */
  readonly #of = new Map<KernelId, Inheritance[]>();

  constructor(tree: KernelId, flat: readonly number[]) {
    this.tree = tree;
    this.learn(tree, flat);
  }

  /** What another kernel knows. */
  learn(tree: KernelId, flat: readonly number[]): void {
    this.tree = tree;
    this.#of.clear();
    for (let i = 0; i + 3 < flat.length; i += 4) {
      const [of = 0, heir = 0, pids = 0, handles = 0] = flat.slice(i);
      this.#of.set(of, [...(this.#of.get(of) ?? []), { heir, pids, handles }]);
    }
  }

  /** For a kernel that is being booted: by fours, kernel, heir, pids and handles. */
  get flat(): readonly number[] {
    return [...this.#of]
      .sort((a, b) => a[0] - b[0])
      .flatMap(([of, all]) => all.flatMap(({ heir, pids, handles }) => [of, heir, pids, handles]));
  }

  /** @param isWhole its files are left too, and not only the records of processes that were born there */
  set(of: KernelId, heir: KernelId, pids: number, handles: number, isWhole = true): void {
    // What it had itself inherited goes along.
    for (const each of [...this.#of.values()].flat()) if (each.heir === of) each.heir = heir;
    const before = (this.#of.get(of) ?? []).filter((each, i, all) => i < all.length - 1 || each.heir !== heir);
    this.#of.set(of, [...before, { heir, pids, handles }]);
    if (isWhole && this.tree === of) this.tree = heir;
  }

  /** Who has what a kernel has left last; itself if it has left nothing. */
  heirOf(kernel: KernelId): KernelId {
    return this.#of.get(kernel)?.at(-1)?.heir ?? kernel;
  }

  ofHandle(handle: number): KernelId {
    const kernel = handle >>> HANDLE_BITS;
    const local = handle & ((1 << HANDLE_BITS) - 1);
    return this.#of.get(kernel)?.find(({ handles }) => local <= handles)?.heir ?? kernel;
  }
  ofPid(pid: Pid): KernelId {
    const kernel = pid >>> PID_BITS;
    const local = pid & ((1 << PID_BITS) - 1);
    return this.#of.get(kernel)?.find(({ pids }) => local <= pids)?.heir ?? kernel;
  }

  /** Numbers of `kernel` that it may not give out: they are its heir's. */
  taken(kernel: KernelId): { readonly pids: number; readonly handles: number } {
    return this.#of.get(kernel)?.at(-1) ?? { pids: 0, handles: 0 };
  }
}

/** What a pid is of its kernel's numbers. */
export const localPid = (pid: Pid): number => pid & ((1 << PID_BITS) - 1);
export const isBornOn = (kernel: KernelId, pid: Pid): boolean => pid >>> PID_BITS === kernel;
export const firstHandle = (kernel: KernelId): number => (kernel << HANDLE_BITS) >>> 0;
export const isGivenOutBy = (kernel: KernelId, handle: number): boolean => handle >>> HANDLE_BITS === kernel;
