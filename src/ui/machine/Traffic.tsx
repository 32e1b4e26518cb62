/**
 * Messages on their way: for each that was sent lately a dot from kernel to kernel, its colour the sender's. A dot moves once, because its
 * message did. With reduced motion a line stands for a moment instead.
 */
import { useEffect, useRef } from 'react';
import { kernelColor } from '../kernels.ts';
import { useLab } from '../store.ts';
import type { MachineLayout } from './layout.ts';

const DOTS_MAX = 24;
const TRAVEL_MS = 650;

export function Traffic({ layout, owner }: { layout: MachineLayout; owner: ReadonlyMap<number, number> }) {
  const session = useLab((s) => s.session);
  const message = useLab((s) => s.message);
  const tick = useLab((s) => s.tick);
  const group = useRef<SVGGElement>(null);
  const shown = useRef(0);
  const centre = (kernel: number): { x: number; y: number } => {
    const boxes = layout.nodes.flatMap((node) => node.cores).filter(({ core }) => owner.get(core) === kernel);
    const sum = boxes.reduce((total, box) => ({ x: total.x + box.x + box.width / 2, y: total.y + box.y + box.height / 2 }), { x: 0, y: 0 });
    return { x: sum.x / Math.max(1, boxes.length), y: sum.y / Math.max(1, boxes.length) };
  };
  useEffect(() => {
    const place = group.current;
    if (place === null || session === null || tick === 0) return;
    const { trace } = session;
    if (shown.current > trace.sentCount) shown.current = 0;
    const fresh = trace.messages.filter((row) => row.index >= shown.current);
    shown.current = trace.sentCount;
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    // One dot for each pair of kernels: of many messages at once no more can be told apart.
    const pairs = new Map(fresh.map((row) => [`${row.from}>${row.to}`, row]));
    for (const row of [...pairs.values()].slice(-Math.max(0, DOTS_MAX - place.childElementCount))) {
      const [a, b] = [centre(row.from), centre(row.to)];
      const mark = document.createElementNS('http://www.w3.org/2000/svg', still ? 'line' : 'circle');
      mark.style.color = kernelColor(row.from);
      if (still) for (const [key, value] of Object.entries({ x1: a.x, y1: a.y, x2: b.x, y2: b.y, class: 'wire' })) mark.setAttribute(key, String(value));
      else for (const [key, value] of Object.entries({ r: 5, class: 'dot' })) mark.setAttribute(key, String(value));
      place.append(mark);
      const frames = still ? [{ opacity: 1 }, { opacity: 0 }] : [{ transform: `translate(${a.x}px, ${a.y}px)` }, { transform: `translate(${b.x}px, ${b.y}px)` }];
      mark.animate(frames, { duration: TRAVEL_MS, easing: 'ease-in-out' }).onfinish = () => mark.remove();
    }
  });
  const line = message === null ? null : { a: centre(message.from), b: centre(message.to) };
  return (
    <g pointerEvents="none">
      {line !== null && message !== null && <line x1={line.a.x} y1={line.a.y} x2={line.b.x} y2={line.b.y} className="wire chosen" style={{ color: kernelColor(message.from) }} />}
      <g ref={group} />
    </g>
  );
}
