/**
 * Generates the interpreter: one WebAssembly function with a dispatch loop, made from the table of instructions.
 *
 * `run(hart, fuel)` runs the hart whose state block lies at `hart` and returns an ExitKind. What always holds:
 * - Registers live in the state block at all times; pc, fuel and the count of instructions live in locals and are written back
 *   before every return and before every call that may look at them.
 * - An instruction that leaves (a fault, ecall, …) has cost nothing, counts as not executed and has changed nothing; pc is its own.
 * - The loop stops at the first boundary at which the fuel is used up.
 * - The cache of decoded instructions, the TLB and the translator decide how fast something happens, never what happens or what it costs.
 */
import { addFusedFunctions } from './isa/fused.ts';
import type { AccessSize, Operands } from './isa/operands.ts';
import { instructions } from './isa/table.ts';
import { Access, ExitKind, JUMP_COUNTERS, Outcome, TLB_FOLLOWED, entry as field, record, state } from './layout.ts';
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
  branchWhen,
  call,
  callFor,
  callIndirectFor,
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
import {
  atomicOperations,
  decodedFrameOf,
  decodedOffset,
  loadAs,
  missesFirstLevel,
  multiplyHigh,
  sizeOf,
  slowAccess,
  storeAs,
  tlbSlot,
} from './operations.ts';
import { engine, type FunctionTable, type Memory } from './wasm/engine.ts';
import { type Locals, ModuleBuilder } from './wasm/module.ts';

/** What the interpreter calls for when its quick ways end. `hart` is the address of the state block. */
export interface InterpreterImports {
  /** Fills the fetch TLB for state.faultAddress; 0: page fault. */
  fetch(hart: number): number;
  /** Address of the decoded entry for the instruction at this physical address (state.pc is its virtual one); 0: page fault. */
  decode(hart: number, physical: number): number;
  /** Where to load from or store to for state.faultAddress; 0: page fault. For a store state.value holds what will be stored. */
  data(hart: number, access: number, size: number): number;
  /** Does the floating-point instruction of which these are two words of the decoded entry; 0: it is illegal. */
  exact(hart: number, operands: number, imm: number): number;
  /** Does the CSR instruction of this entry; 0: it is illegal. */
  csr(hart: number, entry: number): number;
}

/** What it calls for, and uses, where there is a translator. */
export interface TranslatorImports {
  readonly table: FunctionTable;
  /** A counter has run out for state.pc; returns what it counts from now. */
  hot(hart: number): number;
  /** Translated code, by its place in the table, has left by a site: makes the state in the block that of the instruction's beginning. */
  settle(hart: number, index: number, outcome: number): void;
}
/** The translator's part of the interpreter. */
export interface Translation {
  /** Address of the counters of jumps. */
  readonly counters: number;
  readonly imports: TranslatorImports;
}

/** Dispatch numbers beyond the table's rows. */
export const ILLEGAL = instructions.length;
export const EXACT = instructions.length + 1;
/** Translated code begins here. */
export const ENTER = instructions.length + 2;
const DISPATCH_COUNT = instructions.length + 3;

const SCRATCH = 2;

interface Imported {
  readonly fetch: number;
  readonly decode: number;
  readonly data: number;
  readonly exact: number;
  readonly csr: number;
  readonly hot: number;
  readonly settle: number;
}
interface Helpers extends Imported {
  readonly slow: number;
  readonly multiplyHigh: number;
  readonly fusedD: number;
  readonly fusedS: number;
  /** Signature of translated code. */
  readonly translated: number;
}

function interpreterModule(cacheBase: number, cacheBytes: number, counters: number | null, caches: boolean): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(65536);
  const imported: Imported = {
    fetch: module.importFunction('fetch', ['i32'], ['i32']),
    decode: module.importFunction('decode', ['i32', 'i32'], ['i32']),
    data: module.importFunction('data', ['i32', 'i32', 'i32'], ['i32']),
    exact: module.importFunction('exact', ['i32', 'i32', 'i32'], ['i32']),
    csr: module.importFunction('csr', ['i32', 'i32'], ['i32']),
    hot: counters === null ? -1 : module.importFunction('hot', ['i32'], ['i32']),
    settle: counters === null ? -1 : module.importFunction('settle', ['i32', 'i32', 'i32'], []),
  };
  if (counters !== null) module.importTable();
  const fused = addFusedFunctions(module);
  const helpers: Helpers = {
    ...imported,
    slow: module.function(['i32', 'i64', 'i32', 'i32'], ['i32'], locals => slowAccess(locals, imported.data)),
    multiplyHigh: module.function(['i64', 'i64'], ['i64'], locals =>
      multiplyHigh(locals.parameter<I64>(0).get, locals.parameter<I64>(1).get, [locals.add('i64'), locals.add('i64')]),
    ),
    fusedD: fused.double,
    fusedS: fused.single,
    translated: counters === null ? -1 : module.signature(['i32'], ['i32']),
  };
  module.function(['i32', 'i32'], ['i32'], locals => new Run(locals, helpers, cacheBase, cacheBytes, counters, caches).body(), 'run');
  return module.bytes();
}

