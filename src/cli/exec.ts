/** `lab exec … -- PROGRAM [ARG…]`: boots, runs the program, and is as if it had been run here. */
import { constants } from 'node:os';
import { writeSync } from 'node:fs';
import { type Scenario, scenarioOf } from '../lab/scenario.ts';
import { resolvePlan } from '../lab/plan.ts';
import { cyclesOf } from '../lab/time.ts';
import { archiveOf } from './archive.ts';
import { readOptions, wholeNumber } from './options.ts';
import { embeddedRoot, start } from './session.ts';
import { machineNamed } from './topology.ts';

const ENVIRONMENT = ['PATH=/usr/bin:/bin', 'HOME=/root'];

/** @returns the program's exit status, as a shell has it; 2 for bad options */
export async function exec(args: readonly string[]): Promise<number> {
  let prepared: { scenario: Scenario; hosts: number; root: Uint8Array; fingerprint: boolean };
  try {
    prepared = prepare(args);
  } catch (error) {
    process.stderr.write(`exec: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  const { scenario, hosts, root, fingerprint } = prepared;
  const session = await start(scenario, { hosts, rootArchive: root });
  session.listen({ output: (_kernel, port, _time, bytes) => {
    if (port === 1 || port === 2) writeAll(port, bytes);
  } });
  const kernel = scenario.exec?.kernel ?? 0;
  process.stdin.on('data', (bytes: Buffer) => session.input(kernel, { kind: 'stdin', bytes: new Uint8Array(bytes) }));
  process.stdin.on('end', () => session.input(kernel, { kind: 'stdin', bytes: new Uint8Array(0) }));
  process.stdin.on('error', () => session.input(kernel, { kind: 'stdin', bytes: new Uint8Array(0) }));
  await session.finished();
  const { exitStatus, failure } = session.status;
  if (failure !== null) process.stderr.write(`lab: kernel ${failure.kernels.join(', ')} failed: ${failure.message}\n`);
  if (fingerprint) process.stderr.write(`${await session.fingerprint()}\n`);
  session.close();
  process.stdin.destroy();
  if (exitStatus === null) return 125;
  const signal = exitStatus & 0x7f;
  return signal === 0 ? (exitStatus >> 8) & 0xff : 128 + signal;
}

function prepare(args: readonly string[]): { scenario: Scenario; hosts: number; root: Uint8Array; fingerprint: boolean } {
  const dashes = args.indexOf('--');
  const { values, flags, rest } = readOptions(
    dashes < 0 ? args : args.slice(0, dashes), ['machine', 'plan', 'kernel', 'root', 'migrate-every', 'hosts', 'seed'], ['fingerprint'],
  );
  const argv = [...rest, ...(dashes < 0 ? [] : args.slice(dashes + 1))].map((text) => Buffer.from(text).toString('latin1'));
  if (argv.length === 0) throw new Error('no program: exec [OPTION…] -- PROGRAM [ARG…]');
  const { topology, xml } = machineNamed(values['machine'] ?? 'opteron-6274');
  const plan = values['plan'] ?? 'smp';
  const { partitions } = resolvePlan(plan, topology);
  const kernel = wholeNumber(values['kernel'], 'kernel', 0, 0, partitions.length - 1);
  const migrateEvery = values['migrate-every'] === undefined ? 0 : cyclesOf(values['migrate-every'], topology.hertz);
  if (values['migrate-every'] !== undefined && migrateEvery <= 0) throw new Error('--migrate-every: the time must be more than nothing');
  return {
    hosts: wholeNumber(values['hosts'], 'hosts', 1, 1, 8),
    root: values['root'] === undefined ? embeddedRoot() : archiveOf(values['root']),
    fingerprint: flags.has('fingerprint'),
    scenario: scenarioOf({
      title: argv.join(' '), machine: xml === null ? { preset: topology.name } : { name: topology.name, xml }, plan, seed: wholeNumber(values['seed'], 'seed', 1),
      // To move about, the program needs the others.
      boot: migrateEvery > 0 ? partitions.map((partition) => partition.kernel) : [0],
      exec: { kernel, argv, env: ENVIRONMENT, migrateEvery },
    }),
  };
}

/** All of it, even into a pipe that is full. */
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') process.exit(128 + constants.signals.SIGPIPE);
      if (code !== 'EAGAIN') throw error;
    }
  }
}
