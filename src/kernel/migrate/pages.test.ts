/**
 * The page protocol, explored to the last interleaving: a home and its members, one page, channels that keep their order, threads that read
 * and write at any moment, and, in half of the runs, a kernel that dies at any moment.
 */
import { describe, expect, it } from 'vitest';
import {
  type Access,
  atHome,
  atMember,
  type DirectoryPage,
  type HomeEvent,
  heldBy,
  type MemberAction,
  type MemberEvent,
  type MemberPage,
  NOT_HELD,
  rightOf,
  type Right,
} from './pages.ts';

const HOME = 0;

type ToMember = { kind: 'take'; leave: Right } | { kind: 'grant'; access: Access; content: boolean; sent: number } | { kind: 'refuse' };
type ToHome = { kind: 'request'; access: Access } | { kind: 'granted' } | { kind: 'taken'; wrote: boolean };

/** The whole world of one page. Plain data, so that two worlds are the same if their JSON is. */
interface World {
  directory: DirectoryPage;
  /** Members' states and frames; index 0 stands for the home, whose right is in the directory. */
  members: MemberPage[];
  frames: number[];
  down: ToMember[][];
  up: ToHome[][];
  /** Accesses that each kernel has still to make; the first is under way. */
  todo: Access[][];
  /** The home has been asked by itself. */
  homeAsked: boolean;
  /** What was written last, anywhere; counts up. */
  last: number;
  dead: number | null;
  /** The home has heard of the death. */
  known: boolean;
  /** Accesses that were answered with the loss of the page. */
  refused: number;
}

interface Totals {
  worlds: number;
  ends: number;
  refusals: number;
}

const copy = (world: World): World => structuredClone(world);

/** Right of a kernel as its page table would have it. */
const rightAt = (world: World, kernel: number): Right =>
  kernel === HOME ? rightOf(world.directory, HOME) : (world.members[kernel] as MemberPage).right;

/** Feeds the home, and does at once what concerns the home itself. */
function feedHome(world: World, event: HomeEvent, protocol = atHome): void {
  const step = protocol(world.directory, HOME, event);
  world.directory = step.page;
  for (const action of step.actions) {
    if (action.to === HOME) {
      if (action.kind === 'take') feedHome(world, { kind: 'taken', from: HOME }, protocol);
      else {
        world.homeAsked = false;
        if (action.kind === 'grant') feedHome(world, { kind: 'granted', from: HOME }, protocol);
        else refuse(world, HOME);
      }
    } else if (action.to !== world.dead || !world.known) {
      const channel = world.down[action.to] as ToMember[];
      if (action.kind === 'grant')
        channel.push({ kind: 'grant', access: action.access, content: action.content, sent: world.frames[HOME] as number });
      else if (action.kind === 'take') channel.push({ kind: 'take', leave: action.leave });
      else channel.push({ kind: 'refuse' });
    }
  }
}

function refuse(world: World, kernel: number): void {
  world.refused++;
  (world.todo[kernel] as Access[]).shift();
}

function feedMember(world: World, kernel: number, event: MemberEvent): readonly MemberAction[] {
  const step = atMember(world.members[kernel] as MemberPage, event);
  world.members[kernel] = step.page;
  for (const action of step.actions) (world.up[kernel] as ToHome[]).push(action);
  return step.actions;
}

/** Everything that can happen next. */
function successors(world: World, mayDie: readonly number[], protocol: typeof atHome): World[] {
  const found: World[] = [];
  const after = (change: (next: World) => void): void => {
    const next = copy(world);
    change(next);
    found.push(next);
  };
  for (let kernel = 0; kernel < world.members.length; kernel++) {
    if (world.dead === kernel) continue;
    const access = world.todo[kernel]?.[0];
    if (access !== undefined) {
      const right = rightAt(world, kernel);
      if (right === 'write' || right === access) {
        after(next => {
          next.todo[kernel]?.shift();
          if (access === 'write') next.frames[kernel] = ++next.last;
          else if (!next.directory.lost) expect(next.frames[kernel]).toBe(next.last);
        });
      } else if (kernel === HOME && !world.homeAsked) {
        after(next => {
          next.homeAsked = true;
          feedHome(next, { kind: 'request', from: HOME, access }, protocol);
        });
      } else if (kernel !== HOME && world.members[kernel]?.asked === null) {
        after(next => feedMember(next, kernel, { kind: 'touch', access }));
      }
    }
    if (world.down[kernel]?.length) {
      after(next => {
        const message = next.down[kernel]?.shift() as ToMember;
        if (message.kind === 'grant' && message.content) {
          // The frame that it names was lent: nobody has touched it since.
          expect(next.frames[HOME]).toBe(message.sent);
          next.frames[kernel] = message.sent;
        }
        if (message.kind === 'refuse') refuse(next, kernel);
        feedMember(next, kernel, message);
      });
    }
  }
  for (let kernel = 1; kernel < world.members.length; kernel++) {
    // What was under way when a kernel died may still come, until the home has heard of it.
    if (world.up[kernel]?.length && !(world.dead === kernel && world.known)) {
      after(next => {
        const message = next.up[kernel]?.shift() as ToHome;
        if (message.kind === 'taken' && message.wrote) next.frames[HOME] = next.frames[kernel] as number;
        feedHome(next, { ...message, from: kernel }, protocol);
      });
    }
  }
  if (world.dead === null) {
    for (const kernel of mayDie) {
      after(next => {
        next.dead = kernel;
        next.down[kernel] = [];
        next.todo[kernel] = [];
      });
    }
  } else if (!world.known) {
    after(next => {
      next.known = true;
      next.up[next.dead as number] = [];
      feedHome(next, { kind: 'gone', from: next.dead as number }, protocol);
    });
  }
  return found;
}

