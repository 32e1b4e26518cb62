import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { E } from '../abi/errno.ts';
import { BUFFER, FsLab } from './testing.ts';
import { fromBytes, toBytes } from './bytes.ts';

const CWD = -100;

function lab(content: Record<string, string> = {}) {
  const made = new FsLab(content);
  return { lab: made, ctx: made.process() };
}

describe('names', () => {
  it('are walked through links, dots and mounts', () => {
    const { lab: l, ctx } = lab({ 'usr/bin/ls': 'elf', bin: '-> usr/bin', 'usr/loop': '-> loop' });
    expect(l.cat(ctx, '/bin/../bin/./ls')).toBe('elf');
    expect(l.call(ctx, 'openat', CWD, '/usr/loop', 0, 0)).toBe(-E.LOOP);
    expect(l.call(ctx, 'openat', CWD, '/bin/ls/x', 0, 0)).toBe(-E.NOTDIR);
    expect(l.call(ctx, 'openat', CWD, '/bin/ls/', 0, 0)).toBe(-E.NOTDIR);
    expect(l.call(ctx, 'openat', CWD, `/${'n'.repeat(256)}`, 0, 0)).toBe(-E.NAMETOOLONG);
    expect(l.call(ctx, 'openat', CWD, '', 0, 0)).toBe(-E.NOENT);
    expect(l.call(ctx, 'chdir', '/dev/pts')).toBe(0);
    expect(l.call(ctx, 'getcwd', BUFFER, 100)).toBe(9);
    expect(l.at(BUFFER, 8)).toBe('/dev/pts');
    expect(l.call(ctx, 'chdir', '../..')).toBe(0);
    expect(l.call(ctx, 'getcwd', BUFFER, 100)).toBe(2);
  });

  it('keep the bytes they are made of', () => {
    const { lab: l, ctx } = lab();
    const name = '/\xc3\xa4.txt';
    l.put(ctx, name, 'umlaut');
    expect(l.names(ctx, '/')).toContain('\xc3\xa4.txt');
    expect(l.cat(ctx, name)).toBe('umlaut');
  });

  it('are made, moved and taken away as Linux does', () => {
    const { lab: l, ctx } = lab({ 'tmp/': '' });
    expect(l.call(ctx, 'mkdirat', CWD, '/tmp/a/', 0o755)).toBe(0);
    expect(l.call(ctx, 'mkdirat', CWD, '/tmp/a', 0o755)).toBe(-E.EXIST);
    expect(l.call(ctx, 'mkdirat', CWD, '/tmp/no/b', 0o755)).toBe(-E.NOENT);
    l.put(ctx, '/tmp/a/f', '1');
    expect(l.call(ctx, 'unlinkat', CWD, '/tmp/a', 0)).toBe(-E.ISDIR);
    expect(l.call(ctx, 'unlinkat', CWD, '/tmp/a', 0x200)).toBe(-E.NOTEMPTY);
    expect(l.call(ctx, 'renameat2', CWD, '/tmp/a', CWD, '/tmp/a/b', 0)).toBe(-E.INVAL);
    l.put(ctx, '/tmp/g', '2');
    expect(l.call(ctx, 'renameat2', CWD, '/tmp/a/f', CWD, '/tmp/g', 1)).toBe(-E.EXIST);
    expect(l.call(ctx, 'renameat2', CWD, '/tmp/a/f', CWD, '/tmp/g', 2)).toBe(0);
    expect([l.cat(ctx, '/tmp/g'), l.cat(ctx, '/tmp/a/f')]).toEqual(['1', '2']);
    expect(l.call(ctx, 'renameat2', CWD, '/tmp/a/f', CWD, '/tmp/g', 0)).toBe(0);
    expect(l.cat(ctx, '/tmp/g')).toBe('2');
    expect(l.call(ctx, 'linkat', CWD, '/tmp/g', CWD, '/tmp/h', 0)).toBe(0);
    expect(l.call(ctx, 'unlinkat', CWD, '/tmp/g', 0)).toBe(0);
    expect(l.cat(ctx, '/tmp/h')).toBe('2');
    expect(l.call(ctx, 'unlinkat', CWD, '/tmp/a', 0x200)).toBe(0);
    expect(l.call(ctx, 'unlinkat', CWD, '/proc', 0x200)).toBe(-E.BUSY);
    expect(l.names(ctx, '/tmp')).toEqual(['.', '..', 'h']);
  });

  it('follow a directory that moves under somebody', () => {
    const { lab: l, ctx } = lab({ 'a/b/': '', 'c/': '' });
    l.call(ctx, 'chdir', '/a/b');
    expect(l.call(ctx, 'renameat2', CWD, '/a', CWD, '/c/z', 0)).toBe(0);
    l.call(ctx, 'getcwd', BUFFER, 100);
    expect(l.at(BUFFER, 6)).toBe('/c/z/b');
    expect(l.call(ctx, 'unlinkat', CWD, '/c/z/b', 0x200)).toBe(0);
    expect(l.call(ctx, 'getcwd', BUFFER, 100)).toBe(-E.NOENT);
    expect(l.call(ctx, 'openat', CWD, 'new', 0o101, 0o644)).toBe(-E.NOENT);
  });
});

