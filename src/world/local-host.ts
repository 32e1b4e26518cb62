/** A host in the calling thread: for one host, where a thread of its own brings nothing. */
import type { ReplicaFactory } from '../kernel/replica.ts';
import { type HostEnvironment, serveHost } from './engine.ts';
import type { FromHost } from './protocol.ts';
import type { HostPort } from './world.ts';

/**
 * @param turn lets the thread's other work be done (setImmediate in Node)
 * @param make for tests: other kernels than the real ones
 */
export function localHost(turn: () => Promise<void>, make?: ReplicaFactory): HostPort {
  let handler: (message: FromHost) => void = () => {};
  const environment: HostEnvironment = { post: message => handler(message), turn, wait: () => new Promise(() => {}) };
  const serve = serveHost(environment, make);
  return {
    post: serve,
    listen: given => {
      handler = given;
    },
    close: () => {},
  };
}
