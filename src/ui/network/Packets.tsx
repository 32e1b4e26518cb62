/** The last frames, a line each; of the chosen one its layers and its bytes. While one is chosen the list stands still. */
import { memo, useEffect, useRef, useState } from 'react';
import { type Dissection, dissect } from '../../lab/dissect.ts';
import type { NetworkTable, PacketRow } from '../../lab/trace/network.ts';
import { clockText } from '../clock.ts';
import { KernelDot } from '../KernelDot.tsx';
import { useLab } from '../store.ts';
import { packetFilter } from './filter.ts';

const SHOWN = 300;

/** Frames are dissected once, when they are looked at. */
const dissections = new WeakMap<Uint8Array, Dissection>();
function dissected({ frame }: PacketRow): Dissection {
  let known = dissections.get(frame);
  if (known === undefined) {
    known = dissect(frame);
    dissections.set(frame, known);
  }
  return known;
}

export function Packets({ network }: { network: NetworkTable }) {
  useLab(s => s.tick);
  const hertz = useLab(s => s.topology.hertz);
  const [filter, setFilter] = useState('');
  const [chosen, setChosen] = useState<PacketRow | null>(null);
  const [held, setHeld] = useState<readonly PacketRow[] | null>(null);
  const list = useRef<HTMLDivElement>(null);
  const fits = packetFilter(filter);
  const all = held ?? network.packets();
  const rows = (filter === '' ? all : all.filter(row => fits(row, dissected(row)))).slice(-SHOWN);
  const last = rows.at(-1)?.number;
  useEffect(() => {
    if (held === null && list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [last, held]);
  useEffect(() => {
    if (chosen !== null) list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);
  const choose = (row: PacketRow | null): void => {
    setChosen(row);
    setHeld(row === null ? null : all);
  };
  return (
    <>
      <div className="filter-bar">
        <input
          type="search"
          value={filter}
          placeholder="filter: tcp 80, 10.1.2.3, 2>5, k3"
          aria-label="Filter the packets by protocol, port, address or route"
          onChange={event => setFilter(event.target.value)}
        />
        {held !== null && (
          <button type="button" aria-label="Follow the packets" onClick={() => choose(null)}>
            Follow
          </button>
        )}
        <span className="muted">
          {rows.length === SHOWN ? `the last ${SHOWN} of ${network.packetCount}` : `${rows.length} of ${network.packetCount}`} frames
        </span>
      </div>
      <div className="message-list packet-list" ref={list}>
        <table aria-label={`Packets, the last ${SHOWN}`}>
          <thead>
            <tr>
              <th>time</th>
              <th className="route">from → to</th>
              <th>protocol</th>
              <th>says</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(row => (
              <Line
                key={row.number}
                row={row}
                given={row.to.length + row.fates.length}
                hertz={hertz}
                chosen={row === chosen}
                choose={choose}
              />
            ))}
          </tbody>
        </table>
        {rows.length === 0 && (
          <p className="empty muted">
            {filter === '' ? 'No frame has passed yet. On a console: ping -c 3 10.1.2.2' : 'No frame fits the filter.'}
          </p>
        )}
      </div>
      {chosen !== null && <Details row={chosen} onClose={() => choose(null)} />}
    </>
  );
}

interface LineProps {
  readonly row: PacketRow;
  /** How much was known of its fate: a line is drawn again when more is. */
  readonly given: number;
  readonly hertz: number;
  readonly chosen: boolean;
  readonly choose: (row: PacketRow) => void;
}

const TARGETS_SHOWN = 3;

const Line = memo(
  function Line({ row, hertz, chosen, choose }: LineProps) {
    const { protocol, summary, damaged } = dissected(row);
    const { from, to, fates, onWire } = row;
    return (
      <tr
        tabIndex={0}
        aria-selected={chosen}
        onClick={() => choose(row)}
        onKeyDown={event => {
          const next =
            event.key === 'ArrowDown'
              ? event.currentTarget.nextElementSibling
              : event.key === 'ArrowUp'
                ? event.currentTarget.previousElementSibling
                : null;
          if (next instanceof HTMLElement) next.focus();
          else if (event.key === 'Enter' || event.key === ' ') choose(row);
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      >
        <td className="number">{clockText(row.time / hertz)}</td>
        <td>
          <KernelDot kernel={from} /> {onWire ? <span title="on the wire">⇢</span> : '→'}{' '}
          {to.length === 0 ? (
            <span className="bad">×</span>
          ) : to.length <= TARGETS_SHOWN ? (
            to.map(kernel => <KernelDot key={kernel} kernel={kernel} />)
          ) : (
            <span className="muted">{to.length} kernels</span>
          )}
        </td>
        <td className="mono">{protocol}</td>
        <td className="says" title={summary}>
          {fates.length > 0 && <span className="bad">{fates.join(', ')}: </span>}
          {damaged ? <span className="bad">{summary}</span> : summary}
        </td>
      </tr>
    );
  },
  (a, b) => a.row === b.row && a.chosen === b.chosen && a.given === b.given,
);

function Details({ row, onClose }: { row: PacketRow; onClose: () => void }) {
  const { layers } = dissected(row);
  return (
    <aside className="packet-details" aria-label="The chosen packet">
      <div>
        {layers.map(({ name, fields }) => (
          <section key={name} aria-label={name}>
            <h3>{name}</h3>
            <dl>
              {fields.map(([field, value]) => (
                <div key={field}>
                  <dt>{field}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <pre role="img" aria-label={`Its ${row.frame.length} bytes`}>
        {hexText(row.frame)}
      </pre>
      <button type="button" aria-label="Close the packet" onClick={onClose}>
        ×
      </button>
    </aside>
  );
}

/** As `hexdump -C` has them. */
function hexText(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.subarray(at, at + 16)];
    const hex = part.map(byte => byte.toString(16).padStart(2, '0'));
    const text = part.map(byte => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    const columns = `${hex.slice(0, 8).join(' ')}  ${hex.slice(8).join(' ')}`;
    lines.push(`${at.toString(16).padStart(4, '0')}  ${columns.padEnd(48)}  ${text}`);
  }
  return lines.join('\n');
}
