/**
 * What passes between kernels. Below the boxes: the links between nodes, the thicker the more went over them lately. Above: for each message that
 * was sent a dot along the links, and for each packet of the network a square, which on the wire and between the card's functions goes to the card or comes from it; their colour
 * is the sender's. Each moves once, because what it stands for did; at a slow pace a dot takes as long as its message took. With reduced
 * motion it stands for a moment at its end instead.
 */
import { useEffect, useMemo, useRef } from 'react';
import { protocolName } from '../../lab/dissect.ts';
import type { Passage } from '../../lab/trace/network.ts';
import { kernelColor } from '../kernels.ts';
import { messageName } from '../message.ts';
import { isShown, useLab } from '../store.ts';
import { deviceBoxes } from './DeviceBadges.tsx';
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

/** The points of a message's way, and of a packet's. */
function useWays({ layout, places }: Props): (from: number, to: number) => readonly Point[] {
  const topology = useLab(s => s.topology);
  return useMemo(() => {
    const route = routesOf(topology);
    const centres = layout.nodes.map(middle);
    const homes = new Map(places.map(place => [place.kernel, place]));
    return (from, to) => {
      const [a, b] = [homes.get(from), homes.get(to)];
      if (a === undefined || b === undefined) return [];
      const between = route(a.home, b.home)
        .slice(1, -1)
        .map(node => centres[node] as Point);
      return [a.middle, ...between, b.middle];
    };
  }, [topology, layout, places]);
}

