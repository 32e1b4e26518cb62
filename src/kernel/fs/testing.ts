/**
 * A kernel small enough for tests of the file system: frames, time, jobs and processes as plain values, and fibers one can watch.
 *
 *     const lab = new FsLab({ 'etc/motd': 'hello\n' });
 *     const reader = lab.start(() => calls.read(…));     runs until it sleeps
 *     lab.wake(); reader.result
 */
import { Locks } from './lock.ts';
import { Errno, E } from '../abi/errno.ts';
import { S } from '../abi/stat.ts';
import type { SyscallContext } from '../syscall/context.ts';
import { FILE_CALLS } from '../syscall/file.ts';
import type { Process, Task } from '../task/task.ts';
import { isBlocking, type Blocking, type Maybe, type Pfn, type Sleeper, type Wait, type WakeReason } from '../types.ts';
import { defaultActions } from '../signal/state.ts';
import { fromBytes, toBytes } from './bytes.ts';
import type { OpenFile } from './file.ts';
import { FileSystems } from './file-system.ts';
import { FileTable } from './file-table.ts';
import { Network } from '../net/network.ts';
import type { ProcessInfo, ProcSource, SystemInfo } from './proc/source.ts';
import type { FsServices } from './services.ts';

export const HERTZ = 1_000_000;

/** A newc archive of these files; a name that ends in '/' is a directory. */
export function cpio(files: Readonly<Record<string, string>>, mode = 0o100755): Uint8Array {
  const hex = (value: number): string => value.toString(16).padStart(8, '0');
  let text = '';
  const entry = (name: string, content: string, bits: number, ino: number): void => {
    text += `070701${[ino, bits, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0].map(hex).join('')}${name}\0`;
    while (text.length % 4) text += '\0';
    text += content;
    while (text.length % 4) text += '\0';
  };
  for (const [i, [name, content]] of Object.entries(files).entries()) {
    const link = content.startsWith('-> ');
    if (name.endsWith('/')) entry(name.slice(0, -1), '', S.IFDIR | 0o755, i + 1);
    else entry(name, link ? content.slice(3) : content, link ? S.IFLNK | 0o777 : mode, i + 1);
  }
  entry('TRAILER!!!', '', 0, 0);
  return toBytes(text);
}

/** A system call under way. */
export class Fiber implements Sleeper {
  result: number | null = null;
  errno: number | null = null;
  wait: Wait | null = null;
  reason: WakeReason | null = null;

  constructor(readonly steps: Blocking<number>) {
    this.go(null);
  }

  get done(): boolean {
    return this.result !== null || this.errno !== null;
  }

  wake(reason: WakeReason): void {
    this.reason ??= reason;
  }

  go(reason: WakeReason | null): void {
    this.reason = null;
    for (const queue of this.wait?.queues ?? []) queue.sleepers.delete(this);
    this.wait = null;
    try {
      const next = reason === null ? this.steps.next() : this.steps.next(reason);
      if (next.done) {
        this.result = next.value;
        return;
      }
      this.wait = next.value;
      for (const queue of next.value.queues) queue.sleepers.add(this);
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      this.errno = error.errno;
    }
  }
}

export class FsLab implements FsServices {
  readonly kernel = 0;
  readonly hertz = HERTZ;
  time = 0;
  readonly frames = new Map<Pfn, { bytes: Uint8Array; references: number }>();
  framesMax = 4096;
  #nextFrame = 1;
  #seed = 1;
  readonly signals: [target: number, signal: number][] = [];
  readonly logged: string[] = [];
  readonly sessions = new Map<number, { group: number; session: number }>();
  readonly orphans = new Set<number>();
  readonly printed: string[] = [];
  /** A stack whose events nobody runs. */
  readonly net = new Network({
    hertz: HERTZ,
    now: () => this.time,
    at: () => () => {},
    random: () => this.random(),
    spent: () => {},
  });
  readonly files: FileSystems;
  readonly fibers: Fiber[] = [];
  readonly contexts = new Map<number, SyscallContext>();
  /** User memory of every process: 256 KiB at address 4096. */
  readonly memory = new Uint8Array(1 << 19);

  constructor(content: Readonly<Record<string, string>> = {}) {
    this.files = new FileSystems(this, { console: bytes => this.printed.push(fromBytes(bytes)) });
    this.files.mountRoot(this.files.archiveRoot(cpio(content)));
    const mounting = this.files.mountStandard();
    if (!mounting.next().done) throw new Error('mounting a local root slept');
  }

