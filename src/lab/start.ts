/**
 * Sessions: a world with its pace, its inputs and its record.
 *
 * Time goes in stretches. When one has taken SLICE of wall time, or when something comes from outside, it is cut; between stretches the
 * inputs that came meanwhile are handed in. That is all the wall clock decides: each input has the virtual time at which its stretch began,
 * and with these times the run is repeated exactly.
 */
import type { BootParameters, ReplicaInput, ResolvedPlan } from '../kernel/boot/parameters.ts';
import { KERNEL_COSTS } from '../kernel/costs.ts';
import { DEFAULT_MESSAGES } from '../kernel/message/settings.ts';
import { CAPTURE_PORT } from '../kernel/net/frame-trace.ts';
import { CLIENT_KERNEL } from '../kernel/net/parameters.ts';
import { kernelsMax } from '../kernel/partition/map.ts';
import { CELL } from '../kernel/sched/scheduler.ts';
import { TRACE_RECORD_BYTES, TraceKind } from '../kernel/trace.ts';
import type { Topology } from '../machine/topology/topology.ts';
import { clientMachine } from '../machine/topology/presets.ts';
import { HOSTS_MAX } from '../machine/layout.ts';
import type { EngineKind } from '../world/protocol.ts';
import { NEVER } from '../world/words.ts';
import { type HostPort, World } from '../world/world.ts';
import { diskOf } from './disk.ts';
import { machineOf } from './machine.ts';
import { clientOf, networkParameters } from './network.ts';
import { resolvePlan } from './plan.ts';
import type { Recording, RootPart, Scenario, TimedInput } from './scenario.ts';
import type { Session, SessionListener, SessionStatus, Speed, StepKind } from './session.ts';
import { TraceStore } from './trace-store.ts';

/** Wall milliseconds after which a stretch is cut. */
const SLICE = 12;
/** Where nothing is going to happen a stretch goes on to when something does, up to so many milliseconds at the pace: a machine at rest costs little. */
const LULL = 250;
/** Seconds of virtual time that a stretch covers at most when there is no pace. */
const LEAP = 100;
/** Where nobody sets a pace and no program has run for so many milliseconds of wall time, time goes on slowly: only the outside can help. */
const QUIET = 2000;
const QUIET_NAP = 100;
/** A stretch that looks for the next message grows up to so many cells. */
const LOOK_MAX = 64;
const STEP_QUANTUM = Math.ceil(KERNEL_COSTS.schedGranularity.value / CELL) * CELL;
/** Time ends here. */
const LAST = Math.floor(NEVER / CELL) * CELL;

export interface SessionOptions {
  readonly hosts: number;
  readonly makeHost: (index: number) => HostPort;
  /** Whether memory can be shared between threads; if not there is one host, with a memory of its own. */
  readonly isolated: boolean;
  readonly rootArchive: Uint8Array;
  readonly speed: Speed;
  readonly memoryLimit?: number;
  /** Translate, unless it says otherwise. */
  readonly engine?: EngineKind;
  /** Milliseconds of the wall clock. */
  readonly clock: () => number;
  /** Ends after so many milliseconds of wall time; 0 for the next turn. */
  readonly pause: (milliseconds: number) => Promise<void>;
  /** Have the bytes of frames told as they pass (output port CAPTURE_PORT): changes nothing that happens. */
  readonly capture?: boolean | 'once';
  /** Keep the trace in memory for views. */
  readonly keepTrace?: boolean;
}

/**
 * Starts a scenario, or plays a recording.
 * @throws Error, PlanError when the scenario makes no sense; RangeError when there is not enough memory
 */
