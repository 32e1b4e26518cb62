/**
 * The virtual switch: what a packet costs the hub as more of them come, in each version, and how many interrupts and polls there are to it. Datagrams
 * of 18 bytes (frames of 60) from the stacks of three kernels to that of the hub, of one core each: in virtual time. And packets through the switch,
 * from a client to another, in a second of wall time.
 */
import { addressOfKernel, DEFAULT_NETWORK } from '../../kernel/net/parameters.ts';
import { SWITCH_VERSIONS, type SwitchVersion } from '../../kernel/net/switch/settings.ts';
import { flood, kernelOf, listeners, pass, ping } from '../../kernel/net/switch/testing.ts';
import { KernelLab } from '../../kernel/testing.ts';
import { embeddedRoot } from '../session.ts';
import { type Figure, median } from './observe.ts';

const HERTZ = 2.2e9;
const SENDERS = [1, 2, 3] as const;
/** Of each sender. */
const PACKETS = 300;
/** Packets in a second, of all senders. */
const RATES = [10_000, 50_000, 100_000, 200_000, 300_000, 400_000, 500_000, 600_000, 800_000, 1_200_000] as const;

function machine(version: SwitchVersion): KernelLab {
  const kernels = SENDERS.length + 1;
  const lab = new KernelLab({
    archive: embeddedRoot(),
    cores: kernels,
    kernels,
    exec: ['sleep', '1000'],
    network: { ...DEFAULT_NETWORK, switch: { ...DEFAULT_NETWORK.switch, version } },
  });
  for (const kernel of SENDERS) lab.input(0, { kind: 'boot', kernel });
  pass(lab, 50);
  // Neighbours have met.
  for (const kernel of SENDERS) ping(lab, kernel, addressOfKernel(0), 1);
  ping(lab, 1, addressOfKernel(2), 1);
  pass(lab, 5);
  return lab;
}

interface Load {
  readonly came: number;
  /** Of the hub, for each packet that came. */
  readonly cycles: number;
  readonly interrupts: number;
  readonly polls: number;
}

/** Of a flood at so many packets a second. */
function load(version: SwitchVersion, rate: number): Load {
  const lab = machine(version);
  const got = listeners(lab, [0]).get(0)?.got ?? [];
  const { serviceCore: core, vnet } = kernelOf(lab, 0);
  const counts = (): number[] => [core.clock - core.idleCycles, vnet.napi.interrupts, vnet.napi.polls];
  const before = counts();
  const gap = (SENDERS.length * HERTZ) / rate;
  for (const [i, kernel] of SENDERS.entries()) {
    flood(lab, kernel, 0, PACKETS, { gap: Math.round(gap), bytes: 18, after: Math.round((i * gap) / SENDERS.length) });
  }
  pass(lab, ((SENDERS.length * PACKETS) / rate) * 1000 + 20);
  const [cycles = 0, interrupts = 0, polls = 0] = counts().map((count, i) => (count - (before[i] as number)) / got.length);
  return { came: got.length, cycles, interrupts, polls };
}

/** Packets from one client to another, in a second of wall time: the median of five. */
function wall(version: SwitchVersion): number {
  const COUNT = 3000;
  const runs = Array.from({ length: 5 }, () => {
    const lab = machine(version);
    const got = listeners(lab, [2]).get(2)?.got ?? [];
    flood(lab, 1, 2, COUNT, { gap: HERTZ / 50_000, bytes: 18 });
    const from = performance.now();
    pass(lab, (COUNT / 50_000) * 1000 + 20);
    return (1000 * got.length) / (performance.now() - from);
  });
  return median(runs);
}

export async function virtualSwitch(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const version of SWITCH_VERSIONS) {
    for (const rate of RATES) {
      const { came, cycles, interrupts, polls } = load(version, rate);
      const all = SENDERS.length * PACKETS;
      const lost = came === all ? '' : `, ${all - came} of ${all} dropped`;
      figures.push({
        what: `${version}, ${rate / 1000}k packets a second, virtual`,
        value: `${cycles.toFixed(0)} cycles of the hub, ${interrupts.toFixed(2)} interrupts, ${polls.toFixed(2)} polls a packet${lost}`,
      });
    }
    figures.push({ what: `${version}, packets a second through the hub, wall`, value: wall(version).toFixed(0) });
  }
  return figures;
}
