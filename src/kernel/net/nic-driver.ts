/**
 * The driver of the network card: `eth0` of the kernel that has the card. That kernel is also the hub of the virtual switch, and passes
 * packets on between the two, by its routes. On the client machine it is the only interface.
 *
 * A card without a cable can be had all the same: `eth0` is there, and nothing gets anywhere.
 *
 * Always holds: between attach and detach this kernel, and no other, touches the card.
 */
import type { MachineDevice } from '../../machine/devices/devices.ts';
import { CONTROL, type LinkSettings, type Nic } from '../../machine/devices/nic.ts';
import { FRAME_MAX, type Packet } from '../../machine/devices/packet-ring.ts';
import { E } from '../abi/errno.ts';
import type { Driver } from '../device/devices.ts';
import type { Kernel } from '../kernel.ts';
import { Refusal } from '../partition/refusal.ts';
import { EventClass, type KernelEvent } from '../sched/events.ts';
import { TraceKind } from '../trace.ts';
import type { Blocking, Cycles, KernelId } from '../types.ts';
import { FRAME, NET_DEVICE, noteFrame } from './frame-trace.ts';
import type { NetInterface } from './interface.ts';
import {
  CLIENT_ADDRESS,
  CLIENT_KERNEL,
  CLIENT_MAC,
  DEFAULT_NETWORK,
  MTU,
  padded,
  SERVER_ADDRESS,
  SERVER_MAC,
  WIRE_PREFIX,
} from './parameters.ts';
import type { NetDevice } from './platform.ts';
import { Napi } from './switch/napi.ts';

/** Descriptors for frames that come in, and packets in a poll (Linux: igb's and NAPI's defaults). */
const RECEIVE_SLOTS = 256;
const BUDGET = 64;
/** Microseconds between two interrupts at least (ethtool -C rx-usecs). */
const COALESCE = 20;
/** Events of frames from the wire come after those of the switch's rings (switch/ends.ts). */
const NIC_KEYS = 256 * 2 ** 32;

