/**
 * A kernel's boot: from the start of its first core to its first program.
 *
 *     firmware, or another kernel → memory, cores → the root → check-in with those present → /init, or the program of `exec`
 *
 * Always holds: a line in the log says what has just been done, and with what result.
 */
import { E, Errno } from '../abi/errno.ts';
import { FileSystems } from '../fs/file-system.ts';
import { utf8 } from '../fs/bytes.ts';
import { FileTable } from '../fs/file-table.ts';
import type { OpenFile } from '../fs/file.ts';
import type { FileSystem } from '../fs/inode.ts';
import { HostInput, HostOutput } from '../fs/tty/host-port.ts';
import { O } from '../abi/fcntl.ts';
import { type Kernel, KernelState } from '../kernel.ts';
import { commandLine, rangesText } from './parameters.ts';
import { AddressSpace } from '../mm/address-space.ts';
import { UserMemory } from '../mm/user-memory.ts';
import { defaultActions, PendingSignals } from '../signal/state.ts';
import { RELEASE, VERSION } from '../syscall/system.ts';
import { Network, platformOf } from '../net/network.ts';
import { TUN_DEVICE, TunFile } from '../net/tun-file.ts';
import { SHMTUN_DEVICE, ShmtunFile } from '../net/switch/user.ts';
import { NotExecutable } from '../task/elf.ts';
import { load, traceName } from '../task/exec.ts';
import type { ProcessRecord } from '../task/record.ts';
import type { Process, Task } from '../task/task.ts';
import { TraceKind } from '../trace.ts';
import { type Blocking, PAGE_SIZE, settle, sleep } from '../types.ts';
import { fsServices } from './services.ts';

const INIT_ENV = ['PATH=/usr/bin:/bin:/usr/sbin:/sbin', 'HOME=/root', 'TERM=xterm-256color'];
const RLIMIT_STACK = 3;
const RLIMIT_NOFILE = 7;

export function* boot(kernel: Kernel): Blocking<void> {
  const { partition, topology } = kernel;
  const { by, present } = kernel.parameters;
  kernel.setState(KernelState.Booting, by);
  yield* sleep([], { deadline: kernel.now + kernel.cost('bootKernel'), interruptible: false });
  kernel.log(5, `Linux version ${RELEASE} (popcorn@lab) ${VERSION}`);
  kernel.log(6, `Command line: ${commandLine(kernel.parameters)}`);
  kernel.log(
    6,
    `Machine model: ${utf8(`${topology.model} (${topology.name})`)}, ${topology.cores.length} cores, ${topology.nodes.length} nodes`,
  );
  for (const core of partition.cores) kernel.traceCore(core, true);
  for (const range of partition.memory) {
    kernel.traceMemory(range, true);
    const end = range.base + range.bytes - 1;
    kernel.log(6, `  node ${range.node}: [mem ${hex(range.base)}-${hex(end)}] ${range.bytes >>> 20} MiB`);
  }
  kernel.charge(kernel.frames.own.total * kernel.cost('bootPerFrame'));
  const { total, free } = kernel.frames.own;
  kernel.log(6, `Memory: ${(free * PAGE_SIZE) / 1024}K/${(total * PAGE_SIZE) / 1024}K available`);
  kernel.log(
    6,
    `smp: cores ${rangesText(partition.cores)} of kernel ${kernel.id}${by === kernel.id ? ', started by firmware' : `, started by kernel ${by}`}`,
  );
  kernel.net = new Network(platformOf(kernel));
  kernel.log(6, 'NET: TCP/IP is up; lo has 127.0.0.1/8');
  kernel.files = new FileSystems(fsServices(kernel), { console: bytes => kernel.platform.output(kernel.now, 0, bytes) });
  const { devices } = kernel.vfs;
  devices.register('misc', TUN_DEVICE.major, TUN_DEVICE.minor, flags => new TunFile(kernel, flags));
  devices.register('misc', SHMTUN_DEVICE.major, SHMTUN_DEVICE.minor, flags => new ShmtunFile(kernel, flags));

  kernel.lifecycle.checkIn(present);
  if (present.length > 0)
    kernel.log(6, `popcorn: checked in with ${present.length} kernel${present.length > 1 ? 's' : ''}: ${rangesText(present)}`);
  if (kernel.isFederated || kernel.heirs.tree === kernel.id) {
    kernel.files.mountRoot(kernel.files.archiveRoot(kernel.platform.rootArchive));
    kernel.log(6, `rootfs: ${kernel.platform.rootArchive.length >>> 10} KiB archive mounted as /`);
  } else {
    kernel.files.mountRoot(yield* treeOf(kernel));
    kernel.log(6, `popcornfs: / of kernel ${kernel.heirs.tree} mounted`);
  }
  yield* kernel.files.mountStandard();
  kernel.vnet.start();
  yield* kernel.devices.start();
  kernel.hostname = kernel.isFederated ? `popcorn${kernel.id}` : 'popcorn';
  kernel.setState(KernelState.Up, by);
  kernel.lifecycle.startHeartbeat();
  kernel.balancer.isOn = kernel.parameters.balance;
  kernel.log(6, `Freeing unused kernel memory; process server is up`);
  yield* startFirst(kernel);
  kernel.vnet.ready(() => kernel.spawn(startDaemon(kernel, ['/sbin/tunnel'], INIT_ENV)));
  for (const { kernel: where, argv, env = INIT_ENV } of kernel.parameters.daemons ?? [])
    if (where === kernel.id) kernel.spawn(startDaemon(kernel, argv, env));
  const early = kernel.early ?? [];
  kernel.early = null;
  for (const take of early) take();
}

