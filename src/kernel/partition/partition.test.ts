/** Kernels that come and go, and what they own changing hands, as an operator has it done while programs run. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { makeExt2 } from '../fs/ext2/mkfs.ts';
import { inflate, KernelLab } from '../testing.ts';
import { FaultKind, MigrateStep, TraceKind } from '../trace.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url))));
const SECOND = 2.2e9;

/** Four cores, two nodes, two kernels, both up; a script runs on kernel 0. */
function run(script: string, { cores = 4, kernels = 2, boot = [1], disk = null as Uint8Array | null } = {}): KernelLab {
  const lab = new KernelLab({ archive, cores, kernels, disk, exec: ['sh', '-c', script] });
  for (const kernel of boot) lab.input(0, { kind: 'boot', kernel });
  lab.run(20 * SECOND);
  return lab;
}

describe('cores', () => {
  it('change kernels under the programs that run on them', () => {
    const lab = run(`
      (primes 3000 | tail -1) & (primes 3000 | tail -1) & sleep 0.001
      mv-cpu 1 1
      wait
      cat /proc/popcorn/plan | cut -d' ' -f1-3; grep -c ^processor /proc/cpuinfo`);
    expect(lab.stdout).toBe('430 primes up to 3000\n430 primes up to 3000\n0: cores 0\n1: cores 2,3,1\n4\n');
    expect(lab.log(1)).toContain('cores 2-3,1 and');
  });
  it('serve the kernel that has got them', () => {
    const lab = run(`mv-cpu 1 1; taskset -c 1 sh -c 'cat /proc/self/kernel; cut -d" " -f39 /proc/self/stat'`);
    expect(lab.stdout).toBe('1\n1\n');
  });
  it('are taken out of use and into use', () => {
    const lab = run(`cd /sys/devices/system/cpu; echo 0 > cpu1/online; cat online offline cpu1/online; taskset -p 1 >/dev/null
      echo 1 > cpu1/online; cat online offline`);
    expect(lab.stdout).toBe('0,2-3\n1\n0\n0-3\n\n');
  });
  it('stay where they are when that makes no sense, and the reason is told', () => {
    const lab = run('mv-cpu 0,1 1; mv-cpu 1 7; mv-cpu 9 1; mv-cpu 1 0; echo fly 1 > /proc/popcorn/control');
    expect(lab.stderr.split('\n')).toEqual([
      'mv-cpu: kernel 0 would have no core left: halt it instead',
      'mv-cpu: kernel 7 is not up',
      'mv-cpu: the machine has no core 9',
      'mv-cpu: kernel 0 has it',
      'echo: write error: Invalid argument',
      '',
    ]);
  });
});

describe('memory', () => {
  it('changes kernels, pages of programs and all', () => {
    const lab = run(`
      (primes 5000 | tail -1) & sleep 0.001
      for i in 1 2 3; do mv-mem 16M 0 1; done; wait
      cat /proc/popcorn/plan | sed 's/cores.*memory//'
      grep -c . /proc/meminfo > /dev/null && echo books`);
    expect(lab.stdout).toContain('669 primes up to 5000\n');
    expect(lab.stdout).toMatch(/1: {2}\d+M@1,16M@0,16M@0,16M@0\n/);
  });
  it('stays where it is when there is too little', () => {
    const lab = run('mv-mem 4000M 0 1');
    expect(lab.stderr).toBe('mv-mem: kernel 0 has no 4000M of memory in one piece\n');
  });
  it('is of the node that is named', () => {
    const lab = run(`mv-mem 16M@0 0 1; mv-mem 8M@0 1 0; mv-mem 4M@1 1 0; sed 's/cores.*memory//; s/ dev.*//' /proc/popcorn/plan
      mv-mem 1M@1 1 0; mv-mem 9M@0 1 0; mv-mem 1M@2 0 1; mv-mem 1M@x 0 1`);
    expect(lab.stdout).toMatch(/^0: {2}(\d+M@0,)+8M@0,4M@1\n1: {2}(\d+M@1,)+8M@0\n/);
    expect(lab.stderr.split('\n')).toEqual([
      'mv-mem: kernel 1 has no 9M of memory on node 0 in one piece',
      'mv-mem: the machine has no node 2',
      'mv-mem: 1M@x is not memory as in 64M@2',
      '',
    ]);
  });
});