export class NicDriver implements Driver {
  readonly napi: Napi;
  readonly counters = { rxPackets: 0, rxMissed: 0, txPackets: 0, txFull: 0, txLost: 0, txDown: 0 };
  coalesce = COALESCE;
  readonly #kernel: Kernel;
  readonly #device: NetDevice;
  readonly #nic: Nic | null;
  #interface: NetInterface | null = null;
  /** Frames found on the cable, in order, that have not come in yet. */
  readonly #coming: KernelEvent[] = [];
  #found = 0;
  /** Frames in memory that nobody has looked at. */
  readonly #queue: Packet[] = [];
  #frames = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#nic = kernel.platform.cable?.nic ?? null;
    const mac = kernel.id === CLIENT_KERNEL ? CLIENT_MAC : SERVER_MAC;
    this.#device = { name: 'eth0', mac, mtu: MTU, transmit: frame => this.#transmit(frame) };
    const self = this;
    this.napi = new Napi(kernel, {
      number: NET_DEVICE.Nic,
      budget: BUDGET,
      get coalesce() {
        return Math.round((self.coalesce * kernel.hertz) / 1e6);
      },
      polls: true,
      get waiting() {
        return self.#queue.length;
      },
      poll: () => this.#poll(),
      mask: () => {},
    });
    kernel.nic = this;
  }

  // --- whose it is ---------------------------------------------------------------------------------------------------------------

  *attach(_device: MachineDevice): Blocking<void> {
    const kernel = this.#kernel;
    const isClient = kernel.id === CLIENT_KERNEL;
    const address = isClient ? CLIENT_ADDRESS : SERVER_ADDRESS;
    this.#interface = kernel.net.attach(this.#device, {
      address,
      prefix: WIRE_PREFIX,
      ...(isClient ? { gateway: SERVER_ADDRESS } : {}),
    });
    kernel.net.stack.ip.forwarding = !isClient;
    const nic = this.#nic;
    if (nic === null) {
      kernel.log(6, 'eth0: link is down: there is no cable');
      return;
    }
    nic.begin((kernel.parameters.network ?? DEFAULT_NETWORK).link, kernel.parameters.seed);
    this.#found = nic.taken;
    // What came while nobody was there has been lost; what is on its way comes.
    while (nic.incoming.arrival(this.#found) <= kernel.visible) this.#arrive(this.#found++, false);
    this.#collectAll();
    this.#tell();
  }

  *detach(_device: MachineDevice): Blocking<void> {
    for (const event of this.#coming.splice(0)) event.cancelled = true;
    this.#queue.length = 0;
    if (this.#interface !== null) this.#kernel.net.detach(this.#interface);
    this.#interface = null;
    this.#kernel.net.stack.ip.forwarding = false;
  }

  ownerChanged(_device: MachineDevice, owner: KernelId | null): void {
    this.#kernel.vnet.hubChanged(owner);
  }

  // --- the cable -----------------------------------------------------------------------------------------------------------------

  get link(): LinkSettings | null {
    return this.#interface === null ? null : (this.#nic?.link ?? null);
  }

  /** Changes the cable, at both ends. @throws Refusal */
  configure(link: LinkSettings): void {
    const kernel = this.#kernel;
    if (this.#interface === null || this.#nic === null) throw new Refusal(E.NODEV, 'there is no cable');
    const arrival = this.#nic.configure(link, kernel.now, kernel.visible);
    if (Number.isNaN(arrival)) throw new Refusal(E.AGAIN, 'the cable is full of frames: the other end can’t be told now');
    this.#ring(arrival);
    this.#tell();
  }

  #tell(): void {
    const link = this.#nic?.link;
    if (link === undefined) return;
    const { up, rate, delay, loss } = link;
    const kernel = this.#kernel;
    kernel.trace(TraceKind.NetLink, up ? 1 : 0, Math.round(rate / 1e6), Math.round(delay * 1000), Math.round(loss * 1e6));
    const speed = `${rate / 1e6} Mb/s, ${delay} us, loss ${loss * 100}%`;
    kernel.log(6, up ? `eth0: link is up: ${speed}` : 'eth0: link is down');
  }

  #ring(arrival: Cycles): void {
    const kernel = this.#kernel;
    if (kernel.platform.cable !== null) kernel.lowerBound(kernel.platform.cable.sent(arrival));
  }

  // --- out -----------------------------------------------------------------------------------------------------------------------

  #transmit(bytes: Uint8Array): boolean {
    const kernel = this.#kernel;
    const nic = this.#nic;
    if (nic === null || bytes.length > FRAME_MAX) return false;
    kernel.charge(kernel.cost('nicDescriptor'));
    const packet: Packet = { frame: padded(bytes), id: ((kernel.id << 24) | 0x800000 | (this.#frames++ & 0x7fffff)) >>> 0 };
    const { fate, arrival } = nic.transmit(packet, kernel.now + kernel.cost('nicDma'), kernel.visible);
    const note = { sent: FRAME.Out, lost: FRAME.Lost, full: FRAME.Full, down: FRAME.Nowhere } as const;
    noteFrame(kernel, note[fate], NET_DEVICE.Nic, nic.end, packet, 0);
    const { counters } = this;
    if (fate === 'down') counters.txDown++;
    else if (fate === 'full') counters.txFull++;
    else counters.txPackets++;
    if (fate === 'lost') counters.txLost++;
    if (fate === 'sent') this.#ring(arrival);
    return fate === 'sent' || fate === 'lost';
  }

  // --- in ------------------------------------------------------------------------------------------------------------------------

  /** Turns what has been put on the cable into events at its arrival. No virtual effect. */
  collect(): void {
    if (this.#nic !== null && this.#interface !== null && this.#nic.takeBell()) this.#collectAll();
  }

  #collectAll(): void {
    const nic = this.#nic as Nic;
    for (;;) {
      const arrival = nic.incoming.arrival(this.#found);
      if (Number.isNaN(arrival)) return;
      const sequence = this.#found++;
      const event = this.#kernel.events.add(arrival, EventClass.Message, NIC_KEYS + sequence, () => {
        this.#coming.shift();
        this.#arrive(sequence, true);
      });
      this.#coming.push(event);
    }
  }

  /** A frame is at the card: into memory, if there is a descriptor for it. */
  #arrive(sequence: number, isUsed: boolean): void {
    const kernel = this.#kernel;
    const nic = this.#nic as Nic;
    const packet = nic.incoming.read(sequence);
    nic.free(kernel.now);
    if (packet.id === CONTROL) {
      nic.takeControl(packet.frame);
      if (isUsed) this.#tell();
    } else if (isUsed && this.#queue.length < RECEIVE_SLOTS) {
      this.#queue.push(packet);
      this.napi.notify();
    } else {
      this.counters.rxMissed++;
      noteFrame(kernel, FRAME.Full, NET_DEVICE.Nic, nic.end, packet, RECEIVE_SLOTS);
    }
  }

  #poll(): boolean {
    const kernel = this.#kernel;
    const packet = this.#queue.shift();
    if (packet === undefined) return false;
    kernel.charge(kernel.cost('nicDescriptor'));
    this.counters.rxPackets++;
    noteFrame(kernel, FRAME.In, NET_DEVICE.Nic, this.#nic?.end ?? 0, packet, this.#queue.length + 1);
    kernel.net.receive(this.#device, packet.frame);
    return true;
  }

  /** /proc/popcorn/link */
  get text(): string {
    const { link, counters, napi } = this;
    const { interrupts, polls, exhausted } = napi;
    return [
      link === null ? 'no cable here' : JSON.stringify(link).replace(/[{}"]/g, '').replace(/,/g, ' ').replace(/:/g, ' '),
      ...Object.entries({ ...counters, interrupts, polls, exhausted }).map(([name, count]) => `${name} ${count}`),
      '',
    ].join('\n');
  }
}
