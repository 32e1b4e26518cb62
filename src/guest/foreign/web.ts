/**
 * Debian's nginx on each kernel behind the virtual switch, and Debian's ab on the client machine at the other end of the cable: as scenarios, for the
 * test, the bench and whoever opens `web.json`. Both machines' roots are made of one archive, which `npm run userland` packs.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CLIENT_KERNEL } from '../../kernel/net/parameters.ts';
import type { SwitchVersion } from '../../kernel/net/switch/settings.ts';
import { type Scenario, scenarioOf } from '../../lab/scenario.ts';

export const WEB_ARCHIVE = 'web.tar.gz';
const CACHED = fileURLToPath(new URL(`../../../node_modules/.cache/debian/${WEB_ARCHIVE}`, import.meta.url));

/**
 * The archive's path; packed when there is none yet.
 * @throws Error saying why it is not to be had
 */
export function webArchive(): string {
  if (existsSync(CACHED)) return CACHED;
  mkdirSync(dirname(CACHED), { recursive: true });
  const script = fileURLToPath(new URL('userland.mjs', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script, '-o', CACHED, 'nginx', 'apache2-utils'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr.trim());
  return CACHED;
}

/** One worker, a page of six bytes, nothing written for a request. The file tree is one: what is written has the kernel's number in its name. */
const serve = (kernel: number): string => `mkdir -p /srv /var/log/nginx /var/lib/nginx
echo hello > /srv/index.html
cat > /tmp/nginx${kernel}.conf <<END
user root;
worker_processes 1;
error_log stderr;
pid /run/nginx${kernel}.pid;
events { worker_connections 512; }
http { access_log off; open_file_cache max=16; server { listen 80; root /srv; } }
END
exec /usr/sbin/nginx -c /tmp/nginx${kernel}.conf`;

/** Printed when all serve and the load begins. */
export const READY = 'ready';

/** An ab for each kernel, all at once, as soon as all of them serve; their reports, one after the other. */
const load = (kernels: number, requests: number, concurrency: number): string => `servers="${Array.from(
  { length: kernels },
  (_, kernel) => `10.1.2.${kernel + 1}`,
).join(' ')}"
for at in $servers; do until wget -q -O /dev/null http://$at/ 2>/dev/null; do sleep 0.001; done; done
echo ${READY}
for at in $servers; do ab -q -n ${requests} -c ${concurrency} http://$at/ > /tmp/$at 2>&1 & done
wait
for at in $servers; do cat /tmp/$at; done`;

export interface WebLoad {
  /** Servers: one core each, from core 0 on. */
  readonly kernels: number;
  readonly version: SwitchVersion;
  /** Of each ab. */
  readonly requests: number;
  readonly concurrency: number;
}

export function webScenario({ kernels, version, requests, concurrency }: WebLoad): Scenario {
  const all = Array.from({ length: kernels }, (_, kernel) => kernel);
  return scenarioOf({
    title: `nginx on ${kernels} kernels, ab on the client machine`,
    plan: all.map(kernel => `${kernel}@${kernel >> 3}`).join(';'),
    boot: all,
    root: [{ name: WEB_ARCHIVE }],
    network: { client: true, switch: { version }, link: { rate: 10e9 } },
    daemons: all.map(kernel => ({ kernel, argv: ['/bin/sh', '-c', serve(kernel)] })),
    exec: {
      kernel: CLIENT_KERNEL,
      argv: ['/bin/sh', '-c', load(kernels, requests, concurrency)],
      env: ['PATH=/usr/bin:/bin', 'HOME=/root'],
      migrateEvery: 0,
    },
    inputs: [{ time: 0, kernel: CLIENT_KERNEL, input: { kind: 'stdin', bytes: new Uint8Array(0) } }],
  });
}

export interface AbReport {
  readonly complete: number;
  readonly failed: number;
  /** Seconds, virtual. */
  readonly seconds: number;
}

/** What the reports of ab in a text say. */
export function abReports(text: string): AbReport[] {
  const pattern = /^Complete requests: +(\d+)\nFailed requests: +(\d+)\n(?:.+\n)*?Requests per second: +([\d.]+)/gm;
  return [...text.matchAll(pattern)].map(([, complete, failed, rate]) => ({
    complete: Number(complete),
    failed: Number(failed),
    seconds: Number(complete) / Number(rate),
  }));
}
