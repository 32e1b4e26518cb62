/**
 * A list of what happened, a line each, the newest below: messages, packets, connections. It stays at its end while nothing is chosen, and
 * shows what is chosen. A line is chosen by a click, or by arrows and Enter.
 */
import { type ReactNode, useEffect, useRef } from 'react';
import './list.css';

interface Props {
  readonly label: string;
  readonly className?: string;
  readonly columns: readonly { readonly name: string; readonly title?: string; readonly className?: string }[];
  /** Names the newest line. */
  readonly last: number | undefined;
  /** Names the chosen line; null: none is. */
  readonly chosen: number | null;
  /** What to say where there is no line; null: there are some. */
  readonly empty: string | null;
  /** `Line`s. */
  readonly children: ReactNode;
}

export function Lines({ label, className = '', columns, last, chosen, empty, children }: Props) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (chosen === null && place.current) place.current.scrollTop = place.current.scrollHeight;
  }, [last, chosen]);
  useEffect(() => {
    if (chosen !== null) place.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }, [chosen, label]);
  return (
    <div className={`line-list ${className}`} ref={place}>
      <table aria-label={label}>
        <thead>
          <tr>
            {columns.map(column => (
              <th key={column.name} scope="col" title={column.title} className={column.className}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
      {empty !== null && <p className="empty muted">{empty}</p>}
    </div>
  );
}

export function Line({
  chosen,
  choose,
  children,
}: {
  readonly chosen: boolean;
  readonly choose: () => void;
  readonly children: ReactNode;
}) {
  return (
    <tr
      tabIndex={0}
      aria-selected={chosen}
      onClick={choose}
      onKeyDown={event => {
        const { currentTarget: line } = event;
        const next = { ArrowDown: line.nextElementSibling, ArrowUp: line.previousElementSibling }[event.key];
        if (next instanceof HTMLElement) next.focus();
        else if (event.key === 'Enter' || event.key === ' ') choose();
        else if (next === undefined) return;
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      {children}
    </tr>
  );
}
