/** The views of the page, by mouse and by keys alone: one selection, nothing cut off, everything has a name. */
import { readFile } from 'node:fs/promises';
import { expect, type Page, test } from '@playwright/test';
import { writeHwloc } from '../src/machine/topology/hwloc.ts';
import { PRESETS } from '../src/machine/topology/presets.ts';

const shell = (page: Page): Promise<string> => page.locator('.shell .xterm-rows').innerText();

async function open(page: Page, query = '', plan = 'clustered'): Promise<string[]> {
  const errors: string[] = [];
  page.on('pageerror', error => errors.push(error.message));
  await page.goto(`/${query}`);
  await page.getByRole('textbox', { name: 'Partitions' }).fill(plan);
  return errors;
}

async function boot(page: Page, kernels: number, query = '', plan = 'clustered'): Promise<string[]> {
  const errors = await open(page, query, plan);
  await page.getByRole('button', { name: 'Boot all' }).click();
  await expect(page.locator('.kernel-card[data-state="2"]')).toHaveCount(kernels, { timeout: 40_000 });
  await expect.poll(() => shell(page), { timeout: 20_000 }).toContain('/ #');
  return errors;
}

async function type(page: Page, text: string): Promise<void> {
  await page.locator('.shell textarea').focus();
  await page.keyboard.type(`${text}\n`, { delay: 5 });
}

test('partitions are drawn by keys alone, and taken back', async ({ page }) => {
  await open(page);
  await page.locator('.brush').focus();
  await page.keyboard.press('Space');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Space');
  await expect(page.getByText('2 cores picked')).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(page.locator('#plan-error')).toContainText('9 kernels');
  await page.locator('.brush').focus();
  await page.keyboard.press('Space');
  await page.keyboard.press('3');
  await expect(page.getByRole('textbox', { name: 'Partitions' })).toHaveValue(/;1?,?.*/);
  await page.locator('.brush').focus();
  await page.keyboard.press('Control+z');
  await page.keyboard.press('Control+z');
  await expect(page.getByRole('textbox', { name: 'Partitions' })).toHaveValue('clustered');
});

test('a process moves by keys alone, from a console and back to it', async ({ page }) => {
  const errors = await boot(page, 8);
  await type(page, 'spin &');
  await expect.poll(() => shell(page), { timeout: 20_000 }).toContain('of kernel 0');
  // Out of the console: letters typed there would be the shell's.
  await page.keyboard.press('Shift+F6');
  expect(await page.evaluate(() => document.activeElement?.closest('.xterm') === null)).toBe(true);
  await page.locator('.chip', { hasText: 'spin' }).focus();
  await page.keyboard.press('m');
  await expect(page.getByRole('dialog', { name: 'Move the process' })).toBeVisible();
  await page.keyboard.press('6');
  await expect(page.locator('.kernel-card[data-kernel="6"] .chip', { hasText: 'spin' })).toBeVisible({ timeout: 20_000 });
  await page.keyboard.press('g');
  await page.keyboard.press('0');
  await expect.poll(() => shell(page), { timeout: 20_000 }).toMatch(/round \d+ on cpu (4[89]|5[0-5]) of kernel 6/);
  expect(errors).toEqual([]);
});

