import { expect, it } from 'vitest';
import { framesOf, runsOf } from './runs.ts';

it.each([
  [[], []],
  [[7], [7, 1]],
  [
    [5, 6, 7, 9, 8],
    [5, 3, 9, 1, 8, 1],
  ],
  [
    [4, 4, 5],
    [4, 1, 4, 2],
  ],
])('frames %j travel as runs %j, and are the same again', (frames, runs) => {
  expect(runsOf(frames)).toEqual(runs);
  expect(framesOf(runs)).toEqual(frames);
});
