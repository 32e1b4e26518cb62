/** The last packets from and to a kernel, below its console; as they pass, a line each. */
import type { NetworkTable, PacketRow } from '../../lab/trace/network.ts';
import { clockText } from '../clock.ts';
import { KernelDot } from '../KernelDot.tsx';
import { kernelName } from '../kernels.ts';
import { dissected } from '../network/dissected.ts';
import { CARRIERS } from '../network/texts.ts';
import { useNetwork } from '../network/view.ts';
import { useLab } from '../store.ts';

const SHOWN = 5;

export function PacketStrip({ network, kernel }: { network: NetworkTable; kernel: number }) {
  useLab(s => s.tick);
  const hertz = useLab(s => s.topology.hertz);
  const select = useLab(s => s.select);
  const rows = network.packetsOf(kernel, SHOWN);
  const open = (packet: PacketRow): void => {
    useNetwork.getState().choose({ tab: 'packets', filter: `k${kernel}`, packet, held: network.packets(), stream: null });
    select({ tab: 'network' });
  };
  return (
    <section className="packet-strip" aria-label={`Packets of ${kernelName(kernel)} as they pass`}>
      {rows.map(row => {
        const { protocol, summary } = dissected(row);
        const comes = row.from !== kernel;
        const [other] = comes ? [row.from] : row.to;
        const carrier = CARRIERS[row.over];
        return (
          <button key={row.number} type="button" onClick={() => open(row)} title="Show it in Network">
            <span className="number">{clockText(row.time / hertz)}</span>
            <span aria-hidden="true" title={carrier.name}>
              {comes ? carrier.comes : carrier.goes}
            </span>
            <span className="sr">{`${row.over === 'switch' ? '' : `${carrier.name} `}${comes ? 'from' : 'to'}`}</span>
            {other === undefined ? <span className="bad">×</span> : <KernelDot kernel={other} />}
            <span className="mono">{protocol}</span>
            <span className="muted">{row.fates.length > 0 ? `${row.fates.join(', ')}: ${summary}` : summary}</span>
          </button>
        );
      })}
      {rows.length === 0 && <p className="muted">No packet of {kernelName(kernel)} has passed yet.</p>}
    </section>
  );
}
