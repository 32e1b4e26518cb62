/**
 * How long a message takes at least: the line's way between two cores, by the node where the window lies, the interrupt's way, and its entry. The
 * smallest of these is how far hosts may run ahead of each other.
 */
import { homeDetour, lineTransfer, type NodePosition } from '../../machine/interconnect.ts';
import type { Topology } from '../../machine/topology/topology.ts';
import { KERNEL_COSTS } from '../costs.ts';
import type { CoreId, Cycles } from '../types.ts';
import { type Transport, TRANSPORTS } from './settings.ts';

/** From one core's kernel to that of another core, by a window in memory of the node `home`; null: of one of the two. Symmetric. */
export function messageLatency(
  topology: Topology,
  from: CoreId,
  to: CoreId,
  transport: Transport = TRANSPORTS.memory,
  home: NodePosition | null = null,
): Cycles {
  if (!transport.byLine) return KERNEL_COSTS[transport.delivery].value;
  const mean = (way: (from: CoreId, to: CoreId) => number): Cycles => Math.round((way(from, to) + way(to, from)) / 2);
  const detour = home === null ? 0 : mean((a, b) => homeDetour(topology, a, b, home));
  return KERNEL_COSTS[transport.delivery].value + mean((a, b) => lineTransfer(topology, a, b)) + detour;
}

/**
 * Over all pairs of different cores and all transports; the upper one also over all places of a window, and may be more than any has. A machine of one
 * core has no pair: its own interrupt's way.
 */
export function latencyBounds(topology: Topology): { readonly least: Cycles; readonly most: Cycles } {
  let [least, most, detour] = [Number.POSITIVE_INFINITY, KERNEL_COSTS.ipiDelivery.value, 0];
  const firsts = new Map(topology.cores.map(({ id, node }) => [node, id]));
  for (const from of firsts.values())
    for (const to of firsts.values())
      for (const home of topology.nodes.keys()) detour = Math.max(detour, homeDetour(topology, from, to, home));
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
  return { least: Math.min(least, most), most: most + detour };
}
