/** Orders as an operator gives them at a prompt, where each is a command. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inflate, KernelLab } from '../testing.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url))));
const SECOND = 2.2e9;

/** Four cores, two nodes; a script runs on kernel 0. */
function run(script: string, kernels = 2): KernelLab {
  const lab = new KernelLab({ archive, cores: 4, kernels, exec: ['sh', '-c', script] });
  lab.run(20 * SECOND);
  return lab;
}

describe('orders', () => {
  it('can rely on those before them: a kernel that has been booted can be given a core at once', () => {
    const lab = run(`boot 1; mv-cpu 1 1; cut -d' ' -f1-3 /proc/popcorn/plan; boot 1`);
    expect(lab.stdout).toBe('0: cores 0\n1: cores 2,3,1\n');
    expect(lab.stderr).toBe('boot: kernel 1 is up\n');
  });

  it('are refused in words by the command that each of them is', () => {
    const lab = run(
      'boot 1; fault 1 lose 0 2 && echo lost; fault 7 lose 0; fault 1 burn; fault; online 9; balance on; balance | head -1; balance perhaps; offline 1; nproc',
    );
    expect(lab.stdout).toBe('lost\non\n1\n');
    expect(lab.stderr.split('\n')).toEqual([
      'fault: kernel 7 is not up',
      'fault: there is no fault burn; there are lose, corrupt, deaf, memory, core',
      'usage: fault KERNEL lose TO [N] | corrupt TO [N] | deaf MS | memory MS | core CORE',
      'online: the machine has no core 9',
      'balance: balance perhaps: on or off',
      '',
    ]);
  });

  it('say of a core that is not in use why it is not', () => {
    const lab = run('boot 1; offline 1; mv-cpu 1 1; online 1; fault 0 core 1; sleep 0.1; online 1; mv-cpu 1 1; mv-cpu 0,2 1');
    expect(lab.stderr.split('\n')).toEqual([
      'mv-cpu: core 1 is offline',
      'online: core 1 has stopped',
      'mv-cpu: core 1 has stopped',
      "mv-cpu: core 2 is not kernel 0's",
      '',
    ]);
  });

  it('are carried out when they are answered: what has been halted can be booted, what has been merged is gone', () => {
    const lab = run("boot 1; halt 1; boot 1; cut -d' ' -f1-3 /proc/popcorn/plan; merge 1 0; cut -d' ' -f1-3 /proc/popcorn/plan");
    expect([lab.stdout, lab.stderr]).toEqual(['0: cores 0,1\n1: cores 2,3\n0: cores 0,1,2,3\n1: cores \n', '']);
  });

  it('know sizes in M and G, and say of a kernel that has nothing left that it has not', () => {
    const lab = run('boot 1; mv-mem 5G 0 1; boot --cpus 9 --mem 8G@1; merge 1 0; boot 1');
    expect(lab.stderr.split('\n')).toEqual([
      'mv-mem: kernel 0 has no 5120M of memory in one piece',
      'boot: node 1 has 0M free, not 8192M',
      "boot: others have what was kernel 1's: name its cores and memory",
      '',
    ]);
  });

  it('move processes, as the command does', () => {
    const lab =
      run(`boot 1; sleep 1 & for words in "$! 1" "$! 7" "99 1" "it 1"; do echo migrate $words > /proc/popcorn/control || cat /proc/popcorn/control; done
      sleep 0.01; cat /proc/$!/kernel`);
    expect(lab.stdout).toBe('kernel 7 is not up\nthere is no process 99\nit is no process\n1\n');
  });

  it('merge the kernel at whose prompt they are given, which then ends', () => {
    const lab = new KernelLab({ archive, cores: 4, kernels: 2 });
    lab.input(0, { kind: 'boot', kernel: 1 });
    lab.run(SECOND);
    lab.type(0, 'echo kept > /tmp/a; (sleep 0.01; echo and was said >> /tmp/a) & merge 0 1 && echo done >> /tmp/a', SECOND);
    lab.type(1, "cat /tmp/a; cut -d' ' -f1-3 /proc/popcorn/plan", SECOND);
    expect(lab.log(1)).toContain('kernel 0 has been merged into this one');
    expect(lab.output[1]?.[0]).toMatch(/kept\r\ndone\r\nand was said\r\n0: cores ?\r\n1: cores 2,3,0,1\r\n/);
  });
});
