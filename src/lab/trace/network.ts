/**
 * What kernels told of the network: the switch and its settings, the cable, what passes each port, TCP connections, and the last frames with
 * their bytes.
 *
 * Always holds: counts are those of trace records (kernel/trace.ts, Net… and Tcp…); frames are those that the run has told of (SessionOptions.capture),
 * the last KEPT of them, in order of time as far as they came so; those of TCP are there for longer (streams.ts).
 */
import { CAPTURE_HEADER, FRAME, NET_DEVICE } from '../../kernel/net/frame-trace.ts';
import { CLIENT_KERNEL } from '../../kernel/net/parameters.ts';
import { SWITCH_VERSIONS, type SwitchVersion } from '../../kernel/net/switch/settings.ts';
import { TraceKind } from '../../kernel/trace.ts';
import { functionName } from '../../machine/devices/devices.ts';
import { ConnectionTable } from './connections.ts';
import { Gauge, Tally } from './series.ts';
import { StreamTable } from './streams.ts';

/** Frames that are kept, and passages for the picture of the machine. */
const KEPT = 4096;
const PASSAGES = 4096;
const NO_HUB = 255;
/** Whence frames on the wire come that are the client machine's (kernel/net/frame-trace.ts). */
const CLIENT_END = 1;

/** A kernel on the switch. */
export class PortTally {
  /** Frames that have come from it, and frames given to it. */
  readonly sent = new Tally();
  readonly received = new Tally();
  readonly sentBytes = new Tally();
  readonly receivedBytes = new Tally();
  /** Packets in its two rings with the hub, as either end told. */
  readonly toHub = new Gauge();
  readonly fromHub = new Gauge();
  /** Frames from it or to it that there was no room for, or nobody. */
  dropped = 0;
  /** Of the kernel, by the switch: interrupts, polls, and packets that polls took. */
  readonly interrupts = new Tally();
  readonly polls = new Tally();
  polled = 0;
}

/** Frames put on the wire by the machine and by the client machine; lost there, or dropped before it. */
class WireTally {
  readonly sent = new Tally();
  readonly received = new Tally();
  readonly sentBytes = new Tally();
  readonly receivedBytes = new Tally();
  dropped = 0;
  /** Frames that the card has put into memory and nobody has looked at; of the machine's card, and of the client machine's. */
  readonly queue = new Gauge();
}

/** What carries a frame: the virtual switch, the wire, or the network card's own switch, between functions of that. */
export type Carrier = 'switch' | 'wire' | 'card';

/** A frame on its way: to the hub or from it, to the card (to null) or from it. */
export interface Passage {
  readonly time: number;
  readonly over: Carrier;
  /** Who has sent it. */
  readonly from: number;
  readonly to: number | null;
  /** Ethertype << 16 | protocol of IP. */
  readonly protocol: number;
}

/** A frame that came into the switch, was put on the wire, or came into the card for a function of that. */
export interface PacketRow {
  /** Names it for good; later ones have higher numbers. */
  readonly number: number;
  /** Cycles. */
  readonly time: number;
  readonly over: Carrier;
  readonly from: number;
  /** Kernels that it was given to; what else became of it. */
  readonly to: number[];
  readonly fates: string[];
  /** Functions of the card: its sender's, then those of the kernels that it was given to. */
  readonly functions: number[];
  readonly frame: Uint8Array;
}

export class NetworkTable {
  readonly connections = new ConnectionTable();
  /** TCP's frames, for longer than the others. */
  readonly streams = new StreamTable();
  /** By kernel. */
  readonly ports = new Map<number, PortTally>();
  /** What the hub told last; null: no kernel has told of a switch yet. */
  switch: { readonly version: SwitchVersion; readonly slots: number; readonly budget: number; readonly hub: number | null } | null = null;
  /** Mb/s, nanoseconds, lost of a million; as the machine's card has it. */
  link: { readonly up: boolean; readonly rate: number; readonly delay: number; readonly loss: number } | null = null;
  /** Frames put on the wire by the machine and by the client machine; lost there, or dropped before it. */
  readonly wire = new WireTally();
  readonly #passages: Passage[] = [];
  /** Passages so far. */
  #passed = 0;
  readonly #packets: PacketRow[] = [];
  /** Frames that came into the switch or the card, by their id and what carries them; the hub may deal with several by turns. */
  readonly #inside = new Map<number, PacketRow>();
  /** Frames so far. */
  packetCount = 0;

