/** /sys, as far as lscpu, numactl and taskset look: processors with their topology, and memory nodes; and network interfaces, the reader's. */
import { E, Errno } from '../../abi/errno.ts';
import type { KernelId, Maybe } from '../../types.ts';
import { after } from '../maybe.ts';
import { fixedDirectory, GeneratedFs, textFile, type GeneratedDirectory, type GeneratedNode } from '../proc/generated.ts';
import { INTERFACE_FILES, INTERFACE_STATISTICS, INTERFACES, networkOf, networkText } from '../proc/net.ts';
import { listText, maskText } from '../proc/process.ts';
import type { CoreInfo, NodeInfo, SystemInfo } from '../proc/source.ts';
import type { FsServices } from '../services.ts';
import type { Vfs } from '../vfs.ts';

const SYSFS_MAGIC = 0x62656572;

export function sysFs(services: FsServices, vfs: Vfs, device: number): GeneratedFs {
  const { proc } = services;
  const show = (text: (s: SystemInfo) => string): GeneratedNode => textFile(() => after(proc.system(), text));
  const cores = (s: SystemInfo): string => `${listText(s.cores.map(({ core }) => core))}\n`;
  const nodes = (s: SystemInfo): string => `${listText(s.nodes.map(({ node }) => node))}\n`;
  const cpu = withNumbered(
    {
      online: show(cores),
      possible: show(s => `${listText(all(s).map(({ core }) => core))}\n`),
      present: show(s => `${listText(all(s).map(({ core }) => core))}\n`),
      offline: show(s => `${listText(s.offline.map(({ core }) => core))}\n`),
      kernel_max: textFile(() => '127\n'),
    },
    'cpu',
    () => after(proc.system(), s => all(s).map(({ core }) => core)),
    number =>
      after(proc.system(), s => {
        const core = all(s).find(each => each.core === number);
        return core ? coreDirectory(services, s, core) : null;
      }),
  );
  const node = withNumbered(
    { online: show(nodes), possible: show(nodes), has_cpu: show(nodes), has_memory: show(nodes), has_normal_memory: show(nodes) },
    'node',
    () => after(proc.system(), s => s.nodes.map(each => each.node)),
    number =>
      after(proc.system(), s => {
        const found = s.nodes.find(each => each.node === number);
        return found ? nodeDirectory(s, found) : null;
      }),
  );
  return new GeneratedFs(
    services,
    'sysfs',
    device,
    SYSFS_MAGIC,
    fixedDirectory({
      devices: fixedDirectory({ system: fixedDirectory({ cpu, node }), virtual: fixedDirectory({}) }),
      kernel: fixedDirectory({}),
      fs: fixedDirectory({}),
      class: networkClass(vfs),
      block: fixedDirectory({}),
      bus: fixedDirectory({}),
      module: fixedDirectory({}),
    }),
  );
}

/** /sys/class: whose network `net` shows is settled as it is looked up, and holds for whatever is opened below it. */
function networkClass(vfs: Vfs): GeneratedDirectory {
  return {
    kind: 'directory',
    names: () => ['net'],
    child: (name, io) => (name === 'net' ? networkDirectory(vfs, io === undefined ? vfs.services.kernel : networkOf(io.pid)) : null),
  };
}

function networkDirectory(vfs: Vfs, network: KernelId): GeneratedDirectory {
  const names = (): Maybe<readonly string[]> => after(networkText(vfs, network, INTERFACES), text => text.split('\n').slice(0, -1));
  const files = (folder: string, list: readonly string[]): Record<string, GeneratedNode> =>
    Object.fromEntries(list.map(file => [file, textFile(() => networkText(vfs, network, `${folder}/${file}`))]));
  const directory = (name: string): GeneratedDirectory =>
    fixedDirectory({
      ...files(`${INTERFACES}/${name}`, INTERFACE_FILES),
      statistics: fixedDirectory(files(`${INTERFACES}/${name}/statistics`, INTERFACE_STATISTICS)),
    });
  return { kind: 'directory', mode: 0o755, names, child: name => after(names(), all => (all.includes(name) ? directory(name) : null)) };
}

/** Fixed files, and directories with a number in their name. */
function withNumbered(
  fixed: Readonly<Record<string, GeneratedNode>>,
  prefix: string,
  numbers: () => Maybe<readonly number[]>,
  child: (number: number) => Maybe<GeneratedNode | null>,
): GeneratedDirectory {
  return {
    kind: 'directory',
    mode: 0o755,
    names: () => after(numbers(), list => [...Object.keys(fixed), ...list.map(number => `${prefix}${number}`)]),
    child: name => {
      if (Object.hasOwn(fixed, name)) return fixed[name] ?? null;
      const number = name.startsWith(prefix) ? name.slice(prefix.length) : '';
      return /^(0|[1-9]\d{0,5})$/.test(number) ? child(Number(number)) : null;
    },
  };
}

/** Online or not, ascending. */
const all = (s: SystemInfo): CoreInfo[] => [...s.cores, ...s.offline].sort((a, b) => a.core - b.core);

function coreDirectory({ proc }: FsServices, s: SystemInfo, core: CoreInfo): GeneratedDirectory {
  const sameSocket = s.cores.filter(({ socket }) => socket === core.socket).map(each => each.core);
  const own = [core.core];
  return fixedDirectory(
    {
      online: {
        kind: 'file',
        mode: 0o644,
        read: () => (core.online ? '1\n' : '0\n'),
        write: text => {
          if (!/^[01]\s*$/.test(text)) throw new Errno(E.INVAL);
          return proc.setOnline(core.core, text.startsWith('1'));
        },
      },
      topology: fixedDirectory(
        {
          physical_package_id: textFile(() => `${core.socket}\n`),
          core_id: textFile(() => `${core.coreInSocket}\n`),
          thread_siblings: textFile(() => `${maskText(own)}\n`),
          thread_siblings_list: textFile(() => `${listText(own)}\n`),
          core_cpus: textFile(() => `${maskText(own)}\n`),
          core_cpus_list: textFile(() => `${listText(own)}\n`),
          core_siblings: textFile(() => `${maskText(sameSocket)}\n`),
          core_siblings_list: textFile(() => `${listText(sameSocket)}\n`),
          package_cpus: textFile(() => `${maskText(sameSocket)}\n`),
          package_cpus_list: textFile(() => `${listText(sameSocket)}\n`),
        },
        0o755,
      ),
      [`node${core.node}`]: { kind: 'symlink', target: () => `../../node/node${core.node}` },
    },
    0o755,
  );
}

function nodeDirectory(s: SystemInfo, node: NodeInfo): GeneratedDirectory {
  const cores = s.cores.filter(core => core.node === node.node).map(({ core }) => core);
  const kib = (frames: number): string => String(frames * 4).padStart(8);
  return fixedDirectory(
    {
      cpulist: textFile(() => `${listText(cores)}\n`),
      cpumap: textFile(() => `${maskText(cores)}\n`),
      distance: textFile(() => `${node.distances.join(' ')}\n`),
      meminfo: textFile(() =>
        [
          ['MemTotal', node.totalFrames],
          ['MemFree', node.freeFrames],
          ['MemUsed', node.totalFrames - node.freeFrames],
        ]
          .map(([name, frames]) => `Node ${node.node} ${`${name}:`.padEnd(15)} ${kib(frames as number)} kB\n`)
          .join(''),
      ),
      numastat: textFile(() =>
        ['numa_hit', 'numa_miss', 'numa_foreign', 'interleave_hit', 'local_node', 'other_node'].map(name => `${name} 0\n`).join(''),
      ),
    },
    0o755,
  );
}
