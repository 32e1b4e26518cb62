/** Names of a program's functions and objects, out of the symbol table of its ELF file. */
import { fromBytes } from '../fs/bytes.ts';
import type { OpenFile } from '../fs/file.ts';
import type { Kernel } from '../kernel.ts';
import { Errno } from '../abi/errno.ts';
import type { Task } from '../task/task.ts';
import { type Blocking, settle, type VirtAddr } from '../types.ts';

export type CodeSymbol = readonly [address: VirtAddr, bytes: number, name: string];

const SECTION_BYTES = 64;
const SYMBOL_BYTES = 24;
const SHT_SYMTAB = 2;
const STT_FUNC = 2;
const STT_OBJECT = 1;
const SECTIONS_MAX = 200;
/** Bytes of a symbol or string table that are worth reading. */
const TABLE_MAX = 4 << 20;

/** Ascending by address; empty for a program without a symbol table, or one that can't be read any more. */
export function* symbolsOf(kernel: Kernel, task: Task): Blocking<CodeSymbol[]> {
  const { process } = task;
  const io = kernel.ioOf(task);
  let file: OpenFile;
  try {
    file = yield* settle(kernel.vfs.openExecutable(process.fs, process.executable, io));
  } catch (error) {
    if (error instanceof Errno) return [];
    throw error;
  }
  const read = function* (position: number, count: number): Blocking<DataView> {
    const bytes = new Uint8Array(count);
    let done = 0;
    while (done < count) {
      const got = yield* settle(file.pread(bytes.subarray(done), position + done, io));
      if (got <= 0) break;
      done += got;
    }
    return new DataView(bytes.buffer, 0, done);
  };
  try {
    return yield* parse(read, process.mm.codeStart);
  } catch (error) {
    // Damaged tables: names are a help, not a need.
    if (error instanceof Errno || error instanceof RangeError) return [];
    throw error;
  } finally {
    kernel.detach(file.release());
  }
}

function* parse(read: (position: number, count: number) => Blocking<DataView>, codeStart: VirtAddr): Blocking<CodeSymbol[]> {
  const number = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));
  const header = yield* read(0, 64);
  const programs = yield* read(number(header, 32), header.getUint16(56, true) * 56);
  // A relocatable program lies where its first segment was put.
  let base = 0;
  for (let at = 0; at < programs.byteLength; at += 56) {
    if (programs.getUint32(at, true) !== 1) continue;
    base = header.getUint16(16, true) === 3 ? codeStart - number(programs, at + 16) : 0;
    break;
  }
  const count = Math.min(SECTIONS_MAX, header.getUint16(60, true));
  const sections = yield* read(number(header, 40), count * SECTION_BYTES);
  const table = (index: number): [position: number, bytes: number, link: number] => {
    const at = index * SECTION_BYTES;
    return [number(sections, at + 24), Math.min(TABLE_MAX, number(sections, at + 32)), sections.getUint32(at + 40, true)];
  };
  for (let index = 0; index < count; index++) {
    if (sections.getUint32(index * SECTION_BYTES + 4, true) !== SHT_SYMTAB) continue;
    const [position, bytes, link] = table(index);
    const entries = yield* read(position, bytes);
    const [textPosition, textBytes] = table(link);
    const text = yield* read(textPosition, textBytes);
    const names = fromBytes(new Uint8Array(text.buffer, 0, text.byteLength));
    const symbols: CodeSymbol[] = [];
    for (let at = 0; at + SYMBOL_BYTES <= entries.byteLength; at += SYMBOL_BYTES) {
      const kind = entries.getUint8(at + 4) & 15;
      if ((kind !== STT_FUNC && kind !== STT_OBJECT) || entries.getUint16(at + 6, true) === 0) continue;
      const start = entries.getUint32(at, true);
      symbols.push([base + number(entries, at + 8), number(entries, at + 16), names.slice(start, names.indexOf('\0', start))]);
    }
    return symbols.sort((a, b) => a[0] - b[0]);
  }
  return [];
}
