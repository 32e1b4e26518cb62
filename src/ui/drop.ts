/** What a dropped file is, before a kernel sees it: a program must be one that the machine can run. */

const MAX = 64 << 20;
const MACHINES: Readonly<Record<number, string>> = { 3: 'x86 (32 bits)', 40: 'ARM (32 bits)', 62: 'x86-64', 183: 'ARM 64', 243: 'RISC-V' };

/** @throws Error naming what is wrong */
export function checkDropped(name: string, bytes: Uint8Array): void {
  if (bytes.length > MAX) throw new Error(`${name}: ${(bytes.length / 2 ** 20).toFixed(0)} MiB are too many (at most ${MAX >> 20})`);
  if (bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46) return;
  if (bytes.length < 64) throw new Error(`${name}: an ELF file that is cut off within its header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const machine = view.getUint16(18, bytes[5] !== 2);
  if (machine !== 243) throw new Error(`${name}: a program for ${MACHINES[machine] ?? `machine ${machine}`}, not for RISC-V`);
  if (bytes[4] !== 2) throw new Error(`${name}: a 32-bit program; the machine runs 64-bit RISC-V`);
  const end = Number(view.getBigUint64(32, true)) + view.getUint16(56, true) * view.getUint16(54, true);
  if (end > bytes.length) throw new Error(`${name}: the file is cut off: its program headers end at ${end}, the file at ${bytes.length}`);
}
