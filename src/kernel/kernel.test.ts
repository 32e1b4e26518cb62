/** Whole kernels: boot, the guest's test programs against what they print under qemu-riscv64, migration, determinism. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TraceKind } from './trace.ts';
import { inflate, KernelLab, type LabOptions } from './testing.ts';

const archive = inflate(new Uint8Array(readFileSync(new URL('../../public/initramfs.cpio.gz', import.meta.url))));
const EXPECTED = new URL('../guest/tests/expected/', import.meta.url);
const programs = readdirSync(EXPECTED).map(name => name.replace(/\.txt$/, ''));
const HERTZ = 2.2e9;

function run(argv: readonly string[], options: Partial<LabOptions> = {}, stdin = ''): KernelLab {
  const lab = new KernelLab({ archive, exec: argv, ...options });
  for (let kernel = 1; kernel < (options.kernels ?? 1); kernel++) lab.input(0, { kind: 'boot', kernel });
  if (stdin !== '') lab.input(0, { kind: 'stdin', bytes: new TextEncoder().encode(stdin) });
  lab.input(0, { kind: 'stdin', bytes: new Uint8Array(0) });
  lab.run(30 * HERTZ);
  return lab;
}

/** As the recorder of src/guest/tests/expected writes it. */
const report = (lab: KernelLab): string => `${lab.stdout}status ${(lab.status ?? -256) >> 8}\n`;

describe('a program standing still', () => {
  it.each(programs)('%s prints what it prints under qemu', name => {
    expect(report(run([`/usr/lib/tests/${name}`]))).toBe(readFileSync(new URL(`${name}.txt`, EXPECTED), 'latin1'));
  });

  it('runs new code whichever way it came', () => {
    expect(run(['/usr/lib/tests/faults', 'aliases']).stdout).toMatch(
      /^mapped twice, rewritten by its other address: 4 5\nrewritten by write\(2\): 6\nfetch of hot code that is gone +signal 11, code 1, at \+0\n$/,
    );
  });

  it('has its input, output, error and status passed through', () => {
    const lab = run(['sh', '-c', 'cat; echo no >&2; exit 3'], {}, 'yes\n');
    expect([lab.stdout, lab.stderr, lab.status]).toEqual(['yes\n', 'no\n', 3 << 8]);
  });

  it.each([
    ['not there', ['/bin/nothing'], 127],
    ['no program', ['/etc/passwd'], 126],
  ])('that is %s is refused as a shell would', (_what, argv, status) => {
    expect(run(argv).status).toBe(status << 8);
  });

  it('ends by the signal that killed it', () => {
    expect(run(['sh', '-c', 'kill -9 $$']).status).toBe(9);
  });

  it('may fork without end: it gets EAGAIN, the kernel goes on', () => {
    const lab = run([
      'sh',
      '-c',
      'f() { f | f & }; (ulimit -u 40 2>/dev/null; i=0; while [ $i -lt 200 ]; do sleep 0.01 & i=$((i+1)); done; wait); echo alive',
    ]);
    expect(lab.stdout).toContain('alive');
  });
});

/** Those that a process can take along from kernel to kernel at any time. */
const TRAVELLERS = [
  'descriptors',
  'exec',
  'files',
  'floating',
  'fork_wait',
  'pipes',
  'polling',
  'signals',
  'static_pie',
  'wild_pointers',
  'clocks',
  'locks',
  'sockets',
  'threads',
  'memory',
  'spread',
  'faults',
  'shared',
  'inet',
  'epoll',
  'job_control',
  'system',
];

