/**
 * Random streams of instructions as one ELF file that any RISC-V Linux can run: what it writes to its standard output are the registers, and the
 * memory, that each stream leaves behind. So qemu-riscv64 and this machine's engines are asked the same, and answer in bytes.
 *
 * A stream goes round a few thousand times, so that the translator has a part in it. It has every instruction of the table but those that
 * trap, tell the time, or may fail by chance (`sc`); it loads and stores in memory of its own; branches go forward.
 */
import { compressedInstructions, expand } from '../isa/compressed.ts';
import { decode, lengthOf } from '../isa/decode.ts';
import { encode } from '../isa/encode.ts';
import { instructionNamed, instructions } from '../isa/table.ts';
import { Dice, randomCase } from './cases.ts';

const CODE_AT = 0x10000;
const DATA_AT = 0x4000000;
const HEADER_BYTES = 64 + 2 * 56;
/** Of one stream: fcsr, x1 … x31, f0 … f31, then memory. */
const BLOCK_BYTES = 1024;
const MEMORY = 512;
const F = 256;
/** Kept: where the memory is, the count of rounds, the block. */
const [DATA_1, DATA_2, ROUNDS, BLOCK] = [8, 9, 30, 31];
const KEPT = new Set([DATA_1, DATA_2, ROUNDS, BLOCK]);
const ROUNDS_MAX = 4000;
const FCSR = 3;
const FFLAGS = 1;
const LEFT_OUT = new Set(['jalr', 'auipc', 'lr.w', 'lr.d', 'sc.w', 'sc.d']);
const pool = instructions.filter(row => !['J', 'B', 'csr', 'none'].includes(row.format) && !LEFT_OUT.has(row.name));
const branches = instructions.filter(row => row.format === 'B');

function plain(dice: Dice): number {
  const row = dice.of(pool);
  const register = (): number => {
    const rd = dice.below(32);
    return KEPT.has(rd) ? 5 + dice.below(3) : rd;
  };
  const fields = {
    rd: row.operands[0] === 'fd' ? dice.below(32) : register(),
    rs1: dice.below(32),
    rs2: dice.below(32),
    rs3: dice.below(32),
    rm: dice.of([0, 7, 7, 7, 1, 2, 3, 4]),
    imm: row.format === 'U' ? dice.below(2 ** 32) & ~4095 : dice.below(4096) - 2048,
  };
  if (row.format === 'shift5') fields.imm &= 31;
  if (row.format === 'shift6') fields.imm &= 63;
  if (row.operands.includes('imm(rs1)')) {
    fields.rs1 = dice.of([DATA_1, DATA_2]);
    fields.imm = dice.below(180) - 60;
    if (dice.below(8) !== 0) fields.imm &= ~7;
  }
  if (row.operands.includes('(rs1)')) fields.rs1 = dice.of([DATA_1, DATA_2]);
  return encode(row, fields);
}

/** None that jumps, loads or stores (their registers are not the kept ones), or writes a kept register. */
function compressed(dice: Dice): number {
  for (;;) {
    const row = dice.of(compressedInstructions);
    const half = (row.match | (dice.below(65536) & ~row.mask)) & 0xffff;
    const decoded = decode(expand(half));
    if (!decoded || ['branch', 'jump', 'load', 'store', 'system'].includes(decoded.row.cost)) continue;
    if (KEPT.has(decoded.rd) && decoded.row.operands[0] === 'rd') continue;
    return half;
  }
}

/** A stream's words; a branch goes over some of those behind it. */
function stream(dice: Dice): number[] {
  const words = Array.from({ length: 20 + dice.below(80) }, () => {
    const kind = dice.below(20);
    if (kind === 3) return encode('csrrw', { rd: 5, rs1: dice.below(32), imm: FFLAGS });
    return kind < 8 && kind > 3 ? compressed(dice) : plain(dice);
  });
  const over = (from: number, count: number): number => words.slice(from, from + count).reduce((sum, word) => sum + lengthOf(word), 4);
  for (let at = words.length - 1; at >= 0; at--) {
    if (dice.below(7) !== 0) continue;
    const imm = over(at + 1, dice.below(6));
    words[at] =
      dice.below(4) === 0 ? encode('jal', { rd: 1, imm }) : encode(dice.of(branches), { rs1: dice.below(32), rs2: dice.below(32), imm });
  }
  return words;
}

/** The whole of a number below 2^31 into a register. */
function load(rd: number, value: number): number[] {
  const low = (value << 20) >> 20;
  return [encode('lui', { rd, imm: (value - low) | 0 }), encode('addi', { rd, rs1: rd, imm: low })];
}
const registers = (name: 'ld' | 'sd' | 'fld' | 'fsd', list: readonly number[], base: number): number[] =>
  list.map(i => encode(name, { rd: i, rs2: i, rs1: BLOCK, imm: base + i * 8 }));
