/** The disk: one kernel has it, all use it, and what the kernels leave on it is what e2fsprogs call a file system. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { O } from '../abi/fcntl.ts';
import { makeExt2 } from '../fs/ext2/mkfs.ts';
import type { Kernel } from '../kernel.ts';
import { fileBacking } from '../mm/file-backing.ts';
import { inflate, KernelLab } from '../testing.ts';
import { type Blocking, PAGE_SIZE, settle } from '../types.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../../public/initramfs.cpio.gz', import.meta.url))));
const SECOND = 2.2e9;
const folder = mkdtempSync(join(tmpdir(), 'disk-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PATHS = ['/usr/sbin', '/sbin', '/usr/bin', '/bin'];
const has = (tool: string): boolean => PATHS.some(path => existsSync(join(path, tool)));
const tools = ['e2fsck', 'debugfs', 'mke2fs'].every(has);

/** @returns what the tool says; its status does not matter here */
function e2fs(tool: string, ...args: string[]): string {
  try {
    return execFileSync(tool, args, { encoding: 'latin1', stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: PATHS.join(':') } });
  } catch (error) {
    return `${tool} failed: ${(error as { stdout: string }).stdout}`;
  }
}
let images = 0;
function imageFile(bytes: Uint8Array): string {
  const path = join(folder, `${images++}.img`);
  writeFileSync(path, bytes);
  return path;
}
/** What e2fsck has to say about a disk: nothing but its passes. */
function check(disk: Uint8Array): void {
  expect(e2fs('e2fsck', '-fn', imageFile(disk))).toMatch(
    /^Pass 1[^\n]*\nPass 2[^\n]*\nPass 3[^\n]*\nPass 4[^\n]*\nPass 5[^\n]*\n[^\n]*\n$/,
  );
}
/** An empty file system, by our own mkfs. */
function empty(mebibytes: number, blockBytes: 1024 | 4096 = 4096): Uint8Array {
  const disk = new Uint8Array(mebibytes << 20);
  disk.set(makeExt2(disk.length, blockBytes));
  return disk;
}
/** Runs a script on kernel 0, which owns the disk. */
function run(script: string, disk: Uint8Array, { kernels = 1, cores = 2 } = {}): KernelLab {
  const lab = new KernelLab({ archive, cores, kernels, disk, exec: ['sh', '-c', script] });
  for (let kernel = 1; kernel < kernels; kernel++) lab.input(0, { kind: 'boot', kernel });
  lab.run(60 * SECOND);
  expect(lab.status).not.toBe(null);
  return lab;
}

