/**
 * What /proc shows, of all kernels: each answers for the processes that run with it or were born there.
 *
 *     a pid → its origin (the high bits) → the record there → its location → the process
 *
 * Always holds: a table about a process is made where the process is; its relations come from the origin.
 */
import { deviceTexts } from '../../machine/devices/devices.ts';
import { commandLine, type Partition, rangesText } from '../boot/parameters.ts';
import { E, Errno } from '../abi/errno.ts';
import { SIG_DFL, SIG_IGN } from '../abi/signal.ts';
import type { OpenFile } from '../fs/file.ts';
import { after } from '../fs/maybe.ts';
import type { AreaInfo, CoreInfo, DescriptorInfo, NodeInfo, ProcessInfo, ProcSource, SystemInfo } from '../fs/proc/source.ts';
import { type Kernel, latin1 } from '../kernel.ts';
import { M, MESSAGE_NAMES } from '../message/catalog.ts';
import { ALL } from '../message/multicast.ts';
import { PROT } from '../mm/vm-area.ts';
import { RELEASE, VERSION } from '../syscall/system.ts';
import { usedBy } from '../syscall/process.ts';
import type { Process, Task } from '../task/task.ts';
import { type Blocking, type CoreId, type KernelId, type Maybe, PAGE_SIZE, type Pid, settle } from '../types.ts';

/** What one kernel adds to the tables about the system. */
interface Part {
  readonly kernel: KernelId;
  readonly cores: readonly CoreInfo[];
  readonly nodes: readonly NodeInfo[];
  readonly total: number;
  readonly free: number;
  readonly switches: number;
  readonly interrupts: number;
  readonly forks: number;
  readonly running: number;
  readonly tasks: number;
}

type Table = (proc: ProcTables, pid: Pid) => unknown;

/** Index = number in the message. */
const TABLES = {
  pids: (p: ProcTables) => p.localPids(),
  process: (p: ProcTables, pid: Pid) => p.localProcess(pid),
  threads: (p: ProcTables, pid: Pid) => [...p.local(pid).threads].map(task => task.tid),
  threadInfos: (p: ProcTables, pid: Pid) => p.localThreads(pid),
  sharedPages: (p: ProcTables, pid: Pid) => p.sharedPagesHere(pid),
  areas: (p: ProcTables, pid: Pid) => p.localAreas(pid),
  argumentBytes: (p: ProcTables, pid: Pid) => p.strings(pid, 'argStart', 'argEnd'),
  environmentBytes: (p: ProcTables, pid: Pid) => p.strings(pid, 'envStart', 'envEnd'),
  paths: (p: ProcTables, pid: Pid) => p.localPaths(pid),
  descriptors: (p: ProcTables, pid: Pid) => p.localDescriptors(pid),
  limits: (p: ProcTables, pid: Pid) => p.localLimits(pid),
  part: (p: ProcTables) => p.localPart(),
} satisfies Record<string, Table>;
type TableName = keyof typeof TABLES;
const NAMES = Object.keys(TABLES) as TableName[];

const LIMITS = 16;

