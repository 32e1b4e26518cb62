// `npm start`: installs what is missing, builds the page, serves it and prints its address.
import { install, run, tool } from './setup.mjs';

install();
const built = run(tool('vite'), ['build', '--logLevel', 'warn']);
if (built !== 0) process.exit(built);
process.exit(run(tool('vite'), ['preview', ...process.argv.slice(2)]));
