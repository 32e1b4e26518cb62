// `npm run -s lab -- VERB …`: the lab without a browser. Installs what is missing, then runs main.ts in this very process: bundled, which takes a
// fifth of the time of reading each file by itself.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { install, root } from './setup.mjs';

install();
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
  entryPoints: [fileURLToPath(new URL('main.ts', import.meta.url))],
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
const folder = `${root}node_modules/.cache/lab`;
mkdirSync(folder, { recursive: true });
// Others may be about to start the same.
const own = `${folder}/main.${process.pid}.mjs`;
writeFileSync(own, outputFiles[0].contents);
renameSync(own, `${folder}/main.mjs`);
process.setSourceMapsEnabled(true);
const { main } = await import(pathToFileURL(`${folder}/main.mjs`).href);
await main(process.argv.slice(2));