/** The one file tree, of whoever keeps it; should that kernel be about to go, of who has it next. */
function* treeOf(kernel: Kernel): Blocking<FileSystem> {
  for (;;) {
    try {
      return yield* kernel.image.files.root(kernel.heirs.tree);
    } catch (error) {
      if (!(error instanceof Errno) || error.errno !== E.HOSTDOWN) throw error;
      yield* sleep([], { deadline: kernel.now + kernel.hertz / 1000, interruptible: false });
    }
  }
}

/** /init on the console; or, with `exec`, a reserved init and the program as its child; or nothing, where another kernel has the program. */
function* startFirst(kernel: Kernel): Blocking<void> {
  const exec = kernel.parameters.exec?.kernel === kernel.id ? kernel.parameters.exec : null;
  if (exec === null && !kernel.parameters.init) return;
  const init = kernel.records.create(null, kernel.id);
  if (exec === null) {
    const files = new FileTable();
    const caller = kernel.files.kernelCaller();
    for (let fd = 0; fd < 3; fd++)
      files.set(fd, yield* settle(kernel.vfs.open(caller, kernel.vfs.root, '/dev/console', O.RDWR | O.NOCTTY)), false);
    yield* start(kernel, init, '/init', ['/init'], INIT_ENV, files, 0);
    return;
  }
  // The program starts on the machine as asked for: with all kernels that were started together.
  yield* kernel.lifecycle.allArrived();
  init.ignoresChildren = true;
  init.hasStarted = false;
  const record = kernel.records.create(init, kernel.id);
  kernel.records.newSession(record);
  kernel.program = record.pid;
  const { services } = kernel.files;
  kernel.stdin = new HostInput(services, kernel.vfs.newAnonymous());
  const output = (port: number): OpenFile =>
    new HostOutput(services, kernel.vfs.newAnonymous(), bytes => kernel.platform.output(kernel.now, port, bytes));
  const files = new FileTable();
  files.set(0, kernel.stdin, false);
  files.set(1, output(1), false);
  files.set(2, output(2), false);
  yield* start(kernel, record, exec.path, exec.argv, exec.env, files, exec.migrateEvery);
}

/** A program that nobody on this kernel has started, in a session of its own; what it says goes to the log. */
function* startDaemon(kernel: Kernel, argv: readonly string[], env: readonly string[]): Blocking<void> {
  let init = kernel.records.all.get((kernel.id << 15) | 1) ?? null;
  if (init === null) {
    init = kernel.records.create(null, kernel.id);
    init.ignoresChildren = true;
    init.hasStarted = false;
  }
  const record = kernel.records.create(init, kernel.id);
  kernel.records.newSession(record);
  const files = new FileTable();
  const caller = kernel.files.kernelCaller();
  for (const [fd, name] of ['/dev/null', '/dev/kmsg', '/dev/kmsg'].entries())
    files.set(fd, yield* settle(kernel.vfs.open(caller, kernel.vfs.root, name, fd === 0 ? O.RDONLY : O.WRONLY)), false);
  yield* start(kernel, record, argv[0] ?? '', argv, env, files, 0);
}

