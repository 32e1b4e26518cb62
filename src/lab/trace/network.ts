/**
 * What kernels told of the network: the switch and its settings, the cable, what passes each port, and the last frames with their bytes.
 *
 * Always holds: counts are those of trace records (kernel/trace.ts, Net…); frames are those that the run has told of (SessionOptions.capture),
 * the last KEPT of them, in order of time as far as they came so.
 */
import { CAPTURE_HEADER, FRAME, NET_DEVICE } from '../../kernel/net/frame-trace.ts';
import { CLIENT_KERNEL } from '../../kernel/net/parameters.ts';
import { SWITCH_VERSIONS, type SwitchVersion } from '../../kernel/net/switch/settings.ts';
import { TraceKind } from '../../kernel/trace.ts';

/** Frames that are kept. */
const KEPT = 1000;
/** Cycles in a step of a rate, and how many steps are remembered: about two seconds of a machine of 2 GHz. */
const STEP = 2 ** 25;
const STEPS = 128;
const NO_HUB = 255;
/** Whence frames on the wire come that are the client machine's (kernel/net/frame-trace.ts). */
const CLIENT_END = 1;

/** A count, and how quickly it grew of late. */
export class Tally {
  total = 0;
  readonly #counts = new Float64Array(STEPS);
  readonly #steps = new Float64Array(STEPS).fill(-1);

