/**
 * The archives of a scenario: those laid over the machine's root and those laid over the client machine's. A scenario's file may name them alone;
 * whoever opens it then brings their bytes.
 */
import type { RootPart, Scenario } from './scenario.ts';

/** The scenario with each archive, of either machine, as `part` makes it. */
export function mapArchives(scenario: Scenario, part: (part: RootPart) => RootPart): Scenario {
  const { root, network } = scenario;
  const clientRoot = network?.clientRoot;
  return {
    ...scenario,
    ...(root === undefined ? {} : { root: root.map(part) }),
    ...(clientRoot === undefined ? {} : { network: { ...network, clientRoot: clientRoot.map(part) } }),
  };
}

/** The names of archives without their bytes, as they fit in a link. */
export const namesOnly = (scenario: Scenario): Scenario => mapArchives(scenario, ({ name }) => ({ name }));

/**
 * The scenario with an archive: wherever it names it, else over the machine's root, behind those that are there.
 * @returns and whose roots that is
 */
export function withArchive(scenario: Scenario, archive: RootPart): { scenario: Scenario; where: string } {
  const isIn = (parts: readonly RootPart[] | undefined): boolean => (parts ?? []).some(({ name }) => name === archive.name);
  const [machine, client] = [isIn(scenario.root), isIn(scenario.network?.clientRoot)];
  if (!machine && !client) return { scenario: { ...scenario, root: [...(scenario.root ?? []), archive] }, where: 'the root' };
  return {
    scenario: mapArchives(scenario, part => (part.name === archive.name ? archive : part)),
    where: machine ? (client ? 'both machines’ roots' : 'the root') : 'the client machine’s root',
  };
}
