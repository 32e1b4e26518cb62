/**
 * Everything one can do with a key or a button, once: buttons, shortcuts and the help are made from this list.
 *
 * Single keys act only outside of consoles and text; the F-keys act everywhere, so they are the way out of a console.
 */
import type { StepKind } from '../lab/session.ts';
import { SPEEDS, STEPS, type Theme, useLab } from './store.ts';

export interface Action {
  readonly id: string;
  readonly name: string;
  /** What a button says. */
  readonly short?: string;
  readonly group: 'Time' | 'Kernels' | 'Processor' | 'Views' | 'Files';
  /** As tinykeys writes them. */
  readonly keys: readonly string[];
  /** As people read them. */
  readonly shown: string;
  /** Also from within a console. */
  readonly everywhere?: boolean;
  readonly enabled?: () => boolean;
  readonly run: () => void;
}

const lab = () => useLab.getState();
const running = (): boolean => lab().session !== null;
/** What is known of the chosen process as one that is watched. */
const watched = () => lab().inspector?.watched(lab().pid ?? -1);
const chosen = (): boolean => lab().session?.trace.processes.get(lab().pid ?? -1)?.alive === true;
const kernels = (): number => 1 + Math.max(0, ...(lab().plan?.partitions ?? []).map(({ kernel }) => kernel));
const THEMES: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };
const nextStep = (kind: StepKind): StepKind => STEPS[(STEPS.indexOf(kind) + 1) % STEPS.length] ?? 'message';

export const ACTIONS: readonly Action[] = [
  { id: 'boot', name: 'Boot all kernels', group: 'Kernels', keys: ['b'], shown: 'B', run: () => void lab().bootAll() },
  { id: 'off', name: 'Power off', group: 'Kernels', keys: [], shown: '', enabled: running, run: () => lab().powerOff() },
  {
    id: 'console',
    name: 'Console of kernel …',
    group: 'Kernels',
    keys: ['g'],
    shown: 'G and a number',
    run: () => lab().select({ prompt: { kind: 'console' } }),
  },
  {
    id: 'next',
    name: 'Next kernel',
    group: 'Kernels',
    keys: ['n'],
    shown: 'N',
    run: () => lab().select({ kernel: (lab().kernel + 1) % kernels() }),
  },
  {
    id: 'move',
    name: 'Move the chosen process to kernel …',
    group: 'Kernels',
    keys: ['m'],
    shown: 'M and a number',
    enabled: () => lab().pid !== null,
    run: () => lab().select({ prompt: { kind: 'move' } }),
  },
  {
    id: 'undo',
    name: 'Undo a change of partitions',
    group: 'Kernels',
    keys: ['$mod+z'],
    shown: 'Ctrl Z',
    enabled: () => lab().history.length > 0,
    run: () => lab().undoPlan(),
  },
  {
    id: 'pause',
    name: 'Run or pause',
    group: 'Time',
    keys: ['Space', 'F8'],
    shown: 'Space, F8',
    everywhere: true,
    enabled: running,
    run: () => lab().togglePause(),
  },
  {
    id: 'step',
    name: 'Step',
    group: 'Time',
    keys: ['.', 'F9'],
    shown: '. , F9',
    everywhere: true,
    enabled: running,
    run: () => lab().step(),
  },
  {
    id: 'step-kind',
    name: 'Step by event, message or quantum',
    group: 'Time',
    keys: ['>', 'Shift+>'],
    shown: '>',
    run: () => lab().select({ stepKind: nextStep(lab().stepKind) }),
  },
  { id: 'slower', name: 'Slower', group: 'Time', keys: ['-'], shown: '−', run: () => lab().setSpeed(Math.max(0, lab().speed - 1)) },
  {
    id: 'faster',
    name: 'Faster',
    group: 'Time',
    keys: ['=', '+', 'Shift++'],
    shown: '+',
    run: () => lab().setSpeed(Math.min(SPEEDS.length - 1, lab().speed + 1)),
  },
  {
    id: 'processor',
    name: 'Processor of the chosen process',
    group: 'Processor',
    keys: ['i'],
    shown: 'I',
    run: () => lab().select({ tab: 'processor' }),
  },
  {
    id: 'hold',
    name: 'Hold the chosen process',
    short: 'Hold',
    group: 'Processor',
    keys: ['s'],
    shown: 'S',
    enabled: () => chosen() && watched()?.state !== 'held',
    run: () => lab().debug({ command: 'stop' }),
  },
  {
    id: 'step-instruction',
    name: 'Step by one instruction',
    short: 'Step',
    group: 'Processor',
    keys: ['F10'],
    shown: 'F10',
    enabled: () => chosen() && watched()?.state === 'held',
    run: () => lab().debug({ command: 'step' }),
  },
  {
    id: 'go',
    name: 'Let it run to a breakpoint',
    short: 'Go',
    group: 'Processor',
    keys: ['x'],
    shown: 'X',
    enabled: () => chosen() && watched()?.state === 'held',
    run: () => lab().debug({ command: 'go' }),
  },
  {
    id: 'leave',
    name: 'Let go of it, breakpoints and all',
    short: 'Let go',
    group: 'Processor',
    keys: [],
    shown: '',
    enabled: () => chosen() && watched() !== undefined,
    run: () => lab().debug({ command: 'leave' }),
  },
  {
    id: 'pane',
    name: 'Next pane, also out of a console',
    group: 'Views',
    keys: ['F6'],
    shown: 'F6',
    everywhere: true,
    run: () => nextPane(1),
  },
  {
    id: 'pane-back',
    name: 'Pane before',
    group: 'Views',
    keys: ['Shift+F6'],
    shown: 'Shift F6',
    everywhere: true,
    run: () => nextPane(-1),
  },
  {
    id: 'wall',
    name: 'All consoles',
    group: 'Views',
    keys: ['c'],
    shown: 'C',
    run: () => lab().select({ tab: lab().tab === 'wall' ? 'shell' : 'wall' }),
  },
  { id: 'messages', name: 'Messages', group: 'Views', keys: ['e'], shown: 'E', run: () => lab().select({ tab: 'messages' }) },
  { id: 'network', name: 'Network', group: 'Views', keys: ['w'], shown: 'W', run: () => lab().select({ tab: 'network' }) },
  {
    id: 'packets',
    name: 'Packets below the consoles, as they pass',
    group: 'Views',
    keys: ['k'],
    shown: 'K',
    run: () => lab().select({ packets: !lab().packets }),
  },
  {
    id: 'heartbeats',
    name: 'Show heartbeats',
    group: 'Views',
    keys: ['h'],
    shown: 'H',
    run: () => lab().select({ heartbeats: !lab().heartbeats }),
  },
  {
    id: 'projector',
    name: 'Projector: larger type',
    group: 'Views',
    keys: ['p'],
    shown: 'P',
    run: () => lab().select({ projector: !lab().projector }),
  },
  { id: 'theme', name: 'Theme', group: 'Views', keys: ['t'], shown: 'T', run: () => lab().select({ theme: THEMES[lab().theme] }) },
  { id: 'record', name: 'Save the recording', group: 'Files', keys: ['r'], shown: 'R', enabled: running, run: () => lab().saveRecording() },
  {
    id: 'open',
    name: 'Open a recording, scenario or hwloc XML',
    group: 'Files',
    keys: ['o'],
    shown: 'O',
    run: () => document.querySelector<HTMLInputElement>('#open-file')?.click(),
  },
  { id: 'link', name: 'Copy a link', group: 'Files', keys: ['l'], shown: 'L', run: () => void lab().copyLink() },
  {
    id: 'help',
    name: 'Keys and help',
    group: 'Views',
    keys: ['?', 'Shift+?', 'F1'],
    shown: '?',
    everywhere: true,
    run: () => lab().select({ help: !lab().help }),
  },
];

