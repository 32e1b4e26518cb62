/**
 * The machine: packages, nodes, caches and cores as lstopo nests them; on top whose they are, how busy they are, and what passes between
 * them. Before power-on cores are brushed into partitions; afterwards processes are dragged from kernel to kernel.
 */
import { useEffect, useMemo, useRef, useState } from 'react';
import type { Topology } from '../../machine/topology/topology.ts';
import { sizeText } from '../../machine/topology/text.ts';
import { memoryMap } from '../../machine/layout.ts';
import type { ProcessRow } from '../../lab/trace-store.ts';
import { kernelColor, kernelGroup, kernelName, STATE_NAMES } from '../kernels.ts';
import { useLab } from '../store.ts';
import { type Box, type CoreBox, layoutMachine } from './layout.ts';
import { Traffic } from './Traffic.tsx';

export function MachineView() {
  const { topology, plan, session } = useLab();
  const place = useRef<HTMLDivElement>(null);
  const [aspect, setAspect] = useState(1.4);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setAspect(element.clientWidth / Math.max(1, element.clientHeight)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const layout = useMemo(() => layoutMachine(topology, aspect), [topology, aspect]);
  const owner = useMemo(() => {
    const map = new Map<number, number>();
    for (const { kernel, cores } of plan?.partitions ?? []) for (const core of cores) map.set(core, kernel);
    return map;
  }, [plan]);
  const total = memoryMap(topology).nodes.reduce((sum, node) => sum + node.bytes, 0);
  return (
    <section className="panel machine" aria-label="Machine">
      <header className="panel-head">
        <h2>Machine</h2>
        <span className="muted">{topology.model} · {topology.cores.length} cores · {topology.nodes.length} nodes · {sizeText(total)} (scaled)</span>
      </header>
      <div className="machine-place" ref={place}>
        <svg viewBox={`0 0 ${layout.width} ${layout.height}`} className="machine-svg" role="group" aria-label={`${topology.model}: packages, nodes and cores`} preserveAspectRatio="xMidYMid meet">
          <Patterns />
          {layout.packages.map((box) => (
            <g key={box.index}>
              <rect {...frame(box)} rx={10} className="package" />
              <text x={box.x + 12} y={box.y + 17} className="caption">Package {box.index}</text>
            </g>
          ))}
          {layout.nodes.map((node) => <NodeGroup key={node.node} topology={topology} box={node} owner={owner} />)}
          <Brush cores={layout.nodes.flatMap((node) => node.cores)} />
          {session !== null && <Traffic layout={layout} owner={owner} />}
        </svg>
      </div>
      {session === null ? <PlanBar /> : <Kernels />}
    </section>
  );
}

const frame = ({ x, y, width, height }: Box): Box => ({ x, y, width, height });

/** Beyond eight kernels the colours come round again: stripes tell the rounds apart. */
function Patterns() {
  return (
    <defs>
      {[1, 2, 3, 4, 5, 6, 7].map((group) => (
        <pattern key={group} id={`group${group}`} width={6} height={6} patternUnits="userSpaceOnUse" patternTransform={`rotate(${group * 45})`}>
          <line x1={0} y1={0} x2={0} y2={6} className="stripe" strokeWidth={group > 3 ? 3 : 1.5} />
        </pattern>
      ))}
    </defs>
  );
}

function NodeGroup({ topology, box, owner }: { topology: Topology; box: ReturnType<typeof layoutMachine>['nodes'][number]; owner: ReadonlyMap<number, number> }) {
  const kernels = [...new Set(box.cores.map(({ core }) => owner.get(core)).filter((kernel) => kernel !== undefined))];
  const only = kernels.length === 1 ? kernels[0] : undefined;
  const l3 = sizeOf(topology, box.node);
  const bytes = memoryMap(topology).nodes[box.node]?.bytes ?? 0;
  const id = topology.nodes[box.node]?.id ?? box.node;
  const { select, boot } = useLab();
  const session = useLab((s) => s.session);
  const state = useLab((s) => (s.tick, only === undefined ? 0 : (s.session?.trace.kernels.get(only)?.state ?? 0)));
  const chosen = useLab((s) => s.kernel);
  const act = (): void => {
    if (only === undefined) return;
    select({ kernel: only });
    if (session !== null && state === 0) void boot(only);
  };
  return (
    <g style={only === undefined ? undefined : ({ '--kernel': kernelColor(only) } as React.CSSProperties)}>
      <rect {...frame(box)} rx={7} className={only === undefined ? 'node' : 'node owned'} data-chosen={only === chosen} data-state={state} />
      {only === undefined ? (
        <text x={box.x + 12} y={box.y + 19} className="node-name">node {id}</text>
      ) : (
        <g role="button" tabIndex={0} aria-label={`${kernelName(only)}, ${STATE_NAMES[state]}${state === 0 && session !== null ? ': boot it' : ''}`} className="kernel-tag" onClick={act} onKeyDown={(event) => (event.key === 'Enter' || event.key === ' ') && act()}>
          <rect x={box.x + 8} y={box.y + 6} width={64} height={18} rx={9} />
          <text x={box.x + 40} y={box.y + 19} textAnchor="middle">{kernelName(only)}</text>
        </g>
      )}
      <text x={box.x + box.width - 12} y={box.y + 19} textAnchor="end" className="caption">{only === undefined ? sizeText(bytes) : `node ${id} · ${sizeText(bytes)}`}</text>
      {box.modules.map((module) => <rect key={`${module.x}/${module.y}`} {...frame(module)} rx={5} className="module" />)}
      {box.cores.map((core) => <CoreCell key={core.core} box={core} kernel={owner.get(core.core)} shared={kernels.length > 1} />)}
      <rect x={box.x + 12} y={box.y + box.height - 26} width={box.width - 24} height={14} rx={3} className="cache" />
      <text x={box.x + box.width / 2} y={box.y + box.height - 15.5} textAnchor="middle" className="cache-name">{l3 > 0 ? `L3 ${sizeText(l3)}` : 'no shared cache'}</text>
    </g>
  );
}

function sizeOf(topology: Topology, node: number): number {
  const wanted = topology.cores.find((core) => core.node === node)?.caches[2] ?? -1;
  if (wanted < 0) return 0;
  let seen = 0;
  const visit = (at: Topology['root']): number => {
    if (at.type === 'L3Cache' && seen++ === wanted) return at.bytes;
    for (const child of at.children) {
      const found = visit(child);
      if (found > 0) return found;
    }
    return 0;
  };
  return visit(topology.root);
}

function CoreCell({ box, kernel, shared }: { box: CoreBox; kernel: number | undefined; shared: boolean }) {
  const load = useLab((s) => (s.tick, s.session?.trace.load(box.core, s.status?.now ?? 0) ?? 0));
  const running = useLab((s) => (s.tick, s.session?.trace.runningOn(box.core)?.pid ?? 0));
  const picked = useLab((s) => s.picked.has(box.core));
  const state = useLab((s) => (s.tick, kernel === undefined ? 0 : (s.session?.trace.kernels.get(kernel)?.state ?? 0)));
  const group = kernel === undefined ? 0 : kernelGroup(kernel);
  const height = Math.round(box.height * load * 2) / 2;
  const label = `core ${box.core}${kernel === undefined ? ', in no kernel' : `, ${kernelName(kernel)}`}${running > 0 ? `, runs process ${running}` : ''}`;
  return (
    <g className="core" data-picked={picked} data-state={state} data-core={box.core} aria-label={label} role="img" style={kernel === undefined ? undefined : ({ '--kernel': kernelColor(kernel) } as React.CSSProperties)}>
      <rect {...frame(box)} rx={4} className={kernel === undefined ? 'core-box free' : 'core-box'} />
      {group > 0 && <rect {...frame(box)} rx={4} fill={`url(#group${Math.min(7, group)})`} />}
      {load > 0.004 && <rect x={box.x} y={box.y + box.height - height} width={box.width} height={height} rx={4} className="load" />}
      <text x={box.x + box.width / 2} y={box.y + (shared ? 18 : 25)} textAnchor="middle" className="core-number">{box.core}</text>
      {shared && kernel !== undefined && <text x={box.x + box.width / 2} y={box.y + 33} textAnchor="middle" className="core-kernel">k{kernel}</text>}
    </g>
  );
}

/** Before power-on: a drag over cores, or arrows and space, picks them out. */
function Brush({ cores }: { cores: readonly CoreBox[] }) {
  const session = useLab((s) => s.session);
  const { pick, partitionPicked } = useLab();
  const [from, setFrom] = useState<{ x: number; y: number } | null>(null);
  const [to, setTo] = useState<{ x: number; y: number } | null>(null);
  const [cursor, setCursor] = useState(0);
  const rect = useRef<SVGRectElement>(null);
  if (session !== null) return null;
  const point = (event: React.PointerEvent): { x: number; y: number } => {
    const svg = rect.current?.ownerSVGElement;
    const matrix = svg?.getScreenCTM()?.inverse();
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
    return { x: at.x, y: at.y };
  };
  const area = from === null || to === null ? null : { x: Math.min(from.x, to.x), y: Math.min(from.y, to.y), width: Math.abs(from.x - to.x), height: Math.abs(from.y - to.y) };
  const within = (box: Box): boolean => area !== null && box.x < area.x + area.width && box.x + box.width > area.x && box.y < area.y + area.height && box.y + box.height > area.y;
  const at = cores[cursor];
  const move = (dx: number, dy: number): void => {
    if (at === undefined) return;
    const ahead = cores.map((box, index) => ({ index, along: (box.x - at.x) * dx + (box.y - at.y) * dy, aside: Math.abs((box.x - at.x) * dy) + Math.abs((box.y - at.y) * dx) }))
      .filter(({ along }) => along > 1).sort((a, b) => a.along + 3 * a.aside - b.along - 3 * b.aside);
    if (ahead[0]) setCursor(ahead[0].index);
  };
  return (
    <g
      tabIndex={0} role="application" aria-label={`Cores: arrows move, space picks, Enter makes the picked ones a kernel. At core ${at?.core ?? 0}`} className="brush"
      onKeyDown={(event) => {
        const arrows: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
        const arrow = arrows[event.key];
        if (arrow) move(...arrow);
        else if (event.key === ' ' && at) pick([at.core], true);
        else if (event.key === 'Enter') partitionPicked();
        else if (event.key === 'Escape') pick([], false);
        else return;
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      <rect
        ref={rect} x={0} y={0} width="100%" height="100%" fill="transparent"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setFrom(point(event));
          setTo(point(event));
        }}
        onPointerMove={(event) => from !== null && setTo(point(event))}
        onPointerUp={(event) => {
          const hit = cores.filter(within).map((box) => box.core);
          pick(hit, event.shiftKey || (area !== null && area.width < 4 && area.height < 4));
          setFrom(null);
          setTo(null);
        }}
      />
      {at !== undefined && <rect x={at.x - 3} y={at.y - 3} width={at.width + 6} height={at.height + 6} rx={6} className="cursor" />}
      {area !== null && <rect {...area} className="lasso" />}
    </g>
  );
}

function PlanBar() {
  const { picked, plan, planError, partitionPicked, pick, scenario, setPlan } = useLab();
  return (
    <div className="plan-bar">
      {picked.size > 0 ? (
        <>
          <span>{picked.size} core{picked.size > 1 ? 's' : ''} picked</span>
          <button type="button" className="primary" onClick={partitionPicked}>Make them a kernel</button>
          <button type="button" onClick={() => pick([], false)}>Forget</button>
        </>
      ) : (
        <>
          <label className="plan-text">
            <span className="muted">Partitions</span>
            <input value={scenario.plan} spellCheck={false} aria-invalid={planError !== null} aria-describedby="plan-error" onChange={(event) => setPlan(event.target.value)} />
          </label>
          <span id="plan-error" className={planError === null ? 'muted' : 'bad'} role={planError === null ? undefined : 'alert'}>
            {planError ?? `${plan?.partitions.length ?? 0} kernels · drag over cores to draw one`}
          </span>
        </>
      )}
    </div>
  );
}

/** The kernels as places where processes are: chips can be dragged from one to another, or moved with the keyboard. */
function Kernels() {
  useLab((s) => s.tick);
  const { session, pid, migrate, select } = useLab();
  const [over, setOver] = useState<number | null>(null);
  if (session === null) return null;
  const living = session.trace.living();
  const up = session.plan.partitions.filter(({ kernel }) => session.trace.kernels.get(kernel)?.state === 2);
  const chosen = pid === null ? undefined : session.trace.processes.get(pid);
  return (
    <div className="kernels">
      <div className="kernel-cards" data-many={session.plan.partitions.length > 16}>
        {session.plan.partitions.map(({ kernel }) => (
          <KernelCard
            key={kernel} kernel={kernel} processes={living.filter((row) => row.kernel === kernel && row.name !== 'init')} over={over === kernel}
            onOver={(on) => setOver((now) => (on ? kernel : now === kernel ? null : now))}
            onDrop={(moved) => {
              setOver(null);
              migrate(moved, kernel);
            }}
          />
        ))}
      </div>
      <div className="move-bar" aria-live="polite">
        {chosen === undefined || !chosen.alive ? <span className="muted">Drag a process to another kernel, or pick one here and choose where it goes.</span> : (
          <>
            <span><b>{chosen.name}</b> ({chosen.pid}) on {kernelName(chosen.kernel)}</span>
            <label>move to{' '}
              <select value="" onChange={(event) => event.target.value !== '' && migrate(chosen.pid, Number(event.target.value))} aria-label={`Move process ${chosen.pid} to a kernel`}>
                <option value="">…</option>
                {up.filter(({ kernel }) => kernel !== chosen.kernel).map(({ kernel }) => <option key={kernel} value={kernel}>{kernelName(kernel)}</option>)}
              </select>
            </label>
            <button type="button" onClick={() => select({ pid: null })}>Done</button>
          </>
        )}
      </div>
    </div>
  );
}

function KernelCard({ kernel, processes, over, onOver, onDrop }: { kernel: number; processes: readonly ProcessRow[]; over: boolean; onOver: (on: boolean) => void; onDrop: (pid: number) => void }) {
  const { session, select, boot, pid, kernel: chosen } = useLab();
  const state = session?.trace.kernels.get(kernel)?.state ?? 0;
  return (
    <div
      className="kernel-card" data-over={over} data-state={state} data-chosen={chosen === kernel} data-kernel={kernel} style={{ '--kernel': kernelColor(kernel) } as React.CSSProperties}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes('application/x-popcorn-process')) return;
        event.preventDefault();
        onOver(true);
      }}
      onDragLeave={() => onOver(false)}
      onDrop={(event) => {
        const moved = Number(event.dataTransfer.getData('application/x-popcorn-process'));
        if (moved > 0) {
          event.preventDefault();
          event.stopPropagation();
          onDrop(moved);
        }
      }}
    >
      <button type="button" className="kernel-name" onClick={() => select({ kernel })} aria-label={`${kernelName(kernel)}, ${STATE_NAMES[state]}: show its console`}>{kernel}</button>
      {state === 0 ? <button type="button" className="boot" onClick={() => void boot(kernel)} aria-label={`Boot ${kernelName(kernel)}`}>boot</button> : (
        <div className="chips">
          {processes.map((row) => (
            <button
              key={row.pid} type="button" className="chip" draggable aria-pressed={pid === row.pid} data-pid={row.pid} title={`${row.name}, process ${row.pid}, born on kernel ${row.origin}`}
              onClick={() => select({ pid: pid === row.pid ? null : row.pid })}
              onDragStart={(event) => {
                event.dataTransfer.setData('application/x-popcorn-process', String(row.pid));
                event.dataTransfer.effectAllowed = 'move';
              }}
            >{row.name}</button>
          ))}
          {state === 1 && <span className="muted">booting</span>}
        </div>
      )}
    </div>
  );
}
