/**
 * What /proc and /sys show, as plain data. The kernel implements it; a process of another kernel costs a message, hence `Maybe`.
 *
 * Always holds: nothing here is formatted. The formats are Linux's and stand in `process.ts` and `system.ts`.
 */
import type { CoreId, Cycles, KernelId, Maybe, Pid } from '../../types.ts';
import type { OpenFile } from '../file.ts';

/** R running, S sleeping, D uninterruptible, T stopped, Z zombie, X dead. */
export type StateLetter = 'R' | 'S' | 'D' | 'T' | 'Z' | 'X';

/** A process, or one of its threads. */
export interface ProcessInfo {
  readonly pid: Pid;
  readonly tid: Pid;
  readonly name: string;
  readonly state: StateLetter;
  readonly parent: Pid;
  readonly group: Pid;
  readonly session: Pid;
  /** Device number of the controlling terminal, 0 for none. */
  readonly terminal: number;
  /** Foreground group of that terminal, -1 for none. */
  readonly foreground: number;
  readonly minorFaults: number;
  readonly majorFaults: number;
  readonly userCycles: Cycles;
  readonly systemCycles: Cycles;
  readonly childrenUserCycles: Cycles;
  readonly childrenSystemCycles: Cycles;
  readonly nice: number;
  readonly threads: number;
  readonly startTime: Cycles;
  readonly virtualBytes: number;
  readonly residentPages: number;
  readonly sharedPages: number;
  readonly textBytes: number;
  readonly dataBytes: number;
  readonly stackBytes: number;
  readonly exitSignal: number;
  readonly uids: readonly [real: number, effective: number, saved: number];
  readonly gids: readonly [real: number, effective: number, saved: number];
  readonly groups: readonly number[];
  readonly umask: number;
  readonly descriptors: number;
  /** Signal sets as two words: signals 1–32, 33–64. */
  readonly pending: readonly [number, number];
  readonly sharedPending: readonly [number, number];
  readonly blocked: readonly [number, number];
  readonly ignored: readonly [number, number];
  readonly caught: readonly [number, number];
  readonly kernel: KernelId;
  readonly origin: KernelId;
  readonly core: CoreId;
  readonly affinity: readonly CoreId[];
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
  /** What it sleeps in, for wchan; '' when it runs. */
  readonly waitsIn: string;
}

export interface AreaInfo {
  readonly start: number;
  readonly end: number;
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
  readonly shared: boolean;
  readonly offset: number;
  readonly device: number;
  readonly ino: number;
  /** File, '[heap]', '[stack]', '[vdso]' or ''. */
  readonly path: string;
  readonly residentPages: number;
}

export interface DescriptorInfo {
  readonly fd: number;
  /** Where the link in /proc/PID/fd points. */
  readonly path: string;
  readonly position: number;
  readonly flags: number;
}

export interface CoreInfo {
  readonly core: CoreId;
  readonly kernel: KernelId;
  readonly node: number;
  readonly socket: number;
  readonly online: boolean;
  /** Number within the package, as in core_id. */
  readonly coreInSocket: number;
  readonly userCycles: Cycles;
  readonly niceCycles: Cycles;
  readonly systemCycles: Cycles;
  readonly idleCycles: Cycles;
  readonly interrupts: number;
}

export interface NodeInfo {
  readonly node: number;
  readonly totalFrames: number;
  readonly freeFrames: number;
  /** To every node, this one included, as in the ACPI table (10 = local). */
  readonly distances: readonly number[];
}

/** All cores and memory of the system that this kernel is part of (with one system image: of all its kernels). */
export interface SystemInfo {
  /** Those that are online. */
  readonly cores: readonly CoreInfo[];
  readonly offline: readonly CoreInfo[];
  readonly nodes: readonly NodeInfo[];
  readonly totalFrames: number;
  readonly freeFrames: number;
  /** Frames that hold contents of files. */
  readonly cachedFrames: number;
  readonly sharedFrames: number;
  readonly kernelFrames: number;
  readonly pageTableFrames: number;
  readonly anonymousFrames: number;
  readonly contextSwitches: number;
  readonly interrupts: number;
  readonly forks: number;
  readonly running: number;
  readonly blocked: number;
  readonly tasks: number;
  readonly lastPid: Pid;
  readonly loads: readonly [number, number, number];
  readonly hertz: number;
  readonly hostname: string;
  readonly release: string;
  readonly version: string;
  readonly commandLine: string;
  readonly pidMax: number;
}

export interface InterruptInfo {
  readonly name: string;
  readonly description: string;
  /** By core, in the order of SystemInfo.cores. */
  readonly counts: readonly number[];
}

export interface ProcSource {
  /** Processes of the whole system, ascending. */
  pids(): Maybe<readonly Pid[]>;
  /** Whether the process is there; cheaper than `process`. */
  exists(pid: Pid): Maybe<boolean>;
  /** null when it is gone. */
  process(pid: Pid): Maybe<ProcessInfo | null>;
  threads(pid: Pid): Maybe<readonly Pid[]>;
  thread(pid: Pid, tid: Pid): Maybe<ProcessInfo | null>;
  areas(pid: Pid): Maybe<readonly AreaInfo[]>;
  /** NUL-terminated strings as they stand in the process's memory. */
  argumentBytes(pid: Pid): Maybe<Uint8Array>;
  environmentBytes(pid: Pid): Maybe<Uint8Array>;
  auxiliaryBytes(pid: Pid): Maybe<Uint8Array>;
  /** Absolute paths; '' when there is none (a zombie). */
  paths(pid: Pid): Maybe<{ readonly executable: string; readonly cwd: string; readonly root: string }>;
  descriptors(pid: Pid): Maybe<readonly DescriptorInfo[]>;
  /** The open file itself, if the process is on this kernel; else null. */
  openFile(pid: Pid, fd: number): OpenFile | null;
  /** By number (RLIMIT_*): [soft, hard], Infinity for no limit. */
  limits(pid: Pid): Maybe<readonly (readonly [number, number])[]>;
  /** Moves the process to another kernel: what writing to /proc/PID/kernel asks for. Throws Errno. */
  migrate(pid: Pid, to: KernelId): Maybe<void>;
  /** Has one thread compute on another kernel: what writing to /proc/PID/task/TID/kernel asks for. Throws Errno. */
  migrateThread(pid: Pid, tid: Pid, to: KernelId): Maybe<void>;
  /** Pages that threads on several kernels share, a line each: address, state (M, S), kernels. */
  sharedPages(pid: Pid): Maybe<string>;
  rename(pid: Pid, name: string): Maybe<void>;

  system(): Maybe<SystemInfo>;
  interrupts(): Maybe<readonly InterruptInfo[]>;
  setHostname(name: string): Maybe<void>;
  /** The kernel's log, for /dev/kmsg and /proc/kmsg: one line an entry, with its time. */
  logLines(): readonly { readonly time: Cycles; readonly text: string }[];
  /** Files of /proc/popcorn: kernels, plan, messages, control, pcnmsg… */
  popcornFiles(): readonly string[];
  popcornText(file: string): Maybe<string>;
  /** A command written to one of them. Throws Errno(E.INVAL) for what it doesn't know. */
  /** @param by who writes */
  popcornWrite(file: string, text: string, by: Pid): Maybe<void>;
  /** Takes a core into use or out of use: what writing to /sys/devices/system/cpu/cpuN/online asks for. Throws Errno. */
  setOnline(core: CoreId, online: boolean): Maybe<void>;
}
