/** The files of /proc about the system as a whole, in the formats of Linux. */
import { PAGE_SIZE } from '../../types.ts';
import { POWER_ON_SECONDS } from '../clock.ts';
import { ticks } from './process.ts';
import type { CoreInfo, InterruptInfo, SystemInfo } from './source.ts';

export function meminfoText(s: SystemInfo): string {
  const kib = (frames: number): number => frames * (PAGE_SIZE / 1024);
  const rows: [string, number][] = [
    ['MemTotal', kib(s.totalFrames)],
    ['MemFree', kib(s.freeFrames)],
    ['MemAvailable', kib(s.freeFrames)],
    ['Buffers', 0],
    ['Cached', kib(s.cachedFrames)],
    ['SwapCached', 0],
    ['Active', kib(s.anonymousFrames)],
    ['Inactive', kib(s.cachedFrames)],
    ['Active(anon)', kib(s.anonymousFrames)],
    ['Inactive(anon)', 0],
    ['Active(file)', 0],
    ['Inactive(file)', kib(s.cachedFrames)],
    ['Unevictable', 0],
    ['Mlocked', 0],
    ['SwapTotal', 0],
    ['SwapFree', 0],
    ['Dirty', 0],
    ['Writeback', 0],
    ['AnonPages', kib(s.anonymousFrames)],
    ['Mapped', kib(s.sharedFrames)],
    ['Shmem', kib(s.cachedFrames)],
    ['KReclaimable', 0],
    ['Slab', kib(s.kernelFrames)],
    ['SReclaimable', 0],
    ['SUnreclaim', kib(s.kernelFrames)],
    ['KernelStack', 0],
    ['PageTables', kib(s.pageTableFrames)],
    ['CommitLimit', kib(Math.floor(s.totalFrames / 2))],
    ['Committed_AS', kib(s.anonymousFrames)],
    ['VmallocTotal', 0],
    ['VmallocUsed', 0],
    ['VmallocChunk', 0],
  ];
  return rows.map(([name, value]) => `${`${name}:`.padEnd(16)}${String(value).padStart(8)} kB\n`).join('');
}

export function cpuinfoText(s: SystemInfo): string {
  return s.cores
    .map(core =>
      [
        `processor\t: ${core.core}`,
        `hart\t\t: ${core.core}`,
        `isa\t\t: rv64imafdc_zicntr_zicsr_zifencei`,
        `mmu\t\t: sv39`,
        `uarch\t\t: popcorn,lab`,
        `mvendorid\t: 0x0`,
        `marchid\t\t: 0x0`,
        `mimpid\t\t: 0x0`,
        `hart isa\t: rv64imafdc_zicntr_zicsr_zifencei`,
        `cpu MHz\t\t: ${(s.hertz / 1e6).toFixed(3)}`,
        `physical id\t: ${core.socket}`,
        `core id\t\t: ${core.coreInSocket}`,
        `kernel\t\t: ${core.kernel}`,
        `node\t\t: ${core.node}`,
        '\n',
      ].join('\n'),
    )
    .join('');
}

export function statText(s: SystemInfo): string {
  const line = (name: string, core: Pick<CoreInfo, 'userCycles' | 'niceCycles' | 'systemCycles' | 'idleCycles'>): string =>
    `${name} ${[core.userCycles, core.niceCycles, core.systemCycles, core.idleCycles].map(cycles => ticks(cycles, s.hertz)).join(' ')} 0 0 0 0 0 0\n`;
  const sum = (which: 'userCycles' | 'niceCycles' | 'systemCycles' | 'idleCycles'): number =>
    s.cores.reduce((total, core) => total + core[which], 0);
  const all = {
    userCycles: sum('userCycles'),
    niceCycles: sum('niceCycles'),
    systemCycles: sum('systemCycles'),
    idleCycles: sum('idleCycles'),
  };
  return (
    line('cpu ', all) +
    s.cores.map(core => line(`cpu${core.core}`, core)).join('') +
    `intr ${s.interrupts}\nctxt ${s.contextSwitches}\nbtime ${POWER_ON_SECONDS}\nprocesses ${s.forks}\nprocs_running ${s.running}\nprocs_blocked ${s.blocked}\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`
  );
}

export function uptimeText(s: SystemInfo, now: number): string {
  const idle = s.cores.reduce((total, core) => total + core.idleCycles, 0);
  return `${(now / s.hertz).toFixed(2)} ${(idle / s.hertz).toFixed(2)}\n`;
}

export const loadavgText = (s: SystemInfo): string =>
  `${s.loads.map(load => load.toFixed(2)).join(' ')} ${s.running}/${s.tasks} ${s.lastPid}\n`;

export const versionText = (s: SystemInfo): string => `Linux version ${s.release} (popcorn@lab) (gcc) ${s.version}\n`;

export function interruptsText(s: SystemInfo, interrupts: readonly InterruptInfo[]): string {
  const head = `${' '.repeat(10)}${s.cores.map(core => `CPU${core.core}`.padEnd(11)).join('')}\n`;
  return (
    head +
    interrupts
      .map(
        ({ name, counts, description }) =>
          `${name.padStart(4)}: ${counts.map(count => String(count).padStart(10)).join(' ')}  ${description}\n`,
      )
      .join('')
  );
}

export function vmstatText(s: SystemInfo): string {
  const rows: [string, number][] = [
    ['nr_free_pages', s.freeFrames],
    ['nr_anon_pages', s.anonymousFrames],
    ['nr_mapped', s.sharedFrames],
    ['nr_file_pages', s.cachedFrames],
    ['nr_page_table_pages', s.pageTableFrames],
    ['pgpgin', 0],
    ['pgpgout', 0],
    ['pswpin', 0],
    ['pswpout', 0],
    ['pgfault', 0],
    ['pgmajfault', 0],
  ];
  return rows.map(([name, value]) => `${name} ${value}\n`).join('');
}
