/**
 * The map of physical memory.
 *
 *     0 …          words by which hosts agree on time (world/), 64 KiB
 *     then         one state block for each core (hart/)
 *     then         for each of up to HOSTS_MAX hosts its cache of decoded instructions
 *     then         for each of them where its translated code is entered
 *     then         the disk: its registers and its sectors
 *     then         the nodes' memory, one range after the other
 *     then         where there is a client machine: its memory, its own drive with no disk in it
 *     then         the network card and its cable (devices/nic.ts)
 *
 * Always holds: the map follows from the topologies alone and not from the number of hosts, so frame numbers are the same in every run;
 * no frame below `lowLimit` belongs to a node.
 */
import { DISK_AREA_BYTES, DISK_REGISTER_BYTES } from './devices/disk.ts';
import { cardFunctions } from './devices/devices.ts';
import { cardBytes } from './devices/nic.ts';
import { HART_STATE_BYTES } from './hart/hart.ts';
import { WASM_PAGE } from './memory.ts';
import type { Topology } from './topology/topology.ts';

export const HOSTS_MAX = 8;
export const DECODE_CACHE_BYTES = 16 << 20;
export const TRANSLATION_BYTES = 1 << 20;
/** Bytes at the bottom that world/ lays out for itself. */
export const HOST_WORDS_BYTES = 65536;

/** The most that one memory holds. */
const MEMORY_MAX = 65536 * WASM_PAGE;
/** What a machine gets: as much as this for all its nodes together, the same for each. */
const MACHINE_BYTES = 2 ** 31;
const NODE_BYTES_MAX = 512 << 20;
const MEBIBYTE = 1 << 20;

export interface NodeRange {
  /** Index in topology.nodes. */
  readonly node: number;
  readonly base: number;
  readonly bytes: number;
}

export interface MemoryMap {
  /** All of it, bytes. */
  readonly bytes: number;
  /** First byte that a node owns. */
  readonly lowLimit: number;
  readonly nodes: readonly NodeRange[];
  /** Address of the disk's registers. */
  readonly disk: number;
  /** Address of the network card. */
  readonly card: number;
  /** Of the client machine: its one node, and the registers of its drive; null: there is none. */
  readonly client: { readonly node: NodeRange; readonly disk: number } | null;
  /** Address of the state block of the core at this position in topology.cores; the client machine's follow those of the machine. */
  readonly hartState: (position: number) => number;
  readonly decodeCache: (host: number) => number;
  readonly translation: (host: number) => number;
}

/** What the client machine gets. */
const CLIENT_BYTES = 128 << 20;

/**
 * @param client the topology of the client machine, where there is one
 * @param limit bytes that the memory may have in all (less than wanted where a browser refuses more)
 * @throws RangeError when that leaves a node without memory
 */
export function memoryMap(topology: Topology, limit = MEMORY_MAX, client: Topology | null = null): MemoryMap {
  const harts = HOST_WORDS_BYTES;
  const caches = harts + (topology.cores.length + (client?.cores.length ?? 0)) * HART_STATE_BYTES;
  const alignedCaches = Math.ceil(caches / WASM_PAGE) * WASM_PAGE;
  const translations = alignedCaches + HOSTS_MAX * DECODE_CACHE_BYTES;
  const disk = translations + HOSTS_MAX * TRANSLATION_BYTES;
  const lowLimit = Math.ceil((disk + DISK_AREA_BYTES) / MEBIBYTE) * MEBIBYTE;
  const count = topology.nodes.length;
  const apart = client === null ? 0 : CLIENT_BYTES + Math.ceil(DISK_REGISTER_BYTES / MEBIBYTE) * MEBIBYTE;
  const behind = apart + Math.ceil(cardBytes(cardFunctions(topology)) / MEBIBYTE) * MEBIBYTE;
  const share = Math.min(NODE_BYTES_MAX, MACHINE_BYTES / count, (limit - lowLimit - behind) / count);
  const perNode = Math.floor(share / MEBIBYTE) * MEBIBYTE;
  if (perNode <= 0) throw new RangeError(`${limit} bytes of memory are too few for ${count} nodes`);
  const end = lowLimit + count * perNode;
  return {
    bytes: end + behind,
    lowLimit,
    disk,
    card: end + apart,
    client: client === null ? null : { node: { node: 0, base: end, bytes: CLIENT_BYTES }, disk: end + CLIENT_BYTES },
    nodes: topology.nodes.map((_, node) => ({ node, base: lowLimit + node * perNode, bytes: perNode })),
    hartState: position => harts + position * HART_STATE_BYTES,
    decodeCache: host => alignedCaches + host * DECODE_CACHE_BYTES,
    translation: host => translations + host * TRANSLATION_BYTES,
  };
}
