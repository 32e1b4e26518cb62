/** `lab plan [PLAN] [--machine M] [--memory flat|numa]`: who gets what, and what a cache miss costs each kernel. */
import { resolvePlan } from '../lab/plan.ts';
import { planTable } from '../lab/plan-cost.ts';
import { withPrefix } from '../lab/plan-text.ts';
import { memoryRule, readOptions } from './options.ts';
import { machineNamed } from './topology.ts';

/** @returns the exit status */
export function plan(args: readonly string[]): number {
  try {
    const { values, rest } = readOptions(args, ['machine', 'memory'], []);
    if (rest.length > 1) throw new Error('one plan: plan [PLAN] [--machine M] [--memory flat|numa]');
    const { topology } = machineNamed(values['machine'] ?? 'opteron-6274');
    const text = withPrefix(rest[0] ?? 'clustered', memoryRule(values['memory']));
    process.stdout.write(planTable(resolvePlan(text, topology), topology));
    return 0;
  } catch (error) {
    process.stderr.write(`plan: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
}
