/** The top row: what is run, and time. */
import { Circle, FolderOpen, HelpCircle, Moon, Pause, Play, Power, Presentation, Share2, StepForward, Sun, SunMoon } from 'lucide-react';
import { type ReactNode, useRef } from 'react';
import { prefixOf, withPrefix } from '../lab/plan-text.ts';
import type { StepKind } from '../lab/session.ts';
import { PRESETS } from '../machine/topology/presets.ts';
import { action } from './actions.ts';
import { clockText } from './clock.ts';
import { isIsolated } from './engine.ts';
import { SPEEDS, STEPS, useLab } from './store.ts';

const PLANS = [
  { value: 'smp', label: 'one kernel' },
  { value: 'clustered', label: 'one per node' },
  { value: 'partitioned', label: 'one per core' },
] as const;
const MACHINES: Readonly<Record<string, string>> = { 'opteron-6274': 'Opteron 6274', laptop: 'Laptop, 4 cores', dual: '2 × 8 cores' };
const ONE_WORKER =
  'This page may not share memory between Workers (it is not cross-origin isolated), so one Worker runs all kernels. The run is the same.';

const REPLAY = {
  playing: 'playing a recording',
  same: 'replayed: the same to the bit',
  different: 'replayed, but it went another way',
} as const;

export function TopBar() {
  const { session, status, plan, starting, speed, stepKind, topology, setSpeed, select } = useLab();
  const running = session !== null;
  const paused = status?.paused === true;
  return (
    <header className="topbar">
      <h1>Popcorn Lab</h1>
      <Pickers />
      <div className="group">
        <Act id="boot" className={running ? '' : 'primary'} disabled={plan === null || starting} icon={<Power size={16} aria-hidden />}>
          {starting ? 'Starting …' : 'Boot all'}
        </Act>
        {running && <Act id="off">Power off</Act>}
      </div>
      <div className="group time" role="group" aria-label="Time">
        <Act
          id="pause"
          disabled={!running}
          className={paused ? 'primary' : ''}
          icon={paused ? <Play size={16} aria-hidden /> : <Pause size={16} aria-hidden />}
        >
          {paused ? 'Run' : 'Pause'}
        </Act>
        <div className="joined">
          <Act id="step" disabled={!running} icon={<StepForward size={16} aria-hidden />}>
            <span className="sr">Step: {stepKind}</span>
          </Act>
          <select
            value=""
            disabled={!running}
            aria-label="Step to the next"
            title="What a step is"
            onChange={event => useLab.getState().step(event.target.value as StepKind)}
          >
            <option value="" hidden>
              {stepKind}
            </option>
            {STEPS.map(kind => (
              <option key={kind} value={kind}>
                {kind}
              </option>
            ))}
          </select>
        </div>
        <select
          aria-label="Speed: wall time to virtual time"
          value={speed}
          title="Wall time = virtual time (− slower, + faster)"
          onChange={event => setSpeed(Number(event.target.value))}
        >
          {SPEEDS.map(({ label }, index) => (
            <option key={label} value={index}>
              {label}
            </option>
          ))}
        </select>
        <span className="clock" role="timer" aria-label="Virtual time" title={`${status?.now ?? 0} cycles`}>
          {clockText((status?.now ?? 0) / topology.hertz)}
        </span>
        {status?.replay && <output className="badge">{REPLAY[status.replay]}</output>}
      </div>
      <div className="group right">
        {!isIsolated() && (
          <button type="button" className="badge" title={ONE_WORKER} onClick={() => select({ notice: { text: ONE_WORKER, bad: false } })}>
            one Worker
          </button>
        )}
        <Tools />
      </div>
    </header>
  );
}

function Pickers() {
  const { session, scenario, plan, setMachine, setPlan, setClient, openFile } = useLab();
  const file = useRef<HTMLInputElement>(null);
  const running = session !== null;
  const preset = 'preset' in scenario.machine ? scenario.machine.preset : 'file';
  const name = prefixOf(scenario.plan).body.trim();
  const named = PLANS.some(({ value }) => value === name);
  const why = running ? 'Power off to change it' : undefined;
  return (
    <>
      <select
        aria-label="Machine"
        value={preset}
        disabled={running}
        title={why}
        onChange={event => (event.target.value === 'open' ? file.current?.click() : setMachine({ preset: event.target.value }))}
      >
        {Object.keys(PRESETS).map(name => (
          <option key={name} value={name}>
            {MACHINES[name] ?? name}
          </option>
        ))}
        {preset === 'file' && <option value="file">{'name' in scenario.machine ? scenario.machine.name : ''}</option>}
        <option value="open">open hwloc XML…</option>
      </select>
      <select
        aria-label="Plan"
        value={named ? name : 'own'}
        disabled={running}
        title={why}
        onChange={event =>
          event.target.value === 'own'
            ? document.querySelector<HTMLInputElement>('.plan-text input')?.focus()
            : setPlan(withPrefix(scenario.plan, { body: event.target.value }))
        }
      >
        {PLANS.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
        <option value="own">own partitions{named ? '…' : ` (${plan?.partitions.length ?? 0})`}</option>
      </select>
      {!running && (
        <label className="client-choice" title="A machine of its own at the other end of the network cable">
          <input type="checkbox" checked={scenario.network?.client === true} onChange={event => setClient(event.target.checked)} />
          client machine
        </label>
      )}
      <input
        id="open-file"
        ref={file}
        type="file"
        hidden
        aria-label="Open a file"
        onChange={event => {
          const [chosen] = event.target.files ?? [];
          if (chosen) void openFile(chosen);
          event.target.value = '';
        }}
      />
    </>
  );
}

function Tools() {
  const { session, theme, projector } = useLab();
  return (
    <>
      <Act id="record" disabled={session === null} icon={<Circle size={14} aria-hidden />}>
        <span className="wide">Record</span>
        <span className="sr">Save the recording</span>
      </Act>
      <Act id="open" icon={<FolderOpen size={16} aria-hidden />}>
        <span className="sr">Open a file</span>
      </Act>
      <Act id="link" icon={<Share2 size={16} aria-hidden />}>
        <span className="wide">Share</span>
        <span className="sr">Copy a link</span>
      </Act>
      <Act id="projector" pressed={projector} icon={<Presentation size={16} aria-hidden />}>
        <span className="sr">Projector: larger type</span>
      </Act>
      <Act
        id="theme"
        icon={
          theme === 'light' ? (
            <Sun size={16} aria-hidden />
          ) : theme === 'dark' ? (
            <Moon size={16} aria-hidden />
          ) : (
            <SunMoon size={16} aria-hidden />
          )
        }
      >
        <span className="sr">Theme: {theme}</span>
      </Act>
      <Act id="help" icon={<HelpCircle size={16} aria-hidden />}>
        <span className="sr">Keys and help</span>
      </Act>
    </>
  );
}

/** A button of the list of actions; its key is in the tooltip. */
function Act({
  id,
  icon,
  className,
  disabled,
  pressed,
  children,
}: {
  id: string;
  icon?: ReactNode;
  className?: string;
  disabled?: boolean;
  pressed?: boolean;
  children: ReactNode;
}) {
  const { name, shown, run } = action(id);
  return (
    <button
      type="button"
      className={className}
      disabled={disabled}
      aria-pressed={pressed}
      title={shown === '' ? name : `${name} (${shown})`}
      onClick={run}
    >
      {icon}
      {children}
    </button>
  );
}
