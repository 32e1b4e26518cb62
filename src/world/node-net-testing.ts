/**
 * Real kernels for the world's tests of the network: told by an input they send datagrams to each other and echoes over the cable, from
 * their stacks. And hosts that run them, in this thread or in threads of Node (for which this file is both ends, as node-host.ts is).
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { ReplicaInput } from '../kernel/boot/parameters.ts';
import { createReplica, type KernelReplica } from '../kernel/boot/start.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { put16, put32 } from '../kernel/net/bytes.ts';
import { checksum } from '../kernel/net/checksum.ts';
import { addressOfFunction, addressOfKernel, CLIENT_ADDRESS, CLIENT_KERNEL } from '../kernel/net/parameters.ts';
import type { Replica, ReplicaFactory } from '../kernel/replica.ts';
import { EventClass } from '../kernel/sched/events.ts';
import type { Cycles } from '../kernel/types.ts';
import { serveHost } from './engine.ts';
import { nodeHostOf, serveNode } from './node-host.ts';
import type { HostPort } from './world.ts';

/**
 * A file of this name makes the kernel talk: its bytes say how many kernels there are, how many rounds, and thousands of cycles a round.
 */
export const TALK = 'talk';

class Talker implements Replica {
  readonly #inner: KernelReplica;
  constructor(inner: KernelReplica) {
    this.#inner = inner;
  }
  get kernel(): number {
    return this.#inner.kernel;
  }
  get cores(): number {
    return this.#inner.cores;
  }
  collect(): void {
    this.#inner.collect();
  }
  nextTime(): Cycles {
    return this.#inner.nextTime();
  }
  run(until: Cycles): void {
    this.#inner.run(until);
  }
  input(time: Cycles, input: ReplicaInput): void {
    const kernel = this.#inner.machine;
    if (input.kind !== 'file' || input.name !== TALK || kernel === null) return this.#inner.input(time, input);
    const [kernels = 0, rounds = 0, gap = 0] = input.bytes;
    kernel.events.add(time, EventClass.Input, 0, () => talk(kernel, kernels, rounds, gap * 1000));
  }
}

function talk(kernel: Kernel, kernels: number, rounds: number, gap: Cycles): void {
  const { stack } = kernel.net;
  const socket = stack.udpOpen();
  socket.bind(0, 7);
  socket.onChange = () => {
    for (let got = socket.receive(); typeof got !== 'number'; got = socket.receive()) {
      const hops = got.bytes[0] ?? 0;
      if (hops > 0)
        socket.send(
          got.bytes.map((byte, i) => (i === 0 ? hops - 1 : byte)),
          got.from,
        );
    }
  };
  const raw = stack.rawOpen();
  for (let round = 0; round < rounds; round++) {
    kernel.at(kernel.now + round * gap + (kernel.random() % gap), () => {
      const to = kernel.random() % kernels;
      if (kernel.id !== CLIENT_KERNEL && kernel.random() % 4 > 0) {
        socket.send(new Uint8Array(1 + (kernel.random() % 1400)).fill(kernel.random() % 5), { address: addressOfKernel(to), port: 7 });
        return;
      }
      const echo = new Uint8Array(64);
      echo[0] = 8;
      put32(echo, 4, round);
      put16(echo, 2, checksum(echo));
      // Functions of the card speak with each other and with the client machine; whoever has none goes through the hub.
      const number = kernel.random() % 4;
      raw.send(echo, number > 0 ? addressOfFunction(number) : kernel.id === CLIENT_KERNEL ? addressOfKernel(to) : CLIENT_ADDRESS);
    });
  }
}

export const makeTalker: ReplicaFactory = (kernel, firmware, platform) =>
  new Talker(createReplica(kernel, firmware, platform) as KernelReplica);

/** A host in a thread of its own. */
export const talkerThread = (): HostPort => nodeHostOf(import.meta.url, { talker: true });

if (!isMainThread && parentPort !== null && (workerData as { talker?: boolean } | null)?.talker === true) {
  const port = parentPort;
  serveNode(port, environment => serveHost(environment, makeTalker));
}
