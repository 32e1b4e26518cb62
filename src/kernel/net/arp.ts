/**
 * ARP (RFC 826) and the neighbour table: which MAC address an IPv4 address on a link has.
 *
 * Always holds: the table and each entry's queue are bounded; every frame handed in is sent, or counted, or given to `failed`.
 * An answer is believed only about an address that was asked for or is in the table, so that a stranger cannot fill it.
 */
import { get16, get32, put16, put32 } from './bytes.ts';
import { isGroupMac, isNobody, MAC_BROADCAST } from './address.ts';
import type { NetContext } from './context.ts';
import { ETHERNET_HEADER, ETHERTYPE, getMac, putEthernet, putMac } from './ethernet.ts';
import type { NetInterface } from './interface.ts';
import type { Cycles, Ipv4Address, MacAddress } from './platform.ts';
import { Timer } from './timer.ts';

/**
 * Linux's NUD states, of which an entry goes through these:
 *   INCOMPLETE  asked by broadcast; frames wait            → REACHABLE on an answer, gone after the last question
 *   REACHABLE   known, confirmed of late                   → STALE after a while
 *   STALE       known, to be confirmed when next used      → DELAY on use
 *   DELAY       used; perhaps the other side asks us first → PROBE, or REACHABLE on an answer
 *   PROBE       asked by unicast; the old answer is used   → REACHABLE, or gone
 *   PERMANENT   set by hand
 */
export type NeighbourState = 'INCOMPLETE' | 'REACHABLE' | 'STALE' | 'DELAY' | 'PROBE' | 'PERMANENT';

/** Times and bounds as on Linux (net.ipv4.neigh.default.*). */
export const ARP = {
  retransMs: 1000,
  probes: 3,
  reachableMs: 30_000,
  delayMs: 5000,
  /** gc_thresh3 */
  entries: 1024,
  queueFrames: 100,
} as const;

const PACKET_BYTES = 28;
const REQUEST = 1;
const REPLY = 2;

export interface ArpPacket {
  readonly operation: number;
  readonly senderMac: MacAddress;
  readonly sender: Ipv4Address;
  readonly targetMac: MacAddress;
  readonly target: Ipv4Address;
}

/** Reads the ARP packet of a frame; null if it is not one about Ethernet and IPv4. */
export function parseArp(frame: Uint8Array): ArpPacket | null {
  const at = ETHERNET_HEADER;
  if (frame.length < at + PACKET_BYTES) return null;
  if (get16(frame, at) !== 1 || get16(frame, at + 2) !== ETHERTYPE.IPV4 || frame[at + 4] !== 6 || frame[at + 5] !== 4) return null;
  return {
    operation: get16(frame, at + 6),
    senderMac: getMac(frame, at + 8),
    sender: get32(frame, at + 14),
    targetMac: getMac(frame, at + 18),
    target: get32(frame, at + 24),
  };
}

/** An ARP packet in a frame to `to`. */
export function buildArp(to: MacAddress, packet: ArpPacket): Uint8Array {
  const at = ETHERNET_HEADER;
  const frame = new Uint8Array(at + PACKET_BYTES);
  putEthernet(frame, to, packet.senderMac, ETHERTYPE.ARP);
  put16(frame, at, 1);
  put16(frame, at + 2, ETHERTYPE.IPV4);
  frame[at + 4] = 6;
  frame[at + 5] = 4;
  put16(frame, at + 6, packet.operation);
  putMac(frame, at + 8, packet.senderMac);
  put32(frame, at + 14, packet.sender);
  putMac(frame, at + 18, packet.targetMac);
  put32(frame, at + 24, packet.target);
  return frame;
}

export class Neighbour {
  state: NeighbourState = 'INCOMPLETE';
  mac: MacAddress = 0;
  /** When the state was entered. */
  since: Cycles = 0;
  /** Questions asked since the entry was last known to be true. */
  asked = 0;
  /** Frames that wait for the address; their Ethernet header is still empty. */
  waiting: Uint8Array[] = [];
  readonly timer: Timer;

  constructor(
    readonly through: NetInterface,
    readonly address: Ipv4Address,
    context: NetContext,
    ring: (neighbour: Neighbour) => void,
  ) {
    this.timer = new Timer(context.platform, () => ring(this));
  }
}

const keyOf = (through: NetInterface, address: Ipv4Address): number => through.index * 2 ** 32 + address;

export class ArpTable {
  readonly #entries = new Map<number, Neighbour>();
  readonly #context: NetContext;
  readonly #isOwn: (address: Ipv4Address) => boolean;
  readonly #failed: (frame: Uint8Array, through: NetInterface) => void;

  /** `failed` gets the frames to a neighbour that did not answer. */
  constructor(context: NetContext, isOwn: (address: Ipv4Address) => boolean, failed: (frame: Uint8Array, through: NetInterface) => void) {
    this.#context = context;
    this.#isOwn = isOwn;
    this.#failed = failed;
  }

  get neighbours(): Iterable<Neighbour> {
    return this.#entries.values();
  }

