/**
 * One region made into one WebAssembly function: `(hart) → outcome`. Guest registers live in locals, loaded at the entry and, those that
 * the region changes, written back at the one exit. The meanings are the table's own.
 *
 * What always holds:
 * - The function leaves only between instructions, and what it then leaves behind is what the interpreter would have at that boundary.
 * - It does what the quick ways of the interpreter do and nothing else: it calls no one. What they cannot do, or what faults, it leaves to the
 *   interpreter before it has changed anything; the site that it leaves by says what of the block must be taken back.
 * - No block is begun unless the fuel lasts to the beginning of the last instruction on any way to the next check.
 * - An address is used only after a TLB entry has granted that very access in this very call. So it never stores to a frame that holds code
 *   (hart.ts), and never to what it was made from.
 *
 * A call, even one that is never reached, would have the engine keep the registers of the guest in memory: hence none, but for a tail call behind
 * everything else.
 */
import {
  Access,
  ACCESS_MAX,
  GROUP_MAX,
  LINE_BYTES,
  Outcome,
  SAMPLED_BITS,
  state,
  TLB_DOWN,
  TLB_ENTRIES,
  TLB_ENTRY_BYTES,
  TLB_FOLLOWED,
  TLB_IDENTITY,
  TLB_UP,
  WINDOW_BYTES,
  WINDOWS,
  window as field,
} from '../layout.ts';
import type { InstructionCosts } from '../isa/instruction.ts';
import type { AccessSize, Operands } from '../isa/operands.ts';
import { type FusedWays, fusedWays } from '../isa/fused.ts';
import { atomicOperations, loadAs, missesFirstLevel, multiplyHigh, sizeOf, storeAs, tlbSlot } from '../operations.ts';
import {
  after,
  block,
  branch,
  branchWhen,
  choose,
  type Code,
  type F32,
  type F64,
  f32,
  f64,
  type I32,
  type I64,
  i32,
  i64,
  type Local,
  returns,
  select,
  sequence,
  tailCallFor,
  unsigned,
  when,
} from '../wasm/code.ts';
import type { Locals } from '../wasm/module.ts';
import { givesWord, onWords } from './narrow.ts';
import { type Block, isCrossing, type Region, type Step } from './region.ts';
import { type Structure, structure } from './structure.ts';

/** A place where an instruction is left to the interpreter, for want of fuel or because it is not one for the quick ways. */
export interface Site {
  readonly pc: number;
  /** What to give back of the block: cycles, and instructions. */
  readonly cycles: number;
  readonly instructions: number;
}

export interface EmitOptions {
  readonly costs: InstructionCosts;
  /** Whether followed lines are looked for in the first-level cache: a miss is the interpreter's. */
  readonly caches: boolean;
  /** The function that goes on by pc (go-on.ts); null: that is for the interpreter. */
  readonly goOn: number | null;
  /** What tells the code on a page from any other, for the pages of the region. */
  identity(page: number): number;
}

/**
 * The physical address of a base register's present value, for all accesses of a group if they lie in one piece of memory, else for the last of
 * them. It cannot become wrong before the call ends.
 */
interface Reach {
  readonly at: Local<I32>;
  /** Whether each access has to ask for itself. */
  readonly alone: Local<I32>;
}
interface Plan {
  /** The TLB asked: a load that a store by the same register follows asks that for writing, which grants no less. */
  readonly tlb: 1 | 2;
  /** Of the TLB's window that is likely to hold the place; null: none. */
  readonly window: number | null;
  /**
   * `once`: the window, if any, is looked at, then the TLB. `first`: so that the accesses of its group that follow know. `again`: what is known, or, if that
   * is alone, the TLB. `same`: nothing, the last access was to the same bytes.
   */
  readonly use: 'once' | 'first' | 'again' | 'same';
  readonly group: Group;
  readonly reach: Reach;
}
/** The bytes, from a base register's value on, that some accesses by it lie in. */
interface Group {
  readonly from: number;
  readonly to: number;
}

/** Of registers, and kinds of access, whose reach is known: for which group, and where, and how much, has been accessed last. */
type Known = Map<string, { readonly group: Group; readonly imm: number; readonly size: AccessSize }>;

/** sp, gp, tp: whatever a function does to them, they stay near. */
const ALWAYS_NEAR = new Set([2, 3, 4]);
const SCRATCH = 2;
/** Where on its page a followed line lies. */
const FOLLOWED_AT = SAMPLED_BITS & 4095;
/** Cycles between two checks of the fuel, unless one block has more. */
const UNCHECKED_MAX = 64;
const EPILOGUE_LABEL = -1;
/** Of acc: a cycle. Below it there is room for the instructions retired by one call, which gets fuel for no more. */
const CYCLE = 2 ** 20;
const FUEL_MAX = CYCLE - 512;

