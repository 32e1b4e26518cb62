/** Calls about processes and threads: their making and end, who they are, and what they belong to. */
import { E, Errno } from '../abi/errno.ts';
import { SI } from '../abi/signal.ts';
import { type Kernel, latin1 } from '../kernel.ts';
import { int64, type UserMemory } from '../mm/user-memory.ts';
import { exec } from '../task/exec.ts';
import { exitProcess, exitTask, prepareExit } from '../task/exit.ts';
import { clone } from '../task/fork.ts';
import { futexRequeue, futexWait, futexWake } from '../task/futex.ts';
import { kill } from '../task/origins.ts';
import { WAIT } from '../task/record.ts';
import { REGISTERS_SET } from '../kernel.ts';
import { type Blocking, type Cycles, type Maybe, settle } from '../types.ts';
import { after } from '../fs/maybe.ts';
import type { CallRow, SyscallContext, SyscallHandler } from './context.ts';
import { int, unsigned } from './file-common.ts';
import { durationOf } from './time.ts';

const full = (name: string, handler: SyscallHandler): CallRow => ({ name, handler, support: 'full' });
const partial = (name: string, handler: SyscallHandler, missing: string): CallRow => ({ name, handler, support: 'partial', missing });

const STRINGS_MAX = 0x20000;
const FUTEX = { WAIT: 0, WAKE: 1, REQUEUE: 3, CMP_REQUEUE: 4, WAIT_BITSET: 9, WAKE_BITSET: 10, MASK: 0x7f, CLOCK_REALTIME: 256 } as const;
const PR = {
  SET_PDEATHSIG: 1,
  GET_DUMPABLE: 3,
  SET_DUMPABLE: 4,
  GET_KEEPCAPS: 7,
  SET_NAME: 15,
  GET_NAME: 16,
  SET_NO_NEW_PRIVS: 38,
  GET_NO_NEW_PRIVS: 39,
} as const;
const P = { ALL: 0, PID: 1, PGID: 2 } as const;
const RLIMITS = 16;
const UNLIMITED = [0xffffffff, 0xffffffff] as const;

/** Pointers to strings up to a null pointer. */
function stringsAt(user: SyscallContext['user'], address: number): string[] {
  const strings: string[] = [];
  if (address === 0) return strings;
  for (let at = address; ; at += 8) {
    const pointer = user.getU64(at);
    if (pointer === 0) return strings;
    if (strings.length > STRINGS_MAX) throw new Errno(E.TOOBIG);
    strings.push(user.readString(pointer, STRINGS_MAX));
  }
}

/** struct rusage: times, then counts (resident maximum in KiB at 32, faults at 64, switches at 128 and 136). */
function writeUsage(
  user: UserMemory,
  address: number,
  userCycles: Cycles,
  systemCycles: Cycles,
  hertz: number,
  faults = 0,
  voluntary = 0,
  involuntary = 0,
): void {
  const bytes = new Uint8Array(144);
  const timeval = (cycles: Cycles, at: number): void => {
    const micros = Math.floor((cycles * 1e6) / hertz);
    bytes.set(int64(Math.floor(micros / 1e6)), at);
    bytes.set(int64(micros % 1e6), at + 8);
  };
  timeval(userCycles, 0);
  timeval(systemCycles, 16);
  bytes.set(int64(faults), 64);
  bytes.set(int64(voluntary), 128);
  bytes.set(int64(involuntary), 136);
  user.write(address, bytes);
}

