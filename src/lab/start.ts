/**
 * Sessions: a world with its pace, its inputs and its record.
 *
 * Time goes in stretches. In each the wall clock is asked once: how long the last stretch took decides how long the next one is, so that
 * inputs get in about every SLICE of wall time. That is all the wall decides; each input has the virtual time at which the stretch began,
 * and with these times the run is repeated exactly.
 */
import type { BootParameters, ReplicaInput, ResolvedPlan } from '../kernel/boot/parameters.ts';
import { CELL } from '../kernel/sched/scheduler.ts';
import { TraceKind } from '../kernel/trace.ts';
import type { Topology } from '../machine/topology/topology.ts';
import { NEVER } from '../world/words.ts';
import { type HostPort, World } from '../world/world.ts';
import { machineOf } from './machine.ts';
import { commandLine, resolvePlan } from './plan.ts';
import type { Recording, Scenario, TimedInput } from './scenario.ts';
import type { Session, SessionListener, SessionStatus, Speed, StepKind } from './session.ts';
import { TraceStore } from './trace-store.ts';

/** Wall milliseconds that a stretch should take. */
const SLICE = 12;
const STRETCH_FIRST = 400 * CELL;
/** Longest stretch while kernels are busy, and how far an idle world may jump at once, in seconds of virtual time. */
const STRETCH_MAX_SECONDS = 0.05;

export interface SessionOptions {
  readonly hosts: number;
  readonly makeHost: (index: number) => HostPort;
  /** Whether memory can be shared between threads; if not there is one host, with a memory of its own. */
  readonly isolated: boolean;
  readonly rootArchive: Uint8Array;
  readonly speed: Speed;
  readonly memoryLimit?: number;
  /** Milliseconds of the wall clock. */
  readonly clock: () => number;
  /** Ends after so many milliseconds of wall time; 0 for the next turn. */
  readonly pause: (milliseconds: number) => Promise<void>;
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
  const memoryLimit = options.memoryLimit ?? 2 ** 32;
  const plan = resolvePlan(scenario.plan, topology, memoryLimit);
  const hosts = options.isolated ? Math.max(1, Math.min(options.hosts, plan.partitions.length)) : 1;
  if (scenario.exec !== null && plan.partitions[scenario.exec.kernel] === undefined) throw new Error(`the plan has no kernel ${scenario.exec.kernel}`);
  const kernels = plan.partitions.map((partition): BootParameters => ({
    kernel: partition.kernel, plan, seed: scenario.seed, commandLine: commandLine(plan, partition),
    exec: scenario.exec?.kernel === partition.kernel
      ? { path: scenario.exec.argv[0] ?? '', argv: scenario.exec.argv, env: scenario.exec.env, migrateEvery: scenario.exec.migrateEvery } : null,
  }));
  const session = new RunningSession(source, scenario, topology, plan, options, hosts);
  const ports = Array.from({ length: hosts }, (_, index) => options.makeHost(index));
  const world = await World.start({ topology, kernels, rootArchive: options.rootArchive, memoryLimit }, ports, options.isolated, session.receiver);
  session.begin(world);
  return session;
}

class RunningSession implements Session {
  readonly trace = new TraceStore();
  readonly #options: SessionOptions;
  readonly #listeners = new Set<SessionListener>();
  readonly #script: TimedInput[];
  readonly #end: number;
  readonly #recorded: TimedInput[] = [];
  readonly #queued: { kernel: number; input: ReplicaInput }[] = [];
  #world: World | null = null;
  #speed: Speed;
  #paused = false;
  #steps: StepKind[] = [];
  #stretch = STRETCH_FIRST;
  #next = 0;
  #until = Number.POSITIVE_INFINITY;
  #traced = false;
  #closed = false;
  #wake: (() => void) | null = null;
  #done: (() => void)[] = [];
  #messages = 0;
  #failure: SessionStatus['failure'] = null;
  #exit: number | null = null;
  #resting = true;

  constructor(
    source: Scenario | Recording, readonly scenario: Scenario, readonly topology: Topology, readonly plan: ResolvedPlan, options: SessionOptions, readonly hosts: number,
  ) {
    this.#options = options;
    this.#speed = options.speed;
    this.#end = source.kind === 'recording' ? source.end : Number.POSITIVE_INFINITY;
    this.#script = source.kind === 'recording' ? [...source.inputs] : opening(scenario);
  }

