/**
 * What the face of a world (page, command line) and its hosts say to each other. Simulated kernels never hear of it: it carries the
 * scenario in, and traces and device output out.
 */
import type { BootParameters, ReplicaInput } from '../kernel/boot/parameters.ts';
import type { Memory } from '../machine/hart/wasm/engine.ts';
import type { Topology } from '../machine/topology/topology.ts';

export interface WorldOptions {
  readonly topology: Topology;
  /** Boot parameters of every kernel, index = kernel. */
  readonly kernels: readonly BootParameters[];
  readonly rootArchive: Uint8Array;
  /** What is on the disk at power-on: the beginning of it, beyond which all is zero, and the bytes that it has in all. Null: it has none. */
  readonly disk: DiskImage | null;
  /** The machine at the other end of the cable, with one kernel, CLIENT_KERNEL (kernel/net/parameters.ts); left out or null: there is no cable. */
  readonly client?: ClientMachine | null;
  /** Bytes that the memory may have in all. */
  readonly memoryLimit: number;
  /** How guest code is executed: it decides how fast, and nothing else. */
  readonly engine: EngineKind;
  /** Whether caches and the distance of memory cost anything. */
  readonly caches: boolean;
}

export interface DiskImage {
  readonly image: Uint8Array;
  readonly bytes: number;
}

export interface ClientMachine {
  /** On the same reference clock. */
  readonly topology: Topology;
  readonly kernel: BootParameters;
  /** Its root; left out: the same as the machine's. */
  readonly rootArchive?: Uint8Array;
}

/** By interpretation alone, or with hot code translated to WebAssembly. */
export type EngineKind = 'interpret' | 'translate';

export interface HostInput {
  readonly time: number;
  readonly kernel: number;
  readonly input: ReplicaInput;
}

export type ToHost =
  /** `memory` is null for a single host that makes its own. */
  | { readonly kind: 'init'; readonly host: number; readonly hosts: number; readonly memory: Memory | null; readonly options: WorldOptions }
  /** Things from outside, at or after the time that all have reached. Answered by `taken`, so that nobody runs on before they are known. */
  | { readonly kind: 'inputs'; readonly inputs: readonly HostInput[] }
  /** Run up to `limit` (exclusive; a multiple of CELL). */
  | { readonly kind: 'advance'; readonly limit: number }
  /** Say what is on the disk. Only for a host that shares no memory with the face. */
  | { readonly kind: 'disk' }
  /** End the stretch soon. Only for a host that shares no memory with the face; others find a word. */
  | { readonly kind: 'cut' };

export type FromHost =
  | { readonly kind: 'ready'; readonly host: number }
  | { readonly kind: 'taken'; readonly host: number }
  | { readonly kind: 'disk'; readonly image: Uint8Array }
  /** Whole trace records of this host's kernels, in order for each kernel. */
  | { readonly kind: 'trace'; readonly bytes: Uint8Array<ArrayBuffer> }
  /** What devices of this host's kernels have put out (outputs.ts), in order for each kernel. */
  | { readonly kind: 'outputs'; readonly batch: Uint8Array<ArrayBuffer> }
  /** The program of `exec` is over. `end`: a time that follows from that alone and that no kernel has passed; the stretch ends there at the latest. */
  | { readonly kind: 'ended'; readonly kernel: number; readonly time: number; readonly status: number; readonly end: number }
  /** No kernel anywhere has anything to do before the limit, which may have been lowered. `next`: when this host's have. Hashes: two words for each of its kernels. */
  | {
      readonly kind: 'reached';
      readonly host: number;
      readonly limit: number;
      readonly next: number;
      readonly hashes: readonly (readonly [kernel: number, high: number, low: number])[];
    }
  | {
      readonly kind: 'failed';
      readonly host: number;
      readonly kernels: readonly number[];
      readonly message: string;
      readonly tooLarge?: boolean;
    };

/** Which host runs a kernel: round robin, so that neighbours in the plan run in parallel. */
export const hostOf = (kernel: number, hosts: number): number => kernel % hosts;
