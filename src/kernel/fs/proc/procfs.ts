/** /proc: the tree. What its files say comes from the ProcSource; how they say it stands in `process.ts` and `system.ts`. */
import { E, Errno } from '../../abi/errno.ts';
import type { Maybe } from '../../types.ts';
import { after } from '../maybe.ts';
import type { FsServices } from '../services.ts';
import type { Mount, Vfs } from '../vfs.ts';
import { fixedDirectory, GeneratedFs, link, textFile, type GeneratedDirectory, type GeneratedNode } from './generated.ts';
import type { IoContext } from '../file.ts';
import { NET_FILES, NET_SETTINGS, NET_SWITCHES, networkOf, networkText } from './net.ts';
import { processDirectory } from './process.ts';
import type { SystemInfo } from './source.ts';
import { cpuinfoText, interruptsText, loadavgText, meminfoText, statText, uptimeText, versionText, vmstatText } from './system.ts';

const PROC_MAGIC = 0x9fa0;

export function procFs(services: FsServices, vfs: Vfs, device: number): GeneratedFs {
  return new GeneratedFs(services, 'proc', device, PROC_MAGIC, rootDirectory(services, vfs));
}

function rootDirectory(services: FsServices, vfs: Vfs): GeneratedDirectory {
  const { proc, hertz } = services;
  const mounts = (): string => mountsText(vfs);
  const files = systemFiles(services, vfs);
  const fixed = fixedDirectory(files);
  return {
    kind: 'directory',
    names: () => after(proc.pids(), pids => [...Object.keys(files), ...pids.map(String)]),
    child: name => {
      if (!/^[1-9]\d{0,9}$/.test(name)) return fixed.child(name);
      const pid = Number(name);
      return after(proc.exists(pid), there => (there ? processDirectory(proc, hertz, pid, null, mounts, netDirectory(vfs, pid)) : null));
    },
  };
}

