/** The page: one row for what is run and when, the machine beside the consoles, space-time below. */
import { useEffect } from 'react';
import { tinykeys } from 'tinykeys';
import { bindings } from './actions.ts';
import { Announcer } from './Announcer.tsx';
import { ConsolePanel } from './console/ConsolePanel.tsx';
import { Help } from './Help.tsx';
import { KernelPrompt } from './KernelPrompt.tsx';
import { MachineView } from './machine/MachineView.tsx';
import { Split } from './Split.tsx';
import { SpaceTime } from './timeline/SpaceTime.tsx';
import { consoles, useLab } from './store.ts';
import { TopBar } from './TopBar.tsx';
import './style/page.css';

export function App() {
  const { theme, projector, notice, help, prompt, select, openFile } = useLab();
  useEffect(() => tinykeys(window, bindings()), []);
  useEffect(() => {
    const root = document.documentElement;
    root.dataset['projector'] = String(projector);
    const apply = (): void => {
      const dark = theme === 'dark' || (theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches);
      root.dataset['theme'] = dark ? 'dark' : 'light';
      const style = getComputedStyle(root);
      const token = (name: string): string => style.getPropertyValue(name).trim();
      const ansi = Object.fromEntries(ANSI.map(name => [name, token(`--ansi-${name}`)]));
      consoles.setLook(
        {
          background: token('--console'),
          foreground: token('--console-text'),
          cursor: token('--console-text'),
          cursorAccent: token('--console'),
          selectionBackground: token('--select'),
          ...ansi,
        },
        projector ? 18 : 14,
      );
      useLab.setState(state => ({ tick: state.tick + 1 }));
    };
    apply();
    const media = matchMedia('(prefers-color-scheme: dark)');
    media.addEventListener('change', apply);
    return () => media.removeEventListener('change', apply);
  }, [theme, projector]);
  return (
    <div
      className="app"
      onDragOver={event => event.dataTransfer.types.includes('Files') && event.preventDefault()}
      onDrop={event => {
        const [file] = event.dataTransfer.files;
        if (!file) return;
        event.preventDefault();
        void openFile(file);
      }}
    >
      <TopBar />
      <main>
        <Split vertical initial={0.68} least={0.3} most={0.85} name="Space-time: height">
          <Split initial={0.56} least={0.25} most={0.8} name="Machine: width">
            <MachineView />
            <ConsolePanel />
          </Split>
          <SpaceTime />
        </Split>
      </main>
      {notice !== null && (
        <div className="notice" data-bad={notice.bad} role={notice.bad ? 'alert' : 'status'}>
          <span>{notice.text}</span>
          <button type="button" aria-label="Close the message" onClick={() => select({ notice: null })}>
            ×
          </button>
        </div>
      )}
      <Announcer />
      {prompt !== null && <KernelPrompt {...prompt} />}
      {help && <Help />}
    </div>
  );
}

const ANSI = [
  'black',
  'red',
  'green',
  'yellow',
  'blue',
  'magenta',
  'cyan',
  'white',
  'brightBlack',
  'brightRed',
  'brightGreen',
  'brightYellow',
  'brightBlue',
  'brightMagenta',
  'brightCyan',
  'brightWhite',
] as const;
