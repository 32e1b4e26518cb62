/** One task's processor: the code at its pc, its registers and what changed in them; stop, step, breakpoints. */
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { type Line, listing, symbolAt, type Watched } from '../../lab/debugger.ts';
import { F_NAMES, X_NAMES } from '../../machine/hart/disassemble.ts';
import { action } from '../actions.ts';
import { useLab } from '../store.ts';
import { Pages } from './Pages.tsx';
import './processor.css';

const REASONS = { stop: 'stopped', step: 'stepped', breakpoint: 'at a breakpoint' } as const;

export function Processor() {
  useLab(s => s.tick);
  const { session, kernel, pid, status, inspector, select } = useLab();
  if (session === null) return null;
  const all = [...session.trace.processes.values()].filter(row => row.alive);
  const here = all.filter(row => row.kernel === kernel || row.pid === pid);
  const chosen = here.find(row => row.pid === pid);
  const watched = chosen === undefined ? undefined : inspector?.watched(chosen.pid);
  return (
    <>
      <div className="filter-bar processor-bar">
        <select
          aria-label="Process to look into"
          value={chosen?.pid ?? ''}
          onChange={event => select({ pid: event.target.value === '' ? null : Number(event.target.value) })}
        >
          <option value="">choose a process</option>
          {here.map(row => (
            <option key={row.pid} value={row.pid}>
              {row.pid} {row.name}
            </option>
          ))}
        </select>
        {(['hold', 'step-instruction', 'go', 'leave'] as const).map(id => {
          const { name, short = name, shown, enabled, run } = action(id);
          return (
            <button
              key={id}
              type="button"
              title={shown === '' ? name : `${name} (${shown})`}
              disabled={enabled?.() === false}
              onClick={run}
            >
              {short}
            </button>
          );
        })}
        <span className="processor-state" role="status">
          {chosen === undefined ? '' : stateText(watched, status?.paused === true)}
        </span>
      </div>
      {watched?.registers == null ? (
        <p className="empty muted">
          {chosen === undefined
            ? 'Choose a process: its code, registers and steps are shown here.'
            : `Hold ${chosen.name} to see its code and registers.`}
        </p>
      ) : (
        <div className="processor" data-state={watched.state}>
          <Code watched={watched} />
          <RegisterTable watched={watched} />
        </div>
      )}
      <Pages pid={chosen?.pid ?? null} kernel={kernel} />
    </>
  );
}

function stateText(watched: Watched | undefined, paused: boolean): string {
  if (watched === undefined) return 'runs freely';
  const what =
    watched.state === 'held'
      ? REASONS[watched.reason]
      : { running: 'runs', asleep: 'sleeps in a system call', gone: 'is no more' }[watched.state];
  return paused ? `${what}; time stands still: Space` : what;
}

function Code({ watched }: { watched: Watched }) {
  const inspector = useLab(s => s.inspector);
  const list = useRef<HTMLDivElement>(null);
  const pc = watched.registers?.pc ?? 0;
  const lines = listing(watched);
  useEffect(() => {
    list.current?.querySelector('[aria-current=true]')?.scrollIntoView({ block: 'nearest' });
  }, [pc]);
  const toggle = (address: number): void => {
    inspector?.order(watched.pid, { command: watched.breakpoints.has(address) ? 'unbreak' : 'break', address });
  };
  const keys = (event: KeyboardEvent<HTMLElement>): void => {
    const rows = [...(list.current?.querySelectorAll<HTMLElement>('.code-line') ?? [])];
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by === undefined) return;
    rows[rows.indexOf(event.currentTarget) + by]?.focus();
    event.preventDefault();
    event.stopPropagation();
  };
  const where = symbolAt(watched.symbols, pc);
  return (
    <section className="code" aria-label="Code">
      <header>
        <span className="mono">{where ?? `0x${pc.toString(16)}`}</span>
        <span
          className="engine-badge"
          data-translated={watched.translated}
          title={
            watched.translated
              ? 'The host has this code as WebAssembly; step by step it is interpreted'
              : 'Not translated (yet): the interpreter runs it'
          }
        >
          {watched.translated ? 'translated' : 'interpreted'}
        </span>
      </header>
      <div className="code-list" ref={list}>
        {lines.map(line => (
          <CodeLine
            key={line.address}
            line={line}
            current={line.address === pc}
            stop={watched.breakpoints.has(line.address)}
            toggle={toggle}
            keys={keys}
          />
        ))}
        {lines.length === 0 && <p className="muted">The page with this code is not in memory.</p>}
      </div>
    </section>
  );
}

interface LineProps {
  readonly line: Line;
  readonly current: boolean;
  readonly stop: boolean;
  readonly toggle: (address: number) => void;
  readonly keys: (event: KeyboardEvent<HTMLElement>) => void;
}

function CodeLine({ line, current, stop, toggle, keys }: LineProps) {
  const address = line.address.toString(16);
  return (
    <>
      {line.label !== undefined && <div className="code-label">{line.label}:</div>}
      <button
        type="button"
        className="code-line"
        tabIndex={current ? 0 : -1}
        aria-current={current}
        aria-pressed={stop}
        aria-label={`${line.mnemonic} ${line.operands} at ${address}${current ? ', next' : ''}: breakpoint`}
        onClick={() => toggle(line.address)}
        onKeyDown={keys}
      >
        <span className="stop" aria-hidden="true" />
        <span className="address">{address}</span>
        <b>{line.mnemonic}</b>
        <span className="operands">{line.operands}</span>
      </button>
    </>
  );
}

function RegisterTable({ watched }: { watched: Watched }) {
  const [kind, setKind] = useState<'x' | 'f'>('x');
  const { registers, before } = watched;
  if (registers === null) return null;
  const names = kind === 'x' ? X_NAMES : F_NAMES;
  const rows = names.map((name, i) => ({ name, value: registers[kind][i] ?? 0n, old: before?.[kind][i] }));
  return (
    <section className="registers" aria-label="Registers">
      <header>
        <span className="mono">fcsr {registers.fcsr.toString(16).padStart(2, '0')}</span>
        <button type="button" aria-pressed={kind === 'f'} onClick={() => setKind(kind === 'x' ? 'f' : 'x')}>
          {kind === 'x' ? 'floating point' : 'integers'}
        </button>
      </header>
      <dl>
        {rows.map(({ name, value, old }) => (
          <div key={name} data-changed={old !== undefined && old !== value} title={titleOf(kind, value, old)}>
            <dt>{name}</dt>
            <dd>{kind === 'x' ? value.toString(16) : floatText(value)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const view = new DataView(new ArrayBuffer(8));
/** A double, or the single that is boxed in it. */
function floatText(bits: bigint): string {
  view.setBigUint64(0, bits);
  const isSingle = bits >> 32n === 0xffffffffn;
  const value = isSingle ? view.getFloat32(4) : view.getFloat64(0);
  return `${Number(value.toPrecision(9))}${isSingle ? ' f' : ''}`;
}
const decimal = (bits: bigint): string => BigInt.asIntN(64, bits).toString();
const titleOf = (kind: 'x' | 'f', value: bigint, old: bigint | undefined): string =>
  `${kind === 'x' ? decimal(value) : `0x${value.toString(16)}`}${old !== undefined && old !== value ? `, before ${kind === 'x' ? decimal(old) : floatText(old)}` : ''}`;
