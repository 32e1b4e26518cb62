/**
 * The talk's web server under load: Debian's nginx on one kernel and on more of them, a core each, behind the virtual switch; Debian's ab on the
 * client machine loads all at once. Requests a second are virtual: all that were made, from when the first ab began to when the last one was done.
 * (An ab begins when it first connects, ten to twenty milliseconds after it was started, as the client's kernel tells; how long it took, it says.) Beside
 * them what the load cost here, without the boot but with all that warms up: wall time over virtual time, and CPU time for a request.
 *
 *     WEB_REQUESTS=10000 WEB_KERNELS=1 WEB_CONCURRENCY=1,16,64 WEB_HOSTS=1,2,4 npm run -s lab -- bench web
 *
 * Requests are those of all kernels together. With several numbers of hosts each run is repeated, and the fingerprints must be the same.
 */
import { readFileSync } from 'node:fs';
import { type AbReport, abReports, READY, webArchive, webScenario } from '../../guest/foreign/web.ts';
import { addressOfKernel, CLIENT_KERNEL } from '../../kernel/net/parameters.ts';
import { SWITCH_VERSIONS } from '../../kernel/net/switch/settings.ts';
import { TCP_STATE } from '../../kernel/net/tcp/endpoint.ts';
import { TraceKind } from '../../kernel/trace.ts';
import { mapArchives } from '../../lab/roots.ts';
import { start } from '../session.ts';
import { type Figure, recordsIn } from './observe.ts';

const numbersOf = (name: string, usual: readonly number[]): readonly number[] => process.env[name]?.split(',').map(Number) ?? usual;

/** Each figure as soon as it is there. @throws Error where Debian's packages are not to be had, a request fails, or hosts make a difference */
export async function* webServer(): AsyncGenerator<Figure> {
  const bytes = new Uint8Array(readFileSync(webArchive()));
  const [requests = 0] = numbersOf('WEB_REQUESTS', [4000]);
  const hosts = numbersOf('WEB_HOSTS', [1]);
  const versions = process.env['WEB_VERSIONS']?.split(',') ?? SWITCH_VERSIONS;
  for (const version of SWITCH_VERSIONS.filter(each => versions.includes(each))) {
    for (const kernels of numbersOf('WEB_KERNELS', [1, 2, 4, 8, 16])) {
      for (const concurrency of numbersOf('WEB_CONCURRENCY', [16])) {
        const scenario = webScenario({ kernels, version, concurrency, requests: Math.ceil(requests / kernels) });
        const runs: Run[] = [];
        for (const count of hosts)
          runs.push(
            await measure(
              mapArchives(scenario, ({ name }) => ({ name, bytes })),
              count,
            ),
          );
        const [run] = runs;
        if (run === undefined || runs.some(({ fingerprint }) => fingerprint !== run.fingerprint))
          throw new Error(`hosts ${hosts.join(', ')} make a difference: ${runs.map(({ fingerprint }) => fingerprint).join(', ')}`);
        const reports = abReports(run.out);
        const failed = reports.reduce((sum, each) => sum + each.failed, 0);
        const complete = reports.reduce((sum, each) => sum + each.complete, 0);
        if (failed > 0 || reports.length !== kernels || complete < requests) throw new Error(`requests have failed: ${run.out}`);
        const seconds = spanOf(run.begun, reports);
        yield {
          what: `${version}, ${kernels} kernels, concurrency ${concurrency}, ${complete} requests, none failed`,
          value: [
            `${(complete / seconds).toFixed(0)} requests a second, virtual`,
            `wall ${(run.wall / seconds).toFixed(0)} × virtual`,
            `${((1000 * run.cpu) / complete).toFixed(2)} ms of CPU each`,
            `${run.fingerprint}${hosts.length > 1 ? ` with ${hosts.join(', ')} hosts` : ''}`,
          ].join('; '),
        };
      }
    }
  }
}

/** Seconds from when the first ab began to when the last one was done. */
const spanOf = (begun: readonly number[], reports: readonly AbReport[]): number =>
  Math.max(...reports.map(({ seconds }, i) => (begun[i] ?? Number.NaN) + seconds)) - Math.min(...begun);

interface Run {
  readonly out: string;
  readonly fingerprint: string;
  /** By server: when it was first connected to, in virtual seconds. */
  readonly begun: readonly number[];
  /** Seconds; of the CPU: all threads of this process. */
  readonly wall: number;
  readonly cpu: number;
}

async function measure(scenario: ReturnType<typeof webScenario>, hosts: number): Promise<Run> {
  const session = await start(scenario, { hosts });
  let out = '';
  let [from, used] = [performance.now(), process.cpuUsage()];
  /** Cycles: when all served, and when which address was connected to. */
  let ready = 0;
  const opened: (readonly [time: number, remote: number])[] = [];
  session.listen({
    output: (_kernel, port, time, bytes) => {
      if (port !== 1 && port !== 2) return;
      const text = Buffer.from(bytes).toString('latin1');
      out += text;
      if (!text.startsWith(READY)) return;
      ready = time;
      [from, used] = [performance.now(), process.cpuUsage()];
    },
    records: batch => {
      for (const { kind, kernel, time, b: remote, d } of recordsIn(batch))
        if (kind === TraceKind.TcpState && kernel === CLIENT_KERNEL && (d & 0xff) === TCP_STATE.SYN_SENT) opened.push([time, remote]);
    },
  });
  await session.finished();
  const wall = (performance.now() - from) / 1000;
  const { user, system } = process.cpuUsage(used);
  const fingerprint = await session.fingerprint();
  const { failure } = session.status;
  session.close();
  if (failure !== null) throw new Error(failure.message);
  const begun = scenario.boot.map(kernel => {
    const [time = Number.NaN] = opened.find(each => each[0] > ready && each[1] === addressOfKernel(kernel)) ?? [];
    return time / session.topology.hertz;
  });
  return { out, fingerprint, begun, wall, cpu: (user + system) / 1e6 };
}
