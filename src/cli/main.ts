/** `npm run -s lab -- VERB …`: the lab without a browser. */
import { exec } from './exec.ts';
import { plan } from './plan.ts';
import { run } from './run.ts';
import { topology } from './topology.ts';

const USAGE = `usage: lab VERB …
  exec [--machine M] [--plan P] [--kernel K|client] [--root DIR] [--with ARCHIVES] [--migrate-every TIME] [--hosts N] [--seed N] [--engine interpret|translate]
       [--memory flat|numa] [--disk FILE] [--no-caches] [--client] [--client-with ARCHIVES] [--switch user|kernel|rings]
       [--daemon '[KERNELS|client:]COMMAND'] [--pcap FILE] [--fingerprint] -- PROGRAM [ARG…]
  run FILE [--until TIME] [--hosts N] [--engine interpret|translate] [--trace FILE] [--disk FILE] [--pcap FILE] [--fingerprint]
  plan [PLAN] [--machine M] [--memory flat|numa]
  topology FILE.xml|MACHINE [--of xml]
  bench [NAME]
`;

export async function main(argv: readonly string[]): Promise<void> {
  const [verb, ...rest] = argv;
  const end = rest.indexOf('--');
  if (rest.slice(0, end < 0 ? rest.length : end).includes('--help')) return void process.stdout.write(USAGE);
  process.exitCode = await dispatch(verb, rest);
}

async function dispatch(verb: string | undefined, rest: readonly string[]): Promise<number> {
  switch (verb) {
    case 'exec':
      return await exec(rest);
    case 'run':
      return await run(rest);
    case 'plan':
      return plan(rest);
    case 'topology':
      return topology(rest);
    case 'bench':
      return await (await import('./bench.ts')).bench(rest);
    case '--help':
    case '-h':
    case 'help':
      process.stdout.write(USAGE);
      return 0;
    default:
      process.stderr.write(verb === undefined ? USAGE : `lab: there is no verb ${verb}\n${USAGE}`);
      return 2;
  }
}