describe('devices', () => {
  const owners = `cat /proc/popcorn/plan | sed 's/cores.*memory [^ ]*//'`;

  it('belong to the first kernel, virtual functions to nobody, and change hands', () => {
    const lab = run(`${owners}; mv-dev nic0.2-3 0; mv-dev nic0,nic0.2-3 1; ${owners}; kernels`);
    expect(lab.stdout).toContain('0:  devices disk0,nic0\n1: \n0:  devices disk0\n1:  devices nic0,nic0.2-3\n');
    expect(lab.stdout).toMatch(/\n1 .* nic0,nic0\.2-3\n/);
    expect(lab.log(0)).toContain("nic0, nic0.2-3 are kernel 1's now");
    const said = lab.trace
      .filter(([, , kind]) => kind === TraceKind.DeviceOwner)
      .map(([, kernel, , , place, comes]) => [kernel, place, comes]);
    expect(said.slice(-6)).toEqual(
      expect.arrayContaining([
        [0, 1, 0],
        [0, 3, 0],
        [0, 4, 0],
        [1, 1, 1],
        [1, 3, 1],
        [1, 4, 1],
      ]),
    );
  });

  it('of a kernel that is gone are free: for a kernel that boots, or for one that is there', () => {
    const lab = run(
      `mv-dev nic0.1,nic0.2 1; boot --cpus 4 --mem 8M@2 --dev nic0.1; halt 1; sleep 0.05
       boot --cpus 4 --mem 8M@2 --dev nic0.1; sleep 0.05; mv-dev nic0.2 3; ${owners}`,
      { cores: 6, kernels: 3, boot: [1] },
    );
    expect(lab.stderr).toBe('boot: nic0.1 belongs to kernel 1, which is up\n');
    expect(lab.stdout).toMatch(/^1: \n2: \n3: {2}devices nic0\.1-2\n/m);
  });

  it('are not had by names that are none, or twice', () => {
    const lab = run('mv-dev nic1 1; mv-dev nic0.9 1; mv-dev disk0 7; mv-dev disk0 0; mv-dev Disk 1; boot --dev nic0');
    expect(lab.stderr.split('\n')).toEqual([
      'mv-dev: the machine has no device nic1',
      'mv-dev: the machine has no device nic0.9',
      'mv-dev: kernel 7 is not up',
      'mv-dev: kernel 0 has it',
      'mv-dev: Disk is no device',
      'boot: neither a kernel nor --cpus is named',
      '',
    ]);
  });
});