export class RegionEmitter {
  readonly sites: Site[] = [];
  readonly #region: Region;
  readonly #options: EmitOptions;
  readonly #locals: Locals;
  readonly #hart: Local<I32>;
  /** Fuel left × 2^20 + instructions retired: small constants change both, and compare the one. */
  readonly #acc: Local<I64>;
  readonly #pc: Local<I64>;
  readonly #outcome: Local<I32>;
  readonly #va: Local<I64>;
  readonly #slot: Local<I32>;
  readonly #pa: Local<I32>;
  readonly #down: Local<I32>;
  readonly #up: Local<I32>;
  /** Round to nearest even, and the inexact flag stands. */
  readonly #quick: Local<I32>;
  readonly #t: readonly Local<I64>[];
  readonly #f: readonly Local<F64>[];
  readonly #g: Operands['g'];
  readonly #x = new Map<number, Local<I64>>();
  readonly #fx = new Map<number, Local<F64>>();
  readonly #dirtyX = new Set<number>();
  readonly #dirtyF = new Set<number>();
  readonly #reaches = new Map<string, Reach>();
  #usesQuick = false;
  #fusedWays: FusedWays | null = null;
  #product: readonly [Local<I64>, Local<I64>] | null = null;
  readonly #nodes: readonly (Block | undefined)[];
  readonly #nodeAt = new Map<number, number>();
  readonly #structure: Structure;
  readonly #near = new Map<number, Set<number>>();
  readonly #knownBefore = new Map<number, Known>();
  readonly #wordsBefore = new Map<number, ReadonlySet<number>>();
  readonly #need: readonly number[];
  readonly #checked: readonly boolean[];
  readonly #out: Code[] = [];
  readonly #labels: number[] = [];

