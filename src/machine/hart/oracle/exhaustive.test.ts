/** Every row of the table, and every compressed instruction, ends as it ended under qemu (results.json, made by record.mjs). */
import { describe, expect, test } from 'vitest';
import { compressedInstructions } from '../isa/compressed.ts';
import { instructions } from '../isa/table.ts';
import { allCases, inWords, digest, sweeps } from './cases.ts';
import { Replay } from './replay.ts';
import results from './results.json' with { type: 'json' };

interface Recorded {
  /** Digest of the cases that qemu was asked about. */
  readonly cases: string;
  readonly outcomes: readonly string[];
  /** For each case the place of its outcome in that list. */
  readonly order: readonly number[];
}
const rows: Readonly<Record<string, Recorded>> = results.rows;
const swept: Readonly<Record<string, string>> = results.sweeps;
const replay = new Replay();
const translated = new Replay(1);
/** Translating takes a while: of the cases of a row some, spread over all; record.mjs has a mode for more. */
const TRANSLATED_CASES = 12;

describe('every instruction', () => {
  test('has cases, and no case is without an instruction', () => {
    const names = [...instructions, ...compressedInstructions].map(row => row.name);
    expect(Object.keys(rows).sort()).toEqual([...names].sort());
    for (const name of names) expect(rows[name]?.order.length, name).toBeGreaterThan(0);
  });

  for (const [name, cases] of allCases()) {
    test(name, () => {
      const recorded = rows[name];
      if (!recorded) throw new Error('nothing is recorded');
      expect(digest(cases.map(inWords)), 'the cases are other ones than those recorded: record again').toBe(recorded.cases);
      const wrong = cases.flatMap((start, i) => {
        const own = replay.run(start);
        const expected = recorded.outcomes[recorded.order[i] ?? -1];
        return own === expected ? [] : [{ case: inWords(start), own, expected }];
      });
      expect(wrong).toEqual([]);
      const stride = Math.ceil(cases.length / TRANSLATED_CASES);
      for (let i = name.length % stride; i < cases.length; i += stride) {
        const start = cases[i] as (typeof cases)[number];
        expect(translated.run(start), inWords(start)).toBe(recorded.outcomes[recorded.order[i] ?? -1]);
      }
    });
  }
});

describe('every encoding is legal where it should be, and does the same', () => {
  for (const [name, cases] of sweeps()) {
    test(name, () => expect(digest(cases.map(start => replay.run(start)))).toBe(swept[name]));
  }
});
