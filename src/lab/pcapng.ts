/**
 * Captures of a run in pcapng (the IETF draft "PCAP Next Generation Capture File Format"), as Wireshark and tshark read them.
 *
 *     const capture = new Capture(hertz);
 *     session.listen({ output: (kernel, port, time, bytes) => port === CAPTURE_PORT && capture.add(kernel, time, bytes) });
 *     for (const piece of capture.take()) file.write(piece);            at any time; at the end with take(true)
 *
 * Each port of the virtual switch is an interface, and so are the wire and each function of the network card. A frame stands where it came into the
 * switch, was put on the wire, or came into the card for another function of it: there once, with a comment of what was done with it. Time stamps are virtual time in nanoseconds.
 *
 * Always holds: blocks are in order of time, as far as what they are made of is.
 */
import { functionName } from '../machine/devices/devices.ts';
import { CAPTURE_HEADER, FRAME, NET_DEVICE } from '../kernel/net/frame-trace.ts';

const BLOCK = { section: 0x0a0d0d0a, interface: 1, packet: 6 } as const;
const OPTION = { end: 0, comment: 1, interfaceName: 2, interfaceDescription: 3, application: 4, resolution: 9 } as const;
const LINKTYPE_ETHERNET = 1;
const NANOSECONDS = 9;
const SNAP_LENGTH = 65_535;
/** Frames that a program of the switch's version `user` may be dealing with; and for how long, virtual. */
const OPEN_MAX = 256;
const OPEN_SECONDS = 0.01;

/** Whence frames on the wire come that are the client machine's (kernel/net/frame-trace.ts). */
const CLIENT_END = 1;

interface Entry {
  readonly interface: string;
  readonly description: string;
  /** Cycles. */
  readonly time: number;
  readonly id: number;
  readonly frame: Uint8Array;
  readonly comments: string[];
  /** Whether more may be learnt of it. */
  open: boolean;
}

export class Capture {
  readonly #hertz: number;
  readonly #interfaces = new Map<string, number>();
  readonly #entries: Entry[] = [];
  /** By kernel, device and id: frames that are being dealt with, in the order in which they came. */
  readonly #open = new Map<string, Entry>();
  readonly #ready: Uint8Array[] = [];
  /** Frames so far. */
  count = 0;

  constructor(hertz: number) {
    this.#hertz = hertz;
    const words = new Uint8Array(16);
    const view = new DataView(words.buffer);
    view.setUint32(0, 0x1a2b3c4d, true);
    view.setUint16(4, 1, true);
    view.setBigInt64(8, -1n, true);
    this.#ready.push(block(BLOCK.section, [words, ...options([[OPTION.application, text('Popcorn Lab')]])]));
  }

  /** What a kernel told of a frame (kernel/net/frame-trace.ts). */
  add(kernel: number, time: number, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [what, device, port, id] = [view.getUint8(0), view.getUint8(1), view.getUint16(2, true), view.getUint32(4, true)];
    const key = `${kernel} ${device} ${id}`;
    const current = this.#open.get(key);
    if (current !== undefined && what === FRAME.Out)
      current.comments.push(
        device === NET_DEVICE.Card ? `to ${functionName(port)}` : port === kernel ? `to kernel ${kernel}, here` : `to port ${port}`,
      );
    else if (current !== undefined && what === FRAME.Full) current.comments.push(`dropped: no room in the ring to kernel ${port}`);
    else if (current !== undefined && what === FRAME.Nowhere) current.comments.push('dropped: nobody has that address');
    else {
      const entry = this.#begun(kernel, what, device, port, { time, id, frame: bytes.slice(CAPTURE_HEADER) });
      if (entry === null) return;
      if (current !== undefined) this.#shut(key, current);
      this.#entries.push(entry);
      if (entry.open) this.#open.set(key, entry);
    }
    for (const [oldest, entry] of this.#open) {
      if (this.#open.size <= OPEN_MAX && entry.time > time - OPEN_SECONDS * this.#hertz) break;
      this.#shut(oldest, entry);
    }
  }

  #shut(key: string, entry: Entry): void {
    entry.open = false;
    this.#open.delete(key);
  }

  /** Whole blocks that are complete; at the `end` all. */
  take(end = false): Uint8Array[] {
    let done = 0;
    for (const entry of this.#entries) {
      if (entry.open && !end) break;
      this.#write(entry);
      done++;
    }
    this.#entries.splice(0, done);
    return this.#ready.splice(0);
  }

