/**
 * Space-time: a lane per kernel, tasks as bars, messages as arrows, migrations as tasks that change lanes. Wheel or W/S zooms, drag or A/D
 * moves, F follows the present. A click on an arrow selects its message everywhere.
 */
import { scaleLinear } from 'd3-scale';
import { ZoomIn, ZoomOut } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { MigrateStep } from '../../kernel/trace.ts';
import { timeText } from '../../lab/time.ts';
import type { MessageRow, TraceStore } from '../../lab/trace-store.ts';
import { KernelDot } from '../console/ConsolePanel.tsx';
import { describeMessage } from '../message.ts';
import { HUES, kernelName } from '../kernels.ts';
import { useLab } from '../store.ts';

const HEAD = 92;
const FOOT = 22;
const SPAN_MIN = 200;
const ARROWS_MAX = 3000;

interface View {
  /** Cycles that the width shows. */
  span: number;
  /** Time at the right edge; null: the present. */
  end: number | null;
}

export function SpaceTime() {
  const { session, topology, status, message, pid, select, plan, theme, projector } = useLab();
  const tick = useLab((s) => s.tick);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState({ width: 800, height: 200 });
  const [view, setView] = useState<View>({ span: topology.hertz / 4, end: null });
  const arrows = useRef<{ row: MessageRow; x1: number; y1: number; x2: number; y2: number }[]>([]);
  const drag = useRef<{ x: number; end: number; moved: boolean } | null>(null);
  const now = status?.now ?? 0;
  const end = view.end ?? Math.max(now, view.span);
  const kernels = plan?.partitions.length ?? 0;

  useEffect(() => {
    const element = canvas.current?.parentElement;
    if (!element) return;
    const observer = new ResizeObserver(() => setSize({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (!element || !context) return;
    const ratio = devicePixelRatio || 1;
    element.width = Math.round(size.width * ratio);
    element.height = Math.round(size.height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    arrows.current = draw(context, { ...size, kernels, trace: session?.trace ?? null, start: end - view.span, end, hertz: topology.hertz, chosen: message, pid, style: getComputedStyle(element) });
  }, [tick, size, end, view.span, kernels, session, message, pid, topology, theme, projector]);

  const width = size.width - HEAD;
  const timeAt = (x: number): number => end - view.span + ((x - HEAD) / width) * view.span;
  const zoom = (factor: number, x = size.width): void => {
    const at = timeAt(x);
    const span = Math.max(SPAN_MIN, Math.min(topology.hertz * 60, view.span * factor));
    const follows = view.end === null && x > size.width - 4;
    setView({ span, end: follows ? null : Math.min(now + span * 0.1, at + (span * (size.width - x)) / width) });
  };
  const pan = (share: number): void => setView({ ...view, end: Math.max(view.span * 0.1, end + share * view.span) });
  const nearest = (x: number, y: number): MessageRow | null => {
    let best: { row: MessageRow; distance: number } | null = null;
    for (const arrow of arrows.current) {
      const distance = toSegment(x, y, arrow);
      if (distance < 7 && (best === null || distance < best.distance)) best = { row: arrow.row, distance };
    }
    return best?.row ?? null;
  };
  const step = (by: number): void => {
    const all = session?.trace.messages ?? [];
    const index = message === null ? all.length - 1 : all.indexOf(message) + by;
    const next = all[Math.max(0, Math.min(all.length - 1, index))];
    if (next) {
      select({ message: next, kernel: next.to });
      if (next.sent < end - view.span || next.sent > end) setView({ ...view, end: next.sent + view.span / 2 });
    }
  };

  return (
    <section className="panel spacetime" aria-label="Space-time">
      <header className="panel-head">
        <h2>Space-time</h2>
        <span className="muted">{kernels} kernels · {session?.trace.sentCount ?? 0} messages · {timeText(view.span, topology.hertz)} across</span>
        <div className="tools">
          <button type="button" onClick={() => zoom(1 / 2)} aria-label="Zoom in"><ZoomIn size={16} aria-hidden /></button>
          <button type="button" onClick={() => zoom(2)} aria-label="Zoom out"><ZoomOut size={16} aria-hidden /></button>
          <button type="button" aria-pressed={view.end === null} onClick={() => setView({ ...view, end: view.end === null ? end : null })}>Follow</button>
        </div>
      </header>
      <div className="spacetime-place">
        <canvas
          ref={canvas} tabIndex={0} role="img" style={{ width: size.width, height: size.height }}
          aria-label={`Lanes of ${kernels} kernels from ${timeText(Math.max(0, end - view.span), topology.hertz)} to ${timeText(end, topology.hertz)}. W and S zoom, A and D move, F follows, comma and full stop go from message to message.`}
          onWheel={(event) => zoom(event.deltaY > 0 ? 1.25 : 0.8, event.nativeEvent.offsetX)}
          onPointerDown={(event) => {
            drag.current = { x: event.clientX, end, moved: false };
            event.currentTarget.setPointerCapture(event.pointerId);
          }}
          onPointerMove={(event) => {
            const from = drag.current;
            if (from === null) return;
            if (Math.abs(event.clientX - from.x) > 3) from.moved = true;
            if (from.moved) setView({ ...view, end: Math.max(view.span * 0.1, from.end - ((event.clientX - from.x) / width) * view.span) });
          }}
          onPointerUp={(event) => {
            const from = drag.current;
            drag.current = null;
            if (from?.moved) return;
            const found = nearest(event.nativeEvent.offsetX, event.nativeEvent.offsetY);
            select({ message: found, ...(found === null ? {} : { kernel: found.to }) });
          }}
          onKeyDown={(event) => {
            const keys: Record<string, () => void> = {
              KeyW: () => zoom(0.7), KeyS: () => zoom(1.4), KeyA: () => pan(-0.2), KeyD: () => pan(0.2), ArrowLeft: () => pan(-0.1), ArrowRight: () => pan(0.1),
              KeyF: () => setView({ ...view, end: null }), Comma: () => step(-1), Period: () => step(1), Escape: () => select({ message: null }),
            };
            const action = keys[event.code];
            if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
            event.preventDefault();
            event.stopPropagation();
            action();
          }}
        />
        {message !== null && <Details row={message} />}
      </div>
    </section>
  );
}

function Details({ row }: { row: MessageRow }) {
  const { topology, select } = useLab();
  const { name, text, fields } = describeMessage(row);
  const hex = Array.from(row.bytes, (byte) => byte.toString(16).padStart(2, '0'));
  const cause = row.cause >>> 24 === 0xff ? 'a system call or timer' : `message ${row.cause & 0xffffff} of kernel ${row.cause >>> 24}`;
  return (
    <aside className="details" aria-label="The selected message">
      <header><b className="mono">{name}</b> <KernelDot kernel={row.from} /> → <KernelDot kernel={row.to} /> <button type="button" aria-label="Close" onClick={() => select({ message: null })}>×</button></header>
      <p>{text}</p>
      <dl>
        <dt>sent</dt><dd>{timeText(row.sent, topology.hertz)}</dd>
        <dt>under way</dt><dd>{Number.isNaN(row.received) ? 'still' : timeText(row.received - row.sent, topology.hertz)}</dd>
        <dt>because of</dt><dd>{cause}</dd>
        {fields.map(([key, value]) => <div key={key} className="pair"><dt>{key}</dt><dd>{value}</dd></div>)}
      </dl>
      <pre role="img" aria-label="Its 64 bytes">{[0, 16, 32, 48].map((at) => `${at.toString(16).padStart(2, '0')}  ${hex.slice(at, at + 16).join(' ')}`).join('\n')}</pre>
    </aside>
  );
}

interface Scene {
  readonly width: number;
  readonly height: number;
  readonly kernels: number;
  readonly trace: TraceStore | null;
  readonly start: number;
  readonly end: number;
  readonly hertz: number;
  readonly chosen: MessageRow | null;
  readonly pid: number | null;
  readonly style: CSSStyleDeclaration;
}

function draw(context: CanvasRenderingContext2D, scene: Scene): { row: MessageRow; x1: number; y1: number; x2: number; y2: number }[] {
  const { width, height, kernels, trace, start, end, hertz, chosen, pid, style } = scene;
  const token = (name: string): string => style.getPropertyValue(name).trim();
  const colors = Array.from({ length: HUES }, (_, hue) => token(`--k${hue}`));
  const color = (kernel: number): string => colors[kernel % HUES] ?? '#888';
  const text = token('--text');
  const muted = token('--muted');
  const font = token('--font') || 'sans-serif';
  context.clearRect(0, 0, width, height);
  const lane = (height - FOOT) / Math.max(1, kernels);
  const y = (kernel: number): number => lane * (kernel + 0.5);
  const x = scaleLinear([start, end], [HEAD, width]);
  const bar = Math.min(14, Math.max(2, lane * 0.6));
  context.textBaseline = 'middle';

  // The axis.
  context.font = `12px ${font}`;
  context.fillStyle = muted;
  context.strokeStyle = token('--line');
  context.lineWidth = 1;
  for (const tick of scaleLinear([start / hertz, end / hertz], [HEAD, width]).ticks(Math.max(3, Math.floor(width / 160)))) {
    const at = Math.round(x(tick * hertz)) + 0.5;
    if (tick < 0 || at < HEAD + 20) continue;
    context.beginPath();
    context.moveTo(at, 0);
    context.lineTo(at, height - FOOT);
    context.stroke();
    context.textAlign = at > width - 50 ? 'right' : 'center';
    context.fillText(tickText(tick, (end - start) / hertz), at, height - FOOT / 2);
  }

  // Lanes.
  context.textAlign = 'left';
  const labelEvery = Math.max(1, Math.ceil(13 / lane));
  context.font = `${lane > 18 ? 13 : 11}px ${font}`;
  for (let kernel = 0; kernel < kernels; kernel++) {
    const at = Math.round(y(kernel)) + 0.5;
    context.strokeStyle = color(kernel);
    context.globalAlpha = 0.35;
    context.beginPath();
    context.moveTo(HEAD, at);
    context.lineTo(width, at);
    context.stroke();
    context.globalAlpha = 1;
    if (kernel % labelEvery !== 0) continue;
    context.fillStyle = color(kernel);
    context.fillRect(10, at - Math.min(5, lane / 2 - 1), 4, Math.min(10, Math.max(2, lane - 2)));
    context.fillStyle = text;
    context.fillText(kernelName(kernel), 20, at);
  }
  if (trace === null) return [];
  context.save();
  context.beginPath();
  context.rect(HEAD, 0, width - HEAD, height - FOOT);
  context.clip();

  // Tasks. Spans that fall on the same pixel are drawn once.
  const covered = new Map<number, number>();
  for (let i = trace.spans.length - 1; i >= 0; i--) {
    const span = trace.spans[i];
    if (span === undefined || span.start > end) continue;
    const until = Math.min(span.end, Math.max(trace.end, span.start));
    if (until < start) {
      if (span.end < start - (end - start) * 4) break;
      continue;
    }
    const x1 = Math.max(HEAD, x(span.start));
    const x2 = Math.max(x1 + 1, x(until));
    const pixel = covered.get(span.kernel);
    if (pixel !== undefined && x2 - x1 < 1.5 && pixel === Math.round(x1) && span.pid !== pid) continue;
    covered.set(span.kernel, Math.round(x1));
    const mine = span.pid === pid;
    context.globalAlpha = mine ? 1 : 0.75;
    context.fillStyle = color(span.kernel);
    context.fillRect(x1, y(span.kernel) - bar / 2, x2 - x1, bar);
    if (mine) {
      context.strokeStyle = text;
      context.strokeRect(x1 + 0.5, y(span.kernel) - bar / 2 + 0.5, Math.max(1, x2 - x1 - 1), bar - 1);
    }
    if (x2 - x1 > 60 && bar >= 11) {
      context.globalAlpha = 1;
      context.fillStyle = token('--on-kernel');
      context.font = `600 11px ${font}`;
      context.fillText(`${trace.processes.get(span.pid)?.name ?? ''} (${span.pid})`, x1 + 6, y(span.kernel) + 0.5, x2 - x1 - 8);
    }
  }

  // Messages.
  const arrows: { row: MessageRow; x1: number; y1: number; x2: number; y2: number }[] = [];
  let drawn = 0;
  for (let i = trace.messages.length - 1; i >= 0 && drawn < ARROWS_MAX; i--) {
    const row = trace.messages[i];
    if (row === undefined || row.sent > end) continue;
    const received = Number.isNaN(row.received) ? trace.end : row.received;
    if (received < start) {
      if (row.sent < start - (end - start)) break;
      continue;
    }
    drawn++;
    const arrow = { row, x1: x(row.sent), y1: y(row.from), x2: x(received), y2: y(row.to) };
    arrows.push(arrow);
    const mine = row === chosen;
    context.globalAlpha = mine ? 1 : chosen === null ? 0.8 : 0.35;
    context.strokeStyle = mine ? text : color(row.from);
    context.lineWidth = mine ? 2.5 : 1;
    context.beginPath();
    context.moveTo(arrow.x1, arrow.y1);
    context.lineTo(arrow.x2, arrow.y2);
    context.stroke();
    context.fillStyle = context.strokeStyle;
    context.beginPath();
    context.arc(arrow.x2, arrow.y2, mine ? 4 : 2.2, 0, 7);
    context.fill();
  }

  // Migrations: from the stop on one lane to the first run on the other.
  context.globalAlpha = 1;
  for (const process of trace.processes.values()) {
    let stopped: { time: number; at: number } | null = null;
    for (const move of process.moves) {
      if (move.step === MigrateStep.Stopped) stopped = { time: move.time, at: move.at };
      else if (move.step === MigrateStep.Failed) stopped = null;
      else if (move.step === MigrateStep.Running && stopped !== null) {
        if (move.time >= start && stopped.time <= end) {
          context.strokeStyle = text;
          context.lineWidth = 3;
          context.setLineDash([7, 4]);
          context.beginPath();
          context.moveTo(x(stopped.time), y(stopped.at));
          context.lineTo(x(move.time), y(move.at));
          context.stroke();
          context.setLineDash([]);
          context.font = `600 12px ${font}`;
          context.fillStyle = text;
          const label = `${process.name} (${process.pid}) moves: ${timeText(move.time - stopped.time, hertz)}`;
          if (end - start < hertz / 20) context.fillText(label, Math.min(width - 230, x(move.time) + 8), (y(stopped.at) + y(move.at)) / 2);
        }
        stopped = null;
      }
    }
  }
  context.restore();
  context.lineWidth = 1;
  return arrows;
}

/** A place on the axis, with as many digits as the stretch in view needs. */
function tickText(seconds: number, across: number): string {
  if (seconds === 0) return '0';
  const [unit, scale] = seconds >= 1 ? ['s', 1] : seconds >= 1e-3 ? ['ms', 1e3] : ['µs', 1e6];
  const digits = Math.max(0, Math.ceil(-Math.log10((across * scale) / 10)));
  return `${(seconds * scale).toFixed(Math.min(9, digits))} ${unit}`;
}

function toSegment(px: number, py: number, { x1, y1, x2, y2 }: { x1: number; y1: number; x2: number; y2: number }): number {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const t = Math.max(0, Math.min(1, ((px - x1) * dx + (py - y1) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(px - x1 - t * dx, py - y1 - t * dy);
}
