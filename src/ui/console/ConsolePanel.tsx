/** The right side: what a user of one kernel sees: its shell, its log, its messages; and the wall of all consoles. */
import { ArrowRightLeft } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { rangesText } from '../../kernel/boot/parameters.ts';
import { consoleKernels, kernelName, kernelStyle, STATE_NAMES } from '../kernels.ts';
import { type ConsoleTab, consoles, useLab } from '../store.ts';
import { Network } from '../network/Network.tsx';
import { Tabs } from '../Tabs.tsx';
import { Processor } from '../processor/Processor.tsx';
import { Messages } from './Messages.tsx';
import { PacketStrip } from './PacketStrip.tsx';
import { Shell } from './Shell.tsx';
import { Wall } from './Wall.tsx';
import './console.css';

const TABS: readonly { readonly id: ConsoleTab; readonly label: string; readonly short?: string }[] = [
  { id: 'shell', label: 'Shell' },
  { id: 'log', label: 'Log' },
  { id: 'messages', label: 'Messages' },
  { id: 'network', label: 'Network' },
  { id: 'processor', label: 'Processor' },
  { id: 'wall', label: 'All consoles', short: 'All' },
];

/** Consoles, below which packets can be shown. */
const WITH_PACKETS: readonly ConsoleTab[] = ['shell', 'log'];

export function ConsolePanel() {
  const { tab, kernel, session, plan, packets, select } = useLab();
  const state = useLab(s => s.session?.trace.kernels.get(kernel)?.state ?? 0);
  const kernels = consoleKernels(plan, session);
  const cores = plan?.partitions.find(each => each.kernel === kernel)?.cores ?? [];
  return (
    <section className="panel consoles" aria-label="Consoles" data-pane="consoles">
      <header className="panel-head">
        <div className="kernel-pick" style={kernelStyle(kernel)}>
          <select aria-label="Console of" value={kernel} onChange={event => select({ kernel: Number(event.target.value) })}>
            {kernels.length === 0 && <option value={kernel}>no kernel</option>}
            {kernels.map(each => (
              <option key={each} value={each}>
                {kernelName(each)}
              </option>
            ))}
          </select>
        </div>
        <span className="muted">
          {cores.length > 0 ? `${STATE_NAMES[state]} · cpus ${rangesText(cores)}` : kernel === session?.client ? STATE_NAMES[state] : ''}
        </span>
        <button
          type="button"
          className="packets-choice"
          aria-pressed={packets}
          aria-label="Packets as they pass, below the console"
          title="Packets as they pass, below the console (K)"
          onClick={() => select({ packets: !packets })}
        >
          <ArrowRightLeft size={15} aria-hidden />
        </button>
        <Tabs label="What to show of the kernel" tabs={TABS} chosen={tab} controls="console-view" choose={id => select({ tab: id })} />
      </header>
      <div className="console-view" id="console-view" role="tabpanel" aria-label={TABS.find(({ id }) => id === tab)?.label}>
        {session === null ? (
          <Empty />
        ) : tab === 'wall' ? (
          <Wall />
        ) : tab === 'shell' ? (
          <Shell key={kernel} kernel={kernel} focus />
        ) : tab === 'processor' ? (
          <Processor />
        ) : tab === 'network' ? (
          <Network session={session} />
        ) : tab === 'log' ? (
          <LogView key={kernel} kernel={kernel} />
        ) : (
          <Messages kernel={kernel} />
        )}
        {session !== null && packets && WITH_PACKETS.includes(tab) && <PacketStrip network={session.trace.network} kernel={kernel} />}
      </div>
    </section>
  );
}

function Empty() {
  const starting = useLab(s => s.starting);
  return (
    <div className="empty">
      <p>{starting ? 'Starting …' : 'No kernel is up.'}</p>
      <p className="muted">
        “Boot all” starts one kernel for each coloured group of cores. Each gets a console here: a shell, its log, its messages.
      </p>
    </div>
  );
}

function LogView({ kernel }: { kernel: number }) {
  useLab(s => s.tick);
  const text = consoles.log(kernel);
  const place = useRef<HTMLPreElement>(null);
  const shown = useRef(false);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    // Who reads further up is left in peace.
    const isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 200;
    if (isAtEnd || !shown.current) element.scrollTop = element.scrollHeight;
    shown.current = true;
  }, [text]);
  return (
    <pre className="text-view" ref={place} role="log" aria-label={`Log of ${kernelName(kernel)}`}>
      {text || 'nothing yet'}
    </pre>
  );
}
