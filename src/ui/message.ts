/** A message for people: its name, and what it says, decoded by the catalog from the bytes that were on the wire. */
import { M, type MessageKind } from '../kernel/message/catalog.ts';
import { decode, type Fields, type Payload } from '../kernel/message/codec.ts';
import { HEADER_BYTES } from '../kernel/message/wire.ts';
import type { MessageRow } from '../lab/trace-store.ts';

const KINDS = new Map<number, MessageKind>(Object.values(M).map((kind) => [kind.type, kind as unknown as MessageKind]));
const FIRST_AND_LAST = 6;

export interface Described {
  readonly name: string;
  readonly text: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

export function describeMessage(row: MessageRow): Described {
  const kind = KINDS.get(row.type);
  if (kind === undefined) return { name: `type ${row.type}`, text: '', fields: [] };
  const flags = row.bytes[3] ?? 0;
  const fragment = (row.bytes[10] ?? 0) | ((row.bytes[11] ?? 0) << 8);
  if ((flags & FIRST_AND_LAST) !== FIRST_AND_LAST) return { name: kind.name, text: `fragment ${fragment}, ${row.length} bytes`, fields: [['fragment', String(fragment)]] };
  try {
    const payload: Payload<Fields> = decode(kind.fields, row.bytes.subarray(HEADER_BYTES, HEADER_BYTES + row.length));
    return { name: kind.name, text: kind.show(payload), fields: Object.entries(payload).map(([name, value]) => [name, value instanceof Uint8Array ? `${value.length} bytes` : String(value)] as const) };
  } catch {
    return { name: kind.name, text: '', fields: [] };
  }
}
