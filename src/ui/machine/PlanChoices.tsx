/** Before power-on: how memory is chosen for the kernels, with what that costs, and whether they are one system. */
import { useMemo } from 'react';
import { rangesText } from '../../kernel/boot/parameters.ts';
import { deviceTexts } from '../../machine/devices/devices.ts';
import { planCost } from '../../lab/plan-cost.ts';
import { resolvePlan } from '../../lab/plan.ts';
import { type MemoryRule, prefixOf, withPrefix } from '../../lab/plan-text.ts';
import type { Topology } from '../../machine/topology/topology.ts';
import { kernelName, kernelStyle } from '../kernels.ts';
import { useLab } from '../store.ts';

const RULES: readonly { readonly rule: MemoryRule; readonly name: string }[] = [
  { rule: 'numa', name: 'memory by node' },
  { rule: 'flat', name: 'memory flat' },
];

export function PlanChoices() {
  const { plan, scenario, topology, changePlan } = useLab();
  const { mode, rule } = prefixOf(scenario.plan);
  const costs = useMemo(
    () => RULES.map(each => ({ ...each, cycles: cyclesOf(withPrefix(scenario.plan, each), topology) })),
    [scenario.plan, topology],
  );
  return (
    <>
      <label className="plan-memory">
        <span className="sr">Memory</span>
        <select
          value={rule}
          title="How memory is chosen for the kernels, and the cycles of a load that misses all caches, on the average"
          onChange={event => changePlan(withPrefix(scenario.plan, { rule: event.target.value as MemoryRule }))}
        >
          {costs.map(each => (
            <option key={each.rule} value={each.rule}>
              {each.name}
              {each.cycles === null ? '' : ` · ${each.cycles.toFixed(0)}`}
            </option>
          ))}
        </select>
      </label>
      <select
        value={mode}
        aria-label="One system or many"
        title="One system image over all kernels, or a federation of independent systems"
        onChange={event => changePlan(withPrefix(scenario.plan, { mode: event.target.value === 'federation' ? 'federation' : 'single' }))}
      >
        <option value="single">one system</option>
        <option value="federation">federation</option>
      </select>
      {plan !== null && <CostTable />}
    </>
  );
}

function cyclesOf(text: string, topology: Topology): number | null {
  try {
    return planCost(resolvePlan(text, topology), topology).total.average;
  } catch {
    return null;
  }
}

/** Kernel by kernel. */
function CostTable() {
  const { plan, topology } = useLab();
  const cost = useMemo(() => (plan === null ? null : planCost(plan, topology)), [plan, topology]);
  if (plan === null || cost === null) return null;
  return (
    <details className="plan-cost">
      <summary>Costs</summary>
      <div className="plan-cost-table">
        <table>
          <caption className="muted">Cycles of a load that misses all caches, and of a message’s way</caption>
          <thead>
            <tr>
              <th scope="col">Kernel</th>
              <th scope="col">Cores</th>
              <th scope="col" title="A page anywhere in its memory">
                All memory
              </th>
              <th scope="col" title="Pages that are handed out first">
                First pages
              </th>
              <th scope="col" title="The way of a message to it from another kernel, by where its window lies">
                Message
              </th>
              <th scope="col">Devices</th>
            </tr>
          </thead>
          <tbody>
            {plan.partitions.map(({ kernel, cores, devices }, i) => (
              <tr key={kernel}>
                <th scope="row">
                  <span className="kernel-name" style={kernelStyle(kernel)}>
                    {kernelName(kernel)}
                  </span>
                </th>
                <td>{rangesText(cores)}</td>
                <td>{cost.kernels[i]?.average.toFixed(0)}</td>
                <td>{cost.kernels[i]?.first.toFixed(0)}</td>
                <td>{cost.kernels[i]?.message.toFixed(0)}</td>
                <td>{deviceTexts(devices).join(', ')}</td>
              </tr>
            ))}
            <tr>
              <th scope="row">all</th>
              <td>{plan.partitions.reduce((sum, { cores }) => sum + cores.length, 0)}</td>
              <td>{cost.total.average.toFixed(0)}</td>
              <td>{cost.total.first.toFixed(0)}</td>
              <td>{cost.total.message.toFixed(0)}</td>
              <td />
            </tr>
          </tbody>
        </table>
      </div>
    </details>
  );
}
