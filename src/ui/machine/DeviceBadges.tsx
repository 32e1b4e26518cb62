/**
 * The disk and the network card, at the package that they are wired to, in the colour of the kernel that has them. They are dragged to another
 * one (Scene.tsx), or asked for its number.
 */
import { type DeviceKind, machineDevices } from '../../machine/devices/devices.ts';
import type { Topology } from '../../machine/topology/topology.ts';
import { kernelName, kernelStyle, STATE } from '../kernels.ts';
import { useLab } from '../store.ts';
import type { Box, MachineLayout } from './layout.ts';

/** Where they stand; those of a picture without room for them are left out. Virtual functions are not on it. */
export function deviceBoxes(
  { line, packages }: MachineLayout,
  topology: Topology,
): { readonly name: string; readonly kind: DeviceKind; readonly box: Box }[] {
  const width = line * 4.2;
  const shown = machineDevices(topology).filter(({ kind }) => kind !== 'nic-vf');
  return shown.flatMap(({ name, kind, node }, i) => {
    const home = packages.find(({ index }) => index === topology.nodes[node]?.package);
    if (home === undefined || home.width < width * (shown.length + 1.3)) return [];
    return [{ name, kind, box: { x: home.x + home.width - 8 - (shown.length - i) * (width + 4), y: home.y + 2, width, height: line } }];
  });
}

export function DeviceBadges({ layout, dragged }: { layout: MachineLayout; dragged: string | null }) {
  const { topology, plan, session, select } = useLab();
  const { line } = layout;
  return deviceBoxes(layout, topology).map(({ name, kind, box }) => {
    const owner = plan?.partitions.find(({ devices }) => devices.includes(name))?.kernel;
    const ended = owner !== undefined && [STATE.Halted, STATE.Panicked].some(state => session?.trace.kernels.get(owner)?.state === state);
    const kernel = ended ? undefined : owner;
    const whose = kernel === undefined ? 'nobody’s' : `of ${kernelName(kernel)}`;
    return (
      <g
        key={name}
        className="device"
        data-device={name}
        data-kernel={kernel ?? 'none'}
        data-held={dragged === name}
        style={kernelStyle(kernel)}
        role="button"
        tabIndex={0}
        aria-label={`${name}, ${whose}. M and a number give it${kind === 'nic' ? ', or a function of it,' : ''} to that kernel.`}
        onKeyDown={event => {
          if (!['Enter', ' ', 'm'].includes(event.key)) return;
          select({ prompt: { kind: 'device', device: name } });
          event.preventDefault();
          event.stopPropagation();
        }}
      >
        <title>{`${name}, ${whose}: drag it to another kernel${kind === 'nic' ? '; a click gives one of its functions away' : ''}`}</title>
        <rect {...box} rx={4} />
        <text x={box.x + box.width / 2} y={box.y + line * 0.8} textAnchor="middle">
          {name}
          {kernel === undefined ? '' : ` · ${kernel}`}
        </text>
      </g>
    );
  });
}
