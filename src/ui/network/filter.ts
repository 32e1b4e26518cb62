/** The filter of the packet list. */
import type { Dissection } from '../../lab/dissect.ts';
import type { PacketRow } from '../../lab/trace/network.ts';

/** Words that all have to fit: `tcp`, a port's number, `2>5`, `k3` for either end, or part of what the line says (an address, `syn`, `lost`). */
export function packetFilter(text: string): (row: PacketRow, said: Dissection) => boolean {
  const words = text
    .trim()
    .toLowerCase()
    .split(/\s+/)
    .filter(word => word !== '');
  return ({ from, to, fates, onWire }, { protocol, summary, ports }) =>
    words.every(word => {
      const route = /^(\d*)>(\d*)$/.exec(word);
      if (route) return (route[1] === '' || Number(route[1]) === from) && (route[2] === '' || to.includes(Number(route[2])));
      const end = /^k(\d+)$/.exec(word);
      if (end) return Number(end[1]) === from || to.includes(Number(end[1]));
      if (/^\d+$/.test(word)) return ports.includes(Number(word));
      return `${protocol} ${summary} ${fates.join(' ')} ${onWire ? 'wire' : ''}`.toLowerCase().includes(word);
    });
}
