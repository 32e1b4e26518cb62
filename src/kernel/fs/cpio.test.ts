import { describe, expect, it } from 'vitest';
import { fromBytes, toBytes } from './bytes.ts';
import { cpioEntries, CpioError } from './cpio.ts';
import { cpio } from './testing.ts';

const names = (archive: Uint8Array): string[] => [...cpioEntries(archive)].map(({ name }) => name);

describe('a newc archive', () => {
  it('lists its entries with their contents', () => {
    const entries = [...cpioEntries(cpio({ 'bin/': '', 'bin/sh': 'elf', etc: '-> bin' }))];
    expect(entries.map(({ name, content }) => [name, fromBytes(content)])).toEqual([
      ['bin', ''],
      ['bin/sh', 'elf'],
      ['etc', 'bin'],
    ]);
  });

  it('says where it is cut off', () => {
    const whole = cpio({ motd: 'hello' });
    expect(() => names(whole.subarray(0, 60))).toThrow(/ends at byte 60/);
    expect(() => names(whole.subarray(0, 118))).toThrow(CpioError);
  });

  it('is refused when it is something else, or leads out of the root', () => {
    expect(() => names(toBytes('x'.repeat(200)))).toThrow(/no newc header at byte 0/);
    expect(() => names(cpio({ '../etc/passwd': '' }))).toThrow(/leads out/);
    const broken = cpio({ motd: 'hello' });
    broken[60] = 0x7a;
    expect(() => names(broken)).toThrow(/is not a number/);
  });
});