describe('kernels split and merge', () => {
  it('a part becomes a kernel of its own, which boots', () => {
    const lab = run(
      `(primes 4000 | tail -1) & split 0 --cpus 1 --mem 16M; sleep 0.05; sed 1d /proc/popcorn/kernels | cut -c1-33; taskset -c 1 cat /proc/self/kernel; wait
       split 0 --cpus 2; split 0 --mem 4000M; split 1; sleep 0.05; sed 1d /proc/popcorn/kernels | grep -c up`,
    );
    expect(lab.stdout).toMatch(/^ {5}0 {2}up {3}0 +6\dM \n {5}1 {2}up {3}2-3 +7\dM \n {5}2 {2}up {3}1 +16M \n2\n/m);
    expect(lab.stdout).toContain('550 primes up to 4000\n');
    expect(lab.stdout).toMatch(/\n4\n$/);
    expect(lab.stderr.split('\n')).toEqual(["split: core 2 is not kernel 0's", "split: kernel 0 has one core, which can't be split", '']);
    expect(lab.log(2)).toContain('checked in with 2 kernels');
  });

  it('a kernel goes into another one: its programs live on there, what it had is the other’s', () => {
    const lab = run(
      `mv-dev nic0 1; (taskset -c 2 sh -c 'primes 60000 | tail -1') & sleep 0.001; merge 1 0; sleep 0.2
       sed 1d /proc/popcorn/kernels | sed 's/ *$//'; cut -d' ' -f1 /proc/popcorn/plan; wait; cat /sys/devices/system/cpu/online`,
    );
    expect(lab.stderr).toBe('');
    expect(lab.stdout).toMatch(/^ {5}0 {2}up {3}0-3 +15\dM .*disk0,nic0\n {5}1 {2}off/m);
    expect(lab.stdout).toContain('6057 primes up to 60000\n');
    expect(lab.stdout).toMatch(/\n0-3\n$/);
    expect(
      lab.trace.filter(([, at, kind, , , , step]) => at === 0 && kind === TraceKind.Migrate && step === MigrateStep.Running),
    ).not.toEqual([]);
    expect(lab.log(0)).toContain('kernel 1 has been merged into this one');
  });

  it('cores are taken out of use by any kernel', () => {
    const lab = run(
      `taskset -c 2 sh -c 'echo 0 > /sys/devices/system/cpu/cpu1/online; cat /sys/devices/system/cpu/online'; echo 0 > /sys/devices/system/cpu/cpu3/online; cat /sys/devices/system/cpu/online; nproc`,
    );
    expect(lab.stdout).toMatch(/^0,2-3\n0,2\n/);
  });
});

describe('what is free', () => {
  it('goes to a kernel that is there: cores, and memory that has been given away and comes back', () => {
    const lab = run(
      `mv-mem 16M 0 1; halt 1; sleep 0.05; mv-cpu 2 0; mv-mem 16M 1 0; mv-cpu 3 0; cut -d' ' -f1-4 /proc/popcorn/plan; free -m | sed -n 2p | cut -c1-20`,
    );
    expect(lab.stderr).toBe('');
    expect(lab.stdout).toMatch(/^0: cores 0,1,2,3 memory\n1: cores {2}memory\nMem: +76 /);
  });
  it('is memory by node, whoever had it', () => {
    const lab = run(
      `mv-mem 16M@1 free 0; mv-mem 900M@1 free 0; mv-mem 16M@0 free 0; sed 's/cores.*memory//; s/ dev.*//' /proc/popcorn/plan`,
      { boot: [] },
    );
    expect(lab.stdout).toMatch(/^0: {2}\d+M@0,16M@1\n/);
    expect(lab.stderr).toBe(
      'mv-mem: no 900M of memory on node 1 in one piece is free\nmv-mem: no 16M of memory on node 0 in one piece is free\n',
    );
  });
});

