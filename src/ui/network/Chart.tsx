/**
 * Small charts over time: areas and lines on one scale, with a line to read them off that all charts of the page share. Lines that go down
 * (`down`) are drawn below a line of zero in the middle.
 */
import { scaleLinear } from 'd3-scale';
import { kernelStyle } from '../kernels.ts';
import { useNetwork } from './view.ts';

export interface ChartLine {
  readonly name: string;
  readonly values: ArrayLike<number>;
  readonly look: 'area' | 'line' | 'dashed';
  readonly down?: boolean;
}

interface Props {
  readonly title: string;
  readonly lines: readonly ChartLine[];
  /** 0 … 1 for each value, ascending; left out: they are steps of one length. */
  readonly at?: ArrayLike<number>;
  /** The scale's end, where it is known; otherwise what there is decides. */
  readonly most?: number;
  readonly show: (value: number) => string;
  /** What stands at the left and the right end. */
  readonly ends: readonly [string, string];
  /** Whose colour it has. */
  readonly kernel: number;
  /** Moments at which something happened, 0 … 1. */
  readonly marks?: readonly number[];
  /** What they are, where the key is to say so. */
  readonly marksName?: string;
}

/** Of the picture; it is stretched to its place. */
const WIDTH = 1000;
const HEIGHT = 100;

/** The outline of values that each hold until the next, in steps; an area is closed along the line of zero. */
function outline(values: ArrayLike<number>, at: (i: number) => number, y: (value: number) => number, closed: boolean): string {
  if (values.length === 0) return '';
  let path = `M${(at(0) * WIDTH).toFixed(1)} ${(closed ? y(0) : y(values[0] as number)).toFixed(1)}`;
  for (let i = 0; i < values.length; i++) {
    // Where it stays level a line does.
    if (i > 0 && i < values.length - 1 && values[i] === values[i - 1] && values[i] === values[i + 1]) continue;
    path += `L${(at(i) * WIDTH).toFixed(1)} ${y(values[i] as number).toFixed(1)}H${(at(i + 1) * WIDTH).toFixed(1)}`;
  }
  return closed ? `${path}V${y(0).toFixed(1)}Z` : path;
}

function placesOf(lines: readonly ChartLine[], at: ArrayLike<number> | undefined): (i: number) => number {
  const count = lines[0]?.values.length ?? 0;
  return at === undefined ? i => i / Math.max(1, count) : i => (i < count ? (at[i] as number) : 1);
}

export function Chart({ title, lines, at, most, show, ends, kernel, marks = [], marksName }: Props) {
  const cursor = useNetwork(s => s.cursor);
  const choose = useNetwork(s => s.choose);
  const place = placesOf(lines, at);
  const greatest = lines.reduce((high, { values }) => Math.max(high, largest(values)), 0);
  const whole = scaleLinear().domain([0, most ?? (greatest || 1)]);
  const [, top = 1] = (most === undefined ? whole.nice(3) : whole).domain();
  const isScaled = most !== undefined || greatest > 0;
  const below = lines.some(({ down }) => down === true);
  const y = scaleLinear()
    .domain([below ? -top : 0, top])
    .range([HEIGHT, 0]);
  const index = cursor === null ? -1 : indexAt(cursor, lines[0]?.values.length ?? 0, place);
  const said = (line: ChartLine): string => (index >= 0 ? show(line.values[index] as number) : show(largest(line.values)));
  return (
    <figure className="chart" style={kernelStyle(kernel)}>
      <figcaption>
        <b>{title}</b>
        {lines.map(line => (
          <span key={line.name} className="chart-key">
            <i data-look={line.look} data-down={line.down === true} aria-hidden="true" />
            {line.name} <span className="number">{said(line)}</span>
          </span>
        ))}
        {marksName !== undefined && marks.length > 0 && (
          <span className="chart-key">
            <i data-look="mark" aria-hidden="true" /> {marksName} <span className="number">{marks.length}</span>
          </span>
        )}
      </figcaption>
      <div
        className="chart-place"
        role="slider"
        tabIndex={0}
        aria-label={`${title}, ${ends[0]} to ${ends[1]}: arrows read it off`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round((cursor ?? 1) * 100)}
        aria-valuetext={lines.map(line => `${line.name} ${index >= 0 ? '' : 'at most '}${said(line)}`).join(', ')}
        onPointerMove={event => {
          const box = event.currentTarget.getBoundingClientRect();
          choose({ cursor: Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) });
        }}
        onPointerLeave={() => choose({ cursor: null })}
        onBlur={() => choose({ cursor: null })}
        onKeyDown={event => {
          const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
          if (by !== undefined) choose({ cursor: Math.max(0, Math.min(1, (cursor ?? 1) + by)) });
          else if (event.key === 'Escape') choose({ cursor: null });
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      >
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          {[y(top / 2), y(0), ...(below ? [y(-top / 2)] : [])].map(line => (
            <line key={line} x1={0} x2={WIDTH} y1={line} y2={line} className={line === y(0) ? 'chart-zero' : 'chart-grid'} />
          ))}
          {lines.map(line => (
            <path
              key={line.name}
              d={outline(line.values, place, value => y(line.down === true ? -value : value), line.look === 'area')}
              className={`chart-${line.look}`}
              data-down={line.down === true}
            />
          ))}
          {marks.map((mark, i) => (
            <line key={`${mark}/${i}`} x1={mark * WIDTH} x2={mark * WIDTH} y1={0} y2={HEIGHT * 0.12} className="chart-mark" />
          ))}
          {cursor !== null && <line x1={cursor * WIDTH} x2={cursor * WIDTH} y1={0} y2={HEIGHT} className="chart-cursor" />}
        </svg>
        {isScaled && <span className="chart-top muted">{show(top)}</span>}
        {isScaled && below && <span className="chart-bottom muted">{show(top)}</span>}
      </div>
      <div className="chart-ends muted" aria-hidden="true">
        <span>{ends[0]}</span>
        <span>{ends[1]}</span>
      </div>
    </figure>
  );
}

/** One or two areas without words, in a line of a table. */
export function Spark({
  up,
  down,
  most,
  kernel,
  label,
}: {
  up: Float64Array;
  down: Float64Array;
  most: number;
  kernel: number;
  label: string;
}) {
  const place = (i: number): number => i / up.length;
  const y = scaleLinear()
    .domain([-most || -1, most || 1])
    .range([HEIGHT, 0]);
  return (
    <svg
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      className="spark"
      role="img"
      aria-label={label}
      style={kernelStyle(kernel)}
    >
      <line x1={0} x2={WIDTH} y1={HEIGHT / 2} y2={HEIGHT / 2} className="chart-zero" />
      <path d={outline(up, place, y, true)} className="chart-area" />
      <path d={outline(down, place, value => y(-value), true)} className="chart-area" data-down />
    </svg>
  );
}

export function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, values[i] as number);
  return most;
}

/** The value that holds at a place. */
function indexAt(cursor: number, count: number, place: (i: number) => number): number {
  let index = -1;
  for (let i = 0; i < count && place(i) <= cursor; i++) index = i;
  return index;
}
