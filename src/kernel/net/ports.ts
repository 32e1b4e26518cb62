/** Ports chosen for those who do not care which (RFC 6056, algorithm 1). */
import type { NetContext } from './context.ts';

/** net.ipv4.ip_local_port_range */
export const EPHEMERAL = { first: 32768, last: 60999 } as const;

/** A port of which `free` is true, or null if there is none. */
export function choosePort(context: NetContext, free: (port: number) => boolean): number | null {
  const count = EPHEMERAL.last - EPHEMERAL.first + 1;
  const start = context.platform.random() % count;
  for (let i = 0; i < count; i++) {
    const port = EPHEMERAL.first + ((start + i) % count);
    if (free(port)) return port;
  }
  return null;
}
