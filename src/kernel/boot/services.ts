/** What the file system is given of its kernel. */
import { SI } from '../abi/signal.ts';
import type { FsServices, Jobs } from '../fs/services.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE, type Pfn } from '../types.ts';

export function fsServices(kernel: Kernel): FsServices {
  const record = (pid: number) => kernel.records.all.get(pid);
  const jobs: Jobs = {
    groupOf: pid => record(pid)?.group ?? 0,
    sessionOf: pid => record(pid)?.session ?? 0,
    signalGroup: (group, signal) => {
      for (const member of kernel.records.members(group))
        kernel.deliver(member, { signal, code: SI.KERNEL, pid: 0, uid: 0, status: 0, address: 0 });
    },
    isOrphanedGroup: group => kernel.records.isOrphaned(group),
  };
  const frameBytes = (pfn: Pfn): Uint8Array => kernel.memory.u8.subarray(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE);
  return {
    kernel: kernel.id,
    hertz: kernel.hertz,
    now: () => kernel.now,
    charge: cycles => kernel.charge(cycles),
    allocFrame: () => {
      const pfn = kernel.frames.allocate();
      frameBytes(pfn).fill(0);
      kernel.processor.invalidateFrame(pfn);
      return pfn;
    },
    retainFrame: pfn => kernel.frames.retain(pfn),
    releaseFrame: pfn => kernel.frames.release(pfn),
    frameBytes,
    wroteFrame: pfn => kernel.processor.invalidateFrame(pfn),
    frameCounts: () => ({ total: kernel.frames.own.total, free: kernel.frames.own.free }),
    random: () => kernel.random(),
    log: text => kernel.log(6, text),
    jobs,
    proc: kernel.image.proc,
    openRemoteTerminal: () => null,
    isPeer: other => kernel.isPeer(other),
    farPort: link => kernel.image.files.port(link),
    farSocket: (owner, wanted, io) => kernel.image.files.newSocket(owner, wanted, io),
    net: kernel.net,
    farNames: () => kernel.image.files.names(),
  };
}
