/** Kernels and cores change while it runs, by pointer, by button and by word; what the page shows is what the kernels say. */
import { expect, type Page, test } from '@playwright/test';

const shell = (page: Page): Promise<string> => page.locator('.shell .xterm-rows').innerText();
const kernel = (page: Page, number: number) => page.locator(`.kernel-card[data-kernel="${number}"]`);
const middle = async (page: Page, place: string): Promise<[number, number]> => {
  const box = await page.locator(place).boundingBox();
  if (box === null) throw new Error(`${place} is not on the picture`);
  return [box.x + box.width / 2, box.y + box.height / 2];
};
/** Drags a core, a device or memory to a core. */
const drag = async (page: Page, what: string, core: number): Promise<void> => {
  await page.mouse.move(...(await middle(page, what)));
  await page.mouse.down();
  await page.mouse.move(...(await middle(page, `[data-core="${core}"]`)), { steps: 5 });
  await page.mouse.up();
};
const order = async (page: Page, text: string): Promise<void> => {
  await page.getByRole('combobox', { name: 'Order to the kernels' }).fill(text);
  await page.keyboard.press('Enter');
};

test('cores and devices are dragged from kernel to kernel; kernels are booted, halted, and end by a fault', async ({ page }) => {
  await page.goto('/');
  await page.getByRole('textbox', { name: 'Partitions' }).fill('0-7@0;8-15@1');
  await page.getByRole('button', { name: 'Boot all' }).click();
  await expect.poll(() => shell(page), { timeout: 30_000 }).toContain('/ #');
  await expect(kernel(page, 1)).toHaveAttribute('data-state', '2');

  await drag(page, '[data-core="5"]', 12);
  await expect(kernel(page, 1)).toHaveAttribute('aria-label', /cores 5,8-15/);
  await expect(kernel(page, 0)).toHaveAttribute('aria-label', /cores 0-4,6-7/);

  await page.locator('[data-device="nic0"]').focus();
  await page.keyboard.press('m');
  await page.keyboard.press('1');
  await expect(page.locator('[data-device="nic0"]')).toHaveAttribute('aria-label', /of kernel 1/);
  await page.locator('[data-device="nic0"]').click();
  await page.getByLabel('The card, or a function of it').selectOption('nic0.3');
  await page.getByRole('textbox', { name: 'to kernel' }).fill('0');
  await expect(page.locator('.facts')).toContainText('disk0, nic0.3');
  await drag(page, '[data-device="disk0"]', 12);
  await expect(page.locator('[data-device="disk0"]')).toHaveAttribute('aria-label', /of kernel 1/);

  await order(page, 'boot --cpus 16-19 --mem 32M@2');
  await expect(kernel(page, 2)).toHaveAttribute('data-state', '2');
  await expect(kernel(page, 2)).toHaveAttribute('aria-label', /kernel 2, up, cores 16-19/);
  await drag(page, '[data-core="40"]', 12);
  await expect(kernel(page, 1)).toHaveAttribute('aria-label', /cores 5,8-15,40/);
  await order(page, 'boot --cpus 16 --mem 32M@2');
  await expect(page.getByRole('alert')).toContainText('core 16 belongs to kernel 2, which is up');

  await page.getByLabel('Console of').selectOption('2');
  await page.getByRole('button', { name: 'Halt', exact: true }).click();
  await expect(kernel(page, 2)).toHaveAttribute('data-state', '3');
  await page.getByRole('button', { name: 'Boot kernel 2' }).click();
  await expect(kernel(page, 2)).toHaveAttribute('data-state', '2');

  await order(page, 'panic 1');
  await expect(kernel(page, 1)).toHaveAttribute('data-state', '4');
  await page.getByLabel('Console of').selectOption('0');
  await page.locator('.shell textarea').focus();
  await page.keyboard.type('sleep 0.5; kernels\n', { delay: 5 });
  await expect.poll(() => shell(page), { timeout: 20_000 }).toMatch(/1\s+off/);
});

test('memory is dragged from kernel to kernel: in the plan before power-on, by order while it runs, and by keys', async ({ page }) => {
  const plan = page.getByRole('textbox', { name: 'Partitions' });
  const memory = (part: string) => page.locator(`[data-memory="${part}"]`);
  await page.goto('/');
  await plan.fill('0-7@0;8-15@1');
  await drag(page, '[data-memory="0/0"]', 12);
  await expect(plan).toHaveValue('0-7@0;8-15@1,16M@0');
  await expect(memory('0/1')).toHaveAttribute('aria-label', /^16 MiB of node 0, of kernel 1/);
  await memory('0/0').focus();
  await page.keyboard.press('m');
  await page.getByRole('textbox', { name: 'MiB of memory' }).fill('236');
  await page.getByRole('textbox', { name: 'to kernel' }).fill('1');
  await expect(page.getByRole('alert')).toContainText('kernel 0 would have 4 MiB of memory; it needs 8');
  await expect(plan).toHaveValue('0-7@0;8-15@1,16M@0');

  await page.getByRole('button', { name: 'Boot all' }).click();
  await expect(kernel(page, 1)).toHaveAttribute('data-state', '2', { timeout: 30_000 });
  await memory('1/1').focus();
  await page.keyboard.press('m');
  await page.getByRole('textbox', { name: 'MiB of memory' }).fill('32');
  await page.getByRole('textbox', { name: 'to kernel' }).fill('0');
  await expect(memory('1/0')).toHaveAttribute('aria-label', /^32 MiB of node 1, of kernel 0/);
  await drag(page, '[data-memory="3/free"]', 4);
  await expect(memory('3/0')).toHaveAttribute('aria-label', /^32 MiB of node 3, of kernel 0/);
  await expect(memory('3/free')).toHaveAttribute('aria-label', /^224 MiB of node 3, nobody’s/);
  await drag(page, '[data-memory="0/1"]', 20);
  await expect(memory('0/1')).toHaveAttribute('aria-label', /^16 MiB/);
  await order(page, 'fault 0 memory 1000');
  await drag(page, '[data-memory="0/0"]', 12);
  await expect(page.getByRole('alert')).toContainText('mv-mem 32M@0 0 1: kernel 0 has too little memory left to move');
});
