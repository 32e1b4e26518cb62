// `npm test`: every check there is. The last line is `N passed, N failed`, summed over the checks, Vitest and Playwright.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { ensureBrowser } from './browser.mjs';
import { install, root, run, tool } from './setup.mjs';

install();
const reports = `${root}node_modules/.cache/reports`;
rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });
let passed = 0;
let failed = 0;

function check(title, command, args) {
  process.stdout.write(`\n── ${title}\n`);
  if (run(command, args) === 0) passed++;
  else failed++;
}

/** Counts the results of a runner's JSON report; a runner that left none has failed once. */
function count(file, read) {
  if (!existsSync(file)) {
    failed++;
    return;
  }
  const [good, bad] = read(JSON.parse(readFileSync(file, 'utf8')));
  passed += good;
  failed += bad;
}

check('format and lint', tool('biome'), ['check']);
check('types', tool('tsc'), ['-b']);
// The committed userland is what its sources make, to the byte; said, not checked, where there is no cross compiler.
if (spawnSync('riscv64-linux-gnu-gcc', ['--version'], { stdio: 'ignore' }).status === 0)
  check('userland is built from its sources', process.execPath, ['src/guest/build.mjs', '--check']);
else process.stdout.write('\n── userland: not rebuilt, as there is no riscv64-linux-gnu-gcc here\n');

process.stdout.write('\n── unit tests\n');
const vitest = run(tool('vitest'), ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${reports}/vitest.json`]);
count(`${reports}/vitest.json`, report => [
  report.numPassedTests,
  Math.max(report.numFailedTests + (report.numFailedTestSuites > 0 && report.numFailedTests === 0 ? 1 : 0), vitest === 0 ? 0 : 1),
]);

if (existsSync(`${root}playwright.config.ts`)) {
  process.stdout.write('\n── the page\n');
  const browser = ensureBrowser();
  if (browser === null) {
    process.stderr.write('no Chromium could be found or installed: set CHROMIUM to the path of one\n');
    failed++;
  } else {
    const env = { ...process.env, CHROMIUM: browser, PLAYWRIGHT_JSON_OUTPUT_NAME: `${reports}/playwright.json` };
    const playwright = run(tool('playwright'), ['test', '--reporter=list,json'], { env });
    count(`${reports}/playwright.json`, ({ stats }) => [
      stats.expected,
      Math.max(stats.unexpected + stats.flaky, playwright === 0 ? 0 : 1),
    ]);
  }
}

process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