  constructor(region: Region, locals: Locals, options: EmitOptions) {
    this.#region = region;
    this.#locals = locals;
    this.#options = options;
    this.#hart = locals.parameter(0);
    this.#acc = locals.add('i64');
    this.#pc = locals.add('i64');
    this.#outcome = locals.add('i32');
    this.#va = locals.add('i64');
    this.#slot = locals.add('i32');
    this.#pa = locals.add('i32');
    this.#down = locals.add('i32');
    this.#up = locals.add('i32');
    this.#quick = locals.add('i32');
    this.#t = Array.from({ length: SCRATCH }, () => locals.add('i64'));
    this.#f = Array.from({ length: SCRATCH }, () => locals.add('f64'));
    this.#g = Array.from({ length: SCRATCH }, () => locals.add('f32'));

    this.#nodes = [undefined, ...region.blocks];
    for (const [node, each] of this.#nodes.entries()) if (each) this.#nodeAt.set(each.va, node);
    const entries = region.entries.map(va => this.#nodeAt.get(va) as number);
    this.#structure = structure(
      this.#nodes.map(each => (each ? this.#successors(each) : [])),
      entries,
    );
    [this.#need, this.#checked] = this.#fuelChecks();
  }

  /** The body; to be called once. */
  body(): Code {
    this.#label('block', EPILOGUE_LABEL, () => this.#tree(0));
    const hart = this.#hart.get;
    const left = i32.load(hart, state.left);
    const fuel = select(i32.geS(left, i32.const(FUEL_MAX)), i32.const(FUEL_MAX), left);
    const prologue: Code[] = [this.#pc.set(i64.load(hart, state.pc)), this.#acc.set(i64.mul(i64.extendS(fuel), i64.const(CYCLE)))];
    for (const [i, x] of this.#x) prologue.push(x.set(i64.load(hart, state.x + i * 8)));
    for (const [i, f] of this.#fx) prologue.push(f.set(f64.load(hart, state.f + i * 8)));
    if (this.#usesQuick) prologue.push(this.#quick.set(i32.eq(i32.and(i32.load(hart, state.fcsr), i32.const(0xe1)), i32.const(1))));
    const { get: acc } = this.#acc;
    const epilogue: Code[] = [
      ...[...this.#dirtyX].map(i => i64.store(hart, this.#xLocal(i).get, state.x + i * 8)),
      ...[...this.#dirtyF].map(i => f64.store(hart, this.#fLocal(i).get, state.f + i * 8)),
      i64.store(hart, this.#pc.get, state.pc),
      i32.store(hart, i32.add(i32.sub(left, fuel), i32.wrap(i64.shrS(acc, i64.const(20)))), state.left),
      i32.store(hart, i32.add(i32.load(hart, state.retired), i32.and(i32.wrap(acc), i32.const(CYCLE - 1))), state.retired),
      this.#options.goOn === null ? [] : when(i32.eqz(this.#outcome.get), tailCallFor(this.#options.goOn, hart)),
      returns(this.#outcome.get),
    ];
    return sequence(...prologue, this.#out, ...epilogue);
  }

  // --- the graph -----------------------------------------------------------------------------------------------------------------

  #successors({ end }: Block): number[] {
    const targets = end.kind === 'jump' ? [end.to] : end.kind === 'branch' ? [end.taken, end.otherwise] : [];
    return targets.flatMap(va => this.#nodeAt.get(va) ?? []);
  }
  #costOf(step: Step): number {
    return this.#options.costs[step.decoded.row.cost];
  }
  #blockCost(each: Block): number {
    return each.steps.reduce((sum, step) => sum + this.#costOf(step), 0);
  }

  /**
   * For each node the cycles from its beginning to the beginning of the last instruction before the next check, on the dearest way; and
   * where checks stand: at loops, at entries, and where it would become too much.
   */
  #fuelChecks(): [number[], boolean[]] {
    const { order, isLoop, entries } = this.#structure;
    const need = this.#nodes.map(() => 0);
    const checked = this.#nodes.map((_, node) => isLoop[node] === true || entries.includes(node));
    const backwards = this.#nodes.map((_, node) => node).filter(node => node !== 0 && (order[node] as number) >= 0);
    backwards.sort((a, b) => (order[b] as number) - (order[a] as number));
    for (const node of backwards) {
      const each = this.#nodes[node] as Block;
      const cost = this.#blockCost(each);
      const last = each.steps.at(-1);
      let most = last ? cost - this.#costOf(last) : 0;
      for (const to of this.#successors(each)) {
        if ((order[to] as number) <= (order[node] as number) || checked[to]) continue;
        most = Math.max(most, cost + (need[to] as number));
      }
      need[node] = most;
      if (most > UNCHECKED_MAX) checked[node] = true;
    }
    return [need, checked];
  }

  // --- nesting -------------------------------------------------------------------------------------------------------------------

  #emit(...parts: Code[]): void {
    this.#out.push(...parts);
  }
  #label(kind: 'block' | 'loop', label: number, inside: () => void): void {
    this.#emit([kind === 'block' ? 0x02 : 0x03, 0x40]);
    this.#labels.push(label);
    inside();
    this.#labels.pop();
    this.#emit([0x0b]);
  }
  /** A loop's label is its node; that of the block that ends where a node begins is as far below −1. */
  #depth(label: number): number {
    const at = this.#labels.lastIndexOf(label);
    if (at < 0) throw new Error(`no label ${label} around`);
    return this.#labels.length - 1 - at;
  }

  #tree(node: number): void {
    const inside = () => this.#within(node, this.#structure.labelled[node] as readonly number[]);
    if (node === 0 || this.#structure.isLoop[node]) this.#label('loop', node, inside);
    else inside();
  }
  /** `labelled` in the order in which they must be written: the last is outermost. */
  #within(node: number, labelled: readonly number[]): void {
    for (const each of labelled.toReversed()) {
      this.#emit([0x02, 0x40]);
      this.#labels.push(-2 - each);
    }
    if (node === 0) this.#dispatch();
    else this.#block(node);
    for (const each of labelled) {
      this.#labels.pop();
      this.#emit([0x0b]);
      this.#tree(each);
    }
  }

  /** Goes where pc says. */
  #dispatch(): void {
    const entries = this.#structure.entries.map(node => ({ node, va: (this.#nodes[node] as Block).va })).sort((a, b) => a.va - b.va);
    const search = (from: number, to: number): void => {
      if (to - from > 1) {
        const middle = (from + to) >> 1;
        this.#emit(i64.ltU(this.#pc.get, i64.const(entries[middle]?.va ?? 0)), [0x04, 0x40]);
        this.#labels.push(Number.NaN);
        search(from, middle);
        this.#labels.pop();
        this.#emit([0x0b]);
        search(middle, to);
        return;
      }
      const entry = entries[from];
      if (!entry) return;
      this.#emit(i64.ne(this.#pc.get, i64.const(entry.va)), [0x0d], unsigned(this.#depth(EPILOGUE_LABEL)));
      if (this.#region.pages.length > 1) this.#emit(branchWhen(this.#foreign(entry.va), this.#depth(EPILOGUE_LABEL)));
      this.#emit(branch(this.#depth(-2 - entry.node)));
    };
    search(0, entries.length);
  }

  /** Whether the page of an address is not what it was when the region was made, or not known to this hart. */
  #foreign(va: number): I32 {
    const page = va - (va % 4096);
    const slot = state.tlbFetch + ((va / 256) & ((TLB_ENTRIES - 1) * 16));
    return i32.or(
      i64.ne(i64.load(this.#hart.get, slot), i64.const(page)),
      i32.ne(i32.load(this.#hart.get, slot + TLB_IDENTITY), i32.const(this.#options.identity(page))),
    );
  }

  /** Out of the region, at an address. */
  #goOnAt(va: number): void {
    this.#emit(this.#pc.set(i64.const(va)), branch(this.#depth(EPILOGUE_LABEL)));
  }

  #edge(node: number, va: number): void {
    const from = this.#nodes[node] as Block;
    const to = this.#nodeAt.get(va);
    if (to === undefined) {
      this.#goOnAt(va);
      return;
    }
    const s = this.#structure;
    if (s.viaDispatcher(node, to)) {
      this.#emit(this.#pc.set(i64.const(va)), branch(this.#depth(0)));
      return;
    }
    const lastPage = Math.floor((from.steps.at(-1)?.va ?? from.va) / 4096);
    if (lastPage !== Math.floor(va / 4096)) {
      this.#emit(this.#foreign(va), [0x04, 0x40]);
      this.#labels.push(Number.NaN);
      this.#goOnAt(va);
      this.#labels.pop();
      this.#emit([0x0b]);
    }
    if (s.isLoop[to] && (s.order[to] as number) <= (s.order[node] as number)) this.#emit(branch(this.#depth(to)));
    else if (s.isInline(to)) this.#tree(to);
    else this.#emit(branch(this.#depth(-2 - to)));
  }

  /** A block, and how it ends. Control never reaches what is written behind. */
  #block(node: number): void {
    const each = this.#nodes[node] as Block;
    if (this.#checked[node]) {
      const short = i64.ltS(this.#acc.get, i64.const(((this.#need[node] as number) + 1) * CYCLE));
      this.#emit(when(short, this.#leaveBy({ pc: each.va, cycles: 0, instructions: 0 }, 1)));
    }
    const cost = this.#blockCost(each);
    if (each.steps.length > 0) {
      this.#emit(this.#acc.set(i64.add(this.#acc.get, i64.const(each.steps.length - cost * CYCLE))));
    }
    let condition: I32 | null = null;
    let spent = 0;
    const plans = this.#plan(node, each);
    const words = new Set(this.#wordsBefore.get(node));
    for (const [i, step] of each.steps.entries()) {
      const site: Site = { pc: step.va, cycles: cost - spent, instructions: each.steps.length - i };
      spent += this.#costOf(step);
      const operands = this.#operands(step, site, plans[i], found => {
        condition = found;
      });
      if (isCrossing(step)) this.#emit(when(this.#foreign(step.va + 2), this.#leaveBy(site, 1)));
      const { row, rm } = step.decoded;
      const exactOnly = row.exact && row.hasRounding && !row.fastRounding.includes(rm);
      const narrow = onWords(step.decoded, words);
      if (narrow) {
        const { rd, rs1, rs2, imm } = step.decoded;
        const second = row.operands.includes('rs2') ? i32.wrap(this.#getX(rs2)) : i32.const(imm);
        const result = narrow(i32.wrap(this.#getX(rs1)), second);
        if (row.format === 'B') condition = result;
        else this.#emit(this.#setX(rd, i64.extendS(result)));
      } else {
        // The label is there for meanings that end early.
        this.#emit(block(exactOnly ? operands.exactUnless(i32.const(0)) : row.meaning(operands)));
      }
      if (row.operands[0] !== 'rd') continue;
      if (givesWord(step.decoded, words)) words.add(step.decoded.rd);
      else words.delete(step.decoded.rd);
    }
    for (const to of this.#continuedBy(node)) this.#wordsBefore.set(to, words);
    const { end } = each;
    switch (end.kind) {
      case 'jump':
        this.#edge(node, end.to);
        return;
      case 'branch':
        this.#emit(condition ?? [], [0x04, 0x40]);
        this.#labels.push(Number.NaN);
        this.#edge(node, end.taken);
        this.#labels.pop();
        this.#emit([0x0b]);
        this.#edge(node, end.otherwise);
        return;
      case 'indirect':
        this.#emit(branch(this.#depth(0)));
        return;
      case 'interpret':
        this.#emit(
          this.#pc.set(i64.const(end.at)),
          this.#outcome.set(i32.const(Outcome.InterpretOne)),
          branch(this.#depth(EPILOGUE_LABEL)),
        );
    }
  }

  /** From within so many labels more than there are around a block. */
  #leaveBy(site: Site, deeper: number): Code {
    const number = this.sites.at(-1) === site ? this.sites.length - 1 : this.sites.push(site) - 1;
    return sequence(this.#outcome.set(i32.const(Outcome.FirstSite + number)), branch(this.#depth(EPILOGUE_LABEL) + deeper));
  }

  // --- registers -----------------------------------------------------------------------------------------------------------------

  #xLocal(i: number): Local<I64> {
    let found = this.#x.get(i);
    if (!found) {
      found = this.#locals.add<I64>('i64');
      this.#x.set(i, found);
    }
    return found;
  }
  #fLocal(i: number): Local<F64> {
    let found = this.#fx.get(i);
    if (!found) {
      found = this.#locals.add<F64>('f64');
      this.#fx.set(i, found);
    }
    return found;
  }
  #getX(i: number): I64 {
    return i === 0 ? i64.const(0) : this.#xLocal(i).get;
  }
  #setX(i: number, value: I64): Code {
    if (i === 0) return [...value, 0x1a];
    this.#dirtyX.add(i);
    return this.#xLocal(i).set(value);
  }
  #setF(i: number, value: F64): Code {
    this.#dirtyF.add(i);
    return this.#fLocal(i).set(value);
  }
  #reach(key: string): Reach {
    let found = this.#reaches.get(key);
    if (!found) {
      found = { at: this.#locals.add('i32'), alone: this.#locals.add('i32') };
      this.#reaches.set(key, found);
    }
    return found;
  }

  // --- memory --------------------------------------------------------------------------------------------------------------------

  /** For each step of a block that loads or stores, by which way. Blocks are planned before those that are written where they end. */
  #plan(node: number, { steps }: Block): (Plan | undefined)[] {
    const loop = this.#structure.loopOf[node] as number;
    const loopAt = this.#nodes[loop]?.va ?? this.#region.head;
    const known: Known = new Map(this.#knownBefore.get(node));
    /** By what the last access was. */
    let last: string | null = null;
    const plans = steps.map((step, i) => {
      const { row, rs1: base, rd, imm } = step.decoded;
      let plan: Plan | undefined;
      if (isAccess(step) && base !== 0) {
        const later = this.#laterAccesses(node, i);
        const isStore = row.cost === 'store' || later.store || base === 2 || known.has(`${base} ${Access.Store}`);
        const tlb = isStore ? Access.Store : Access.Load;
        const key = `${base} ${tlb}`;
        const size = accessSize(step);
        const before = known.get(key);
        const isKnown = before !== undefined && imm >= before.group.from && imm + size <= before.group.to;
        const isSame = before !== undefined && last === key && before.imm === imm && before.size >= size;
        const group = isKnown ? before.group : this.#groupOf(imm, size, isStore ? later.steps : later.steps.filter(isLoad));
        const isOnly = group.from === imm && group.to === imm + size && !later.steps.some(each => each.decoded.imm === imm);
        const use = isSame ? 'same' : isKnown ? 'again' : isOnly ? 'once' : 'first';
        const always = ALWAYS_NEAR.has(base);
        const window = always || this.#nearIn(loop).has(base) ? windowFor(always ? 0 : loopAt, base) : null;
        plan = { tlb, window, use, group, reach: this.#reach(key) };
        if (use !== 'same' && use !== 'once') known.set(key, { group, imm, size });
        last = key;
      } else if (isAccess(step) || row.cost === 'amo') {
        last = null;
      }
      if (row.operands[0] === 'rd') for (const tlb of [1, 2]) known.delete(`${rd} ${tlb}`);
      return plan;
    });
    for (const to of this.#continuedBy(node)) this.#knownBefore.set(to, known);
    return plans;
  }
  /** Blocks that are entered from the end of this one only. */
  #continuedBy(node: number): number[] {
    const { isInline, isLoop, viaDispatcher } = this.#structure;
    return this.#successors(this.#nodes[node] as Block).filter(to => isInline(to) && !isLoop[to] && !viaDispatcher(node, to));
  }
  /** What one look may find for an access and those that come after it, as many as lie close together. */
  #groupOf(imm: number, size: number, later: readonly Step[]): Group {
    let [from, to] = [imm, imm + size];
    for (const step of later) {
      const low = Math.min(from, step.decoded.imm);
      const high = Math.max(to, step.decoded.imm + accessSize(step));
      if (high - low <= GROUP_MAX) [from, to] = [low, high];
    }
    return { from, to };
  }
  /**
   * Where the same value of a step's base register is used again, in its block or in what continues that; and whether to store, which counts only
   * where it is sure to happen: what is read need not be writable.
   */
  #laterAccesses(node: number, from: number): { steps: readonly Step[]; store: boolean } {
    const { steps } = this.#nodes[node] as Block;
    const base = (steps[from] as Step).decoded.rs1;
    const found: Step[] = [];
    let store = false;
    const look = (within: number, first: number): void => {
      for (const next of (this.#nodes[within] as Block).steps.slice(first)) {
        if (isAccess(next) && next.decoded.rs1 === base) {
          found.push(next);
          store ||= within === node && next.decoded.row.cost === 'store';
        }
        if (writesX(next, base)) return;
      }
      for (const to of this.#continuedBy(within)) look(to, 0);
    };
    if (!writesX(steps[from] as Step, base)) look(node, from + 1);
    return { steps: found, store };
  }

  /**
   * Registers that likely stay on a page, since a loop, or the region (0), does not write them but by adding a constant, or by a pointer from
   * memory: what is linked was often made together. An index that is computed may go anywhere, and a wrong guess costs more than asking.
   */
  #nearIn(loop: number): ReadonlySet<number> {
    let found = this.#near.get(loop);
    if (!found) {
      found = new Set(Array.from({ length: 32 }, (_, i) => i));
      const nodes = this.#structure.loops.get(loop);
      for (const [node, each] of this.#nodes.entries()) {
        if (!each || (nodes && !nodes.has(node))) continue;
        for (const { decoded } of each.steps) {
          const { row, rd, rs1, imm } = decoded;
          const stays = row.name === 'ld' || (row.name === 'addi' && (rd === rs1 || imm === 0));
          if (row.operands[0] === 'rd' && !stays) found.delete(rd);
        }
      }
      this.#near.set(loop, found);
    }
    return found;
  }

  /** The low bits of a misaligned address make the tag differ: it is left to the interpreter. */
  #tag(size: AccessSize): I64 {
    return i64.and(this.#va.get, i64.const(-4096 + size - 1));
  }
  /**
   * From `va` to the entry of its page in `slot`; from so many labels deeper than around the instruction's own, where that is not granted. Nor
   * is it for a line that is followed and not there. Each access looks, for what lies between two may have driven it out.
   */
  #ask(table: number, size: AccessSize, site: Site, deeper: number): Code {
    const slot = this.#slot.get;
    const hart = this.#hart.get;
    const found = i64.load(slot, table);
    const leave = this.#leaveBy(site, deeper + 3);
    const look = sequence(
      when(i64.ne(found, i64.or(this.#tag(size), i64.const(TLB_FOLLOWED))), leave),
      this.#pa.set(addedTo(this.#va.get, slot, table)),
      when(missesFirstLevel(hart, this.#pa.get), leave),
    );
    return sequence(
      this.#slot.set(tlbSlot(hart, this.#va.get)),
      when(i64.ne(found, this.#tag(size)), this.#options.caches ? look : this.#leaveBy(site, deeper + 2)),
    );
  }
  /** From the entry in `slot`: how far what is at `va` goes on from the beginning of its page, in `down` and `up`. */
  #learn(table: number): Code {
    const slot = this.#slot.get;
    const isBelow = i32.ltU(i32.and(i32.wrap(this.#va.get), i32.const(4095)), i32.const(FOLLOWED_AT));
    // The followed line ends the one piece and begins before the other.
    const part = when(
      isBelow,
      this.#up.set(i32.const(FOLLOWED_AT - (ACCESS_MAX - 1))),
      this.#down.set(i32.const(-FOLLOWED_AT - LINE_BYTES)),
    );
    return sequence(
      this.#down.set(i32.load16u(slot, table + TLB_DOWN)),
      this.#up.set(i32.load16u(slot, table + TLB_UP)),
      this.#options.caches ? when(i32.and(i32.load(slot, table), i32.const(TLB_FOLLOWED)), part) : [],
    );
  }
  /** What `learn` has learnt, as the beginning and the length of a piece. */
  get #pieceFrom(): I64 {
    return i64.sub(i64.and(this.#va.get, i64.const(-4096)), i64.extendS(this.#down.get));
  }
  get #pieceBytes(): I64 {
    return i64.extendS(i32.add(this.#down.get, this.#up.get));
  }
  /** Leaves the physical address in `pa`. */
  #direct(access: 1 | 2, size: AccessSize, address: I64, site: Site): Code {
    const { get: va } = this.#va;
    const table = tableOf(access);
    return sequence(this.#va.set(address), this.#ask(table, size, site, 0), this.#pa.set(addedTo(va, this.#slot.get, table)));
  }
  /** The physical address: code that finds it, and what is to be added to a value. */
  #locate(
    size: AccessSize,
    { decoded }: Step,
    site: Site,
    { tlb, window, use, group, reach }: Plan,
  ): { find: Code; at: I32; offset: number } {
    const { imm: displacement, rs1 } = decoded;
    const { get: va } = this.#va;
    const hart = this.#hart.get;
    const slot = this.#slot.get;
    const base = this.#getX(rs1);
    const table = tableOf(tlb);
    const addressAt = (distance: number): I64 => (distance === 0 ? base : i64.add(base, i64.const(distance)));
    let find: Code = [];
    if (use === 'again') {
      const learn = reach.at.set(addedTo(base, slot, table));
      find = when(reach.alone.get, sequence(this.#va.set(addressAt(displacement)), this.#ask(table, size, site, 1), learn));
    } else if (use !== 'same') {
      const extent = group.to - group.from;
      const isGroup = extent > size;
      find = this.#va.set(addressAt(isGroup ? group.from : displacement));
      const goToAccess = isGroup && displacement !== group.from ? this.#va.set(addressAt(displacement)) : [];
      let delta: I32;
      if (window === null) {
        const isFollowed = this.#options.caches ? i32.and(i32.load(slot, table), i32.const(TLB_FOLLOWED)) : i32.const(0);
        const goesOver = i32.ltU(i32.const(4096 - extent), i32.and(i32.wrap(addressAt(group.from)), i32.const(4095)));
        const learn = isGroup ? reach.alone.set(i32.or(goesOver, isFollowed)) : [];
        delta = after(sequence(goToAccess, this.#ask(table, size, site, 0), learn), i32.load(slot, table + 8));
      } else {
        const there = table + TLB_ENTRIES * TLB_ENTRY_BYTES + window * WINDOW_BYTES;
        const fill = sequence(
          i64.store(hart, this.#pieceFrom, there + field.from),
          i64.store(hart, this.#pieceBytes, there + field.bytes),
          i64.store(hart, i64.sub(this.#pieceBytes, i64.const(GROUP_MAX - ACCESS_MAX)), there + field.groups),
          i32.store(hart, i32.load(slot, table + 8), there + field.delta),
        );
        const isAlone = i64.geU(i64.sub(addressAt(group.from), this.#pieceFrom), i64.sub(this.#pieceBytes, i64.const(extent - ACCESS_MAX)));
        const slow = sequence(
          goToAccess,
          this.#ask(table, size, site, 1),
          this.#learn(table),
          fill,
          isGroup ? reach.alone.set(isAlone) : [],
        );
        const limit = i64.load(hart, there + (extent > ACCESS_MAX ? field.groups : field.bytes));
        const isBeyond = i64.geU(i64.sub(this.#va.get, i64.load(hart, there + field.from)), limit);
        const beforehand = isGroup ? reach.alone.set(i32.const(0)) : [];
        delta = choose('i32', after(beforehand, isBeyond), after(slow, i32.load(slot, table + 8)), i32.load(hart, there + field.delta));
      }
      if (use === 'once') return { find: sequence(find, this.#pa.set(i32.add(delta, i32.wrap(va)))), at: this.#pa.get, offset: 0 };
      find = sequence(find, isGroup ? [] : reach.alone.set(i32.const(0)), reach.at.set(i32.add(delta, i32.wrap(base))));
    }
    // The sum of base and offset is at no address below the memory that guests have: so it does not wrap where the offset is small.
    if (displacement >= 0) return { find, at: reach.at.get, offset: displacement };
    return { find, at: i32.add(reach.at.get, i32.const(displacement)), offset: 0 };
  }
  #access(size: AccessSize, access: 1 | 2, address: I64, step: Step, site: Site, plan: Plan | undefined) {
    if (plan) return this.#locate(size, step, site, plan);
    return { find: this.#direct(access, size, address, site), at: this.#pa.get, offset: 0 };
  }

  // --- one instruction -----------------------------------------------------------------------------------------------------------

  #bits(i: number): I64 {
    return i64.reinterpret(this.#fLocal(i).get);
  }
  #single(i: number): F32 {
    return f32.reinterpret(i32.wrap(this.#bits(i)));
  }

  /** The label that a site is left by stands around the instruction's own. */
  #operands(step: Step, site: Site, plan: Plan | undefined, onCondition: (condition: I32) => void): Operands {
    // Methods, and no arrows: esbuild, which runs this in Node, gives each arrow a name of its own, and that takes longer than all the rest.
    const emitter = this;
    const hart = this.#hart.get;
    const { decoded } = step;
    const { row, rd, rs1, rs2, rs3 } = decoded;

    return {
      get rs1() {
        return emitter.#getX(rs1);
      },
      get rs2() {
        return emitter.#getX(rs2);
      },
      get imm() {
        return i64.const(decoded.imm);
      },
      get address() {
        const base = emitter.#getX(rs1);
        return decoded.imm === 0 ? base : i64.add(base, i64.const(decoded.imm));
      },
      get pc() {
        return i64.const(step.va);
      },
      get nextPc() {
        return i64.const(step.va + decoded.length);
      },
      setRd(value) {
        return emitter.#setX(rd, value);
      },

      get bits1() {
        return emitter.#bits(rs1);
      },
      get bits2() {
        return emitter.#bits(rs2);
      },
      get d1() {
        return emitter.#fLocal(rs1).get;
      },
      get d2() {
        return emitter.#fLocal(rs2).get;
      },
      get d3() {
        return emitter.#fLocal(rs3).get;
      },
      get s1() {
        return emitter.#single(rs1);
      },
      get s2() {
        return emitter.#single(rs2);
      },
      get s3() {
        return emitter.#single(rs3);
      },
      boxed(n) {
        const sources = [rs1, rs2, rs3].slice(0, n).map(i => emitter.#bits(i));
        return i64.geU(
          sources.reduce((a, b) => i64.and(a, b)),
          i64.const(-0x100000000n),
        );
      },
      setBits(value) {
        return emitter.#setF(rd, f64.reinterpret(value));
      },
      setD(value) {
        return emitter.#setF(rd, value);
      },
      setS(value) {
        return emitter.#setF(rd, f64.reinterpret(i64.or(i64.extendU(i32.reinterpret(value)), i64.const(-0x100000000n))));
      },
      get nearestAndInexact() {
        emitter.#usesQuick = true;
        return emitter.#quick.get;
      },
      get inexactRaised() {
        return i32.and(i32.load(hart, state.fcsr), i32.const(1));
      },
      get roundingValid() {
        return i32.leU(i32.and(i32.load(hart, state.fcsr), i32.const(0xe0)), i32.const(0x80));
      },
      fusedD(a, b, c) {
        return emitter.#fused().double(a, b, c);
      },
      fusedS(a, b, c) {
        return emitter.#fused().single(a, b, c);
      },
      exactUnless(condition) {
        return when(i32.eqz(condition), emitter.#leaveBy(site, 2));
      },

      load(kind, address) {
        const { find, at, offset } = emitter.#access(sizeOf[kind], Access.Load, address, step, site, plan);
        return after(find, loadAs[kind](at, offset));
      },
      store(size, address, value) {
        const { find, at, offset } = emitter.#access(size, Access.Store, address, step, site, plan);
        return sequence(find, storeAs[size](at, value, offset));
      },
      ...(row.cost === 'amo'
        ? atomicOperations({
            hart,
            va: this.#va.get,
            pa: this.#pa.get,
            rs1: this.#getX(rs1),
            rs2: this.#getX(rs2),
            setRd(value) {
              return emitter.#setX(rd, value);
            },
            locate: (access, size) => this.#direct(access, size, this.#getX(rs1), site),
            misaligned: this.#leaveBy(site, 2),
            doneFromIf: branch(1),
          })
        : noAtomics),

      jump(to) {
        return row.name === 'jalr' ? emitter.#pc.set(to) : [];
      },
      branchIf(condition) {
        onCondition(condition);
        return [];
      },
      multiplyHigh(a, b) {
        return emitter.#multiplyHigh(a, b);
      },
      system() {
        throw new Error(`${row.name} is the interpreter's`);
      },
      t: this.#t,
      f: this.#f,
      g: this.#g,
    };
  }

  /** What the interpreter has functions for is written out: a call would cost more. */
  #fused(): FusedWays {
    this.#fusedWays ??= fusedWays(type => this.#locals.add(type));
    return this.#fusedWays;
  }
  #multiplyHigh(a: I64, b: I64): I64 {
    this.#product ??= [this.#locals.add('i64'), this.#locals.add('i64')];
    return multiplyHigh(a, b, this.#product);
  }
}

const tableOf = (access: 1 | 2): number => (access === Access.Store ? state.tlbWrite : state.tlbRead);
/** A virtual address made physical by a TLB entry. */
const addedTo = (value: I64, entry: I32, offset: number): I32 => i32.add(i32.wrap(value), i32.load(entry, offset + 8));

const noAtomic = (): never => {
  throw new Error('not an atomic instruction');
};
const noAtomics = { atomicAddress: noAtomic, atomicLoad: noAtomic, atomicStore: noAtomic, reserve: [], storeConditional: noAtomic };

const writesX = ({ decoded }: Step, register: number): boolean => decoded.row.operands[0] === 'rd' && decoded.rd === register;
const isLoad = (step: Step): boolean => step.decoded.row.cost === 'load';
const isAccess = (step: Step): boolean => step.decoded.row.cost === 'load' || step.decoded.row.cost === 'store';
/** The low bits of funct3 say it of every load and store. */
const accessSize = ({ decoded }: Step): AccessSize => (1 << ((decoded.row.match >> 12) & 3)) as AccessSize;
/** Windows are few: which one an access has decides only how often it is the right one. */
const windowFor = (loop: number, base: number): number => ((loop >>> 1) * 5 + base * 37) % WINDOWS;
