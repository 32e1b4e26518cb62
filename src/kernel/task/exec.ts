/**
 * execve(2): a new program in an old process.
 *
 * The new address space is built completely before the old one is given up, so that an error leaves the caller as it was. What a
 * fresh stack looks like, from its top downwards:
 *
 *     the path, the environment strings, the argument strings · 16 random bytes · padding to 16
 *     auxiliary vector · 0 · environment pointers · 0 · argument pointers · argc            ← sp
 */
import { E, Errno } from '../abi/errno.ts';
import { SIG_DFL, SIG_IGN } from '../abi/signal.ts';
import type { IoContext, OpenFile } from '../fs/file.ts';
import type { Kernel } from '../kernel.ts';
import { AddressSpace, STACK_TOP } from '../mm/address-space.ts';
import { fileBacking } from '../mm/file-backing.ts';
import { roundUpToPage } from '../mm/page-table.ts';
import { int64, UserMemory } from '../mm/user-memory.ts';
import { PROT } from '../mm/vm-area.ts';
import { defaultActions } from '../signal/state.ts';
import { TraceKind } from '../trace.ts';
import { type Blocking, settle } from '../types.ts';
import { type Elf, headerExtent, ELF_HEADER_BYTES, NotExecutable, parseElf } from './elf.ts';
import type { Task } from './task.ts';
import { mapVdso } from './vdso.ts';

const PIE_BASE = 0x2aaaaaa000;
const INTERPRETER_BASE = 0x3f00000000;
const STACK_BYTES = 132 * 1024;
const STRINGS_MAX = 2 << 20;
const STRING_MAX = 128 * 1024;
const SCRIPT_DEPTH_MAX = 4;
/** In place of a depth: a dynamic linker may be no script at all. */
const LINKER = -1;

const AT = {
  PHDR: 3,
  PHENT: 4,
  PHNUM: 5,
  PAGESZ: 6,
  BASE: 7,
  FLAGS: 8,
  ENTRY: 9,
  UID: 11,
  EUID: 12,
  GID: 13,
  EGID: 14,
  HWCAP: 16,
  CLKTCK: 17,
  SECURE: 23,
  RANDOM: 25,
  EXECFN: 31,
} as const;
/** Letters of the ISA string as bits: I M A F D C. */
const HWCAP = [...'IMAFDC'].reduce((bits, letter) => bits | (1 << (letter.charCodeAt(0) - 65)), 0);

/** What is to be run: the file, and the strings after an interpreter line was followed. */
interface Image {
  readonly file: OpenFile;
  readonly elf: Elf;
  readonly argv: readonly string[];
}

/** A program ready to start: its memory, and where its registers are to stand. */
export interface LoadedProgram {
  readonly space: AddressSpace;
  readonly user: UserMemory;
  readonly pc: number;
  readonly sp: number;
}

/**
 * Replaces the calling task's program. Strings are binary strings.
 * @throws Errno as execve(2)
 */
export function* exec(kernel: Kernel, task: Task, path: string, argv: readonly string[], env: readonly string[]): Blocking<number> {
  const total = [...argv, ...env].reduce((sum, text) => sum + text.length + 9, 0);
  if (total > STRINGS_MAX || [...argv, ...env].some(text => text.length >= STRING_MAX)) throw new Errno(E.TOOBIG);
  const process = task.process;
  const loaded = yield* load(kernel, task, path, argv, env);

  // From here on the old program is gone.
  for (const other of [...process.threads]) if (other !== task) kernel.dropThread(other);
  if (task.tid !== process.pid) kernel.renameTask(task, process.pid);
  kernel.releaseSpace(process);
  process.mm = loaded.space;
  process.user = loaded.user;
  for (const file of process.files.closeOnExec()) kernel.detach(process.files.release(file));
  const old = process.actions;
  process.actions = defaultActions().map((action, signal) =>
    old[signal]?.handler === SIG_IGN ? { ...action, handler: SIG_IGN } : { ...action, handler: SIG_DFL },
  );
  task.place = -1;
  task.altStack = { base: 0, size: 0, flags: 2 };
  task.clearChildTid = 0;
  task.robustList = 0;
  process.executable = path;
  kernel.setName(process, (path.split('/').at(-1) ?? path).slice(0, 15));
  process.vforkDone?.wakeAll();
  process.vforkDone = null;
  yield* settle(kernel.origins.executed(process));

  const hart = kernel.coreOf(task).hart;
  task.registers.fill(0);
  hart.restoreFrom(task.registers);
  hart.setAddressSpace(loaded.space.table.root);
  hart.setX(2, loaded.sp);
  hart.pc = loaded.pc;
  kernel.charge(kernel.cost('exec'));
  // The ecall that brought us here is not to be skipped over in the new program.
  return kernel.programStarted(task);
}

