/** The picture of the machine, and what pointer and keys do on it. */
import { useMemo, useRef, useState } from 'react';
import { sizeText } from '../../machine/topology/text.ts';
import { memoryMap } from '../../machine/layout.ts';
import type { ProcessRow, TraceStore } from '../../lab/trace-store.ts';
import { MigrateStep } from '../../kernel/trace.ts';
import { kernelName, kernelStyle, STATE } from '../kernels.ts';
import { useLab } from '../store.ts';
import { CoreCell } from './CoreCell.tsx';
import { DeviceBadges } from './DeviceBadges.tsx';
import { type Chip, KernelGroup } from './KernelGroup.tsx';
import { blockBytes, type MemoryPart, memoryParts } from './memory.ts';
import { MemoryBars, partName } from './MemoryBars.tsx';
import { type Box, type MachineLayout, middle } from './layout.ts';
import { ahead, kernelAt, type KernelPlace, ownersOf } from './owners.ts';
import { ChosenWire, Links } from './Traffic.tsx';

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A process, a core, a device or a block of memory on its way to a kernel. */
interface Drag {
  readonly what:
    | { readonly kind: 'process'; readonly pid: number }
    | { readonly kind: 'core'; readonly core: number }
    | { readonly kind: 'device'; readonly name: string }
    | { readonly kind: 'memory'; readonly part: MemoryPart };
  readonly from: Point;
  readonly at: Point;
  readonly over: number | null;
}

/** Wall seconds over which the load is taken. */
const LOAD_SECONDS = 0.3;

