/**
 * What a segment can be for: a connection, a handshake that waits for its last ACK, or the memory of a connection that has ended. All of
 * them are in one table under their four-tuple (Linux: the ehash).
 */
import type { DeliveryError } from '../ip.ts';
import type { Ipv4Address } from '../platform.ts';
import type { Segment } from './segment.ts';

/** The states of RFC 9293, 3.3.2, under Linux's names and with its numbers (/proc/net/tcp). */
export const TCP_STATE = {
  /** Both sides may send. */
  ESTABLISHED: 1,
  /** Our SYN is out. */
  SYN_SENT: 2,
  /** SYNs have crossed or ours answers one; the ACK of ours is missing. */
  SYN_RECV: 3,
  /** We have ended our stream; the peer has neither acknowledged that nor ended its own. */
  FIN_WAIT1: 4,
  /** Our end is acknowledged; the peer may still send. */
  FIN_WAIT2: 5,
  /** Both have ended; old segments may still be under way. */
  TIME_WAIT: 6,
  /** Over, or never begun. */
  CLOSE: 7,
  /** The peer has ended its stream; we may still send. */
  CLOSE_WAIT: 8,
  /** After that we have ended ours; its ACK is missing. */
  LAST_ACK: 9,
  LISTEN: 10,
  /** Both have ended at once; the ACK of our end is missing. */
  CLOSING: 11,
} as const;
export type TcpState = keyof typeof TCP_STATE;

export interface FourTuple {
  readonly local: Ipv4Address;
  readonly localPort: number;
  readonly remote: Ipv4Address;
  readonly remotePort: number;
}

export interface Endpoint {
  readonly tuple: FourTuple;
  readonly state: TcpState;
  receive(segment: Segment): void;
  /** ICMP says that the segment of ours that began at `seq` did not arrive. */
  failed(error: DeliveryError, seq: number): void;
}

const half = (address: Ipv4Address, port: number): number => address * 65536 + port;

export class EndpointTable {
  /** By local, then by remote address and port. */
  readonly #table = new Map<number, Map<number, Endpoint>>();
  size = 0;

  find(local: Ipv4Address, localPort: number, remote: Ipv4Address, remotePort: number): Endpoint | null {
    return this.#table.get(half(local, localPort))?.get(half(remote, remotePort)) ?? null;
  }

  /** Puts an endpoint in, in the place of one with the same four-tuple. */
  set(endpoint: Endpoint): void {
    const { local, localPort, remote, remotePort } = endpoint.tuple;
    const key = half(local, localPort);
    let row = this.#table.get(key);
    if (!row) this.#table.set(key, (row = new Map()));
    const before = row.size;
    row.set(half(remote, remotePort), endpoint);
    this.size += row.size - before;
  }

  /** Takes an endpoint out, if it is still the one under its four-tuple. */
  delete(endpoint: Endpoint): void {
    const { local, localPort, remote, remotePort } = endpoint.tuple;
    const key = half(local, localPort);
    const row = this.#table.get(key);
    if (row?.get(half(remote, remotePort)) !== endpoint) return;
    row.delete(half(remote, remotePort));
    this.size--;
    if (row.size === 0) this.#table.delete(key);
  }

  *values(): Iterable<Endpoint> {
    for (const row of this.#table.values()) yield* row.values();
  }
}
