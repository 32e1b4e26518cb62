/** A kernel on the machine: its region, its label, its cores, and its processes as chips that can be dragged away. */
import type { ReactNode } from 'react';
import { kernelName, kernelStyle, STATE, STATE_NAMES } from '../kernels.ts';
import { useLab } from '../store.ts';
import { rangesText } from '../../kernel/boot/parameters.ts';
import { memoryMap } from '../../machine/layout.ts';
import { sizeText } from '../../machine/topology/text.ts';
import type { Box, MachineLayout } from './layout.ts';
import type { KernelPlace } from './owners.ts';

/** A process as it stands on the picture. */
export interface Chip {
  readonly pid: number;
  readonly name: string;
  readonly origin: number;
  /** The kernel that it is on its way to. */
  readonly to: number | null;
}

interface Props {
  readonly place: KernelPlace;
  readonly layout: MachineLayout;
  readonly state: number;
  readonly processes: readonly Chip[];
  /** A process is held over it. */
  readonly over: boolean;
  readonly dragged: number | null;
  readonly onGo: (key: string) => void;
  readonly onAct: () => void;
  readonly children: ReactNode;
}

export function KernelGroup({ place, layout, state, processes, over, dragged, onGo, onAct, children }: Props) {
  const chosen = useLab(s => s.kernel === place.kernel);
  const running = useLab(s => s.session !== null);
  const { kernel, cores, nodes, small } = place;
  const { line } = layout;
  const [first] = cores;
  if (first === undefined) return null;
  const head = nodes[0];
  const name = kernelName(kernel);
  const people = processes.length === 0 ? '' : `, processes: ${processes.map(row => row.name).join(', ')}`;
  const label = `${name}, ${STATE_NAMES[state]}, cores ${rangesText(cores.map(({ core }) => core))}${people}${running && state === STATE.Off ? ': boot it' : ''}`;
  const tag: Box =
    head !== undefined
      ? { x: head.x + 6, y: head.y + 4, width: line * 4.6, height: line + 3 }
      : { x: first.x - 1, y: first.y - 1, width: first.width + 2, height: first.height + 2 };
  return (
    <g
      className="kernel-card"
      data-kernel={kernel}
      data-state={state}
      data-chosen={chosen}
      data-over={over}
      style={kernelStyle(kernel)}
      role="group"
      aria-label={label}
    >
      {nodes.map(node => (
        <g key={node.node}>
          <rect
            x={node.x}
            y={node.y}
            width={node.width}
            height={node.height}
            rx={6}
            className="region"
            onClick={() => running && onAct()}
          />
          {node !== head && (
            <text x={node.x + 9} y={node.y + line + 1} className="node-name">
              {name}
            </text>
          )}
          <text x={node.x + node.width - 9} y={node.y + line + 1} textAnchor="end" className="caption" pointerEvents="none">
            {caption(node.width, line, node.node)}
          </text>
        </g>
      ))}
      {children}
      {cores
        .filter(box => !nodes.some(({ node }) => node === box.node))
        .map(box => (
          <rect
            key={box.core}
            x={box.x - 1}
            y={box.y - 1}
            width={box.width + 2}
            height={box.height + 2}
            rx={5}
            className="own"
            onClick={() => running && onAct()}
          />
        ))}
      <g
        role="button"
        tabIndex={chosen ? 0 : -1}
        aria-label={label}
        aria-pressed={chosen}
        className="kernel-tag"
        data-small={head === undefined}
        onClick={() => (running ? onAct() : useLab.getState().select({ kernel }))}
        onKeyDown={event => {
          if (event.key === 'Enter' || event.key === ' ') onAct();
          else if (event.key.startsWith('Arrow')) onGo(event.key);
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      >
        <rect {...tag} rx={head === undefined ? 5 : tag.height / 2} />
        {head !== undefined && (
          <text x={tag.x + tag.width / 2} y={tag.y + line * 0.98} textAnchor="middle">
            {name}
          </text>
        )}
      </g>
      {running && <Chips place={place} line={line} state={state} small={small} processes={processes} dragged={dragged} />}
    </g>
  );
}

/** A node's own words, on the region. */
function caption(width: number, line: number, node: number): string {
  const { topology } = useLab.getState();
  const id = topology.nodes[node]?.id ?? node;
  return width > line * 13.4
    ? `node ${id} · ${sizeText(memoryMap(topology).nodes[node]?.bytes ?? 0)}`
    : width > line * 9
      ? `node ${id}`
      : `n${id}`;
}

function Chips({
  place,
  line,
  state,
  small,
  processes,
  dragged,
}: Pick<Props, 'place' | 'state' | 'processes' | 'dragged'> & { line: number; small: boolean }) {
  const pid = useLab(s => s.pid);
  const select = useLab(s => s.select);
  const { tasks, kernel } = place;
  if (state !== STATE.Up) {
    return small || state === STATE.Off ? null : (
      <text x={tasks.x + 4} y={tasks.y + tasks.height * 0.68} className="caption">
        {STATE_NAMES[state]}
      </text>
    );
  }
  const shown = small ? processes.filter(({ name }) => name !== 'sh').slice(0, 1) : processes;
  const height = small ? tasks.height : Math.min(tasks.height, line + 8);
  const letter = line * 0.53;
  let x = tasks.x;
  const chips: (Chip & { x: number; width: number; text: string })[] = [];
  for (const row of shown) {
    const text = row.to === null ? row.name : `${row.name} → ${row.to}`;
    const width = small ? tasks.width : Math.min(tasks.width, text.length * letter + 16);
    if (x + width > tasks.x + tasks.width + 1) break;
    chips.push({ ...row, x, width, text });
    x += width + 4;
  }
  const hidden = small ? 0 : processes.length - chips.length;
  return (
    <>
      {chips.map(row => (
        <g
          key={row.pid}
          className="chip"
          data-pid={row.pid}
          role="button"
          tabIndex={0}
          aria-pressed={pid === row.pid}
          data-held={dragged === row.pid}
          data-away={row.origin !== kernel}
          aria-label={`${row.name}, process ${row.pid}, on ${kernelName(kernel)}${row.to === null ? '' : `, on its way to ${kernelName(row.to)}`}${row.origin === kernel ? '' : `, born on ${kernelName(row.origin)}`}. M and a number move it.`}
          onKeyDown={event => {
            if (event.key === 'Enter' || event.key === ' ') select({ pid: pid === row.pid ? null : row.pid, kernel });
            else if (event.key === 'm') select({ pid: row.pid, prompt: { kind: 'move' } });
            else return;
            event.preventDefault();
            event.stopPropagation();
          }}
        >
          <title>{`${row.name}, process ${row.pid}${row.origin === kernel ? '' : `, born on ${kernelName(row.origin)}`}: drag it to another kernel`}</title>
          <rect x={row.x} y={tasks.y} width={row.width} height={height} rx={Math.min(6, height / 2)} />
          <text x={row.x + row.width / 2} y={tasks.y + height / 2 + line * 0.3} textAnchor="middle">
            {small ? row.text.slice(0, Math.max(1, Math.floor(row.width / letter))) : row.text}
          </text>
        </g>
      ))}
      {hidden > 0 && x + line < tasks.x + tasks.width && (
        <text x={x + 2} y={tasks.y + height / 2 + line * 0.3} className="caption">
          +{hidden}
        </text>
      )}
    </>
  );
}
