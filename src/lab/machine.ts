/** The machine of a scenario. */
import { preset } from '../machine/topology/presets.ts';
import type { Topology } from '../machine/topology/topology.ts';
import { readHwloc } from '../machine/topology/hwloc.ts';
import type { Scenario } from './scenario.ts';

/** @throws Error naming what is wrong with the name or the file */
export function machineOf(scenario: Scenario): Topology {
  return 'preset' in scenario.machine ? preset(scenario.machine.preset) : readHwloc(scenario.machine.xml, scenario.machine.name);
}
