/** Messages for people: decoded from the bytes of the wire, in one piece or in many. */
import { expect, it } from 'vitest';
import { M } from '../kernel/message/catalog.ts';
import { encode } from '../kernel/message/codec.ts';
import { FLAG, FRAGMENT_BYTES, MESSAGE_BYTES, writeSlot } from '../kernel/message/wire.ts';
import { TRACE_RECORD_BYTES, TraceKind } from '../kernel/trace.ts';
import { TraceStore } from '../lab/trace-store.ts';
import { describeMessage } from './message.ts';

/** What kernel 0 says when it sends this payload to kernel 1, from this number in the lane on. */
function sent(type: number, payload: Uint8Array, from = 0): TraceStore {
  const store = new TraceStore();
  const count = Math.max(1, Math.ceil(payload.length / FRAGMENT_BYTES));
  for (let fragment = 0; fragment < count; fragment++) {
    const part = payload.subarray(fragment * FRAGMENT_BYTES, (fragment + 1) * FRAGMENT_BYTES);
    const slot = new Uint8Array(MESSAGE_BYTES);
    const flags = (fragment === 0 ? FLAG.First : 0) | (fragment === count - 1 ? FLAG.Last : 0);
    const header = {
      type,
      from: 0,
      to: 1,
      flags,
      sequence: from + fragment,
      length: part.length,
      fragment,
      cause: 0xff000000,
    };
    writeSlot({ u8: slot, u32: new Uint32Array(slot.buffer) }, 0, header, part);
    const records = new Uint8Array(5 * TRACE_RECORD_BYTES);
    const view = new DataView(records.buffer);
    for (let i = 0; i < 5; i++) view.setUint16(i * TRACE_RECORD_BYTES + 8, i === 0 ? TraceKind.MessageSend : TraceKind.MessageBytes, true);
    for (const [i, word] of [(1 << 16) | type, from + fragment, part.length | (fragment << 16), 0xff000000].entries())
      view.setUint32(16 + 4 * i, word, true);
    for (let i = 0; i < 4; i++) records.set(slot.subarray(16 * i, 16 * i + 16), (i + 1) * TRACE_RECORD_BYTES + 16);
    store.append(records);
  }
  return store;
}

it('a short one', () => {
  const store = sent(M.MIGRATE_REQUEST.type, encode(M.MIGRATE_REQUEST.fields, { request: 7, pid: 4, to: 5 }));
  const row = store.inLane(0, 1, 0);
  if (!row) throw new Error('not there');
  expect(describeMessage(store, row)).toEqual({
    name: 'MIGRATE_REQUEST',
    text: 'send 4 to kernel 5',
    fragments: 1,
    fields: [
      ['request', '7'],
      ['pid', '4'],
      ['to', '5'],
    ],
  });
});

it('a long one, from any of its fragments', () => {
  const entries = Array.from({ length: 99 }, (_, i) => i);
  const store = sent(M.PTE_TRANSFER.type, encode(M.PTE_TRANSFER.fields, { clone: 1, entries }), 12);
  for (const sequence of [12, 15]) {
    const row = store.inLane(0, 1, sequence);
    if (!row) throw new Error('not there');
    const { name, text, fragments, fields } = describeMessage(store, row);
    expect(name).toBe('PTE_TRANSFER');
    expect(text).toContain('33 pages');
    expect(fragments).toBe(Math.ceil((4 + 4 + 4 * 99) / FRAGMENT_BYTES));
    expect(fields[1]?.[1]).toContain('(99)');
  }
});

it('one that is cut off, and one of no known kind, say what they can', () => {
  const cut = sent(M.MIGRATE_REQUEST.type, new Uint8Array(3));
  const unknown = sent(250, new Uint8Array(3));
  expect(describeMessage(cut, cut.inLane(0, 1, 0) as never)).toMatchObject({ name: 'MIGRATE_REQUEST', text: '', fields: [] });
  expect(describeMessage(unknown, unknown.inLane(0, 1, 0) as never)).toMatchObject({ name: 'type 250', fields: [] });
});
