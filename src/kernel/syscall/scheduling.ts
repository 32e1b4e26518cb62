/** Calls about scheduling: priorities, affinity (which may lie in another kernel), yielding. */
import { coreOf } from '../../machine/topology/topology.ts';
import { E, Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import type { Task } from '../task/task.ts';
import type { Blocking, Maybe } from '../types.ts';
import type { CallRow, SyscallContext, SyscallHandler } from './context.ts';
import { int } from './file-common.ts';

const full = (name: string, handler: SyscallHandler): CallRow => ({ name, handler, support: 'full' });
const partial = (name: string, handler: SyscallHandler, missing: string): CallRow => ({ name, handler, support: 'partial', missing });
const PRIO_PROCESS = 0;

export function schedulingCalls(kernel: Kernel): Readonly<Record<number, CallRow>> {
  const taskOf = (ctx: SyscallContext, pid: number): Task => {
    if (int(pid) === 0) return ctx.task;
    const task = kernel.taskHere(int(pid));
    if (task === undefined) throw new Errno(E.SRCH);
    return task;
  };

  function* moveElsewhere(pid: number, to: number): Blocking<number> {
    yield* kernel.migration.request(pid, to);
    return 0;
  }

  /** A mask of cores of this kernel stays here; one of cores of another kernel is a wish to move there (as in Popcorn). */
  function setAffinity(ctx: SyscallContext, pid: number, size: number, address: number): Maybe<number> {
    const bytes = ctx.user.read(address, Math.min(size, 1024));
    const wanted = kernel.topology.cores.map(core => core.id).filter(id => ((bytes[id >> 3] ?? 0) >> (id & 7)) & 1);
    if (wanted.length === 0) throw new Errno(E.INVAL);
    const here = wanted.filter(id => kernel.cores.some(core => core.id === id));
    const task = kernel.taskHere(int(pid) === 0 ? ctx.task.tid : int(pid));
    if (task === undefined) {
      if (kernel.isFederated) throw new Errno(E.SRCH);
      const target = kernel.map.partitions.find(partition => partition.cores.includes(wanted[0] as number));
      if (target === undefined) throw new Errno(E.INVAL);
      return moveElsewhere(int(pid), target.kernel);
    }
    if (here.length > 0) {
      if (task.place >= 0) kernel.threads.place(task, kernel.id, []);
      task.affinity = here;
      if (!here.includes(task.core)) {
        task.moveToCore = here[0] as number;
        task.work = true;
        kernel.scheduler.interrupt(task);
        if (task.state === 'ready') {
          kernel.scheduler.remove(task, 0);
          task.moveToCore = -1;
          kernel.scheduler.enqueue(task);
        }
      }
      return 0;
    }
    const target = kernel.map.partitions.find(
      partition => partition.cores.some(id => wanted.includes(id)) && kernel.isPeer(partition.kernel),
    );
    if (target === undefined || kernel.isFederated) throw new Errno(E.INVAL);
    const cores = wanted.filter(id => target.cores.includes(id));
    // One of several threads moves alone, the only one takes its process along.
    if (task.process.threads.size > 1 || task.place >= 0) kernel.threads.place(task, target.kernel, cores);
    else kernel.migration.ask(task.process, target.kernel, cores);
    return 0;
  }

  function getAffinity(ctx: SyscallContext, pid: number, size: number, address: number): number {
    const task = taskOf(ctx, pid);
    const highest = Math.max(...kernel.topology.cores.map(core => core.id));
    const bytes = new Uint8Array((Math.floor(highest / 64) + 1) * 8);
    if (size < bytes.length || size % 8 !== 0) throw new Errno(E.INVAL);
    // On its way it has already what it asked for.
    const elsewhere = task.migrateTo >= 0 || task.place >= 0;
    const there = kernel.map.of(task.place)?.cores ?? task.affinity;
    const cores = !elsewhere ? task.affinity : task.wantedCores.length > 0 ? task.wantedCores : there;
    for (const id of cores) bytes[id >> 3] = (bytes[id >> 3] as number) | (1 << (id & 7));
    ctx.user.write(address, bytes);
    return bytes.length;
  }

  return {
    118: partial('sched_setparam', () => 0, 'There is one policy; parameters change nothing.'),
    119: partial(
      'sched_setscheduler',
      (ctx, pid, policy) => {
        taskOf(ctx, pid).policy = int(policy);
        return 0;
      },
      'Kept and reported, but all tasks are scheduled fairly.',
    ),
    120: full('sched_getscheduler', (ctx, pid) => taskOf(ctx, pid).policy),
    121: full('sched_getparam', (ctx, pid, address) => {
      taskOf(ctx, pid);
      ctx.user.setU32(address, 0);
      return 0;
    }),
    122: full('sched_setaffinity', setAffinity),
    123: full('sched_getaffinity', getAffinity),
    124: full('sched_yield', ctx => {
      kernel.coreOf(ctx.task).resched = true;
      return 0;
    }),
    125: full('sched_get_priority_max', (_ctx, policy) => (policy === 1 || policy === 2 ? 99 : 0)),
    126: full('sched_get_priority_min', (_ctx, policy) => (policy === 1 || policy === 2 ? 1 : 0)),
    127: full('sched_rr_get_interval', (ctx, pid, address) => {
      taskOf(ctx, pid);
      ctx.user.setI64(address, 0);
      ctx.user.setI64(address + 8, Math.floor((kernel.cost('schedGranularity') * 1e9) / kernel.hertz));
      return 0;
    }),
    140: partial(
      'setpriority',
      (ctx, which, who, nice) => {
        if (int(which) !== PRIO_PROCESS) throw new Errno(E.INVAL);
        const task = taskOf(ctx, who);
        const wanted = Math.max(-20, Math.min(19, int(nice)));
        if (wanted < task.nice && ctx.process.credentials.euid !== 0) throw new Errno(E.ACCES);
        for (const thread of task.process.threads) thread.nice = wanted;
        return 0;
      },
      'For one process of this kernel at a time.',
    ),
    141: partial(
      'getpriority',
      (ctx, which, who) => {
        if (int(which) !== PRIO_PROCESS) throw new Errno(E.INVAL);
        return 20 - taskOf(ctx, who).nice;
      },
      'For one process of this kernel at a time.',
    ),
    168: full('getcpu', (ctx, coreAt, nodeAt) => {
      const id = ctx.task.place >= 0 ? ctx.task.placeCore : kernel.coreOf(ctx.task).id;
      if (coreAt !== 0) ctx.user.setU32(coreAt, id);
      if (nodeAt !== 0) ctx.user.setU32(nodeAt, coreOf(kernel.topology, id).node);
      return 0;
    }),
  };
}