export function action(id: string): Action {
  const found = ACTIONS.find(each => each.id === id);
  if (found === undefined) throw new RangeError(`no action ${id}`);
  return found;
}

const isFunctionKey = (key: string): boolean => /(^|\+)F\d+$/.test(key);

/** Whether the focus is where keys are text. */
function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable], .xterm') !== null;
}

/** For tinykeys. */
export function bindings(): Record<string, (event: KeyboardEvent) => void> {
  return Object.fromEntries(
    ACTIONS.flatMap(each =>
      each.keys.map(key => [
        key,
        (event: KeyboardEvent) => {
          if (event.defaultPrevented || (isTyping(event.target) && !(each.everywhere && isFunctionKey(key)))) return;
          // Space presses the button that has the focus.
          if (key === 'Space' && event.target instanceof Element && event.target.closest('button, a, [role=button], [role=tab]')) return;
          if (each.enabled?.() === false) return;
          event.preventDefault();
          each.run();
        },
      ]),
    ),
  );
}

/** Goes round the panes of the page. */
function nextPane(by: 1 | -1): void {
  const panes = [...document.querySelectorAll<HTMLElement>('[data-pane]')];
  const at = panes.findIndex(pane => pane.contains(document.activeElement));
  const pane = panes[(at + by + panes.length) % panes.length];
  pane
    ?.querySelector<HTMLElement>('.xterm-helper-textarea, canvas[tabindex="0"], .brush, .kernel-tag[tabindex="0"], input, select, button')
    ?.focus();
}