export class ProcTables implements ProcSource {
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  listen(): void {
    const { messages, image } = { messages: this.#kernel.messages, image: this.#kernel };
    messages.on(M.REMOTE_PROC_REQUEST, ({ request, what, pid }, { from }) => {
      image.image.serve(
        from,
        request,
        () => this.#answer(what, pid),
        (errno, data) => messages.send(from, M.REMOTE_PROC_RESPONSE, { request, errno, data: data ?? new Uint8Array(0) }),
      );
    });
    messages.on(M.REMOTE_PROC_RESPONSE, answer => messages.answered(answer.request, answer.errno === 0 ? answer : new Errno(answer.errno)));
  }

  *#answer(what: number, pid: Pid): Blocking<Uint8Array> {
    const name = NAMES[what];
    if (name === undefined) throw new Errno(E.INVAL);
    return latin1(JSON.stringify(yield* settle(this.#table(name, pid))));
  }

  /** A table, from wherever the process is. @throws Errno ESRCH EHOSTDOWN */
  #table(name: TableName, pid: Pid): Maybe<unknown> {
    const kernel = this.#kernel;
    if (pid === 0 || kernel.processes.has(pid)) return TABLES[name](this, pid);
    const origin = kernel.originOf(pid);
    const record = kernel.records.all.get(pid);
    const where = origin === kernel.id ? record?.location : origin;
    if (where === undefined || (origin !== kernel.id && !kernel.isPeer(origin))) throw new Errno(E.SRCH);
    if (where === kernel.id || record?.state === 'zombie') return TABLES[name](this, pid);
    return this.#ask(where, name, pid);
  }

  *#ask(kernel: KernelId, name: TableName, pid: Pid): Blocking<unknown> {
    return tableIn(
      yield* this.#kernel.messages.call(kernel, M.REMOTE_PROC_REQUEST, { what: NAMES.indexOf(name), pid }, M.REMOTE_PROC_RESPONSE),
    );
  }

  /** A table of every other kernel that is up, asked for by one message; of one that goes meanwhile there is none. Ascending by kernel. */
  *#askAll(name: TableName, partitions = false): Blocking<unknown[]> {
    const { messages, isFederated } = this.#kernel;
    // Of other systems a federation's kernel is told only what concerns the partitions.
    if (isFederated && !partitions) return [];
    const answers = yield* messages.mcastCall(ALL, M.REMOTE_PROC_REQUEST, { what: NAMES.indexOf(name), pid: 0 }, M.REMOTE_PROC_RESPONSE);
    return [...answers.values()].flatMap(answer => (answer instanceof Errno ? [] : [tableIn(answer)]));
  }

  // --- what is here --------------------------------------------------------------------------------------------------------------

  local(pid: Pid): Process {
    const process = this.#kernel.processes.get(pid);
    if (process === undefined) throw new Errno(E.SRCH);
    return process;
  }

  localPids(): Pid[] {
    return [...this.#kernel.records.all.values()].filter(record => record.hasStarted).map(record => record.pid);
  }

  *localProcess(pid: Pid, task: Task | null = null): Blocking<ProcessInfo | null> {
    const kernel = this.#kernel;
    const [, parent = 0, group = 0, session = 0, childrenUser = 0, childrenSystem = 0, terminal = 0, foreground = -1, , exitSignal = 17] =
      yield* settle(kernel.origins.ask(pid, 'relations'));
    // Looked for only now: it may have ended, or gone, while its origin was asked.
    const process = kernel.processes.get(pid);
    const relations = {
      parent,
      group,
      session,
      terminal,
      foreground,
      childrenUserCycles: childrenUser,
      childrenSystemCycles: childrenSystem,
      exitSignal,
    };
    if (process === undefined) return this.#zombie(pid, relations);
    const lead = task ?? kernel.tasks.get(pid) ?? ([...process.threads][0] as Task);
    const [userCycles, systemCycles] = task === null ? usedBy(process) : [task.usedUser, task.usedSystem];
    const { mm, credentials } = process;
    const bytesOf = (test: (area: { protection: number; label: string; backing: unknown }) => boolean): number =>
      mm.areas.list.filter(test).reduce((sum, area) => sum + area.end - area.start, 0);
    const caught: [number, number] = [0, 0];
    const ignored: [number, number] = [0, 0];
    for (let signal = 1; signal <= 64; signal++) {
      const handler = process.actions[signal]?.handler ?? SIG_DFL;
      const set = handler === SIG_IGN ? ignored : handler === SIG_DFL ? null : caught;
      if (set !== null) set[(signal - 1) >> 5] = ((set[(signal - 1) >> 5] as number) | (1 << ((signal - 1) & 31))) >>> 0;
    }
    return {
      pid,
      tid: lead.tid,
      name: process.name,
      state: kernel.threads.isOut(lead) ? 'R' : letterOf(lead),
      ...relations,
      minorFaults: mm.minorFaults,
      majorFaults: 0,
      userCycles,
      systemCycles,
      nice: lead.nice,
      threads: process.threads.size,
      startTime: process.startTime,
      virtualBytes: mm.size,
      residentPages: mm.resident,
      sharedPages: 0,
      textBytes: bytesOf(area => (area.protection & PROT.EXEC) !== 0),
      dataBytes: bytesOf(area => (area.protection & PROT.WRITE) !== 0 && area.label !== '[stack]'),
      stackBytes: bytesOf(area => area.label === '[stack]'),
      uids: [credentials.uid, credentials.euid, credentials.suid],
      gids: [credentials.gid, credentials.egid, credentials.sgid],
      groups: credentials.groups,
      umask: process.fs.umask,
      descriptors: [...process.files.list()].length,
      pending: setOf(lead.pending.all),
      sharedPending: setOf(process.pending.all),
      blocked: lead.blocked,
      ignored,
      caught,
      kernel: kernel.threads.kernelOf(lead),
      origin: process.origin,
      core: kernel.threads.isOut(lead) ? lead.placeCore : lead.core,
      affinity: lead.affinity,
      voluntarySwitches: lead.voluntarySwitches,
      involuntarySwitches: lead.involuntarySwitches,
      waitsIn: lead.state === 'asleep' && !kernel.threads.isOut(lead) ? 'schedule' : '',
    };
  }

  *localThreads(pid: Pid): Blocking<(ProcessInfo | null)[]> {
    const infos: (ProcessInfo | null)[] = [];
    for (const task of this.local(pid).threads) infos.push(yield* this.localProcess(pid, task));
    return infos;
  }

  sharedPagesHere(pid: Pid): string {
    return this.#kernel.threads.pagesText(this.local(pid));
  }

  #zombie(
    pid: Pid,
    relations: Pick<
      ProcessInfo,
      'parent' | 'group' | 'session' | 'terminal' | 'foreground' | 'childrenUserCycles' | 'childrenSystemCycles' | 'exitSignal'
    >,
  ): ProcessInfo | null {
    const record = this.#kernel.records.all.get(pid);
    if (record === undefined) return null;
    const none = [0, 0] as const;
    return {
      pid,
      tid: pid,
      name: record.name,
      state: record.state === 'zombie' ? 'Z' : 'D',
      ...relations,
      minorFaults: 0,
      majorFaults: 0,
      userCycles: record.usedUser,
      systemCycles: record.usedSystem,
      nice: 0,
      threads: 1,
      startTime: 0,
      virtualBytes: 0,
      residentPages: 0,
      sharedPages: 0,
      textBytes: 0,
      dataBytes: 0,
      stackBytes: 0,
      uids: [0, 0, 0],
      gids: [0, 0, 0],
      groups: [],
      umask: 0,
      descriptors: 0,
      pending: none,
      sharedPending: none,
      blocked: none,
      ignored: none,
      caught: none,
      kernel: record.location,
      origin: this.#kernel.id,
      core: this.#kernel.serviceCore.id,
      affinity: [],
      voluntarySwitches: 0,
      involuntarySwitches: 0,
      waitsIn: '',
    };
  }

