/** One scenario, eight kernels, pipes and migrations: the same run with 1, 2 and 4 hosts, in Node and in the browser. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { expect, type Page, test } from '@playwright/test';
import { type Recording, scenarioOf, type TimedInput, writeFile } from '../src/lab/scenario.ts';

const HERTZ = 2.2e9;
const UNTIL = 0.5;

const typed = (seconds: number, kernel: number, text: string): TimedInput => ({
  time: Math.round(seconds * HERTZ),
  kernel,
  input: { kind: 'console', bytes: new TextEncoder().encode(text) },
});
const inputs: TimedInput[] = [
  typed(0.1, 0, 'spin > /dev/null &\n'),
  typed(0.12, 3, 'primes 300 | sort -rn | head -5 | cat\n'),
  typed(0.15, 0, 'migrate $! 5\n'),
  typed(0.2, 5, 'ps | grep spin | wc -l; seq 200 | wc\n'),
  typed(0.25, 1, 'for i in 1 2 3; do echo $i | cat | tr 1 x; done > /tmp/f; cat /tmp/f\n'),
  typed(0.3, 0, 'migrate $! 7; kernels\n'),
  typed(0.4, 7, 'kill $(ps | grep [s]pin | sed "s/^ *//; s/ .*//")\n'),
];
const others = [1, 2, 3, 4, 5, 6, 7];
const opening: TimedInput[] = [
  { time: 0, kernel: 0, input: { kind: 'power' } },
  ...others.map((kernel): TimedInput => ({ time: 0, kernel: 0, input: { kind: 'boot', kernel } })),
];
const boot = [0, ...others];
const scenario = scenarioOf({
  title: 'determinism',
  machine: { preset: 'opteron-6274' },
  plan: 'clustered',
  seed: 7,
  boot,
  exec: null,
  inputs,
});

async function play(page: Page, file: string, query: string): Promise<string> {
  await page.goto(`/${query}`);
  await page.locator('input[type=file]').setInputFiles(file);
  await expect(page.getByText('playing a recording')).toBeVisible({ timeout: 20_000 });
  await page.getByLabel('Speed').selectOption({ label: 'full speed' });
  const verdict = page.getByText(/^replayed/);
  await expect(verdict).toBeVisible({ timeout: 30_000 });
  return await verdict.innerText();
}

test('has one fingerprint over hosts, in Node and in Chromium', async ({ page }, info) => {
  test.setTimeout(180_000);
  const file = info.outputPath('scenario.json');
  writeFileSync(file, writeFile(scenario));
  const prints = [1, 2, 4].map(hosts => {
    const args = ['src/cli/lab.mjs', 'run', file, '--until', `${UNTIL}s`, '--hosts', `${hosts}`, '--fingerprint'];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'latin1', timeout: 60_000 });
    expect(stdout).toContain('[7] ');
    return stderr.trim();
  });
  expect(prints[0]).toMatch(/^[0-9a-f]{16}$/);
  expect(new Set(prints).size).toBe(1);

  const recording: Recording = {
    version: 1,
    kind: 'recording',
    scenario,
    inputs: [...opening, ...inputs],
    end: UNTIL * HERTZ,
    fingerprint: prints[0] as string,
  };
  const good = info.outputPath('recording.json');
  writeFileSync(good, writeFile(recording));
  for (const hosts of [1, 2, 4]) expect(await play(page, good, `?hosts=${hosts}`)).toBe('replayed: the same to the bit');

  const bad = info.outputPath('other.json');
  writeFileSync(bad, writeFile({ ...recording, inputs: recording.inputs.slice(0, -1) }));
  expect(await play(page, bad, '?hosts=2')).toContain('another way');
});
