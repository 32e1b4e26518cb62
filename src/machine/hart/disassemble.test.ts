/** The disassembler writes what objdump writes: every instruction of busybox, every short one, each row of the table with all kinds of operands. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { debianPackage } from '../../guest/foreign/debian.mjs';
import { disassemble, type Symbolize } from './disassemble.ts';
import { decode } from './isa/decode.ts';
import { instructions } from './isa/table.ts';

const TOOLS = 'riscv64-linux-gnu-';
const OBJDUMP = `${TOOLS}objdump`;
const folder = mkdtempSync(join(tmpdir(), 'lab-objdump-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Line {
  readonly address: number;
  readonly bits: number;
  readonly text: string;
}
/** objdump's lines, without the addresses that it works out over several instructions and writes behind a `#`. */
function objdump(...args: string[]): Line[] {
  const { stdout } = spawnSync(OBJDUMP, args, { encoding: 'latin1', maxBuffer: 1 << 28 });
  return [...stdout.matchAll(/^ *([0-9a-f]+):\t([0-9a-f]+) *\t([^\n#]*)/gm)].map(([, address = '', bits = '', text = '']) => ({
    address: Number.parseInt(address, 16),
    bits: Number.parseInt(bits, 16),
    text: text.trim(),
  }));
}
function ours(bits: number, address: number, symbol?: Symbolize): string {
  const { mnemonic, operands } = disassemble(bits, address, symbol);
  return `${mnemonic}\t${operands}`.trim();
}
/** An assembler source, linked: its lines, and what `nm` says of it, as a name for any address behind a symbol. */
function assembled(source: string): { lines: Line[]; symbol: Symbolize } {
  const path = join(folder, 'symbols');
  spawnSync(`${TOOLS}as`, ['-march=rv64gc', '-o', `${path}.o`, '-'], { input: source });
  spawnSync(`${TOOLS}ld`, ['--no-relax', '-Ttext=0x10000', '-o', path, `${path}.o`]);
  const { stdout } = spawnSync(`${TOOLS}nm`, ['--numeric-sort', '--reverse-sort', path], { encoding: 'latin1' });
  const symbols = [...stdout.matchAll(/^([0-9a-f]+) . (\S+)$/gm)].map(([, at = '', name = '']) => [Number.parseInt(at, 16), name] as const);
  const symbol: Symbolize = address => {
    const found = symbols.find(([at]) => at <= address);
    return found && `${found[1]}${address > found[0] ? `+0x${(address - found[0]).toString(16)}` : ''}`;
  };
  return { lines: objdump('-d', path), symbol };
}

/** What differs, a line for each word, at most forty. */
const differences = (lines: readonly Line[]): string[] =>
  lines
    .filter(({ bits, address, text }) => ours(bits, address) !== text.replace(/ <[^>]*>/, ''))
    .map(({ bits, address, text }) => `${bits.toString(16)}: objdump ${text}, here ${ours(bits, address)}`)
    .slice(0, 40);

function raw(name: string, bytes: Uint8Array): Line[] {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  return objdump('-D', '-b', 'binary', '-m', 'riscv:rv64', file);
}

/** Numbers that only look random. @see Marsaglia, Xorshift RNGs, 2003 */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield state >>> 0;
  }
}

function busybox(): string | null {
  try {
    return join(debianPackage('busybox-static').folder, 'usr/bin/busybox');
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    return null;
  }
}
/** Those up to `vlenb` that user mode may read, with gaps. */
const USER_CSRS = [...Array(0x20).keys(), ...Array.from({ length: 0x23 }, (_, i) => 0xc00 + i)];
const hasAssembler = spawnSync(`${TOOLS}as`, ['--version']).error === undefined;
const hasObjdump = spawnSync(OBJDUMP, ['--version']).error === undefined;
const program = hasObjdump ? busybox() : null;

