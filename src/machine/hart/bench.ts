/**
 * How fast the interpreter is: guest instructions executed by three loops (integer sort, CRC32, double-precision sparse matrix times
 * vector), compiled from bench.guest.c. The caller measures; this room sees no clock.
 */
import { ExitKind } from './hart.ts';
import { Bench } from './harness.ts';

const program =
  'AcmFQmMKVQAuhe8A4B4CkC6F7wDgAAKQLoXvAOAVApATGCUAtwUQAMKViWgqj66YDcWNZ5OHlwM3VsZBNwcQABsG1uY+hbuHxwIRB6mfm9ZXASMu1/7jmOX+jU+zX/8D' +
  'twcQAIlmkwP//z6YqU4BRZOCRQCuljcOEAB9U4oPxp+uhyOgBwCRB+Od9v43BxAAYwwPAINnBwARB4oHrpeQQwUmkMPjGOj+AycIAJaHkEORBzGfI67n/uOb9v4eh2MC' +
  'DwpBESLkJuCTFycA8peD5wcAigeul5BDfTaTFAYCE9TkAZDDs4eIAJjDfRfjHmf8A+cPAJMXVQCJj/0+MwX3AGONDgSuhyOgBwCRB+Od9v43BxAAYwwPAINnBwARB4oH' +
  'rpeQQwUmkMPjGOj+AycIAJaHkEORBzGfI67n/uOb9v4eh+MTD/gD5w8AkxdVAImP/T4zBfcA45cO+iJkgmRBAYKAA+cPAJMXVQCJj/0+MwX3AOOXDvCCgCqON4W47bcI' +
  'EAABSBMFBTITAwAQwochR5vWFwAT9hcAfTezRdUAm4cGABnCm4cFAGX3I6D4AAUokQjjHWj8Yw8OAhMWPgAzBsZBgUZ9V7cFEACzR9cAk/f3D4oHrpecQxtXhwCdBrmP' +
  'G4cHAOOTxv4TR/f/ExUHAgGRgoABRYKAARGTFzUAtwUQAL6VIuwm6AlkkWRK5E7gqo4ulK6UOcGXBgAAB7eGETdWxkGNZiaFNwcQAIVHGwbW5puGlgO7h8cCEQUhB7Wf' +
  'G9iHANMHCNIb2GcBIy4F/9P35xInPPf+45/l/JcGAAAHt8YNLoeBR5MGAECFJ9OHB9IhB9N39xonPPf+45jX/pPergATkz4ACW+3CRAAEW6Tki4AmpkpSZcHAAAHtocK' +
  'Lp6zj+UBooOmiE6GIogBRaqHdpXTBwDyY/GnAjMHZkDGhoPnBgAUIyEHjgeul5gjkQbD9+Z64xbH/icw+AAhCJaYGpbjFsj9roczh+cBHCOhB9P3xxInvPf+45j//n05' +
  '4xMJ+oFHh7cDAFOHB/KhA9P35wJThQfiqofjlsP/YmTCZCJpgmkFYYKAAAAAAAAASK+8mvLXej4AAAAAAADwP/yp8dJNYlA/';

const CODE = 0x10000;
const DATA = 0x100000;
const DATA_PAGES = 512;
/** The stack grows down from the end of the data. */
const STACK = DATA + DATA_PAGES * 4096;
const workloads = { sort: 0, crc32: 1, spmv: 2 } as const;
export type Workload = keyof typeof workloads;
export const workloadNames = Object.keys(workloads) as Workload[];

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
function fromBase64(text: string): number[] {
  const bytes: number[] = [];
  let bits = 0;
  let count = 0;
  for (const character of text.replaceAll('=', '')) {
    bits = ((bits << 6) | alphabet.indexOf(character)) & 0xfffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push((bits >>> count) & 255);
    }
  }
  return bytes;
}

export interface BenchResult {
  readonly instructions: number;
  readonly cycles: number;
  /** What the loop computed; the same on every run. */
  readonly checksum: bigint;
}

/** A machine ready to run the loops; `run` may be called again and again. */
export function createBench(threshold = 0): { run(workload: Workload, size: number): BenchResult } {
  const bench = new Bench({ threshold });
  const code = bench.map(CODE, 2);
  bench.map(DATA, DATA_PAGES);
  bench.bytes.set(fromBase64(program), code * 4096);
  const { hart } = bench;
  return {
    run(workload, size) {
      hart.pc = CODE;
      hart.setX(2, STACK);
      hart.setX(10, workloads[workload]);
      hart.setX(11, size);
      let instructions = 0;
      let cycles = 0;
      for (;;) {
        const exit = hart.run(1_000_000);
        instructions += hart.retired;
        cycles += hart.consumed;
        if (exit === ExitKind.Ebreak) return { instructions, cycles, checksum: hart.xBig(10) };
        if (exit !== ExitKind.Fuel) throw new Error(`the loop ended with exit ${exit} at ${hart.pc.toString(16)}`);
      }
    },
  };
}