export async function startSession(source: Scenario | Recording, options: SessionOptions): Promise<Session> {
  const scenario = source.kind === 'recording' ? source.scenario : source;
  const topology = machineOf(scenario);
  const memoryLimit = Math.min(options.memoryLimit ?? 2 ** 32, source.kind === 'recording' ? (source.memoryLimit ?? 2 ** 32) : 2 ** 32);
  const hasClient = scenario.network?.client === true;
  const plan = resolvePlan(scenario.plan, topology, memoryLimit, hasClient ? clientMachine(topology.hertz) : null);
  const hosts = options.isolated ? Math.max(1, Math.min(options.hosts, plan.partitions.length + (hasClient ? 1 : 0), HOSTS_MAX)) : 1;
  const { exec } = scenario;
  const isThere = (kernel: number): boolean =>
    plan.partitions.some(each => each.kernel === kernel) || (hasClient && kernel === CLIENT_KERNEL);
  if (exec !== null && !isThere(exec.kernel)) throw new Error(`the plan has no kernel ${exec.kernel}`);
  const { daemons } = scenario;
  for (const { kernel, argv } of daemons ?? []) if (!isThere(kernel)) throw new Error(`the plan has no kernel ${kernel} for ${argv[0]}`);
  const shared = {
    seed: scenario.seed,
    caches: scenario.caches ?? true,
    messages: { ...DEFAULT_MESSAGES, ...scenario.messages },
    balance: false,
    network: networkParameters(scenario.network, options.capture ?? false),
    init: exec === null,
    ...(daemons === undefined ? {} : { daemons }),
    exec:
      exec === null
        ? null
        : { kernel: exec.kernel, path: exec.argv[0] ?? '', argv: exec.argv, env: exec.env, migrateEvery: exec.migrateEvery },
  };
  const kernels = plan.partitions.map(({ kernel }): BootParameters => ({ ...shared, kernel, plan, by: kernel, present: [] }));
  const clientRoot = scenario.network?.clientRoot;
  const session = new RunningSession(source, scenario, topology, plan, { ...options, memoryLimit }, hosts);
  const ports = Array.from({ length: hosts }, (_, index) => options.makeHost(index));
  try {
    session.begin(
      await World.start(
        {
          topology,
          kernels,
          rootArchive: await laidOver(options.rootArchive, scenario.root ?? []),
          disk: diskOf(scenario),
          memoryLimit,
          engine: options.engine ?? 'translate',
          caches: scenario.caches ?? true,
          client: hasClient
            ? {
                ...clientOf(topology, memoryLimit, shared),
                ...(clientRoot === undefined ? {} : { rootArchive: await laidOver(options.rootArchive, clientRoot) }),
              }
            : null,
        },
        ports,
        options.isolated,
        session.receiver,
      ),
    );
  } catch (error) {
    for (const port of ports) port.close();
    throw error;
  }
  return session;
}

/** @throws Error naming an archive that is broken, or that the scenario names and does not bring along */
async function laidOver(root: Uint8Array, parts: readonly RootPart[]): Promise<Uint8Array> {
  const whole = parts.map(({ name, bytes }) => {
    if (bytes === undefined) throw new Error(`the scenario needs the archive ${name}: open that too`);
    return { name, bytes };
  });
  if (whole.length === 0) return root;
  // What reads archives is loaded when there are some.
  const { rootWith } = await import('./archive/unpack.ts');
  return rootWith(root, whole);
}

class RunningSession implements Session {
  readonly trace = new TraceStore();
  readonly #options: SessionOptions;
  readonly #listeners = new Set<SessionListener>();
  readonly #source: Scenario | Recording;
  readonly #script: TimedInput[];
  readonly #end: number;
  readonly #recorded: TimedInput[] = [];
  readonly #queued: { kernel: number; input: ReplicaInput }[] = [];
  #world: World | null = null;
  #speed: Speed;
  #paused = false;
  #steps: StepKind[] = [];
  #next = 0;
  #until = Number.POSITIVE_INFINITY;
  #traced = false;
  #closed = false;
  #wake: (() => void) | null = null;
  #done: (() => void)[] = [];
  /** Cells that a step to the next message covers next time. */
  #look = 1;
  /** Records of messages handled and of tasks started, so far. */
  #messages = 0;
  #runs = 0;
  /** Where the run ends because its program has ended. */
  #over = Number.POSITIVE_INFINITY;
  /** The standard input of the program has ended: nothing more comes from there. */
  #inputClosed = false;
  /** Wall time at which the stretch under way began; and whether someone looks after its end. */
  #started = 0;
  #watched = false;
  #failure: SessionStatus['failure'] = null;
  #exit: number | null = null;
  #resting = true;

