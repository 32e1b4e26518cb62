/** The messages of a kernel as they pass, decoded by the catalog. */
import { memo, useState } from 'react';
import type { MessageRow, TraceStore } from '../../lab/trace-store.ts';
import { clockText } from '../clock.ts';
import { KernelDot } from '../KernelDot.tsx';
import { kernelName } from '../kernels.ts';
import { describeMessage, messageName } from '../message.ts';
import { Line, Lines } from '../list/Lines.tsx';
import { isShown, useLab } from '../store.ts';

const SHOWN = 200;
const COLUMNS = ['time', 'from', 'to', 'type', 'says'].map(name => ({ name }));

export function Messages({ kernel }: { kernel: number }) {
  useLab(s => s.tick);
  const { session, topology, message, heartbeats, select } = useLab();
  const [filter, setFilter] = useState('');
  const trace = session?.trace ?? null;
  const matches = matcher(filter);
  const ids = trace?.messagesOf(kernel, filter === '' ? SHOWN : 4 * SHOWN, isShown) ?? [];
  const rows =
    trace === null
      ? []
      : ids
          .map(id => trace.message(id))
          .filter(row => row !== null)
          .filter(matches)
          .slice(-SHOWN);
  return (
    <>
      <div className="filter-bar">
        <input
          type="search"
          value={filter}
          placeholder="filter: CLONE, 2>5, k3"
          aria-label="Filter the messages by type, route or kernel"
          onChange={event => setFilter(event.target.value)}
        />
        <label>
          <input type="checkbox" checked={heartbeats} onChange={() => select({ heartbeats: !heartbeats })} /> heartbeats
        </label>
        <span className="muted">{rows.length === SHOWN ? `the last ${SHOWN}` : `${rows.length} messages`}</span>
      </div>
      <Lines
        label={`Messages of ${kernelName(kernel)}, the last ${SHOWN}`}
        className="message-list"
        columns={COLUMNS}
        last={rows.at(-1)?.id}
        chosen={message}
        empty={rows.length > 0 ? null : filter === '' ? `No message of ${kernelName(kernel)} yet.` : 'No message fits the filter.'}
      >
        {trace !== null &&
          rows.map(row => <Row key={row.id} row={row} trace={trace} hertz={topology.hertz} chosen={row.id === message} select={select} />)}
      </Lines>
    </>
  );
}

interface RowProps {
  readonly row: MessageRow;
  readonly trace: TraceStore;
  readonly hertz: number;
  readonly chosen: boolean;
  readonly select: (part: { message: number }) => void;
}

const Row = memo(
  function Row({ row, trace, hertz, chosen, select }: RowProps) {
    const { name, text } = describeMessage(trace, row);
    return (
      <Line chosen={chosen} choose={() => select({ message: row.id })}>
        <td className="number">{clockText(row.sent / hertz)}</td>
        <td>
          <KernelDot kernel={row.from} />
        </td>
        <td>
          <KernelDot kernel={row.to} />
        </td>
        <td className="mono">{name}</td>
        <td className="says" title={text}>
          {text}
        </td>
      </Line>
    );
  },
  (a, b) =>
    a.row.id === b.row.id && a.chosen === b.chosen && a.trace === b.trace && Number.isNaN(a.row.received) === Number.isNaN(b.row.received),
);

/** Words that all have to fit: part of a type's name, `2>5`, or `k3` for either end. */
function matcher(text: string): (row: MessageRow) => boolean {
  const words = text
    .trim()
    .toUpperCase()
    .split(/\s+/)
    .filter(word => word !== '');
  return row =>
    words.every(word => {
      const route = /^(\d*)>(\d*)$/.exec(word);
      if (route) return (route[1] === '' || Number(route[1]) === row.from) && (route[2] === '' || Number(route[2]) === row.to);
      const end = /^K(\d+)$/.exec(word);
      if (end) return Number(end[1]) === row.from || Number(end[1]) === row.to;
      return messageName(row.type).includes(word);
    });
}
