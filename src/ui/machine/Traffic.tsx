/**
 * What passes between kernels. Below the boxes: the links between nodes, the thicker the more went over them lately. Above: for each message that
 * was sent a dot along the links, its colour the sender's. A dot moves once, because its message did; at a slow pace it takes as long as the
 * message took. With reduced motion a line stands for a moment instead.
 */
import { useEffect, useMemo, useRef } from 'react';
import { kernelColor } from '../kernels.ts';
import { messageName } from '../message.ts';
import { isShown, useLab } from '../store.ts';
import { linksOf, type MachineLayout, middle, routesOf } from './layout.ts';
import type { KernelPlace } from './owners.ts';

interface Point {
  readonly x: number;
  readonly y: number;
}
interface Props {
  readonly layout: MachineLayout;
  readonly places: readonly KernelPlace[];
}

/** Of more dots at once no eye can tell anything. */
const DOTS_MAX = 24;
const LABELS_MAX = 6;
const TRAVEL_MS = { least: 600, most: 4000 } as const;

export function Traffic({ layer, ...props }: Props & { layer: 'links' | 'messages' }) {
  return layer === 'links' ? <Links {...props} /> : <Dots {...props} />;
}

/** The points of a message's way. */
function useWays({ layout, places }: Props): (from: number, to: number) => readonly Point[] {
  const topology = useLab((s) => s.topology);
  return useMemo(() => {
    const route = routesOf(topology);
    const centres = layout.nodes.map(middle);
    const homes = new Map(places.map((place) => [place.kernel, place]));
    return (from, to) => {
      const [a, b] = [homes.get(from), homes.get(to)];
      if (a === undefined || b === undefined) return [];
      const between = route(a.home, b.home).slice(1, -1).map((node) => centres[node] as Point);
      return [a.middle, ...between, b.middle];
    };
  }, [topology, layout, places]);
}

function Links({ layout, places }: Props) {
  const topology = useLab((s) => s.topology);
  const links = useMemo(() => linksOf(topology), [topology]);
  const route = useMemo(() => routesOf(topology), [topology]);
  const session = useLab((s) => s.session);
  const status = useLab((s) => s.status);
  useLab((s) => s.tick);
  const load = new Map<string, number>();
  if (session !== null && status !== null) {
    const rate = Number.isFinite(status.speed) && status.speed > 0 ? status.speed : topology.hertz / 10;
    const homes = new Map(places.map((place) => [place.kernel, place.home]));
    session.trace.eachMessage(status.now - rate, status.now, (_id, from, to, type) => {
      if (!isShown(type)) return;
      const way = route(homes.get(from) ?? 0, homes.get(to) ?? 0);
      for (let i = 1; i < way.length; i++) {
        const [a = 0, b = 0] = [way[i - 1], way[i]];
        const key = `${Math.min(a, b)}-${Math.max(a, b)}`;
        load.set(key, (load.get(key) ?? 0) + 1);
      }
    });
  }
  return (
    <g className="links">
      {links.map(({ a, b, distance }) => {
        const [from, to] = [layout.nodes[a], layout.nodes[b]];
        if (from === undefined || to === undefined) return null;
        const [p, q] = [middle(from), middle(to)];
        const count = load.get(`${a}-${b}`) ?? 0;
        return (
          <line key={`${a}-${b}`} x1={p.x} y1={p.y} x2={q.x} y2={q.y} className="link" data-busy={count > 0} style={{ strokeWidth: 1.5 + Math.min(3.5, Math.log2(1 + count) / 2) }}>
            <title>{`link between nodes ${topology.nodes[a]?.id} and ${topology.nodes[b]?.id}, distance ${distance}${count > 0 ? `, ${count} messages lately` : ''}`}</title>
          </line>
        );
      })}
    </g>
  );
}

