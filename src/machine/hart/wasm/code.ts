/**
 * WebAssembly expressions. An expression IS the bytes that leave its value on the stack, branded with the type of that value; a
 * statement (`Code`) is bytes that leave nothing. So expressions nest like calls, and what is built is what is run.
 *
 * Always holds: nested code stays nested, and is never changed: its bytes are copied once, when the function that they belong to is done
 * (`flatten`).
 */

declare const type: unique symbol;
export type Code = readonly (number | Code)[] | Uint8Array;
export type I32 = Code & { readonly [type]: 'i32' };
export type I64 = Code & { readonly [type]: 'i64' };
export type F32 = Code & { readonly [type]: 'f32' };
export type F64 = Code & { readonly [type]: 'f64' };
export type Value = I32 | I64 | F32 | F64;

export const valueType = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c } as const;
export type ValueTypeName = keyof typeof valueType;

/** Unsigned LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** Signed LEB128 of up to 64 bits. */
export function signed(value: number | bigint): number[] {
  const bytes: number[] = [];
  if (typeof value === 'number' && value === (value | 0)) {
    for (let rest = value; ; ) {
      const low = rest & 0x7f;
      rest >>= 7;
      const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
      bytes.push(done ? low : low | 0x80);
      if (done) return bytes;
    }
  }
  let rest = BigInt(value);
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

/** What `flatten` writes into; grows. */
let bytes = new Uint8Array(1 << 16);

/** The bytes of code. */
export function flatten(code: Code): Uint8Array<ArrayBuffer> {
  const end = write(code, 0);
  return bytes.slice(0, end);
}
/** @returns where the next byte goes */
function write(code: Code, from: number): number {
  let at = from;
  for (let i = 0; i < code.length; i++) {
    const part = code[i] as number | Code;
    if (typeof part !== 'number') {
      at = write(part, at);
      continue;
    }
    if (at === bytes.length) {
      const more = new Uint8Array(2 * at);
      more.set(bytes);
      bytes = more;
    }
    bytes[at++] = part;
  }
  return at;
}

const joined = <T extends Code>(parts: readonly Code[], ...opcode: number[]): T =>
  (opcode.length === 0 ? parts : [...parts, opcode]) as Code as T;

/** Statements one after another. */
export const sequence = (...parts: Code[]): Code => joined(parts);
/** Statements, then an expression: its value is the value of the whole. */
export const after = <T extends Value>(statements: Code, value: T): T => joined([statements, value]);

const unary =
  <A extends Value, R extends Value>(...opcode: number[]) =>
  (a: A): R =>
    joined([a], ...opcode);
const binary =
  <A extends Value, R extends Value>(opcode: number) =>
  (a: A, b: A): R =>
    joined([a, b], opcode);
/** The alignment is only a hint; it is always given as the natural one's safe bound, a byte. */
const loadOp =
  <R extends Value>(opcode: number) =>
  (address: I32, offset = 0): R =>
    joined([address], opcode, 0, ...unsigned(offset));
const storeOp =
  <V extends Value>(opcode: number) =>
  (address: I32, value: V, offset = 0): Code =>
    joined([address, value], opcode, 0, ...unsigned(offset));

export const i32 = {
  const: (value: number): I32 => joined([[0x41, ...signed(value | 0)]]),
  load: loadOp<I32>(0x28),
  load8u: loadOp<I32>(0x2d),
  load16u: loadOp<I32>(0x2f),
  store: storeOp<I32>(0x36),
  eqz: unary<I32, I32>(0x45),
  eq: binary<I32, I32>(0x46),
  ne: binary<I32, I32>(0x47),
  ltS: binary<I32, I32>(0x48),
  ltU: binary<I32, I32>(0x49),
  geU: binary<I32, I32>(0x4f),
  or: binary<I32, I32>(0x72),
  xor: binary<I32, I32>(0x73),
  leS: binary<I32, I32>(0x4c),
  leU: binary<I32, I32>(0x4d),
  add: binary<I32, I32>(0x6a),
  sub: binary<I32, I32>(0x6b),
  mul: binary<I32, I32>(0x6c),
  and: binary<I32, I32>(0x71),
  shl: binary<I32, I32>(0x74),
  shrS: binary<I32, I32>(0x75),
  shrU: binary<I32, I32>(0x76),
  wrap: unary<I64, I32>(0xa7),
  truncSatS64: unary<F64, I32>(0xfc, 2),
  truncSatU64: unary<F64, I32>(0xfc, 3),
  reinterpret: unary<F32, I32>(0xbc),
  gtS: binary<I32, I32>(0x4a),
  geS: binary<I32, I32>(0x4e),
};

export const i64 = {
  const: (value: number | bigint): I64 =>
    joined([[0x42, ...signed(typeof value === 'number' && value === (value | 0) ? value : BigInt.asIntN(64, BigInt(value)))]]),
  load: loadOp<I64>(0x29),
  load8s: loadOp<I64>(0x30),
  load8u: loadOp<I64>(0x31),
  load16s: loadOp<I64>(0x32),
  load16u: loadOp<I64>(0x33),
  load32s: loadOp<I64>(0x34),
  load32u: loadOp<I64>(0x35),
  store: storeOp<I64>(0x37),
  store8: storeOp<I64>(0x3c),
  store16: storeOp<I64>(0x3d),
  store32: storeOp<I64>(0x3e),
  eqz: unary<I64, I32>(0x50),
  eq: binary<I64, I32>(0x51),
  ne: binary<I64, I32>(0x52),
  ltS: binary<I64, I32>(0x53),
  ltU: binary<I64, I32>(0x54),
  gtS: binary<I64, I32>(0x55),
  gtU: binary<I64, I32>(0x56),
  geS: binary<I64, I32>(0x59),
  geU: binary<I64, I32>(0x5a),
  add: binary<I64, I64>(0x7c),
  sub: binary<I64, I64>(0x7d),
  mul: binary<I64, I64>(0x7e),
  divS: binary<I64, I64>(0x7f),
  divU: binary<I64, I64>(0x80),
  remS: binary<I64, I64>(0x81),
  remU: binary<I64, I64>(0x82),
  and: binary<I64, I64>(0x83),
  or: binary<I64, I64>(0x84),
  xor: binary<I64, I64>(0x85),
  shl: binary<I64, I64>(0x86),
  shrS: binary<I64, I64>(0x87),
  shrU: binary<I64, I64>(0x88),
  extendS: unary<I32, I64>(0xac),
  extendU: unary<I32, I64>(0xad),
  /** Sign-extends the low 32 bits: what every *w instruction ends with. */
  extend32: unary<I64, I64>(0xc4),
  truncSatS64: unary<F64, I64>(0xfc, 6),
  truncSatU64: unary<F64, I64>(0xfc, 7),
  reinterpret: unary<F64, I64>(0xbd),
};

export const f32 = {
  const: (value: number): F32 => joined([[0x43, ...new Uint8Array(new Float32Array([value]).buffer)]]),
  load: loadOp<F32>(0x2a),
  eq: binary<F32, I32>(0x5b),
  lt: binary<F32, I32>(0x5d),
  gt: binary<F32, I32>(0x5e),
  le: binary<F32, I32>(0x5f),
  ge: binary<F32, I32>(0x60),
  abs: unary<F32, F32>(0x8b),
  sqrt: unary<F32, F32>(0x91),
  add: binary<F32, F32>(0x92),
  sub: binary<F32, F32>(0x93),
  mul: binary<F32, F32>(0x94),
  div: binary<F32, F32>(0x95),
  min: binary<F32, F32>(0x96),
  max: binary<F32, F32>(0x97),
  convertS64: unary<I64, F32>(0xb4),
  convertU64: unary<I64, F32>(0xb5),
  demote: unary<F64, F32>(0xb6),
  reinterpret: unary<I32, F32>(0xbe),
};

export const f64 = {
  const: (value: number): F64 => joined([[0x44, ...new Uint8Array(new Float64Array([value]).buffer)]]),
  load: loadOp<F64>(0x2b),
  store: storeOp<F64>(0x39),
  eq: binary<F64, I32>(0x61),
  ne: binary<F64, I32>(0x62),
  lt: binary<F64, I32>(0x63),
  gt: binary<F64, I32>(0x64),
  le: binary<F64, I32>(0x65),
  ge: binary<F64, I32>(0x66),
  abs: unary<F64, F64>(0x99),
  neg: unary<F64, F64>(0x9a),
  sqrt: unary<F64, F64>(0x9f),
  add: binary<F64, F64>(0xa0),
  sub: binary<F64, F64>(0xa1),
  mul: binary<F64, F64>(0xa2),
  div: binary<F64, F64>(0xa3),
  min: binary<F64, F64>(0xa4),
  max: binary<F64, F64>(0xa5),
  convertS64: unary<I64, F64>(0xb9),
  convertU64: unary<I64, F64>(0xba),
  promote: unary<F32, F64>(0xbb),
  reinterpret: unary<I64, F64>(0xbf),
  /** By way of vectors: relaxed_madd of f64x2. Whether it rounds once is up to the engine. */
  fusedMultiplyAdd: (a: F64, b: F64, c: F64): F64 =>
    joined([...[a, b, c].map(x => joined([x], 0xfd, 0x14))], 0xfd, 0x87, 0x02, 0xfd, 0x21, 0),
};

/** Both are computed; the first is the value where the condition holds. */
export const select = <T extends Value>(condition: I32, then: T, otherwise: T): T => joined([then, otherwise, condition], 0x1b);

export const when = (condition: I32, then: Code, otherwise?: Code): Code =>
  otherwise ? joined([condition, [0x04, 0x40], then, [0x05], otherwise], 0x0b) : joined([condition, [0x04, 0x40], then], 0x0b);
/** Only the chosen one is computed. */
export const choose = <T extends Value>(of: ValueTypeName, condition: I32, then: T, otherwise: T): T =>
  joined([condition, [0x04, valueType[of]], then, [0x05], otherwise], 0x0b);

export const block = (...body: Code[]): Code => joined([[0x02, 0x40], ...body], 0x0b);
export const loop = (...body: Code[]): Code => joined([[0x03, 0x40], ...body], 0x0b);
export const branch = (depth: number): Code => [0x0c, ...unsigned(depth)];
export const branchWhen = (condition: I32, depth: number): Code => joined([condition], 0x0d, ...unsigned(depth));
export const branchTable = (index: I32, depths: readonly number[], otherwise: number): Code =>
  joined([index, [0x0e], unsigned(depths.length), ...depths.map(unsigned), unsigned(otherwise)]);
export const returns = (value?: Value): Code => joined([value ?? []], 0x0f);
export const unreachable: Code = [0x00];
export const drop = (value: Value): Code => joined([value], 0x1a);
export const call = (index: number, ...values: Value[]): Code => joined(values, 0x10, ...unsigned(index));
/** Through the module's one table; `type` is the number of the callee's signature. */
export const callIndirectFor = <R extends Value>(type: number, index: I32, ...values: Value[]): R =>
  joined([...values, index], 0x11, ...unsigned(type), 0);
/** The same, as the last thing that a function does, in its place. Not every engine has it. */
export const tailCallIndirect = (type: number, index: I32, ...values: Value[]): Code =>
  joined([...values, index], 0x13, ...unsigned(type), 0);
/** The last thing that a function does, in its place. Not every engine has it. */
export const tailCallFor = (index: number, ...values: Value[]): Code => joined(values, 0x12, ...unsigned(index));
export const callFor = <R extends Value>(index: number, ...values: Value[]): R => joined(values, 0x10, ...unsigned(index));

/** A local variable of the function that is being built. */
export interface Local<T extends Value> {
  readonly get: T;
  set(value: T): Code;
  tee(value: T): T;
}
export const local = <T extends Value>(index: number): Local<T> => ({
  get: joined([], 0x20, ...unsigned(index)),
  set: value => joined([value], 0x21, ...unsigned(index)),
  tee: value => joined([value], 0x22, ...unsigned(index)),
});
