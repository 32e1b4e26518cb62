/** What tests of the switch do with kernels: frames of a pattern, echoes and datagrams, from the stacks themselves. */
import type { Kernel } from '../../kernel.ts';
import type { KernelLab } from '../../testing.ts';
import { put16, put32 } from '../bytes.ts';
import { ICMP } from '../icmp.ts';
import { checksum } from '../checksum.ts';
import type { UdpSocket } from '../udp.ts';
import { addressOfKernel } from '../parameters.ts';

export const MS = 2_200_000;

/** Runs for a while. */
export const pass = (lab: KernelLab, milliseconds: number): void => {
  lab.run(lab.now + milliseconds * MS, () => false);
};

/** Gives an order, as a console would, and a millisecond for it. */
export function order(lab: KernelLab, text: string, to = 0): void {
  lab.input(to, { kind: 'order', text });
  pass(lab, 1);
}

/** The kernel that runs under a number. */
export function kernelOf(lab: KernelLab, id: number): Kernel {
  const found = lab.running.find(kernel => kernel.id === id);
  if (found === undefined) throw new Error(`kernel ${id} does not run`);
  return found;
}

/** Sends echo requests from one kernel to an address, one each `gap` milliseconds. Returns round trips in cycles, as they come. */
export function ping(lab: KernelLab, from: number, to: number, count: number, gap = 1, bytes = 56): number[] {
  const kernel = kernelOf(lab, from);
  const socket = kernel.net.stack.rawOpen();
  const [sent, times]: [number[], number[]] = [[], []];
  socket.onChange = () => {
    for (let reply = socket.receive(); typeof reply !== 'number'; reply = socket.receive()) {
      if (reply.bytes[20] !== ICMP.ECHO_REPLY) continue;
      const sequence = ((reply.bytes[26] as number) << 8) | (reply.bytes[27] as number);
      times[sequence] = kernel.now - (sent[sequence] as number);
    }
  };
  for (let sequence = 0; sequence < count; sequence++) {
    kernel.at(lab.now + sequence * gap * MS, () => {
      const message = new Uint8Array(8 + bytes);
      message[0] = ICMP.ECHO;
      put32(message, 4, sequence);
      put16(message, 2, checksum(message));
      sent[sequence] = kernel.now;
      socket.send(message, to);
    });
  }
  return times;
}

/** A socket on each of these kernels that counts what it gets. */
export function listeners(lab: KernelLab, kernels: readonly number[], port = 9): Map<number, { socket: UdpSocket; got: Uint8Array[] }> {
  return new Map(
    kernels.map(id => {
      const socket = kernelOf(lab, id).net.stack.udpOpen();
      socket.bind(0, port);
      socket.receiveBuffer = 1 << 24;
      const got: Uint8Array[] = [];
      socket.onChange = () => {
        for (let datagram = socket.receive(); typeof datagram !== 'number'; datagram = socket.receive()) got.push(datagram.bytes);
      };
      return [id, { socket, got }];
    }),
  );
}

/** Sends datagrams that carry their number, the first `after` so many cycles, each other `gap` cycles after the one before. */
export function flood(
  lab: KernelLab,
  from: number,
  to: number,
  count: number,
  { gap = 20_000, bytes = 1000, port = 9, after = 0 } = {},
): void {
  const kernel = kernelOf(lab, from);
  const socket = kernel.net.stack.udpOpen();
  for (let i = 0; i < count; i++) {
    kernel.at(lab.now + after + i * gap, () => {
      const payload = new Uint8Array(bytes).fill(i & 255);
      put32(payload, 0, i);
      socket.send(payload, { address: addressOfKernel(to), port });
    });
  }
}
