/**
 * What interpreter and translator have in common below the table's meanings: loads and stores by kind, the place in a TLB, atomics, and
 * the functions that each of their modules brings along.
 */
import type { AccessSize, LoadKind, Operands } from './isa/operands.ts';
import {
  Access,
  type AccessKind,
  DECODED_FRAME_BYTES,
  LINE_MASK,
  PAGE_SIZE,
  SAMPLED_BITS,
  SAMPLED_MASK,
  state,
  TLB_ENTRIES,
} from './layout.ts';
import { after, type Code, callFor, choose, type I32, type I64, i32, i64, type Local, sequence, when } from './wasm/code.ts';
import type { Locals } from './wasm/module.ts';

export const loadAs: Readonly<Record<LoadKind, (at: I32, offset?: number) => I64>> = {
  i8: i64.load8s,
  u8: i64.load8u,
  i16: i64.load16s,
  u16: i64.load16u,
  i32: i64.load32s,
  u32: i64.load32u,
  i64: i64.load,
};
export const sizeOf: Readonly<Record<LoadKind, AccessSize>> = { i8: 1, u8: 1, i16: 2, u16: 2, i32: 4, u32: 4, i64: 8 };
export const storeAs: Readonly<Record<AccessSize, (at: I32, value: I64, offset?: number) => Code>> = {
  1: i64.store8,
  2: i64.store16,
  4: i64.store32,
  8: i64.store,
};

/** Index of a page in a TLB, as the byte offset of its entry. */
export const tlbSlot = (hart: I32, va: I64): I32 =>
  i32.add(hart, i32.and(i32.shrU(i32.wrap(va), i32.const(8)), i32.const((TLB_ENTRIES - 1) * 16)));

/** Frames that differ by so many places, as the same page of two kernels may, have other places in the cache of decoded instructions. */
const FRAME_FOLD = 9;
/** Offset in a cache of decoded instructions at which those of a frame begin. */
export const decodedFrame = (frame: number, cacheBytes: number): number =>
  ((frame ^ (frame >>> FRAME_FOLD)) << 15) & (cacheBytes - DECODED_FRAME_BYTES);
/** The same for the frame of a physical address. */
export const decodedFrameOf = (physical: Local<I32>, cacheBytes: number): I32 =>
  i32.and(
    i32.shl(i32.xor(i32.shrU(physical.get, i32.const(12)), i32.shrU(physical.get, i32.const(12 + FRAME_FOLD))), i32.const(15)),
    i32.const(cacheBytes - DECODED_FRAME_BYTES),
  );
/** From there, of the instruction at an address. */
export const decodedOffset = (address: I32): I32 => i32.shl(i32.and(address, i32.const(PAGE_SIZE - 1)), i32.const(3));

/** Whether an access goes to a followed line that the first-level cache has not. */
export const missesFirstLevel = (hart: I32, pa: I32): I32 => {
  const isFollowed = i32.eq(i32.and(pa, i32.const(SAMPLED_MASK)), i32.const(SAMPLED_BITS));
  return choose('i32', isFollowed, i32.ne(i32.and(pa, i32.const(LINE_MASK)), i32.load(hart, state.line)), i32.const(0));
};

/** What the atomics are made of. The code given for leaving stands within one `when`. */
interface Primitives {
  readonly hart: I32;
  /** The virtual and the physical address that `locate` leaves. */
  readonly va: I64;
  readonly pa: I32;
  readonly rs1: I64;
  readonly rs2: I64;
  setRd(value: I64): Code;
  /** The place that rs1 points to. */
  locate(access: 1 | 2, size: AccessSize): Code;
  readonly misaligned: Code;
  /** On to the next instruction. */
  readonly doneFromIf: Code;
}
type Atomics = Pick<Operands, 'atomicAddress' | 'atomicLoad' | 'atomicStore' | 'reserve' | 'storeConditional'>;

export function atomicOperations({ hart, va, pa, rs1, rs2, setRd, locate, misaligned, doneFromIf }: Primitives): Atomics {
  const aligned = (size: 4 | 8, access: AccessKind): Code =>
    when(
      i32.and(i32.wrap(rs1), i32.const(size - 1)),
      sequence(i64.store(hart, rs1, state.faultAddress), i32.store(hart, i32.const(access), state.faultAccess), misaligned),
    );
  return {
    atomicAddress: (size, access) => sequence(aligned(size, access), locate(access === Access.Load ? Access.Load : Access.Store, size)),
    atomicLoad: size => (size === 4 ? i64.load32s(pa) : i64.load(pa)),
    atomicStore: (size, value) => storeAs[size](pa, value),
    reserve: sequence(i64.store(hart, va, state.reservationVirtual), i32.store(hart, pa, state.reservationPhysical)),
    storeConditional: size =>
      sequence(
        aligned(size, Access.Store),
        when(
          i64.ne(rs1, i64.load(hart, state.reservationVirtual)),
          sequence(i64.store(hart, i64.const(-1), state.reservationVirtual), setRd(i64.const(1)), doneFromIf),
        ),
        locate(Access.Store, size),
        i64.store(hart, i64.const(-1), state.reservationVirtual),
        when(i32.ne(pa, i32.load(hart, state.reservationPhysical)), sequence(setRd(i64.const(1)), doneFromIf)),
        storeAs[size](pa, rs2),
        setRd(i64.const(0)),
      ),
  };
}

/** (hart, va, access, size) → physical address, or 0. */
export function slowAccess(locals: Locals, data: number): Code {
  const hart = locals.parameter<I32>(0);
  return sequence(
    i64.store(hart.get, locals.parameter<I64>(1).get, state.faultAddress),
    callFor<I32>(data, hart.get, locals.parameter<I32>(2).get, locals.parameter<I32>(3).get),
  );
}

/** High half of an unsigned 64×64 product out of four 32×32 ones. The operands are used several times. */
export function multiplyHigh(a: I64, b: I64, [middle, carry]: readonly [Local<I64>, Local<I64>]): I64 {
  const half = i64.const(32);
  const low = (x: I64): I64 => i64.and(x, i64.const(0xffffffff));
  const high = (x: I64): I64 => i64.shrU(x, half);
  return after(
    sequence(
      middle.set(i64.add(i64.mul(high(a), low(b)), high(i64.mul(low(a), low(b))))),
      carry.set(i64.add(i64.mul(low(a), high(b)), low(middle.get))),
    ),
    i64.add(i64.add(i64.mul(high(a), high(b)), high(middle.get)), high(carry.get)),
  );
}