export function Links({ layout, places }: Props) {
  const topology = useLab(s => s.topology);
  const links = useMemo(() => linksOf(topology), [topology]);
  const route = useMemo(() => routesOf(topology), [topology]);
  const session = useLab(s => s.session);
  const status = useLab(s => s.status);
  useLab(s => s.tick);
  const load = new Map<string, number>();
  const packets = new Map<string, number>();
  const count = (counts: Map<string, number>, way: readonly number[]): void => {
    for (let i = 1; i < way.length; i++) {
      const [a = 0, b = 0] = [way[i - 1], way[i]];
      const key = `${Math.min(a, b)}-${Math.max(a, b)}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  };
  if (session !== null && status !== null) {
    const rate = Number.isFinite(status.speed) && status.speed > 0 ? status.speed : topology.hertz / 10;
    const homes = new Map(places.map(place => [place.kernel, place.home]));
    session.trace.eachMessage(status.now - rate, status.now, (_id, from, to, type) => {
      if (!isShown(type)) return;
      const way = route(homes.get(from) ?? 0, homes.get(to) ?? 0);
      count(load, way);
    });
    session.trace.network.eachPassage(status.now - rate, ({ over, from, to }) => {
      if (over === 'switch' && to !== null) count(packets, route(homes.get(from) ?? 0, homes.get(to) ?? 0));
    });
  }
  return (
    <g className="links">
      {links.map(({ a, b, distance }) => {
        const [from, to] = [layout.nodes[a], layout.nodes[b]];
        if (from === undefined || to === undefined) return null;
        const [p, q] = [middle(from), middle(to)];
        const [messages, frames] = [load.get(`${a}-${b}`) ?? 0, packets.get(`${a}-${b}`) ?? 0];
        const all = messages + frames;
        return (
          <line
            key={`${a}-${b}`}
            x1={p.x}
            y1={p.y}
            x2={q.x}
            y2={q.y}
            className="link"
            data-busy={all > 0}
            style={{ strokeWidth: 1.5 + Math.min(2.5, Math.log2(1 + all) / 3) }}
          >
            <title>{`link between nodes ${topology.nodes[a]?.id} and ${topology.nodes[b]?.id}, distance ${distance}${all > 0 ? `, ${messages} messages and ${frames} packets lately` : ''}`}</title>
          </line>
        );
      })}
    </g>
  );
}

/** The way of a packet: between kernels as messages go; what the wire or the card's own switch carries, to the card and from it. */
function wayOf(
  { over, from, to }: Passage,
  card: Point | undefined,
  way: (from: number, to: number) => readonly Point[],
): readonly Point[] {
  if (over === 'switch') return to === null ? [] : way(from, to);
  const near = to ?? from;
  const [own] = way(near, near);
  if (own === undefined || card === undefined) return [];
  return to === null ? [own, card] : [card, own];
}

/** The way of the chosen message. */
export function ChosenWire({ layout, places }: Props) {
  const session = useLab(s => s.session);
  const id = useLab(s => s.message);
  const way = useWays({ layout, places });
  const chosen = id === null ? null : (session?.trace.message(id) ?? null);
  const path = chosen === null ? [] : way(chosen.from, chosen.to);
  return path.length > 1 && chosen !== null ? <Wire points={path} from={chosen.from} size={layout.line} /> : null;
}

/** Elements of their own above the picture: moving them draws nothing anew. */
export function Dots({ layout, places }: Props) {
  const session = useLab(s => s.session);
  const tick = useLab(s => s.tick);
  const speed = useLab(s => s.status?.speed ?? 0);
  const group = useRef<HTMLDivElement>(null);
  const cursor = useRef<{ trace: unknown; messages: number[]; packets: number }>({ trace: null, messages: [], packets: 0 });
  const way = useWays({ layout, places });
  const topology = useLab(s => s.topology);
  const card = useMemo(() => {
    const found = deviceBoxes(layout, topology).find(({ name }) => name === 'nic0');
    return found === undefined ? undefined : middle(found.box);
  }, [layout, topology]);
  const line = layout.line;
  useEffect(() => {
    const place = group.current;
    if (place === null || session === null) return;
    const { trace } = session;
    if (cursor.current.trace !== trace) cursor.current = { trace, messages: [], packets: 0 };
    const fresh = new Map<string, Moving>();
    const add = (key: string, moving: Moving): void => {
      const known = fresh.get(key);
      fresh.set(key, known === undefined ? moving : { ...moving, count: known.count + 1 });
    };
    trace.eachNewMessage(cursor.current.messages, (_id, from, to, type, sent, received) => {
      if (!isShown(type)) return;
      const flight = Number.isNaN(received) ? 0 : received - sent;
      add(`${from}>${to}:${type}`, { from, name: messageName(type), points: () => way(from, to), flight, count: 1, look: 'message' });
    });
    cursor.current.packets = trace.network.eachNewPassage(cursor.current.packets, passage => {
      const { over, from, to, protocol } = passage;
      const points = (): readonly Point[] => wayOf(passage, card, way);
      add(`${from}>${to}:${protocol} ${over}`, { from, name: protocolName(protocol), points, flight: 0, count: 1, look: 'packet' });
    });
    if (document.hidden) return;
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    for (const { from, name, points: pointsOf, flight, count, look } of [...fresh.values()].slice(-DOTS_MAX)) {
      if (place.childElementCount >= DOTS_MAX) break;
      const path = pointsOf();
      const [first, last] = [path[0], path.at(-1)];
      if (first === undefined || last === undefined || path.length < 2) continue;
      const points = aside(path, line * 0.45);
      const wall = Number.isFinite(speed) && speed > 0 ? (flight / speed) * 1000 : 0;
      const duration = Math.max(TRAVEL_MS.least, Math.min(TRAVEL_MS.most, wall));
      // One label on a way at a time: more would lie on each other.
      const ends = [first, last].map(({ x, y }) => `${Math.round(x)},${Math.round(y)}`);
      const between = ends.sort().join(' ');
      const labelled =
        place.querySelectorAll('.dot-label').length >= LABELS_MAX || place.querySelector(`[data-way="${between}"] .dot-label`) !== null;
      const mark = dotOf(from, look, labelled ? '' : `${name}${count > 1 ? ` ×${count}` : ''}`);
      mark.dataset['way'] = between;
      place.append(mark);
      move(mark, still ? points.slice(-1) : points, duration);
    }
  }, [tick, session, way, card, speed, line]);
  return <div className="dots" ref={group} aria-hidden="true" style={{ fontSize: line * 0.8 }} />;
}

/** What is new of one kind on one way. */
interface Moving {
  readonly from: number;
  readonly name: string;
  readonly points: () => readonly Point[];
  readonly flight: number;
  readonly count: number;
  readonly look: 'message' | 'packet';
}

function dotOf(from: number, look: Moving['look'], text: string): HTMLElement {
  const mark = document.createElement('span');
  mark.className = 'dot';
  mark.dataset['look'] = look;
  mark.style.color = kernelColor(from);
  if (text !== '') {
    const label = document.createElement('span');
    label.className = 'dot-label';
    label.textContent = text;
    mark.append(label);
  }
  return mark;
}

/** Along its way once, or, where nothing may move, a while at its end. */
function move(mark: HTMLElement, points: readonly Point[], duration: number): void {
  const lengths = points.map((point, i) =>
    i === 0 ? 0 : Math.hypot(point.x - (points[i - 1] as Point).x, point.y - (points[i - 1] as Point).y),
  );
  const total = lengths.reduce((sum, each) => sum + each, 0) || 1;
  let gone = 0;
  const frames = points.map(({ x, y }, i) => ({
    transform: `translate(${x}px, ${y}px)`,
    offset: Math.min(1, (gone += lengths[i] as number) / total),
  }));
  const all =
    frames.length === 1
      ? [
          { ...frames[0], offset: 0 },
          { ...frames[0], offset: 1 },
        ]
      : frames;
  mark.animate(all as Keyframe[], { duration, easing: 'linear', fill: 'both' }).onfinish = () => mark.remove();
}

/** The way of the chosen message, with a head. */
function Wire({ points, from, size }: { points: readonly Point[]; from: number; size: number }) {
  const [a, b] = [points.at(-2) as Point, points.at(-1) as Point];
  const angle = (Math.atan2(b.y - a.y, b.x - a.x) * 180) / Math.PI;
  return (
    <g style={{ color: kernelColor(from) }}>
      <polyline points={points.map(({ x, y }) => `${x},${y}`).join(' ')} className="wire chosen" />
      <path
        d={`M${-size} ${-size * 0.6} L0 0 L${-size} ${size * 0.6} z`}
        transform={`translate(${b.x} ${b.y}) rotate(${angle})`}
        className="wire-head"
      />
    </g>
  );
}

/** Traffic keeps to the right, so that the two directions of a link can be told apart. */
function aside(points: readonly Point[], by: number): Point[] {
  return points.map((point, i) => {
    const [a, b] = [points[Math.max(0, i - 1)] as Point, points[Math.min(points.length - 1, i + 1)] as Point];
    const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
    return { x: point.x - ((b.y - a.y) / length) * by, y: point.y + ((b.x - a.x) / length) * by };
  });
}
