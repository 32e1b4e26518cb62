/** The page in a real browser: from the click on “Boot all” until every console shows its prompt. */
import { build, preview } from 'vite';
import { findBrowser } from '../browser.mjs';

const PROMPT = '/ #';
const ROOT = new URL('../../../', import.meta.url).pathname;

/** A script for the page, as text: it clicks, looks at the wall of consoles at each frame, and gives the milliseconds that it took. */
const timed = (kernels: number): string => `new Promise((resolve, reject) => {
  const prompts = () =>
    [...document.querySelectorAll('.wall-tile pre, .wall-live .xterm-rows')].filter(each => each.textContent.includes('${PROMPT}')).length;
  const from = performance.now();
  const look = () => {
    document.querySelector('[data-tab=wall][aria-selected=false]')?.click();
    if (performance.now() - from > 60000) reject(new Error('no ${kernels} prompts within a minute'));
    else if (prompts() >= ${kernels}) resolve(performance.now() - from);
    else requestAnimationFrame(look);
  };
  [...document.querySelectorAll('button')].find(each => each.textContent.includes('Boot all')).click();
  look();
})`;

/** A served page; `toPrompts` may be called again and again. @throws Error where there is no browser */
export async function openPage(): Promise<{ toPrompts(plan: string, kernels: number): Promise<number>; close(): Promise<void> }> {
  const executablePath = findBrowser();
  if (executablePath === null) throw new Error('no Chromium or Chrome here');
  await build({ root: ROOT, logLevel: 'error' });
  const server = await preview({ root: ROOT, logLevel: 'error', preview: { port: 4187 } });
  const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  // Large, and wanted here alone.
  const { chromium } = await import('@playwright/test');
  const browser = await chromium.launch({ executablePath, args });
  return {
    /** Milliseconds of wall time. */
    async toPrompts(plan, kernels) {
      const page = await browser.newPage({ viewport: { width: 1920, height: 1080 } });
      await page.goto('http://localhost:4187/');
      await page.getByRole('textbox', { name: 'Partitions' }).fill(plan);
      const time = await page.evaluate<number>(timed(kernels));
      await page.close();
      return time;
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
