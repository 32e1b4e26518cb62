/** A host in a thread of Node. This file is both ends: imported it starts a thread, as a thread it serves. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { isMainThread, type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads';
import { type HostEnvironment, serveHost } from './engine.ts';
import type { FromHost, ToHost } from './protocol.ts';
import type { HostPort } from './world.ts';

export const nodeHost = (): HostPort => nodeHostOf(import.meta.url, { host: true });

/** A thread that runs the module at `entry`, which is told by `data` that it is to serve. */
export function nodeHostOf(entry: string, data: unknown): HostPort {
  // The thread reads TypeScript through tsx, wherever the process was started.
  const tsx = new URL('dist/esm/api/index.mjs', pathToFileURL(createRequire(import.meta.url).resolve('tsx/package.json'))).href;
  const worker = new Worker(`import(${JSON.stringify(tsx)}).then(({ tsImport }) => tsImport(${JSON.stringify(entry)}, ${JSON.stringify(entry)}))`, { eval: true, workerData: data });
  let closed = false;
  return {
    post: (message) => worker.postMessage(message),
    listen: (handler) => {
      const died = (message: string): void => {
        if (!closed) handler({ kind: 'failed', host: 0, kernels: [], message });
      };
      worker.on('message', (message: FromHost) => handler(message));
      worker.on('error', (error) => died(error.stack ?? error.message));
      worker.on('exit', (code) => died(`the thread ended with code ${code}`));
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
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    wait: sleepOn,
  });
  port.on('message', serve);
}

/** Asynchronous, so that messages are heard meanwhile. */
async function sleepOn(words: Int32Array, index: number, seen: number): Promise<void> {
  const { value } = (Atomics as unknown as { waitAsync(words: Int32Array, index: number, seen: number, timeout: number): { value: Promise<string> | string } }).waitAsync(words, index, seen, 1000);
  await value;
}

if (!isMainThread && parentPort !== null && (workerData as { host?: boolean } | null)?.host === true) serveNode(parentPort, serveHost);