describe.skipIf(!tools)('the file system on the disk', () => {
  it.each([1024, 4096] as const)('blocks of %i: files, directories, links, holes, truncation; e2fsck finds nothing', size => {
    const lab = run(
      `cd /disk; mkdir -p a/b/c; echo hello > a/b/c/file; ln a/b/c/file a/hard; ln -s ../a/hard a/soft; cat a/soft
       ln -s ${'x'.repeat(80)} long; readlink long | wc -c
       seq 1 20000 > big; wc -c big; tail -1 big
       echo
       head -c 5000 big > cut; : > big; wc -c < big; seq 1 2000 >> cut; wc -c < cut
       for i in $(seq 1 150); do echo $i > a/name-that-is-rather-long-$i; done; ls a | wc -l
       for i in $(seq 1 2 150); do rm a/name-that-is-rather-long-$i; done; ls a | wc -l
       mv a/b/c a/moved; ls a/b; cat a/moved/file; rmdir a/b; mkfifo a/pipe; chmod 640 cut; mv cut a/hard
       cat a/hard | tail -1; ls -l a/hard | cut -c1-10; mkdir gone; rmdir gone; cd /; df /disk | tail -1 | cut -c1-9; grep disk /proc/mounts`,
      empty(8, size),
    );
    expect(lab.stderr).toBe('');
    expect(lab.stdout).toContain('hello\n81\n108894 big\n');
    expect(lab.stdout).toContain('20000\n\n0\n13893\n');
    expect(lab.stdout).toContain('\n153\n78\n');
    expect(lab.stdout).toContain('hello\n2000\n-rw-r-----\n/dev/vda \n/dev/vda /disk ext2 rw,relatime 0 0\n');
    check(lab.disk.image());
    const path = imageFile(lab.disk.image());
    expect(e2fs('debugfs', '-R', 'cat /a/soft', path)).toBe('');
    expect(e2fs('debugfs', '-R', 'cat /a/moved/file', path)).toBe('hello\n');
    expect(e2fs('debugfs', '-R', 'cat /a/hard', path).split('\n').slice(-3)).toEqual(['1999', '2000', '']);
    expect(e2fs('debugfs', '-R', 'stat /a/soft', path)).toContain('Fast link dest: "../a/hard"');
  });

  it('reads what mke2fs and debugfs have made, and changes it in ways that they understand', () => {
    for (const block of ['1024', '4096']) {
      const path = imageFile(new Uint8Array(8 << 20));
      writeFileSync(join(folder, 'text'), 'from outside\n'.repeat(9000));
      expect(e2fs('mke2fs', '-q', '-F', '-t', 'ext2', '-b', block, path)).toBe('');
      for (const order of ['mkdir dir', `write ${join(folder, 'text')} dir/text`, 'symlink dir/link text'])
        e2fs('debugfs', '-w', '-R', order, path);
      const lab = run(
        'cd /disk; wc -c < dir/link; tail -c 13 dir/text; ls; echo more >> dir/text; rm dir/link; for i in $(seq 1 300); do : > dir/f$i; done; rm dir/f1',
        new Uint8Array(readFileSync(path)),
      );
      expect(lab.stderr).toBe('');
      expect(lab.stdout).toBe('117000\nfrom outside\ndir\nlost+found\n');
      check(lab.disk.image());
      expect(e2fs('debugfs', '-R', 'cat /dir/text', imageFile(lab.disk.image())).slice(-18)).toBe('from outside\nmore\n');
    }
  });

  it('is full when it is full, and goes on', () => {
    const lab = run('cd /disk; cat /dev/zero > all; ls -l all | wc -l; mkdir no; rm all; echo yes > yes; cat yes', empty(1, 1024));
    expect(lab.stderr).toContain('No space left on device');
    expect(lab.stdout).toBe('1\nyes\n');
    check(lab.disk.image());
  });

  it('has files that are memory: what is written through a shared mapping is read, and comes to the disk', () => {
    const disk = empty(2, 1024);
    const lab = new KernelLab({ archive, cores: 1, kernels: 1, disk, exec: ['sleep', '1'] });
    const time = lab.run(SECOND / 10, () => false);
    const [kernel] = lab.running as [Kernel];
    const nobody = { pid: 0, tid: 0, uid: 0, gid: 0, shield: 0 };
    const read = new Uint8Array(3);
    const work = function* (): Blocking<void> {
      const { vfs } = kernel;
      const file = yield* settle(vfs.open(vfs.kernelCaller(), vfs.root, '/disk/memory', O.RDWR | O.CREAT, 0o644));
      yield* settle(file.truncate(3 * PAGE_SIZE));
      const backing = yield* fileBacking(file, true, 0, 3, rest => kernel.detach(rest));
      const at = backing.mapPage(1, true) * PAGE_SIZE;
      kernel.memory.u8.set([109, 109, 112], at);
      yield* settle(file.pwrite(Uint8Array.of(97), PAGE_SIZE + 1, nobody));
      expect([...kernel.memory.u8.subarray(at, at + 3)]).toEqual([109, 97, 112]);
      yield* settle(file.pread(read, PAGE_SIZE, nobody));
      kernel.frames.release(at / PAGE_SIZE);
      backing.release();
      yield* settle(file.release());
    };
    kernel.at(time, () => kernel.spawn(work()));
    lab.run(5 * SECOND);
    expect([...read]).toEqual([109, 97, 112]);
    check(lab.disk.image());
    expect(e2fs('debugfs', '-R', 'cat /memory', imageFile(lab.disk.image())).replaceAll('\0', '')).toBe('map');
  });

  it('keeps files that have no name but are open, and frees them at the end', () => {
    const lab = run('cd /disk; echo kept > x; exec 3< x; rm x; cat <&3; exec 4> y; rm y; echo lost >&4; ls', empty(2));
    expect(lab.stdout).toBe('kept\nlost+found\n');
    check(lab.disk.image());
  });
});