test('one selection: a message is the same in list, picture, space-time and details', async ({ page }) => {
  await boot(page, 8);
  await type(page, 'spin &');
  await expect.poll(() => shell(page), { timeout: 20_000 }).toContain('of kernel 0');
  await page.locator('.chip', { hasText: 'spin' }).click();
  await page.getByRole('button', { name: 'Move to kernel 5' }).click();
  await expect(page.locator('.kernel-card[data-kernel="5"] .chip', { hasText: 'spin' })).toBeVisible({ timeout: 20_000 });
  await page.keyboard.press('F8');
  await page.getByRole('tab', { name: 'Messages' }).click();
  await page.getByLabel('Console of').selectOption('5');
  await page.getByLabel(/Filter the messages/).fill('create_process 5>0');
  await page.locator('.message-list tbody tr').first().click();
  const details = page.getByLabel('The selected message');
  await expect(details).toContainText('CREATE_PROCESS_PAIRING');
  await expect(details).toContainText('pid');
  await expect(details.getByRole('img', { name: 'Its 64 bytes' })).toHaveText(/^00 {2}17 05 00/);
  await expect(page.locator('.wire.chosen')).toHaveCount(1);
  // What caused it is one step away.
  await details.getByRole('button', { name: 'CLONE_REQUEST 0 → 5' }).click();
  await expect(details.locator('header')).toContainText('CLONE_REQUEST');
  // On from there in space-time by keys.
  await page.locator('.spacetime canvas').focus();
  await page.keyboard.press('Period');
  await expect(details.locator('header')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(details).toHaveCount(0);
});

test('time can be slow enough to see a message fly', async ({ page }) => {
  await boot(page, 8);
  await type(page, 'spin &');
  await expect.poll(() => shell(page), { timeout: 20_000 }).toContain('of kernel 0');
  await page.getByLabel('Speed').selectOption({ label: '1 s = 10 µs' });
  const cycles = async (): Promise<number> => Number.parseInt((await page.locator('.clock').getAttribute('title')) ?? '0', 10);
  await page.waitForTimeout(500);
  const before = await cycles();
  await page.waitForTimeout(2000);
  const gone = (await cycles()) - before;
  expect(gone).toBeGreaterThan(4_000);
  expect(gone).toBeLessThan(100_000);
});

test('a recording is saved, opened, and plays', async ({ page }) => {
  await boot(page, 8);
  await type(page, 'echo seen once');
  await expect.poll(() => shell(page), { timeout: 20_000 }).toMatch(/^seen once/m);
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save the recording' }).click();
  const path = await (await saved).path();
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ kind: 'recording', version: 1 });
  await page.locator('#open-file').setInputFiles({ name: 'run.json', mimeType: 'application/json', buffer: await readFile(path) });
  await expect.poll(() => shell(page), { timeout: 30_000 }).toMatch(/^seen once/m);
});

test('64 kernels: all can be seen, reached and typed at', async ({ page }) => {
  test.setTimeout(120_000);
  const errors = await boot(page, 64, '', 'partitioned');
  await page.locator('h1').click();
  await page.keyboard.press('c');
  await expect(page.locator('.wall-tile')).toHaveCount(63);
  await page.getByRole('button', { name: /^kernel 42, up: open/ }).click();
  await expect(page.locator('.wall-live')).toContainText('kernel 42');
  await page.keyboard.type('cat /proc/cmdline\n', { delay: 5 });
  await expect.poll(() => page.locator('.wall-live .xterm-rows').innerText(), { timeout: 30_000 }).toContain('present_mask=42');
  expect(errors).toEqual([]);
});

test('a machine is opened from hwloc’s file; one that is broken is told of', async ({ page }) => {
  await open(page);
  const xml = writeHwloc(PRESETS.laptop);
  await page.locator('#open-file').setInputFiles({ name: 'desk.xml', mimeType: 'text/xml', buffer: Buffer.from(xml) });
  await expect(page.getByLabel('Machine', { exact: true }).first()).toContainText('4 cores');
  await expect(page.locator('.core')).toHaveCount(4);
  await page.locator('#open-file').setInputFiles({ name: 'torn.xml', mimeType: 'text/xml', buffer: Buffer.from(xml.slice(0, 500)) });
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page.locator('.core')).toHaveCount(4);
});