/** Builds the address space of a program. Leaves nothing behind when it fails. */
export function* load(kernel: Kernel, task: Task, path: string, argv: readonly string[], env: readonly string[]): Blocking<LoadedProgram> {
  const io = kernel.ioOf(task);
  const image = yield* openImage(kernel, task, path, argv, io, 0);
  const space = new AddressSpace(kernel.mm);
  const user = new UserMemory(space, kernel.memory, kernel.processor);
  try {
    const base = image.elf.relocatable ? PIE_BASE : 0;
    let end = yield* mapSegments(kernel, space, user, image.file, image.elf, base);
    space.codeStart = base + (image.elf.segments[0]?.address ?? 0);
    space.codeEnd = end;
    let pc = base + image.elf.entry;
    let interpreterBase = 0;
    if (image.elf.interpreter !== null) {
      const linker = yield* openInterpreter(kernel, task, image.elf.interpreter, [], io, LINKER);
      try {
        interpreterBase = linker.elf.relocatable ? INTERPRETER_BASE : 0;
        yield* mapSegments(kernel, space, user, linker.file, linker.elf, interpreterBase);
        pc = interpreterBase + linker.elf.entry;
      } finally {
        kernel.detach(linker.file.release());
      }
    }
    end = roundUpToPage(end);
    space.brkStart = end;
    space.brk = end;
    mapVdso(space, user);
    const protection = PROT.READ | PROT.WRITE | (image.elf.executableStack ? PROT.EXEC : 0);
    space.insertArea({
      start: STACK_TOP - STACK_BYTES,
      end: STACK_TOP,
      protection,
      shared: false,
      growsDown: true,
      backing: null,
      backingPage: 0,
      label: '[stack]',
    });
    const sp = buildStack(kernel, task, space, user, image, base, interpreterBase, path, env);
    return { space, user, pc, sp };
  } catch (error) {
    space.destroy();
    throw error;
  } finally {
    kernel.detach(image.file.release());
  }
}

function* openImage(kernel: Kernel, task: Task, path: string, argv: readonly string[], io: IoContext, depth: number): Blocking<Image> {
  const file = yield* settle(kernel.vfs.openExecutable(task.process.fs, path, io));
  try {
    const { size } = yield* settle(file.attributes());
    const head = new Uint8Array(Math.min(size, 4096));
    yield* readAll(file, head, 0, io);
    if (head[0] === 0x23 && head[1] === 0x21) {
      if (depth === LINKER) throw new NotExecutable('a dynamic linker that is a script');
      if (depth === SCRIPT_DEPTH_MAX) throw new NotExecutable('too many interpreters that are scripts themselves', E.LOOP);
      const line = String.fromCharCode(...head.subarray(2, head.indexOf(10) < 0 ? Math.min(head.length, 256) : head.indexOf(10))).trim();
      const space = line.search(/[ \t]/);
      const interpreter = space < 0 ? line : line.slice(0, space);
      if (interpreter === '') throw new NotExecutable('its interpreter line is empty');
      const optional = space < 0 ? [] : [line.slice(space).trim()];
      const image = yield* openInterpreter(kernel, task, interpreter, [interpreter, ...optional, path, ...argv.slice(1)], io, depth + 1);
      kernel.detach(file.release());
      return image;
    }
    const extent = head.length < ELF_HEADER_BYTES ? head.length : Math.min(size, headerExtent(head));
    const headers = new Uint8Array(Math.max(extent, head.length));
    yield* readAll(file, headers, 0, io);
    return { file, elf: parseElf(headers, size), argv };
  } catch (error) {
    if (error instanceof NotExecutable) kernel.log(6, `exec: ${path} is refused: ${error.reason}`);
    kernel.detach(file.release());
    throw error;
  }
}

function* openInterpreter(
  kernel: Kernel,
  task: Task,
  path: string,
  argv: readonly string[],
  io: IoContext,
  depth: number,
): Blocking<Image> {
  try {
    return yield* openImage(kernel, task, path, argv, io, depth);
  } catch (error) {
    if (error instanceof Errno && error.errno === E.NOENT && !(error instanceof NotExecutable))
      throw new NotExecutable(`its interpreter ${path} is not there`, E.NOENT);
    throw error;
  }
}

