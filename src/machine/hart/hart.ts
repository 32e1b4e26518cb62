/**
 * The processor as the rest of the machine sees it. A `Processor` belongs to one host (Worker): it holds the compiled interpreter and
 * the cache of decoded instructions, which all replicas of that host share. A `Hart` is one core: its state block in low memory, its
 * registers, its address space.
 *
 * What always holds: what a hart computes, and the cycles that it counts, follow from its architectural state, its page tables and the
 * bytes of memory alone. Caches, TLBs and which harts share a host decide only how fast it goes.
 */
import { type CsrState, readCsr, writeCsr } from './csr.ts';
import { exactOperations } from './fpu.ts';
import type { DecodeCache } from './translate/go-on.ts';
import { EXACT, ILLEGAL, type InterpreterImports, type RunFunction, createInterpreter } from './interpreter.ts';
import { type Decoded, decode, lengthOf } from './isa/decode.ts';
import type { InstructionCosts } from './isa/instruction.ts';
import { instructions } from './isa/table.ts';
import {
  Access,
  type AccessKind,
  ARCH_STATE_BYTES,
  ENTRY_BYTES,
  ExitKind,
  HART_STATE_BYTES,
  LINE_MASK,
  SAMPLED_BITS,
  SAMPLED_MASK,
  ACCESS_MAX,
  LINE_BYTES,
  TLB_DOWN,
  TLB_ENTRIES,
  TLB_ENTRY_BYTES,
  TLB_FOLLOWED,
  TLB_IDENTITY,
  WINDOW_BYTES,
  WINDOWS,
  entry as field,
  window,
  floatImm,
  state,
} from './layout.ts';
import { decodedFrame } from './operations.ts';
import { PageWalker } from './mmu.ts';
import {
  DECLINED,
  quickAdd,
  quickDivide,
  quickFused,
  quickMultiply,
  quickResult,
  quickRoot,
  quickSingleAdd,
  quickSingleDivide,
  quickSingleFused,
  quickSingleMultiply,
  quickSingleRoot,
  quickSingleSubtract,
  quickSubtract,
} from './quick.ts';
import { Rounding } from './softfloat.ts';
import { type TranslateOptions, Translator, type TranslatorStatistics } from './translate/translator.ts';
import type { Memory } from './wasm/engine.ts';

export { Access, type AccessKind, ARCH_STATE_BYTES, ExitKind, HART_STATE_BYTES, SAMPLED_ONE_IN } from './layout.ts';
export type { CostClass, InstructionCosts } from './isa/instruction.ts';

export interface ProcessorOptions {
  readonly memory: Memory;
  /** Where this host's decoded instructions lie, below `lowLimit`; the size is a power of two, at least 64 KiB. */
  readonly decodeCacheBase: number;
  readonly decodeCacheBytes: number;
  /** The first byte that guests may have: no page table reaches below it. */
  readonly lowLimit: number;
  readonly costs: InstructionCosts;
  /** Without it there is the interpreter only. */
  readonly translate?: TranslateOptions;
  /** Whether accesses to followed lines ask the model of caches (Hart.miss). Without it an access costs what its instruction costs. */
  readonly caches?: boolean;
}

const FRAME_WORDS = 1024;
/** 8 MiB of them. A frame whose copy has been given up is decoded anew when it comes back from another host's hands. */
const CODE_COPIES_MAX = 2048;
/** A reservation covers a cache line. */
const RESERVATION_BYTES = 64;
const TLBS = [state.tlbRead, state.tlbWrite, state.tlbFetch] as const;
const TLB_WORDS = (TLB_ENTRIES * TLB_ENTRY_BYTES) / 4;
const WINDOWS_WORDS = (WINDOWS * WINDOW_BYTES) / 4;
/** Pages that a piece goes beyond a page at most. */
const PIECE_PAGES = 14;
const PAGE_ONLY = (4096 - (ACCESS_MAX - 1)) << 16;
const hasFollowedLine = (frame: number): boolean => ((frame * 4096) & SAMPLED_MASK) === (SAMPLED_BITS & ~4095);
/** Where it lies on its page. */
const FOLLOWED_AT = SAMPLED_BITS & 4095;
const TLB_OF: Readonly<Record<AccessKind, number>> = {
  [Access.Fetch]: state.tlbFetch,
  [Access.Load]: state.tlbRead,
  [Access.Store]: state.tlbWrite,
};

