/** The network as the page shows it: a ping between kernels, frame by frame, a page over TCP, and the wire to the client machine. */
import { expect, type Page, test } from '@playwright/test';

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
  const packets = page.getByRole('button', { name: /^Packets as they pass/ });
  await packets.click();
  const dot = page.waitForSelector('.dot[data-look="packet"]', { state: 'attached' });
  await page.locator('.shell textarea').focus();
  await page.keyboard.type('ping -c 2 10.1.2.2\n', { delay: 5 });
  await dot;
  await expect.poll(() => shell.innerText(), { timeout: 20_000 }).toContain('2 packets transmitted');

  await expect(page.getByRole('region', { name: 'Packets of kernel 0 as they pass' })).toContainText('10.1.2.2 → 10.1.2.1 echo reply');
  await packets.click();

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

  await page.getByLabel('Console of').selectOption('0');
  await page.getByRole('tab', { name: 'Shell' }).click();
  await page.locator('.shell textarea').focus();
  await page.keyboard.type('echo here it is > /tmp/index.html; httpd -h /tmp\n', { delay: 5 });
  await page.getByLabel('Console of').selectOption({ label: 'client' });
  await page.locator('.shell textarea').focus();
  await page.keyboard.type('wget -O - http://10.1.2.1/\n', { delay: 5 });
  await expect.poll(() => shell.innerText(), { timeout: 20_000 }).toContain('here it is');
  await page.getByRole('tab', { name: 'Network' }).click();

  await filter.fill('tcp port');
  await expect(page.getByRole('alert')).toHaveText('a number is missing after “port”');
  await filter.fill('tcp port 80 and psh');
  await rows.first().focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Follow stream' }).click();
  const stream = page.getByRole('log', { name: /^Stream of/ });
  await expect(stream.locator('section').first()).toContainText('GET / HTTP/1');
  await expect(stream.locator('section').nth(1)).toContainText('here it is');
  await page.getByRole('button', { name: 'Back to the packets' }).click();

  await page.getByRole('tab', { name: 'Connections' }).click();
  const connection = page.getByRole('table', { name: /^TCP connections/ }).locator('tbody tr');
  await expect(connection).toHaveCount(1);
  await expect(connection).toContainText(/10\.1\.1\.63:\d+.*10\.1\.2\.1:80/);
  await connection.click();
  expect(await faults(page)).toEqual([]);
  await expect(page.getByRole('slider', { name: /^Round trip/ })).toHaveAttribute('aria-valuetext', /smoothed at most [\d.]+ µs/);
  await page.getByRole('tab', { name: 'Ports' }).click();
  await page.getByRole('table', { name: 'Ports of the switch' }).locator('tbody tr').last().click();
  await page.getByLabel('How far back charts look').selectOption({ label: '16 s' });
  await expect(page.getByRole('slider', { name: /^Rings/ })).toHaveAttribute('aria-valuetext', /to the hub at most [1-9]/);
  expect(await faults(page)).toEqual([]);
  expect(errors).toEqual([]);
});

/** What has no name, and tables that are wider than their place. */
const faults = (page: Page): Promise<string[]> =>
  page
    .locator('.console-view')
    .evaluate(view => [
      ...[...view.querySelectorAll('button, select, input, [role=slider], [role=tab], [role=img], table')]
        .filter(each => !each.getAttribute('aria-label') && !each.textContent?.trim())
        .map(each => `no name: ${each.outerHTML.slice(0, 80)}`),
      ...[...view.querySelectorAll('.line-list')]
        .filter(each => each.scrollWidth > each.clientWidth)
        .map(each => `${each.scrollWidth} wide, in ${each.clientWidth}`),
    ]);
