/**
 * From one piece of translated code into the next without going back to the interpreter: `goOn(hart) → outcome`, which translated code ends by, as
 * a tail call. It looks where the interpreter would: in this hart's TLB for fetches, in the decoded entry, in the first record that this
 * leads to. Where there is nothing it returns, and the interpreter goes on by pc.
 *
 * A function of its own, because an engine that has a table imported by each module keeps every one of them for as long as the table lives.
 */
import { ENTER } from '../interpreter.ts';
import { entry as field, Outcome, record, state } from '../layout.ts';
import { decodedFrameOf, decodedOffset, tlbSlot } from '../operations.ts';
import { type Code, type I32, type I64, i32, i64, sequence, tailCallIndirect, when } from '../wasm/code.ts';
import { engine, type FunctionTable, type Memory } from '../wasm/engine.ts';
import { type Locals, ModuleBuilder } from '../wasm/module.ts';

/** Where the decoded entries of a host lie; bytes, a power of two. */
export interface DecodeCache {
  readonly base: number;
  readonly bytes: number;
}

function body(locals: Locals, translated: number, { base, bytes }: DecodeCache): Code {
  const hart = locals.parameter<I32>(0).get;
  const pc = locals.add<I64>('i64');
  const at = locals.add<I32>('i32');
  const physical = locals.add<I32>('i32');
  const isDecoded = i32.eq(i32.load(at.get, field.tag), i32.or(physical.get, i32.const(1)));
  const isTranslated = i32.eq(i32.load16u(at.get, field.op), i32.const(ENTER));
  const enter = sequence(
    i32.store(hart, i32.load(at.get, record.index), state.translated),
    tailCallIndirect(translated, i32.load(at.get, record.index), hart),
  );
  const look = sequence(
    physical.set(i32.add(i32.wrap(pc.get), i32.load(at.get, state.tlbFetch + 8))),
    at.set(i32.add(i32.add(decodedFrameOf(physical, bytes), i32.const(base)), decodedOffset(physical.get))),
    when(
      i32.and(isDecoded, isTranslated),
      sequence(at.set(i32.load(at.get, field.imm)), when(i64.eq(i64.load(at.get, record.va), pc.get), enter)),
    ),
  );
  return sequence(
    pc.set(i64.load(hart, state.pc)),
    at.set(tlbSlot(hart, pc.get)),
    when(i64.eq(i64.load(at.get, state.tlbFetch), i64.and(pc.get, i64.const(-4096))), look),
    i32.const(Outcome.GoOn),
  );
}

/** @returns null where the engine has no tail calls */
export function createGoOn(memory: Memory, table: FunctionTable, cache: DecodeCache): unknown {
  const module = new ModuleBuilder(65536);
  module.importTable();
  const translated = module.signature(['i32'], ['i32']);
  module.function(['i32'], ['i32'], locals => body(locals, translated, cache), 'goOn');
  const bytes = module.bytes();
  return engine.validate(bytes) ? new engine.Instance(new engine.Module(bytes), { env: { memory, table } }).exports.goOn : null;
}
