/** The page: one row for what is run and when, the machine beside the consoles, space-time below. */
import { useEffect } from 'react';
import { tinykeys } from 'tinykeys';
import { ACTIONS } from './actions.ts';
import { ConsolePanel } from './console/ConsolePanel.tsx';
import { MachineView } from './machine/MachineView.tsx';
import { SpaceTime } from './timeline/SpaceTime.tsx';
import { consoles, useLab } from './store.ts';
import { TopBar } from './TopBar.tsx';

export function App() {
  const { theme, projector, notice, help, select, openFile } = useLab();
  useEffect(() => tinykeys(window, Object.fromEntries(ACTIONS.map(({ key, run }) => [key, (event: KeyboardEvent) => {
    event.preventDefault();
    run();
  }]))), []);
  useEffect(() => {
    const root = document.documentElement;
    root.dataset['projector'] = String(projector);
    const apply = (): void => {
      const dark = theme === 'dark' || (theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches);
      root.dataset['theme'] = dark ? 'dark' : 'light';
      const style = getComputedStyle(root);
      const token = (name: string): string => style.getPropertyValue(name).trim();
      consoles.setLook({ background: token('--console'), foreground: token('--console-text'), cursor: token('--console-text'), selectionBackground: token('--select') }, projector ? 18 : 14);
      useLab.setState((state) => ({ tick: state.tick + 1 }));
    };
    apply();
    const media = matchMedia('(prefers-color-scheme: dark)');
    media.addEventListener('change', apply);
    return () => media.removeEventListener('change', apply);
  }, [theme, projector]);
  return (
    <div
      className="app"
      onDragOver={(event) => event.dataTransfer.types.includes('Files') && event.preventDefault()}
      onDrop={(event) => {
        const [file] = event.dataTransfer.files;
        if (!file) return;
        event.preventDefault();
        void openFile(file);
      }}
    >
      <TopBar />
      <main>
        <MachineView />
        <ConsolePanel />
        <SpaceTime />
      </main>
      {notice !== null && (
        <div className="notice" data-bad={notice.bad} role={notice.bad ? 'alert' : 'status'}>
          <span>{notice.text}</span>
          <button type="button" aria-label="Close the message" onClick={() => select({ notice: null })}>×</button>
        </div>
      )}
      {help && <Help />}
    </div>
  );
}

function Help() {
  const select = useLab((s) => s.select);
  return (
    <div className="help" role="dialog" aria-modal="true" aria-label="Keys and help" onKeyDown={(event) => event.key === 'Escape' && select({ help: false })}>
      <div className="help-card">
        <h2>Keys</h2>
        <dl>{ACTIONS.map(({ name, shown }) => <div key={name} className="pair"><dt><kbd>{shown}</kbd></dt><dd>{name}</dd></div>)}</dl>
        <p className="muted">In space-time: W S zoom, A D move, F follows, comma and full stop go from message to message. In the machine, before power-on: arrows move, space picks cores, Enter makes them a kernel.
          Drop an ELF file on the page and it is in /mnt; drop hwloc XML and it is the machine.</p>
        {/* biome-ignore lint/a11y/noAutofocus: the way out of a dialog is where the keys are */}
        <button type="button" className="primary" autoFocus onClick={() => select({ help: false })}>Close</button>
      </div>
    </div>
  );
}