  localAreas(pid: Pid): AreaInfo[] {
    const { mm } = this.local(pid);
    return mm.areas.list.map(area => {
      let resident = 0;
      mm.table.forEach(area.start, area.end, () => resident++);
      const inode = area.backing === null ? null : (fileOf(area.backing)?.inode ?? null);
      return {
        start: area.start,
        end: area.end,
        read: (area.protection & PROT.READ) !== 0,
        write: (area.protection & PROT.WRITE) !== 0,
        execute: (area.protection & PROT.EXEC) !== 0,
        shared: area.shared,
        offset: area.backing === null ? 0 : area.backingPage * PAGE_SIZE,
        device: inode?.device ?? 0,
        ino: inode?.ino ?? 0,
        path: area.backing?.path || area.label,
        residentPages: resident,
      };
    });
  }

  /** Strings that exec left on the stack, one byte a character. */
  strings(pid: Pid, from: 'argStart' | 'envStart', to: 'argEnd' | 'envEnd'): string {
    const process = this.#kernel.processes.get(pid);
    if (process === undefined) return '';
    const { mm } = process;
    try {
      let text = '';
      for (const byte of process.user.read(mm[from], Math.min(4096, mm[to] - mm[from]))) text += String.fromCharCode(byte);
      return text;
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      mm.sharing?.forgetMissed();
      return '';
    }
  }

  localPaths(pid: Pid): { executable: string; cwd: string; root: string } {
    const process = this.#kernel.processes.get(pid);
    if (process === undefined) return { executable: '', cwd: '', root: '' };
    return { executable: process.executable, cwd: process.fs.cwd.path(), root: process.fs.root.path() };
  }

