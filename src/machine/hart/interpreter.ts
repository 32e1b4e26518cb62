/**
 * Generates the interpreter: one WebAssembly function with a dispatch loop, made from the table of instructions.
 *
 * `run(hart, fuel)` runs the hart whose state block lies at `hart` and returns an ExitKind. What always holds:
 * - Registers live in the state block at all times; pc, fuel and the count of instructions live in locals and are written back
 *   before every return and before every call that may look at them.
 * - An instruction that leaves (a fault, ecall, …) has cost nothing, counts as not executed and has changed nothing; pc is its own.
 * - The loop stops at the first boundary at which the fuel is used up.
 * - The cache of decoded instructions and the TLB decide how fast something happens, never what happens or what it costs.
 */
import { addFusedFunctions } from './isa/fused.ts';
import type { AccessSize, LoadKind, Operands } from './isa/operands.ts';
import { instructions } from './isa/table.ts';
import { Access, type AccessKind, ExitKind, TLB_ENTRIES, entry as field, state } from './layout.ts';
import {
  type Code,
  type F32,
  type F64,
  type I32,
  type I64,
  type Local,
  after,
  block,
  branch,
  branchTable,
  callFor,
  f32,
  f64,
  i32,
  i64,
  loop,
  returns,
  sequence,
  unreachable,
  when,
} from './wasm/code.ts';
import { engine, type Memory } from './wasm/engine.ts';
import { type Locals, ModuleBuilder } from './wasm/module.ts';

/** What the interpreter calls for when its quick ways end. `hart` is the address of the state block. */
export interface InterpreterImports {
  /** Fills the fetch TLB for state.faultAddress; 0: page fault. */
  fetch(hart: number): number;
  /** Address of the decoded entry for the instruction at this physical address (state.pc is its virtual one); 0: page fault. */
  decode(hart: number, physical: number): number;
  /** Where to load from or store to for state.faultAddress; 0: page fault. For a store state.value holds what will be stored. */
  data(hart: number, access: number, size: number): number;
  /** Does the floating-point instruction of this entry; 0: it is illegal. */
  exact(hart: number, entry: number): number;
  /** Does the CSR instruction of this entry; 0: it is illegal. */
  csr(hart: number, entry: number): number;
}

/** Dispatch numbers beyond the table's rows. */
export const ILLEGAL = instructions.length;
export const EXACT = instructions.length + 1;
const DISPATCH_COUNT = instructions.length + 2;

const SCRATCH = 2;

/** Index of a page in a TLB, as the byte offset of its entry. */
const tlbSlot = (hart: I32, va: I64): I32 =>
  i32.add(hart, i32.and(i32.shrU(i32.wrap(va), i32.const(8)), i32.const((TLB_ENTRIES - 1) * 16)));

interface Imported {
  readonly fetch: number;
  readonly decode: number;
  readonly data: number;
  readonly exact: number;
  readonly csr: number;
}
interface Helpers extends Imported {
  readonly slow: number;
  readonly multiplyHigh: number;
  readonly fusedD: number;
  readonly fusedS: number;
}

function interpreterModule(cacheBase: number, cacheBytes: number): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(65536);
  const imported: Imported = {
    fetch: module.importFunction('fetch', ['i32'], ['i32']),
    decode: module.importFunction('decode', ['i32', 'i32'], ['i32']),
    data: module.importFunction('data', ['i32', 'i32', 'i32'], ['i32']),
    exact: module.importFunction('exact', ['i32', 'i32'], ['i32']),
    csr: module.importFunction('csr', ['i32', 'i32'], ['i32']),
  };
  const fused = addFusedFunctions(module);
  const helpers: Helpers = {
    ...imported,
    slow: module.function(['i32', 'i64', 'i32', 'i32'], ['i32'], locals => slowAccess(locals, imported.data)),
    multiplyHigh: module.function(['i64', 'i64'], ['i64'], multiplyHigh),
    fusedD: fused.double,
    fusedS: fused.single,
  };
  module.function(['i32', 'i32'], ['i32'], locals => new Run(locals, helpers, cacheBase, cacheBytes).body(), 'run');
  return module.bytes();
}

/** (hart, va, access, size) → physical address, or 0. */
function slowAccess(locals: Locals, data: number): Code {
  const hart = locals.parameter<I32>(0);
  return sequence(
    i64.store(hart.get, locals.parameter<I64>(1).get, state.faultAddress),
    callFor<I32>(data, hart.get, locals.parameter<I32>(2).get, locals.parameter<I32>(3).get),
  );
}

