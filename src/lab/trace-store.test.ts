/** The trace store: what it says about records that are written here by hand. */
import { describe, expect, it } from 'vitest';
import { CLIENT_KERNEL } from '../kernel/net/parameters.ts';
import { MigrateStep, TRACE_RECORD_BYTES, TraceKind } from '../kernel/trace.ts';
import { preset } from '../machine/topology/presets.ts';
import { partitionsNow } from './partitions.ts';
import { resolvePlan } from './plan.ts';
import { TraceStore } from './trace-store.ts';

interface Rec {
  time: number;
  kind: number;
  kernel?: number;
  core?: number;
  words?: readonly number[];
}

function records(...list: Rec[]): Uint8Array {
  const bytes = new Uint8Array(list.length * TRACE_RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, { time, kind, kernel = 0, core = 0, words = [] }] of list.entries()) {
    const at = i * TRACE_RECORD_BYTES;
    view.setFloat64(at, time, true);
    view.setUint16(at + 8, kind, true);
    view.setUint16(at + 10, kernel, true);
    view.setUint32(at + 12, core, true);
    for (const [j, word] of words.entries()) view.setUint32(at + 16 + 4 * j, word >>> 0, true);
  }
  return bytes;
}
const run = (time: number, core: number, pid: number, kernel = 0): Rec => ({
  time,
  kind: TraceKind.TaskRun,
  kernel,
  core,
  words: [pid, pid],
});
const stop = (time: number, core: number, pid: number, reason = 1, kernel = 0): Rec => ({
  time,
  kind: TraceKind.TaskStop,
  kernel,
  core,
  words: [pid, pid, reason],
});
const send = (time: number, from: number, to: number, sequence: number, type = 20, cause = 0xff000000): Rec[] => [
  { time, kind: TraceKind.MessageSend, kernel: from, words: [(to << 16) | type, sequence, 48, cause] },
  ...[0, 1, 2, 3].map(
    (part): Rec => ({ time, kind: TraceKind.MessageBytes, kernel: from, words: [part, part + 10, part + 20, part + 30] }),
  ),
];
const receive = (time: number, from: number, to: number, sequence: number, type = 20): Rec => ({
  time,
  kind: TraceKind.MessageReceive,
  kernel: to,
  words: [(from << 16) | type, sequence, 0, 0],
});
const name = (pid: number, text: string, kernel = 0): Rec => ({
  time: 0,
  kind: TraceKind.TaskName,
  kernel,
  core: pid,
  words: [0, 1, 2, 3].map(i => [0, 1, 2, 3].reduce((w, j) => w | ((text.charCodeAt(4 * i + j) || 0) << (8 * j)), 0)),
});

function storeOf(...list: Rec[]): TraceStore {
  const store = new TraceStore();
  store.append(records(...list));
  return store;
}