describe('a program on its way', () => {
  it.each(TRAVELLERS)('%s prints the same while it moves round 8 kernels every 100 µs', name => {
    const lab = run([`/usr/lib/tests/${name}`], { kernels: 8, cores: 8, migrateEvery: HERTZ / 10_000 });
    expect(report(lab)).toBe(readFileSync(new URL(`${name}.txt`, EXPECTED), 'latin1'));
  });

  it.each([
    ['2', [1, 2]],
    ['1', [2, 1]],
    ['0', [1, 0]],
    ['0', [2, 1, 0]],
  ])('is where it was asked to go last: %s after %j at once', (last, wishes) => {
    const orders = wishes.map(to => `echo ${to} > /proc/$P/kernel`).join('; ');
    for (const program of ['sleep 10', 'spin'])
      expect(
        run(['sh', '-c', `${program} > /tmp/out & P=$!; sleep 0.001; ${orders}; sleep 0.002; cat /proc/$P/kernel; kill $P`], {
          kernels: 3,
          cores: 6,
        }).stdout,
      ).toBe(`${last}\n`);
  });

  it('stays longer each time in a call that has to be made again, up to eight intervals: so two that must meet do', () => {
    const lab = run(['sleep', '0.01'], { kernels: 2, cores: 2, migrateEvery: 220_000 });
    const times = (step: number): number[] =>
      lab.trace.filter(record => record[2] === TraceKind.Migrate && record[6] === step).map(([time]) => time as number);
    const [stopped, running] = [times(0), times(6)];
    const stays = stopped.slice(1).map((time, i) => Math.round((time - (running[i] as number)) / 220_000));
    expect(stays.slice(-6)).toEqual([8, 8, 8, 8, 8, 8]);
    expect(stays).toContain(2);
    expect(stays).toContain(4);
  });

  it('has its threads compute on several kernels, where they ask for cores, and prints the same', () => {
    const lab = run(['/usr/lib/tests/spread'], { kernels: 8, cores: 8 });
    expect(report(lab)).toBe(readFileSync(new URL('spread.txt', EXPECTED), 'latin1'));
    const places = lab.trace.filter(([, , kind, , , , step]) => kind === TraceKind.ThreadTrip && step === 1).map(([, kernel]) => kernel);
    expect(new Set(places).size).toBeGreaterThan(3);
  });

  it('keeps its pid and its place among the jobs of its shell, and can be killed from a third kernel', () => {
    const lab = new KernelLab({ archive, kernels: 3, cores: 3 });
    for (const kernel of [1, 2]) lab.input(0, { kind: 'boot', kernel });
    let time = lab.run(HERTZ / 5);
    const type = (kernel: number, text: string, seconds = 1): void => {
      lab.input(kernel, { kind: 'console', bytes: new TextEncoder().encode(text) });
      time += seconds * HERTZ;
      lab.run(time);
    };
    type(0, 'spin > /dev/null &\n', 0.3);
    const pid = Number(/\[1\] (\d+)/.exec(lab.console(0))?.[1]);
    expect(pid).toBeGreaterThan(1);
    type(0, `migrate ${pid} 1\n`, 0.3);
    type(0, `migrate ${pid} 2\n`, 0.3);
    type(1, 'ps\n', 0.3);
    expect(lab.console(1)).toMatch(new RegExp(`\\n +${pid} +2 +2 +2 R .*spin`));
    type(1, `kill ${pid}\n`, 0.3);
    type(0, '\n', 0.3);
    expect(lab.console(0)).toContain('Terminated');
    expect(lab.trace.filter(record => record[2] === TraceKind.Migrate && record[6] === 8)).toHaveLength(0);
  });
});

describe('kernels together', () => {
  it('go on while one of them is drowned in processes, which are refused with EAGAIN', () => {
    const lab = new KernelLab({ archive, kernels: 2, cores: 2 });
    lab.input(0, { kind: 'boot', kernel: 1 });
    let time = lab.run(HERTZ / 5);
    const type = (kernel: number, text: string, seconds: number): void => {
      lab.input(kernel, { kind: 'console', bytes: new TextEncoder().encode(text) });
      time += seconds * HERTZ;
      lab.run(time);
    };
    type(0, 'f() { f | f & }; f\n', 1);
    expect(lab.console(0)).toContain('cannot fork: Resource temporarily unavailable');
    type(1, 'echo $((6 * 7)) | cat\n', 0.5);
    expect(lab.console(1)).toContain('\n42\r\n');
  });

  it('check in with each other and show one list of processes', () => {
    const lab = new KernelLab({ archive, kernels: 4, cores: 4 });
    for (const kernel of [1, 2, 3]) lab.input(0, { kind: 'boot', kernel });
    const time = lab.run(HERTZ / 5);
    lab.input(3, { kind: 'console', bytes: new TextEncoder().encode('kernels; ps\n') });
    lab.run(time + HERTZ);
    for (const kernel of [0, 1, 2, 3]) expect(lab.console(3)).toMatch(new RegExp(`^ *${kernel} +up`, 'm'));
    expect(lab.console(3).match(/\/init/g)).toHaveLength(4);
    expect(lab.log(0)).toContain('kernel 3 has checked in');
  });

  it('do the same again, to the last record, and something else with another seed', () => {
    const again = (seed: number): [string, string] => {
      const lab = run(['sh', '-c', 'for i in 1 2 3; do echo $i | cat | wc -c; done; head -c 4 /dev/urandom | sha256sum'], {
        kernels: 4,
        cores: 4,
        migrateEvery: 220_000,
        seed,
      });
      return [lab.fingerprint, lab.stdout];
    };
    expect(again(1)).toEqual(again(1));
    expect(again(2)[1]).not.toBe(again(1)[1]);
  });
});
