/**
 * A network card with one physical and many virtual functions, and the cable from it to the card of another machine: what a driver has of them,
 * for each function. Frames between functions stay in the card (card-switch.ts); behind that switch's memory stand the cable's registers:
 *
 *     of either end (0 the machine's, 1 the client machine's)
 *         28 whether the cable is in (u32)    32 rate, delay, loss and queue, as LinkSettings has them (f64 each)
 *     of either direction, among those of end 1 (from 96 on, 32 bytes each)
 *         0 when the sender has done with the last frame, and when the last one arrives (f64 each)    16 state of its chance (u32)
 *
 * A frame takes its bits' time on the wire, one after the other, then the delay; the wire may lose it. A frame with the id CONTROL is none:
 * it tells the other end that its half of the cable is now like this one.
 *
 * Many functions send to one wire, and the kernels that have them are not at the same time. So the far end, which one kernel has, puts their
 * frames one behind the other: it finds each a lookahead after it has left its function, and says then when it arrives.
 *
 * Always holds: a function, and an end, is touched by one kernel at a time, the one that has it; both directions are the client machine's. What
 * one does to another is noticed at a stamped time, not before the least latency of a message. The lost frames follow from the seed.
 */
import type { PhysicalMemory } from '../memory.ts';
import { type CardSwitch, cardSwitchBytes, type Coming, slotsOf, type Target } from './card-switch.ts';
import type { Packet } from './packet-ring.ts';

const REGISTER_BYTES = 256;
const DIRECTIONS_AT = 96;

/** Bytes of a card with so many functions, and of its cable. */
export const cardBytes = (functions: number): number => Math.ceil(cardSwitchBytes(functions) / 64) * 64 + 2 * REGISTER_BYTES;

/** Preamble, start of frame, check sequence and gap: bytes of the wire's time that are no frame. */
const WIRE_OVERHEAD = 24;
export const CONTROL = 0xffffffff;
/** Frames on their way from the machine to the client machine at most. */
export const CABLE_FRAMES = 1024;

/** 02 (administered locally) 50:4f:50 (POP), then the wire's network, and who. */
const MACS = 0x02504f500100;
/** The address of a function of the machine's card; that of the client machine's. */
export const macOfFunction = (port: number): number => MACS + (port === 0 ? 31 : 100 + port);
/** The function that has it; NaN: none. */
const functionOfMac = (mac: number): number => (mac === macOfFunction(0) ? 0 : mac > MACS + 100 ? mac - MACS - 100 : Number.NaN);
export const MAC_OF_CLIENT = MACS + 63;

export interface LinkSettings {
  readonly up: boolean;
  /** Bits a second. */
  readonly rate: number;
  /** Microseconds. */
  readonly delay: number;
  /** 0 to 1. */
  readonly loss: number;
  /** Frames that wait for the wire at most. */
  readonly queue: number;
}

/** A gigabit over a few metres and a switch. */
export const DEFAULT_LINK: LinkSettings = { up: true, rate: 1e9, delay: 5, loss: 0, queue: 256 };

export const LINK_LIMITS = {
  rate: [1e6, 100e9],
  delay: [0, 1e6],
  loss: [0, 1],
  queue: [1, 1000],
} as const;

/** Of the reference clock. */
type Cycles = number;

export type Fate = 'sent' | 'lost' | 'full' | 'down';

/** What became of a frame that a function or the client machine has given to its card. */
export interface Sent {
  /** Functions of the machine's card that get it. */
  readonly functions: readonly number[];
  /** On the wire; null: it did not go there. From the machine `sent` says only that it is on its way there. */
  readonly wire: Fate | null;
  /** When the first of all has it. */
  readonly arrival: Cycles;
  /** The card had no room: nobody gets it. */
  readonly full: boolean;
}

export class Nic {
  /** Of the card's switch. */
  readonly port: number;
  readonly #card: CardSwitch;
  readonly #memory: PhysicalMemory;
  readonly #ends: number;
  readonly #hertz: number;
  readonly #hasCable: boolean;

