/** /proc/PID: one process, in the formats of Linux (fs/proc/array.c, task_mmu.c, base.c). */
import { E, Errno } from '../../abi/errno.ts';
import type { Cycles, Maybe, Pid } from '../../types.ts';
import { after } from '../maybe.ts';
import { PAGE_SIZE } from '../../types.ts';
import { majorOf, minorOf } from '../../abi/stat.ts';
import { fixedDirectory, link, textFile, type GeneratedDirectory, type GeneratedNode, type Owner } from './generated.ts';
import type { AreaInfo, ProcessInfo, ProcSource, StateLetter } from './source.ts';

/** Clock ticks per second in /proc (USER_HZ). */
const TICKS_PER_SECOND = 100;
export const ticks = (cycles: Cycles, hertz: number): number => Math.floor((cycles * TICKS_PER_SECOND) / hertz);

const STATE_NAMES: Readonly<Record<StateLetter, string>> = {
  R: 'running',
  S: 'sleeping',
  D: 'disk sleep',
  T: 'stopped',
  Z: 'zombie',
  X: 'dead',
};
const RLIM_INFINITY = '18446744073709551615';

/** A signal set as 16 hexadecimal digits. */
const setText = ([low, high]: readonly [number, number]): string =>
  (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0');
/** The part of a set that /proc/PID/stat shows as a decimal number. */
const low31 = ([low]: readonly [number, number]): number => low & 0x7fffffff;

export function statText(p: ProcessInfo, hertz: number): string {
  const fields = [
    p.state,
    p.parent,
    p.group,
    p.session,
    p.terminal,
    p.foreground,
    0x400000,
    p.minorFaults,
    0,
    p.majorFaults,
    0,
    ticks(p.userCycles, hertz),
    ticks(p.systemCycles, hertz),
    ticks(p.childrenUserCycles, hertz),
    ticks(p.childrenSystemCycles, hertz),
    20 + p.nice,
    p.nice,
    p.threads,
    0,
    ticks(p.startTime, hertz),
    p.virtualBytes,
    p.residentPages,
    RLIM_INFINITY,
    0,
    0,
    0,
    0,
    0,
    low31(p.pending),
    low31(p.blocked),
    low31(p.ignored),
    low31(p.caught),
    p.waitsIn === '' ? 0 : 1,
    0,
    0,
    p.exitSignal,
    p.core,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
  ];
  return `${p.tid} (${p.name}) ${fields.join(' ')}\n`;
}

export function statusText(p: ProcessInfo): string {
  const kib = (bytes: number): string => `${String(Math.floor(bytes / 1024)).padStart(8)} kB`;
  const ids = ([real, effective, saved]: readonly [number, number, number]): string => `${real}\t${effective}\t${saved}\t${effective}`;
  const memory =
    p.state === 'Z'
      ? []
      : [
          `VmPeak:\t${kib(p.virtualBytes)}`,
          `VmSize:\t${kib(p.virtualBytes)}`,
          `VmLck:\t${kib(0)}`,
          `VmPin:\t${kib(0)}`,
          `VmHWM:\t${kib(p.residentPages * PAGE_SIZE)}`,
          `VmRSS:\t${kib(p.residentPages * PAGE_SIZE)}`,
          `RssAnon:\t${kib((p.residentPages - p.sharedPages) * PAGE_SIZE)}`,
          `RssFile:\t${kib(p.sharedPages * PAGE_SIZE)}`,
          `RssShmem:\t${kib(0)}`,
          `VmData:\t${kib(p.dataBytes)}`,
          `VmStk:\t${kib(p.stackBytes)}`,
          `VmExe:\t${kib(p.textBytes)}`,
          `VmLib:\t${kib(0)}`,
          `VmPTE:\t${kib(0)}`,
          `VmSwap:\t${kib(0)}`,
        ];
  return [
    `Name:\t${p.name}`,
    `Umask:\t${p.umask.toString(8).padStart(4, '0')}`,
    `State:\t${p.state} (${STATE_NAMES[p.state]})`,
    `Tgid:\t${p.pid}`,
    `Ngid:\t0`,
    `Pid:\t${p.tid}`,
    `PPid:\t${p.parent}`,
    `TracerPid:\t0`,
    `Uid:\t${ids(p.uids)}`,
    `Gid:\t${ids(p.gids)}`,
    `FDSize:\t${Math.max(64, p.descriptors)}`,
    `Groups:\t${p.groups.map(group => `${group} `).join('')}`,
    `NStgid:\t${p.pid}`,
    `NSpid:\t${p.tid}`,
    `NSpgid:\t${p.group}`,
    `NSsid:\t${p.session}`,
    ...memory,
    `Threads:\t${p.threads}`,
    `SigQ:\t0/1024`,
    `SigPnd:\t${setText(p.pending)}`,
    `ShdPnd:\t${setText(p.sharedPending)}`,
    `SigBlk:\t${setText(p.blocked)}`,
    `SigIgn:\t${setText(p.ignored)}`,
    `SigCgt:\t${setText(p.caught)}`,
    ...['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map(
      name =>
        `${name}:\t${name === 'CapInh' || name === 'CapAmb' || (p.uids[1] !== 0 && name !== 'CapBnd') ? '0'.repeat(16) : '000001ffffffffff'}`,
    ),
    `NoNewPrivs:\t0`,
    `Seccomp:\t0`,
    `Cpus_allowed:\t${maskText(p.affinity)}`,
    `Cpus_allowed_list:\t${listText(p.affinity)}`,
    `Mems_allowed:\t1`,
    `Mems_allowed_list:\t0`,
    `voluntary_ctxt_switches:\t${p.voluntarySwitches}`,
    `nonvoluntary_ctxt_switches:\t${p.involuntarySwitches}`,
    '',
  ].join('\n');
}

/** "0-3,8": a set of numbers as Linux writes cpulists. */
export function listText(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const number of sorted) {
    const last = runs[runs.length - 1];
    if (last && last[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

/** "ffffffff,ffffffff": a set of numbers as Linux writes cpumasks. */
export function maskText(numbers: readonly number[]): string {
  const words = [0];
  for (const number of numbers) {
    while (words.length <= number >> 5) words.push(0);
    words[number >> 5] = ((words[number >> 5] as number) | (1 << (number & 31))) >>> 0;
  }
  return words
    .map(word => word.toString(16).padStart(8, '0'))
    .reverse()
    .join(',');
}

function areaLine(area: AreaInfo): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  const flags = (area.read ? 'r' : '-') + (area.write ? 'w' : '-') + (area.execute ? 'x' : '-') + (area.shared ? 's' : 'p');
  const head = `${hex(area.start, 8)}-${hex(area.end, 8)} ${flags} ${hex(area.offset, 8)} ${hex(majorOf(area.device), 2)}:${hex(minorOf(area.device), 2)} ${area.ino} `;
  return area.path === '' ? `${head}\n` : `${head.padEnd(73)}${area.path}\n`;
}

function smapsText(areas: readonly AreaInfo[]): string {
  const kib = (pages: number): string => `${String(pages * (PAGE_SIZE / 1024)).padStart(8)} kB`;
  return areas
    .map(area => {
      const rows = {
        Size: (area.end - area.start) / PAGE_SIZE,
        KernelPageSize: 1,
        MMUPageSize: 1,
        Rss: area.residentPages,
        Pss: area.residentPages,
      };
      return (
        areaLine(area) +
        Object.entries(rows)
          .map(([name, pages]) => `${`${name}:`.padEnd(16)}${kib(pages)}\n`)
          .join('')
      );
    })
    .join('');
}

const LIMIT_ROWS: readonly (readonly [number, string, string])[] = [
  [0, 'Max cpu time', 'seconds'],
  [1, 'Max file size', 'bytes'],
  [2, 'Max data size', 'bytes'],
  [3, 'Max stack size', 'bytes'],
  [4, 'Max core file size', 'bytes'],
  [5, 'Max resident set', 'bytes'],
  [6, 'Max processes', 'processes'],
  [7, 'Max open files', 'files'],
  [8, 'Max locked memory', 'bytes'],
  [9, 'Max address space', 'bytes'],
  [10, 'Max file locks', 'locks'],
  [11, 'Max pending signals', 'signals'],
  [12, 'Max msgqueue size', 'bytes'],
  [13, 'Max nice priority', ''],
  [14, 'Max realtime priority', ''],
  [15, 'Max realtime timeout', 'us'],
];

export function limitsText(limits: readonly (readonly [number, number])[]): string {
  const value = (limit: number | undefined): string =>
    (limit === undefined || !Number.isFinite(limit) ? 'unlimited' : String(limit)).padEnd(20);
  const head = `${'Limit'.padEnd(25)} ${'Soft Limit'.padEnd(20)} ${'Hard Limit'.padEnd(20)} ${'Units'.padEnd(10)}\n`;
  return (
    head +
    LIMIT_ROWS.map(
      ([number, name, unit]) => `${name.padEnd(25)} ${value(limits[number]?.[0])} ${value(limits[number]?.[1])} ${unit.padEnd(10)}\n`,
    ).join('')
  );
}

/** The files of /proc/PID, or of one thread of it. */
/** `net`: what a process has below `net`, which is its origin's. */
export function processDirectory(
  source: ProcSource,
  hertz: number,
  pid: Pid,
  tid: Pid | null,
  mounts: () => string,
  net: GeneratedDirectory,
): GeneratedDirectory {
  const info = (): Maybe<ProcessInfo> =>
    after(tid === null ? source.process(pid) : source.thread(pid, tid), found => {
      if (!found) throw new Errno(E.SRCH);
      return found;
    });
  const show = (text: (p: ProcessInfo) => string, mode = 0o444): GeneratedNode => ({ ...textFile(() => after(info(), text), mode), owner });
  const owner = (): Maybe<Owner> => after(info(), (p): Owner => [p.uids[1], p.gids[1]]);
  const paths = (which: 'executable' | 'cwd' | 'root'): GeneratedNode =>
    link(() =>
      after(source.paths(pid), found => {
        if (found[which] === '') throw new Errno(E.NOENT);
        return found[which];
      }),
    );
  const files: Record<string, GeneratedNode> = {
    stat: show(p => statText(p, hertz)),
    status: show(statusText),
    statm: show(
      p =>
        `${Math.ceil(p.virtualBytes / PAGE_SIZE)} ${p.residentPages} ${p.sharedPages} ${Math.ceil(p.textBytes / PAGE_SIZE)} 0 ${Math.ceil((p.dataBytes + p.stackBytes) / PAGE_SIZE)} 0\n`,
    ),
    comm: {
      kind: 'file',
      mode: 0o644,
      owner,
      read: () => after(info(), p => `${p.name}\n`),
      write: text => source.rename(pid, text.replace(/\n$/, '').slice(0, 15)),
    },
    cmdline: textFile(() => source.argumentBytes(pid)),
    environ: textFile(() => source.environmentBytes(pid), 0o400),
    auxv: textFile(() => source.auxiliaryBytes(pid), 0o400),
    maps: textFile(() => after(source.areas(pid), areas => areas.map(areaLine).join(''))),
    smaps: textFile(() => after(source.areas(pid), smapsText)),
    limits: textFile(() => after(source.limits(pid), limitsText)),
    cgroup: textFile(() => '0::/\n'),
    mounts: textFile(mounts),
    wchan: show(p => (p.waitsIn === '' ? '0' : p.waitsIn)),
    oom_score: textFile(() => '0\n'),
    oom_score_adj: { kind: 'file', mode: 0o644, read: () => '0\n', write: () => {} },
    schedstat: show(
      p => `${Math.floor(((p.userCycles + p.systemCycles) * 1e9) / hertz)} 0 ${p.voluntarySwitches + p.involuntarySwitches}\n`,
    ),
    io: show(
      () => ['rchar', 'wchar', 'syscr', 'syscw', 'read_bytes', 'write_bytes', 'cancelled_write_bytes'].map(name => `${name}: 0\n`).join(''),
      0o400,
    ),
    kernel: {
      kind: 'file',
      mode: 0o644,
      owner,
      read: () => after(info(), p => `${p.kernel}\n`),
      write: text => {
        if (!/^\s*\d{1,3}\s*$/.test(text)) throw new Errno(E.INVAL);
        return tid === null ? source.migrate(pid, Number(text)) : source.migrateThread(pid, tid, Number(text));
      },
    },
    pages: textFile(() => source.sharedPages(pid)),
    origin: show(p => `${p.origin}\n`),
    exe: paths('executable'),
    cwd: paths('cwd'),
    root: paths('root'),
    net,
    fd: descriptorDirectory(source, pid, 'links'),
    fdinfo: descriptorDirectory(source, pid, 'info'),
  };
  if (tid === null) files['task'] = threadsDirectory(source, hertz, pid, mounts, net);
  return { ...fixedDirectory(files), owner };
}

function threadsDirectory(source: ProcSource, hertz: number, pid: Pid, mounts: () => string, net: GeneratedDirectory): GeneratedDirectory {
  return {
    kind: 'directory',
    names: () => after(source.threads(pid), tids => tids.map(String)),
    child: name =>
      after(source.threads(pid), tids =>
        tids.map(String).includes(name) ? processDirectory(source, hertz, pid, Number(name), mounts, net) : null,
      ),
  };
}

function descriptorDirectory(source: ProcSource, pid: Pid, show: 'links' | 'info'): GeneratedDirectory {
  return {
    kind: 'directory',
    mode: 0o500,
    names: () => after(source.descriptors(pid), list => list.map(({ fd }) => String(fd))),
    child: name =>
      after(source.descriptors(pid), (list): GeneratedNode | null => {
        const found = list.find(({ fd }) => String(fd) === name);
        if (!found) return null;
        if (show === 'info') return textFile(() => `pos:\t${found.position}\nflags:\t0${found.flags.toString(8)}\nmnt_id:\t1\n`);
        return { kind: 'symlink', mode: 0o700, target: () => found.path, opened: () => source.openFile(pid, found.fd) };
      }),
  };
}
