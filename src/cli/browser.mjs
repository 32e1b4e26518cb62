// Finds a Chromium or Chrome for the page's tests, or gets one: Playwright's own where it can be downloaded, else the distribution's.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run, tool } from './setup.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const PLACES = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium'];

/** Path of an installed browser, '' for Playwright's own; null when there is none. */
export function findBrowser() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of NAMES) if (existsSync(join(folder, name))) return join(folder, name);
  }
  return PLACES.find(place => existsSync(place)) ?? null;
}

/** The same, installing one if need be. */
export function ensureBrowser() {
  const found = findBrowser();
  if (found !== null) return found;
  process.stderr.write('no Chromium found; trying to install one …\n');
  if (run(tool('playwright'), ['install', 'chromium'], { stdio: 'ignore' }) === 0) return '';
  const apt = spawnSync('apt-get', ['--version'], { stdio: 'ignore' });
  if (apt.status === 0 && process.getuid?.() === 0) {
    run('apt-get', ['update', '-q']);
    run('apt-get', ['install', '-qy', 'chromium']);
  }
  return findBrowser();
}
