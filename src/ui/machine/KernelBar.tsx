/** Below the machine while it runs: the chosen kernel and its processes; of a chosen process, where it can go. */
import { Power } from 'lucide-react';
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
  const { session, kernel, select, boot } = useLab();
  if (session === null) return null;
  const row = session.trace.kernels.get(kernel);
  const state = row?.state ?? STATE.Off;
  const processes = session.trace.living().filter(each => each.kernel === kernel);
  const missing = row?.missing.size ?? 0;
  return (
    <>
      <span className="kernel-name" style={kernelStyle(kernel)}>
        {kernelName(kernel)}
      </span>
      <span className="muted facts">
        {STATE_NAMES[state]} · cores {rangesText(session.plan.partitions[kernel]?.cores ?? [])}
        {state === STATE.Up && row !== undefined ? ` · ${row.faults} faults` : ''}
        {missing > 0 ? ` · ${missing} calls missing` : ''}
      </span>
      {state === STATE.Off && kernel !== 0 && (
        <button type="button" className="primary" onClick={() => void boot(kernel)}>
          <Power size={16} aria-hidden />
          Boot {kernelName(kernel)}
        </button>
      )}
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

function ProcessLine({ pid }: { pid: number }) {
  const { session, migrate, select } = useLab();
  const row = session?.trace.processes.get(pid);
  if (session === null || row === undefined) return null;
  const up = session.plan.partitions.filter(({ kernel }) => kernel !== row.kernel && session.trace.kernels.get(kernel)?.state === STATE.Up);
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
        <button type="button" className="plain" aria-label="Done with this process" onClick={() => select({ pid: null })}>
          ×
        </button>
      </div>
    </>
  );
}
