/**
 * Random programs on the interpreter and the translator, side by side. From the repository's root:
 *
 *   npx tsx src/machine/hart/oracle/fuzz.mjs 10000 1   that many, from that seed on
 *   npx tsx src/machine/hart/oracle/fuzz.mjs cases 10  every tenth of the cases that qemu was asked about, translated
 *   npx tsx src/machine/hart/oracle/fuzz.mjs qemu 100 1   batches of 100 streams under qemu-riscv64 and both engines, from that seed on
 */
import { allCases, inWords, sweeps } from './cases.ts';
import { compareStreams } from './compare.mjs';
import { SideBySide } from './programs.ts';
import { Replay } from './replay.ts';

const SHOWN_MAX = 20;

function programs(count, first) {
  const both = new SideBySide();
  let wrong = 0;
  for (let seed = first; seed < first + count; seed++) {
    const difference = both.run(seed);
    if (difference && wrong++ < SHOWN_MAX) console.log(difference);
  }
  console.log(`${count} programs, ${both.pieces} pieces, ${both.instructions} instructions: ${wrong} differ`);
  return wrong;
}

function cases(stride) {
  const [interpreted, translated] = [new Replay(), new Replay(1)];
  let count = 0;
  let wrong = 0;
  for (const [name, list] of [...allCases(), ...sweeps()]) {
    for (let i = 0; i < list.length; i += stride) {
      const [a, b] = [interpreted.run(list[i]), translated.run(list[i])];
      count++;
      if (a !== b && wrong++ < SHOWN_MAX) console.log(`${name} ${inWords(list[i])}: interpreted '${a}', translated '${b}'`);
    }
  }
  console.log(`${count} cases: ${wrong} differ`);
  return wrong;
}

const STREAMS = 100;
function streams(batches, first) {
  let wrong = 0;
  for (let seed = first; seed < first + batches; seed++) {
    const found = compareStreams(STREAMS, seed);
    for (const line of found) console.log(line);
    if (found.length > 0) wrong++;
  }
  console.log(`${batches} batches of ${STREAMS} streams: ${wrong} differ`);
  return wrong;
}

const [what = '1000', number = '1', seed = '1'] = process.argv.slice(2);
const wrong =
  what === 'cases'
    ? cases(Number(number))
    : what === 'qemu'
      ? streams(Number(number), Number(seed))
      : programs(Number(what), Number(number));
process.exitCode = wrong > 0 ? 1 : 0;
