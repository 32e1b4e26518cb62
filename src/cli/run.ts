/**
 * `lab run FILE`: a scenario or recording to its end. Console output of kernel k goes to stdout, where there are several by whole lines that are led
 * by its number.
 */
import { createWriteStream, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Recording, readFile, type Scenario } from '../lab/scenario.ts';
import { mapArchives } from '../lab/roots.ts';
import { machineOf } from '../lab/machine.ts';
import type { Session } from '../lab/session.ts';
import { cyclesOf } from '../lab/time.ts';
import { saveDisk } from './disk.ts';
import { engineKind, readOptions, wholeNumber } from './options.ts';
import type { EngineKind } from '../world/protocol.ts';
import { start } from './session.ts';

/** @returns 0; 1 when a kernel failed or a recording did not repeat; 2 for bad options or files */
export async function run(args: readonly string[]): Promise<number> {
  let source: Scenario | Recording;
  let hosts: number;
  let until: number;
  let engine: EngineKind;
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions(args, ['until', 'hosts', 'engine', 'trace', 'disk', 'pcap'], ['fingerprint']);
    const [file, ...more] = options.rest;
    if (file === undefined || more.length > 0)
      throw new Error(
        'one file: run FILE [--until TIME] [--hosts N] [--engine interpret|translate] [--trace FILE] [--disk FILE] [--pcap FILE] [--fingerprint]',
      );
    source = withRoot(readFile(readFileSync(file, 'utf8')), dirname(file));
    hosts = wholeNumber(options.values['hosts'], 'hosts', 1, 1, 8);
    engine = engineKind(options.values['engine']);
    const { hertz } = machineOf(source.kind === 'recording' ? source.scenario : source);
    const given = options.values['until'];
    until = given !== undefined ? cyclesOf(given, hertz) : source.kind === 'recording' ? source.end : Number.POSITIVE_INFINITY;
    if (given === undefined && source.kind === 'scenario' && source.exec === null)
      throw new Error('a scenario without a program has no end by itself: say --until TIME');
  } catch (error) {
    process.stderr.write(`run: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  let session: Session;
  try {
    session = await start(source, { hosts, engine, pcap: options.values['pcap'] });
  } catch (error) {
    process.stderr.write(`run: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  const trace = options.values['trace'] === undefined ? null : createWriteStream(options.values['trace']);
  const several = session.plan.partitions.length > 1;
  /** By kernel: the line that has not ended yet. */
  const begun = new Map<number, string>();
  const ledBy = (kernel: number, line: string): Buffer => Buffer.from(`[${kernel}] ${line}\n`, 'latin1');
  session.listen({
    output: (kernel, port, _time, bytes) => {
      if (port > 2) return;
      if (port === 2) process.stderr.write(bytes);
      else if (!several || port !== 0) process.stdout.write(bytes);
      else {
        const lines = `${begun.get(kernel) ?? ''}${Buffer.from(bytes).toString('latin1')}`.split('\n');
        begun.set(kernel, lines.pop() ?? '');
        for (const line of lines) process.stdout.write(ledBy(kernel, line));
      }
    },
    records: bytes => trace?.write(bytes),
  });
  await session.finished(until);
  const fingerprint = await session.fingerprint();
  for (const [kernel, line] of begun) if (line !== '') process.stdout.write(ledBy(kernel, line));
  const { failure } = session.status;
  if (options.values['disk'] !== undefined) await saveDisk(session, options.values['disk']);
  session.close();
  trace?.end();
  if (failure !== null) process.stderr.write(`run: kernel ${failure.kernels.join(', ')} failed: ${failure.message}\n`);
  const wanted = source.kind === 'recording' && options.values['until'] === undefined ? source.fingerprint : fingerprint;
  if (wanted !== fingerprint) process.stderr.write(`run: the recording says ${wanted}, this run is ${fingerprint}\n`);
  if (options.flags.has('fingerprint')) process.stderr.write(`${fingerprint}\n`);
  return failure !== null || wanted !== fingerprint ? 1 : 0;
}

/** With the archives that it names and that lie beside it. @throws Error */
function withRoot<T extends Scenario | Recording>(source: T, folder: string): T {
  const filled = (scenario: Scenario): Scenario =>
    mapArchives(scenario, ({ name, bytes }) => ({ name, bytes: bytes ?? readFileSync(join(folder, name)) }));
  return source.kind === 'recording' ? { ...source, scenario: filled(source.scenario) } : (filled(source as Scenario) as T);
}
