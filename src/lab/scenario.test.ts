import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ReplicaInput } from '../kernel/boot/parameters.ts';
import { fromFragment, toFragment } from './link.ts';
import { type Recording, readFile, type Scenario, scenarioOf, writeFile } from './scenario.ts';

const bytes = fc.uint8Array({ maxLength: 300 });
const input: fc.Arbitrary<ReplicaInput> = fc.oneof(
  fc.constant({ kind: 'power' } as const),
  fc.record({ kind: fc.constant('boot' as const), kernel: fc.nat(63) }),
  fc.record({ kind: fc.constant('console' as const), bytes }),
  fc.record({ kind: fc.constant('stdin' as const), bytes }),
  fc.record({ kind: fc.constant('resize' as const), columns: fc.integer({ min: 1, max: 500 }), rows: fc.integer({ min: 1, max: 300 }) }),
  fc.record({ kind: fc.constant('file' as const), name: fc.string({ maxLength: 60 }), bytes }),
  fc.record({ kind: fc.constant('files' as const), name: fc.string({ maxLength: 60 }), archive: bytes }),
  fc.record({ kind: fc.constant('order' as const), text: fc.string({ maxLength: 60 }) }),
  fc.record({ kind: fc.constant('migrate' as const), pid: fc.nat(2 ** 22), to: fc.nat(63) }),
);
const inputs = fc
  .array(fc.record({ time: fc.nat(2 ** 40), kernel: fc.nat(63), input }), { maxLength: 12 })
  .map(list => list.sort((a, b) => a.time - b.time));
const scenarios = inputs.map(
  (list): Scenario =>
    scenarioOf({
      title: 'a “title”',
      plan: '0-7@0;8-15@1',
      seed: 7,
      boot: [0, 1],
      root: [{ name: 'a.deb', bytes: new Uint8Array([1, 2, 255]) }, { name: 'beside.tar.gz' }],
      inputs: list,
    }),
);

it('a scenario and a recording come back as they were written', () => {
  fc.assert(
    fc.property(scenarios, inputs, fc.boolean(), (scenario, list, small) => {
      expect(readFile(writeFile(scenario))).toEqual(scenario);
      const recording: Recording = {
        version: 1,
        kind: 'recording',
        scenario,
        inputs: list,
        end: 2 ** 41,
        fingerprint: '0123456789abcdef',
        ...(small ? { memoryLimit: 2 ** 29 } : {}),
      };
      expect(readFile(writeFile(recording))).toEqual(recording);
    }),
    { numRuns: 100 },
  );
});

it('a file by hand says what is unusual, and what is typed as text', () => {
  const inputs = [{ time: 5, kernel: 0, input: { kind: 'console', text: 'echo ü\n' } }];
  expect(readFile(JSON.stringify({ version: 1, kind: 'scenario', plan: 'clustered', inputs }))).toEqual(
    scenarioOf({
      plan: 'clustered',
      inputs: [{ time: 5, kernel: 0, input: { kind: 'console', bytes: new TextEncoder().encode('echo ü\n') } }],
    }),
  );
});

it('a link holds a scenario', () => {
  fc.assert(
    fc.property(scenarios, scenario => {
      const fragment = toFragment(scenario);
      expect(fragment).toMatch(/^[A-Za-z0-9_=-]+$/);
      expect(fromFragment(`#${fragment}`)).toEqual(scenario);
    }),
    { numRuns: 100 },
  );
  expect(fromFragment('#elsewhere')).toBeNull();
  expect(() => fromFragment('#lab=%%%')).toThrow('damaged');
  expect(() => fromFragment(`#${toFragment(scenarioOf({ title: 'x'.repeat(150) })).slice(0, 40)}`)).toThrow();
});

describe('a file that is none', () => {
  const good = JSON.parse(writeFile(scenarioOf({ title: 't' }))) as Record<string, unknown>;
  it.each([
    ['no JSON at all', '{', 'no JSON'],
    ['another kind', JSON.stringify({ ...good, kind: 'poem' }), 'kind'],
    ['a later version', JSON.stringify({ ...good, version: 2 }), 'version'],
    ['a seed that is none', JSON.stringify({ ...good, seed: 1.5 }), 'seed'],
    [
      'a time between two cycles',
      JSON.stringify({ ...good, inputs: [{ time: 0.5, kernel: 0, input: { kind: 'power' } }] }),
      'inputs.0.time',
    ],
    [
      'times out of order',
      JSON.stringify({ ...good, inputs: [5, 4].map(time => ({ time, kernel: 0, input: { kind: 'power' } })) }),
      'order of time',
    ],
    ['an unknown input', JSON.stringify({ ...good, inputs: [{ time: 0, kernel: 0, input: { kind: 'explode' } }] }), 'inputs.0.input'],
    [
      'bytes that are no base64',
      JSON.stringify({ ...good, inputs: [{ time: 0, kernel: 0, input: { kind: 'stdin', bytes: '###' } }] }),
      'bytes',
    ],
    ['a field that does not exist', JSON.stringify({ ...good, network: { clint: true } }), 'network.clint: there is no such field'],
    [
      'an input without its kernel',
      JSON.stringify({ ...good, inputs: [{ time: 0, input: { kind: 'power' } }] }),
      'inputs.0.kernel is missing',
    ],
    ['an archive in a folder', JSON.stringify({ ...good, root: [{ name: '../etc.tar' }] }), 'root.0.name'],
    ['a program without a name', JSON.stringify({ ...good, exec: { kernel: 0, argv: [], env: [], migrateEvery: 0 } }), 'exec.argv'],
  ])('is refused with a word on where: %s', (_what, text, message) => {
    expect(() => readFile(text)).toThrow(message);
  });

  it('is refused whatever it is, and nothing in it is passed over', () => {
    fc.assert(
      fc.property(fc.json(), text => {
        expect(() => readFile(text)).toThrow(Error);
      }),
    );
    expect(() => readFile(`{"__proto__": {"polluted": true}, ${JSON.stringify(good).slice(1)}`)).toThrow('__proto__');
  });
});