/** High half of a 64×64 product out of four 32×32 ones. */
function multiplyHigh(locals: Locals): Code {
  const a = locals.parameter<I64>(0);
  const b = locals.parameter<I64>(1);
  const [middle, carry] = [locals.add<I64>('i64'), locals.add<I64>('i64')];
  const half = i64.const(32);
  const low = (x: I64): I64 => i64.and(x, i64.const(0xffffffff));
  const high = (x: I64): I64 => i64.shrU(x, half);
  return sequence(
    middle.set(i64.add(i64.mul(high(a.get), low(b.get)), high(i64.mul(low(a.get), low(b.get))))),
    carry.set(i64.add(i64.mul(low(a.get), high(b.get)), low(middle.get))),
    i64.add(i64.add(i64.mul(high(a.get), high(b.get)), high(middle.get)), high(carry.get)),
  );
}

/** Builds the function `run`. */
class Run {
  readonly #hart: Local<I32>;
  readonly #left: Local<I32>;
  readonly #retired: Local<I32>;
  readonly #pc: Local<I64>;
  /** The page that pc was last in (its virtual address; −1: none yet), and physical minus virtual for it. */
  readonly #page: Local<I64>;
  readonly #delta: Local<I32>;
  readonly #physical: Local<I32>;
  readonly #entry: Local<I32>;
  readonly #va: Local<I64>;
  readonly #slot: Local<I32>;
  readonly #pa: Local<I32>;
  readonly #t: readonly Local<I64>[];
  readonly #f: readonly Local<F64>[];
  readonly #g: readonly Local<F32>[];
  readonly #helpers: Helpers;
  readonly #cacheBase: number;
  readonly #cacheMask: number;

  constructor(locals: Locals, helpers: Helpers, cacheBase: number, cacheBytes: number) {
    this.#helpers = helpers;
    this.#cacheBase = cacheBase;
    this.#cacheMask = cacheBytes - 16;
    this.#hart = locals.parameter(0);
    this.#left = locals.parameter(1);
    this.#retired = locals.add('i32');
    this.#pc = locals.add('i64');
    this.#page = locals.add('i64');
    this.#delta = locals.add('i32');
    this.#physical = locals.add('i32');
    this.#entry = locals.add('i32');
    this.#va = locals.add('i64');
    this.#slot = locals.add('i32');
    this.#pa = locals.add('i32');
    const several = <T extends I64 | F64 | F32>(type: 'i64' | 'f64' | 'f32') => Array.from({ length: SCRATCH }, () => locals.add<T>(type));
    this.#t = several<I64>('i64');
    this.#f = several<F64>('f64');
    this.#g = several<F32>('f32');
  }

