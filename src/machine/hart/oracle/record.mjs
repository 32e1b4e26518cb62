/**
 * Asks qemu what the oracle's cases lead to. Needs qemu-riscv64-static and riscv64-linux-gnu-gcc. From the repository's root:
 *
 *   npx tsx src/machine/hart/oracle/record.mjs                  records (results.json)
 *   npx tsx src/machine/hart/oracle/record.mjs fuzz 200000 7 fm   compares that many random cases, drawn from seed 7, of the rows whose
 *                                                               name matches (of all, if it is left out)
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instructions } from '../isa/table.ts';
import { allCases, codeLength, inWords, Dice, digest, initialWindow, outcome, randomCase, sweeps } from './cases.ts';
import { Replay } from './replay.ts';

const INPUT_BYTES = (31 + 32 + 2) * 8 + 16 + 8;
const OUTPUT_BYTES = (3 + 31 + 32 + 1 + 1 + 8) * 8;
const CHANGES = 4;
/** RV64GC alone, by the newest manual (its fmin and fmax are those of F 2.2). */
const CPU = 'rv64,zba=off,zbb=off,zbc=off,zbs=off,v=off,h=off';
/** Of siginfo: the addresses of these mean something. */
const SIGILL = 4n;
const SIGTRAP = 5n;
const SIGBUS = 7n;

const directory = mkdtempSync(join(tmpdir(), 'oracle-'));
const executor = join(directory, 'executor');

function tool(command, args, options) {
  const result = spawnSync(command, args, options);
  if (result.status !== 0)
    throw new Error(`${command} ended with ${result.status ?? result.signal ?? result.error}: ${result.stderr ?? ''}`);
}
function build() {
  tool('riscv64-linux-gnu-gcc', [
    '-O2',
    '-march=rv64imac_zifencei',
    '-mabi=lp64',
    '-mcmodel=medany',
    '-mno-relax',
    '-static',
    '-nostdlib',
    '-ffreestanding',
    '-fno-pic',
    '-fno-tree-loop-distribute-patterns',
    '-Wl,--no-relax',
    '-o',
    executor,
    join(import.meta.dirname, 'executor.c'),
  ]);
}

/** Code of a case as bytes. */
function writeCode(view, at, code) {
  let to = at;
  for (const word of code) {
    view.setUint16(to, word & 0xffff, true);
    if ((word & 3) === 3) view.setUint16(to + 2, word >>> 16, true);
    to += (word & 3) === 3 ? 4 : 2;
  }
}
function endOf(start, view, at) {
  const word = i => view.getBigUint64(at + i * 8, true);
  const [signal, address, pc] = [word(0), word(1), word(2)];
  const here = pc === BigInt(start.pc);
  const event = !here
    ? ''
    : signal === SIGILL
      ? 'illegal'
      : signal === SIGTRAP
        ? 'ebreak'
        : signal === SIGBUS
          ? 'misaligned'
          : `fault ${address.toString(16)}`;
  const changes = Number(word(67));
  if (changes > CHANGES) throw new Error(`${inWords(start)} changed ${changes} doublewords`);
  return {
    event,
    pc,
    x: [0n, ...Array.from({ length: 31 }, (_, i) => word(3 + i))],
    f: Array.from({ length: 32 }, (_, i) => word(34 + i)),
    fcsr: Number(word(66)),
    memory: Array.from({ length: changes }, (_, i) => [Number(word(68 + i)), word(72 + i)]),
  };
}

/** The outcomes of the cases under qemu. */
function ask(cases) {
  const outcomes = [];
  const BATCH = 20000;
  for (let from = 0; from < cases.length; from += BATCH) {
    const batch = cases.slice(from, from + BATCH);
    const buffer = Buffer.alloc(initialWindow.length * 8 + batch.length * INPUT_BYTES);
    const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
    initialWindow.forEach((value, i) => {
      view.setBigUint64(i * 8, value, true);
    });
    batch.forEach((start, i) => {
      let at = initialWindow.length * 8 + i * INPUT_BYTES;
      for (const value of [...start.x.slice(1), ...start.f, BigInt(start.fcsr), BigInt(start.pc)]) {
        view.setBigUint64(at, value, true);
        at += 8;
      }
      writeCode(view, at, start.code);
      view.setBigUint64(at + 16, BigInt(codeLength(start.code)), true);
    });
    const [input, output] = [join(directory, 'in'), join(directory, 'out')];
    writeFileSync(input, buffer);
    tool('qemu-riscv64-static', ['-cpu', CPU, executor], {
      stdio: [openSync(input, 'r'), openSync(output, 'w'), 'pipe'],
      timeout: 120_000,
    });
    const answer = readFileSync(output);
    if (answer.length !== batch.length * OUTPUT_BYTES) throw new Error(`${answer.length / OUTPUT_BYTES} answers to ${batch.length} cases`);
    const answers = new DataView(answer.buffer, answer.byteOffset, answer.length);
    batch.forEach((start, i) => {
      outcomes.push(outcome(start, endOf(start, answers, i * OUTPUT_BYTES)));
    });
  }
  return outcomes;
}

let shown = 0;
function compare(name, cases, outcomes, replay) {
  let wrong = 0;
  cases.forEach((start, i) => {
    const own = replay.run(start);
    if (own === outcomes[i]) return;
    wrong++;
    if (shown++ < 40) console.log(`${name} ${inWords(start)}: qemu '${outcomes[i]}', here '${own}'`);
  });
  if (wrong > 0) console.log(`${name}: ${wrong} of ${cases.length} differ`);
  return wrong;
}

function record() {
  const replay = new Replay();
  const rows = {};
  let count = 0;
  let wrong = 0;
  for (const [name, cases] of allCases()) {
    const outcomes = ask(cases);
    wrong += compare(name, cases, outcomes, replay);
    count += cases.length;
    const distinct = [...new Set(outcomes)];
    const place = new Map(distinct.map((text, i) => [text, i]));
    rows[name] = { cases: digest(cases.map(inWords)), outcomes: distinct, order: outcomes.map(text => place.get(text)) };
  }
  const swept = {};
  for (const [group, cases] of sweeps()) {
    const outcomes = ask(cases);
    wrong += compare(group, cases, outcomes, replay);
    count += cases.length;
    swept[group] = digest(outcomes);
  }
  const lines = table =>
    Object.entries(table)
      .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
      .join(',\n');
  writeFileSync(join(import.meta.dirname, 'results.json'), `{"rows":{\n${lines(rows)}\n},"sweeps":{\n${lines(swept)}\n}}\n`);
  console.log(`${count} cases recorded; the interpreter differs in ${wrong}`);
}

function fuzz(count, seed, pattern) {
  const dice = new Dice(seed);
  const rows = instructions.filter(row => row.operands.length > 0 && pattern.test(row.name));
  const names = [];
  const cases = Array.from({ length: count }, () => {
    const row = dice.of(rows);
    names.push(row.name);
    return randomCase(row, dice);
  });
  const outcomes = ask(cases);
  const replay = new Replay();
  let wrong = 0;
  cases.forEach((start, i) => {
    wrong += compare(names[i], [start], [outcomes[i]], replay);
  });
  console.log(`${count} random cases: the interpreter differs in ${wrong}`);
}

try {
  build();
  if (process.argv[2] === 'fuzz') fuzz(Number(process.argv[3] ?? 100000), Number(process.argv[4] ?? 1), new RegExp(process.argv[5] ?? ''));
  else record();
} finally {
  rmSync(directory, { recursive: true });
}