/** Rows that the host's own doubles can often do even before the inexact flag stands. */
type Quick = (a: number, b: number, c: number) => number;
interface QuickArithmetic {
  readonly add: Quick;
  readonly subtract: Quick;
  readonly multiply: Quick;
  readonly divide: Quick;
  readonly root: Quick;
  readonly fused: Quick;
}
const quickRows = (p: 's' | 'd', { add, subtract, multiply, divide, root, fused }: QuickArithmetic): Readonly<Record<string, Quick>> => ({
  [`fadd.${p}`]: add,
  [`fsub.${p}`]: subtract,
  [`fmul.${p}`]: multiply,
  [`fdiv.${p}`]: divide,
  [`fsqrt.${p}`]: root,
  [`fmadd.${p}`]: fused,
  [`fmsub.${p}`]: (a, b, c) => fused(a, b, -c),
  [`fnmsub.${p}`]: (a, b, c) => fused(-a, b, c),
  [`fnmadd.${p}`]: (a, b, c) => fused(-a, b, -c),
});
const quickByName = {
  ...quickRows('d', {
    add: quickAdd,
    subtract: quickSubtract,
    multiply: quickMultiply,
    divide: quickDivide,
    root: quickRoot,
    fused: quickFused,
  }),
  ...quickRows('s', {
    add: quickSingleAdd,
    subtract: quickSingleSubtract,
    multiply: quickSingleMultiply,
    divide: quickSingleDivide,
    root: quickSingleRoot,
    fused: quickSingleFused,
  }),
};
const quickOperations = instructions.map(row => quickByName[row.name]);
/** How many of the sources must be well boxed singles. */
const singleSources = instructions.map(row =>
  row.name.endsWith('.s') ? row.operands.filter(operand => operand.startsWith('fs')).length : 0,
);

function isSame(copy: Int32Array, words: Int32Array, from: number): boolean {
  for (let i = 0; i < FRAME_WORDS; i++) if (copy[i] !== words[from + i]) return false;
  return true;
}

export class Processor {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly u64: BigUint64Array;
  readonly lowLimit: number;
  readonly walker: PageWalker;
  readonly run: RunFunction;
  readonly caches: boolean;
  readonly decodeCache: DecodeCache;
  readonly #harts = new Map<number, Hart>();
  readonly #cacheBase: number;
  readonly #cacheBytes: number;
  /** Cost of each row. */
  readonly #costs: readonly number[];
  /** 1 for a frame of which something decoded may lie in the cache. Such a frame is in no TLB for writing. */
  readonly #hasCode: Uint8Array;
  /** What stood in such frames when the first instruction of it was decoded: those of them that were decoded last. */
  readonly #codeCopies = new Map<number, Int32Array>();
  readonly #translator: Translator | null;
  /** Harts that stopped while they held a reservation. */
  readonly #reserving = new Set<Hart>();

