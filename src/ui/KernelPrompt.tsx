/** Asks for the number of a kernel: whose console to show, or where a process or a device goes. A number that can't go on is taken at once. */
import { useEffect, useRef, useState } from 'react';
import { kernelName } from './kernels.ts';
import { type Prompt, useLab } from './store.ts';

export function KernelPrompt({ kind, device }: Prompt) {
  const { plan, pid, session, select, migrate, giveDevice } = useLab();
  const [text, setText] = useState('');
  const input = useRef<HTMLInputElement>(null);
  const before = useRef<Element | null>(document.activeElement);
  const count = 1 + Math.max(-1, ...(plan?.partitions ?? []).map(each => each.kernel));
  useEffect(() => {
    input.current?.focus();
    const { current } = before;
    return () => {
      if (current instanceof HTMLElement || current instanceof SVGElement) current.focus();
    };
  }, []);
  const take = (value: string): void => {
    const kernel = Number(value);
    if (value === '' || !(kernel < count)) return;
    select({ prompt: null });
    if (kind === 'console') select({ kernel, tab: 'shell' });
    else if (kind === 'device') giveDevice(device ?? '', kernel);
    else if (pid !== null) migrate(pid, kernel);
  };
  const what = kind === 'device' ? device : (session?.trace.processes.get(pid ?? 0)?.name ?? 'the process');
  const wrong = text !== '' && !(Number(text) < count);
  return (
    <div className="prompt" role="dialog" aria-label={NAMES[kind]}>
      <label>
        {kind === 'console' ? 'Console of kernel ' : `Move ${what} to kernel `}
        <input
          ref={input}
          value={text}
          inputMode="numeric"
          size={3}
          aria-invalid={wrong}
          onBlur={() => select({ prompt: null })}
          onChange={event => {
            const next = event.target.value.replace(/\D/g, '').slice(0, 3);
            setText(next);
            if (next !== '' && Number(next) < count && Number(next) * 10 >= count) take(next);
          }}
          onKeyDown={event => {
            if (event.key === 'Enter') take(text);
            else if (event.key === 'Escape') select({ prompt: null });
            else return;
            event.preventDefault();
            event.stopPropagation();
          }}
        />
      </label>
      <span className={wrong ? 'bad' : 'muted'}>{wrong ? `there is no ${kernelName(Number(text))}` : `0 – ${count - 1}`}</span>
    </div>
  );
}

const NAMES = { console: 'Show a console', move: 'Move the process', device: 'Move the device' } as const;
