/** Programs that are none: each is refused with a reason, and no bytes whatever do more harm than that. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ELF_HEADER_BYTES, headerExtent, NotExecutable, parseElf } from './elf.ts';

interface Segment {
  type?: number;
  offset?: number;
  address?: number;
  inFile?: number;
  inMemory?: number;
}

/** A program of `bytes` bytes with these program headers; `patch` spoils it. */
function elf(segments: readonly Segment[], bytes = 0x3000, patch: (view: DataView) => void = () => {}): Uint8Array {
  const file = new Uint8Array(bytes);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 243, true);
  view.setBigUint64(24, 0x10100n, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, segments.length, true);
  segments.forEach(({ type = 1, offset = 0, address = 0x10000, inFile = 0x1000, inMemory = inFile }, i) => {
    const at = ELF_HEADER_BYTES + 56 * i;
    view.setUint32(at, type, true);
    view.setUint32(at + 4, 5, true);
    [offset, address, address, inFile, inMemory].forEach((value, field) => {
      view.setBigUint64(at + 8 + 8 * field, BigInt(value), true);
    });
  });
  patch(view);
  return file;
}

const reason = (file: Uint8Array): string => {
  try {
    headerExtent(file.subarray(0, ELF_HEADER_BYTES));
    parseElf(file, file.length);
    return 'none';
  } catch (error) {
    if (error instanceof NotExecutable) return error.reason;
    throw error;
  }
};

const good: readonly Segment[] = [{}, { offset: 0x1000, address: 0x12000 }];

describe('an ELF file', () => {
  it('is read: where it is entered, what is loaded', () => {
    const { entry, segments, relocatable } = parseElf(elf(good), 0x3000);
    expect({ entry, relocatable }).toEqual({ entry: 0x10100, relocatable: false });
    expect(segments.map(({ address, fileOffset }) => [address, fileOffset])).toEqual([
      [0x10000, 0],
      [0x12000, 0x1000],
    ]);
  });

  it.each<[string, Uint8Array, string]>([
    ['text', new TextEncoder().encode('#include <stdio.h>\n'), 'not an ELF file'],
    ['nothing', new Uint8Array(0), 'not an ELF file'],
    ['a header that is cut off', elf(good).slice(0, 40), 'cut off in its ELF header'],
    ['program headers that are cut off', elf(good).slice(0, 150), 'cut off in its program headers'],
    ['a segment that is cut off', elf(good, 0x1800), 'segment 1 points outside the file'],
    ['32 bits', elf(good, 0x3000, v => v.setUint8(4, 1)), 'not a 64-bit'],
    ['another processor', elf(good, 0x3000, v => v.setUint16(18, 62, true)), 'another processor (x86-64)'],
    ['overlapping segments', elf([{}, { offset: 0x1000, address: 0x10000 }]), 'segment 1 overlaps'],
    ['segments out of order', elf([{ address: 0x20000 }, { address: 0x10000 }]), 'segment 1 overlaps'],
    ['a segment above user space', elf([{ address: 2 ** 47 }]), 'segment 0 points outside the address space'],
    ['a segment in the kernel half', elf([{}], 0x3000, v => v.setBigUint64(80, 0xffffffff80000000n, true)), 'outside the address space'],
    ['a segment without end', elf([{ inMemory: 2 ** 60 }]), 'segment 0 points outside the address space'],
    ['an offset beyond everything', elf([{ offset: 2 ** 52 }]), 'segment 0 points outside the file'],
    ['unaligned segments', elf([{ offset: 0x10 }]), 'segment 0 is not aligned'],
    ['more in the file than in memory', elf([{ inFile: 0x1000, inMemory: 0x10 }]), 'more bytes in the file'],
    ['nothing to load', elf([{ type: 4 }]), 'nothing to load'],
    ['too many headers', elf(good, 0x3000, v => v.setUint16(56, 0xffff, true)), 'program headers are malformed'],
    ['headers far away', elf(good, 0x3000, v => v.setBigUint64(32, 1n << 40n, true)), 'too far'],
    ['an interpreter out of reach', elf([{}, { type: 3, offset: 2 ** 40, inFile: 20 }]), 'interpreter is out of reach'],
  ])('is refused: %s', (_what, file, why) => expect(reason(file)).toContain(why));

  it('of any bytes is read or refused', () => {
    const spoilt = fc.array(fc.tuple(fc.nat(ELF_HEADER_BYTES + 56 * 2 - 1), fc.nat(255)), { maxLength: 12 });
    fc.assert(
      fc.property(spoilt, fc.nat(0x3000), (changes, length) => {
        const file = elf(good);
        for (const [at, value] of changes) file[at] = value;
        reason(file.slice(0, length));
      }),
      { seed: 1, numRuns: 2000 },
    );
  });
});