  now(): number {
    return this.time;
  }
  charge(): void {}
  allocFrame(): Pfn {
    if (this.frames.size >= this.framesMax) throw new Errno(E.NOMEM);
    const pfn = this.#nextFrame++;
    this.frames.set(pfn, { bytes: new Uint8Array(4096), references: 1 });
    return pfn;
  }
  #frame(pfn: Pfn): { bytes: Uint8Array; references: number } {
    const frame = this.frames.get(pfn);
    if (!frame) throw new Error(`frame ${pfn} is free`);
    return frame;
  }
  retainFrame(pfn: Pfn): void {
    this.#frame(pfn).references++;
  }
  releaseFrame(pfn: Pfn): void {
    if (--this.#frame(pfn).references === 0) this.frames.delete(pfn);
  }
  frameBytes(pfn: Pfn): Uint8Array {
    return this.#frame(pfn).bytes;
  }
  readonly locks = new Locks();
  wroteFrame(): void {}
  cut(): void {}
  isLent(): boolean {
    return false;
  }
  frameCounts(): { total: number; free: number } {
    return { total: this.framesMax, free: this.framesMax - this.frames.size };
  }
  random(): number {
    return (this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0);
  }
  log(text: string): void {
    this.logged.push(text);
  }
  openRemoteTerminal(): null {
    return null;
  }
  replacedFrame(): void {}
  ownInode<T>(inode: T): T {
    return inode;
  }
  changing<T>(work: (claim: () => void) => T): T {
    return work(() => {});
  }
  isPeer(): boolean {
    return false;
  }
  farEpoll(): never {
    throw new Errno(E.NETDOWN);
  }
  watched(file: OpenFile): OpenFile {
    return file;
  }
  unwatched(): void {}
  farNetText(): never {
    throw new Errno(E.NETDOWN);
  }
  farSocket(): never {
    throw new Errno(E.NETDOWN);
  }
  farPort(): never {
    throw new Errno(E.HOSTDOWN);
  }
  farNames(): null {
    return null;
  }

  readonly jobs = {
    groupOf: (pid: number): number => this.sessions.get(pid)?.group ?? 0,
    sessionOf: (pid: number): number => this.sessions.get(pid)?.session ?? 0,
    signalGroup: (group: number, signal: number): void => {
      this.signals.push([group, signal]);
    },
    isOrphanedGroup: (group: number): boolean => this.orphans.has(group),
  };

  readonly proc: ProcSource = {
    setOnline: () => {},
    migrateThread: () => {},
    sharedPages: () => '',
    pids: () => [...this.contexts.keys()],
    exists: pid => this.contexts.has(pid),
    process: pid => (this.contexts.has(pid) ? sampleProcess(pid) : null),
    threads: pid => [pid],
    thread: pid => (this.contexts.has(pid) ? sampleProcess(pid) : null),
    areas: () => [
      {
        start: 0x10000,
        end: 0x12000,
        read: true,
        write: false,
        execute: true,
        shared: false,
        offset: 0,
        device: 0x10,
        ino: 5,
        path: '/bin/sh',
        residentPages: 1,
      },
      {
        start: 0x3fffff0000,
        end: 0x4000000000,
        read: true,
        write: true,
        execute: false,
        shared: false,
        offset: 0,
        device: 0,
        ino: 0,
        path: '[stack]',
        residentPages: 1,
      },
    ],
    argumentBytes: () => toBytes('sh\0-c\0'),
    environmentBytes: () => toBytes('HOME=/\0'),
    auxiliaryBytes: () => new Uint8Array(0),
    paths: () => ({ executable: '/bin/sh', cwd: '/', root: '/' }),
    descriptors: pid =>
      [...(this.contexts.get(pid)?.process.files.list() ?? [])].map(([fd, { file }]) => ({
        fd,
        path: file.dentry?.path() ?? file.label,
        position: file.position,
        flags: file.flags,
      })),
    openFile: (pid, fd) => this.contexts.get(pid)?.process.files.get(fd) ?? null,
    limits: () => [[Infinity, Infinity]],
    migrate: (pid, to) => {
      this.logged.push(`migrate ${pid} to ${to}`);
    },
    rename: () => {},
    system: () => sampleSystem(),
    interrupts: () => [{ name: 'IPI', description: 'messages', counts: [3, 4] }],
    setHostname: name => {
      this.logged.push(`hostname ${name}`);
    },
    logLines: () => [{ time: HERTZ, text: 'booted' }],
    popcornFiles: () => ['kernels'],
    popcornText: () => 'kernel 0 up\n',
    popcornWrite: (_file, text) => {
      this.logged.push(`popcorn ${text}`);
    },
  };

  /** A process with an empty file table. */
  process(pid = 1, group = pid, session = group): SyscallContext {
    this.sessions.set(pid, { group, session });
    const process = {
      pid,
      origin: 0,
      files: new FileTable(),
      fs: this.files.rootContext(),
      actions: defaultActions(),
      rlimits: new Map(),
      credentials: { uid: 0, gid: 0, euid: 0, egid: 0, suid: 0, sgid: 0, groups: [] },
    } as unknown as Process;
    const task = { tid: pid, process, blocked: [0, 0], restartDeadline: Number.NaN } as unknown as Task;
    const ctx: SyscallContext = {
      task,
      process,
      services: this,
      vfs: this.files.vfs,
      user: this.#user(),
      raise: signal => this.signals.push([pid, signal]),
      withSignalMask: (_mask, body) => body(),
    };
    this.contexts.set(pid, ctx);
    return ctx;
  }

  #user(): SyscallContext['user'] {
    const { memory } = this;
    const view = new DataView(memory.buffer);
    const check = (address: number, length: number): void => {
      if (length > 0 && !(address >= 4096 && address + length <= memory.length)) throw new Errno(E.FAULT);
    };
    const at = <T>(address: number, size: number, f: () => T): T => {
      check(address, size);
      return f();
    };
    return {
      check,
      read: (address, length) => at(address, length, () => memory.slice(address, address + length)),
      write: (address, bytes) =>
        at(address, bytes.length, () => {
          if (bytes.length > 0) memory.set(bytes, address);
        }),
      readString: (address, max = 4096) => {
        check(address, 1);
        const end = memory.indexOf(0, address);
        if (end - address >= max) throw new Errno(E.NAMETOOLONG);
        return fromBytes(memory.subarray(address, end));
      },
      getU32: address => at(address, 4, () => view.getUint32(address, true)),
      setU32: (address, value) => at(address, 4, () => view.setUint32(address, value, true)),
      getU64: address => at(address, 8, () => Number(view.getBigUint64(address, true))),
      getI64: address => at(address, 8, () => Number(view.getBigInt64(address, true))),
      setI64: (address, value) => at(address, 8, () => view.setBigInt64(address, BigInt(value), true)),
    };
  }

  #nextString = 4096;
  /** Puts text into user memory; returns its address. */
  text(text: string): number {
    const bytes = toBytes(`${text}\0`);
    if (this.#nextString + bytes.length > 65536) this.#nextString = 4096;
    const address = this.#nextString;
    this.memory.set(bytes, address);
    this.#nextString += (bytes.length + 7) & ~7;
    return address;
  }

  /** Makes a call that must not sleep; the result, or -errno. */
  call(ctx: SyscallContext, name: string, ...args: readonly (number | string)[]): number {
    const fiber = this.start(ctx, name, ...args);
    if (!fiber.done) throw new Error(`${name} sleeps`);
    return fiber.result ?? -(fiber.errno as number);
  }

  /** Starts a call that may sleep. */
  start(ctx: SyscallContext, name: string, ...args: readonly (number | string)[]): Fiber {
    const row = Object.values(FILE_CALLS).find(each => each.name === name);
    if (!row) throw new Error(`no call ${name}`);
    const [a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0] = args.map(arg => (typeof arg === 'string' ? this.text(arg) : arg));
    ctx.task.restartDeadline = Number.NaN;
    const fiber = new Fiber(run(() => row.handler(ctx, a0, a1, a2, a3, a4, a5)));
    if (!fiber.done) this.fibers.push(fiber);
    return fiber;
  }

  /** Lets everything run that was woken, until all sleep. */
  wake(): void {
    for (let ran = true; ran; ) {
      ran = false;
      for (const fiber of [...this.fibers]) {
        if (fiber.wait && fiber.wait.deadline <= this.time) fiber.wake('timeout');
        if (fiber.reason === null) continue;
        ran = true;
        fiber.go(fiber.reason);
        if (fiber.done) this.fibers.splice(this.fibers.indexOf(fiber), 1);
      }
    }
  }

  /** `length` bytes of user memory as text. */
  at(address: number, length: number): string {
    return fromBytes(this.memory.subarray(address, address + length));
  }

  /** Reads a whole file. */
  cat(ctx: SyscallContext, path: string): string {
    const fd = this.call(ctx, 'openat', -100, path, 0, 0);
    if (fd < 0) throw new Errno(-fd);
    let text = '';
    for (;;) {
      const count = this.call(ctx, 'read', fd, BUFFER, 4096);
      if (count <= 0) break;
      text += this.at(BUFFER, count);
    }
    this.call(ctx, 'close', fd);
    return text;
  }

  /** Makes a file with this content. */
  put(ctx: SyscallContext, path: string, content: string): void {
    const fd = this.call(ctx, 'openat', -100, path, 0o1101, 0o644);
    if (fd < 0) throw new Errno(-fd);
    this.memory.set(toBytes(content), BUFFER);
    this.call(ctx, 'write', fd, BUFFER, content.length);
    this.call(ctx, 'close', fd);
  }

  names(ctx: SyscallContext, path: string): string[] {
    const fd = this.call(ctx, 'openat', -100, path, 0o200000, 0);
    if (fd < 0) throw new Errno(-fd);
    const names: string[] = [];
    for (;;) {
      const count = this.call(ctx, 'getdents64', fd, BUFFER, 256);
      if (count < 0) throw new Errno(-count);
      if (count === 0) break;
      for (let at = BUFFER; at < BUFFER + count; at += this.memory[at + 16] as number) {
        names.push(fromBytes(this.memory.subarray(at + 19, this.memory.indexOf(0, at + 19))));
      }
    }
    this.call(ctx, 'close', fd);
    return names;
  }
}

