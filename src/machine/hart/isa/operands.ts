/**
 * What an instruction's meaning is written in. The interpreter supplies operands whose numbers are read from the decoded entry at
 * run time; a translator supplies locals and constants. A meaning uses nothing else, so one table serves both.
 *
 * Rule for meanings: the operations that may leave the instruction (`load`, `store`, `jump`, `branchIf`, `atomicAddress`,
 * `exactUnless`, `system`) stand at the top level of the meaning, never inside its own `when` or `choose`; so whoever supplies them
 * knows how deep they are. Nothing architectural is changed before the last operation that may trap.
 */
import type { Code, F32, F64, I32, I64, Local } from '../wasm/code.ts';
import type { AccessKind } from '../layout.ts';

export type LoadKind = 'i8' | 'u8' | 'i16' | 'u16' | 'i32' | 'u32' | 'i64';
export type AccessSize = 1 | 2 | 4 | 8;

export interface Operands {
  readonly rs1: I64;
  readonly rs2: I64;
  /** Sign-extended. For shifts the amount. */
  readonly imm: I64;
  /** rs1 as the address of a load or store: rs1 + imm. */
  readonly address: I64;
  readonly pc: I64;
  readonly nextPc: I64;
  setRd(value: I64): Code;

  /** Floating-point registers: as raw bits, as a double, as the single in the low half. */
  readonly bits1: I64;
  readonly bits2: I64;
  readonly d1: F64;
  readonly d2: F64;
  readonly d3: F64;
  readonly s1: F32;
  readonly s2: F32;
  readonly s3: F32;
  /** All of the first n floating-point sources are well boxed singles. */
  boxed(n: 1 | 2 | 3): I32;
  setBits(value: I64): Code;
  setD(value: F64): Code;
  /** NaN-boxes. The value must not be a NaN: the engine's NaN bits are not fixed. */
  setS(value: F32): Code;
  /** frm is round-to-nearest-even and the inexact flag stands already: the engine's own rounding then shows no difference. */
  readonly nearestAndInexact: I32;
  readonly inexactRaised: I32;
  /** a × b + c rounded once, or a NaN where the quick way cannot tell. For singles the operands are given as doubles. */
  fusedD(a: F64, b: F64, c: F64): F64;
  fusedS(a: F64, b: F64, c: F64): F32;
  /** frm holds a valid mode. */
  readonly roundingValid: I32;

  /** Goes on only where the condition holds; else the exact soft-float does the whole instruction. */
  exactUnless(condition: I32): Code;

  load(kind: LoadKind, address: I64): I64;
  store(size: AccessSize, address: I64, value: I64): Code;
  /** Checks alignment and the right to store, and leaves the physical address for `atomicLoad` and `atomicStore`. */
  atomicAddress(size: 4 | 8, access: AccessKind): Code;
  atomicLoad(size: 4 | 8): I64;
  atomicStore(size: 4 | 8, value: I64): Code;
  readonly reserve: Code;
  /** Stores rs2 and sets rd to 0 where the reservation holds, else sets rd to 1. */
  storeConditional(size: 4 | 8): Code;

  jump(target: I64): Code;
  branchIf(condition: I32): Code;
  /** The high 64 bits of the unsigned product. */
  multiplyHigh(a: I64, b: I64): I64;
  system(what: 'ecall' | 'ebreak' | 'csr'): Code;

  /** Scratch variables, two meanings never share their contents. */
  readonly t: readonly Local<I64>[];
  readonly f: readonly Local<F64>[];
  readonly g: readonly Local<F32>[];
}

export type Meaning = (m: Operands) => Code;
