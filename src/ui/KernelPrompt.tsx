/**
 * Asks for the number of a kernel: whose console to show, or where a process, a device or memory goes. A number that can't go on is taken at once. Of
 * memory it also has the size of a block, which then goes for drags too; of the network card, which of its functions goes.
 */
import { type FocusEvent, useEffect, useRef, useState } from 'react';
import type { ResolvedPlan } from '../kernel/boot/parameters.ts';
import { machineDevices } from '../machine/devices/devices.ts';
import { memoryMap } from '../machine/layout.ts';
import { kernelName } from './kernels.ts';
import { blockBytes } from './machine/memory.ts';
import { type Prompt, useLab } from './store.ts';

const MEBIBYTE = 1 << 20;

export function KernelPrompt({ kind, device: asked = '', memory }: Prompt) {
  const { plan, pid, session, topology, block, select, migrate, giveDevice, giveMemory } = useLab();
  const [text, setText] = useState('');
  const [device, setDevice] = useState(asked);
  const functions = kind === 'device' ? machineDevices(topology).filter(({ name }) => name.startsWith(`${asked}.`)) : [];
  const usual = memory === undefined ? 0 : blockBytes(memory, block, memoryMap(topology).nodes) / MEBIBYTE;
  const [size, setSize] = useState(String(usual));
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
  const most = (memory?.piece ?? 0) / MEBIBYTE;
  const badSize = memory !== undefined && !(Number(size) >= 1 && Number(size) <= most);
  const take = (value: string): void => {
    const kernel = Number(value);
    if (value === '' || !(kernel < count) || badSize) return;
    select({ prompt: null });
    if (kind === 'console') select({ kernel, tab: 'shell' });
    else if (kind === 'device') giveDevice(device, kernel);
    else if (memory !== undefined) giveMemory({ node: memory.node, bytes: Number(size) * MEBIBYTE, from: memory.kernel, to: kernel });
    else if (pid !== null) migrate(pid, kernel);
  };
  const keys = (event: React.KeyboardEvent): void => {
    if (event.key === 'Enter') take(text);
    else if (event.key === 'Escape') select({ prompt: null });
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const leave = (event: FocusEvent): void => {
    if (!event.currentTarget.contains(event.relatedTarget)) select({ prompt: null });
  };
  const what = kind === 'device' ? device : (session?.trace.processes.get(pid ?? 0)?.name ?? 'the process');
  const wrong = text !== '' && !(Number(text) < count);
  const says = badSize ? `1 – ${most} MiB can go in one piece` : wrong ? `there is no ${kernelName(Number(text))}` : `0 – ${count - 1}`;
  return (
    <div className="prompt" role="dialog" aria-label={NAMES[kind]} onBlur={leave}>
      {memory !== undefined && (
        <label>
          Move{' '}
          <input
            value={size}
            inputMode="numeric"
            size={4}
            aria-label="MiB of memory"
            aria-invalid={badSize}
            onChange={event => {
              const next = event.target.value.replace(/\D/g, '').slice(0, 4);
              setSize(next);
              if (Number(next) >= 1 && Number(next) <= most) select({ block: Number(next) });
            }}
            onKeyDown={keys}
          />{' '}
          MiB of node {topology.nodes[memory.node]?.id ?? memory.node}
        </label>
      )}
      {functions.length > 0 && (
        <label>
          Move{' '}
          <select
            aria-label="The card, or a function of it"
            value={device}
            onChange={event => setDevice(event.target.value)}
            onKeyDown={event => event.key === 'Escape' && keys(event)}
          >
            {[asked, ...functions.map(({ name }) => name)].map(name => (
              <option key={name} value={name}>
                {`${name} · ${ownerText(plan, name)}`}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        {kind === 'console'
          ? 'Console of kernel '
          : memory === undefined && functions.length === 0
            ? `Move ${what} to kernel `
            : 'to kernel '}
        <input
          ref={input}
          value={text}
          inputMode="numeric"
          size={3}
          aria-invalid={wrong}
          onChange={event => {
            const next = event.target.value.replace(/\D/g, '').slice(0, 3);
            setText(next);
            if (next !== '' && Number(next) < count && (next === '0' || Number(next) * 10 >= count)) take(next);
          }}
          onKeyDown={keys}
        />
      </label>
      <span className={wrong || badSize ? 'bad' : 'muted'}>{says}</span>
    </div>
  );
}

const ownerText = (plan: ResolvedPlan | null, device: string): string => {
  const owner = plan?.partitions.find(({ devices }) => devices.includes(device));
  return owner === undefined ? 'nobody’s' : kernelName(owner.kernel);
};

const NAMES = { console: 'Show a console', move: 'Move the process', device: 'Move the device', memory: 'Move memory' } as const;
