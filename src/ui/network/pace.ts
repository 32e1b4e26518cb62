/** How far back charts look by themselves: about as far as the run has gone in two seconds of the wall, so that what happens can be seen. */
import { useRef } from 'react';
import { LEVEL_USUAL, LEVELS, STEPS } from '../../lab/trace/series.ts';

const WALL_MS = 2000;
/** A level is left when it is so many times too long. */
const PATIENCE = 7.5;
/** So much of that time it has to show at least. */
const PART = 0.7;

export function useSuitedLevel(now: number): number {
  const seen = useRef<{ readonly wall: number; readonly now: number }[]>([]);
  const level = useRef(LEVEL_USUAL);
  const list = seen.current;
  const last = list.at(-1);
  const wall = performance.now();
  if (last !== undefined && now < last.now) list.length = 0;
  if (last?.now !== now) list.push({ wall, now });
  while (list.length > 2 && wall - (list[0]?.wall ?? wall) > WALL_MS) list.shift();
  const [first] = list;
  const passed = first === undefined ? 0 : ((now - first.now) / Math.max(1, wall - first.wall)) * WALL_MS;
  const span = (each: number): number => STEPS * (LEVELS[each] as number);
  // While it stands still nothing is learned.
  if (list.length > 2 && last?.now !== now && (span(level.current) < passed * PART || span(level.current) > PATIENCE * passed)) {
    const suited = LEVELS.findIndex((_, each) => span(each) >= passed * PART);
    level.current = suited < 0 ? LEVELS.length - 1 : suited;
  }
  return level.current;
}
