/** Linux's table of load weights by nice value (kernel/sched/core.c): each step is a factor of about 1.25. */
const WEIGHTS = [
  88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277, 1024,
  820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
];

/** Weight of a task with this nice value (-20 … 19); 1024 at 0. */
export function weightOf(nice: number): number {
  return WEIGHTS[nice + 20] as number;
}
