/** Sessions over real kernels: what is recorded is repeated, time goes as it is told to. */
import { expect, it } from 'vitest';
import { embeddedRoot } from '../cli/session.ts';
import { localHost } from '../world/local-host.ts';
import { nodeHost } from '../world/node-host.ts';
import { type Recording, readFile, type Scenario, scenarioOf, writeFile } from './scenario.ts';
import type { Session } from './session.ts';
import { startSession } from './start.ts';

const root = embeddedRoot();
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
const HERTZ = 2.2e9;

function start(
  source: Scenario | Recording,
  { hosts = 1, speed = Number.POSITIVE_INFINITY }: { hosts?: number; speed?: number } = {},
): Promise<Session> {
  return startSession(source, {
    hosts,
    speed,
    rootArchive: root,
    isolated: hosts > 1,
    makeHost: () => (hosts > 1 ? nodeHost() : localHost(turn)),
    clock: () => performance.now(),
    pause: milliseconds => (milliseconds === 0 ? turn() : new Promise(resolve => setTimeout(resolve, milliseconds))),
  });
}

function screens(session: Session): string[] {
  const text: string[] = session.plan.partitions.map(() => '');
  session.listen({
    output: (kernel, port, _time, bytes) => {
      if (port === 0) text[kernel] += String.fromCharCode(...bytes);
    },
  });
  return text;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${condition.toString()}`);
    await new Promise(resolve => setTimeout(resolve, 2));
  }
}

const keys = (text: string) => ({ kind: 'console', bytes: Uint8Array.from(text, c => c.charCodeAt(0)) }) as const;
const paused = async (session: Session): Promise<Session> => {
  session.pause();
  await session.fingerprint();
  return session;
};

it('repeats what was typed, to the byte of the trace, on any number of hosts', async () => {
  const live = await start(scenarioOf({ plan: 'clustered', boot: [0, 1] }), { hosts: 2, speed: HERTZ });
  const screen = screens(live);
  await until(() => screen[0]?.includes('#') === true && screen[1]?.includes('#') === true);
  for (const line of ['echo one | wc -c\n', 'primes 3000 | tail -1\n']) {
    for (const key of line) {
      expect(live.input(0, keys(key))).toBe(true);
      await new Promise(resolve => setTimeout(resolve, 3));
    }
  }
  live.input(1, keys('ps\n'));
  await until(() => screen[0]?.includes('430 primes') === true);
  // Taken in the middle of the run, it ends where all kernels had been.
  const middle = live.recording();
  await paused(live);
  const recording = readFile(writeFile(live.recording())) as Recording;
  live.close();
  expect(middle.end).toBeLessThanOrEqual(recording.end);
  expect(recording.inputs.length).toBeGreaterThan(40);

  for (const [source, hosts] of [
    [recording, 1],
    [recording, 3],
    [middle, 1],
  ] as const) {
    const replay = await start(source, { hosts });
    const again = screens(replay);
    expect(replay.status.replay).toBe('playing');
    expect(replay.input(0, keys('x'))).toBe(false);
    await replay.finished();
    expect(replay.status.now).toBe(source.end);
    expect(await replay.fingerprint()).toBe(source.fingerprint);
    expect(replay.status.replay).toBe('same');
    if (source === recording) expect(again).toEqual(screen);
    replay.close();
  }
});

it('a scenario’s own inputs come at their times, wherever those lie in a stretch', async () => {
  const inputs = [1e8, 1e8 + 1, 1.2e8 + 77].map((time, i) => ({ time, kernel: 0, input: keys(`echo ${i}\n`) }));
  const prints: string[] = [];
  for (const speed of [Number.POSITIVE_INFINITY, 20 * HERTZ]) {
    const session = await start(scenarioOf({ inputs }), { speed });
    await session.finished(2e8);
    expect(session.status.now).toBe(Math.ceil(2e8 / 512) * 512);
    prints.push(await session.fingerprint());
    session.close();
  }
  expect(prints[1]).toBe(prints[0]);
});

it('ends where the program ends: the same trace whatever the machine was doing meanwhile', async () => {
  const exec = {
    kernel: 0,
    argv: ['sh', '-c', 'primes 20000 >/dev/null & sleep 0.001; exit 5'],
    env: ['PATH=/usr/bin:/bin'],
    migrateEvery: 0,
  };
  const prints = new Set<string>();
  for (let i = 0; i < 4; i++) {
    const session = await start(scenarioOf({ plan: 'clustered', boot: [0, 1, 2], exec }), { hosts: 1 + (i % 2) });
    const busy = setInterval(() => {
      for (const from = performance.now(); performance.now() < from + 3 * i; );
    }, 5);
    await session.finished();
    clearInterval(busy);
    expect(session.status.exitStatus).toBe(5 << 8);
    prints.add(await session.fingerprint());
    const recording = session.recording();
    session.close();
    const replay = await start(recording);
    await replay.finished();
    prints.add(await replay.fingerprint());
    replay.close();
  }
  expect(prints.size).toBe(1);
});

it('stands still when paused, and moves by steps', async () => {
  const session = await start(scenarioOf({}), { speed: HERTZ });
  const screen = screens(session);
  await until(() => screen[0]?.includes('#') === true);
  await paused(session);
  const at = session.status.now;
  await new Promise(resolve => setTimeout(resolve, 60));
  expect(session.status.now).toBe(at);
  expect(session.status.paused).toBe(true);
  session.step('quantum');
  await until(() => session.status.now === at + Math.ceil(1_650_000 / 512) * 512);
  session.step('event');
  await until(() => session.status.now > at + 1_650_000 + 512);
  // Typing waits for time to go on.
  expect(session.input(0, keys('echo o'))).toBe(true);
  session.input(0, keys('k\n'));
  const steps = session.status.now;
  session.step('event');
  await until(() => session.status.now > steps);
  session.resume();
  await until(() => screen[0]?.includes('\nok') === true);
  session.close();
});

it('takes an input at any time, also where several cores of its kernel are busy', async () => {
  const busy = { time: 0.02 * HERTZ, kernel: 0, input: keys('spin > /dev/null & spin > /dev/null &\n') };
  const middle = { time: 0.05 * HERTZ + 100, kernel: 0, input: keys('echo o""k\n') };
  const prints = new Set<string>();
  for (const hosts of [1, 2]) {
    const session = await start(scenarioOf({ plan: 'clustered', inputs: [busy, middle] }), { hosts });
    const screen = screens(session);
    await session.finished(0.06 * HERTZ);
    expect(session.status.failure).toBe(null);
    expect(screen[0]).toContain('\nok');
    prints.add(await session.fingerprint());
    session.close();
  }
  expect(prints.size).toBe(1);
});

it('steps to the next message', async () => {
  const session = await start(scenarioOf({ plan: 'clustered', boot: [0, 1] }), { speed: 0 });
  expect(session.status.paused).toBe(true);
  let messages = 0;
  session.listen({
    records: bytes => {
      for (let at = 8; at < bytes.length; at += 40) if (bytes[at] === 11) messages++;
    },
  });
  for (let step = 1; step <= 5; step++) {
    const before = messages;
    const { now } = session.status;
    session.step('message');
    await until(() => session.status.now > now && messages > before);
  }
  session.close();
});

it('keeps the pace it is told, and is quick to hear when it is slow', async () => {
  const session = await start(scenarioOf({}), { speed: HERTZ / 10 });
  const from = performance.now();
  await new Promise(resolve => setTimeout(resolve, 500));
  const seconds = (performance.now() - from) / 1000;
  // Never faster than told, and at most a lull (a quarter of a second at the pace) ahead; how near it comes to it is the load of this computer.
  expect(session.status.now).toBeGreaterThan(0);
  expect(session.status.now / HERTZ).toBeLessThan(0.1 * (seconds + 0.26));
  session.setSpeed(2200);
  await new Promise(resolve => setTimeout(resolve, 20));
  const slow = session.status.now;
  await new Promise(resolve => setTimeout(resolve, 500));
  expect(session.status.now - slow).toBeLessThan(5 * 512);
  session.setSpeed(HERTZ);
  const quick = session.status.now;
  await until(() => session.status.now > quick + HERTZ / 20);
  session.close();
});

it('can be interrupted while every core is busy', async () => {
  const session = await start(scenarioOf({}), { speed: Number.POSITIVE_INFINITY });
  const screen = screens(session);
  await until(() => screen[0]?.includes('#') === true);
  session.input(0, keys(`${'primes 9999999 & '.repeat(64)}\n`));
  await until(() => (screen[0]?.match(/^\[\d+\]/gm) ?? []).length > 0 || session.trace.processes.size > 60);
  await new Promise(resolve => setTimeout(resolve, 300));
  const from = performance.now();
  await paused(session);
  expect(performance.now() - from).toBeLessThan(1000);
  session.close();
});

it('says what is wrong with a scenario, and leaves nothing behind', async () => {
  await expect(start(scenarioOf({ plan: '0-7@99' }))).rejects.toThrow('no node 99');
  await expect(start(scenarioOf({ machine: { preset: 'abacus' } }))).rejects.toThrow('abacus');
  await expect(start(scenarioOf({ exec: { kernel: 3, argv: ['true'], env: [], migrateEvery: 0 } }))).rejects.toThrow('no kernel 3');
});
