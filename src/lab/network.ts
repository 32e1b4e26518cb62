/** What a scenario says of the network, and the client machine that comes of it. */
import type { BootParameters } from '../kernel/boot/parameters.ts';
import { CLIENT_KERNEL, DEFAULT_NETWORK, type NetworkParameters } from '../kernel/net/parameters.ts';
import type { SwitchSettings } from '../kernel/net/switch/settings.ts';
import { usualDevices } from '../machine/devices/devices.ts';
import type { LinkSettings } from '../machine/devices/nic.ts';
import { memoryMap } from '../machine/layout.ts';
import { clientMachine } from '../machine/topology/presets.ts';
import type { Topology } from '../machine/topology/topology.ts';
import type { ClientMachine } from '../world/protocol.ts';
import type { RootPart } from './scenario.ts';

export interface NetworkScenario {
  /** Whether there is a client machine at the other end of the cable. */
  readonly client?: boolean;
  /** Archives that are laid over the client machine's userland. Left out: its root is made as the machine's is. */
  readonly clientRoot?: readonly RootPart[];
  /** Where it differs from what is usual (kernel/net/switch/settings.ts, machine/devices/nic.ts). */
  readonly switch?: Partial<SwitchSettings>;
  readonly link?: Partial<LinkSettings>;
}

export const networkParameters = (scenario: NetworkScenario | undefined, capture: NetworkParameters['capture']): NetworkParameters => ({
  switch: { ...DEFAULT_NETWORK.switch, ...scenario?.switch },
  link: { ...DEFAULT_NETWORK.link, ...scenario?.link },
  capture,
});

/**
 * The client machine beside a machine: one kernel that has all of it.
 * @param shared what its kernel is told as those of the machine are
 */
export function clientOf(
  topology: Topology,
  memoryLimit: number | undefined,
  shared: Omit<BootParameters, 'kernel' | 'plan' | 'by' | 'present'>,
): ClientMachine {
  const own = clientMachine(topology.hertz);
  const { client } = memoryMap(topology, memoryLimit, own);
  if (client === null) throw new Error('there is no memory for a client machine');
  const partition = {
    kernel: CLIENT_KERNEL,
    cores: own.cores.map(({ id }) => id),
    memory: [client.node],
    devices: usualDevices(own),
  };
  return {
    topology: own,
    kernel: { ...shared, kernel: CLIENT_KERNEL, by: CLIENT_KERNEL, present: [], plan: { mode: 'federation', partitions: [partition] } },
  };
}