  /**
   * @param base physical address of the card
   * @param port the function; or the wire: this is the card of the client machine
   */
  constructor(memory: PhysicalMemory, base: number, card: CardSwitch, port: number, hertz: number, hasCable: boolean) {
    this.port = port;
    this.#card = card;
    this.#memory = memory;
    this.#ends = base + cardBytes(card.wire) - 2 * REGISTER_BYTES;
    this.#hertz = hertz;
    this.#hasCable = hasCable;
  }

  get isClient(): boolean {
    return this.port === this.#card.wire;
  }
  /** Frames that its card takes before others have had them. */
  get slots(): number {
    return slotsOf(this.port, this.#card.wire);
  }
  /** The end of the cable that it is at. */
  get end(): 0 | 1 {
    return this.isClient ? 1 : 0;
  }

  /** In use from now on, or no longer. */
  use(inUse: boolean, now: Cycles): void {
    if (!this.isClient) this.#card.use(this.port, inUse, now);
  }

  // --- the cable -----------------------------------------------------------------------------------------------------------------

  /** The first time that this end is touched: the cable is as given, and chance begins. Of a virtual function: nothing. */
  begin(link: LinkSettings, seed: number): void {
    if ((!this.isClient && this.port !== 0) || this.link.rate !== 0) return;
    this.#set(link);
    const { view } = this.#memory;
    if (this.isClient)
      for (const from of [0, 1] as const)
        view.setUint32(this.#direction(from) + 16, (seed ^ Math.imul(from + 1, 0x9e3779b1)) >>> 0 || 1, true);
  }

  /** As this end has it. Only who has the end may ask. */
  get link(): LinkSettings {
    const { view } = this.#memory;
    const at = this.#end;
    return {
      up: view.getUint32(at + 28, true) !== 0,
      rate: view.getFloat64(at + 32, true),
      delay: view.getFloat64(at + 40, true),
      loss: view.getFloat64(at + 48, true),
      queue: view.getFloat64(at + 56, true),
    };
  }

  /** The cable is like this from now on, and will be so at the other end. Returns when that hears of it; NaN: it can't be told now. */
  configure(link: LinkSettings, now: Cycles, visible: Cycles): Cycles {
    const card = this.#card;
    if (!card.hasRoom(this.port, visible)) return Number.NaN;
    const packet = { frame: Uint8Array.from(JSON.stringify(link), c => c.charCodeAt(0)), id: CONTROL };
    this.#set(link);
    const arrival = this.isClient ? this.#arrivalOf(1, now) : now + card.lookahead;
    return card.put(this.port, packet, [{ port: this.isClient ? 0 : card.wire, arrival }]);
  }

  /** A frame that has come in with the id CONTROL. */
  takeControl(frame: Uint8Array): void {
    this.#set(JSON.parse(String.fromCharCode(...frame)) as LinkSettings);
  }

  // --- out -----------------------------------------------------------------------------------------------------------------------

  /**
   * Gives a frame to the card. `arrival` is meant where it is sent.
   * @param target its address on the Ethernet
   * @param now when the card has read it from memory
   * @param dma cycles that it takes to write it to memory again
   */
  transmit(packet: Packet, target: number, now: Cycles, visible: Cycles, dma: Cycles): Sent {
    const card = this.#card;
    const functions = this.#functionsFor(target, visible);
    if (!card.hasRoom(this.port, visible)) return { functions: [], wire: null, arrival: 0, full: true };
    const targets: Target[] = [];
    let wire: Fate | null = null;
    if (this.isClient) {
      const carried = this.carry(1, packet, now);
      wire = carried.fate;
      if (wire === 'sent') targets.push(...functions.map(port => ({ port, arrival: carried.arrival })));
    } else {
      const inside = now + Math.max(dma, card.lookahead);
      targets.push(...functions.map(port => ({ port, arrival: inside })));
      if (functions.length === 0 || isGroup(target)) {
        // A virtual function does not see whether the cable is in: the far end does.
        wire = !this.#hasCable || (this.port === 0 && !this.link.up) ? 'down' : 'sent';
        if (wire === 'sent') targets.push({ port: card.wire, arrival: now + card.lookahead });
      }
    }
    const arrival = targets.length === 0 ? 0 : card.put(this.port, packet, targets);
    return { functions: targets.flatMap(({ port }) => (port === card.wire ? [] : [port])), wire, arrival, full: false };
  }

  /** Functions that a frame with this address is for: all that are in use, or the one whose it is. */
  #functionsFor(target: number, visible: Cycles): number[] {
    const card = this.#card;
    if (isGroup(target)) return card.used(this.port, visible);
    const port = functionOfMac(target);
    return port < card.wire && port !== this.port && card.isUsed(port, visible) ? [port] : [];
  }

  /**
   * Puts a frame on the wire, in the direction from that end. Only the client machine's card does so.
   * @param now when the sender's card has it
   */
  carry(from: 0 | 1, { frame }: Packet, now: Cycles): { fate: Fate; arrival: Cycles } {
    const { view } = this.#memory;
    const direction = this.#direction(from);
    const { up, rate, loss, queue } = this.link;
    if (!up) return { fate: 'down', arrival: 0 };
    const wire = ((frame.length + WIRE_OVERHEAD) * 8 * this.#hertz) / rate;
    const free = Math.max(view.getFloat64(direction, true), now);
    if ((free - now) / wire > queue) return { fate: 'full', arrival: 0 };
    view.setFloat64(direction, free + wire, true);
    if (loss > 0 && this.#chance(direction) < loss) return { fate: 'lost', arrival: 0 };
    return { fate: 'sent', arrival: this.#arrivalOf(from, free + wire) };
  }

  /** Of what is on the wire at `time`, at the other end. A shorter delay than before does not let frames overtake. */
  #arrivalOf(from: 0 | 1, time: Cycles): Cycles {
    const { view } = this.#memory;
    const at = this.#direction(from) + 8;
    const delay = Math.max((this.link.delay * this.#hertz) / 1e6, this.#card.lookahead);
    const arrival = Math.max(Math.ceil(time + delay), view.getFloat64(at, true));
    view.setFloat64(at, arrival, true);
    return arrival;
  }

  // --- in ------------------------------------------------------------------------------------------------------------------------

  /** Ports whose lanes to this one may have something new. */
  takeBells(): number[] {
    return this.#card.takeBells(this.port);
  }
  /** All ports that can send to this one. */
  get senders(): number[] {
    return Array.from({ length: this.#card.wire + 1 }, (_, port) => port).filter(port => port !== this.port);
  }
  first(from: number): number {
    return this.#card.first(from, this.port);
  }
  coming(from: number, entry: number): Coming | null {
    return this.#card.coming(from, this.port, entry);
  }
  /** The frame of an entry that arrives now. */
  take(coming: Coming): Packet {
    const packet = this.#card.read(coming);
    this.#card.taken(this.port, coming);
    return packet;
  }
  /** An entry is passed over. */
  pass(coming: Coming): void {
    this.#card.taken(this.port, coming);
  }
  /** Whether that port is the other end of the cable. */
  isFar(from: number): boolean {
    return this.isClient || from === this.#card.wire;
  }
  /** How long ago the other machine's card had a frame that the client machine's finds now. */
  get lookahead(): Cycles {
    return this.#card.lookahead;
  }

  // --- registers -----------------------------------------------------------------------------------------------------------------

  get #end(): number {
    return this.#ends + this.end * REGISTER_BYTES;
  }
  #direction(from: 0 | 1): number {
    return this.#ends + REGISTER_BYTES + DIRECTIONS_AT + from * 32;
  }

  #set({ up, rate, delay, loss, queue }: LinkSettings): void {
    const { view } = this.#memory;
    const at = this.#end;
    view.setUint32(at + 28, up ? 1 : 0, true);
    view.setFloat64(at + 32, rate, true);
    view.setFloat64(at + 40, delay, true);
    view.setFloat64(at + 48, loss, true);
    view.setFloat64(at + 56, queue, true);
  }

  /** The next of a direction's seeded stream, 0 to 1 (xorshift32, Marsaglia 2003). */
  #chance(direction: number): number {
    const { view } = this.#memory;
    let x = view.getUint32(direction + 16, true);
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    view.setUint32(direction + 16, x >>> 0, true);
    return (x >>> 0) / 2 ** 32;
  }
}

const isGroup = (mac: number): boolean => Math.floor(mac / 2 ** 40) % 2 === 1;
