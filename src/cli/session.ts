/** A session in Node: the embedded userland, hosts as threads, no pace but the machine's own. */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { gunzipSync } from 'node:zlib';
import { CAPTURE_PORT } from '../kernel/net/frame-trace.ts';
import { Capture } from '../lab/pcapng.ts';
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
  /** Writes the frames of the network to this file, as pcapng. */
  readonly pcap?: string | undefined;
}

export async function start(
  source: Scenario | Recording,
  { hosts, rootArchive = embeddedRoot(), keepTrace = false, engine = 'translate', pcap }: NodeOptions,
): Promise<Session> {
  const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
  const session = await startSession(source, {
    capture: pcap !== undefined,
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
  if (pcap === undefined) return session;
  const file = openSync(pcap, 'w');
  const capture = new Capture(session.topology.hertz);
  session.listen({
    output: (kernel, port, time, bytes) => {
      if (port !== CAPTURE_PORT) return;
      capture.add(kernel, time, bytes);
      for (const piece of capture.take()) writeSync(file, piece);
    },
  });
  const close = session.close.bind(session);
  session.close = () => {
    for (const piece of capture.take(true)) writeSync(file, piece);
    closeSync(file);
    close();
  };
  return session;
}