  /** Takes a record of one of the kinds Net… and Tcp…. */
  take(kind: number, kernel: number, time: number, core: number, a: number, b: number, c: number, d: number): void {
    switch (kind) {
      case TraceKind.NetFrame:
        return this.#frame(kernel, time, a >>> 24, (a >>> 16) & 0xff, a & 0xffff, b & 0xffff, b >>> 16, c >>> 24, d);
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
        return;
      case TraceKind.TcpState:
      case TraceKind.TcpPath:
      case TraceKind.TcpResend:
        return this.connections.take(kind, kernel, time, core, a, b, c, d);
    }
  }

  /** A kernel ends, or begins anew. */
  kernelGone(kernel: number, time: number): void {
    this.connections.kernelGone(kernel, time);
    if (this.switch?.hub === kernel) this.switch = { ...this.switch, hub: null };
  }

  #port(kernel: number): PortTally {
    let port = this.ports.get(kernel);
    if (port === undefined) {
      port = new PortTally();
      this.ports.set(kernel, port);
    }
    return port;
  }

  #frame(
    ...[kernel, time, what, device, port, bytes, fill, sender, protocol]: [
      ...[kernel: number, time: number, what: number, device: number, port: number, bytes: number],
      ...[fill: number, sender: number, protocol: number],
    ]
  ): void {
    const isDropped = what === FRAME.Full || what === FRAME.Lost || what === FRAME.Nowhere;
    if (device === NET_DEVICE.Nic) {
      const { wire } = this;
      if (isDropped) wire.dropped++;
      if (fill > 0 && kernel !== CLIENT_KERNEL) wire.queue.set(time, fill);
      if (what === FRAME.In && kernel !== CLIENT_KERNEL) this.#pass({ time, over: 'wire', from: CLIENT_KERNEL, to: kernel, protocol });
      if (what !== FRAME.Out) return;
      const isOurs = port !== CLIENT_END;
      (isOurs ? wire.sent : wire.received).add(time, 1);
      (isOurs ? wire.sentBytes : wire.receivedBytes).add(time, bytes);
      if (isOurs) this.#pass({ time, over: 'wire', from: sender, to: null, protocol });
      return;
    }
    if (device === NET_DEVICE.Card) {
      if (what === FRAME.In) this.#pass({ time, over: 'card', from: sender, to: kernel === sender ? null : kernel, protocol });
      return;
    }
    const row = this.#port(port);
    // At the hub a frame that comes in has come from the port's kernel, at that kernel one that goes out goes to the hub.
    if (fill > 0) ((device === NET_DEVICE.Switch) === (what === FRAME.In) ? row.toHub : row.fromHub).set(time, fill);
    if (isDropped) row.dropped++;
    else if (what === FRAME.Out && fill > 0) {
      const other = device === NET_DEVICE.Switch ? port : (this.switch?.hub ?? null);
      if (other !== null) this.#pass({ time, over: 'switch', from: kernel, to: other, protocol });
    }
    // The hub counts for all: what a client puts into its ring comes out there.
    if (isDropped || device !== NET_DEVICE.Switch) return;
    const isSent = what === FRAME.In;
    (isSent ? row.sent : row.received).add(time, 1);
    (isSent ? row.sentBytes : row.receivedBytes).add(time, bytes);
  }

  #pass(passage: Passage): void {
    this.#passed++;
    this.#passages.push(passage);
    if (this.#passages.length > 2 * PASSAGES) this.#passages.splice(0, PASSAGES);
  }

  /** Visits what has passed since the cursor's last visit, as far as it is remembered. Returns the cursor for the next one. */
  eachNewPassage(cursor: number, visit: (passage: Passage) => void): number {
    const first = this.#passed - this.#passages.length;
    for (let at = Math.max(0, cursor - first); at < this.#passages.length; at++) visit(this.#passages[at] as Passage);
    return this.#passed;
  }

  /** Visits what passed since a time. */
  eachPassage(start: number, visit: (passage: Passage) => void): void {
    // Kernels come in any order, but not far apart.
    for (const passage of this.#passages) if (passage.time >= start) visit(passage);
  }

  // --- frames --------------------------------------------------------------------------------------------------------------------

  /** What a kernel told of a frame with its bytes (kernel/net/frame-trace.ts). */
  addCapture(kernel: number, time: number, bytes: Uint8Array): void {
    if (bytes.length < CAPTURE_HEADER) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [what, device, port, id] = [view.getUint8(0), view.getUint8(1), view.getUint16(2, true), view.getUint32(4, true)];
    const over = CARRIERS[device] ?? 'switch';
    const key = device * 2 ** 32 + id;
    const known = this.#inside.get(key);
    if (device === NET_DEVICE.Switch && what !== FRAME.In) {
      if (what === FRAME.Out) known?.to.push(port);
      else known?.fates.push(what === FRAME.Full ? `no room to kernel ${port}` : 'nobody has that address');
      return;
    }
    const onWire = over === 'wire';
    const inCard = over === 'card';
    const sender = onWire && port === CLIENT_END ? CLIENT_KERNEL : id >>> 24;
    // Of what the card carries, its switch and the wire, those who get it say so; but the client machine's card is the end of the wire.
    if ((onWire || inCard) && what === FRAME.In && kernel !== sender) {
      if (known === undefined || known.to.includes(kernel)) return;
      known.to.push(kernel);
      if (inCard) known.functions.push(port);
      return;
    }
    if (inCard && what === FRAME.Out) return;
    if (inCard && what === FRAME.Full && known !== undefined) {
      known.fates.push(`no room in the queue of ${functionName(port)}`);
      return;
    }
    // A client's frame comes to the hub, where it is told of; here only when it doesn't get there.
    if (device === NET_DEVICE.Port && (what === FRAME.In || what === FRAME.Out)) return;
    const row: PacketRow = {
      number: this.packetCount++,
      time,
      over,
      from: onWire || inCard ? sender : port,
      to: onWire && what === FRAME.Out && sender !== CLIENT_KERNEL ? [CLIENT_KERNEL] : [],
      fates: fateOf(what, over),
      functions: inCard ? [port] : [],
      frame: bytes.subarray(CAPTURE_HEADER),
    };
    if (device !== NET_DEVICE.Port) {
      this.#inside.set(key, row);
      const [oldest] = this.#inside.keys();
      if (this.#inside.size > KEPT && oldest !== undefined) this.#inside.delete(oldest);
    }
    let at = this.#packets.length;
    while (at > 0 && (this.#packets[at - 1] as PacketRow).time > time) at--;
    this.#packets.splice(at, 0, row);
    this.streams.add(row);
    if (this.#packets.length > 2 * KEPT) this.#packets.splice(0, this.#packets.length - KEPT);
  }

  /** The last frames that are kept, `count` at most, oldest first. */
  packets(count = KEPT): PacketRow[] {
    return this.#packets.slice(-Math.min(count, KEPT));
  }

  /** The last frames from or to a kernel, `count` at most, oldest first. */
  packetsOf(kernel: number, count: number): PacketRow[] {
    const found: PacketRow[] = [];
    for (let at = this.#packets.length - 1; at >= 0 && found.length < count; at--) {
      const row = this.#packets[at] as PacketRow;
      if (row.from === kernel || row.to.includes(kernel)) found.push(row);
    }
    return found.reverse();
  }
}

const CARRIERS: Readonly<Record<number, Carrier>> = { [NET_DEVICE.Nic]: 'wire', [NET_DEVICE.Card]: 'card' };
const NO_ROOM: Readonly<Record<Carrier, string>> = {
  switch: 'no room in the ring to the hub',
  wire: 'no room in the card’s queue',
  card: 'no room in the card',
};

function fateOf(what: number, over: Carrier): string[] {
  if (what === FRAME.Lost) return ['lost on the wire'];
  if (what === FRAME.Full) return [NO_ROOM[over]];
  if (what === FRAME.Nowhere) return [over === 'wire' ? 'the link is down' : 'there is no hub'];
  return [];
}