describe.skipIf(!hasObjdump)('the disassembler (skipped without objdump for RISC-V)', () => {
  it.skipIf(program === null)('agrees on every instruction of busybox (skipped without apt)', { timeout: 60_000 }, () => {
    const lines = objdump('-d', program as string);
    expect(lines.length).toBeGreaterThan(300_000);
    expect(differences(lines)).toEqual([]);
    // Vector code for other processors, and data among the code.
    const rest = lines.filter(({ bits }) => decode(bits) === undefined);
    expect(rest.length / lines.length).toBeLessThan(0.001);
  });

  it('agrees on every instruction of 16 bits', () => {
    const bytes = new Uint8Array(0x10000 * 2);
    let at = 0;
    for (let word = 0; word < 0x10000; word++) {
      if (decode(word) === undefined || (word & 3) === 3) continue;
      bytes[at++] = word & 255;
      bytes[at++] = word >>> 8;
    }
    expect(differences(raw('short', bytes.subarray(0, at)))).toEqual([]);
  });

  it('agrees on every row of the table, with operands of all kinds', () => {
    const random = numbers(20261123);
    const edges = [0, 0xffffffff, 0x00000f80, 0x000f8000, 0x01f00000, 0xfff00000, 0x80000000, 0x7ff00000, 0x83300000];
    for (const csr of USER_CSRS)
      for (const registers of [0, 0x00000f80, 0x000f8000, 0x000f8f80]) edges.push(((csr << 20) | registers) >>> 0);
    const words = instructions.flatMap(({ mask, match }) => {
      const operands = [...edges, ...Array.from({ length: 300 }, () => random.next().value)];
      return operands.map(each => ((each & ~mask) | match) >>> 0).filter(word => decode(word) !== undefined);
    });
    const lines = raw('long', new Uint8Array(new Uint32Array(words).buffer));
    expect(lines.length).toBe(words.length);
    // objdump takes reserved fields for no instruction, processors ignore them.
    const reserved = lines.filter(({ text }) => text.startsWith('.4byte'));
    expect(new Set(reserved.map(({ bits }) => decode(bits)?.row.name))).toEqual(
      new Set(['fence', 'fence.i', 'fcvt.d.w', 'fcvt.d.wu', 'fcvt.d.s']),
    );
    // The registers of the kernel are not ours to name: a number stands there, all else is the same.
    const isKernels = ({ bits }: Line): boolean => decode(bits)?.row.format === 'csr' && !USER_CSRS.includes(bits >>> 20);
    const kernels = lines.filter(isKernels);
    expect(kernels.length).toBeGreaterThan(1000);
    for (const { bits, address, text } of kernels) expect(text).toMatch(new RegExp(`^${ours(bits, address).replace(/0x\w+/, '\\w+')}$`));
    expect(differences(lines.filter(line => !reserved.includes(line) && !isKernels(line)))).toEqual([]);
  });

  it('agrees on what is no instruction, where objdump knows no extension that has it', () => {
    const short = [...Array(0x10000).keys()].filter(word => (word & 3) !== 3 && decode(word) === undefined);
    const random = numbers(19610412);
    // From 48 bits on, the low five bits are ones.
    const long = Array.from({ length: 20_000 }, () => (random.next().value | 3) >>> 0).filter(
      word => (word & 31) !== 31 && decode(word) === undefined,
    );
    expect(long.length).toBeGreaterThan(5000);
    for (const word of [...short, ...long]) expect(disassemble(word, 0).known, word.toString(16)).toBe(false);
    const lines = [
      ...raw('no-short', new Uint8Array(new Uint16Array(short).buffer)),
      ...raw('no-long', new Uint8Array(new Uint32Array(long).buffer)),
    ];
    expect(lines.length).toBe(short.length + long.length);
    const data = lines.filter(({ text }) => /^(\.[24]byte|unimp)/.test(text));
    expect(data.length).toBeGreaterThan(lines.length / 2);
    expect(differences(data)).toEqual([]);
    expect(lines.filter(line => !data.includes(line)).every(({ bits, address }) => /^\.[24]byte/.test(ours(bits, address)))).toBe(true);
  });
});

it.skipIf(!hasObjdump || !hasAssembler)('names targets like objdump (skipped without binutils for RISC-V)', () => {
  const branches = ['beq a0,a1', 'bne a0,a1', 'blt a0,a1', 'bgeu a0,a1', 'bltz t6', 'bgtz t6', 'beqz a0', 'bnez s1', 'jal', 'jal t0', 'j'];
  const jumps = ['_start', '_start+4', 'middle', 'middle+0x1e', 'last'].flatMap(to =>
    branches.map(each => `${each}${each.includes(' ') ? ',' : ' '}${to}`),
  );
  const { lines, symbol } = assembled(`.globl _start\n_start: ${jumps.join('\n')}\nmiddle: ${jumps.join('\n')}\nlast: ret\n`);
  expect(lines.length).toBe(2 * jumps.length + 1);
  expect(lines.map(({ bits, address }) => ours(bits, address, symbol))).toEqual(lines.map(({ text }) => text));
  expect(new Set(lines.flatMap(({ text }) => text.match(/<.*>/) ?? []))).toEqual(
    new Set(['<_start>', '<_start+0x4>', '<middle>', '<middle+0x1e>', '<last>']),
  );
});

it('names targets where it is told names', () => {
  const beq = 0x00050463; // beq a0,zero,+8
  expect(disassemble(beq, 0x1000)).toMatchObject({ mnemonic: 'beqz', operands: 'a0,0x1008', target: 0x1008 });
  expect(disassemble(beq, 0x1000, () => 'main+0x8').operands).toBe('a0,1008 <main+0x8>');
});

it('what is no instruction is data', () => {
  expect(disassemble(0x0000, 0)).toMatchObject({ mnemonic: 'unimp', length: 2, known: false });
  expect(disassemble(0xffffffff, 0)).toMatchObject({ mnemonic: '.4byte', operands: '0xffffffff', length: 4, known: false });
  expect(disassemble(0x5e05c057, 0)).toMatchObject({ mnemonic: '.4byte', known: false }); // a vector instruction
});
