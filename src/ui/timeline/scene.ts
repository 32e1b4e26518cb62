/**
 * Draws space-time: a lane per kernel (or core), tasks as bars, messages as arrows, migrations as tasks that change lanes. What it costs
 * depends on the pixels, not on the records: stretches that fall on one pixel are drawn once.
 */
import { scaleLinear } from 'd3-scale';
import { MigrateStep, TraceKind } from '../../kernel/trace.ts';
import { timeText } from '../../lab/time.ts';
import type { TraceStore } from '../../lab/trace-store.ts';
import { HUES, kernelName } from '../kernels.ts';

/** Pixels for the names of lanes, and for the axis. */
export const HEAD = 92;
export const FOOT = 22;
const ARROWS_MAX = 4000;

export interface Lane {
  readonly kernel: number;
  /** Cores drawn in it. */
  readonly cores: readonly number[];
  readonly name: string;
}

export interface Arrow {
  readonly id: number;
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

export interface View {
  readonly width: number;
  readonly height: number;
  readonly lanes: readonly Lane[];
  /** Height of a lane, and how far the lanes are scrolled up. */
  readonly lane: number;
  readonly scroll: number;
  readonly start: number;
  readonly end: number;
  /** Time that all kernels have reached: what has not ended goes on till there. */
  readonly now: number;
  readonly hertz: number;
}

export interface Choice {
  readonly message: number | null;
  readonly hover: number | null;
  /** Messages that led to the chosen one, and those that it led to. */
  readonly chain: ReadonlySet<number>;
  readonly pid: number | null;
  readonly kernel: number;
}

export interface Palette {
  readonly kernels: readonly string[];
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly panel: string;
  readonly select: string;
  readonly onKernel: string;
  readonly font: string;
  readonly size: number;
}

export function paletteOf(element: Element): Palette {
  const style = getComputedStyle(element);
  const token = (name: string): string => style.getPropertyValue(name).trim();
  return {
    kernels: Array.from({ length: HUES }, (_, hue) => token(`--k${hue}`)),
    text: token('--text'),
    muted: token('--muted'),
    line: token('--line'),
    panel: token('--panel'),
    select: token('--select'),
    onKernel: token('--on-kernel'),
    font: token('--font') || 'sans-serif',
    size: Number.parseFloat(style.fontSize) || 14,
  };
}

export const xOf = ({ start, end, width }: View, time: number): number => HEAD + ((time - start) / (end - start)) * (width - HEAD);
export const timeAt = ({ start, end, width }: View, x: number): number => start + ((x - HEAD) / (width - HEAD)) * (end - start);

export function draw(
  context: CanvasRenderingContext2D,
  view: View,
  trace: TraceStore | null,
  choice: Choice,
  palette: Palette,
  shown: (type: number) => boolean,
): Arrow[] {
  const { width, height } = view;
  context.clearRect(0, 0, width, height);
  context.textBaseline = 'middle';
  drawAxis(context, view, palette);
  context.save();
  context.beginPath();
  context.rect(0, 0, width, height - FOOT);
  context.clip();
  drawLanes(context, view, trace, choice, palette);
  if (trace === null) {
    context.restore();
    return [];
  }
  context.beginPath();
  context.rect(HEAD, 0, width - HEAD, height - FOOT);
  context.clip();
  drawStates(context, view, trace, palette);
  drawTasks(context, view, trace, choice, palette);
  const arrows = drawMessages(context, view, trace, choice, palette, shown);
  drawMigrations(context, view, trace, choice, palette);
  context.restore();
  return arrows;
}

const yOf = ({ lane, scroll }: View, index: number): number => lane * (index + 0.5) - scroll;
const barOf = ({ lane }: View): number => Math.min(26, Math.max(2, lane * 0.62));
const colour = (palette: Palette, kernel: number): string => palette.kernels[kernel % HUES] ?? palette.muted;

/** First lane of each kernel. */
function lanesOf(view: View): Map<number, number> {
  const map = new Map<number, number>();
  for (const [index, { kernel }] of view.lanes.entries()) if (!map.has(kernel)) map.set(kernel, index);
  return map;
}

function drawAxis(context: CanvasRenderingContext2D, view: View, palette: Palette): void {
  const { width, height, start, end, hertz } = view;
  context.font = `${Math.round(palette.size * 0.86)}px ${palette.font}`;
  context.fillStyle = palette.muted;
  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  for (const tick of scaleLinear([start / hertz, end / hertz], [HEAD, width]).ticks(Math.max(3, Math.floor(width / 170)))) {
    const at = Math.round(xOf(view, tick * hertz)) + 0.5;
    if (tick < 0 || at < HEAD + 20) continue;
    context.beginPath();
    context.moveTo(at, 0);
    context.lineTo(at, height - FOOT);
    context.stroke();
    context.textAlign = 'center';
    if (at < width - 44) context.fillText(tickText(tick, (end - start) / hertz), at, height - FOOT / 2);
  }
}

function drawLanes(context: CanvasRenderingContext2D, view: View, trace: TraceStore | null, choice: Choice, palette: Palette): void {
  const { lane, lanes, width, height } = view;
  const labelEvery = Math.max(1, Math.ceil((palette.size * 0.95) / lane));
  context.textAlign = 'left';
  let above = Number.NEGATIVE_INFINITY;
  for (const [index, { kernel, name }] of lanes.entries()) {
    const at = Math.round(yOf(view, index)) + 0.5;
    if (at < -lane || at > height) continue;
    if (kernel === choice.kernel && trace !== null) {
      context.fillStyle = palette.select;
      context.globalAlpha = 0.45;
      context.fillRect(0, at - lane / 2, width, lane);
      context.globalAlpha = 1;
    }
    context.strokeStyle = colour(palette, kernel);
    context.globalAlpha = 0.4;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(HEAD, at);
    context.lineTo(width, at);
    context.stroke();
    context.globalAlpha = 1;
    const middle = index === 0 ? Math.max(at, palette.size * 0.55) : at;
    if (index % labelEvery !== 0 || middle - above < palette.size * 0.9 || middle > height - FOOT - palette.size * 0.4) continue;
    above = middle;
    context.fillStyle = colour(palette, kernel);
    context.fillRect(8, at - Math.min(7, lane / 2 - 1), 5, Math.min(14, Math.max(2, lane - 2)));
    context.fillStyle = palette.text;
    context.font = `${kernel === choice.kernel ? '700 ' : ''}${Math.round(palette.size * (lane > 18 ? 0.93 : 0.84))}px ${palette.font}`;
    context.fillText(name, 19, middle, HEAD - 22);
  }
}

/** Kernels that were not up yet: their lane is dotted out till then. */
function drawStates(context: CanvasRenderingContext2D, view: View, trace: TraceStore, palette: Palette): void {
  const first = lanesOf(view);
  for (const [kernel, index] of first) {
    trace.eachMark(kernel, view.start, view.end, ({ kind, time, a }) => {
      if (kind !== TraceKind.KernelState) return;
      const at = xOf(view, time);
      const y = yOf(view, index);
      const half = Math.max(3, Math.min(7, view.lane / 2 - 1));
      context.fillStyle = a === 2 ? colour(palette, kernel) : palette.panel;
      context.strokeStyle = colour(palette, kernel);
      context.lineWidth = 1.5;
      context.beginPath();
      context.moveTo(at, y - half);
      context.lineTo(at + half, y);
      context.lineTo(at, y + half);
      context.lineTo(at - half, y);
      context.closePath();
      context.fill();
      context.stroke();
    });
  }
}

function drawTasks(context: CanvasRenderingContext2D, view: View, trace: TraceStore, { pid }: Choice, palette: Palette): void {
  const { start, end, width, height, lanes, lane } = view;
  const grain = (end - start) / Math.max(1, width - HEAD);
  context.textAlign = 'left';
  for (const [index, { cores }] of lanes.entries()) {
    const middle = yOf(view, index);
    if (middle < -lane || middle > height) continue;
    // Cores at work in the stretch in view share the lane.
    const active = cores.filter(core => {
      let any = false;
      trace.eachSpan(core, start, end, Number.POSITIVE_INFINITY, () => {
        any = true;
      });
      return any;
    });
    const whole = active.length < 2 ? barOf(view) : Math.max(barOf(view), lane * 0.86);
    const bar = whole / Math.max(1, active.length);
    const drawn = Math.max(1, bar - (active.length > 1 && bar > 3 ? 1 : 0));
    for (const [track, core] of active.entries()) {
      const y = middle - whole / 2 + bar * (track + 0.5);
      trace.eachSpan(core, start, end, grain, (kernel, each, from, until) => {
        const stop = Math.min(until, Math.max(view.now, trace.end, from));
        const x1 = Math.max(HEAD, xOf(view, from));
        const x2 = Math.max(x1 + 1, Math.min(width, xOf(view, stop)));
        const mine = each === pid;
        context.globalAlpha = mine ? 1 : 0.75;
        context.fillStyle = colour(palette, kernel);
        context.fillRect(x1, y - drawn / 2, x2 - x1, drawn);
        context.globalAlpha = 1;
        if (mine && drawn >= 5) {
          context.strokeStyle = palette.text;
          context.lineWidth = 1.5;
          context.strokeRect(x1 + 0.5, y - drawn / 2, Math.max(1, x2 - x1 - 1), drawn);
        }
        if (x2 - x1 > 46 && drawn >= 9) barLabel(context, `${trace.processes.get(each)?.name ?? ''} (${each})`, x1, x2, y, drawn, palette);
      });
    }
  }
}

function barLabel(context: CanvasRenderingContext2D, text: string, x1: number, x2: number, y: number, bar: number, palette: Palette): void {
  context.fillStyle = palette.onKernel;
  context.font = `600 ${Math.round(Math.min(13, bar - 1, palette.size * 0.86))}px ${palette.font}`;
  context.save();
  context.beginPath();
  context.rect(x1, y - bar / 2, x2 - x1 - 4, bar);
  context.clip();
  context.fillText(text, x1 + 5, y + 0.5);
  context.restore();
}

function drawMessages(
  context: CanvasRenderingContext2D,
  view: View,
  trace: TraceStore,
  choice: Choice,
  palette: Palette,
  shown: (type: number) => boolean,
): Arrow[] {
  const { start, end } = view;
  const index = lanesOf(view);
  const arrows: Arrow[] = [];
  const seen = new Map<number, number>();
  const marked: { arrow: Arrow; from: number; chosen: boolean }[] = [];
  context.lineWidth = 1;
  trace.eachMessage(start, end, (id, from, to, type, sent, received) => {
    const [a, b] = [index.get(from), index.get(to)];
    if (a === undefined || b === undefined) return;
    const special = id === choice.message || id === choice.hover || choice.chain.has(id);
    if (!special && (!shown(type) || arrows.length >= ARROWS_MAX)) return;
    const x1 = xOf(view, sent);
    // Two on the same pixels are one to the eye.
    const lane = from * 256 + to;
    if (!special && seen.get(lane) === Math.round(x1)) return;
    seen.set(lane, Math.round(x1));
    const arrow: Arrow = {
      id,
      x1,
      y1: yOf(view, a),
      x2: xOf(view, Number.isNaN(received) ? (trace.lostAt(to, sent) ?? Math.max(view.now, sent)) : received),
      y2: yOf(view, b),
    };
    arrows.push(arrow);
    if (special) {
      marked.push({ arrow, from, chosen: id === choice.message || id === choice.hover });
      return;
    }
    context.globalAlpha = choice.message === null ? 0.85 : 0.3;
    stroke(context, arrow, colour(palette, from), 1, 2.2);
  });
  context.globalAlpha = 1;
  for (const { arrow, from, chosen } of marked) {
    stroke(context, arrow, palette.panel, chosen ? 6 : 4, 0);
    stroke(context, arrow, chosen ? palette.text : colour(palette, from), chosen ? 2.5 : 2, chosen ? 5 : 4);
  }
  return arrows;
}

function stroke(context: CanvasRenderingContext2D, { x1, y1, x2, y2 }: Arrow, color: string, width: number, head: number): void {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
  if (head === 0) return;
  context.fillStyle = color;
  context.beginPath();
  context.arc(x2, y2, head, 0, 7);
  context.fill();
}

/** From the stop on one lane to the first run on the other. */
function drawMigrations(context: CanvasRenderingContext2D, view: View, trace: TraceStore, { pid }: Choice, palette: Palette): void {
  const { start, end, width, hertz } = view;
  const index = lanesOf(view);
  const bar = barOf(view);
  for (const process of trace.processes.values()) {
    let stopped: { time: number; at: number } | null = null;
    for (const move of process.moves) {
      if (move.step === MigrateStep.Stopped) stopped = { time: move.time, at: move.at };
      else if (move.step === MigrateStep.Failed) stopped = null;
      else if (move.step === MigrateStep.Running && stopped !== null) {
        const [a, b] = [index.get(stopped.at), index.get(move.at)];
        if (a !== undefined && b !== undefined && move.time >= start && stopped.time <= end) {
          const [x1, y1, x2, y2] = [xOf(view, stopped.time), yOf(view, a), xOf(view, move.time), yOf(view, b)];
          ribbon(context, x1, y1, x2, y2, bar, colour(palette, stopped.at), colour(palette, move.at), process.pid === pid ? 0.75 : 0.45);
          if (x2 - x1 > 14 || end - start < hertz / 20)
            migrationLabel(
              context,
              `${process.name} (${process.pid}) moves: ${timeText(move.time - stopped.time, hertz)}`,
              x2 + 8,
              (y1 + y2) / 2,
              width,
              palette,
            );
        }
        stopped = null;
      }
    }
  }
}

/** The task's bar itself goes over to the other lane. */
function ribbon(
  context: CanvasRenderingContext2D,
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  bar: number,
  from: string,
  to: string,
  alpha: number,
): void {
  const fill = context.createLinearGradient(x1, y1, x2, y2);
  fill.addColorStop(0, from);
  fill.addColorStop(1, to);
  const right = Math.max(x2, x1 + 2);
  const bend = (right - x1) / 2;
  context.globalAlpha = alpha;
  context.fillStyle = fill;
  context.beginPath();
  context.moveTo(x1 - 1, y1 - bar / 2);
  context.bezierCurveTo(x1 + bend, y1 - bar / 2, right - bend, y2 - bar / 2, right + 1, y2 - bar / 2);
  context.lineTo(right + 1, y2 + bar / 2);
  context.bezierCurveTo(right - bend, y2 + bar / 2, x1 + bend, y1 + bar / 2, x1 - 1, y1 + bar / 2);
  context.closePath();
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = to;
  context.lineWidth = 2;
  context.setLineDash([6, 3]);
  context.beginPath();
  context.moveTo(x1, y1);
  context.bezierCurveTo(x1 + bend, y1, right - bend, y2, right, y2);
  context.stroke();
  context.setLineDash([]);
}

function migrationLabel(context: CanvasRenderingContext2D, text: string, x: number, y: number, width: number, palette: Palette): void {
  context.font = `600 ${Math.round(palette.size * 0.86)}px ${palette.font}`;
  const wide = context.measureText(text).width;
  const at = Math.max(HEAD + 4, Math.min(width - wide - 10, x));
  context.globalAlpha = 0.85;
  context.fillStyle = palette.panel;
  context.fillRect(at - 4, y - palette.size * 0.65, wide + 8, palette.size * 1.3);
  context.globalAlpha = 1;
  context.fillStyle = palette.text;
  context.fillText(text, at, y);
}

/** A place on the axis, with as many digits as the stretch in view needs. */
function tickText(seconds: number, across: number): string {
  if (seconds === 0) return '0';
  const [unit, scale] = seconds >= 1 ? ['s', 1] : seconds >= 1e-3 ? ['ms', 1e3] : ['µs', 1e6];
  const digits = Math.max(0, Math.ceil(-Math.log10((across * scale) / 10)));
  return `${(seconds * scale).toFixed(Math.min(9, digits))} ${unit}`;
}

/** The arrow under the pointer. */
export function nearestArrow(arrows: readonly Arrow[], x: number, y: number): number | null {
  let best: { id: number; distance: number } | null = null;
  for (const arrow of arrows) {
    const distance = toSegment(x, y, arrow);
    if (distance < 7 && (best === null || distance < best.distance)) best = { id: arrow.id, distance };
  }
  return best?.id ?? null;
}

function toSegment(px: number, py: number, { x1, y1, x2, y2 }: Arrow): number {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const along = Math.max(0, Math.min(1, ((px - x1) * dx + (py - y1) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(px - x1 - along * dx, py - y1 - along * dy);
}

export function lanesFor(partitions: readonly { readonly kernel: number; readonly cores: readonly number[] }[], byCore: boolean): Lane[] {
  return byCore
    ? partitions.flatMap(({ kernel, cores }) => cores.map(core => ({ kernel, cores: [core], name: `k${kernel} cpu ${core}` })))
    : partitions.map(({ kernel, cores }) => ({ kernel, cores, name: kernelName(kernel) }));
}
