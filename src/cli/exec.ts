/** `lab exec … -- PROGRAM [ARG…]`: boots, runs the program, and is as if it had been run here. */
import { constants } from 'node:os';
import { fstatSync, writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { SWITCH_VERSIONS } from '../kernel/net/switch/settings.ts';
import { CLIENT_KERNEL } from '../kernel/net/parameters.ts';
import { type Daemon, type Scenario, scenarioOf } from '../lab/scenario.ts';
import { numbers, withPrefix } from '../lab/plan-text.ts';
import { resolvePlan } from '../lab/plan.ts';
import { cyclesOf } from '../lab/time.ts';
import { archiveOf, archivesNamed } from './archive.ts';
import { diskFrom, saveDisk } from './disk.ts';
import { engineKind, memoryRule, readOptions, wholeNumber } from './options.ts';
import type { EngineKind } from '../world/protocol.ts';
import { embeddedRoot, start } from './session.ts';
import { machineNamed } from './topology.ts';

const ENVIRONMENT = ['PATH=/usr/bin:/bin:/usr/sbin:/sbin', 'HOME=/root'];

/** @returns the program's exit status, as a shell has it; 2 for bad options */
export async function exec(args: readonly string[]): Promise<number> {
  let prepared: Awaited<ReturnType<typeof prepare>>;
  try {
    prepared = await prepare(args);
  } catch (error) {
    process.stderr.write(`exec: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  const { scenario, hosts, root, fingerprint, engine, disk, pcap } = prepared;
  const kernel = scenario.exec?.kernel ?? 0;
  const standardInput = new StandardInput();
  await standardInput.early();
  const inputs = standardInput.take().map(bytes => ({ time: 0, kernel, input: { kind: 'stdin', bytes } }) as const);
  const session = await start({ ...scenario, inputs }, { hosts, rootArchive: root, engine, pcap });
  session.listen({
    output: (_kernel, port, _time, bytes) => {
      if (port === 1 || port === 2) writeAll(port, bytes);
    },
  });
  standardInput.follow(bytes => session.input(kernel, { kind: 'stdin', bytes }));
  await session.finished();
  const { exitStatus, failure } = session.status;
  if (failure !== null) process.stderr.write(`lab: kernel ${failure.kernels.join(', ')} failed: ${failure.message}\n`);
  if (fingerprint) process.stderr.write(`${await session.fingerprint()}\n`);
  if (disk !== null) await saveDisk(session, disk);
  session.close();
  process.stdin.destroy();
  if (exitStatus === null) return 125;
  const signal = exitStatus & 0x7f;
  return signal === 0 ? (exitStatus >> 8) & 0xff : 128 + signal;
}

/** Milliseconds that a pipe gets to say all that it has. */
const EARLY = 100;
const PIECE = 65536;

/**
 * Standard input. What there is before the run starts becomes part of the scenario, in pieces of one size, and so the run is the same each
 * time: all of a file, and of a pipe what comes within EARLY. What comes later has the virtual time at which it came. An empty array is
 * the end.
 */
class StandardInput {
  readonly #parts: Uint8Array[] = [];
  #ended = false;
  #news: (bytes: Uint8Array) => void = bytes => this.#parts.push(bytes);
  #end: () => void = () => {};

  async early(): Promise<void> {
    if (process.stdin.isTTY) {
      this.#listen();
      return;
    }
    const ended = new Promise<void>(resolve => {
      this.#end = resolve;
    });
    this.#listen();
    if (isFile(0)) await ended;
    else {
      const timer = new AbortController();
      await Promise.race([ended, setTimeout(EARLY, undefined, { signal: timer.signal }).catch(() => {})]);
      timer.abort();
    }
  }

  /** What has come so far. */
  take(): Uint8Array[] {
    const all = Buffer.concat(this.#parts.splice(0));
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < all.length; at += PIECE) pieces.push(new Uint8Array(all.subarray(at, at + PIECE)));
    if (this.#ended) pieces.push(new Uint8Array(0));
    return pieces;
  }

  /** Gives `news` what has come since, and all that comes. */
  follow(news: (bytes: Uint8Array) => void): void {
    this.#news = news;
    for (const bytes of this.#parts.splice(0)) news(bytes);
  }

  #listen(): void {
    const end = (): void => {
      if (this.#ended) return;
      this.#ended = true;
      this.#news(new Uint8Array(0));
      this.#end();
    };
    process.stdin.on('data', (bytes: Buffer) => this.#news(new Uint8Array(bytes)));
    process.stdin.on('end', end);
    process.stdin.on('error', end);
  }
}

/** Whether reading it never waits for anybody: a file, or nothing at all (/dev/null). */
function isFile(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    return stat.isFile() || stat.isCharacterDevice();
  } catch {
    return false;
  }
}

async function prepare(args: readonly string[]): Promise<{
  scenario: Scenario;
  hosts: number;
  root: Uint8Array;
  fingerprint: boolean;
  engine: EngineKind;
  disk: string | null;
  pcap: string | undefined;
}> {
  const dashes = args.indexOf('--');
  const { values, flags, rest } = readOptions(
    dashes < 0 ? args : args.slice(0, dashes),
    [
      'machine',
      'plan',
      'kernel',
      'root',
      'with',
      'migrate-every',
      'hosts',
      'seed',
      'engine',
      'disk',
      'memory',
      'switch',
      'pcap',
      'daemon',
      'client-with',
    ],
    ['fingerprint', 'no-caches', 'client'],
  );
  const argv = [...rest, ...(dashes < 0 ? [] : args.slice(dashes + 1))].map(text => Buffer.from(text).toString('latin1'));
  if (argv.length === 0) throw new Error('no program: exec [OPTION…] -- PROGRAM [ARG…]');
  const { topology, xml } = machineNamed(values['machine'] ?? 'opteron-6274');
  const plan = withPrefix(values['plan'] ?? 'smp', memoryRule(values['memory']));
  const { partitions, mode } = resolvePlan(plan, topology);
  const onClient = values['kernel'] === 'client';
  const hasClient = onClient || flags.has('client') || values['client-with'] !== undefined;
  const kernel = onClient ? CLIENT_KERNEL : wholeNumber(values['kernel'], 'kernel', 0, 0, partitions.length - 1);
  const migrateEvery = values['migrate-every'] === undefined ? 0 : cyclesOf(values['migrate-every'], topology.hertz);
  if (values['migrate-every'] !== undefined && migrateEvery <= 0) throw new Error('--migrate-every: the time must be more than nothing');
  if (mode === 'federation' && migrateEvery > 0) throw new Error('--migrate-every: in a federation no process moves to another kernel');
  const version = SWITCH_VERSIONS.find(each => each === values['switch']);
  if (values['switch'] !== undefined && version === undefined)
    throw new Error(`--switch ${values['switch']}: ${SWITCH_VERSIONS.join(', ')}`);
  return {
    hosts: wholeNumber(values['hosts'], 'hosts', 1, 1, 8),
    root: values['root'] === undefined ? embeddedRoot() : await archiveOf(values['root']),
    fingerprint: flags.has('fingerprint'),
    engine: engineKind(values['engine']),
    disk: values['disk'] ?? null,
    pcap: values['pcap'],
    scenario: scenarioOf({
      title: argv.join(' '),
      machine: xml === null ? { preset: topology.name } : { name: topology.name, xml },
      plan,
      seed: wholeNumber(values['seed'], 'seed', 1),
      ...(flags.has('no-caches') ? { caches: false } : {}),
      ...(values['disk'] === undefined ? {} : { disk: diskFrom(values['disk']) }),
      ...(hasClient || version !== undefined
        ? {
            network: {
              client: hasClient,
              ...(values['client-with'] === undefined ? {} : { clientRoot: archivesNamed(values['client-with']) }),
              ...(version === undefined ? {} : { switch: { version } }),
            },
          }
        : {}),
      ...(values['daemon'] === undefined
        ? {}
        : {
            daemons: daemonsOf(
              values['daemon'],
              partitions.map(each => each.kernel),
              hasClient,
            ),
          }),
      ...(values['with'] === undefined ? {} : { root: archivesNamed(values['with']) }),
      boot: partitions.map(partition => partition.kernel),
      exec: { kernel, argv, env: ENVIRONMENT, migrateEvery },
    }),
  };
}

/**
 * A shell command as daemons: `COMMAND` on every kernel of the plan, `0-3,7:COMMAND` on these, `client:COMMAND` on the client machine's. Each finds its
 * kernel's number in $KERNEL.
 * @throws Error
 */
function daemonsOf(text: string, plan: readonly number[], hasClient: boolean): Daemon[] {
  const [, named, command = text] = /^([\d,-]+|client):(.*)$/s.exec(text) ?? [];
  const kernels = named === undefined ? plan : named === 'client' ? [CLIENT_KERNEL] : numbers(named, 0, '--daemon');
  for (const kernel of kernels)
    if (kernel === CLIENT_KERNEL ? !hasClient : !plan.includes(kernel))
      throw new Error(kernel === CLIENT_KERNEL ? '--daemon: there is no client machine' : `--daemon: the plan has no kernel ${kernel}`);
  return kernels.map(kernel => ({ kernel, argv: ['/bin/sh', '-c', command], env: [...ENVIRONMENT, `KERNEL=${kernel}`] }));
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
