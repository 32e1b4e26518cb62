/** The network: the switch between kernels and the cable, both of which can be changed here; what passes, as frames, by port, and by connection. */
import { useLayoutEffect } from 'react';
import type { Session } from '../../lab/session.ts';
import { useLab } from '../store.ts';
import { Tabs } from '../Tabs.tsx';
import { Connections } from './Connections.tsx';
import { Packets } from './Packets.tsx';
import { Ports } from './Ports.tsx';
import { Settings } from './Settings.tsx';
import { type NetworkTab, useNetwork } from './view.ts';
import './network.css';

const VIEWS = { packets: Packets, ports: Ports, connections: Connections } as const;

export function Network({ session }: { session: Session }) {
  useLab(s => s.tick);
  const { tab, choose, of } = useNetwork();
  useLayoutEffect(() => of(session), [session, of]);
  const { network } = session.trace;
  const counts: Readonly<Record<NetworkTab, number>> = {
    packets: network.packetCount,
    ports: network.ports.size,
    connections: network.connections.count,
  };
  const View = VIEWS[tab];
  return (
    <>
      <Settings network={network} />
      <div className="net-tabs">
        <Tabs
          label="What to show of the network"
          tabs={(['packets', 'ports', 'connections'] as const).map(id => ({ id, label: NAMES[id] }))}
          chosen={tab}
          controls="network-view"
          choose={id => choose({ tab: id })}
        />
        <span className="muted">{`${counts[tab].toLocaleString('en')} ${counts[tab] === 1 ? ONE[tab] : MANY[tab]}`}</span>
      </div>
      <div className="net-view" id="network-view" role="tabpanel" aria-label={NAMES[tab]}>
        <View network={network} />
      </div>
    </>
  );
}

const NAMES = { packets: 'Packets', ports: 'Ports', connections: 'Connections' } as const;
const ONE = { packets: 'frame', ports: 'port', connections: 'connection' } as const;
const MANY = { packets: 'frames', ports: 'ports', connections: 'connections' } as const;
