/**
 * Who holds which local port (Linux: the bind hash).
 *
 * Always holds: two holders of a port whose addresses overlap have both agreed to it, by SO_REUSEADDR while at most one of them
 * listens, or by SO_REUSEPORT.
 */
import { ANY } from '../address.ts';
import type { Ipv4Address } from '../platform.ts';

export interface Binding {
  readonly address: Ipv4Address;
  readonly port: number;
  readonly reuseAddress: boolean;
  readonly reusePort: boolean;
  /** Asked for by bind(), not chosen for a connection: keeps others from connecting from here. */
  readonly explicit: boolean;
  listening: boolean;
}

export class BindingTable {
  readonly #byPort = new Map<number, Set<Binding>>();

  add(binding: Binding): Binding {
    const holders = this.#byPort.get(binding.port);
    if (holders) holders.add(binding);
    else this.#byPort.set(binding.port, new Set([binding]));
    return binding;
  }

  remove(binding: Binding): void {
    const holders = this.#byPort.get(binding.port);
    holders?.delete(binding);
    if (holders?.size === 0) this.#byPort.delete(binding.port);
  }

  /** Ports that somebody holds. */
  get size(): number {
    return this.#byPort.size;
  }

  /** True if nobody holds `port`. */
  free(port: number): boolean {
    return !this.#byPort.has(port);
  }

  /** True if somebody asked for `port` by bind(). */
  reserved(port: number): boolean {
    for (const holder of this.#byPort.get(port) ?? []) if (holder.explicit) return true;
    return false;
  }

  /** True if `wanted` may not be added, or may not begin to listen if it is there already. */
  conflicts(wanted: Binding): boolean {
    for (const holder of this.#byPort.get(wanted.port) ?? []) {
      if (holder === wanted) continue;
      if (holder.address !== ANY && wanted.address !== ANY && holder.address !== wanted.address) continue;
      const sharedAddress = holder.reuseAddress && wanted.reuseAddress && !holder.listening;
      if (!sharedAddress && !(holder.reusePort && wanted.reusePort)) return true;
    }
    return false;
  }
}
