/** The right side: what a user of one kernel sees: its shell, its log, its messages; and the wall of all consoles. */
import { useEffect, useRef } from 'react';
import { describeMessage } from '../message.ts';
import { kernelColor, kernelName, STATE_NAMES } from '../kernels.ts';
import { type ConsoleTab, consoles, useLab } from '../store.ts';
import { timeText } from '../../lab/time.ts';

const TABS: readonly { readonly id: ConsoleTab; readonly label: string }[] = [
  { id: 'shell', label: 'Shell' }, { id: 'log', label: 'Log' }, { id: 'messages', label: 'Messages' }, { id: 'wall', label: 'All consoles' },
];

export function ConsolePanel() {
  const { tab, kernel, session, plan, select } = useLab();
  const state = session?.trace.kernels.get(kernel)?.state ?? 0;
  const count = plan?.partitions.length ?? 0;
  return (
    <section className="panel consoles" aria-label="Consoles">
      <header className="panel-head">
        <label className="kernel-pick" style={{ '--kernel': kernelColor(kernel) } as React.CSSProperties}>
          <span className="sr">Console of</span>
          <select value={kernel} onChange={(event) => select({ kernel: Number(event.target.value) })}>
            {Array.from({ length: count }, (_, k) => <option key={k} value={k}>{kernelName(k)}</option>)}
          </select>
        </label>
        <span className="muted">{STATE_NAMES[state]}</span>
        <div role="tablist" aria-label="What to show of the kernel" className="tabs">
          {TABS.map(({ id, label }) => (
            <button key={id} role="tab" type="button" aria-selected={tab === id} onClick={() => select({ tab: id })}>{label}</button>
          ))}
        </div>
      </header>
      {tab === 'wall' ? <Wall /> : session === null ? <Empty /> : tab === 'shell' ? <Shell key={kernel} kernel={kernel} /> : tab === 'log' ? <LogView kernel={kernel} /> : <Messages kernel={kernel} />}
    </section>
  );
}

function Empty() {
  return (
    <div className="empty">
      <p>No kernel is up.</p>
      <p className="muted">“Boot all” starts one kernel for each coloured group of cores. Each gets a console here.</p>
    </div>
  );
}

function Shell({ kernel }: { kernel: number }) {
  const place = useRef<HTMLDivElement>(null);
  const session = useLab((s) => s.session);
  const up = useLab((s) => (s.tick, s.session?.trace.kernels.get(kernel)?.state === 2));
  useEffect(() => {
    const element = place.current;
    if (element === null || session === null) return;
    const console = consoles.of(kernel);
    if (console.opened && console.terminal.element) element.append(console.terminal.element);
    else console.terminal.open(element);
    console.opened = true;
    console.fit.fit();
    const observer = new ResizeObserver(() => console.fit.fit());
    observer.observe(element);
    return () => observer.disconnect();
  }, [kernel, session]);
  useEffect(() => {
    if (!up) return;
    const { terminal } = consoles.of(kernel);
    session?.input(kernel, { kind: 'resize', columns: terminal.cols, rows: terminal.rows });
    terminal.focus();
  }, [up, kernel, session]);
  return <div className="shell" ref={place} role="group" aria-label={`Shell of ${kernelName(kernel)}`} />;
}

function LogView({ kernel }: { kernel: number }) {
  useLab((s) => s.tick);
  const text = consoles.log(kernel);
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => end.current?.scrollIntoView({ block: 'end' }), [text]);
  return (
    <pre className="text-view" role="log" aria-label={`Log of ${kernelName(kernel)}`}>
      {text || 'nothing yet'}
      <div ref={end} />
    </pre>
  );
}

const SHOWN = 200;

function Messages({ kernel }: { kernel: number }) {
  useLab((s) => s.tick);
  const { session, topology, message, select } = useLab();
  const rows = session?.trace.messages.filter((each) => each.from === kernel || each.to === kernel).slice(-SHOWN) ?? [];
  const list = useRef<HTMLDivElement>(null);
  const last = rows.at(-1)?.index;
  useEffect(() => {
    if (message === null && list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [last, message]);
  return (
    <div className="message-list" ref={list}>
      <table aria-label={`Messages of ${kernelName(kernel)}, the last ${SHOWN}`}>
        <thead><tr><th>time</th><th>from</th><th>to</th><th>type</th><th>says</th></tr></thead>
        <tbody>
          {rows.map((row) => {
            const { name, text } = describeMessage(row);
            return (
              <tr key={row.index} tabIndex={0} aria-selected={row === message} onClick={() => select({ message: row })} onKeyDown={(event) => event.key === 'Enter' && select({ message: row })}>
                <td className="number">{timeText(row.sent, topology.hertz)}</td>
                <td><KernelDot kernel={row.from} /></td>
                <td><KernelDot kernel={row.to} /></td>
                <td className="mono">{name}</td>
                <td className="says">{text}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {rows.length === 0 && <p className="empty muted">No message yet.</p>}
    </div>
  );
}

export function KernelDot({ kernel }: { kernel: number }) {
  return <span className="kernel-dot" style={{ '--kernel': kernelColor(kernel) } as React.CSSProperties}>{kernel}</span>;
}

function Wall() {
  useLab((s) => s.tick);
  const { plan, session, select } = useLab();
  const kernels = plan?.partitions ?? [];
  const lines = kernels.length > 32 ? 3 : kernels.length > 8 ? 5 : 9;
  return (
    <div className="wall" data-many={kernels.length > 16}>
      {kernels.map(({ kernel }) => {
        const state = session?.trace.kernels.get(kernel)?.state ?? 0;
        return (
          <button key={kernel} type="button" className="wall-tile" style={{ '--kernel': kernelColor(kernel) } as React.CSSProperties} onClick={() => select({ kernel, tab: 'shell' })}>
            <span className="wall-head"><b>{kernelName(kernel)}</b> <span className="muted">{STATE_NAMES[state]}</span></span>
            <pre>{consoles.tail(kernel, lines).join('\n') || ' '}</pre>
          </button>
        );
      })}
    </div>
  );
}