describe('tasks', () => {
  it('knows what runs on a core, and how busy the core was', () => {
    const store = storeOf(run(100, 3, 7), stop(200, 3, 7), run(300, 3, 8));
    expect(store.runningOn(3)).toMatchObject({ pid: 8, start: 300 });
    expect(store.runningOn(4)).toBeNull();
    expect(store.load(3, 0, 400)).toBeCloseTo(0.5);
    expect(store.load(3, 150, 250)).toBeCloseTo(0.5);
    expect(store.load(3, 300, 400)).toBe(1);
    expect(store.load(4, 0, 400)).toBe(0);
    expect(store.spanAt(3, 150)).toMatchObject({ pid: 7, end: 200 });
    expect(store.spanAt(3, 250)).toBeNull();
  });

  it('visits each grain of time once', () => {
    const list: Rec[] = [];
    for (let t = 0; t < 1000; t++) list.push(run(10 * t, 0, 1 + (t % 3)), stop(10 * t + 5, 0, 1));
    const store = storeOf(...list);
    const count = (start: number, end: number, grain: number): number => {
      let visits = 0;
      store.eachSpan(0, start, end, grain, () => visits++);
      return visits;
    };
    expect(count(0, 10_000, 0)).toBe(1000);
    expect(count(0, 10_000, 1000)).toBeLessThanOrEqual(11);
    expect(count(2003, 2033, 0)).toBe(4);
    expect(count(-100, -1, 0)).toBe(0);
  });

  it('forgets the oldest, and stays right about the rest', () => {
    const store = new TraceStore();
    for (let t = 0; t < 100_000; t += 1000) {
      store.append(records(...Array.from({ length: 1000 }, (_, i) => [run(10 * (t + i), 0, 1), stop(10 * (t + i) + 5, 0, 1)]).flat()));
    }
    expect(store.load(0, 990_000, 1_000_000)).toBeCloseTo(0.5);
    expect(store.spanAt(0, 999_992)).toMatchObject({ start: 999_990 });
    expect(store.spanAt(0, 12)).toBeNull();
  });

  it('follows processes: names, births, ends', () => {
    const store = storeOf(name(1, 'init'), { time: 5, kind: TraceKind.TaskNew, words: [2, 2, 1, 0] }, name(2, 'a-name-of-16-byte'), {
      time: 6,
      kind: TraceKind.TaskNew,
      words: [2, 3, 1, 0],
    });
    expect(store.living().map(row => row.name)).toEqual(['init', 'a-name-of-16-byt']);
    store.append(records({ time: 8, kind: TraceKind.TaskExit, words: [2, 2, 0, 0] }));
    expect(store.processes.get(2)?.alive, 'a thread is left').toBe(true);
    store.append(records({ time: 9, kind: TraceKind.TaskExit, words: [2, 3, 0, 0] }));
    expect(store.processes.get(2)?.alive).toBe(false);
  });

  it('a process is where it last began to run', () => {
    const move = (time: number, kernel: number, other: number, step: number): Rec => ({
      time,
      kind: TraceKind.Migrate,
      kernel,
      words: [4, other, step, 0],
    });
    const store = storeOf(
      name(4, 'spin'),
      run(10, 0, 4),
      stop(20, 0, 4, 3),
      move(20, 0, 2, MigrateStep.Stopped),
      move(90, 2, 0, MigrateStep.Running),
      run(91, 17, 4, 2),
    );
    expect(store.processes.get(4)).toMatchObject({ kernel: 2, origin: 0, errno: 0 });
    // Another host's older news come late.
    store.append(records(run(15, 1, 4, 0)));
    expect(store.processes.get(4)?.kernel).toBe(2);
    store.append(
      records(move(100, 2, 3, MigrateStep.Stopped), {
        time: 110,
        kind: TraceKind.Migrate,
        kernel: 2,
        words: [4, 3, MigrateStep.Failed, 12],
      }),
    );
    expect(store.processes.get(4)).toMatchObject({ kernel: 2, errno: 12 });
  });
});

