/**
 * Who owns what while it runs: the plan, as changed by what kernels said of cores, memory and devices that came to them or left.
 *
 * Always holds: a core, device or piece of memory is shown with the kernel that was the last to say it has it; with its kernel of the plan while none has said so.
 */
import type { MemoryRange, Partition, ResolvedPlan } from '../kernel/boot/parameters.ts';
import { CLIENT_KERNEL } from '../kernel/net/parameters.ts';
import { cut } from '../kernel/partition/map.ts';
import { machineDevices } from '../machine/devices/devices.ts';
import type { Topology } from '../machine/topology/topology.ts';
import type { TraceStore } from './trace-store.ts';

export function partitionsNow(plan: ResolvedPlan, trace: TraceStore, topology: Topology): ResolvedPlan {
  const all = machineDevices(topology).map(({ name }) => name);
  const said = new Map([...trace.deviceOwners].map(([place, { kernel }]) => [all[place], kernel]));
  const kernels = [...new Set([...plan.partitions.map(({ kernel }) => kernel), ...trace.kernels.keys()])]
    .filter(kernel => kernel !== CLIENT_KERNEL)
    .sort((a, b) => a - b);
  const partitions = kernels.map((kernel): Partition => {
    const planned = plan.partitions.find(each => each.kernel === kernel);
    const own = [...trace.coreOwners].filter(([, owner]) => owner.kernel === kernel).map(([core]) => core);
    const cores = [...(planned?.cores ?? []).filter(core => !trace.coreOwners.has(core)), ...own].sort((a, b) => a - b);
    let memory: readonly MemoryRange[] = planned?.memory ?? [];
    for (const { range, comes, kernel: whose } of trace.memoryMoves) {
      // The one that gives may say so after the one that has got it.
      if (comes || whose === kernel) memory = memory.flatMap(each => cut(each, range));
      if (comes && whose === kernel) memory = [...memory, range];
    }
    const devices = all.filter(name => (said.get(name) ?? (planned?.devices.includes(name) ? kernel : -1)) === kernel);
    return { kernel, cores, memory, devices };
  });
  return { ...plan, partitions };
}
