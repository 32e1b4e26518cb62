/** Address translation: page faults and what they tell, accesses that cross pages, code that changes. */
import { beforeEach, describe, expect, test } from 'vitest';
import { Bench, LOW_LIMIT, Pte, USER_RWX } from './harness.ts';
import { Access, type AccessKind, ExitKind, type Hart } from './hart.ts';
import { encode } from './isa/encode.ts';
import { ACCESS_MAX, GROUP_MAX, LINE_BYTES, SAMPLED_BITS } from './layout.ts';

const CODE = 0x10000;
const DATA = 0x400000;
const A0 = 10;
const A1 = 11;
const A2 = 12;
const USER_DATA = Pte.V | Pte.R | Pte.W | Pte.U;

describe.each([
  ['interpreted', 0],
  ['translated', 1],
])('%s', (_, threshold) => {
  let bench: Bench;
  let hart: Hart;
  let code: number;
  beforeEach(() => {
    bench = new Bench({ threshold });
    hart = bench.hart;
    code = bench.map(CODE) * 4096;
  });

  /** Runs the words from the start of the page of code until something stops them. */
  function run(...words: number[]): ExitKind {
    bench.code(code, words);
    hart.pc = CODE;
    return hart.run(1000);
  }
  const load = (name = 'ld', imm = 0) => encode(name, { rd: A1, rs1: A0, imm });
  const store = (name = 'sd', imm = 0) => encode(name, { rs2: A1, rs1: A0, imm });
  const EBREAK = encode('ebreak');

  function expectFault(kind: ExitKind, address: number, access: AccessKind, pc = CODE): void {
    expect([kind, hart.faultAddress.toString(16), hart.faultAccess, hart.pc.toString(16)]).toEqual([
      ExitKind.PageFault,
      address.toString(16),
      access,
      pc.toString(16),
    ]);
    expect([hart.consumed, hart.retired]).toEqual([0, 0]);
  }

  describe('a page fault tells address and cause, and nothing has happened', () => {
    const accesses = [
      ['load', load, Access.Load],
      ['store', store, Access.Store],
    ] as const;
    for (const [name, instruction, access] of accesses) {
      test(`${name} where nothing is mapped`, () => {
        hart.setX(A0, DATA + 0x123);
        expectFault(run(instruction()), DATA + 0x123, access);
      });
      test(`${name} outside of the canonical addresses`, () => {
        for (const address of [2 ** 39, 2 ** 38, 2 ** 52 + DATA, -(2 ** 40), -4096]) {
          hart.setX(A0, address);
          expectFault(run(instruction()), address, access);
        }
      });
      test(`${name} of a page that is not the user's`, () => {
        bench.map(DATA, 1, Pte.V | Pte.R | Pte.W);
        hart.setX(A0, DATA);
        expectFault(run(instruction()), DATA, access);
      });
      test(`${name} by way of table entries that are reserved or lead out of memory`, () => {
        const frame = bench.map(DATA);
        hart.setX(A0, DATA);
        const leaf = bench.pte(DATA);
        const entries: readonly (readonly [number, bigint])[] = [
          [leaf, 0n],
          [leaf, (BigInt(frame) << 10n) | BigInt(Pte.V | Pte.W | Pte.U)],
          [leaf, (BigInt(frame) << 10n) | BigInt(USER_DATA) | (1n << 54n)],
          [leaf, (BigInt(frame) << 10n) | BigInt(USER_DATA) | (1n << 63n)],
          [leaf, (BigInt(frame) << 10n) | BigInt(Pte.V)],
          [leaf, (BigInt(LOW_LIMIT / 4096 - 1) << 10n) | BigInt(USER_DATA)],
          [leaf, BigInt(USER_DATA)],
          [leaf, (BigInt(bench.memory.buffer.byteLength / 4096) << 10n) | BigInt(USER_DATA)],
          [leaf, (BigInt(frame + 2 ** 32) << 10n) | BigInt(USER_DATA)],
          [bench.pte(DATA, 1), (BigInt(frame | 1) << 10n) | BigInt(USER_DATA)],
          [bench.pte(DATA, 1), (1n << 10n) | BigInt(Pte.V)],
        ];
        for (const [at, entry] of entries) {
          const whole = bench.view.getBigUint64(at, true);
          bench.view.setBigUint64(at, entry, true);
          hart.flushTlb();
          expectFault(run(instruction()), DATA, access);
          bench.view.setBigUint64(at, whole, true);
        }
        hart.flushTlb();
        expect(run(instruction(), EBREAK)).toBe(ExitKind.Ebreak);
      });
    }
    test('store to a page for reading', () => {
      bench.map(DATA, 1, Pte.V | Pte.R | Pte.U);
      hart.setX(A0, DATA);
      expect(run(load(), EBREAK)).toBe(ExitKind.Ebreak);
      expectFault(run(store()), DATA, Access.Store);
      expectFault(run(encode('amoadd.d', { rd: A1, rs1: A0, rs2: A1 })), DATA, Access.Store);
      expect(run(encode('lr.d', { rd: A1, rs1: A0 }), EBREAK)).toBe(ExitKind.Ebreak);
    });
    test('load from a page for execution alone', () => {
      bench.map(DATA, 1, Pte.V | Pte.X | Pte.U);
      hart.setX(A0, DATA);
      expectFault(run(load()), DATA, Access.Load);
      expectFault(run(encode('lr.w', { rd: A1, rs1: A0 })), DATA, Access.Load);
    });
    test('fetch: unmapped, not executable, not canonical', () => {
      bench.map(DATA, 1, USER_DATA);
      for (const address of [DATA, DATA + 4096, 2 ** 38, 0]) {
        hart.pc = address;
        expectFault(hart.run(10), address, Access.Fetch, address);
      }
    });
    test('fetch of an instruction whose second half lies on a page that is not there', () => {
      bench.code(code + 4094, [encode('addi', { rd: A0, imm: 5 })]);
      hart.pc = CODE + 4094;
      expectFault(hart.run(10), CODE + 4096, Access.Fetch, CODE + 4094);
      const next = bench.map(CODE + 4096) * 4096;
      bench.code(next, [encode('addi', { rd: A0, imm: 5 }) >>> 16, 0x9002]);
      expect(hart.run(10)).toBe(ExitKind.Ebreak);
      expect(hart.x(A0)).toBe(5);
    });
    test('what ran before a fault is counted', () => {
      hart.setX(A0, DATA);
      expect(run(encode('addi', { rd: A2, imm: 1 }), encode('mul', { rd: A2, rs1: A2, rs2: A2 }), load())).toBe(ExitKind.PageFault);
      expect([hart.pc, hart.consumed, hart.retired]).toEqual([CODE + 8, 4, 2]);
    });
  });

  test('accessed and dirty are marked as the access asks', () => {
    const marks = () => bench.view.getUint32(bench.pte(DATA), true) & (Pte.A | Pte.D);
    bench.map(DATA, 1, USER_DATA);
    hart.setX(A0, DATA);
    expect(marks()).toBe(0);
    run(load(), EBREAK);
    expect(marks()).toBe(Pte.A);
    run(store(), EBREAK);
    expect(marks()).toBe(Pte.A | Pte.D);
    bench.map(DATA, 1, USER_DATA);
    expect(hart.physical(DATA + 5, Access.Store)).toBe(bench.map(DATA, 1, USER_DATA) * 4096 - 4096 + 5);
  });

  test('a superpage', () => {
    const bench32 = new Bench({ megabytes: 32, threshold });
    const first = (8 << 20) / 4096;
    bench32.setPte(bench32.pte(0x40000000, 1), first, USER_DATA);
    bench32.code(bench32.map(CODE) * 4096, [store('sd', 8), load('ld', 8), EBREAK]);
    bench32.hart.pc = CODE;
    bench32.hart.setX(A0, 0x40123450);
    bench32.hart.setXBig(A1, 0x1122334455667788n);
    expect(bench32.hart.run(100)).toBe(ExitKind.Ebreak);
    expect(bench32.view.getBigUint64((8 << 20) + 0x123458, true)).toBe(0x1122334455667788n);
    expect(bench32.hart.physical(0x401fffff, Access.Load)).toBe((8 << 20) + 0x1fffff);
  });

  test('memory beyond 2 GiB, where an address is negative as a signed word', () => {
    const large = new Bench({ megabytes: 2112, threshold });
    const top = large.bytes.length / 4096;
    large.map(CODE, 1, USER_RWX, top - 1);
    large.map(DATA, 1, USER_RWX, top - 2);
    large.map(DATA + 4096, 1, USER_RWX, top - 5);
    // A store across the pages, read back; then code that writes the instruction behind itself.
    large.code((top - 1) * 4096, [
      store(),
      load('ld'),
      encode('amoadd.w', { rd: A2, rs1: 14, rs2: A2 }),
      encode('sw', { rs1: 13, rs2: 15 }),
      encode('addi'),
      EBREAK,
    ]);
    for (const round of [1, 2]) {
      large.hart.pc = CODE;
      large.hart.setX(A0, DATA + 4093);
      large.hart.setXBig(A1, 0x1122334455667788n);
      large.hart.setX(A2, 3);
      large.hart.setX(14, DATA + 8);
      large.hart.setX(13, CODE + 16);
      large.hart.setX(15, encode('addi', { rd: A2, rs1: A2, imm: round }));
      expect(large.hart.run(100)).toBe(ExitKind.Ebreak);
      expect(large.hart.xBig(A1)).toBe(0x1122334455667788n);
      expect(large.hart.x(A2)).toBe(3 * (round - 1) + round);
      expect(large.view.getUint32((top - 2) * 4096 + 8, true)).toBe(3 * round);
    }
    expect(large.hart.physical(DATA + 16, Access.Load)).toBe((top - 2) * 4096 + 16);
    expect(large.processor.hasCode(top - 1)).toBe(true);
  });

  describe('across a page', () => {
    let lower: number;
    let upper: number;
    beforeEach(() => {
      upper = bench.map(DATA + 4096) * 4096;
      bench.frame();
      lower = bench.map(DATA) * 4096;
      for (let i = 0; i < 16; i++) {
        bench.bytes[lower + 4080 + i] = 0x10 + i;
        bench.bytes[upper + i] = 0xa0 + i;
      }
    });
    const bytesAround = () => [...bench.bytes.slice(lower + 4080, lower + 4096), ...bench.bytes.slice(upper, upper + 16)];
    const loads = { lh: 2, lhu: 2, lw: 4, lwu: 4, ld: 8 } as const;
    const stores = { sh: 2, sw: 4, sd: 8 } as const;

    test('loads and stores at any address do their bytes', () => {
      for (let offset = -10; offset <= 8; offset++) {
        hart.setX(A0, DATA + 4096 + offset);
        for (const [name, size] of Object.entries(loads)) {
          const bytes = bytesAround().slice(16 + offset, 16 + offset + size);
          const value = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
          expect(run(load(name), EBREAK)).toBe(ExitKind.Ebreak);
          expect(hart.xBig(A1), `${name} ${offset}`).toBe(name.endsWith('u') ? value : BigInt.asIntN(size * 8, value));
        }
        for (const [name, size] of Object.entries(stores)) {
          const expected = bytesAround();
          for (let i = 0; i < size; i++) expected[16 + offset + i] = 0x80 + i * 3 + offset + 10;
          hart.setXBig(
            A1,
            expected.slice(16 + offset, 16 + offset + 8).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n),
          );
          expect(run(store(name), EBREAK)).toBe(ExitKind.Ebreak);
          expect(bytesAround(), `${name} ${offset}`).toEqual(expected);
        }
      }
    });
    test('a fault on the second page tells that page, and the first is as it was', () => {
      bench.setPte(bench.pte(DATA + 4096), upper / 4096, Pte.V | Pte.R | Pte.U);
      hart.flushTlb();
      hart.setX(A0, DATA + 4093);
      const before = bytesAround();
      expectFault(run(store()), DATA + 4096, Access.Store);
      expect(bytesAround()).toEqual(before);
      bench.setPte(bench.pte(DATA + 4096), upper / 4096, 0);
      hart.flushTlb();
      expectFault(run(load()), DATA + 4096, Access.Load);
    });
    test('atomics ask for alignment', () => {
      for (const [name, access] of [
        ['lr.w', Access.Load],
        ['sc.w', Access.Store],
        ['amoswap.w', Access.Store],
        ['lr.d', Access.Load],
        ['amomaxu.d', Access.Store],
      ] as const) {
        hart.setX(A0, DATA + 4094);
        expect(run(encode(name, { rd: A1, rs1: A0 })), name).toBe(ExitKind.Misaligned);
        expect([hart.faultAddress, hart.faultAccess, hart.pc, hart.consumed]).toEqual([DATA + 4094, access, CODE, 0]);
      }
    });
  });

  describe('the TLB', () => {
    test('keeps a translation until it is flushed, one page or all', () => {
      const first = bench.map(DATA);
      const second = bench.frame();
      bench.view.setBigUint64(first * 4096, 1n, true);
      bench.view.setBigUint64(second * 4096, 2n, true);
      hart.setX(A0, DATA);
      run(load(), EBREAK);
      bench.setPte(bench.pte(DATA), second, USER_RWX);
      hart.flushTlb(DATA + 4096);
      run(load(), EBREAK);
      expect(hart.x(A1)).toBe(1);
      hart.flushTlb(DATA);
      run(load(), EBREAK);
      expect(hart.x(A1)).toBe(2);
    });
    test('forgets a page for code at addresses beyond 2 GiB too', () => {
      const first = bench.map(DATA);
      const second = bench.frame();
      bench.view.setBigUint64(first * 4096, 1n, true);
      bench.view.setBigUint64(second * 4096, 2n, true);
      bench.code(code, [load(), EBREAK]);
      for (const high of [2 ** 31, 2 ** 31 + 2 ** 30, 2 ** 37 + 2 ** 31]) {
        bench.map(high, 1, undefined, code / 4096);
        hart.setX(A0, DATA);
        for (const [frame, value] of [
          [first, 1],
          [second, 2],
        ] as const) {
          bench.setPte(bench.pte(DATA), frame, USER_RWX);
          hart.flushTlb(DATA);
          // Decoded, translated, in the TLB, and in a window beside it.
          for (let times = 0; times < 4; times++) {
            hart.pc = high;
            expect([hart.run(1000), hart.x(A1)]).toEqual([ExitKind.Ebreak, value]);
          }
        }
      }
    });
    test('tells pages apart that share an entry', () => {
      const addresses = [DATA, DATA + (512 << 12), DATA + 2 ** 32, DATA + 2 ** 33 + (1024 << 12)];
      const frames = addresses.map(address => bench.map(address));
      for (let round = 0; round < 2; round++) {
        for (const [i, address] of addresses.entries()) {
          hart.setX(A0, address);
          hart.setX(A1, address + round);
          expect(run(store(), load('ld'), EBREAK)).toBe(ExitKind.Ebreak);
          expect(Number(bench.view.getBigUint64((frames[i] ?? 0) * 4096, true))).toBe(address + round);
        }
      }
    });
    test('is another one in another address space', () => {
      bench.map(DATA);
      hart.setX(A0, DATA);
      run(load(), EBREAK);
      hart.setAddressSpace(bench.frame());
      hart.pc = CODE;
      expectFault(hart.run(10), CODE, Access.Fetch);
      hart.setAddressSpace(bench.root);
      expect(run(load(), EBREAK)).toBe(ExitKind.Ebreak);
    });
  });

  describe('code that changes', () => {
    const addi = (imm: number) => encode('addi', { rd: A2, imm });
    const result = () => hart.x(A2);

    test('a program that writes over its own next instruction, with fence.i', () => {
      hart.setX(A0, CODE + 12);
      for (let round = 1; round < 4; round++) {
        hart.setX(A1, addi(round));
        expect(run(store('sw'), encode('fence.i'), encode('addi'), addi(99), EBREAK)).toBe(ExitKind.Ebreak);
        expect(result()).toBe(round);
      }
    });
    test('a loop whose body is changed on the way, by way of another mapping of the frame', () => {
      bench.map(DATA, 1, USER_DATA, code / 4096);
      // Adds 1; then, changed, adds 100: 1 + 100.
      hart.setX(A0, DATA);
      hart.setX(A1, encode('addi', { rd: A2, rs1: A2, imm: 100 }));
      hart.setX(A2, 0);
      hart.setX(13, 2);
      const words = [
        encode('addi', { rd: A2, rs1: A2, imm: 1 }),
        encode('addi', { rd: 13, rs1: 13, imm: -1 }),
        store('sw'),
        encode('fence.i'),
        encode('bne', { rs1: 13, imm: -16 }),
        EBREAK,
      ];
      expect(run(...words)).toBe(ExitKind.Ebreak);
      expect(result()).toBe(101);
    });
    test('the kernel writes it and says so', () => {
      run(addi(1), EBREAK);
      expect(bench.processor.hasCode(code / 4096)).toBe(true);
      bench.view.setUint32(code, addi(2), true);
      bench.processor.invalidateFrame(code / 4096);
      expect(bench.processor.hasCode(code / 4096)).toBe(false);
      hart.pc = CODE;
      hart.run(10);
      expect(result()).toBe(2);
    });
    test('another host may have written it: only then is it decoded anew', () => {
      run(addi(1), EBREAK);
      bench.processor.reuseFrame(code / 4096);
      expect(bench.processor.hasCode(code / 4096)).toBe(true);
      bench.view.setUint32(code, addi(2), true);
      bench.processor.reuseFrame(code / 4096);
      expect(bench.processor.hasCode(code / 4096)).toBe(false);
      hart.pc = CODE;
      hart.run(10);
      expect(result()).toBe(2);
    });
    test('another hart writes it', () => {
      const [, other] = bench.harts;
      if (!other) throw new Error('one hart only');
      const writer = bench.map(DATA, 1) * 4096;
      bench.code(writer, [store('sw'), EBREAK]);
      bench.code(code, [addi(0), EBREAK]);
      for (let round = 1; round < 4; round++) {
        other.pc = DATA;
        other.setX(A0, CODE);
        other.setX(A1, addi(round));
        expect(other.run(10)).toBe(ExitKind.Ebreak);
        hart.pc = CODE;
        expect(hart.run(10)).toBe(ExitKind.Ebreak);
        expect(result()).toBe(round);
      }
    });
    test('an instruction across two pages, when its second half changes', () => {
      const next = bench.map(CODE + 4096) * 4096;
      for (const value of [1, 2, 3]) {
        bench.code(code + 4094, [addi(value)]);
        bench.bytes.copyWithin(next, code + 4096, code + 4098);
        bench.code(next + 2, [0x9002]);
        hart.pc = CODE + 4094;
        expect(hart.run(10)).toBe(ExitKind.Ebreak);
        expect(result()).toBe(value);
      }
    });
  });
});

test('the shortest piece, before or behind a followed line, is longer than a group of accesses', () => {
  const followed = SAMPLED_BITS & 4095;
  for (const piece of [followed, 4096 - followed - LINE_BYTES]) expect(piece - (ACCESS_MAX - 1)).toBeGreaterThan(GROUP_MAX - ACCESS_MAX);
});