const REASONS: Readonly<Record<number, string>> = {
  [E.NOENT]: 'no such file',
  [E.ACCES]: 'not an executable file',
  [E.NOMEM]: 'not enough memory',
  [E.TOOBIG]: 'its arguments are too long',
  [E.NOTDIR]: 'a part of its path is no directory',
};

/** Makes a process out of nothing: what fork and exec do in one for the first program. */
function* start(
  kernel: Kernel,
  record: ProcessRecord,
  path: string,
  argv: readonly string[],
  env: readonly string[],
  files: FileTable,
  migrateEvery: number,
): Blocking<void> {
  const space = new AddressSpace(kernel.mm);
  const process: Process = {
    pid: record.pid,
    origin: kernel.id,
    maker: 0,
    mm: space,
    user: new UserMemory(space, kernel.memory, kernel.processor),
    files,
    fs: kernel.files.rootContext(),
    actions: defaultActions(),
    pending: new PendingSignals(),
    threads: new Set(),
    credentials: { uid: 0, gid: 0, euid: 0, egid: 0, suid: 0, sgid: 0, groups: [] },
    name: (path.split('/').at(-1) ?? path).slice(0, 15),
    executable: path,
    rlimits: new Map([
      [RLIMIT_STACK, [8 << 20, Infinity]],
      [RLIMIT_NOFILE, [1024, 4096]],
    ]),
    startTime: kernel.now,
    usedUser: 0,
    usedSystem: 0,
    itimer: null,
    itimerInterval: 0,
    exitStatus: null,
    vforkDone: null,
    migrateEvery,
    dumpable: 1,
    isStopped: false,
    outpost: null,
  };
  const own = kernel.cores.map(core => core.id);
  const task: Task = kernel.newTask(record.pid, process, own[0] as number, own);
  kernel.trace(TraceKind.TaskNew, process.pid, process.pid, record.parent?.pid ?? 0, kernel.id);
  traceName(kernel, process.pid, process.name);
  try {
    const program = yield* loadFound(kernel, task, path, argv, env);
    space.destroy();
    process.mm = program.space;
    process.user = program.user;
    process.executable = program.path;
    kernel.patchRegisters(task, { pc: program.pc, a0: 0, sp: program.sp, tp: null });
    record.hasExecuted = true;
    kernel.scheduler.enqueue(task);
  } catch (error) {
    if (!(error instanceof Errno)) throw error;
    kernel.log(2, `${path} can't be run: errno ${error.errno}`);
    for (const file of files.closeAll()) kernel.detach(file.release());
    kernel.tasks.delete(task.tid);
    kernel.processes.delete(process.pid);
    // As a shell has it: 127 not found, 126 found but not executable.
    const status = (error.errno === E.NOENT ? 127 : 126) << 8;
    if (kernel.program === record.pid) {
      const reason = error instanceof NotExecutable ? error.reason : (REASONS[error.errno] ?? `errno ${error.errno}`);
      kernel.platform.output(
        kernel.now,
        2,
        Uint8Array.from(`${path}: ${reason}\n`, c => c.charCodeAt(0)),
      );
    }
    kernel.records.exited(record, status, 0, 0);
    kernel.recordEnded(record, status);
  }
}

/** A name without a slash is looked for in PATH, as the `exec` verb's caller would expect. */
function* loadFound(kernel: Kernel, task: Task, path: string, argv: readonly string[], env: readonly string[]) {
  const places = path.includes('/')
    ? [path]
    : (env.find(text => text.startsWith('PATH='))?.slice(5) ?? '').split(':').map(place => `${place}/${path}`);
  for (const [i, place] of places.entries()) {
    try {
      return { ...(yield* load(kernel, task, place, argv, env)), path: place };
    } catch (error) {
      if (!(error instanceof Errno) || error.errno !== 2 || i === places.length - 1) throw error;
    }
  }
  throw new Errno(2);
}

const hex = (address: number): string => `0x${address.toString(16).padStart(9, '0')}`;
