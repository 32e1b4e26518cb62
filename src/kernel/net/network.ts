/**
 * The network of one kernel: its stack over virtual time, and the place where network devices come to it.
 *
 *     const eth0 = kernel.net.attach(device, { address: parseIp('10.1.2.1'), prefix: 24 });   the interface is up and has the address
 *     kernel.net.attach(device)                                                        it is down, as `ip link` shows a new one
 *     kernel.net.receive(device, frame);                                               what has come in, from a handler of an event
 *     kernel.net.detach(eth0);
 *
 * `device.transmit(frame)` is called within whatever work of the kernel sends: it must not wait, and what it costs the device charges
 * itself. The stack's own work is charged here, by the packet, to the core that does it.
 *
 * Always holds: loopback is up and has 127.0.0.1; all timers of the stack are events of this kernel, and its chance is the kernel's.
 */
import { KERNEL_COSTS } from '../costs.ts';
import type { Kernel } from '../kernel.ts';
import type { NetInterface } from './interface.ts';
import { TraceKind } from '../trace.ts';
import type { ConnectionEvent, Cycles, Ipv4Address, NetDevice, NetPlatform, NetWork } from './platform.ts';
import { NetStack } from './stack.ts';

/** What an interface is to have from the start. */
export interface Placement {
  readonly address: Ipv4Address;
  /** Bits of the network. */
  readonly prefix: number;
  /** Where packets to other networks go; left out: nowhere. */
  readonly gateway?: Ipv4Address;
}

/** Cycles that a packet of so many bytes takes on its way through the stack. Loopback is spared the checksums, as on Linux. */
export function packetCost(work: NetWork, bytes: number, loopback: boolean): Cycles {
  const sums = loopback ? 0 : ((bytes + 63) >>> 6) * KERNEL_COSTS.checksumLine.value;
  return KERNEL_COSTS[work === 'send' ? 'packetSend' : 'packetReceive'].value + sums;
}

export class Network {
  readonly stack: NetStack;

  constructor(platform: NetPlatform) {
    this.stack = new NetStack(platform);
  }

  /** A new interface for a device, under the device's name. With a place it is up and reachable there, else down. */
  attach(device: NetDevice, place: Placement | null = null): NetInterface {
    const { stack } = this;
    const added = stack.attach(device);
    if (place === null) return added;
    stack.setUp(added, true);
    stack.addAddress(added, place.address, place.prefix);
    if (place.gateway !== undefined) stack.addRoute(0, 0, added, { gateway: place.gateway });
    return added;
  }

  detach(through: NetInterface): void {
    this.stack.detach(through);
  }

  /** A whole Ethernet frame, without its check sequence, has come in. Nobody may write to it from now on. */
  receive(device: NetDevice, frame: Uint8Array): void {
    this.stack.receive(device, frame);
  }
}

/** A stack's time, chance and costs, of a kernel. */
export function platformOf(kernel: Kernel): NetPlatform {
  // Cores of a kernel are not at the same time to the cycle; the stack's time never goes back.
  let latest: Cycles = 0;
  return {
    hertz: kernel.hertz,
    now: () => {
      latest = Math.max(latest, Math.floor(kernel.now));
      return latest;
    },
    at: (time, act) => {
      const event = kernel.at(time, act);
      return () => {
        event.cancelled = true;
      };
    },
    random: () => kernel.random(),
    tell: event => tellConnection(kernel, event),
    spent: (work, bytes, loopback) => kernel.charge(packetCost(work, bytes, loopback)),
  };
}

const LARGEST = 0xffffffff;

/** What a connection tells of itself, as the trace has it. */
function tellConnection(kernel: Kernel, event: ConnectionEvent): void {
  const { number } = event;
  switch (event.kind) {
    case 'state': {
      const { local, localPort, remote, remotePort } = event.tuple;
      const ports = ((localPort << 16) | remotePort) >>> 0;
      return kernel.traceAt(TraceKind.TcpState, number, local, remote, ports, (event.error << 8) | event.state);
    }
    case 'path': {
      const nanoseconds = Math.min(LARGEST, Math.ceil(((event.roundTrip ?? 0) * 1e9) / kernel.hertz));
      return kernel.traceAt(TraceKind.TcpPath, number, nanoseconds, event.congestionWindow, event.peerWindow, event.flight);
    }
    case 'resend':
      return kernel.traceAt(TraceKind.TcpResend, number, event.offset, event.bytes, event.timeout ? 1 : 0, 0);
  }
}
