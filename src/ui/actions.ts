/** Everything one can do with a key or a button, once: the help and the shortcuts are made from this list. */
import { useLab } from './store.ts';

export interface Action {
  readonly name: string;
  /** As tinykeys writes it; shown in the help. With Alt, so that consoles keep their keys. */
  readonly key: string;
  readonly shown: string;
  run(): void;
}

const lab = () => useLab.getState();

export const ACTIONS: readonly Action[] = [
  { name: 'Boot all kernels', key: 'Alt+KeyB', shown: 'Alt B', run: () => void lab().bootAll() },
  { name: 'Run or pause', key: 'Alt+KeyP', shown: 'Alt P', run: () => lab().togglePause() },
  { name: 'Step to the next event', key: 'Alt+KeyE', shown: 'Alt E', run: () => lab().step('event') },
  { name: 'Step to the next message', key: 'Alt+KeyM', shown: 'Alt M', run: () => lab().step('message') },
  { name: 'Step a scheduling quantum', key: 'Alt+KeyQ', shown: 'Alt Q', run: () => lab().step('quantum') },
  { name: 'Slower', key: 'Alt+Comma', shown: 'Alt ,', run: () => lab().setSpeed(Math.max(0, lab().speed - 1)) },
  { name: 'Faster', key: 'Alt+Period', shown: 'Alt .', run: () => lab().setSpeed(Math.min(7, lab().speed + 1)) },
  { name: 'Shell of the next kernel', key: 'Alt+KeyN', shown: 'Alt N', run: () => lab().select({ kernel: (lab().kernel + 1) % Math.max(1, lab().plan?.partitions.length ?? 1), tab: 'shell' }) },
  { name: 'All consoles', key: 'Alt+KeyW', shown: 'Alt W', run: () => lab().select({ tab: lab().tab === 'wall' ? 'shell' : 'wall' }) },
  { name: 'Projector: larger type', key: 'Alt+KeyJ', shown: 'Alt J', run: () => lab().select({ projector: !lab().projector }) },
  { name: 'Save the recording', key: 'Alt+KeyR', shown: 'Alt R', run: () => lab().saveRecording() },
  { name: 'Keys and help', key: 'Alt+KeyH', shown: 'Alt H', run: () => lab().select({ help: !lab().help }) },
];
