/**
 * What a face of the lab (page or command line) sees of a run. The engine behind it lives in hosts; everything here arrives as traces
 * and bytes that the engine emitted.
 *
 * Always holds: nothing here is wall time except the pacing; all `time` values are cycles.
 */
import type { ReplicaInput, ResolvedPlan } from '../kernel/boot/parameters.ts';
import type { Topology } from '../machine/topology/topology.ts';
import type { Recording, Scenario } from './scenario.ts';
import type { TraceStore } from './trace-store.ts';

/** How virtual time follows wall time: cycles of virtual time per second of wall time; Infinity for as fast as possible; 0 paused. */
export type Speed = number;

export type StepKind = 'event' | 'message' | 'quantum';

export interface SessionStatus {
  /** Virtual time that all kernels have reached, or the limit where they wait for it. */
  readonly now: number;
  readonly paused: boolean;
  readonly speed: Speed;
  /** Number of hosts (Workers) and whether memory is shared between them. */
  readonly hosts: number;
  readonly isolated: boolean;
  /** No kernel has anything to do until something comes from outside. */
  readonly idle: boolean;
  /** A host that died: which kernels it ran and what it said; null while all is well. */
  readonly failure: { readonly kernels: readonly number[]; readonly message: string } | null;
  /** Playing a recording back; at its end, whether this run had the fingerprint that the recording says. Null for a run of one's own. */
  readonly replay: null | 'playing' | 'same' | 'different';
  /** Exit status of the `exec` program, wait(2) form; null before. */
  readonly exitStatus: number | null;
}

export interface SessionListener {
  /**
   * Bytes from a device: port 0 console, 1 stdout and 2 stderr of exec, 3 the kernel's log (text lines), 4 what the
   * debugger is told, 5 frames of the network. */
  output?(kernel: number, port: number, time: number, bytes: Uint8Array): void;
  status?(status: SessionStatus): void;
  /** Whole trace records as they come, in order for each kernel. */
  records?(bytes: Uint8Array): void;
  /** New records are in the trace store. At most once per animation frame or so. */
  traced?(): void;
}

/** A running lab. Made by `startSession` (lab/start.ts). */
export interface Session {
  readonly scenario: Scenario;
  readonly topology: Topology;
  readonly plan: ResolvedPlan;
  /** The kernel of the client machine, which no plan has; null: there is none. It takes inputs, and its outputs come as those of others. */
  readonly client: number | null;
  readonly trace: TraceStore;
  readonly status: SessionStatus;
  listen(listener: SessionListener): () => void;
  /** Gives an input to a kernel, at the earliest virtual time possible; it is recorded. Refused (returns false) while replaying. */
  input(kernel: number, input: ReplicaInput): boolean;
  setSpeed(speed: Speed): void;
  pause(): void;
  resume(): void;
  step(kind: StepKind): void;
  /** Everything so far: scenario and inputs with their times, and the fingerprint where the run stands still. */
  recording(): Recording;
  /** What is on the disk. Only meaningful while paused or idle, as the fingerprint is. */
  diskImage(): Promise<Uint8Array>;
  /** 64 bits as 16 hexadecimal digits: a hash over all kernels' trace records so far. Only meaningful while paused or idle. */
  fingerprint(): Promise<string>;
  /** Resolves when the run can't go on: the exec program ended, the recording is over, or `until` is reached. */
  finished(until?: number): Promise<void>;
  close(): void;
}
