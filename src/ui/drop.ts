/** What a dropped file is, before a kernel sees it: what looks like a program must be one that the machine can load. */
import { NotExecutable, parseElf } from '../kernel/task/elf.ts';

const MAX = 64 << 20;

/** @throws Error naming what is wrong */
export function checkDropped(name: string, bytes: Uint8Array): void {
  if (bytes.length > MAX) throw new Error(`${name}: ${(bytes.length / 2 ** 20).toFixed(0)} MiB are too many (at most ${MAX >> 20})`);
  if (bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46) return;
  try {
    parseElf(bytes, bytes.length);
  } catch (error) {
    if (!(error instanceof NotExecutable)) throw error;
    throw new Error(`${name} can’t run here: ${error.reason}`);
  }
}
