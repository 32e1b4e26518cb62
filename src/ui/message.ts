/** A message for people: its name, and what it says, decoded by the catalog from the bytes that were on the wire. */
import { M, MESSAGE_NAMES, type MessageKind } from '../kernel/message/catalog.ts';
import { decode, encodedIn, type Fields, type Payload } from '../kernel/message/codec.ts';
import { FLAG, FRAGMENTS_MAX, HEADER_BYTES } from '../kernel/message/wire.ts';
import { timeText } from '../lab/time.ts';
import type { MessageRow, TraceStore } from '../lab/trace-store.ts';

const KINDS = new Map<number, MessageKind>(Object.values(M).map(kind => [kind.type, kind as unknown as MessageKind]));
const LIST_SHOWN = 24;

export interface Described {
  readonly name: string;
  readonly text: string;
  /** Fragments that it came in, and which this one is. */
  readonly fragments: number;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

export const messageName = (type: number): string => MESSAGE_NAMES.get(type) ?? `type ${type}`;

/** How long it was under way, or that it never came there; null: it still is. */
export function underWay(trace: TraceStore, row: MessageRow, hertz: number): string | null {
  if (!Number.isNaN(row.received)) return timeText(row.received - row.sent, hertz);
  return trace.lostAt(row.to, row.sent) === null ? null : 'never handled: its receiver has ended';
}

export function describeMessage(trace: TraceStore, row: MessageRow): Described {
  const kind = KINDS.get(row.type);
  const name = messageName(row.type);
  if (kind === undefined) return { name, text: '', fragments: 1, fields: [] };
  const whole = payloadOf(trace, row);
  if (whole === null) return { name, text: `fragment ${row.fragment}, ${row.length} bytes`, fragments: 0, fields: [] };
  try {
    const payload: Payload<Fields> = decode(kind.fields, encodedIn(whole.bytes), ((row.bytes[3] ?? 0) & FLAG.BigEndian) === 0);
    const part = whole.fragments > 1 && row.fragment > 0 ? `fragment ${row.fragment + 1} of ${whole.fragments}: ` : '';
    return {
      name,
      text: part + kind.show(payload),
      fragments: whole.fragments,
      fields: Object.entries(payload).map(([field, value]) => [field, valueText(value)] as const),
    };
  } catch {
    return { name, text: '', fragments: whole.fragments, fields: [] };
  }
}

/** The payload of the whole message, whichever of its fragments this is; null while some are missing. */
function payloadOf(trace: TraceStore, row: MessageRow): { bytes: Uint8Array; fragments: number } | null {
  const flags = row.bytes[3] ?? 0;
  const own = (each: MessageRow): Uint8Array => each.bytes.subarray(HEADER_BYTES, HEADER_BYTES + each.length);
  if (flags & FLAG.First && flags & FLAG.Last) return { bytes: own(row), fragments: 1 };
  // Urgent ones may stand between.
  const isPart = (each: MessageRow): boolean => ((each.bytes[3] ?? 0) & FLAG.Urgent) === 0;
  const inLane = (sequence: number): MessageRow | null => (sequence === row.sequence ? row : trace.inLane(row.from, row.to, sequence));
  let first = row.sequence;
  for (let each = inLane(first); each !== null && !(isPart(each) && each.fragment === 0); each = inLane(--first));
  const parts: Uint8Array[] = [];
  for (let sequence = first; parts.length <= FRAGMENTS_MAX; sequence++) {
    const each = inLane(sequence);
    if (each === null) return null;
    if (!isPart(each)) continue;
    if (each.type !== row.type) return null;
    parts.push(own(each));
    if ((each.bytes[3] ?? 0) & FLAG.Last) break;
  }
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return { bytes, fragments: parts.length };
}

function valueText(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value))
    return value.length > LIST_SHOWN ? `${value.slice(0, LIST_SHOWN).join(', ')} … (${value.length})` : value.join(', ');
  return String(value);
}