  /** What the hosts tell. */
  readonly receiver = {
    trace: (bytes: Uint8Array): void => {
      this.#countMessages(bytes);
      if (this.#options.keepTrace !== false) this.trace.append(bytes);
      this.#traced = true;
      for (const listener of this.#listeners) listener.records?.(bytes);
    },
    output: (kernel: number, port: number, time: number, bytes: Uint8Array): void => {
      for (const listener of this.#listeners) listener.output?.(kernel, port, time, bytes);
    },
    ended: (_kernel: number, _time: number, status: number): void => {
      this.#exit = status;
      this.#finish();
    },
    failed: (kernels: readonly number[], message: string): void => {
      this.#failure = { kernels, message };
      this.#finish();
      this.#tell();
    },
  };

  get status(): SessionStatus {
    return {
      now: this.#world?.limit ?? 0, paused: this.#paused, speed: this.#speed, hosts: this.hosts, isolated: this.#options.isolated,
      idle: this.#next >= NEVER, failure: this.#failure, replaying: this.#end < Number.POSITIVE_INFINITY && this.now < this.#end, exitStatus: this.#exit,
    };
  }
  get now(): number {
    return this.#world?.limit ?? 0;
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
    if (this.#end < Number.POSITIVE_INFINITY || this.#failure !== null || this.#closed) return false;
    this.#queued.push({ kernel, input });
    this.#wake?.();
    return true;
  }

  setSpeed(speed: Speed): void {
    this.#speed = speed;
    this.#stretch = STRETCH_FIRST;
    this.#nudge();
  }
  pause(): void {
    this.#paused = true;
    this.#nudge();
  }
  resume(): void {
    this.#paused = false;
    this.#nudge();
  }
  step(kind: StepKind): void {
    this.#paused = true;
    this.#steps.push(kind);
    this.#nudge();
  }
  #nudge(): void {
    this.#wake?.();
    this.#tell();
  }

  recording(): Recording {
    return { version: 1, kind: 'recording', scenario: this.scenario, inputs: [...this.#recorded], end: this.now, fingerprint: this.#world?.fingerprint ?? '' };
  }

  async fingerprint(): Promise<string> {
    while (!this.#resting) await this.#options.pause(1);
    return this.#world?.fingerprint ?? '';
  }

  finished(until = Number.POSITIVE_INFINITY): Promise<void> {
    this.#until = until;
    this.#wake?.();
    if (this.#exit !== null || this.#failure !== null || this.now >= this.#last) return Promise.resolve();
    return new Promise((resolve) => this.#done.push(resolve));
  }

  close(): void {
    this.#closed = true;
    this.#world?.close();
    this.#finish();
    this.#wake?.();
  }

  // --- the loop ------------------------------------------------------------------------------------------------------------------

  get #last(): number {
    return Math.min(this.#until, this.#end);
  }

  async #loop(world: World): Promise<void> {
    const { clock, pause } = this.#options;
    let before = clock();
    while (!this.#closed && this.#failure === null) {
      const stepping = this.#steps.length > 0;
      const over = this.now >= this.#last || (this.#exit !== null && this.#options.speed === Number.POSITIVE_INFINITY);
      if (over) this.#finish();
      if (over || (this.#paused && !stepping)) {
        await this.#sleep(1000);
        before = clock();
        continue;
      }
      const started = clock();
      let limit = stepping ? this.#stepLimit(this.#steps[0] as StepKind) : this.now + this.#stretchLength();
      // A world that sleeps until later is carried there, as fast as the pace allows.
      if (!stepping && this.#queued.length === 0 && this.#speed === Number.POSITIVE_INFINITY && this.#next > limit) limit = Math.min(this.#next + CELL, limit + 100 * this.topology.hertz);
      const script = this.#script[0]?.time ?? Number.POSITIVE_INFINITY;
      if (script > this.now) limit = Math.min(limit, script);
      limit = Math.ceil(Math.min(limit, this.#last) / CELL) * CELL;
      const inputs = this.#takeInputs();
      if (limit <= this.now) limit = this.now + CELL;
      const messages = this.#messages;
      this.#resting = false;
      try {
        this.#next = (await world.advance(limit, inputs)).next;
      } catch {
        this.#resting = true;
        break;
      }
      this.#resting = true;
      if (stepping && !(this.#steps[0] === 'message' && this.#messages === messages && this.#next < NEVER)) this.#steps.shift();
      const now = clock();
      this.#adapt(now - started);
      this.#announce();
      if (stepping) continue;
      // At a finite pace the wall clock is waited for.
      if (Number.isFinite(this.#speed)) {
        const due = before + SLICE;
        if (now < due) await this.#sleep(due - now);
        before = Math.max(due, clock() - SLICE);
      } else await pause(0);
    }
    this.#tell();
  }

  /** Inputs due now: those of the script, and those that came meanwhile, which get the present time. */
  #takeInputs(): TimedInput[] {
    const due: TimedInput[] = [];
    while (this.#script[0] !== undefined && this.#script[0].time <= this.now) due.push(this.#script.shift() as TimedInput);
    for (const { kernel, input } of this.#queued.splice(0)) due.push({ time: this.now, kernel, input });
    this.#recorded.push(...due);
    return due;
  }

  #stretchLength(): number {
    if (!Number.isFinite(this.#speed)) return this.#stretch;
    return Math.max(CELL, Math.min(this.#stretch, (this.#speed * SLICE) / 1000));
  }

  #stepLimit(kind: StepKind): number {
    if (kind === 'quantum') return this.now + 3200 * CELL;
    const next = Math.max(this.now, Math.min(this.#next, NEVER - 2 * CELL));
    return next + CELL;
  }

  #adapt(took: number): void {
    const longest = STRETCH_MAX_SECONDS * this.topology.hertz;
    if (took > SLICE * 1.5) this.#stretch = Math.max(CELL, this.#stretch * Math.max(0.3, SLICE / took));
    else if (took < SLICE * 0.7) this.#stretch = Math.min(longest, this.#stretch * 1.5);
  }

  /** Sleeps, unless there is news. */
  async #sleep(milliseconds: number): Promise<void> {
    await Promise.race([this.#options.pause(milliseconds), new Promise<void>((resolve) => {
      this.#wake = resolve;
    })]);
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

  #countMessages(bytes: Uint8Array): void {
    for (let at = 8; at < bytes.length; at += 40) if (bytes[at] === TraceKind.MessageReceive && bytes[at + 1] === 0) this.#messages++;
  }
}

/** What a scenario does by itself: firmware starts the first kernel, which starts the others that are wanted. */
function opening({ boot, inputs, exec }: Scenario): TimedInput[] {
  const wanted = new Set([...boot, ...(exec === null ? [] : [exec.kernel])]);
  wanted.delete(0);
  return [
    { time: 0, kernel: 0, input: { kind: 'power' } },
    ...[...wanted].sort((a, b) => a - b).map((kernel): TimedInput => ({ time: 0, kernel: 0, input: { kind: 'boot', kernel } })),
    ...inputs,
  ];
}
