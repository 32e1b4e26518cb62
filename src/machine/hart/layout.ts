/**
 * Where things lie in the hardware's low memory: a hart's state block, and the entries of a host's cache of decoded instructions.
 * The interpreter's WebAssembly, the slow paths in TypeScript and any later translator share exactly these numbers.
 */

export const PAGE_SIZE = 4096;

/** Offsets in a hart's state block. What migrates with a task is the first `ARCH_STATE_BYTES`. */
export const state = {
  x: 0,
  f: 256,
  pc: 512,
  /** frm << 5 | fflags, as in the architecture. */
  fcsr: 520,
  /** Writes to x0 land here. */
  sink: 528,
  /** Fuel that was left, and instructions retired, when `run` returned or called out. */
  left: 536,
  retired: 540,
  faultAddress: 544,
  faultAccess: 552,
  fuel: 556,
  /** LR's virtual address (-1: none) and physical address. */
  reservationVirtual: 560,
  reservationPhysical: 568,
  /** A value on its way through a slow store, and the bytes that a slow load gathered. */
  value: 576,
  /** The decoded entry of an instruction that crosses a page: made anew each time, since the two pages need not stay neighbours. */
  crossing: 592,
  /** Doubles: the virtual time, and the count of instructions, at which the present run began. */
  now: 608,
  instret: 616,
  /** Physical address of the followed line that the first-level cache has. */
  line: 624,
  /** Cycles that the last slow access waited for memory; and the fuel that was left behind it. */
  stall: 632,
  leftAfterStall: 636,
  /** Place in the table of the translated function that was entered last. */
  translated: 640,
  tlbRead: 4096,
  tlbWrite: 24576,
  tlbFetch: 45056,
} as const;

export const ARCH_STATE_BYTES = 528;
export const HART_STATE_BYTES = 61440;

/**
 * The lines of 64 bytes of which accesses are followed by the model of caches: those whose address has these bits. The line is not the first
 * of its page, which programs use more than others.
 */
export const SAMPLED_MASK = 0xffc0;
export const SAMPLED_BITS = 0x2940;
export const SAMPLED_ONE_IN = 1024;
export const LINE_MASK = -64;
export const LINE_BYTES = 64;
/** In the virtual address of a TLB entry: there is a followed line on the page. Translated code looks for lines on such pages alone. */
export const TLB_FOLLOWED = 0x800;

/** A software TLB: direct-mapped by page number. An entry: virtual address of the page (i64, -1: none), physical minus virtual (i32). */
export const TLB_ENTRIES = 1024;
export const TLB_ENTRY_BYTES = 16;
/**
 * In an entry for loads or stores: how many bytes below the beginning of the page, and from there upwards, lie in one piece with it (u16 each):
 * contiguous in both spaces, granted to this access, and without a followed line, but for one on the page itself. The last few of what is
 * above are left out, so that an access that begins there ends there.
 */
export const TLB_DOWN = 12;
export const TLB_UP = 14;
export const ACCESS_MAX = 8;
/** Behind the TLB's own entries for loads, and for stores, some such pieces, each where some place in translated code looks first. */
export const WINDOWS = 128;
export const WINDOW_BYTES = 32;
/** The most bytes that accesses of one group lie in: shorter than any piece. */
export const GROUP_MAX = 256;
/**
 * Offsets in a window: virtual address of the piece (i64); how many bytes from there an access may begin in, and a group of accesses (i64, 0:
 * nowhere); physical minus virtual (i32).
 */
export const window = { from: 0, bytes: 8, groups: 16, delta: 24 } as const;
/** In an entry of the TLB for fetches: the identity of the code on that page (translate/), 0 for none. */
export const TLB_IDENTITY = 12;

/** Offsets in a decoded entry. */
export const entry = {
  /** Physical address | 1; 0: empty. */
  tag: 0,
  imm: 4,
  /** Byte offset in the state block: of x[rd], of the sink where rd is x0, or of f[rd]. */
  rd: 8,
  /** Register number times eight. */
  rs1: 10,
  rs2: 11,
  op: 12,
  length: 14,
  cost: 15,
} as const;
export const ENTRY_BYTES = 16;
/** Of the entries of a frame: one for each place where an instruction may begin. */
export const DECODED_FRAME_BYTES = (PAGE_SIZE / 2) * ENTRY_BYTES;

/**
 * Offsets in a record of where translated code may be entered. It begins with the decoded entry of the instruction there, which itself
 * leads here instead: its `op` says so, and its `imm` is this record's address.
 */
export const record = {
  /** Virtual address for which the code was made. */
  va: 16,
  /** Place in the table of functions. */
  index: 24,
  /** Address of the next record for the same physical address, or 0. */
  next: 28,
} as const;
export const RECORD_BYTES = 32;

/**
 * What translated code returns: on by pc; one instruction at pc for the interpreter; or, from `FirstSite` on, that too, at the site that it
 * left by.
 */
export const Outcome = { GoOn: 0, InterpretOne: 1, FirstSite: 2 } as const;

/** Counters of jumps by where they go, one word each, count down to the moment at which the translator has a look. */
export const JUMP_COUNTERS = 4096;

/**
 * The immediate of a floating-point operation is no number but: rounding mode in byte 0, rs3 times eight in byte 1, and the row of
 * the table in the upper half (for the entries that go to the exact soft-float whatever they are).
 */
export const floatImm = (rm: number, rs3: number, row: number): number => rm | (rs3 << 11) | (row << 16);

export const ExitKind = {
  Fuel: 0,
  Ecall: 1,
  Ebreak: 2,
  IllegalInstruction: 3,
  PageFault: 4,
  /** An atomic instruction on an address that is not a multiple of its size. */
  Misaligned: 5,
} as const;
export type ExitKind = (typeof ExitKind)[keyof typeof ExitKind];

export const Access = { Fetch: 0, Load: 1, Store: 2 } as const;
export type AccessKind = (typeof Access)[keyof typeof Access];
