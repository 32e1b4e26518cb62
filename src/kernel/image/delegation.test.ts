/**
 * Delegations, explored to the last interleaving: an owner and two holders, one inode, lanes that keep their order, answers that are taken up
 * late, changes by anybody at any time, and, in some of the runs, a holder that dies at any time, or an owner that sleeps between the leave it gives
 * and what it reads then.
 */
import { describe, expect, it } from 'vitest';
import { begin, type Delegated, end, givenUp, grant, mayChange, mayRemember, NOT_DELEGATED, recall, returned } from './delegation.ts';

type ToOwner = { kind: 'read' } | { kind: 'change'; gaveUp: number } | { kind: 'recalled'; upTo: number };
type ToHolder = { kind: 'answer'; value: number; serial: number } | { kind: 'recall'; upTo: number } | { kind: 'changed' };

interface Holder {
  remembered: { value: number; serial: number } | null;
  floor: number;
  /** Answers that have come and that nobody has taken up yet. */
  late: { value: number; serial: number }[];
  reads: number;
  changes: number;
  waitsForChange: boolean;
}
interface World {
  value: number;
  state: Delegated;
  serial: number;
  /** Who waits for a change to be made: a holder, or the owner (0). */
  wanting: number[];
  ownChanges: number;
  holders: Holder[];
  /** What the owner has begun to answer; null: it does so at once. */
  asleep: { kernel: number; serial: number }[] | null;
  up: ToOwner[][];
  down: ToHolder[][];
  dead: number | null;
  known: boolean;
}

/** What can be done wrong, to see that the test would notice. */
type Rules = {
  readonly grantsAlways?: boolean;
  readonly takesAnything?: boolean;
  readonly trustsGivenUp?: boolean;
  readonly believesOldAnswers?: boolean;
  readonly forgetsWhatItGaveUp?: boolean;
};

/** How often each holder reads and changes it. */
type Work = readonly (readonly [reads: number, changes: number])[];

function start(mayDie: boolean, isSlow: boolean, work: Work, ownChanges: number): World {
  const holder = (reads: number, changes: number): Holder => ({
    remembered: null,
    floor: 0,
    late: [],
    reads,
    changes,
    waitsForChange: false,
  });
  return {
    value: 0,
    state: NOT_DELEGATED,
    serial: 0,
    wanting: [],
    ownChanges,
    holders: work.map(([reads, changes]) => holder(reads, changes)),
    asleep: isSlow ? [] : null,
    up: work.map(() => []),
    down: work.map(() => []),
    dead: mayDie ? null : -1,
    known: false,
  };
}

function tellRecalls(world: World): void {
  const { state, from } = recall(world.state);
  world.state = state;
  for (const kernel of from) world.down[kernel - 1]?.push({ kind: 'recall', upTo: world.serial });
}

function want(world: World, who: number): void {
  world.state = begin(world.state);
  world.wanting.push(who);
  tellRecalls(world);
}

