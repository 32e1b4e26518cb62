/** Says what happens to those who don't see it: kernels that come up, processes that move; and to all what a kernel has left, and to whom. */
import { useEffect, useRef, useState } from 'react';
import { MigrateStep } from '../kernel/trace.ts';
import type { KernelRow } from '../lab/trace-store.ts';
import { deviceTexts } from '../machine/devices/devices.ts';
import { kernelName, STATE, STATE_NAMES } from './kernels.ts';
import { useLab } from './store.ts';

export function Announcer() {
  const session = useLab(s => s.session);
  const tick = useLab(s => s.tick);
  const [text, setText] = useState('');
  const states = useRef(new Map<number, number>());
  const moves = useRef(new Map<number, number>());
  const heard = useRef(new Map<number, number>());
  useEffect(() => {
    if (session === null) {
      states.current.clear();
      moves.current.clear();
      heard.current.clear();
      return;
    }
    const said: string[] = [];
    for (const [kernel, { state, inherited }] of session.trace.kernels) {
      const last = inherited.at(-1);
      if (last !== undefined && last.time > (heard.current.get(kernel) ?? -1)) {
        heard.current.set(kernel, last.time);
        useLab.getState().select({ notice: { text: inheritance(kernel, last), bad: false } });
      }
      if (states.current.get(kernel) === state) continue;
      states.current.set(kernel, state);
      if (state !== STATE.Booting) said.push(`${kernelName(kernel)} is ${STATE_NAMES[state]}`);
    }
    for (const { pid, name, kernel, moves: steps } of session.trace.processes.values()) {
      const last = steps.at(-1);
      if (last === undefined || moves.current.get(pid) === last.time) continue;
      moves.current.set(pid, last.time);
      if (last.step === MigrateStep.Running || last.step === MigrateStep.ShadowLeft) said.push(`${name} runs on ${kernelName(kernel)}`);
      else if (last.step === MigrateStep.Failed) said.push(`${name} could not move: errno ${last.count}`);
    }
    if (said.length > 0) setText(said.slice(-4).join(', '));
  }, [session, tick]);
  return (
    <div className="sr" role="status" aria-live="polite">
      {text}
    </div>
  );
}

function inheritance(kernel: number, { from, files, tree }: KernelRow['inherited'][number]): string {
  const devices = useLab.getState().plan?.partitions.find(each => each.kernel === from)?.devices ?? [];
  const left = devices.length === 0 ? '' : ` ${deviceTexts(devices).join(', ')}: nobody’s now, to be dragged to a kernel.`;
  return `${kernelName(kernel)} has what ${kernelName(from)} left: ${files} files${tree ? ', the file tree among them' : ''}.${left}`;
}