function Dots({ layout, places }: Props) {
  const session = useLab((s) => s.session);
  const id = useLab((s) => s.message);
  const chosen = id === null ? null : (session?.trace.message(id) ?? null);
  const tick = useLab((s) => s.tick);
  const speed = useLab((s) => s.status?.speed ?? 0);
  const group = useRef<SVGGElement>(null);
  const cursor = useRef<{ trace: unknown; at: number[] }>({ trace: null, at: [] });
  const way = useWays({ layout, places });
  const line = layout.line;
  useEffect(() => {
    const place = group.current;
    if (place === null || session === null) return;
    const { trace } = session;
    if (cursor.current.trace !== trace) cursor.current = { trace, at: [] };
    const fresh = new Map<string, { from: number; to: number; type: number; flight: number; count: number }>();
    trace.eachNewMessage(cursor.current.at, (_id, from, to, type, sent, received) => {
      if (!isShown(type)) return;
      const key = `${from}>${to}:${type}`;
      const flight = Number.isNaN(received) ? 0 : received - sent;
      fresh.set(key, { from, to, type, flight, count: (fresh.get(key)?.count ?? 0) + 1 });
    });
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const room = Math.max(0, DOTS_MAX - place.childElementCount);
    for (const { from, to, type, flight, count } of [...fresh.values()].slice(-room || fresh.size)) {
      if (place.childElementCount >= DOTS_MAX) break;
      const points = way(from, to);
      if (points.length < 2) continue;
      const wall = Number.isFinite(speed) && speed > 0 ? (flight / speed) * 1000 : 0;
      const duration = Math.max(TRAVEL_MS.least, Math.min(TRAVEL_MS.most, wall));
      const text = place.childElementCount < LABELS_MAX ? `${messageName(type)}${count > 1 ? ` ×${count}` : ''}` : '';
      place.append(still ? standing(points, from, duration) : moving(points, from, text, line, duration));
    }
  }, [tick, session, way, speed, line]);
  const path = chosen === null ? [] : way(chosen.from, chosen.to);
  return (
    <g pointerEvents="none">
      {path.length > 1 && chosen !== null && <polyline points={path.map(({ x, y }) => `${x},${y}`).join(' ')} className="wire chosen" style={{ color: kernelColor(chosen.from) }} markerEnd="url(#arrow)" />}
      <g ref={group} />
    </g>
  );
}

const SVG = 'http://www.w3.org/2000/svg';

function standing(points: readonly Point[], from: number, duration: number): SVGElement {
  const line = document.createElementNS(SVG, 'polyline');
  line.setAttribute('points', points.map(({ x, y }) => `${x},${y}`).join(' '));
  line.setAttribute('class', 'wire');
  line.style.color = kernelColor(from);
  setTimeout(() => line.remove(), duration);
  return line;
}

function moving(points: readonly Point[], from: number, text: string, line: number, duration: number): SVGElement {
  const mark = document.createElementNS(SVG, 'g');
  mark.style.color = kernelColor(from);
  const dot = document.createElementNS(SVG, 'circle');
  dot.setAttribute('r', String(line * 0.4));
  dot.setAttribute('class', 'dot');
  mark.append(dot);
  if (text !== '') {
    const label = document.createElementNS(SVG, 'text');
    label.setAttribute('x', String(line * 0.7));
    label.setAttribute('y', String(line * 0.3));
    label.setAttribute('class', 'dot-label');
    label.textContent = text;
    mark.append(label);
  }
  const lengths = points.map((point, i) => (i === 0 ? 0 : Math.hypot(point.x - (points[i - 1] as Point).x, point.y - (points[i - 1] as Point).y)));
  const total = lengths.reduce((sum, each) => sum + each, 0) || 1;
  let gone = 0;
  const frames = points.map(({ x, y }, i) => ({ transform: `translate(${x}px, ${y}px)`, offset: Math.min(1, (gone += lengths[i] as number) / total) }));
  mark.animate(frames, { duration, easing: 'linear', fill: 'forwards' }).onfinish = () => mark.remove();
  return mark;
}
