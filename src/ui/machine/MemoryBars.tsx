/**
 * Each node's memory, in the colours of the kernels that have it. A block of it is dragged to another kernel (Scene.tsx), or asked for its number and the
 * block's size.
 */
import { memoryMap } from '../../machine/layout.ts';
import { sizeText } from '../../machine/topology/text.ts';
import { kernelGroup, kernelName, kernelStyle, STATE } from '../kernels.ts';
import { useLab } from '../store.ts';
import type { MachineLayout } from './layout.ts';
import { blockBytes, type MemoryPart } from './memory.ts';
import { ahead } from './owners.ts';

export const partName = ({ node, kernel }: MemoryPart): string => `${node}/${kernel ?? 'free'}`;

interface Props {
  readonly layout: MachineLayout;
  readonly parts: readonly MemoryPart[];
  readonly dragged: MemoryPart | null;
}

export function MemoryBars({ layout, parts, dragged }: Props) {
  const { topology, session, kernel: chosen, block, select } = useLab();
  const { nodes } = memoryMap(topology);
  const { line } = layout;
  const first = parts.find(({ kernel }) => kernel === chosen) ?? parts[0];
  const goTo = (from: MemoryPart, key: string, bars: Element | null): void => {
    const at = ({ boxes: [box] }: MemoryPart): { x: number; y: number } => ({ x: (box?.x ?? 0) + (box?.width ?? 0) / 2, y: box?.y ?? 0 });
    const next = ahead(
      at(from),
      parts.map(each => ({ ...at(each), value: each })),
      key,
    );
    if (next !== null) bars?.querySelector<SVGGElement>(`[data-memory="${partName(next)}"]`)?.focus();
  };
  return (
    <g role="group" aria-label="Memory of the nodes">
      {parts.map(part => {
        const { node, kernel, bytes, boxes } = part;
        const state = kernel === null ? STATE.Off : (session?.trace.kernels.get(kernel)?.state ?? STATE.Off);
        const whose = kernel === null ? 'nobody’s' : `of ${kernelName(kernel)}`;
        const name = `${sizeText(bytes)} of node ${topology.nodes[node]?.id ?? node}, ${whose}`;
        const widest = boxes.reduce((best, box) => (box.width > best.width ? box : best));
        const words =
          kernel === null ? [`free ${sizeText(bytes)}`, 'free'] : [`k${kernel} · ${sizeText(bytes)}`, `k${kernel}`, `${kernel}`];
        const text = widest.height < line * 0.8 ? undefined : words.find(each => each.length * line * 0.45 + 4 < widest.width);
        return (
          <g
            key={partName(part)}
            className="memory"
            data-memory={partName(part)}
            data-kernel={kernel ?? 'none'}
            data-state={state}
            data-held={dragged !== null && partName(dragged) === partName(part)}
            style={kernelStyle(kernel ?? undefined)}
            role="button"
            tabIndex={part === first ? 0 : -1}
            aria-label={`${name}. M and a number give a block of it to that kernel, arrows go to other memory.`}
            onKeyDown={event => {
              if (['Enter', ' ', 'm'].includes(event.key)) select({ prompt: { kind: 'memory', memory: part } });
              else if (event.key.startsWith('Arrow')) goTo(part, event.key, event.currentTarget.parentElement);
              else return;
              event.preventDefault();
              event.stopPropagation();
            }}
          >
            <title>{`${name}: drag ${sizeText(blockBytes(part, block, nodes))} of it to another kernel; a click asks for another size`}</title>
            {boxes.map(box => (
              <rect key={box.x} {...box} rx={Math.min(2, box.width / 2)} />
            ))}
            {kernel !== null &&
              kernelGroup(kernel) > 0 &&
              boxes.map(box => (
                <rect key={box.x} {...box} className="hatch" fill={`url(#group${Math.min(7, kernelGroup(kernel))})`} pointerEvents="none" />
              ))}
            {text !== undefined && (
              <text x={widest.x + widest.width / 2} y={widest.y + widest.height * 0.78} textAnchor="middle">
                {text}
              </text>
            )}
          </g>
        );
      })}
    </g>
  );
}
