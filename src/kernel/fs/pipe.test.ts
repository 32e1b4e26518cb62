import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { E } from '../abi/errno.ts';
import { fromBytes } from './bytes.ts';
import { Pipe } from './pipe.ts';
import { BUFFER, FsLab } from './testing.ts';

function pipeLab() {
  const lab = new FsLab();
  const ctx = lab.process();
  expect(lab.call(ctx, 'pipe2', BUFFER, 0)).toBe(0);
  return { lab, ctx, from: 0, to: 1 };
}

describe('a pipe', () => {
  it('wakes a reader when something is written', () => {
    const { lab, ctx, from, to } = pipeLab();
    const reader = lab.start(ctx, 'read', from, BUFFER, 100);
    expect(reader.done).toBe(false);
    expect(lab.call(ctx, 'write', to, 'hello', 5)).toBe(5);
    lab.wake();
    expect(reader.result).toBe(5);
    expect(lab.at(BUFFER, 5)).toBe('hello');
  });

  it('ends when the last writer is gone', () => {
    const { lab, ctx, from, to } = pipeLab();
    const reader = lab.start(ctx, 'read', from, BUFFER, 100);
    lab.call(ctx, 'close', to);
    lab.wake();
    expect(reader.result).toBe(0);
  });

  it('breaks without readers: EPIPE and SIGPIPE', () => {
    const { lab, ctx, from, to } = pipeLab();
    lab.call(ctx, 'close', from);
    expect(lab.call(ctx, 'write', to, 'x', 1)).toBe(-E.PIPE);
    expect(lab.signals).toEqual([[1, 13]]);
  });

  it('takes nothing out for a wild pointer', () => {
    const { lab, ctx, from, to } = pipeLab();
    lab.call(ctx, 'write', to, 'x', 1);
    expect(lab.call(ctx, 'read', from, 8, 1)).toBe(-E.FAULT);
    expect(lab.call(ctx, 'read', from, BUFFER, 1)).toBe(1);
  });

  it('makes a writer of more than fits wait, and a signal ends the wait with what was written', () => {
    const { lab, ctx, to } = pipeLab();
    const writer = lab.start(ctx, 'write', to, BUFFER, 100_000);
    expect(writer.done).toBe(false);
    writer.wake('interrupted');
    lab.wake();
    expect(writer.result).toBe(65536);
    const again = lab.start(ctx, 'write', to, BUFFER, 1);
    again.wake('interrupted');
    lab.wake();
    expect(again.errno).toBe(E.RESTARTSYS);
  });

  it('gives back the bytes that went in, in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.record({ put: fc.uint8Array({ maxLength: 40_000 }) }), fc.record({ take: fc.nat(50_000) })), {
          maxLength: 30,
        }),
        steps => {
          const pipe = new Pipe();
          const model: number[] = [];
          for (const step of steps) {
            if ('put' in step) {
              const count = pipe.put(step.put);
              expect(count).toBe(Math.min(step.put.length, 65536 - model.length));
              for (const byte of step.put.subarray(0, count)) model.push(byte);
            } else {
              const target = new Uint8Array(step.take);
              const count = pipe.take(target);
              expect(fromBytes(target.subarray(0, count)) === fromBytes(Uint8Array.from(model.splice(0, step.take)))).toBe(true);
            }
          }
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('a FIFO', () => {
  it('opens when both sides are there', () => {
    const lab = new FsLab();
    const [a, b] = [lab.process(1), lab.process(2)];
    expect(lab.call(a, 'mknodat', -100, '/f', 0o010644, 0)).toBe(0);
    expect(lab.call(a, 'openat', -100, '/f', 0o4001, 0)).toBe(-E.NXIO);
    const reader = lab.start(a, 'openat', -100, '/f', 0, 0);
    expect(reader.done).toBe(false);
    expect(lab.call(b, 'openat', -100, '/f', 1, 0)).toBe(0);
    lab.wake();
    expect(reader.result).toBe(0);
    lab.call(b, 'write', 0, 'hi', 2);
    expect(lab.call(a, 'read', 0, BUFFER, 10)).toBe(2);
  });
});
