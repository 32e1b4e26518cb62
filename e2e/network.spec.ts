/** The network as the page shows it: a ping between kernels, frame by frame, and through the wire to the client machine. */
import { expect, test } from '@playwright/test';

test('a ping is seen frame by frame; the switch is exchanged; the client machine has a console', async ({ page }) => {
  const errors: string[] = [];
  page.on('pageerror', error => errors.push(error.message));
  await page.goto('/?hosts=2');
  await page.getByLabel('Plan').selectOption('own');
  await page.locator('.plan-text input').fill('0-7@0;8-15@1');
  await page.getByLabel('client machine').check();
  await page.getByRole('button', { name: 'Boot all' }).click();
  await expect(page.locator('.kernel-card[data-state="2"]')).toHaveCount(2, { timeout: 30_000 });
  const shell = page.locator('.shell .xterm-rows');
  await expect.poll(() => shell.innerText(), { timeout: 20_000 }).toContain('/ #');
  await page.locator('.shell textarea').focus();
  await page.keyboard.type('ping -c 2 10.1.2.2\n', { delay: 5 });
  await expect.poll(() => shell.innerText(), { timeout: 20_000 }).toContain('2 packets transmitted');

  await page.getByRole('tab', { name: 'Network' }).click();
  const filter = page.getByLabel(/Filter the packets/);
  await filter.fill('icmp 10.1.2.2');
  const rows = page.getByRole('table', { name: /^Packets/ }).locator('tbody tr');
  await expect(rows).toHaveCount(4);
  await expect(rows.first()).toContainText('10.1.2.1 → 10.1.2.2 echo request');
  await filter.fill('icmp 1>0');
  await expect(rows).toHaveCount(2);
  await expect(rows.first()).toContainText('10.1.2.2 → 10.1.2.1 echo reply');
  await rows.first().click();
  const chosen = page.getByLabel('The chosen packet');
  await expect(chosen.getByLabel('ICMP', { exact: true })).toContainText('echo reply');
  await expect(chosen.locator('pre')).toContainText('02 50 4f 50');
  await page.getByRole('button', { name: 'Latest' }).click();

  const kernelVersion = page.getByRole('button', { name: 'Switch: version kernel' });
  await kernelVersion.click();
  await expect(kernelVersion).toHaveAttribute('aria-pressed', 'true', { timeout: 10_000 });

  await page.getByLabel('Console of').selectOption({ label: 'client' });
  await page.getByRole('tab', { name: 'Shell' }).click();
  await page.locator('.shell textarea').focus();
  await page.keyboard.type('ping -c 1 10.1.2.2\n', { delay: 5 });
  await expect.poll(() => shell.innerText(), { timeout: 20_000 }).toContain('1 packets transmitted, 1');
  await page.getByRole('tab', { name: 'Network' }).click();
  await filter.fill('icmp wire 127>0');
  await expect(rows).toHaveCount(1);
  expect(errors).toEqual([]);
});
