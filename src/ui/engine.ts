/** The engine in a browser: Web Workers as hosts, the userland from the server, the wall clock. */
import { gunzipSync } from 'fflate';
import type { Recording, Scenario } from '../lab/scenario.ts';
import type { Session } from '../lab/session.ts';
import { startSession } from '../lab/start.ts';
import type { FromHost } from '../world/protocol.ts';
import type { HostPort } from '../world/world.ts';

/** Less memory where the browser refuses the full size. */
const LIMITS = [2 ** 32, 2 ** 30, 2 ** 29] as const;

const newWorker = (): Worker => new Worker(new URL('../world/web-host.ts', import.meta.url), { type: 'module' });
/** Started, and waiting to be hosts. */
const waiting: Worker[] = [];

/** Does ahead of power-on what takes a while: loads the userland, starts the Workers. */
export function warmUp(): void {
  // Whatever fails here fails again, and is told, at power-on.
  rootArchive().catch(() => {
    archive = null;
  });
  while (waiting.length < hostsWanted()) {
    const worker = newWorker();
    worker.onerror = () => waiting.splice(waiting.indexOf(worker), 1);
    waiting.push(worker);
  }
}

function webHost(): HostPort {
  const worker = waiting.pop() ?? newWorker();
  return {
    post: message => worker.postMessage(message),
    listen: handler => {
      worker.onmessage = (event: MessageEvent<FromHost>) => handler(event.data);
      worker.onerror = event =>
        handler({ kind: 'failed', host: 0, kernels: [], message: event.message || 'the worker could not be started' });
    },
    close: () => worker.terminate(),
  };
}

let archive: Promise<Uint8Array> | null = null;
function rootArchive(): Promise<Uint8Array> {
  archive ??= fetch(new URL('initramfs.cpio.gz', document.baseURI)).then(async response => {
    if (!response.ok) throw new Error(`the userland could not be loaded (${response.status})`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    // A server may have taken the compression off already.
    return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
  });
  return archive;
}

/** Whether several hosts can share memory here; `?hosts=1` and `?shared=no` are for trying out the other way. */
export function isIsolated(): boolean {
  return globalThis.crossOriginIsolated && new URLSearchParams(location.search).get('shared') !== 'no';
}

/** A thread is left for the page. */
function hostsWanted(): number {
  if (!isIsolated()) return 1;
  const asked = Number(new URLSearchParams(location.search).get('hosts'));
  return asked >= 1 && asked <= 8 ? asked : Math.max(1, Math.min(8, (navigator.hardwareConcurrency || 2) - 1));
}

export async function startInBrowser(source: Scenario | Recording, speed: number): Promise<Session> {
  const isolated = isIsolated();
  const hosts = hostsWanted();
  const root = await rootArchive();
  let failure: unknown;
  for (const memoryLimit of LIMITS) {
    try {
      return await startSession(source, {
        hosts,
        isolated,
        rootArchive: root,
        speed,
        memoryLimit,
        capture: 'once',
        makeHost: webHost,
        clock: () => performance.now(),
        pause: milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds)),
      });
    } catch (error) {
      failure = error;
      if (!(error instanceof RangeError) && !/memory/i.test(String(error))) throw error;
    }
  }
  throw failure;
}
