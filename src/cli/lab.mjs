// `npm run -s lab -- VERB …`: the lab without a browser. Installs what is missing, then runs main.ts in this very process.
import { install } from './setup.mjs';

install();
const { register } = await import('tsx/esm/api');
register();
const { main } = await import('./main.ts');
await main(process.argv.slice(2));
