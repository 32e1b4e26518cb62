import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { E, type Errno } from '../abi/errno.ts';
import { F, F_LOCK, LOCK } from '../abi/fcntl.ts';
import { isBlocking } from '../types.ts';
import { LAST_BYTE, type LockRequest, Locks, LockTable } from './lock.ts';
import { BUFFER, FsLab } from './testing.ts';

function lockLab() {
  const lab = new FsLab({ f: 'x'.repeat(100) });
  const [a, b] = [lab.process(1), lab.process(2)];
  for (const ctx of [a, b]) lab.call(ctx, 'openat', -100, '/f', 2, 0);
  const view = new DataView(lab.memory.buffer, BUFFER);
  const range = (type: number, start: number, size: number): number => {
    view.setInt16(0, type, true);
    view.setInt16(2, 0, true);
    view.setBigInt64(8, BigInt(start), true);
    view.setBigInt64(16, BigInt(size), true);
    view.setInt32(24, 0, true);
    return BUFFER;
  };
  return { lab, a, b, view, range };
}

describe('record locks', () => {
  it('are in the way of other processes, until the file is closed by whatever descriptor', () => {
    const { lab, a, b, view, range } = lockLab();
    expect(lab.call(a, 'fcntl', 0, F.SETLK, range(F_LOCK.WR, 10, 10))).toBe(0);
    expect(lab.call(b, 'fcntl', 0, F.SETLK, range(F_LOCK.RD, 15, 1))).toBe(-E.AGAIN);
    expect(lab.call(b, 'fcntl', 0, F.GETLK, range(F_LOCK.RD, 0, 0))).toBe(0);
    expect([
      view.getInt16(0, true),
      Number(view.getBigInt64(8, true)),
      Number(view.getBigInt64(16, true)),
      view.getInt32(24, true),
    ]).toEqual([F_LOCK.WR, 10, 10, 1]);
    lab.call(a, 'openat', -100, '/f', 0, 0);
    lab.call(a, 'close', 1);
    expect(lab.call(b, 'fcntl', 0, F.SETLK, range(F_LOCK.WR, 15, 1))).toBe(0);
  });

  it('are waited for, and the circle is refused', () => {
    const { lab, a, b, range } = lockLab();
    lab.call(a, 'fcntl', 0, F.SETLK, range(F_LOCK.WR, 0, 1));
    lab.call(b, 'fcntl', 0, F.SETLK, range(F_LOCK.WR, 1, 1));
    const waiting = lab.start(a, 'fcntl', 0, F.SETLKW, range(F_LOCK.WR, 1, 1));
    expect(waiting.done).toBe(false);
    expect(lab.call(b, 'fcntl', 0, F.SETLKW, range(F_LOCK.WR, 0, 1))).toBe(-E.DEADLK);
    lab.call(b, 'close', 0);
    lab.wake();
    expect(waiting.result).toBe(0);
  });

  it('end the wait when a signal comes', () => {
    const { lab, a, b, range } = lockLab();
    lab.call(a, 'fcntl', 0, F.OFD_SETLK, range(F_LOCK.WR, 0, 0));
    const waiting = lab.start(b, 'fcntl', 0, F.SETLKW, range(F_LOCK.RD, 50, 1));
    waiting.wake('interrupted');
    lab.wake();
    expect(waiting.errno).toBe(E.RESTARTSYS);
    lab.call(a, 'close', 0);
    expect(lab.call(b, 'fcntl', 0, F.SETLK, range(F_LOCK.RD, 50, 1))).toBe(0);
  });

  const HOLDERS = ['a', 'b'];
  it('are what a lock for each byte would be', () => {
    const step = fc.record({ who: fc.nat(1), type: fc.nat(2), first: fc.nat(19), size: fc.integer({ min: 1, max: 20 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        const table = new LockTable(new Locks());
        const bytes = HOLDERS.map(() => new Array<number>(20).fill(F_LOCK.UN));
        for (const { who, type, first, size } of steps) {
          const last = Math.min(19, first + size - 1);
          const request: LockRequest = {
            kind: 'record',
            type,
            first,
            last,
            holder: HOLDERS[who] as string,
            pid: who,
            how: 'try',
            byFile: false,
          };
          const others = (bytes[1 - who] as number[]).slice(first, last + 1);
          const free = type === F_LOCK.UN || others.every(other => other === F_LOCK.UN || (other === F_LOCK.RD && type === F_LOCK.RD));
          let errno = 0;
          try {
            expect(isBlocking(table.apply(request))).toBe(false);
          } catch (error) {
            errno = (error as Errno).errno;
          }
          expect(errno).toBe(free ? 0 : E.AGAIN);
          if (free) (bytes[who] as number[]).fill(type, first, last + 1);
        }
        // A test from outside sees the first lock in the way, joined as far as it goes.
        const held = (index: number): boolean => bytes.some(each => each[index] !== F_LOCK.UN);
        const seen = table.apply({
          kind: 'record',
          type: F_LOCK.WR,
          first: 0,
          last: LAST_BYTE,
          holder: 'c',
          pid: 9,
          how: 'test',
          byFile: false,
        });
        const expected = [...Array(20).keys()].find(held);
        if (expected === undefined) expect(seen).toBeNull();
        else expect(seen).toMatchObject({ first: expected });
      }),
    );
  });
});

describe('flock', () => {
  it('belongs to the open file, and goes with its last descriptor', () => {
    const { lab, a, b } = lockLab();
    expect(lab.call(a, 'flock', 0, LOCK.EX)).toBe(0);
    lab.call(a, 'dup', 0);
    lab.call(a, 'close', 0);
    expect(lab.call(b, 'flock', 0, LOCK.SH | LOCK.NB)).toBe(-E.AGAIN);
    const waiting = lab.start(b, 'flock', 0, LOCK.SH);
    lab.call(a, 'close', 1);
    lab.wake();
    expect(waiting.result).toBe(0);
  });
});