describe('kernels', () => {
  it('are booted from what is free, and halted; what they had is free again', () => {
    const lab = run(
      `
      boot --cpus 5 --mem 8M@2; sleep 0.05; sed 1d /proc/popcorn/kernels | cut -c1-13
      halt 3; sleep 0.05; sed 1d /proc/popcorn/kernels | cut -c1-13
      boot --cpus 4,5 --mem 16M@2; sleep 0.05; sed 1d /proc/popcorn/kernels
      boot --cpus 4 --mem 8M@2`,
      { cores: 6, kernels: 3, boot: [1] },
    );
    expect(lab.stdout).toContain('     3  up ');
    expect(lab.stdout).toContain('     3  off');
    expect(lab.stdout).toMatch(/ {5}4 {2}up {3}4-5 +16M {2}0 +-\n/);
    expect(lab.stderr).toBe('boot: core 4 belongs to kernel 4, which is up\n');
  });
  it('go on when the first one is halted', () => {
    const lab = new KernelLab({ archive, cores: 4, kernels: 2 });
    lab.input(0, { kind: 'boot', kernel: 1 });
    lab.run(0.2 * SECOND);
    lab.input(0, { kind: 'order', text: 'halt' });
    lab.run(0.5 * SECOND);
    lab.input(1, { kind: 'console', bytes: new TextEncoder().encode('echo still $((40+2))\n') });
    lab.run(1 * SECOND);
    expect(lab.log(0)).toContain('reboot: System halted');
    expect(lab.console(1)).toContain('still 42');
  });
  it('do not halt with a file tree that no other has room for', () => {
    const lab = new KernelLab({ archive, cores: 4, kernels: 2 });
    lab.run(0.2 * SECOND);
    const give = (seconds: number, text: string): void => {
      lab.input(
        0,
        text.startsWith('$') ? { kind: 'console', bytes: new TextEncoder().encode(`${text.slice(2)}\n`) } : { kind: 'order', text },
      );
      lab.run(lab.now + seconds * SECOND);
    };
    give(0.2, 'boot --cpus 2 --mem 8M@1');
    give(0.5, '$ echo 0123456789abcde > /tmp/large; for i in $(seq 20); do cat /tmp/large /tmp/large > /tmp/b; mv /tmp/b /tmp/large; done');
    give(0.1, 'halt');
    expect(lab.log(0)).toMatch(/popcorn: halt: no kernel has room for the 4\d\d\d pages of files that kernel 0 keeps\n/);
    give(0.5, '$ ls -l /tmp/large; rm /tmp/large');
    expect(lab.console(0)).toContain('16777216');
    give(1, 'halt');
    expect(lab.log(0)).toContain('reboot: System halted');
  });
  it('hand over the file tree, open files, pipes and records when the one that keeps it is halted, and again', () => {
    const lab = new KernelLab({ archive, cores: 6, kernels: 3 });
    for (const kernel of [1, 2]) lab.input(0, { kind: 'boot', kernel });
    lab.run(0.2 * SECOND);
    const type = (kernel: number, text: string, seconds = 0.1): string => lab.type(kernel, text, seconds * SECOND);
    const order = (kernel: number, text: string, seconds = 0.5): void => {
      lab.input(kernel, { kind: 'order', text });
      lab.run(lab.now + seconds * SECOND);
    };
    // On kernel 0, of other kernels: a file that is open and has moved on, a pipe between two programs, one that its parent waits for.
    type(0, 'echo one > /tmp/a; echo two >> /tmp/a; echo alone > /root/mine; mkfifo /tmp/fifo');
    type(1, 'exec 3< /tmp/a; read line <&3; exec 4<> /tmp/fifo; echo kept >&4; cd /tmp');
    type(
      0,
      'trap "" HUP; taskset -c 2 sh -c "sleep 1; echo slept" | taskset -c 4 sh -c "cat > /tmp/piped; echo status $? >> /tmp/piped" &',
    );
    type(1, 'echo $(ps | grep -c [s]leep) asleep');
    order(0, 'halt');
    expect(lab.log(0)).toContain('System halted');
    expect(lab.trace.filter(([, , kind]) => kind === TraceKind.Inherit).map(([, heir, , , of, , tree]) => [heir, of, tree])).toEqual([
      [1, 0, 1],
    ]);
    expect(lab.log(1)).toContain('keeps the file tree from now on');
    expect(type(1, 'cat <&3; read line <&4; echo "$line $(pwd)"; ls /bin/sh | cat')).toContain('two\nkept /tmp\n/bin/sh\n');
    expect(type(2, 'cat /root/mine; cat /tmp/a; echo three >> /tmp/a; ls /bin/sh | cat')).toContain('alone\none\ntwo\n/bin/sh\n');
    expect(type(1, 'tail -1 /tmp/a; rm /root/mine; ps | grep -c [/]init')).toContain('three\n2\n');
    expect(type(2, 'cat /root/mine; sed 1d /proc/popcorn/kernels | cut -c1-13')).toMatch(/No such file[\s\S]* 0 {2}off +[\s\S]* 1 {2}up/);
    // A new kernel reaches the tree, one of the number of the first too.
    order(1, 'boot 0');
    expect(lab.log(0)).toContain('/ of kernel 1 mounted');
    expect(type(0, 'tail -1 /tmp/a; echo four >> /tmp/a; sh -c "exit 7"; echo $?')).toContain('three\n7\n');
    order(1, 'halt');
    expect(lab.log(0)).toContain('keeps the file tree from now on');
    expect(type(2, 'tail -2 /tmp/a; primes 10 | tail -1')).toContain('three\nfour\n4 primes up to 10\n');
    expect(type(0, 'cat /tmp/piped; sh -c "exit 7"; echo $?')).toContain('slept\nstatus 0\n7\n');
    order(0, 'halt');
    expect(type(2, 'cat /tmp/a; ls /bin/sh | cat')).toContain('three\nfour\n/bin/sh\n');
    for (const owner of lab.running) expect(owner.messages.outstanding).toEqual({ calls: expect.any(Number) as number, backlog: 0 });
  });

  it('mount the archive anew when the one that keeps the tree panics, and say so', () => {
    const lab = new KernelLab({ archive, cores: 6, kernels: 3 });
    for (const kernel of [1, 2]) lab.input(0, { kind: 'boot', kernel });
    lab.run(0.2 * SECOND);
    const type = (kernel: number, text: string): string => lab.type(kernel, text, 0.1 * SECOND);
    type(2, 'echo lost > /tmp/a; exec 3< /tmp/a; cd /tmp');
    type(0, 'echo panic 0 > /proc/popcorn/control');
    lab.run(lab.now + SECOND);
    expect(lab.log(1)).toContain('the file tree is lost with kernel 0; the archive is mounted anew as /, by this kernel');
    expect(lab.log(2)).toContain('/ of kernel 1 mounted');
    expect(type(2, 'cat <&3')).toContain('Host is down');
    expect(type(2, 'cd /; cat /tmp/a; echo new > /tmp/b; ps | grep -c [/]init')).toMatch(/No such file[\s\S]*\n2\n/);
    expect(type(1, 'cat /tmp/b; ls /bin/sh | cat; cat /proc/self/kernel')).toContain('new\n/bin/sh\n1\n');
  });

  it('that stop answering are declared dead, and whoever waited is told', () => {
    const lab = run(`panic 1; sleep 1; sed 1d /proc/popcorn/kernels; dmesg | grep -c 'declared dead'`);
    expect(lab.stdout).toMatch(/ {5}1 {2}off .*\n1\n$/);
  });

  it('that boot notice who has ended before they checked in', () => {
    const lab = new KernelLab({ archive, cores: 6, kernels: 3 });
    lab.input(0, { kind: 'boot', kernel: 1 });
    lab.run(0.2 * SECOND);
    for (const text of ['boot 2', 'halt']) lab.input(1, { kind: 'order', text });
    lab.run(1.5 * SECOND);
    expect(lab.log(2)).toMatch(/kernel 1 has not answered[\s\S]*kernel 1 is gone/);
    for (const kernel of lab.running) expect([kernel.id, kernel.peers()]).toEqual([kernel.id, [2 - kernel.id]]);
  });

  it('are told of ends that overlap: one that notes the first may be waiting for the second', () => {
    // Kernel 2 has a page of kernel 3's disk, and asks 3 to count it when it hears of the end of 1.
    const disk = new Uint8Array(1 << 20);
    disk.set(makeExt2(disk.length));
    const lab = run('mv-dev disk0 3; sleep 0.1; echo kept > /disk/file; taskset -c 2 cat /disk/file; panic 1; panic 3; sleep 1.2', {
      cores: 5,
      kernels: 5,
      boot: [1, 2, 3, 4],
      disk,
    });
    expect(lab.stdout).toBe('kept\n');
    const up = [0, 2, 4];
    for (const kernel of lab.running) expect([kernel.id, ...kernel.peers()].sort()).toEqual(up);
  });

  it('leave the processes that moved away from them, on pages that are now their own', () => {
    // Born on kernel 1, where its memory is; kernel 0 then runs it.
    const lab = new KernelLab({ archive, cores: 4, kernels: 2 });
    lab.input(0, { kind: 'boot', kernel: 1 });
    lab.run(0.2 * SECOND);
    lab.input(1, {
      kind: 'console',
      bytes: new TextEncoder().encode('(primes 60000 | tail -1 > /tmp/out) & sleep 0.001; migrate $! 0; kill -9 0\n'),
    });
    lab.run(0.3 * SECOND);
    lab.input(1, { kind: 'order', text: 'panic' });
    lab.run(3 * SECOND);
    expect(lab.log(0)).toContain('kernel 1 is gone');
  });
  it('leave processes that live elsewhere to the others: they go on as a family, and can fork, be waited for, listed and killed', () => {
    const lab = new KernelLab({ archive, cores: 6, kernels: 3 });
    for (const kernel of [1, 2]) lab.input(0, { kind: 'boot', kernel });
    lab.run(0.2 * SECOND);
    const type = (kernel: number, text: string, seconds = 0.1): string => lab.type(kernel, text, seconds * SECOND);
    // Born on kernel 1, on kernel 2 when 1 panics: one child ends before anybody knows of that, one after.
    type(
      1,
      `trap '' HUP; taskset -c 4 sh -c 'echo $$ > /tmp/pid; sh -c "sleep 0.5; exit 3"; echo $? > /tmp/out; sh -c "sleep 1; exit 4"; echo $? >> /tmp/out; sleep 100' &`,
    );
    lab.input(1, { kind: 'order', text: 'panic' });
    lab.run(lab.now + 3 * SECOND);
    expect(lab.log(0)).toContain("processes of kernel 1 are this kernel's from now on");
    expect(type(0, 'cat /tmp/out')).toContain('3\n4\n');
    expect(type(0, 'ps -o ppid,pid,comm | grep $(cat /tmp/pid) | cat')).toMatch(/\n *(\d+) +\d+ sleep\n +1 +\1 sh\n/);
    expect(type(0, 'kill $(cat /tmp/pid); sleep 0.05; ps -o comm | grep -c ^sh')).toContain('\n2\n');
    // A kernel 1 that is booted again gives out other numbers.
    lab.input(0, { kind: 'order', text: 'boot 1' });
    lab.run(lab.now + 0.2 * SECOND);
    expect(type(1, 'echo $(( ($$ & 32767) > ($(cat /tmp/pid) & 32767) ))')).toContain('\n1\n');
  });
  it.each([[[0, 1]], [[2, 3, 4]], [[5, 0, 1, 3]]])('are missed when they die together, the first ones too: %j', dead => {
    const lab = new KernelLab({ archive, cores: 6, kernels: 6 });
    for (let kernel = 1; kernel < 6; kernel++) lab.input(0, { kind: 'boot', kernel });
    lab.run(0.3 * SECOND);
    for (const kernel of dead) lab.input(kernel, { kind: 'order', text: 'panic' });
    lab.run((0.3 + 0.95 + 0.7 + 0.01) * SECOND);
    for (const kernel of [0, 1, 2, 3, 4, 5].filter(each => !dead.includes(each)))
      expect([...lab.log(kernel).matchAll(/kernel (\d) is gone/g)].map(([, gone]) => Number(gone)).sort()).toEqual([...dead].sort());
  });
  it('take their programs along: whoever waits for them is told', () => {
    const lab = run('taskset -c 2 sh -c "echo there; sleep 100"& sleep 0.01; panic 1; wait $!; echo $?');
    expect(lab.stdout).toBe('there\n137\n');
  });
  it('end pipes that they held, and what is asked of them', () => {
    const lab = run('(taskset -c 2 sh -c "echo one; sleep 100" | cat; echo over) & sleep 0.01; panic 1; wait; echo done');
    expect(lab.stdout).toBe('one\nover\ndone\n');
  });
  it('give back what they had: the books balance', () => {
    const lab = run(
      'free -k | sed -n 2p > /tmp/a; for i in 1 2 3; do taskset -c 2 sh -c "sleep 100" & done; sleep 0.01; panic 1; wait; cat /proc/popcorn/plan > /dev/null; echo ok',
    );
    expect(lab.stdout).toBe('ok\n');
    expect(lab.log(0)).toMatch(/\d+ pages that kernel 1 had are free again/);
  });
});

