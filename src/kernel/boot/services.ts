/** What the file system is given of its kernel. */
import { SI } from '../abi/signal.ts';
import { Locks } from '../fs/lock.ts';
import type { FsServices, Jobs } from '../fs/services.ts';
import type { Kernel } from '../kernel.ts';
import { backingFile } from '../mm/file-backing.ts';
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
    isLent: pfn => kernel.frames.isGiven(pfn),
    ownInode: inode => kernel.image.files.ownInode(inode),
    replacedFrame: old => unmapFile(kernel, old),
    changing: work => kernel.image.files.delegations.changing(work),
    cut: (file, firstPage) => kernel.sharedMemory.cut(file, firstPage),
    frameCounts: () => ({ total: kernel.frames.own.total, free: kernel.frames.own.free }),
    random: () => kernel.random(),
    log: text => kernel.log(6, text),
    locks: new Locks(),
    jobs,
    proc: kernel.image.proc,
    openRemoteTerminal: () => null,
    isPeer: other => kernel.isPeer(other),
    farPort: link => kernel.image.files.port(link),
    farSocket: (owner, wanted, io) => kernel.image.files.newSocket(owner, wanted, io),
    farEpoll: owner => kernel.image.files.newEpoll(owner),
    watched: file => kernel.image.files.watched(file),
    unwatched: file => kernel.image.files.unwatched(file),
    farNetText: (owner, path, change) => kernel.image.files.netText(owner, path, change),
    net: kernel.net,
    farNames: () => kernel.image.files.names(),
  };
}

/** Takes a frame that is no longer its file's out of all areas that map files. */
function unmapFile(kernel: Kernel, old: Pfn): void {
  for (const { mm } of kernel.processes.values()) {
    // One on its way takes along what it had.
    if (kernel.migration.isLeaving(mm)) continue;
    for (const { start, end, backing } of mm.areas.list) {
      if (backingFile(backing) === null) continue;
      const found: number[] = [];
      mm.table.forEach(start, end, (address, pfn) => void (pfn === old && found.push(address)));
      for (const address of found) mm.dropPages(address, address + PAGE_SIZE);
    }
  }
}