  constructor(
    source: Scenario | Recording,
    readonly scenario: Scenario,
    readonly topology: Topology,
    readonly plan: ResolvedPlan,
    options: SessionOptions,
    readonly hosts: number,
  ) {
    this.#options = options;
    this.#source = source;
    this.#speed = options.speed;
    this.#end = source.kind === 'recording' ? source.end : Number.POSITIVE_INFINITY;
    this.#script = source.kind === 'recording' ? [...source.inputs] : opening(scenario);
  }

  /** What the hosts tell. */
  readonly receiver = {
    trace: (bytes: Uint8Array): void => {
      this.#count(bytes);
      if (this.#options.keepTrace !== false) this.trace.append(bytes);
      this.#traced = true;
      for (const listener of this.#listeners) listener.records?.(bytes);
    },
    output: (kernel: number, port: number, time: number, bytes: Uint8Array): void => {
      if (port === CAPTURE_PORT && this.#options.keepTrace !== false) this.trace.network.addCapture(kernel, time, bytes);
      for (const listener of this.#listeners) listener.output?.(kernel, port, time, bytes);
    },
    ended: (_kernel: number, _time: number, status: number, end: number): void => {
      this.#exit = status;
      // Without a pace the run ends with its program; a recording has its own end.
      if (this.#speed === Number.POSITIVE_INFINITY && !this.#isReplay) this.#over = end;
      else if (!this.#isReplay) this.#finish();
    },
    failed: (kernels: readonly number[], message: string): void => {
      this.#failure = { kernels, message };
      this.#finish();
      this.#tell();
    },
  };

  get client(): number | null {
    return this.scenario.network?.client === true ? CLIENT_KERNEL : null;
  }
  get status(): SessionStatus {
    return {
      now: this.now,
      paused: this.#paused || this.#speed <= 0,
      speed: this.#speed,
      hosts: this.hosts,
      isolated: this.#options.isolated,
      idle: this.#next >= NEVER,
      failure: this.#failure,
      replay: this.#replay,
      exitStatus: this.#exit,
    };
  }
  get now(): number {
    return this.#world?.now ?? 0;
  }
  get #replay(): SessionStatus['replay'] {
    if (this.#source.kind === 'scenario') return null;
    if (this.now < this.#end || !this.#resting) return 'playing';
    return this.#world?.fingerprint === this.#source.fingerprint ? 'same' : 'different';
  }
  get #isReplay(): boolean {
    return this.#end < Number.POSITIVE_INFINITY;
  }

  begin(world: World): void {
    this.#world = world;
    void this.#loop(world);
  }

  listen(listener: SessionListener): () => void {
    this.#listeners.add(listener);
    listener.status?.(this.status);
    return () => this.#listeners.delete(listener);
  }

  input(kernel: number, input: ReplicaInput): boolean {
    if (this.#isReplay || this.#failure !== null || this.#closed) return false;
    if (kernel !== this.client && kernel >= kernelsMax(this.topology.cores.length)) return false;
    this.#queued.push({ kernel, input });
    this.#interrupt();
    return true;
  }

  setSpeed(speed: Speed): void {
    this.#speed = speed;
    this.#nudge();
  }
  pause(): void {
    this.#paused = true;
    this.#nudge();
  }
  resume(): void {
    this.#paused = false;
    this.#steps = [];
    this.#nudge();
  }
  step(kind: StepKind): void {
    this.#paused = true;
    this.#steps.push(kind);
    this.#nudge();
  }
  #nudge(): void {
    this.#interrupt();
    this.#tell();
  }
  /** Something is to be looked at: the stretch under way ends, or the sleep. */
  #interrupt(): void {
    if (!this.#resting) this.#world?.cut();
    this.#wake?.();
  }

  recording(): Recording {
    const { memoryLimit } = this.#options;
    const inputs = this.#recorded.filter(({ time }) => time < this.now).sort((a, b) => a.time - b.time);
    return {
      version: 1,
      kind: 'recording',
      scenario: this.scenario,
      inputs,
      end: this.now,
      fingerprint: this.#world?.fingerprint ?? '',
      ...(memoryLimit !== undefined && memoryLimit < 2 ** 32 ? { memoryLimit } : {}),
    };
  }

  async diskImage(): Promise<Uint8Array> {
    while (!this.#resting && this.#failure === null && !this.#closed) await this.#options.pause(1);
    return (await this.#world?.diskImage()) ?? new Uint8Array(0);
  }

  async fingerprint(): Promise<string> {
    while (!this.#resting && this.#failure === null && !this.#closed) await this.#options.pause(1);
    return this.#world?.fingerprint ?? '';
  }

  finished(until = Number.POSITIVE_INFINITY): Promise<void> {
    this.#until = until;
    this.#interrupt();
    if (this.#failure !== null || this.#closed || this.now >= this.#last) return Promise.resolve();
    return new Promise(resolve => this.#done.push(resolve));
  }

  close(): void {
    this.#closed = true;
    this.#world?.close();
    this.#finish();
    this.#wake?.();
  }

  // --- the loop ------------------------------------------------------------------------------------------------------------------

  get #last(): number {
    return Math.ceil(Math.min(this.#until, this.#end, this.#over, LAST) / CELL) * CELL;
  }

  async #loop(world: World): Promise<void> {
    const { clock, pause } = this.#options;
    // Whoever started the session is to hear all of it.
    await pause(0);
    let due = clock();
    let busy = due;
    while (!this.#closed && this.#failure === null) {
      const step = this.#steps[0];
      const pace = this.#speed;
      const over = this.now >= this.#last;
      if (over || (this.#waitsForInput && this.#inputClosed)) this.#finish();
      if (over || (step === undefined && this.status.paused) || (this.#waitsForInput && !Number.isFinite(this.#speed))) {
        await this.#sleep(Number.POSITIVE_INFINITY);
        due = busy = clock();
        continue;
      }
      const [from, messages, runs, started] = [this.now, this.#messages, this.#runs, clock()];
      const limit = Math.max(from + CELL, Math.min(Math.ceil(this.#goal(step) / CELL) * CELL, this.#last));
      try {
        await this.#stretch(world, limit, started);
      } catch {
        break;
      }
      if (step !== undefined) this.#stepped(step, this.#messages > messages);
      this.#announce();
      if (step !== undefined) continue;
      const now = clock();
      if (this.#runs > runs) busy = now;
      if (Number.isFinite(this.#speed)) {
        // What the machine could not keep up with is not made up for.
        due = Math.max(due + ((this.now - from) / pace) * 1000, now - SLICE);
        if (this.#speed === pace && due > now) await this.#sleep(due - now);
        else await pause(0);
        if (this.#speed !== pace) due = clock();
      } else if (!this.#inputClosed && now - busy > QUIET) await this.#sleep(QUIET_NAP);
      else await pause(0);
    }
    this.#tell();
  }

  async #stretch(world: World, limit: number, started: number): Promise<void> {
    const inputs = this.#takeInputs(limit);
    this.#resting = false;
    this.#started = started;
    try {
      const going = world.advance(limit, inputs);
      void this.#watch(world);
      this.#next = (await going).next;
    } finally {
      this.#resting = true;
    }
  }

  /** Cuts stretches that take long. */
  async #watch(world: World): Promise<void> {
    if (this.#watched) return;
    this.#watched = true;
    const { clock, pause } = this.#options;
    while (!this.#resting && !this.#closed) {
      const left = this.#started + SLICE - clock();
      if (left <= 0) world.cut();
      await pause(Math.max(1, Math.min(left > 0 ? left : SLICE, SLICE)));
    }
    this.#watched = false;
  }

  /** Every kernel waits for something from outside, and there is nothing. */
  get #waitsForInput(): boolean {
    return this.#next >= NEVER && this.#queued.length === 0 && this.#script.length === 0 && this.#last >= LAST;
  }

  /** How far the next stretch is to go. */
  #goal(step: StepKind | undefined): number {
    const next = Math.max(this.now, Math.min(this.#next, this.#script[0]?.time ?? Number.POSITIVE_INFINITY));
    switch (step) {
      case 'quantum':
        return this.now + STEP_QUANTUM;
      case 'event':
        return next + CELL;
      case 'message':
        return next + CELL * this.#look;
      default:
        return Number.isFinite(this.#speed) ? this.#paced(next) : this.now + LEAP * this.topology.hertz;
    }
  }
  #paced(next: number): number {
    const after = (milliseconds: number): number => this.now + (this.#speed * milliseconds) / 1000;
    return this.#queued.length > 0 ? after(SLICE) : Math.max(after(SLICE), Math.min(next, after(LULL)));
  }

  #stepped(kind: StepKind, sawMessage: boolean): void {
    if (kind === 'message' && !sawMessage && this.#next < NEVER) {
      this.#look = Math.min(LOOK_MAX, this.#look * 2);
      return;
    }
    this.#look = 1;
    this.#steps.shift();
  }

  /** Inputs for the stretch up to `limit`: those of the script, and those that came meanwhile, which get the present time. */
  #takeInputs(limit: number): TimedInput[] {
    const due: TimedInput[] = [];
    while (this.#script[0] !== undefined && this.#script[0].time < limit) due.push(this.#script.shift() as TimedInput);
    for (const { kernel, input } of this.#queued.splice(0)) due.push({ time: this.now, kernel, input });
    for (const { input } of due) if (input.kind === 'stdin' && input.bytes.length === 0) this.#inputClosed = true;
    this.#recorded.push(...due);
    return due;
  }

  /** Sleeps, unless there is news. Infinity: until there is. */
  async #sleep(milliseconds: number): Promise<void> {
    const woken = new Promise<void>(resolve => {
      this.#wake = resolve;
    });
    await (milliseconds === Number.POSITIVE_INFINITY ? woken : Promise.race([this.#options.pause(milliseconds), woken]));
    this.#wake = null;
  }

  #announce(): void {
    this.#tell();
    if (!this.#traced) return;
    this.#traced = false;
    for (const listener of this.#listeners) listener.traced?.();
  }
  #tell(): void {
    const { status } = this;
    for (const listener of this.#listeners) listener.status?.(status);
  }
  #finish(): void {
    for (const done of this.#done.splice(0)) done();
  }

  #count(bytes: Uint8Array): void {
    for (let at = 8; at < bytes.length; at += TRACE_RECORD_BYTES) {
      if (bytes[at] === TraceKind.MessageReceive) this.#messages++;
      else if (bytes[at] === TraceKind.TaskRun) this.#runs++;
    }
  }
}

/** What a scenario does by itself: firmware starts the first kernel, which starts the others that are wanted. */
function opening({ boot, inputs, exec, network }: Scenario): TimedInput[] {
  const wanted = new Set([...boot, ...(exec === null ? [] : [exec.kernel])]);
  wanted.delete(0);
  wanted.delete(CLIENT_KERNEL);
  return [
    { time: 0, kernel: 0, input: { kind: 'power' } },
    ...(network?.client === true ? [{ time: 0, kernel: CLIENT_KERNEL, input: { kind: 'power' } } as const] : []),
    ...[...wanted].sort((a, b) => a - b).map((kernel): TimedInput => ({ time: 0, kernel: 0, input: { kind: 'boot', kernel } })),
    ...inputs,
  ];
}