/** Everything that can happen next, each as a world of its own. */
function* successors(world: World, rules: Rules): Generator<World> {
  const next = (change: (copy: World) => void): World => {
    const copy = structuredClone(world);
    change(copy);
    return copy;
  };
  if (world.ownChanges > 0)
    yield next(copy => {
      copy.ownChanges--;
      want(copy, 0);
    });
  if (world.wanting.length > 0 && mayChange(world.state))
    yield next(copy => {
      const who = copy.wanting.shift() as number;
      copy.value++;
      copy.state = end(copy.state);
      if (who > 0) copy.down[who - 1]?.push({ kind: 'changed' });
    });
  if (world.dead !== null && world.dead > 0 && !world.known)
    yield next(copy => {
      copy.known = true;
      copy.state = returned(copy.state, copy.dead as number);
      copy.up[(copy.dead as number) - 1] = [];
      copy.down[(copy.dead as number) - 1] = [];
    });
  for (const [i, { kernel, serial }] of (world.asleep ?? []).entries())
    yield next(copy => {
      copy.asleep?.splice(i, 1);
      if (!(copy.known && copy.dead === kernel)) copy.down[kernel - 1]?.push({ kind: 'answer', value: copy.value, serial });
    });
  for (const [i, holder] of world.holders.entries()) {
    const kernel = i + 1;
    const isDead = world.dead === kernel;
    const [message] = world.up[i] as ToOwner[];
    if (message !== undefined && !(isDead && world.known))
      yield next(copy => {
        copy.up[i]?.shift();
        if (message.kind === 'read') {
          const serial = copy.serial + 1;
          const granted = grant(rules.grantsAlways ? { ...copy.state, changes: 0, recalled: [] } : copy.state, kernel, serial);
          if (granted !== null) {
            copy.state = { ...granted, changes: copy.state.changes, recalled: copy.state.recalled };
            copy.serial = serial;
          }
          const answer = { kernel, serial: granted === null ? 0 : serial };
          if (copy.asleep === null) copy.down[i]?.push({ kind: 'answer', value: copy.value, serial: answer.serial });
          else copy.asleep.push(answer);
        } else if (message.kind === 'change') {
          copy.state = rules.trustsGivenUp ? returned(copy.state, kernel) : givenUp(copy.state, kernel, message.gaveUp);
          want(copy, kernel);
        } else {
          copy.state = returned(copy.state, kernel, rules.believesOldAnswers ? Number.POSITIVE_INFINITY : message.upTo);
          tellRecalls(copy);
        }
      });
    if (isDead) continue;
    if (world.dead === null) yield next(copy => void (copy.dead = kernel));
    const [coming] = world.down[i] as ToHolder[];
    if (coming !== undefined)
      yield next(copy => {
        copy.down[i]?.shift();
        const own = copy.holders[i] as Holder;
        if (coming.kind === 'answer') own.late.push(coming);
        else if (coming.kind === 'changed') own.waitsForChange = false;
        else {
          own.remembered = null;
          own.floor = Math.max(own.floor, coming.upTo);
          copy.up[i]?.push({ kind: 'recalled', upTo: coming.upTo });
        }
      });
    const [late] = holder.late;
    if (late !== undefined)
      yield next(copy => {
        const own = copy.holders[i] as Holder;
        own.late.shift();
        if (late.serial > 0 && (rules.takesAnything || mayRemember(late.serial, own.floor)))
          own.remembered = { value: late.value, serial: Math.max(late.serial, own.remembered?.serial ?? 0) };
      });
    if (holder.reads > 0)
      yield next(copy => {
        (copy.holders[i] as Holder).reads--;
        copy.up[i]?.push({ kind: 'read' });
      });
    if (holder.changes > 0)
      yield next(copy => {
        const own = copy.holders[i] as Holder;
        own.changes--;
        own.waitsForChange = true;
        const gaveUp = own.remembered?.serial ?? 0;
        copy.up[i]?.push({ kind: 'change', gaveUp });
        own.remembered = null;
        if (!rules.forgetsWhatItGaveUp) own.floor = Math.max(own.floor, gaveUp);
      });
  }
}

type Explored = { mayDie?: boolean; isSlow?: boolean; work: Work; ownChanges: number };

function explore(
  { mayDie = false, isSlow = false, work, ownChanges }: Explored,
  rules: Rules = {},
): { worlds: number; ends: number; hits: number } {
  const seen = new Set<string>();
  const todo = [start(mayDie, isSlow, work, ownChanges)];
  const totals = { worlds: 0, ends: 0, hits: 0 };
  for (let world = todo.pop(); world !== undefined; world = todo.pop()) {
    totals.worlds++;
    for (const [i, { remembered }] of world.holders.entries()) {
      if (remembered === null || world.dead === i + 1) continue;
      totals.hits++;
      if (remembered.value !== world.value) throw new Error(`stale: ${JSON.stringify(world)}`);
    }
    let isEnd = true;
    for (const next of successors(world, rules)) {
      isEnd = false;
      const key = JSON.stringify(next);
      if (seen.has(key)) continue;
      seen.add(key);
      todo.push(next);
    }
    if (!isEnd) continue;
    totals.ends++;
    const stuck = world.wanting.length > 0 || world.holders.some((each, i) => each.waitsForChange && world.dead !== i + 1);
    if (stuck || world.state.changes !== 0) throw new Error(`stuck: ${JSON.stringify(world)}`);
  }
  return totals;
}

describe('what a holder remembers', () => {
  const two: Work = [
    [2, 1],
    [1, 0],
  ];
  it.each<[string, Explored]>([
    ['two holders', { work: two, ownChanges: 1 }],
    ['one holder and more changes', { work: [[3, 1]], ownChanges: 2 }],
    ['one holder, the owner sleeps', { isSlow: true, work: [[2, 1]], ownChanges: 2 }],
    ['two holders, one of which dies', { mayDie: true, work: two, ownChanges: 0 }],
  ])('is what the owner has, in every order, and every change is made: %s', (_what, explored) => {
    const { worlds, ends, hits } = explore(explored);
    expect(worlds).toBeGreaterThan(1000);
    expect(ends).toBeGreaterThan(0);
    expect(hits).toBeGreaterThan(100);
  });

  it.each<[string, Rules, boolean]>([
    ['serials were given while a change waits', { grantsAlways: true }, false],
    ['answers were taken up however late', { takesAnything: true }, false],
    ['a holder were believed to have forgotten what is on its way to it', { trustsGivenUp: true }, false],
    ['the answer to a recall were taken for one to a later recall', { believesOldAnswers: true }, false],
    ['answers were taken up that are older than what was given up', { forgetsWhatItGaveUp: true }, true],
  ])('would be stale, or changes would wait for ever, if %s', (_what, rules, isSlow) => {
    expect(() => explore({ isSlow, work: [[3, 1]], ownChanges: isSlow ? 1 : 2 }, rules)).toThrow(/stale|stuck/);
  });
});
