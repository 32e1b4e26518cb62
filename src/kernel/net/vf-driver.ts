/**
 * The driver of the network card's virtual functions: the talk's "virtualization hardware", instead of one kernel that has the card and serves the
 * others. A kernel that has nic0.k has an interface `eth`k with a MAC address of its own, on the network of the wire: 10.1.1.(100+k). The card's own
 * switch passes frames between functions and the wire (machine/devices/card-switch.ts); the kernel with the card has no part in it, and need not live.
 *
 * The address goes with the function, so that the neighbours of one that changes kernels find it again.
 */
import type { MachineDevice } from '../../machine/devices/devices.ts';
import { macOfFunction } from '../../machine/devices/nic.ts';
import type { Driver } from '../device/devices.ts';
import type { Kernel } from '../kernel.ts';
import type { Blocking } from '../types.ts';
import { ipText } from './address.ts';
import { NicPort } from './nic-port.ts';
import { addressOfFunction, WIRE_PREFIX } from './parameters.ts';

export class VirtualFunctions implements Driver {
  readonly #kernel: Kernel;
  /** Those in use, by number. */
  readonly #ports = new Map<number, NicPort>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    kernel.virtualFunctions = this;
  }

  get ports(): readonly NicPort[] {
    return [...this.#ports.values()];
  }

  *attach({ name }: MachineDevice): Blocking<void> {
    const kernel = this.#kernel;
    const number = numberOf(name);
    const port = new NicPort(kernel, kernel.platform.card.nic(number), `eth${number}`, macOfFunction(number), () => {});
    this.#ports.set(number, port);
    const address = addressOfFunction(number);
    port.open({ address, prefix: WIRE_PREFIX });
    kernel.log(6, `eth${number}: ${name}, ${ipText(address)}`);
  }

  *detach({ name }: MachineDevice): Blocking<void> {
    const number = numberOf(name);
    this.#ports.get(number)?.close();
    this.#ports.delete(number);
  }

  /** Looks for frames that have been put into the card. No virtual effect. */
  collect(): void {
    for (const port of this.#ports.values()) port.collect();
  }
}

/** `nic0.3` is 3. */
const numberOf = (name: string): number => Number(name.slice(name.indexOf('.') + 1));
