/** clone(2), fork(2), vfork(2): new tasks, which share with their maker what the flags say. */
import { E, Errno } from '../abi/errno.ts';
import type { Kernel } from '../kernel.ts';
import { USER_END } from '../mm/page-table.ts';
import { UserMemory } from '../mm/user-memory.ts';
import { PendingSignals } from '../signal/state.ts';
import { TraceKind } from '../trace.ts';
import { type Blocking, settle, sleep, WaitQueue } from '../types.ts';
import { traceName } from './exec.ts';
import type { Process, Task } from './task.ts';

export const CLONE = {
  VM: 0x100,
  FS: 0x200,
  FILES: 0x400,
  SIGHAND: 0x800,
  VFORK: 0x4000,
  PARENT: 0x8000,
  THREAD: 0x10000,
  SYSVSEM: 0x40000,
  SETTLS: 0x80000,
  PARENT_SETTID: 0x100000,
  CHILD_CLEARTID: 0x200000,
  CHILD_SETTID: 0x1000000,
  NEW_ANY: 0x7e020080,
} as const;

/**
 * clone(2).
 * @returns the child's id
 * @throws Errno EINVAL, EAGAIN (too many processes), ENOMEM
 */
export function* clone(
  kernel: Kernel,
  parent: Task,
  flags: number,
  stack: number,
  parentTid: number,
  tls: number,
  childTid: number,
): Blocking<number> {
  if (flags & CLONE.NEW_ANY) throw new Errno(E.INVAL);
  if (flags & CLONE.THREAD && !(flags & CLONE.SIGHAND)) throw new Errno(E.INVAL);
  if (flags & CLONE.SIGHAND && !(flags & CLONE.VM)) throw new Errno(E.INVAL);
  if (kernel.taskCount() >= kernel.tasksMax) throw new Errno(E.AGAIN);
  const process = parent.process;
  if (flags & CLONE.PARENT_SETTID) process.user.check(parentTid, 4, true);

  const thread = (flags & CLONE.THREAD) !== 0;
  if (!(flags & CLONE.VM) && process.mm.sharing !== null) yield* process.mm.sharing.gatherRange(0, USER_END);
  const mm = flags & CLONE.VM ? process.mm : process.mm.fork();
  if (flags & CLONE.VM && !thread) mm.users++;
  let tid: number;
  try {
    tid = thread
      ? yield* settle(kernel.origins.allocateTid(process))
      : yield* settle(kernel.origins.forked(process, flags & 0xff, (flags & CLONE.PARENT) !== 0));
  } catch (error) {
    if (!thread && --mm.users === 0) mm.destroy();
    throw error;
  }
  const childProcess: Process = thread
    ? process
    : {
        ...process,
        pid: tid,
        maker: flags & CLONE.PARENT ? process.maker : process.pid,
        mm,
        user: flags & CLONE.VM ? process.user : new UserMemory(mm, kernel.memory, kernel.processor),
        files: flags & CLONE.FILES ? process.files : process.files.clone(),
        fs: flags & CLONE.FS ? process.fs : { ...process.fs },
        actions:
          flags & CLONE.SIGHAND ? process.actions : process.actions.map(action => ({ ...action, mask: [action.mask[0], action.mask[1]] })),
        pending: new PendingSignals(),
        threads: new Set(),
        credentials: { ...process.credentials, groups: [...process.credentials.groups] },
        rlimits: new Map(process.rlimits),
        startTime: kernel.now,
        usedUser: 0,
        usedSystem: 0,
        itimer: null,
        itimerInterval: 0,
        exitStatus: null,
        vforkDone: null,
        isStopped: false,
      };
  if (flags & CLONE.FILES && !thread) kernel.shareFiles(process.files);
  const child = kernel.newTask(tid, childProcess, parent.core, [...parent.affinity]);
  child.blocked = [parent.blocked[0], parent.blocked[1]];
  child.nice = parent.nice;
  child.policy = parent.policy;
  child.vruntime = parent.vruntime;
  if (!(flags & CLONE.VM) || flags & CLONE.VFORK) child.altStack = { ...parent.altStack };

  // The child goes on behind the call, with 0 as its result.
  const hart = kernel.coreOf(parent).hart;
  hart.saveTo(child.registers);
  kernel.patchRegisters(child, { pc: hart.pc + 4, a0: 0, sp: stack === 0 ? null : stack, tp: flags & CLONE.SETTLS ? tls : null });
  if (flags & CLONE.PARENT_SETTID) process.user.setU32(parentTid, tid);
  if (flags & CLONE.CHILD_SETTID) {
    try {
      childProcess.user.setU32(childTid, tid);
    } catch {
      // As in Linux: the child finds out by itself.
    }
  }
  if (flags & CLONE.CHILD_CLEARTID) child.clearChildTid = childTid;
  kernel.charge(kernel.cost('fork'));
  kernel.trace(TraceKind.TaskNew, childProcess.pid, tid, process.pid, childProcess.origin);
  if (!thread) traceName(kernel, tid, childProcess.name);
  const done = flags & CLONE.VFORK && !thread ? new WaitQueue() : null;
  if (done !== null) childProcess.vforkDone = done;
  if (thread) {
    // It begins where its maker computes, as it would on the cores of its maker.
    child.place = parent.place;
    child.wantedCores = parent.wantedCores;
    child.work = child.place >= 0;
    kernel.migration.joined(child);
  }
  kernel.scheduler.enqueue(child);
  // The maker waits until the child has let go of its memory, whatever happens.
  while (done !== null && childProcess.vforkDone === done) yield* sleep([done], { interruptible: false });
  return tid;
}
