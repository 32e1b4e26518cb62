/**
 * Space-time: what happened on which kernel, when, and what led to it. Wheel or W/S zooms, drag or A/D moves, F follows the present. A click
 * on an arrow selects its message everywhere.
 */
import { ZoomIn, ZoomOut } from 'lucide-react';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { timeText } from '../../lab/time.ts';
import type { TraceStore } from '../../lab/trace-store.ts';
import { MessageDetails } from './MessageDetails.tsx';
import { describeMessage, messageName, underWay } from '../message.ts';
import { isShown, useLab } from '../store.ts';
import { type Arrow, draw, FOOT, HEAD, lanesFor, nearestArrow, paletteOf, timeAt, type View } from './scene.ts';
import './timeline.css';

const SPAN_MIN = 200;
/** Lanes are no lower than this; where they don't fit they scroll. */
const LANE_MIN = 4;
/** Wall seconds that the width shows as long as nobody zooms. */
const ACROSS_SECONDS = 3;

interface Window {
  /** Cycles that the width shows; null: what suits the speed. */
  readonly span: number | null;
  /** Time at the right edge; null: the present. */
  readonly end: number | null;
}

export function SpaceTime() {
  const { session, topology, status, message, pid, kernel, select, plan, theme, projector, byCore, heartbeats } = useLab();
  const tick = useLab(s => s.tick);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState({ width: 800, height: 200 });
  const [view, setView] = useState<Window>({ span: null, end: null });
  const [scroll, setScroll] = useState(0);
  const [hover, setHover] = useState<{ id: number; x: number; y: number } | null>(null);
  const arrows = useRef<readonly Arrow[]>([]);
  const drag = useRef<{ x: number; y: number; end: number; scroll: number; moved: boolean } | null>(null);
  const now = status?.now ?? 0;
  const span = view.span ?? suitable(status?.speed, topology.hertz, now);
  const end = view.end ?? Math.max(now, span);
  const lanes = useMemo(() => lanesFor(plan?.partitions ?? [], byCore), [plan, byCore]);
  const lane = Math.max(LANE_MIN, (size.height - FOOT) / Math.max(1, lanes.length));
  const scrollMax = Math.max(0, lane * lanes.length - (size.height - FOOT));
  const top = Math.min(scroll, scrollMax);
  const chain = useMemo(() => chainOf(session?.trace ?? null, message), [session, message, tick]);

  useEffect(() => {
    const element = canvas.current?.parentElement;
    if (!element) return;
    const observer = new ResizeObserver(() => setSize({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const scene: View = { ...size, lanes, lane, scroll: top, start: end - span, end, now, hertz: topology.hertz };
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (!element || !context) return;
    const ratio = devicePixelRatio || 1;
    element.width = Math.round(size.width * ratio);
    element.height = Math.round(size.height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    arrows.current = draw(
      context,
      scene,
      session?.trace ?? null,
      { message, hover: hover?.id ?? null, chain, pid, kernel },
      paletteOf(element),
      isShown,
    );
  }, [tick, size, end, span, lanes, top, session, message, hover, chain, pid, kernel, topology, theme, projector, heartbeats]);

  const zoom = useCallback(
    (factor: number, x?: number): void =>
      setView(last => {
        const { span: before, right } = present(last);
        // Round what is chosen, if it is in view; else round the present or the middle.
        const { message: id, session: run } = useLab.getState();
        const sent = id === null ? undefined : run?.trace.message(id)?.sent;
        const of = sent === undefined ? -1 : (sent - right + before) / before;
        const share =
          x === undefined
            ? of >= 0 && of <= 1
              ? of
              : last.end === null
                ? 1
                : 0.5
            : Math.max(0, Math.min(1, (x - HEAD) / ((canvas.current?.clientWidth ?? 800) - HEAD)));
        const next = Math.max(SPAN_MIN, Math.min(useLab.getState().topology.hertz * 60, before * factor));
        if (last.end === null && share > 0.99) return { span: next, end: null };
        return { span: next, end: right - before + share * before + (1 - share) * next };
      }),
    [],
  );
  const pan = useCallback(
    (share: number): void =>
      setView(last => {
        const { span: wide, right } = present(last);
        return { span: wide, end: Math.max(wide * 0.1, right + share * wide) };
      }),
    [],
  );
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    // React's own wheel listeners are passive: the page would scroll or zoom as well.
    const wheel = (event: WheelEvent): void => {
      event.preventDefault();
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan((event.deltaX || event.deltaY) / 800);
      else if (event.altKey || event.offsetX < HEAD) setScroll(last => Math.max(0, last + event.deltaY));
      else zoom(1.0018 ** Math.max(-200, Math.min(200, event.deltaY)), event.offsetX);
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => element.removeEventListener('wheel', wheel);
  }, [zoom, pan]);
  // A message chosen elsewhere comes into view.
  useEffect(() => {
    const row = message === null ? null : (session?.trace.message(message) ?? null);
    if (row !== null && (row.sent < end - span || row.sent > end)) setView({ span, end: row.sent + span / 2 });
  }, [message]);

  // So does the lane of the chosen kernel.
  useEffect(() => {
    const index = lanes.findIndex(each => each.kernel === kernel);
    const at = index * lane;
    if (index >= 0 && (at < top || at + lane > top + size.height - FOOT))
      setScroll(Math.max(0, Math.min(scrollMax, at - (size.height - FOOT) / 2)));
  }, [kernel, byCore]);

  const step = (forward: boolean): void => {
    const trace = session?.trace;
    if (trace === undefined) return;
    const row = message === null ? null : trace.message(message);
    const next = trace.neighbour(row?.sent ?? (forward ? end - span : end), row?.id ?? -1, forward, isShown);
    if (next !== null) select({ message: next });
  };
  const keys: Record<string, () => void> = {
    KeyW: () => zoom(0.7),
    KeyS: () => zoom(1.4),
    KeyA: () => pan(-0.2),
    KeyD: () => pan(0.2),
    ArrowLeft: () => pan(-0.1),
    ArrowRight: () => pan(0.1),
    ArrowUp: () => setScroll(Math.max(0, top - 3 * lane)),
    ArrowDown: () => setScroll(Math.min(scrollMax, top + 3 * lane)),
    Equal: () => zoom(0.7),
    Minus: () => zoom(1.4),
    KeyF: () => setView({ ...view, end: null }),
    BracketLeft: () => step(false),
    BracketRight: () => step(true),
    Comma: () => step(false),
    Period: () => step(true),
    Escape: () => select({ message: null }),
  };
  const counted = session?.trace.sentCount ?? 0;
  return (
    <section className="panel spacetime" aria-label="Space-time" data-pane="spacetime">
      <header className="panel-head">
        <h2>Space-time</h2>
        <span className="muted">
          {countOf(lanes.length, byCore ? 'core' : 'kernel')} · {countOf(counted, 'message')} · {timeText(span, topology.hertz)} across
        </span>
        <div className="tools">
          <button
            type="button"
            aria-pressed={heartbeats}
            onClick={() => select({ heartbeats: !heartbeats })}
            title="Show the heartbeats of kernels among the messages"
          >
            Heartbeats
          </button>
          <button type="button" aria-pressed={byCore} onClick={() => select({ byCore: !byCore })} title="A lane for each core">
            Cores
          </button>
          <button type="button" onClick={() => zoom(1 / 2)} aria-label="Zoom in" title="Zoom in (W)">
            <ZoomIn size={16} aria-hidden />
          </button>
          <button type="button" onClick={() => zoom(2)} aria-label="Zoom out" title="Zoom out (S)">
            <ZoomOut size={16} aria-hidden />
          </button>
          <button
            type="button"
            aria-pressed={view.end === null}
            onClick={() => setView(view.end === null ? { span, end } : { span: view.span, end: null })}
            title="Follow the present (F)"
          >
            Follow
          </button>
        </div>
      </header>
      <div className="spacetime-body">
        <div className="spacetime-place">
          <canvas
            ref={canvas}
            tabIndex={0}
            role="img"
            style={{ width: size.width, height: size.height }}
            data-pointing={hover !== null}
            aria-label={summary(
              lanes.length,
              byCore,
              timeText(Math.max(0, end - span), topology.hertz),
              timeText(end, topology.hertz),
              arrows.current.length,
            )}
            onPointerDown={event => {
              drag.current = { x: event.clientX, y: event.clientY, end, scroll: top, moved: false };
              event.currentTarget.setPointerCapture(event.pointerId);
            }}
            onPointerMove={event => {
              const from = drag.current;
              const { offsetX, offsetY } = event.nativeEvent;
              if (from === null) {
                const found = offsetX < HEAD ? null : nearestArrow(arrows.current, offsetX, offsetY);
                if (found !== hover?.id) setHover(found === null ? null : { id: found, x: offsetX, y: offsetY });
                return;
              }
              const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
              if (Math.hypot(dx, dy) > 3) from.moved = true;
              if (!from.moved) return;
              setHover(null);
              setView({ span, end: Math.max(span * 0.1, from.end - (dx / (size.width - HEAD)) * span) });
              if (scrollMax > 0) setScroll(Math.max(0, Math.min(scrollMax, from.scroll - dy)));
            }}
            onPointerLeave={() => setHover(null)}
            onPointerUp={event => {
              const from = drag.current;
              drag.current = null;
              if (from === null || from.moved) return;
              const { offsetX, offsetY } = event.nativeEvent;
              const at = lanes[Math.floor((offsetY + top) / lane)];
              if (offsetX < HEAD) {
                if (at !== undefined) select({ kernel: at.kernel });
                return;
              }
              const found = nearestArrow(arrows.current, offsetX, offsetY);
              const span =
                found === null && at !== undefined
                  ? at.cores.map(core => session?.trace.spanAt(core, timeAt(scene, offsetX))).find(each => each)
                  : null;
              select({ message: found, ...(span ? { pid: span.pid, kernel: span.kernel } : {}) });
            }}
            onKeyDown={event => {
              const action = keys[event.code];
              if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
              event.preventDefault();
              event.stopPropagation();
              action();
            }}
          />
          {scrollMax > 0 && (
            <div
              className="lane-thumb"
              style={{ top: `${(top / (lane * lanes.length)) * 100}%`, height: `${((size.height - FOOT) / (lane * lanes.length)) * 100}%` }}
            />
          )}
          {hover !== null && <Tip id={hover.id} x={hover.x} y={hover.y} width={size.width} height={size.height} />}
        </div>
        {message !== null && <MessageDetails id={message} />}
      </div>
    </section>
  );
}

/** Cycles that pass in a while at this speed; at the beginning, all that has passed. */
function suitable(speed: number | undefined, hertz: number, now: number): number {
  const most = speed !== undefined && Number.isFinite(speed) && speed > 0 ? speed * ACROSS_SECONDS : hertz / 4;
  return Math.max(SPAN_MIN * 10, now === 0 ? most : Math.min(most, now * 1.02));
}

/** Width and right edge of a window as they are now. */
function present({ span, end }: Window): { span: number; right: number } {
  const { status, topology } = useLab.getState();
  const wide = span ?? suitable(status?.speed, topology.hertz, status?.now ?? 0);
  return { span: wide, right: end ?? Math.max(status?.now ?? 0, wide) };
}

const summary = (lanes: number, byCore: boolean, from: string, to: string, messages: number): string =>
  `Lanes of ${countOf(lanes, byCore ? 'core' : 'kernel')} from ${from} to ${to}, ${countOf(messages, 'message')} in view; the list is under Messages. W and S zoom, A and D move, F follows, comma and full stop go from message to message.`;

/** Messages before and after the chosen one: what caused it, and what it caused. */
function chainOf(trace: TraceStore | null, id: number | null): ReadonlySet<number> {
  const chain = new Set<number>();
  const row = id === null || trace === null ? null : trace.message(id);
  if (row === null || trace === null) return chain;
  for (let at = trace.causeOf(row), n = 0; at !== null && n < 20 && !chain.has(at.id); at = trace.causeOf(at), n++) chain.add(at.id);
  for (const each of trace.effectsOf(row)) chain.add(each.id);
  return chain;
}

function Tip({ id, x, y, width, height }: { id: number; x: number; y: number; width: number; height: number }) {
  const session = useLab(s => s.session);
  const hertz = useLab(s => s.topology.hertz);
  const row = session?.trace.message(id) ?? null;
  if (session === null || row === null) return null;
  const { text } = describeMessage(session.trace, row);
  return (
    <div
      className="tip"
      style={{
        ...(x > width - 300 ? { right: width - x + 12 } : { left: x + 12 }),
        ...(y > height / 2 ? { bottom: height - y + 8 } : { top: y + 8 }),
      }}
    >
      <b className="mono">{messageName(row.type)}</b> {row.from} → {row.to} · {underWay(session.trace, row, hertz) ?? 'under way'}
      {text !== '' && <div className="muted">{text.slice(0, 90)}</div>}
    </div>
  );
}

/** `1 kernel`, `8 kernels` */
const countOf = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