const enterTranslated = (signature: number, hart: I32, at: I32, outcome: Local<I32>): Code =>
  sequence(
    i32.store(hart, i32.load(at, record.index), state.translated),
    outcome.set(callIndirectFor<I32>(signature, i32.load(at, record.index), hart)),
  );

/** Builds the function `run`. */
class Run {
  readonly #hart: Local<I32>;
  readonly #left: Local<I32>;
  readonly #retired: Local<I32>;
  readonly #pc: Local<I64>;
  /** The page that pc was last in (its virtual address; −1: none yet), and physical minus virtual for it. */
  readonly #page: Local<I64>;
  readonly #delta: Local<I32>;
  /** Where the decoded entries of that page are. */
  readonly #decoded: Local<I32>;
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
  readonly #cacheBytes: number;
  /** Address of the counters of jumps; null: no translator. */
  readonly #counters: number | null;
  readonly #record: Local<I32>;
  /** Whether followed lines are looked for in the first-level cache. */
  readonly #caches: boolean;

  constructor(locals: Locals, helpers: Helpers, cacheBase: number, cacheBytes: number, counters: number | null, caches: boolean) {
    this.#helpers = helpers;
    this.#caches = caches;
    this.#counters = counters;
    this.#cacheBase = cacheBase;
    this.#cacheBytes = cacheBytes;
    this.#hart = locals.parameter(0);
    this.#left = locals.parameter(1);
    this.#retired = locals.add('i32');
    this.#pc = locals.add('i64');
    this.#page = locals.add('i64');
    this.#delta = locals.add('i32');
    this.#decoded = locals.add('i32');
    this.#physical = locals.add('i32');
    this.#entry = locals.add('i32');
    this.#va = locals.add('i64');
    this.#slot = locals.add('i32');
    this.#pa = locals.add('i32');
    this.#record = locals.add('i32');
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
    handlers.push(this.#counters === null ? unreachable : this.#enter(this.#depthOfNext(ENTER)));

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
        this.#checkFuel(),
        this.#fetch(),
        ...(this.#counters === null
          ? [this.#account(), block(dispatch), this.#advance(), branch(0)]
          : [loop(this.#account(), block(block(dispatch), this.#advance(), branch(2)), this.#countJump(this.#counters), branch(1))]),
      ),
      unreachable,
    );
  }

  /**
   * Handler k stands behind the end of block k, within the blocks of the later ones and the advance block. Around that is the label for
   * those that have set pc themselves: the loop; with a translator a block that ends where jumps are counted, and around that the loop
   * that does what #entry has, then the one of all.
   */
  #depthOfAdvance(number: number): number {
    return DISPATCH_COUNT - 1 - number;
  }
  #depthOfNext(number: number): number {
    return this.#depthOfAdvance(number) + 1;
  }

  #checkFuel(): Code {
    return when(i32.leS(this.#left.get, i32.const(0)), sequence(this.#spill(), returns(i32.const(ExitKind.Fuel))));
  }
  #account(): Code {
    return sequence(
      this.#left.set(i32.sub(this.#left.get, i32.load8u(this.#entry.get, field.cost))),
      this.#retired.set(i32.add(this.#retired.get, i32.const(1))),
    );
  }
  #advance(): Code {
    return this.#pc.set(i64.add(this.#pc.get, i64.load8u(this.#entry.get, field.length)));
  }

