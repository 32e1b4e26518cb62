/** A federation: kernels that share the machine and nothing else. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { M } from '../message/catalog.ts';
import { inflate, KernelLab } from '../testing.ts';
import { TraceKind } from '../trace.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url))));
const SECOND = 2.2e9;

/** Two kernels of two cores; a script runs on kernel 0, and then words are typed on kernel 1's console. */
function run(script: string, typed = ''): KernelLab {
  const lab = new KernelLab({ archive, cores: 4, kernels: 2, mode: 'federation', exec: ['sh', '-c', script] });
  lab.input(0, { kind: 'boot', kernel: 1 });
  lab.run(5 * SECOND);
  const status = lab.status;
  lab.input(1, { kind: 'console', bytes: new TextEncoder().encode(`${typed}\n`) });
  lab.run(8 * SECOND, () => false);
  expect(status).not.toBe(null);
  return lab;
}

describe('a federation', () => {
  it('is systems with a root, a name, pids and processes each of its own', () => {
    const lab = run(
      'hostname; echo $$; echo secret > /tmp/here; ps -o pid,comm | wc -l; grep -c ^processor /proc/cpuinfo; nproc; cat /sys/devices/system/cpu/online; sleep 1',
      'hostname; ls /tmp/here; echo pid $$; ps -o pid,comm; grep -c ^processor /proc/cpuinfo; nproc',
    );
    expect(lab.stdout).toMatch(/^popcorn0\n2\n\d\n2\n2\n0-1\n$/);
    const console = lab.console(1).replaceAll('\r', '');
    expect(console).toContain('\npopcorn1\n');
    expect(console).toContain('ls: /tmp/here: No such file');
    expect(console).toMatch(/\n +1 init\n/);
    expect(console).toMatch(/\npid [2-9]\n/);
    expect(console).toMatch(/\n2\n2\n/);
    expect(lab.log(1)).toContain('archive mounted as /');
    expect(lab.log(1)).toContain('root=initramfs');
  });

  it('moves no process, and says so; cores, memory and devices change hands all the same', () => {
    const lab = run(
      `migrate $$ 1; taskset -c 2 true || echo no; echo balance on > /proc/popcorn/control; cat /proc/popcorn/control
       mv-cpu 1 1 && mv-mem 8M 0 1 && mv-dev nic0 1 && kernels`,
    );
    expect(lab.stderr).toContain('Operation not supported');
    expect(lab.stderr).toContain('taskset: ');
    expect(lab.stdout).toContain('no\nin a federation no process moves to another kernel\n');
    expect(lab.stdout).toMatch(/\n0 +up +0 .*\n1 +up +1-3 .* nic0\n$/);
  });

  it('kills across nothing: another system’s pids are not there', () => {
    expect(run('kill -0 32769; kill -0 1 && echo own').stderr).toContain('32769');
  });

  it('exchanges no message but those of the partitions and the network; the trace tells its processes apart', () => {
    const lab = run('for i in 1 2 3; do ps > /dev/null; cat /proc/meminfo > /dev/null; done; kernels > /dev/null', 'ps; cat /proc/stat');
    const kinds = new Set(lab.trace.filter(([, , kind]) => kind === TraceKind.MessageSend).map(([, , , , a]) => (a as number) & 0xffff));
    const allowed = [
      M.CHECKIN,
      M.CHECKIN_ANSWER,
      M.HEARTBEAT,
      M.MCAST,
      M.MCAST_CLOSE,
      M.VNET_JOIN,
      M.VNET_WELCOME,
      M.REMOTE_PROC_REQUEST,
      M.REMOTE_PROC_RESPONSE,
    ].map(({ type }) => type);
    expect([...kinds].filter(kind => !(allowed as number[]).includes(kind))).toEqual([]);
    const pids = (kernel: number): number[] =>
      lab.trace.filter(([, at, kind]) => at === kernel && kind === TraceKind.TaskNew).map(([, , , , a]) => a as number);
    expect(pids(0).every(pid => pid < 32768)).toBe(true);
    expect(pids(1).every(pid => pid >>> 15 === 1)).toBe(true);
  });

  it('survives one of it', () => {
    const lab = run('panic 1; sleep 1; mv-cpu 2 0; nproc; kernels | grep -c up');
    expect(lab.stdout).toBe('3\n1\n');
  });
});
