/** Groups of kernels: one send, one payload, a count of answers, and members that die. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { E, Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import { inflate, KernelLab } from '../testing.ts';
import { TraceKind } from '../trace.ts';
import { M } from './catalog.ts';
import { ALL, GROUPS_MAX, INLINE_BYTES } from './multicast.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url))));
const SECOND = 2.2e9;

/** Five kernels that are up and have nothing to do. */
function five(): { lab: KernelLab; kernels: Kernel[]; pass: (seconds: number) => void } {
  const lab = new KernelLab({ archive, cores: 5, kernels: 5, exec: ['sleep', '100'] });
  for (const kernel of [1, 2, 3, 4]) lab.input(0, { kind: 'boot', kernel });
  let time = lab.run(SECOND / 5);
  const pass = (seconds: number): void => void (time = lab.run(time + seconds * SECOND, () => false));
  return { lab, kernels: lab.running, pass };
}

/** Orders, answered by each with a refusal in words: as long as one likes. */
function asks(kernel: Kernel, group: number | readonly number[], order: string): Map<number, unknown> {
  const answers = new Map<number, unknown>();
  kernel.spawn(
    (function* () {
      for (const [from, answer] of yield* kernel.messages.mcastCall(group, M.CONTROL_REQUEST, { order }, M.CONTROL_RESPONSE))
        answers.set(from, answer instanceof Errno ? answer.errno : answer);
    })(),
  );
  return answers;
}

const sentBy = (lab: KernelLab, kernel: number, from: number): (readonly number[])[] =>
  lab.trace.slice(from).filter(([, k, kind]) => k === kernel && kind === TraceKind.MessageSend);

describe('a message to a group', () => {
  it.each([
    ['that fits in the slot', 'nothing'],
    ['that is long', `nothing ${'x'.repeat(5000)}`],
  ])('%s goes by one slot a member, and each answers', (_what, order) => {
    const { lab, kernels, pass } = five();
    const [zero] = kernels as [Kernel];
    const before = lab.trace.length;
    const free = zero.frames.own.free;
    const answers = asks(zero, ALL, order);
    pass(0.02);
    expect([...answers]).toEqual([1, 2, 3, 4].map(k => [k, E.INVAL]));
    const sent = sentBy(lab, 0, before).filter(([, , , , a = 0]) => [M.MCAST.type, M.CONTROL_REQUEST.type].includes((a & 0xffff) as 16));
    expect(sent.map(([, , , , a = 0]) => [a >>> 16, a & 0xffff])).toEqual([1, 2, 3, 4].map(k => [k, M.MCAST.type]));
    // The frames are the sender's again.
    expect(zero.frames.own.free).toBe(free);
  });

  it('costs an interrupt for each further member', () => {
    const { lab, kernels, pass } = five();
    const [zero] = kernels as [Kernel];
    const before = lab.trace.length;
    zero.messages.mcastTo([1, 2, 3, 4], M.MCAST_CLOSE, { group: 0 });
    pass(0.001);
    const times = sentBy(lab, 0, before).map(([time]) => time as number);
    expect(times.slice(1).map((time, i) => time - (times[i] as number))).toEqual([400, 400, 400]);
    expect(INLINE_BYTES).toBeGreaterThan(2);
  });

  it('that is lost on its way to one comes again to that one, once', () => {
    const { lab, kernels, pass } = five();
    const [zero] = kernels as [Kernel];
    lab.input(0, { kind: 'order', text: 'fault 0 lose 2' });
    lab.input(0, { kind: 'order', text: 'fault 0 corrupt 3' });
    pass(0.0001);
    const free = zero.frames.own.free;
    const answers = asks(zero, ALL, `nothing ${'y'.repeat(3000)}`);
    pass(0.02);
    expect([...answers]).toEqual([1, 2, 3, 4].map(k => [k, E.INVAL]));
    expect(zero.messages.troubles.resent).toBeGreaterThan(0);
    expect(zero.frames.own.free).toBe(free);
  });
});

describe('a group', () => {
  it('is known to its members, who may send to it too', () => {
    const { kernels, pass } = five();
    const [zero, one, , three] = kernels as [Kernel, Kernel, Kernel, Kernel];
    const group = zero.messages.groups.open([1, 3]);
    pass(0.001);
    expect(kernels.map(({ messages }) => messages.groups.list)).toEqual(
      [true, true, false, true, false].map(isMember => (isMember ? [[group, [0, 1, 3]]] : [])),
    );
    const answers = asks(three, group, 'nothing');
    pass(0.01);
    expect([...answers.keys()]).toEqual([0, 1]);
    expect(() => one.messages.groups.close(group)).toThrow(expect.objectContaining({ errno: E.PERM }) as Error);
    zero.messages.groups.close(group);
    pass(0.001);
    expect(kernels.flatMap(({ messages }) => messages.groups.list)).toEqual([]);
    expect(() => one.messages.mcastSend(group, M.MCAST_CLOSE, { group })).toThrow(expect.objectContaining({ errno: E.INVAL }) as Error);
  });

  it('can be opened so often and no more', () => {
    const [zero] = five().kernels as [Kernel];
    for (let i = 0; i < GROUPS_MAX; i++) zero.messages.groups.open([1]);
    expect(() => zero.messages.groups.open([1])).toThrow(expect.objectContaining({ errno: E.NOSPC }) as Error);
    expect(() => zero.messages.groups.open([77])).toThrow(expect.objectContaining({ errno: E.INVAL }) as Error);
  });

  it('loses a member that dies: who waits for it hears so, and the rest have answered', () => {
    const { lab, kernels, pass } = five();
    const [zero] = kernels as [Kernel];
    const group = zero.messages.groups.open([1, 2, 3]);
    pass(0.01);
    lab.input(2, { kind: 'order', text: 'panic' });
    pass(0.0001);
    const free = zero.frames.own.free;
    const answers = asks(zero, group, `nothing ${'z'.repeat(5000)}`);
    pass(0.1);
    expect([...answers]).toEqual([]);
    pass(1);
    expect([...answers]).toEqual([
      [1, E.INVAL],
      [2, E.HOSTDOWN],
      [3, E.INVAL],
    ]);
    expect(zero.messages.groups.list).toEqual([[group, [0, 1, 3]]]);
    expect(zero.frames.own.free).toBeGreaterThanOrEqual(free);
    expect(zero.messages.outstanding).toEqual({ calls: 0, backlog: 0 });
  });

  it('is gone with its owner', () => {
    const { lab, kernels, pass } = five();
    const [, one] = kernels as [Kernel, Kernel];
    one.messages.groups.open([0, 2]);
    pass(0.001);
    lab.input(1, { kind: 'order', text: 'halt' });
    pass(1);
    expect(lab.running.flatMap(({ messages }) => messages.groups.list)).toEqual([]);
  });
});

it('every kind of message has a number of its own, from 1 to 255', () => {
  const types = Object.values(M).map(({ type }) => type);
  expect(new Set(types).size).toBe(types.length);
  expect([Math.min(...types) > 0, Math.max(...types) < 256]).toEqual([true, true]);
});
