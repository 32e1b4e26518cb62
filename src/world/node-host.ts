/** A host in a thread of Node. This file is both ends: imported it starts a thread, as a thread it serves. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread, type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads';
import { type HostEnvironment, serveHost } from './engine.ts';
import type { FromHost, ToHost } from './protocol.ts';
import type { HostPort } from './world.ts';

export const nodeHost = (): HostPort => nodeHostOf(import.meta.url, { host: true });

interface Bundler {
  buildSync(options: object): { readonly outputFiles: readonly { readonly text: string }[] };
}
const bundles = new Map<string, string>();

/** The module at `entry` with all that it imports, as one script. A thread starts with that in a fifth of the time that it takes to read each file. */
export function bundle(entry: string): string {
  let text = bundles.get(entry);
  if (text === undefined) {
    // The bundler is the one that tsx brings.
    const { buildSync } = createRequire(createRequire(import.meta.url).resolve('tsx/package.json'))('esbuild') as Bundler;
    text =
      buildSync({
        entryPoints: [fileURLToPath(entry)],
        bundle: true,
        write: false,
        format: 'cjs',
        platform: 'node',
        target: 'node20',
        logLevel: 'silent',
      }).outputFiles[0]?.text ?? '';
    bundles.set(entry, text);
  }
  return text;
}

/** A thread that runs the module at `entry`, which is told by `data` that it is to serve. */
export function nodeHostOf(entry: string, data: unknown): HostPort {
  const worker = new Worker(bundle(entry), { eval: true, workerData: data });
  let closed = false;
  return {
    post: message => worker.postMessage(message),
    listen: handler => {
      const died = (message: string): void => {
        if (!closed) handler({ kind: 'failed', host: 0, kernels: [], message });
      };
      worker.on('message', (message: FromHost) => handler(message));
      worker.on('error', error => died(error.stack ?? error.message));
      worker.on('exit', code => died(`the thread ended with code ${code}`));
    },
    close: () => {
      closed = true;
      void worker.terminate();
    },
  };
}

/** The thread's end. */
export function serveNode(port: MessagePort, serveIn: (environment: HostEnvironment) => (message: ToHost) => void): void {
  const serve = serveIn({
    post: (message, transfer) => port.postMessage(message, transfer),
    turn: () => new Promise(resolve => setImmediate(resolve)),
    wait: sleepOn,
  });
  port.on('message', serve);
}

/** Asynchronous, so that messages are heard meanwhile. */
async function sleepOn(words: Int32Array, index: number, seen: number): Promise<void> {
  const { value } = (
    Atomics as unknown as {
      waitAsync(words: Int32Array, index: number, seen: number, timeout: number): { value: Promise<string> | string };
    }
  ).waitAsync(words, index, seen, 1000);
  await value;
}

if (!isMainThread && parentPort !== null && (workerData as { host?: boolean } | null)?.host === true) serveNode(parentPort, serveHost);
