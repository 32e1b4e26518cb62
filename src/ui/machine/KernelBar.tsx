/** Below the machine while it runs: the chosen kernel and its processes; of a chosen process, where it can go. */
import { Power } from 'lucide-react';
import { useState } from 'react';
import { sizeText } from '../../machine/topology/text.ts';
import { deviceTexts } from '../../machine/devices/devices.ts';
import { rangesText } from '../../kernel/boot/parameters.ts';
import { kernelName, kernelStyle, STATE, STATE_NAMES } from '../kernels.ts';
import { useLab } from '../store.ts';

export function KernelBar() {
  useLab(s => s.tick);
  const { session, pid } = useLab();
  if (session === null) return null;
  const chosen = pid === null ? undefined : session.trace.processes.get(pid);
  return <div className="kernel-bar">{chosen?.alive ? <ProcessLine pid={chosen.pid} /> : <KernelLine />}</div>;
}

function KernelLine() {
  const { session, kernel, select, boot, order, plan } = useLab();
  if (session === null) return null;
  const share = plan?.partitions.find(each => each.kernel === kernel);
  const row = session.trace.kernels.get(kernel);
  const state = row?.state ?? STATE.Off;
  const processes = session.trace.living().filter(each => each.kernel === kernel);
  const missing = row?.missing.size ?? 0;
  const isSingle = plan !== null && plan.mode === 'single' && plan.partitions.length > 1;
  const bytes = share?.memory.reduce((sum, each) => sum + each.bytes, 0) ?? 0;
  const facts = [
    STATE_NAMES[state],
    ...(share === undefined ? [] : [`cores ${rangesText(share.cores)}`, sizeText(bytes)]),
    ...(share === undefined || share.devices.length === 0 || state > STATE.Up ? [] : [deviceTexts(share.devices).join(', ')]),
    ...(isSingle && session.trace.tree.kernel === kernel && state === STATE.Up ? ['keeps the file tree'] : []),
    ...(row?.inherited ?? []).map(({ from, files }) => `has ${files} files of kernel ${from}`),
    ...(state === STATE.Up && row !== undefined ? [`${row.faults} faults`] : []),
    ...(missing > 0 ? [`${missing} calls missing`] : []),
  ].join(' · ');
  return (
    <>
      <span className="kernel-name" style={kernelStyle(kernel)}>
        {kernelName(kernel)}
      </span>
      <span className="muted facts" title={facts}>
        {facts}
      </span>
      {kernel !== session.client && state !== STATE.Up && state !== STATE.Booting && (
        <button type="button" className="primary" onClick={() => void boot(kernel)}>
          <Power size={16} aria-hidden />
          Boot {kernelName(kernel)}
        </button>
      )}
      {kernel !== session.client && state === STATE.Up && (
        <button type="button" onClick={() => order(`halt ${kernel}`)} title={`Ends ${kernelName(kernel)} in order`}>
          Halt
        </button>
      )}
      <Order />
      <div className="processes" role="group" aria-label={`Processes of ${kernelName(kernel)}`}>
        {processes.map(each => (
          <button
            key={each.pid}
            type="button"
            onClick={() => select({ pid: each.pid })}
            title={each.origin === kernel ? undefined : `born on ${kernelName(each.origin)}`}
          >
            {each.name || 'process'} <span className="muted">{each.pid}</span>
          </button>
        ))}
      </div>
    </>
  );
}

/** Words for the kernels: whatever buttons and the pointer can order, and more. */
function Order() {
  const order = useLab(s => s.order);
  const [text, setText] = useState('');
  return (
    <form
      className="order"
      onSubmit={event => {
        event.preventDefault();
        if (text.trim() === '') return;
        order(text.trim());
        setText('');
      }}
    >
      <input
        value={text}
        onChange={event => setText(event.target.value)}
        placeholder="order: mv-cpu 5 2"
        aria-label="Order to the kernels"
        list="orders"
        spellCheck={false}
        autoComplete="off"
      />
      <datalist id="orders">
        {EXAMPLES.map(each => (
          <option key={each} value={each} />
        ))}
      </datalist>
    </form>
  );
}
const EXAMPLES = [
  'boot --cpus 8-15 --mem 64M@1 --dev nic0.1',
  'halt 1',
  'panic 1',
  'mv-cpu 5 1',
  'mv-mem 16M@0 0 1',
  'mv-dev disk0 1',
  'split 0',
  'merge 1 0',
  'offline 5',
  'online 5',
  'balance on',
  'switch kernel',
  'link loss 1% delay 50us',
  'fault 0 lose 1',
  'fault 0 corrupt 1',
  'fault 1 deaf 20',
  'fault 1 memory 20',
  'fault 0 core 5',
];

function ProcessLine({ pid }: { pid: number }) {
  const { session, plan, migrate, select } = useLab();
  const row = session?.trace.processes.get(pid);
  if (session === null || row === undefined) return null;
  const stays =
    plan?.mode === 'federation' ? 'in a federation no process moves' : row.kernel === session.client ? 'the client machine keeps it' : null;
  const up = (stays === null ? (plan?.partitions ?? []) : []).filter(
    ({ kernel }) => kernel !== row.kernel && session.trace.kernels.get(kernel)?.state === STATE.Up,
  );
  return (
    <>
      <span className="facts">
        <b>{row.name}</b> ({row.pid}) on{' '}
        <span className="kernel-name" style={kernelStyle(row.kernel)}>
          {kernelName(row.kernel)}
        </span>
        {row.origin === row.kernel ? '' : <span className="muted"> from {row.origin}</span>}
      </span>
      {row.errno !== 0 && <span className="bad">could not move: errno {row.errno}</span>}
      <div className="moves" role="group" aria-label="Move it to">
        {up.length <= 8
          ? up.map(({ kernel }) => (
              <button
                key={kernel}
                type="button"
                className="kernel-name"
                style={kernelStyle(kernel)}
                aria-label={`Move to ${kernelName(kernel)}`}
                onClick={() => migrate(pid, kernel)}
              >
                {kernel}
              </button>
            ))
          : null}
        {stays !== null ? (
          <span className="muted">{stays}</span>
        ) : (
          <label>
            <select
              value=""
              onChange={event => event.target.value !== '' && migrate(pid, Number(event.target.value))}
              aria-label={`Move process ${pid} to a kernel`}
            >
              <option value="">move to …</option>
              {up.map(({ kernel }) => (
                <option key={kernel} value={kernel}>
                  {kernelName(kernel)}
                </option>
              ))}
            </select>
          </label>
        )}
        <button type="button" className="plain" aria-label="Done with this process" onClick={() => select({ pid: null })}>
          ×
        </button>
      </div>
    </>
  );
}
