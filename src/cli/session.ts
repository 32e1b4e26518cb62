/** A session in Node: the embedded userland, hosts as threads, no pace but the machine's own. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { gunzipSync } from 'node:zlib';
import type { Recording, Scenario } from '../lab/scenario.ts';
import type { Session } from '../lab/session.ts';
import { startSession } from '../lab/start.ts';
import { localHost } from '../world/local-host.ts';
import { nodeHost } from '../world/node-host.ts';
import type { EngineKind } from '../world/protocol.ts';

export function embeddedRoot(): Uint8Array {
  return new Uint8Array(gunzipSync(readFileSync(new URL('../../public/initramfs.cpio.gz', import.meta.url))));
}

// Node 20's V8 has relaxed SIMD, of which the processor uses the fused multiply-add, behind a flag; later ones have it anyway.
if (Number.parseFloat(process.versions.v8) < 11.4) setFlagsFromString('--experimental-wasm-relaxed-simd');

export interface NodeOptions {
  readonly hosts: number;
  readonly rootArchive?: Uint8Array;
  readonly keepTrace?: boolean;
  readonly engine?: EngineKind;
}

export function start(
  source: Scenario | Recording,
  { hosts, rootArchive = embeddedRoot(), keepTrace = false, engine = 'translate' }: NodeOptions,
): Promise<Session> {
  const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
  return startSession(source, {
    hosts,
    rootArchive,
    keepTrace,
    engine,
    isolated: hosts > 1,
    speed: Number.POSITIVE_INFINITY,
    makeHost: () => (hosts > 1 ? nodeHost() : localHost(turn)),
    clock: () => performance.now(),
    pause: milliseconds => (milliseconds === 0 ? turn() : new Promise(resolve => setTimeout(resolve, milliseconds))),
  });
}
