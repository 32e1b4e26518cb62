/** A host in a Web Worker: the worker's end. */
import { serveHost } from './engine.ts';
import type { ToHost } from './protocol.ts';

interface WorkerScope {
  postMessage(message: unknown, transfer?: ArrayBuffer[]): void;
  onmessage: ((event: { data: ToHost }) => void) | null;
}
const scope = globalThis as unknown as WorkerScope;

/** A message to oneself comes behind those that wait: that is a turn. */
const channel = new MessageChannel();
let resume: (() => void) | null = null;
channel.port1.onmessage = () => resume?.();

type WaitAsync = (words: Int32Array, index: number, seen: number, timeout: number) => { value: Promise<string> | string };

const serve = serveHost({
  post: (message, transfer) => scope.postMessage(message, transfer ?? []),
  turn: () =>
    new Promise(resolve => {
      resume = resolve;
      channel.port2.postMessage(0);
    }),
  wait: async (words, index, seen) => {
    const { waitAsync } = Atomics as unknown as { waitAsync?: WaitAsync };
    if (waitAsync !== undefined) await waitAsync.call(Atomics, words, index, seen, 1000).value;
    // Without it (older Firefox) a short real wait, and then the thread's messages.
    else await new Promise(resolve => setTimeout(resolve, 1));
  },
});
scope.onmessage = event => serve(event.data);