  constructor({ memory, decodeCacheBase, decodeCacheBytes, lowLimit, costs, translate, caches = false }: ProcessorOptions) {
    const { buffer } = memory;
    if (decodeCacheBytes < 65536 || (decodeCacheBytes & (decodeCacheBytes - 1)) !== 0) {
      throw new Error(`a cache of decoded instructions of ${decodeCacheBytes} bytes: not a power of two, or less than 64 KiB`);
    }
    if (decodeCacheBase % ENTRY_BYTES !== 0 || decodeCacheBase + decodeCacheBytes > lowLimit) {
      throw new Error('the cache of decoded instructions must lie, aligned, below the memory that guests may have');
    }
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.lowLimit = lowLimit;
    this.caches = caches;
    this.walker = new PageWalker(buffer, lowLimit);
    this.decodeCache = { base: decodeCacheBase, bytes: decodeCacheBytes };
    this.#cacheBase = decodeCacheBase;
    this.#cacheBytes = decodeCacheBytes;
    this.#hasCode = new Uint8Array(buffer.byteLength / 4096);
    this.#costs = instructions.map(row => {
      const cost = costs[row.cost];
      if (!Number.isInteger(cost) || cost < 1 || cost > 255) throw new Error(`the cost of ${row.cost} is ${cost}: not 1…255 cycles`);
      return cost;
    });
    this.u8.fill(0, decodeCacheBase, decodeCacheBase + decodeCacheBytes);
    const translator = translate ? new Translator(memory, lowLimit, costs, { ...translate, caches }, this) : null;
    this.#translator = translator;
    const imports: InterpreterImports = {
      fetch: hart => (this.#at(hart).translateFetch() ? 1 : 0),
      decode: (hart, physical) => this.#decode(this.#at(hart), physical >>> 0),
      data: (hart, access, size) => this.#at(hart).locateData(access === Access.Store ? Access.Store : Access.Load, size),
      exact: (hart, operands, imm) => (this.#at(hart).exact(operands, imm) ? 1 : 0),
      csr: (hart, entry) => (this.#at(hart).csr(entry) ? 1 : 0),
    };
    this.run = createInterpreter(memory, decodeCacheBase, decodeCacheBytes, imports, translator?.forInterpreter ?? null, caches);
  }

  /** The hart whose state block lies there; made, all zero, when first asked for. */
  hart(stateBase: number): Hart {
    let hart = this.#harts.get(stateBase);
    if (!hart) {
      if (stateBase % 8 !== 0 || stateBase + HART_STATE_BYTES > this.lowLimit) {
        throw new Error("a hart's state block must lie, aligned, below the memory that guests may have");
      }
      hart = new Hart(this, stateBase);
      this.#harts.set(stateBase, hart);
    }
    return hart;
  }
  #at(base: number): Hart {
    const hart = this.#harts.get(base >>> 0);
    if (!hart) throw new Error(`no hart has its state at ${base >>> 0}`);
    return hart;
  }

  /** Forgets what was decoded of a frame. To be called when anything but a hart of this host writes to it, as the kernel that fills it. */
  invalidateFrame(frame: number): void {
    if (this.#hasCode[frame] !== 1) return;
    this.#hasCode[frame] = 0;
    this.#codeCopies.delete(frame);
    this.#translator?.dropFrame(frame);
    const { i32 } = this;
    for (let at = frame * 4096; at < (frame + 1) * 4096; at += 2) {
      const tag = (this.#entryFor(at) + field.tag) >>> 2;
      if (i32[tag] === (at | 1)) i32[tag] = 0;
    }
  }

  /** A frame comes into use here that another host may have written to meanwhile: what was decoded of it is kept if it still says the same. */
  reuseFrame(frame: number): void {
    if (this.#hasCode[frame] !== 1) return;
    const copy = this.#codeCopies.get(frame);
    if (copy === undefined || !isSame(copy, this.i32, frame * FRAME_WORDS)) this.invalidateFrame(frame);
  }

  hasCode(frame: number): boolean {
    return this.#hasCode[frame] === 1;
  }

  /** What translated code there is; null without a translator. */
  get translations(): TranslatorStatistics | null {
    return this.#translator?.statistics ?? null;
  }

  /** Whether the instruction at a virtual address, on this frame, has been translated. For views: it decides nothing. */
  isTranslated(frame: number, va: number): boolean {
    return this.#translator?.covers(frame, va) ?? false;
  }

  // For the translator only.

  /** Address of the decoded entry of an instruction, or 0 where none is cached: it has not been executed lately. */
  entryOf(physical: number): number {
    const at = this.#entryFor(physical);
    return this.i32[(at + field.tag) >>> 2] === (physical | 1) ? at : 0;
  }
  forgetEntry(physical: number): void {
    const at = this.entryOf(physical);
    if (at !== 0) this.i32[(at + field.tag) >>> 2] = 0;
  }
  /** The frame that a hart's fetches find at a page, or −1 where it has not looked lately. */
  fetchedFrame(hart: number, va: number): number {
    return this.#at(hart).fetchedFrame(va);
  }
  /** Each hart's fetches know the code of a frame by this identity, and none writes to it without `invalidateFrame`. 0: no more. */
  identify(frame: number, identity: number): void {
    if (identity !== 0) this.#keepCode(frame);
    for (const each of this.#harts.values()) each.identify(frame, identity);
  }
  translate(hart: number): boolean {
    return this.#translator?.translate(hart) ?? false;
  }
  identityOf(frame: number): number {
    return this.#translator?.identityOf(frame) ?? 0;
  }

  /** Ends the reservations of all harts, as after a kernel's own writes to user memory. */
  breakReservations(): void {
    for (const hart of this.#reserving) hart.clearReservation();
    this.#reserving.clear();
  }

  noteReservation(hart: Hart, holds: boolean): void {
    if (holds) this.#reserving.add(hart);
    else this.#reserving.delete(hart);
  }
  othersReserve(hart: Hart): boolean {
    return this.#reserving.size > (this.#reserving.has(hart) ? 1 : 0);
  }
  /** A store by `by` (null: the kernel) to [physical, physical + size), within one frame. Returns whether some other hart still reserves part of that frame. */
  storeWhileReserved(by: Hart | null, physical: number, size: number): boolean {
    let watched = false;
    for (const hart of this.#reserving) {
      if (hart === by) continue;
      const line = hart.reservationPhysical - (hart.reservationPhysical % RESERVATION_BYTES);
      if (physical < line + RESERVATION_BYTES && physical + size > line) {
        hart.clearReservation();
        this.#reserving.delete(hart);
      } else if (Math.floor(line / 4096) === Math.floor(physical / 4096)) {
        watched = true;
      }
    }
    return watched;
  }

  #entryFor(physical: number): number {
    return this.#cacheBase + decodedFrame(physical >>> 12, this.#cacheBytes) + ((physical & 4095) << 3);
  }

  #decode(hart: Hart, physical: number): number {
    const half = this.u16[physical >>> 1] ?? 0;
    if (lengthOf(half) === 4 && (physical & 4095) === 4094) {
      const second = hart.secondHalf();
      if (second < 0) return 0;
      const at = hart.base + state.crossing;
      this.#fill(at, 0, decode(half | ((this.u16[second >>> 1] ?? 0) << 16)));
      return at;
    }
    this.#keepCode(physical >>> 12);
    const at = this.#entryFor(physical);
    const bits = lengthOf(half) === 4 ? half | ((this.u16[(physical >>> 1) + 1] ?? 0) << 16) : half;
    this.#fill(at, physical | 1, decode(bits));
    this.#translator?.lead(at, physical);
    return at;
  }

  #keepCode(frame: number): void {
    if (this.#hasCode[frame] === 1) return;
    this.#hasCode[frame] = 1;
    const [oldest] = this.#codeCopies.keys();
    if (this.#codeCopies.size >= CODE_COPIES_MAX && oldest !== undefined) this.#codeCopies.delete(oldest);
    this.#codeCopies.set(frame, this.i32.slice(frame * FRAME_WORDS, (frame + 1) * FRAME_WORDS));
    for (const each of this.#harts.values()) each.forbidWriting();
  }

  #fill(at: number, tag: number, decoded: Decoded | undefined): void {
    const { u8, u16, i32 } = this;
    let op = ILLEGAL;
    let imm = 0;
    let rd: number = state.sink;
    if (decoded) {
      const { row, number } = decoded;
      const [destination] = row.operands;
      op = row.exact && row.hasRounding && !row.fastRounding.includes(decoded.rm) ? EXACT : number;
      imm = row.exact ? floatImm(decoded.rm, decoded.rs3, number) : decoded.imm;
      if (destination === 'fd') rd = state.f + decoded.rd * 8;
      else if (destination === 'rd' && decoded.rd !== 0) rd = state.x + decoded.rd * 8;
    }
    i32[(at + field.tag) >>> 2] = tag;
    i32[(at + field.imm) >>> 2] = imm;
    u16[(at + field.rd) >>> 1] = rd;
    u8[at + field.rs1] = (decoded?.rs1 ?? 0) * 8;
    u8[at + field.rs2] = (decoded?.rs2 ?? 0) * 8;
    u16[(at + field.op) >>> 1] = op;
    u8[at + field.length] = decoded?.length ?? 2;
    u8[at + field.cost] = decoded ? (this.#costs[decoded.number] ?? 1) : 1;
  }
}

export class Hart {
  readonly base: number;
  /** The architectural state: x0…x31, f0…f31, pc, fcsr. */
  readonly regs: Uint8Array;
  /** Of the last run: cycles used and instructions executed. */
  consumed = 0;
  retired = 0;
  readonly #processor: Processor;
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  readonly #u64: BigUint64Array;
  readonly #word: number;
  readonly #context = { rounding: 0, flags: 0 };
  readonly #csr: { fcsr: number; cycles: number; instructions: number } = { fcsr: 0, cycles: 0, instructions: 0 };
  #root = -1;
  /** What has been entered in one since it was last flushed. */
  readonly #used: Record<number, boolean> = { [state.tlbRead]: true, [state.tlbWrite]: true, [state.tlbFetch]: true };
  /** A store by this hart may break another's reservation, or meet a frame that holds one. */
  #watched = false;

  /** Asked for the cycles that a line takes which the first-level cache has not (machine/caches.ts); each counts for all that are not followed. */
  miss: ((physical: number) => number) | null = null;
  #stall = 0;

  constructor(processor: Processor, base: number) {
    this.#processor = processor;
    this.base = base;
    this.#word = base >>> 2;
    this.#i32 = processor.i32;
    this.#f64 = processor.f64;
    this.#u64 = processor.u64;
    processor.u8.fill(0, base, base + HART_STATE_BYTES);
    this.regs = processor.u8.subarray(base, base + ARCH_STATE_BYTES);
    this.clearReservation();
    this.flushTlb();
  }

  /** Cycles that the last instruction still waits for memory. */
  get waits(): number {
    return this.#stall;
  }

  get pc(): number {
    return this.#number(state.pc);
  }
  set pc(value: number) {
    this.#setNumber(state.pc, value);
  }
  get fcsr(): number {
    return this.#i32[this.#word + (state.fcsr >>> 2)] ?? 0;
  }
  set fcsr(value: number) {
    this.#i32[this.#word + (state.fcsr >>> 2)] = value & 0xff;
  }

  /** A register as a signed number; exact below 2^53. */
  x(index: number): number {
    return this.#number(state.x + index * 8);
  }
  /** `value` is an integer, exact as a double. */
  setX(index: number, value: number): void {
    if (index !== 0) this.#setNumber(state.x + index * 8, value);
  }
  xBig(index: number): bigint {
    return BigInt.asIntN(64, this.#u64[(this.base + state.x + index * 8) / 8] ?? 0n);
  }
  setXBig(index: number, value: bigint): void {
    if (index !== 0) this.#u64[(this.base + state.x + index * 8) / 8] = BigInt.asUintN(64, value);
  }
  /** Raw bits of a floating-point register. */
  f(index: number): bigint {
    return this.#u64[(this.base + state.f + index * 8) / 8] ?? 0n;
  }
  setF(index: number, bits: bigint): void {
    this.#u64[(this.base + state.f + index * 8) / 8] = BigInt.asUintN(64, bits);
  }

  saveTo(target: Uint8Array): void {
    target.set(this.regs);
  }
  /** Another task's registers: its predecessor's reservation ends. */
  restoreFrom(source: Uint8Array): void {
    this.regs.set(source.subarray(0, ARCH_STATE_BYTES));
    this.#setNumber(state.x, 0);
    this.fcsr &= 0xff;
    this.breakReservation();
  }

  /** Frame of the root page table. */
  setAddressSpace(rootFrame: number): void {
    if (rootFrame === this.#root) return;
    this.#root = rootFrame;
    this.flushTlb();
  }

  /** For another kernel, perhaps on another host: nothing of what it was used for is left. */
  reset(): void {
    // What another host's object noted of it is not known here.
    for (const tlb of TLBS) this.#used[tlb] = true;
    this.#root = -1;
    this.flushTlb();
    this.#setNumber(state.line, 0);
    this.#stall = 0;
  }

  /** Forgets translations: of one page (an entry of a superpage: of that 4 KiB of it), or all. After any change to a page table. */
  flushTlb(va?: number): void {
    for (const tlb of TLBS) {
      if (va === undefined) {
        this.#flush(tlb);
        continue;
      }
      const slot = this.#slot(tlb, va | 0);
      this.#i32.fill(-1, slot, slot + 2);
      if (tlb !== state.tlbFetch) this.#cutPieces(tlb, va);
    }
  }
  /** No piece reaches the page of an address any more. */
  #cutPieces(tlb: number, va: number): void {
    const i32 = this.#i32;
    for (let distance = -PIECE_PAGES; distance <= PIECE_PAGES; distance++)
      i32[this.#slot(tlb, (va + distance * 4096) | 0) + (TLB_DOWN >>> 2)] = PAGE_ONLY;
    const page = va - (va % 4096);
    const first = this.#word + (tlb >>> 2) + TLB_WORDS;
    for (let at = first; at < first + WINDOWS_WORDS; at += WINDOW_BYTES / 4) {
      const bytes = i32[at + (window.bytes >>> 2)] ?? 0;
      if (bytes === 0) continue;
      const from = (i32[at + 1] ?? 0) * 4294967296 + ((i32[at] ?? 0) >>> 0);
      if (from < page + 4096 && from + bytes + ACCESS_MAX > page) i32.fill(0, at, at + WINDOW_BYTES / 4);
    }
  }

  /** Physical address for a virtual one as user mode may use it, or −1. Sets accessed and dirty bits as the access itself would. */
  physical(va: number, access: AccessKind): number {
    const frame = this.#processor.walker.frame(this.#root, va | 0, Math.floor(va / 4294967296) | 0, access);
    return frame < 0 ? -1 : frame * 4096 + (va & 4095);
  }

  /** The virtual time, and count of instructions, from which the next run counts on. Both go on by themselves from run to run. */
  setTime(now: number): void {
    this.#f64[(this.base + state.now) / 8] = now;
  }
  setInstructions(count: number): void {
    this.#f64[(this.base + state.instret) / 8] = count;
  }

  /**
   * Has the code at pc translated now, as if it had become hot, where there is a translator: for tests, which do not wait.
   * @returns whether there is translated code
   */
  translateHere(): boolean {
    const { pc } = this;
    if (this.physical(pc, Access.Fetch) < 0) return false;
    this.#setFault(pc | 0, Math.floor(pc / 4294967296) | 0);
    return this.translateFetch() && this.#processor.translate(this.base);
  }

  /**
   * Runs until `fuel` cycles (at most 2^31 − 1) are used up, to the end of the instruction that uses the last, or something happens. What an
   * instruction waits for memory can be interrupted: it is waited for in the next run, which may then execute nothing.
   */
  run(fuel: number): ExitKind {
    const processor = this.#processor;
    const word = this.#word;
    const i32 = this.#i32;
    let given = fuel > 0x7fffffff ? 0x7fffffff : fuel | 0;
    const f64 = this.#f64;
    const now = (this.base + state.now) / 8;
    const waited = Math.min(given, this.#stall);
    if (waited > 0) {
      this.#stall -= waited;
      given -= waited;
      f64[now] = (f64[now] ?? 0) + waited;
      if (given === 0) {
        this.consumed = waited;
        this.retired = 0;
        return ExitKind.Fuel;
      }
    }
    i32[word + (state.fuel >>> 2)] = given;
    i32[word + (state.leftAfterStall >>> 2)] = 0x7fffffff;
    const watched = processor.othersReserve(this);
    if (watched) this.#flush(state.tlbWrite);
    this.#watched = watched;
    const kind = processor.run(this.base, given);
    let left = i32[word + (state.left >>> 2)] ?? 0;
    if (left < 0 && left === i32[word + (state.leftAfterStall >>> 2)]) {
      // The last instruction was one that waits for memory. The rest of that is waited for in the runs to come.
      this.#stall = Math.min(-left, i32[word + (state.stall >>> 2)] ?? 0);
      left += this.#stall;
    }
    f64[now] = (f64[now] ?? 0) + given - left;
    this.consumed = waited + given - left;
    this.retired = i32[word + (state.retired >>> 2)] ?? 0;
    f64[now + 1] = (f64[now + 1] ?? 0) + this.retired;
    processor.noteReservation(this, (i32[word + (state.reservationVirtual >>> 2)] ?? -1) !== -1);
    return kind;
  }

  /** For PageFault and Misaligned; exact for every canonical user address. */
  get faultAddress(): number {
    return this.#number(state.faultAddress);
  }
  get faultAccess(): AccessKind {
    const access = this.#i32[this.#word + (state.faultAccess >>> 2)];
    return access === Access.Fetch ? Access.Fetch : access === Access.Load ? Access.Load : Access.Store;
  }

  /** Ends this hart's reservation: after a trap that another task may use. */
  breakReservation(): void {
    this.clearReservation();
    this.#processor.noteReservation(this, false);
  }
  clearReservation(): void {
    const at = this.#word + (state.reservationVirtual >>> 2);
    this.#i32[at] = -1;
    this.#i32[at + 1] = -1;
  }
  get reservationPhysical(): number {
    return (this.#i32[this.#word + (state.reservationPhysical >>> 2)] ?? 0) >>> 0;
  }

  // What follows is for the interpreter's slow ways only.

  /** Fills the fetch TLB for the fault address. */
  translateFetch(): boolean {
    const low = this.#faultLow();
    const frame = this.#walk(low, this.#faultHigh(), Access.Fetch);
    if (frame < 0) return false;
    this.#enter(state.tlbFetch, low, this.#faultHigh(), frame);
    return true;
  }

  /** Physical address of the half of an instruction that lies behind the end of pc's page, or −1 after noting the fault. */
  secondHalf(): number {
    const at = this.#word + (state.pc >>> 2);
    const low = this.#i32[at] ?? 0;
    const next = (low + 2) | 0;
    const high = ((this.#i32[at + 1] ?? 0) + (next === 0 ? 1 : 0)) | 0;
    this.#setFault(next, high);
    const frame = this.#walk(next, high, Access.Fetch);
    return frame < 0 ? -1 : frame * 4096;
  }

  /** Where to load from or store to; 0 after noting the fault. */
  locateData(access: 1 | 2, size: number): number {
    this.#i32[this.#word + (state.stall >>> 2)] = 0;
    this.#processor.walker.forget();
    const low = this.#faultLow();
    const high = this.#faultHigh();
    if ((low & 4095) + size > 4096) return this.#locateCrossing(low, high, access, size);
    const physical = this.#translate(low, high, access);
    if (physical < 0) return 0;
    if (access === Access.Store) this.#beforeStore(low, high, physical, size);
    if ((physical & SAMPLED_MASK) === SAMPLED_BITS) this.#touch(physical & LINE_MASK);
    return physical | 0;
  }

  /** An access to a followed line: the first-level cache has it from now on, and no other of them. */
  #touch(line: number): void {
    const i32 = this.#i32;
    const there = this.#word + (state.line >>> 2);
    if (i32[there] === line) return;
    i32[there] = line;
    i32[this.#word + (state.stall >>> 2)] = this.miss?.(line >>> 0) ?? 0;
  }

  /** Loads are gathered, and stores are carried out, here; what the caller then does lands in the state block. */
  #locateCrossing(low: number, high: number, access: 1 | 2, size: number): number {
    const first = this.#translate(low, high, access);
    if (first < 0) return 0;
    const inFirst = 4096 - (low & 4095);
    const nextLow = (low + inFirst) | 0;
    const nextHigh = (high + (nextLow === 0 ? 1 : 0)) | 0;
    this.#setFault(nextLow, nextHigh);
    const second = this.#translate(nextLow, nextHigh, access);
    if (second < 0) return 0;
    const { u8 } = this.#processor;
    const value = this.base + state.value;
    if (access === Access.Store) {
      this.#beforeStore(low, high, first, inFirst);
      this.#beforeStore(nextLow, nextHigh, second, size - inFirst);
      u8.copyWithin(first, value, value + inFirst);
      u8.copyWithin(second, value + inFirst, value + size);
    } else {
      u8.copyWithin(value, first, first + inFirst);
      u8.copyWithin(value + inFirst, second, second + size - inFirst);
    }
    return value;
  }

  /** By TLB or walk; −1 after noting the fault. Reads enter the TLB here, writes only once `#beforeStore` has seen the frame. */
  #translate(low: number, high: number, access: 1 | 2): number {
    const slot = this.#slot(TLB_OF[access], low);
    if (((this.#i32[slot] ?? 0) & ~TLB_FOLLOWED) === (low & ~4095) && this.#i32[slot + 1] === high)
      return (low + (this.#i32[slot + 2] ?? 0)) >>> 0;
    const frame = this.#walk(low, high, access);
    if (frame < 0) return -1;
    if (access === Access.Load) this.#enter(state.tlbRead, low, high, frame);
    return frame * 4096 + (low & 4095);
  }

  #beforeStore(low: number, high: number, physical: number, size: number): void {
    const frame = physical >>> 12;
    this.#processor.invalidateFrame(frame);
    if (this.#watched && this.#processor.storeWhileReserved(this, physical, size)) return;
    this.#enter(state.tlbWrite, low, high, frame);
  }

  /** Takes a frame out of the TLB for writing, and so all that may tell of it. */
  forbidWriting(): void {
    this.#flush(state.tlbWrite);
  }

  /** A floating-point instruction, exactly: two words of its decoded entry. False: its rounding mode is no mode. */
  exact(operands: number, imm: number): boolean {
    const i32 = this.#i32;
    const row = imm >>> 16;
    const rs1 = (operands >>> 16) & 255;
    const fcsr = this.fcsr;
    let rounding = imm & 7;
    if (instructions[row]?.hasRounding) {
      if (rounding === 7) rounding = fcsr >>> 5;
      if (rounding > 4) return false;
    }
    const floats = (this.base + state.f) >>> 3;
    const f1 = floats + (rs1 >>> 3);
    const f2 = floats + (operands >>> 27);
    const f3 = floats + ((imm & 0xff00) >>> 11);
    const target = (this.base + (operands & 0xffff)) >>> 3;
    const quick = quickOperations[row];
    if (quick && rounding === Rounding.nearestEven) {
      const { f32, f64 } = this.#processor;
      const sources = singleSources[row] ?? 0;
      if (sources === 0) {
        const flags = quick(f64[f1] ?? 0, f64[f2] ?? 0, f64[f3] ?? 0);
        if (flags !== DECLINED) {
          f64[target] = quickResult[0] ?? 0;
          this.fcsr = fcsr | flags;
          return true;
        }
      } else if (i32[f1 * 2 + 1] === -1 && (sources < 2 || i32[f2 * 2 + 1] === -1) && (sources < 3 || i32[f3 * 2 + 1] === -1)) {
        const flags = quick(f32[f1 * 2] ?? 0, f32[f2 * 2] ?? 0, f32[f3 * 2] ?? 0);
        if (flags !== DECLINED) {
          f32[target * 2] = quickResult[0] ?? 0;
          i32[target * 2 + 1] = -1;
          this.fcsr = fcsr | flags;
          return true;
        }
      }
    }
    const operation = exactOperations[row];
    if (!operation) throw new Error(`${instructions[row]?.name ?? row} has no exact counterpart`);
    const u64 = this.#u64;
    const context = this.#context;
    context.rounding = rounding;
    context.flags = 0;
    const x1 = u64[(this.base + state.x + rs1) >>> 3] ?? 0n;
    u64[target] = operation({ f1: u64[f1] ?? 0n, f2: u64[f2] ?? 0n, f3: u64[f3] ?? 0n, x1 }, context);
    this.fcsr = fcsr | context.flags;
    return true;
  }

  /** The CSR instruction of this entry. False: there is no such register, or it may not be written. */
  csr(entryAt: number): boolean {
    const { u8, u16 } = this.#processor;
    const i32 = this.#i32;
    const word = this.#word;
    const name = instructions[u16[(entryAt + field.op) >>> 1] ?? 0]?.name ?? '';
    const number = i32[(entryAt + field.imm) >>> 2] ?? 0;
    const source = (u8[entryAt + field.rs1] ?? 0) >>> 3;
    const used = (i32[word + (state.fuel >>> 2)] ?? 0) - (i32[word + (state.left >>> 2)] ?? 0);
    const now = (this.base + state.now) / 8;
    const registers = this.#csr;
    registers.fcsr = this.fcsr;
    registers.cycles = (this.#f64[now] ?? 0) + used;
    registers.instructions = (this.#f64[now + 1] ?? 0) + (i32[word + (state.retired >>> 2)] ?? 0);
    const old = readCsr(number, registers satisfies CsrState);
    if (old < 0) return false;
    const operand = name.endsWith('i') ? source : (i32[word + source * 2] ?? 0);
    const sets = name.startsWith('csrrs');
    const clears = name.startsWith('csrrc');
    if (!((sets || clears) && source === 0)) {
      const value = sets ? old | operand : clears ? old & ~operand : operand;
      if (!writeCsr(number, value, registers)) return false;
      this.fcsr = registers.fcsr;
    }
    this.#setNumber(u16[(entryAt + field.rd) >>> 1] ?? state.sink, old);
    return true;
  }

  #walk(low: number, high: number, access: AccessKind): number {
    const frame = this.#processor.walker.frame(this.#root, low, high, access);
    if (frame < 0) this.#i32[this.#word + (state.faultAccess >>> 2)] = access;
    return frame;
  }
  fetchedFrame(va: number): number {
    const low = va | 0;
    const slot = this.#slot(state.tlbFetch, low);
    if (this.#i32[slot] !== (low & ~4095) || this.#i32[slot + 1] !== (Math.floor(va / 4294967296) | 0)) return -1;
    return (low + (this.#i32[slot + 2] ?? 0)) >>> 12;
  }
  identify(frame: number, identity: number): void {
    if (!this.#used[state.tlbFetch]) return;
    const i32 = this.#i32;
    const from = this.#word + (state.tlbFetch >>> 2);
    for (let slot = from; slot < from + TLB_ENTRIES * 4; slot += 4) {
      if (i32[slot] !== -1 && ((i32[slot] ?? 0) + (i32[slot + 2] ?? 0)) >>> 12 === frame) i32[slot + (TLB_IDENTITY >>> 2)] = identity;
    }
  }

  #enter(tlb: number, low: number, high: number, frame: number): void {
    const i32 = this.#i32;
    const page = low & ~4095;
    const slot = this.#slot(tlb, low);
    this.#used[tlb] = true;
    if (tlb === state.tlbFetch) {
      this.#setEntry(slot, page, high, frame, false);
      i32[slot + (TLB_IDENTITY >>> 2)] = this.#processor.identityOf(frame);
      return;
    }
    if (this.#processor.walker.hasJustWalked(low, high)) {
      this.#enterPiece(tlb, page, high, frame);
      return;
    }
    const delta = (frame * 4096 - page) | 0;
    const isThere = ((i32[slot] ?? 0) & ~TLB_FOLLOWED) === page && i32[slot + 1] === high && i32[slot + 2] === delta;
    this.#setEntry(slot, page, high, frame, true);
    if (!isThere) i32[slot + (TLB_DOWN >>> 2)] = PAGE_ONLY;
  }
  #setEntry(slot: number, page: number, high: number, frame: number, isData: boolean): void {
    const i32 = this.#i32;
    i32[slot] = isData && this.#processor.caches && hasFollowedLine(frame) ? page | TLB_FOLLOWED : page;
    i32[slot + 1] = high;
    i32[slot + 2] = (frame * 4096 - page) | 0;
  }
  /**
   * The page of the last walk, and those that lie in one piece with it: with one look they all are known, and how far each goes on (TLB_DOWN and
   * TLB_UP). A page whose line is followed ends a piece, and belongs to it.
   */
  #enterPiece(tlb: number, page: number, high: number, frame: number): void {
    const { walker, caches } = this.#processor;
    const access = tlb === state.tlbWrite ? Access.Store : Access.Load;
    const goesOn = (distance: number): boolean =>
      walker.continues(frame, distance, access) &&
      (access === Access.Load || !(this.#watched || this.#processor.hasCode(frame + distance)));
    const ends = (distance: number): boolean => caches && hasFollowedLine(frame + distance);
    let first = 0;
    while (first > -PIECE_PAGES && (first === 0 || !ends(first)) && goesOn(first - 1)) first--;
    let last = 0;
    while (last < PIECE_PAGES && (last === 0 || !ends(last)) && goesOn(last + 1)) last++;
    const isParted = ends(0);
    for (let at = first; at <= last; at++) {
      const slot = this.#slot(tlb, page + at * 4096);
      const lowest = Math.max(at > 0 && isParted ? 0 : first, at - PIECE_PAGES);
      const highest = Math.min(at < 0 && isParted ? 0 : last, at + PIECE_PAGES);
      const below = lowest < at && ends(lowest) ? FOLLOWED_AT + LINE_BYTES : 0;
      const above = highest > at && ends(highest) ? FOLLOWED_AT : 4096;
      const down = (at - lowest) * 4096 - below;
      const up = (highest - at) * 4096 + above - (ACCESS_MAX - 1);
      // What one table maps has one high word.
      this.#setEntry(slot, (page + at * 4096) | 0, high, frame + at, true);
      this.#i32[slot + (TLB_DOWN >>> 2)] = down | (up << 16);
    }
  }
  /** Index of the entry's first word. */
  #slot(tlb: number, low: number): number {
    return this.#word + (tlb >>> 2) + ((low >>> 12) & (TLB_ENTRIES - 1)) * 4;
  }
  #flush(tlb: number): void {
    if (!this.#used[tlb]) return;
    this.#used[tlb] = false;
    const from = this.#word + (tlb >>> 2);
    this.#i32.fill(-1, from, from + TLB_WORDS);
    if (tlb !== state.tlbFetch) this.#i32.fill(0, from + TLB_WORDS, from + TLB_WORDS + WINDOWS_WORDS);
  }
  #faultLow(): number {
    return this.#i32[this.#word + (state.faultAddress >>> 2)] ?? 0;
  }
  #faultHigh(): number {
    return this.#i32[this.#word + (state.faultAddress >>> 2) + 1] ?? 0;
  }
  #setFault(low: number, high: number): void {
    const at = this.#word + (state.faultAddress >>> 2);
    this.#i32[at] = low;
    this.#i32[at + 1] = high;
  }
  #number(offset: number): number {
    const at = this.#word + (offset >>> 2);
    return (this.#i32[at + 1] ?? 0) * 4294967296 + ((this.#i32[at] ?? 0) >>> 0);
  }
  #setNumber(offset: number, value: number): void {
    const at = this.#word + (offset >>> 2);
    this.#i32[at] = value | 0;
    this.#i32[at + 1] = Math.floor(value / 4294967296) | 0;
  }
}
