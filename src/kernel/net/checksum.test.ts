import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addSum, checksum, foldSum, pseudoSum } from './checksum.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(text.match(/../g) ?? [], byte => Number.parseInt(byte, 16));

describe('the Internet checksum', () => {
  it('is that of the example in RFC 1071, section 3', () => {
    expect(addSum(0, hex('0001f203f4f5f6f7'))).toBe(0x2ddf0);
    expect(checksum(hex('0001f203f4f5f6f7'))).toBe(~0xddf2 & 0xffff);
  });

  it('is that of the IPv4 header known from textbooks', () => {
    expect(checksum(hex('450000730000400040110000c0a80001c0a800c7'))).toBe(0xb861);
    expect(checksum(hex('45000073000040004011b861c0a80001c0a800c7'))).toBe(0);
  });

  it('of a packet with its checksum in it is 0, whatever its length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 70_000 }), bytes => {
        bytes[0] = bytes[1] = 0;
        const sum = checksum(bytes);
        bytes[0] = sum >>> 8;
        bytes[1] = sum;
        expect(checksum(bytes)).toBe(0);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it('can be summed in parts of even length', () => {
    const bytes = Uint8Array.from({ length: 101 }, (_, i) => i * 37);
    expect(foldSum(addSum(addSum(0, bytes, 0, 40), bytes, 40))).toBe(checksum(bytes));
    expect(pseudoSum(0xc0a80001, 0xc0a800c7, 17, 8)).toBe(0xc0a8 + 1 + 0xc0a8 + 0xc7 + 17 + 8);
  });
});