export function processCalls(kernel: Kernel): Readonly<Record<number, CallRow>> {
  const relations = (ctx: SyscallContext, pid: number): Maybe<readonly number[]> =>
    kernel.origins.ask(pid === 0 ? ctx.process.pid : pid, 'relations');
  const relation =
    (index: number): SyscallHandler =>
    (ctx, pid) =>
      after(relations(ctx, int(pid)), list => list[index] as number);
  const credential =
    (name: 'uid' | 'euid' | 'gid' | 'egid'): SyscallHandler =>
    ctx =>
      ctx.process.credentials[name];

  function* wait(ctx: SyscallContext, which: number, options: number): Blocking<readonly number[]> {
    return yield* settle(kernel.origins.ask(ctx.process.pid, 'wait', which, options));
  }

  function* wait4(ctx: SyscallContext, which: number, statusAt: number, options: number, usageAt: number): Blocking<number> {
    if (options & ~(WAIT.NOHANG | WAIT.UNTRACED | WAIT.CONTINUED | 0x60000000)) throw new Errno(E.INVAL);
    const [pid = 0, status = 0, user = 0, system = 0] = yield* wait(ctx, int(which), options | WAIT.EXITED);
    if (pid === 0) return 0;
    if (statusAt !== 0) ctx.user.setU32(statusAt, status);
    if (usageAt !== 0) writeUsage(ctx.process.user, usageAt, user, system, kernel.hertz);
    return pid;
  }

  function* waitid(ctx: SyscallContext, type: number, id: number, infoAt: number, options: number, usageAt: number): Blocking<number> {
    const which = type === P.ALL ? -1 : type === P.PID ? int(id) : type === P.PGID ? -int(id) : Number.NaN;
    if (Number.isNaN(which) || (options & (WAIT.EXITED | WAIT.UNTRACED | WAIT.CONTINUED)) === 0) throw new Errno(E.INVAL);
    const [pid = 0, status = 0, user = 0, system = 0] = yield* wait(ctx, which, options);
    const info = new Uint8Array(128);
    const view = new DataView(info.buffer);
    if (pid !== 0) {
      const signal = status & 0x7f;
      const stopped = signal === 0x7f;
      const code =
        status === 0xffff
          ? SI.CLD_CONTINUED
          : stopped
            ? SI.CLD_STOPPED
            : signal === 0
              ? SI.CLD_EXITED
              : status & 0x80
                ? SI.CLD_DUMPED
                : SI.CLD_KILLED;
      view.setInt32(0, 17, true);
      view.setInt32(8, code, true);
      view.setInt32(16, pid, true);
      view.setInt32(24, status === 0xffff ? 18 : stopped || signal === 0 ? (status >> 8) & 0xff : signal, true);
    }
    if (infoAt !== 0) ctx.user.write(infoAt, info);
    if (usageAt !== 0) writeUsage(ctx.process.user, usageAt, user, system, kernel.hertz);
    return 0;
  }

  function* execve(ctx: SyscallContext, pathAt: number, argvAt: number, envAt: number): Blocking<number> {
    const path = ctx.user.readString(pathAt);
    return yield* exec(kernel, ctx.task, path, stringsAt(ctx.user, argvAt), stringsAt(ctx.user, envAt));
  }

  function futex(
    ctx: SyscallContext,
    address: number,
    operation: number,
    value: number,
    timeout: number,
    address2: number,
    value3: number,
  ): Maybe<number> {
    if (address % 4 !== 0) throw new Errno(E.INVAL);
    const deadline = (absolute: boolean): Cycles => {
      if (timeout === 0) return Number.POSITIVE_INFINITY;
      // Made again after an interruption, it ends when it would have ended.
      if (Number.isNaN(ctx.task.restartDeadline))
        ctx.task.restartDeadline = durationOf(kernel, ctx.user, timeout, absolute, (operation & FUTEX.CLOCK_REALTIME) !== 0);
      return ctx.task.restartDeadline;
    };
    switch (operation & FUTEX.MASK) {
      case FUTEX.WAIT:
        return futexWait(kernel, ctx.task, address, value, 0xffffffff, deadline(false));
      case FUTEX.WAIT_BITSET:
        return futexWait(kernel, ctx.task, address, value, value3, deadline(true));
      case FUTEX.WAKE:
        return futexWake(kernel, ctx.process, address, int(value), 0xffffffff);
      case FUTEX.WAKE_BITSET:
        return futexWake(kernel, ctx.process, address, int(value), value3);
      case FUTEX.REQUEUE:
        return futexRequeue(kernel, ctx.process, address, address2, int(value), int(timeout));
      case FUTEX.CMP_REQUEUE:
        if (ctx.user.getU32(address) !== unsigned(value3)) throw new Errno(E.AGAIN);
        return futexRequeue(kernel, ctx.process, address, address2, int(value), int(timeout));
      default:
        throw new Errno(E.NOSYS);
    }
  }

  function prctl(ctx: SyscallContext, option: number, argument: number): number {
    switch (option) {
      case PR.SET_NAME: {
        let name = '';
        for (let i = 0; i < 15; i++) {
          const byte = ctx.process.user.getU8(argument + i);
          if (byte === 0) break;
          name += String.fromCharCode(byte);
        }
        if (ctx.task.isLeader) kernel.setName(ctx.process, name);
        return 0;
      }
      case PR.GET_NAME:
        ctx.user.write(argument, latin1(ctx.process.name.padEnd(16, '\0')));
        return 0;
      case PR.GET_DUMPABLE:
        return ctx.process.dumpable;
      case PR.SET_DUMPABLE:
        ctx.process.dumpable = argument & 1;
        return 0;
      case PR.SET_PDEATHSIG:
      case PR.SET_NO_NEW_PRIVS:
      case PR.GET_KEEPCAPS:
      case PR.GET_NO_NEW_PRIVS:
        return 0;
      default:
        throw new Errno(E.INVAL);
    }
  }

  function* rlimit(ctx: SyscallContext, pid: number, resource: number, newAt: number, oldAt: number): Blocking<number> {
    if (resource < 0 || resource >= RLIMITS) throw new Errno(E.INVAL);
    const process = pid === 0 ? ctx.process : kernel.processes.get(pid);
    if (process === undefined) throw new Errno(E.SRCH);
    const old = process.rlimits.get(resource) ?? [Infinity, Infinity];
    const wanted = newAt === 0 ? null : ([limitAt(ctx, newAt), limitAt(ctx, newAt + 8)] as [number, number]);
    if (oldAt !== 0) {
      putLimit(ctx, oldAt, old[0]);
      putLimit(ctx, oldAt + 8, old[1]);
    }
    if (wanted !== null) {
      if (wanted[0] > wanted[1]) throw new Errno(E.INVAL);
      if (wanted[1] > old[1] && ctx.process.credentials.euid !== 0) throw new Errno(E.PERM);
      process.rlimits.set(resource, wanted);
      if (resource === 3) process.mm.stackLimit = Math.min(wanted[0], 64 << 20);
    }
    return 0;
  }

  function* usage(ctx: SyscallContext, who: number, address: number): Blocking<number> {
    const process = ctx.process;
    const { task } = ctx;
    if (int(who) === -1) {
      const [, , , , user = 0, system = 0] = yield* settle(relations(ctx, 0));
      writeUsage(process.user, address, user, system, kernel.hertz);
      return 0;
    }
    if (int(who) !== 0 && int(who) !== 1) throw new Errno(E.INVAL);
    const [user, system] = int(who) === 1 ? [task.usedUser, task.usedSystem] : usedBy(process);
    writeUsage(process.user, address, user, system, kernel.hertz, process.mm.minorFaults, task.voluntarySwitches, task.involuntarySwitches);
    return 0;
  }

  function* times(ctx: SyscallContext, address: number): Blocking<number> {
    const [, , , , childrenUser = 0, childrenSystem = 0] = yield* settle(relations(ctx, 0));
    const tick = (cycles: Cycles): number => Math.floor((cycles * 100) / kernel.hertz);
    if (address !== 0)
      [...usedBy(ctx.process), childrenUser, childrenSystem].forEach((cycles, i) => ctx.user.setI64(address + 8 * i, tick(cycles)));
    return tick(kernel.now);
  }

  /** setuid and its kin: -1 leaves a value; without privilege only values one has already. */
  const setIds =
    (ids: readonly ('uid' | 'euid' | 'suid' | 'gid' | 'egid' | 'sgid')[]): SyscallHandler =>
    (ctx, ...values) => {
      const { credentials } = ctx.process;
      const wanted = ids.map((_, i) => int(values[i] as number));
      if (credentials.euid !== 0) {
        const group = (ids[0] as string).includes('g');
        const own = group ? [credentials.gid, credentials.egid, credentials.sgid] : [credentials.uid, credentials.euid, credentials.suid];
        if (wanted.some(id => id !== -1 && !own.includes(id))) throw new Errno(E.PERM);
      }
      ids.forEach((name, i) => {
        if (wanted[i] !== -1) credentials[name] = wanted[i] as number;
      });
      return 0;
    };
  const setOne =
    (privileged: readonly ('uid' | 'euid' | 'suid' | 'gid' | 'egid' | 'sgid')[], plain: readonly ('euid' | 'egid')[]): SyscallHandler =>
    (ctx, id) =>
      setIds(ctx.process.credentials.euid === 0 ? privileged : plain)(ctx, id, id, id, 0, 0, 0);
  const threeIds =
    (names: readonly ('uid' | 'euid' | 'suid' | 'gid' | 'egid' | 'sgid')[]): SyscallHandler =>
    (ctx, ...at) => {
      names.forEach((name, i) => ctx.user.setU32(at[i] as number, ctx.process.credentials[name]));
      return 0;
    };

  return {
    90: partial(
      'capget',
      (ctx, header, data) => {
        ctx.user.setU32(header, 0x20080522);
        if (data !== 0) ctx.user.write(data, new Uint8Array(24).fill(ctx.process.credentials.euid === 0 ? 0xff : 0));
        return 0;
      },
      'All capabilities for user 0, none for others.',
    ),
    92: partial('personality', () => 0, 'Only the one of Linux.'),
    93: full('exit', (ctx, code) => {
      prepareExit(ctx.task);
      exitTask(kernel, ctx.task, (code & 0xff) << 8);
      return 0;
    }),
    94: full('exit_group', (ctx, code) => {
      prepareExit(ctx.task);
      exitProcess(kernel, ctx.process, (code & 0xff) << 8);
      return 0;
    }),
    95: full('waitid', waitid),
    96: full('set_tid_address', (ctx, address) => {
      ctx.task.clearChildTid = address;
      return ctx.task.tid;
    }),
    98: partial('futex', futex, 'No priority inheritance, no wake-op.'),
    99: full('set_robust_list', (ctx, head, length) => {
      if (length !== 24) throw new Errno(E.INVAL);
      ctx.task.robustList = head;
      return 0;
    }),
    100: full('get_robust_list', (ctx, _pid, headAt, lengthAt) => {
      ctx.user.setI64(headAt, ctx.task.robustList);
      ctx.user.setI64(lengthAt, 24);
      return 0;
    }),
    143: full('setregid', setIds(['gid', 'egid'])),
    144: full('setgid', setOne(['gid', 'egid', 'sgid'], ['egid'])),
    145: full('setreuid', setIds(['uid', 'euid'])),
    146: full('setuid', setOne(['uid', 'euid', 'suid'], ['euid'])),
    147: full('setresuid', setIds(['uid', 'euid', 'suid'])),
    148: full('getresuid', threeIds(['uid', 'euid', 'suid'])),
    149: full('setresgid', setIds(['gid', 'egid', 'sgid'])),
    150: full('getresgid', threeIds(['gid', 'egid', 'sgid'])),
    153: full('times', times),
    154: full('setpgid', (ctx, pid, group) => after(kernel.origins.ask(ctx.process.pid, 'setGroup', int(pid), int(group)), () => 0)),
    155: full('getpgid', relation(2)),
    156: full('getsid', relation(3)),
    157: full('setsid', ctx => after(kernel.origins.ask(ctx.process.pid, 'newSession'), ([session = 0]) => session)),
    158: full('getgroups', (ctx, size, address) => {
      const { groups } = ctx.process.credentials;
      if (size === 0) return groups.length;
      if (size < groups.length) throw new Errno(E.INVAL);
      groups.forEach((group, i) => ctx.user.setU32(address + 4 * i, group));
      return groups.length;
    }),
    159: full('setgroups', (ctx, size, address) => {
      if (ctx.process.credentials.euid !== 0) throw new Errno(E.PERM);
      if (size < 0 || size > 65536) throw new Errno(E.INVAL);
      ctx.process.credentials.groups = Array.from({ length: size }, (_, i) => ctx.user.getU32(address + 4 * i));
      return 0;
    }),
    163: full('getrlimit', (ctx, resource, address) => rlimit(ctx, 0, resource, 0, address)),
    164: full('setrlimit', (ctx, resource, address) => rlimit(ctx, 0, resource, address, 0)),
    165: full('getrusage', usage),
    167: partial('prctl', prctl, 'Names, dumpable, and what can be ignored.'),
    172: full('getpid', ctx => ctx.process.pid),
    173: full('getppid', ctx => after(relations(ctx, 0), list => list[1] as number)),
    174: full('getuid', credential('uid')),
    175: full('geteuid', credential('euid')),
    176: full('getgid', credential('gid')),
    177: full('getegid', credential('egid')),
    178: full('gettid', ctx => ctx.task.tid),
    220: full('clone', (ctx, flags, stack, parentTid, tls, childTid) => clone(kernel, ctx.task, flags, stack, parentTid, tls, childTid)),
    221: full('execve', execve),
    129: full('kill', (ctx, pid, signal) => kill(kernel, ctx.process, int(pid), int(signal))),
    260: full('wait4', wait4),
    261: full('prlimit64', rlimit),
  };
}

/** Cycles that all threads of a process have used here. */
export function usedBy(process: SyscallContext['process']): [user: Cycles, system: Cycles] {
  let [user, system] = [process.usedUser, process.usedSystem];
  for (const task of process.threads) {
    user += task.usedUser;
    system += task.usedSystem;
  }
  return [user, system];
}

function limitAt(ctx: SyscallContext, address: number): number {
  const low = ctx.user.getU32(address);
  const high = ctx.user.getU32(address + 4);
  return low === UNLIMITED[0] && high === UNLIMITED[1] ? Infinity : high * 2 ** 32 + low;
}
function putLimit(ctx: SyscallContext, address: number, limit: number): void {
  const [low, high] = Number.isFinite(limit) ? [limit >>> 0, Math.floor(limit / 2 ** 32)] : UNLIMITED;
  ctx.user.setU32(address, low);
  ctx.user.setU32(address + 4, high);
}

/** The number that tells `finishSyscall` to leave the registers alone, for calls defined elsewhere. */
export { REGISTERS_SET };