export function Scene({ layout, places }: { layout: MachineLayout; places: readonly KernelPlace[] }) {
  const {
    topology,
    plan,
    session,
    status,
    picked,
    pick,
    partitionPicked,
    undoPlan,
    select,
    boot,
    migrate,
    order,
    giveDevice,
    giveMemory,
    block,
    pid,
  } = useLab();
  const tick = useLab(s => s.tick);
  const svg = useRef<SVGSVGElement>(null);
  const [lasso, setLasso] = useState<{ from: Point; to: Point } | null>(null);
  const [drag, setDrag] = useState<Drag | null>(null);
  const [cursor, setCursor] = useState(0);
  const owner = useMemo(() => ownersOf(plan), [plan]);
  const cores = useMemo(() => layout.nodes.flatMap(node => node.cores), [layout]);
  const memory = useMemo(() => memoryMap(topology).nodes, [topology]);
  const parts = useMemo(() => memoryParts(plan, memory, layout), [plan, memory, layout]);
  const trace = session?.trace ?? null;
  const now = status?.now ?? 0;
  const rate = status !== null && Number.isFinite(status.speed) && status.speed > 0 ? status.speed : topology.hertz / 10;
  const start = Math.max(0, now - Math.max(2000, rate * LOAD_SECONDS));
  const byKernel = useMemo(() => processesOf(trace), [trace, tick]);

  const point = (event: React.PointerEvent): Point => {
    const box = svg.current?.getBoundingClientRect();
    return { x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0) };
  };
  const area = lasso === null ? null : boxOf(lasso.from, lasso.to);
  const at = cores[cursor] ?? cores[0];

  const onPointerDown = (event: React.PointerEvent): void => {
    if (event.button !== 0) return;
    const target = event.target as Element;
    const chip = target.closest('[data-pid]')?.getAttribute('data-pid');
    const device = target.closest('[data-device]')?.getAttribute('data-device');
    const part = parts.find(each => partName(each) === target.closest('[data-memory]')?.getAttribute('data-memory'));
    const from = point(event);
    const begin = (what: Drag['what']): void => setDrag({ what, from, at: from, over: null });
    if (device != null) begin({ kind: 'device', name: device });
    else if (part !== undefined) begin({ kind: 'memory', part });
    else if (session === null) setLasso({ from, to: from });
    else {
      const core = cores.find(box => overlap(box, { ...from, width: 0, height: 0 }))?.core;
      if (chip != null) begin({ kind: 'process', pid: Number(chip) });
      else if (core !== undefined) begin({ kind: 'core', core });
      else return;
    }
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  /** The kernel at a point: whose memory it is, or whose core. */
  const under = ({ x, y }: Point): number | null => {
    const part = parts.find(({ boxes }) => boxes.some(box => overlap(box, { x, y, width: 0, height: 0 })));
    return part?.kernel ?? kernelAt(places, layout, x, y);
  };
  const onPointerMove = (event: React.PointerEvent): void => {
    if (lasso !== null) setLasso({ ...lasso, to: point(event) });
    if (drag !== null) {
      const to = point(event);
      setDrag({ ...drag, at: to, over: moved(drag.from, to) ? under(to) : null });
    }
  };
  const onPointerUp = (event: React.PointerEvent): void => {
    if (lasso !== null && area !== null) {
      const small = area.width < 4 && area.height < 4;
      const hit = cores.filter(box => overlap(box, area)).map(box => box.core);
      pick(hit, event.shiftKey || small);
      setLasso(null);
    }
    if (drag !== null) {
      const to = point(event);
      const kernel = under(to);
      if (!moved(drag.from, to)) press(drag.what, kernel);
      else if (kernel !== null) drop(drag.what, kernel);
      setDrag(null);
    }
  };
  const press = (what: Drag['what'], kernel: number | null): void => {
    if (what.kind === 'process') select({ pid: pid === what.pid ? null : what.pid });
    else if (what.kind === 'device') select({ prompt: { kind: 'device', device: what.name } });
    else if (what.kind === 'memory') select({ prompt: { kind: 'memory', memory: what.part } });
    else if (kernel !== null) act(kernel);
  };
  const drop = (what: Drag['what'], kernel: number): void => {
    if (what.kind === 'process') migrate(what.pid, kernel);
    else if (what.kind === 'device') giveDevice(what.name, kernel);
    else if (what.kind === 'memory')
      giveMemory({ node: what.part.node, bytes: blockBytes(what.part, block, memory), from: what.part.kernel, to: kernel });
    else if (owner.get(what.core) !== kernel) order(`mv-cpu ${what.core} ${kernel}`);
  };
  const onPlanKey = (event: React.KeyboardEvent): void => {
    if (at === undefined) return;
    if (event.key.startsWith('Arrow')) {
      const next = ahead(
        middle(at),
        cores.map((box, index) => ({ ...middle(box), value: index })),
        event.key,
      );
      if (next !== null) {
        setCursor(next);
        const to = cores[next];
        if (event.shiftKey && to !== undefined)
          pick(
            [...new Set([at.core, to.core])].filter(core => !picked.has(core)),
            true,
          );
      }
    } else if (event.key === ' ') pick([at.core], true);
    else if (event.key === 'Enter') partitionPicked();
    else if (/^\d$/.test(event.key) && picked.size > 0) partitionPicked(Number(event.key));
    else if (event.key === 'Escape') pick([], false);
    else if (event.key === 'z' && (event.ctrlKey || event.metaKey)) undoPlan();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const goTo = (kernel: number, key: string): void => {
    const place = places.find(each => each.kernel === kernel);
    const next =
      place === undefined
        ? null
        : ahead(
            place.middle,
            places.map(each => ({ ...each.middle, value: each.kernel })),
            key,
          );
    if (next === null) return;
    select({ kernel: next });
    svg.current?.querySelector<SVGGElement>(`[data-kernel="${next}"] .kernel-tag`)?.focus();
  };
  const act = (kernel: number): void => {
    select({ kernel });
    if (session !== null && (trace?.kernels.get(kernel)?.state ?? STATE.Off) === STATE.Off) void boot(kernel);
  };

  /** What is dragged, as it stands at the pointer. */
  const ghostOf = (what: Drag['what']): { readonly name: string; readonly kernel: number | undefined } => {
    switch (what.kind) {
      case 'process': {
        const row = trace?.processes.get(what.pid);
        return { name: row?.name ?? '', kernel: row?.kernel };
      }
      case 'core':
        return { name: `core ${what.core}`, kernel: owner.get(what.core) };
      case 'device':
        return { name: what.name, kernel: plan?.partitions.find(({ devices }) => devices.includes(what.name))?.kernel };
      case 'memory': {
        const { node, kernel } = what.part;
        return {
          name: `${sizeText(blockBytes(what.part, block, memory))} of node ${topology.nodes[node]?.id ?? node}`,
          kernel: kernel ?? undefined,
        };
      }
    }
  };

  const free = cores.filter(({ core }) => !owner.has(core));
  const dragged = drag === null || !moved(drag.from, drag.at) ? null : drag.what;
  const ghost = dragged === null ? null : ghostOf(dragged);
  return (
    <svg
      ref={svg}
      width={layout.width}
      height={layout.height}
      className="machine-svg"
      data-planning={session === null}
      role="group"
      aria-label={`${topology.model}: packages, nodes and cores`}
      style={{ fontSize: layout.line * 0.86 }}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={onPointerUp}
      onPointerCancel={() => {
        setLasso(null);
        setDrag(null);
      }}
    >
      <Patterns />
      <Links layout={layout} places={places} />
      {layout.packages.map(box => (
        <g key={box.index}>
          <rect {...frame(box)} rx={8} className="package" />
          <text x={box.x + 10} y={box.y + layout.line} className="caption">
            Package {box.index}
          </text>
        </g>
      ))}
      <DeviceBadges layout={layout} dragged={dragged?.kind === 'device' ? dragged.name : null} />
      {layout.nodes.map(node => {
        const id = topology.nodes[node.node]?.id ?? node.node;
        const whole = places.some(place => place.nodes.includes(node));
        const bytes = sizeText(memory[node.node]?.bytes ?? 0);
        const wide = node.width > layout.line * 8.5;
        return (
          <g key={node.node}>
            <rect {...frame(node)} rx={6} className="node" />
            {!whole && (
              <>
                <text x={node.x + 9} y={node.y + layout.line + 1} className="node-name">
                  node {id}
                </text>
                {wide && (
                  <text x={node.x + node.width - 9} y={node.y + layout.line + 1} textAnchor="end" className="caption">
                    {bytes}
                  </text>
                )}
              </>
            )}
          </g>
        );
      })}
      {places.map(place => {
        const state = trace?.kernels.get(place.kernel)?.state ?? STATE.Off;
        return (
          <KernelGroup
            key={place.kernel}
            place={place}
            layout={layout}
            state={state}
            processes={byKernel.get(place.kernel) ?? NONE}
            over={drag?.over === place.kernel}
            dragged={drag?.what.kind === 'process' ? drag.what.pid : null}
            onGo={key => goTo(place.kernel, key)}
            onAct={() => act(place.kernel)}
          >
            {place.cores.map(box => (
              <CoreCell
                key={box.core}
                box={box}
                kernel={place.kernel}
                state={state}
                labelled={!place.nodes.some(({ node }) => node === box.node)}
                line={layout.line}
                picked={picked.has(box.core)}
                load={trace === null ? 0 : Math.round(trace.load(box.core, start, now) * 40) / 40}
                running={trace?.processes.get(trace.runningOn(box.core)?.pid ?? -1)?.name ?? ''}
              />
            ))}
          </KernelGroup>
        );
      })}
      {free.map(box => (
        <CoreCell
          key={box.core}
          box={box}
          kernel={undefined}
          state={0}
          labelled={false}
          line={layout.line}
          picked={picked.has(box.core)}
          load={0}
          running=""
        />
      ))}
      {layout.nodes.map(node => (
        <g key={node.node} pointerEvents="none">
          {node.modules.map(module => (
            <rect key={`${module.x}/${module.y}`} {...frame(module)} rx={5} className="module" />
          ))}
          {node.cache !== null && (
            <>
              <rect {...frame(node.cache)} rx={3} className="cache" />
              <text
                x={node.cache.x + node.cache.width / 2}
                y={node.cache.y + node.cache.height * 0.76}
                textAnchor="middle"
                className="cache-name"
              >
                {`L${node.cache.level} ${sizeText(node.cache.bytes)}${node.modules[0] !== undefined && node.width > 11 * layout.line ? ` · L2 ${sizeText(node.modules[0].bytes)} a pair` : ''}`}
              </text>
            </>
          )}
        </g>
      ))}
      <MemoryBars layout={layout} parts={parts} dragged={dragged?.kind === 'memory' ? dragged.part : null} />
      {session === null && at !== undefined && (
        <g
          tabIndex={0}
          role="application"
          className="brush"
          onKeyDown={onPlanKey}
          aria-label={`Cores: arrows move, with Shift they pick, space picks, a digit gives the picked ones to that kernel, Enter makes them a new one. At core ${at.core}${owner.has(at.core) ? ` of ${kernelName(owner.get(at.core) ?? 0)}` : ', in no kernel'}${picked.has(at.core) ? ', picked' : ''}`}
        >
          <rect x={at.x - 3} y={at.y - 3} width={at.width + 6} height={at.height + 6} rx={6} className="cursor" />
        </g>
      )}
      {area !== null && <rect {...area} className="lasso" />}
      {session !== null && (
        <g pointerEvents="none">
          <ChosenWire layout={layout} places={places} />
        </g>
      )}
      {drag !== null && ghost !== null && (
        <g className="ghost" style={kernelStyle(ghost.kernel)} pointerEvents="none">
          <rect
            x={drag.at.x + 10}
            y={drag.at.y - layout.line / 2 - 3}
            width={ghost.name.length * layout.line * 0.56 + 18}
            height={layout.line + 6}
            rx={(layout.line + 6) / 2}
          />
          <text x={drag.at.x + 19} y={drag.at.y + layout.line * 0.32}>
            {ghost.name}
          </text>
        </g>
      )}
    </svg>
  );
}

const NONE: readonly never[] = [];
const frame = ({ x, y, width, height }: Box): Box => ({ x, y, width, height });
const moved = (a: Point, b: Point): boolean => Math.hypot(a.x - b.x, a.y - b.y) > 5;
const overlap = (a: Box, b: Box): boolean => a.x < b.x + b.width && a.x + a.width > b.x && a.y < b.y + b.height && a.y + a.height > b.y;
const boxOf = (a: Point, b: Point): Box => ({
  x: Math.min(a.x, b.x),
  y: Math.min(a.y, b.y),
  width: Math.abs(a.x - b.x),
  height: Math.abs(a.y - b.y),
});

/** Living processes by the kernel where they are now; what people started comes before shells. */
function processesOf(trace: TraceStore | null): ReadonlyMap<number, Chip[]> {
  const map = new Map<number, Chip[]>();
  for (const row of trace?.living() ?? []) {
    if (row.name === 'init') continue;
    const chip = { pid: row.pid, name: row.name, origin: row.origin, to: destination(row) };
    const list = map.get(row.kernel);
    if (list) list.push(chip);
    else map.set(row.kernel, [chip]);
  }
  for (const list of map.values()) list.sort((a, b) => Number(a.name === 'sh') - Number(b.name === 'sh') || b.pid - a.pid);
  return map;
}

/** The kernel that a process is on its way to. */
function destination({ moves }: ProcessRow): number | null {
  const last = moves.at(-1);
  if (last === undefined) return null;
  if (last.step <= MigrateStep.RequestSent) return last.other;
  return last.step === MigrateStep.Arrived || last.step === MigrateStep.Imported ? last.at : null;
}

/** Beyond eight kernels the colours come round again: stripes tell the rounds apart. */
function Patterns() {
  return (
    <defs>
      {[1, 2, 3, 4, 5, 6, 7].map(group => (
        <pattern
          key={group}
          id={`group${group}`}
          width={7}
          height={7}
          patternUnits="userSpaceOnUse"
          patternTransform={`rotate(${[0, 45, 135, 0, 90, 45, 135, 20][group] ?? 0})`}
        >
          <line x1={0} y1={0} x2={0} y2={7} className="stripe" strokeWidth={group > 3 ? 4 : 2} />
        </pattern>
      ))}
    </defs>
  );
}
