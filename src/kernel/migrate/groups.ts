/**
 * All that this kernel is home or member of by the page protocol, by the number that the home has given it, and the messages about single pages.
 */
import type { Kernel } from '../kernel.ts';
import { M } from '../message/catalog.ts';
import type { KernelId } from '../types.ts';
import { type Directory, RIGHT } from './directory.ts';
import type { Holdings } from './holdings.ts';

export class PageGroups {
  readonly #kernel: Kernel;
  #next = 1;
  readonly #homes = new Map<number, Directory>();
  /** By home and group. */
  readonly #members = new Map<number, Holdings>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#listen();
  }

  /** A new group, whose home is here. Returns its number. */
  add(directory: Directory): number {
    const group = this.#next++;
    this.#homes.set(group, directory);
    return group;
  }
  remove(group: number): void {
    this.#homes.delete(group);
  }
  home(group: number): Directory | undefined {
    return this.#homes.get(group);
  }
  get homes(): Directory[] {
    return [...this.#homes.values()];
  }

  joined(holdings: Holdings): void {
    this.#members.set(keyOf(holdings.home, holdings.group), holdings);
  }
  left(holdings: Holdings): void {
    const key = keyOf(holdings.home, holdings.group);
    if (this.#members.get(key) === holdings) this.#members.delete(key);
  }
  member(home: KernelId, group: number): Holdings | undefined {
    return this.#members.get(keyOf(home, group));
  }
  membersOf(home: KernelId): Holdings[] {
    return [...this.#members.values()].filter(holdings => holdings.home === home);
  }

  #listen(): void {
    const { messages } = this.#kernel;
    messages.on(M.PAGE_REQUEST, ({ group, page, access }, { from }) => {
      const wanted = access === RIGHT.execute ? 'execute' : access === RIGHT.write ? 'write' : 'read';
      this.home(group)?.request(from, page, wanted);
    });
    messages.on(M.PAGE_GRANT, ({ group, page, right, protection, pfn }, { from }) => {
      this.member(from, group)?.granted(page, right, protection, pfn);
      if (right !== RIGHT.none) messages.send(from, M.PAGE_GRANTED, { group, page });
    });
    messages.on(M.PAGE_GRANTED, ({ group, page }, { from }) => this.home(group)?.granted(from, page));
    messages.on(M.PAGE_TAKE, ({ group, page, leave }, { from }) => {
      this.member(from, group)?.take(page, leave, pfn => messages.send(from, M.PAGE_TAKEN, { group, page, pfn }));
    });
    messages.on(M.PAGE_TAKEN, ({ group, page, pfn }, { from }) => this.home(group)?.taken(from, page, pfn));
    messages.on(M.PAGE_COPIED, ({ group, pfn }, { from }) => this.member(from, group)?.copied(pfn));
    messages.on(M.OUTPOST_END, ({ group, joins }, { from }) => this.member(from, group)?.dismissed(joins));
  }
}

const keyOf = (home: KernelId, group: number): number => home * 2 ** 32 + group;
