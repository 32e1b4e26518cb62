/** What is chosen in the network's views. It outlives them: who comes back to the tab finds it as it was. */
import { create } from 'zustand';
import type { Session } from '../../lab/session.ts';
import type { PacketRow } from '../../lab/trace/network.ts';

export type NetworkTab = 'packets' | 'ports' | 'connections';

interface Chosen {
  readonly tab: NetworkTab;
  readonly filter: string;
  readonly packet: PacketRow | null;
  /** The list stands still while a packet is chosen. */
  readonly held: readonly PacketRow[] | null;
  /** A frame of the stream that is followed. */
  readonly stream: PacketRow | null;
  /** Id of a connection, and which of its ends is looked at. */
  readonly connection: number | null;
  readonly end: 0 | 1;
  /** Of lab/trace/series.ts: how far back the ports' charts look; null: as the run's pace suggests. */
  readonly level: number | null;
  /** Where all charts are read off, 0 … 1 of their width; null: nowhere. */
  readonly cursor: number | null;
}

const NOTHING: Chosen = {
  tab: 'packets',
  filter: '',
  packet: null,
  held: null,
  stream: null,
  connection: null,
  end: 0,
  level: null,
  cursor: null,
};

interface NetworkView extends Chosen {
  readonly session: Session | null;
  choose(part: Partial<Chosen>): void;
  /** With another run what was chosen in the last one is gone. */
  of(session: Session): void;
}

export const useNetwork = create<NetworkView>((set, get) => ({
  ...NOTHING,
  session: null,
  choose: part => set(part),
  of: session => {
    const { session: before, tab, level } = get();
    if (session !== before) set({ ...NOTHING, tab, level, session });
  },
}));
