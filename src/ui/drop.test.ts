/** What may be dropped on the page. */
import { expect, it } from 'vitest';
import { checkDropped } from './drop.ts';

function elf({ machine = 243, bits = 2, offset = 64, count = 1, length = 256 } = {}): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, bits, 1, 1]);
  const view = new DataView(bytes.buffer);
  view.setUint16(18, machine, true);
  view.setBigUint64(32, BigInt(offset), true);
  view.setUint16(54, 56, true);
  view.setUint16(56, count, true);
  return bytes;
}

it('takes programs for the machine, and files that are no programs', () => {
  expect(() => checkDropped('a.out', elf())).not.toThrow();
  expect(() => checkDropped('notes.txt', new TextEncoder().encode('hello'))).not.toThrow();
  expect(() => checkDropped('empty', new Uint8Array(0))).not.toThrow();
});

it.each([
  ['ls', elf({ machine: 62 }), 'ls: a program for x86-64, not for RISC-V'],
  ['ls', elf({ machine: 183 }), 'ls: a program for ARM 64, not for RISC-V'],
  ['ls', elf({ machine: 4711 }), 'ls: a program for machine 4711, not for RISC-V'],
  ['ls', elf({ bits: 1 }), 'ls: a 32-bit program'],
  ['ls', elf().slice(0, 40), 'ls: an ELF file that is cut off within its header'],
  ['ls', elf({ count: 9 }), 'ls: the file is cut off'],
  ['huge', new Uint8Array((64 << 20) + 1), 'huge: 64 MiB are too many'],
])('refuses %s and says what is wrong', (name, bytes, message) => {
  expect(() => checkDropped(name, bytes)).toThrow(message);
});
