/** The last frames, a line each; of the chosen one its layers and its bytes. While one is chosen the list stands still. */
import { memo, useMemo } from 'react';
import type { NetworkTable, PacketRow } from '../../lab/trace/network.ts';
import { clockText } from '../clock.ts';
import { functionName } from '../../machine/devices/devices.ts';
import { KernelDot } from '../KernelDot.tsx';
import { kernelName } from '../kernels.ts';
import { Line, Lines } from '../list/Lines.tsx';
import { useLab } from '../store.ts';
import { dissected } from './dissected.ts';
import { FilterError, packetFilter, type PacketTest } from './filter.ts';
import { hexText } from './hex.ts';
import { StreamView } from './StreamView.tsx';
import { CARRIERS } from './texts.ts';
import { useNetwork } from './view.ts';

const SHOWN = 300;

const COLUMNS = [{ name: 'time' }, { name: 'from → to', className: 'route' }, { name: 'protocol' }, { name: 'says' }];
const WORDS = 'Words: tcp, port 80, host 10.1.2.3, syn, lost, switch, wire, card, k3, 2>5, len > 100; and, or, not, ( )';

export function Packets({ network }: { network: NetworkTable }) {
  useLab(s => s.tick);
  const hertz = useLab(s => s.topology.hertz);
  const { filter, packet, held, stream, choose } = useNetwork();
  const { test, error } = useMemo(() => tested(filter), [filter]);
  if (stream !== null) return <StreamView network={network} of={stream} />;
  const all = held ?? network.packets();
  const rows = (filter === '' ? all : all.filter(row => test(row, dissected(row)))).slice(-SHOWN);
  return (
    <>
      <div className="filter-bar">
        <input
          type="search"
          value={filter}
          placeholder="filter: tcp port 80, host 10.1.2.3, 2>5, k3"
          aria-label="Filter the packets by protocol, port, address or route"
          aria-invalid={error !== null}
          aria-describedby="packet-filter-says"
          title={WORDS}
          spellCheck={false}
          onChange={event => choose({ filter: event.target.value })}
        />
        {held !== null && (
          <button type="button" onClick={() => choose({ packet: null, held: null })}>
            Latest
          </button>
        )}
        {packet !== null && dissected(packet).protocol === 'TCP' && !dissected(packet).damaged && (
          <button type="button" onClick={() => choose({ stream: packet })}>
            Follow stream
          </button>
        )}
        <span id="packet-filter-says" className={error === null ? 'muted' : 'bad'} role={error === null ? undefined : 'alert'}>
          {error ??
            (rows.length === SHOWN
              ? `the last ${SHOWN} of ${network.packetCount.toLocaleString('en')}`
              : `${rows.length} of ${network.packetCount.toLocaleString('en')}`)}
        </span>
      </div>
      <Lines
        label={`Packets, the last ${SHOWN}`}
        className="packet-list"
        columns={COLUMNS}
        last={rows.at(-1)?.number}
        chosen={packet?.number ?? null}
        empty={
          rows.length > 0
            ? null
            : filter === ''
              ? 'No frame has passed yet. On a console: ping -c 3 10.1.2.2'
              : `No frame fits the filter. ${WORDS}`
        }
      >
        {rows.map(row => (
          <PacketLine
            key={row.number}
            row={row}
            given={row.to.length + row.fates.length}
            hertz={hertz}
            chosen={row === packet}
            choose={chosen => choose({ packet: chosen, held: all })}
          />
        ))}
      </Lines>
      {packet !== null && <Details row={packet} onClose={() => choose({ packet: null, held: null })} />}
    </>
  );
}

/** While a filter makes no sense all frames are shown. */
function tested(filter: string): { readonly test: PacketTest; readonly error: string | null } {
  try {
    return { test: packetFilter(filter), error: null };
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return { test: () => true, error: error.message };
  }
}

interface PacketLineProps {
  readonly row: PacketRow;
  /** How much was known of its fate: a line is drawn again when more is. */
  readonly given: number;
  readonly hertz: number;
  readonly chosen: boolean;
  readonly choose: (row: PacketRow) => void;
}

const TARGETS_SHOWN = 3;

const PacketLine = memo(
  function PacketLine({ row, hertz, chosen, choose }: PacketLineProps) {
    const { protocol, summary, damaged } = dissected(row);
    const { from, to, fates, over } = row;
    const { goes, name } = CARRIERS[over];
    return (
      <Line chosen={chosen} choose={() => choose(row)}>
        <td className="number">{clockText(row.time / hertz)}</td>
        <td>
          <KernelDot kernel={from} />{' '}
          <span title={name} aria-hidden="true">
            {goes}
          </span>
          <span className="sr">{over === 'switch' ? '' : name} to </span>{' '}
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
      </Line>
    );
  },
  (a, b) => a.row === b.row && a.chosen === b.chosen && a.given === b.given,
);

function Details({ row, onClose }: { row: PacketRow; onClose: () => void }) {
  const { layers } = dissected(row);
  const { over, from, to, functions, fates } = row;
  const [own, ...others] = functions.map(functionName);
  const way = [
    ['carried', CARRIERS[over].name],
    ['from', `${kernelName(from)}${own === undefined ? '' : `, ${own}`}`],
    [
      'to',
      to.length === 0
        ? 'nobody'
        : to.map((kernel, i) => `${kernelName(kernel)}${others[i] === undefined ? '' : `, ${others[i]}`}`).join('; '),
    ],
    ...(fates.length === 0 ? [] : [['but', fates.join(', ')]]),
  ] as const;
  return (
    <aside className="packet-details" aria-label="The chosen packet">
      <div>
        {[{ name: 'Way', fields: way }, ...layers].map(({ name, fields }) => (
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
      <button type="button" className="plain" aria-label="Close the packet" onClick={onClose}>
        ×
      </button>
    </aside>
  );
}
