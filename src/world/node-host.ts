/** A host in a thread of Node. This file is both ends: imported it starts a thread, as a thread it serves. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { serveHost } from './engine.ts';
import type { FromHost, ToHost } from './protocol.ts';
import type { HostPort } from './world.ts';

export function nodeHost(): HostPort {
  const entry = new URL('./node-host.ts', import.meta.url).href;
  // The thread reads TypeScript through tsx, wherever the process was started.
  const tsx = new URL('dist/esm/api/index.mjs', pathToFileURL(createRequire(import.meta.url).resolve('tsx/package.json'))).href;
  const worker = new Worker(`import(${JSON.stringify(tsx)}).then(({ tsImport }) => tsImport(${JSON.stringify(entry)}, ${JSON.stringify(entry)}))`, { eval: true });
  return {
    post: (message) => worker.postMessage(message),
    listen: (handler) => {
      worker.on('message', (message: FromHost) => handler(message));
      worker.on('error', (error) => handler({ kind: 'failed', host: 0, kernels: [], message: error.stack ?? error.message }));
    },
    close: () => void worker.terminate(),
  };
}

if (!isMainThread && parentPort !== null) {
  const port = parentPort;
  const serve = serveHost({
    post: (message, transfer) => port.postMessage(message, transfer),
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    wait: sleepOn,
  });
  port.on('message', (message: ToHost) => serve(message));
}

/** Asynchronous, so that messages are heard meanwhile. */
async function sleepOn(words: Int32Array, index: number, seen: number): Promise<void> {
  const { value } = (Atomics as unknown as { waitAsync(words: Int32Array, index: number, seen: number, timeout: number): { value: Promise<string> | string } }).waitAsync(words, index, seen, 1000);
  await value;
}
