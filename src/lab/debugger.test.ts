/** The debugger of a session: orders go in, reports come out, and the listing is what the program is. */
import { describe, expect, it } from 'vitest';
import { embeddedRoot } from '../cli/session.ts';
import { localHost } from '../world/local-host.ts';
import { Debugger, listing, symbolAt, type Watched } from './debugger.ts';
import { scenarioOf } from './scenario.ts';
import type { Session } from './session.ts';
import { startSession } from './start.ts';

const until = async (what: () => boolean): Promise<void> => {
  for (let waited = 0; !what(); waited += 5) {
    if (waited > 20_000) throw new Error('it did not come to that');
    await new Promise(resolve => setTimeout(resolve, 5));
  }
};
async function spinning(): Promise<{ session: Session; pid: number }> {
  const scenario = scenarioOf({ title: 'debugger', machine: { preset: 'laptop' }, plan: 'partitioned', boot: [0, 1] });
  const session = await startSession(scenario, {
    hosts: 1,
    isolated: false,
    speed: 2.2e8,
    rootArchive: embeddedRoot(),
    makeHost: () => localHost(() => new Promise(resolve => setImmediate(resolve))),
    clock: () => performance.now(),
    pause: milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds)),
  });
  const find = (): number => [...session.trace.processes.values()].find(({ name }) => name === 'spin')?.pid ?? 0;
  await until(() => session.trace.kernels.get(1)?.state === 2);
  session.input(0, { kind: 'console', bytes: new TextEncoder().encode('spin > /dev/null &\n') });
  await until(() => find() !== 0);
  return { session, pid: find() };
}

describe('the debugger', () => {
  it('holds a process, steps it, and shows what changed', async () => {
    const { session, pid } = await spinning();
    const lab = new Debugger(session, () => {});
    const now = (): Watched => lab.watched(pid) as Watched;
    expect(lab.order(pid, { command: 'stop' })).toBe(true);
    await until(() => lab.watched(pid)?.state === 'held' && now().symbols.length > 0);
    const { registers } = now();
    const lines = listing(now());
    const here = lines.find(({ address }) => address === registers?.pc);
    expect(here?.known).toBe(true);
    expect(symbolAt(now().symbols, registers?.pc ?? 0)).toMatch(/^\w+(\+0x[0-9a-f]+)?$/);

    lab.order(pid, { command: 'step' });
    await until(() => now().before === registers);
    const next = (registers?.pc ?? 0) + (here?.length ?? 0);
    expect([next, here?.target]).toContain(now().registers?.pc);

    // A breakpoint where it is: it comes round to it again.
    const loop = now().registers?.pc ?? 0;
    lab.order(pid, { command: 'break', address: loop });
    lab.order(pid, { command: 'go' });
    await until(() => now().state === 'held' && now().reason === 'breakpoint');
    expect(now().registers?.pc).toBe(loop);
    expect([...now().breakpoints]).toEqual([loop]);

    lab.order(pid, { command: 'leave' });
    expect(lab.watched(pid)).toBeUndefined();
    session.close();
  });

  it('refuses where there is no such process', async () => {
    const { session } = await spinning();
    expect(new Debugger(session, () => {}).order(31_000, { command: 'stop' })).toBe(false);
    session.close();
  });
});

describe('a listing', () => {
  const watched = (code: readonly number[], pc: number, symbols: Watched['symbols'] = []): Watched => ({
    pid: 1,
    state: 'held',
    reason: 'stop',
    registers: { x: [], f: [], pc, fcsr: 0 },
    before: null,
    codeStart: 0x1000,
    code: Uint8Array.from(code),
    translated: false,
    symbols,
    breakpoints: new Set(),
  });
  // addi a0,a0,1 (4 bytes), of which the first half was not read; c.nop; ret
  const half = [0x15, 0x00, 0x01, 0x00, 0x82, 0x80];

  it('begins where pc is an instruction', () => {
    expect(listing(watched(half, 0x1002)).map(({ mnemonic }) => mnemonic)).toEqual(['c.nop', 'nop', 'ret']);
    // Four bytes that belong together, and pc behind them.
    const lines = listing(watched([0x01, 0x00, 0x13, 0x05, 0x15, 0x00, 0x82, 0x80], 0x1006));
    expect(lines.map(({ mnemonic, operands }) => `${mnemonic} ${operands}`)).toEqual(['nop ', 'add a0,a0,1', 'ret ']);
  });

  it('has labels, and names for targets', () => {
    const symbols = [[0x1000, 4, 'begin'] as const, [0x1004, 2, 'end'] as const];
    const lines = listing(watched([0x63, 0x02, 0x05, 0x00, 0x82, 0x80], 0x1004, symbols));
    expect(lines.map(({ label, mnemonic, operands }) => [label, mnemonic, operands])).toEqual([
      ['begin', 'beqz', 'a0,1004 <end>'],
      ['end', 'ret', ''],
    ]);
    expect(symbolAt(symbols, 0x1002)).toBe('begin+0x2');
    expect(symbolAt(symbols, 0x1006)).toBeUndefined();
  });
});
