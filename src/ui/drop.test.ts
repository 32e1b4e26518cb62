/** What may be dropped on the page. */
import { expect, it } from 'vitest';
import { checkDropped } from './drop.ts';

function elf({ machine = 243, bits = 2, address = 0x10000, inFile = 16, count = 1, length = 256 } = {}): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, bits, 1, 1]);
  const view = new DataView(bytes.buffer);
  view.setUint16(16, 2, true);
  view.setUint16(18, machine, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, count, true);
  view.setUint32(64, 1, true);
  view.setBigUint64(80, BigInt(address), true);
  view.setBigUint64(96, BigInt(inFile), true);
  view.setBigUint64(104, BigInt(inFile), true);
  return bytes;
}

it('takes programs for the machine, and files that are no programs', () => {
  expect(() => checkDropped('a.out', elf())).not.toThrow();
  expect(() => checkDropped('notes.txt', new TextEncoder().encode('hello'))).not.toThrow();
  expect(() => checkDropped('empty', new Uint8Array(0))).not.toThrow();
});

it.each([
  ['ls', elf({ machine: 62 }), 'ls can’t run here: it is for another processor (x86-64)'],
  ['ls', elf({ bits: 1 }), 'ls can’t run here: it is not a 64-bit'],
  ['ls', elf().slice(0, 40), 'cut off in its ELF header'],
  ['ls', elf({ count: 9 }), 'cut off in its program headers'],
  ['ls', elf({ inFile: 1000 }), 'segment 0 points outside the file'],
  ['ls', elf({ address: 2 ** 50 }), 'segment 0 points outside the address space'],
  ['huge', new Uint8Array((64 << 20) + 1), 'huge: 64 MiB are too many'],
])('refuses %s and says what is wrong', (name, bytes, message) => {
  expect(() => checkDropped(name, bytes)).toThrow(message);
});
