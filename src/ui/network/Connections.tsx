/** TCP connections with both their ends, as kernels told of them; of the chosen one what an end knew of its path, over time. */
import { ipText } from '../../kernel/net/address.ts';
import { timeText } from '../../lab/time.ts';
import { type ConnectionEnd, type ConnectionRow, isOver } from '../../lab/trace/connections.ts';
import type { NetworkTable, PacketRow } from '../../lab/trace/network.ts';
import { clockText } from '../clock.ts';
import { KernelDot } from '../KernelDot.tsx';
import { Line, Lines } from '../list/Lines.tsx';
import { useLab } from '../store.ts';
import { Chart, type ChartLine } from './Chart.tsx';
import { dissected } from './dissected.ts';
import { bytesText, errnoText, nanosecondsText } from './texts.ts';
import { useNetwork } from './view.ts';

const SHOWN = 200;
const COLUMNS = [
  { name: 'began', className: 'number roomy' },
  { name: 'opened by' },
  { name: 'to' },
  { name: 'state', title: 'Of both ends, where they differ' },
  { name: 'round trip', className: 'number' },
  { name: 'again', title: 'Segments that were sent again', className: 'number' },
] as const;

const endText = ({ address, port }: ConnectionEnd): string => `${ipText(address)}:${port}`;

export function Connections({ network }: { network: NetworkTable }) {
  useLab(s => s.tick);
  const hertz = useLab(s => s.topology.hertz);
  const { connection, choose } = useNetwork();
  const all = network.connections.all().slice(-SHOWN);
  const chosen = connection === null ? null : network.connections.get(connection);
  return (
    <>
      <Lines
        label={`TCP connections, the last ${SHOWN}`}
        className="connection-list"
        columns={COLUMNS}
        last={all.at(-1)?.id}
        chosen={chosen?.id ?? null}
        empty={
          all.length > 0 ? null : 'No TCP connection yet. On a console: nc -l 10.1.2.1 80 & or httpd; on another wget -O - http://10.1.2.1/'
        }
      >
        {all.map(row => (
          <Line key={row.id} chosen={row === chosen} choose={() => choose({ connection: row.id, end: busier(row) })}>
            <td className="number roomy">{clockText(row.began / hertz)}</td>
            <End end={row.ends[0]} />
            <End end={row.ends[1]} />
            <States row={row} />
            <td className="number">{nanosecondsText(Math.max(...row.ends.map(({ path }) => path.roundTrip[path.length - 1] ?? 0)))}</td>
            <td className="number">{row.ends.reduce((sum, { resends }) => sum + resends.next, 0) || '–'}</td>
          </Line>
        ))}
      </Lines>
      {chosen !== null && <OverTime row={chosen} network={network} />}
    </>
  );
}

function End({ end }: { end: ConnectionEnd | undefined }) {
  if (end === undefined) return <td className="muted">nobody who tells</td>;
  return (
    <td>
      <KernelDot kernel={end.kernel} /> <span className="mono">{endText(end)}</span>
    </td>
  );
}

function States({ row }: { row: ConnectionRow }) {
  const states = [...new Set(row.ends.map(({ state }) => state))];
  const errno = row.ends.find(end => end.errno > 0)?.errno ?? 0;
  return (
    <td className={errno > 0 ? 'bad' : isOver(row) ? 'muted' : ''}>
      {states.join(' · ')}
      {errno > 0 && ` ${errnoText(errno)}`}
    </td>
  );
}

/** The end that told more of its path: the one that sends. */
const busier = ({ ends }: ConnectionRow): 0 | 1 => ((ends[1]?.path.next ?? 0) > (ends[0]?.path.next ?? 0) ? 1 : 0);

function OverTime({ row, network }: { row: ConnectionRow; network: NetworkTable }) {
  const { topology, status } = useLab();
  const { end: side, choose } = useNetwork();
  const { hertz } = topology;
  const end = row.ends[side] ?? row.ends[0];
  if (end === undefined) return null;
  const { path, resends, kernel } = end;
  const from = path.length > 0 ? (path.time[0] as number) : row.began;
  const until = Math.max(
    from + 1,
    isOver(row) ? Math.max(...row.ends.map(({ since }) => since), path.time[path.length - 1] ?? 0) : (status?.now ?? 0),
  );
  const place = (time: number): number => Math.max(0, Math.min(1, (time - from) / (until - from)));
  const at = Float64Array.from({ length: path.length }, (_, i) => place(path.time[i] as number));
  const column = (values: Uint32Array): Uint32Array => values.subarray(0, path.length);
  const marks = Array.from({ length: resends.length }, (_, i) => resends.values[i] as number)
    .filter(time => time >= from)
    .map(place);
  const shared = { at, kernel, marks, ends: [clockText(from / hertz), `+${timeText(until - from, hertz)}`] as const };
  const line = (name: string, look: ChartLine['look'], values: Uint32Array): ChartLine => ({ name, look, values: column(values) });
  const pair = row.ends.map(endText);
  const frame = network.packets().findLast(packet => isBetween(packet, row));
  return (
    <section className="net-charts" aria-label="The chosen connection over time">
      <header>
        <span className="joined-choice" role="group" aria-label="Which end sends">
          {row.ends.map((each, i) => (
            <button
              key={each.kernel + endText(each)}
              type="button"
              aria-pressed={each === end}
              onClick={() => choose({ end: i === 0 ? 0 : 1 })}
            >
              <KernelDot kernel={each.kernel} /> sends
            </button>
          ))}
        </span>
        <span className="muted">{pair.join(' ⇄ ')}</span>
        <span className="net-span">
          <button
            type="button"
            onClick={() => choose({ tab: 'packets', filter: `tcp ${pair.join(' ')}`, packet: null, held: null, stream: null })}
          >
            Its packets
          </button>
          <button
            type="button"
            disabled={frame === undefined}
            title={frame === undefined ? 'None of its frames is kept any more' : undefined}
            onClick={() => frame !== undefined && choose({ tab: 'packets', stream: frame })}
          >
            Follow stream
          </button>
          <button type="button" className="plain" aria-label="Close the connection’s charts" onClick={() => choose({ connection: null })}>
            ×
          </button>
        </span>
      </header>
      {path.length === 0 ? (
        <p className="muted">This end has told nothing of its path yet.</p>
      ) : (
        <div className="chart-row">
          <Chart
            {...shared}
            title="Windows"
            show={bytesText}
            lines={[
              line('under way', 'area', path.flight),
              line('congestion', 'line', path.congestionWindow),
              line('peer’s', 'dashed', path.peerWindow),
            ]}
          />
          <Chart
            {...shared}
            title="Round trip"
            marksName="sent again"
            show={nanosecondsText}
            lines={[line('smoothed', 'line', path.roundTrip)]}
          />
        </div>
      )}
    </section>
  );
}

function isBetween(packet: PacketRow, { ends }: ConnectionRow): boolean {
  const { protocol, addresses, ports } = dissected(packet);
  if (protocol !== 'TCP') return false;
  const said = addresses.map((address, i) => `${address}:${ports[i]}`);
  return ends.every(end => said.includes(endText(end)));
}
