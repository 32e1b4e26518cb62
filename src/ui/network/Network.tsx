/** The network: the switch between kernels and the cable, both of which can be changed here; and the frames that passed, one by one. */
import type { Session } from '../../lab/session.ts';
import { Packets } from './Packets.tsx';
import { Ports, Settings } from './Switch.tsx';
import './network.css';

export function Network({ session }: { session: Session }) {
  return (
    <>
      <Settings network={session.trace.network} />
      <Ports network={session.trace.network} />
      <Packets network={session.trace.network} />
    </>
  );
}
