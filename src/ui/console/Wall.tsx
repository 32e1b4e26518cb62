/** All consoles at once: the last lines of each as text; the chosen one is a live terminal. */
import { memo } from 'react';
import type { Session } from '../../lab/session.ts';
import { dissected } from '../network/dissected.ts';
import { consoleKernels, kernelName, kernelStyle, STATE_NAMES } from '../kernels.ts';
import { consoles, useLab } from '../store.ts';
import { Shell } from './Shell.tsx';

export function Wall() {
  useLab(s => s.tick);
  const { plan, session, kernel: chosen, packets, select } = useLab();
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
            packet={packets ? lastPacket(session, kernel) : ''}
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

/** The last packet from or to a kernel, in words. */
function lastPacket(session: Session | null, kernel: number): string {
  const [row] = session?.trace.network.packetsOf(kernel, 1) ?? [];
  if (row === undefined) return '–';
  const { protocol, summary } = dissected(row);
  return `${row.from === kernel ? '→' : '←'} ${protocol} ${summary}`;
}

interface TileProps {
  readonly kernel: number;
  readonly state: number;
  /** Empty where packets are not shown. */
  readonly packet: string;
  readonly text: string;
  readonly onOpen: () => void;
}

const Tile = memo(
  function Tile({ kernel, state, packet, text, onOpen }: TileProps) {
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
        {packet !== '' && <span className="wall-packet muted">{packet}</span>}
      </button>
    );
  },
  (a, b) => a.kernel === b.kernel && a.state === b.state && a.packet === b.packet && a.text === b.text,
);
