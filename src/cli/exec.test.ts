/** The command line as its users have it: processes, exit statuses, fingerprints; foreign programs against qemu. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toCpio } from '../lab/archive/file.ts';
import { scenarioOf, writeFile } from '../lab/scenario.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

function lab(args: readonly string[], input = ''): { out: string; err: string; status: number | null } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(ROOT, 'src/cli/lab.mjs'), ...args], {
    input,
    encoding: 'latin1',
    maxBuffer: 1 << 26,
    timeout: 100_000,
  });
  return { out: stdout, err: stderr, status };
}

describe('exec', () => {
  it('is as if the program had been started here', () => {
    expect(lab(['exec', '--', 'sh', '-c', 'cat; echo no >&2; exit 3'], 'in\n')).toEqual({ out: 'in\n', err: 'no\n', status: 3 });
    expect(lab(['exec', '--', 'sh', '-c', 'echo $PATH $HOME; pwd; kill -TERM $$'])).toEqual({
      out: '/usr/bin:/bin:/usr/sbin:/sbin /root\n/\n',
      err: '',
      status: 143,
    });
    expect(lab(['exec', '--', 'sh', '-c', 'echo one > /dev/full; echo $?'])).toEqual({
      out: '1\n',
      err: 'echo: write error: No space left on device\n',
      status: 0,
    });
  });

  it('has the same fingerprint with 1, 2 and 4 hosts: 8 kernels, pipes, migrations', () => {
    const script = 'for i in 1 2 3; do echo $i | cat | wc -c; done; primes 500 | tail -1; ps | grep -c init';
    const results = [1, 2, 4].map(hosts =>
      lab(['exec', '--plan', 'clustered', '--migrate-every', '100us', '--hosts', String(hosts), '--fingerprint', '--', 'sh', '-c', script]),
    );
    expect(results[0]?.err).toMatch(/^[0-9a-f]{16}\n$/);
    for (const result of results) expect(result).toEqual(results[0]);
  }, 120_000);

  it('reaches other kernels and the client machine, and what passes is captured', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pcap-'));
    const file = join(folder, 'run.pcapng');
    const run = (hosts: string, ...options: string[]): ReturnType<typeof lab> =>
      lab([
        ...['exec', '--plan', '0-1;8-9;16', '--client', '--switch', 'kernel', '--hosts', hosts, '--fingerprint', ...options, '--'],
        ...['sh', '-c', 'ping -q -c 1 10.1.2.3 | grep received; ping -q -c 1 10.1.1.63 | grep received; switch | head -1'],
      ]);
    try {
      const result = run('1', '--pcap', file);
      const received = '1 packets transmitted, 1 received, 0% packet loss, time 0ms\n';
      expect(result.out).toBe(`${received}${received}version kernel slots 64 budget 64 coalesce 0\n`);
      expect(run('2')).toEqual(result);
      // A section in this machine's order, and the echo's bytes somewhere in it.
      expect(readFileSync(file).readUInt32LE(8)).toBe(0x1a2b3c4d);
      expect(readFileSync(file, 'latin1')).toContain('from the client machine');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('has the same fingerprint with 1 and 4 hosts while processes that share memory move round 8 kernels', () => {
    const [one, four] = ['1', '4'].map(hosts => {
      const options = ['--plan', 'clustered', '--migrate-every', '50us', '--hosts', hosts, '--fingerprint'];
      return lab(['exec', ...options, '--', '/usr/lib/tests/shared']);
    });
    expect(one).toEqual({
      out: expect.stringContaining('ping-pong: 40 40, sum 820'),
      err: expect.stringMatching(/^[0-9a-f]{16}\n$/),
      status: 7,
    });
    expect(four).toEqual(one);
  }, 60_000);

  it('has the same fingerprint interpreted and translated', () => {
    const [translated, interpreted] = ['translate', 'interpret'].map(engine =>
      lab([
        'exec',
        '--plan',
        'clustered',
        '--migrate-every',
        '1ms',
        '--engine',
        engine,
        '--fingerprint',
        '--',
        'sh',
        '-c',
        'primes 20000 | tail -1; ls /bin | sort -r | head -3',
      ]),
    );
    expect(translated?.status).toBe(0);
    expect(translated).toEqual(interpreted);
  }, 120_000);

  it('has the same fingerprint with 1 and 3 hosts while kernels come and go, and cores and memory move', () => {
    const script = `(primes 5000 | tail -1) & (primes 5000 | tail -1) &
      boot --cpus 48-51 --mem 32M@6; mv-cpu 3,4 1; mv-mem 16M@0 0 1; mv-mem 16M@5 free 1; sleep 0.02; taskset -c 9 sleep 5 &
      taskset -c 50 echo there; panic 1; wait; boot --cpus 8-11 --mem 64M@1; sleep 0.05; taskset -c 9 echo again; halt 2; sleep 0.1
      echo fault 0 lose 3 > /proc/popcorn/control; sed 1d /proc/popcorn/kernels | cut -c1-11`;
    const [one, three] = ['1', '3'].map(hosts =>
      lab(['exec', '--plan', '0-7@0;8-15@1;16-23@2;24-31@3', '--hosts', hosts, '--fingerprint', '--', 'sh', '-c', script]),
    );
    expect(one?.out).toContain('there\n');
    expect(one?.out).toMatch(/again\n {5}0 {2}up \n {5}1 {2}off\n {5}2 {2}off\n {5}3 {2}up \n {5}4 {2}up \n {5}5 {2}up \n$/);
    expect(three).toEqual(one);
  }, 60_000);

  it('starts daemons on the kernels that are named, on the client machine’s too', () => {
    const said = ['--', 'sh', '-c', 'sleep 0.01; dmesg | grep -o "daemon of [0-9]*"'];
    expect(lab(['exec', '--plan', '0@0;1@0', '--kernel', '1', '--daemon', '1:echo daemon of $KERNEL', ...said]).out).toBe('daemon of 1\n');
    expect(lab(['exec', '--kernel', 'client', '--daemon', 'client:echo daemon of $KERNEL', ...said]).out).toBe('daemon of 127\n');
    expect(lab(['exec', '--daemon', 'client:true', '--', 'true'])).toMatchObject({
      status: 2,
      err: 'exec: --daemon: there is no client machine\n',
    });
  }, 60_000);

  it('takes a root from an archive, and lays archives over the userland; run finds those that a scenario names beside it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lab-archive-'));
    try {
      const file = (name: string, content: string) =>
        ({ name, type: 'file', mode: 0o755, uid: 0, gid: 0, mtime: 0, content: Buffer.from(content), inode: null }) as const;
      const [tool, more] = [join(folder, 'tool.cpio'), join(folder, 'more.cpio.gz')];
      writeFileSync(tool, toCpio([file('bin/tool', '#!/bin/sh\necho a tool of $1\n')]));
      writeFileSync(more, gzipSync(toCpio([file('etc/motd', 'another day\n')])));
      expect(lab(['exec', '--with', `${tool}:${more}`, '--', 'sh', '-c', 'tool mine; cat /etc/motd; ls -d /usr/bin/tool'])).toMatchObject({
        out: 'a tool of mine\nanother day\n/usr/bin/tool\n',
        err: '',
        status: 0,
      });
      expect(lab(['exec', '--root', more, '--', 'sh']).status).toBe(127);
      expect(lab(['exec', '--with', join(folder, 'none.deb'), '--', 'true'])).toMatchObject({ status: 2 });
      const exec = { kernel: 0, argv: ['tool', 'theirs'], env: ['PATH=/usr/bin'], migrateEvery: 0 };
      writeFileSync(join(folder, 'run.json'), writeFile(scenarioOf({ exec, root: [{ name: 'tool.cpio' }] })));
      expect(lab(['run', join(folder, 'run.json')])).toMatchObject({ out: 'a tool of theirs\n', status: 0 });
      const inputs = [{ time: 44_000_000, kernel: 1, input: { kind: 'console', text: 'cat /proc/self/kernel\n' } }];
      writeFileSync(
        join(folder, 'typed.json'),
        JSON.stringify({ version: 1, kind: 'scenario', plan: '0-7@0;8-15@1', boot: [0, 1], inputs }),
      );
      expect(lab(['run', join(folder, 'typed.json'), '--until', '50ms']).out).toMatch(/\n\[1\] 1\r\n/);
      writeFileSync(join(folder, 'wrong.json'), writeFile(scenarioOf({ plan: '0-7@99' })));
      expect(lab(['run', join(folder, 'wrong.json'), '--until', '1ms'])).toEqual({
        out: '',
        err: expect.stringMatching(/^run: .*node 99\n$/),
        status: 2,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 60_000);

  it('counts no caches with --no-caches, and says so in the log', () => {
    const with_ = (...options: string[]) =>
      lab(['exec', ...options, '--fingerprint', '--', 'sh', '-c', 'dmesg | grep -c nocaches; primes 20000 | tail -1']);
    const [on, off] = [with_(), with_('--no-caches')];
    expect([on.out, off.out]).toEqual(['0\n2262 primes up to 20000\n', '1\n2262 primes up to 20000\n']);
    expect(off.err).not.toBe(on.err);
    expect(with_('--no-caches', '--engine', 'interpret')).toEqual(off);
  });

  it.each([
    [['--plan', '0-7@0;7@1'], 'core 7 is given to kernel 0 and to kernel 1'],
    [['--plan', '0-7@9'], 'the machine has no node 9'],
    [['--plan', '@0'], 'kernel 0 has no core'],
    [['--plan', '0-7@'], 'has no memory'],
    [['--machine', 'abacus'], 'abacus is neither a machine'],
    [['--migrate-every', 'soon'], 'soon'],
    [['--kernel', '9', '--plan', 'clustered'], '--kernel 9'],
    [['--wings', '2'], 'there is no option --wings'],
    [['--engine', 'steam'], '--engine steam'],
  ])('refuses %j and says what is wrong', (options, message) => {
    const { out, err, status } = lab(['exec', ...options, '--', 'true']);
    expect({ out, status }).toEqual({ out: '', status: 2 });
    expect(err).toContain(message);
  });
});

const tools = ['riscv64-linux-gnu-gcc', 'qemu-riscv64-static'].every(tool => spawnSync(tool, ['--version']).status === 0);

describe.skipIf(!tools)('a program of the distribution’s compiler and C library (skipped without them)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lab-foreign-'));
  const root = join(folder, 'root');
  beforeAll(() => {
    for (const place of ['bin', 'etc', 'lib', 'tmp']) mkdirSync(join(root, place), { recursive: true });
    writeFileSync(join(root, 'etc/motd'), 'a file of the host\n');
    const compiled = [
      ['static', 'program', '-static'],
      ['dynamic', 'program'],
      ['threads', 'threads', '-static'],
      ['contended', 'contended', '-static'],
      ['robust', 'robust', '-static'],
    ] as const;
    for (const [name, source, ...flags] of compiled) {
      const { status, stderr } = spawnSync(
        'riscv64-linux-gnu-gcc',
        ['-O2', ...flags, '-o', join(root, 'bin', name), join(ROOT, `src/guest/foreign/${source}.c`), '-lm', '-lpthread'],
        { encoding: 'utf8' },
      );
      if (status !== 0) throw new Error(stderr);
    }
    for (const file of ['ld-linux-riscv64-lp64d.so.1', 'libc.so.6', 'libm.so.6'])
      cpSync(`/usr/riscv64-linux-gnu/lib/${file}`, join(root, 'lib', file), { dereference: true });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const expected = (name: string, argv: readonly string[]): string =>
    spawnSync('qemu-riscv64-static', ['-0', `/bin/${name}`, '-L', root, join(root, 'bin', name), ...argv], {
      encoding: 'latin1',
      timeout: 30_000,
    }).stdout.replace('no file', 'a file of the host');

  it.each(['static', 'dynamic'])('linked %sally prints the same bytes as under qemu, threads and all', name => {
    const { out, status } = lab(['exec', '--root', root, '--', `/bin/${name}`, 'threads']);
    expect(out).toContain('a file of the host');
    expect(out).toBe(expected(name, ['threads']));
    expect(status).toBe(42);
  });

  it.each(['static', 'dynamic'])('linked %sally prints the same while it moves round 8 kernels every 100 µs', name => {
    const { out, status } = lab(['exec', '--plan', 'clustered', '--migrate-every', '100us', '--root', root, '--', `/bin/${name}`]);
    expect(out).toBe(expected(name, []));
    expect(status).toBe(42);
  });

  // Not beside qemu, which knows no robust lists.
  it('that is killed leaves its robust mutex to the next one, though the page of it is with another kernel', () => {
    const { out } = lab(['exec', '--plan', '0-7@0;8-15@1', '--root', root, '--', '/bin/robust', '0', '8']);
    expect(out).toBe('its owner has died\nSuccess\n');
  });

  it.each([
    ['standing still', [], []],
    ['with its threads spread over 2 kernels', ['--plan', '0-7@0;8-15@1'], ['16']],
    ['standing still while its process moves round 8 kernels every 50 µs', ['--plan', 'clustered', '--migrate-every', '50us'], []],
    ['spread, while its process moves too', ['--plan', '0-7@0;8-15@1', '--migrate-every', '50us'], ['16']],
  ] as const)(
    'of POSIX threads prints the same as under qemu %s',
    (_what, options, argv) => {
      const { out, status } = lab(['exec', ...options, '--root', root, '--', '/bin/threads', ...argv]);
      expect(out).toBe(expected('threads', []));
      expect(status).toBe(0);
    },
    60_000,
  );

  it.each(['interpret', 'translate'])('on four cores of one kernel loses no increment by LR and SC (%s)', engine => {
    const { out, err, status } = lab(['exec', '--engine', engine, '--root', root, '--', '/bin/contended']);
    expect([out, status]).toEqual([expected('contended', []), 0]);
    expect(err).toBe('cores 4, refused now and then\n');
  });

  it('of POSIX threads, spread over 8 kernels, has the same fingerprint with 1, 2 and 4 hosts, and interpreted', () => {
    const run = (...options: string[]) =>
      lab(['exec', '--plan', 'clustered', '--fingerprint', ...options, '--root', root, '--', '/bin/threads', '64']);
    const [one, ...others] = [run(), run('--hosts', '2'), run('--hosts', '4'), run('--engine', 'interpret')];
    expect(one?.out).toBe(expected('threads', []));
    for (const other of others) expect(other).toEqual(one);
  }, 120_000);
});