  localDescriptors(pid: Pid): DescriptorInfo[] {
    const process = this.#kernel.processes.get(pid);
    if (process === undefined) return [];
    return [...process.files.list()].map(([fd, { file }]) => ({
      fd,
      path: file.dentry?.path() ?? file.label,
      position: file.position,
      flags: file.flags,
    }));
  }

  /** Infinity is -1 here: JSON has none. */
  localLimits(pid: Pid): [number, number][] {
    const { rlimits } = this.local(pid);
    const finite = (value: number): number => (Number.isFinite(value) ? value : -1);
    return Array.from({ length: LIMITS }, (_, resource) => (rlimits.get(resource) ?? [Infinity, Infinity]).map(finite) as [number, number]);
  }

  localPart(): Part {
    const kernel = this.#kernel;
    const { topology, now } = kernel;
    let switches = 0;
    const isOnline = new Set(kernel.cores);
    const cores = [...kernel.cores, ...kernel.offline].map((core): CoreInfo => {
      switches += core.switches;
      const place = topology.cores.find(each => each.id === core.id);
      const idle = Math.max(0, now - core.userCycles - core.systemCycles);
      return {
        core: core.id,
        online: isOnline.has(core),
        kernel: kernel.id,
        node: topology.nodes[core.node]?.id ?? 0,
        socket: place?.package ?? 0,
        coreInSocket: place?.core ?? 0,
        userCycles: core.userCycles,
        niceCycles: 0,
        systemCycles: core.systemCycles,
        idleCycles: idle,
        interrupts: kernel.messages.receivedCount,
      };
    });
    const nodes = kernel.frames.own.byNode().map(
      ({ node, free, total }): NodeInfo => ({
        node: topology.nodes[node]?.id ?? node,
        totalFrames: total,
        freeFrames: free,
        distances: topology.distances[node] ?? [],
      }),
    );
    let running = 0;
    for (const task of kernel.tasks.values()) if (task.state === 'running' || task.state === 'ready') running++;
    return {
      kernel: kernel.id,
      cores,
      nodes,
      total: kernel.frames.own.total,
      free: kernel.frames.own.free,
      switches,
      interrupts: kernel.messages.receivedCount,
      forks: kernel.forks,
      running,
      tasks: kernel.tasks.size,
    };
  }

  // --- ProcSource ----------------------------------------------------------------------------------------------------------------

