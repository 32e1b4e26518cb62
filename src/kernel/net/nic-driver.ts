/**
 * The driver of the network card: `eth0` of the kernel that has the card. That kernel is also the hub of the virtual switch, and passes
 * packets on between the two, by its routes. On the client machine it is the only interface.
 *
 * A card without a cable can be had all the same: `eth0` is there, and nothing gets anywhere.
 *
 * Always holds: between attach and detach this kernel, and no other, touches the card.
 */
import type { MachineDevice } from '../../machine/devices/devices.ts';
import type { LinkSettings } from '../../machine/devices/nic.ts';
import { E } from '../abi/errno.ts';
import type { Driver } from '../device/devices.ts';
import type { Kernel } from '../kernel.ts';
import { Refusal } from '../partition/refusal.ts';
import { TraceKind } from '../trace.ts';
import type { Blocking, KernelId } from '../types.ts';
import { NicPort } from './nic-port.ts';
import { CLIENT_ADDRESS, CLIENT_KERNEL, CLIENT_MAC, DEFAULT_NETWORK, SERVER_ADDRESS, SERVER_MAC, WIRE_PREFIX } from './parameters.ts';

export class NicDriver implements Driver {
  readonly port: NicPort;
  readonly #kernel: Kernel;
  readonly #isClient: boolean;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#isClient = kernel.id === CLIENT_KERNEL;
    this.port = new NicPort(kernel, kernel.platform.card.nic(0), 'eth0', this.#isClient ? CLIENT_MAC : SERVER_MAC, frame => {
      this.port.nic.takeControl(frame);
      this.#tell();
    });
    kernel.nic = this;
  }

  // --- whose it is ---------------------------------------------------------------------------------------------------------------

  *attach(_device: MachineDevice): Blocking<void> {
    const kernel = this.#kernel;
    const isClient = this.#isClient;
    // The cable first: what comes from it may find the link.
    if (kernel.platform.card.hasCable) this.port.nic.begin((kernel.parameters.network ?? DEFAULT_NETWORK).link, kernel.parameters.seed);
    this.port.open({
      address: isClient ? CLIENT_ADDRESS : SERVER_ADDRESS,
      prefix: WIRE_PREFIX,
      ...(isClient ? { gateway: SERVER_ADDRESS } : {}),
    });
    kernel.net.stack.ip.forwarding = !isClient;
    if (kernel.platform.card.hasCable) this.#tell();
    else kernel.log(6, 'eth0: link is down: there is no cable');
  }

  *detach(_device: MachineDevice): Blocking<void> {
    this.port.close();
    this.#kernel.net.stack.ip.forwarding = false;
  }

  ownerChanged(_device: MachineDevice, owner: KernelId | null): void {
    this.#kernel.vnet.hubChanged(owner);
  }

  /** Looks for frames that have been put into the card. No virtual effect. */
  collect(): void {
    this.port.collect();
  }

  // --- the cable -----------------------------------------------------------------------------------------------------------------

  /** Null: the card is not in use here, or there is no cable. */
  get link(): LinkSettings | null {
    return this.port.interface === null || !this.#kernel.platform.card.hasCable ? null : this.port.nic.link;
  }

  /** Changes the cable, at both ends. @throws Refusal */
  configure(link: LinkSettings): void {
    const kernel = this.#kernel;
    if (this.link === null) throw new Refusal(E.NODEV, 'there is no cable');
    const arrival = this.port.nic.configure(link, kernel.now, kernel.visible);
    if (Number.isNaN(arrival)) throw new Refusal(E.AGAIN, 'the cable is full of frames: the other end can’t be told now');
    this.port.sent(arrival, true);
    this.#tell();
  }

  #tell(): void {
    const { link } = this;
    if (link === null) return;
    const { up, rate, delay, loss } = link;
    const kernel = this.#kernel;
    kernel.trace(TraceKind.NetLink, up ? 1 : 0, Math.round(rate / 1e6), Math.round(delay * 1000), Math.round(loss * 1e6));
    const speed = `${rate / 1e6} Mb/s, ${delay} us, loss ${loss * 100}%`;
    kernel.log(6, up ? `eth0: link is up: ${speed}` : 'eth0: link is down');
  }

  /** /proc/popcorn/link */
  get text(): string {
    const { link } = this;
    return [
      link === null ? 'no cable here' : JSON.stringify(link).replace(/[{}"]/g, '').replace(/,/g, ' ').replace(/:/g, ' '),
      ...Object.entries(this.port.statistics).map(([name, count]) => `${name} ${count}`),
      '',
    ].join('\n');
  }
}