/** Visits every world that can come of this one, and checks what always holds in each. */
function explore(todo: Access[][], mayDie: readonly number[], protocol = atHome): Totals {
  const kernels = todo.length;
  const first: World = {
    directory: heldBy(HOME),
    members: todo.map(() => NOT_HELD),
    frames: todo.map(() => 0),
    down: todo.map(() => []),
    up: todo.map(() => []),
    todo,
    homeAsked: false,
    last: 0,
    dead: null,
    known: false,
    refused: 0,
  };
  const seen = new Set<string>([JSON.stringify(first)]);
  const open = [first];
  const totals: Totals = { worlds: 0, ends: 0, refusals: 0 };
  for (let world = open.pop(); world !== undefined; world = open.pop()) {
    totals.worlds++;
    const here = world;
    const living = Array.from({ length: kernels }, (_, kernel) => kernel).filter(kernel => kernel !== here.dead);
    const rights = living.map(kernel => rightAt(here, kernel));
    const writers = rights.filter(right => right === 'write').length;
    const readers = rights.filter(right => right === 'read').length;
    if (writers > 1 || (writers === 1 && readers > 0)) throw new Error(`${writers} writers, ${readers} readers: ${JSON.stringify(here)}`);
    const following = successors(here, mayDie, protocol);
    if (following.length === 0) {
      totals.ends++;
      totals.refusals += here.refused;
      const waits = here.directory.serving !== null || here.directory.waiting.length > 0 || living.some(k => here.todo[k]?.length);
      if (waits) throw new Error(`nothing can happen any more, and someone waits: ${JSON.stringify(here)}`);
    }
    for (const next of following) {
      const key = JSON.stringify(next);
      if (seen.has(key)) continue;
      seen.add(key);
      open.push(next);
    }
  }
  return totals;
}

/** All lists of so many accesses for each kernel. */
function* plans(lengths: readonly number[]): Generator<Access[][]> {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  for (let bits = 0; bits < 2 ** total; bits++) {
    let at = 0;
    yield lengths.map(length => Array.from({ length }, () => ((bits >> at++) & 1 ? 'write' : 'read')));
  }
}

function exploreAll(lengths: readonly number[], mayDie: readonly number[]): Totals {
  const sum: Totals = { worlds: 0, ends: 0, refusals: 0 };
  for (const plan of plans(lengths)) {
    const { worlds, ends, refusals } = explore(plan, mayDie);
    sum.worlds += worlds;
    sum.ends += ends;
    sum.refusals += refusals;
  }
  return sum;
}

describe('one page', () => {
  it('has one writer or any readers, who see the last write, and nobody waits for ever: home and one member', () => {
    const { worlds, refusals } = exploreAll([3, 3], []);
    expect(worlds).toBeGreaterThan(1000);
    expect(refusals).toBe(0);
  });

  it('the same with two members', () => {
    const { worlds, refusals } = exploreAll([1, 2, 2], []);
    expect(worlds).toBeGreaterThan(10_000);
    expect(refusals).toBe(0);
  });

  it('whenever a member dies, the others go on or are refused', () => {
    expect(exploreAll([2, 3], [1]).refusals).toBeGreaterThan(0);
    expect(exploreAll([1, 1, 2], [1, 2]).refusals).toBeGreaterThan(0);
  });

  it('is refused only if it was lost with one that could write it', () => {
    expect(explore([['read', 'read'], ['read', 'read'], ['read']], [1, 2]).refusals).toBe(0);
  });

  it('and the exploration finds out a home that does not wait for answers', () => {
    const hasty: typeof atHome = (page, home, event) => {
      let step = atHome(page, home, event);
      for (const from of event.kind === 'request' ? (step.page.serving?.taking ?? []) : []) {
        const more = atHome(step.page, home, { kind: 'taken', from });
        step = { page: more.page, actions: [...step.actions, ...more.actions] };
      }
      return step;
    };
    expect(() => explore([['read'], ['write'], ['read']], [], hasty)).toThrow('1 writers, 1 readers');
  });
});