describe('faults', () => {
  it('of messages are noticed and mended', () => {
    const lab = run(`
      for i in 1 2 3 4 5 6; do
        echo fault 0 lose 1 2 > /proc/popcorn/control; echo fault 1 corrupt 0 3 > /proc/popcorn/control
        taskset -c 2 sh -c 'echo there $(cat /etc/hostname)'
      done
      grep -E 'resent|bad' /proc/popcorn/pcnmsg`);
    expect(lab.stdout).toMatch(/^(there popcorn\n){6}/);
    expect(lab.stdout).toMatch(/resent [1-9]/);
    expect(lab.trace.filter(([, , kind]) => kind === TraceKind.MessageBad).length).toBeGreaterThan(5);
  });
  it('a kernel that is deaf for a while is waited for', () => {
    const lab = run(
      'echo fault 1 deaf 20 > /proc/popcorn/control; for i in 1 2 3; do taskset -c 2 echo there & done; wait; sed 1d /proc/popcorn/kernels | grep -c up',
    );
    expect(lab.stdout).toBe('there\nthere\nthere\n2\n');
    const [[order] = []] = lab.trace.filter(([, , kind, , fault]) => kind === TraceKind.Fault && fault === FaultKind.Deaf);
    const heard = lab.trace.find(
      ([time, kernel, kind]) => kind === TraceKind.MessageReceive && kernel === 1 && (time ?? 0) > (order ?? Infinity),
    );
    expect((heard?.[0] ?? 0) - (order ?? 0)).toBeGreaterThanOrEqual(0.02 * SECOND);
  });
  it.each([0, 1, 2])('a kernel that is deaf for too long is taken for dead, and nobody else is: %i', deaf => {
    const lab = new KernelLab({ archive, cores: 6, kernels: 3 });
    for (const kernel of [1, 2]) lab.input(0, { kind: 'boot', kernel });
    lab.run(0.1 * SECOND);
    lab.input(0, { kind: 'order', text: `fault ${deaf} deaf 3000` });
    lab.run(1.5 * SECOND);
    const left = [0, 1, 2].filter(kernel => kernel !== deaf);
    for (const kernel of left) expect(lab.log(kernel).match(/kernel \d is gone/g)).toEqual([`kernel ${deaf} is gone`]);
  });
  it('a kernel without memory refuses, and goes on when it has some again', () => {
    const lab = run('echo fault 1 memory 50 > /proc/popcorn/control; taskset -c 2 echo no; sleep 0.1; taskset -c 2 echo yes', { cores: 4 });
    expect(lab.stdout).toMatch(/yes\n$/);
  });
  it('a core that stops takes its task along, and nothing else', () => {
    const lab = run(
      'taskset -c 1 sh -c "while :; do :; done" & sleep 0.01; echo fault 0 core 1 > /proc/popcorn/control; sleep 0.1; wait $!; echo $?; cat /sys/devices/system/cpu/online',
    );
    expect(lab.stdout).toBe('137\n0,2-3\n');
    expect(lab.log(0)).toContain('watchdog: CPU 1 does not answer');
  });
});

describe('the balancer', () => {
  const script = (word: string): string =>
    `echo balance ${word} > /proc/popcorn/control; for i in 1 2 3 4 5 6; do primes 150000 > /dev/null & done; sleep 0.08; ps -o pid,comm > /dev/null; wait; echo done`;
  const movedOf = (lab: KernelLab): number =>
    lab.trace.filter(([, , kind, , , , step]) => kind === TraceKind.Migrate && step === MigrateStep.Running).length;

  it('moves processes from a kernel that has too many to one that has none', () => {
    const lab = run(script('on'));
    expect(lab.stdout).toBe('done\n');
    expect(movedOf(lab)).toBeGreaterThan(0);
  });
  it('moves none when it is off', () => {
    expect(movedOf(run(script('off')))).toBe(0);
  });
});