describe('messages', () => {
  it('pairs sending with handling by lane and number, in whatever order hosts report', () => {
    const store = storeOf(...send(10, 0, 1, 0), ...send(11, 0, 2, 0), ...send(12, 0, 1, 1), receive(40, 0, 1, 1), receive(20, 0, 1, 0));
    expect(store.sentCount).toBe(3);
    expect(store.receivedCount).toBe(2);
    expect(store.inLane(0, 1, 0)).toMatchObject({ sent: 10, received: 20, from: 0, to: 1, length: 48, type: 20 });
    expect(store.inLane(0, 1, 1)).toMatchObject({ sent: 12, received: 40 });
    expect(store.inLane(0, 2, 0)?.received).toBeNaN();
    expect(store.inLane(0, 2, 1)).toBeNull();
  });

  it('pairs a handling that is told of before the sending', () => {
    const store = storeOf(receive(20, 0, 1, 0), receive(21, 0, 1, 1));
    store.append(records(...send(10, 0, 1, 0), ...send(11, 0, 1, 1), ...send(12, 0, 1, 2)));
    expect([0, 1, 2].map(sequence => store.inLane(0, 1, sequence)?.received)).toEqual([20, 21, Number.NaN]);
  });

  it('has the bytes of the wire', () => {
    const store = storeOf(...send(10, 3, 1, 0));
    const row = store.inLane(3, 1, 0);
    const words = new Uint32Array(row?.bytes.slice().buffer as ArrayBuffer);
    expect([...words]).toEqual([0, 10, 20, 30, 1, 11, 21, 31, 2, 12, 22, 32, 3, 13, 23, 33]);
  });

  it('follows causes both ways', () => {
    const store = storeOf(
      ...send(10, 0, 1, 0, 24),
      receive(20, 0, 1, 0, 24),
      ...send(25, 1, 2, 0, 20, 0),
      ...send(26, 1, 0, 0, 25, 0),
      ...send(27, 1, 0, 1, 25),
    );
    const first = store.inLane(0, 1, 0);
    const second = store.inLane(1, 2, 0);
    if (!first || !second) throw new Error('not there');
    expect(store.causeOf(first)).toBeNull();
    expect(store.causeOf(second)?.id).toBe(first.id);
    expect(store.effectsOf(first).map(row => row.sent)).toEqual([25, 26]);
  });

  it('finds what was under way, and the neighbours in time', () => {
    const store = storeOf(...send(10, 0, 1, 0), receive(50, 0, 1, 0), ...send(100, 1, 0, 0), ...send(200, 0, 1, 1), receive(210, 0, 1, 1));
    const seen = (start: number, end: number): number[] => {
      const sent: number[] = [];
      store.eachMessage(start, end, (_id, _from, _to, _type, at) => sent.push(at));
      return sent.sort((a, b) => a - b);
    };
    expect(seen(30, 60)).toEqual([10]);
    expect(seen(0, 300)).toEqual([10, 100, 200]);
    expect(seen(60, 90)).toEqual([]);
    expect(seen(150, 160), 'one that nobody has handled counts as under way as long as the kernel’s slowest was').toEqual([]);
    store.append(records(receive(180, 1, 0, 0)));
    expect(seen(150, 160)).toEqual([100]);
    const any = (): boolean => true;
    const first = store.inLane(0, 1, 0);
    const next = store.neighbour(10, first?.id ?? -1, true, any) ?? -1;
    expect(store.message(next)?.sent).toBe(100);
    expect(store.neighbour(100, next, false, any)).toBe(first?.id);
    expect(store.neighbour(10, first?.id ?? -1, false, any)).toBeNull();
    expect(store.messagesOf(0, 10).map(id => store.message(id)?.sent)).toEqual([10, 100, 200]);
    expect(store.messagesOf(0, 2, type => type === 20)).toHaveLength(2);
    expect(store.sentBetween(0, 0, 200)).toBe(1);
  });

  it('keeps ids when older ones are forgotten', () => {
    const store = new TraceStore();
    for (let n = 0; n < 40_000; n += 1000)
      store.append(
        records(...Array.from({ length: 1000 }, (_, i) => [...send(n + i, 0, 1, n + i), receive(n + i + 0.5, 0, 1, n + i)]).flat()),
      );
    const last = store.inLane(0, 1, 39_999);
    expect(last?.received).toBe(39_999.5);
    expect(store.message(last?.id ?? -1)?.sequence).toBe(39_999);
    expect(store.inLane(0, 1, 3)).toBeNull();
    let pending = 0;
    store.eachMessage(0, 50_000, (_id, _from, _to, _type, _sent, received) => {
      pending += Number(Number.isNaN(received));
    });
    expect(pending).toBe(0);
    const cursor: number[] = [];
    let fresh = 0;
    store.eachNewMessage(cursor, () => fresh++);
    expect(fresh).toBeGreaterThan(1000);
    fresh = 0;
    store.append(records(...send(50_000, 0, 1, 40_000)));
    store.eachNewMessage(cursor, () => fresh++);
    expect(fresh).toBe(1);
  });
});

it('what was on its way to a kernel that has ended is lost, also when there is one of that number again', () => {
  const state = (time: number, word: number): Rec => ({ time, kind: TraceKind.KernelState, kernel: 1, words: [word, 0, 8, 100] });
  const store = storeOf(state(5, 2), ...send(7, 0, 1, 0));
  expect(store.lostAt(1, 7)).toBe(null);
  store.append(records(state(9, 4)));
  expect([store.lostAt(1, 7), store.lostAt(1, 12)]).toEqual([9, 12]);
  store.append(records(state(20, 1), state(22, 2)));
  expect([store.lostAt(1, 7), store.lostAt(1, 23)]).toEqual([22, null]);
});

