/** Below the machine before power-on: the plan as text, and what to do with picked cores. */
import { Undo2 } from 'lucide-react';
import { kernelName } from '../kernels.ts';
import { useLab } from '../store.ts';
import { PlanChoices } from './PlanChoices.tsx';

export function PlanBar() {
  const { picked, plan, planError, partitionPicked, pick, scenario, setPlan, undoPlan, history, dropArchive } = useLab();
  const kernels = plan?.partitions ?? [];
  return (
    <div className="plan-bar">
      {picked.size > 0 ? (
        <>
          <span>
            {picked.size} core{picked.size > 1 ? 's' : ''} picked
          </span>
          <button type="button" className="primary" onClick={() => partitionPicked()}>
            Make them a kernel
          </button>
          <select
            value=""
            aria-label="Give the picked cores to a kernel"
            onChange={event => event.target.value !== '' && partitionPicked(Number(event.target.value))}
          >
            <option value="">or give to …</option>
            {kernels.map(({ kernel }) => (
              <option key={kernel} value={kernel}>
                {kernelName(kernel)}
              </option>
            ))}
          </select>
          <button type="button" onClick={() => pick([], false)}>
            Forget
          </button>
        </>
      ) : (
        <>
          <label className="plan-text">
            <span className="muted">Partitions</span>
            <input
              value={scenario.plan}
              spellCheck={false}
              aria-invalid={planError !== null}
              aria-describedby="plan-error"
              title="smp, clustered, partitioned, or cores@nodes+devices;cores@nodes,16M@0"
              onChange={event => setPlan(event.target.value)}
            />
          </label>
          <PlanChoices />
          {(scenario.root ?? []).map(({ name, bytes }) => (
            <span key={name} className="root-part" data-missing={bytes === undefined}>
              {name}
              {bytes === undefined && ' is needed: open it'}
              <button type="button" aria-label={`Leave ${name} out of the root`} onClick={() => dropArchive(name)}>
                ×
              </button>
            </span>
          ))}
          {history.length > 0 && (
            <button type="button" onClick={undoPlan} title="Undo (Ctrl Z)">
              <Undo2 size={16} aria-hidden />
              <span className="sr">Undo</span>
            </button>
          )}
          <span id="plan-error" className={planError === null ? 'muted' : 'bad'} role={planError === null ? undefined : 'alert'}>
            {planError ?? `${kernels.length} kernel${kernels.length === 1 ? '' : 's'}`}
          </span>
          {planError === null && <span className="plan-hint muted">drag over cores to draw one, memory and devices to move them</span>}
        </>
      )}
    </div>
  );
}