  /** Sends a frame whose Ethernet header is still empty to a neighbour, now or when its address is known. False: dropped. */
  send(through: NetInterface, address: Ipv4Address, frame: Uint8Array): boolean {
    const entry = this.#entries.get(keyOf(through, address)) ?? this.#ask(through, address);
    if (!entry) {
      this.#context.counters.Arp.QueueDrops++;
      return false;
    }
    if (entry.state === 'INCOMPLETE') {
      if (entry.waiting.length >= ARP.queueFrames) {
        entry.waiting.shift();
        this.#context.counters.Arp.QueueDrops++;
      }
      entry.waiting.push(frame);
      return true;
    }
    if (entry.state === 'REACHABLE' && this.#context.now - entry.since > this.#context.cycles(ARP.reachableMs)) this.#enter(entry, 'STALE');
    if (entry.state === 'STALE') {
      this.#enter(entry, 'DELAY');
      entry.timer.set(this.#context.now + this.#context.cycles(ARP.delayMs));
    }
    return this.#transmit(entry, frame);
  }

  receive(through: NetInterface, frame: Uint8Array): void {
    const { counters } = this.#context;
    const packet = parseArp(frame);
    if (!packet || isGroupMac(packet.senderMac) || (packet.sender !== 0 && isNobody(packet.sender)) || this.#isOwn(packet.sender)) {
      counters.Arp.InErrors++;
      return;
    }
    if (packet.operation === REQUEST) counters.Arp.InRequests++;
    else if (packet.operation === REPLY) counters.Arp.InReplies++;
    else return void counters.Arp.InErrors++;

    const asksUs = packet.operation === REQUEST && this.#isOwn(packet.target);
    const known = this.#entries.get(keyOf(through, packet.sender));
    if (known) this.#learn(known, packet.senderMac, packet.operation === REPLY);
    else if (asksUs && packet.sender !== 0) this.#welcome(through, packet);
    if (!asksUs) return;
    counters.Arp.OutReplies++;
    const answer = { operation: REPLY, senderMac: through.mac, sender: packet.target, targetMac: packet.senderMac, target: packet.sender };
    through.transmit(buildArp(packet.senderMac, answer));
  }

  /** Sets an entry by hand (`ip neigh add … nud permanent`). */
  add(through: NetInterface, address: Ipv4Address, mac: MacAddress): void {
    const entry = this.#entries.get(keyOf(through, address)) ?? this.#make(through, address);
    if (!entry) return;
    this.#learn(entry, mac, true);
    this.#enter(entry, 'PERMANENT');
  }

  /** Forgets an entry, or all of an interface. */
  remove(through: NetInterface, address: Ipv4Address | null = null): void {
    for (const [key, entry] of this.#entries) {
      if (entry.through !== through || (address !== null && entry.address !== address)) continue;
      entry.timer.stop();
      this.#entries.delete(key);
    }
  }

  #enter(entry: Neighbour, state: NeighbourState): void {
    entry.state = state;
    entry.since = this.#context.now;
  }

  /** A new entry; the oldest one that is not in use gives way if the table is full. */
  #make(through: NetInterface, address: Ipv4Address): Neighbour | null {
    if (this.#entries.size >= ARP.entries) {
      const old = [...this.#entries].find(([, entry]) => entry.state === 'STALE' || entry.state === 'REACHABLE');
      if (!old) return null;
      this.#entries.delete(old[0]);
    }
    const entry = new Neighbour(through, address, this.#context, neighbour => this.#ring(neighbour));
    this.#enter(entry, 'INCOMPLETE');
    this.#entries.set(keyOf(through, address), entry);
    return entry;
  }

  #ask(through: NetInterface, address: Ipv4Address): Neighbour | null {
    const entry = this.#make(through, address);
    if (entry) this.#request(entry, MAC_BROADCAST);
    return entry;
  }

  #request(entry: Neighbour, to: MacAddress): void {
    const { through, address } = entry;
    entry.asked++;
    entry.timer.set(this.#context.now + this.#context.cycles(ARP.retransMs));
    this.#context.counters.Arp.OutRequests++;
    const sender = through.sourceFor(address) ?? 0;
    const targetMac = to === MAC_BROADCAST ? 0 : to;
    through.transmit(buildArp(to, { operation: REQUEST, senderMac: through.mac, sender, targetMac, target: address }));
  }

  #ring(entry: Neighbour): void {
    if (entry.state === 'DELAY') {
      this.#enter(entry, 'PROBE');
      entry.asked = 0;
    }
    if (entry.asked < ARP.probes) return this.#request(entry, entry.state === 'PROBE' ? entry.mac : MAC_BROADCAST);
    this.#entries.delete(keyOf(entry.through, entry.address));
    const { waiting } = entry;
    entry.waiting = [];
    this.#context.counters.Arp.Unresolved += waiting.length;
    for (const frame of waiting) this.#failed(frame, entry.through);
  }

  /** Someone who asks for us will soon hear from us: remembered, to be confirmed when used. */
  #welcome(through: NetInterface, packet: ArpPacket): void {
    const entry = this.#make(through, packet.sender);
    if (entry) this.#learn(entry, packet.senderMac, false);
  }

  #learn(entry: Neighbour, mac: MacAddress, confirmed: boolean): void {
    if (entry.state === 'PERMANENT' && entry.mac !== mac) return;
    const changed = entry.mac !== mac;
    entry.mac = mac;
    if (entry.state === 'PERMANENT') return;
    if (confirmed || entry.state === 'INCOMPLETE' || changed) {
      entry.timer.stop();
      entry.asked = 0;
      this.#enter(entry, confirmed ? 'REACHABLE' : 'STALE');
    }
    const { waiting } = entry;
    entry.waiting = [];
    for (const frame of waiting) this.#transmit(entry, frame);
  }

  #transmit(entry: Neighbour, frame: Uint8Array): boolean {
    putEthernet(frame, entry.mac, entry.through.mac, ETHERTYPE.IPV4);
    return entry.through.transmit(frame);
  }
}
