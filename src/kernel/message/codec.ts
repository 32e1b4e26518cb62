/**
 * Marshalling: plain objects to bytes and back, as a list of fields says. In either byte order, no padding.
 *
 * Always holds: decode(encode(x)) = x for every value that fits its field; a message never carries anything but these bytes.
 */

import { fromBytes } from '../fs/bytes.ts';

/** What can stand in a message. `number` is an IEEE double: times, addresses, counts beyond 32 bits. Text is one byte a character. */
export type FieldType = 'u8' | 'u16' | 'u32' | 'i32' | 'number' | 'text' | 'bytes' | 'numbers' | 'u32s';
export type Fields = Readonly<Record<string, FieldType>>;

type ValueOf<T extends FieldType> = T extends 'text'
  ? string
  : T extends 'bytes'
    ? Uint8Array
    : T extends 'numbers' | 'u32s'
      ? readonly number[]
      : number;
export type Payload<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };

const FIXED: Partial<Record<FieldType, number>> = { u8: 1, u16: 2, u32: 4, i32: 4, number: 8 };

/** The fields of a kind as a list, made once. */
const lists = new WeakMap<Fields, readonly (readonly [name: string, type: FieldType])[]>();
function listOf(fields: Fields): readonly (readonly [name: string, type: FieldType])[] {
  let list = lists.get(fields);
  if (list === undefined) {
    list = Object.entries(fields);
    lists.set(fields, list);
  }
  return list;
}

/** Bytes of `value` in the order of `fields`. Variable fields are led by their length (u32). */
export function encode<F extends Fields>(fields: F, value: Payload<F>, little = true): Uint8Array {
  let size = 0;
  const list = listOf(fields);
  for (const [name, type] of list) size += FIXED[type] ?? 4 + lengthOf(type, value[name as keyof F]);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [name, type] of list) {
    const field: unknown = value[name as keyof F];
    if (typeof field === 'number') {
      putNumber(view, at, type, field, little);
      at += FIXED[type] ?? 0;
    } else {
      const length = lengthOf(type, field);
      view.setUint32(at, length, little);
      at += 4;
      if (typeof field === 'string') for (let i = 0; i < field.length; i++) bytes[at + i] = field.charCodeAt(i);
      else if (field instanceof Uint8Array) bytes.set(field, at);
      else {
        const step = type === 'numbers' ? 8 : 4;
        (field as readonly number[]).forEach((item, i) =>
          putNumber(view, at + step * i, type === 'numbers' ? 'number' : 'u32', item, little),
        );
      }
      at += length;
    }
  }
  return bytes;
}

/** Bytes to be decoded where they are: in a slot, or put together from several. */
export interface Encoded {
  readonly u8: Uint8Array;
  /** Of the same bytes as `u8`. */
  readonly view: DataView;
  /** Where they begin and end in both. */
  readonly at: number;
  readonly end: number;
}

export function encodedIn(bytes: Uint8Array): Encoded {
  return { u8: bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), at: 0, end: bytes.length };
}

/**
 * Nothing of the value is where the bytes are.
 * @throws RangeError when the bytes end too early
 */
export function decode<F extends Fields>(fields: F, { u8, view, at: from, end }: Encoded, little = true): Payload<F> {
  const value: Record<string, unknown> = {};
  let at = from;
  for (const [name, type] of listOf(fields)) {
    const fixed = FIXED[type];
    if (at + (fixed ?? 4) > end) throw new RangeError(`field ${name} is cut off`);
    if (fixed !== undefined) {
      value[name] = getNumber(view, at, type, little);
      at += fixed;
      continue;
    }
    const length = view.getUint32(at, little);
    at += 4;
    if (at + length > end) throw new RangeError(`field ${name} is cut off`);
    if (type === 'bytes') value[name] = u8.slice(at, at + length);
    else if (type === 'text') value[name] = fromBytes(u8.subarray(at, at + length));
    else {
      const step = type === 'numbers' ? 8 : 4;
      const items: number[] = [];
      for (let i = at; i + step <= at + length; i += step) items.push(getNumber(view, i, type === 'numbers' ? 'number' : 'u32', little));
      value[name] = items;
    }
    at += length;
  }
  return value as Payload<F>;
}

function lengthOf(type: FieldType, field: unknown): number {
  if (type === 'numbers') return 8 * (field as readonly number[]).length;
  if (type === 'u32s') return 4 * (field as readonly number[]).length;
  return (field as { length: number }).length;
}

function putNumber(view: DataView, at: number, type: FieldType, value: number, little: boolean): void {
  switch (type) {
    case 'u8':
      view.setUint8(at, value);
      break;
    case 'u16':
      view.setUint16(at, value, little);
      break;
    case 'u32':
      view.setUint32(at, value, little);
      break;
    case 'i32':
      view.setInt32(at, value, little);
      break;
    default:
      view.setFloat64(at, value, little);
  }
}

function getNumber(view: DataView, at: number, type: FieldType, little: boolean): number {
  switch (type) {
    case 'u8':
      return view.getUint8(at);
    case 'u16':
      return view.getUint16(at, little);
    case 'u32':
      return view.getUint32(at, little);
    case 'i32':
      return view.getInt32(at, little);
    default:
      return view.getFloat64(at, little);
  }
}
