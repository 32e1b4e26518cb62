/** The page in a real browser: a machine is partitioned, kernels boot, a program runs and moves. */
import { expect, type Page, test } from '@playwright/test';

/** Text of the terminal that is shown. */
const shell = (page: Page): Promise<string> => page.locator('.shell .xterm-rows').innerText();

async function boot(page: Page, kernels: number, query = ''): Promise<string[]> {
  const errors: string[] = [];
  page.on('pageerror', error => errors.push(error.message));
  await page.goto(`/${query}`);
  await page.getByRole('button', { name: 'Boot all' }).click();
  await expect(page.locator('.kernel-card[data-state="2"]')).toHaveCount(kernels, { timeout: 30_000 });
  await expect.poll(() => shell(page), { timeout: 20_000 }).toContain('/ #');
  return errors;
}

async function type(page: Page, text: string): Promise<void> {
  await page.locator('.shell textarea').focus();
  await page.keyboard.type(`${text}\n`, { delay: 5 });
}

test('is isolated, so that kernels run in several Workers', async ({ page }) => {
  await page.goto('/');
  expect(await page.evaluate(() => globalThis.crossOriginIsolated)).toBe(true);
  await expect(page.getByText('one Worker')).toHaveCount(0);
});

test('eight kernels boot on the Opteron, a program runs, is dragged to another kernel, and goes on', async ({ page }) => {
  const errors = await boot(page, 8, '?hosts=2');
  await type(page, 'spin &');
  await expect.poll(() => shell(page), { timeout: 20_000 }).toContain('of kernel 0');
  await page.locator('.chip', { hasText: 'spin' }).dragTo(page.locator('.kernel-card[data-kernel="5"]'));
  await expect(page.locator('.kernel-card[data-kernel="5"] .chip', { hasText: 'spin' })).toBeVisible({ timeout: 20_000 });
  await expect.poll(() => shell(page), { timeout: 20_000 }).toMatch(/round \d+ on cpu 4[0-7] of kernel 5/);
  // By keyboard it goes on to a third one.
  await page.getByLabel(/Move process/).selectOption('2');
  await expect.poll(() => shell(page), { timeout: 20_000 }).toMatch(/round \d+ on cpu (1[6-9]|2[0-3]) of kernel 2/);
  // The messages that did it can be read.
  await page.getByRole('tab', { name: 'Messages' }).click();
  await page.getByLabel('Console of').selectOption('5');
  await expect(page.locator('.message-list')).toContainText('CREATE_PROCESS_PAIRING', { timeout: 10_000 });
  expect(errors).toEqual([]);
});

test('a console is a console: ps of all kernels, job control, a file dropped on the page', async ({ page }) => {
  await boot(page, 8);
  await type(page, 'ps | grep -c init');
  await expect.poll(() => shell(page), { timeout: 20_000 }).toMatch(/^[89]\s*$/m);
  const data = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(['#!/bin/sh\necho from outside\n'], 'hello.sh'));
    return transfer;
  });
  await page.dispatchEvent('.app', 'drop', { dataTransfer: data });
  await expect(page.locator('.notice')).toContainText('/mnt/hello.sh');
  await type(page, '/mnt/hello.sh');
  await expect.poll(() => shell(page), { timeout: 20_000 }).toContain('from outside');
});

test('a program for another machine is refused where it was dropped', async ({ page }) => {
  await page.goto('/');
  const data = await page.evaluateHandle(() => {
    const bytes = new Uint8Array(128);
    bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    bytes[16] = 2;
    bytes[18] = 62;
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], 'ls'));
    return transfer;
  });
  await page.dispatchEvent('.app', 'drop', { dataTransfer: data });
  await expect(page.getByRole('alert')).toContainText('ls can’t run here: it is for another processor (x86-64)');
});

test('partitions are drawn by mouse or typed, and nonsense is told where it was entered', async ({ page }) => {
  await page.goto('/');
  const core = (id: number) => page.locator(`[data-core="${id}"] .core-box`);
  const from = await core(0).boundingBox();
  const to = await core(3).boundingBox();
  if (!from || !to) throw new Error('no cores');
  await page.mouse.move(from.x + 4, from.y + 4);
  await page.mouse.down();
  await page.mouse.move(to.x + to.width - 4, to.y + to.height - 4, { steps: 5 });
  await page.mouse.up();
  await expect(page.getByText('4 cores picked')).toBeVisible();
  await page.getByRole('button', { name: 'Make them a kernel' }).click();
  await expect(page.locator('#plan-error')).toContainText('9 kernels');
  const plan = page.getByRole('textbox', { name: 'Partitions' });
  await plan.fill('0-7@0;7-9@1');
  await expect(page.getByRole('alert')).toHaveText('core 7 is given to kernel 0 and to kernel 1');
  await plan.fill('0-7@0;8-99@1');
  await expect(page.getByRole('alert')).toContainText('the machine has no core 64');
  await expect(page.getByRole('button', { name: 'Boot all' })).toBeDisabled();
});

test('where memory can’t be shared one Worker runs all kernels, and the page says so', async ({ page }) => {
  await boot(page, 8, '?shared=no');
  await expect(page.getByText('one Worker')).toBeVisible();
  await type(page, 'kernels | wc -l');
  await expect.poll(() => shell(page), { timeout: 20_000 }).toMatch(/^9\s*$/m);
});

test('time stands still when paused and goes on by steps', async ({ page }) => {
  await boot(page, 8);
  const clock = page.locator('.clock');
  await page.getByRole('button', { name: 'Pause' }).click();
  // What was under way comes to its end first.
  let before: string | null = null;
  await expect(async () => {
    before = await clock.textContent();
    await page.waitForTimeout(400);
    expect(await clock.textContent()).toBe(before);
  }).toPass();
  await page.waitForTimeout(400);
  expect(await clock.textContent()).toBe(before);
  await page.getByLabel('Step to the next').selectOption('message');
  await expect.poll(() => clock.textContent()).not.toBe(before);
  await page.getByRole('button', { name: 'Run' }).click();
});