describe.skipIf(!tools)('the disk and kernels', () => {
  it('is there on every kernel, by message', () => {
    const lab = run(
      `echo one > /disk/file; taskset -c 1 sh -c 'cat /disk/file; echo two >> /disk/file; mkdir /disk/d; mv /disk/file /disk/d/f; grep disk /proc/mounts; df /disk | tail -1 | cut -c1-9; cp /bin/popcorn /disk/echo; /disk/echo three; sync'
       cat /disk/d/f; /disk/echo four`,
      empty(8),
      { kernels: 2 },
    );
    expect(lab.stderr).toBe('');
    expect(lab.stdout).toBe('one\n/dev/vda /disk popcornfs rw,relatime 0 0\n/dev/vda \nthree\none\ntwo\nfour\n');
    check(lab.disk.image());
  });

  it('changes hands, and everyone follows; not while it is in use', () => {
    const lab = run(
      `echo one > /disk/file; (cd /disk; mv-dev disk0 1); exec 3< /disk/file; mv-dev disk0 1; exec 3<&-
       taskset -c 1 sh -c 'cd /disk; mv-dev disk0 1'
       mv-dev disk0 1; cat /disk/file; grep disk /proc/mounts; taskset -c 1 sh -c 'grep disk /proc/mounts; echo two >> /disk/file; head -c 1082 /dev/vda | tail -c 2 | od -An -tx1'
       head -c 1 /dev/vda; mv-dev disk0 0; cat /disk/file; kernels | grep -c disk0`,
      empty(4),
      { kernels: 2 },
    );
    expect(lab.stderr.split('\n').slice(0, 4)).toEqual([
      expect.stringMatching(/^mv-dev: \/disk is in use by mv-dev \(\d+\) on kernel 0$/),
      'mv-dev: /disk is in use: 1 open file',
      expect.stringMatching(/^mv-dev: \/disk is in use by sh \(\d+\) on kernel 1$/),
      expect.stringContaining('/dev/vda: No such device or address'),
    ]);
    expect(lab.stdout).toBe('one\n/dev/vda /disk popcornfs rw,relatime 0 0\n/dev/vda /disk ext2 rw,relatime 0 0\n 53 ef\n\none\ntwo\n1\n');
    check(lab.disk.image());
  });

  it('stays while another kernel runs a program from it that it has remembered, and not opened', () => {
    const lab = run(
      `cp /bin/sleep /disk/sleep; taskset -c 1 /disk/sleep 0; taskset -c 1 /disk/sleep 1 & sleep 0.3; mv-dev disk0 1; wait; mv-dev disk0 1; ls /disk`,
      empty(4),
      { kernels: 2 },
    );
    expect(lab.stderr).toBe('mv-dev: /disk is in use: 1 open file\n');
    expect(lab.stdout).toBe('lost+found\nsleep\n');
    check(lab.disk.image());
  });

  it('outlives its owner: what was synced is there for the next one', () => {
    const lab = run(
      `mv-dev disk0 1; echo kept > /disk/kept; sync; panic 1; sleep 0.6; ls -A /disk; mv-dev disk0 0; sleep 0.1; cat /disk/kept; dmesg | grep -c 'not unmounted'`,
      empty(4),
      { kernels: 2 },
    );
    expect(lab.stdout).toBe('kept\n1\n');
    expect(e2fs('e2fsck', '-fn', imageFile(lab.disk.image()))).not.toContain('failed');
  });

  it('takes its time: the arm moves, the platter turns', () => {
    const lab = run(
      'head -c 100 /dev/vda > /dev/null; for i in 1 2 3; do echo $i > /disk/$i; sync; done; cut -d" " -f1 /proc/uptime',
      empty(4),
    );
    const seconds = Number(lab.stdout);
    expect(seconds).toBeGreaterThan(0.03);
    expect(seconds).toBeLessThan(2);
  });
});