describe('kernels', () => {
  it('have states, counts and marks', () => {
    const store = storeOf(
      { time: 5, kind: TraceKind.KernelState, kernel: 2, words: [1, 0, 8, 100] },
      { time: 9, kind: TraceKind.KernelState, kernel: 2, words: [2, 0, 8, 100] },
      { time: 10, kind: TraceKind.PageFault, kernel: 2, words: [1, 2, 0, 4] },
      { time: 11, kind: TraceKind.Memory, kernel: 2, words: [60, 100] },
      { time: 12, kind: TraceKind.MissingCall, kernel: 2, words: [1, 999] },
    );
    expect(store.kernels.get(2)).toMatchObject({ state: 2, since: 9, cores: 8, faults: 1, memory: { free: 60, all: 100 } });
    expect([...(store.kernels.get(2)?.missing ?? [])]).toEqual([999]);
    const kinds: number[] = [];
    store.eachMark(2, 6, 11, mark => kinds.push(mark.kind));
    expect(kinds).toEqual([TraceKind.KernelState, TraceKind.PageFault, TraceKind.Memory]);
  });
});

describe('pages that kernels share', () => {
  const state = (time: number, home: number, owner: number, page: number, kind: number, who: number, high = 0): Rec => ({
    time,
    kind: TraceKind.PageState,
    kernel: home,
    core: high,
    words: [owner, page, kind, who],
  });
  const trip = (time: number, kernel: number, tid: number, step: number): Rec => ({
    time,
    kind: TraceKind.ThreadTrip,
    kernel,
    words: [7, tid, step, 0],
  });

  it('are told with who holds them, until they are their home’s alone', () => {
    const trace = new TraceStore();
    trace.append(records(state(1, 0, 7, 16, 1, 0b101), state(2, 0, 7, 17, 2, 2), state(3, 1, 0x80000003, 4, 1, 0b10, 1 << 8)));
    const [process, memory] = trace.shared.groups(7, 1);
    expect([...(process?.pages.values() ?? [])]).toEqual([
      { page: 16, state: 'S', holders: [0, 2], since: 1, changes: 1 },
      { page: 17, state: 'M', holders: [2], since: 2, changes: 1 },
    ]);
    expect([memory?.home, memory?.pid, memory?.object, memory?.pages.get(4)?.holders]).toEqual([1, null, 3, [1, 40]]);
    trace.append(records(state(4, 0, 7, 16, 2, 0), state(5, 0, 7, 17, 3, 0)));
    expect([...(trace.shared.groups(7, 5)[0]?.pages.values() ?? [])]).toEqual([
      { page: 17, state: 'L', holders: [], since: 5, changes: 2 },
    ]);
    trace.append(records({ time: 6, kind: TraceKind.KernelState, kernel: 0, words: [4] }));
    expect(trace.shared.groups(7, 5)).toEqual([]);
  });

  it('and a thread that computes elsewhere does not take its process there', () => {
    const trace = new TraceStore();
    trace.append(records(run(1, 0, 7), { ...trip(2, 3, 8, 1) }, { ...run(3, 24, 7, 3), words: [7, 8] }));
    expect(trace.processes.get(7)?.kernel).toBe(0);
    expect(trace.shared.awayOf(7)).toEqual([{ tid: 8, kernel: 3 }]);
    expect(trace.spanAt(24, 4)).toMatchObject({ kernel: 3, pid: 7 });
    trace.append(records(trip(5, 3, 8, 2)));
    expect(trace.shared.awayOf(7)).toEqual([]);
  });
});

it('memory is the kernel’s that has taken it, though the one that gave it says so later', () => {
  const opteron = preset('opteron-6274');
  const plan = resolvePlan('0-7@0;8-15@1', opteron);
  const base = (plan.partitions[0]?.memory[0]?.base ?? 0) / 4096;
  const block = (comes: number): number[] => [base, 16 << 8, 0, comes];
  const trace = new TraceStore();
  trace.append(
    records(
      { time: 10, kind: TraceKind.MemoryOwner, kernel: 1, words: block(1) },
      { time: 20, kind: TraceKind.MemoryOwner, kernel: 0, words: block(0) },
    ),
  );
  const { partitions } = partitionsNow(plan, trace, opteron);
  expect(partitions.map(({ memory }) => memory.map(({ node, bytes }) => `${bytes >>> 20}M@${node}`).join())).toEqual([
    '240M@0',
    '256M@1,16M@0',
  ]);
});

it('what runs on the client machine’s cores is not on those of the machine with the same numbers', () => {
  const trace = new TraceStore();
  trace.append(records(run(100, 0, CLIENT_KERNEL << 15, CLIENT_KERNEL), run(150, 0, 7), stop(200, 0, 1, 1, CLIENT_KERNEL)));
  expect(trace.runningOn(0)?.pid).toBe(7);
  expect(trace.load(0, 100, 200)).toBe(0.5);
});