describe('tmpfs', () => {
  it('leaves contents in the archive until they are read', () => {
    const { lab: l, ctx } = lab({ big: 'x'.repeat(100_000) });
    const before = l.frames.size;
    expect(l.cat(ctx, '/big').length).toBe(100_000);
    expect(l.frames.size - before).toBe(25);
  });

  it('gives its frames back when a removed file is closed', () => {
    const { lab: l, ctx } = lab();
    const before = l.frames.size;
    const fd = l.call(ctx, 'openat', CWD, '/f', 0o102, 0o644);
    l.call(ctx, 'write', fd, BUFFER, 10_000);
    l.call(ctx, 'unlinkat', CWD, '/f', 0);
    expect(l.frames.size).toBe(before + 3);
    l.call(ctx, 'close', fd);
    expect(l.frames.size).toBe(before);
  });

  it('behaves as an array of bytes', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), at: fc.nat(20_000), bytes: fc.uint8Array({ minLength: 1, maxLength: 6000 }) }),
      fc.record({ kind: fc.constant('truncate' as const), at: fc.nat(25_000), bytes: fc.constant(new Uint8Array(0)) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.nat(9000), (steps, archived) => {
        const content = 'a'.repeat(archived);
        const { lab: l, ctx } = lab({ f: content });
        const fd = l.call(ctx, 'openat', CWD, '/f', 2, 0);
        let model = toBytes(content);
        for (const { kind, at, bytes } of steps) {
          if (kind === 'truncate') {
            expect(l.call(ctx, 'ftruncate', fd, at)).toBe(0);
            const next = new Uint8Array(at);
            next.set(model.subarray(0, at));
            model = next;
          } else {
            l.memory.set(bytes, BUFFER);
            expect(l.call(ctx, 'pwrite64', fd, BUFFER, bytes.length, at)).toBe(bytes.length);
            const next = new Uint8Array(Math.max(model.length, at + bytes.length));
            next.set(model);
            next.set(bytes, at);
            model = next;
          }
        }
        expect(l.call(ctx, 'pread64', fd, BUFFER, 65536, 0)).toBe(model.length);
        expect(l.at(BUFFER, model.length) === fromBytes(model)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('shares a mapped page with readers', () => {
    const { lab: l, ctx } = lab({ f: 'abc' });
    const fd = l.call(ctx, 'openat', CWD, '/f', 2, 0);
    const pfn = ctx.process.files.get(fd).mapPage(0, true) as number;
    l.frameBytes(pfn)[0] = 0x7a;
    expect(l.cat(ctx, '/f')).toBe('zbc');
    expect(() => ctx.process.files.get(fd).mapPage(1, false)).toThrow();
  });
});

describe('descriptors', () => {
  it('are the lowest free number', () => {
    const { lab: l, ctx } = lab({ f: '' });
    const open = () => l.call(ctx, 'openat', CWD, '/f', 0, 0);
    expect([open(), open(), open()]).toEqual([0, 1, 2]);
    l.call(ctx, 'close', 1);
    expect(l.call(ctx, 'dup', 2)).toBe(1);
    expect(l.call(ctx, 'dup3', 2, 9, 0o2000000)).toBe(9);
    expect(l.call(ctx, 'fcntl', 9, 1, 0)).toBe(1);
    expect(ctx.process.files.closeOnExec().length).toBe(1);
    expect(l.call(ctx, 'close', 9)).toBe(-E.BADF);
    expect(l.call(ctx, 'fcntl', 0, 0, 20)).toBe(20);
  });

  it('of /dev/stdin and /proc/self/fd lead to the open file', () => {
    const { lab: l, ctx } = lab();
    l.call(ctx, 'pipe2', BUFFER, 0);
    l.call(ctx, 'write', 1, 'in', 2);
    const fd = l.call(ctx, 'openat', CWD, '/dev/stdin', 0, 0);
    expect(l.call(ctx, 'read', fd, BUFFER, 9)).toBe(2);
    expect(l.call(ctx, 'readlinkat', CWD, '/proc/self/fd/0', BUFFER, 100)).toBe(8);
    expect(l.at(BUFFER, 8)).toBe('pipe:[1]');
  });
});

describe('ppoll and epoll', () => {
  it('wait for one of several', () => {
    const { lab: l, ctx } = lab();
    l.call(ctx, 'pipe2', BUFFER, 0);
    const view = new DataView(l.memory.buffer);
    view.setInt32(BUFFER, 0, true);
    view.setUint16(BUFFER + 4, 1, true);
    const waiting = l.start(ctx, 'ppoll', BUFFER, 1, 0, 0, 8);
    expect(waiting.done).toBe(false);
    l.call(ctx, 'write', 1, 'x', 1);
    l.wake();
    expect(waiting.result).toBe(1);
    expect(view.getUint16(BUFFER + 6, true)).toBe(1);
  });

  it('end after their time', () => {
    const { lab: l, ctx } = lab();
    const time = BUFFER + 64;
    new DataView(l.memory.buffer).setBigUint64(time, 2n, true);
    const waiting = l.start(ctx, 'ppoll', 0, 0, time, 0, 8);
    l.time = 2_000_000;
    l.wake();
    expect(waiting.result).toBe(0);
  });

  it('report a level until it is gone, an edge once', () => {
    const { lab: l, ctx } = lab();
    l.call(ctx, 'pipe2', BUFFER, 0);
    const epoll = l.call(ctx, 'epoll_create1', 0);
    const view = new DataView(l.memory.buffer);
    const wait = () => l.call(ctx, 'epoll_pwait', epoll, BUFFER + 64, 4, 0, 0, 8);
    view.setUint32(BUFFER, 1, true);
    view.setBigUint64(BUFFER + 8, 0x1234567890abcdefn, true);
    expect(l.call(ctx, 'epoll_ctl', epoll, 1, 0, BUFFER)).toBe(0);
    expect(l.call(ctx, 'epoll_ctl', epoll, 1, 0, BUFFER)).toBe(-E.EXIST);
    expect(wait()).toBe(0);
    l.call(ctx, 'write', 1, 'x', 1);
    expect([wait(), wait()]).toEqual([1, 1]);
    expect(view.getBigUint64(BUFFER + 72, true)).toBe(0x1234567890abcdefn);
    view.setUint32(BUFFER, 0x80000001, true);
    expect(l.call(ctx, 'epoll_ctl', epoll, 3, 0, BUFFER)).toBe(0);
    expect([wait(), wait()]).toEqual([1, 0]);
    l.call(ctx, 'write', 1, 'y', 1);
    expect([wait(), wait()]).toEqual([1, 0]);
  });
});

describe('/proc and /sys', () => {
  it('have the formats of Linux', () => {
    const { lab: l, ctx } = lab();
    expect(l.cat(ctx, '/proc/self/stat')).toMatch(
      /^1 \(sh\) S 0 1 1 0 -1 4194304 7 0 0 0 100 50 0 0 20 0 1 0 200 131072 10 18446744073709551615( \S+){27}\n$/,
    );
    expect(l.cat(ctx, '/proc/1/status')).toContain('\nUid:\t0\t0\t0\t0\n');
    expect(l.cat(ctx, '/proc/1/maps').split('\n')[0]).toBe(`${'00010000-00012000 r-xp 00000000 00:10 5'.padEnd(73)}/bin/sh`);
    expect(l.cat(ctx, '/proc/meminfo')).toMatch(/^MemTotal: {11}4096 kB\n/);
    expect(l.cat(ctx, '/proc/stat')).toMatch(/^cpu {2}200 0 0 200 0 0 0 0 0 0\ncpu0 100 /);
    expect(l.cat(ctx, '/proc/mounts')).toContain('devpts /dev/pts devpts rw,relatime 0 0\n');
    expect(l.cat(ctx, '/sys/devices/system/cpu/online')).toBe('0-1\n');
    expect(l.cat(ctx, '/sys/devices/system/node/node0/cpulist')).toBe('0-1\n');
    expect(l.names(ctx, '/proc')).toEqual(expect.arrayContaining(['1', 'self', 'meminfo']));
  });

  it('take orders', () => {
    const { lab: l, ctx } = lab();
    l.put(ctx, '/proc/self/kernel', '3\n');
    l.put(ctx, '/proc/sys/kernel/hostname', 'lab\n');
    expect(l.logged).toEqual(['migrate 1 to 3', 'hostname lab']);
    expect(() => l.cat(ctx, '/proc/99/stat')).toThrow();
  });
});

describe('permissions', () => {
  it('hold for users other than 0', () => {
    const { lab: l, ctx } = lab({ secret: 'x' });
    l.call(ctx, 'fchmodat', CWD, '/secret', 0o600);
    Object.assign(ctx.process.credentials, { uid: 5, euid: 5, gid: 5, egid: 5 });
    expect(l.call(ctx, 'openat', CWD, '/secret', 0, 0)).toBe(-E.ACCES);
    expect(l.call(ctx, 'openat', CWD, '/new', 0o101, 0o644)).toBe(-E.ACCES);
    expect(l.call(ctx, 'faccessat', CWD, '/secret', 4)).toBe(-E.ACCES);
    expect(l.call(ctx, 'fchmodat', CWD, '/secret', 0o777)).toBe(-E.PERM);
  });
});
