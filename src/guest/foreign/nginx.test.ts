/**
 * Debian's nginx behind the virtual switch, and Debian's ab on the client machine, both unmodified: every request is answered, and the run is the
 * same with any number of hosts. `WEB_REQUESTS=10000` makes it the long campaign: two kernels, the three versions of the switch, concurrency
 * 1, 16 and 64, each with 1, 2 and 4 hosts (two kernels and the client's make three at most).
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SWITCH_VERSIONS } from '../../kernel/net/switch/settings.ts';
import { readFile, type Scenario, writeFile } from '../../lab/scenario.ts';
import { abReports, WEB_ARCHIVE, webArchive, webScenario } from './web.ts';

const LAB = new URL('../../cli/lab.mjs', import.meta.url).pathname;
const EXAMPLE = new URL('web.json', import.meta.url);
const REQUESTS = Number(process.env['WEB_REQUESTS'] ?? 64);
const isLong = process.env['WEB_REQUESTS'] !== undefined;

function archive(): string | null {
  try {
    return webArchive();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    return null;
  }
}

const packed = archive();
let folder = '';

interface Result {
  readonly out: string;
  /** The fingerprint. */
  readonly err: string;
  readonly status: number | null;
}

/** By `lab run`, the archive lying beside the scenario's file. */
function run(scenario: Scenario, hosts: number): Result {
  const file = join(folder, 'scenario.json');
  writeFileSync(file, writeFile(scenario));
  const { stdout, stderr, status } = spawnSync(process.execPath, [LAB, 'run', file, '--hosts', String(hosts), '--fingerprint'], {
    encoding: 'latin1',
    maxBuffer: 1 << 26,
  });
  return { out: stdout, err: stderr, status };
}

it('web.json is the scenario that is tested here, of two kernels and a thousand requests', () => {
  const { title, ...rest } = webScenario({ kernels: 2, version: 'rings', requests: 1000, concurrency: 16 });
  expect(readFile(readFileSync(EXAMPLE, 'utf8'))).toEqual({ title, ...rest });
});

describe.skipIf(packed === null)('Debian’s nginx and ab (skipped where apt has no Debian for riscv64)', () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lab-web-'));
    copyFileSync(packed as string, join(folder, WEB_ARCHIVE));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const kernels = isLong ? 2 : 1;
  const hosts = isLong ? [1, 2, 4] : [1, 2];
  for (const version of isLong ? SWITCH_VERSIONS : (['rings'] as const))
    for (const concurrency of isLong ? [1, 16, 64] : [8])
      it(`${version}: ${REQUESTS} requests to each of ${kernels} kernels, concurrency ${concurrency}`, () => {
        const scenario = webScenario({ kernels, version, requests: REQUESTS, concurrency });
        const results = hosts.map(count => run(scenario, count));
        const [first] = results;
        expect(first?.err).toMatch(/^[0-9a-f]{16}\n$/);
        expect(abReports(first?.out ?? '')).toEqual(
          Array.from({ length: kernels }, () => expect.objectContaining({ complete: REQUESTS, failed: 0 })),
        );
        for (const result of results) expect(result).toEqual(first);
      }, 3_600_000);
});
