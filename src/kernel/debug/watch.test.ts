/** A debugger's hold on a task: it sees every instruction, breakpoints hold, and the rest goes on. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { inflate, KernelLab } from '../testing.ts';
import { type DebugCommand, type DebugReport, DEBUG_PORT } from './watch.ts';

const archive = inflate(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url)));
const HERTZ = 2.2e9;

describe('a watched process', () => {
  let lab: KernelLab;
  let time: number;
  let pid: number;
  const run = (seconds: number): void => {
    time += seconds * HERTZ;
    lab.run(time);
  };
  const type = (kernel: number, text: string, seconds = 0.1): void => {
    lab.input(kernel, { kind: 'console', bytes: new TextEncoder().encode(text) });
    run(seconds);
  };
  /** What the kernel reports on a command. */
  const order = (command: DebugCommand, kernel = 0): DebugReport[] => {
    const out = lab.output[kernel] as string[];
    const before = out[DEBUG_PORT]?.length ?? 0;
    lab.input(kernel, { kind: 'debug', pid, order: command });
    run(0.01);
    const text = (out[DEBUG_PORT] ?? '').slice(before);
    return text === '' ? [] : (JSON.parse(`[${text.replaceAll('}{', '},{')}]`) as DebugReport[]);
  };
  const held = (reports: readonly DebugReport[]): Extract<DebugReport, { kind: 'held' }> & { pc: number } => {
    const found = reports.find(each => each.kind === 'held');
    if (found === undefined) throw new Error(`not held: ${JSON.stringify(reports).slice(0, 200)}`);
    const bytes = (found.registers.slice(1024, 1040).match(/../g) ?? []).reverse().join('');
    return { ...found, pc: Number.parseInt(bytes, 16) };
  };

  beforeEach(() => {
    lab = new KernelLab({ archive, kernels: 2, cores: 2 });
    lab.input(0, { kind: 'boot', kernel: 1 });
    time = lab.run(HERTZ / 5);
    type(0, 'spin > /dev/null & echo pid $!\n');
    pid = Number(/pid (\d+)\r/.exec(lab.console(0))?.[1]);
  });

  it('is held, tells its registers, the code around it and its symbols', () => {
    const reports = order({ command: 'stop' });
    const { pc, codeStart, code } = held(reports);
    expect(codeStart).toBeLessThan(pc);
    expect(codeStart + code.length / 2).toBeGreaterThan(pc + 100);
    const symbols = reports.find(each => each.kind === 'symbols')?.symbols ?? [];
    const inside = symbols.filter(([start, bytes]) => start <= pc && pc < start + bytes).map(([, , name]) => name);
    expect(inside.length).toBe(1);
    // The rest of its kernel goes on.
    type(0, 'echo $((6 * 7))\n');
    expect(lab.console(0)).toContain('\n42\r\n');
    expect(held(order({ command: 'stop' })).pc).toBe(pc);
  });

  it('steps by one instruction', () => {
    let { pc, codeStart, code } = held(order({ command: 'stop' }));
    for (let i = 0; i < 40; i++) {
      const half = Number.parseInt(code.slice(2 * (pc - codeStart), 2 * (pc - codeStart) + 2), 16);
      const next = held(order({ command: 'step' }));
      const length = (half & 3) === 3 ? 4 : 2;
      // To the next one, or away by a branch: a jump is never to the middle of the instruction.
      expect(next.pc === pc + length || next.pc < pc || next.pc > pc + length).toBe(true);
      ({ pc, codeStart, code } = next);
    }
  });

  it('comes back to a breakpoint in its loop, again and again', () => {
    const { pc } = held(order({ command: 'stop' }));
    order({ command: 'break', address: pc });
    for (let i = 0; i < 3; i++) {
      const reports = order({ command: 'go' });
      expect(reports.map(({ kind }) => kind)).toEqual(['running', 'held']);
      expect(held(reports)).toMatchObject({ pc, reason: 'breakpoint' });
    }
    order({ command: 'unbreak', address: pc });
    expect(order({ command: 'go' }).map(({ kind }) => kind)).toEqual(['running']);
  });

  it('can be killed while it is held', () => {
    order({ command: 'stop' });
    type(0, `kill -9 ${pid}\n`);
    type(0, '\n');
    expect(lab.console(0)).toContain('Killed');
    expect(order({ command: 'step' })).toEqual([{ kind: 'gone', pid }]);
  });

  it('moves while it is held, and is held there', () => {
    const { pc, registers } = held(order({ command: 'stop' }));
    lab.input(0, { kind: 'migrate', pid, to: 1 });
    run(0.02);
    expect(order({ command: 'step' })).toEqual([{ kind: 'gone', pid }]);
    expect(held(order({ command: 'stop' }, 1))).toMatchObject({ pc, registers });
    expect(held(order({ command: 'step' }, 1)).pc).not.toBe(pc);
    expect(order({ command: 'leave' }, 1)).toEqual([]);
    type(0, 'ps\n');
    expect(lab.console(0)).toMatch(new RegExp(`${pid} +2 +1 +1 R .*spin`));
  });
});
