/** The top row: what is run, and time. */
import { useRef } from 'react';
import { Circle, FolderOpen, HelpCircle, Moon, Pause, Play, Power, Presentation, Share2, StepForward, Sun, SunMoon } from 'lucide-react';
import { PRESETS } from '../machine/topology/presets.ts';
import { isIsolated } from './engine.ts';
import { SPEEDS, type Theme, useLab } from './store.ts';

const PLANS = [
  { value: 'smp', label: 'one kernel' }, { value: 'clustered', label: 'one kernel per node' }, { value: 'partitioned', label: 'one kernel per core' },
] as const;
const THEMES: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };

export function TopBar() {
  const lab = useLab();
  const { session, status, scenario, plan, starting, speed, theme } = lab;
  const file = useRef<HTMLInputElement>(null);
  const running = session !== null;
  const preset = 'preset' in scenario.machine ? scenario.machine.preset : 'file';
  const named = PLANS.some(({ value }) => value === scenario.plan.trim());
  return (
    <header className="topbar">
      <h1>Popcorn Lab</h1>
      <label><span className="sr">Machine</span>
        <select value={preset} disabled={running} onChange={(event) => (event.target.value === 'open' ? file.current?.click() : lab.setMachine({ preset: event.target.value }))}>
          {Object.keys(PRESETS).map((name) => <option key={name} value={name}>{name}</option>)}
          {preset === 'file' && <option value="file">{'name' in scenario.machine ? scenario.machine.name : ''}</option>}
          <option value="open">open hwloc XML…</option>
        </select>
      </label>
      <label><span className="sr">Plan</span>
        <select value={named ? scenario.plan.trim() : 'own'} disabled={running} onChange={(event) => event.target.value !== 'own' && lab.setPlan(event.target.value)}>
          {PLANS.map(({ value, label }) => <option key={value} value={value}>{label}</option>)}
          {!named && <option value="own">own partitions ({plan?.partitions.length ?? 0})</option>}
        </select>
      </label>
      <div className="group">
        <button type="button" className={running ? '' : 'primary'} disabled={plan === null || starting} onClick={() => void lab.bootAll()}><Power size={16} aria-hidden />{starting ? 'Starting …' : 'Boot all'}</button>
        {running && <button type="button" onClick={() => lab.powerOff()}>Power off</button>}
      </div>
      <div className="group time" role="group" aria-label="Time">
        <button type="button" disabled={!running} className={status?.paused ? 'primary' : ''} onClick={() => lab.togglePause()}>
          {status?.paused ? <><Play size={16} aria-hidden />Run</> : <><Pause size={16} aria-hidden />Pause</>}
        </button>
        <label className="icon-label step"><StepForward size={16} aria-hidden /><span className="sr">Step to the next</span>
          <select value="" disabled={!running} onChange={(event) => event.target.value !== '' && lab.step(event.target.value as 'event')}>
            <option value="">Step</option><option value="event">event</option><option value="message">message</option><option value="quantum">quantum</option>
          </select>
        </label>
        <label><span className="sr">Speed: wall time to virtual time</span>
          <select value={speed} onChange={(event) => lab.setSpeed(Number(event.target.value))}>{SPEEDS.map(({ label }, index) => <option key={label} value={index}>{label}</option>)}</select>
        </label>
        <span className="clock" role="timer" aria-label="Virtual time">{clockText((status?.now ?? 0) / lab.topology.hertz)}</span>
        {status?.replaying && <span className="badge">playing a recording</span>}
      </div>
      <div className="group right">
        {!isIsolated() && <span className="badge" title="This page may not share memory between Workers, so one Worker runs all kernels. The run is the same.">one Worker</span>}
        <button type="button" disabled={!running} onClick={() => lab.saveRecording()} title="Save the recording"><Circle size={14} aria-hidden /><span className="wide">Record</span><span className="sr">Save the recording</span></button>
        <button type="button" onClick={() => file.current?.click()} title="Open a recording, scenario or hwloc XML"><FolderOpen size={16} aria-hidden /><span className="sr">Open a file</span></button>
        <button type="button" onClick={() => void lab.copyLink()} title="Copy a link"><Share2 size={16} aria-hidden /><span className="sr">Copy a link</span></button>
        <button type="button" aria-pressed={lab.projector} onClick={() => lab.select({ projector: !lab.projector })} title="Projector: larger type"><Presentation size={16} aria-hidden /><span className="sr">Projector: larger type</span></button>
        <button type="button" onClick={() => lab.select({ theme: THEMES[theme] })} title={`Theme: ${theme}`}>
          {theme === 'light' ? <Sun size={16} aria-hidden /> : theme === 'dark' ? <Moon size={16} aria-hidden /> : <SunMoon size={16} aria-hidden />}<span className="sr">Theme: {theme}</span>
        </button>
        <button type="button" onClick={() => lab.select({ help: true })} title="Keys and help"><HelpCircle size={16} aria-hidden /><span className="sr">Keys and help</span></button>
        <input ref={file} type="file" hidden onChange={(event) => {
          const [chosen] = event.target.files ?? [];
          if (chosen) void lab.openFile(chosen);
          event.target.value = '';
        }} />
      </div>
    </header>
  );
}

/** `12.418 306 s`: groups of three, so that digits can be read from afar. */
function clockText(seconds: number): string {
  const [whole = '0', digits = ''] = seconds.toFixed(6).split('.');
  return `${whole}.${digits.slice(0, 3)} ${digits.slice(3)} s`;
}
