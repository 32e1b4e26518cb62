// `npm run -s lab -- VERB …`: the lab without a browser. Installs what is missing, then runs main.ts in this very process: bundled, which takes a
// fifth of the time of reading each file by itself. The bundle is kept for as long as the sources are as they were.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { install, root } from './setup.mjs';

install();
const sources = fileURLToPath(new URL('..', import.meta.url));
const state = createHash('sha256').update(statSync(`${root}package-lock.json`).mtimeMs.toString());
for (const name of readdirSync(sources, { recursive: true }).sort()) {
  if (!name.endsWith('.ts')) continue;
  const { mtimeMs, size } = statSync(join(sources, name));
  state.update(`${name} ${mtimeMs} ${size}\n`);
}
/** Bundles of older sources are kept so long (milliseconds), as somebody may be about to start one. */
const HOUR = 3_600_000;
const folder = `${root}node_modules/.cache/lab`;
const bundled = `${folder}/${state.digest('hex').slice(0, 16)}.mjs`;
if (!existsSync(bundled)) await bundle();
const { main } = await import(pathToFileURL(bundled).href);
await main(process.argv.slice(2));

async function bundle() {
  // The bundler is the one that tsx brings.
  const { build } = createRequire(createRequire(import.meta.url).resolve('tsx/package.json'))('esbuild');
  /** Each module goes on knowing where its source is. */
  const places = {
    name: 'places',
    setup: ({ onLoad }) =>
      onLoad({ filter: /\.ts$/ }, ({ path }) => ({
        contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
        loader: 'ts',
      })),
  };
  const { outputFiles } = await build({
    entryPoints: [join(sources, 'cli/main.ts')],
    plugins: [places],
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'inline',
    write: false,
    outdir: root,
    logLevel: 'error',
  });
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder))
    if (Date.now() - statSync(join(folder, name)).mtimeMs > HOUR) rmSync(join(folder, name), { force: true });
  // Others may be about to make the same.
  const own = `${bundled}.${process.pid}`;
  writeFileSync(own, outputFiles[0].contents);
  renameSync(own, bundled);
}