/** Where tests put data: beyond the strings. */
export const BUFFER = 0x20000;

function* run(call: () => Maybe<number>): Blocking<number> {
  const result = call();
  return isBlocking(result) ? yield* result : result;
}

function sampleProcess(pid: number): ProcessInfo {
  return {
    pid,
    tid: pid,
    name: 'sh',
    state: 'S',
    parent: 0,
    group: pid,
    session: pid,
    terminal: 0,
    foreground: -1,
    minorFaults: 7,
    majorFaults: 0,
    userCycles: HERTZ,
    systemCycles: HERTZ / 2,
    childrenUserCycles: 0,
    childrenSystemCycles: 0,
    nice: 0,
    threads: 1,
    startTime: 2 * HERTZ,
    virtualBytes: 0x20000,
    residentPages: 10,
    sharedPages: 4,
    textBytes: 0x2000,
    dataBytes: 0x4000,
    stackBytes: 0x10000,
    exitSignal: 17,
    uids: [0, 0, 0],
    gids: [0, 0, 0],
    groups: [],
    umask: 0o22,
    descriptors: 3,
    pending: [0, 0],
    sharedPending: [0, 0],
    blocked: [0x10000, 0],
    ignored: [0, 0],
    caught: [2, 0],
    kernel: 0,
    origin: 0,
    core: 1,
    affinity: [0, 1],
    voluntarySwitches: 3,
    involuntarySwitches: 1,
    waitsIn: 'pipe_read',
  };
}

function sampleSystem(): SystemInfo {
  const core = {
    kernel: 0,
    node: 0,
    socket: 0,
    userCycles: HERTZ,
    niceCycles: 0,
    systemCycles: 0,
    idleCycles: HERTZ,
    interrupts: 0,
    online: true,
  };
  return {
    cores: [
      { ...core, core: 0, coreInSocket: 0 },
      { ...core, core: 1, coreInSocket: 1 },
    ],
    offline: [],
    nodes: [{ node: 0, totalFrames: 1024, freeFrames: 512, distances: [10] }],
    totalFrames: 1024,
    freeFrames: 512,
    cachedFrames: 100,
    sharedFrames: 10,
    kernelFrames: 50,
    pageTableFrames: 5,
    anonymousFrames: 200,
    contextSwitches: 9,
    interrupts: 7,
    forks: 4,
    running: 1,
    blocked: 0,
    tasks: 2,
    lastPid: 2,
    loads: [0.5, 0.25, 0],
    hertz: HERTZ,
    hostname: 'popcorn',
    release: '6.1.0-popcorn',
    version: '#1 SMP',
    commandLine: 'console=ttyS0',
    pidMax: 32768,
  };
}
