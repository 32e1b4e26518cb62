/**
 * How long a message takes at least: the line's way between two cores, the interrupt's way, and its entry. The smallest of these is how far
 * hosts may run ahead of each other.
 */
import { lineTransfer } from '../../machine/interconnect.ts';
import type { Topology } from '../../machine/topology/topology.ts';
import { KERNEL_COSTS } from '../costs.ts';
import type { CoreId, Cycles } from '../types.ts';
import { type Transport, TRANSPORTS } from './settings.ts';

/** From one core's kernel to that of another core. Symmetric. */
export function messageLatency(topology: Topology, from: CoreId, to: CoreId, transport: Transport = TRANSPORTS.memory): Cycles {
  const line = transport.byLine ? Math.round((lineTransfer(topology, from, to) + lineTransfer(topology, to, from)) / 2) : 0;
  return KERNEL_COSTS[transport.delivery].value + line;
}

/** Over all pairs of different cores and all transports. A machine of one core has no pair: its own interrupt's way. */
export function latencyBounds(topology: Topology): { readonly least: Cycles; readonly most: Cycles } {
  let [least, most] = [Number.POSITIVE_INFINITY, KERNEL_COSTS.ipiDelivery.value];
  for (const { id: from } of topology.cores) {
    for (const { id: to } of topology.cores) {
      if (from === to) continue;
      for (const transport of Object.values(TRANSPORTS)) {
        const latency = messageLatency(topology, from, to, transport);
        least = Math.min(least, latency);
        most = Math.max(most, latency);
      }
    }
  }
  return { least: Math.min(least, most), most };
}