  add(time: number, count: number): void {
    this.total += count;
    const step = Math.floor(time / STEP);
    const at = step % STEPS;
    if ((this.#steps[at] as number) < step) {
      this.#steps[at] = step;
      this.#counts[at] = 0;
    }
    if (this.#steps[at] === step) this.#counts[at] = (this.#counts[at] as number) + count;
  }

  /** How much it grew in the `cycles` before `now`, per as many cycles; of a run that is younger, per as many as it has had. */
  rate(now: number, cycles: number): number {
    const last = Math.floor(now / STEP);
    const first = Math.max(0, last - Math.min(STEPS - 1, Math.ceil(cycles / STEP)) + 1);
    let sum = 0;
    for (let step = first; step <= last; step++) if (this.#steps[step % STEPS] === step) sum += this.#counts[step % STEPS] as number;
    return (sum * cycles) / Math.max(STEP, now - first * STEP);
  }
}

/** A kernel on the switch. */
export class PortTally {
  /** Frames that have come from it, and frames given to it. */
  readonly sent = new Tally();
  readonly received = new Tally();
  sentBytes = 0;
  receivedBytes = 0;
  /** Frames from it or to it that there was no room for, or nobody. */
  dropped = 0;
  /** Of the kernel, by the switch: interrupts, polls, and packets that polls took. */
  readonly interrupts = new Tally();
  readonly polls = new Tally();
  polled = 0;
}

/** A frame that came into the switch, was put on the wire, or stayed within the network card, between functions of that. */
export interface PacketRow {
  /** Names it for good; later ones have higher numbers. */
  readonly number: number;
  /** Cycles. */
  readonly time: number;
  readonly onWire: boolean;
  readonly inCard: boolean;
  readonly from: number;
  /** Kernels that it was given to; what else became of it. */
  readonly to: number[];
  readonly fates: string[];
  readonly frame: Uint8Array;
}

export class NetworkTable {
  /** By kernel. */
  readonly ports = new Map<number, PortTally>();
  /** What the hub told last; null: no kernel has told of a switch yet. */
  switch: { readonly version: SwitchVersion; readonly slots: number; readonly budget: number; readonly hub: number | null } | null = null;
  /** Mb/s, nanoseconds, lost of a million; as the machine's card has it. */
  link: { readonly up: boolean; readonly rate: number; readonly delay: number; readonly loss: number } | null = null;
  /** Frames put on the wire by the machine and by the client machine; lost there, or dropped before it. */
  readonly wire = { sent: new Tally(), received: new Tally(), sentBytes: 0, receivedBytes: 0, dropped: 0 };
  readonly #packets: PacketRow[] = [];
  /** Frames that came into the switch or the card, by their id; the hub may deal with several by turns. */
  readonly #inside = new Map<number, PacketRow>();
  /** Frames so far. */
  packetCount = 0;

  /** Takes a record of one of the kinds Net…; others are passed over. */
  take(kind: number, kernel: number, time: number, a: number, b: number, c: number, d: number): void {
    switch (kind) {
      case TraceKind.NetFrame:
        return this.#frame(time, a >>> 24, (a >>> 16) & 0xff, a & 0xffff, b);
      case TraceKind.NetInterrupt:
        if (a === NET_DEVICE.Switch) this.#port(kernel).interrupts.add(time, 1);
        return;
      case TraceKind.NetPoll: {
        if (a !== NET_DEVICE.Switch) return;
        const port = this.#port(kernel);
        port.polls.add(time, 1);
        port.polled += b;
        return;
      }
      case TraceKind.NetSwitch: {
        if (kernel === CLIENT_KERNEL) return;
        this.#port(kernel);
        const version = SWITCH_VERSIONS[a];
        // What clients know comes from the hub, later.
        if (version !== undefined && (d === kernel || this.switch?.hub == null || this.switch.hub === kernel))
          this.switch = { version, slots: b, budget: c, hub: d === NO_HUB ? null : d };
        return;
      }
      case TraceKind.NetLink:
        if (kernel !== CLIENT_KERNEL) this.link = { up: a === 1, rate: b, delay: c, loss: d };
    }
  }

  #port(kernel: number): PortTally {
    let port = this.ports.get(kernel);
    if (port === undefined) {
      port = new PortTally();
      this.ports.set(kernel, port);
    }
    return port;
  }

  #frame(time: number, what: number, device: number, port: number, bytes: number): void {
    const isDropped = what === FRAME.Full || what === FRAME.Lost || what === FRAME.Nowhere;
    if (device === NET_DEVICE.Nic) {
      const { wire } = this;
      if (isDropped) wire.dropped++;
      else if (what === FRAME.Out && port === CLIENT_END) {
        wire.received.add(time, 1);
        wire.receivedBytes += bytes;
      } else if (what === FRAME.Out) {
        wire.sent.add(time, 1);
        wire.sentBytes += bytes;
      }
      return;
    }
    if (device === NET_DEVICE.Card) return;
    const row = this.#port(port);
    if (isDropped) row.dropped++;
    // The hub counts for all: what a client puts into its ring comes out there.
    else if (device !== NET_DEVICE.Switch) return;
    else if (what === FRAME.In) {
      row.sent.add(time, 1);
      row.sentBytes += bytes;
    } else {
      row.received.add(time, 1);
      row.receivedBytes += bytes;
    }
  }

  // --- frames --------------------------------------------------------------------------------------------------------------------

  /** What a kernel told of a frame with its bytes (kernel/net/frame-trace.ts). */
  addCapture(kernel: number, time: number, bytes: Uint8Array): void {
    if (bytes.length < CAPTURE_HEADER) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [what, device, port, id] = [view.getUint8(0), view.getUint8(1), view.getUint16(2, true), view.getUint32(4, true)];
    if (device === NET_DEVICE.Switch && what !== FRAME.In) {
      const row = this.#inside.get(id);
      if (what === FRAME.Out) row?.to.push(port);
      else row?.fates.push(what === FRAME.Full ? `no room to kernel ${port}` : 'nobody has that address');
      return;
    }
    const onWire = device === NET_DEVICE.Nic;
    const inCard = device === NET_DEVICE.Card;
    const sender = onWire && port === CLIENT_END ? CLIENT_KERNEL : id >>> 24;
    // Of what the card carries, its switch and the wire, those who get it say so; but the client machine's card is the end of the wire.
    if ((onWire || inCard) && what === FRAME.In && kernel !== sender) {
      const row = this.#inside.get(id);
      if (row !== undefined && !row.to.includes(kernel)) row.to.push(kernel);
      return;
    }
    if (inCard && what === FRAME.Out) return;
    // A client's frame comes to the hub, where it is told of; here only when it doesn't get there.
    if (device === NET_DEVICE.Port && (what === FRAME.In || what === FRAME.Out)) return;
    const row: PacketRow = {
      number: this.packetCount++,
      time,
      onWire,
      inCard,
      from: onWire || inCard ? sender : port,
      to: onWire && what === FRAME.Out && sender !== CLIENT_KERNEL ? [CLIENT_KERNEL] : [],
      fates: fateOf(what, onWire, inCard),
      frame: bytes.slice(CAPTURE_HEADER),
    };
    if (device !== NET_DEVICE.Port) {
      this.#inside.set(id, row);
      const [oldest] = this.#inside.keys();
      if (this.#inside.size > KEPT && oldest !== undefined) this.#inside.delete(oldest);
    }
    let at = this.#packets.length;
    while (at > 0 && (this.#packets[at - 1] as PacketRow).time > time) at--;
    this.#packets.splice(at, 0, row);
    if (this.#packets.length > 2 * KEPT) this.#packets.splice(0, this.#packets.length - KEPT);
  }

  /** The last frames that are kept, `count` at most, oldest first. */
  packets(count = KEPT): PacketRow[] {
    return this.#packets.slice(-Math.min(count, KEPT));
  }
}

function fateOf(what: number, onWire: boolean, inCard: boolean): string[] {
  if (what === FRAME.Lost) return ['lost on the wire'];
  if (what === FRAME.Full)
    return [onWire ? 'no room in the card’s queue' : inCard ? 'no room in the card' : 'no room in the ring to the hub'];
  if (what === FRAME.Nowhere) return [onWire ? 'the link is down' : 'there is no hub'];
  return [];
}
