/** Archives of a scenario: which machine's root they go to, and how they get their bytes. */
import { expect, it } from 'vitest';
import { namesOnly, withArchive } from './roots.ts';
import { readFile, scenarioOf, writeFile } from './scenario.ts';

const bytes = Uint8Array.of(1, 2, 3);

it('an archive goes where the scenario names it, else to the machine', () => {
  const scenario = scenarioOf({
    root: [{ name: 'both.tar' }],
    network: { client: true, clientRoot: [{ name: 'both.tar' }, { name: 'ab.tar' }] },
  });
  expect(withArchive(scenario, { name: 'ab.tar', bytes })).toEqual({
    scenario: { ...scenario, network: { client: true, clientRoot: [{ name: 'both.tar' }, { name: 'ab.tar', bytes }] } },
    where: 'the client machine’s root',
  });
  const both = withArchive(scenario, { name: 'both.tar', bytes });
  expect(both.where).toBe('both machines’ roots');
  expect(both.scenario.root).toEqual([{ name: 'both.tar', bytes }]);
  expect(both.scenario.network?.clientRoot?.[0]).toEqual({ name: 'both.tar', bytes });
  expect(withArchive(scenario, { name: 'new.tar', bytes }).scenario.root).toEqual([{ name: 'both.tar' }, { name: 'new.tar', bytes }]);
  expect(namesOnly(both.scenario)).toEqual(scenario);
});

it('a file keeps daemons and the client’s root', () => {
  const scenario = scenarioOf({
    daemons: [{ kernel: 127, argv: ['/bin/sh', '-c', 'true'] }],
    network: { client: true, clientRoot: [{ name: 'ab.tar', bytes }] },
  });
  expect(readFile(writeFile(scenario))).toEqual(scenario);
  expect(() => readFile(writeFile({ ...scenario, daemons: [{ kernel: 0, argv: [] }] }))).toThrow(/daemons/);
});