const X = Array.from({ length: 30 }, (_, i) => i + 1);
const ALL_F = Array.from({ length: 32 }, (_, i) => i);

/** What is wrong at a byte of the output: the stream, and the register or the place in memory. */
export function place(byte: number): string {
  const within = byte % BLOCK_BYTES;
  const what =
    within >= MEMORY ? `memory +${within - MEMORY}` : within >= F ? `f${(within - F) >> 3}` : within < 8 ? 'fcsr' : `x${within >> 3}`;
  return `stream ${Math.floor(byte / BLOCK_BYTES)}, ${what}`;
}

/** An ELF file with so many streams; the same for the same seed. Its output has 1 KiB for each. */
export function streamsElf(count: number, seed: number): Uint8Array {
  const dice = new Dice(seed);
  const code: number[] = [];
  const data = new DataView(new ArrayBuffer(count * BLOCK_BYTES));
  for (let i = 0; i < count; i++) {
    const at = i * BLOCK_BYTES;
    const block = DATA_AT + at;
    const { x, f, fcsr } = randomCase(instructionNamed('add'), dice);
    const own = [...x];
    own[DATA_1] = BigInt(block + MEMORY + 64);
    own[DATA_2] = BigInt(block + MEMORY + 192);
    own[ROUNDS] = BigInt(1 + dice.below(ROUNDS_MAX));
    for (const register of X) data.setBigUint64(at + register * 8, BigInt.asUintN(64, own[register] ?? 0n), true);
    for (const register of ALL_F) data.setBigUint64(at + F + register * 8, BigInt.asUintN(64, f[register] ?? 0n), true);
    data.setBigUint64(at, BigInt((dice.below(5) << 5) | (fcsr & 31)), true);
    for (let word = MEMORY; word < BLOCK_BYTES; word += 8) data.setBigUint64(at + word, dice.bits(64), true);

    const body = stream(dice);
    const bytes = body.reduce((sum, word) => sum + lengthOf(word), 0);
    code.push(
      ...load(BLOCK, block),
      encode('ld', { rd: 1, rs1: BLOCK }),
      encode('csrrw', { rs1: 1, imm: FCSR }),
      ...registers('fld', ALL_F, F),
      ...registers('ld', X, 0),
      ...body,
      encode('addi', { rd: ROUNDS, rs1: ROUNDS, imm: -1 }),
      encode('bne', { rs1: ROUNDS, imm: -bytes - 4 }),
      ...registers('sd', X, 0),
      ...registers('fsd', ALL_F, F),
      encode('csrrs', { rd: 1, imm: FCSR }),
      encode('sd', { rs2: 1, rs1: BLOCK }),
    );
  }
  const [a0, a1, a2, a7] = [10, 11, 12, 17];
  code.push(...load(a7, 64), ...load(a0, 1), ...load(a1, DATA_AT), ...load(a2, data.byteLength), encode('ecall'));
  code.push(...load(a7, 93), ...load(a0, 0), encode('ecall'));
  const halves = code.flatMap(word => (lengthOf(word) === 2 ? [word] : [word & 0xffff, word >>> 16]));
  return elf(new Uint8Array(Uint16Array.from(halves).buffer), new Uint8Array(data.buffer));
}

/** A static executable: a segment of code, and one of data. */
function elf(code: Uint8Array, data: Uint8Array): Uint8Array {
  const dataFrom = Math.ceil((HEADER_BYTES + code.length) / 4096) * 4096;
  const file = new Uint8Array(dataFrom + data.length);
  const view = new DataView(file.buffer);
  const longs = (at: number, values: readonly number[]): void =>
    values.forEach((value, i) => view.setBigUint64(at + i * 8, BigInt(value), true));
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 243, true); // EM_RISCV
  view.setUint32(20, 1, true);
  longs(24, [CODE_AT + HEADER_BYTES, 64]);
  view.setUint32(48, 5, true); // RVC, double-precision ABI
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 2, true);
  const segment = (at: number, flags: number, offset: number, address: number, bytes: number): void => {
    view.setUint32(at, 1, true);
    view.setUint32(at + 4, flags, true);
    longs(at + 8, [offset, address, address, bytes, bytes, 4096]);
  };
  segment(64, 5, 0, CODE_AT, HEADER_BYTES + code.length);
  segment(64 + 56, 6, dataFrom, DATA_AT, data.length);
  file.set(code, HEADER_BYTES);
  file.set(data, dataFrom);
  return file;
}
