/** All consoles at once: the last lines of each as text; the chosen one is a live terminal. */
import { memo } from 'react';
import { consoleKernels, kernelName, kernelStyle, STATE_NAMES } from '../kernels.ts';
import { consoles, useLab } from '../store.ts';
import { Shell } from './Shell.tsx';

export function Wall() {
  useLab(s => s.tick);
  const { plan, session, kernel: chosen, select } = useLab();
  const kernels = consoleKernels(plan, session);
  const lines = kernels.length > 16 ? 4 : kernels.length > 4 ? 6 : 12;
  return (
    <div className="wall" data-many={kernels.length > 16}>
      {kernels.map(kernel => {
        const state = session?.trace.kernels.get(kernel)?.state ?? 0;
        return kernel === chosen ? (
          <div key={kernel} className="wall-live" style={kernelStyle(kernel)}>
            <span className="wall-head">
              <b>{kernelName(kernel)}</b> <span className="muted">{STATE_NAMES[state]}</span>
            </span>
            <Shell kernel={kernel} focus={false} />
          </div>
        ) : (
          <Tile
            key={kernel}
            kernel={kernel}
            state={state}
            text={consoles.tail(kernel, lines).join('\n')}
            onOpen={() => {
              select({ kernel });
              setTimeout(() => consoles.of(kernel).terminal.focus());
            }}
          />
        );
      })}
    </div>
  );
}

const Tile = memo(
  function Tile({ kernel, state, text, onOpen }: { kernel: number; state: number; text: string; onOpen: () => void }) {
    return (
      <button
        type="button"
        className="wall-tile"
        style={kernelStyle(kernel)}
        onClick={onOpen}
        aria-label={`${kernelName(kernel)}, ${STATE_NAMES[state]}: open its console`}
      >
        <span className="wall-head">
          <b>{kernelName(kernel)}</b> <span className="muted">{STATE_NAMES[state]}</span>
        </span>
        <pre>
          <span>{text || ' '}</span>
        </pre>
      </button>
    );
  },
  (a, b) => a.kernel === b.kernel && a.state === b.state && a.text === b.text,
);