for (const [width, height] of [
  [1280, 720],
  [1920, 1080],
] as const) {
  test(`nothing is cut off at ${width} × ${height}`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    await open(page);
    const bar = await page.locator('.plan-bar').boundingBox();
    const count = await page.locator('#plan-error').boundingBox();
    expect((count?.x ?? Number.NaN) + (count?.width ?? 0)).toBeLessThanOrEqual((bar?.x ?? 0) + (bar?.width ?? 0));
    await boot(page, 8);
    const bad = await page.evaluate(() => {
      const { scrollWidth, scrollHeight } = document.documentElement;
      const found: string[] = scrollWidth > innerWidth || scrollHeight > innerHeight ? ['the page scrolls'] : [];
      for (const element of document.querySelectorAll<HTMLElement>(
        '.topbar button, .topbar select, .tools button, .tabs button, .kernel-bar > *, .clock, .panel-head h2',
      )) {
        const box = element.getBoundingClientRect();
        const pane = element.closest('.panel, .topbar')?.getBoundingClientRect();
        if (box.width === 0 || !pane || box.left < pane.left - 1 || box.right > pane.right + 1 || box.bottom > pane.bottom + 1)
          found.push(element.outerHTML.slice(0, 90));
      }
      if ((document.querySelector('.topbar')?.clientHeight ?? 0) > 60) found.push('the top row is more than one row');
      // Text on the picture lies within it.
      const svg = document.querySelector('.machine-svg')?.getBoundingClientRect();
      for (const text of document.querySelectorAll('.machine-svg text')) {
        const box = text.getBoundingClientRect();
        if (svg && (box.right > svg.right + 1 || box.bottom > svg.bottom + 1 || box.left < svg.left - 1))
          found.push(`text ${text.textContent}`);
      }
      return found;
    });
    expect(bad).toEqual([]);
  });
}

test('everything that can be used has a name, and text has contrast, light and dark', async ({ page }) => {
  await boot(page, 8);
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.waitForTimeout(200);
    const bad = await page.evaluate(() => {
      const found: string[] = [];
      for (const element of document.querySelectorAll(
        'button, select, input:not([hidden]), [role=button], [role=tab], canvas, [role=separator]',
      )) {
        const label = element.getAttribute('aria-label') ?? element.textContent?.trim() ?? '';
        const labelled =
          element instanceof HTMLSelectElement || element instanceof HTMLInputElement ? (element.labels?.length ?? 0) > 0 : false;
        if (label === '' && !labelled && !element.classList.contains('xterm-helper-textarea'))
          found.push(`no name: ${element.outerHTML.slice(0, 80)}`);
      }
      const style = getComputedStyle(document.documentElement);
      const light = (name: string): number => {
        const hex = style.getPropertyValue(name).trim().slice(1);
        const [r = 0, g = 0, b = 0] = [0, 2, 4]
          .map(i => Number.parseInt(hex.slice(i, i + 2), 16) / 255)
          .map(c => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ratio = (a: string, b: string): number => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
      const pairs = [
        ['--text', '--panel'],
        ['--muted', '--panel'],
        ['--muted', '--hardware'],
        ['--bad', '--panel'],
        ['--on-accent', '--accent'],
        ['--console-text', '--console'],
        ...[0, 1, 2, 3, 4, 5, 6, 7].map(k => ['--on-kernel', `--k${k}`]),
      ];
      for (const [a = '', b = ''] of pairs) if (ratio(a, b) < 4.5) found.push(`${a} on ${b}: ${ratio(a, b).toFixed(2)}`);
      for (const name of ['--edge', ...[0, 1, 2, 3, 4, 5, 6, 7].map(k => `--k${k}`)])
        if (ratio(name, '--panel') < 3) found.push(`${name} beside --panel: ${ratio(name, '--panel').toFixed(2)}`);
      return found;
    });
    expect(bad, scheme).toEqual([]);
  }
});

test('the help lists the keys; where nothing may move no dot moves', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await open(page);
  await page.locator('h1').click();
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keys and help' })).toContainText('Run or pause');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await page.getByRole('button', { name: 'Boot all' }).click();
  const places = await page.waitForFunction(
    () => {
      const [moving] = [...document.querySelectorAll('.dot')].flatMap(dot => dot.getAnimations());
      const frames = moving === undefined ? [] : (moving.effect as KeyframeEffect).getKeyframes();
      return new Set(frames.map(frame => frame['transform'])).size;
    },
    null,
    { timeout: 20_000 },
  );
  expect(await places.jsonValue()).toBe(1);
});