  body(): Code {
    const hart = this.#hart.get;
    const handlers: Code[] = instructions.map((row, number) =>
      sequence(row.meaning(this.#operands(this.#depthOfNext(number))), branch(this.#depthOfAdvance(number))),
    );
    handlers.push(this.#leave(ExitKind.IllegalInstruction));
    handlers.push(sequence(this.#callExact([]), branch(this.#depthOfAdvance(EXACT))));

    let dispatch: Code = branchTable(
      i32.load16u(this.#entry.get, field.op),
      Array.from({ length: DISPATCH_COUNT }, (_, i) => i),
      ILLEGAL,
    );
    for (const handler of handlers) dispatch = sequence(block(dispatch), handler);
    return sequence(
      this.#pc.set(i64.load(hart, state.pc)),
      this.#page.set(i64.const(-1)),
      loop(
        when(i32.leS(this.#left.get, i32.const(0)), sequence(this.#spill(), returns(i32.const(ExitKind.Fuel)))),
        this.#fetch(),
        this.#left.set(i32.sub(this.#left.get, i32.load8u(this.#entry.get, field.cost))),
        this.#retired.set(i32.add(this.#retired.get, i32.const(1))),
        block(dispatch),
        this.#pc.set(i64.add(this.#pc.get, i64.load8u(this.#entry.get, field.length))),
        branch(0),
      ),
      unreachable,
    );
  }

  /** Handler k stands behind the end of block k, within the blocks of the later ones, the advance block and the loop. */
  #depthOfAdvance(number: number): number {
    return DISPATCH_COUNT - 1 - number;
  }
  #depthOfNext(number: number): number {
    return this.#depthOfAdvance(number) + 1;
  }

  #fetch(): Code {
    const { get: pc } = this.#pc;
    const hart = this.#hart.get;
    const pageOf = (address: I64): I64 => i64.and(address, i64.const(-4096));
    const refill = sequence(
      i64.store(hart, pc, state.faultAddress),
      when(i32.eqz(callFor<I32>(this.#helpers.fetch, hart)), sequence(this.#spill(), returns(i32.const(ExitKind.PageFault)))),
    );
    const newPage = sequence(
      this.#page.set(pageOf(pc)),
      this.#slot.set(tlbSlot(hart, pc)),
      when(i64.ne(i64.load(this.#slot.get, state.tlbFetch), this.#page.get), refill),
      this.#delta.set(i32.load(this.#slot.get, state.tlbFetch + 8)),
    );
    const miss = sequence(
      this.#spill(),
      when(i32.eqz(this.#entry.tee(callFor<I32>(this.#helpers.decode, hart, this.#physical.get))), returns(i32.const(ExitKind.PageFault))),
    );
    return sequence(
      when(i64.ne(pageOf(pc), this.#page.get), newPage),
      this.#physical.set(i32.add(i32.wrap(pc), this.#delta.get)),
      this.#entry.set(i32.add(i32.and(i32.shl(this.#physical.get, i32.const(3)), i32.const(this.#cacheMask)), i32.const(this.#cacheBase))),
      when(i32.ne(i32.load(this.#entry.get, field.tag), i32.or(this.#physical.get, i32.const(1))), miss),
    );
  }

  /** Writes back what lives in locals, as of the boundary before the next instruction. */
  #spill(): Code {
    const hart = this.#hart.get;
    return sequence(
      i64.store(hart, this.#pc.get, state.pc),
      i32.store(hart, this.#left.get, state.left),
      i32.store(hart, this.#retired.get, state.retired),
    );
  }
  /** The same from within an instruction, which then counts as not begun. */
  #undo(): Code {
    const hart = this.#hart.get;
    return sequence(
      i64.store(hart, this.#pc.get, state.pc),
      i32.store(hart, i32.add(this.#left.get, i32.load8u(this.#entry.get, field.cost)), state.left),
      i32.store(hart, i32.sub(this.#retired.get, i32.const(1)), state.retired),
    );
  }
  #leave(kind: ExitKind): Code {
    return sequence(this.#undo(), returns(i32.const(kind)));
  }
  #callExact(then: Code): Code {
    return sequence(
      when(i32.eqz(callFor<I32>(this.#helpers.exact, this.#hart.get, this.#entry.get)), this.#leave(ExitKind.IllegalInstruction)),
      then,
    );
  }

  /** Leaves the physical address in #pa, by TLB or the slow way. The low bits of a misaligned address make the tag differ. */
  #locate(access: 1 | 2, size: AccessSize, address: I64, beforeSlow: Code = []): Code {
    const tlb = access === Access.Store ? state.tlbWrite : state.tlbRead;
    const hart = this.#hart.get;
    const slow = sequence(
      beforeSlow,
      when(
        i32.eqz(this.#pa.tee(callFor<I32>(this.#helpers.slow, hart, this.#va.get, i32.const(access), i32.const(size)))),
        this.#leave(ExitKind.PageFault),
      ),
    );
    return sequence(
      this.#va.set(address),
      this.#slot.set(tlbSlot(hart, this.#va.get)),
      when(
        i64.eq(i64.load(this.#slot.get, tlb), i64.and(this.#va.get, i64.const(-4096 + size - 1))),
        this.#pa.set(i32.add(i32.wrap(this.#va.get), i32.load(this.#slot.get, tlb + 8))),
        slow,
      ),
    );
  }

  #operands(depthOfNext: number): Operands {
    const hart = this.#hart.get;
    const entry = this.#entry.get;
    const h = this.#helpers;
    const source1 = i32.add(hart, i32.load8u(entry, field.rs1));
    const source2 = i32.add(hart, i32.load8u(entry, field.rs2));
    const source3 = i32.add(hart, i32.load8u(entry, field.imm + 1));
    const target = i32.add(hart, i32.load16u(entry, field.rd));
    const rs1 = i64.load(source1, state.x);
    const rs2 = i64.load(source2, state.x);
    const imm = i64.load32s(entry, field.imm);
    const nextPc = i64.add(this.#pc.get, i64.load8u(entry, field.length));
    const fcsr = i32.load(hart, state.fcsr);
    const address = i64.add(rs1, imm);
    const pa = this.#pa.get;
    const next = branch(depthOfNext);
    const advance = branch(depthOfNext - 1);
    const advanceFromIf = branch(depthOfNext);
    const nextFromIf = branch(depthOfNext + 1);
    const store = (size: AccessSize, at: I32, value: I64, offset = 0): Code =>
      ({ 1: i64.store8, 2: i64.store16, 4: i64.store32, 8: i64.store })[size](at, value, offset);
    const load: Record<LoadKind, (at: I32) => I64> = {
      i8: i64.load8s,
      u8: i64.load8u,
      i16: i64.load16s,
      u16: i64.load16u,
      i32: i64.load32s,
      u32: i64.load32u,
      i64: i64.load,
    };
    const sizes: Record<LoadKind, AccessSize> = { i8: 1, u8: 1, i16: 2, u16: 2, i32: 4, u32: 4, i64: 8 };
    const boxes = [source1, source2, source3].map(source => i32.load(source, state.f + 4));
    const setRd = (value: I64): Code => i64.store(target, value);
    const aligned = (size: 4 | 8, access: AccessKind): Code =>
      when(
        i32.and(i32.wrap(rs1), i32.const(size - 1)),
        sequence(
          i64.store(hart, rs1, state.faultAddress),
          i32.store(hart, i32.const(access), state.faultAccess),
          this.#leave(ExitKind.Misaligned),
        ),
      );

    return {
      rs1,
      rs2,
      imm,
      address,
      nextPc,
      pc: this.#pc.get,
      setRd,
      bits1: i64.load(source1, state.f),
      bits2: i64.load(source2, state.f),
      d1: f64.load(source1, state.f),
      d2: f64.load(source2, state.f),
      d3: f64.load(source3, state.f),
      s1: f32.load(source1, state.f),
      s2: f32.load(source2, state.f),
      s3: f32.load(source3, state.f),
      boxed: n =>
        i32.eq(
          boxes.slice(0, n).reduce((a, b) => i32.and(a, b)),
          i32.const(-1),
        ),
      setBits: value => i64.store(target, value),
      setD: value => f64.store(target, value),
      setS: value => i64.store(target, i64.or(i64.extendU(i32.reinterpret(value)), i64.const(-0x100000000n))),
      nearestAndInexact: i32.eq(i32.and(fcsr, i32.const(0xe1)), i32.const(1)),
      inexactRaised: i32.and(fcsr, i32.const(1)),
      roundingValid: i32.leU(i32.and(fcsr, i32.const(0xe0)), i32.const(0x80)),
      fusedD: (a, b, c) => callFor<F64>(h.fusedD, a, b, c),
      fusedS: (a, b, c) => callFor<F32>(h.fusedS, a, b, c),
      exactUnless: condition => when(i32.eqz(condition), this.#callExact(advanceFromIf)),

      load: (kind, at) => after(this.#locate(Access.Load, sizes[kind], at), load[kind](pa)),
      store: (size, at, value) =>
        sequence(this.#locate(Access.Store, size, at, i64.store(hart, value, state.value)), store(size, pa, value)),
      atomicAddress: (size, access) =>
        sequence(aligned(size, access), this.#locate(access === Access.Load ? Access.Load : Access.Store, size, rs1)),
      atomicLoad: size => (size === 4 ? i64.load32s(pa) : i64.load(pa)),
      atomicStore: (size, value) => store(size, pa, value),
      reserve: sequence(i64.store(hart, this.#va.get, state.reservationVirtual), i32.store(hart, pa, state.reservationPhysical)),
      storeConditional: size =>
        sequence(
          aligned(size, Access.Store),
          when(
            i64.ne(rs1, i64.load(hart, state.reservationVirtual)),
            sequence(i64.store(hart, i64.const(-1), state.reservationVirtual), setRd(i64.const(1)), advanceFromIf),
          ),
          this.#locate(Access.Store, size, rs1),
          i64.store(hart, i64.const(-1), state.reservationVirtual),
          when(i32.ne(pa, i32.load(hart, state.reservationPhysical)), sequence(setRd(i64.const(1)), advanceFromIf)),
          store(size, pa, rs2),
          setRd(i64.const(0)),
          advance,
        ),

      jump: to => sequence(this.#pc.set(to), next),
      branchIf: condition => when(condition, sequence(this.#pc.set(i64.add(this.#pc.get, imm)), nextFromIf)),
      multiplyHigh: (a, b) => callFor<I64>(h.multiplyHigh, a, b),
      system: what =>
        what === 'csr'
          ? sequence(this.#undo(), when(i32.eqz(callFor<I32>(h.csr, hart, entry)), returns(i32.const(ExitKind.IllegalInstruction))))
          : this.#leave(what === 'ecall' ? ExitKind.Ecall : ExitKind.Ebreak),
      t: this.#t,
      f: this.#f,
      g: this.#g,
    };
  }
}

export type RunFunction = (hart: number, fuel: number) => ExitKind;

export function createInterpreter(memory: Memory, cacheBase: number, cacheBytes: number, imports: InterpreterImports): RunFunction {
  const module = new engine.Module(interpreterModule(cacheBase, cacheBytes));
  const instance = new engine.Instance(module, { env: { memory, ...imports } });
  return instance.exports.run as RunFunction;
}
