/**
 * The routing table: which interface, and which neighbour on it, leads to an address.
 *
 * Always holds: routes are kept longest prefix first, then least metric, then oldest; so the first that matches is the best.
 */
import { inNetwork, netmask } from './address.ts';
import type { NetInterface } from './interface.ts';
import type { Ipv4Address } from './platform.ts';

/** Where a route leads: on, or nowhere, of which the sender hears nothing, or that it is unreachable, or that it may not. */
export type RouteKind = 'unicast' | 'blackhole' | 'unreachable' | 'prohibit';

/** rtm_protocol: it came with an address; a program has set it. */
export const ROUTE_ORIGIN = { KERNEL: 2, BOOT: 3 } as const;
/** rtm_scope, ifa_scope: anywhere; on the wire; this host. */
export const SCOPE = { UNIVERSE: 0, LINK: 253, HOST: 254 } as const;

export interface Route {
  readonly kind: RouteKind;
  readonly network: Ipv4Address;
  /** Bits of `network` that count; 0 is the default route. */
  readonly prefix: number;
  /** The neighbour to hand packets to; null if the target itself is a neighbour. */
  readonly gateway: Ipv4Address | null;
  /** Of one that leads nowhere: loopback. */
  readonly through: NetInterface;
  readonly metric: number;
  /** The source address of packets that have none yet; null: the interface's first. */
  readonly source: Ipv4Address | null;
  /** Largest packet; 0: what the interface takes. */
  readonly mtu: number;
  /** Who has set it (ROUTE_ORIGIN or a number that a program gives), and how far it reaches: both for who looks on. */
  readonly origin: number;
  readonly scope: number;
}

/** What a route can be made with beside its network and interface. */
export type RouteTraits = Partial<Omit<Route, 'network' | 'prefix' | 'through'>>;

export class RouteTable {
  #routes: Route[] = [];

  get routes(): readonly Route[] {
    return this.#routes;
  }

  /** Adds a route; one with the same network, prefix and metric gives way. */
  add(route: Route): void {
    const added = { ...route, network: (route.network & netmask(route.prefix)) >>> 0 };
    const rest = this.#routes.filter(r => r.network !== added.network || r.prefix !== added.prefix || r.metric !== added.metric);
    this.#routes = [...rest, added].sort((a, b) => b.prefix - a.prefix || a.metric - b.metric);
  }

  /** Removes all routes of which `gone` is true; returns how many. */
  remove(gone: (route: Route) => boolean): number {
    const before = this.#routes.length;
    this.#routes = this.#routes.filter(route => !gone(route));
    return before - this.#routes.length;
  }

  /** The best route to `target` whose interface is up, optionally through one interface only. */
  lookup(target: Ipv4Address, through: NetInterface | null = null): Route | null {
    for (const route of this.#routes) {
      if (!route.through.up || (through && route.through !== through)) continue;
      if (inNetwork(target, route.network, route.prefix)) return route;
    }
    return null;
  }
}