  #countJump(counters: number): Code {
    const slot = this.#slot;
    const count = this.#pa;
    const hot = sequence(
      i64.store(this.#hart.get, this.#pc.get, state.pc),
      i32.store(slot.get, callFor<I32>(this.#helpers.hot, this.#hart.get)),
    );
    return sequence(
      slot.set(i32.add(i32.and(i32.shl(i32.wrap(this.#pc.get), i32.const(1)), i32.const(JUMP_COUNTERS * 4 - 4)), i32.const(counters))),
      i32.store(slot.get, count.tee(i32.sub(i32.load(slot.get), i32.const(1)))),
      when(i32.eqz(count.get), hot),
    );
  }

  /**
   * Goes through the records of where translated code may be entered here, and enters the one made for this virtual address. Without one,
   * or where that code leaves an instruction to the interpreter, the record has what the decoded entry had.
   */
  #enter(depthOfNext: number): Code {
    const hart = this.#hart.get;
    const at = this.#record;
    const outcome = this.#pa;
    const entry = this.#entry;
    const again = depthOfNext + 1;
    const reload = sequence(
      this.#pc.set(i64.load(hart, state.pc)),
      this.#left.set(i32.load(hart, state.left)),
      this.#retired.set(i32.load(hart, state.retired)),
    );
    return sequence(
      at.set(i32.load(entry.get, field.imm)),
      loop(
        when(
          i64.eq(i64.load(at.get, record.va), this.#pc.get),
          sequence(
            this.#undo(),
            enterTranslated(this.#helpers.translated, hart, at.get, outcome),
            // By a tail call another function may have been entered since.
            when(
              i32.gtS(outcome.get, i32.const(Outcome.InterpretOne)),
              call(this.#helpers.settle, hart, i32.load(hart, state.translated), outcome.get),
            ),
            reload,
            when(i32.eqz(outcome.get), branch(depthOfNext + 3)),
            this.#checkFuel(),
            this.#fetch(),
            when(i32.eq(i32.load16u(entry.get, field.op), i32.const(ENTER)), entry.set(i32.load(entry.get, field.imm))),
            branch(again + 2),
          ),
        ),
        branchWhen(at.tee(i32.load(at.get, record.next)), 0),
      ),
      this.#left.set(i32.add(this.#left.get, i32.load8u(entry.get, field.cost))),
      this.#retired.set(i32.sub(this.#retired.get, i32.const(1))),
      entry.set(i32.load(entry.get, field.imm)),
      branch(again),
    );
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
      this.#physical.set(i32.add(i32.wrap(pc), this.#delta.get)),
      this.#decoded.set(i32.add(decodedFrameOf(this.#physical, this.#cacheBytes), i32.const(this.#cacheBase))),
    );
    const miss = sequence(
      this.#spill(),
      when(i32.eqz(this.#entry.tee(callFor<I32>(this.#helpers.decode, hart, this.#physical.get))), returns(i32.const(ExitKind.PageFault))),
    );
    return sequence(
      when(i64.ne(pageOf(pc), this.#page.get), newPage),
      this.#physical.set(i32.add(i32.wrap(pc), this.#delta.get)),
      this.#entry.set(i32.add(this.#decoded.get, decodedOffset(this.#physical.get))),
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
    const entry = this.#entry.get;
    const done = callFor<I32>(this.#helpers.exact, this.#hart.get, i32.load(entry, field.rd), i32.load(entry, field.imm));
    return sequence(when(i32.eqz(done), this.#leave(ExitKind.IllegalInstruction)), then);
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
      this.#caches
        ? sequence(
            this.#left.set(i32.sub(this.#left.get, i32.load(hart, state.stall))),
            i32.store(hart, this.#left.get, state.leftAfterStall),
          )
        : [],
    );
    const here = this.#pa.set(i32.add(i32.wrap(this.#va.get), i32.load(this.#slot.get, tlb + 8)));
    const tag = i64.load(this.#slot.get, tlb);
    const page = this.#caches ? i64.and(tag, i64.const(~TLB_FOLLOWED)) : tag;
    const granted = i64.eq(page, i64.and(this.#va.get, i64.const(-4096 + size - 1)));
    return sequence(
      this.#va.set(address),
      this.#slot.set(tlbSlot(hart, this.#va.get)),
      this.#caches
        ? // Without the right to it the address is not needed, and does no harm.
          sequence(here, when(i32.or(i32.eqz(granted), missesFirstLevel(hart, this.#pa.get)), slow))
        : when(granted, here, slow),
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
    const advanceFromIf = branch(depthOfNext);
    const nextFromIf = branch(depthOfNext + 1);
    const boxes = [source1, source2, source3].map(source => i32.load(source, state.f + 4));
    const setRd = (value: I64): Code => i64.store(target, value);

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

      load: (kind, at) => after(this.#locate(Access.Load, sizeOf[kind], at), loadAs[kind](pa)),
      store: (size, at, value) =>
        sequence(this.#locate(Access.Store, size, at, i64.store(hart, value, state.value)), storeAs[size](pa, value)),
      ...atomicOperations({
        hart,
        va: this.#va.get,
        pa,
        rs1,
        rs2,
        setRd,
        locate: (access, size) => this.#locate(access, size, rs1),
        misaligned: this.#leave(ExitKind.Misaligned),
        doneFromIf: advanceFromIf,
      }),

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

export function createInterpreter(
  memory: Memory,
  cacheBase: number,
  cacheBytes: number,
  imports: InterpreterImports,
  translation: Translation | null,
  caches: boolean,
): RunFunction {
  const module = new engine.Module(interpreterModule(cacheBase, cacheBytes, translation?.counters ?? null, caches));
  const instance = new engine.Instance(module, { env: { memory, ...imports, ...translation?.imports } });
  return instance.exports.run as RunFunction;
}
