import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FLAG, FRAGMENT_BYTES, type Header, HEADER_BYTES, isIntact, MESSAGE_BYTES, readHeader, writeSlot } from './wire.ts';

const u32 = new Uint32Array(3 * (MESSAGE_BYTES / 4));
const memory = { u8: new Uint8Array(u32.buffer), u32 };
const AT = MESSAGE_BYTES;

const byte = fc.integer({ min: 0, max: 0xff });
const word = fc.integer({ min: 0, max: 0xffffffff });
const messages = fc.record({
  header: fc.record<Header>({
    type: byte,
    from: byte,
    to: byte,
    flags: fc.constantFrom(FLAG.First | FLAG.Last, FLAG.Urgent, FLAG.BigEndian),
    sequence: word,
    length: fc.integer({ min: 0, max: FRAGMENT_BYTES }),
    fragment: fc.integer({ min: 0, max: 0xffff }),
    cause: word,
  }),
  bytes: fc.uint8Array({ minLength: FRAGMENT_BYTES, maxLength: FRAGMENT_BYTES }),
});

describe('the 64 bytes of a message', () => {
  it('have header and payload in them, zeros behind, and nothing outside', () => {
    fc.assert(
      fc.property(messages, ({ header, bytes }) => {
        memory.u8.fill(0xa5);
        const payload = bytes.subarray(0, header.length);
        writeSlot(memory, AT, header, payload);
        expect(isIntact(memory, AT)).toBe(true);
        expect(readHeader(memory, AT)).toEqual(header);
        const read = memory.u8.slice(AT + HEADER_BYTES, AT + HEADER_BYTES + FRAGMENT_BYTES);
        expect([...read]).toEqual([...payload, ...new Uint8Array(FRAGMENT_BYTES - payload.length)]);
        expect(memory.u8.every((each, i) => (i >= AT && i < AT + MESSAGE_BYTES) || each === 0xa5)).toBe(true);
      }),
      { seed: 1 },
    );
  });

  it('show any change within one word', () => {
    const change = fc.integer({ min: 1, max: 0xffffffff });
    fc.assert(
      fc.property(messages, fc.nat({ max: MESSAGE_BYTES / 4 - 1 }), change, ({ header, bytes }, index, bits) => {
        writeSlot(memory, AT, header, bytes.subarray(0, header.length));
        u32[AT / 4 + index] = (u32[AT / 4 + index] as number) ^ bits;
        expect(isIntact(memory, AT)).toBe(false);
      }),
      { seed: 2, numRuns: 1000 },
    );
  });
});
