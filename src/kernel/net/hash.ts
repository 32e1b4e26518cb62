/** A keyed hash of a connection's four-tuple: for initial sequence numbers (RFC 6528) and for spreading over SO_REUSEPORT sockets. */
import type { Ipv4Address } from './platform.ts';

function mix(hash: number, word: number): number {
  let h = Math.imul(hash ^ word, 0x9e3779b1);
  h ^= h >>> 15;
  h = Math.imul(h, 0x85ebca6b);
  return h ^ (h >>> 13);
}

/** An unsigned 32-bit number that depends on all of its arguments. */
export function tupleHash(secret: number, local: Ipv4Address, localPort: number, remote: Ipv4Address, remotePort: number): number {
  return mix(mix(mix(mix(secret, local), remote), (localPort << 16) | remotePort), secret) >>> 0;
}