  #begun(kernel: number, what: number, device: number, port: number, of: Pick<Entry, 'time' | 'id' | 'frame'>): Entry | null {
    const onPort = { ...of, interface: `port${port}`, description: `virtual switch, port of kernel ${port}` };
    const onWire = { ...of, interface: 'wire', description: 'the cable between the machine and the client machine' };
    const inCard = { ...of, interface: functionName(port), description: `network card, function ${functionName(port)}` };
    if (device === NET_DEVICE.Switch && what === FRAME.In) return { ...onPort, comments: [`hub: kernel ${kernel}`], open: true };
    if (device === NET_DEVICE.Port && what === FRAME.Full)
      return { ...onPort, comments: ['dropped: no room in the ring to the hub'], open: false };
    if (device === NET_DEVICE.Port && what === FRAME.Nowhere) return { ...onPort, comments: ['dropped: there is no hub'], open: false };
    // Whoever gets a frame of the card's tells so too: only its sender made it.
    if (device === NET_DEVICE.Card && what === FRAME.In && kernel === of.id >>> 24)
      return { ...inCard, comments: [`card: from kernel ${kernel}`], open: true };
    if (device === NET_DEVICE.Card && what === FRAME.Full)
      return {
        ...inCard,
        comments: [kernel === of.id >>> 24 ? 'dropped: no room in the card' : 'dropped: the card found no descriptor'],
        open: false,
      };
    if (device !== NET_DEVICE.Nic || what === FRAME.In) return null;
    const from = port === CLIENT_END ? 'from the client machine' : `from kernel ${of.id >>> 24}`;
    const fate: Readonly<Record<number, string>> = {
      [FRAME.Out]: from,
      [FRAME.Lost]: `${from}, lost on the wire`,
      [FRAME.Nowhere]: `${from}, dropped: the link is down`,
    };
    return fate[what] === undefined ? null : { ...onWire, comments: [fate[what]], open: false };
  }

  #write({ interface: name, description, time, frame, comments }: Entry): void {
    let number = this.#interfaces.get(name);
    if (number === undefined) {
      number = this.#interfaces.size;
      this.#interfaces.set(name, number);
      const words = new Uint8Array(8);
      const view = new DataView(words.buffer);
      view.setUint16(0, LINKTYPE_ETHERNET, true);
      view.setUint32(4, SNAP_LENGTH, true);
      const known = options([
        [OPTION.interfaceName, text(name)],
        [OPTION.interfaceDescription, text(description)],
        [OPTION.resolution, Uint8Array.of(NANOSECONDS)],
      ]);
      this.#ready.push(block(BLOCK.interface, [words, ...known]));
    }
    const seconds = Math.floor(time / this.#hertz);
    const nanoseconds = BigInt(seconds) * 1_000_000_000n + BigInt(Math.floor(((time - seconds * this.#hertz) * 1e9) / this.#hertz));
    const words = new Uint8Array(20);
    const view = new DataView(words.buffer);
    view.setUint32(0, number, true);
    view.setUint32(4, Number(nanoseconds >> 32n), true);
    view.setUint32(8, Number(nanoseconds & 0xffffffffn), true);
    view.setUint32(12, frame.length, true);
    view.setUint32(16, frame.length, true);
    this.#ready.push(block(BLOCK.packet, [words, padded(frame), ...options([[OPTION.comment, text(comments.join('; '))]])]));
    this.count++;
  }
}

const text = (from: string): Uint8Array => new TextEncoder().encode(from);

/** With zeros up to a multiple of four bytes. */
function padded(bytes: Uint8Array): Uint8Array {
  const longer = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  longer.set(bytes);
  return longer;
}

function options(list: readonly (readonly [code: number, value: Uint8Array])[]): Uint8Array[] {
  return [...list, [OPTION.end, new Uint8Array(0)] as const].flatMap(([code, value]) => {
    const head = new Uint8Array(4);
    const view = new DataView(head.buffer);
    view.setUint16(0, code, true);
    view.setUint16(2, value.length, true);
    return [head, padded(value)];
  });
}

function block(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = 12 + parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, length, true);
  let at = 8;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  view.setUint32(at, length, true);
  return bytes;
}
