/**
 * Whose memory is whose: each node's as a bar, a part for each kernel that has some of it, where it lies by address, and one for what is nobody's.
 *
 * Always holds: the parts of a node do not overlap and are all of it.
 */
import type { MemoryRange, ResolvedPlan } from '../../kernel/boot/parameters.ts';
import { cut } from '../../kernel/partition/map.ts';
import type { NodeRange } from '../../machine/layout.ts';
import type { Box, MachineLayout } from './layout.ts';

/** What a kernel has of a node; null: nobody has it. */
export interface MemoryPart {
  /** Position in topology.nodes. */
  readonly node: number;
  readonly kernel: number | null;
  readonly bytes: number;
  /** Bytes of the largest piece that lies together. */
  readonly piece: number;
  readonly boxes: readonly Box[];
}

export function memoryParts(plan: ResolvedPlan | null, nodes: readonly NodeRange[], layout: MachineLayout): MemoryPart[] {
  const owned = (plan?.partitions ?? []).flatMap(({ kernel, memory }) => memory.map(range => ({ kernel, range })));
  return nodes.flatMap(whole => {
    const bar = layout.nodes[whole.node]?.memory;
    if (bar === undefined) return [];
    const here = owned.filter(({ range }) => range.node === whole.node);
    const free = here.reduce((rest, { range }) => rest.flatMap(each => cut(each, range)), [whole as MemoryRange]);
    const all = [...here, ...free.map(range => ({ kernel: null, range }))].sort((a, b) => a.range.base - b.range.base);
    return [...new Set(all.map(({ kernel }) => kernel))].map((kernel): MemoryPart => {
      const pieces = joined(all.filter(each => each.kernel === kernel).map(({ range }) => range));
      return {
        node: whole.node,
        kernel,
        bytes: pieces.reduce((sum, { bytes }) => sum + bytes, 0),
        piece: Math.max(...pieces.map(({ bytes }) => bytes)),
        boxes: pieces.map(({ base, bytes }) => ({
          ...bar,
          x: bar.x + ((base - whole.base) / whole.bytes) * bar.width,
          width: (bytes / whole.bytes) * bar.width,
        })),
      };
    });
  });
}

/** Ranges in order, those that touch as one. */
function joined(ranges: readonly MemoryRange[]): MemoryRange[] {
  const found: MemoryRange[] = [];
  for (const range of ranges) {
    const last = found.at(-1);
    if (last !== undefined && last.base + last.bytes === range.base) found[found.length - 1] = { ...last, bytes: last.bytes + range.bytes };
    else found.push(range);
  }
  return found;
}

const MEBIBYTE = 1 << 20;
/** What goes at a time unless another size is chosen: this part of the node. */
const PART = 16;

/** Bytes of a part that go at a time. @param block MiB, where a size is chosen */
export function blockBytes({ node, piece }: MemoryPart, block: number | null, nodes: readonly NodeRange[]): number {
  const usual = Math.max(1, Math.floor((nodes[node]?.bytes ?? 0) / PART / MEBIBYTE));
  return Math.min(piece, (block ?? usual) * MEBIBYTE);
}
