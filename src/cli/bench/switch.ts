/**
 * The virtual switch: what a packet costs the hub as more of them come, in each version, and how many interrupt. Datagrams of 60 bytes from the
 * stack of one kernel to that of another, of one core each. In virtual time; and packets through the switch in a second of wall time.
 */
import { addressOfKernel, DEFAULT_NETWORK } from '../../kernel/net/parameters.ts';
import { SWITCH_VERSIONS, type SwitchVersion } from '../../kernel/net/switch/settings.ts';
import { flood, kernelOf, listeners, pass, ping } from '../../kernel/net/switch/testing.ts';
import { KernelLab } from '../../kernel/testing.ts';
import { embeddedRoot } from '../session.ts';
import type { Figure } from './observe.ts';

const HERTZ = 2.2e9;
const PACKETS = 400;
/** Packets in a second. */
const RATES = [10_000, 100_000, 200_000, 400_000, 700_000] as const;

function machine(version: SwitchVersion): KernelLab {
  const lab = new KernelLab({
    archive: embeddedRoot(),
    cores: 2,
    kernels: 2,
    exec: ['sleep', '1000'],
    network: { ...DEFAULT_NETWORK, switch: { ...DEFAULT_NETWORK.switch, version } },
  });
  lab.input(0, { kind: 'boot', kernel: 1 });
  pass(lab, 50);
  // Neighbours have met.
  ping(lab, 1, addressOfKernel(0), 1);
  pass(lab, 2);
  return lab;
}

/** Of a flood at so many packets a second: those that came, and what each cost. */
function load(version: SwitchVersion, rate: number): { came: number; cycles: number; interrupts: number; wall: number } {
  const lab = machine(version);
  const got = listeners(lab, [0]).get(0)?.got ?? [];
  const { serviceCore: core, vnet } = kernelOf(lab, 0);
  const before = { busy: core.clock - core.idleCycles, interrupts: vnet.napi.interrupts };
  flood(lab, 1, 0, PACKETS, { gap: Math.round(HERTZ / rate), bytes: 18 });
  const from = performance.now();
  pass(lab, (PACKETS / rate) * 1000 + 20);
  const wall = performance.now() - from;
  const cycles = core.clock - core.idleCycles - before.busy;
  return { came: got.length, cycles: cycles / got.length, interrupts: (vnet.napi.interrupts - before.interrupts) / got.length, wall };
}

export async function virtualSwitch(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const version of SWITCH_VERSIONS) {
    for (const rate of RATES) {
      const { came, cycles, interrupts } = load(version, rate);
      const lost = came === PACKETS ? '' : `, ${PACKETS - came} of ${PACKETS} dropped`;
      figures.push({
        what: `${version}, ${rate / 1000}k packets a second, virtual`,
        value: `${cycles.toFixed(0)} cycles of the hub and ${interrupts.toFixed(2)} interrupts a packet${lost}`,
      });
    }
    const { came, wall } = load(version, 100_000);
    figures.push({ what: `${version}, packets a second, wall`, value: ((1000 * came) / wall).toFixed(0) });
  }
  return figures;
}