  *pids(): Blocking<readonly Pid[]> {
    const all = this.localPids();
    for (const pids of yield* this.#askAll('pids')) all.push(...(pids as Pid[]));
    return all.sort((a, b) => a - b);
  }
  exists(pid: Pid): Maybe<boolean> {
    const kernel = this.#kernel;
    if (kernel.originOf(pid) === kernel.id) return kernel.records.all.has(pid);
    if (kernel.processes.has(pid)) return true;
    return after(this.process(pid), found => found !== null);
  }
  *process(pid: Pid): Blocking<ProcessInfo | null> {
    return (yield* this.#orNull('process', pid)) as ProcessInfo | null;
  }
  *threads(pid: Pid): Blocking<readonly Pid[]> {
    return ((yield* this.#orNull('threads', pid)) ?? [pid]) as readonly Pid[];
  }
  *thread(pid: Pid, tid: Pid): Blocking<ProcessInfo | null> {
    const infos = ((yield* this.#orNull('threadInfos', pid)) ?? []) as (ProcessInfo | null)[];
    return infos.find(info => info?.tid === tid) ?? null;
  }
  *areas(pid: Pid): Blocking<readonly AreaInfo[]> {
    return ((yield* this.#orNull('areas', pid)) ?? []) as readonly AreaInfo[];
  }
  *argumentBytes(pid: Pid): Blocking<Uint8Array> {
    return latin1(((yield* this.#orNull('argumentBytes', pid)) ?? '') as string);
  }
  *environmentBytes(pid: Pid): Blocking<Uint8Array> {
    return latin1(((yield* this.#orNull('environmentBytes', pid)) ?? '') as string);
  }
  auxiliaryBytes(): Uint8Array {
    return new Uint8Array(16);
  }
  *paths(pid: Pid): Blocking<{ executable: string; cwd: string; root: string }> {
    return ((yield* this.#orNull('paths', pid)) ?? { executable: '', cwd: '', root: '' }) as {
      executable: string;
      cwd: string;
      root: string;
    };
  }
  *descriptors(pid: Pid): Blocking<readonly DescriptorInfo[]> {
    return ((yield* this.#orNull('descriptors', pid)) ?? []) as readonly DescriptorInfo[];
  }
  openFile(pid: Pid, fd: number): OpenFile | null {
    const files = this.#kernel.processes.get(pid)?.files;
    return files?.has(fd) ? files.get(fd) : null;
  }
  *limits(pid: Pid): Blocking<readonly (readonly [number, number])[]> {
    const limits = ((yield* this.#orNull('limits', pid)) ?? []) as [number, number][];
    return limits.map(([soft, hard]) => [soft < 0 ? Infinity : soft, hard < 0 ? Infinity : hard]);
  }
  *#orNull(name: TableName, pid: Pid): Blocking<unknown> {
    try {
      return yield* settle(this.#table(name, pid) as Maybe<unknown>);
    } catch (error) {
      if (error instanceof Errno && (error.errno === E.SRCH || error.errno === E.HOSTDOWN)) return null;
      throw error;
    }
  }

  *migrate(pid: Pid, to: KernelId): Blocking<void> {
    yield* this.#kernel.migration.request(pid, to);
  }
  *migrateThread(pid: Pid, tid: Pid, to: KernelId): Blocking<void> {
    yield* this.#kernel.threads.request(pid, tid, to);
  }
  *sharedPages(pid: Pid): Blocking<string> {
    return ((yield* this.#orNull('sharedPages', pid)) ?? '') as string;
  }
  rename(pid: Pid, name: string): void {
    this.#kernel.setName(this.local(pid), name.slice(0, 15));
  }

  *system(): Blocking<SystemInfo> {
    const kernel = this.#kernel;
    const parts = [this.localPart(), ...((yield* this.#askAll('part')) as Part[])];
    const sum = (pick: (part: Part) => number): number => parts.reduce((total, part) => total + pick(part), 0);
    const nodes = new Map<number, NodeInfo>();
    for (const node of parts.flatMap(part => part.nodes)) {
      const known = nodes.get(node.node);
      nodes.set(
        node.node,
        known === undefined
          ? node
          : { ...known, totalFrames: known.totalFrames + node.totalFrames, freeFrames: known.freeFrames + node.freeFrames },
      );
    }
    const cores = parts.flatMap(part => part.cores).sort((a, b) => a.core - b.core);
    const [total, free] = [sum(part => part.total), sum(part => part.free)];
    return {
      cores: cores.filter(core => core.online),
      offline: cores.filter(core => !core.online),
      nodes: [...nodes.values()].sort((a, b) => a.node - b.node),
      totalFrames: total,
      freeFrames: free,
      cachedFrames: 0,
      sharedFrames: 0,
      kernelFrames: 0,
      pageTableFrames: 0,
      anonymousFrames: total - free,
      contextSwitches: sum(part => part.switches),
      interrupts: sum(part => part.interrupts),
      forks: sum(part => part.forks),
      running: sum(part => part.running),
      blocked: 0,
      tasks: sum(part => part.tasks),
      lastPid: Math.max(0, ...kernel.records.all.keys()),
      loads: [0, 0, 0],
      hertz: kernel.hertz,
      hostname: kernel.hostname,
      release: RELEASE,
      version: VERSION,
      commandLine: commandLine(kernel.parameters),
      pidMax: 128 << 15,
    };
  }
  interrupts(): { name: string; description: string; counts: number[] }[] {
    return [
      {
        name: 'IPI',
        description: 'kernel messages',
        counts: this.#kernel.cores.map((_, i) => (i === 0 ? this.#kernel.messages.receivedCount : 0)),
      },
      ...(this.#kernel.devices.isAttached('disk0')
        ? [{ name: '24', description: 'virtio0', counts: this.#kernel.cores.map((_, i) => (i === 0 ? this.#kernel.diskInterrupts : 0)) }]
        : []),
    ];
  }
  setHostname(name: string): void {
    this.#kernel.hostname = name;
  }
  logLines(): readonly { time: number; text: string }[] {
    return this.#kernel.logBook.lines;
  }

  popcornFiles(): readonly string[] {
    return ['kernels', 'control', 'plan', 'messages', 'pcnmsg', 'groups', 'balance', 'switch', 'link', 'files'];
  }
  popcornText(name: string): Maybe<string> {
    const kernel = this.#kernel;
    const { messages } = kernel;
    switch (name) {
      case 'kernels':
        return this.#kernelsText();
      case 'plan':
        return kernel.map.partitions
          .map(
            partition =>
              `${partition.kernel}: cores ${partition.cores.join(',')} memory ${partition.memory.map(range => `${range.bytes >>> 20}M@${range.node}`).join(',')}${devicesOf(partition)}\n`,
          )
          .join('');
      case 'control':
        return kernel.control.lastRefusal === '' ? '' : `${kernel.control.lastRefusal}\n`;
      case 'switch':
        return kernel.vnet.text;
      case 'link':
        return kernel.nic.text;
      case 'pcnmsg': {
        const { stalls, resent, bad } = messages.troubles;
        const { calls, backlog } = messages.outstanding;
        return `sent ${messages.sentCount}\nreceived ${messages.receivedCount}\nbacklog ${backlog}\ncalls ${calls}\nstalls ${stalls}\nresent ${resent}\nbad ${bad}\n`;
      }
      case 'files': {
        const { cache, delegations, counts } = kernel.image.files;
        const { inodes, pages } = cache.counts;
        const lines = {
          hits: cache.hits,
          misses: cache.misses,
          recalled: cache.recalled,
          inodes,
          pages,
          recalls: delegations.recalls,
          holdings: delegations.holdings,
          ...counts,
        };
        return Object.entries(lines)
          .map(([what, count]) => `${what} ${count}\n`)
          .join('');
      }
      case 'balance':
        return kernel.balancer.text;
      case 'groups':
        return messages.groups.list.map(([id, members]) => `${id >>> 8}/${id & 0xff}: ${members.join(' ')}\n`).join('');
      case 'messages':
        return `sent ${messages.sentCount}\nreceived ${messages.receivedCount}\n${[...MESSAGE_NAMES].map(([type, text]) => `${type} ${text}\n`).join('')}`;
      default:
        return '';
    }
  }
  *#kernelsText(): Blocking<string> {
    const kernel = this.#kernel;
    const parts = new Map([this.localPart(), ...((yield* this.#askAll('part', true)) as Part[])].map(part => [part.kernel, part]));
    const rows = kernel.map.partitions.map(({ kernel: id, cores, memory, devices }) => {
      const part = parts.get(id);
      const bytes = memory.reduce((sum, range) => sum + range.bytes, 0);
      const numbers = rangesText([...cores].sort((a, b) => a - b)) || '-';
      return `${String(id).padStart(6)}  ${part === undefined ? 'off' : 'up '}  ${numbers.padEnd(12)} ${`${bytes >>> 20}M`.padStart(6)}  ${`${part?.tasks ?? '-'}`.padEnd(5)}  ${deviceTexts(devices).join(',') || '-'}\n`;
    });
    return `kernel  state cores       memory  tasks  devices\n${rows.join('')}`;
  }
  *setOnline(core: CoreId, online: boolean): Blocking<void> {
    yield* this.#kernel.control.order(`${online ? 'online' : 'offline'} ${core}`);
  }
  *popcornWrite(name: string, text: string, by: Pid): Blocking<void> {
    if (name !== 'control') throw new Errno(E.ACCES);
    yield* this.#kernel.control.order(text, by);
  }
}

const devicesOf = ({ devices }: Partition): string => (devices.length === 0 ? '' : ` devices ${deviceTexts(devices).join(',')}`);

function tableIn({ data }: { readonly data: Uint8Array }): unknown {
  let text = '';
  for (const byte of data) text += String.fromCharCode(byte);
  return JSON.parse(text);
}

function fileOf(backing: object): OpenFile | null {
  return 'file' in backing ? (backing.file as OpenFile) : null;
}

function letterOf(task: Task): ProcessInfo['state'] {
  if (task.state === 'stopped') return 'T';
  if (task.state === 'asleep') return task.wait?.interruptible === false ? 'D' : 'S';
  return task.state === 'dead' ? 'X' : 'R';
}

function setOf(infos: readonly { signal: number }[]): [number, number] {
  const set: [number, number] = [0, 0];
  for (const { signal } of infos) set[(signal - 1) >> 5] = ((set[(signal - 1) >> 5] as number) | (1 << ((signal - 1) & 31))) >>> 0;
  return set;
}