function* readAll(file: OpenFile, target: Uint8Array, position: number, io: IoContext): Blocking<void> {
  for (let done = 0; done < target.length; ) {
    const count = yield* settle(file.pread(target.subarray(done), position + done, io));
    if (count <= 0) return;
    done += count;
  }
}

/** Maps the load segments; returns the end of the highest. */
function* mapSegments(kernel: Kernel, space: AddressSpace, user: UserMemory, file: OpenFile, elf: Elf, base: number): Blocking<number> {
  let end = 0;
  for (const segment of elf.segments) {
    const start = base + segment.address;
    const pageStart = start - (start % 4096);
    const fileEnd = start + segment.fileBytes;
    const mapped = roundUpToPage(fileEnd) - pageStart;
    const memoryEnd = roundUpToPage(start + segment.memoryBytes);
    if (segment.fileBytes > 0) {
      const page = (segment.fileOffset - (segment.fileOffset % 4096)) / 4096;
      const backing = yield* fileBacking(file, false, page, mapped / 4096, work => kernel.detach(work));
      space.insertArea({
        start: pageStart,
        end: pageStart + mapped,
        protection: segment.protection,
        shared: false,
        growsDown: false,
        backing,
        backingPage: page,
        label: '',
      });
    }
    const zeroStart = segment.fileBytes > 0 ? pageStart + mapped : pageStart;
    if (memoryEnd > zeroStart) {
      space.insertArea({
        start: zeroStart,
        end: memoryEnd,
        protection: segment.protection,
        shared: false,
        growsDown: false,
        backing: null,
        backingPage: 0,
        label: '',
      });
    }
    const tail = Math.min(roundUpToPage(fileEnd), memoryEnd) - fileEnd;
    if (segment.memoryBytes > segment.fileBytes && segment.fileBytes > 0 && tail > 0 && segment.protection & PROT.WRITE)
      user.write(fileEnd, new Uint8Array(tail));
    end = Math.max(end, start + segment.memoryBytes);
  }
  return end;
}

function buildStack(
  kernel: Kernel,
  task: Task,
  space: AddressSpace,
  user: UserMemory,
  image: Image,
  base: number,
  interpreterBase: number,
  path: string,
  env: readonly string[],
): number {
  let at = STACK_TOP - 8;
  const push = (text: string): number => {
    at -= text.length + 1;
    user.write(
      at,
      Uint8Array.from([...text, '\0'], c => c.charCodeAt(0)),
    );
    return at;
  };
  const pathAt = push(path);
  space.envEnd = at;
  const envAt = [...env].reverse().map(push).reverse();
  space.envStart = at;
  space.argEnd = at;
  const argAt = [...image.argv].reverse().map(push).reverse();
  space.argStart = at;
  at -= 16;
  const randomAt = at;
  const random = new Uint8Array(16);
  for (let i = 0; i < 16; i++) random[i] = kernel.random() & 0xff;
  user.write(randomAt, random);
  const { uid, euid, gid, egid } = task.process.credentials;
  const aux: [number, number][] = [
    [AT.HWCAP, HWCAP],
    [AT.PAGESZ, 4096],
    [AT.CLKTCK, 100],
    [AT.PHDR, image.elf.headersAddress === 0 ? 0 : base + image.elf.headersAddress],
    [AT.PHENT, 56],
    [AT.PHNUM, image.elf.headerCount],
    [AT.BASE, interpreterBase],
    [AT.FLAGS, 0],
    [AT.ENTRY, base + image.elf.entry],
    [AT.UID, uid],
    [AT.EUID, euid],
    [AT.GID, gid],
    [AT.EGID, egid],
    [AT.SECURE, 0],
    [AT.RANDOM, randomAt],
    [AT.EXECFN, pathAt],
    [0, 0],
  ];
  const words = [argAt.length, ...argAt, 0, ...envAt, 0, ...aux.flat()];
  const sp = Math.floor((at - words.length * 8) / 16) * 16;
  const bytes = new Uint8Array(words.length * 8);
  words.forEach((word, i) => bytes.set(int64(word), 8 * i));
  user.write(sp, bytes);
  space.stackStart = sp;
  return sp;
}

/** Marks a start in the trace. */
export function traceName(kernel: Kernel, pid: number, name: string): void {
  const word = (i: number): number => [0, 1, 2, 3].reduce((value, j) => value | ((name.charCodeAt(4 * i + j) || 0) << (8 * j)), 0) >>> 0;
  kernel.traceAt(TraceKind.TaskName, kernel.toldPid(pid), word(0), word(1), word(2), word(3));
}
