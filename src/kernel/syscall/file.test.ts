import { describe, expect, it } from 'vitest';
import { E } from '../abi/errno.ts';
import { BUFFER, FsLab } from '../fs/testing.ts';

describe('calls on files', () => {
  it('stat as a RV64 program sees it', () => {
    const lab = new FsLab({ f: 'hello' });
    const ctx = lab.process();
    expect(lab.call(ctx, 'newfstatat', -100, '/f', BUFFER, 0)).toBe(0);
    const view = new DataView(lab.memory.buffer, BUFFER);
    expect([view.getUint32(16, true).toString(8), view.getUint32(20, true), view.getBigInt64(48, true), view.getInt32(56, true)]).toEqual([
      '100755',
      1,
      5n,
      4096,
    ]);
    expect(lab.call(ctx, 'statx', -100, '/f', 0, 0x7ff, BUFFER)).toBe(0);
    expect([view.getUint16(28, true).toString(8), view.getBigUint64(40, true)]).toEqual(['100755', 5n]);
    expect(lab.call(ctx, 'newfstatat', -100, '/f', 1, 0)).toBe(-E.FAULT);
  });

  it('set times to the nanosecond', () => {
    const lab = new FsLab({ f: '' });
    const ctx = lab.process();
    const view = new DataView(lab.memory.buffer, BUFFER);
    view.setBigInt64(0, -5n, true);
    view.setBigInt64(8, 0x3ffffffen, true);
    view.setBigInt64(16, 1_600_000_000n, true);
    view.setBigInt64(24, 123_456_789n, true);
    expect(lab.call(ctx, 'utimensat', -100, '/f', BUFFER, 0)).toBe(0);
    lab.call(ctx, 'newfstatat', -100, '/f', BUFFER, 0);
    expect([view.getBigInt64(88, true), view.getBigInt64(96, true)]).toEqual([1_600_000_000n, 123_456_789n]);
  });

  it('copy between files and pipes', () => {
    const lab = new FsLab({ f: 'x'.repeat(70_000) });
    const ctx = lab.process();
    const from = lab.call(ctx, 'openat', -100, '/f', 0, 0);
    const to = lab.call(ctx, 'openat', -100, '/g', 0o102, 0o600);
    expect(lab.call(ctx, 'sendfile', to, from, 0, 100_000)).toBe(70_000);
    expect(lab.call(ctx, 'lseek', to, 0, 2)).toBe(70_000);
    lab.memory.fill(0, BUFFER, BUFFER + 8);
    expect(lab.call(ctx, 'copy_file_range', from, BUFFER, to, 0, 10, 0)).toBe(10);
    expect(lab.memory[BUFFER]).toBe(10);
    expect(lab.call(ctx, 'pipe2', BUFFER, 0)).toBe(0);
    expect(lab.call(ctx, 'splice', to, BUFFER + 16, 3, 0, 5, 0)).toBe(5);
  });

  it('gather and scatter', () => {
    const lab = new FsLab();
    const ctx = lab.process();
    const fd = lab.call(ctx, 'openat', -100, '/f', 0o102, 0o600);
    const view = new DataView(lab.memory.buffer, BUFFER);
    const [a, b] = [lab.text('hello '), lab.text('world')];
    for (const [i, value] of [a, 6, b, 5].entries()) view.setBigInt64(8 * i, BigInt(value), true);
    expect(lab.call(ctx, 'writev', fd, BUFFER, 2)).toBe(11);
    expect(lab.cat(ctx, '/f')).toBe('hello world');
    view.setBigInt64(8, -1n, true);
    expect(lab.call(ctx, 'writev', fd, BUFFER, 2)).toBe(-E.INVAL);
    expect(lab.call(ctx, 'preadv', fd, BUFFER, 2000, 0)).toBe(-E.INVAL);
  });

  it('find data and holes in a file that is mostly hole', () => {
    const lab = new FsLab();
    const ctx = lab.process();
    const fd = lab.call(ctx, 'openat', -100, '/f', 0o102, 0o600);
    expect(lab.call(ctx, 'ftruncate', fd, 2 ** 42)).toBe(0);
    lab.call(ctx, 'pwrite64', fd, BUFFER, 10, 2 ** 40);
    expect(lab.call(ctx, 'lseek', fd, 5, 3)).toBe(2 ** 40);
    expect(lab.call(ctx, 'lseek', fd, 2 ** 40, 4)).toBe(2 ** 40 + 4096);
    expect(lab.call(ctx, 'lseek', fd, 2 ** 41, 3)).toBe(-E.NXIO);
    expect(lab.call(ctx, 'fallocate', fd, 3, 0, 2 ** 42)).toBe(0);
    expect(lab.call(ctx, 'fallocate', fd, 0, 0, 2 ** 42)).toBe(-E.NOSPC);
  });

  it('leave some memory to programs: a file that takes the rest is refused with ENOSPC, and what was there goes on', () => {
    const lab = new FsLab();
    const ctx = lab.process();
    const fd = lab.call(ctx, 'openat', -100, '/f', 0o102, 0o600);
    lab.framesMax = lab.frames.size + 320;
    let written = 0;
    for (let count = 1; count > 0; written += Math.max(0, count)) count = lab.call(ctx, 'pwrite64', fd, BUFFER, 4096, written);
    expect(lab.call(ctx, 'pwrite64', fd, BUFFER, 1, written)).toBe(-E.NOSPC);
    expect(lab.framesMax - lab.frames.size).toBeGreaterThanOrEqual(Math.floor(lab.framesMax / 16));
    expect(lab.call(ctx, 'pwrite64', fd, BUFFER, 4096, 0)).toBe(4096);
  });

  it('survive any numbers as arguments', () => {
    const lab = new FsLab({ f: 'x' });
    const ctx = lab.process();
    const wild = [0, 1, -1, -100, 4096, BUFFER, 2 ** 31, -(2 ** 31), 2 ** 37, 2 ** 53 - 1, -(2 ** 53), 2 ** 63, -(2 ** 63)];
    let seed = 7;
    const pick = (): number => wild[(seed = (seed * 1103515245 + 12345) % 2 ** 31) % wild.length] as number;
    const names = [
      'read',
      'write',
      'pread64',
      'pwrite64',
      'readv',
      'writev',
      'lseek',
      'ftruncate',
      'fallocate',
      'fcntl',
      'ioctl',
      'openat',
      'getdents64',
      'newfstatat',
      'statx',
      'ppoll',
      'pselect6',
      'epoll_ctl',
      'epoll_pwait',
      'sendfile',
      'splice',
      'utimensat',
      'readlinkat',
      'dup3',
      'close_range',
      'pipe2',
      'getrandom',
      'mknodat',
      'mount',
      'getcwd',
      'renameat2',
      'copy_file_range',
      'flock',
      'socket',
      'socketpair',
      'bind',
      'listen',
      'accept4',
      'connect',
      'getsockname',
      'sendto',
      'recvfrom',
      'getsockopt',
      'setsockopt',
      'sendmsg',
      'recvmsg',
      'recvmmsg',
    ];
    for (let round = 0; round < 400; round++) {
      for (const name of names) {
        const fiber = lab.start(ctx, name, pick(), pick(), pick(), pick(), pick(), pick());
        if (fiber.done) expect(Number.isInteger(fiber.result ?? fiber.errno)).toBe(true);
        else lab.fibers.splice(0);
      }
    }
  });
});