function systemFiles(services: FsServices, vfs: Vfs): Record<string, GeneratedNode> {
  const { proc } = services;
  const show = (text: (s: SystemInfo) => string): GeneratedNode => textFile(() => after(proc.system(), text));
  return {
    self: link(io => String(io.pid)),
    'thread-self': link(io => `${io.pid}/task/${io.tid}`),
    mounts: link(() => 'self/mounts'),
    net: link(() => 'self/net'),
    meminfo: show(meminfoText),
    cpuinfo: show(cpuinfoText),
    stat: show(statText),
    uptime: show(s => uptimeText(s, services.now())),
    loadavg: show(loadavgText),
    version: show(versionText),
    vmstat: show(vmstatText),
    cmdline: show(s => `${s.commandLine}\n`),
    filesystems: textFile(() => `${[...vfs.types.keys()].map(name => `nodev\t${name}\n`).join('')}\text2\n`),
    devices: textFile(
      () =>
        `Character devices:\n${vfs.devices
          .list()
          .map(([major, name]) => `${String(major).padStart(3)} ${name}\n`)
          .join('')}\nBlock devices:\n${vfs.devices
          .listBlock()
          .map(([major, name]) => `${String(major).padStart(3)} ${name}\n`)
          .join('')}`,
    ),
    interrupts: textFile(() => after(proc.system(), s => after(proc.interrupts(), list => interruptsText(s, list)))),
    partitions: textFile(() => 'major minor  #blocks  name\n\n'),
    swaps: textFile(() => 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n'),
    diskstats: textFile(() => ''),
    modules: textFile(() => ''),
    kmsg: textFile(
      () =>
        proc
          .logLines()
          .map(({ time, text }) => `<6>[${(time / services.hertz).toFixed(6).padStart(12)}] ${text}\n`)
          .join(''),
      0o400,
    ),
    popcorn: popcornDirectory(services),
    sys: fixedDirectory({
      kernel: fixedDirectory({
        hostname: {
          kind: 'file',
          mode: 0o644,
          read: () => after(proc.system(), s => `${s.hostname}\n`),
          write: text => proc.setHostname(checkedHostname(text)),
        },
        domainname: textFile(() => '(none)\n'),
        ostype: textFile(() => 'Linux\n'),
        osrelease: show(s => `${s.release}\n`),
        version: show(s => `${s.version}\n`),
        pid_max: show(s => `${s.pidMax}\n`),
        'threads-max': show(s => `${s.pidMax}\n`),
        ngroups_max: textFile(() => '65536\n'),
        cap_last_cap: textFile(() => '40\n'),
        printk: textFile(() => '4\t4\t1\t7\n'),
        random: fixedDirectory({
          uuid: textFile(() => uuid(services)),
          boot_id: textFile(() => '706f7063-6f72-4e6c-a162-000000000001\n'),
          entropy_avail: textFile(() => '256\n'),
          poolsize: textFile(() => '256\n'),
        }),
      }),
      vm: fixedDirectory({
        overcommit_memory: textFile(() => '0\n'),
        max_map_count: textFile(() => '65530\n'),
        mmap_min_addr: textFile(() => '65536\n'),
        swappiness: textFile(() => '60\n'),
      }),
      net: netSettings(vfs),
      fs: fixedDirectory({
        'file-max': textFile(() => '1048576\n'),
        nr_open: textFile(() => '1048576\n'),
        'pipe-max-size': textFile(() => '65536\n'),
      }),
    }),
  };
}

function netDirectory(vfs: Vfs, pid: number): GeneratedDirectory {
  return fixedDirectory(Object.fromEntries(NET_FILES.map(name => [name, textFile(() => networkText(vfs, networkOf(pid), name))])));
}

function netSettings(vfs: Vfs): GeneratedDirectory {
  const folders = new Map<string, Record<string, GeneratedNode>>();
  for (const path of NET_SETTINGS) {
    const [folder = '', name = ''] = path.split('/');
    const files = folders.get(folder) ?? {};
    folders.set(folder, files);
    const plain = textFile(io => networkText(vfs, networkOf(io.pid), `sys/${path}`));
    const write = (text: string, io: IoContext): Maybe<void> => after(networkText(vfs, networkOf(io.pid), `sys/${path}`, text), () => {});
    files[name] = NET_SWITCHES.includes(path) ? { ...plain, mode: 0o644, write } : plain;
  }
  return fixedDirectory(Object.fromEntries([...folders].map(([name, files]) => [name, fixedDirectory(files)])));
}

function popcornDirectory({ proc }: FsServices): GeneratedDirectory {
  return {
    kind: 'directory',
    names: () => proc.popcornFiles(),
    child: (name): Maybe<GeneratedNode | null> =>
      proc.popcornFiles().includes(name)
        ? {
            kind: 'file',
            mode: 0o644,
            read: () => proc.popcornText(name),
            write: (text, io) => proc.popcornWrite(name, text.replace(/\n$/, ''), io.pid),
          }
        : null,
  };
}

/** Mounts as /proc/mounts lists them: source, place, type, options. */
export function mountsText(vfs: Vfs): string {
  const place = (mount: Mount): string => (mount.at ? vfs.pathOf(mount.root) : '/');
  const escaped = (text: string): string => text.replace(/[ \t\n\\]/g, c => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return vfs.mounts
    .map(mount => `${escaped(mount.source)} ${escaped(place(mount))} ${mount.fileSystem.type} ${mount.options},relatime 0 0\n`)
    .join('');
}

function checkedHostname(text: string): string {
  const name = text.replace(/\n$/, '');
  if (name.length > 64) throw new Errno(E.INVAL);
  return name;
}

function uuid(services: FsServices): string {
  const words = [0, 0, 0, 0].map(() => services.random() >>> 0);
  const hex = words
    .map(word => word.toString(16).padStart(8, '0'))
    .join('')
    .split('');
  hex[12] = '4';
  hex[16] = '89ab'[Number.parseInt(hex[16] as string, 16) & 3] as string;
  const text = hex.join('');
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-${text.slice(12, 16)}-${text.slice(16, 20)}-${text.slice(20)}\n`;
}
