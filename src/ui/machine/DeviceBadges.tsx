/** The disk and the network card, at the package that they are wired to, in the colour of the kernel that has them. */
import { machineDevices } from '../../machine/devices/devices.ts';
import { kernelName, kernelStyle, STATE } from '../kernels.ts';
import { useLab } from '../store.ts';
import type { MachineLayout } from './layout.ts';

export function DeviceBadges({ layout }: { layout: MachineLayout }) {
  const { topology, plan, session } = useLab();
  const { line } = layout;
  const width = line * 3.6;
  const shown = machineDevices(topology).filter(({ kind }) => kind !== 'nic-vf');
  return shown.map(({ name, node }, i) => {
    const home = layout.packages.find(({ index }) => index === topology.nodes[node]?.package);
    if (home === undefined || home.width < width * (shown.length + 1.4)) return null;
    const owner = plan?.partitions.find(({ devices }) => devices.includes(name))?.kernel;
    const ended = owner !== undefined && [STATE.Halted, STATE.Panicked].some(state => session?.trace.kernels.get(owner)?.state === state);
    const kernel = ended ? undefined : owner;
    const x = home.x + home.width - 8 - (shown.length - i) * (width + 4);
    return (
      <g key={name} className="device" data-device={name} data-kernel={kernel ?? 'none'} style={kernelStyle(kernel)}>
        <title>{`${name}: ${kernel === undefined ? 'nobody’s' : `of ${kernelName(kernel)}`}${session === null ? '' : '; mv-dev moves it'}`}</title>
        <rect x={x} y={home.y + 2} width={width} height={line} rx={4} />
        <text x={x + width / 2} y={home.y + line * 0.94} textAnchor="middle">
          {name}
          {kernel === undefined ? '' : ` · ${kernel}`}
        </text>
      </g>
    );
  });
}
