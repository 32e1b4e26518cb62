/** The processor of one task, in the page: held, stepped, stopped at breakpoints, let go. */
import { expect, type Page, test } from '@playwright/test';

const shell = (page: Page): Promise<string> => page.locator('.shell .xterm-rows').innerText();

async function spinning(page: Page): Promise<void> {
  await page.goto('/');
  await page.getByRole('button', { name: 'Boot all' }).click();
  await expect.poll(() => shell(page), { timeout: 30_000 }).toContain('/ #');
  await page.locator('.shell textarea').focus();
  await page.keyboard.type('spin &\n', { delay: 5 });
  await expect.poll(() => shell(page), { timeout: 20_000 }).toContain('round 1');
  await page.getByRole('tab', { name: 'Processor' }).click();
  const choice = page.getByLabel('Process to look into');
  await choice.selectOption((await choice.locator('option', { hasText: 'spin' }).getAttribute('value')) ?? '');
}

const current = (page: Page) => page.locator('.code-line[aria-current=true]');

test('a process is held, stepped by instruction, stopped at a breakpoint, and let go', async ({ page }) => {
  await spinning(page);
  await page.getByRole('button', { name: 'Hold', exact: true }).click();
  await expect(page.locator('.processor-state')).toHaveText('stopped');
  await expect(page.getByLabel('Code', { exact: true })).toContainText('spin');
  await expect(page.locator('.engine-badge')).toHaveText(/^(translated|interpreted)$/);

  // Each step goes on by one line, or along a branch; a register changes now and then.
  const seen: string[] = [];
  for (let i = 0; i < 6; i++) {
    const before = await current(page).innerText();
    seen.push(before);
    await page.keyboard.press('F10');
    await expect.poll(() => current(page).innerText()).not.toBe(before);
  }
  await expect(page.locator('.processor-state')).toHaveText('stepped');
  expect(new Set(seen).size).toBeGreaterThan(3);

  // A breakpoint where it is, by keyboard: the loop comes back to it.
  const there = await current(page).innerText();
  await current(page).focus();
  await page.keyboard.press('Enter');
  await expect(current(page)).toHaveAttribute('aria-pressed', 'true');
  await page.keyboard.press('x');
  await expect(page.locator('.processor-state')).toHaveText('at a breakpoint', { timeout: 20_000 });
  expect(await current(page).innerText()).toBe(there);

  await page.getByRole('button', { name: 'Let go', exact: true }).click();
  await expect(page.locator('.processor-state')).toHaveText('runs freely');
  await page.getByRole('tab', { name: 'Shell' }).click();
  const rounds = async (): Promise<number> => Number([...(await shell(page)).matchAll(/round (\d+)/g)].at(-1)?.[1] ?? 0);
  const before = await rounds();
  await expect.poll(rounds, { timeout: 20_000 }).toBeGreaterThan(before);
});

test('pages that kernels share are shown with who holds them, and a thread that computes elsewhere', async ({ page }) => {
  await page.goto('/');
  await page.getByRole('button', { name: 'Boot all' }).click();
  await expect.poll(() => shell(page), { timeout: 30_000 }).toContain('/ #');
  await page.locator('.shell textarea').focus();
  const spread = 'for t in $(ls /proc/$!/task); do [ $t = $! ] || migrate --thread $t 5; done';
  await page.keyboard.type(`/usr/lib/tests/spread x > /dev/null & sleep 0.01; ${spread}; /usr/lib/tests/shared 9 > /dev/null &\n`);
  await page.getByRole('tab', { name: 'Processor' }).click();
  const choice = page.getByLabel('Process to look into');
  await expect(choice.locator('option', { hasText: 'shared' }).first()).toBeAttached({ timeout: 30_000 });
  await choice.selectOption((await choice.locator('option', { hasText: 'spread' }).getAttribute('value')) ?? '');
  const tables = page.getByLabel('Pages that kernels share').locator('table');
  await expect(tables.filter({ hasText: 'Process' }).locator('thead')).toContainText('5', { timeout: 30_000 });
  await expect(tables.filter({ hasText: 'Process' }).locator('.holding').first()).toHaveText(/^[MS]$/);
  await expect(tables.filter({ hasText: 'Shared memory' }).locator('thead')).toContainText('1', { timeout: 30_000 });
});
